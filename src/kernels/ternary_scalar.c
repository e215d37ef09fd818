/* SPDX-License-Identifier: MIT
 *
 * The specification of the family. A panel is one row: code k lies in bits 2 * (k % 4) of byte
 * k / 4. Exact in int32 for K < 2^23 (ternary.h). */
#include "kernels/ternary.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += 4)
        panel[i / 4] =
            (uint8_t)(codes[i] | codes[i + 1] << 2 | codes[i + 2] << 4 | codes[i + 3] << 6);
}

static void run(const tern__ternary_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t row = panel_begin; row < panel_end && row < args->m; row++) {
        const uint8_t *panel = args->packed + row * (args->k / 4);
        for (int64_t n = 0; n < args->n; n++) {
            const int8_t *q = args->q + n * args->q_stride;
            int32_t sum = 0;
            for (int64_t k = args->k_begin; k < args->k_end; k++)
                sum += (panel[k / 4] >> 2 * (k % 4) & 3) * q[k];
            args->out[n * args->out_stride + row] = sum - args->q_sum[n];
        }
    }
}

const tern__ternary_kernel tern__ternary_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .panel_rows = 1,
    .k_unit = 4,
    .pack = pack,
    .run = run,
};
