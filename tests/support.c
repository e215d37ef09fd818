/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tern/base.h>

#include "base/half.h"

uint32_t test_random_u32(test_random *random) {
    uint64_t position = random->position++;
    return tern__philox(random->seed, position / 4).word[position % 4];
}

int64_t test_random_range(test_random *random, int64_t lowest, int64_t highest) {
    uint64_t span = (uint64_t)(highest - lowest) + 1;
    uint64_t word = (uint64_t)test_random_u32(random) << 32 | test_random_u32(random);
    return lowest + (int64_t)(span == 0 ? word : word % span);
}

void test_random_normal(test_random *random, float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double u = (test_random_u32(random) + 0.5) * 0x1p-32;
        double v = (test_random_u32(random) + 0.5) * 0x1p-32;
        x[i] = (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    }
}

void test_random_bits(test_random *random, float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        x[i] = tern__f32_from_bits(test_random_u32(random));
}

enum { GUARD_FRONT = 64, POISON = 0xA5 };

test_guarded test_guarded_new(size_t bytes, size_t offset) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (GUARD_FRONT + offset + bytes + 63) / 64 * 64;
    size_t usable = (body + page - 1) / page * page;
    test_guarded buffer = {.bytes = bytes, .map_bytes = usable + page};
    buffer.map =
        mmap(NULL, buffer.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(buffer.map != MAP_FAILED);
    assert_int_equal(mprotect((uint8_t *)buffer.map + usable, page, PROT_NONE), 0);
    memset(buffer.map, POISON, usable);
    buffer.data = (uint8_t *)buffer.map + usable - body + GUARD_FRONT + offset;
    return buffer;
}

void test_guarded_check(const test_guarded *buffer) {
    const uint8_t *begin = buffer->map;
    const uint8_t *end = begin + buffer->map_bytes - (size_t)sysconf(_SC_PAGESIZE);
    for (const uint8_t *p = begin; p < end; p++) {
        if (p == buffer->data)
            p += buffer->bytes;
        if (p < end && *p != POISON)
            fail_msg("byte %td of a buffer of %zu was overwritten", p - buffer->data,
                     buffer->bytes);
    }
}

void test_guarded_free(test_guarded *buffer) {
    munmap(buffer->map, buffer->map_bytes);
    *buffer = (test_guarded){0};
}

void test_same_floats(const float *got, const float *expected, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t g = tern__f32_bits(got[i]), e = tern__f32_bits(expected[i]);
        if (g != e && !(isnan(got[i]) && isnan(expected[i])))
            fail_msg("%s: element %lld of %lld is %.9g (%08x), expected %.9g (%08x)", what,
                     (long long)i, (long long)n, (double)got[i], g, (double)expected[i], e);
    }
}

void test_same_bytes(const void *got, const void *expected, size_t bytes, const char *what) {
    const uint8_t *g = got, *e = expected;
    for (size_t i = 0; i < bytes; i++)
        if (g[i] != e[i])
            fail_msg("%s: byte %zu of %zu is %02x, expected %02x", what, i, bytes, g[i], e[i]);
}

void test_status_at(int status, int expected, const char *what, const char *file, int line) {
    if (status != expected) {
        print_error("%s: %s, expected %s: %s\n", what, tern_status_name((tern_status)status),
                    tern_status_name((tern_status)expected), tern_last_error());
        _fail(file, line);
    }
}

const char *test_path(const char *relative, char *buffer, size_t size) {
    const char *root = getenv("TERN_SOURCE_DIR");
    snprintf(buffer, size, "%s/%s", root != NULL ? root : TERN_SOURCE_DIR, relative);
    return buffer;
}

char *test_read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    data[size] = '\0';
    if (bytes != NULL)
        *bytes = (size_t)size;
    return data;
}
