/* SPDX-License-Identifier: MIT
 * Family `int4`, Arm NEON.
 * Bounds: 16 products between 15 * -128 and 15 * 127 make -30720 .. 30480 in int16; 15 * 128 * K is
 * less than 2^29 at K = 2^18. */
#include "kernels/int4_neon.h"

enum { DEPTH = 64 };

#include "kernels/packed_neon.h"

const tern__packed_kernel tern__int4_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .packing = TERN__PACKING_INT4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
