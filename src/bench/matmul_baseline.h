/* SPDX-License-Identifier: MIT
 * The plain loops that matrix products are compared with: compiled with hardware FMA and no
 * vectoriser (cmake/library.cmake). */
#ifndef TERN__MATMUL_BASELINE_H
#define TERN__MATMUL_BASELINE_H

#include <stdint.h>

/* c (rows, n) = a (rows, k) times b (k, n), all contiguous, k in order, one fma a step: the bits of
 * tern_matmul. The innermost loop goes over k, or over the columns. */
void tern__matmul_ijk(const float *a, const float *b, float *c, int64_t rows, int64_t k, int64_t n);
void tern__matmul_ikj(const float *a, const float *b, float *c, int64_t rows, int64_t k, int64_t n);

#endif
