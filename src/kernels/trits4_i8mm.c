/* SPDX-License-Identifier: MIT
 * Family `trits4`, Arm matrix products of bytes.
 * Bound: 2 * 128 * K = 2^26 at K = 2^18. */
#include "kernels/trits4_neon.h"

/* Needs the packing above. */
#include "kernels/packed_i8mm.h"

const tern__packed_kernel tern__trits4_i8mm = {
    .variant = {.name = "i8mm", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD | TERN__CPU_I8MM},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
