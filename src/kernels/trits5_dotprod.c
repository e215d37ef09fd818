/* SPDX-License-Identifier: MIT
 *
 * Family `trits5`, Arm dot products. One column never forms a trit: with X_p as in trits5_neon.h,
 * 256 * (d_p - 1) = 3 * X_p - X_{p+1}, so that 256 times the sum is 3 A - B, A the sum of X_p * q_p
 * and B that of X_{p+1} * q_p.
 *
 * Bounds: A and B may wrap modulo 2^32; 3 A - B is exact as long as 256 * 128 * STEP is less than
 * 2^31. With trits formed, 128 * K = 2^25 at K = 2^18. */
#include "kernels/trits5_neon.h"

/* Needs the packing above. */
#include "kernels/packed_dotprod.h"

enum { STEP = 3200 * UNIT };

_Static_assert(STEP < 65536, "3 A - B fits int32");

/* 8 rows of a panel and STEP k or less of one column, added to total. */
static void add_step(const uint8_t *line, int64_t lines, const int8_t *q, int32x4_t total[2]) {
    int32x4_t a[2], b[2];
    a[0] = a[1] = b[0] = b[1] = vdupq_n_s32(0);
    for (int64_t u = 0; u < lines; u++, line += LINE, q += UNIT)
        for (int half = 0; half < 2; half++) {
            int8x16_t x = begin(line + half * (LINE / 2)).x;
            for (int p = 0; p < PLANES; p++) {
                const int8x16_t four = broadcast(q + SPAN * p);
                a[half] = vdotq_s32(a[half], x, four);
                x = vmulq_s8(x, vdupq_n_s8(3));
                b[half] = vdotq_s32(b[half], x, four);
            }
        }
    for (int half = 0; half < 2; half++) {
        const int32x4_t times_256 = vsubq_s32(vmulq_n_s32(a[half], 3), b[half]);
        total[half] = vaddq_s32(total[half], vshrq_n_s32(times_256, 8));
    }
}

static void run_column(const tern__packed_args *args, int64_t panel) {
    int32x4_t total[2];
    total[0] = total[1] = vdupq_n_s32(start(args, 0));
    for (int64_t k = args->k_begin; k < args->k_end; k += STEP) {
        const int64_t left = args->k_end - k;
        add_step(line_at(args, panel, k), (left < STEP ? left : STEP) / UNIT, args->q + k, total);
    }
    int32_t sums[ROWS];
    vst1q_s32(sums, total[0]);
    vst1q_s32(sums + ROWS / 2, total[1]);
    store_rows(args, panel, 0, sums);
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++)
        if (args->n == 1)
            run_column(args, panel);
        else
            run_panel(args, panel);
}

const tern__packed_kernel tern__trits5_dotprod = {
    .variant = {.name = "dotprod", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD},
    .packing = TERN__PACKING_TRITS5,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
