/* SPDX-License-Identifier: MIT */
#include "memory/guard.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/checked.h"

/* The guard bytes at an address that is a multiple of 8. They lie in 0x80..0xBF, so that zeros,
 * ones, small numbers, letters and 0xFF never look like a guard. */
static inline uint64_t guard_word(const uint8_t *address) {
    uint64_t mixed = (uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    mixed ^= mixed >> 32;
    return (mixed & UINT64_C(0x3F3F3F3F3F3F3F3F)) | UINT64_C(0x8080808080808080);
}

/* `end` is a multiple of 8. */
static void fill_guard(uint8_t *begin, uint8_t *end) {
    size_t odd = (uintptr_t)begin % 8;
    if (odd != 0) {
        uint64_t word = guard_word(begin - odd);
        memcpy(begin, (const uint8_t *)&word + odd, 8 - odd);
        begin += 8 - odd;
    }
    for (; begin < end; begin += 8) {
        uint64_t word = guard_word(begin);
        memcpy(begin, &word, 8);
    }
}

static bool is_guard_whole(const uint8_t *begin, const uint8_t *end) {
    size_t odd = (uintptr_t)begin % 8;
    if (odd != 0) {
        uint64_t word = guard_word(begin - odd);
        if (memcmp(begin, (const uint8_t *)&word + odd, 8 - odd) != 0)
            return false;
        begin += 8 - odd;
    }
    for (; begin < end; begin += 8) {
        uint64_t word = guard_word(begin);
        if (memcmp(begin, &word, 8) != 0)
            return false;
    }
    return true;
}

/* NaN as F16, BF16, F32 and F64. */
static const uint64_t POISON_WORD = 0x7FF5 * UINT64_C(0x0001000100010001);

static void fill_poison(uint8_t *block, size_t bytes) {
    size_t whole = bytes & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        memcpy(block + i, &POISON_WORD, 8);
    memcpy(block + whole, &POISON_WORD, bytes - whole);
}

static bool is_poison_whole(const uint8_t *block, size_t bytes) {
    size_t whole = bytes & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        if (memcmp(block + i, &POISON_WORD, 8) != 0)
            return false;
    return memcmp(block + whole, &POISON_WORD, bytes - whole) == 0;
}

/* The first 16 bytes of the front guard. */
typedef struct header {
    uint64_t bytes, check;
} header;

static header header_of(const void *block, size_t bytes) {
    uint64_t mixed = ((uintptr_t)block ^ ((uint64_t)bytes << 32)) + bytes;
    mixed *= UINT64_C(0xC2B2AE3D27D4EB4F);
    return (header){bytes, mixed ^ (mixed >> 29)};
}

static void write_header(uint8_t *block, size_t bytes) {
    header expected = header_of(block, bytes);
    memcpy(block - TERN__GUARD, &expected, sizeof expected);
}

static bool is_header_whole(const uint8_t *block, size_t bytes) {
    header expected = header_of(block, bytes);
    return memcmp(block - TERN__GUARD, &expected, sizeof expected) == 0;
}

static uint8_t *back_end(uint8_t *block, size_t bytes) {
    size_t raw_bytes = 0;
    bool fits = tern__guard_room(bytes, &raw_bytes);
    assert(fits && (uintptr_t)block % 16 == 0);
    (void)fits;
    return block - TERN__GUARD + raw_bytes;
}

bool tern__guard_room(size_t bytes, size_t *raw_bytes) {
    size_t sum;
    return tern__add_size(bytes, 2 * TERN__GUARD, &sum) && tern__round_up_size(sum, 64, raw_bytes);
}

void tern__guard_write(void *block, size_t bytes) {
    uint8_t *begin = block, *front = begin - TERN__GUARD + sizeof(header);
    write_header(begin, bytes);
    fill_guard(front, begin);
    fill_guard(begin + bytes, back_end(begin, bytes));
}

void tern__guard_poison(void *block, size_t bytes) {
    fill_poison(block, bytes);
}

bool tern__guard_mend(void *block, size_t bytes, bool is_poisoned, tern_memory_event_kind *kind) {
    uint8_t *begin = block, *front = begin - TERN__GUARD + sizeof(header);
    uint8_t *end = back_end(begin, bytes);
    if (!is_header_whole(begin, bytes)) {
        write_header(begin, bytes);
        *kind = TERN_MEMORY_HEADER_SMASH;
    } else if (!is_guard_whole(front, begin)) {
        fill_guard(front, begin);
        *kind = TERN_MEMORY_UNDERRUN;
    } else if (!is_guard_whole(begin + bytes, end)) {
        fill_guard(begin + bytes, end);
        *kind = TERN_MEMORY_OVERRUN;
    } else if (is_poisoned && !is_poison_whole(begin, bytes)) {
        fill_poison(begin, bytes);
        *kind = TERN_MEMORY_WRITE_AFTER_RELEASE;
    } else {
        return false;
    }
    return true;
}
