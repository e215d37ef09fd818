/* SPDX-License-Identifier: MIT
 *
 * Float matrix products. b is cut into panels of columns and K into depths; a thread packs one
 * panel of one depth into its scratch and runs all its rows of a against it. Every element's chain
 * of fused multiply-adds goes over k in order, carried through the result between depths, so
 * neither the cut nor the number of rows changes a bit.
 */
#include "base/checked.h"
#include "device/cpu/cpu.h"
#include "tensor/dtype.h"

/* A packed panel takes about a third of a first-level cache. Its scratch, for types that are
 * widened first, holds the F32 copy behind it. */
enum { PANEL_BYTES = 16 << 10 };
_Static_assert(2 * PANEL_BYTES <= TERN__LANE_SCRATCH, "panel and copy share a lane's scratch");

/* a (M, K) F32, b (K, N) of any float type, both by strides. */
typedef struct product {
    const tern__cpu_device *cpu;
    int64_t m, n, k;
    const float *a;
    int64_t a_stride, a_k_stride;
    tern_dtype b_type;
    const uint8_t *b;
    int64_t b_k_stride, b_j_stride; /* elements; for Q8_0 b_k_stride is 1 */
    float *out;                     /* (M, N), contiguous */
    int64_t depth;                  /* K elements packed at once, a multiple of 32 */
    int64_t row_chunk;              /* rows of a in one piece of work */
} product;

/* Packs columns [j, j + columns) of depth [k, k + depth) through F32 where the kernels have no
 * packing of their own for the type. */
static void pack_panel(const product *p, int64_t k, int64_t depth, int64_t j, int columns,
                       float *panel, float *wide) {
    const tern__gemm_kernel *gemm = p->cpu->gemm;
    const tern__dtype_info *info = tern__dtype(p->b_type);
    int64_t first = k * p->b_k_stride + j * p->b_j_stride;
    const void *b = p->b + first / info->block_elements * info->block_bytes;
    if (p->b_type == TERN_F32) {
        gemm->pack_f32(b, p->b_k_stride, p->b_j_stride, depth, columns, panel);
    } else if (p->b_type == TERN_F16) {
        gemm->pack_f16(b, p->b_k_stride, p->b_j_stride, depth, columns, panel);
    } else {
        int64_t column_bytes = p->b_j_stride * info->block_bytes / info->block_elements;
        for (int c = 0; c < columns; c++)
            tern__cpu_widen(p->cpu, p->b_type, (const uint8_t *)b + c * column_bytes, p->b_k_stride,
                            wide + c * depth, depth);
        gemm->pack_f32(wide, 1, depth, depth, columns, panel);
    }
}

/* One row of a against F16 columns that lie one behind the other: the output head of a decoder. */
static bool is_gemv_f16(const product *p) {
    return p->m == 1 && p->b_type == TERN_F16 && p->b_k_stride == 1 && p->a_k_stride == 1 &&
           p->cpu->gemm->gemv_f16 != NULL;
}

/* Index = panel: the whole of K in one go, without scratch. */
static void do_gemv_f16(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const product *p = argument;
    const tern__gemm_kernel *gemm = p->cpu->gemm;
    for (int64_t j = begin * gemm->panel; j < tern__min_i64(end * gemm->panel, p->n);
         j += gemm->panel)
        gemm->gemv_f16(p->a, (const uint16_t *)(const void *)p->b + j * p->b_j_stride,
                       p->b_j_stride, p->k, p->out + j, (int)tern__min_i64(gemm->panel, p->n - j),
                       true);
}

/* Index = panel * row chunks + chunk. */
static void do_panels(void *argument, int64_t begin, int64_t end, int lane) {
    const product *p = argument;
    const tern__gemm_kernel *gemm = p->cpu->gemm;
    float *panel = tern__lane_scratch(p->cpu, lane);
    float *wide = panel + gemm->panel * p->depth;
    int64_t chunks = (p->m + p->row_chunk - 1) / p->row_chunk;
    for (int64_t index = begin; index < end; index++) {
        int64_t j = index / chunks * gemm->panel;
        int64_t row_begin = index % chunks * p->row_chunk;
        int64_t row_end = tern__min_i64(row_begin + p->row_chunk, p->m);
        int columns = (int)tern__min_i64(gemm->panel, p->n - j);
        int64_t k = 0;
        do {
            int64_t depth = tern__min_i64(p->depth, p->k - k);
            pack_panel(p, k, depth, j, columns, panel, wide);
            for (int64_t i = row_begin; i < row_end; i += gemm->rows)
                gemm->run(p->a + i * p->a_stride + k * p->a_k_stride, p->a_stride, p->a_k_stride,
                          (int)tern__min_i64(gemm->rows, row_end - i), panel, depth,
                          p->out + i * p->n + j, p->n, columns, k == 0);
            k += depth;
        } while (k < p->k);
    }
}

static tern_status multiply(product *p) {
    const tern__gemm_kernel *gemm = p->cpu->gemm;
    int64_t panels = (p->n + gemm->panel - 1) / gemm->panel;
    int64_t threads = tern__team_size(p->cpu->team);
    if (is_gemv_f16(p)) {
        int64_t work = tern__max_i64(1, gemm->panel * p->k);
        tern__team_run(p->cpu->team, panels, tern__max_i64(1, 4 * TERN__CPU_GRAIN / work),
                       do_gemv_f16, p);
        return TERN_OK;
    }
    p->depth = PANEL_BYTES / (int64_t)sizeof(float) / gemm->panel / 32 * 32;
    /* Few panels: rows are split too, in whole kernel calls. */
    int64_t chunks = panels >= 4 * threads ? 1 : (4 * threads + panels - 1) / panels;
    p->row_chunk = tern__round_up_i64(tern__max_i64((p->m + chunks - 1) / chunks, 1), gemm->rows);
    chunks = (p->m + p->row_chunk - 1) / p->row_chunk;
    int64_t work = tern__max_i64(1, tern__min_i64(p->row_chunk, p->m) * gemm->panel * p->k);
    int64_t grain = tern__max_i64(1, 4 * TERN__CPU_GRAIN / work);
    tern__team_run(p->cpu->team, panels * chunks, grain, do_panels, p);
    return TERN_OK;
}

tern_status tern__cpu_matmul(tern__device *device, const tern__op_call *call) {
    const tern_tensor *a = call->in[0], *b = call->in[1];
    return multiply(&(product){
        .cpu = tern__cpu_of(device),
        .m = a->dims[0],
        .n = b->dims[1],
        .k = a->dims[1],
        .a = a->data,
        .a_stride = tern__strides(a)[0],
        .a_k_stride = tern__strides(a)[1],
        .b_type = (tern_dtype)b->dtype,
        .b = b->data,
        .b_k_stride = tern__strides(b)[0],
        .b_j_stride = tern__strides(b)[1],
        .out = call->out->data,
    });
}

tern_status tern__cpu_linear(tern__device *device, const tern__op_call *call) {
    const tern_tensor *x = call->in[0], *weight = call->in[1];
    return multiply(&(product){
        .cpu = tern__cpu_of(device),
        .m = tern_tensor_count(call->out) / weight->dims[0],
        .n = weight->dims[0],
        .k = weight->dims[1],
        .a = x->data, /* contiguous rows */
        .a_stride = weight->dims[1],
        .a_k_stride = 1,
        .b_type = (tern_dtype)weight->dtype,
        .b = weight->data,
        .b_k_stride = tern__strides(weight)[1],
        .b_j_stride = tern__strides(weight)[0],
        .out = call->out->data,
    });
}
