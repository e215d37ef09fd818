/* SPDX-License-Identifier: MIT
 * Products, and what models are made of. */
#include <cmath>

#include "device/mlx/mlx.h"

namespace tern_mlx {

namespace {

/* F32 and the halves. */
mx::array as_single(frame &f, int i) {
    if (!((TERN__SINGLE | TERN__HALVES) >> f.call.in[i].dtype & 1))
        throw declined();
    return f.in(i, mx::float32);
}

mx::array matmul(frame &f) {
    return mx::matmul(f.hub(0), f.hub(1));
}

mx::array linear(frame &f) {
    return mx::matmul(f.in(0), mx::transpose(as_single(f, 1)));
}

mx::array embedding(frame &f) {
    return mx::take(as_single(f, 0), f.in(1), 0);
}

/* Columns [begin, end) of the last axis. */
mx::array columns(const mx::array &x, int begin, int end) {
    mx::Shape from(x.ndim(), 0), to = x.shape();
    from.back() = begin, to.back() = end;
    return mx::slice(x, from, to);
}

/* x (T, H, K); of the table (P, 2, K / 2) the rows from the position on: cosines, then sines. */
mx::array rope(frame &f) {
    mx::array x = f.in(0), table = f.in(1);
    int first = (int)f.call.position, count = x.shape(0), half = x.shape(2) / 2;
    mx::array cosine = mx::slice(table, {first, 0, 0}, {first + count, 1, half});
    mx::array sine = mx::slice(table, {first, 1, 0}, {first + count, 2, half});
    mx::array a = columns(x, 0, half), b = columns(x, half, 2 * half);
    return mx::concatenate({mx::subtract(mx::multiply(a, cosine), mx::multiply(b, sine)),
                            mx::add(mx::multiply(a, sine), mx::multiply(b, cosine))},
                           2);
}

/* -- attention ---------------------------------------------------------------------------------*/

/* Positions that some query does not see have no part in its result, whatever they hold; times a
 * probability of 0 that is so of finite numbers only. */
bool are_finite(const tern__operand &values, int64_t first) {
    for (int64_t head = 0; head < values.dims[0]; head++)
        for (int64_t at = first; at < values.dims[1]; at++)
            for (int64_t i = 0; i < values.dims[2]; i++) {
                int64_t index = head * values.strides[0] + at * values.strides[1] + i;
                bool is_finite =
                    values.dtype == TERN_F16
                        ? (static_cast<const uint16_t *>(values.data)[index] & 0x7c00) != 0x7c00
                        : std::isfinite(static_cast<const float *>(values.data)[index]);
                if (!is_finite)
                    return false;
            }
    return true;
}

/* q (T, H, K), keys and values (Hkv, S, K): query t sees the positions up to S - T + t. Queries of
 * the heads that share keys follow one another: (Hkv, H / Hkv, T, K). */
mx::array attention(frame &f) {
    mx::array q = f.in(0), keys = as_single(f, 1), values = as_single(f, 2);
    int queries = q.shape(0), heads = q.shape(1), size = q.shape(2);
    int groups = keys.shape(0), positions = keys.shape(1);
    if (!are_finite(f.call.in[2], positions - queries + 1))
        throw declined();
    q = mx::transpose(mx::reshape(q, {queries, groups, heads / groups, size}), {1, 2, 0, 3});
    keys = mx::transpose(mx::expand_dims(keys, 1), {0, 1, 3, 2});
    mx::array scores = mx::multiply(mx::matmul(q, keys), mx::array((float)f.call.number));
    if (queries > 1) {
        mx::array seen = mx::tri(queries, positions, positions - queries, mx::bool_);
        scores = mx::where(seen, scores, mx::array(-INFINITY));
    }
    mx::array mix = mx::matmul(softmax_of(f, scores, 3), mx::expand_dims(values, 1));
    return mx::transpose(mix, {2, 0, 1, 3});
}

} // namespace

void add_products(row *rows) {
    rows[TERN__OP_MATMUL] = {matmul, TERN__REALS, 1e-5};
    rows[TERN__OP_LINEAR] = {linear, 0, 1e-5};
    rows[TERN__OP_EMBEDDING] = {embedding};
    rows[TERN__OP_ROPE] = {rope, 0, 2.5e-7};
    rows[TERN__OP_ATTENTION] = {attention, 0, 1e-5};
}

} // namespace tern_mlx
