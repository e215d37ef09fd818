/* SPDX-License-Identifier: MIT
 * The rows of operations with packed weights: what they want of the one pass. */
#include "device/cpu/packed_pass.h"

/* Fills in what all rows have: x, and the weights with their results, checked. */
static tern_status open_pass(tern__device *device, const tern__op_call *call,
                             tern_tensor *const *weights, tern_tensor *const *outs, int count,
                             tern__packed_pass *pass) {
    *pass = (tern__packed_pass){.call = call,
                                .x = call->in[0],
                                .k = weights[0]->dims[1],
                                .epsilon = (float)call->number,
                                .part_count = count};
    pass->n = 1;
    for (int i = 0; i < call->in[0]->rank - 1; i++)
        pass->n *= call->in[0]->dims[i];
    for (int i = 0; i < count; i++) {
        tern_status status = tern__cpu_check_packed(device, weights[i]);
        if (status != TERN_OK)
            return status;
        pass->parts[i].weight = tern__packed_of(weights[i]);
        pass->parts[i].out = outs[i] != NULL ? outs[i]->data : NULL;
    }
    return TERN_OK;
}

tern_status tern__cpu_packed_linear(tern__device *device, const tern__op_call *call) {
    tern__packed_pass pass;
    tern_status status = open_pass(device, call, &call->in[1], &call->out, 1, &pass);
    return status == TERN_OK ? tern__packed_pass_run(device, &pass) : status;
}

tern_status tern__cpu_norm_linear(tern__device *device, const tern__op_call *call) {
    const tern__projections *to = call->detail;
    tern__packed_pass pass;
    tern_status status = open_pass(device, call, to->weights, to->outs, to->count, &pass);
    pass.norm = call->in[1]->data;
    return status == TERN_OK ? tern__packed_pass_run(device, &pass) : status;
}

tern_status tern__cpu_norm_linear_add(tern__device *device, const tern__op_call *call) {
    tern__packed_pass pass;
    tern_status status = open_pass(device, call, &call->in[2], &call->out, 1, &pass);
    pass.norm = call->in[1]->data;
    pass.residual = call->in[3]->data;
    return status == TERN_OK ? tern__packed_pass_run(device, &pass) : status;
}

tern_status tern__cpu_norm_glu(tern__device *device, const tern__op_call *call) {
    tern_tensor *const outs[2] = {call->out, NULL};
    tern__packed_pass pass;
    tern_status status = open_pass(device, call, &call->in[2], outs, 2, &pass);
    pass.norm = call->in[1]->data;
    pass.is_gated = true;
    return status == TERN_OK ? tern__packed_pass_run(device, &pass) : status;
}
