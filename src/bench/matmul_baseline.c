/* SPDX-License-Identifier: MIT */
#include "bench/matmul_baseline.h"

#include <math.h>
#include <string.h>

void tern__matmul_ijk(const float *a, const float *b, float *c, int64_t rows, int64_t k,
                      int64_t n) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = 0;
            for (int64_t p = 0; p < k; p++)
                sum = fmaf(a[i * k + p], b[p * n + j], sum);
            c[i * n + j] = sum;
        }
}

void tern__matmul_ikj(const float *a, const float *b, float *c, int64_t rows, int64_t k,
                      int64_t n) {
    memset(c, 0, (size_t)(rows * n) * sizeof *c);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t p = 0; p < k; p++) {
            const float factor = a[i * k + p], *from = b + p * n;
            float *to = c + i * n;
            for (int64_t j = 0; j < n; j++)
                to[j] = fmaf(factor, from[j], to[j]);
        }
}
