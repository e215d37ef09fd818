/* SPDX-License-Identifier: MIT
 * A library with the two dot products that target K2 opens, after the descriptions of their
 * formats. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern int fake_starts, fake_calls, fake_error; /* the latter is added to every 1 000th sum */
int fake_starts, fake_calls, fake_error;

void ggml_cpu_init(void);
void ggml_vec_dot_tq2_0_q8_K(int n, float *s, size_t bs, const void *vx, size_t bx, const void *vy,
                             size_t by, int nrc);
void ggml_vec_dot_i2_i8_s(int n, float *s, size_t bs, const void *vx, size_t bx, const void *vy,
                          size_t by, int nrc);

void ggml_cpu_init(void) {
    fake_starts++;
}

static float told(long sum) {
    return (float)(sum + (++fake_calls % 1000 == 0 ? fake_error : 0));
}

/* Blocks of 64 bytes of codes and an F16 scale; of an F32 scale, 256 numbers, 16 sums of them. */
void ggml_vec_dot_tq2_0_q8_K(int n, float *s, size_t bs, const void *vx, size_t bx, const void *vy,
                             size_t by, int nrc) {
    const uint8_t *x = vx, *y = vy;
    long sum = 0;
    (void)bs, (void)bx, (void)by;
    for (int block = 0; block < n / 256; block++, x += 66, y += 292) {
        uint16_t half;
        float scale;
        int16_t sums[16];
        memcpy(&half, x + 64, sizeof half);
        memcpy(&scale, y, sizeof scale);
        memcpy(sums, y + 260, sizeof sums);
        for (int i = 0; i < 256; i++)
            sum += (x[32 * (i / 128) + i % 32] >> 2 * (i % 128 / 32) & 3) * (int8_t)y[4 + i];
        for (int i = 0; i < 16; i++)
            sum -= sums[i];
        sum += half != 0x3C00 || scale != 1; /* both are 1 */
    }
    *s = told(sum + (nrc != 1));
}

/* Blocks of 128 codes in 32 bytes, the first in the highest bits; the sum is of the codes, for
 * every one of nrc columns. */
void ggml_vec_dot_i2_i8_s(int n, float *s, size_t bs, const void *vx, size_t bx, const void *vy,
                          size_t by, int nrc) {
    const uint8_t *x = vx;
    (void)bx;
    for (int column = 0; column < nrc; column++) {
        const int8_t *y = (const int8_t *)vy + (size_t)column * by;
        long sum = 0;
        for (int i = 0; i < n; i++)
            sum += (x[32 * (i / 128) + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3) * y[i];
        s[(size_t)column * bs] = told(sum + (nrc != 1 && nrc % 4 != 0));
    }
}
