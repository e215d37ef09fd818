/* SPDX-License-Identifier: MIT
 *
 * A device for tests: memory of its own that nobody but it can touch, a few operations, and errors
 * on demand. docs/add-a-device.md begins with it.
 *
 *   TERN_TOY_MEMORY   bytes of memory (default 256 MiB)
 *   TERN_TOY_FAULT    "bit": a result has a wrong bit; "beside": one element too many is written;
 *                     "operand": an operand is changed; "decline": everything is left to the CPU;
 *                     "status": operations fail; "wait": waiting tells of an error
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sched.h>
#include <sys/mman.h>

#include "device/plugin.h"

typedef struct toy {
    const tern__plugin_host *host;
    uint8_t *memory; /* addresses that nobody can read or write */
    uint8_t *store;  /* what they stand for */
    size_t bytes, used;
    atomic_flag is_busy;
} toy;

static size_t memory_bytes(void) {
    const char *text = getenv("TERN_TOY_MEMORY");
    return text != NULL ? (size_t)strtoull(text, NULL, 10) & ~(size_t)4095 : (size_t)256 << 20;
}

static bool has_fault(const char *name) {
    const char *text = getenv("TERN_TOY_FAULT");
    return text != NULL && strcmp(text, name) == 0;
}

/* Nobody else may be in here. */
static toy *enter(void *device) {
    toy *t = device;
    if (atomic_flag_test_and_set(&t->is_busy)) {
        fputs("two threads use the toy\n", stderr);
        abort();
    }
    sched_yield(); /* whoever does not wait comes in now */
    return t;
}

static tern_status leave(toy *t) {
    atomic_flag_clear(&t->is_busy);
    return TERN_OK;
}

/* -- life --------------------------------------------------------------------------------------*/

static tern_status probe(const tern__plugin_host *host, tern__plugin_facts *facts) {
    (void)host;
    snprintf(facts->model, sizeof facts->model, "toy");
    snprintf(facts->library, sizeof facts->library, "for tests");
    facts->memory_bytes = facts->free_bytes = memory_bytes();
    facts->keeps_bits = true;
    facts->is_accelerator = getenv("TERN_TOY_FACTS") != NULL;
    return TERN_OK;
}

static void *pages(size_t bytes, int protection) {
    void *memory =
        mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

static void close_toy(void *device) {
    toy *t = device;
    if (t->memory != NULL)
        munmap(t->memory, t->bytes);
    if (t->store != NULL)
        munmap(t->store, t->bytes);
    free(t);
}

static tern_status open_toy(const tern__plugin_host *host, void **device) {
    toy *t = calloc(1, sizeof *t);
    if (t == NULL)
        return host->fail(TERN_E_MEMORY, "no memory");
    t->host = host;
    t->bytes = memory_bytes();
    t->memory = pages(t->bytes, PROT_NONE);
    t->store = pages(t->bytes, PROT_READ | PROT_WRITE);
    if (t->memory == NULL || t->store == NULL) {
        close_toy(t);
        return host->fail(TERN_E_MEMORY, "no address space");
    }
    *device = t;
    return TERN_OK;
}

/* -- memory: handed out from the front, taken back from the end --------------------------------*/

static void *map(void *device, size_t bytes) {
    toy *t = enter(device);
    void *memory = NULL;
    if (bytes <= t->bytes - t->used) {
        memory = t->memory + t->used;
        t->used += bytes;
    }
    leave(t);
    return memory;
}

static void unmap(void *device, void *memory, size_t bytes) {
    toy *t = enter(device);
    if ((uint8_t *)memory + bytes == t->memory + t->used)
        t->used -= bytes;
    leave(t);
}

static void *stored(const toy *t, const void *address) {
    return t->store + ((const uint8_t *)address - t->memory);
}

static tern_status copy_in(void *device, void *to, const void *from, size_t bytes) {
    toy *t = enter(device);
    memcpy(stored(t, to), from, bytes);
    return leave(t);
}

static tern_status copy_out(void *device, void *to, const void *from, size_t bytes) {
    toy *t = enter(device);
    memcpy(to, stored(t, from), bytes);
    return leave(t);
}

static tern_status copy_within(void *device, void *to, const void *from, size_t bytes) {
    toy *t = enter(device);
    memmove(stored(t, to), stored(t, from), bytes);
    return leave(t);
}

static tern_status nothing(void *device) {
    (void)device;
    return TERN_OK;
}

static tern_status wait_toy(void *device) {
    const toy *t = device;
    return has_fault("wait") ? t->host->fail(TERN_E_INTERNAL, "the toy broke") : TERN_OK;
}

/* -- operations --------------------------------------------------------------------------------*/

/* F32, contiguous, of one shape: everything else is left to the CPU. */
static bool is_simple(const tern__device_call *call) {
    const tern__operand *out = &call->out[0];
    for (int i = 0; i <= call->in_count; i++) {
        const tern__operand *o = i < call->in_count ? &call->in[i] : out;
        int64_t step = 1;
        if (o->dtype != TERN_F32 || o->rank != out->rank)
            return false;
        for (int axis = o->rank - 1; axis >= 0; axis--) {
            if (o->dims[axis] != out->dims[axis] || o->strides[axis] != step)
                return false;
            step *= o->dims[axis];
        }
    }
    return true;
}

static float apply(tern__op op, float a, float b) {
    return op == TERN__OP_ADD ? a + b : op == TERN__OP_MUL ? a * b : -a;
}

static tern_status compute(const toy *t, const tern__device_call *call) {
    if (!is_simple(call) || has_fault("decline"))
        return t->host->fail(TERN_E_UNSUPPORTED, "not simple");
    if (has_fault("status"))
        return t->host->fail(TERN_E_INTERNAL, "the toy broke");
    const float *a = stored(t, call->in[0].data), *b = stored(t, call->in[call->in_count - 1].data);
    float *out = stored(t, call->out[0].data);
    size_t count = call->out[0].bytes / sizeof *out;
    for (size_t i = 0; i < count; i++)
        out[i] = apply(call->op, a[i], b[i]);
    if (has_fault("beside"))
        out[count] = 0;
    if (has_fault("operand") && a != out)
        *(float *)stored(t, call->in[0].data) = 12;
    if (has_fault("bit"))
        *(uint8_t *)out ^= 1;
    return TERN_OK;
}

static tern_status arithmetic(void *device, const tern__device_call *call) {
    toy *t = enter(device);
    tern_status status = compute(t, call);
    leave(t);
    return status;
}

static const tern__plugin plugin = {
    .abi = TERN__PLUGIN_ABI,
    .struct_bytes = sizeof plugin,
    .op_count = TERN__OP_COUNT,
    .name = "toy",
    .tern = TERN_PLUGIN_VERSION,
    .probe = probe,
    .open = open_toy,
    .close = close_toy,
    .map = map,
    .unmap = unmap,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .copy_within = copy_within,
    .submit = nothing,
    .wait = wait_toy,
    .ops = {[TERN__OP_ADD] = arithmetic, [TERN__OP_MUL] = arithmetic, [TERN__OP_NEG] = arithmetic},
};

const tern__plugin *tern_plugin(void) {
    return &plugin;
}
