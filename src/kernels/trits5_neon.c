/* SPDX-License-Identifier: MIT
 * Family `trits5`, Arm NEON.
 * Bounds: 125 products between -128 and 128 make at most 16000 in int16; 128 * K = 2^25 at
 * K = 2^18. */
#include "kernels/trits5_neon.h"

enum { DEPTH = 500 };

#include "kernels/packed_neon.h"

const tern__packed_kernel tern__trits5_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .packing = TERN__PACKING_TRITS5,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
