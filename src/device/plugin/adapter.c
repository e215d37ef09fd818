/* SPDX-License-Identifier: MIT */
#include "device/plugin/adapter.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "device/plugin/load.h"

/* -- calls -------------------------------------------------------------------------------------*/

/* What these have beside their operands is for the CPU's rows alone. */
static bool may_have(tern__op op) {
    switch (op) {
    case TERN__OP_CONV1D:
    case TERN__OP_CONV2D:
    case TERN__OP_EINSUM:
    case TERN__OP_RMS_NORM_BACKWARD:
    case TERN__OP_LAYER_NORM_BACKWARD:
    case TERN__OP_MASKED_SELECT:
    case TERN__OP_NONZERO:
    case TERN__OP_UNIQUE:
        return false;
    default:
        return true;
    }
}

static void add_operand(const tern_tensor *t, int *count, tern__operand *list) {
    tern__operand *o = &list[(*count)++];
    o->data = t->data;
    o->rank = t->rank;
    o->dtype = t->dtype;
    o->bytes = tern_tensor_bytes(t);
    for (int i = 0; i < t->rank; i++) {
        o->dims[i] = t->dims[i];
        o->strides[i] = tern__strides(t)[i];
    }
}

bool tern__plugin_call(const tern__op_call *call, tern__device_call *flat) {
    if (!may_have(call->op))
        return false;
    flat->op = call->op;
    flat->in_count = flat->out_count = 0;
    flat->type = call->type;
    flat->number = call->number;
    flat->other_number = call->other_number;
    flat->position = call->position;
    flat->axis = call->axis;
    flat->axes = call->axes;
    flat->choice = call->choice;
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL; i++)
        add_operand(call->in[i], &flat->in_count, flat->in);
    if (call->op == TERN__OP_NORM_LINEAR) {
        const tern__projections *to = call->detail;
        for (int i = 0; i < to->count; i++) {
            add_operand(to->weights[i], &flat->in_count, flat->in);
            add_operand(to->outs[i], &flat->out_count, flat->out);
        }
        return true;
    }
    add_operand(call->out, &flat->out_count, flat->out);
    const tern_tensor *indices = NULL;
    if (call->op == TERN__OP_TOPK)
        indices = ((const tern__topk *)call->detail)->indices;
    else if (call->op == TERN__OP_LINEAR_TOPK)
        indices = ((const tern__linear_topk *)call->detail)->indices;
    if (indices != NULL)
        add_operand(indices, &flat->out_count, flat->out);
    return true;
}

static tern_status check_packed(const tern__device *device, const tern_tensor *weight) {
    const tern__device *theirs = weight->context->device;
    if (strcmp(theirs->name, device->name) != 0)
        return tern__fail(TERN_E_ARGUMENT, "the weights are packed for device %s, this is %s",
                          theirs->name, device->name);
    return TERN_OK;
}

/* Contexts that compute in the memory of the host may share tensors, but no packed weights. */
static tern_status check_weights(const tern__device *device, const tern__op_call *call) {
    const tern__projections *to = call->op == TERN__OP_NORM_LINEAR ? call->detail : NULL;
    tern_status status = TERN_OK;
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL && status == TERN_OK; i++)
        if (call->in[i]->dtype == TERN_TERNARY)
            status = check_packed(device, call->in[i]);
    for (int i = 0; to != NULL && i < to->count && status == TERN_OK; i++)
        if (to->weights[i]->dtype == TERN_TERNARY)
            status = check_packed(device, to->weights[i]);
    return status;
}

static tern_status run_row(tern__device *device, const tern__op_call *call) {
    tern__plugin_device *p = tern__plugin_of(device);
    tern__device_call flat;
    tern_status packed = device->packs_itself ? check_weights(device, call) : TERN_OK;
    if (packed != TERN_OK)
        return packed;
    if (p->plugin->ops[call->op] != NULL && tern__plugin_call(call, &flat)) {
        tern__lock_acquire(&p->lock);
        tern_status status = p->plugin->ops[call->op](p->state, &flat);
        tern__lock_release(&p->lock);
        if (status != TERN_E_UNSUPPORTED) {
            p->native_calls[call->op]++;
            return status;
        }
    }
    p->fallback_calls[call->op]++;
    return tern__plugin_fall_back(p, call);
}

/* -- facts -------------------------------------------------------------------------------------*/

static void close_plugin(tern__device *device) {
    tern__plugin_device *p = tern__plugin_of(device);
    p->plugin->close(p->state);
    tern__lock_deinit(&p->lock);
    tern__os()->free(p);
}

static void describe_plugin(const tern__device *device, char *text, size_t size) {
    const tern__plugin_device *p = (const tern__plugin_device *)device;
    snprintf(text, size, "%s: %s, %s; the rest by %s", p->plugin->name, p->facts.model,
             p->facts.library, p->host->description);
}

static int count_threads(const tern__device *device) {
    return tern_context_threads(((const tern__plugin_device *)device)->host);
}

static bool find_kernel(const tern__device *device, int index, tern_kernel_info *info) {
    const tern__device *cpu = ((const tern__plugin_device *)device)->host->device;
    return cpu->kernel(cpu, index, info);
}

static tern_status wait_plugin(tern__device *device) {
    tern__plugin_device *p = tern__plugin_of(device);
    tern__lock_acquire(&p->lock);
    tern_status status = p->plugin->wait(p->state);
    tern__lock_release(&p->lock);
    return status;
}

/* -- who does what -----------------------------------------------------------------------------*/

/* Without a row of their own they are made of their steps. */
static bool is_made_of_steps(const tern__plugin *plugin, tern__op op) {
    bool is_fused =
        op == TERN__OP_NORM_LINEAR || op == TERN__OP_NORM_LINEAR_ADD || op == TERN__OP_NORM_GLU;
    return is_fused && plugin->ops[op] == NULL;
}

/* Of steps, that of the least exact one. */
static double tolerance_of(const tern__plugin *plugin, tern__op op) {
    if (!is_made_of_steps(plugin, op))
        return plugin->tolerance[op];
    double norm = plugin->tolerance[TERN__OP_RMS_NORM];
    double product = plugin->tolerance[TERN__OP_TERNARY_LINEAR];
    return norm > product ? norm : product;
}

static tern_place place_of_fused(const tern__plugin *plugin) {
    return tern__plugin_place(plugin, TERN__OP_RMS_NORM) == TERN_PLACE_NATIVE
               ? tern__plugin_place(plugin, TERN__OP_TERNARY_LINEAR)
               : TERN_PLACE_FALLBACK;
}

tern_place tern__plugin_place(const tern__plugin *plugin, tern__op op) {
    if (plugin->ops[op] != NULL && may_have(op))
        return TERN_PLACE_NATIVE;
    switch (op) {
    case TERN__OP_PACK:
    case TERN__OP_PACK_RANDOM:
        return plugin->pack_weight != NULL ? TERN_PLACE_NATIVE : TERN_PLACE_FALLBACK;
    case TERN__OP_NORM_LINEAR:
    case TERN__OP_NORM_LINEAR_ADD:
    case TERN__OP_NORM_GLU:
        return place_of_fused(plugin);
    case TERN__OP_CONCAT: /* copies, one after the other */
    case TERN__OP_STACK:
    case TERN__OP_PAD:
    case TERN__OP_TILE:
    case TERN__OP_REPEAT:
        return tern__plugin_place(plugin, TERN__OP_COPY);
#define LINALG_CASE(symbol, ...) case TERN__OP_##symbol:
        TERN__OP_LINALG(LINALG_CASE)
#undef LINALG_CASE
        return plugin->map != NULL ? TERN_PLACE_ABSENT : TERN_PLACE_FALLBACK;
    default:
        return TERN_PLACE_FALLBACK;
    }
}

static void tell_op(const tern__device *device, tern__op op, tern_context_op_info *info) {
    const tern__plugin_device *p = (const tern__plugin_device *)device;
    info->place = tern__plugin_place(p->plugin, op);
    info->tolerance = tolerance_of(p->plugin, op);
    info->native_calls = p->native_calls[op];
    info->fallback_calls = p->fallback_calls[op];
}

/* Ternary weights are as the plug-in packs them, there is no choice. */
static void choose_storage(tern__device *device, size_t bytes, const char *directory,
                           tern__storage_choice *choice) {
    (void)bytes, (void)directory;
    choice->packing = TERN__PACKING_TRITS4;
    snprintf(choice->reason, sizeof choice->reason, "the storage of device %s", device->name);
}

/* -- memory ------------------------------------------------------------------------------------*/

static void *map_pages(void *user, size_t bytes) {
    tern__plugin_device *p = user;
    tern__lock_acquire(&p->lock);
    void *pages = p->plugin->map(p->state, bytes);
    tern__lock_release(&p->lock);
    return pages;
}

static void unmap_pages(void *user, void *pages, size_t bytes) {
    tern__plugin_device *p = user;
    tern__lock_acquire(&p->lock);
    p->plugin->unmap(p->state, pages, bytes);
    tern__lock_release(&p->lock);
}

static tern_status write_bytes(void *user, void *to, const void *from_host, size_t bytes) {
    tern__plugin_device *p = user;
    tern__lock_acquire(&p->lock);
    tern_status status = p->plugin->copy_in(p->state, to, from_host, bytes);
    tern__lock_release(&p->lock);
    return status;
}

static tern_status read_bytes(void *user, void *to_host, const void *from, size_t bytes) {
    tern__plugin_device *p = user;
    tern__lock_acquire(&p->lock);
    tern_status status = p->plugin->copy_out(p->state, to_host, from, bytes);
    tern__lock_release(&p->lock);
    return status;
}

static void set_memory(tern__plugin_device *p) {
    p->memory = (tern__device_memory){
        .source = {.name = p->plugin->name, .map = map_pages, .unmap = unmap_pages, .user = p},
        .write = write_bytes,
        .read = read_bytes,
        .user = p};
    p->base.memory = &p->memory;
}

/* -- opening -----------------------------------------------------------------------------------*/

static const tern__device plugin_device = {
    .close = close_plugin,
    .describe = describe_plugin,
    .threads = count_threads,
    .kernel = find_kernel,
    .wait = wait_plugin,
    .tell_op = tell_op,
    .pack = tern__plugin_pack,
    .pack_int = tern__plugin_pack_int,
    .check_packed = check_packed,
    .choose_storage = choose_storage,
};

/* A row wherever the plug-in or the CPU has one; the fused ones are made of their steps where the
 * plug-in has none. */
static void set_rows(tern__plugin_device *p) {
    for (int op = 0; op < TERN__OP_COUNT; op++)
        if (p->plugin->ops[op] != NULL || p->host->device->ops[op] != NULL)
            p->base.ops[op] = run_row;
    const tern__op fused[] = {TERN__OP_NORM_LINEAR, TERN__OP_NORM_LINEAR_ADD, TERN__OP_NORM_GLU};
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++)
        if (p->plugin->ops[fused[i]] == NULL)
            p->base.ops[fused[i]] = NULL;
}

/* Puts the device's name in front of the words of a failure. */
static tern_status name_failure(tern_status status, const char *name) {
    char detail[400];
    snprintf(detail, sizeof detail, "%s", tern_last_error());
    return tern__fail(status, "device %s: %s", name, detail);
}

tern_status tern__plugin_device_open(const char *name, tern_context *host, tern__device **out) {
    *out = NULL;
    char path[TERN__PLUGIN_PATH];
    const tern__plugin *plugin = NULL;
    tern_status status = tern__plugin_load(name, &plugin, path);
    if (status != TERN_OK)
        return name_failure(status, name);
    tern__plugin_device *p = tern__os()->alloc(sizeof *p);
    if (p == NULL)
        return tern__fail(TERN_E_MEMORY, "device %s: no memory", name);
    status = plugin->probe(&tern__plugin_host_table, &p->facts);
    if (status == TERN_OK)
        status = plugin->open(&tern__plugin_host_table, &p->state);
    if (status != TERN_OK) {
        tern__os()->free(p);
        return name_failure(status, name);
    }
    tern__lock_init(&p->lock);
    p->base = plugin_device;
    p->base.name = plugin->name;
    p->base.packs_itself = plugin->pack_weight != NULL;
    p->plugin = plugin;
    p->host = host;
    if (plugin->map != NULL)
        set_memory(p);
    set_rows(p);
    *out = &p->base;
    return TERN_OK;
}
