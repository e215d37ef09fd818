/* SPDX-License-Identifier: MIT
 * Family `int8`, Arm matrix products of bytes.
 * Bound: 2^14 * K = 2^30 at K = 2^16. */
#include "kernels/int8_neon.h"

/* Needs the packing above. */
#include "kernels/packed_i8mm.h"

const tern__packed_kernel tern__int8_i8mm = {
    .variant = {.name = "i8mm", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD | TERN__CPU_I8MM},
    .packing = TERN__PACKING_INT8,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
