/* SPDX-License-Identifier: MIT
 * One block of rows reduced on one thread: row by row, or many adjacent rows at a time, in which
 * case row j of a table of partial results in the lane's scratch takes the elements j, j + 64, ...
 * of all of them. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/cpu/reduce.h"

enum { DEEPEST = 4 }; /* rows that a row of partial results takes at a time */

tern__reduce_source tern__reduce_open(const tern__cpu_device *cpu, const tern__split *split,
                                      const tern__reduce_plan *plan) {
    const tern__reduce_kernel *kernel = cpu->reduce;
    return (tern__reduce_source){
        .cpu = cpu,
        .split = split,
        .plan = plan,
        .kernel = plan->hub == TERN__HUB_F32   ? &kernel->f32
                  : plan->hub == TERN__HUB_F64 ? &kernel->f64
                                               : &kernel->i64,
        .size = plan->hub == TERN__HUB_F32 ? 4 : 8,
        .is_direct =
            plan->first == TERN__FIRST_NOTHING && split->dtype == tern__hub_type(plan->hub),
    };
}

/* -- elements -----------------------------------------------------------------------------------*/

void tern__reduce_raise(const tern__reduce_source *s, void *x, double exponent, int64_t n) {
    float narrow = (float)exponent;
    if (s->plan->hub == TERN__HUB_F32)
        s->cpu->functions->pow_f32(x, 1, &narrow, 0, x, n);
    else
        s->cpu->functions->pow_f64(x, 1, &exponent, 0, x, n);
}

static void load(const tern__reduce_source *s, const void *from, int64_t stride, void *to,
                 int64_t n) {
    tern__cpu_load(s->cpu, s->split->dtype, from, stride, s->plan->hub, to, n);
    if (s->plan->first == TERN__FIRST_POWER) {
        tern__map_args args = {.in = {to}, .stride = {1}, .out = to, .n = n};
        const tern__map_kernel *map = s->cpu->map;
        (s->plan->hub == TERN__HUB_F32 ? map->f32 : map->f64)[TERN__MAP_ABS](&args);
        tern__reduce_raise(s, to, s->plan->exponent, n);
    }
}

const void *tern__reduce_portion(const tern__reduce_source *s, const uint8_t *row,
                                 tern__cursor *cursor, int64_t want, int64_t *count,
                                 void *scratch) {
    const tern__split *split = s->split;
    int64_t stride = split->strides[split->reduced - 1], run = tern__cursor_run(cursor);
    int64_t whole = run >= want ? want : run / TERN__PARTIALS * TERN__PARTIALS;
    if (s->is_direct && stride == 1 && whole > 0) {
        const void *x = row + cursor->offset * split->size;
        tern__cursor_move(cursor, whole);
        *count = whole;
        return x;
    }
    *count = tern__min_i64(want, TERN__REDUCE_PORTION);
    for (int64_t i = 0; i < *count; i += run) {
        run = tern__min_i64(tern__cursor_run(cursor), *count - i);
        load(s, row + cursor->offset * split->size, stride, (uint8_t *)scratch + i * s->size, run);
        tern__cursor_move(cursor, run);
    }
    return scratch;
}

const void *tern__reduce_across(const tern__reduce_source *s, const uint8_t *x, int64_t n,
                                void *scratch) {
    int64_t stride = s->split->kept_strides[s->split->kept - 1];
    if (s->is_direct && stride == 1)
        return x;
    load(s, x, stride, scratch, n);
    return scratch;
}

bool tern__reduce_is_turned(const tern__reduce_source *s) {
    const tern__split *split = s->split;
    int last = split->reduced - 1;
    return !split->is_columns && s->plan->first == TERN__FIRST_NOTHING && last > 0 &&
           split->n > TERN__REDUCE_PORTION && split->dims[last] <= TERN__REDUCE_BLOCK / 4 &&
           tern__abs_i64(split->strides[last - 1]) < tern__abs_i64(split->strides[last]);
}

/* A matrix (columns, rows) whose columns lie closer together in memory than its rows, as rows *
 * size bytes of each column after the other; by tiles, so that neither side thrashes a cache. */
static void load_matrix(const tern__reduce_source *s, const uint8_t *from, int64_t columns,
                        int64_t rows, uint8_t *tile, uint8_t *to) {
    enum { TILE = 64 };
    const tern__split *split = s->split;
    int64_t near = split->strides[split->reduced - 2] * split->size;
    int64_t far = split->strides[split->reduced - 1] * split->size;
    tern__plain_fn copy = s->cpu->plain->copy[s->size == 4 ? 2 : 3];
    for (int64_t c = 0; c < columns; c += TILE)
        for (int64_t r = 0; r < rows; r += TILE) {
            int64_t width = tern__min_i64(TILE, columns - c);
            int64_t height = tern__min_i64(TILE, rows - r);
            for (int64_t k = 0; k < height; k++)
                load(s, from + c * near + (r + k) * far, near / split->size,
                     tile + k * width * s->size, width);
            for (int64_t k = 0; k < width; k++)
                copy(tile + k * s->size, width, to + ((c + k) * rows + r) * s->size, 1, height);
        }
}

/* `count` elements from the cursor on: a part of a run, then many whole runs at a time. */
static void load_turned(const tern__reduce_source *s, const uint8_t *row, tern__cursor *cursor,
                        int64_t count, uint8_t *scratch, uint8_t *to) {
    const tern__split *split = s->split;
    int last = split->reduced - 1;
    int64_t runs, length;
    for (int64_t i = 0; i < count; i += runs * length) {
        length = tern__min_i64(tern__cursor_run(cursor), count - i);
        runs = 1;
        if (length == split->dims[last])
            runs = tern__min_i64((count - i) / length,
                                 split->dims[last - 1] - cursor->index[last - 1]);
        load_matrix(s, row + cursor->offset * split->size, runs, length, scratch, to + i * s->size);
        for (int64_t k = 0; k < runs; k++)
            tern__cursor_move(cursor, length);
    }
}

/* -- blocks -------------------------------------------------------------------------------------*/

/* What partial results begin with. */
static const void *start_of(const tern__reduce_source *s, int reduction) {
    static const float f32[] = {0, 1, INFINITY, -INFINITY};
    static const double f64[] = {0, 1, INFINITY, -INFINITY};
    static const int64_t i64[] = {0, 1, INT64_MAX, INT64_MIN};
    int gathers = tern__reduce_gathers(reduction);
    return s->plan->hub == TERN__HUB_F32   ? (const void *)&f32[gathers]
           : s->plan->hub == TERN__HUB_F64 ? (const void *)&f64[gathers]
                                           : (const void *)&i64[gathers];
}

void tern__reduce_start(const tern__reduce_source *s, int reduction, void *partials, int64_t n) {
    const void *start = start_of(s, reduction);
    uint32_t *narrow = partials, bits32;
    uint64_t *wide = partials, bits64;
    if (s->size == 4) {
        memcpy(&bits32, start, sizeof bits32);
        for (int64_t i = 0; i < n; i++)
            narrow[i] = bits32;
    } else {
        memcpy(&bits64, start, sizeof bits64);
        for (int64_t i = 0; i < n; i++)
            wide[i] = bits64;
    }
}

/* Elements of a row that are not 0, as the operand has them: floats without their sign. */
static int64_t count_row(const tern__reduce_source *s, const tern__reduce_block *b,
                         const uint8_t *row, void *scratch) {
    const tern__split *split = s->split;
    bool is_float = tern__hub_of(split->dtype) != TERN__HUB_I64;
    uint64_t mask = UINT64_MAX >> (64 - 8 * split->size) >> is_float;
    int64_t stride = split->strides[split->reduced - 1], counted = 0, run;
    int log = split->size == 1 ? 0 : split->size == 2 ? 1 : split->size == 4 ? 2 : 3;
    tern__cursor cursor = tern__cursor_at(split, b->first);
    for (int64_t i = 0; i < b->count; i += run) {
        const void *x = row + cursor.offset * split->size;
        run = tern__min_i64(tern__cursor_run(&cursor), b->count - i);
        if (stride != 1) {
            run = tern__min_i64(run, TERN__REDUCE_PORTION);
            s->cpu->plain->copy[log](x, stride, scratch, 1, run);
            x = scratch;
        }
        counted += s->cpu->reduce->count[log](x, run, mask);
        tern__cursor_move(&cursor, run);
    }
    return counted;
}

/* Elements that do not lie one behind the other, or not as the kernel wants them. */
static void reduce_portions(const tern__reduce_source *s, const tern__reduce_block *b,
                            const uint8_t *row, const void *number, void *scratch, void *partials) {
    tern__reduce_step step = s->kernel->step[b->reduction];
    tern__cursor cursor = tern__cursor_at(s->split, b->first);
    if (b->staging != NULL) {
        load_turned(s, row, &cursor, b->count, scratch, b->staging);
        step(partials, b->staging, b->count, number);
        return;
    }
    int64_t count;
    for (int64_t i = 0; i < b->count; i += count) {
        const void *x = tern__reduce_portion(s, row, &cursor, b->count - i, &count, scratch);
        step(partials, x, count, number);
    }
}

static void reduce_row(const tern__reduce_source *s, const tern__reduce_block *b,
                       const uint8_t *row, const void *number, void *scratch, void *result) {
    if (s->plan->first == TERN__FIRST_NONZERO) {
        *(int64_t *)result = count_row(s, b, row, scratch);
        return;
    }
    double partials[TERN__PARTIALS];
    tern__reduce_start(s, b->reduction, partials, TERN__PARTIALS);
    tern__reduce_step step = s->kernel->step[b->reduction];
    const tern__split *split = s->split;
    if (s->is_direct && split->reduced == 1 && split->strides[0] == 1)
        step(partials, row + b->first * split->size, b->count, number);
    else
        reduce_portions(s, b, row, number, scratch, partials);
    s->kernel->finish[tern__reduce_gathers(b->reduction)](partials);
    memcpy(result, partials, (size_t)s->size);
}

/* partial[j] (+) partial[j + s] for rows of partials, of which `rows` have elements at all: what
 * the others would add changes nothing. */
static void fold_columns(const tern__reduce_source *s, int reduction, void *partials, int64_t width,
                         int64_t rows) {
    tern__reduce_columns gather = s->kernel->columns[tern__reduce_gathers(reduction)];
    for (int64_t half = TERN__PARTIALS / 2; half > 0; half /= 2) {
        int64_t upper = tern__min_i64(half, rows - half);
        if (upper > 0)
            gather(partials, width,
                   &(tern__reduce_rows){.x = (uint8_t *)partials + half * width * s->size,
                                        .row_stride = width,
                                        .rows = upper,
                                        .depth = 1,
                                        .n = width});
        rows = tern__min_i64(rows, half);
    }
}

/* How many of the next elements of the rows a call of the kernel may take: up to the end of the 64
 * partials, or several times all of them. */
static void next_rows(const tern__reduce_block *b, const tern__cursor *cursor, int64_t done,
                      tern__reduce_rows *rows) {
    int64_t run = tern__min_i64(tern__cursor_run(cursor), b->count - done);
    int64_t at = done % TERN__PARTIALS;
    rows->rows = tern__min_i64(TERN__PARTIALS - at, run);
    rows->depth = tern__max_i64(1, tern__min_i64(run / TERN__PARTIALS, DEEPEST));
    if (rows->rows < TERN__PARTIALS)
        rows->depth = 1;
}

static void reduce_columns(const tern__reduce_source *s, const tern__reduce_block *b,
                           void *partials, void *results) {
    double across[TERN__REDUCE_WIDTH];
    const tern__split *split = s->split;
    int64_t width = (b->columns + 15) / 16 * 16, taken;
    bool is_direct = s->is_direct && split->kept_strides[split->kept - 1] == 1;
    tern__reduce_rows rows = {.row_stride = split->strides[split->reduced - 1],
                              .rows = 1,
                              .depth = 1,
                              .n = b->columns,
                              .numbers = b->numbers};
    tern__cursor cursor = tern__cursor_at(split, b->first);
    for (int64_t i = 0; i < b->count; i += taken) {
        const uint8_t *x = b->x + cursor.offset * split->size;
        if (is_direct)
            next_rows(b, &cursor, i, &rows);
        taken = rows.rows * rows.depth;
        rows.x = tern__reduce_across(s, x, b->columns, across);
        rows.start = i < TERN__PARTIALS ? start_of(s, b->reduction) : NULL;
        s->kernel->columns[b->reduction]((uint8_t *)partials + i % TERN__PARTIALS * width * s->size,
                                         width, &rows);
        tern__cursor_move(&cursor, taken);
    }
    fold_columns(s, b->reduction, partials, width, tern__min_i64(b->count, TERN__PARTIALS));
    memcpy(results, partials, (size_t)(b->columns * s->size));
}

/* One byte for each of n <= TERN__REDUCE_WIDTH elements: whether it is 0. */
static void find_zeros(const tern__reduce_source *s, const uint8_t *x, int64_t n, uint8_t *zeros) {
    double across[TERN__REDUCE_WIDTH];
    const tern__split *split = s->split;
    int64_t stride = split->kept_strides[split->kept - 1];
    tern__hub hub = tern__hub_of(split->dtype);
    if (split->size == 1) {
        if (stride != 1)
            s->cpu->plain->copy[0](x, stride, across, 1, n);
        x = stride != 1 ? (const uint8_t *)across : x;
        for (int64_t i = 0; i < n; i++)
            zeros[i] = x[i] == 0;
        return;
    }
    tern__map_args args = {.in = {x}, .stride = {stride}, .out = zeros, .n = n};
    if (split->dtype != tern__hub_type(hub)) {
        tern__cpu_load(s->cpu, split->dtype, x, stride, hub, across, n);
        args.in[0] = across;
        args.stride[0] = 1;
    }
    const tern__map_kernel *map = s->cpu->map;
    const tern__map_fn *functions = hub == TERN__HUB_F32   ? map->f32
                                    : hub == TERN__HUB_F64 ? map->f64
                                                           : map->i64;
    functions[TERN__MAP_LOGICAL_NOT](&args);
}

/* Elements that are not 0, counted in bytes as long as these last. */
static void count_columns(const tern__reduce_source *s, const tern__reduce_block *b,
                          int64_t *results) {
    uint8_t zeros[TERN__REDUCE_WIDTH], counters[TERN__REDUCE_WIDTH];
    tern__cursor cursor = tern__cursor_at(s->split, b->first);
    for (int64_t c = 0; c < b->columns; c++)
        results[c] = b->count;
    for (int64_t i = 0; i < b->count;) {
        memset(counters, 0, sizeof counters);
        for (int k = 0; k < 255 && i < b->count; k++, i++) {
            find_zeros(s, b->x + cursor.offset * s->split->size, b->columns, zeros);
            tern__cursor_move(&cursor, 1);
            for (int64_t c = 0; c < b->columns; c++)
                counters[c] = (uint8_t)(counters[c] + zeros[c]);
        }
        for (int64_t c = 0; c < b->columns; c++)
            results[c] -= counters[c];
    }
}

void tern__reduce_block_run(const tern__reduce_source *s, const tern__reduce_block *b,
                            void *scratch, void *results) {
    if (s->split->is_columns && s->plan->first == TERN__FIRST_NONZERO) {
        count_columns(s, b, results);
        return;
    }
    if (s->split->is_columns) {
        reduce_columns(s, b, scratch, results);
        return;
    }
    int64_t stride = s->split->kept_strides[s->split->kept - 1] * s->split->size;
    for (int64_t i = 0; i < b->columns; i++) {
        const uint8_t *number = b->numbers;
        if (number != NULL)
            number += i * s->size;
        reduce_row(s, b, b->x + i * stride, number, scratch, (uint8_t *)results + i * s->size);
    }
}

_Static_assert(sizeof(double) * TERN__PARTIALS * TERN__REDUCE_WIDTH <= TERN__LANE_SCRATCH,
               "a table of partial results fits the lane's scratch");

int64_t tern__reduce_width(const tern__reduce_source *s, int64_t blocks) {
    const tern__split *split = s->split;
    int64_t elements = tern__max_i64(tern__min_i64(split->n, TERN__REDUCE_BLOCK), 1);
    if (!split->is_columns)
        return tern__max_i64(1, tern__min_i64(TERN__CPU_GRAIN / elements, TERN__REDUCE_WIDTH / 4));
    int64_t width = TERN__REDUCE_WIDTH;
    int64_t pieces = split->outer * blocks, threads = tern__team_size(s->cpu->team);
    while (width > 32 && pieces * ((split->columns + width - 1) / width) < threads)
        width /= 2;
    return width;
}
