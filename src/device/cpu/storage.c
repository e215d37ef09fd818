/* SPDX-License-Identifier: MIT
 *
 * Two or 1.6 bits a trit? Fewer bytes stream faster, but take more work to unpack: which of the two
 * wins depends on how many threads share how much memory bandwidth. So it is measured once for a
 * machine, a kernel level and a number of threads: products of one column with weights that do not
 * fit the caches, in turns. What a busy machine gives is used, but not kept. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/sort.h"
#include "device/choices.h"
#include "device/cpu/cpu.h"

enum {
    K = 2560,               /* padded to whole units */
    ROWS = 2560,            /* of a matrix, for which tables are made anew */
    UNIT_MOST = 64,         /* of k_unit; test_packed holds kernels to it */
    ROUNDS = 7,             /* of each storage */
    PIECE = 256 << 10,      /* filled at a time; whole ones are measured */
    LEAST_BYTES = 64 << 20, /* of weights that are measured, and what is never exceeded: */
    MOST_BYTES = 256 << 20,
    CACHE_UNKNOWN = 32 << 20,
    ENOUGH_NS = 300000000, /* after which no new round is begun */
    NOISE = 1300,          /* in thousandths: the largest ratio of a round over the smallest */
    /* In thousandths: a smaller gain does not pay for slower batches. With AVX2 many columns take
     * 1.18 times as long at 1.6 bits (trits_tables_avx2.h). */
    WORTH = 1050,
};

typedef struct trial {
    const tern__packed_kernel *kernel;
    const uint8_t *weights;
    int64_t k, panels;
    int8_t q[K + UNIT_MOST];
    void *tables;
    int32_t *out;
} trial;

static void do_trial(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const trial *t = argument;
    static const int32_t q_sum = 0;
    const tern__packed_args args = {
        .packed = t->weights,
        .k = t->k,
        .k_end = t->k,
        .m = t->panels * t->kernel->panel_rows,
        .q = t->q,
        .q_stride = t->k,
        .q_sum = &q_sum,
        .n = 1,
        .out = t->out,
        .out_stride = t->panels * t->kernel->panel_rows,
        .tables = t->tables,
        .prefetches_within_pages = tern__cpu()->prefetches_within_pages,
    };
    t->kernel->run(&args, begin, end);
}

/* Nanoseconds in which all weights were read once, for each of them. */
static double time_once(tern__cpu_device *cpu, trial *t) {
    int64_t grain = tern__packed_grain(t->kernel, t->k, t->panels, tern__team_size(cpu->team));
    int64_t matrices = t->panels * t->kernel->panel_rows / ROWS;
    uint64_t begin = tern__os()->clock_ns();
    for (int64_t i = 0; i < matrices && t->tables != NULL; i++) /* as every thread does */
        t->kernel->tabulate(t->q, t->k, t->tables);
    tern__team_run(cpu->team, t->panels, grain, do_trial, t);
    uint64_t end = tern__os()->clock_ns();
    return (double)(end - begin) / (double)(t->panels * t->kernel->panel_rows * K);
}

/* Any bytes will do: kernels take the same time for all of them. */
static void do_fill(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    uint64_t *words = argument;
    for (int64_t i = begin; i < end; i++)
        words[i] = (uint64_t)i * 0x9E3779B97F4A7C15u;
}

/* How many times as fast the 1.6-bit storage is: the median of the rounds' ratios. */
typedef struct gain {
    int thousandths; /* 0: no memory, or no clock, to find out */
    bool is_noisy;   /* the rounds differ by more than NOISE */
} gain;

static int compare(const void *user, int32_t a, int32_t b) {
    (void)user;
    return (a > b) - (a < b);
}

static gain gain_of(int32_t *thousandths, int rounds) {
    tern__sort_ids(thousandths, rounds, compare, NULL);
    int64_t least = thousandths[0], most = thousandths[rounds - 1];
    return (gain){.thousandths = thousandths[rounds / 2],
                  .is_noisy = rounds < 2 || 1000 * most > NOISE * least};
}

static int64_t padded(const tern__packed_kernel *kernel) {
    return tern__round_up_i64(K, kernel->k_unit);
}

static size_t tables_bytes(const tern__packed_kernel *kernel) {
    return tern__packed_table_bytes(kernel, padded(kernel), 1);
}

/* All activations are 1. */
static void make_trial(trial *t, const uint8_t *weights, size_t bytes, uint8_t *out, void *tables) {
    t->k = padded(t->kernel);
    t->weights = weights;
    t->panels = (int64_t)bytes / tern__packed_panel_bytes(t->kernel, t->k);
    t->out = (int32_t *)(void *)out;
    memset(t->q, 1, sizeof t->q);
    t->tables = tables_bytes(t->kernel) > 0 ? tables : NULL;
}

static gain measure(tern__cpu_device *cpu, size_t bytes) {
    trial trials[2] = {{.kernel = cpu->packed[TERN__PACKING_TRITS4]},
                       {.kernel = cpu->packed[TERN__PACKING_TRITS5]}};
    size_t out_bytes = bytes / (K / 5) * sizeof(int32_t), all_bytes = out_bytes;
    for (int i = 0; i < 2; i++)
        all_bytes += tables_bytes(trials[i].kernel);
    uint8_t *weights = tern__os()->pages_map(bytes);
    uint8_t *out = tern__os()->pages_map(all_bytes);
    int32_t thousandths[ROUNDS];
    int rounds = 0;
    if (weights != NULL && out != NULL) {
        tern__os()->pages_huge(weights, bytes);
        tern__team_run(cpu->team, (int64_t)(bytes / 8), PIECE / 8, do_fill, weights);
        uint8_t *tables = out + out_bytes;
        for (int i = 0; i < 2; tables += tables_bytes(trials[i++].kernel))
            make_trial(&trials[i], weights, bytes, out, tables);
        const uint64_t begin = tern__os()->clock_ns();
        (void)time_once(cpu, &trials[0]); /* brings the pages of the results and wakes the team */
        for (int i = 0; i < ROUNDS && (i < 2 || tern__os()->clock_ns() - begin < ENOUGH_NS); i++) {
            double two_bit = time_once(cpu, &trials[0]), other = time_once(cpu, &trials[1]);
            double ratio = other > 0 ? two_bit / other : 0;
            if (ratio > 0.01 && ratio < 100) /* else the clock stood still */
                thousandths[rounds++] = (int32_t)(1000 * ratio + 0.5);
        }
    }
    if (out != NULL)
        tern__os()->pages_unmap(out, all_bytes);
    if (weights != NULL)
        tern__os()->pages_unmap(weights, bytes);
    return rounds > 0 ? gain_of(thousandths, rounds) : (gain){0};
}

static size_t trial_bytes(int64_t cache) {
    size_t bytes = 3 * (size_t)cache;
    bytes = bytes < LEAST_BYTES ? LEAST_BYTES : bytes > MOST_BYTES ? MOST_BYTES : bytes;
    return bytes / PIECE * PIECE;
}

void tern__cpu_choose_storage(tern__device *device, size_t bytes, const char *directory,
                              tern__storage_choice *choice) {
    tern__cpu_device *cpu = tern__cpu_of(device);
    const tern__cpu_info *info = tern__cpu();
    int64_t cache = info->cache_l3 > 0 ? info->cache_l3 : CACHE_UNKNOWN;
    choice->packing = TERN__PACKING_TRITS4;
    if (bytes <= (size_t)cache) {
        snprintf(choice->reason, sizeof choice->reason, "the weights fit the caches");
        return;
    }
    char key[TERN__CHOICE_KEY];
    snprintf(key, sizeof key, "%s, %s and %s, %d threads", info->model,
             cpu->packed[TERN__PACKING_TRITS4]->variant.name,
             cpu->packed[TERN__PACKING_TRITS5]->variant.name, tern__team_size(cpu->team));
    gain found = {.thousandths = tern__choice_read(directory, key)};
    const char *when = "before";
    if (found.thousandths == 0) {
        found = measure(cpu, trial_bytes(cache));
        if (found.thousandths == 0) {
            snprintf(choice->reason, sizeof choice->reason,
                     "another storage could not be measured");
            return;
        }
        when = found.is_noisy ? "now on a busy machine, so not kept"
               : tern__choice_write(directory, key, found.thousandths) ? "now"
                                                                       : "now, not kept";
    }
    if (found.thousandths >= WORTH)
        choice->packing = TERN__PACKING_TRITS5;
    snprintf(choice->reason, sizeof choice->reason,
             "1.6-bit streams %.2f times as fast as 2-bit, measured %s", found.thousandths / 1000.0,
             when);
}
