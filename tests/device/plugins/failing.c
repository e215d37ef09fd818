/* SPDX-License-Identifier: MIT
 *
 * A device that works, but for three operations: NEG fails at once, ABS is done and found broken
 * afterwards, when somebody waits or reads, SQRT has no memory. It counts what it has open, and one
 * call of open, map or a copy fails when somebody counts down to it.
 */
#include <stdlib.h>
#include <string.h>

#include "device/plugin.h"

typedef struct failing {
    const tern__plugin_host *host;
    bool is_broken; /* by ABS; told once */
} failing;

/* Devices and pieces of memory that are open. */
__attribute__((visibility("default"))) int failing_balance(void);
static int balance;
/* The call that fails: 0 is the next one, below that none does. */
__attribute__((visibility("default"))) extern int failing_countdown;
int failing_countdown = -1;

int failing_balance(void) {
    return balance;
}

static bool fails_now(void) {
    return failing_countdown >= 0 && failing_countdown-- == 0;
}

static tern_status probe(const tern__plugin_host *host, tern__plugin_facts *facts) {
    (void)host;
    strcpy(facts->model, "failing");
    return TERN_OK;
}

static tern_status open_device(const tern__plugin_host *host, void **device) {
    failing *f = fails_now() ? NULL : calloc(1, sizeof *f);
    if (f == NULL)
        return host->fail(TERN_E_MEMORY, "no memory");
    f->host = host;
    balance++;
    *device = f;
    return TERN_OK;
}

static void close_device(void *device) {
    balance--;
    free(device);
}

static void *map(void *device, size_t bytes) {
    void *memory = NULL;
    (void)device;
    if (fails_now() || posix_memalign(&memory, 4096, bytes) != 0)
        return NULL;
    balance++;
    return memory;
}

static void unmap(void *device, void *memory, size_t bytes) {
    (void)device, (void)bytes;
    balance--;
    free(memory);
}

static tern_status wait_device(void *device) {
    failing *f = device;
    if (!f->is_broken)
        return TERN_OK;
    f->is_broken = false;
    return f->host->fail(TERN_E_IO, "a kernel of abs has crashed");
}

static tern_status copy(void *device, void *to, const void *from, size_t bytes) {
    const failing *f = device;
    if (fails_now())
        return f->host->fail(TERN_E_IO, "the bus is broken");
    memmove(to, from, bytes);
    return TERN_OK;
}

static tern_status copy_out(void *device, void *to, const void *from, size_t bytes) {
    tern_status status = copy(device, to, from, bytes);
    return status == TERN_OK ? wait_device(device) : status;
}

static tern_status nothing(void *device) {
    (void)device;
    return TERN_OK;
}

static tern_status negate(void *device, const tern__device_call *call) {
    const failing *f = device;
    return f->host->fail(TERN_E_INTERNAL, "neg of %d axes is beyond this device",
                         (int)call->out[0].rank);
}

static tern_status absolute(void *device, const tern__device_call *call) {
    failing *f = device;
    memset(call->out[0].data, 0, call->out[0].bytes);
    f->is_broken = true;
    return TERN_OK;
}

static tern_status root(void *device, const tern__device_call *call) {
    const failing *f = device;
    (void)call;
    return f->host->fail(TERN_E_MEMORY, "no scratch memory for sqrt");
}

static const tern__plugin plugin = {
    .abi = TERN__PLUGIN_ABI,
    .struct_bytes = sizeof plugin,
    .op_count = TERN__OP_COUNT,
    .name = "failing",
    .tern = TERN_PLUGIN_VERSION,
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .map = map,
    .unmap = unmap,
    .copy_in = copy,
    .copy_out = copy_out,
    .submit = nothing,
    .wait = wait_device,
    .ops = {[TERN__OP_NEG] = negate, [TERN__OP_ABS] = absolute, [TERN__OP_SQRT] = root},
};

const tern__plugin *tern_plugin(void) {
    return &plugin;
}
