/* SPDX-License-Identifier: MIT */
#ifndef TERN__UTF8_H
#define TERN__UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 character at `bytes` (left >= 1) and its code point; 0 if there is none:
 * cut off, overlong, a surrogate or above U+10FFFF. */
static inline size_t tern__utf8(const uint8_t *bytes, uint64_t left, uint32_t *code) {
    uint8_t first = bytes[0];
    *code = first;
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < length)
        return 0;
    /* The second byte tells the forms that are not allowed. */
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    *code = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0u) != 0x80u)
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    return length;
}

#endif
