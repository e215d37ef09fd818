/* SPDX-License-Identifier: MIT
 * Family `trits4` for AMX. */
#include "kernels/trits4_avx512.h"

#include "kernels/packed_amx.h"

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    run_tiles(args, panel_begin, panel_end);
}

const tern__packed_kernel tern__trits4_amx = {
    .variant = {.name = "amx",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI |
                         TERN__CPU_AVX512_VBMI | TERN__CPU_AMX_INT8},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .q_bytes = Q_BYTES,
    .panels_at_once = PANELS_AT_ONCE,
    .scratch_bytes = TILE_SCRATCH,
    .pack = pack,
    .run = run,
};
