/* SPDX-License-Identifier: MIT
 * A plug-in's device as a device of Tern: its own rows, and the CPU's where it has none. */
#ifndef TERN__ADAPTER_H
#define TERN__ADAPTER_H

#include "base/threads.h"
#include "device/device.h"
#include "device/plugin.h"

typedef struct tern__plugin_device {
    tern__device base; /* first: a tern__device is one of these */
    const tern__plugin *plugin;
    void *state; /* the plug-in's */
    /* Held while the plug-in works: other threads release, make and read tensors meanwhile. Behind
     * the lock of a pool, which holds it for map and unmap. */
    tern__lock lock;
    tern_context *host; /* of the CPU, for what the device lacks */
    tern__device_memory memory;
    tern__plugin_facts facts;
    int64_t native_calls[TERN__OP_COUNT], fallback_calls[TERN__OP_COUNT];
} tern__plugin_device;

static inline tern__plugin_device *tern__plugin_of(tern__device *device) {
    return (tern__plugin_device *)device;
}

/* The call as a plug-in sees it. False: no plug-in does such an operation. */
bool tern__plugin_call(const tern__op_call *call, tern__device_call *flat);

/* Who does an operation on a plug-in's device. */
tern_place tern__plugin_place(const tern__plugin *plugin, tern__op op);

/* The call by the CPU: operands that the host does not reach are brought to the host context and
 * what was written is brought back. */
tern_status tern__plugin_fall_back(tern__plugin_device *device, const tern__op_call *call);

/* Packing: by the plug-in, or by the CPU for the CPU's rows. */
tern_status tern__plugin_pack(tern__device *device, tern_context *context,
                              const tern__code_source *source, tern_tensor **out);
tern_status tern__plugin_pack_int(tern__device *device, tern_tensor *weight, int bits,
                                  tern_tensor **out);

#endif
