/* SPDX-License-Identifier: MIT
 * What was measured once: the file of choices, and the storage of trits that is chosen by it. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include "base/cpu.h"
#include "base/os.h"
#include "device/choices.h"
#include "device/cpu/cpu.h"
#include "device/device.h"

static char directory[] = "/tmp/tern-choices-XXXXXX";
static char path[128];

static int make_directory(void **state) {
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/choices", directory);
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *text, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static int files_in_directory(void) {
    DIR *d = opendir(directory);
    assert_non_null(d);
    int count = -2; /* . and .. */
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    unlink(path);
    assert_int_equal(tern__choice_read(directory, "one"), 0);
    tern__choice_write(directory, "one", 17);
    tern__choice_write(directory, "one two", 1000000);
    assert_int_equal(tern__choice_read(directory, "one"), 17);
    assert_int_equal(tern__choice_read(directory, "one two"), 1000000);
    assert_int_equal(tern__choice_read(directory, "one tw"), 0);
    assert_int_equal(tern__choice_read(directory, ""), 0);
    tern__choice_write(directory, "one", 18);
    assert_int_equal(tern__choice_read(directory, "one"), 18);
    assert_int_equal(tern__choice_read(directory, "one two"), 1000000);
    assert_int_equal(files_in_directory(), 1);
}

static void old_choices_go(void **state) {
    (void)state;
    char key[32];
    unlink(path);
    for (int i = 1; i <= 100; i++) {
        snprintf(key, sizeof key, "machine %d", i);
        tern__choice_write(directory, key, i);
    }
    for (int i = 1; i <= 100; i++) {
        snprintf(key, sizeof key, "machine %d", i);
        assert_int_equal(tern__choice_read(directory, key), i > 68 ? i : 0);
    }
}

static void directories_are_made(void **state) {
    (void)state;
    char deep[160], file[192];
    snprintf(deep, sizeof deep, "%s/a/b", directory);
    tern__choice_write(deep, "key", 5);
    assert_int_equal(tern__choice_read(deep, "key"), 5);
    snprintf(file, sizeof file, "%s/choices", deep);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(deep), 0);
    deep[strlen(deep) - 2] = '\0';
    assert_int_equal(rmdir(deep), 0);
}

/* Whatever is in the file, it holds no number that nobody wrote. */
static void wrong_files_hold_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "tern choices 2",
        "tern choices 1\nkey\t5\n",
        "key\t5\n",
        "tern choices 2\nkey 5\n",
        "tern choices 2\nkey\t\n",
        "tern choices 2\nkey\t-5\n",
        "tern choices 2\nkey\t5x\n",
        "tern choices 2\nkey\t1000001\n",
        "tern choices 2\nkey\t99999999999999999999\n",
        "tern choices 2\n key\t5\n",
        "tern choices 2\n\n\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(texts[i], strlen(texts[i]));
        if (tern__choice_read(directory, "key") != 0)
            fail_msg("text %zu: read %d", i, tern__choice_read(directory, "key"));
        tern__choice_write(directory, "key", 7);
        assert_int_equal(tern__choice_read(directory, "key"), 7);
    }
    write_file("tern choices 2\n\0key\t5\n", 22);
    assert_int_equal(tern__choice_read(directory, "key"), 0);
    write_file("tern choices 2\nkey\t5", 20); /* a last line without an end is whole or cut */
    assert_int_equal(tern__choice_read(directory, "key"), 5);
    tern__choice_write(directory, "new", 6); /* which is not carried over */
    assert_int_equal(tern__choice_read(directory, "new"), 6);
    assert_int_equal(tern__choice_read(directory, "key"), 0);
    char *large = malloc(1 << 20);
    assert_non_null(large);
    memset(large, 'k', 1 << 20);
    memcpy(large, "tern choices 2\n", 15);
    write_file(large, 1 << 20);
    assert_int_equal(tern__choice_read(directory, "key"), 0);
    free(large);
}

static void no_place_is_no_harm(void **state) {
    (void)state;
    char longer[5000];
    memset(longer, 'd', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    const char *const places[] = {NULL, "/proc/no/such/place", "/dev/null", longer};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        tern__choice_write(places[i], "key", 5);
        assert_int_equal(tern__choice_read(places[i], "key"), 0);
    }
}

/* The number in the file decides; a machine of another name or number of threads has its own. */
static void the_file_decides(void **state) {
    (void)state;
    tern__storage_choice choice;
    tern__device *device = context->device;
    unlink(path);
    device->choose_storage(device, 1000, directory, &choice);
    assert_int_equal(choice.packing, TERN__PACKING_TRITS4);
    assert_string_equal(choice.reason, "the weights fit the caches");
    assert_int_equal(files_in_directory(), 0);

    const int64_t known = tern__cpu()->cache_l3, cache = known > 0 ? known : 32 << 20;
    device->choose_storage(device, (size_t)cache, directory, &choice);
    assert_string_equal(choice.reason, "the weights fit the caches");
    device->choose_storage(device, (size_t)cache + 1, NULL, &choice);
    assert_non_null(strstr(choice.reason, "measured now"));

    const size_t much = (size_t)1 << 40;
    device->choose_storage(device, much, directory, &choice);
    assert_non_null(strstr(choice.reason, "measured now"));
    /* What a busy machine gives is not kept. */
    bool is_kept = strstr(choice.reason, "not kept") == NULL;
    assert_int_equal(files_in_directory(), is_kept);
    for (int tries = 0; tries < 20 && files_in_directory() == 0; tries++)
        device->choose_storage(device, much, directory, &choice);
    if (files_in_directory() == 0)
        test_skip("this machine is too busy to measure");
    char text[1024] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    char *number = strchr(text, '\t');
    assert_non_null(number);
    const struct {
        const char *number, *reason;
        tern__packing packing;
    } files[] = {
        {"500", "1.6-bit streams 0.50 times as fast as 2-bit, measured before",
         TERN__PACKING_TRITS4},
        {"1049", "1.6-bit streams 1.05 times as fast as 2-bit, measured before",
         TERN__PACKING_TRITS4},
        {"1050", "1.6-bit streams 1.05 times as fast as 2-bit, measured before",
         TERN__PACKING_TRITS5},
        {"1250", "1.6-bit streams 1.25 times as fast as 2-bit, measured before",
         TERN__PACKING_TRITS5},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(number, sizeof text - (size_t)(number - text), "\t%s\n", files[i].number);
        write_file(text, strlen(text));
        device->choose_storage(device, much, directory, &choice);
        assert_string_equal(choice.reason, files[i].reason);
        assert_int_equal(choice.packing, files[i].packing);
    }
}

/* A clock of the thread that measures: every look at it takes a millisecond, one of them ten, so
 * that both storages read as many bytes in the same time. */
static _Thread_local bool is_measuring;
static int clock_reads, slow_read;
static uint64_t clock_now;
static uint64_t clock_of_rounds(void) {
    if (!is_measuring)
        return tern__os_default.clock_ns();
    clock_now += ++clock_reads == slow_read ? 10000000 : 1000000;
    return clock_now;
}

static uint64_t clock_that_stands(void) {
    return is_measuring ? 1 : tern__os_default.clock_ns();
}

static void choose_by(uint64_t (*clock)(void), int slow, tern_context *of,
                      tern__storage_choice *choice) {
    tern__os_table os = tern__os_default;
    os.clock_ns = clock;
    clock_reads = 0;
    slow_read = slow;
    is_measuring = true;
    tern__os_set(&os);
    of->device->choose_storage(of->device, (size_t)1 << 40, directory, choice);
    tern__os_set(NULL);
    is_measuring = false;
}

/* How the ratio is told of passes that take the same time: as many bytes are more trits. */
static void tell_ratio(const tern_context *of, const char *when, char *text, size_t size) {
    double bytes[2]; /* of a row of 2560 */
    static const tern__packing packings[2] = {TERN__PACKING_TRITS4, TERN__PACKING_TRITS5};
    for (int i = 0; i < 2; i++) {
        const tern__packed_kernel *kernel = tern__cpu_of(of->device)->packed[packings[i]];
        const int64_t k = (2560 + kernel->k_unit - 1) / kernel->k_unit * kernel->k_unit;
        bytes[i] = (double)tern__packed_panel_bytes(kernel, k) / kernel->panel_rows;
    }
    snprintf(text, size, "1.6-bit streams %.2f times as fast as 2-bit, measured %s",
             (int)(1000 * bytes[0] / bytes[1] + 0.5) / 1000.0, when);
}

/* What one number of threads measured is not taken for another's,
 * what a busy machine gives is not kept, and a clock that stands still gives nothing. */
static void the_faster_one_is_chosen(void **state) {
    (void)state;
    tern__storage_choice choice;
    tern_context *one = NULL;
    unlink(path);
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &one));
    choose_by(clock_that_stands, 0, one, &choice);
    assert_string_equal(choice.reason, "another storage could not be measured");
    assert_int_equal(choice.packing, TERN__PACKING_TRITS4);
    /* Read once before all, twice for the first pass; then four times a round, of which the first
     * look is at the pass with 2 bits. */
    char expected[128];
    choose_by(clock_of_rounds, 5, one, &choice);
    tell_ratio(one, "now on a busy machine, so not kept", expected, sizeof expected);
    assert_string_equal(choice.reason, expected);
    assert_int_equal(choice.packing, TERN__PACKING_TRITS5);
    assert_int_equal(files_in_directory(), 0);
    choose_by(clock_of_rounds, 0, one, &choice);
    tell_ratio(one, "now", expected, sizeof expected);
    assert_string_equal(choice.reason, expected);
    choose_by(clock_of_rounds, 0, one, &choice);
    tell_ratio(one, "before", expected, sizeof expected);
    assert_string_equal(choice.reason, expected);
    assert_int_equal(choice.packing, TERN__PACKING_TRITS5);
    choose_by(clock_of_rounds, 0, context, &choice);
    assert_non_null(strstr(choice.reason, "measured now"));
    tern_context_destroy(one);
}

/* -- what is taken is given back ---------------------------------------------------------------*/

static int64_t pages_held, files_held, views_held;
static int pages_wanted; /* mappings until one fails */

static void *counted_map(size_t bytes) {
    void *pages = pages_wanted-- > 0 ? tern__os_default.pages_map(bytes) : NULL;
    pages_held += pages != NULL ? (int64_t)bytes : 0;
    return pages;
}

static void counted_unmap(void *pages, size_t bytes) {
    pages_held -= (int64_t)bytes;
    tern__os_default.pages_unmap(pages, bytes);
}

static int counted_open(const char *name, int *fd) {
    int error = tern__os_default.file_open(name, fd);
    files_held += error == 0;
    return error;
}

static int counted_create(const char *name, int *fd) {
    int error = tern__os_default.file_create(name, fd);
    files_held += error == 0;
    return error;
}

static void counted_close(int fd) {
    files_held--;
    tern__os_default.file_close(fd);
}

static int counted_view(int fd, size_t bytes, const void **data) {
    int error = tern__os_default.file_map(fd, bytes, data);
    views_held += error == 0 ? (int64_t)bytes : 0;
    return error;
}

static void counted_unview(const void *data, size_t bytes) {
    views_held -= (int64_t)bytes;
    tern__os_default.file_unmap(data, bytes);
}

static void nothing_is_kept(void **state) {
    (void)state;
    tern__storage_choice choice;
    tern__os_table os = tern__os_default;
    os.pages_map = counted_map, os.pages_unmap = counted_unmap;
    os.file_open = counted_open, os.file_create = counted_create, os.file_close = counted_close;
    os.file_map = counted_view, os.file_unmap = counted_unview;
    unlink(path);
    tern__choice_write(directory, "key", 3);
    for (int mappings = 0; mappings <= 2; mappings++) {
        pages_wanted = mappings;
        tern__os_set(&os);
        context->device->choose_storage(context->device, (size_t)1 << 40, directory, &choice);
        int number = tern__choice_read(directory, "key");
        tern__os_set(NULL);
        assert_int_equal(number, 3);
        assert_true((strstr(choice.reason, "measured now") != NULL) == (mappings == 2));
        assert_int_equal(pages_held, 0);
        assert_int_equal(views_held, 0);
        assert_int_equal(files_held, 0);
    }
}

static void *no_pages(size_t bytes) {
    (void)bytes;
    return NULL;
}

static int no_file(const char *name, int *fd) {
    (void)name;
    *fd = -1;
    return EMFILE;
}

static int full_disk(int fd, uint64_t offset, const void *data, size_t bytes) {
    (void)fd;
    (void)offset;
    (void)data;
    (void)bytes;
    return ENOSPC;
}

static void failures_of_the_system(void **state) {
    (void)state;
    tern__storage_choice choice;
    tern__os_table os = tern__os_default;
    os.pages_map = no_pages;
    unlink(path);
    tern__os_set(&os);
    context->device->choose_storage(context->device, (size_t)1 << 40, directory, &choice);
    tern__os_set(NULL);
    assert_int_equal(choice.packing, TERN__PACKING_TRITS4);
    assert_string_equal(choice.reason, "another storage could not be measured");
    os = tern__os_default;
    os.file_open = no_file;
    tern__choice_write(directory, "key", 3);
    tern__os_set(&os);
    assert_int_equal(tern__choice_read(directory, "key"), 0);
    os = tern__os_default;
    os.file_create = no_file;
    tern__os_set(&os);
    tern__choice_write(directory, "key", 4);
    os = tern__os_default;
    os.file_write = full_disk;
    tern__os_set(&os);
    tern__choice_write(directory, "key", 4);
    tern__os_set(NULL);
    assert_int_equal(tern__choice_read(directory, "key"), 3);
    assert_int_equal(files_in_directory(), 1);
}

/* A group's teardown cannot fail a program: a test can. */
static void nothing_else_is_left(void **state) {
    (void)state;
    unlink(path);
    assert_int_equal(files_in_directory(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(old_choices_go),
        cmocka_unit_test(directories_are_made),
        cmocka_unit_test(wrong_files_hold_nothing),
        cmocka_unit_test(no_place_is_no_harm),
        cmocka_unit_test_setup_teardown(the_file_decides, open_context, close_context),
        cmocka_unit_test_setup_teardown(the_faster_one_is_chosen, open_context, close_context),
        cmocka_unit_test_setup_teardown(nothing_is_kept, open_context, close_context),
        cmocka_unit_test_setup_teardown(failures_of_the_system, open_context, close_context),
        cmocka_unit_test(nothing_else_is_left),
    };
    return cmocka_run_group_tests_name("choices", tests, make_directory, remove_directory);
}
