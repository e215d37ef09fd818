/* SPDX-License-Identifier: MIT
 * Making a context: memory and a device. */
#include <stdlib.h>

#include "base/status.h"
#include "device/device.h"

tern_options tern_options_default(void) {
    return (tern_options){0};
}

tern_status tern_context_create(const tern_options *options, tern_context **out) {
    *out = NULL;
    tern_options chosen = options != NULL ? *options : tern_options_default();
    if (chosen.cpu == NULL)
        chosen.cpu = getenv("TERN_CPU");
    tern_context *context = NULL;
    tern_status status = tern__context_create(&chosen, &context);
    if (status != TERN_OK)
        return status;
    status = tern__cpu_device_open(&chosen, &context->device);
    if (status != TERN_OK) {
        tern__context_release(context);
        return status;
    }
    context->device_close = context->device->close;
    context->device->describe(context->device, context->description, sizeof context->description);
    tern__message(TERN_LOG_INFO, "context: %s", context->description);
    *out = context;
    return TERN_OK;
}

int tern_context_threads(const tern_context *context) {
    return context->device->threads(context->device);
}

bool tern_context_kernel(const tern_context *context, int index, tern_kernel_info *info) {
    return context->device->kernel(context->device, index, info);
}
