/* SPDX-License-Identifier: MIT
 * Family `trits5`, Arm matrix products of bytes.
 * Bound: 128 * K = 2^25 at K = 2^18. */
#include "kernels/trits5_neon.h"

/* Needs the packing above. */
#include "kernels/packed_i8mm.h"

const tern__packed_kernel tern__trits5_i8mm = {
    .variant = {.name = "i8mm", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD | TERN__CPU_I8MM},
    .packing = TERN__PACKING_TRITS5,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
