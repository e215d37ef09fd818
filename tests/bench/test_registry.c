/* SPDX-License-Identifier: MIT
 * What the benchmarks cover: every table has a name and lists its rows, every family of kernels and
 * every operation is timed by one of them. And how tables run: by name of target, on threads that
 * stay where they are. */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>

#include <tern/ops.h>

#include "base/threads.h"
#include "bench/table_fixture.h"
#include "bench/tables.h"
#include "kernels/packed.h"

static table rows;

static tern_status list(const tern_bench_table *kind, const char *only, bool is_quick) {
    tern_bench_table_options options = {.only = only, .is_quick = is_quick, .is_listing = true};
    memset(&rows, 0, sizeof rows);
    return kind->run(&options, collect, &rows);
}

/* -- the tables --------------------------------------------------------------------------------*/

static void test_tables(void **state) {
    (void)state;
    assert_true(tern_bench_table_count() >= 7);
    assert_null(tern_bench_table_at(-1));
    assert_null(tern_bench_table_at(tern_bench_table_count()));
    assert_null(tern_bench_table_find("no such table"));
    for (int i = 0; i < tern_bench_table_count(); i++) {
        const tern_bench_table *kind = tern_bench_table_at(i);
        assert_ptr_equal(tern_bench_table_find(kind->name), kind);
        assert_null(tern_bench_find(kind->name)); /* one name for one thing */
        assert_true(strlen(kind->name) <= 16 && strlen(kind->summary) > 10);
    }
}

static bool has_word(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *at = words; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* A list has every row once, with no figure, and each of an id that the table names. */
static void test_lists(void **state) {
    (void)state;
    for (int i = 0; i < tern_bench_table_count(); i++)
        for (int quick = 0; quick < 2; quick++) {
            const tern_bench_table *kind = tern_bench_table_at(i);
            test_ok(list(kind, NULL, quick));
            assert_true(rows.count > 0);
            for (int r = 0; r < rows.count; r++) {
                const tern_bench_row *row = &rows.rows[r];
                if (!has_word(kind->targets, row->id))
                    fail_msg("%s has a row of %s", kind->name, row->id);
                assert_true(isnan(row->median) && row->samples == 0);
                assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
                assert_string_equal(row->detail, "listed");
            }
        }
}

/* By id: together as many as without. An id that is a part of another is none. */
static void test_names_of_targets(void **state) {
    (void)state;
    for (int i = 0; i < tern_bench_table_count(); i++) {
        const tern_bench_table *kind = tern_bench_table_at(i);
        char words[128];
        test_ok(list(kind, NULL, true));
        int all = rows.count, sum = 0;
        snprintf(words, sizeof words, "%s", kind->targets);
        for (char *rest = words, *id; (id = strtok_r(rest, ",", &rest)) != NULL;) {
            test_ok(list(kind, id, true));
            for (int r = 0; r < rows.count; r++)
                assert_string_equal(rows.rows[r].id, id);
            sum += rows.count;
        }
        assert_int_equal(sum, all);
        static const char *const wrong[] = {"T", "K", "T99", "", ",", "T3,,T4", "T3 "};
        for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
            if (list(kind, wrong[w], true) != TERN_E_ARGUMENT || rows.count != 0)
                fail_msg("%s takes '%s'", kind->name, wrong[w]);
            assert_non_null(strstr(tern_last_error(), " is none of "));
        }
    }
    test_ok(list(tern_bench_table_find("matmul"), "T1c", false));
    assert_int_equal(rows.count, 1);
    tern_bench_table_options options = {.only = "T1c"};
    memset(&rows, 0, sizeof rows);
    test_ok(tern_bench_matmul(&options, collect, &rows));
    assert_int_equal(rows.count, 1);
    assert_int_equal(rows.rows[0].verdict, TERN_BENCH_NOT_MEASURED);
    assert_non_null(strstr(rows.rows[0].detail, "cuda: absent ("));
    assert_true(rows.rows[0].floor == 15 && rows.rows[0].goal == 40);
}

/* -- coverage ----------------------------------------------------------------------------------*/

static const tern__family_bench *find_family(const char *family) {
    for (const tern__family_bench *f = tern__family_benches; f->family != NULL; f++)
        if (strcmp(f->family, family) == 0)
            return f;
    return NULL;
}

static bool is_in_source[64];

/* `name` stands between "tern__" and "_family[]" in a definition. */
static void check_family(const char *name, const char *file) {
    const tern__family_bench *f = find_family(name);
    if (f == NULL)
        fail_msg("family %s of %s has no benchmark: see src/bench/tables.c", name, file);
    else
        is_in_source[f - tern__family_benches] = true;
}

static void check_source(const char *path) {
    static const char begin[] = "tern__", end[] = "_family[] = {";
    char *text = test_read_file(path, NULL), name[64];
    for (char *at = text; (at = strstr(at, end)) != NULL; at++) {
        char *first = at;
        while (first > text && first[-1] != ' ')
            first--;
        assert_int_equal(strncmp(first, begin, sizeof begin - 1), 0);
        first += sizeof begin - 1;
        snprintf(name, sizeof name, "%.*s", (int)(at - first), first);
        if (strcmp(name, "##family##") == 0 || strcmp(name, "##family#") == 0) {
#define CHECK_PACKING(symbol, family, ...) check_family(#family, path);
            TERN__PACKINGS(CHECK_PACKING)
#undef CHECK_PACKING
            continue;
        }
        check_family(name, path);
    }
    free(text);
}

/* Every family that is defined in src/kernels has an entry, and each entry a family. */
static void test_families_are_timed(void **state) {
    (void)state;
    char folder[512], path[1024];
    test_path("src/kernels", folder, sizeof folder);
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 2 || strcmp(entry->d_name + length - 2, ".c") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_source(path);
    }
    closedir(directory);
    int count = 0;
    for (const tern__family_bench *f = tern__family_benches; f->family != NULL; f++, count++)
        if (!is_in_source[count])
            fail_msg("there is no family %s", f->family);
    assert_true(count >= 19);
}

/* What an entry names exists, and has rows. */
static void test_entries(void **state) {
    (void)state;
    for (const tern__family_bench *f = tern__family_benches; f->family != NULL; f++) {
        if (f->only == NULL) {
            assert_non_null(tern_bench_find(f->name));
            continue;
        }
        const tern_bench_table *kind = tern_bench_table_find(f->name);
        assert_non_null(kind);
        test_ok(list(kind, f->only, false));
        if (rows.count == 0)
            fail_msg("%s: no row of %s", f->name, f->only);
    }
}

/* Each operation has rows of its own, small and large. */
static void test_operations_are_timed(void **state) {
    (void)state;
    test_ok(list(tern_bench_table_find("operations"), NULL, false));
    for (int op = 0; op < tern_op_count(); op++) {
        const char *name = tern_op_at(op)->name;
        size_t length = strlen(name);
        int count = 0;
        for (int r = 0; r < rows.count; r++)
            count += strncmp(rows.what[r], name, length) == 0 && rows.what[r][length] == ',';
        if (count < 2)
            fail_msg("operation %s has %d rows", name, count);
    }
}

/* -- pinning -----------------------------------------------------------------------------------*/

static atomic_int pins[64]; /* by index */
static atomic_int last_of_caller;
static uint64_t caller;

static void note_pin(int index) {
    if (index >= 0 && index < 64)
        atomic_fetch_add(&pins[index], 1);
    if (tern__thread_id() == caller)
        atomic_store(&last_of_caller, index);
}

static void *no_memory(size_t bytes) {
    (void)bytes;
    return NULL;
}

static void count_visit(void *user, const tern_bench_row *row) {
    (void)row;
    *(int *)user = atomic_load(&last_of_caller);
}

static void nothing(void *argument, int64_t begin, int64_t end, int lane) {
    (void)argument, (void)begin, (void)end, (void)lane;
}

static void test_threads_are_pinned(void **state) {
    (void)state;
    tern__os_table os = ticking_os();
    int at_row = -2;
    os.thread_pin = note_pin;
    caller = tern__thread_id();
    tern__os_set(&os);
    tern_bench_table_options options = {.threads = 3, .samples = 1, .is_quick = true, .only = "K1"};
    tern_status status = tern_bench_kernels(&options, count_visit, &at_row);
    int after = atomic_load(&last_of_caller), second = pins[1], third = pins[2], beyond = pins[3];
    /* An error on the way leaves nothing pinned. */
    atomic_store(&last_of_caller, -2);
    os.alloc = no_memory;
    tern_status failed = tern_bench_kernels(&options, count_visit, &at_row);
    int after_failure = atomic_load(&last_of_caller);
    /* Wrong arguments and lists do not pin at all. */
    atomic_store(&last_of_caller, -2);
    options.is_listing = true;
    os.alloc = tern__os_default.alloc;
    tern_status listed = tern_bench_kernels(&options, count_visit, &(int){0});
    options.only = "K";
    tern_status refused = tern_bench_kernels(&options, count_visit, &(int){0});
    int after_list = atomic_load(&last_of_caller);
    /* Nor are teams that are made later. */
    tern__team *team;
    int before = pins[1];
    tern_status made = tern__team_create(2, &team);
    if (made == TERN_OK) {
        tern__team_run(team, 100, 1, nothing, NULL);
        tern__team_destroy(team);
    }
    int later = pins[1];
    tern__os_set(NULL);
    test_ok(status);
    assert_int_equal(at_row, 0);
    assert_int_equal(after, -1);
    assert_true(second > 0 && third > 0 && beyond == 0);
    test_status(failed, TERN_E_MEMORY);
    assert_int_equal(after_failure, -1);
    test_ok(listed);
    test_status(refused, TERN_E_ARGUMENT);
    assert_int_equal(after_list, -2);
    test_ok(made);
    assert_int_equal(before, later);
}

int main(void) {
    setenv("TERN_PLUGIN_PATH", "/nowhere", 1); /* no accelerator */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_names_of_targets),
        cmocka_unit_test(test_families_are_timed),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_operations_are_timed),
        cmocka_unit_test_teardown(test_threads_are_pinned, restore_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
