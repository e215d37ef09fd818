/* SPDX-License-Identifier: MIT
 * Prompt processing and token generation of a whole model, counted as llama-bench does: tokens
 * are random, the cache is empty before each call. */
#include <string.h>

#include <tern/device.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/model_run.h"

enum { MODEL_SAMPLES = 5, CHECK_TOKENS = 8 };
static const uint64_t TOKEN_SEED = 7;

tern_bench_model_options tern_bench_model_options_default(void) {
    return (tern_bench_model_options){
        .prompt_tokens = 512, .generated_tokens = 128, .samples = MODEL_SAMPLES};
}

tern_status tern__model_run_prompt(tern__model_run *s) {
    tern_status status = tern_session_truncate(s->session, 0);
    if (status == TERN_OK)
        status =
            tern_session_eval(s->session, s->tokens, s->prompt_tokens, TERN_LOGITS_LAST, s->logits);
    return status;
}

static tern_status eval_singly(tern__model_run *s, int64_t count, float *logits) {
    tern_status status = tern_session_truncate(s->session, 0);
    for (int64_t i = 0; i < count && status == TERN_OK; i++)
        status = tern_session_eval(s->session, s->tokens + i, 1, TERN_LOGITS_LAST, logits);
    return status;
}

static tern_status eval_best_singly(tern__model_run *s, int64_t count, float *logits) {
    tern_status status = tern_session_truncate(s->session, 0);
    for (int64_t i = 0; i < count && status == TERN_OK; i++)
        status = tern_session_eval_best(s->session, s->tokens + i, 1, s->best, s->ids, logits);
    return status;
}

tern_status tern__model_run_generate(tern__model_run *s) {
    return (s->best > 0 ? eval_best_singly : eval_singly)(s, s->generated_tokens, s->logits);
}

/* The best logits are those of their ids among all logits, falling, and the first is the largest.
 */
static tern_status check_best(tern__model_run *s, int64_t count) {
    float *best = s->logits, *all = s->logits + s->vocabulary, largest = all[0];
    tern_status status = eval_best_singly(s, count, best);
    for (int64_t i = 0; i < s->vocabulary; i++)
        largest = all[i] > largest ? all[i] : largest;
    for (int64_t i = 0; status == TERN_OK && i < s->best; i++)
        if (best[i] != all[s->ids[i]] || best[i] > largest || (i == 0 && best[i] != largest))
            status = tern__fail(TERN_E_INTERNAL, "bench: best logit %lld is wrong", (long long)i);
    return status;
}

tern_status tern__model_run_check(tern__model_run *s, int64_t count) {
    tern_status status = TERN_OK;
    float *batch = s->logits, *single = s->logits + s->vocabulary;
    TERN__TRY(tern_session_truncate(s->session, 0));
    TERN__TRY(tern_session_eval(s->session, s->tokens, count, TERN_LOGITS_LAST, batch));
    TERN__TRY(eval_singly(s, count, single));
    bool differs = false;
    for (int64_t i = 0; i < s->vocabulary; i++) {
        if (batch[i] - batch[i] != 0)
            TERN__TRY(tern__fail(TERN_E_INTERNAL, "bench: logit %lld is not finite", (long long)i));
        differs = differs || batch[i] != batch[0];
    }
    if (!differs)
        TERN__TRY(tern__fail(TERN_E_INTERNAL, "bench: all logits are equal"));
    if (s->keeps_bits && memcmp(batch, single, (size_t)s->vocabulary * sizeof *batch) != 0)
        TERN__TRY(tern__fail(TERN_E_INTERNAL,
                             "bench: a batch of %lld tokens and single tokens "
                             "give different bits",
                             (long long)count));
    if (s->best > 0)
        TERN__TRY(check_best(s, count));
done:
    return status;
}

static bool keeps_bits(const tern_context *context) {
    tern_device_info info;
    const char *device = tern_context_device(context);
    return strcmp(device, "cpu") == 0 ||
           (tern_device_find(device, &info) == TERN_OK && info.keeps_bits);
}

tern_status tern__model_run_open(tern_context *context, tern_model *model,
                                 const tern_bench_model_options *options, tern__model_run *s) {
    tern_status status = TERN_OK;
    *s = (tern__model_run){0};
    int64_t longest = tern__max_i64(options->prompt_tokens, options->generated_tokens);
    s->vocabulary = tern_model_describe(model).vocabulary;
    s->prompt_tokens = options->prompt_tokens;
    s->generated_tokens = options->generated_tokens;
    s->best = options->best;
    s->keeps_bits = keeps_bits(context);
    tern_session_options session = {.context_length = longest, .cache_type = options->cache_type};
    TERN__TRY(tern_session_create(context, model, &session, &s->session));
    s->tokens = tern__os()->alloc((size_t)longest * sizeof *s->tokens);
    s->logits = tern__os()->alloc(2 * (size_t)s->vocabulary * sizeof *s->logits);
    s->ids = tern__os()->alloc((size_t)s->vocabulary * sizeof *s->ids);
    if (s->tokens == NULL || s->logits == NULL || s->ids == NULL)
        TERN__TRY(
            tern__fail(TERN_E_MEMORY, "bench: no memory for %lld tokens", (long long)longest));
    for (int64_t i = 0; i < longest; i++) {
        uint32_t word = tern__philox(TOKEN_SEED, (uint64_t)i).word[0];
        s->tokens[i] = (int32_t)((uint64_t)word * (uint64_t)s->vocabulary >> 32);
    }
done:
    if (status != TERN_OK)
        tern__model_run_close(s);
    return status;
}

void tern__model_run_close(tern__model_run *s) {
    if (s->ids != NULL)
        tern__os()->free(s->ids);
    if (s->logits != NULL)
        tern__os()->free(s->logits);
    if (s->tokens != NULL)
        tern__os()->free(s->tokens);
    tern_session_destroy(s->session);
    *s = (tern__model_run){0};
}

static tern_status run_prompts(void *state, int side, int64_t calls) {
    (void)side;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++)
        status = tern__model_run_prompt(state);
    return status;
}

static tern_status run_generations(void *state, int side, int64_t calls) {
    (void)side;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++)
        status = tern__model_run_generate(state);
    return status;
}

/* The harness measures each of the two on a state that is checked already. */
static const tern_bench_case prompt_case = {
    .name = "prompt", .unit = "tok", .side = {"tern"}, .run = run_prompts};
static const tern_bench_case generation_case = {
    .name = "generation", .unit = "tok", .side = {"tern"}, .run = run_generations};

tern_status tern_bench_model(tern_context *context, tern_model *model,
                             const tern_bench_model_options *options,
                             tern_bench_model_result *result) {
    if (context == NULL || model == NULL || result == NULL)
        return tern__fail(TERN_E_ARGUMENT, "bench: a pointer is NULL");
    *result = (tern_bench_model_result){0};
    tern_bench_model_options o = options != NULL ? *options : tern_bench_model_options_default();
    int64_t longest = tern__max_i64(o.prompt_tokens, o.generated_tokens);
    if (o.prompt_tokens < 0 || o.generated_tokens < 0 || longest < 1 || longest > INT32_MAX ||
        o.samples < 0 || o.samples > TERN_BENCH_MAX_SAMPLES || o.best < 0 ||
        o.best > tern_model_describe(model).vocabulary)
        return tern__fail(TERN_E_ARGUMENT,
                          "bench: %lld prompt tokens, %lld generated, %d samples, best %lld",
                          (long long)o.prompt_tokens, (long long)o.generated_tokens, o.samples,
                          (long long)o.best);

    tern_status status = TERN_OK;
    tern__model_run s = {0};
    /* Any sample is long enough: a call is a whole prompt. */
    tern_bench_options harness = {.samples = o.samples > 0 ? o.samples : MODEL_SAMPLES,
                                  .sample_seconds = 1e-9};
    TERN__TRY(tern__model_run_open(context, model, &o, &s));
    TERN__TRY(tern__model_run_check(&s, tern__min_i64(longest, CHECK_TOKENS)));
    if (o.prompt_tokens > 0)
        TERN__TRY(tern__bench_measure(&prompt_case, &s, (double)o.prompt_tokens, &harness,
                                      &result->prompt));
    if (o.generated_tokens > 0)
        TERN__TRY(tern__bench_measure(&generation_case, &s, (double)o.generated_tokens, &harness,
                                      &result->generation));
    result->cache_bytes = tern_session_cache_bytes(s.session);
    result->resident_bytes = tern__os_resident_bytes();
done:
    tern__model_run_close(&s);
    return status;
}
