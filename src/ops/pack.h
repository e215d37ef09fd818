/* SPDX-License-Identifier: MIT
 * tern_tensor_pack and tern_tensor_pack_random with a choice of how trits are stored. */
#ifndef TERN__PACK_H
#define TERN__PACK_H

#include "device/device.h"

/* Trits with a scale for each block of columns are stored at four a byte whatever `packing` says.
 */
tern_status tern__pack(tern_context *context, tern_tensor *weight, tern__packing packing,
                       tern_tensor **out);
tern_status tern__pack_random(tern_context *context, tern__packing packing, int64_t rows,
                              int64_t columns, float scale, uint64_t seed, tern_tensor **out);

#endif
