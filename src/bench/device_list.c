/* SPDX-License-Identifier: MIT */
#include "bench/device_list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"

/* -- which -------------------------------------------------------------------------------------*/

static void add_reason(tern__device_list *list, const tern_device_info *device) {
    size_t used = strlen(list->why);
    const char *between = used > 0 ? "; " : "";
    char *text = list->why + used;
    size_t size = sizeof list->why - used;
    if (!device->is_there)
        snprintf(text, size, "%s%s: absent (%.160s)", between, device->name, device->reason);
    else if (device->model[0] != '\0' && strcmp(device->model, device->name) != 0)
        snprintf(text, size, "%s%s: its %s is no accelerator", between, device->name,
                 device->model);
    else
        snprintf(text, size, "%s%s is no accelerator", between, device->name);
}

static void consider(tern__device_list *list, const tern_device_info *device, bool is_named) {
    bool is_wanted = device->is_there && (is_named || device->is_accelerator);
    if (is_wanted && list->count < TERN__DEVICES)
        list->info[list->count++] = *device;
    else
        add_reason(list, device);
}

tern_status tern__device_list_find(const tern_bench_table_options *options,
                                   tern__device_list *list) {
    tern_device_info infos[TERN__DEVICES];
    list->count = 0;
    list->why[0] = '\0';
    if (options->device != NULL) {
        tern_status status = tern_device_find(options->device, &infos[0]);
        if (status == TERN_OK)
            consider(list, &infos[0], true);
        return status;
    }
    int count = tern_devices(infos, TERN__DEVICES);
    for (int i = 0; i < count && i < TERN__DEVICES; i++)
        if (strcmp(infos[i].name, "cpu") != 0)
            consider(list, &infos[i], false);
    if (list->count == 0 && list->why[0] == '\0')
        snprintf(list->why, sizeof list->why, "the processor is the only device");
    return TERN_OK;
}

tern_status tern__device_context(const tern__table *table, const tern_device_info *device,
                                 tern_context **context) {
    tern_options options = {.device = device != NULL ? device->name : "cpu",
                            .threads = table->options.threads,
                            .cpu = table->options.cpu};
    return tern_context_create(&options, context);
}

/* -- rows --------------------------------------------------------------------------------------*/

bool tern__device_row_missing(tern__table *table, const tern__device_list *list,
                              tern_bench_row *row) {
    if (list->count > 0)
        return false;
    snprintf(row->detail, sizeof row->detail, "%s", list->why);
    tern__row_show(table, row);
    return true;
}

void tern__device_row_show(tern__table *table, const tern_device_info *device,
                           tern_bench_row *row) {
    char why[64];
    snprintf(why, sizeof why, "%s is no accelerator", device->name);
    if (!device->is_accelerator)
        tern__row_tell(row, why);
    tern__row_show(table, row);
}

/* -- results -----------------------------------------------------------------------------------*/

int64_t tern__device_fallbacks(const tern_context *context, const char *op) {
    tern_context_op_info info;
    int64_t calls = 0;
    for (int i = 0; tern_context_op(context, i, &info); i++)
        calls += op == NULL || strcmp(info.name, op) == 0 ? info.fallback_calls : 0;
    return calls;
}

tern_status tern__device_check_own(const tern_device_info *device, const tern_context *context,
                                   const char *op, int64_t before) {
    if (!device->is_accelerator || tern__device_fallbacks(context, op) == before)
        return TERN_OK;
    return tern__fail(TERN_E_UNSUPPORTED, "%s leaves %s to the processor", device->name, op);
}

double tern__device_tolerance(const tern_context *context, const char *op) {
    tern_context_op_info info;
    for (int i = 0; tern_context_op(context, i, &info); i++)
        if (strcmp(info.name, op) == 0)
            return info.tolerance;
    return 0;
}

static tern_status compare(const float *got, const float *expected, int64_t count,
                           double tolerance) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fabsf(expected[i]) > largest ? fabsf(expected[i]) : largest;
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&got[i], &expected[i], sizeof got[i]) != 0 &&
            (tolerance == 0 ||
             !(fabs((double)got[i] - (double)expected[i]) <= tolerance * (double)largest)))
            return tern__fail(TERN_E_INTERNAL,
                              "bench: element %lld is %.9g on the device, not %.9g", (long long)i,
                              (double)got[i], (double)expected[i]);
    return largest > 0 ? TERN_OK : tern__fail(TERN_E_INTERNAL, "bench: there is nothing but zeros");
}

tern_status tern__device_compare(tern_tensor *got, tern_tensor *expected, double tolerance) {
    size_t bytes = tern_tensor_bytes(expected);
    float *copy = bytes == tern_tensor_bytes(got) ? tern__os()->pages_map(bytes) : NULL;
    if (copy == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %zu bytes", bytes);
    tern_status status = tern_tensor_read(got, copy, bytes);
    if (status == TERN_OK)
        status =
            compare(copy, tern_tensor_data(expected), (int64_t)(bytes / sizeof *copy), tolerance);
    tern__os()->pages_unmap(copy, bytes);
    return status;
}
