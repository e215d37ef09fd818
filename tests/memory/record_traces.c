/* SPDX-License-Identifier: MIT
 *
 * record_traces MODEL DIRECTORY: records what three workloads ask of the pool and writes
 * DIRECTORY/decode.trace, prompt.trace and ops.trace, see data/traces/README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>

#include "bench/memory_calls.h"
#include "bench/memory_trace.h"
#include "tensor/tensor.h"

enum { PROMPT_TOKENS = 512, DECODE_STEPS = 3, OP_MIX_ROUNDS = 50, MAX_LIVE = 1 << 16 };

typedef struct recorder {
    unsigned char bytes[TERN__TRACE_MAX_BYTES];
    size_t size;
    const void *live[MAX_LIVE]; /* oldest first */
    int64_t count;
    const char *problem;
} recorder;

static void record(void *user, const void *block, size_t bytes, unsigned kind, bool is_release) {
    recorder *r = user;
    tern__trace_event event = {.is_release = is_release, .kind = kind, .bytes = bytes};
    if (is_release) {
        int64_t at = r->count - 1;
        while (at >= 0 && r->live[at] != block)
            at--;
        if (at < 0) {
            r->problem = "a block is released that was not seen";
            return;
        }
        event.newer = r->count - 1 - at;
        memmove(r->live + at, r->live + at + 1, (size_t)event.newer * sizeof *r->live);
        r->count--;
    } else if (r->count == MAX_LIVE) {
        r->problem = "too many live blocks";
        return;
    } else {
        r->live[r->count++] = block;
    }
    if (!tern__trace_append(r->bytes, sizeof r->bytes, &r->size, &event))
        r->problem = "the trace is too long";
}

/* A prompt (BOS, then ids in turn) and `steps` greedy tokens behind it. */
static tern_status run_model(tern_context *context, const char *path, int64_t prompt, int steps) {
    tern_model *model = NULL;
    tern_session *session = NULL;
    float *logits = NULL;
    int32_t ids[PROMPT_TOKENS];
    tern_status status = tern_model_load(context, path, NULL, &model);
    if (status == TERN_OK)
        status = tern_session_create(context, model, NULL, &session);
    if (status == TERN_OK) {
        int64_t vocabulary = tern_model_describe(model).vocabulary;
        for (int64_t i = 0; i < prompt; i++)
            ids[i] = (int32_t)((i * 97 + 1) % vocabulary);
        logits = malloc((size_t)vocabulary * sizeof *logits);
        status = logits == NULL ? TERN_E_MEMORY
                                : tern_session_eval(session, ids, prompt, TERN_LOGITS_LAST, logits);
        for (int step = 0; step < steps && status == TERN_OK; step++) {
            int32_t token = 0;
            for (int32_t v = 1; v < vocabulary; v++)
                if (logits[v] > logits[token])
                    token = v;
            status = tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits);
        }
    }
    free(logits);
    tern_session_destroy(session);
    tern_model_release(model);
    return status;
}

static tern_status run_decode(tern_context *context, const char *path) {
    return run_model(context, path, 16, DECODE_STEPS);
}

static tern_status run_prompt(tern_context *context, const char *path) {
    return run_model(context, path, PROMPT_TOKENS, 0);
}

static tern_status run_ops(tern_context *context, const char *path) {
    (void)path;
    return tern__op_mix(context, 3, OP_MIX_ROUNDS);
}

static bool write_trace(const recorder *r, const char *directory, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.trace", directory, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    bool is_written = fwrite(r->bytes, 1, r->size, file) == r->size;
    return fclose(file) == 0 && is_written;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        tern_status (*run)(tern_context *context, const char *path);
    } workloads[] = {{"decode", run_decode}, {"prompt", run_prompt}, {"ops", run_ops}};
    if (argc != 3) {
        fprintf(stderr, "usage: record_traces MODEL DIRECTORY\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        static recorder r;
        tern_context *context = NULL;
        memset(&r, 0, sizeof r);
        tern_status status = tern_context_create(&(tern_options){.threads = 1}, &context);
        if (status == TERN_OK) {
            tern__pool_trace(context->pool, record, &r);
            status = workloads[i].run(context, argv[1]);
            tern__pool_trace(context->pool, NULL, NULL);
        }
        tern_context_destroy(context);
        if (status == TERN_OK && r.problem == NULL && r.count != 0)
            r.problem = "blocks are left";
        if (status == TERN_OK && r.problem == NULL && r.size == 0)
            r.problem = "nothing was recorded";
        if (status != TERN_OK || r.problem != NULL ||
            !write_trace(&r, argv[2], workloads[i].name)) {
            fprintf(stderr, "record_traces: %s: %s\n", workloads[i].name,
                    status != TERN_OK   ? tern_last_error()
                    : r.problem != NULL ? r.problem
                                        : "the file cannot be written");
            return 1;
        }
        printf("%s: %zu bytes\n", workloads[i].name, r.size);
    }
    return 0;
}
