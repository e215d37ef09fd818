/* SPDX-License-Identifier: MIT
 * Copies, and operations element by element that give the CPU's bits. */
#include "device/mlx/mlx.h"

namespace tern_mlx {

namespace {

using unary_fn = mx::array (*)(const mx::array &, mx::StreamOrDevice);
using binary_fn = mx::array (*)(const mx::array &, const mx::array &, mx::StreamOrDevice);

template <unary_fn F> mx::array map1(frame &f) {
    return F(f.hub(0), {});
}

template <binary_fn F> mx::array map2(frame &f) {
    return F(f.hub(0), f.hub(1), {});
}

/* Functions that leave integers as they are. */
template <unary_fn F> mx::array map_floats(frame &f) {
    mx::array x = f.hub(0);
    return is_integer(x) ? x : F(x, {});
}

mx::array zero_of(const mx::array &x) {
    return mx::array(0, x.dtype());
}

/* -- copies ------------------------------------------------------------------------------------*/

/* MLX converts as C++ does, and F64 and I32 through F32 to the halves. */
bool rounds_once(int32_t from, int32_t to) {
    const uint64_t halves = TERN__HALVES, integers = TERN__INTEGERS;
    bool is_cut = (TERN__FLOATS >> from & 1) && (integers >> to & 1);
    bool is_twice =
        (halves >> to & 1) && (from == TERN_F64 || (from == TERN_I32 && to == TERN_BF16));
    return !is_cut && !is_twice;
}

mx::array copy(frame &f) {
    if (!rounds_once(f.call.in[0].dtype, f.call.out[0].dtype))
        throw declined();
    mx::array x = f.in(0);
    if (f.call.out[0].dtype == TERN_BOOL)
        return mx::not_equal(x, zero_of(x));
    if ((TERN__HALVES >> f.call.out[0].dtype & 1) && is_integer(x))
        return mx::astype(x, mx::float32);
    return x;
}

/* -- arithmetic --------------------------------------------------------------------------------*/

mx::array sign(frame &f) {
    mx::array x = f.hub(0);
    return is_integer(x) ? mx::sign(x) : mx::where(mx::isnan(x), x, mx::sign(x));
}

mx::array reciprocal(frame &f) {
    mx::array x = f.hub(0);
    return mx::divide(constant(1, x.dtype()), x);
}

mx::array rsqrt(frame &f) {
    mx::array x = f.hub(0);
    return mx::divide(constant(1, x.dtype()), mx::sqrt(x));
}

mx::array trunc(frame &f) {
    mx::array x = f.hub(0);
    return is_integer(x) ? x : mx::where(mx::less(x, zero_of(x)), mx::ceil(x), mx::floor(x));
}

mx::array scale(frame &f) {
    return mx::multiply(f.hub(0), f.number(f.call.number));
}

mx::array clip(frame &f) {
    mx::array x = f.hub(0), low = f.number(f.call.number), high = f.number(f.call.other_number);
    return mx::where(mx::less(x, low), low, mx::where(mx::greater(x, high), high, x));
}

template <bool IsMaximum> mx::array extreme(frame &f) {
    mx::array a = f.hub(0), b = f.hub(1);
    if (is_integer(a))
        return IsMaximum ? mx::maximum(a, b) : mx::minimum(a, b);
    mx::array x = ordered(a, IsMaximum, false), y = ordered(b, IsMaximum, false);
    return unordered(IsMaximum ? mx::maximum(x, y) : mx::minimum(x, y), a.dtype());
}

/* -- logic -------------------------------------------------------------------------------------*/

mx::array truth(frame &f, int i) {
    mx::array x = f.in(i);
    return mx::not_equal(x, zero_of(x));
}

template <binary_fn F> mx::array logic(frame &f) {
    return F(truth(f, 0), truth(f, 1), {});
}

mx::array logical_not(frame &f) {
    return mx::logical_not(truth(f, 0));
}

mx::array bit_not(frame &f) {
    return f.call.type == TERN_BOOL ? logical_not(f) : mx::bitwise_invert(f.hub(0));
}

/* The condition is the last operand. */
mx::array where(frame &f) {
    mx::Dtype type = dtype_of(f.call.type);
    return mx::where(f.in(2), f.in(0, type), f.in(1, type));
}

/* -- activations that are exact ----------------------------------------------------------------*/

mx::array relu(frame &f) {
    mx::array x = f.hub(0), zero = zero_of(x);
    return mx::where(mx::less(x, zero), zero, x);
}

mx::array relu2(frame &f) {
    mx::array x = f.hub(0), zero = zero_of(x);
    return mx::where(mx::less(x, zero), zero, mx::square(x));
}

mx::array leaky_relu(frame &f) {
    mx::array x = f.hub(0);
    return mx::where(mx::less(x, zero_of(x)), mx::multiply(x, f.number(f.call.number)), x);
}

void add_logic(row *rows) {
    const uint64_t all = TERN__PLAIN, bits = TERN__BITS;
    rows[TERN__OP_BIT_AND] = {map2<mx::bitwise_and>, bits};
    rows[TERN__OP_BIT_OR] = {map2<mx::bitwise_or>, bits};
    rows[TERN__OP_BIT_XOR] = {map2<mx::bitwise_xor>, bits};
    rows[TERN__OP_BIT_NOT] = {bit_not, bits};
    rows[TERN__OP_EQUAL] = {map2<mx::equal>, all};
    rows[TERN__OP_NOT_EQUAL] = {map2<mx::not_equal>, all};
    rows[TERN__OP_LESS] = {map2<mx::less>, all};
    rows[TERN__OP_LESS_EQUAL] = {map2<mx::less_equal>, all};
    rows[TERN__OP_GREATER] = {map2<mx::greater>, all};
    rows[TERN__OP_GREATER_EQUAL] = {map2<mx::greater_equal>, all};
    rows[TERN__OP_LOGICAL_AND] = {logic<mx::logical_and>, all};
    rows[TERN__OP_LOGICAL_OR] = {logic<mx::logical_or>, all};
    rows[TERN__OP_LOGICAL_XOR] = {logic<mx::not_equal>, all};
    rows[TERN__OP_LOGICAL_NOT] = {logical_not, all};
    rows[TERN__OP_ISNAN] = {map1<mx::isnan>, all};
    rows[TERN__OP_ISINF] = {map1<mx::isinf>, all};
    rows[TERN__OP_ISFINITE] = {map1<mx::isfinite>, all};
    rows[TERN__OP_WHERE] = {where, all};
}

} // namespace

static mx::array largest(mx::Dtype integer) {
    return mx::array(INT64_MAX >> (64 - 8 * mx::size_of(integer)), integer);
}

/* The bits of floats as integers, with those of negative numbers turned round, so that they
 * ascend; and back. */
static mx::array turn(const mx::array &bits) {
    return mx::where(mx::less(bits, zero_of(bits)), mx::bitwise_xor(bits, largest(bits.dtype())),
                     bits);
}

mx::array ordered(const mx::array &x, bool nan_is_largest, bool joins_zeros) {
    if (is_integer(x))
        return x.dtype() == mx::bool_ ? mx::astype(x, mx::uint8) : x;
    mx::Dtype type = x.itemsize() == 8 ? mx::int64 : x.itemsize() == 4 ? mx::int32 : mx::int16;
    mx::array keys = turn(mx::view(x, type)), most = largest(type);
    keys = mx::where(mx::isnan(x), nan_is_largest ? most : mx::bitwise_invert(most), keys);
    return joins_zeros ? mx::where(mx::equal(x, zero_of(x)), zero_of(keys), keys) : keys;
}

mx::array unordered(const mx::array &keys, mx::Dtype type) {
    return mx::issubdtype(type, mx::floating) ? mx::view(turn(keys), type) : keys;
}

void add_elementwise(row *rows) {
    const uint64_t numbers = TERN__NUMBERS, floats = TERN__FLOATS;
    for (tern__op op : {TERN__OP_CONTIGUOUS, TERN__OP_CLONE, TERN__OP_CAST, TERN__OP_COPY})
        rows[op] = {copy};
    rows[TERN__OP_ADD] = {map2<mx::add>, numbers};
    rows[TERN__OP_SUB] = {map2<mx::subtract>, numbers};
    rows[TERN__OP_MUL] = {map2<mx::multiply>, numbers};
    rows[TERN__OP_OUTER] = {map2<mx::multiply>, numbers};
    rows[TERN__OP_DIV] = {map2<mx::divide>, floats};
    rows[TERN__OP_MINIMUM] = {extreme<false>, TERN__PLAIN};
    rows[TERN__OP_MAXIMUM] = {extreme<true>, TERN__PLAIN};
    rows[TERN__OP_NEG] = {map1<mx::negative>, numbers};
    rows[TERN__OP_ABS] = {map1<mx::abs>, numbers};
    rows[TERN__OP_SIGN] = {sign, numbers};
    rows[TERN__OP_SQUARE] = {map1<mx::square>, numbers};
    rows[TERN__OP_SQRT] = {map1<mx::sqrt>, floats};
    rows[TERN__OP_RSQRT] = {rsqrt, floats};
    rows[TERN__OP_RECIPROCAL] = {reciprocal, floats};
    rows[TERN__OP_ROUND] = {map_floats<mx::round>, numbers};
    rows[TERN__OP_FLOOR] = {map_floats<mx::floor>, numbers};
    rows[TERN__OP_CEIL] = {map_floats<mx::ceil>, numbers};
    rows[TERN__OP_TRUNC] = {trunc, numbers};
    rows[TERN__OP_SCALE] = {scale, numbers};
    rows[TERN__OP_CLIP] = {clip, numbers};
    rows[TERN__OP_RELU] = {relu, numbers};
    rows[TERN__OP_RELU2] = {relu2, numbers};
    rows[TERN__OP_LEAKY_RELU] = {leaky_relu, floats};
    add_logic(rows);
}

} // namespace tern_mlx
