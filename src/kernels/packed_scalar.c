/* SPDX-License-Identifier: MIT
 *
 * The specification of the families of packed weights. A panel is one row; its bytes hold the codes
 * in order, the first in the lowest bits (trits4, int4) or as the lowest digit in base 3 (trits5).
 * Sums are taken modulo 2^32, in which they are exact (packed.h). */
#include "kernels/packed.h"

/* Code i of a byte. */
typedef int code_fn(int byte, int i);

static inline int trits4_code(int byte, int i) {
    return byte >> 2 * i & 3;
}

static inline int trits5_code(int byte, int i) {
    static const int powers[5] = {1, 3, 9, 27, 81};
    return byte / powers[i] % 3;
}

static inline int int4_code(int byte, int i) {
    return byte >> 4 * i & 15;
}

static inline int int8_code(int byte, int i) {
    (void)i;
    return byte;
}

/* With `base` the number of codes that a digit can be and `codes` digits a byte. */
static inline void pack_digits(const uint8_t *codes, int64_t k, int digits, int base,
                               uint8_t *panel) {
    for (int64_t i = 0; i < k; i += digits) {
        int byte = 0;
        for (int digit = digits - 1; digit >= 0; digit--)
            byte = byte * base + codes[i + digit];
        panel[i / digits] = (uint8_t)byte;
    }
}

static inline void run_rows(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end,
                            tern__packing packing, code_fn *code) {
    const int digits = tern__packings[packing].codes, offset = tern__packings[packing].offset;
    for (int64_t row = panel_begin; row < panel_end && row < args->m; row++) {
        const uint8_t *panel = args->packed + row * (args->k / digits);
        for (int64_t n = 0; n < args->n; n++) {
            const int8_t *q = args->q + n * args->q_stride;
            uint32_t sum = 0;
            for (int64_t k = args->k_begin; k < args->k_end; k++)
                sum += (uint32_t)(code(panel[k / digits], (int)(k % digits)) * q[k]);
            sum -= (uint32_t)offset * (uint32_t)args->q_sum[n];
            args->out[n * args->out_stride + row] = (int32_t)sum;
        }
    }
}

#define VARIANT(symbol, family, digits, base)                                                      \
    static void family##_pack(const uint8_t *codes, int64_t k, uint8_t *panel) {                   \
        pack_digits(codes, k, digits, base, panel);                                                \
    }                                                                                              \
    static void family##_run(const tern__packed_args *args, int64_t panel_begin,                   \
                             int64_t panel_end) {                                                  \
        run_rows(args, panel_begin, panel_end, TERN__PACKING_##symbol, family##_code);             \
    }                                                                                              \
    const tern__packed_kernel tern__##family##_scalar = {                                          \
        .variant = {.name = "scalar", .needs = 0},                                                 \
        .packing = TERN__PACKING_##symbol,                                                         \
        .panel_rows = 1,                                                                           \
        .k_unit = digits,                                                                          \
        .pack = family##_pack,                                                                     \
        .run = family##_run,                                                                       \
    };

VARIANT(TRITS4, trits4, 4, 4)
VARIANT(TRITS5, trits5, 5, 3)
VARIANT(INT4, int4, 2, 16)
VARIANT(INT8, int8, 1, 256)
