/* SPDX-License-Identifier: MIT
 *
 * Packed ternary matrices on the GPU, and the product y = W x with activations of 8 bits.
 *
 * A matrix (M, K) is cut into tiles of 16 rows (a panel) and 128 columns (a chunk). A tile is 512
 * bytes: what the 32 lanes of a warp load with 16 bytes each is what they feed to mma.m16n8k32.
 * Word r of lane l holds, as four bytes of four fields of two bits,
 *
 *     row  l / 4 + 8 (r % 2)
 *     column  32 (l % 4) + 8 f + 4 (r / 2) + b     in byte b, bits 2f and 2f + 1
 *
 * so that field f of the words is the fragment of A in step f of four; a step is 32 columns. The
 * fragments of B for all four steps then are 32 bytes of a row of activations that lie together,
 * from column 32 (l % 4) on. A dot product without tensor cores reads the same way.
 *
 * A trit is stored in two's complement (11, 00, 01), so that `word << 6 - 2f & 0xc0c0c0c0` is four
 * int8 of 64 times the trits, in two instructions and without a correction. Sums of 64 trit q fit
 * int32 as long as 64 * 127 * K < 2^31: K <= 2^18, which is also the CPU's bound.
 *
 * The packed form: a header of 64 bytes that begins with the scale of all weights; scales of blocks
 * of 256 columns where there are such, F32 (K / 256, panels * 16); tiles (panels, chunks). K is
 * padded with zeros to whole chunks, M to whole panels.
 */
#ifndef TERN__CUDA_TERNARY_H
#define TERN__CUDA_TERNARY_H

#include "device/cuda/cuda.h"

enum {
    TERNARY_PANEL = 16,
    TERNARY_CHUNK = 128,
    TERNARY_TILE_BYTES = 512,
    TERNARY_BLOCK = 256, /* columns that share a scale */
    TERNARY_HEADER = 64,
    TERNARY_COLUMNS_MAX = 1 << 18,
    TERNARY_PARTS = TERN_PROJECTIONS_MAX
};

/* A packed matrix as kernels see it, in memory of the device. */
struct ternary_weight {
    const float *scale;        /* of all weights, where there are no others */
    const float *block_scales; /* (K / 256, panels * 16); NULL: one scale */
    const uint4 *tiles;        /* (panels, chunks, 32 lanes) */
    int64_t rows;
    int panels;
};

/* What becomes of a product y. */
enum ternary_finish {
    TERNARY_STORE,
    TERNARY_ADD, /* y + residual */
    TERNARY_GATE /* activation(what `out` holds) * y */
};

struct ternary_part {
    ternary_weight weight;
    float *out; /* (N, rows) */
};

/* Products of the same activations by up to three matrices that all have one scale or all have
 * block scales. */
struct ternary_product {
    ternary_part parts[TERNARY_PARTS];
    int part_count;
    bool is_gated; /* two parts: the first gets activation(y of the first) * y of the second */
    ternary_finish finish;
    int activation;        /* tern_activation */
    const float *residual; /* (N, rows) */
    int64_t columns;       /* K */
    int chunks;
    int64_t n;
    const int8_t *q; /* (N, chunks * 128) */
    const float *s;  /* (N): what the activations were multiplied by */
};

/* Rows to be quantised as the activations of a product. */
struct ternary_activations {
    tern__operand x;   /* rows along the last axis, any strides */
    const float *norm; /* (K): the weight of rms_norm, which comes first; NULL: none */
    float epsilon;
    int64_t n;
    int columns, padded;
    int8_t *q; /* (N, padded) */
    float *s;  /* (N) */
};

/* The parts of a packed operand. TERN_E_UNSUPPORTED when it is not of this form. */
tern_status cuda_ternary_view(cuda_device *d, const tern__operand *weight, ternary_weight *view);

tern_status cuda_ternary_quantize(cuda_device *d, const ternary_activations *job);
tern_status cuda_ternary_multiply(cuda_device *d, const ternary_product *product);
/* The two ways of it: for few columns of y (any number, where there are no tensor cores), and for
 * many. */
tern_status cuda_ternary_gemv(cuda_device *d, const ternary_product *product);
tern_status cuda_ternary_gemm(cuda_device *d, const ternary_product *product);
/* A single row is quantised and multiplied in one launch, where that is faster: the product's q and
 * s, and those of the rows, are not used. */
bool cuda_ternary_is_one_launch(const cuda_device *d, const ternary_product *product);
tern_status cuda_ternary_one_launch(cuda_device *d, const ternary_product *product,
                                    const ternary_activations *rows);

/* Rows of the table of operations and of packing. */
tern_status cuda_packed_bytes(void *device, const tern__pack_request *request, size_t *bytes);
tern_status cuda_pack_weight(void *device, const tern__pack_request *request, void *to);
tern_status cuda_quantize_scale(void *device, const tern__device_call *call);
tern_status cuda_quantize(void *device, const tern__device_call *call);
tern_status cuda_ternary_linear(void *device, const tern__device_call *call);
tern_status cuda_norm_linear(void *device, const tern__device_call *call);
tern_status cuda_norm_linear_add(void *device, const tern__device_call *call);
tern_status cuda_norm_glu(void *device, const tern__device_call *call);

#endif
