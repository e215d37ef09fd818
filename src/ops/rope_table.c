/* SPDX-License-Identifier: MIT */
#include "base/realmath.h"
#include "base/status.h"
#include "tensor/tensor.h"

tern_status tern_rope_table(tern_context *context, int64_t positions, int64_t head_size,
                            double theta, tern_tensor **out) {
    *out = NULL;
    /* The bound keeps every angle inside the domain of our sine. */
    if (positions < 0 || positions > 1 << 22)
        return tern__fail(TERN_E_ARGUMENT, "rope table: %lld positions are not in 0..%d",
                          (long long)positions, 1 << 22);
    if (head_size < 2 || head_size % 2 != 0)
        return tern__fail(TERN_E_ARGUMENT, "rope table: head size %lld is not even",
                          (long long)head_size);
    if (!(theta >= 1 && theta <= 1e15))
        return tern__fail(TERN_E_ARGUMENT, "rope table: base %g is not in 1..1e15", theta);
    int64_t half = head_size / 2;
    tern_status status =
        tern_tensor_empty(context, TERN_F32, (tern_shape){3, {positions, 2, half}}, out);
    if (status != TERN_OK)
        return status;
    float *cosine = (*out)->data;
    for (int64_t i = 0; i < half; i++) {
        double frequency = tern__pow(theta, -2 * (double)i / (double)head_size);
        for (int64_t p = 0; p < positions; p++) {
            double s, c;
            tern__sincos((double)p * frequency, &s, &c);
            cosine[p * head_size + i] = (float)c;
            cosine[p * head_size + half + i] = (float)s;
        }
    }
    return TERN_OK;
}
