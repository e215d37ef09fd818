/* SPDX-License-Identifier: MIT
 * Checked arithmetic for every size that comes from a file or a caller.
 * Each returns true and stores the result, or returns false and leaves *out alone. */
#ifndef TERN__CHECKED_H
#define TERN__CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool tern__add_size(size_t a, size_t b, size_t *out) {
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool tern__mul_size(size_t a, size_t b, size_t *out) {
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

/* Rounds up to a multiple of `align`, a power of two. */
static inline bool tern__round_up_size(size_t a, size_t align, size_t *out) {
    size_t r;
    if (__builtin_add_overflow(a, align - 1, &r))
        return false;
    *out = r & ~(align - 1);
    return true;
}

static inline bool tern__add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    uint64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool tern__mul_i64(int64_t a, int64_t b, int64_t *out) {
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

/* For sizes that were validated before: no overflow possible. */
static inline int64_t tern__round_up_i64(int64_t a, int64_t unit) {
    return (a + unit - 1) / unit * unit;
}

static inline int64_t tern__min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t tern__max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Of strides, which are above INT64_MIN. */
static inline int64_t tern__abs_i64(int64_t a) {
    return a < 0 ? -a : a;
}

#endif
