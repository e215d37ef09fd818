/* SPDX-License-Identifier: MIT
 * llama-bench, a program of llama.cpp and what derives from it: started for one figure. */
#ifndef TERN__LLAMA_BENCH_H
#define TERN__LLAMA_BENCH_H

#include <tern/base.h>

typedef struct tern__llama_job {
    const char *program;                     /* its path */
    const char *model;                       /* a file */
    int64_t prompt_tokens, generated_tokens; /* one of them is 0 */
    int threads;
} tern__llama_job;

typedef struct tern__llama_result {
    double rate; /* tokens a second */
    double parameters;
    char build[48], model[48]; /* "0c1e57098 (4300)", "bitnet 2B TQ2_0 - 2.06 bpw ternary" */
} tern__llama_result;

/* One repetition, after its own warm-up. TERN_E_UNSUPPORTED tells why there is no figure: the
 * program cannot be started, fails, or prints something else. */
tern_status tern__llama_bench(const tern__llama_job *job, tern__llama_result *result);

#endif
