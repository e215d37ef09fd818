/* SPDX-License-Identifier: MIT
 * Family `int4`, Arm dot products.
 * Bound: 15 * 128 * K < 2^29 at K = 2^18. */
#include "kernels/int4_neon.h"

/* Needs the packing above. */
#include "kernels/packed_dotprod.h"

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++)
        run_panel(args, panel);
}

const tern__packed_kernel tern__int4_dotprod = {
    .variant = {.name = "dotprod", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD},
    .packing = TERN__PACKING_INT4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
