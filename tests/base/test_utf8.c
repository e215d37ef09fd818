/* SPDX-License-Identifier: MIT
 * The UTF-8 check against its definition written a second time, over all sequences of three bytes
 * and, of four, all first three with tails on both sides of every limit. */
#include "support.h"

#include "base/utf8.h"

/* Shortest form, no surrogates, at most U+10FFFF. */
static size_t defined(const uint8_t *bytes, size_t left, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80         ? 1
                    : bytes[0] >> 5 == 0x06 ? 2
                    : bytes[0] >> 4 == 0x0e ? 3
                    : bytes[0] >> 3 == 0x1e ? 4
                                            : 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t c = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        c = c << 6 | (bytes[i] & 0x3fu);
    }
    *code = c;
    return c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : length;
}

static void check(const uint8_t *bytes, size_t left) {
    uint32_t code = 0, expected_code = 0;
    size_t expected = defined(bytes, left, &expected_code);
    size_t length = tern__utf8(bytes, left, &code);
    if (length != expected || (length > 0 && code != expected_code))
        fail_msg("%02x %02x %02x %02x, %zu bytes: %zu, U+%04X", bytes[0], bytes[1], bytes[2],
                 bytes[3], left, length, code);
}

static void all_short_sequences(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 1u << 24; i++) {
        const uint8_t bytes[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0x80};
        check(bytes, 3);
        if ((i & 0xff) == 0x80)
            check(bytes, 2);
        if ((i & 0xffff) == 0x8080)
            check(bytes, 1);
    }
}

static void long_sequences(void **state) {
    (void)state;
    static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (uint32_t i = 0xee0000; i < 1u << 24; i++)
        for (size_t k = 0; k < sizeof tails; k++) {
            const uint8_t bytes[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, tails[k]};
            check(bytes, 4);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_sequences),
        cmocka_unit_test(long_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
