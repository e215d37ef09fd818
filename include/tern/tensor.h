/* SPDX-License-Identifier: MIT
 *
 * Contexts, tensors and the operations on them.
 *
 * A context owns memory, a device and a team of threads; one per user of the library, used by one
 * thread at a time. A tensor is a reference-counted handle on bytes that views share; views move
 * no byte. Operations are eager: they return when the result is there. Results come by the last
 * out parameter, which is NULL after a failure.
 *
 *     tern_context *ctx = NULL;
 *     tern_tensor *a = NULL, *b = NULL, *c = NULL;
 *     if (tern_context_create(NULL, &ctx) != TERN_OK ||
 *         tern_tensor_randn(ctx, TERN_F32, TERN_SHAPE(4, 3), 1, &a) != TERN_OK ||
 *         tern_tensor_transpose(a, 0, 1, &b) != TERN_OK || tern_matmul(a, b, &c) != TERN_OK)
 *         fprintf(stderr, "%s\n", tern_last_error());
 *     tern_tensor_release(a);
 *     tern_tensor_release(b);
 *     tern_tensor_release(c);
 *     tern_context_destroy(ctx);
 *
 * Threads: calls that make something (creation, views, operations) and scopes belong to the thread
 * that uses the context; it is fastest on the thread that made the context or adopted it
 * (tern_context_adopt). A tensor may be handed to another thread, which may read it, retain it and
 * release it at any time, also after the context was destroyed; a thread that needs it for longer
 * than the giver has a reference of its own. Hand over only what no scope owns: keep it first.
 * While no scope is open, other threads may make tensors in the context too (not by operations: the
 * device has one user). Views of one tensor at the same time need a reference for each thread.
 *
 * Shape letters: B batch, T tokens, D model width, H heads, K head size or inner dimension,
 * M x K times K x N for matrix products.
 */
#ifndef TERN_TENSOR_H
#define TERN_TENSOR_H

#include <tern/base.h>
#include <tern/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_context tern_context;
typedef struct tern_tensor tern_tensor;

#define TERN_MAX_RANK 8

/* X(symbol, value, name, block elements, block bytes, is_float, is_ternary).
 * TERNARY is Tern's own packed form of a ternary matrix, made by tern_tensor_pack for the kernels
 * of one device, QUANTIZED that of a float matrix whose rows are integers of 8 or 4 bits, made by
 * tern_tensor_pack_int; their bytes are opaque. I2_S has one F32 scale behind all codes (32 bytes).
 */
#define TERN_DTYPE_MAP(X)                                                                          \
    X(F32, 0, "f32", 1, 4, 1, 0)                                                                   \
    X(F16, 1, "f16", 1, 2, 1, 0)                                                                   \
    X(BF16, 2, "bf16", 1, 2, 1, 0)                                                                 \
    X(F64, 3, "f64", 1, 8, 1, 0)                                                                   \
    X(I8, 4, "i8", 1, 1, 0, 0)                                                                     \
    X(U8, 5, "u8", 1, 1, 0, 0)                                                                     \
    X(I16, 6, "i16", 1, 2, 0, 0)                                                                   \
    X(I32, 7, "i32", 1, 4, 0, 0)                                                                   \
    X(I64, 8, "i64", 1, 8, 0, 0)                                                                   \
    X(BOOL, 9, "bool", 1, 1, 0, 0)                                                                 \
    X(Q8_0, 16, "q8_0", 32, 34, 0, 0)                                                              \
    X(I2_S, 24, "i2_s", 128, 32, 0, 1)                                                             \
    X(TQ1_0, 25, "tq1_0", 256, 54, 0, 1)                                                           \
    X(TQ2_0, 26, "tq2_0", 256, 66, 0, 1)                                                           \
    X(TERNARY, 32, "ternary", 0, 0, 0, 1)                                                          \
    X(QUANTIZED, 33, "quantized", 0, 0, 0, 0)

typedef enum tern_dtype {
#define TERN_DTYPE_ENUM(symbol, value, name, elements, bytes, is_float, is_ternary)                \
    TERN_##symbol = value,
    TERN_DTYPE_MAP(TERN_DTYPE_ENUM)
#undef TERN_DTYPE_ENUM
} tern_dtype;

/* "f32"; "?" for an unknown value. */
TERN_API const char *tern_dtype_name(tern_dtype dtype);

/* -- contexts ----------------------------------------------------------------------------------*/

typedef struct tern_options {
    int threads;      /* threads that share an op, caller included; 0: all this process may use */
    const char *cpu;  /* kernel level: "scalar", "avx2", "avx512", ...; NULL: environment
                         variable TERN_CPU, else the best this machine has */
    size_t max_bytes; /* limit on the memory of the context's tensors; 0: none */
    tern_tracking tracking;
    tern_memory_event_fn on_memory_event;       /* leaks and misuse; NULL: they go to the log */
    tern_memory_pressure_fn on_memory_pressure; /* before an allocation fails; may be NULL */
    void *memory_user;                          /* handed to both */
    const char *device; /* "cpu", "auto" or the name of a plug-in (device.h); NULL: environment
                           variable TERN_DEVICE, else "cpu" */
    const char *cache_directory; /* keeps what "auto" measured; NULL: $XDG_CACHE_HOME/tern, else
                                    $HOME/.cache/tern; "": nowhere */
} tern_options;

/* Zero initialisation gives the defaults too. */
TERN_API tern_options tern_options_default(void);

/* `options` may be NULL. TERN_E_ARGUMENT for negative threads or an unknown level,
 * TERN_E_UNSUPPORTED for a level or a device that this machine lacks, TERN_E_NOT_FOUND for a device
 * that nobody knows. */
TERN_API tern_status tern_context_create(const tern_options *options, tern_context **context);

/* Ends its open scopes, tells what is still alive and releases the context; what its tensors,
 * models and sessions hold stays valid until they go. Models and sessions go on working; once they
 * are gone too, tensors can be read and released, and what would make another one is refused with
 * TERN_E_ARGUMENT. What is alive counts as a leak: it goes to
 * on_memory_event, by site from level SITES on; without one, at level COUNTS, a message says how
 * much it is. The callbacks may be called until models and sessions are gone too. Call it on the
 * thread that owns the context, or after tern_context_adopt. NULL is fine. */
TERN_API void tern_context_destroy(tern_context *context);

TERN_API int tern_context_threads(const tern_context *context);

/* "cpu: 2 threads, float kernels avx512, ternary kernel avx512_vnni; MODEL: avx2 ...": the kernels
 * in use, the processor and its features. Valid while the context lives. */
TERN_API const char *tern_context_describe(const tern_context *context);

typedef struct tern_kernel_info {
    const char *family;  /* "gemm" */
    const char *variant; /* "avx512" */
} tern_kernel_info;

/* The kernel in use of family `index` = 0, 1, ...; false behind the last. */
TERN_API bool tern_context_kernel(const tern_context *context, int index, tern_kernel_info *info);

/* A scope owns every tensor made in its context between begin and end that was not kept; end
 * releases them. Scopes nest. Inside a scope a tensor may still be released early. Neither call can
 * fail: an inner scope for which there is no memory becomes a part of the one around it. */
TERN_API void tern_scope_begin(tern_context *context);
TERN_API void tern_scope_end(tern_context *context);

/* Takes the tensor out of its scope: the caller owns the reference from now on. Returns it. */
TERN_API tern_tensor *tern_tensor_keep(tern_tensor *tensor);

/* -- creation ----------------------------------------------------------------------------------*/

typedef struct tern_shape {
    int rank;                    /* 0..TERN_MAX_RANK */
    int64_t dims[TERN_MAX_RANK]; /* outermost first, each >= 0 */
} tern_shape;

#define TERN_SHAPE_COUNT(...) ((int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
/* TERN_SHAPE(2, 3): an expression of type tern_shape (C only). */
#define TERN_SHAPE(...) ((tern_shape){TERN_SHAPE_COUNT(__VA_ARGS__), {__VA_ARGS__}})

/* Uninitialised contents. */
TERN_API tern_status tern_tensor_empty(tern_context *context, tern_dtype dtype, tern_shape shape,
                                       tern_tensor **out);
TERN_API tern_status tern_tensor_zeros(tern_context *context, tern_dtype dtype, tern_shape shape,
                                       tern_tensor **out);

/* The calls from here on that make up their elements take every plain type (all but Q8_0, the
 * ternary ones, TERNARY and QUANTIZED). TERN_E_ARGUMENT for a number that the type cannot hold:
 * integer types hold whole numbers of their range (BOOL: 0 and 1), float types all that do not
 * overflow. */
TERN_API tern_status tern_tensor_ones(tern_context *context, tern_dtype dtype, tern_shape shape,
                                      tern_tensor **out);
TERN_API tern_status tern_tensor_full(tern_context *context, tern_dtype dtype, tern_shape shape,
                                      double value, tern_tensor **out);

/* The vector start, start + step, ... before `stop`: ceil((stop - start) / step) elements, at least
 * none. Integer types are exact, start and step must be whole numbers; of float types element i is
 * fma(i, step, start) in F64, rounded to the type. */
TERN_API tern_status tern_tensor_arange(tern_context *context, tern_dtype dtype, double start,
                                        double stop, double step, tern_tensor **out);
/* The vector of `count` numbers from start to stop, both included: element i is
 * start + i * ((stop - start) / (count - 1)) in F64, the last one `stop`; then rounded to the type,
 * down for integer types. */
TERN_API tern_status tern_tensor_linspace(tern_context *context, tern_dtype dtype, double start,
                                          double stop, int64_t count, tern_tensor **out);
/* Ones at (i, i + diagonal), else zeros. */
TERN_API tern_status tern_tensor_eye(tern_context *context, tern_dtype dtype, int64_t rows,
                                     int64_t columns, int64_t diagonal, tern_tensor **out);

/* With the type and shape of another tensor, in its context; contiguous. */
TERN_API tern_status tern_tensor_empty_like(tern_tensor *tensor, tern_tensor **out);
TERN_API tern_status tern_tensor_zeros_like(tern_tensor *tensor, tern_tensor **out);
TERN_API tern_status tern_tensor_ones_like(tern_tensor *tensor, tern_tensor **out);
TERN_API tern_status tern_tensor_full_like(tern_tensor *tensor, double value, tern_tensor **out);

/* Copies `data`, contiguous, of tern_tensor_bytes(). */
TERN_API tern_status tern_tensor_from_data(tern_context *context, tern_dtype dtype,
                                           tern_shape shape, const void *data, tern_tensor **out);

/* Borrows `data`: it must outlive every tensor on it and is never written. */
TERN_API tern_status tern_tensor_borrow(tern_context *context, tern_dtype dtype, tern_shape shape,
                                        const void *data, tern_tensor **out);

/* Random numbers (docs/numerics.md): element i depends on the seed and on i only. Normal ones (mean
 * 0, variance 1) and uniform ones in [0, 1): F32, F16, BF16, F64. */
TERN_API tern_status tern_tensor_randn(tern_context *context, tern_dtype dtype, tern_shape shape,
                                       uint64_t seed, tern_tensor **out);
TERN_API tern_status tern_tensor_rand(tern_context *context, tern_dtype dtype, tern_shape shape,
                                      uint64_t seed, tern_tensor **out);
/* Whole numbers in [low, high), all equally likely to within 2^-64: integer types. */
TERN_API tern_status tern_tensor_randint(tern_context *context, tern_dtype dtype, tern_shape shape,
                                         int64_t low, int64_t high, uint64_t seed,
                                         tern_tensor **out);
/* 1 with this probability (to within 2^-53), else 0. */
TERN_API tern_status tern_tensor_bernoulli(tern_context *context, tern_dtype dtype,
                                           tern_shape shape, double probability, uint64_t seed,
                                           tern_tensor **out);

/* Every reference is released once. One release too many (or a retain after the last) is reported
 * as DOUBLE_RELEASE, if the tensor's memory was not used again yet nor given back to the system (as
 * it is with the last tensor of a destroyed context), and nothing else happens. */
TERN_API tern_tensor *tern_tensor_retain(tern_tensor *tensor); /* returns it; NULL is fine */
TERN_API void tern_tensor_release(tern_tensor *tensor);        /* NULL is fine */

/* -- looking -----------------------------------------------------------------------------------*/

TERN_API tern_dtype tern_tensor_dtype(const tern_tensor *tensor);
TERN_API int tern_tensor_rank(const tern_tensor *tensor);
TERN_API int64_t tern_tensor_dim(const tern_tensor *tensor, int axis); /* axis may be negative */
TERN_API tern_shape tern_tensor_shape(const tern_tensor *tensor);
TERN_API int64_t tern_tensor_count(const tern_tensor *tensor); /* number of elements */
TERN_API size_t tern_tensor_bytes(const tern_tensor *tensor);  /* of the elements, contiguous */
TERN_API int64_t tern_tensor_stride(const tern_tensor *tensor, int axis); /* in elements */
TERN_API bool tern_tensor_is_contiguous(const tern_tensor *tensor);

/* First element; NULL for the opaque types TERNARY and QUANTIZED, and in the memory of a device
 * (tern_tensor_read copies from there, tern_tensor_to moves). Writable only if the storage is not
 * borrowed. */
TERN_API void *tern_tensor_data(const tern_tensor *tensor);

/* -- views: no byte moves ----------------------------------------------------------------------
 * Plain types only, else TERN_E_DTYPE. Axes may be negative: counted from the last. A view reads
 * and writes the bytes of its tensor and keeps them alive; strides may be 0 (broadcast) and
 * negative (slice, flip). TERN_E_SHAPE for more than TERN_MAX_RANK axes. */

/* A set of axes. */
typedef struct tern_axes {
    int count; /* -1: all */
    int axis[TERN_MAX_RANK];
} tern_axes;

#define TERN_AXES_COUNT(...) ((int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))
/* TERN_AXES(0, -1): an expression of type tern_axes (C only). */
#define TERN_AXES(...) ((tern_axes){TERN_AXES_COUNT(__VA_ARGS__), {__VA_ARGS__}})
#define TERN_ALL_AXES  ((tern_axes){-1, {0}})

/* One dimension may be -1: inferred. TERN_E_SHAPE when the strides do not allow a view. */
TERN_API tern_status tern_tensor_reshape(tern_tensor *tensor, tern_shape shape, tern_tensor **out);
/* The axes first..last, both included, as one; rank 0 gives a vector of one element. TERN_E_SHAPE
 * when the strides do not allow a view. */
TERN_API tern_status tern_tensor_flatten(tern_tensor *tensor, int first, int last,
                                         tern_tensor **out);
/* Without these axes of length 1, TERN_E_SHAPE for another length; TERN_ALL_AXES: without any axis
 * of length 1. */
TERN_API tern_status tern_tensor_squeeze(tern_tensor *tensor, tern_axes axes, tern_tensor **out);
/* With an axis of length 1 more, at this place in the result. */
TERN_API tern_status tern_tensor_unsqueeze(tern_tensor *tensor, int axis, tern_tensor **out);
TERN_API tern_status tern_tensor_permute(tern_tensor *tensor, const int *axes, tern_tensor **out);
TERN_API tern_status tern_tensor_transpose(tern_tensor *tensor, int axis0, int axis1,
                                           tern_tensor **out);
/* The axis `from` becomes the axis `to` of the result; the others keep their order. */
TERN_API tern_status tern_tensor_move_axis(tern_tensor *tensor, int from, int to,
                                           tern_tensor **out);
/* Indices [begin, end) of one axis, every step-th; begin and end may be negative, counted from the
 * end; INT64_MAX as `end` means to the end. Backwards with step < 0: begin, begin + step, ... while
 * greater than `end`, with INT64_MAX as `begin` for the last index and INT64_MIN as `end` for down
 * to the first: (INT64_MAX, INT64_MIN, -1) turns the axis round. TERN_E_ARGUMENT for step 0, for
 * indices that the axis does not have, and when begin lies behind end. */
TERN_API tern_status tern_tensor_slice(tern_tensor *tensor, int axis, int64_t begin, int64_t end,
                                       int64_t step, tern_tensor **out);
/* Index `index` of one axis; the axis goes away. */
TERN_API tern_status tern_tensor_select(tern_tensor *tensor, int axis, int64_t index,
                                        tern_tensor **out);
/* These axes turned round. */
TERN_API tern_status tern_tensor_flip(tern_tensor *tensor, tern_axes axes, tern_tensor **out);
/* The elements (i, i + offset) of two axes, which go away, along a new last axis. */
TERN_API tern_status tern_tensor_diagonal(tern_tensor *tensor, int64_t offset, int axis0, int axis1,
                                          tern_tensor **out);
/* Windows of `size` indices of one axis, beginning at every step-th index (1 <= size <= length of
 * the axis, step >= 1), along a new last axis; the axis counts the windows. They may overlap. */
TERN_API tern_status tern_tensor_unfold(tern_tensor *tensor, int axis, int64_t size, int64_t step,
                                        tern_tensor **out);
/* NumPy broadcasting to `shape`: repeated axes get stride 0. -1 keeps a dimension that the tensor
 * has. */
TERN_API tern_status tern_tensor_broadcast(tern_tensor *tensor, tern_shape shape,
                                           tern_tensor **out);
/* The same bytes as elements of another plain type. When the sizes of the elements differ, the last
 * axis gets shorter or longer: it must have stride 1, and what becomes one element must be whole
 * and aligned (TERN_E_SHAPE for the shape or the strides, TERN_E_ARGUMENT for the alignment). Of
 * BOOL, bytes other than 0 and 1 are no values. */
TERN_API tern_status tern_tensor_view_as(tern_tensor *tensor, tern_dtype dtype, tern_tensor **out);

#ifdef __cplusplus
}
#endif

#ifndef TERN_NO_SITES
#define TERN_SITES_TENSOR
#include <tern/sites.h>
#endif
#endif
