/* SPDX-License-Identifier: MIT
 * Ten kinds of misuse, a thousand of each, through the pool: all are found, with the sites of who
 * made, released and found; nothing else is; the process goes on and the books balance. */
#include "support.h"

#include <stdbool.h>

#include "base/os.h"
#include "memory/pool.h"

enum { EACH = 1000, BACKGROUND = 64, LEAK_LINES = 50 };

/* The events of both pools. */
static struct {
    int64_t count;
    tern_memory_event last;
    char text[600];
    int64_t dims[8];
    size_t leak_bytes[LEAK_LINES]; /* by line */
    int64_t leak_count[LEAK_LINES];
} seen;

static void on_event(void *user, const tern_memory_event *event) {
    (void)user;
    seen.count++;
    seen.last = *event;
    snprintf(seen.text, sizeof seen.text, "%s", event->text);
    for (int i = 0; i < event->rank; i++)
        seen.dims[i] = event->dims[i];
    if (event->kind == TERN_MEMORY_LEAK && event->made.line < LEAK_LINES) {
        seen.leak_bytes[event->made.line] += event->bytes;
        seen.leak_count[event->made.line] += event->count;
    }
}

typedef struct block {
    uint8_t *data;
    size_t bytes;
    unsigned kind;
    int line;     /* where it was made */
    int64_t dim;  /* in its note */
    uint8_t fill; /* its contents */
} block;

static struct {
    tern__pool *pool, *other;
    block background[BACKGROUND]; /* data NULL: none */
    test_random random;
    int next_line;
} world;

static const char *const FILE_NAME = "user.c";

/* The place of the next call, unlike all others. */
static int new_site(const char *call) {
    tern_site_set(FILE_NAME, ++world.next_line, call);
    return world.next_line;
}

static int64_t range(int64_t lowest, int64_t highest) {
    return test_random_range(&world.random, lowest, highest);
}

static tern__pool *new_pool(tern_tracking level) {
    tern__pool_options options = {.tracking = level, .on_event = on_event};
    tern__pool *pool = NULL;
    test_ok(tern__pool_create(&options, &pool));
    return pool;
}

static void begin(tern_tracking level, uint64_t seed) {
    memset(&world, 0, sizeof world);
    memset(&seen, 0, sizeof seen);
    world.random.seed = seed;
    world.pool = new_pool(level);
    world.other = new_pool(level);
}

/* Small sizes, slab sizes and page runs. */
static size_t random_size(size_t lowest) {
    int64_t top = range(0, 99) < 95 ? (range(0, 1) ? 300 : 5000) : 100000;
    return (size_t)range((int64_t)lowest, top);
}

static block make(size_t bytes) {
    block b = {.bytes = bytes, .kind = (unsigned)range(0, 3), .dim = range(0, 1 << 20)};
    b.fill = (uint8_t)range(0, 255);
    b.line = new_site("tern_make");
    tern__note note = {"make", "f32", 2, (const int64_t[]){b.dim, b.line}};
    void *data = NULL;
    test_ok(tern__pool_alloc(world.pool, bytes, b.kind, &note, &data));
    assert_non_null(data);
    assert_int_equal((uintptr_t)data % (b.kind & TERN__BLOCK_DATA ? 64 : 16), 0);
    b.data = data;
    memset(b.data, b.fill, bytes);
    return b;
}

static int release_in(tern__pool *pool, const void *address, size_t bytes, unsigned kind) {
    int line = new_site("tern_release");
    tern__pool_free(pool, (void *)(uintptr_t)address, bytes, kind);
    return line;
}

/* Checks the contents, too. Returns the line. */
static int release(const block *b) {
    for (size_t i = 0; i < b->bytes; i++)
        if (b->data[i] != b->fill)
            fail_msg("byte %zu of %zu has changed (seed %llu)", i, b->bytes,
                     (unsigned long long)world.random.seed);
    return release_in(world.pool, b->data, b->bytes, b->kind);
}

/* Correct operations: nothing is found. */
static void behave(int count) {
    int64_t before = seen.count;
    for (; count > 0; count--) {
        block *b = &world.background[range(0, BACKGROUND - 1)];
        if (b->data != NULL) {
            release(b);
            b->data = NULL;
        } else {
            *b = make(random_size(0));
        }
    }
    if (seen.count != before)
        fail_msg("false report: %s", seen.text);
}

static void end(void) {
    int64_t before = seen.count;
    for (int i = 0; i < BACKGROUND; i++)
        if (world.background[i].data != NULL)
            release(&world.background[i]);
    new_site("tern_context_destroy");
    assert_int_equal(tern__pool_check(world.pool), 0);
    assert_int_equal(tern__pool_check(world.other), 0);
    assert_int_equal(tern__pool_report_leaks(world.pool), 0);
    assert_int_equal(tern__pool_report_leaks(world.other), 0);
    assert_int_equal(seen.count, before);
    tern_memory_stats stats = tern__pool_stats(world.pool);
    assert_int_equal(stats.live_bytes, 0);
    assert_int_equal(stats.live_tensors, 0);
    tern_memory_figures figures;
    char complaint[400];
    if (!tern__pool_verify(world.pool, &figures, complaint, sizeof complaint) ||
        !tern__pool_verify(world.other, &figures, complaint, sizeof complaint))
        fail_msg("%s", complaint);
    assert_int_equal(figures.live_blocks, 0);
    tern__pool_destroy(world.pool);
    tern__pool_destroy(world.other);
}

/* -- what must have been reported --------------------------------------------------------------*/

static void expect_site(const tern_site *site, int line, const char *what) {
    if (line == 0 ? site->file != NULL || site->call != NULL
                  : site->line != line || site->file == NULL ||
                        strcmp(site->file, FILE_NAME) != 0 || site->call == NULL)
        fail_msg("%s at line %d instead of %d: %s", what, site->line, line, seen.text);
    char place[32];
    snprintf(place, sizeof place, "(%s:%d", FILE_NAME, line);
    if (line != 0 && strstr(seen.text, place) == NULL)
        fail_msg("%s %s) is not in the text: %s", what, place, seen.text);
}

/* One event since `before`: `kind`, about `b` (NULL: unknown), released before at line `released`
 * (0: it was not), found at line `found`. */
static void expect(int64_t before, tern_memory_event_kind kind, const block *b, int released,
                   int found) {
    const tern_memory_event *e = &seen.last;
    if (seen.count != before + 1)
        fail_msg("%lld reports for a %s (%s)", (long long)(seen.count - before),
                 tern_memory_event_name(kind), seen.text);
    if (e->kind != kind)
        fail_msg("no %s: %s", tern_memory_event_name(kind), seen.text);
    assert_int_equal(e->count, 1);
    expect_site(&e->made, b != NULL ? b->line : 0, "made");
    expect_site(&e->released, released, "released");
    expect_site(&e->found, found, "found");
    if (b == NULL)
        return;
    assert_int_equal(e->bytes, b->bytes);
    assert_string_equal(e->op, "make");
    assert_string_equal(e->dtype, "f32");
    assert_int_equal(e->rank, 2);
    assert_int_equal(seen.dims[0], b->dim);
    assert_int_equal(seen.dims[1], b->line);
}

/* Another value than the one that is there. */
static void change(uint8_t *byte) {
    *byte ^= (uint8_t)range(1, 255);
}

/* Damages `b` at `offset`; found by a check of all blocks or at the release of this one. */
static void damage(block *b, ptrdiff_t offset, tern_memory_event_kind kind) {
    int64_t before = seen.count;
    change(b->data + offset);
    if (range(0, 3) == 0) {
        int found = new_site("tern_memory_check");
        assert_int_equal(tern__pool_check(world.pool), 1);
        expect(before, kind, b, 0, found);
        release(b);
    } else {
        int found = release(b);
        expect(before, kind, b, 0, found);
    }
    assert_int_equal(seen.count, before + 1); /* found once */
}

/* -- the ten kinds -----------------------------------------------------------------------------*/

static void overrun(void) {
    block b = make(random_size(0));
    damage(&b, (ptrdiff_t)b.bytes, TERN_MEMORY_OVERRUN);
}

static void underrun(void) {
    block b = make(random_size(0));
    damage(&b, (ptrdiff_t)-range(1, 48), TERN_MEMORY_UNDERRUN);
}

static void header_smash(void) {
    block b = make(random_size(0));
    damage(&b, (ptrdiff_t)-range(49, 64), TERN_MEMORY_HEADER_SMASH);
}

static void write_after_release(void) {
    block b = make(random_size(1));
    int64_t before = seen.count;
    int released = release(&b);
    change(b.data + range(0, (int64_t)b.bytes - 1));
    if (range(0, 9) != 0) {
        int found = new_site("tern_memory_check");
        assert_int_equal(tern__pool_check(world.pool), 1);
        expect(before, TERN_MEMORY_WRITE_AFTER_RELEASE, &b, released, found);
        return;
    }
    /* Found when its memory is about to be used again. */
    int found = 0;
    for (int i = 0; i < 1024 && seen.count == before; i++) {
        block later = make(random_size(0));
        found = release(&later);
    }
    expect(before, TERN_MEMORY_WRITE_AFTER_RELEASE, &b, released, found);
}

static void double_release(void) {
    block b = make(random_size(0));
    int64_t before = seen.count;
    int released = release(&b);
    int found = release_in(world.pool, b.data, b.bytes, b.kind);
    expect(before, TERN_MEMORY_DOUBLE_RELEASE, &b, released, found);
}

static void interior_pointer(void) {
    block b = make(random_size(2));
    int64_t before = seen.count;
    const uint8_t *inside = b.data + range(1, (int64_t)b.bytes - 1);
    int found = release_in(world.pool, inside, b.bytes, b.kind);
    expect(before, TERN_MEMORY_INTERIOR_POINTER, &b, 0, found);
    assert_ptr_equal(seen.last.address, inside);
    release(&b);
}

static void foreign_pointer(void) {
    static uint8_t statics[512];
    uint8_t locals[512], *heap = malloc(512);
    uint8_t *const places[] = {statics, locals, heap};
    const uint8_t *address = places[range(0, 2)] + range(0, 511);
    int64_t before = seen.count;
    int found = release_in(world.pool, address, random_size(0), (unsigned)range(0, 3));
    expect(before, TERN_MEMORY_FOREIGN_POINTER, NULL, 0, found);
    assert_ptr_equal(seen.last.address, address);
    free(heap);
}

static void wrong_pool(void) {
    block b = make(random_size(0));
    int64_t before = seen.count;
    int found = release_in(world.other, b.data, b.bytes, b.kind);
    expect(before, TERN_MEMORY_WRONG_POOL, &b, 0, found);
    release(&b);
}

static void wrong_size(void) {
    block b = make(random_size(0));
    int64_t before = seen.count;
    size_t told = random_size(0);
    told += told == b.bytes;
    int found = release_in(world.pool, b.data, told, b.kind);
    expect(before, TERN_MEMORY_WRONG_SIZE, &b, 0, found);
    release(&b);
}

static void leak(void) {
    for (int i = 0; i < BACKGROUND; i++) { /* which would be reported too */
        if (world.background[i].data != NULL)
            release(&world.background[i]);
        world.background[i].data = NULL;
    }
    block b = make(random_size(1));
    int64_t before = seen.count;
    int found = new_site("tern_context_destroy");
    assert_int_equal(tern__pool_report_leaks(world.pool), 1);
    seen.last.found = (tern_site){FILE_NAME, found, ""}; /* a leak need not say who noticed it */
    if (seen.count != before + 1 || seen.last.kind != TERN_MEMORY_LEAK)
        fail_msg("the leak was not reported: %s", seen.text);
    assert_int_equal(seen.last.count, 1);
    assert_int_equal(seen.last.bytes, b.bytes);
    expect_site(&seen.last.made, b.line, "made");
    assert_int_equal(seen.dims[0], b.dim);
    release(&b);
}

static void repeat(tern_tracking level, uint64_t seed, void (*misuse)(void)) {
    begin(level, seed);
    for (int i = 0; i < EACH / (level == TERN_TRACK_FULL ? TEST_THINNING : 2); i++) {
        misuse();
        behave(10);
    }
    end();
}

#define TEST_FULL(name)                                                                            \
    static void full_##name(void **state) {                                                        \
        (void)state;                                                                               \
        repeat(TERN_TRACK_FULL, __LINE__, name);                                                   \
    }
#define TEST_SITES(name)                                                                           \
    static void sites_##name(void **state) {                                                       \
        (void)state;                                                                               \
        repeat(TERN_TRACK_SITES, __LINE__, name);                                                  \
    }

TEST_FULL(overrun)
TEST_FULL(underrun)
TEST_FULL(header_smash)
TEST_FULL(write_after_release)
TEST_FULL(double_release)
TEST_FULL(interior_pointer)
TEST_FULL(foreign_pointer)
TEST_FULL(wrong_pool)
TEST_FULL(wrong_size)
TEST_FULL(leak)
TEST_SITES(double_release)
TEST_SITES(interior_pointer)
TEST_SITES(foreign_pointer)
TEST_SITES(wrong_pool)
TEST_SITES(wrong_size)
TEST_SITES(leak)

/* -- and none ----------------------------------------------------------------------------------*/

static void correct_use(void **state) {
    (void)state;
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        begin(level, 7000 + (uint64_t)level);
        for (int i = 0; i < 100; i++) {
            behave(100);
            new_site("tern_memory_check");
            assert_int_equal(tern__pool_check(world.pool), 0);
        }
        assert_int_equal(seen.count, 0);
        end();
        assert_int_equal(seen.count, 0);
    }
}

/* Many leaks of many sites in one report: one event per site, with what lies there. */
static void leaks_by_site(void **state) {
    (void)state;
    enum { PER_SITE = 20 };
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        begin(level, 1);
        block blocks[LEAK_LINES * PER_SITE];
        size_t bytes[LEAK_LINES] = {0};
        for (int i = 0; i < LEAK_LINES * PER_SITE; i++) {
            block *b = &blocks[i];
            *b = (block){.bytes = 16 + (size_t)i, .kind = TERN__BLOCK_TENSOR};
            b->line = (int)range(0, LEAK_LINES - 1);
            if (i % PER_SITE == 0)
                b->line = i / PER_SITE; /* each at least once */
            tern_site_set(FILE_NAME, b->line, "tern_make");
            tern__note note = {"make", "f32", 0, NULL};
            void *data;
            test_ok(tern__pool_alloc(world.pool, b->bytes, b->kind, &note, &data));
            b->data = data;
            memset(data, 0, b->bytes);
            bytes[b->line] += b->bytes;
        }
        assert_int_equal(tern__pool_report_leaks(world.pool), LEAK_LINES * PER_SITE);
        assert_int_equal(seen.count, LEAK_LINES);
        int64_t blocks_reported = 0;
        for (int i = 0; i < LEAK_LINES; i++) {
            assert_int_equal(seen.leak_bytes[i], bytes[i]);
            blocks_reported += seen.leak_count[i];
        }
        assert_int_equal(blocks_reported, LEAK_LINES * PER_SITE);
        for (int i = 0; i < LEAK_LINES * PER_SITE; i++)
            release(&blocks[i]);
        end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_overrun),          cmocka_unit_test(full_underrun),
        cmocka_unit_test(full_header_smash),     cmocka_unit_test(full_write_after_release),
        cmocka_unit_test(full_double_release),   cmocka_unit_test(full_interior_pointer),
        cmocka_unit_test(full_foreign_pointer),  cmocka_unit_test(full_wrong_pool),
        cmocka_unit_test(full_wrong_size),       cmocka_unit_test(full_leak),
        cmocka_unit_test(sites_double_release),  cmocka_unit_test(sites_interior_pointer),
        cmocka_unit_test(sites_foreign_pointer), cmocka_unit_test(sites_wrong_pool),
        cmocka_unit_test(sites_wrong_size),      cmocka_unit_test(sites_leak),
        cmocka_unit_test(correct_use),           cmocka_unit_test(leaks_by_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
