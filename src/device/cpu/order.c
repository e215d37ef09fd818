/* SPDX-License-Identifier: MIT
 * Radix sort from the lowest byte up: one pass over all items for each byte of the key, none for a
 * byte in which all keys agree. Short runs are sorted by insertion: every byte of the key costs 256
 * counters, worth about 12 items (Xeon with AVX-512). */
#include "device/cpu/order.h"

#include <string.h>

#include "tensor/dtype.h"

enum { SHORT_PER_BYTE = 12, RADIX = 256, KEY_BYTES = 8 };

/* -- keys --------------------------------------------------------------------------------------*/

tern__order tern__order_of(tern_dtype dtype, bool descending) {
    static const uint64_t infinities[] = {[TERN_F32] = 0x7f800000u,
                                          [TERN_F16] = 0x7c00u,
                                          [TERN_BF16] = 0x7f80u,
                                          [TERN_F64] = UINT64_C(0x7ff0000000000000)};
    tern__order o = {.bytes = tern__dtype(dtype)->block_bytes};
    bool is_unsigned = dtype == TERN_U8 || dtype == TERN_BOOL;
    o.mask = UINT64_MAX >> (64 - 8 * o.bytes);
    o.sign = is_unsigned ? 0 : o.mask ^ o.mask >> 1;
    o.infinity = tern__dtype(dtype)->is_float ? infinities[dtype] : 0;
    o.flip = descending ? o.mask : 0;
    return o;
}

static inline uint64_t read_bits(const void *from, int64_t i, int bytes) {
    return bytes == 1   ? ((const uint8_t *)from)[i]
           : bytes == 2 ? ((const uint16_t *)from)[i]
           : bytes == 4 ? ((const uint32_t *)from)[i]
                        : ((const uint64_t *)from)[i];
}

static inline uint64_t float_key(uint64_t bits, uint64_t sign, uint64_t infinity, uint64_t mask) {
    uint64_t magnitude = bits & ~sign;
    uint64_t key = bits & sign ? ~bits & mask : bits | sign;
    key = magnitude == 0 ? sign : key;
    return magnitude > infinity ? mask : key;
}

/* `bytes` and `is_float` are constants where this is called. */
__attribute__((always_inline)) static inline bool make_keys(const tern__order *o, const void *from,
                                                            int64_t stride, uint64_t *keys,
                                                            int64_t n, const int bytes,
                                                            const bool is_float) {
    uint64_t sign = o->sign, infinity = o->infinity, mask = o->mask, flip = o->flip;
    uint64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = read_bits(from, i * stride, bytes);
        if (is_float) {
            found |= bits == sign;
            keys[i] = float_key(bits, sign, infinity, mask) ^ flip;
        } else {
            keys[i] = bits ^ sign ^ flip;
        }
    }
    return found != 0;
}

bool tern__order_keys(const tern__order *o, const void *from, int64_t stride, uint64_t *keys,
                      int64_t n) {
    bool is_float = o->infinity != 0;
    switch (o->bytes) {
    case 1:
        return make_keys(o, from, stride, keys, n, 1, false);
    case 2:
        return is_float ? make_keys(o, from, stride, keys, n, 2, true)
                        : make_keys(o, from, stride, keys, n, 2, false);
    case 4:
        return is_float ? make_keys(o, from, stride, keys, n, 4, true)
                        : make_keys(o, from, stride, keys, n, 4, false);
    default:
        return is_float ? make_keys(o, from, stride, keys, n, 8, true)
                        : make_keys(o, from, stride, keys, n, 8, false);
    }
}

static uint64_t value_of(const tern__order *o, uint64_t key) {
    uint64_t bits = key ^ o->flip;
    if (o->infinity == 0)
        return bits ^ o->sign;
    return bits & o->sign ? bits ^ o->sign : ~bits & o->mask;
}

void tern__order_values(const tern__order *o, const uint64_t *keys, void *to, int64_t stride,
                        int64_t n) {
    switch (o->bytes) {
    case 1:
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)to)[i * stride] = (uint8_t)value_of(o, keys[i]);
        break;
    case 2:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)to)[i * stride] = (uint16_t)value_of(o, keys[i]);
        break;
    case 4:
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)to)[i * stride] = (uint32_t)value_of(o, keys[i]);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)to)[i * stride] = value_of(o, keys[i]);
    }
}

/* -- sorting -----------------------------------------------------------------------------------*/

/* An item of any kind; `load` is of ITEMS_128. */
typedef struct item {
    uint64_t key, load;
} item;

static inline item get(const void *items, int64_t i, tern__items kind) {
    if (kind == TERN__ITEMS_128)
        return ((const item *)items)[i];
    return (item){.key = kind == TERN__ITEMS_32 ? ((const uint32_t *)items)[i]
                                                : ((const uint64_t *)items)[i]};
}

static inline void put(void *items, int64_t i, item value, tern__items kind) {
    if (kind == TERN__ITEMS_128)
        ((item *)items)[i] = value;
    else if (kind == TERN__ITEMS_64)
        ((uint64_t *)items)[i] = value.key;
    else
        ((uint32_t *)items)[i] = (uint32_t)value.key;
}

__attribute__((always_inline)) static inline void insert_all(void *items, int64_t n, int shift,
                                                             const tern__items kind) {
    for (int64_t i = 1; i < n; i++) {
        item moved = get(items, i, kind);
        int64_t to = i;
        for (; to > 0; to--) {
            item before = get(items, to - 1, kind);
            if (before.key >> shift <= moved.key >> shift)
                break;
            put(items, to, before, kind);
        }
        put(items, to, moved, kind);
    }
}

/* `kind` is a constant where this is called. */
__attribute__((always_inline)) static inline void *
sort_items(void *items, void *spare, int64_t n, int shift, int key_bytes, const tern__items kind) {
    if (n <= SHORT_PER_BYTE * key_bytes) {
        insert_all(items, n, shift, kind);
        return items;
    }
    int64_t counts[KEY_BYTES][RADIX];
    memset(counts, 0, (size_t)key_bytes * sizeof counts[0]);
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = get(items, i, kind).key >> shift;
        for (int b = 0; b < key_bytes; b++, key >>= 8)
            counts[b][key & 0xff]++;
    }
    for (int b = 0; b < key_bytes; b++, shift += 8) {
        int64_t *count = counts[b], sum = 0;
        if (count[get(items, 0, kind).key >> shift & 0xff] == n)
            continue;
        for (int i = 0; i < RADIX; i++) {
            int64_t begin = sum;
            sum += count[i];
            count[i] = begin;
        }
        for (int64_t i = 0; i < n; i++) {
            item value = get(items, i, kind);
            put(spare, count[value.key >> shift & 0xff]++, value, kind);
        }
        void *done = spare;
        spare = items;
        items = done;
    }
    return items;
}

void *tern__order_sort(tern__items kind, void *items, void *spare, int64_t n, int shift,
                       int key_bytes) {
    if (kind == TERN__ITEMS_32)
        return sort_items(items, spare, n, shift, key_bytes, TERN__ITEMS_32);
    if (kind == TERN__ITEMS_64)
        return sort_items(items, spare, n, shift, key_bytes, TERN__ITEMS_64);
    return sort_items(items, spare, n, shift, key_bytes, TERN__ITEMS_128);
}
