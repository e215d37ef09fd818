/* SPDX-License-Identifier: MIT
 *
 * What the vector variants of family `attention` have in common. Query rows go in tiles of up to
 * GROUP, tiles in panels of PANEL: a block of positions is read from memory for the first tile of a
 * panel, which also asks for the positions behind it (rows of one head lie apart, so that the
 * processor does not guess them), and from the first-level cache for the others. `n`, `type` and
 * `positions` are constants in the functions that take them: each combination has an instance of
 * its own, so that sums stay in registers.
 *
 * mix() takes positions in runs of RUN, so that a run's rows are in cache for the next STRIP of
 * lanes. A tile's first row sees the fewest positions; what others see behind it they take alone.
 *
 * A variant is a file that defines GROUP, PANEL and STRIP and then includes this; behind it come
 * scores() and the functions that are only declared here.
 */
#ifndef TERN__ATTENTION_TILES_H
#define TERN__ATTENTION_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernels/attention.h"

enum {
    RUN = 64,   /* positions that mix() takes per block of lanes */
    AHEAD = 64, /* positions between a load and the one that is asked for */
};

#define INLINE static inline __attribute__((always_inline))

typedef struct tile {
    int count;
    const float *x[GROUP];
    float *out[GROUP];
    int64_t length[GROUP]; /* positions that the row sees: never fewer than the row before */
} tile;

typedef struct panel {
    int count;
    tile tiles[PANEL];
} panel;

/* The next rows from row `g` of query `i` on, which move behind them. */
static void take_panel(const tern__attention_args *a, int *i, int *g, panel *p) {
    for (p->count = 0; p->count < PANEL && *i < a->queries; p->count++) {
        tile *to = &p->tiles[p->count];
        for (to->count = 0; to->count < GROUP && *i < a->queries; to->count++) {
            to->x[to->count] = a->x + *i * a->x_query_stride + *g * a->x_stride;
            to->out[to->count] = a->out + *i * a->out_query_stride + *g * a->out_stride;
            to->length[to->count] = a->length + *i;
            if (++*g == a->group)
                *g = 0, ++*i;
        }
    }
}

static inline int64_t last_length(const tile *rows) {
    return rows->length[rows->count - 1];
}

INLINE int size_of(tern__attention_type type) {
    return type == TERN__ATTENTION_F32 ? 4 : type == TERN__ATTENTION_F16 ? 2 : 1;
}

/* Asks for `count` elements from `at` on, which may lie behind what there is: the rows that follow
 * are often those of the next call, and the processor forgets addresses that are nobody's. */
INLINE void fetch(const tern__attention_args *a, tern__attention_type type, int64_t at,
                  int64_t count) {
    uintptr_t from = (uintptr_t)a->rows + (uintptr_t)(at * size_of(type));
    for (int64_t i = 0; i < count * size_of(type); i += 64)
        __builtin_prefetch((const void *)(from + (uintptr_t)i), 0, 2);
}

/* -- mix ---------------------------------------------------------------------------------------*/

/* Positions [begin, end) for the lanes d .. d + STRIP - 1 that there are. */
typedef struct strip {
    int64_t begin, end, d;
    bool is_first; /* asks for positions ahead */
} strip;

/* Continues the chains of n rows; x[g][i] multiplies position begin + i. */
INLINE void mix_rows(const tern__attention_args *a, tern__attention_type type, int n, strip s,
                     const float *const x[GROUP], float *const out[GROUP]);

/* x[t] * row_scales[t] for a run from t on. */
INLINE void weigh(const tern__attention_args *a, const float *x, int64_t t, int64_t end,
                  float to[RUN]);

/* mix_tile() for each tile of the panel, of which the first asks for positions ahead. */
INLINE void mix_strip(const tern__attention_args *a, tern__attention_type type, const panel *p,
                      strip s);

INLINE void mix_tile(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                     int n, strip s) {
    float weights[GROUP][RUN];
    const float *x[GROUP];
    int64_t ends[GROUP];
    for (int g = 0; g < n; g++) {
        ends[g] = rows->length[g] < s.end ? rows->length[g] : s.end;
        x[g] = rows->x[g] + s.begin;
        if (type == TERN__ATTENTION_I8) {
            weigh(a, rows->x[g], s.begin, ends[g], weights[g]);
            x[g] = weights[g];
        }
    }
    strip common = s;
    common.end = ends[0];
    if (common.begin < common.end)
        mix_rows(a, type, n, common, x, rows->out);
    for (int g = 1; g < n; g++) {
        strip own = s;
        own.begin = ends[0] > s.begin ? ends[0] : s.begin;
        own.end = ends[g];
        x[g] += own.begin - s.begin;
        if (own.begin < own.end)
            mix_rows(a, type, 1, own, x + g, rows->out + g);
    }
}

INLINE void mix_panel(const tern__attention_args *a, tern__attention_type type, const panel *p) {
    const int64_t end = last_length(&p->tiles[p->count - 1]);
    for (int i = 0; i < p->count; i++)
        for (int g = 0; g < p->tiles[i].count; g++)
            memset(p->tiles[i].out[g], 0, (size_t)a->head_size * sizeof(float));
    for (int64_t t = 0; t < end; t += RUN)
        for (int64_t d = 0; d < a->head_size; d += STRIP)
            mix_strip(a, type, p,
                      (strip){.begin = t, .end = end - t < RUN ? end : t + RUN, .d = d});
}

static void mix(const tern__attention_args *args) {
    const tern__attention_args a = *args;
    panel p;
    for (int i = 0, g = 0; i < a.queries;) {
        take_panel(&a, &i, &g, &p);
        if (a.type == TERN__ATTENTION_F16)
            mix_panel(&a, TERN__ATTENTION_F16, &p);
        else if (a.type == TERN__ATTENTION_I8)
            mix_panel(&a, TERN__ATTENTION_I8, &p);
        else
            mix_panel(&a, TERN__ATTENTION_F32, &p);
    }
}

#endif
