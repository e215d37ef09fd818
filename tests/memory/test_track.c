/* SPDX-License-Identifier: MIT
 * Records, guard zones, held blocks and findings, on memory of the test's own. */
#include "support.h"

#include <math.h>
#include <stdbool.h>

#include "base/os.h"
#include "memory/track.h"

/* An OS table that counts pages and can refuse them. */
static struct {
    tern__os_table table;
    int64_t maps, refuse_from; /* -1: never */
    size_t mapped_bytes;
} os;

static void *counted_map(size_t bytes) {
    if (os.refuse_from >= 0 && os.maps >= os.refuse_from)
        return NULL;
    os.maps++;
    os.mapped_bytes += bytes;
    return tern__os_default.pages_map(bytes);
}

static void counted_unmap(void *pages, size_t bytes) {
    os.mapped_bytes -= bytes;
    tern__os_default.pages_unmap(pages, bytes);
}

static int set_up(void **state) {
    (void)state;
    memset(&os, 0, sizeof os);
    os.table = tern__os_default;
    os.table.pages_map = counted_map;
    os.table.pages_unmap = counted_unmap;
    os.refuse_from = -1;
    tern__os_set(&os.table);
    tern_site_set(NULL, 0, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tern__os_set(NULL);
    return os.mapped_bytes == 0 ? 0 : -1;
}

static const int64_t DIMS[8] = {2, 3, 5, 7, 11, 13, 17, 19};

/* A track with the memory of its blocks: each from aligned_alloc, with a byte behind it. */
static tern__track *new_track(tern_tracking level) {
    tern__track *track = tern__track_create(level, true);
    assert_non_null(track);
    return track;
}

static void *open_block(tern__track *track, size_t bytes, unsigned kind, const tern__note *note) {
    size_t raw_bytes;
    assert_true(tern__track_room(track, bytes, &raw_bytes));
    void *raw = aligned_alloc(64, (raw_bytes + 64) & ~(size_t)63);
    assert_non_null(raw);
    void *block = tern__track_open(track, raw, bytes, kind, note);
    assert_non_null(block);
    return block;
}

static void assert_site(tern_site site, const char *file, int line, const char *call) {
    if (file == NULL) {
        assert_null(site.file);
        assert_null(site.call);
    } else {
        assert_string_equal(site.file, file);
        assert_string_equal(site.call, call);
    }
    assert_int_equal(site.line, line);
}

/* Every evicted block is given back, and nothing is found. */
static int evict(tern__track *track, bool is_emptying) {
    tern__raw freed;
    tern__finding finding;
    int count = 0;
    for (; tern__track_evict(track, is_emptying, &freed, &finding); count++) {
        assert_false(finding.exists);
        free(freed.raw);
    }
    return count;
}

static void close_block(tern__track *track, void *block, size_t bytes, unsigned kind) {
    tern__raw freed;
    tern__finding finding;
    assert_true(tern__track_close(track, block, bytes, kind, NULL, &freed, &finding));
    assert_false(finding.exists);
    free(freed.raw);
}

static void end_track(tern__track *track) {
    evict(track, true);
    assert_int_equal(tern__track_live(track), 0);
    tern__track_destroy(track);
}

static void refuse(tern__track *track, const void *address, size_t bytes, unsigned kind,
                   tern_memory_event_kind expected, tern__finding *finding) {
    tern__raw freed;
    int64_t live = tern__track_live(track);
    assert_false(
        tern__track_close(track, (void *)(uintptr_t)address, bytes, kind, NULL, &freed, finding));
    assert_true(finding->exists);
    assert_int_equal(finding->kind, expected);
    assert_ptr_equal(finding->address, address);
    assert_null(freed.raw);
    assert_int_equal(tern__track_live(track), live);
}

/* -- rooms and records -------------------------------------------------------------------------*/

static void test_room(void **state) {
    (void)state;
    tern__track *sites = new_track(TERN_TRACK_SITES), *full = new_track(TERN_TRACK_FULL);
    tern__track *device = tern__track_create(TERN_TRACK_FULL, false);
    const size_t sizes[][2] = {{0, 128},  {1, 192},   {63, 192},  {64, 192},
                               {65, 256}, {128, 256}, {129, 320}, {SIZE_MAX - 191, SIZE_MAX - 63}};
    size_t raw_bytes;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(tern__track_room(sites, sizes[i][0], &raw_bytes));
        assert_true(raw_bytes == sizes[i][0]);
        assert_true(tern__track_room(device, sizes[i][0], &raw_bytes));
        assert_true(raw_bytes == sizes[i][0]);
        assert_true(tern__track_room(full, sizes[i][0], &raw_bytes));
        assert_true(raw_bytes == sizes[i][1]);
    }
    assert_false(tern__track_room(full, SIZE_MAX - 190, &raw_bytes));
    assert_false(tern__track_room(full, SIZE_MAX, &raw_bytes));
    assert_true(tern__track_room(sites, SIZE_MAX, &raw_bytes));
    tern__track_destroy(sites);
    tern__track_destroy(full);
    tern__track_destroy(device);
    tern__track_destroy(NULL);
}

static void check_record(tern_tracking level) {
    tern__track *track = new_track(level);
    for (int rank = -1; rank <= 8; rank++) {
        tern__note note = {"add", "f32", rank, DIMS};
        tern_site_set("x.c", 12 + rank, "tern_add");
        unsigned kind = TERN__BLOCK_TENSOR | (rank % 2 == 0 ? TERN__BLOCK_DATA : 0u);
        uint8_t *block = open_block(track, 100, kind, &note);
        tern_site_set("y.c", 1, "tern_other");
        assert_int_equal(tern__track_live(track), 1);
        const tern__record *record = tern__track_lookup(track, block);
        assert_non_null(record);
        assert_ptr_equal(record->block, block);
        assert_int_equal(record->bytes, 100);
        assert_int_equal(record->serial, rank + 2);
        assert_int_equal(record->kind, kind);
        assert_string_equal(record->op, "add");
        assert_string_equal(record->dtype, "f32");
        assert_int_equal(record->rank, rank);
        for (int i = 0; i < rank; i++)
            assert_int_equal(record->dims[i], DIMS[i]);
        assert_site(record->made, "x.c", 12 + rank, "tern_add");
        tern__record copy = *record, closed;
        tern__raw freed;
        tern__finding finding;
        assert_true(tern__track_close(track, block, 100, kind ^ TERN__BLOCK_TENSOR, &closed, &freed,
                                      &finding));
        assert_false(finding.exists);
        assert_ptr_equal(closed.block, copy.block);
        assert_int_equal(closed.serial, copy.serial);
        assert_int_equal(closed.rank, rank);
        assert_site(closed.made, "x.c", 12 + rank, "tern_add");
        assert_int_equal(tern__track_live(track), 0);
        assert_null(tern__track_lookup(track, block));
        if (level == TERN_TRACK_SITES) {
            assert_ptr_equal(freed.raw, block);
            assert_int_equal(freed.raw_bytes, 100);
            assert_int_equal(freed.kind, kind ^ TERN__BLOCK_TENSOR);
        } else {
            assert_null(freed.raw);
            assert_true(tern__track_evict(track, true, &freed, &finding));
            assert_ptr_equal(freed.raw, block - 64);
            assert_int_equal(freed.raw_bytes, 256);
            assert_int_equal(freed.kind, kind & TERN__BLOCK_DATA);
            assert_false(tern__track_evict(track, true, &freed, &finding));
            freed.raw = block - 64;
        }
        free(freed.raw);
    }
    tern__track_destroy(track);
}

static void test_record(void **state) {
    (void)state;
    check_record(TERN_TRACK_SITES);
    check_record(TERN_TRACK_FULL);
}

static void test_record_without_note(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_SITES);
    uint8_t *block = open_block(track, 8, TERN__BLOCK_DATA, NULL);
    const tern__record *record = tern__track_lookup(track, block + 7);
    assert_ptr_equal(record->block, block);
    assert_null(record->op);
    assert_null(record->dtype);
    assert_int_equal(record->rank, -1);
    assert_site(record->made, NULL, 0, NULL);
    assert_null(tern__track_lookup(track, block + 8));
    assert_null(tern__track_lookup(track, block - 1));
    close_block(track, block, 8, TERN__BLOCK_DATA);
    end_track(track);
}

/* [k]: released after 2^k to 2^(k+1)-1 further allocations. */
static void test_lifetimes(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_SITES);
    const int further[] = {0, 1, 2, 3, 4, 7, 8, 1023, 1024};
    const int bucket[] = {0, 0, 1, 1, 2, 2, 3, 9, 10};
    uint64_t expected[TERN_MEMORY_LIFETIMES] = {0};
    for (size_t i = 0; i < sizeof bucket / sizeof *bucket; i++) {
        void *block = open_block(track, 1, 0, NULL);
        for (int k = 0; k < further[i]; k++) {
            close_block(track, open_block(track, 1, 0, NULL), 1, 0);
            expected[0]++;
        }
        close_block(track, block, 1, 0);
        expected[bucket[i]]++;
    }
    test_same_bytes(tern__track_lifetimes(track), expected, sizeof expected, "lifetimes");
    end_track(track);
}

/* -- the table ---------------------------------------------------------------------------------*/

enum { SHADOW = 24000 };

typedef struct shadow {
    tern__track *track;
    void *blocks[SHADOW]; /* (count), no two alike; at SITES nothing is written there */
    uint32_t sizes[SHADOW];
    int count;
    uint64_t next; /* address */
    test_random random;
} shadow;

static void shadow_open(shadow *s, uint64_t stride) {
    int i = s->count++;
    s->next += stride;
    s->blocks[i] = (void *)(uintptr_t)s->next;
    s->sizes[i] = (uint32_t)test_random_range(&s->random, 0, 15);
    tern_site_set("shadow.c", (int)(s->next / stride % 100000), "shadow");
    assert_ptr_equal(tern__track_open(s->track, s->blocks[i], s->sizes[i], 0, NULL), s->blocks[i]);
}

static void shadow_close(shadow *s) {
    int i = (int)test_random_range(&s->random, 0, s->count - 1);
    tern__raw freed;
    tern__finding finding;
    assert_true(tern__track_close(s->track, s->blocks[i], s->sizes[i], 0, NULL, &freed, &finding));
    assert_ptr_equal(freed.raw, s->blocks[i]);
    s->count--;
    s->blocks[i] = s->blocks[s->count];
    s->sizes[i] = s->sizes[s->count];
}

static void shadow_compare(shadow *s) {
    assert_int_equal(tern__track_live(s->track), s->count);
    uint64_t sum = 0;
    int64_t count = 0;
    size_t cursor = 0;
    for (const tern__record *r; (r = tern__track_next(s->track, &cursor)) != NULL; count++)
        sum += (uintptr_t)r->block * 3 + r->bytes;
    assert_int_equal(count, s->count);
    for (int i = 0; i < s->count; i++) {
        sum -= (uintptr_t)s->blocks[i] * 3 + s->sizes[i];
        const tern__record *r = tern__track_lookup(s->track, s->blocks[i]);
        assert_non_null(r);
        assert_ptr_equal(r->block, s->blocks[i]);
        assert_int_equal(r->bytes, s->sizes[i]);
    }
    assert_int_equal(sum, 0);
}

/* Strides that spread well and badly; the number of live blocks goes up and down. */
static void test_table(void **state) {
    (void)state;
    const uint64_t strides[] = {16, 64, 4096, 1 << 20, 48, UINT64_C(0x9E3779B97F4A7C10) >> 24 << 4};
    shadow *s = calloc(1, sizeof *s);
    for (size_t k = 0; k < sizeof strides / sizeof *strides; k++) {
        *s = (shadow){.track = new_track(TERN_TRACK_SITES), .random = {40 + k, 0}};
        for (int phase = 0; phase < 6; phase++) {
            int target = phase % 2 == 0 ? SHADOW / TEST_THINNING : 200;
            for (int steps = 0; s->count != target && steps < 100000; steps++) {
                bool opens = test_random_range(&s->random, 0, 9) < (phase % 2 == 0 ? 9 : 1);
                if (opens && s->count < SHADOW)
                    shadow_open(s, strides[k]);
                else if (s->count > 0)
                    shadow_close(s);
            }
            shadow_compare(s);
        }
        while (s->count > 0)
            shadow_close(s);
        tern__track_destroy(s->track);
    }
    free(s);
}

/* Long use of a table that is as full as it gets leaves nothing behind that slows a search down: a
 * search for what is not there still ends. */
static void test_table_full(void **state) {
    (void)state;
    shadow *s = calloc(1, sizeof *s);
    *s = (shadow){.track = new_track(TERN_TRACK_SITES), .random = {47, 0}};
    for (int i = 0; i < 640; i++) /* five for each of 128 buckets */
        shadow_open(s, 64);
    int64_t maps = os.maps;
    for (int i = 0; i < 100000; i++) {
        shadow_close(s);
        shadow_open(s, 64);
    }
    assert_true(os.maps <= maps + 5); /* records that are remembered, but no larger table */
    shadow_compare(s);
    tern__finding finding;
    for (uintptr_t i = 0; i < 1000; i++)
        refuse(s->track, (void *)(UINT64_C(1) << 40 | i << 6), 1, 0, TERN_MEMORY_FOREIGN_POINTER,
               &finding);
    while (s->count > 0)
        shadow_close(s);
    tern__track_destroy(s->track);
    free(s);
}

/* Without memory for a record open fails, changes nothing and works again later. */
static void test_no_memory(void **state) {
    (void)state;
    for (int64_t k = 0; k < 2; k++) {
        os.refuse_from = os.maps + k;
        assert_null(tern__track_create(TERN_TRACK_SITES, true));
        assert_int_equal(os.mapped_bytes, 0);
    }
    os.refuse_from = -1;
    tern__track *track = new_track(TERN_TRACK_SITES);
    int failures = 0;
    uintptr_t address = 64;
    for (int i = 0; i < 20000; i++, address += 64) {
        os.refuse_from = os.maps;
        size_t used = tern__track_bookkeeping(track);
        if (tern__track_open(track, (void *)address, 64, 1, NULL) == NULL) {
            failures++;
            assert_int_equal(tern__track_live(track), i);
            assert_int_equal(tern__track_bookkeeping(track), used);
            assert_null(tern__track_lookup(track, (void *)address));
            /* Both growths may be due: of the table and of the records. */
            os.refuse_from = os.maps + 1;
            if (tern__track_open(track, (void *)address, 64, 1, NULL) == NULL) {
                os.refuse_from = -1;
                assert_non_null(tern__track_open(track, (void *)address, 64, 1, NULL));
            }
        }
        assert_int_equal(tern__track_live(track), i + 1);
    }
    assert_true(failures >= 20000 / 1024); /* 1 024 records a chunk */
    assert_true(tern__track_bookkeeping(track) >= 20000 * sizeof(void *));
    os.refuse_from = -1;
    for (int i = 0; i < 20000; i++) {
        tern__raw freed;
        tern__finding finding;
        address -= 64;
        assert_true(tern__track_close(track, (void *)address, 64, 1, NULL, &freed, &finding));
    }
    end_track(track);
}

/* Records are used again: opening and closing for ever maps nothing. */
static void test_steady_state(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_SITES);
    int64_t maps = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 1; i <= 1500; i++)
            assert_non_null(tern__track_open(track, (void *)(uintptr_t)(i * 64), 1, 0, NULL));
        for (int i = 1; i <= 1500; i++) {
            tern__raw freed;
            tern__finding finding;
            void *block = (void *)(uintptr_t)(i * 64);
            assert_true(tern__track_close(track, block, 1, 0, NULL, &freed, &finding));
        }
        if (round == 5)
            maps = os.maps;
    }
    assert_int_equal(os.maps, maps);
    tern__track_destroy(track);
}

/* -- refused releases --------------------------------------------------------------------------*/

static void check_double_release(tern_tracking level) {
    tern__track *track = new_track(level);
    tern__note note = {"mul", "f16", 2, DIMS};
    tern_site_set("made.c", 1, "tern_mul");
    void *block = open_block(track, 48, 0, &note);
    tern__raw freed;
    tern__finding finding;
    tern_site_set("released.c", 2, "tern_tensor_release");
    assert_true(tern__track_close(track, block, 48, 0, NULL, &freed, &finding));
    void *raw = level == TERN_TRACK_FULL ? (uint8_t *)block - 64 : block;
    tern_site_set("found.c", 3, "tern_scope_end");
    /* At once, then after it left the queue, and as long as it is remembered. */
    for (int later = 0; later <= 4096; later++) {
        if (later < 3 || later > 4093) {
            refuse(track, block, 48, 0, TERN_MEMORY_DOUBLE_RELEASE, &finding);
            assert_ptr_equal(finding.record.block, block);
            assert_int_equal(finding.record.bytes, 48);
            assert_string_equal(finding.record.op, "mul");
            assert_string_equal(finding.record.dtype, "f16");
            assert_int_equal(finding.record.rank, 2);
            assert_int_equal(finding.record.dims[1], 3);
            assert_site(finding.record.made, "made.c", 1, "tern_mul");
            assert_site(finding.released, "released.c", 2, "tern_tensor_release");
            assert_site(finding.found, "found.c", 3, "tern_scope_end");
        }
        if (later == 0) {
            if (level == TERN_TRACK_FULL)
                assert_true(tern__track_evict(track, true, &freed, &finding));
            assert_ptr_equal(freed.raw, raw);
            continue;
        }
        /* `block` itself is not in use again: its memory is still the test's. */
        if (later < 4096) {
            close_block(track, open_block(track, 48, 0, NULL), 48, 0);
            evict(track, true);
        }
    }
    close_block(track, open_block(track, 48, 0, NULL), 48, 0);
    evict(track, true);
    refuse(track, block, 48, 0, TERN_MEMORY_FOREIGN_POINTER, &finding);
    free(raw);
    tern__track_destroy(track);
}

static void test_double_release(void **state) {
    (void)state;
    check_double_release(TERN_TRACK_SITES);
    check_double_release(TERN_TRACK_FULL);
}

/* Memory that is in use again: what it was before is of no interest; the latest release counts. */
static void test_reused(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_SITES);
    tern__finding finding;
    static uint8_t memory[256] __attribute__((aligned(64)));
    for (int round = 1; round <= 3; round++) {
        tern__raw freed;
        tern_site_set("made.c", round, "make");
        assert_ptr_equal(tern__track_open(track, memory, 64, 0, NULL), memory);
        assert_true(tern__track_close(track, memory, 64, 0, NULL, &freed, &finding));
        tern_site_set("made.c", 10 * round, "make");
        assert_ptr_equal(tern__track_open(track, memory + 64, 64, 0, NULL), memory + 64);
        assert_true(tern__track_close(track, memory + 64, 64, 0, NULL, &freed, &finding));
        refuse(track, memory, 64, 0, TERN_MEMORY_DOUBLE_RELEASE, &finding);
        assert_int_equal(finding.record.made.line, round);
    }
    assert_ptr_equal(tern__track_open(track, memory, 256, 0, NULL), memory);
    refuse(track, memory + 64, 64, 0, TERN_MEMORY_INTERIOR_POINTER, &finding);
    tern__raw freed;
    assert_true(tern__track_close(track, memory, 256, 0, NULL, &freed, &finding));
    tern__track_destroy(track);
}

static void test_interior_pointer(void **state) {
    (void)state;
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        tern__track *track = new_track(level);
        uint8_t *blocks[20];
        for (int i = 0; i < 20; i++) {
            tern_site_set("made.c", i, "make");
            blocks[i] = open_block(track, 100, 0, NULL);
        }
        tern__finding finding;
        int front = level == TERN_TRACK_FULL ? 64 : 0, back = level == TERN_TRACK_FULL ? 192 : 100;
        for (int i = 0; i < 20; i++)
            for (int offset = -front; offset < back; offset++)
                if (offset != 0) {
                    refuse(track, blocks[i] + offset, 100, 0, TERN_MEMORY_INTERIOR_POINTER,
                           &finding);
                    assert_int_equal(finding.record.made.line, i);
                    assert_site(finding.released, NULL, 0, NULL);
                    assert_ptr_equal(tern__track_lookup(track, blocks[i] + offset)->block,
                                     blocks[i]);
                }
        refuse(track, blocks[0] - front - 1, 100, 0, TERN_MEMORY_FOREIGN_POINTER, &finding);
        assert_null(finding.record.block);
        assert_int_equal(finding.record.rank, -1);
        if (level == TERN_TRACK_FULL) { /* inside a held block */
            tern_site_set("released.c", 7, "release");
            close_block(track, blocks[3], 100, 0);
            refuse(track, blocks[3] + 1, 100, 0, TERN_MEMORY_INTERIOR_POINTER, &finding);
            assert_site(finding.released, "released.c", 7, "release");
            assert_null(tern__track_lookup(track, blocks[3] + 1));
            assert_null(tern__track_lookup(track, blocks[3]));
        }
        for (int i = 0; i < 20; i++)
            if (level != TERN_TRACK_FULL || i != 3)
                close_block(track, blocks[i], 100, 0);
        end_track(track);
    }
}

static void test_wrong_size(void **state) {
    (void)state;
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        tern__track *track = new_track(level);
        tern_site_set("made.c", 5, "make");
        void *block = open_block(track, 100, TERN__BLOCK_DATA, NULL);
        tern__finding finding;
        const size_t wrong[] = {0, 99, 101, 104, SIZE_MAX};
        for (int i = 0; i < 5; i++) {
            refuse(track, block, wrong[i], TERN__BLOCK_DATA, TERN_MEMORY_WRONG_SIZE, &finding);
            assert_int_equal(finding.record.bytes, 100);
            assert_int_equal(finding.record.made.line, 5);
        }
        refuse(track, block, 100, TERN__BLOCK_HEADER, TERN_MEMORY_WRONG_SIZE, &finding);
        assert_non_null(tern__track_lookup(track, block));
        close_block(track, block, 100, TERN__BLOCK_DATA | TERN__BLOCK_TENSOR);
        end_track(track);
    }
}

/* -- guard zones -------------------------------------------------------------------------------*/

static tern_memory_event_kind kind_at(ptrdiff_t offset, size_t bytes) {
    return offset < -48              ? TERN_MEMORY_HEADER_SMASH
           : offset < 0              ? TERN_MEMORY_UNDERRUN
           : bytes <= (size_t)offset ? TERN_MEMORY_OVERRUN
                                     : TERN_MEMORY_WRITE_AFTER_RELEASE;
}

/* Damages one byte and expects that check finds it, once, and mends it. */
static void damage_once(tern__track *track, uint8_t *block, size_t bytes, ptrdiff_t offset,
                        uint8_t value) {
    uint8_t whole = block[offset];
    if (value == whole)
        return;
    block[offset] = value;
    tern__finding finding;
    size_t cursor = 0;
    assert_true(tern__track_check(track, &cursor, &finding));
    assert_true(finding.exists);
    assert_int_equal(finding.kind, kind_at(offset, bytes));
    assert_ptr_equal(finding.address, block);
    assert_ptr_equal(finding.record.block, block);
    assert_int_equal(block[offset], whole);
    assert_false(tern__track_check(track, &cursor, &finding));
    assert_false(finding.exists);
}

static void test_guards(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    test_random random = {51, 0};
    for (size_t bytes = 0; bytes < 200; bytes += 1 + bytes / 70 * 7) {
        uint8_t *block = open_block(track, bytes, 0, NULL);
        memset(block, 0, bytes);
        size_t raw_bytes;
        assert_true(tern__track_room(track, bytes, &raw_bytes));
        ptrdiff_t end = (ptrdiff_t)raw_bytes - 64;
        assert_true(end >= (ptrdiff_t)bytes + 64);
        for (ptrdiff_t offset = -64; offset < end; offset++) {
            if (offset >= 0 && offset < (ptrdiff_t)bytes) {
                block[offset] = 0xAA; /* the user's */
                continue;
            }
            damage_once(track, block, bytes, offset, block[offset] ^ 1);
            damage_once(track, block, bytes, offset, block[offset] ^ 0x80);
            damage_once(track, block, bytes, offset, (uint8_t)test_random_u32(&random));
        }
        close_block(track, block, bytes, 0);
        for (ptrdiff_t offset = -64; offset < end; offset++)
            damage_once(track, block, bytes, offset, block[offset] ^ 0x40);
    }
    end_track(track);
}

/* What overruns usually write never looks like a guard, and guards depend on their address. */
static void test_guard_bytes(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    uint8_t *blocks[32];
    int equal = 0;
    for (int i = 0; i < 32; i++) {
        blocks[i] = open_block(track, 13, 0, NULL);
        for (ptrdiff_t offset = -48; offset < 128; offset++)
            if (offset < 0 || offset >= 13)
                assert_true(blocks[i][offset] >= 0x80 && blocks[i][offset] < 0xC0);
        for (int k = 0; k < i; k++)
            equal += memcmp(blocks[i] - 48, blocks[k] - 48, 8) == 0;
        assert_memory_not_equal(blocks[i] - 48, blocks[i] - 40, 8);
    }
    assert_int_equal(equal, 0);
    for (int i = 0; i < 32; i++)
        close_block(track, blocks[i], 13, 0);
    end_track(track);
}

/* A header that was copied from another block, with the same size, is no header. */
static void test_header(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    uint8_t *a = open_block(track, 24, 0, NULL), *b = open_block(track, 24, 0, NULL);
    uint64_t bytes;
    memcpy(&bytes, a - 64, 8);
    assert_int_equal(bytes, 24);
    memcpy(a - 64, b - 64, 16);
    tern__finding finding;
    size_t cursor = 0;
    assert_true(tern__track_check(track, &cursor, &finding));
    assert_int_equal(finding.kind, TERN_MEMORY_HEADER_SMASH);
    assert_ptr_equal(finding.address, a);
    close_block(track, a, 24, 0);
    close_block(track, b, 24, 0);
    end_track(track);
}

/* Four damages in one block: one at the release, the others at eviction, each once. */
static void test_damage_at_release(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    tern_site_set("made.c", 1, "make");
    uint8_t *block = open_block(track, 50, 0, NULL);
    block[-64] ^= 1;
    block[-1] ^= 1;
    block[50] ^= 1;
    tern__raw freed;
    tern__finding finding;
    tern_site_set("released.c", 2, "release");
    assert_true(tern__track_close(track, block, 50, 0, NULL, &freed, &finding));
    assert_true(finding.exists);
    assert_int_equal(finding.kind, TERN_MEMORY_HEADER_SMASH);
    assert_site(finding.record.made, "made.c", 1, "make");
    assert_site(finding.released, NULL, 0, NULL);
    assert_site(finding.found, "released.c", 2, "release");
    block[49] = 0;
    tern_site_set("found.c", 3, "find");
    const tern_memory_event_kind kinds[] = {TERN_MEMORY_UNDERRUN, TERN_MEMORY_OVERRUN,
                                            TERN_MEMORY_WRITE_AFTER_RELEASE};
    for (int i = 0; i < 3; i++) {
        assert_true(tern__track_evict(track, true, &freed, &finding));
        assert_null(freed.raw);
        assert_true(finding.exists);
        assert_int_equal(finding.kind, kinds[i]);
        assert_site(finding.record.made, "made.c", 1, "make");
        assert_site(finding.released, "released.c", 2, "release");
        assert_site(finding.found, "found.c", 3, "find");
    }
    assert_int_equal(evict(track, true), 1);
    end_track(track);
}

/* -- held blocks -------------------------------------------------------------------------------*/

/* What was released is NaN in every float type. */
static void test_poison(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    for (size_t bytes = 0; bytes < 70; bytes++) {
        uint8_t *block = open_block(track, bytes, 0, NULL);
        memset(block, 0, bytes);
        close_block(track, block, bytes, 0);
        for (size_t i = 0; i + 2 <= bytes; i += 2) {
            uint16_t half;
            memcpy(&half, block + i, 2);
            assert_true((half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0); /* F16 */
            assert_true((half & 0x7F80) == 0x7F80 && (half & 0x7F) != 0);  /* BF16 */
        }
        for (size_t i = 0; i + 4 <= bytes; i += 4) {
            float value;
            memcpy(&value, block + i, 4);
            assert_true(isnan(value));
        }
        for (size_t i = 0; i + 8 <= bytes; i += 8) {
            double value;
            memcpy(&value, block + i, 8);
            assert_true(isnan(value));
        }
        for (size_t i = 0; i < bytes; i++)
            damage_once(track, block, bytes, (ptrdiff_t)i, block[i] ^ 1);
        assert_int_equal(evict(track, true), 1);
    }
    end_track(track);
}

/* 1 024 blocks are held, in order; the next one drives the oldest out. */
static void test_queue_blocks(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    enum { COUNT = 5000 };
    void **blocks = calloc(COUNT, sizeof *blocks);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = open_block(track, 16, 0, NULL);
        close_block(track, blocks[i], 16, 0);
        tern__raw freed;
        tern__finding finding;
        bool evicts = tern__track_evict(track, false, &freed, &finding);
        assert_int_equal(evicts, i >= 1024);
        if (evicts) {
            assert_ptr_equal(freed.raw, (uint8_t *)blocks[i - 1024] - 64);
            free(freed.raw);
            assert_false(tern__track_evict(track, false, &freed, &finding));
        }
        assert_int_equal(tern__track_live(track), 0);
    }
    assert_int_equal(evict(track, true), 1024);
    free(blocks);
    end_track(track);
}

static void test_queue_bytes(void **state) {
    (void)state;
    tern__track *track = new_track(TERN_TRACK_FULL);
    const size_t mib = 1 << 20, bytes = 8 * mib - 128;
    for (int i = 0; i < 10; i++) {
        close_block(track, open_block(track, bytes, 0, NULL), bytes, 0);
        assert_int_equal(evict(track, false), i >= 8); /* 64 MiB are held, and not a byte more */
    }
    close_block(track, open_block(track, 0, 0, NULL), 0, 0);
    assert_int_equal(evict(track, false), 1);
    close_block(track, open_block(track, 65 * mib, 0, NULL), 65 * mib, 0);
    assert_int_equal(evict(track, false), 9); /* itself too */
    assert_int_equal(evict(track, true), 0);
    end_track(track);
}

/* A device's blocks: the CPU never touches them, and nothing is held. */
static void test_device(void **state) {
    (void)state;
    tern__track *track = tern__track_create(TERN_TRACK_FULL, false);
    void *raw = (void *)(uintptr_t)0x1000;
    tern__raw freed;
    tern__finding finding;
    size_t cursor = 0;
    assert_ptr_equal(tern__track_open(track, raw, 64, 1, NULL), raw);
    assert_false(tern__track_check(track, &cursor, &finding));
    assert_true(tern__track_close(track, raw, 64, 1, NULL, &freed, &finding));
    assert_ptr_equal(freed.raw, raw);
    assert_false(tern__track_evict(track, true, &freed, &finding));
    refuse(track, raw, 64, 1, TERN_MEMORY_DOUBLE_RELEASE, &finding);
    tern__track_destroy(track);
}

/* -- what is said ------------------------------------------------------------------------------*/

static void expect_text(const tern_memory_event *event, const char *expected) {
    char text[TERN__FINDING_TEXT];
    memset(text, 'x', sizeof text);
    tern__finding_text(event, text);
    assert_string_equal(text, expected);
}

static void test_texts(void **state) {
    (void)state;
    tern_memory_event event = {.kind = TERN_MEMORY_OVERRUN,
                               .address = (void *)(uintptr_t)0x7f00,
                               .bytes = 24,
                               .count = 1,
                               .op = "add",
                               .dtype = "f32",
                               .rank = 2,
                               .dims = DIMS,
                               .made = {"x.c", 12, "tern_add"},
                               .found = {"y.c", 7, "tern_tensor_release"}};
    expect_text(&event, "overrun: 24 bytes at 0x7f00 made by tern_add (x.c:12, add f32 (2, 3)), "
                        "found by tern_tensor_release (y.c:7)");
    event.released = (tern_site){"z.c", 9, "tern_scope_end"};
    event.kind = TERN_MEMORY_DOUBLE_RELEASE;
    event.rank = 0;
    expect_text(&event, "double release: 24 bytes at 0x7f00 made by tern_add (x.c:12, add f32 ()), "
                        "released by tern_scope_end (z.c:9), found by tern_tensor_release (y.c:7)");
    event.kind = TERN_MEMORY_INTERIOR_POINTER;
    event.rank = -1;
    event.released = (tern_site){NULL, 0, NULL};
    event.found = (tern_site){NULL, 0, "tern_tensor_release"};
    expect_text(&event, "interior pointer: 0x7f00 inside 24 bytes made by tern_add (x.c:12, add "
                        "f32), found by tern_tensor_release");
    event.kind = TERN_MEMORY_LEAK;
    event.found.call = NULL;
    event.dtype = NULL;
    expect_text(&event, "leak: 24 bytes at 0x7f00 made by tern_add (x.c:12, add)");
    event.count = 3;
    event.bytes = 72;
    event.made.call = NULL;
    expect_text(&event, "leak: 3 times, 72 bytes, one at 0x7f00 made by an unknown call (x.c:12, "
                        "add)");
    event = (tern_memory_event){.kind = TERN_MEMORY_FOREIGN_POINTER,
                                .address = (void *)(uintptr_t)0xabc,
                                .count = 1,
                                .rank = -1,
                                .found = {"y.c", 7, "tern_tensor_release"}};
    expect_text(&event, "foreign pointer: 0xabc, found by tern_tensor_release (y.c:7)");
    event.found = (tern_site){NULL, 0, NULL};
    expect_text(&event, "foreign pointer: 0xabc");
    event = (tern_memory_event){
        .kind = TERN_MEMORY_LEAK, .bytes = 10, .count = 2, .rank = -1, .op = NULL};
    expect_text(&event, "leak: 2 times, 10 bytes, one at 0x0");
    event.rank = 1;
    event.count = 1;
    event.dims = DIMS;
    expect_text(&event, "leak: 10 bytes at 0x0 made by an unknown call ((2,))");
}

/* One line, and never beyond its end. */
static void test_long_text(void **state) {
    (void)state;
    char path[301], call[601], text[TERN__FINDING_TEXT + 8];
    memset(path, 'p', 300);
    memcpy(path + 240, "<sixty characters of the path are shown>\n, and it ends in x.c", 61);
    path[300] = '\0';
    memset(call, 'c', 600);
    call[600] = '\0';
    tern_memory_event event = {.kind = TERN_MEMORY_OVERRUN,
                               .address = (void *)(uintptr_t)0x10,
                               .bytes = 1,
                               .rank = -1,
                               .made = {path, 1, "f"},
                               .found = {"y.c", 2, "g"}};
    expect_text(&event, "overrun: 1 bytes at 0x10 made by f (...<sixty characters of the path are "
                        "shown>?, and it ends in x.:1), found by g (y.c:2)");
    for (int length = 380; length <= 600; length++) {
        event.made.call = call + 600 - length;
        memset(text, '#', sizeof text);
        tern__finding_text(&event, text);
        size_t used = strlen(text);
        assert_true(used < TERN__FINDING_TEXT);
        assert_int_equal(text[TERN__FINDING_TEXT], '#');
        bool is_whole = strstr(text, "found by g (y.c:2)") != NULL;
        assert_int_equal(is_whole, strcmp(text + used - 3, "...") != 0);
        assert_true(is_whole || used == TERN__FINDING_TEXT - 1);
    }
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(tern_memory_event_name(TERN_MEMORY_LEAK), "leak");
    assert_string_equal(tern_memory_event_name(TERN_MEMORY_WRITE_AFTER_RELEASE),
                        "write after release");
    assert_string_equal(tern_memory_event_name(TERN_MEMORY_WRONG_SIZE), "wrong size");
    assert_string_equal(tern_memory_event_name((tern_memory_event_kind)10), "?");
}

static void other_thread(void *argument) {
    (void)argument;
    assert_null(tern__site_current().file);
    tern_site_set("other.c", 99, "other");
}

static void test_site_per_thread(void **state) {
    (void)state;
    tern_site_set("here.c", 5, "here");
    tern__os_thread thread;
    assert_int_equal(tern__os_default.thread_start(&thread, other_thread, NULL), 0);
    tern__os_default.thread_join(thread);
    assert_site(tern__site_current(), "here.c", 5, "here");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_room),
        TEST(test_record),
        TEST(test_record_without_note),
        TEST(test_lifetimes),
        TEST(test_table),
        TEST(test_table_full),
        TEST(test_no_memory),
        TEST(test_steady_state),
        TEST(test_double_release),
        TEST(test_reused),
        TEST(test_interior_pointer),
        TEST(test_wrong_size),
        TEST(test_guards),
        TEST(test_guard_bytes),
        TEST(test_header),
        TEST(test_damage_at_release),
        TEST(test_poison),
        TEST(test_queue_blocks),
        TEST(test_queue_bytes),
        TEST(test_device),
        TEST(test_texts),
        TEST(test_long_text),
        TEST(test_names),
        TEST(test_site_per_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
