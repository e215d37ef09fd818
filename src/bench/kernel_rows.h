/* SPDX-License-Identifier: MIT
 * What the parts of the table of kernels share: a kernel over packed weights that takes turns with
 * other kernels or with a limit of the machine. */
#ifndef TERN__KERNEL_ROWS_H
#define TERN__KERNEL_ROWS_H

#include "bench/bench.h"
#include "bench/weights.h"

typedef struct tern__kernel_table {
    tern__table table;
    uint32_t features;
    tern__team *one, *all; /* teams of one thread and of all; the same where that is one */
} tern__kernel_table;

typedef struct tern__kernel_shape {
    int64_t rows, columns;
} tern__kernel_shape;

/* Of a prompt: 512, or few where it must be quick. */
int tern__kernel_tokens(const tern__kernel_table *t);

/* The matrices of BitNet b1.58 2B4T: attention, up, down. */
enum { TERN__KERNEL_SHAPES = 3 };
extern const tern__kernel_shape tern__kernel_shapes[TERN__KERNEL_SHAPES];

/* "trits5", by packing. */
extern const char *const tern__packing_names[TERN__PACKING_COUNT];

/* One side: a product, or a limit. */
typedef struct tern__kernel_side {
    tern__weights *weights; /* NULL: not a product */
    int64_t n;
    bool is_hot;
} tern__kernel_side;

typedef enum tern__rival { TERN__RIVAL_KERNEL, TERN__RIVAL_READ, TERN__RIVAL_PEAK } tern__rival;

typedef struct tern__contest {
    tern__team *team;
    tern__kernel_side side[2]; /* the second when the rival is a kernel */
    tern__rival rival;
    const tern__peak *peak; /* of the rival */
    double sample_seconds;  /* 0: 5 ms */
} tern__contest;

/* What came out. Rates are medians; of a limit the best of those that were tried. */
typedef struct tern__contest_result {
    tern_bench_result times; /* the first side is the product */
    double bytes, products;  /* of packed weights, in one product */
    double moved;            /* bytes that one product reads and writes, all told */
    /* Of the rival that came closest to the limit; the rest is not set when that is a kernel. */
    int best;
    double work;         /* bytes or products in one of its calls */
    double limit;        /* a second; NaN: the rival is a kernel */
    const char *reached; /* what reached the limit */
} tern__contest_result;

/* Checks the products, then measures in turns. */
tern_status tern__contest_run(const tern__contest *contest, int rounds,
                              tern__contest_result *result);

/* The product's place in a roofline. */
void tern__contest_work(const tern__contest_result *result, tern_bench_row *row);

/* The share of the limit in percent; `result` of a contest with a limit. */
void tern__contest_share(const tern__contest_result *result, tern_bench_row *row);

/* A row NOT MEASURED because the machine, or the level, lacks what the variant needs. */
void tern__kernel_lacking(tern__kernel_table *t, tern_bench_row *row, const tern__variant *variant);

/* Names that select rows, by the packing. */
#define TERN__KERNEL_NAMES "K1,K2,K3,K4,K5,K6,K7,T1b,KERN,trits4,trits5,int4,int8"

/* Targets K1, K3, K4, K5, K6 and T1b, those that are asked for. */
tern_status tern__kernel_targets(tern__kernel_table *t);
tern_status tern__kernel_against_f32(tern__kernel_table *t);

/* Target K7: every variant that the level allows gives the values of the plain one. */
tern_status tern__kernel_twins(tern__kernel_table *t);
/* Target K2: decoding beside the kernels of ggml and bitnet.cpp. */
tern_status tern__kernel_peers(tern__kernel_table *t);
/* That part of K5 which compares with another program. */
tern_status tern__kernel_prompt_peers(tern__kernel_table *t);

#endif
