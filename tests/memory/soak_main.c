/* SPDX-License-Identifier: MIT
 * tern_soak: random operations on pools under a shadow checker (soak.h) for as long as one likes.
 * Exits with 1 when something is wrong, 2 for wrong options. */
#include "memory/soak.h"

#include <time.h>

static const char usage[] =
    "usage: tern_soak [--operations N] [--threads N] [--seed S] [--tracking 0|1|2]\n"
    "N operations (1000000), sizes from 1 byte to 16 MiB, at most 256 MiB alive; with several\n"
    "threads every one owns a pool and sizes end at 64 KiB.\n";

static bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *number) {
    char *end;
    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *number >= low && *number <= high;
}

static bool parse(int count, char **words, soak_options *options) {
    for (int i = 1; i + 1 < count; i += 2) {
        uint64_t number;
        if (strcmp(words[i], "--operations") == 0) {
            if (!parse_number(words[i + 1], 1, INT64_MAX, &number))
                return false;
            options->operations = (int64_t)number;
        } else if (strcmp(words[i], "--threads") == 0) {
            if (!parse_number(words[i + 1], 1, SOAK_THREADS, &number))
                return false;
            options->threads = (int)number;
        } else if (strcmp(words[i], "--seed") == 0) {
            if (!parse_number(words[i + 1], 0, UINT64_MAX, &options->seed))
                return false;
        } else if (strcmp(words[i], "--tracking") == 0) {
            if (!parse_number(words[i + 1], 0, 2, &number))
                return false;
            options->tracking = (tern_tracking)number;
        } else {
            return false;
        }
    }
    return count % 2 == 1;
}

int main(int count, char **words) {
    soak_options options = {.operations = 1000000,
                            .threads = 1,
                            .seed = 1,
                            .live_max = (size_t)256 << 20,
                            .tracking = TERN_TRACK_COUNTS};
    if (!parse(count, words, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    options.largest_log2 = options.threads == 1 ? 24 : 16;
    soak_result result;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    soak_run(&options, &result);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (result.complaint[0] != '\0') {
        fprintf(stderr, "tern_soak: seed %llu: %s\n", (unsigned long long)options.seed,
                result.complaint);
        return 1;
    }
    printf("operations      %lld on %d threads, seed %llu, %.0f s\n", (long long)result.operations,
           options.threads, (unsigned long long)options.seed,
           (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    printf("peak live       %.1f MiB\n", (double)result.peak_live / (1 << 20));
    printf("peak committed  %.1f MiB\n", (double)result.peak_committed / (1 << 20));
    printf("at the end      %.1f MiB committed for %.1f MiB live: %.3f\n",
           (double)result.end_committed / (1 << 20), (double)result.end_live / (1 << 20),
           (double)result.end_committed / (double)result.end_live);
    return 0;
}
