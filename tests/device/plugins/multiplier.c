/* SPDX-License-Identifier: MIT
 *
 * An accelerator for products of F32 matrices and copies of F32, in the memory of the host. Ternary
 * weights it packs in a form of its own, and then has no product for them after all.
 *
 *   TERN_MULTIPLIER   "wrong": an element is; "nan": an element is none; "inexact": it does not
 *                     keep the bits and does not promise to
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/plugin.h"

enum { MOST_ROWS = 512 };

static const tern__plugin_host *lender;

/* Operations that nobody has waited for. */
__attribute__((visibility("default"))) extern int multiplier_pending;
int multiplier_pending;

static bool is(const char *mode) {
    const char *text = getenv("TERN_MULTIPLIER");
    return text != NULL && strcmp(text, mode) == 0;
}

static tern_status probe(const tern__plugin_host *host, tern__plugin_facts *facts) {
    (void)host;
    strcpy(facts->model, "multiplier");
    strcpy(facts->library, "for tests");
    facts->is_accelerator = true;
    facts->keeps_bits = !is("inexact");
    return TERN_OK;
}

static tern_status open_device(const tern__plugin_host *host, void **device) {
    lender = host;
    *device = &multiplier_pending;
    return TERN_OK;
}

static void close_device(void *device) {
    (void)device;
}

static tern_status nothing(void *device) {
    (void)device;
    return TERN_OK;
}

static tern_status wait_device(void *device) {
    *(int *)device = 0;
    return TERN_OK;
}

static const float *at(const tern__operand *x, int64_t i, int64_t j) {
    return (const float *)x->data + i * x->strides[0] + j * x->strides[1];
}

static tern_status multiply(void *device, const tern__device_call *call) {
    const tern__operand *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
    if (a->rank != 2 || b->rank != 2 || call->type != TERN_F32)
        return TERN_E_UNSUPPORTED;
    if (out->dims[0] > MOST_ROWS)
        return lender->fail(TERN_E_LIMIT, "%d rows are too many", (int)out->dims[0]);
    for (int64_t i = 0; i < out->dims[0]; i++)
        for (int64_t j = 0; j < out->dims[1]; j++) {
            float sum = 0;
            for (int64_t k = 0; k < a->dims[1]; k++)
                sum = fmaf(*at(a, i, k), *at(b, k, j), sum);
            *(float *)(uintptr_t)at(out, i, j) = sum;
        }
    float *last = (float *)(uintptr_t)at(out, out->dims[0] - 1, out->dims[1] - 1);
    if (is("wrong"))
        *last += 1;
    if (is("nan"))
        *last = NAN;
    *(int *)device += 1;
    return TERN_OK;
}

static tern_status copy(void *device, const tern__device_call *call) {
    const tern__operand *from = &call->in[0], *out = &call->out[0];
    bool is_vector = from->rank == 1 && from->strides[0] == 1 && out->strides[0] == 1;
    if (!is_vector || from->dtype != TERN_F32 || out->dtype != TERN_F32 ||
        from->bytes != out->bytes)
        return TERN_E_UNSUPPORTED;
    memcpy(out->data, from->data, out->bytes);
    *(int *)device += 1;
    return TERN_OK;
}

static tern_status decline(void *device, const tern__device_call *call) {
    (void)device, (void)call;
    return TERN_E_UNSUPPORTED;
}

static tern_status packed_bytes(void *device, const tern__pack_request *request, size_t *bytes) {
    (void)device;
    *bytes = (size_t)(request->rows * request->columns);
    return TERN_OK;
}

static tern_status pack_weight(void *device, const tern__pack_request *request, void *to) {
    (void)device;
    memset(to, 0x55, (size_t)(request->rows * request->columns));
    return TERN_OK;
}

static const tern__plugin plugin = {
    .abi = TERN__PLUGIN_ABI,
    .struct_bytes = sizeof plugin,
    .op_count = TERN__OP_COUNT,
    .name = "multiplier",
    .tern = TERN_PLUGIN_VERSION,
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .packed_bytes = packed_bytes,
    .pack_weight = pack_weight,
    .submit = nothing,
    .wait = wait_device,
    .tolerance = {[TERN__OP_MATMUL_WITH] = 0.01},
    .ops = {[TERN__OP_MATMUL] = multiply,
            [TERN__OP_MATMUL_WITH] = decline,
            [TERN__OP_COPY] = copy,
            [TERN__OP_TERNARY_LINEAR] = decline},
};

const tern__plugin *tern_plugin(void) {
    return &plugin;
}
