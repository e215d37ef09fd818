/* SPDX-License-Identifier: MIT
 * The devices that rows are about: accelerators, or the one that the options name. */
#ifndef TERN__DEVICE_LIST_H
#define TERN__DEVICE_LIST_H

#include <tern/device.h>

#include "bench/rows.h"

enum { TERN__DEVICES = 16 };

typedef struct tern__device_list {
    int count;
    tern_device_info info[TERN__DEVICES]; /* those that can be used */
    /* Of the devices that are no accelerator or not there: "cuda: absent (libcuda.so.1 not found);
     * mlx: its CPU back end is no accelerator". */
    char why[TERN_BENCH_DETAIL];
} tern__device_list;

/* TERN_E_NOT_FOUND when no device has the name in the options. */
tern_status tern__device_list_find(const tern_bench_table_options *options,
                                   tern__device_list *list);

/* NOT MEASURED: there is none. True when it has been shown so. */
bool tern__device_row_missing(tern__table *table, const tern__device_list *list,
                              tern_bench_row *row);

/* Shows a row that was measured on the device. On what is no accelerator it tells its figure and is
 * NOT MEASURED. */
void tern__device_row_show(tern__table *table, const tern_device_info *device, tern_bench_row *row);

/* A context on the device, or on the processor (NULL), with the threads and the level of the table.
 */
tern_status tern__device_context(const tern__table *table, const tern_device_info *device,
                                 tern_context **context);

/* How often the processor did an operation for the device, or (NULL) any. */
int64_t tern__device_fallbacks(const tern_context *context, const char *op);

/* TERN_E_UNSUPPORTED when an accelerator has left more than `before` calls of it to the processor:
 * the time would not be its own. */
tern_status tern__device_check_own(const tern_device_info *device, const tern_context *context,
                                   const char *op, int64_t before);

/* The largest difference between results of a device and of the processor that is none: 0 where the
 * device keeps the bits, else its tolerance for the operation, relative to the largest magnitude.
 */
double tern__device_tolerance(const tern_context *context, const char *op);

/* Compares the elements of an F32 tensor in the memory of any device with those of one that the
 * processor made. TERN_E_INTERNAL when they are further apart than `tolerance` allows. */
tern_status tern__device_compare(tern_tensor *got, tern_tensor *expected, double tolerance);

#endif
