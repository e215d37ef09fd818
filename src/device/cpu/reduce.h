/* SPDX-License-Identifier: MIT
 * Reductions of the split axes of an operand by the kernels of the family `reduce`. */
#ifndef TERN__REDUCE_ROWS_H
#define TERN__REDUCE_ROWS_H

#include "device/cpu/elementwise.h"
#include "device/cpu/split.h"
#include "kernels/reduce.h"

/* What is done with an element before it is reduced, beside widening it. */
typedef enum tern__reduce_first {
    TERN__FIRST_NOTHING,
    TERN__FIRST_NONZERO, /* x != 0 */
    TERN__FIRST_POWER,   /* |x|^exponent */
} tern__reduce_first;

/* What is done with the result r; m is the number of its row (the result of the first pass). */
typedef enum tern__reduce_then {
    TERN__THEN_NOTHING,
    TERN__THEN_DIVIDE,      /* r / number */
    TERN__THEN_DIVIDE_ROOT, /* sqrt(r / number) */
    TERN__THEN_POWER,       /* r^number */
    TERN__THEN_FINITE,      /* r, or 0 when it is infinite */
    TERN__THEN_LOG,         /* m + log(r) */
    TERN__THEN_ANY,         /* r != 0 */
    TERN__THEN_ALL,         /* r == number */
} tern__reduce_then;

typedef struct tern__reduce_pass {
    int reduction; /* TERN__REDUCE_... */
    tern__reduce_then then;
    double number;
} tern__reduce_pass;

/* One or two passes over the rows; the results of the first are the numbers of the second. */
typedef struct tern__reduce_plan {
    tern__hub hub; /* what is computed in */
    tern__reduce_first first;
    double exponent;
    int count;
    tern__reduce_pass passes[2];
} tern__reduce_plan;

/* The rows of a split as a plan sees them. */
typedef struct tern__reduce_source {
    const tern__cpu_device *cpu;
    const tern__split *split;
    const tern__reduce_plan *plan;
    const tern__reduce_type *kernel;
    int64_t size;   /* bytes of an element of the hub's type */
    bool is_direct; /* elements have that type and nothing is done with them first */
} tern__reduce_source;

tern__reduce_source tern__reduce_open(const tern__cpu_device *cpu, const tern__split *split,
                                      const tern__reduce_plan *plan);

enum {
    TERN__REDUCE_PORTION = 2048, /* elements of a row that go through scratch at once */
    TERN__REDUCE_WIDTH = 256     /* most results that are made at once */
};

/* Some of the next `want` > 0 elements of a row, `want` or a multiple of 64 of them: where they
 * lie, or in the scratch, which has room for a portion. The cursor moves on. */
const void *tern__reduce_portion(const tern__reduce_source *source, const uint8_t *row,
                                 tern__cursor *cursor, int64_t want, int64_t *count, void *scratch);

/* Element `x` of the first of n adjacent rows and of those behind it, likewise. */
const void *tern__reduce_across(const tern__reduce_source *source, const uint8_t *x, int64_t n,
                                void *scratch);

/* Rows run across memory: loading 2 KiB of one would touch a cache line for each element, so a
 * block is loaded as a whole in the order of memory. */
bool tern__reduce_is_turned(const tern__reduce_source *source);

/* What n partial results of a reduction begin with. */
void tern__reduce_start(const tern__reduce_source *source, int reduction, void *partials,
                        int64_t n);

/* The elements [first, first + count) of `columns` adjacent rows that begin at x; count <=
 * TERN__REDUCE_BLOCK, columns <= TERN__REDUCE_WIDTH. `numbers`, one for each row, may be NULL; as
 * many as the width must be readable. */
typedef struct tern__reduce_block {
    const uint8_t *x;
    int64_t columns, first, count;
    int reduction;
    void *staging; /* for TERN__REDUCE_BLOCK elements, where tern__reduce_is_turned */
    const void *numbers;
} tern__reduce_block;

/* `scratch` is that of a lane; results in the hub's type, one for each row. */
void tern__reduce_block_run(const tern__reduce_source *source, const tern__reduce_block *block,
                            void *scratch, void *results);

/* x^exponent in place, for x that are not negative. */
void tern__reduce_raise(const tern__reduce_source *source, void *x, double exponent, int64_t n);

/* How many columns a piece of work takes when each row has `blocks` blocks, so that there is work
 * for all threads. */
int64_t tern__reduce_width(const tern__reduce_source *source, int64_t blocks);

/* Reduces the rows of `split` into the elements of `out`. */
tern_status tern__reduce_run(const tern__cpu_device *cpu, const tern__split *split,
                             const tern__reduce_plan *plan, tern_context *context,
                             const tern_tensor *out);

static inline int64_t tern__reduce_blocks(int64_t n) {
    return n > TERN__REDUCE_BLOCK ? (n - 1) / TERN__REDUCE_BLOCK + 1 : 1;
}

#endif
