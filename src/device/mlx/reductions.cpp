/* SPDX-License-Identifier: MIT
 * Reductions, running sums, what is sorted, softmax and norms. */
#include <algorithm>
#include <cmath>

#include "device/mlx/mlx.h"

namespace tern_mlx {

namespace {

/* -- over axes ---------------------------------------------------------------------------------*/

std::vector<int> axes_of(const tern__device_call &call) {
    std::vector<int> axes;
    for (int i = 0; i < call.in[0].rank; i++)
        if (call.axes >> i & 1)
            axes.push_back(i);
    if (axes.empty())
        throw declined();
    return axes;
}

/* How many elements make one of the result. */
double count_reduced(const tern__device_call &call) {
    double count = 1;
    for (int axis : axes_of(call))
        count *= (double)call.in[0].dims[axis];
    return count;
}

bool is_float_call(const frame &f) {
    return TERN__FLOATS >> f.call.type & 1;
}

/* x (..., n) in blocks of so many: (..., blocks, size), zeros behind the last. */
mx::array cut(const mx::array &x, int size) {
    int n = x.shape(-1), blocks = (n + size - 1) / size;
    std::vector<std::pair<int, int>> width(x.ndim(), {0, 0});
    width.back().second = blocks * size - n;
    return mx::unflatten(mx::pad(x, width), -1, {blocks, size});
}

/* Sums of x (..., n) in the order of the reduction rule (docs/numerics.md): without Metal MLX adds
 * rows one after the other, so that the bits are the CPU's. */
mx::array sum_rows(const mx::array &x) {
    const int block = 65536, partials = 64;
    if (x.shape(-1) > block)
        return sum_rows(sum_rows(cut(x, block)));
    mx::array sums = mx::sum(cut(x, partials), -2);
    for (int half = partials / 2; half > 0; half /= 2) {
        std::vector<mx::array> halves = mx::split(sums, 2, -1);
        sums = mx::add(halves[0], halves[1]);
    }
    return mx::squeeze(sums, -1);
}

/* Over axes, of floats; each stays with length 1. */
mx::array sum_floats(const mx::array &x, const std::vector<int> &axes) {
    mx::Shape kept = x.shape();
    std::vector<int> order;
    for (int i = 0; i < (int)x.ndim(); i++)
        if (std::find(axes.begin(), axes.end(), i) == axes.end())
            order.push_back(i);
    order.insert(order.end(), axes.begin(), axes.end());
    for (int axis : axes)
        kept[axis] = 1;
    mx::array rows = mx::flatten(mx::transpose(x, order), (int)(x.ndim() - axes.size()), -1);
    return mx::reshape(sum_rows(rows), kept);
}

mx::array sum(frame &f) {
    if (is_float_call(f))
        return sum_floats(f.hub(0), axes_of(f.call));
    return mx::sum(f.in(0, mx::int64), axes_of(f.call));
}

/* Of floats the order decides what overflows on the way. */
mx::array prod(frame &f) {
    return mx::prod(f.in(0, mx::int64), axes_of(f.call));
}

mx::array mean(frame &f) {
    mx::array x = f.hub(0);
    return mx::divide(sum_floats(x, axes_of(f.call)), constant(count_reduced(f.call), x.dtype()));
}

mx::array variance(frame &f) {
    mx::array x = f.hub(0);
    double divisor = count_reduced(f.call) - f.call.choice;
    mx::array squares = sum_floats(mx::square(mx::subtract(x, mean(f))), axes_of(f.call));
    return mx::divide(squares, constant(divisor > 0 ? divisor : 0, x.dtype()));
}

mx::array deviation(frame &f) {
    return mx::sqrt(variance(f));
}

template <bool IsMaximum> mx::array extreme(frame &f) {
    mx::array x = f.in(0), keys = ordered(x, IsMaximum, false);
    std::vector<int> axes = axes_of(f.call);
    return unordered(IsMaximum ? mx::max(keys, axes) : mx::min(keys, axes), x.dtype());
}

mx::array truth(frame &f) {
    mx::array x = f.in(0);
    return mx::not_equal(x, mx::array(0, x.dtype()));
}

mx::array any(frame &f) {
    return mx::any(truth(f), axes_of(f.call));
}

mx::array all(frame &f) {
    return mx::all(truth(f), axes_of(f.call));
}

mx::array count_nonzero(frame &f) {
    return mx::sum(mx::astype(truth(f), mx::int64), axes_of(f.call));
}

mx::array max_of(const mx::array &x, const std::vector<int> &axes) {
    return unordered(mx::max(ordered(x, true, false), axes, true), x.dtype());
}

mx::array logsumexp(frame &f) {
    mx::array x = f.hub(0);
    std::vector<int> axes = axes_of(f.call);
    mx::array m = max_of(x, axes);
    m = mx::where(mx::isinf(m), constant(0, x.dtype()), m);
    mx::array sum = sum_floats(exp_of(f, mx::subtract(x, m)), axes);
    return mx::add(mx::log(sum), m);
}

/* Over one axis, or over all of x. */
template <bool IsMaximum> mx::array arg_extreme(frame &f) {
    std::vector<int> axes = axes_of(f.call);
    mx::array keys = ordered(f.in(0), IsMaximum, true);
    if (axes.size() > 1)
        keys = mx::flatten(keys);
    int axis = axes.size() > 1 ? 0 : axes[0];
    return IsMaximum ? mx::argmax(keys, axis) : mx::argmin(keys, axis);
}

/* The result says whether x is taken as a vector. */
mx::array cumsum(frame &f) {
    mx::array x = f.in(0, is_float_call(f) ? f.hub_type() : mx::int64);
    if (f.call.out[0].rank != f.call.in[0].rank)
        x = mx::flatten(x);
    return mx::cumsum(x, f.call.axis);
}

/* -- in order ----------------------------------------------------------------------------------*/

/* Places along `axis` in the order of the numbers. MLX sorts stably. */
mx::array places(const mx::array &x, int axis, bool is_descending) {
    mx::array keys = ordered(x, true, true);
    return mx::argsort(is_descending ? mx::bitwise_invert(keys) : keys, axis);
}

template <bool WantsPlaces> mx::array sort(frame &f) {
    bool is_flat = f.call.axis < 0;
    mx::array x = is_flat ? mx::flatten(f.in(0)) : f.in(0);
    int axis = is_flat ? 0 : f.call.axis;
    mx::array order = places(x, axis, f.call.choice != 0);
    return WantsPlaces ? order : mx::take_along_axis(x, order, axis);
}

mx::array topk(frame &f) {
    mx::array x = f.in(0), order = places(x, f.call.axis, f.call.choice != 0);
    mx::Shape stop = order.shape();
    stop[f.call.axis] = shape_of(f.call.out[0])[f.call.axis];
    order = mx::slice(order, mx::Shape(stop.size(), 0), stop);
    if (f.call.out_count > 1)
        f.more.push_back(order);
    return mx::take_along_axis(x, order, f.call.axis);
}

/* -- rows --------------------------------------------------------------------------------------*/

mx::array softmax(frame &f) {
    return softmax_of(f, f.hub(0), f.call.axis);
}

/* Positions behind the diagonal do not exist. */
mx::array softmax_causal(frame &f) {
    mx::array x = f.hub(0);
    int rows = x.shape(-2), columns = x.shape(-1);
    mx::array seen = mx::tri(rows, columns, columns - rows, mx::bool_);
    mx::array y = softmax_of(f, mx::where(seen, x, constant(-INFINITY, x.dtype())), f.call.axis);
    return mx::where(seen, y, constant(0, x.dtype()));
}

mx::array log_softmax(frame &f) {
    mx::array x = f.hub(0);
    std::vector<int> axes = {f.call.axis};
    mx::array below = mx::subtract(x, max_of(x, axes));
    return mx::subtract(below, mx::log(sum_floats(exp_of(f, below), axes)));
}

/* Weight and bias lie behind x, as far as the call's choice has them (device/norm_call.h). */
enum { HAS_WEIGHT = 1, HAS_BIAS = 2 };

std::optional<mx::array> factors(frame &f, int bit) {
    if (!(f.call.choice & bit))
        return std::nullopt;
    return f.hub(bit == HAS_BIAS && (f.call.choice & HAS_WEIGHT) ? 2 : 1);
}

/* 1 / sqrt(mean of squares + epsilon), by rows. */
mx::array inverse_root(const frame &f, const mx::array &x) {
    mx::array squares = sum_floats(mx::square(x), {f.call.axis});
    mx::array mean = mx::divide(squares, constant(x.shape(f.call.axis), x.dtype()));
    mx::array root = mx::sqrt(mx::add(mean, constant(f.call.number, x.dtype())));
    return mx::divide(constant(1, x.dtype()), root);
}

/* With Metal the norms are MLX's own; those of its CPU add in a poor order. */
mx::array rms_norm(frame &f) {
    mx::array x = f.hub(0);
    std::optional<mx::array> weight = factors(f, HAS_WEIGHT);
    if (f.is_gpu)
        return mx::fast::rms_norm(x, weight, (float)f.call.number);
    mx::array y = mx::multiply(x, inverse_root(f, x));
    return weight ? mx::multiply(y, *weight) : y;
}

mx::array layer_norm(frame &f) {
    mx::array x = f.hub(0);
    std::optional<mx::array> weight = factors(f, HAS_WEIGHT), bias = factors(f, HAS_BIAS);
    if (f.is_gpu)
        return mx::fast::layer_norm(x, weight, bias, (float)f.call.number);
    mx::array count = constant(x.shape(f.call.axis), x.dtype());
    mx::array y = mx::subtract(x, mx::divide(sum_floats(x, {f.call.axis}), count));
    y = mx::multiply(y, inverse_root(f, y));
    if (weight)
        y = mx::multiply(y, *weight);
    return bias ? mx::add(y, *bias) : y;
}

} // namespace

/* MLX's own without Metal adds in a poor order. */
mx::array softmax_of(const frame &f, const mx::array &x, int axis) {
    if (f.is_gpu)
        return mx::softmax(x, axis, true);
    mx::array e = exp_of(f, mx::subtract(x, max_of(x, {axis})));
    return mx::multiply(e, mx::divide(constant(1, x.dtype()), sum_floats(e, {axis})));
}

void add_reductions(row *rows) {
    const uint64_t all_types = TERN__PLAIN, single = TERN__SINGLE, reals = TERN__REALS;
    rows[TERN__OP_SUM] = {sum, reals | TERN__BITS, 1e-7};
    rows[TERN__OP_PROD] = {prod, TERN__BITS};
    rows[TERN__OP_MEAN] = {mean, reals, 1e-7};
    rows[TERN__OP_VAR] = {variance, reals, 1e-6};
    rows[TERN__OP_STD] = {deviation, reals, 1e-6};
    rows[TERN__OP_MIN] = {extreme<false>, all_types};
    rows[TERN__OP_MAX] = {extreme<true>, all_types};
    rows[TERN__OP_ANY] = {any, all_types};
    rows[TERN__OP_ALL] = {all, all_types};
    rows[TERN__OP_COUNT_NONZERO] = {count_nonzero, all_types};
    rows[TERN__OP_LOGSUMEXP] = {logsumexp, reals, 1e-6};
    rows[TERN__OP_ARGMIN] = {arg_extreme<false>, all_types};
    rows[TERN__OP_ARGMAX] = {arg_extreme<true>, all_types};
    rows[TERN__OP_CUMSUM] = {cumsum, reals | TERN__BITS, 1e-7};
    rows[TERN__OP_SORT] = {sort<false>};
    rows[TERN__OP_ARGSORT] = {sort<true>};
    rows[TERN__OP_TOPK] = {topk};
    rows[TERN__OP_SOFTMAX] = {softmax, reals, 5e-7};
    rows[TERN__OP_SOFTMAX_CAUSAL] = {softmax_causal, single, 5e-7};
    rows[TERN__OP_LOG_SOFTMAX] = {log_softmax, reals, 5e-7};
    rows[TERN__OP_RMS_NORM] = {rms_norm, reals, 5e-7};
    rows[TERN__OP_LAYER_NORM] = {layer_norm, reals, 5e-7};
}

} // namespace tern_mlx
