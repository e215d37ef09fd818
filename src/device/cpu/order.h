/* SPDX-License-Identifier: MIT
 * Elements as unsigned keys whose order is that of sorting, and sorting by keys.
 *
 * Integers: the sign bit flipped. Floats: the sign bit set, or all bits flipped where it was set;
 * both zeros have one key, NaN has the largest there is. Descending: all bits of the key flipped,
 * so that equal elements stay in their order both ways. */
#ifndef TERN__ORDER_H
#define TERN__ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <tern/tensor.h>

typedef struct tern__order {
    int bytes;         /* of an element, and of a key */
    uint64_t sign;     /* the sign bit; 0: unsigned */
    uint64_t infinity; /* bits of infinity; 0: no float */
    uint64_t mask;     /* all bits of a key */
    uint64_t flip;     /* descending: the mask, else 0 */
} tern__order;

/* Of a plain type. */
tern__order tern__order_of(tern_dtype dtype, bool descending);

/* The keys of n elements, `stride` elements apart. True when one of them is -0. */
bool tern__order_keys(const tern__order *order, const void *from, int64_t stride, uint64_t *keys,
                      int64_t n);

/* The other way. The key of zeros gives +0, that of NaN some NaN. */
void tern__order_values(const tern__order *order, const uint64_t *keys, void *to, int64_t stride,
                        int64_t n);

/* What is sorted: keys alone, or with a load of 32 bits below the key or of 64 bits beside it. */
typedef enum tern__items {
    TERN__ITEMS_32, /* a uint32_t: a key of at most 4 bytes */
    TERN__ITEMS_64, /* a uint64_t: a key; or one of at most 4 bytes << 32 | its load */
    TERN__ITEMS_128 /* uint64_t key, load */
} tern__items;

static inline int64_t tern__item_bytes(tern__items kind) {
    return kind == TERN__ITEMS_32 ? 4 : kind == TERN__ITEMS_64 ? 8 : 16;
}

/* Sorts n items by `key_bytes` bytes of the key, which begins at bit `shift`: ascending, stable.
 * `spare` is as large. Returns the one of both that has the result; the other one is overwritten.
 */
void *tern__order_sort(tern__items kind, void *items, void *spare, int64_t n, int shift,
                       int key_bytes);

#endif
