/* SPDX-License-Identifier: MIT
 * What a report says about the machine and the build, and the fingerprint of the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif

#include "base/cpu.h"
#include "base/os.h"
#include "base/siphash.h"
#include "base/status.h"
#include "validate/machine.h"
#include "validate/report.h"

#if !defined(TERN_BUILD_TYPE)
#define TERN_BUILD_TYPE  "not told"
#define TERN_BUILD_FLAGS "not told"
#endif

static const char not_told[] = "not told";

/* The first of the files below /proc and /sys that are read: one processor of cpuinfo is shorter,
 * with all its flags. */
enum { FILE_BYTES = 8 << 10 };

/* -- reading what the system tells -------------------------------------------------------------*/

/* The first line of a small file; `not told` when there is none. */
static const char *read_line(const char *path, char *text, size_t size) {
    if (tern__os()->file_text(path, text, size) != 0)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (size_t length = strlen(text); length > 0 && text[length - 1] == ' '; length--)
        text[length - 1] = '\0';
    return text[0] != '\0' ? text : not_told;
}

/* What stands behind "name :" at the beginning of a line; "" when there is no such line. */
static const char *field(const char *file, const char *name, char *text, size_t size) {
    size_t length = strlen(name);
    text[0] = '\0';
    for (const char *line = file; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) != 0)
            continue;
        const char *value = line + length + strspn(line + length, " \t");
        if (*value != ':')
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(text, size, "%.*s", (int)strcspn(value, "\n"), value);
        return text;
    }
    return text;
}

static uint64_t kibibytes(const char *file, const char *name) {
    char text[64];
    return 1024 * strtoull(field(file, name, text, sizeof text), NULL, 10);
}

/* "0-3,8" has 5. */
static int count_listed(const char *list) {
    int count = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        long first = strtol(list, &end, 10), last = first;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        count += last >= first ? (int)(last - first + 1) : 0;
        list = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* "always [madvise] never": the word in brackets. */
static const char *chosen(char *text) {
    char *begin = strchr(text, '['), *end = begin != NULL ? strchr(begin, ']') : NULL;
    if (end == NULL)
        return text;
    *end = '\0';
    return begin + 1;
}

/* "32 KiB", "1.5 MiB"; "not told" for 0. */
static const char *size_text(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    if (bytes == 0)
        return not_told;
    snprintf(text, size, "%.*f %s", value == (double)(int64_t)value ? 0 : 1, value, units[unit]);
    return text;
}

/* -- the machine -------------------------------------------------------------------------------*/

/* Brand and numbers of the processor. */
static tern_status add_processor(tern_report *report, const char *cpuinfo) {
    char name[128], family[64], model[64], stepping[64];
    tern_status status;
    const char *brand = tern__cpu()->model;
    if (brand[0] == '\0')
        brand = field(cpuinfo, "model name", name, sizeof name);
    if (brand[0] == '\0')
        brand = field(cpuinfo, "Hardware", name, sizeof name);
    TERN__TRY(tern__report_add_fact(report, "machine", "processor", "%s",
                                    brand[0] != '\0' ? brand : not_told));
    if (field(cpuinfo, "cpu family", family, sizeof family)[0] != '\0')
        TERN__TRY(tern__report_add_fact(report, "machine", "processor id",
                                        "family %s, model %s, stepping %s", family,
                                        field(cpuinfo, "model", model, sizeof model),
                                        field(cpuinfo, "stepping", stepping, sizeof stepping)));
    else if (field(cpuinfo, "CPU implementer", family, sizeof family)[0] != '\0')
        TERN__TRY(tern__report_add_fact(report, "machine", "processor id",
                                        "implementer %s, part %s, revision %s", family,
                                        field(cpuinfo, "CPU part", model, sizeof model),
                                        field(cpuinfo, "CPU revision", stepping, sizeof stepping)));
    else
        TERN__TRY(tern__report_add_fact(report, "machine", "processor id", "%s", not_told));
done:
    return status;
}

/* What kernels may use, and what --cpu or TERN_CPU keeps from them. */
static tern_status add_features(tern_report *report, const char *level) {
    char used[256], masked[256];
    uint32_t all = tern__cpu()->features, allowed;
    tern_status status;
    TERN__TRY(tern__cpu_level(level, &allowed));
    tern__cpu_describe(all & allowed, used, sizeof used);
    tern__cpu_describe(all & ~allowed, masked, sizeof masked);
    TERN__TRY(tern__report_add_fact(report, "machine", "features", "%s",
                                    used[0] != '\0' ? used : "none"));
    TERN__TRY(tern__report_add_fact(report, "machine", "features masked", "%s",
                                    masked[0] != '\0' ? masked : "none"));
done:
    return status;
}

/* Those that this process may use, and those that there are. */
static tern_status add_cores(tern_report *report) {
    char text[256];
    int online = count_listed(read_line("/sys/devices/system/cpu/online", text, sizeof text));
    tern_status status;
    TERN__TRY(tern__report_add_fact(report, "machine", "cores", "%d", tern__os_cpu_count()));
    snprintf(text, sizeof text, "%d", online);
    TERN__TRY(tern__report_add_fact(report, "machine", "cores online", "%s",
                                    online > 0 ? text : not_told));
done:
    return status;
}

static tern_status add_memory(tern_report *report) {
    const tern__cpu_info *cpu = tern__cpu();
    char meminfo[2048], l1[32], l2[32], l3[32], text[256];
    tern_status status;
    if (tern__os()->file_text("/proc/meminfo", meminfo, sizeof meminfo) != 0)
        meminfo[0] = '\0';
    TERN__TRY(tern__report_add_fact(report, "machine", "caches", "L1 %s, L2 %s, L3 %s",
                                    size_text((uint64_t)cpu->cache_l1d, l1, sizeof l1),
                                    size_text((uint64_t)cpu->cache_l2, l2, sizeof l2),
                                    size_text((uint64_t)cpu->cache_l3, l3, sizeof l3)));
    TERN__TRY(tern__report_add_fact(report, "machine", "memory", "%s",
                                    size_text(kibibytes(meminfo, "MemTotal"), text, sizeof text)));
    TERN__TRY(
        tern__report_add_fact(report, "machine", "memory available", "%s",
                              size_text(kibibytes(meminfo, "MemAvailable"), text, sizeof text)));
    TERN__TRY(tern__report_add_fact(report, "machine", "page size", "%s",
                                    size_text(tern__os_page_size(), text, sizeof text)));
    read_line("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
    TERN__TRY(tern__report_add_fact(report, "machine", "huge pages", "%s",
                                    text[0] != '\0' ? chosen(text) : not_told));
done:
    return status;
}

/* By the processor's flag, and by the names that the firmware or the hypervisor gives. */
static tern_status add_virtualisation(tern_report *report, const char *cpuinfo) {
    char flags[FILE_BYTES], product[128], type[128];
    field(cpuinfo, "flags", flags, sizeof flags);
    bool is_flagged = strstr(flags, " hypervisor") != NULL;
    bool has_type = read_line("/sys/hypervisor/type", type, sizeof type) != not_told;
    const char *name = read_line("/sys/class/dmi/id/product_name", product, sizeof product);
    if (!is_flagged && !has_type)
        return tern__report_add_fact(report, "machine", "virtualisation", "none seen (%s)", name);
    return tern__report_add_fact(report, "machine", "virtualisation", "virtual machine (%s)",
                                 has_type ? type : name);
}

static tern_status add_system(tern_report *report) {
    char text[256], release[256];
    tern_status status;
    TERN__TRY(tern__report_add_fact(
        report, "machine", "governor", "%s",
        read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", text, sizeof text)));
    if (read_line("/proc/sys/kernel/ostype", text, sizeof text) != not_told)
        TERN__TRY(tern__report_add_fact(
            report, "machine", "kernel", "%s %s", text,
            read_line("/proc/sys/kernel/osrelease", release, sizeof release)));
    else
        TERN__TRY(tern__report_add_fact(report, "machine", "kernel", "%s", not_told));
done:
    return status;
}

/* What figures of the same program depend on: baselines are kept by it. Memory in whole
 * GiB, rounded up: systems keep some of it for themselves, a little more or less at each start. */
static tern_status add_fingerprint(tern_report *report, const char *cpuinfo) {
    static const tern__siphash_key key = {{UINT64_C(0x7465726e), UINT64_C(0x6d616368696e65)}};
    const tern__cpu_info *cpu = tern__cpu();
    char meminfo[2048], part[64], text[512];
    if (tern__os()->file_text("/proc/meminfo", meminfo, sizeof meminfo) != 0)
        meminfo[0] = '\0';
    uint64_t gibibytes = (kibibytes(meminfo, "MemTotal") + (UINT64_C(1) << 30) - 1) >> 30;
    int length = snprintf(
        text, sizeof text, "%s|%s|%s|%x|%lld|%lld|%lld|%d|%llu",
        tern_report_fact_value(report, "processor"), tern_report_fact_value(report, "processor id"),
        field(cpuinfo, "CPU part", part, sizeof part), (unsigned)cpu->features,
        (long long)cpu->cache_l1d, (long long)cpu->cache_l2, (long long)cpu->cache_l3,
        tern__os_cpu_count(), (unsigned long long)gibibytes);
    size_t bytes = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    return tern__report_add_fact(report, "machine", "fingerprint", "%012llx",
                                 (unsigned long long)(tern__siphash(&key, text, bytes) >> 16));
}

static tern_status add_build(tern_report *report) {
    tern_status status;
    TERN__TRY(tern__report_add_fact(report, "build", "version", "%s", tern_version()));
#if defined(__clang__)
    TERN__TRY(tern__report_add_fact(report, "build", "compiler", "clang %s", __clang_version__));
#elif defined(__GNUC__)
    TERN__TRY(tern__report_add_fact(report, "build", "compiler", "gcc %s", __VERSION__));
#else
    TERN__TRY(tern__report_add_fact(report, "build", "compiler", "%s", not_told));
#endif
    TERN__TRY(tern__report_add_fact(report, "build", "build type", "%s", TERN_BUILD_TYPE));
    TERN__TRY(tern__report_add_fact(report, "build", "flags", "%s", TERN_BUILD_FLAGS));
#if defined(__GLIBC__)
    TERN__TRY(
        tern__report_add_fact(report, "build", "C library", "glibc %s", gnu_get_libc_version()));
#else
    TERN__TRY(tern__report_add_fact(report, "build", "C library", "%s", not_told));
#endif
done:
    return status;
}

tern_status tern__report_add_machine(tern_report *report, const tern_bench_table_options *options) {
    tern_status status;
    char *cpuinfo = tern__os()->alloc(FILE_BYTES);
    if (cpuinfo == NULL)
        return tern__fail(TERN_E_MEMORY, "validate: no memory for the facts of the machine");
    if (tern__os()->file_text("/proc/cpuinfo", cpuinfo, FILE_BYTES) != 0)
        cpuinfo[0] = '\0';
    TERN__TRY(add_processor(report, cpuinfo));
    TERN__TRY(add_features(report, tern__level_name(options)));
    TERN__TRY(add_cores(report));
    TERN__TRY(add_memory(report));
    TERN__TRY(add_virtualisation(report, cpuinfo));
    TERN__TRY(add_system(report));
    TERN__TRY(add_fingerprint(report, cpuinfo));
    TERN__TRY(add_build(report));
done:
    tern__os()->free(cpuinfo);
    return status;
}

const char *tern__level_name(const tern_bench_table_options *options) {
    const char *level = options->cpu != NULL ? options->cpu : getenv("TERN_CPU");
    return level != NULL ? level : "";
}

/* -- the date ----------------------------------------------------------------------------------*/

/* Years begin with March here, so that the day that some years lack comes last; 400 of them have
 * 146 097 days. */
void tern__date_text(uint64_t seconds, char *text, size_t size) {
    int64_t days = (int64_t)(seconds / 86400) + 719468; /* since March 1st of year 0 */
    int64_t era = days / 146097, day = days % 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153; /* from March on */
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += 400 * era + (month <= 2);
    snprintf(text, size, "%04lld-%02lld-%02lld %02d:%02d UTC", (long long)year, (long long)month,
             (long long)day + 1, (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60));
}

/* -- where baselines are kept ------------------------------------------------------------------*/

tern_status tern_report_baseline_path(const tern_report *report, char *path, size_t size) {
    if (report == NULL || path == NULL)
        return tern__fail(TERN_E_ARGUMENT, "validate: the pointer to the %s is NULL",
                          report == NULL ? "report" : "path");
    const char *fingerprint = tern_report_fact_value(report, "fingerprint");
    const char *base = getenv("XDG_STATE_HOME"), *below = "";
    if (base == NULL || base[0] != '/') { /* relative paths are to be ignored */
        base = getenv("HOME");
        below = "/.local/state";
    }
    if (base == NULL || base[0] == '\0')
        return tern__fail(TERN_E_NOT_FOUND,
                          "validate: neither XDG_STATE_HOME nor HOME says where baselines are");
    if (fingerprint[0] == '\0')
        return tern__fail(TERN_E_NOT_FOUND, "validate: the report does not tell its machine");
    int length = snprintf(path, size, "%s%s/tern/baseline-%s.json", base, below, fingerprint);
    if (length < 0 || (size_t)length >= size)
        return tern__fail(TERN_E_LIMIT, "validate: the path of the baseline is longer than %zu",
                          size);
    return TERN_OK;
}
