/* SPDX-License-Identifier: MIT
 * Family `int8`, Arm NEON.
 * Bounds: one product is at most 2^14, two would not fit int16; 2^14 * K = 2^30 at K = 2^16. */
#include "kernels/int8_neon.h"

enum { DEPTH = 4 };

#include "kernels/packed_neon.h"

const tern__packed_kernel tern__int8_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .packing = TERN__PACKING_INT8,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
