/* SPDX-License-Identifier: MIT
 *
 * The rows of operations with packed ternary weights. The rows of x are normalised if asked for and
 * quantised, then all products are made of them: two launches, one for a single token. Weights of
 * one call that differ in having block scales take a launch each.
 */
#include "device/cuda/ternary.h"

/* The activations of a call, and its weights as parts. */
struct fused_call {
    ternary_activations rows;
    ternary_product product;
};

static tern_status add_part(cuda_device *d, fused_call *fused, const tern__operand *weight,
                            float *out) {
    ternary_product *product = &fused->product;
    ternary_part *part = &product->parts[product->part_count++];
    part->out = out;
    return cuda_ternary_view(d, weight, &part->weight);
}

/* What all rows have: x, and the columns of the weights. */
static tern_status open_call(const tern__device_call *call, const tern__operand *weight,
                             fused_call *fused) {
    const tern__operand *x = &call->in[0];
    *fused = {};
    if (x->dtype != TERN_F32 || weight->rank != 2 || weight->dims[1] > TERNARY_COLUMNS_MAX)
        return cuda_decline();
    ternary_product *product = &fused->product;
    product->columns = weight->dims[1];
    product->chunks = (int)((product->columns + TERNARY_CHUNK - 1) / TERNARY_CHUNK);
    product->n = 1;
    for (int i = 0; i < x->rank - 1; i++)
        product->n *= x->dims[i];
    ternary_activations *rows = &fused->rows;
    rows->x = *x;
    rows->epsilon = (float)call->number;
    rows->n = product->n;
    rows->columns = (int)product->columns;
    rows->padded = product->chunks * TERNARY_CHUNK;
    return TERN_OK;
}

static tern_status use_norm(const tern__operand *norm, fused_call *fused) {
    if (norm->dtype != TERN_F32 || (norm->dims[0] > 1 && norm->strides[0] != 1))
        return cuda_decline();
    fused->rows.norm = (const float *)norm->data;
    return TERN_OK;
}

/* Weights with one scale and weights with block scales have kernels of their own. */
static bool is_even(const ternary_product *product) {
    bool even = true;
    for (int i = 1; i < product->part_count; i++)
        even &= (product->parts[i].weight.block_scales != NULL) ==
                (product->parts[0].weight.block_scales != NULL);
    return even;
}

/* One part after the other. */
static tern_status multiply_parts(cuda_device *d, const ternary_product *product) {
    tern_status status = TERN_OK;
    for (int i = 0; status == TERN_OK && i < product->part_count; i++) {
        ternary_product one = *product;
        one.parts[0] = product->parts[i];
        one.part_count = 1;
        one.is_gated = false;
        if (product->is_gated) /* both have the same result */
            one.finish = i == 0 ? TERNARY_STORE : TERNARY_GATE;
        status = cuda_ternary_multiply(d, &one);
    }
    return status;
}

static tern_status run(cuda_device *d, fused_call *fused) {
    ternary_activations *rows = &fused->rows;
    ternary_product *product = &fused->product;
    size_t q_bytes = (size_t)rows->n * (size_t)rows->padded;
    void *scratch = NULL;
    bool even = is_even(product);
    if (product->n == 0)
        return TERN_OK;
    if (even && cuda_ternary_is_one_launch(d, product))
        return cuda_ternary_one_launch(d, product, rows);
    tern_status status = cuda_scratch(d, q_bytes + (size_t)rows->n * sizeof(float), &scratch);
    if (status != TERN_OK)
        return status;
    product->q = rows->q = (int8_t *)scratch;
    product->s = rows->s = (float *)((uint8_t *)scratch + q_bytes);
    status = cuda_ternary_quantize(d, rows);
    if (status != TERN_OK)
        return status;
    return even ? cuda_ternary_multiply(d, product) : multiply_parts(d, product);
}

tern_status cuda_ternary_linear(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    fused_call fused;
    tern_status status = open_call(call, &call->in[1], &fused);
    if (status == TERN_OK)
        status = add_part(d, &fused, &call->in[1], (float *)call->out[0].data);
    return status == TERN_OK ? run(d, &fused) : status;
}

tern_status cuda_norm_linear(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    fused_call fused;
    tern_status status = open_call(call, &call->in[2], &fused);
    if (status == TERN_OK)
        status = use_norm(&call->in[1], &fused);
    for (int i = 0; status == TERN_OK && i < call->out_count; i++)
        status = add_part(d, &fused, &call->in[2 + i], (float *)call->out[i].data);
    return status == TERN_OK ? run(d, &fused) : status;
}

tern_status cuda_norm_linear_add(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    fused_call fused;
    tern_status status = open_call(call, &call->in[2], &fused);
    if (status == TERN_OK)
        status = use_norm(&call->in[1], &fused);
    if (status == TERN_OK)
        status = add_part(d, &fused, &call->in[2], (float *)call->out[0].data);
    fused.product.finish = TERNARY_ADD;
    fused.product.residual = (const float *)call->in[3].data;
    return status == TERN_OK ? run(d, &fused) : status;
}

tern_status cuda_norm_glu(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    fused_call fused;
    tern_status status = open_call(call, &call->in[2], &fused);
    if (status == TERN_OK)
        status = use_norm(&call->in[1], &fused);
    for (int i = 0; status == TERN_OK && i < 2; i++)
        status = add_part(d, &fused, &call->in[2 + i], (float *)call->out[0].data);
    fused.product.is_gated = true;
    fused.product.activation = call->choice;
    return status == TERN_OK ? run(d, &fused) : status;
}
