/* SPDX-License-Identifier: MIT
 * The output head of a model: the table as it is, with a screen, or quantised. */
#include <tern/ops.h>

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "model/model.h"
#include "tensor/tensor.h"

/* Tables below stay in the caches of most machines, where reading them twice over costs little. */
enum { AUTO_BYTES = 64 << 20 };

const char *tern_head_name(tern_head head) {
    static const char *const names[] = {"auto", "full", "screened", "int8", "int4"};
    return (unsigned)head < sizeof names / sizeof *names ? names[head] : "?";
}

static tern_head choose_head(tern_model *model) {
    const tern_tensor *table = model->output;
    double size = (double)tern_tensor_bytes(table) / 1048576;
    const char *name = tern_dtype_name((tern_dtype)table->dtype);
    bool is_wide = table->dtype != TERN_Q8_0, is_large = tern_tensor_bytes(table) > AUTO_BYTES;
    bool fits = model->info.width <= tern__packings[TERN__PACKING_INT8].k_max;
    const char *device = tern_context_device(model->context);
    if (strcmp(device, "cpu") != 0) {
        snprintf(model->head_reason, sizeof model->head_reason, "device %s makes all logits",
                 device);
        return TERN_HEAD_FULL;
    }
    snprintf(model->head_reason, sizeof model->head_reason,
             !is_wide    ? "the %s table of %.1f MiB is no larger than a screen"
             : !is_large ? "the %s table of %.1f MiB may stay in a cache"
             : !fits     ? "the %s table of %.1f MiB is too wide for a screen"
                         : "the %s table of %.1f MiB fits no cache",
             name, size);
    return is_wide && is_large && fits ? TERN_HEAD_SCREENED : TERN_HEAD_FULL;
}

tern_status tern__model_make_head(tern_model *model, const tern_model_options *options) {
    tern_head head = options != NULL ? options->head : TERN_HEAD_AUTO;
    tern_tensor *quantized = NULL;
    if ((unsigned)head > TERN_HEAD_INT4)
        return tern__fail(TERN_E_ARGUMENT, "model: no head %d", (int)head);
    snprintf(model->head_reason, sizeof model->head_reason, "asked for");
    if (head == TERN_HEAD_AUTO)
        head = choose_head(model);
    model->info.head = head;
    model->info.head_reason = model->head_reason;
    if (head == TERN_HEAD_FULL)
        return TERN_OK;
    tern_status status =
        tern_tensor_pack_int(model->output, head == TERN_HEAD_INT4 ? 4 : 8, &quantized);
    bool is_asked = options != NULL && options->head != TERN_HEAD_AUTO;
    if (status == TERN_E_MEMORY && !is_asked) {
        snprintf(model->head_reason, sizeof model->head_reason, "no memory for a screen");
        model->info.head = TERN_HEAD_FULL;
        return TERN_OK;
    }
    if (status != TERN_OK)
        return status;
    tern_tensor_keep(quantized);
    model->info.weight_bytes += tern_tensor_bytes(quantized);
    if (head == TERN_HEAD_SCREENED) {
        model->screen = quantized;
        return TERN_OK;
    }
    if (model->output != model->embedding)
        model->info.weight_bytes -= tern_tensor_bytes(model->output);
    tern_tensor_release(model->output);
    model->output = quantized;
    return TERN_OK;
}
