/* SPDX-License-Identifier: MIT
 * Internal side of the harness: measuring a state that is made already, and the case tables. */
#ifndef TERN__BENCH_H
#define TERN__BENCH_H

#include <tern/bench.h>

/* Checks, calibrates, samples and sums up; setup and teardown are the caller's. */
tern_status tern__bench_measure(const tern_bench_case *bench, void *state, double work,
                                const tern_bench_options *options, tern_bench_result *result);

/* The clock, read where a sample of that side of what is measured begins or ends: what takes
 * samples of its own uses it too. An end may be the beginning of the next sample. */
uint64_t tern__bench_clock(int side, bool is_end);

/* For clocks that tests put into the OS table: what the reading under way, by this thread, is for.
 * -1 and false: for no sample. */
int tern__bench_side(void);
bool tern__bench_is_end(void);

/* Registered cases, by the file that holds them. */
extern const tern_bench_case tern__bench_tensor_create;
extern const tern_bench_case tern__bench_tensor_sites;
extern const tern_bench_case tern__bench_memory_read;
extern const tern_bench_case tern__bench_team_run;
extern const tern_bench_case tern__bench_ternary_decode;
extern const tern_bench_case tern__bench_ternary_prefill;
extern const tern_bench_case tern__bench_matmul_f16;
extern const tern_bench_case tern__bench_matmul_f64;
extern const tern_bench_case tern__bench_matmul_i8;

#endif
