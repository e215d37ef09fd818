/* SPDX-License-Identifier: MIT
 * Functions of floats, F32 and F64. The halves are left to the CPU: rounding to them makes a last
 * bit that differs a difference of 2^-8. */
#include "device/mlx/mlx.h"

namespace tern_mlx {

/* Without Metal MLX's own exp is off by 5e-6 for large arguments, infinite from 88 on and never
 * better than F32; its expm1 is the system's. */
mx::array exp_of(const frame &f, const mx::array &x) {
    if (f.is_gpu)
        return mx::exp(x);
    mx::array one = constant(1, x.dtype()), y = mx::add(mx::expm1(mx::abs(x)), one);
    return mx::where(mx::less(x, constant(0, x.dtype())), mx::divide(one, y), y);
}

namespace {

using unary_fn = mx::array (*)(const mx::array &, mx::StreamOrDevice);
using binary_fn = mx::array (*)(const mx::array &, const mx::array &, mx::StreamOrDevice);

template <unary_fn F> mx::array function1(frame &f) {
    return F(f.in(0, dtype_of(f.call.type)), {});
}

template <binary_fn F> mx::array function2(frame &f) {
    mx::Dtype type = dtype_of(f.call.type);
    return F(f.in(0, type), f.in(1, type), {});
}

/* x^0 and 1^y are 1, also of NaN. */
mx::array pow(frame &f) {
    mx::array a = f.hub(0), b = f.hub(1), one = constant(1, a.dtype());
    mx::array is_one = mx::logical_or(mx::equal(a, one), mx::equal(b, constant(0, a.dtype())));
    return mx::where(is_one, one, mx::power(a, b));
}

mx::array exp(frame &f) {
    return exp_of(f, f.hub(0));
}

/* x / (1 + exp(-2 v)), also where the exponential overflows and the result does not vanish. */
mx::array logistic(const frame &f, const mx::array &x, const mx::array &v) {
    mx::array h = exp_of(f, mx::negative(mx::abs(v))),
              above = mx::add(constant(1, v.dtype()), mx::square(h));
    mx::array below = mx::multiply(mx::multiply(x, h), h);
    return mx::divide(mx::where(mx::less(v, constant(0, v.dtype())), below, x), above);
}

mx::array sigmoid(frame &f) {
    mx::array x = f.hub(0);
    return logistic(f, constant(1, x.dtype()), mx::multiply(x, constant(0.5, x.dtype())));
}

/* This one does vanish: docs/numerics.md. */
mx::array silu(frame &f) {
    mx::array x = f.hub(0);
    return mx::divide(x, mx::add(constant(1, x.dtype()), exp_of(f, mx::negative(x))));
}

/* x (1 + tanh(v)) / 2, without the cancellation; of -infinity as of -64: -0. */
mx::array gelu_tanh(frame &f) {
    mx::array x = f.hub(0), least = constant(-64, x.dtype());
    x = mx::where(mx::less(x, least), least, x);
    const double root = 0.7978845608028654; /* sqrt(2 / pi) */
    mx::array cubic = mx::multiply(constant(0.044715 * root, x.dtype()), mx::square(x));
    return logistic(f, x, mx::multiply(x, mx::add(cubic, constant(root, x.dtype()))));
}

/* max(x, 0) + log(1 + exp(-|x|)) */
mx::array softplus(frame &f) {
    mx::array x = f.hub(0), zero = constant(0, x.dtype());
    mx::array largest = mx::where(mx::less(x, zero), zero, x);
    return mx::add(largest, mx::log1p(exp_of(f, mx::negative(mx::abs(x)))));
}

} // namespace

void add_functions(row *rows) {
    const double some_ulp = 2.5e-7; /* up to 1.4e-7 seen, for any bits of x */
    const uint64_t single = TERN__SINGLE, reals = TERN__REALS;
    rows[TERN__OP_EXP] = {exp, reals, some_ulp};
    rows[TERN__OP_EXPM1] = {function1<mx::expm1>, reals, some_ulp};
    rows[TERN__OP_LOG] = {function1<mx::log>, reals, some_ulp};
    rows[TERN__OP_LOG1P] = {function1<mx::log1p>, reals, some_ulp};
    rows[TERN__OP_LOG2] = {function1<mx::log2>, reals, some_ulp};
    rows[TERN__OP_SIN] = {function1<mx::sin>, single, some_ulp};
    rows[TERN__OP_COS] = {function1<mx::cos>, single, some_ulp};
    rows[TERN__OP_TAN] = {function1<mx::tan>, reals, some_ulp};
    rows[TERN__OP_ASIN] = {function1<mx::arcsin>, reals, some_ulp};
    rows[TERN__OP_ACOS] = {function1<mx::arccos>, reals, some_ulp};
    rows[TERN__OP_ATAN] = {function1<mx::arctan>, reals, some_ulp};
    rows[TERN__OP_SINH] = {function1<mx::sinh>, reals, some_ulp};
    rows[TERN__OP_COSH] = {function1<mx::cosh>, reals, some_ulp};
    rows[TERN__OP_TANH] = {function1<mx::tanh>, reals, some_ulp};
    rows[TERN__OP_ATAN2] = {function2<mx::arctan2>, reals, some_ulp};
    rows[TERN__OP_POW] = {pow, reals, some_ulp};
    rows[TERN__OP_SIGMOID] = {sigmoid, reals, 5e-7};
    rows[TERN__OP_SILU] = {silu, reals, 5e-7};
    rows[TERN__OP_GELU_TANH] = {gelu_tanh, reals, 2e-5};
    rows[TERN__OP_SOFTPLUS] = {softplus, reals, 5e-7};
}

} // namespace tern_mlx
