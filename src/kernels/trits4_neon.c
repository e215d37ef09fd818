/* SPDX-License-Identifier: MIT
 * Family `trits4`, Arm NEON.
 * Bounds: 64 products between 2 * -128 and 2 * 127 make -16384 .. 16256 in int16;
 * 2 * 128 * K = 2^26 at K = 2^18. */
#include "kernels/trits4_neon.h"

enum { DEPTH = 256 };

#include "kernels/packed_neon.h"

const tern__packed_kernel tern__trits4_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
