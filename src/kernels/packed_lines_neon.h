/* SPDX-License-Identifier: MIT
 *
 * What the Arm variants of packed weights have in common. A panel of ROWS rows is cut into lines of
 * UNIT k, in which every row has SPAN bytes:
 *
 *     byte SPAN * row + b holds the codes of k = UNIT * line + SPAN * p + b, p = 0 .. PLANES - 1
 *
 * How a byte holds them is said by the header of a packing, <packing>_neon.h:
 *
 *     PLANES, OFFSET       codes in a byte; what is to be taken off them where they are multiplied
 *
 *     cursor, begin(bytes) 16 bytes about to be unpacked
 *
 *     plane(cursor, p)     their p-th codes, in order
 *
 *     encode(codes)        a byte
 *
 * which is included before this, like ROWS and SPAN. */
#ifndef TERN__PACKED_LINES_NEON_H
#define TERN__PACKED_LINES_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "kernels/packed.h"

enum { UNIT = SPAN * PLANES, LINE = SPAN * ROWS };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += UNIT)
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t b = 0; b < SPAN; b++) {
                uint8_t byte_codes[PLANES];
                for (int p = 0; p < PLANES; p++)
                    byte_codes[p] = codes[row * k + i + SPAN * p + b];
                *panel++ = (uint8_t)encode(byte_codes);
            }
}

static inline const uint8_t *line_at(const tern__packed_args *args, int64_t panel, int64_t k) {
    return args->packed + (panel * args->k + k) / UNIT * LINE;
}

/* Four activations in all lanes. */
static inline int8x16_t broadcast(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/* What the offset of the codes adds to each sum, taken off. Modulo 2^32. */
static inline int32_t start(const tern__packed_args *args, int64_t n) {
    return (int32_t)(0u - (uint32_t)OFFSET * (uint32_t)args->q_sum[n]);
}

/* The rows of a panel that the weight has. */
static inline void store_rows(const tern__packed_args *args, int64_t panel, int64_t n,
                              const int32_t sums[ROWS]) {
    const int64_t rows = args->m - panel * ROWS;
    memcpy(args->out + n * args->out_stride + panel * ROWS, sums,
           (size_t)(rows < ROWS ? rows : ROWS) * sizeof *sums);
}

#endif
