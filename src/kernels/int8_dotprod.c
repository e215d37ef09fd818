/* SPDX-License-Identifier: MIT
 * Family `int8`, Arm dot products.
 * Bound: 2^14 * K = 2^30 at K = 2^16. */
#include "kernels/int8_neon.h"

/* Needs the packing above. */
#include "kernels/packed_dotprod.h"

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++)
        run_panel(args, panel);
}

const tern__packed_kernel tern__int8_dotprod = {
    .variant = {.name = "dotprod", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD},
    .packing = TERN__PACKING_INT8,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
