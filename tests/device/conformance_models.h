/* SPDX-License-Identifier: MIT
 * Random cases of matrix products and of what models are made of. */
#ifndef TERN_TEST_CONFORMANCE_MODELS_H
#define TERN_TEST_CONFORMANCE_MODELS_H

#include "conformance_make.h"

/* -- products ----------------------------------------------------------------------------------*/

static int64_t pick_rows(maker *m) {
    return PICK_OF(m, 1, 2, 5, 17, 40);
}

static int64_t pick_width(maker *m) {
    return PICK_OF(m, 1, 7, 32, 64, 100, 129, 256, 300, 515);
}

static void make_matmul(maker *m) {
    int64_t rows = pick_rows(m), inner = once_in(m, 20) ? 0 : pick_width(m);
    int64_t columns = PICK_OF(m, 1, 3, 16, 33, 70), batch = pick(m, 1, 3);
    tern_shape a = {2, {rows, inner}}, b = {2, {inner, columns}};
    if (once_in(m, 3))
        a = (tern_shape){3, {batch, rows, inner}};
    if (once_in(m, 3))
        b = (tern_shape){3, {once_in(m, 2) ? 1 : batch, inner, columns}};
    if (once_in(m, 6))
        a = (tern_shape){1, {inner}};
    if (once_in(m, 6))
        b = (tern_shape){1, {inner}};
    tern_dtype dtype = pick_type(m, m->info->dtypes);
    add_tensor(m, dtype, &a, KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, once_in(m, 5) ? pick_type(m, m->info->dtypes) : dtype, &b, KIND_NORMAL,
               LAYOUT_ANY);
}

static void make_matmul_with(maker *m) {
    make_matmul(m);
    put_integer(m, TERN_PRECISION_BF16);
}

static void make_outer(maker *m) {
    tern_shape a = {1, {pick(m, 0, 90)}}, b = {1, {pick(m, 0, 90)}};
    tern_dtype dtype = pick_type(m, m->info->dtypes);
    add_tensor(m, dtype, &a, KIND_ODD, LAYOUT_ANY);
    add_tensor(m, dtype, &b, KIND_NORMAL, LAYOUT_ANY);
}

/* x (..., K) of some rows. */
static void add_rows(maker *m, int64_t width, draw_layout layout) {
    int64_t rows = pick_rows(m);
    tern_shape x = {2, {rows, width}};
    if (rows == 1 && once_in(m, 2))
        x = (tern_shape){1, {width}};
    if (once_in(m, 4))
        x = (tern_shape){3, {2, rows, width}};
    add_tensor(m, TERN_F32, &x, once_in(m, 8) ? KIND_SUMMED : KIND_NORMAL, layout);
}

/* A table (N, K) of one of the types of linear; K is a multiple of 32 for Q8_0. */
static void add_table(maker *m, int64_t rows, int64_t width, draw_layout layout) {
    tern_dtype dtype = pick_type(m, width % 32 == 0 ? TERN__ROWS : TERN__SINGLE | TERN__HALVES);
    if (dtype == TERN_Q8_0)
        add_q8_0(m, rows, width);
    else
        add_tensor(m, dtype, &TERN_SHAPE(rows, width), KIND_NORMAL, layout);
}

static int64_t pick_outputs(maker *m) {
    return PICK_OF(m, 1, 3, 16, 50, 129);
}

static void make_linear(maker *m) {
    int64_t width = pick_width(m);
    add_rows(m, width, LAYOUT_ANY);
    add_table(m, pick_outputs(m), width, LAYOUT_ANY);
}

static void add_codes(maker *m, int64_t rows, int64_t width) {
    if (width % 256 == 0 && once_in(m, 2))
        add_trits(m, once_in(m, 2) ? TERN_I2_S : TERN_TQ2_0, rows, width);
    else
        add_tensor(m, TERN_I8, &TERN_SHAPE(rows, width), KIND_TRIT, LAYOUT_CONTIGUOUS);
}

static int64_t pick_ternary_width(maker *m) {
    return once_in(m, 2) ? PICK_OF(m, 256, 512, 1024) : pick_width(m);
}

static void make_ternary_linear(maker *m) {
    int64_t width = pick_ternary_width(m);
    add_rows(m, width, LAYOUT_ANY);
    add_codes(m, pick_outputs(m), width);
}

static void make_quantized_linear(maker *m) {
    int64_t width = pick_width(m);
    add_rows(m, width, LAYOUT_ANY);
    add_table(m, pick_outputs(m), width, LAYOUT_ANY);
    put_integer(m, once_in(m, 2) ? 8 : 4);
}

/* Integers: k, bits of the screen or 0, bits of the table or 0. */
static void make_linear_topk(maker *m) {
    int64_t width = pick_width(m), rows = pick_outputs(m), packed = pick(m, 0, 2);
    add_rows(m, width, LAYOUT_ANY);
    add_table(m, rows, width, LAYOUT_CONTIGUOUS);
    put_integer(m, pick(m, 0, rows < 9 ? rows : 9));
    put_integer(m, packed == 1 ? 8 : 0);
    put_integer(m, packed == 2 ? (once_in(m, 2) ? 8 : 4) : 0);
}

/* x and the norm. */
static void add_norm_operands(maker *m, int64_t width) {
    add_rows(m, width, once_in(m, 4) ? LAYOUT_ANY : LAYOUT_CONTIGUOUS);
    add_tensor(m, TERN_F32, &TERN_SHAPE(width), KIND_NORMAL, LAYOUT_CONTIGUOUS);
    put_number(m, 1e-5);
}

/* Weights of one kind: trits, integers of 8 or 4 bits, which `bits` says, or floats. */
static void add_weights(maker *m, int count, const int64_t *rows, int64_t width) {
    bool is_ternary = !once_in(m, 3);
    put_integer(m, is_ternary ? 0 : PICK_OF(m, 0, 4, 8));
    for (int i = 0; i < count; i++)
        if (is_ternary)
            add_codes(m, rows[i], width);
        else
            add_tensor(m, TERN_F32, &TERN_SHAPE(rows[i], width), KIND_NORMAL, LAYOUT_CONTIGUOUS);
}

static void make_norm_linear(maker *m) {
    int64_t width = pick_ternary_width(m), rows[3];
    int count = (int)pick(m, 1, 3);
    for (int i = 0; i < count; i++)
        rows[i] = pick_outputs(m);
    add_norm_operands(m, width);
    add_weights(m, count, rows, width);
}

static void make_norm_linear_add(maker *m) {
    int64_t width = pick_ternary_width(m), rows = pick_outputs(m);
    add_norm_operands(m, width);
    add_weights(m, 1, &rows, width);
    tern_shape residual = m->c.inputs[0].shape;
    residual.dims[residual.rank - 1] = rows;
    add_tensor(m, TERN_F32, &residual, KIND_NORMAL, once_in(m, 4) ? LAYOUT_ANY : LAYOUT_CONTIGUOUS);
}

static void make_norm_glu(maker *m) {
    int64_t width = pick_ternary_width(m), rows = pick_outputs(m);
    put_integer(m, pick(m, TERN_ACTIVATION_NONE, TERN_ACTIVATION_TANH));
    add_norm_operands(m, width);
    add_weights(m, 2, (const int64_t[]){rows, rows}, width);
}

static void make_einsum(maker *m) {
    static const char *const texts[] = {"bij,bjk->bik", "bij,bjk->ikb", "bij,bjk->k"};
    int64_t batch = pick(m, 1, 3), inner = PICK_OF(m, 1, 7, 70);
    snprintf(m->c.text, sizeof m->c.text, "%s", texts[pick(m, 0, 2)]);
    tern_dtype dtype = pick_type(m, m->info->dtypes);
    add_tensor(m, dtype, &TERN_SHAPE(batch, pick(m, 1, 20), inner), KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, dtype, &TERN_SHAPE(batch, inner, pick(m, 1, 20)), KIND_NORMAL, LAYOUT_ANY);
}

static void make_convolution(maker *m, int axes) {
    int64_t groups = pick(m, 1, 3), channels = groups * pick(m, 1, 3);
    tern_shape x = {2 + axes, {pick(m, 1, 2), channels}};
    tern_shape weight = {2 + axes, {groups * pick(m, 1, 4), channels / groups}};
    for (int i = 0; i < axes; i++) {
        x.dims[2 + i] = pick(m, 7, 20);
        weight.dims[2 + i] = pick(m, 1, 3);
    }
    add_tensor(m, TERN_F32, &x, KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, TERN_F32, &weight, KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, TERN_F32, &TERN_SHAPE(weight.dims[0]), KIND_NORMAL, LAYOUT_ANY);
    for (int i = 0; i < axes; i++)
        put_integer(m, pick(m, 1, 2));
    for (int i = 0; i < axes; i++)
        put_integer(m, pick(m, 0, 2));
    for (int i = 0; i < axes; i++)
        put_integer(m, pick(m, 1, 2));
    put_integer(m, groups);
}

static void make_conv1d(maker *m) {
    make_convolution(m, 1);
}

static void make_conv2d(maker *m) {
    make_convolution(m, 2);
}

/* -- models ------------------------------------------------------------------------------------*/

static void make_rope(maker *m) {
    int64_t rows = pick_rows(m), half = PICK_OF(m, 1, 4, 10, 32, 64), position = pick(m, 0, 30);
    add_tensor(m, TERN_F32, &TERN_SHAPE(rows, pick(m, 1, 7), 2 * half), KIND_NORMAL, LAYOUT_ANY);
    add_tensor(m, TERN_F32, &TERN_SHAPE(rows + position + pick(m, 0, 2), 2, half), KIND_POSITIVE,
               LAYOUT_CONTIGUOUS);
    put_integer(m, position);
}

static void make_rope_table(maker *m) {
    put_integer(m, pick(m, 1, 100));
    put_integer(m, 2 * pick(m, 1, 64));
    put_number(m, 10000);
}

static void make_embedding(maker *m) {
    int64_t rows = pick(m, 1, 90);
    tern_shape ids = {(int)pick(m, 0, 2), {pick_rows(m), pick(m, 1, 3)}};
    add_table(m, rows, pick_width(m), LAYOUT_CONTIGUOUS);
    add_numbers(m, &ids, 0, rows - 1, LAYOUT_ANY);
}

/* T queries of grouped heads at the end of S positions. */
typedef struct attention_shape {
    int64_t tokens, heads, kv_heads, positions, size;
} attention_shape;

static attention_shape add_query(maker *m) {
    attention_shape a = {.tokens = pick_rows(m),
                         .kv_heads = pick(m, 1, 4),
                         .size = PICK_OF(m, 4, 8, 16, 20, 64, 80, 128)};
    a.heads = a.kv_heads * pick(m, 1, 4);
    a.positions = a.tokens + PICK_OF(m, 0, 1, 7, 63, 64, 100, 200);
    add_tensor(m, TERN_F32, &TERN_SHAPE(a.tokens, a.heads, a.size), KIND_NORMAL, LAYOUT_ANY);
    put_number(m, 1 / sqrt((double)a.size));
    return a;
}

static void make_attention(maker *m) {
    attention_shape a = add_query(m);
    tern_shape cache = TERN_SHAPE(a.kv_heads, a.positions, a.size);
    tern_dtype dtype = once_in(m, 2) ? TERN_F16 : TERN_F32;
    add_tensor(m, dtype, &cache, KIND_NORMAL, LAYOUT_ROWS);
    add_tensor(m, dtype, &cache, KIND_NORMAL, LAYOUT_ROWS);
}

static void make_attention_int8(maker *m) {
    attention_shape a = add_query(m);
    tern_shape cache = TERN_SHAPE(a.kv_heads, a.positions, a.size);
    add_tensor(m, TERN_I8, &cache, KIND_NORMAL, LAYOUT_ROWS);
    add_tensor(m, TERN_I8, &cache, KIND_NORMAL, LAYOUT_ROWS);
    add_tensor(m, TERN_F32, &TERN_SHAPE(2, a.kv_heads, a.positions), KIND_POSITIVE, LAYOUT_ROWS);
}

static void make_quantize_scale(maker *m) {
    add_rows(m, pick_width(m), LAYOUT_ANY);
}

static void make_quantize(maker *m) {
    add_rows(m, pick_width(m), LAYOUT_ANY);
    tern_shape scales = m->c.inputs[0].shape;
    scales.rank--;
    add_tensor(m, TERN_F32, &scales, KIND_POSITIVE, LAYOUT_ANY);
}

/* It is seen through a product with (K, K): no large K. */
static void make_pack(maker *m) {
    add_codes(m, pick_outputs(m), PICK_OF(m, 1, 7, 64, 129, 256, 256, 300));
}

static void make_pack_int(maker *m) {
    add_table(m, pick_outputs(m), PICK_OF(m, 1, 7, 64, 129, 256, 300), LAYOUT_ANY);
    put_integer(m, once_in(m, 2) ? 8 : 4);
}

static void make_pack_random(maker *m) {
    put_integer(m, pick_outputs(m));
    put_integer(m, pick_width(m));
    put_integer(m, pick(m, 0, 1000));
    put_number(m, 0.5);
}

#endif
