/* SPDX-License-Identifier: MIT
 *
 * The plug-in over MLX: a row is a function that makes an MLX array from the operands of a call;
 * plugin.cpp wraps the operands, evaluates the array and copies it out. All of it is C++ and may
 * throw: run_row in plugin.cpp is where exceptions end.
 *
 * The operands are the caller's memory, wrapped, not copied. MLX gives the memory of an array that
 * nobody else has to the result of an operation; so a frame holds what it wrapped until the end.
 */
#ifndef TERN__MLX_H
#define TERN__MLX_H

#include <mlx/mlx.h>

#include "device/plugin.h"

namespace tern_mlx {

namespace mx = mlx::core;

/* Thrown by a row that leaves this call to the CPU. */
struct declined {};

struct device {
    const tern__plugin_host *host;
    mx::Stream stream;
};

/* A call, as its row sees it. */
class frame {
  public:
    frame(const device &device, const tern__device_call &call);

    const tern__device_call &call;
    const bool is_gpu; /* computes with Metal: no F64 */
    /* Results behind the one that the row returns. */
    std::vector<mx::array> more;

    /* Operand i: as it is; cast to a type; to the one in which the call's type is computed. */
    mx::array in(int i);
    mx::array in(int i, mx::Dtype type);
    mx::array hub(int i);
    /* The call's type; F32 for the halves, whose results are rounded once. */
    mx::Dtype hub_type() const;
    /* A number of the call, rounded to the call's type, in hub_type(). */
    mx::array number(double number) const;
    mx::array wrap(const tern__operand &operand, mx::Dtype type);

  private:
    std::vector<mx::array> held;
};

/* Declines what is no plain type. */
mx::Dtype dtype_of(int32_t dtype);
mx::Shape shape_of(const tern__operand &operand);

/* A number as an array of a type. */
inline mx::array constant(double number, mx::Dtype type) {
    return type == mx::float64 ? mx::array(number, type) : mx::array((float)number, type);
}

inline bool is_integer(const mx::array &x) {
    return !mx::issubdtype(x.dtype(), mx::floating);
}

/* exp of floats, good to two units in the last place. */
mx::array exp_of(const frame &f, const mx::array &x);

/* Softmax of floats along an axis. */
mx::array softmax_of(const frame &f, const mx::array &x, int axis);

/* Integers in the order of IEEE 754-2019: -0 below +0; NaN is the largest, or the smallest. With
 * `joins_zeros` both zeros are the same. */
mx::array ordered(const mx::array &x, bool nan_is_largest, bool joins_zeros);
/* The numbers of such integers. */
mx::array unordered(const mx::array &keys, mx::Dtype type);

using build_fn = mx::array (*)(frame &f);

struct row {
    build_fn build = nullptr;
    uint64_t types = 0;   /* of the call, that the row takes; 0: it looks for itself */
    double tolerance = 0; /* measured: tests/device/test_conformance.c holds it */
};

/* Each fills in the rows of its operations. */
void add_elementwise(row *rows);
void add_functions(row *rows);
void add_reductions(row *rows);
void add_products(row *rows);
void add_ternary(row *rows);

/* Of a matrix packed for ternary_linear: ternary.cpp. */
size_t packed_bytes(const tern__pack_request &request);
tern_status pack_weight(const tern__pack_request &request, void *to);

} // namespace tern_mlx

#endif
