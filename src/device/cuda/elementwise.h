/* SPDX-License-Identifier: MIT
 *
 * Operations element by element: what the kernels of elementwise*.cu get. Operands are read as the
 * type that is computed in (plain_cuda.h), the result is rounded from it once.
 */
#ifndef TERN__ELEMENTWISE_CUDA_H
#define TERN__ELEMENTWISE_CUDA_H

#include "device/cuda/plain_cuda.h"
#include "device/cuda/walk_cuda.h"

enum { CUDA_ELEMENT_THREADS = 256 };

typedef struct cuda_elements {
    cuda_walk walk; /* the result, then the operands */
    void *out;
    const void *in[3]; /* those that are not there: NULL */
    int out_type, in_type[3];
    tern__op op;
    int type;       /* of the call */
    int activation; /* of BIAS_ACTIVATION */
    bool equal_nan; /* of ISCLOSE */
    double p, q;    /* the numbers of the call */
    uint64_t seed;  /* of DROPOUT */
} cuda_elements;

/* Each launches the kernel of its operations for the type `hub`; TERN_E_UNSUPPORTED as an error
 * never comes from here. */
cudaError_t cuda_map_launch(const cuda_device *device, const cuda_elements &elements,
                            tern_dtype hub, unsigned blocks);
cudaError_t cuda_function_launch(const cuda_device *device, const cuda_elements &elements,
                                 tern_dtype hub, unsigned blocks);
cudaError_t cuda_pair_launch(const cuda_device *device, const cuda_elements &elements,
                             tern_dtype hub, unsigned blocks);

/* Runs `body` for each element: `a`, `b`, `c` are the operands, `r` is the result. */
#define CUDA_ELEMENT_LOOP(H, call, body)                                                           \
    CUDA_EACH(i, (call).walk.count) {                                                              \
        int64_t at[CUDA_WALK_OPERANDS];                                                            \
        cuda_walk_at((call).walk, i, at);                                                          \
        H a = cuda_load<H>((call).in[0], (call).in_type[0], at[1]), b = a, c = a, r;               \
        if ((call).in[1] != NULL)                                                                  \
            b = cuda_load<H>((call).in[1], (call).in_type[1], at[2]);                              \
        if ((call).in[2] != NULL)                                                                  \
            c = cuda_load<H>((call).in[2], (call).in_type[2], at[3]);                              \
        body;                                                                                      \
        cuda_store<H>((call).out, (call).out_type, at[0], r);                                      \
    }

#endif
