/* SPDX-License-Identifier: MIT
 * Making a context: memory and a device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "device/device.h"

tern_options tern_options_default(void) {
    return (tern_options){0};
}

static tern_status create_on_cpu(const tern_options *options, tern_context **out) {
    tern_context *context = NULL;
    *out = NULL;
    tern_status status = tern__context_create(options, NULL, &context);
    if (status != TERN_OK)
        return status;
    status = tern__cpu_device_open(options, &context->device);
    if (status != TERN_OK) {
        tern__context_release(context);
        return status;
    }
    context->device_close = context->device->close;
    context->device->describe(context->device, context->description, sizeof context->description);
    *out = context;
    return TERN_OK;
}

/* The context of the CPU behind it has no limit and no callbacks: what is in it is there for the
 * time of a call. */
static tern_status create_on_plugin(const tern_options *options, tern_context **out) {
    const tern_options of_host = {.threads = options->threads, .cpu = options->cpu};
    tern_context *host = NULL, *context = NULL;
    tern__device *device = NULL;
    tern_status status;
    *out = NULL;
    TERN__TRY(create_on_cpu(&of_host, &host));
    TERN__TRY(tern__plugin_device_open(options->device, host, &device));
    TERN__TRY(tern__context_create(options, device->memory, &context));
    context->host = host;
    context->device = device;
    context->device_close = device->close;
    device->describe(device, context->description, sizeof context->description);
    *out = context;
    return TERN_OK;
done:
    if (device != NULL)
        device->close(device);
    if (host != NULL)
        tern__context_release(host);
    return status;
}

static tern_status create_on(const tern_options *options, tern_context **out) {
    return strcmp(options->device, "cpu") == 0 ? create_on_cpu(options, out)
                                               : create_on_plugin(options, out);
}

tern_status tern_context_create(const tern_options *options, tern_context **out) {
    *out = NULL;
    tern_options chosen = options != NULL ? *options : tern_options_default();
    tern_device_choice choice;
    tern_status status = TERN_OK;
    bool is_chosen = false;
    if (chosen.cpu == NULL)
        chosen.cpu = getenv("TERN_CPU");
    if (chosen.device == NULL)
        chosen.device = getenv("TERN_DEVICE");
    if (chosen.device == NULL || chosen.device[0] == '\0')
        chosen.device = "cpu";
    if (strcmp(chosen.device, "auto") == 0) {
        status = tern_device_choose(&chosen, &choice);
        chosen.device = choice.name;
        is_chosen = true;
    }
    if (status == TERN_OK)
        status = create_on(&chosen, out);
    if (status != TERN_OK && is_chosen && strcmp(chosen.device, "cpu") != 0) {
        tern__message(TERN_LOG_WARN, "the CPU is used: %s", tern_last_error());
        status = create_on_cpu(&chosen, out);
    }
    if (status == TERN_OK)
        tern__message(TERN_LOG_INFO, "context: %s", (*out)->description);
    return status;
}

int tern_context_threads(const tern_context *context) {
    return context->device->threads(context->device);
}

bool tern_context_kernel(const tern_context *context, int index, tern_kernel_info *info) {
    return context->device->kernel(context->device, index, info);
}

const char *tern_context_device(const tern_context *context) {
    return context->device->name;
}

tern_status tern_context_wait(tern_context *context) {
    tern__device *device = context->device;
    return device->wait != NULL ? device->wait(device) : TERN_OK;
}

/* -- who does an operation ---------------------------------------------------------------------*/

const char *tern_place_name(tern_place place) {
    static const char *const names[] = {"native", "fallback", "absent"};
    return (unsigned)place < sizeof names / sizeof *names ? names[place] : "?";
}

bool tern_context_op(const tern_context *context, int index, tern_context_op_info *info) {
    const tern__device *device = context->device;
    int op = 0;
    for (; op < TERN__OP_COUNT; op++)
        if (tern__op_computes((tern__op)op) && index-- == 0)
            break;
    if (op == TERN__OP_COUNT)
        return false;
    *info = (tern_context_op_info){.name = tern__op_name((tern__op)op)};
    if (device->tell_op != NULL) {
        device->tell_op(device, (tern__op)op, info);
        return true;
    }
    const tern__op_counts *counts = &context->counts[op];
    for (int c = 0; c < TERN_CLASSES; c++)
        info->native_calls += atomic_load_explicit(&counts->calls[c][0], memory_order_relaxed) +
                              atomic_load_explicit(&counts->calls[c][1], memory_order_relaxed);
    return true;
}
