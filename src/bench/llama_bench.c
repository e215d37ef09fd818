/* SPDX-License-Identifier: MIT */
#include "bench/llama_bench.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/os.h"
#include "base/status.h"

enum { OUTPUT_BYTES = 64 << 10 };

static tern_status run_program(const tern__llama_job *job, char *output, size_t size) {
    char prompt[24], generated[24], threads[24];
    int exit_status = 0;
    snprintf(prompt, sizeof prompt, "%lld", (long long)job->prompt_tokens);
    snprintf(generated, sizeof generated, "%lld", (long long)job->generated_tokens);
    snprintf(threads, sizeof threads, "%d", job->threads);
    const char *const argv[] = {job->program, "-m", job->model, "-p",    prompt, "-n",   generated,
                                "-r",         "1",  "-t",       threads, "-o",   "json", NULL};
    int error = tern__os()->program_run(argv, output, size, &exit_status);
    if (error != 0)
        return tern__fail(TERN_E_UNSUPPORTED, "cannot run \"%.120s\": %s", job->program,
                          strerror(error));
    if (exit_status != 0)
        return tern__fail(TERN_E_UNSUPPORTED, "\"%.120s\" ended with status %d for \"%.120s\"",
                          job->program, exit_status, job->model);
    return TERN_OK;
}

static void copy_text(const json_t *object, const char *key, char *text, size_t size) {
    const char *value = json_string_value(json_object_get(object, key));
    snprintf(text, size, "%s", value != NULL ? value : "?");
}

/* Whether the object tells about what was asked for. */
static bool is_of_job(const json_t *object, const tern__llama_job *job) {
    return json_integer_value(json_object_get(object, "n_prompt")) == job->prompt_tokens &&
           json_integer_value(json_object_get(object, "n_gen")) == job->generated_tokens &&
           json_integer_value(json_object_get(object, "n_threads")) == job->threads;
}

static bool read_result(const json_t *list, const tern__llama_job *job,
                        tern__llama_result *result) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);
        char commit[24];
        if (!is_of_job(object, job))
            continue;
        result->rate = json_number_value(json_object_get(object, "avg_ts"));
        result->parameters = json_number_value(json_object_get(object, "model_n_params"));
        copy_text(object, "model_type", result->model, sizeof result->model);
        copy_text(object, "build_commit", commit, sizeof commit);
        snprintf(result->build, sizeof result->build, "%s (%lld)", commit,
                 (long long)json_integer_value(json_object_get(object, "build_number")));
        return result->rate > 0 && result->rate < 1e12;
    }
    return false;
}

tern_status tern__llama_bench(const tern__llama_job *job, tern__llama_result *result) {
    json_error_t error = {0};
    json_t *list = NULL;
    tern_status status;
    char *output = tern__os()->alloc(OUTPUT_BYTES);
    if (output == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for the output of a program");
    TERN__TRY(run_program(job, output, OUTPUT_BYTES));
    list = json_loads(output, 0, &error);
    if (list == NULL)
        TERN__TRY(tern__fail(TERN_E_UNSUPPORTED, "\"%.120s\" did not print JSON: line %d: %.100s",
                             job->program, error.line, error.text));
    if (!read_result(list, job, result))
        TERN__TRY(tern__fail(TERN_E_UNSUPPORTED, "\"%.120s\" printed no rate for what was asked",
                             job->program));
done:
    json_decref(list);
    tern__os()->free(output);
    return status;
}
