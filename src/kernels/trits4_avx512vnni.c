/* SPDX-License-Identifier: MIT
 * Family `trits4` for AVX-512 VNNI. */
#include "kernels/trits4_avx512.h"

#include "kernels/packed_avx512.h"

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    run_vnni(args, panel_begin, panel_end);
}

const tern__packed_kernel tern__trits4_avx512vnni = {
    .variant = {.name = "avx512_vnni",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
