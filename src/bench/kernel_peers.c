/* SPDX-License-Identifier: MIT
 * Kernels beside the dot products of ggml (TQ2_0) and bitnet.cpp (I2_S), with one thread: target
 * K2, decoding with weights streamed from memory, and that part of K5 which is about bitnet.cpp.
 * Their libraries are opened where --peer says; they get the same weights and activations in their
 * formats, both sides leave quantising out, and sums are compared before anything is timed. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/library.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/kernel_rows.h"

#define STREAM_BYTES (INT64_C(256) << 20)

/* s[0] = sum over n of x[i] y[i]. Of bitnet.cpp, for nrc columns at once, a multiple of 4: s[c *
 * bs] of the column that begins at y + c * by. */
typedef void vec_dot_fn(int n, float *s, size_t bs, const void *vx, size_t bx, const void *vy,
                        size_t by, int nrc);

/* A kernel of another program. */
typedef struct dot_kind {
    const char *name;             /* "TQ2_0" */
    const char *peer;             /* of --peer */
    const char *symbol, *starter; /* the latter, where it is there, is called once before */
    double floor, goal;
    int most_columns;                  /* in one call */
    int block;                         /* weights */
    int block_bytes, activation_bytes; /* of one block */
    void (*put_weights)(const uint8_t *codes, uint8_t *block);
    void (*put_activations)(const int8_t *q, uint8_t *block);
    bool has_offset; /* the sum is of codes, without the offset of 1 */
} dot_kind;

/* Code i of 128 is in byte i % 32: of TQ2_0 the first 32 in the lowest bits, of I2_S in the
 * highest. */
static void put_codes(const uint8_t *codes, uint8_t *bytes, bool is_high_first) {
    for (int i = 0; i < 32; i++) {
        unsigned byte = 0;
        for (int plane = 0; plane < 4; plane++)
            byte |= (unsigned)codes[32 * plane + i] << 2 * (is_high_first ? 3 - plane : plane);
        bytes[i] = (uint8_t)byte;
    }
}

/* 256 weights: 64 bytes of codes, the scale 1 as F16. */
static void put_tq2_0(const uint8_t *codes, uint8_t *block) {
    const uint16_t one = 0x3C00;
    put_codes(codes, block, false);
    put_codes(codes + 128, block + 32, false);
    memcpy(block + 64, &one, sizeof one);
}

/* 256 activations: the scale 1, the numbers, the sums of each 16. */
static void put_q8_k(const int8_t *q, uint8_t *block) {
    const float one = 1;
    memcpy(block, &one, sizeof one);
    memcpy(block + 4, q, 256);
    for (int group = 0; group < 16; group++) {
        int16_t sum = 0;
        for (int i = 0; i < 16; i++)
            sum = (int16_t)(sum + q[16 * group + i]);
        memcpy(block + 260 + 2 * group, &sum, sizeof sum);
    }
}

static void put_i2_s(const uint8_t *codes, uint8_t *block) {
    put_codes(codes, block, true);
}

static void put_i8_s(const int8_t *q, uint8_t *block) {
    memcpy(block, q, 128);
}

static const dot_kind kinds[] = {
    {.name = "I2_S",
     .peer = "bitnet",
     .symbol = "ggml_vec_dot_i2_i8_s",
     .floor = 1.3,
     .goal = 2,
     .most_columns = 16,
     .block = 128,
     .block_bytes = 32,
     .activation_bytes = 128,
     .put_weights = put_i2_s,
     .put_activations = put_i8_s,
     .has_offset = true},
    {.name = "TQ2_0",
     .peer = "ggml",
     .symbol = "ggml_vec_dot_tq2_0_q8_K",
     .starter = "ggml_cpu_init",
     .floor = 1.8,
     .goal = 2.8,
     .most_columns = 1,
     .block = 256,
     .block_bytes = 66,
     .activation_bytes = 292,
     .put_weights = put_tq2_0,
     .put_activations = put_q8_k},
};

/* -- libraries ---------------------------------------------------------------------------------*/

typedef struct dot_peer {
    const dot_kind *kind;
    tern__library *library;
    vec_dot_fn *dot; /* NULL: `why` */
    char why[192];
} dot_peer;

static void open_peer(const tern__kernel_table *t, const dot_kind *kind, dot_peer *peer) {
    const char *path = tern__peer_path(&t->table.options, kind->peer);
    *peer = (dot_peer){.kind = kind};
    if (path == NULL) {
        snprintf(peer->why, sizeof peer->why, "needs --peer %s=PATH, a library", kind->peer);
        return;
    }
    peer->library = tern__library_open(path, peer->why, sizeof peer->why);
    if (peer->library == NULL)
        return;
    void (*dot)(void) = tern__library_function(peer->library, kind->symbol);
    if (dot == NULL) {
        snprintf(peer->why, sizeof peer->why, "%.100s has no %s", path, kind->symbol);
        return;
    }
    void (*start)(void) = tern__library_function(peer->library, kind->starter);
    if (start != NULL)
        start();
    peer->dot = (vec_dot_fn *)dot;
}

/* -- the contest -------------------------------------------------------------------------------*/

typedef struct contest {
    const dot_peer *peer;
    tern__team *team;
    int64_t n; /* columns: 1, or the tokens of a prompt, which find the weights in a cache */
    tern__weights ours;
    int64_t row_bytes, stride, copies, next; /* of theirs, as tern__weights has them */
    uint8_t *pages;
    size_t bytes;
    uint8_t *activations; /* (n, column_bytes) */
    int64_t column_bytes;
    float *out; /* (n, rows) */
} contest;

static void close_contest(contest *c) {
    if (c->pages != NULL)
        tern__os()->pages_unmap(c->pages, c->bytes);
    if (c->ours.pages != NULL)
        tern__weights_close(&c->ours);
    tern__os()->free(c->activations);
    tern__os()->free(c->out);
}

/* The matrix of `ours` in the other format, as many copies as make `least` bytes. */
static tern_status make_theirs(contest *c, int64_t least) {
    const dot_kind *kind = c->peer->kind;
    const tern__weights *w = &c->ours;
    int64_t blocks = w->columns / kind->block;
    c->row_bytes = blocks * kind->block_bytes;
    c->stride = tern__round_up_i64(w->rows * c->row_bytes, TERN__READ_UNIT);
    c->copies = (least + c->stride - 1) / c->stride;
    c->bytes = (size_t)(c->copies * c->stride);
    c->pages = tern__limit_pages(c->bytes);
    uint8_t *codes = tern__os()->alloc((size_t)w->k);
    c->column_bytes = blocks * kind->activation_bytes;
    c->activations = tern__os()->alloc((size_t)(c->n * c->column_bytes));
    c->out = tern__os()->alloc((size_t)(c->n * w->rows) * sizeof *c->out);
    if (c->pages == NULL || codes == NULL || c->activations == NULL || c->out == NULL) {
        tern__os()->free(codes);
        return tern__fail(TERN_E_MEMORY, "bench: no memory for weights of %s", kind->name);
    }
    for (int64_t row = 0; row < w->rows; row++) {
        tern__weights_row(w, row, codes);
        for (int64_t i = 0; i < blocks; i++)
            kind->put_weights(codes + i * kind->block,
                              c->pages + row * c->row_bytes + i * kind->block_bytes);
    }
    for (int64_t column = 0; column < c->n; column++)
        for (int64_t i = 0; i < blocks; i++)
            kind->put_activations(w->q + column * w->q_stride + i * kind->block,
                                  c->activations + column * c->column_bytes +
                                      i * kind->activation_bytes);
    for (int64_t copy = 1; copy < c->copies; copy++)
        memcpy(c->pages + copy * c->stride, c->pages, (size_t)(w->rows * c->row_bytes));
    tern__os()->free(codes);
    return TERN_OK;
}

/* Every row by so many columns as a call takes, so that the row stays where it is fast. */
static void multiply_theirs(contest *c) {
    const int64_t rows = c->ours.rows, most = c->n > 1 ? c->peer->kind->most_columns : 1;
    const uint8_t *matrix = c->pages + c->next * c->stride;
    for (int64_t first = 0; first < c->n; first += most)
        for (int64_t row = 0; row < rows; row++)
            c->peer->dot((int)c->ours.columns, &c->out[first * rows + row], (size_t)rows,
                         matrix + row * c->row_bytes, 0, c->activations + first * c->column_bytes,
                         (size_t)c->column_bytes, (int)most);
    c->next = (c->next + 1) % c->copies;
}

static tern_status run_side(void *user, int side, int64_t calls) {
    contest *c = user;
    for (int64_t i = 0; i < calls; i++) {
        if (side == 0)
            tern__weights_multiply(&c->ours, c->team, c->n, c->n > 1);
        else
            multiply_theirs(c);
    }
    return TERN_OK;
}

/* Sums are whole numbers far below 2^24: floats hold them exactly. */
static tern_status check_sums(void *user) {
    contest *c = user;
    const int64_t rows = c->ours.rows;
    tern_status status = tern__weights_check(&c->ours, c->team, c->n);
    if (status != TERN_OK)
        return status;
    memset(c->out, 0xFF, (size_t)(c->n * rows) * sizeof *c->out);
    multiply_theirs(c);
    for (int64_t i = 0; i < c->n * rows; i++) {
        double offset = c->peer->kind->has_offset ? c->ours.q_sum[i / rows] : 0;
        double theirs = (double)c->out[i] - offset;
        if (theirs != (double)c->ours.out[i])
            return tern__fail(TERN_E_UNSUPPORTED, "%s: the sum of row %lld is %g, not %d",
                              c->peer->kind->symbol, (long long)(i % rows), theirs, c->ours.out[i]);
    }
    return TERN_OK;
}

static tern_status measure(tern__kernel_table *t, contest *c, tern_bench_row *row) {
    const tern_bench_case bench = {
        .name = "dot", .side = {"tern", "other"}, .check = check_sums, .run = run_side};
    const tern_bench_options options = {.samples = t->table.options.samples,
                                        .sample_seconds = 5e-3};
    tern_bench_result r;
    tern__limit_settle(t->one);
    tern_status status = tern__bench_measure(&bench, c, 1, &options, &r);
    if (status != TERN_OK)
        return status;
    double ours = r.side[0].median, theirs = r.side[1].median;
    double operations = 2.0 * (double)c->ours.rows * (double)c->ours.columns * (double)c->n;
    const char *unit = c->n == 1 ? "GB/s" : "GOP/s";
    tern__row_ratio(row, &r, 1, 1);
    if (c->n == 1)
        tern__row_work(row, &r, operations, (double)c->ours.matrix_bytes);
    snprintf(row->detail, sizeof row->detail, "%s: %.3g us, %.2f %s; %s: %.3g us, %.2f %s",
             c->ours.kernel->variant.name, ours * 1e6,
             (c->n == 1 ? (double)c->ours.matrix_bytes : operations) / ours * 1e-9, unit,
             c->peer->kind->name, theirs * 1e6,
             (c->n == 1 ? (double)(c->ours.rows * c->row_bytes) : operations) / theirs * 1e-9,
             unit);
    return TERN_OK;
}

/* -- rows --------------------------------------------------------------------------------------*/

/* A row about one of our kernels and one of theirs. */
typedef struct duel {
    const char *id;
    const tern__packed_kernel *kernel;
    const tern__kernel_shape *shape;
    int64_t n;
    double floor, goal;
} duel;

static tern_status run_duel(tern__kernel_table *t, const dot_peer *peer, const duel *d,
                            tern_bench_row *row) {
    contest c = {.peer = peer, .team = t->one, .n = d->n};
    int64_t least =
        d->n > 1 ? 1 : tern__limit_memory_set(t->table.options.is_quick ? 1 : STREAM_BYTES);
    tern_status status;
    TERN__TRY(
        tern__weights_open(d->kernel, d->shape->rows, d->shape->columns, d->n, 1, least, &c.ours));
    TERN__TRY(make_theirs(&c, least));
    TERN__TRY(measure(t, &c, row));
done:
    close_contest(&c);
    return status;
}

static tern_status show_duel(tern__kernel_table *t, const dot_peer *peer, const duel *d,
                             const char *what) {
    tern_bench_row row = tern__row(d->id, what, "x");
    row.floor = d->floor;
    row.goal = d->goal;
    row.is_least = row.is_ratio = true;
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    if ((d->kernel->variant.needs & ~t->features) != 0) {
        tern__kernel_lacking(t, &row, &d->kernel->variant);
        return TERN_OK;
    }
    if (peer->dot == NULL) {
        snprintf(row.detail, sizeof row.detail, "%s", peer->why);
        tern__row_show(&t->table, &row);
        return TERN_OK;
    }
    tern_status status = run_duel(t, peer, d, &row);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

static tern_status show_decode(tern__kernel_table *t, const dot_peer *peer, tern__packing packing,
                               const tern__kernel_shape *shape) {
    char what[64];
    snprintf(what, sizeof what, "%lld x %lld, %s, against %s", (long long)shape->rows,
             (long long)shape->columns, tern__packings[packing].name, peer->kind->name);
    const duel d = {.id = "K2",
                    .kernel = TERN__PICK(tern__packed_families[packing], t->features),
                    .shape = shape,
                    .n = 1,
                    .floor = peer->kind->floor,
                    .goal = peer->kind->goal};
    return show_duel(t, peer, &d, what);
}

static void show_tables(tern__kernel_table *t) {
    tern_bench_row row = tern__row("K2", "against TL2", "x");
    row.floor = 1.0;
    row.goal = 1.4;
    row.is_least = row.is_ratio = true;
    if (tern__row_listed(&t->table, &row))
        return;
    snprintf(row.detail, sizeof row.detail,
             "bitnet.cpp generates its code for the shapes of one "
             "model: no library has a kernel to call");
    tern__row_show(&t->table, &row);
}

tern_status tern__kernel_peers(tern__kernel_table *t) {
    static const tern__packing packings[] = {TERN__PACKING_TRITS4, TERN__PACKING_TRITS5};
    int shapes = t->table.options.is_quick ? 1 : TERN__KERNEL_SHAPES;
    tern_status status = TERN_OK;
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds && status == TERN_OK; kind++) {
        dot_peer peer;
        open_peer(t, &kinds[kind], &peer);
        for (int i = 0; i < 2 * shapes && status == TERN_OK; i++)
            status = show_decode(t, &peer, packings[i % 2], &tern__kernel_shapes[i / 2]);
        tern__library_close(peer.library);
    }
    if (status == TERN_OK)
        show_tables(t);
    return status;
}

/* The units that K5 compares with bitnet.cpp. */
static const struct {
    uint32_t needs;
    double floor, goal;
} prompt_units[] = {{TERN__CPU_AVX_VNNI, 1.6, 2.2}, {TERN__CPU_AVX2, 1.4, 1.7}};

/* A variant counts as the unit which is the best that it needs; what needs more has other floors.
 */
static tern_status show_prompt(tern__kernel_table *t, const dot_peer *peer,
                               const tern__packed_kernel *kernel) {
    static const tern__kernel_shape quick_shape = {640, 2560};
    duel d = {.id = "K5",
              .kernel = kernel,
              .shape = t->table.options.is_quick ? &quick_shape : &tern__kernel_shapes[0],
              .n = tern__kernel_tokens(t)};
    for (size_t i = 0; i < sizeof prompt_units / sizeof *prompt_units && d.floor == 0; i++) {
        d.floor = (kernel->variant.needs & prompt_units[i].needs) != 0 ? prompt_units[i].floor : 0;
        d.goal = prompt_units[i].goal;
    }
    if (d.floor == 0 || (kernel->variant.needs & (TERN__CPU_AVX512 | TERN__CPU_AMX_INT8)) != 0)
        return TERN_OK;
    char what[64];
    snprintf(what, sizeof what, "%lld x %lld, %lld tokens, %s, against %s",
             (long long)d.shape->rows, (long long)d.shape->columns, (long long)d.n,
             kernel->variant.name, peer->kind->name);
    return show_duel(t, peer, &d, what);
}

tern_status tern__kernel_prompt_peers(tern__kernel_table *t) {
    dot_peer peer;
    tern_status status = TERN_OK;
    open_peer(t, &kinds[0], &peer);
    for (int k = 0; tern__trits4_family[k] != NULL && status == TERN_OK; k++)
        status = show_prompt(t, &peer, tern__trits4_family[k]);
    tern__library_close(peer.library);
    return status;
}
