/* SPDX-License-Identifier: MIT
 *
 * The packed layout that all vector variants of family `trits4` share. A panel is `rows` rows; it
 * is cut into lines of rows * 4 bytes that hold 16 k of each row, so that reading a panel is one
 * linear stream:
 *
 *     byte 4 * row + b, bits 2p and 2p + 1 = code of k = 16 * line + 4 * p + b     b, p = 0..3
 *
 * The four 2-bit planes p of a line are vectors of bytes, a 32-bit lane for each row, that meet the
 * activations q[k .. k + 3] broadcast to all lanes. Lines of `int4` hold 8 k of each row:
 *
 *     byte 4 * row + b, bits 4p .. 4p + 3 = code of k = 8 * line + 4 * p + b    b = 0..3, p = 0, 1
 *
 * Only kernels include this. */
#ifndef TERN__PACKED_LINES_H
#define TERN__PACKED_LINES_H

#include <string.h>

#include "kernels/packed.h"

#define TERN__TRITS4_UNIT 16 /* k of a line */

/* With `rows` a constant this is the pack() of a variant. The codes of four k are one word. */
static inline void tern__trits4_pack_lines(const uint8_t *codes, int64_t k, int64_t rows,
                                           uint8_t *panel) {
    for (int64_t i = 0; i < k; i += TERN__TRITS4_UNIT)
        for (int64_t row = 0; row < rows; row++, panel += 4) {
            uint32_t plane[4];
            memcpy(plane, codes + row * k + i, sizeof plane);
            uint32_t word = plane[0] | plane[1] << 2 | plane[2] << 4 | plane[3] << 6;
            memcpy(panel, &word, sizeof word);
        }
}

#define TERN__INT4_UNIT 8

static inline void tern__int4_pack_lines(const uint8_t *codes, int64_t k, int64_t rows,
                                         uint8_t *panel) {
    for (int64_t i = 0; i < k; i += TERN__INT4_UNIT)
        for (int64_t row = 0; row < rows; row++, panel += 4) {
            uint32_t plane[2];
            memcpy(plane, codes + row * k + i, sizeof plane);
            uint32_t word = plane[0] | plane[1] << 4;
            memcpy(panel, &word, sizeof word);
        }
}

static inline const uint8_t *tern__trits4_line(const tern__packed_args *args, int64_t rows,
                                               int64_t panel, int64_t k) {
    return args->packed + (panel * args->k + k) / 4 * rows;
}

/* The four activations of one plane, as the bytes of a word. */
static inline int32_t tern__packed_four(const int8_t *q) {
    int32_t word;
    memcpy(&word, q, sizeof word);
    return word;
}

#endif
