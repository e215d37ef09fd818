/* SPDX-License-Identifier: MIT
 *
 * Families `trits5`, `trits4`, `int4`, `int8`: integer products of packed low-bit weights and int8
 * activations, one family for each packing.
 *
 * A weight (M, K) of unsigned codes (weight + offset) is cut into panels of panel_rows rows; K is
 * padded to a multiple of k_unit with code 0, M to whole panels. pack() and run() of one variant
 * agree on the order inside a panel, nobody else looks.
 *
 * run() computes sums[n][m] = sum over k in [k_begin, k_end) of (code[m][k] - offset) * q[n][k],
 * exactly, for K <= k_max of the packing: there |sum| < 2^31 whatever the codes and activations.
 * Sums on the way may wrap modulo 2^32; where a variant's arithmetic saturates or is narrower it
 * states its own bounds. Rows of q that the caller lays out should be an odd number of cache lines
 * apart, or those that are read together meet in few sets of a cache.
 */
#ifndef TERN__PACKED_H
#define TERN__PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* X(symbol, family, name, codes in `bytes` bytes, bytes, offset, codes that there are, largest K).
 * A kernel may take other bytes (unit_bytes). */
#define TERN__PACKINGS(X)                                                                          \
    X(TRITS4, trits4, "2-bit", 4, 1, 1, 3, 1 << 18)                                                \
    X(TRITS5, trits5, "1.6-bit", 5, 1, 1, 3, 1 << 18)                                              \
    X(INT4, int4, "int4", 2, 1, 8, 16, 1 << 18)                                                    \
    X(INT8, int8, "int8", 1, 1, 128, 256, 1 << 16)

typedef enum tern__packing {
#define TERN__PACKING_ENUM(symbol, ...) TERN__PACKING_##symbol,
    TERN__PACKINGS(TERN__PACKING_ENUM)
#undef TERN__PACKING_ENUM
        TERN__PACKING_COUNT
} tern__packing;

typedef struct tern__packing_info {
    const char *name; /* "1.6-bit" */
    int codes, bytes; /* `codes` of them take `bytes` bytes */
    int offset;       /* code = weight + offset */
    int code_count;   /* codes are below this */
    int64_t k_max;
} tern__packing_info;

extern const tern__packing_info tern__packings[TERN__PACKING_COUNT];

typedef struct tern__packed_args {
    const uint8_t *packed;  /* panels one behind the other, the first 64-byte aligned */
    int64_t k;              /* padded K */
    int64_t k_begin, k_end; /* multiples of k_unit inside [0, k] */
    int64_t m;              /* rows of the weight; nothing is written for rows beyond */
    const int8_t *q;        /* (N, q_stride) activations, 0 beyond the true K up to padded K */
    int64_t q_stride;       /* >= k */
    const int32_t *q_sum;   /* (N) sum of q over [k_begin, k_end) */
    int64_t n;              /* N >= 1: any number */
    int32_t *out;           /* (N, out_stride) */
    int64_t out_stride;     /* >= m */
    void *scratch;          /* scratch_bytes of the kernel, 64-byte aligned; NULL where N is 1 */
    const void *tables;     /* of these columns (tern__packed_tabulate); NULL: run() does without */
    bool prefetches_within_pages; /* of the processor: how weights are fetched */
} tern__packed_args;

/* Up to so many columns a pass over the weights takes as long as reading them, or not much longer:
 * they are never cut, and pieces of the weights are longer. */
enum { TERN__PACKED_FEW = 16 };

/* At most; trits_tables_avx2.h needs it. */
#define TERN__PACKED_SCRATCH ((size_t)448 << 10)

typedef struct tern__packed_kernel {
    tern__variant variant;
    tern__packing packing;
    int panel_rows;
    int k_unit;     /* of trits4, int4 and int8 a divisor of 256 */
    int unit_bytes; /* of k_unit of a row; 0: as the packing says, and k_unit is whole bytes */
    /* What one call best gets of many columns: bytes of activations, that are multiplied by all
     * rows before the next ones, and panels: at most panels_at_once, not below panels_least. 0:
     * any. */
    int64_t q_bytes;
    int panels_least, panels_at_once;
    size_t scratch_bytes; /* of each thread that runs it; at most TERN__PACKED_SCRATCH */
    /* Tables of up to so many columns make run() faster: made once, for all its calls with the
     * same activations. They take table_bytes, whole cache lines, for each k_unit. 0: none. */
    int table_columns;
    size_t table_bytes;
    void (*tabulate)(const int8_t *q, int64_t k, void *tables); /* of one column; k padded */
    /* codes (panel_rows, k), k padded -> one panel where it will lie. */
    void (*pack)(const uint8_t *codes, int64_t k, uint8_t *panel);
    /* The rows of the panels [panel_begin, panel_end), all N columns. */
    void (*run)(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end);
} tern__packed_kernel;

extern const tern__packed_kernel *const tern__trits4_family[];
extern const tern__packed_kernel *const tern__trits5_family[];
extern const tern__packed_kernel *const tern__int4_family[];
extern const tern__packed_kernel *const tern__int8_family[];
/* By packing. */
extern const tern__packed_kernel *const *const tern__packed_families[TERN__PACKING_COUNT];

static inline int64_t tern__packed_panel_bytes(const tern__packed_kernel *kernel, int64_t k) {
    const tern__packing_info *info = &tern__packings[kernel->packing];
    if (kernel->unit_bytes > 0)
        return kernel->panel_rows * (k / kernel->k_unit * kernel->unit_bytes);
    return kernel->panel_rows * (k / info->codes * info->bytes);
}

/* Of n columns of padded K k; 0 where the kernel wants none for so many. */
static inline size_t tern__packed_table_bytes(const tern__packed_kernel *kernel, int64_t k,
                                              int64_t n) {
    return n <= kernel->table_columns ? (size_t)(n * (k / kernel->k_unit)) * kernel->table_bytes
                                      : 0;
}

/* Makes the tables of activations (n, q_stride), 64-byte aligned. */
static inline void tern__packed_tabulate(const tern__packed_kernel *kernel, const int8_t *q,
                                         int64_t q_stride, int64_t k, int64_t n, void *tables) {
    for (int64_t i = 0; i < n; i++)
        kernel->tabulate(q + i * q_stride, k,
                         (uint8_t *)tables + tern__packed_table_bytes(kernel, k, i));
}

/* The stride of rows of k activations: whole cache lines, an odd number of them. */
static inline int64_t tern__packed_q_stride(int64_t k) {
    enum { LINE_BYTES = 64 };
    return ((k + LINE_BYTES - 1) / LINE_BYTES | 1) * LINE_BYTES;
}

/* Columns that one call gets: equal parts of n, in whole strips of tiles. However long they are,
 * some strips share a pass over the weights. */
static inline int64_t tern__packed_columns(const tern__packed_kernel *kernel, int64_t q_stride,
                                           int64_t n) {
    enum { STRIP = 16, LEAST = 3 * STRIP };
    int64_t most = kernel->q_bytes / (q_stride > 0 ? q_stride : 1) / STRIP * STRIP;
    most = most < LEAST ? LEAST : most;
    if (kernel->q_bytes == 0 || n <= most)
        return n > 0 ? n : 1;
    int64_t parts = (n + most - 1) / most;
    return ((n + parts - 1) / parts + STRIP - 1) / STRIP * STRIP;
}

/* How weights of `bytes` are cut for threads that multiply them with a few columns, in bytes: the
 * longer a piece the better it streams, but each thread should have some. Zen 4, 2 threads, 6912 x
 * 2560 trits from memory: 22 GB/s in pieces of 20 KiB, 34 of 60, 44 of 180, 45 of 540. */
static inline int64_t tern__packed_piece(int64_t bytes, int threads) {
    enum { LEAST = 32 << 10, MOST = 256 << 10, PIECES = 4 };
    int64_t share = bytes / (PIECES * threads);
    return share < LEAST ? LEAST : share > MOST ? MOST : share;
}

/* Such a piece in panels, whose rows make whole cache lines of sums. */
static inline int64_t tern__packed_grain(const tern__packed_kernel *kernel, int64_t k,
                                         int64_t panels, int threads) {
    enum { LINE_SUMS = 64 / sizeof(int32_t) };
    int64_t bytes = tern__packed_panel_bytes(kernel, k);
    int64_t unit = kernel->panel_rows < LINE_SUMS ? LINE_SUMS / kernel->panel_rows : 1;
    int64_t grain = bytes > 0 ? tern__packed_piece(bytes * panels, threads) / bytes : panels;
    return (grain > 0 ? grain + unit - 1 : unit) / unit * unit;
}

#endif
