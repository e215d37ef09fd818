/* SPDX-License-Identifier: MIT
 *
 * The lines that the x86 variants of packed weights share. A panel is `rows` rows; it is cut into
 * lines of rows * 4 bytes, four for each row, so that reading a panel is one linear stream. A line
 * holds 16 k of each row of family `trits4`, 8 of `int4`, 4 of `int8`:
 *
 *     trits4: byte 4 * row + b, bits 2p and 2p + 1 = code of k = 16 * line + 4 * p + b   p = 0..3
 *     int4:   byte 4 * row + b, bits 4p .. 4p + 3  = code of k = 8 * line + 4 * p + b    p = 0, 1
 *     int8:   byte 4 * row + b                     = code of k = 4 * line + b            b = 0..3
 *
 * The planes p of a line are vectors of bytes, a 32-bit lane for each row, that meet the
 * activations q[k .. k + 3] broadcast to all lanes. */
#ifndef TERN__PACKED_LINES_H
#define TERN__PACKED_LINES_H

#include <string.h>

#include "kernels/packed.h"

#define TERN__TRITS4_UNIT 16 /* k of a line */

/* With `rows` a constant these are the pack() of a variant. The codes of four k are one word. */
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

#define TERN__INT8_UNIT 4

static inline void tern__int8_pack_lines(const uint8_t *codes, int64_t k, int64_t rows,
                                         uint8_t *panel) {
    for (int64_t i = 0; i < k; i += TERN__INT8_UNIT)
        for (int64_t row = 0; row < rows; row++, panel += TERN__INT8_UNIT)
            memcpy(panel, codes + row * k + i, TERN__INT8_UNIT);
}

/* What to fetch while `line` is used where the processor prefetches within pages (base/cpu.h):
 * lines are used in order as ever, but each fetches one of the block of pages behind this one, from
 * its pages in turn. `bytes` of a line, a divisor of a page. */
static inline const uint8_t *tern__packed_in_pages(const uint8_t *line, const uintptr_t bytes) {
    enum { PAGE = 4096, PAGES = 4 };
    const uintptr_t at = (uintptr_t)line % (PAGES * PAGE), i = at / bytes;
    return line + PAGES * PAGE - at + i % PAGES * PAGE + i / PAGES * bytes;
}

/* The four activations of one plane, as the bytes of a word. */
static inline int32_t tern__packed_four(const int8_t *q) {
    int32_t word;
    memcpy(&word, q, sizeof word);
    return word;
}

#endif
