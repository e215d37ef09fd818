/* SPDX-License-Identifier: MIT
 * The readers of family `peaks`. A variant is a file that defines
 *
 *     words                                a vector of 64-bit words
 *     words_zero, words_load, words_plus   of such vectors
 *     words_total                          the sum of the words of one, modulo 2^64
 *
 * and then includes this.
 *
 * Eight sums hide the latency of loads and additions. Which of the three is the fastest depends on
 * the machine and on where the data lies: on Zen 4 the plain one in caches (prefetches take the
 * place of loads) and the prefetched one or four streams in memory. */
#ifndef TERN__PEAKS_READERS_H
#define TERN__PEAKS_READERS_H

#include <stdbool.h>

#include "kernels/peaks.h"

enum { READ_SUMS = 8, READ_LINE = 64, READ_NEAR = 1024, READ_FAR = 8192 };

__attribute__((always_inline)) static inline uint64_t
read_streams(const uint8_t *data, int64_t bytes, const int streams, const bool is_prefetched) {
    const int lines = READ_SUMS / streams, size = sizeof(words);
    const int64_t part = bytes / streams;
    words sum[READ_SUMS];
    for (int i = 0; i < READ_SUMS; i++)
        sum[i] = words_zero();
    for (int64_t at = 0; at < part; at += lines * size)
        for (int i = 0; i < READ_SUMS; i++) {
            const uint8_t *p = data + i / lines * part + at + i % lines * size;
            if (is_prefetched && i * size % READ_LINE == 0) {
                __builtin_prefetch(p + READ_NEAR, 0, 3);
                __builtin_prefetch(p + READ_FAR, 0, 2);
            }
            sum[i] = words_plus(sum[i], words_load(p));
        }
    for (int i = 1; i < READ_SUMS; i++)
        sum[0] = words_plus(sum[0], sum[i]);
    return words_total(sum[0]);
}

static uint64_t read_plain(const uint8_t *data, int64_t bytes) {
    return read_streams(data, bytes, 1, false);
}

static uint64_t read_prefetched(const uint8_t *data, int64_t bytes) {
    return read_streams(data, bytes, 1, true);
}

static uint64_t read_four(const uint8_t *data, int64_t bytes) {
    return read_streams(data, bytes, 4, false);
}

#define PEAKS_READERS                                                                              \
    {                                                                                              \
        {"one stream", read_plain}, {"one stream, prefetched", read_prefetched}, {                 \
            "four streams", read_four                                                              \
        }                                                                                          \
    }

#endif
