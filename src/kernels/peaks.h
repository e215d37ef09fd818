/* SPDX-License-Identifier: MIT
 *
 * Family `peaks`: what a processor does at most, as loops that do nothing else. Results are known,
 * so that nobody can leave the work out.
 *
 * A reader adds up the 64-bit words of memory, modulo 2^64.
 *
 * A peak runs one arithmetic unit on registers, or on tiles that come from the first cache. It has
 * `sums` independent sums, each of which adds a[0] b[0] + ... + a[width-1] b[width-1] in every
 * iteration; the result is all of them added up, modulo 2^bits:
 *
 *     iterations * sums * sum over i < width of a[i] * b[i]
 *
 * with a in 0..2, as codes of trits are, and any b. Lanes of 32 bits do not overflow: 64 products
 * of 2 * 128 in each of 2^16 iterations make 2^30; F32 sums are integers of at most 2^24.
 *
 * Variants hold the peaks of their own instructions only: a machine has those of every variant that
 * it runs, not of the first alone.
 */
#ifndef TERN__PEAKS_H
#define TERN__PEAKS_H

#include <stdint.h>

#include "base/cpu.h"

enum {
    TERN__READ_UNIT = 512, /* bytes: what is read is a multiple of it, aligned to 64 */
    TERN__READERS = 3,
    TERN__PEAKS = 2,
    TERN__PEAK_OPERANDS = 64,
    TERN__PEAK_ITERATIONS = 1 << 16, /* at most */
};

typedef struct tern__reader {
    const char *name; /* "four streams" */
    uint64_t (*read)(const uint8_t *data, int64_t bytes);
} tern__reader;

typedef enum tern__peak_kind {
    TERN__PEAK_FMA, /* F32 multiply-adds */
    TERN__PEAK_DOT, /* products of bytes, added up in integers */
    TERN__PEAK_FED, /* the same, operands loaded from the first cache */
} tern__peak_kind;

typedef struct tern__peak {
    const char *name; /* "vpdpbusd, 512 bits"; NULL: no more */
    tern__peak_kind kind;
    int width, sums; /* width * sums products an iteration */
    int bits;
    uint64_t (*run)(const uint8_t *a, const int8_t *b, int64_t iterations);
} tern__peak;

typedef struct tern__peaks_kernel {
    tern__variant variant;
    tern__reader readers[TERN__READERS]; /* all of them or none */
    tern__peak peaks[TERN__PEAKS];
} tern__peaks_kernel;

extern const tern__peaks_kernel *const tern__peaks_family[];

/* `value` modulo 2^bits. */
static inline uint64_t tern__peak_modulo(const tern__peak *peak, uint64_t value) {
    return value & UINT64_MAX >> (64 - peak->bits);
}

/* What run() must give, modulo 2^bits. */
static inline uint64_t tern__peak_result(const tern__peak *peak, const uint8_t *a, const int8_t *b,
                                         int64_t iterations) {
    int64_t sum = 0;
    for (int i = 0; i < peak->width; i++)
        sum += a[i] * b[i];
    return tern__peak_modulo(peak, (uint64_t)(sum * peak->sums * iterations));
}

#endif
