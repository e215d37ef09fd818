/* SPDX-License-Identifier: MIT
 *
 * MATMUL_WITH in BF16: operands are rounded to BF16 in scratch memory, cuBLAS multiplies them on
 * tensor cores and sums in F32, in an order of its own. The library is looked for when it is first
 * needed; without it the CPU does the operation. cuBLAS wants whole columns: the result (M, N) by
 * rows is its (N, M) = b^T a by columns. Not measured, and not run, on a GPU.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "device/cuda/product.h"
#include "device/cuda/widen.h"

enum { THREADS = 256 };

/* -- the library -------------------------------------------------------------------------------*/

/* Of cublas_api.h and library_types.h. */
enum { OP_N = 0, OP_T = 1, GEMM_DEFAULT = -1, COMPUTE_F32 = 68 };
enum { TYPE_F32 = 0, TYPE_BF16 = 14 };

typedef struct cublas_context *cublas_handle;
typedef int (*cublas_create_fn)(cublas_handle *handle);
typedef int (*cublas_destroy_fn)(cublas_handle handle);
typedef int (*cublas_set_stream_fn)(cublas_handle handle, cudaStream_t stream);
typedef int (*cublas_gemm_fn)(cublas_handle handle, int op_a, int op_b, int m, int n, int k,
                              const void *alpha, const void *a, int a_type, int lda,
                              long long stride_a, const void *b, int b_type, int ldb,
                              long long stride_b, const void *beta, void *c, int c_type, int ldc,
                              long long stride_c, int count, int compute, int algorithm);

typedef struct cublas_state {
    void *library;
    cublas_handle handle;
    cublas_destroy_fn destroy;
    cublas_gemm_fn gemm;
} cublas_state;

#if defined(__CUDACC__)
static void *open_library(void) {
    static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so",
                                        "/usr/local/cuda/lib64/libcublas.so"};
    void *library = NULL;
    for (int i = 0; i < 4 && library == NULL; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}
#else
static void *open_library(void) {
    return NULL;
}
#endif

static bool start(cublas_state *s, cudaStream_t stream) {
    s->library = open_library();
    if (s->library == NULL)
        return false;
    cublas_create_fn create = (cublas_create_fn)dlsym(s->library, "cublasCreate_v2");
    cublas_set_stream_fn set_stream = (cublas_set_stream_fn)dlsym(s->library, "cublasSetStream_v2");
    s->destroy = (cublas_destroy_fn)dlsym(s->library, "cublasDestroy_v2");
    s->gemm = (cublas_gemm_fn)dlsym(s->library, "cublasGemmStridedBatchedEx");
    if (create == NULL || set_stream == NULL || s->destroy == NULL || s->gemm == NULL ||
        create(&s->handle) != 0)
        return false;
    return set_stream(s->handle, stream) == 0;
}

/* NULL: there is no cuBLAS. */
static const cublas_state *cublas_of(cuda_device *d) {
    cublas_state *s = (cublas_state *)d->cublas;
    if (s == NULL) {
        s = (cublas_state *)calloc(1, sizeof *s);
        d->cublas = s;
        if (s != NULL && !start(s, d->stream))
            s->gemm = NULL;
    }
    return s != NULL && s->gemm != NULL ? s : NULL;
}

void cuda_cublas_close(cuda_device *d) {
    cublas_state *s = (cublas_state *)d->cublas;
    if (s != NULL && s->handle != NULL)
        s->destroy(s->handle);
    if (s != NULL && s->library != NULL)
        dlclose(s->library);
    free(s);
    d->cublas = NULL;
}

/* -- operands ----------------------------------------------------------------------------------*/

typedef struct round_args {
    cuda_matrices from;
    int64_t lines, k, count; /* count: elements of all matrices */
    uint16_t *to;            /* (matrices, lines, k) */
} round_args;

static __global__ void __launch_bounds__(THREADS) round_lines(round_args r) {
    int64_t step = (int64_t)gridDim.x * THREADS;
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < r.count; i += step) {
        int64_t line = i / r.k % r.lines, matrix = i / r.k / r.lines;
        int64_t at =
            matrix * r.from.batch_strides[0] + line * r.from.stride + i % r.k * r.from.k_stride;
        r.to[i] = tern__bf16_from_f32(cuda_float_at(r.from.data, r.from.dtype, at));
    }
}

static tern_status round_operand(cuda_device *d, const cuda_matrices *from, int64_t matrices,
                                 int64_t lines, int64_t k, uint16_t *to) {
    round_args r = {*from, lines, k, matrices * lines * k, to};
    return cuda_check(
        d, TERN_LAUNCH(round_lines, cuda_blocks(r.count, THREADS, 65536), THREADS, 0, d->stream, r),
        "matmul_with");
}

/* -- the row -----------------------------------------------------------------------------------*/

/* One matrix for the whole batch where it repeats. */
static int64_t matrices_of(const cuda_product *p, const cuda_matrices *m) {
    return p->batch_rank == 0 || m->batch_strides[0] == 0 ? 1 : p->matrices;
}

static bool fits(const cuda_product *p) {
    return p->batch_rank <= 1 && p->m <= INT32_MAX && p->n <= INT32_MAX && p->k >= 1 &&
           p->k <= INT32_MAX && p->matrices <= INT32_MAX && p->out_dtype == TERN_F32 &&
           (p->out_j_stride == 1 || p->n == 1) &&
           (p->m == 1 || (p->out_i_stride >= p->n && p->out_i_stride <= INT32_MAX));
}

static tern_status multiply(cuda_device *d, const cublas_state *s, const cuda_product *p) {
    const int64_t of_a = matrices_of(p, &p->a), of_b = matrices_of(p, &p->b);
    const size_t padded_a = (size_t)(of_a * p->m * p->k + 127) / 128 * 128;
    const int k = (int)p->k, ldc = (int)(p->m == 1 ? p->n : p->out_i_stride);
    const float one = 1, zero = 0;
    void *scratch = NULL;
    tern_status status =
        cuda_scratch(d, (padded_a + (size_t)(of_b * p->n * p->k)) * sizeof(uint16_t), &scratch);
    uint16_t *a = (uint16_t *)scratch, *b = a + padded_a;
    if (status == TERN_OK)
        status = round_operand(d, &p->a, of_a, p->m, p->k, a);
    if (status == TERN_OK)
        status = round_operand(d, &p->b, of_b, p->n, p->k, b);
    if (status != TERN_OK)
        return status;
    int failed =
        s->gemm(s->handle, OP_T, OP_N, (int)p->n, (int)p->m, k, &one, b, TYPE_BF16, k,
                of_b > 1 ? p->n * p->k : 0, a, TYPE_BF16, k, of_a > 1 ? p->m * p->k : 0, &zero,
                p->out, TYPE_F32, ldc, p->batch_rank > 0 ? p->out_batch_strides[0] : 0,
                (int)p->matrices, COMPUTE_F32, GEMM_DEFAULT);
    if (failed != 0)
        return d->host->fail(TERN_E_INTERNAL, "cuda: matmul_with: cuBLAS status %d", failed);
    return TERN_OK;
}

tern_status cuda_matmul_with(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    cuda_product p = cuda_product_of(call);
    if (p.m == 0 || p.n == 0 || p.matrices == 0)
        return TERN_OK;
    cuda_merge_batch(&p);
    tern_status status = cuda_flush(d); /* cuBLAS may allocate, which no graph can do */
    if (status != TERN_OK)
        return status;
    const cublas_state *s = fits(&p) ? cublas_of(d) : NULL;
    return s != NULL ? multiply(d, s, &p) : cuda_decline();
}
