/* SPDX-License-Identifier: MIT */
#include "bench/noise.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bench/statistics.h"

/* -- other programs ----------------------------------------------------------------------------*/

/* /proc/stat counts in hundredths of a second; 1 024 processors have lines of 100 bytes each. */
enum { TICKS_PER_SECOND = 100, STAT_BYTES = 128 << 10 };
static const double LEAST_SECONDS = 0.05;

/* user, nice, system, idle, iowait, irq, softirq, steal */
enum { IDLE = 3, IOWAIT = 4, FIELDS = 8 };

/* "cpu7 4 0 1 96 ...": adds the ticks of an allowed processor. False when it is no such line. */
static bool add_line(const char *line, double *busy, double *counted) {
    char *at;
    long cpu = strtol(line + 3, &at, 10);
    if (at == line + 3 || *at != ' ')
        return false;
    if (!tern__os_cpu_allowed((int)cpu))
        return true;
    for (int field = 0; field < FIELDS; field++) {
        char *end;
        unsigned long long ticks = strtoull(at, &end, 10);
        if (end == at)
            return false;
        *counted += (double)ticks;
        *busy += field == IDLE || field == IOWAIT ? 0 : (double)ticks;
        at = end;
    }
    return true;
}

/* Seconds of all allowed processors since the start; false where nobody tells. */
static bool read_stat(double *busy, double *counted) {
    *busy = *counted = 0;
    /* Not from the heap, whose state decides how fast malloc is that is measured later. */
    char *text = tern__os()->pages_map(STAT_BYTES);
    if (text == NULL)
        return false;
    bool is_known = tern__os()->file_text("/proc/stat", text, STAT_BYTES) == 0;
    int lines = 0;
    for (char *line = text; line != NULL && is_known; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "cpu", 3) != 0 || line[3] == ' ')
            continue;
        is_known = add_line(line, busy, counted);
        lines++;
    }
    tern__os()->pages_unmap(text, STAT_BYTES);
    *busy /= TICKS_PER_SECOND;
    *counted /= TICKS_PER_SECOND;
    return is_known && lines > 0;
}

void tern__noise_begin(tern__noise_window *window) {
    window->is_known = read_stat(&window->busy, &window->counted);
    window->process_ns = tern__os()->process_ns();
    window->wall_ns = tern__os()->clock_ns();
}

double tern__noise_seconds(const tern__noise_window *window) {
    return (double)(tern__os()->clock_ns() - window->wall_ns) * 1e-9;
}

/* Counters that stand still, as some sandboxes show them, tell nothing. */
double tern__noise_end(const tern__noise_window *window) {
    double wall = tern__noise_seconds(window), busy, counted;
    if (!window->is_known || wall < LEAST_SECONDS || !read_stat(&busy, &counted) ||
        counted <= window->counted)
        return NAN;
    double own = (double)(tern__os()->process_ns() - window->process_ns) * 1e-9;
    double others = (busy - window->busy - own) / wall;
    return others > 0 ? others : 0;
}

/* -- a loop of known length --------------------------------------------------------------------*/

enum { LOOP_STEPS = 24000 };
static const double SLOWER_MEDIAN = 1.10, SLOWER_LOOP = 1.25, SLOWER_SHARE = 0.2;

void tern__noise_spend(int64_t steps) {
    uint64_t x = 1, factor = UINT64_C(0x9E3779B97F4A7C15);
    for (int64_t i = 0; i < steps; i++) {
        x *= factor;
        __asm__ volatile("" : "+r"(x));
    }
}

/* A test that exchanges the clock begins anew. */
static _Atomic(uint64_t (*)(void)) fastest_clock;
static _Atomic uint64_t fastest_ns;

double tern__noise_loop(void) {
    uint64_t (*clock)(void) = tern__os()->clock_ns;
    uint64_t begin = clock();
    tern__noise_spend(LOOP_STEPS);
    uint64_t ns = clock() - begin;
    if (atomic_load(&fastest_clock) != clock || ns < atomic_load(&fastest_ns)) {
        atomic_store(&fastest_ns, ns);
        atomic_store(&fastest_clock, clock);
    }
    return (double)ns;
}

double tern__noise_fastest(void) {
    return (double)atomic_load(&fastest_ns);
}

bool tern__noise_is_slowed(double *loops, int64_t n, double fastest) {
    int64_t slow = 0;
    tern__sort_samples(loops, n);
    for (int64_t i = 0; i < n; i++)
        slow += loops[i] > SLOWER_LOOP * fastest;
    return tern__sample_quantile(loops, n, 0.5) > SLOWER_MEDIAN * fastest ||
           (double)slow > SLOWER_SHARE * (double)n;
}
