/* SPDX-License-Identifier: MIT
 * How the ternary weights of a model are stored: as asked for, or as the device measured. */
#include <stdio.h>

#include "base/status.h"
#include "device/choices.h"
#include "model/model.h"
#include "tensor/tensor.h"

/* Of all matrices at 2 bits a trit. */
static size_t ternary_bytes(const tern_model_info *info) {
    tern__layer_slot slots[TERN__LAYER_SLOTS];
    tern__layer_slots(info, slots);
    size_t bytes = 0;
    for (int s = 0; s < TERN__LAYER_SLOTS; s++)
        bytes += (size_t)(slots[s].rows * slots[s].columns / 4);
    return bytes * (size_t)info->layers;
}

static void choose(tern_model *model, tern__packing packing) {
    model->storage.packing = packing;
    snprintf(model->storage.reason, sizeof model->storage.reason, "asked for");
}

tern_status tern__model_choose_storage(tern_model *model, const tern_model_options *options) {
    char buffer[4096];
    tern_storage storage = options != NULL ? options->storage : TERN_STORAGE_AUTO;
    const char *asked = options != NULL ? options->cache_directory : NULL;
    tern__device *device = model->context->device;
    switch (storage) {
    case TERN_STORAGE_AUTO:
        device->choose_storage(device, ternary_bytes(&model->info),
                               tern__choices_directory(asked, buffer, sizeof buffer),
                               &model->storage);
        break;
    case TERN_STORAGE_2_BIT:
        choose(model, TERN__PACKING_TRITS4);
        break;
    case TERN_STORAGE_1_6_BIT:
        choose(model, TERN__PACKING_TRITS5);
        break;
    default:
        return tern__fail(TERN_E_ARGUMENT, "model: no storage %d", (int)storage);
    }
    model->info.storage =
        model->storage.packing == TERN__PACKING_TRITS5 ? TERN_STORAGE_1_6_BIT : TERN_STORAGE_2_BIT;
    model->info.storage_reason = model->storage.reason;
    tern__message(TERN_LOG_INFO, "model: ternary weights %s: %s",
                  tern__packings[model->storage.packing].name, model->storage.reason);
    return TERN_OK;
}
