/* SPDX-License-Identifier: MIT
 * Operations of a device by the CPU. Where the host reaches the device's tensors the CPU's row gets
 * them as they are. Else each one has a twin in the host context for the time of the call. */
#include <string.h>

#include "base/status.h"
#include "device/norm_call.h"
#include "device/plugin/adapter.h"
#include "tensor/reach.h"

enum { MOST_TWINS = 16 };

typedef struct staged {
    tern_tensor *of, *is;
    bool is_written, is_compact; /* the twin is contiguous, as `of` is, and was not read */
} staged;

typedef struct stage {
    tern_context *host;
    int count;
    staged twins[MOST_TWINS];
} stage;

/* The twin of a tensor that is read, and perhaps written too. */
static tern_status bring(stage *s, tern_tensor *t, bool is_written, tern_tensor **is) {
    *is = NULL;
    if (t == NULL)
        return TERN_OK;
    for (int i = 0; i < s->count; i++)
        if (s->twins[i].of == t && !s->twins[i].is_compact) {
            s->twins[i].is_written |= is_written;
            *is = s->twins[i].is;
            return TERN_OK;
        }
    staged *made = &s->twins[s->count];
    *made = (staged){.of = t, .is_written = is_written};
    tern_status status = tern__host_twin(t, &made->is);
    if (status != TERN_OK)
        return status;
    s->count++;
    *is = made->is;
    return TERN_OK;
}

/* The same for one that is written all over: what it had does not matter unless there are bytes
 * between its elements. */
static tern_status make_room(stage *s, tern_tensor *t, tern_tensor **is) {
    if (!tern_tensor_is_contiguous(t))
        return bring(s, t, true, is);
    staged *made = &s->twins[s->count];
    tern_shape shape = tern_tensor_shape(t);
    *made = (staged){.of = t, .is_written = true, .is_compact = true};
    tern_status status =
        tern__tensor_empty(s->host, (tern_dtype)t->dtype, &shape, "to_host", &made->is);
    if (status != TERN_OK)
        return status;
    s->count++;
    *is = made->is;
    return TERN_OK;
}

/* -- what calls have beside their operands -----------------------------------------------------*/

typedef union detail {
    tern__topk topk;
    tern__linear_topk linear_topk;
    tern__picks picks;
    tern__unique unique;
    tern__norm_gradients gradients;
    struct {
        tern__projections to;
        tern_tensor *weights[TERN__PROJECTIONS];
    } projections;
} detail;

static tern_status bring_unique(stage *s, const tern__unique *from, tern__unique *to) {
    tern_status status;
    TERN__TRY(bring(s, from->order, true, &to->order));
    TERN__TRY(bring(s, from->groups, true, &to->groups));
    TERN__TRY(bring(s, from->firsts, true, &to->firsts));
    TERN__TRY(bring(s, from->counts, true, &to->counts));
    TERN__TRY(bring(s, from->inverse, true, &to->inverse));
done:
    return status;
}

static tern_status bring_gradients(stage *s, const tern__norm_gradients *from,
                                   tern__norm_gradients *to) {
    tern_status status;
    TERN__TRY(bring(s, from->x, true, &to->x));
    TERN__TRY(bring(s, from->weight, true, &to->weight));
    TERN__TRY(bring(s, from->bias, true, &to->bias));
done:
    return status;
}

/* The first result is the call's. */
static tern_status bring_projections(stage *s, const tern__projections *from, tern_tensor *out,
                                     detail *to) {
    to->projections.to = (tern__projections){
        .count = from->count, .weights = to->projections.weights, .outs = {out}};
    tern_status status = TERN_OK;
    for (int i = 0; i < from->count && status == TERN_OK; i++) {
        status = bring(s, from->weights[i], false, &to->projections.weights[i]);
        if (status == TERN_OK && i > 0)
            status = make_room(s, from->outs[i], &to->projections.to.outs[i]);
    }
    return status;
}

static tern_status bring_detail(stage *s, tern__op_call *call, detail *d) {
    const void *from = call->detail;
    if (from == NULL)
        return TERN_OK;
    switch (call->op) {
    case TERN__OP_TOPK:
        call->detail = &d->topk;
        return bring(s, ((const tern__topk *)from)->indices, true, &d->topk.indices);
    case TERN__OP_LINEAR_TOPK:
        call->detail = &d->linear_topk;
        return bring(s, ((const tern__linear_topk *)from)->indices, true, &d->linear_topk.indices);
    case TERN__OP_MASKED_SELECT:
    case TERN__OP_NONZERO: {
        tern_tensor *blocks = NULL;
        const tern_tensor *theirs = ((const tern__picks *)from)->blocks;
        tern_status status = bring(s, (tern_tensor *)(uintptr_t)theirs, false, &blocks);
        d->picks.blocks = blocks;
        call->detail = &d->picks;
        return status;
    }
    case TERN__OP_UNIQUE:
        call->detail = &d->unique;
        return bring_unique(s, from, &d->unique);
    case TERN__OP_RMS_NORM_BACKWARD:
    case TERN__OP_LAYER_NORM_BACKWARD:
        call->detail = &d->gradients;
        return bring_gradients(s, from, &d->gradients);
    case TERN__OP_NORM_LINEAR:
        call->detail = &d->projections.to;
        return bring_projections(s, from, call->out, d);
    default: /* no tensors */
        return TERN_OK;
    }
}

/* -- the call ----------------------------------------------------------------------------------*/

static tern_status bring_back(const stage *s) {
    tern_status status = TERN_OK;
    for (int i = 0; i < s->count && status == TERN_OK; i++) {
        const staged *t = &s->twins[i];
        if (!t->is_written)
            continue;
        status = t->is_compact ? tern__tensor_write(t->of, 0, t->is->data, tern_tensor_bytes(t->of))
                               : tern__host_twin_return(t->is, t->of);
    }
    return status;
}

/* UNIQUE's result is one of its detail's tensors. */
static tern_status bring_operands(stage *s, tern__op_call *call, detail *d) {
    tern_status status;
    tern_tensor *out = call->out;
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL; i++)
        TERN__TRY(bring(s, call->in[i], false, &call->in[i]));
    if (out != NULL)
        TERN__TRY(call->op == TERN__OP_UNIQUE ? bring(s, out, true, &call->out)
                                              : make_room(s, out, &call->out));
    TERN__TRY(bring_detail(s, call, d));
done:
    return status;
}

/* Ternary weights in the plug-in's form: only its own rows read them. */
static bool has_foreign_form(const tern__plugin_device *p, const tern__op_call *call) {
    bool is_found = false;
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL; i++)
        is_found = is_found || call->in[i]->dtype == TERN_TERNARY;
    const tern__projections *to = call->op == TERN__OP_NORM_LINEAR ? call->detail : NULL;
    for (int i = 0; to != NULL && i < to->count; i++)
        is_found = is_found || to->weights[i]->dtype == TERN_TERNARY;
    return is_found && p->base.packs_itself;
}

tern_status tern__plugin_fall_back(tern__plugin_device *p, const tern__op_call *call) {
    tern__device *cpu = p->host->device;
    tern__op_call own = *call;
    own.context = p->host;
    if (has_foreign_form(p, call))
        return tern__fail(TERN_E_UNSUPPORTED,
                          "%s: not by device %s, and only it can read the packed weights",
                          tern__op_name(call->op), p->base.name);
    if (cpu->ops[call->op] == NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "%s: device %s does not have it",
                          tern__op_name(call->op), p->base.name);
    if (p->base.memory == NULL)
        return cpu->ops[call->op](cpu, &own);
    stage s = {.host = p->host};
    detail d;
    memset(&d, 0, sizeof d);
    tern_status status = bring_operands(&s, &own, &d);
    if (status == TERN_OK)
        status = cpu->ops[call->op](cpu, &own);
    if (status == TERN_OK)
        status = bring_back(&s);
    while (s.count > 0)
        tern_tensor_release(s.twins[--s.count].is);
    return status;
}

/* -- packing -----------------------------------------------------------------------------------*/

static tern_status codes_of(const tern__pack_request *request, int64_t first, int64_t count,
                            int64_t padded, uint8_t *codes, float *scales) {
    const tern__code_source *source = request->user;
    return source->rows_fn(source, first, count, padded, codes, scales);
}

static tern_status pack_there(tern__plugin_device *p, tern_context *context,
                              const tern__code_source *source, tern_tensor **out) {
    const tern__pack_request request = {.rows = source->rows,
                                        .columns = source->columns,
                                        .scale = source->scale,
                                        .block_columns = source->block_columns,
                                        .codes = codes_of,
                                        .user = source};
    int64_t k_max = tern__packings[TERN__PACKING_TRITS4].k_max;
    size_t bytes = 0;
    if (source->columns > k_max)
        return tern__fail(TERN_E_LIMIT, "pack: %lld columns, at most %lld",
                          (long long)source->columns, (long long)k_max);
    tern_status status = p->plugin->packed_bytes(p->state, &request, &bytes);
    if (status == TERN_OK)
        status = tern__tensor_opaque(context, TERN_TERNARY,
                                     &(tern_shape){2, {source->rows, source->columns}}, bytes,
                                     source->op, out);
    if (status == TERN_OK) {
        tern__lock_acquire(&p->lock);
        status = p->plugin->pack_weight(p->state, &request, (*out)->data);
        tern__lock_release(&p->lock);
    }
    if (status != TERN_OK) {
        tern_tensor_release(*out);
        *out = NULL;
    }
    return status;
}

/* Takes the packed tensor of the host context to the device, byte by byte. */
static tern_status take_there(tern_status status, tern_tensor *packed, tern_context *context,
                              const char *op, tern_tensor **out) {
    size_t bytes = packed != NULL ? tern_tensor_bytes(packed) : 0;
    if (status == TERN_OK) {
        tern_shape shape = tern_tensor_shape(packed);
        status = tern__tensor_opaque(context, (tern_dtype)packed->dtype, &shape, bytes, op, out);
    }
    if (status == TERN_OK)
        status = tern__tensor_write(*out, 0, packed->data, bytes);
    if (status != TERN_OK) {
        tern_tensor_release(*out);
        *out = NULL;
    }
    tern_tensor_release(packed);
    return status;
}

static tern__op pack_op(const tern__code_source *source) {
    const char *random = tern__op_name(TERN__OP_PACK_RANDOM);
    return strcmp(source->op, random) == 0 ? TERN__OP_PACK_RANDOM : TERN__OP_PACK;
}

tern_status tern__plugin_pack(tern__device *device, tern_context *context,
                              const tern__code_source *source, tern_tensor **out) {
    tern__plugin_device *p = tern__plugin_of(device);
    tern__device *cpu = p->host->device;
    tern_tensor *packed = NULL;
    *out = NULL;
    if (p->plugin->pack_weight != NULL) {
        p->native_calls[pack_op(source)]++;
        return pack_there(p, context, source, out);
    }
    p->fallback_calls[pack_op(source)]++;
    if (p->base.memory == NULL)
        return cpu->pack(cpu, context, source, out);
    tern_status status = cpu->pack(cpu, p->host, source, &packed);
    return take_there(status, packed, context, source->op, out);
}

tern_status tern__plugin_pack_int(tern__device *device, tern_tensor *weight, int bits,
                                  tern_tensor **out) {
    tern__plugin_device *p = tern__plugin_of(device);
    tern__device *cpu = p->host->device;
    tern_tensor *twin = NULL, *packed = NULL;
    *out = NULL;
    p->fallback_calls[TERN__OP_PACK_INT]++;
    if (p->base.memory == NULL)
        return cpu->pack_int(cpu, weight, bits, out);
    tern_status status = tern__host_twin(weight, &twin);
    if (status == TERN_OK)
        status = cpu->pack_int(cpu, twin, bits, &packed);
    tern_tensor_release(twin);
    return take_there(status, packed, weight->context, "pack_int", out);
}
