/* SPDX-License-Identifier: MIT
 *
 * Plug-ins that are wrong, devices that run out of memory or fail: one clear line for each, and the
 * CPU goes on.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tern/device.h>
#include <tern/ops.h>

#include "support.h"

#define BROKEN_PLUGINS TERN_TEST_PLUGINS "/broken"

static char own_folder[] = "/tmp/tern_plugins_XXXXXX"; /* of files that are made here */

/* -- files -------------------------------------------------------------------------------------*/

static const char *own_file(const char *name, char path[256]) {
    snprintf(path, 256, "%s/tern_%s.so", own_folder, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t bytes) {
    char path[256];
    FILE *file = fopen(own_file(name, path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* The first bytes of a real plug-in. */
static void write_part(const char *name, size_t bytes) {
    size_t all;
    char *data = test_read_file(TERN_TEST_PLUGINS "/tern_toy.so", &all);
    write_file(name, data, bytes < all ? bytes : all);
    free(data);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(own_folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    DIR *folder = opendir(own_folder);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", own_folder, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(path) != 0)
            rmdir(path);
    }
    if (folder != NULL)
        closedir(folder);
    return rmdir(own_folder);
}

/* Plug-ins are looked for in these folders only. */
static void look_in(const char *folders) {
    assert_int_equal(setenv("TERN_PLUGIN_PATH", folders, 1), 0);
}

/* -- what is wrong is told ---------------------------------------------------------------------*/

static tern_status open_device(const char *name, tern_context **context) {
    return tern_context_create(&(tern_options){.threads = 1, .device = name}, context);
}

static void cpu_works(void) {
    tern_context *context = NULL;
    tern_tensor *x = NULL;
    double value = 0;
    test_ok(open_device("cpu", &context));
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(3), 2, &x));
    test_ok(tern_mul_into(x, x, x));
    tern_tensor *one = NULL;
    test_ok(tern_tensor_slice(x, 0, 2, 3, 1, &one));
    test_ok(tern_item(one, &value));
    assert_true(value == 4);
    tern_tensor_release(one);
    tern_tensor_release(x);
    tern_context_destroy(context);
}

static void is_one_line(const char *text, const char *word) {
    if (text[0] == '\0' || strchr(text, '\n') != NULL || strstr(text, word) == NULL)
        fail_msg("\"%s\" is not one line with \"%s\"", text, word);
}

/* The device is listed and not there, its reason has these words, and so has the error of a context
 * on it. */
static void is_refused(const char *name, const char *word) {
    tern_device_info info;
    tern_context *context = NULL;
    test_ok(tern_device_find(name, &info));
    assert_false(info.is_there);
    is_one_line(info.reason, word);
    test_status(open_device(name, &context), TERN_E_UNSUPPORTED);
    assert_null(context);
    is_one_line(tern_last_error(), word);
    char start[64];
    snprintf(start, sizeof start, "device %s: ", name);
    if (strncmp(tern_last_error(), start, strlen(start)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", tern_last_error(), start);
    cpu_works();
}

static void broken_plugins(void **state) {
    (void)state;
    static const struct {
        const char *name, *word;
    } broken[] = {
        {"no_symbol", "is no plug-in"},
        {"no_table", "has no table"},
        {"other_abi", "another version"},
        {"other_size", "another version"},
        {"other_count", "another version"},
        {"other_version", "0.0.9"},
        {"no_version", "built for"},
        {"other_name", "another name"},
        {"no_name", "another name"},
        {"no_probe", "lacks functions"},
        {"no_open", "lacks functions"},
        {"no_close", "lacks functions"},
        {"no_submit", "lacks functions"},
        {"no_wait", "lacks functions"},
        {"half_memory", "lacks functions"},
        {"half_packing", "lacks functions"},
        {"bad_probe", "libbroken.so.1 not found"},
    };
    look_in(BROKEN_PLUGINS);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        is_refused(broken[i].name, broken[i].word);
    tern_device_info infos[64];
    int count = tern_devices(infos, 64), listed = 0;
    for (int i = 0; i < count && i < 64; i++)
        for (size_t j = 0; j < sizeof broken / sizeof *broken; j++)
            listed += strcmp(infos[i].name, broken[j].name) == 0;
    assert_int_equal(listed, sizeof broken / sizeof *broken);
}

/* That it can be used was believed; opening it fails with the status and the words of the device.
 */
static void device_that_does_not_open(void **state) {
    (void)state;
    tern_context *context = NULL;
    look_in(BROKEN_PLUGINS);
    test_status(open_device("bad_open", &context), TERN_E_IO);
    assert_null(context);
    is_one_line(tern_last_error(), "the card is on fire");
    cpu_works();
}

static void files_that_are_none(void **state) {
    (void)state;
    static const char text[] = "# no shared object\n";
    char path[256];
    look_in(own_folder);
    write_file("text", text, sizeof text - 1);
    write_file("empty", text, 0);
    assert_int_equal(mkdir(own_file("folder", path), 0700), 0);
    is_refused("text", "tern_text.so");
    is_refused("empty", "tern_empty.so");
    is_refused("folder", "tern_folder.so");
    if (geteuid() != 0) { /* root reads every file */
        write_file("locked", text, sizeof text - 1);
        assert_int_equal(chmod(own_file("locked", path), 0), 0);
        is_refused("locked", "tern_locked.so");
    }
    tern_device_info info = {.is_there = true};
    assert_int_equal(symlink("/nowhere/at/all", own_file("link", path)), 0);
    test_status(tern_device_find("link", &info), TERN_E_NOT_FOUND);
    assert_false(info.is_there);
    is_one_line(info.reason, "no plug-in tern_link.so");
}

/* The folders are looked through in order. A name is listed once, those that are known first, the
 * others sorted; and a name is no way out of a folder. */
static void lists_of_devices(void **state) {
    (void)state;
    enum { MOST = 64 };
    tern_device_info infos[MOST], toy;
    char path[256];
    snprintf(path, sizeof path, "%s/tern_x", own_folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_part("toy", SIZE_MAX);
    write_file("x/tern_toy", "", 0);
    write_file("zebra", "", 0);
    write_file("ant", "", 0);
    for (int i = 0; i < 3; i++) {
        bool is_whole = i == 1;
        snprintf(path, sizeof path, ":/nowhere:%s%s:%s%s", own_folder, is_whole ? "" : "/tern_x",
                 own_folder, is_whole ? "/tern_x" : "");
        look_in(path);
        test_ok(tern_device_find("toy", &toy));
        assert_true(toy.is_there == is_whole);
        assert_string_equal(toy.path, own_file(is_whole ? "toy" : "x/tern_toy", path));
    }
    int count = tern_devices(infos, MOST);
    assert_in_range(count, 6, MOST);
    assert_int_equal(tern_devices(NULL, 0), count);
    static const char *const first[] = {"cpu", "cuda", "mlx"};
    for (int i = 0; i < count; i++)
        if (i < 3 ? strcmp(infos[i].name, first[i]) != 0
                  : i > 3 && strcmp(infos[i - 1].name, infos[i].name) >= 0)
            fail_msg("%s is in place %d", infos[i].name, i);
    for (int capacity = count; capacity >= count - 1; capacity--) {
        memset(infos, 0, sizeof infos);
        assert_int_equal(tern_devices(infos, capacity), count);
        assert_string_equal(infos[count - 1].name, capacity == count ? "zebra" : "");
    }
    test_status(tern_device_find("x/../tern_toy", &toy), TERN_E_NOT_FOUND);
    unlink(own_file("x/tern_toy", path));
}

/* The machine and the toy as they are. */
static void facts_of_devices(void **state) {
    (void)state;
    tern_device_info cpu, toy;
    look_in(TERN_TEST_PLUGINS);
    test_ok(tern_device_find("cpu", &cpu));
    test_ok(tern_device_find("toy", &toy));
    double pages = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (cpu.memory_bytes > 0)
        assert_true((double)cpu.memory_bytes > pages / 2 && (double)cpu.memory_bytes < 2 * pages);
    assert_true(cpu.fallback_ops == 0 && cpu.absent_ops == 0 && cpu.free_bytes <= cpu.memory_bytes);
    assert_true(toy.memory_bytes == 256 << 20 && toy.free_bytes == 256 << 20);
    assert_true(toy.has_memory && toy.keeps_bits && toy.native_ops == 3 && toy.absent_ops > 0);
    assert_int_equal(toy.native_ops + toy.fallback_ops + toy.absent_ops, cpu.native_ops);
}

/* In a process of its own, which touching pages that a file does not have would kill. Returns how
 * it ended. */
static int look_elsewhere(const char *name) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tern_device_info info;
        signal(SIGBUS, SIG_DFL); /* cmocka would go on with the next test */
        signal(SIGSEGV, SIG_DFL);
        bool is_fine = tern_device_find(name, &info) == TERN_OK && !info.is_there &&
                       strstr(info.reason, "is shorter than its headers say") != NULL;
        _exit(is_fine ? 0 : 1);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    return ended;
}

/* Of a file that is shorter than its headers say nothing may be taken into the process. */
static void truncated_plugins(void **state) {
    (void)state;
    size_t all;
    int bad = 0;
    free(test_read_file(TERN_TEST_PLUGINS "/tern_toy.so", &all));
    const size_t parts[] = {5,       16,      63,          64,           300,    1000,
                            all / 4, all / 2, all * 3 / 4, all * 9 / 10, all - 1};
    look_in(own_folder);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[24];
        snprintf(name, sizeof name, "cut_%zu", i);
        write_part(name, parts[i]);
        int ended = look_elsewhere(name);
        if (ended == 0)
            continue;
        print_error("%zu of %zu bytes of a plug-in: %s\n", parts[i], all,
                    WIFSIGNALED(ended) ? strsignal(WTERMSIG(ended)) : "no clear line");
        bad++;
    }
    assert_int_equal(bad, 0);
    cpu_works();
}

static void absent_devices(void **state) {
    (void)state;
    tern_device_info info;
    tern_context *context = NULL;
    look_in(own_folder);
    is_refused("mlx", "tern_mlx.so");
    is_refused("cuda", "tern_cuda.so");
    static const char *const unknown[] = {"quantum", "CPU", "../../etc/passwd",
                                          "a_name_that_is_much_too_long_for_a_device"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        test_status(tern_device_find(unknown[i], &info), TERN_E_NOT_FOUND);
        test_status(open_device(unknown[i], &context), TERN_E_NOT_FOUND);
        assert_null(context);
        assert_null(strchr(tern_last_error(), '\n'));
    }
    cpu_works();
}

/* Nothing that keeps the bits can be used but the CPU. */
static void automatic_choice(void **state) {
    (void)state;
    tern_context *context = NULL;
    tern_device_choice choice;
    look_in(BROKEN_PLUGINS);
    test_ok(open_device("auto", &context));
    assert_string_equal(tern_context_device(context), "cpu");
    tern_context_destroy(context);
    test_ok(tern_device_choose(&(tern_options){.threads = 1, .cache_directory = ""}, &choice));
    assert_string_equal(choice.name, "cpu");
    is_one_line(choice.reason, "");
    assert_int_equal(setenv("TERN_DEVICE", "bad_probe", 1), 0);
    test_status(tern_context_create(NULL, &context), TERN_E_UNSUPPORTED);
    is_one_line(tern_last_error(), "libbroken.so.1 not found");
    assert_int_equal(unsetenv("TERN_DEVICE"), 0);
    cpu_works();
}

/* -- memory ------------------------------------------------------------------------------------*/

enum { PIECE = 1 << 18, PIECES = 64 };

/* Takes tensors of 1 MiB until there is no more memory, gives one back and goes on. */
static void runs_out_of_memory(const char *device, const char *limit) {
    tern_context *context = NULL;
    tern_tensor *pieces[PIECES] = {NULL}, *y = NULL;
    int count = 0;
    if (setenv(limit, "16777216", 1) != 0 || open_device(device, &context) != TERN_OK)
        test_skip("device %s: %s", device, tern_last_error());
    tern_status status = TERN_OK;
    for (; status == TERN_OK && count < PIECES; count++)
        status = tern_tensor_full(context, TERN_F32, TERN_SHAPE(PIECE), count, &pieces[count]);
    test_status(status, TERN_E_MEMORY);
    is_one_line(tern_last_error(), "");
    assert_true(count > 4);
    assert_null(pieces[count - 1]);
    for (int round = 0; round < 3; round++) {
        test_status(tern_add(pieces[0], pieces[1], &y), TERN_E_MEMORY);
        assert_null(y);
    }
    tern_tensor_release(pieces[2]);
    test_ok(tern_add(pieces[1], pieces[3], &y));
    float *values = malloc(PIECE * sizeof *values);
    test_ok(tern_tensor_read(y, values, PIECE * sizeof *values));
    assert_true(values[0] == 4 && values[PIECE - 1] == 4);
    free(values);
    tern_tensor_release(y);
    pieces[2] = NULL;
    for (int i = 0; i < count; i++)
        tern_tensor_release(pieces[i]);
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    assert_int_equal(tern_context_memory(context).live_bytes, 0);
    tern_context_destroy(context);
    unsetenv(limit);
}

static void memory_of_toy(void **state) {
    (void)state;
    look_in(TERN_TEST_PLUGINS);
    runs_out_of_memory("toy", "TERN_TOY_MEMORY");
}

static void memory_of_cudaemu(void **state) {
    (void)state;
    look_in(TERN_TEST_PLUGINS);
    runs_out_of_memory("cudaemu", "TERN_EMULATION_MEMORY");
}

static size_t resident_bytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int open_files(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* One context, an operation of the device and one of the CPU in it. */
static void cycle(const char *device) {
    tern_context *context = NULL;
    tern_tensor *x = NULL, *y = NULL;
    test_ok(open_device(device, &context));
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(300), 2, &x));
    test_ok(tern_add(x, x, &y));
    test_ok(tern_exp_into(y, x));
    tern_tensor_release(y);
    tern_tensor_release(x);
    assert_int_equal(tern_context_memory(context).live_bytes, 0);
    tern_context_destroy(context);
}

static void many_cycles(const char *device, int cycles) {
    for (int i = 0; i < cycles / 20; i++)
        cycle(device);
    size_t resident = resident_bytes();
    int files = open_files();
    for (int i = 0; i < cycles; i++)
        cycle(device);
    size_t now = resident_bytes();
    printf("%d open and close cycles of %s: %zu KiB resident before, %zu behind\n", cycles, device,
           resident >> 10, now >> 10);
    assert_int_equal(open_files(), files);
    if (!TEST_IS_SANITIZED) /* which keep what was released */
        assert_true(now < resident + (2 << 20));
}

static void cycles_leak_nothing(void **state) {
    (void)state;
    look_in(TERN_TEST_PLUGINS);
    int cycles = TEST_IS_SANITIZED ? 300 : 10000;
    many_cycles("toy", cycles);
    tern_context *probe = NULL;
    if (open_device("cudaemu", &probe) != TERN_OK) {
        printf("SKIPPED: device cudaemu: %s\n", tern_last_error());
        return;
    }
    tern_context_destroy(probe);
    many_cycles("cudaemu", cycles / 10);
}

/* -- errors of a device ------------------------------------------------------------------------*/

/* What the plug-in has open: it is in the process already. */
static int failing_balance(void) {
    void *library = dlopen(BROKEN_PLUGINS "/tern_failing.so", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    int (*balance)(void) = (int (*)(void))dlsym(library, "failing_balance");
    assert_non_null(balance);
    int count = balance();
    dlclose(library);
    return count;
}

static void failing_rows(void **state) {
    (void)state;
    tern_context *context = NULL;
    tern_tensor *x = NULL, *y = NULL;
    float values[6];
    look_in(BROKEN_PLUGINS);
    test_ok(open_device("failing", &context));
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(2, 3), 4, &x));
    test_status(tern_neg(x, &y), TERN_E_INTERNAL);
    assert_null(y);
    is_one_line(tern_last_error(), "neg of 2 axes is beyond this device");
    test_status(tern_sqrt(x, &y), TERN_E_MEMORY);
    is_one_line(tern_last_error(), "no scratch memory for sqrt");
    test_status(tern_sqrt_into(x, x), TERN_E_MEMORY);
    test_ok(tern_add(x, x, &y)); /* by the CPU */
    test_ok(tern_tensor_read(y, values, sizeof values));
    assert_true(values[0] == 8 && values[5] == 8);
    tern_tensor_release(y);
    tern_tensor_release(x);
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    tern_context_destroy(context);
    assert_int_equal(failing_balance(), 0);
}

/* What goes wrong after a row has returned is told by who waits: once, and then it is over. */
static void errors_that_come_late(void **state) {
    (void)state;
    tern_context *context = NULL;
    tern_tensor *x = NULL, *y = NULL, *near = NULL, *host_x = NULL;
    float values[6];
    tern_context *host = NULL;
    look_in(BROKEN_PLUGINS);
    test_ok(open_device("failing", &context));
    test_ok(open_device("cpu", &host));
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(2, 3), 4, &x));
    test_ok(tern_abs(x, &y));
    test_status(tern_context_wait(context), TERN_E_IO);
    is_one_line(tern_last_error(), "a kernel of abs has crashed");
    test_ok(tern_context_wait(context));
    test_ok(tern_abs_into(x, y));
    test_status(tern_tensor_read(y, values, sizeof values), TERN_E_IO);
    is_one_line(tern_last_error(), "a kernel of abs has crashed");
    test_ok(tern_abs_into(x, y));
    test_status(tern_tensor_to(y, host, &near), TERN_E_IO);
    assert_null(near);
    test_ok(tern_abs_into(x, y)); /* told by the next operation that the CPU does */
    test_status(tern_add(y, y, &near), TERN_E_IO);
    assert_null(near);
    test_ok(tern_context_wait(context));
    test_ok(tern_tensor_to(x, host, &host_x));
    tern_tensor_release(host_x);
    tern_tensor_release(y);
    tern_tensor_release(x);
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    tern_context_destroy(context);
    tern_context_destroy(host);
    assert_int_equal(failing_balance(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_plugins),        cmocka_unit_test(device_that_does_not_open),
        cmocka_unit_test(files_that_are_none),   cmocka_unit_test(lists_of_devices),
        cmocka_unit_test(facts_of_devices),      cmocka_unit_test(truncated_plugins),
        cmocka_unit_test(absent_devices),        cmocka_unit_test(automatic_choice),
        cmocka_unit_test(memory_of_toy),         cmocka_unit_test(memory_of_cudaemu),
        cmocka_unit_test(cycles_leak_nothing),   cmocka_unit_test(failing_rows),
        cmocka_unit_test(errors_that_come_late),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
