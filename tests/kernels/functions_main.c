/* SPDX-License-Identifier: MIT
 * tern_functions: every F32 function of the family `functions` over all 2^32 numbers, by the best
 * variant of this machine, against the scalar variant (bit for bit) and the system's double
 * functions. Prints the largest errors; exits with 1 when one is above what docs/numerics.md states
 * or a bit differs, 2 for wrong options. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/half.h"
#include "kernels/function_cases.h"
#include "kernels/variants.h"

static const char usage[] = "usage: tern_functions [--step N] [FUNCTION...]\n"
                            "Every N-th bit pattern (1: all of them, minutes per function) of the "
                            "functions named, or all.\n";

enum { BATCH = 4096, THREADS = 64 };

/* The share of one thread: batches number `first`, first + threads, ... */
typedef struct share {
    int function, threads;
    uint64_t first, step;
    double largest, largest_denormal; /* above 0.5 ulp, by the size of the result */
    float where, where_denormal;
    uint64_t count, different;
} share;

static void check(share *s, float x, float got, float scalar) {
    s->count++;
    s->different += !(isnan(got) && isnan(scalar)) && tern__f32_bits(got) != tern__f32_bits(scalar);
    double want = function_case[s->function].reference((double)x);
    if (got == (float)want && want != 0)
        return; /* the nearest number: not more than half an ulp */
    double error = error_f32(got, want);
    bool is_denormal = fabs(want) < 0x1p-126;
    if (is_denormal && error > s->largest_denormal) {
        s->largest_denormal = error;
        s->where_denormal = x;
    } else if (!is_denormal && error > s->largest) {
        s->largest = error;
        s->where = x;
    }
}

static void *run_share(void *argument) {
    share *s = argument;
    const tern__functions_kernel *best = TERN__PICK(tern__functions_family, tern__cpu()->features);
    const tern__functions_kernel *twin = test_scalar_twin(tern__functions_family);
    float x[BATCH], got[BATCH], scalar[BATCH];
    for (uint64_t at = s->first * BATCH * s->step; at <= UINT32_MAX;
         at += (uint64_t)s->threads * BATCH * s->step) {
        int n = 0;
        for (uint64_t bits = at; n < BATCH && bits <= UINT32_MAX; n++, bits += s->step)
            x[n] = tern__f32_from_bits((uint32_t)bits);
        best->f32[s->function](x, 1, got, n);
        twin->f32[s->function](x, 1, scalar, n);
        for (int i = 0; i < n; i++)
            check(s, x[i], got[i], scalar[i]);
    }
    return NULL;
}

static void add_share(share *sum, const share *s) {
    if (s->largest > sum->largest) {
        sum->largest = s->largest;
        sum->where = s->where;
    }
    if (s->largest_denormal > sum->largest_denormal) {
        sum->largest_denormal = s->largest_denormal;
        sum->where_denormal = s->where_denormal;
    }
    sum->count += s->count;
    sum->different += s->different;
}

static bool run_function(int function, uint64_t step, int threads) {
    static share shares[THREADS];
    pthread_t ids[THREADS];
    share sum = {.largest = 0.5, .largest_denormal = 0.5};
    for (int t = 0; t < threads; t++) {
        shares[t] =
            (share){.function = function, .threads = threads, .first = (uint64_t)t, .step = step};
        if (pthread_create(&ids[t], NULL, run_share, &shares[t]) != 0) {
            fputs("tern_functions: no thread\n", stderr);
            exit(1);
        }
    }
    for (int t = 0; t < threads; t++) {
        pthread_join(ids[t], NULL);
        add_share(&sum, &shares[t]);
    }
    bool is_good = sum.largest <= function_case[function].max_f32 &&
                   sum.largest_denormal <= function_case[function].max_f32 && sum.different == 0;
    printf("%-10s %.5f ulp at %a, denormal %.5f ulp at %a; %llu numbers, %llu differ%s\n",
           function_case[function].name, sum.largest, (double)sum.where, sum.largest_denormal,
           (double)sum.where_denormal, (unsigned long long)sum.count,
           (unsigned long long)sum.different, is_good ? "" : "  FAIL");
    fflush(stdout);
    return is_good;
}

static bool is_named(int function, char **names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], function_case[function].name) == 0)
            return true;
    return count == 0;
}

int main(int count, char **words) {
    uint64_t step = 1;
    int first = 1;
    if (count > 2 && strcmp(words[1], "--step") == 0) {
        char *end;
        step = strtoull(words[2], &end, 10);
        first = *end == '\0' && step >= 1 && step <= UINT32_MAX ? 3 : 1;
    }
    if (count > first && words[first][0] == '-') {
        fputs(usage, stderr);
        return 2;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cores < 1 ? 1 : cores > THREADS ? THREADS : (int)cores;
    bool is_good = true;
    for (int f = 0; f < TERN__FUNCTIONS; f++)
        if (is_named(f, words + first, count - first))
            is_good &= run_function(f, step, threads);
    return is_good ? 0 : 1;
}
