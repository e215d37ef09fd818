/* SPDX-License-Identifier: MIT
 * What all tests share: cmocka, seeded random data, guarded buffers, bit comparison. */
#ifndef TERN_TEST_SUPPORT_H
#define TERN_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"

/* A stream of random numbers. Print `seed` when a test fails. */
typedef struct test_random {
    uint64_t seed, position;
} test_random;

uint32_t test_random_u32(test_random *random);
/* lowest..highest, both included */
int64_t test_random_range(test_random *random, int64_t lowest, int64_t highest);
/* Normal numbers, mean 0, variance 1. */
void test_random_normal(test_random *random, float *x, int64_t n);
/* Random bit patterns: every kind of float, NaN, infinities and denormals among them. */
void test_random_bits(test_random *random, float *x, int64_t n);

/* `bytes` bytes that end right before a page that may not be touched, `offset` bytes after an
 * alignment of 64; all poisoned with 0xA5 (as floats: a finite, unlikely number). Writes before the
 * start are found by test_guarded_check. */
typedef struct test_guarded {
    uint8_t *data;
    size_t bytes;
    void *map;
    size_t map_bytes;
} test_guarded;

/* When bytes + offset is no multiple of 64 the end lies up to 63 bytes before the guard page and is
 * watched by canaries instead. */
test_guarded test_guarded_new(size_t bytes, size_t offset);
void test_guarded_check(const test_guarded *buffer); /* fails the test if a canary died */
void test_guarded_free(test_guarded *buffer);

/* 0 differing bits, except that any NaN equals any NaN. Fails naming index, values and `what`. */
void test_same_floats(const float *got, const float *expected, int64_t n, const char *what);
void test_same_bytes(const void *got, const void *expected, size_t bytes, const char *what);

/* Fails with tern_last_error() when `status` is not the one expected. */
#define test_status(status, expected)                                                              \
    test_status_at((int)(status), (int)(expected), #status, __FILE__, __LINE__)
#define test_ok(status) test_status(status, 0)
void test_status_at(int status, int expected, const char *what, const char *file, int line);

/* Prints "SKIPPED: reason" and skips the test. */
#define test_skip(...)                                                                             \
    do {                                                                                           \
        printf("SKIPPED: " __VA_ARGS__);                                                           \
        printf("\n");                                                                              \
        skip();                                                                                    \
    } while (0)

/* Sanitizers make code several times slower. There tests of one thread take every n-th case only
 * and long ones leave repetitions out: all cases run in the other builds. */
#if defined(__SANITIZE_THREAD__)
#define TEST_THINNING 7
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_THINNING 7
#endif
#endif
#ifndef TEST_THINNING
#define TEST_THINNING 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TEST_IS_SANITIZED true
#else
#define TEST_IS_SANITIZED (TEST_THINNING > 1)
#endif

/* Path of a file under the source tree's tests/data or models/, from TERN_SOURCE_DIR. */
const char *test_path(const char *relative, char *buffer, size_t size);

/* Whole file; *bytes its size; a NUL behind it. Fails the test if it cannot be read. Free it. */
char *test_read_file(const char *path, size_t *bytes);

#endif
