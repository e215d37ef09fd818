/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/threads.h"
#include "memory/pool.h"

static void small_memory_is_zeroed(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes < 2000; bytes = bytes * 2 + 1) {
        unsigned char *p = tern__os()->alloc(bytes);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, bytes);
        tern__os()->free(p);
    }
    tern__os()->free(NULL);
}

static void pages_are_zeroed_and_lazy(void **state) {
    (void)state;
    const size_t mib = 1 << 20;
    uint64_t before = tern__os_resident_bytes();
    unsigned char *pages = tern__os()->pages_map(64 * mib);
    assert_non_null(pages);
    assert_int_equal((uintptr_t)pages % tern__os_page_size(), 0);
    tern__os()->pages_huge(pages, 64 * mib);
    for (size_t i = 0; i < 16 * mib; i += 4096) {
        assert_int_equal(pages[i], 0);
        pages[i] = 1;
    }
    uint64_t after = tern__os_resident_bytes();
    if (before == 0)
        print_message("this system does not tell resident memory\n");
    else /* what was written, and nothing of the rest but what huge pages round up */
        assert_in_range(after - before, 12 * mib, 40 * mib);
    tern__os()->pages_unmap(pages, 64 * mib);
    uint64_t peak = tern__os_peak_bytes();
    assert_true(peak == 0 || peak + 2 * mib >= after); /* the kernel counts per processor */
    assert_null(tern__os()->pages_map(SIZE_MAX / 2));
}

static void dropped_pages_stay_usable(void **state) {
    (void)state;
    const size_t mib = 1 << 20, page = tern__os_page_size();
    unsigned char *pages = tern__os()->pages_map(32 * mib);
    assert_non_null(pages);
    memset(pages, 7, 32 * mib);
    uint64_t before = tern__os_resident_bytes();
    /* Not the pages that lie in the range with a part only. */
    tern__os()->pages_drop(pages + 1, 24 * mib);
    uint64_t after = tern__os_resident_bytes();
    assert_int_equal(pages[page - 1], 7);
    assert_int_equal(pages[24 * mib], 7);
    assert_int_equal(pages[32 * mib - 1], 7);
    tern__os()->pages_drop(pages + 25 * mib + 100, 50); /* no whole page inside */
    assert_int_equal(pages[25 * mib + 100], 7);
#if defined(__linux__)
    assert_true(before == 0 || before - after >= 20 * mib);
    for (size_t i = page; i < 24 * mib; i++)
        assert_true(pages[i] == 0);
#else
    (void)before, (void)after;
#endif
    memset(pages, 9, 32 * mib);
    assert_int_equal(pages[12 * mib], 9);
    tern__os()->pages_unmap(pages, 32 * mib);
}

/* A temporary file with `bytes` known bytes; the descriptor of the reader. */
static int open_temporary(size_t bytes) {
    char path[] = "/tmp/tern-test-XXXXXX";
    int writer = mkstemp(path);
    assert_true(writer >= 0);
    unsigned char *data = malloc(bytes);
    assert_non_null(data);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(i * 7 + i / 4096);
    assert_int_equal(write(writer, data, bytes), bytes);
    free(data);
    close(writer);
    int fd = -1;
    assert_int_equal(tern__os()->file_open(path, &fd), 0);
    unlink(path);
    return fd;
}

static void a_file_is_read_through_its_mapping(void **state) {
    (void)state;
    enum { BYTES = 12 * 1024 * 1024 + 5 };
    int fd = open_temporary(BYTES);
    tern__os_file_info info;
    assert_int_equal(tern__os()->file_info(fd, &info), 0);
    assert_true(info.is_regular && !info.is_directory);
    assert_int_equal(info.size, BYTES);
    const void *map = NULL;
    assert_int_equal(tern__os()->file_map(fd, BYTES, &map), 0);
    tern__os()->file_close(fd); /* the mapping stays */

    const unsigned char *data = map;
    for (size_t i = 0; i < BYTES; i++)
        if (data[i] != (unsigned char)(i * 7 + i / 4096))
            fail_msg("byte %zu is %u", i, data[i]);
    uint64_t before = tern__os_resident_bytes();
    tern__os()->file_drop(data + 1, BYTES - 1);
    uint64_t after = tern__os_resident_bytes();
    assert_true(before == 0 || before - after > BYTES / 2);
    tern__os()->file_drop(data + 100, 50); /* no whole page inside */
    for (size_t i = 0; i < BYTES; i += 1000)
        assert_int_equal(data[i], (unsigned char)(i * 7 + i / 4096));
    tern__os()->file_unmap(map, BYTES);
}

static void what_is_no_file_is_told(void **state) {
    (void)state;
    int fd = -1;
    assert_int_equal(tern__os()->file_open("/nonexistent/model.gguf", &fd), ENOENT);
    tern__os_file_info info;
    assert_int_equal(tern__os()->file_open("/", &fd), 0);
    assert_int_equal(tern__os()->file_info(fd, &info), 0);
    assert_true(info.is_directory && !info.is_regular && info.size == 0);
    tern__os()->file_close(fd);
    assert_int_equal(tern__os()->file_info(-1, &info), EBADF);
    const void *map = NULL;
    assert_int_not_equal(tern__os()->file_map(-1, 4096, &map), 0);
    assert_null(map);
}

static void a_file_is_written_and_renamed(void **state) {
    (void)state;
    char folder[] = "/tmp/tern-test-XXXXXX", draft[64], path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(draft, sizeof draft, "%s/draft", folder);
    snprintf(path, sizeof path, "%s/file", folder);
    int fd = -1;
    assert_int_equal(tern__os()->file_create(draft, &fd), 0);
    assert_int_equal(tern__os()->file_write(fd, 0, "abcdef", 6), 0);
    assert_int_equal(tern__os()->file_write(fd, 2, "CD", 2), 0);
    assert_int_equal(tern__os()->file_write(fd, 6, "", 0), 0);
    assert_int_equal(tern__os()->file_sync(fd), 0);
    tern__os()->file_close(fd);
    int again = -1;
    assert_int_equal(tern__os()->file_create(draft, &again), EEXIST);
    for (int i = 0; i < 2; i++) { /* to a new name, and onto a file */
        assert_int_equal(tern__os()->file_rename(draft, path), 0);
        size_t bytes;
        char *data = test_read_file(path, &bytes);
        assert_int_equal(bytes, i == 0 ? 6 : 0);
        assert_memory_equal(data, "abCDef", bytes);
        free(data);
        assert_int_equal(tern__os()->file_create(draft, &fd), 0);
        tern__os()->file_close(fd);
    }
    tern__os()->file_remove(draft);
    tern__os()->file_remove(path);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(tern__os()->file_create("/nonexistent/file", &fd), ENOENT);
    assert_int_equal(tern__os()->file_rename("/nonexistent/a", path), ENOENT);
    assert_int_equal(tern__os()->file_write(-1, 0, "a", 1), EBADF);
    assert_int_equal(tern__os()->file_sync(-1), EBADF);
}

static void a_full_disk_is_told(void **state) {
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        test_skip("there is no /dev/full");
    assert_int_equal(tern__os()->file_write(fd, 0, "a", 1), ENOSPC);
    close(fd);
}

/* Nobody writes into it: opening must not wait. */
static void a_pipe_does_not_hang(void **state) {
    (void)state;
    char folder[] = "/tmp/tern-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20);
    int fd = -1;
    assert_int_equal(tern__os()->file_open(path, &fd), 0);
    alarm(0);
    tern__os_file_info info;
    assert_int_equal(tern__os()->file_info(fd, &info), 0);
    assert_false(info.is_regular);
    tern__os()->file_close(fd);
    unlink(path);
    rmdir(folder);
}

/* A program of /bin/sh. */
static int run_shell(const char *script, char *output, size_t size, int *exit_status) {
    const char *const argv[] = {"sh", "-c", script, NULL};
    return tern__os()->program_run(argv, output, size, exit_status);
}

static void a_program_is_run(void **state) {
    (void)state;
    char output[16];
    int status = -1;
    assert_int_equal(run_shell("echo out; echo err >&2; cat", output, sizeof output, &status), 0);
    assert_string_equal(output, "out\n");
    assert_int_equal(status, 0);
    assert_int_equal(run_shell("printf 7; exit 7", output, sizeof output, &status), 0);
    assert_string_equal(output, "7");
    assert_int_equal(status, 7);
    assert_int_equal(run_shell("kill -9 $$", output, sizeof output, &status), 0);
    assert_string_equal(output, "");
    assert_int_equal(status, 128 + SIGKILL);
    /* More than a pipe holds: the program ends, the beginning is kept. */
    assert_int_equal(run_shell("yes | head -c 300000", output, 6, &status), 0);
    assert_string_equal(output, "y\ny\ny");
    assert_int_equal(status, 0);
}

static void a_program_that_is_not_there(void **state) {
    (void)state;
    char output[16] = "x";
    int status = 0;
    const char *const missing[] = {"/nowhere/program", NULL}, *const data[] = {"/dev/null", NULL};
    assert_int_equal(tern__os()->program_run(missing, output, sizeof output, &status), ENOENT);
    assert_int_equal(tern__os()->program_run(data, output, sizeof output, &status), EACCES);
}

static void the_clock_goes_forward(void **state) {
    (void)state;
    uint64_t begin = tern__os()->clock_ns(), last = begin;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = tern__os()->clock_ns();
        assert_true(now >= last);
        last = now;
    }
    usleep(20000);
    uint64_t slept = tern__os()->clock_ns() - begin;
    assert_in_range(slept, 20000000, 20000000000);
}

static void random_bytes_differ(void **state) {
    (void)state;
    unsigned char a[1000] = {0}, b[1000] = {0};
    assert_int_equal(tern__os()->random(a, sizeof a), 0);
    assert_int_equal(tern__os()->random(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 968, b + 968, 32); /* the last bytes were drawn too */
    int counts[256] = {0};
    for (size_t i = 0; i < sizeof a; i++)
        counts[a[i]]++;
    for (int i = 0; i < 256; i++)
        assert_true(counts[i] < 40); /* 3.9 expected */
    assert_int_equal(tern__os()->random(a, 0), 0);
}

static void see_signals(void *result) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    *(int *)result =
        sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGSEGV);
}

static void threads_leave_signals_to_the_caller(void **state) {
    (void)state;
    int result = -1;
    tern__os_thread thread;
    assert_int_equal(tern__os()->thread_start(&thread, see_signals, &result), 0);
    tern__os()->thread_join(thread);
    assert_int_equal(result, 1);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
}

static void *no_memory(size_t bytes) {
    (void)bytes;
    return NULL;
}

static void a_table_of_ones_own(void **state) {
    (void)state;
    tern__os_table table = tern__os_default;
    table.alloc = no_memory;
    tern__os_set(&table);
    assert_ptr_equal(tern__os(), &table);
    tern__pool *pool = (tern__pool *)&table;
    tern_status pool_status = tern__pool_create(&(tern__pool_options){0}, &pool);
    tern__team *team = (tern__team *)&table;
    tern_status team_status = tern__team_create(1, &team);
    tern__os_set(NULL);
    assert_ptr_equal(tern__os(), &tern__os_default);
    test_status(pool_status, TERN_E_MEMORY);
    test_status(team_status, TERN_E_MEMORY);
    assert_null(pool);
    assert_null(team);
}

static void facts(void **state) {
    (void)state;
    assert_true(tern__os_cpu_count() >= 1);
    assert_true(tern__os_page_size() >= 4096);
    assert_int_equal(tern__os_page_size() & (tern__os_page_size() - 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_memory_is_zeroed),
        cmocka_unit_test(pages_are_zeroed_and_lazy),
        cmocka_unit_test(dropped_pages_stay_usable),
        cmocka_unit_test(a_file_is_read_through_its_mapping),
        cmocka_unit_test(what_is_no_file_is_told),
        cmocka_unit_test(a_file_is_written_and_renamed),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(a_pipe_does_not_hang),
        cmocka_unit_test(a_program_is_run),
        cmocka_unit_test(a_program_that_is_not_there),
        cmocka_unit_test(the_clock_goes_forward),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(threads_leave_signals_to_the_caller),
        cmocka_unit_test(a_table_of_ones_own),
        cmocka_unit_test(facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
