/* SPDX-License-Identifier: MIT
 * Facts about the machine, from files that a test writes; dates; where baselines are kept. */
#include "validate/row_fixture.h"

#include <errno.h>
#include <time.h>

#include "base/cpu.h"
#include "base/os.h"
#include "validate/machine.h"

/* -- a machine of files ------------------------------------------------------------------------*/

enum { MAX_FILES = 16 };

static struct { const char *path, *text; } files[MAX_FILES];
static int file_count;

static int fake_file(const char *path, char *text, size_t size) {
    for (int i = 0; i < file_count; i++)
        if (strcmp(files[i].path, path) == 0) {
            snprintf(text, size, "%s", files[i].text);
            return 0;
        }
    text[0] = '\0';
    return ENOENT;
}

static void put_file(const char *path, const char *text) {
    int i = 0;
    while (i < file_count && strcmp(files[i].path, path) != 0)
        i++;
    assert_true(i < MAX_FILES);
    files[i].path = path;
    files[i].text = text;
    file_count += i == file_count;
}

static tern__os_table os;

static int reset(void **state) {
    (void)state;
    file_count = 0;
    os = tern__os_default;
    os.file_text = fake_file;
    tern__os_set(&os);
    return 0;
}

static int restore(void **state) {
    (void)state;
    tern__os_set(NULL);
    return 0;
}

static const char cpuinfo[] = "processor\t: 0\nvendor_id\t: Test\ncpu family\t: 6\nmodel\t\t: 143\n"
                              "model name\t: Testium 9\nstepping\t: 8\n"
                              "flags\t\t: fpu sse hypervisor avx\n\n"
                              "processor\t: 1\nmodel\t\t: 99\n";

static void put_machine(void) {
    put_file("/proc/cpuinfo", cpuinfo);
    put_file("/proc/meminfo",
             "MemTotal:       24641234 kB\nMemFree:  1 kB\nMemAvailable:   12582912 kB\n");
    put_file("/sys/devices/system/cpu/online", "0-3,8\n");
    put_file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    put_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    put_file("/sys/class/dmi/id/product_name", "Standard PC  \n");
    put_file("/proc/sys/kernel/ostype", "Linux\n");
    put_file("/proc/sys/kernel/osrelease", "6.1.0\n");
}

static tern_report *describe(const char *cpu) {
    tern_report *report;
    test_ok(tern__report_create(&report));
    test_ok(tern__report_add_machine(report, &(tern_bench_table_options){.cpu = cpu}));
    return report;
}

static void expect(const tern_report *report, const char *name, const char *value) {
    if (strcmp(tern_report_fact_value(report, name), value) != 0)
        fail_msg("%s is '%s', not '%s'", name, tern_report_fact_value(report, name), value);
}

static void facts(void **state) {
    (void)state;
    put_machine();
    tern_report *report = describe(NULL);
    const char *brand = tern__cpu()->model;
    char cores[16];
    snprintf(cores, sizeof cores, "%d", tern__os_cpu_count());
    expect(report, "processor", brand[0] != '\0' ? brand : "Testium 9");
    expect(report, "processor id", "family 6, model 143, stepping 8");
    expect(report, "cores", cores);
    expect(report, "cores online", "5");
    expect(report, "memory", "23.5 GiB");
    expect(report, "memory available", "12 GiB");
    expect(report, "huge pages", "madvise");
    expect(report, "governor", "performance");
    expect(report, "virtualisation", "virtual machine (Standard PC)");
    expect(report, "kernel", "Linux 6.1.0");
    expect(report, "version", tern_version());
    expect(report, "features masked", "none");
    assert_int_equal(strlen(tern_report_fact_value(report, "fingerprint")), 12);
    assert_non_null(strstr(tern_report_fact_value(report, "caches"), "L2 "));
    assert_true(tern_report_fact_value(report, "compiler")[0] != '\0');
    assert_non_null(strstr(tern_report_fact_value(report, "flags"), "-O"));
    assert_true(tern_report_fact_value(report, "build type")[0] != '\0');
    tern_report_destroy(report);
}

static void other_systems(void **state) {
    (void)state;
    put_machine();
    put_file("/sys/hypervisor/type", "xen\n");
    put_file("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
    tern_report *report = describe(NULL);
    expect(report, "virtualisation", "virtual machine (xen)");
    expect(report, "huge pages", "always");
    tern_report_destroy(report);

    put_file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse\n"); /* that does not tell it */
    report = describe(NULL);
    expect(report, "virtualisation", "virtual machine (xen)");
    tern_report_destroy(report);

    file_count = 0;
    put_file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse\n");
    put_file("/sys/class/dmi/id/product_name", "Desk\n");
    report = describe(NULL);
    expect(report, "virtualisation", "none seen (Desk)");
    tern_report_destroy(report);

    put_file("/proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"
                              "CPU revision\t: 1\n");
    report = describe(NULL);
    expect(report, "processor id", "implementer 0x41, part 0xd0c, revision 1");
    tern_report_destroy(report);
}

/* A system that tells nothing. */
static void no_files(void **state) {
    (void)state;
    tern_report *report = describe(NULL);
    static const char *const names[] = {
        "processor id", "cores online", "memory", "memory available",
        "huge pages",   "governor",     "kernel"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(report, names[i], "not told");
    expect(report, "virtualisation", "none seen (not told)");
    assert_int_equal(strlen(tern_report_fact_value(report, "fingerprint")), 12);
    tern_report_destroy(report);
}

/* Numbers that are none, lines without an end, an empty file. */
static void odd_files(void **state) {
    (void)state;
    put_file("/proc/cpuinfo", "model name");
    put_file("/proc/meminfo", "MemTotal: lots");
    put_file("/sys/devices/system/cpu/online", "3-1,x");
    put_file("/sys/kernel/mm/transparent_hugepage/enabled", "]never[");
    put_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "");
    tern_report *report = describe(NULL);
    expect(report, "memory", "not told");
    expect(report, "cores online", "not told");
    expect(report, "huge pages", "]never[");
    expect(report, "governor", "not told");
    tern_report_destroy(report);
}

static void levels(void **state) {
    (void)state;
    char all[256];
    tern_report *report = describe("scalar");
    tern__cpu_describe(tern__cpu()->features, all, sizeof all);
    expect(report, "features", "none");
    expect(report, "features masked", all[0] != '\0' ? all : "none");
    tern_report_destroy(report);
    assert_int_equal(setenv("TERN_CPU", "scalar", 1), 0);
    assert_string_equal(tern__level_name(&(tern_bench_table_options){0}), "scalar");
    assert_string_equal(tern__level_name(&(tern_bench_table_options){.cpu = "native"}), "native");
    report = describe(NULL);
    expect(report, "features", "none");
    tern_report_destroy(report);
    unsetenv("TERN_CPU");
    test_ok(tern__report_create(&report));
    test_status(tern__report_add_machine(report, &(tern_bench_table_options){.cpu = "6502"}),
                TERN_E_ARGUMENT);
    tern_report_destroy(report);
}

/* -- the fingerprint ---------------------------------------------------------------------------*/

static const char *fingerprint(const char *cpu, char *text, size_t size) {
    tern_report *report = describe(cpu);
    snprintf(text, size, "%s", tern_report_fact_value(report, "fingerprint"));
    tern_report_destroy(report);
    return text;
}

/* It is that of the machine: not of its load, its kernel, or the level that is asked for. */
static void fingerprints(void **state) {
    (void)state;
    char first[32], other[32];
    put_machine();
    fingerprint(NULL, first, sizeof first);
    put_file("/proc/meminfo", "MemTotal:       24641999 kB\nMemAvailable:   2 kB\n");
    put_file("/proc/sys/kernel/osrelease", "6.2.0\n");
    assert_string_equal(fingerprint(NULL, other, sizeof other), first);
    assert_string_equal(fingerprint("scalar", other, sizeof other), first);
    put_file("/proc/meminfo", "MemTotal:       25165824 kB\n"); /* all of the 24 GiB */
    assert_string_equal(fingerprint(NULL, other, sizeof other), first);
    put_file("/proc/meminfo", "MemTotal:       49282468 kB\n");
    assert_string_not_equal(fingerprint(NULL, other, sizeof other), first);
    put_machine();
    put_file("/proc/cpuinfo", "cpu family\t: 6\nmodel\t\t: 85\nstepping\t: 8\n");
    assert_string_not_equal(fingerprint(NULL, other, sizeof other), first);
}

/* -- dates -------------------------------------------------------------------------------------*/

static void expect_date(uint64_t seconds, const char *expected) {
    char text[64];
    tern__date_text(seconds, text, sizeof text);
    assert_string_equal(text, expected);
}

static void dates(void **state) {
    (void)state;
    expect_date(0, "1970-01-01 00:00 UTC");
    expect_date(951782399, "2000-02-28 23:59 UTC");
    expect_date(951782400, "2000-02-29 00:00 UTC");
    expect_date(4107542399, "2100-02-28 23:59 UTC");
    expect_date(4107542400, "2100-03-01 00:00 UTC");
    test_random random = {5, 0};
    for (int i = 0; i < 20000; i++) { /* up to the year 2650 */
        time_t seconds = (time_t)test_random_u32(&random) * 5 + test_random_range(&random, 0, 4);
        struct tm parts;
        char expected[64];
        assert_non_null(gmtime_r(&seconds, &parts));
        strftime(expected, sizeof expected, "%Y-%m-%d %H:%M UTC", &parts);
        expect_date((uint64_t)seconds, expected);
    }
    /* The default table knows the time. */
    uint64_t now = tern__os_default.wall_seconds();
    assert_true(now > 1700000000 && llabs((long long)now - (long long)time(NULL)) <= 1);
}

/* -- where baselines are kept ------------------------------------------------------------------*/

static void baseline_paths(void **state) {
    (void)state;
    char path[128];
    tern_report *report = new_report("abc"), *empty;
    test_ok(tern__report_create(&empty));
    setenv("XDG_STATE_HOME", "/state", 1);
    setenv("HOME", "/home/me", 1);
    test_ok(tern_report_baseline_path(report, path, sizeof path));
    assert_string_equal(path, "/state/tern/baseline-abc.json");
    setenv("XDG_STATE_HOME", "relative", 1);
    test_ok(tern_report_baseline_path(report, path, sizeof path));
    assert_string_equal(path, "/home/me/.local/state/tern/baseline-abc.json");
    unsetenv("XDG_STATE_HOME");
    test_status(tern_report_baseline_path(report, path, 20), TERN_E_LIMIT);
    test_status(tern_report_baseline_path(empty, path, sizeof path), TERN_E_NOT_FOUND);
    unsetenv("HOME");
    test_status(tern_report_baseline_path(report, path, sizeof path), TERN_E_NOT_FOUND);
    test_status(tern_report_baseline_path(NULL, path, sizeof path), TERN_E_ARGUMENT);
    test_status(tern_report_baseline_path(report, NULL, 0), TERN_E_ARGUMENT);
    tern_report_destroy(report);
    tern_report_destroy(empty);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, restore)

int main(void) {
    unsetenv("TERN_CPU");
    const struct CMUnitTest tests[] = {
        TEST(facts),  TEST(other_systems), TEST(no_files), TEST(odd_files),
        TEST(levels), TEST(fingerprints),  TEST(dates),    TEST(baseline_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
