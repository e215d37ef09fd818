/* SPDX-License-Identifier: MIT
 * Size classes of the pool: multiples of 16 from 64 to 128 bytes, then eight per doubling up to
 * 4 MiB. Above 128 bytes a room is at most 12.5 % larger than what was asked for, once that is
 * rounded up to its alignment. A request that is rounded up to a multiple of 64 gets a room that is
 * one, so blocks cut from pages are aligned to 64 then. No branch: sizes come in any order, and a
 * branch guessed wrong costs more than the whole way through the pool. */
#ifndef TERN__SIZE_CLASS_H
#define TERN__SIZE_CLASS_H

#include <stddef.h>

#include "memory/runs.h"

enum {
    TERN__CLASSES = 5 + 15 * 8,
    /* Classes below are cut from slabs, the others are page runs: rooms below 32 KiB. */
    TERN__SLAB_CLASSES = 5 + 8 * 8 - 1
};

#define TERN__CLASS_MAX ((size_t)4 << 20) /* the largest room */

/* The class that serves `bytes` in 0..TERN__CLASS_MAX, rounded up to a multiple of `align` (a power
 * of two, 16 to 64) first. With last = size - 1 and e = max(7, floor(log2(last))), rooms between
 * 2^e and 2^(e+1) are 2^(e-3) apart. */
static inline int tern__class_aligned(size_t bytes, size_t align) {
    size_t last = ((bytes > 64 ? bytes : 64) - 1) | (align - 1);
    int e = 63 ^ __builtin_clzll((unsigned long long)last | 128);
    return 8 * e - 59 + (int)(last >> (e - 3));
}

static inline int tern__class_of(size_t bytes) {
    return tern__class_aligned(bytes, 16);
}

/* Bytes of a block of class `index` in 0..TERN__CLASSES-1. */
static inline size_t tern__class_room(int index) {
    int eighth = index + 3; /* eighths from 0 on: 16 bytes each below 256 */
    if (eighth < 16)
        return 16 * (size_t)(eighth + 1);
    return (size_t)(9 + eighth % 8) << (eighth / 8 + 3);
}

#endif
