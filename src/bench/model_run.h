/* SPDX-License-Identifier: MIT
 * A session that reads prompts and generates, counted as llama-bench does: tokens are random, the
 * cache is empty before each call. */
#ifndef TERN__MODEL_RUN_H
#define TERN__MODEL_RUN_H

#include <tern/bench.h>

typedef struct tern__model_run {
    tern_session *session;
    int64_t vocabulary, prompt_tokens, generated_tokens;
    int64_t best;    /* generation makes so many of the largest logits; 0: all */
    bool keeps_bits; /* the device does, whatever the batch */
    float *logits;   /* (2, V) */
    int32_t *ids;    /* (V): of the best logits */
    int32_t *tokens; /* (max(prompt, generated)) */
} tern__model_run;

/* Tokens and best are those of `options`, at least one token; nothing is left behind on failure. */
tern_status tern__model_run_open(tern_context *context, tern_model *model,
                                 const tern_bench_model_options *options, tern__model_run *run);
void tern__model_run_close(tern__model_run *run);

tern_status tern__model_run_prompt(tern__model_run *run);
tern_status tern__model_run_generate(tern__model_run *run);

/* The first `count` tokens as a batch and one by one: equal bits, where the device keeps them,
 * finite, not all the same; and the best logits are the largest of all. */
tern_status tern__model_run_check(tern__model_run *run, int64_t count);

#endif
