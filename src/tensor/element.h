/* SPDX-License-Identifier: MIT
 * Numbers as elements of a plain data type. */
#ifndef TERN__ELEMENT_H
#define TERN__ELEMENT_H

#include "tensor/tensor.h"

/* TERN_OK when the type can hold the number: integer types whole numbers of their range (BOOL: 0
 * and 1), float types all that do not overflow. Else TERN_E_ARGUMENT with `op` and the number, or
 * TERN_E_DTYPE for a type that is not plain. */
tern_status tern__element_check(const char *op, tern_dtype dtype, double value);
/* TERN_E_DTYPE for a float type. */
tern_status tern__element_check_i64(const char *op, tern_dtype dtype, int64_t value);

/* n elements of a plain type. Float types: rounded once, to nearest even. Integer types: the
 * numbers are ones that the checks above let through. */
void tern__elements_from_f64(tern_dtype dtype, const double *from, void *to, int64_t n);
/* The same from integers; float types take them by way of F64. */
void tern__elements_from_i64(tern_dtype dtype, const int64_t *from, void *to, int64_t n);

/* Puts the numbers first, ..., first + n - 1 of a row into `to`; `first` is a multiple of 64. */
typedef void (*tern__numbers_f64)(const void *how, int64_t first, int64_t n, double *to);
typedef void (*tern__numbers_i64)(const void *how, int64_t first, int64_t n, int64_t *to);

/* Fills a fresh tensor of a plain type, in row-major order; as tern__fill_end when it cannot be. */
tern_status tern__fill_f64(tern_tensor **out, tern__numbers_f64 numbers, const void *how);
tern_status tern__fill_i64(tern_tensor **out, tern__numbers_i64 numbers, const void *how);

#endif
