/* SPDX-License-Identifier: MIT */
#include "kernels/trits.h"

#include <string.h>

#include "base/half.h"

/* Two bits a code; bit 1 and bit 0 together make the code 3, which is none. */
static bool has_no_three(const uint8_t *bytes, int64_t count) {
    uint8_t both = 0;
    for (int64_t i = 0; i < count; i++)
        both |= (uint8_t)(bytes[i] & bytes[i] >> 1 & 0x55u);
    return both == 0;
}

bool tern__trits_i2_s(const uint8_t *data, int64_t first, int64_t count, uint8_t *codes) {
    int64_t i = first, end = first + count;
    while (i < end) {
        const uint8_t *block = data + i / 128 * 32;
        if (i % 128 == 0 && end - i >= 128) {
            if (!has_no_three(block, 32))
                return false;
            for (int plane = 0; plane < 4; plane++)
                for (int b = 0; b < 32; b++)
                    codes[plane * 32 + b] = block[b] >> (6 - 2 * plane) & 3u;
            codes += 128;
            i += 128;
            continue;
        }
        uint8_t code = block[i % 32] >> (6 - 2 * (i % 128 / 32)) & 3u;
        if (code == 3)
            return false;
        *codes++ = code;
        i++;
    }
    return true;
}

/* Reads the F16 scale behind `data`; a scale of 0 makes every weight 0, whatever the codes say. */
static float finish_block(const uint8_t *data, uint8_t *codes) {
    uint16_t half;
    memcpy(&half, data, sizeof half);
    float scale = tern__f32_from_f16(half);
    if (scale == 0)
        memset(codes, 1, 256);
    return scale;
}

/* Trit n of a byte that holds five in base 3, scaled to 256: multiply by 3^n, keep the fraction,
 * take the next digit (compilade, "Ternary packing for LLMs", 2024). */
static uint8_t trit_of(uint8_t byte, int n) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    uint8_t fraction = (uint8_t)(byte * powers[n]);
    return (uint8_t)(fraction * 3u >> 8);
}

bool tern__trits_tq1_0(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales) {
    for (int64_t b = 0; b < blocks; b++, data += 54, codes += 256) {
        for (int n = 0; n < 5; n++) {
            for (int m = 0; m < 32; m++)
                codes[32 * n + m] = trit_of(data[m], n);
            for (int m = 0; m < 16; m++)
                codes[160 + 16 * n + m] = trit_of(data[32 + m], n);
        }
        for (int n = 0; n < 4; n++)
            for (int j = 0; j < 4; j++)
                codes[240 + 4 * n + j] = trit_of(data[48 + j], n);
        scales[b] = finish_block(data + 52, codes);
    }
    return true;
}

bool tern__trits_tq2_0(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales) {
    for (int64_t b = 0; b < blocks; b++, data += 66, codes += 256) {
        if (!has_no_three(data, 64))
            return false;
        for (int half = 0; half < 2; half++)
            for (int plane = 0; plane < 4; plane++)
                for (int m = 0; m < 32; m++)
                    codes[128 * half + 32 * plane + m] = data[32 * half + m] >> 2 * plane & 3u;
        scales[b] = finish_block(data + 64, codes);
    }
    return true;
}
