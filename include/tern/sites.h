/* SPDX-License-Identifier: MIT
 *
 * Where in your program is this tensor made? <tern/tensor.h> and <tern/model.h> end with these
 * macros: every call that makes or releases something tells the library its file and line first, so
 * that leak and misuse reports (see <tern/memory.h>) can name it. The cost is a store of three
 * words a call. Without them (define TERN_NO_SITES before the first header of Tern) reports name
 * the operation, the shape, and the place that the thread told last, if any.
 *
 * Of calls inside the arguments of another one the last names both.
 *
 * The names stay functions: a name without parentheses, such as &tern_add or (tern_add)(a, b, &c),
 * is the plain function. C++: write tern_add(...), not ::tern_add(...).
 */
#ifndef TERN_SITES_H
#define TERN_SITES_H

#include <tern/memory.h>

#define TERN_SITE(name, call) (tern_site_set(__FILE__, __LINE__, name), call)

#endif

#if defined(TERN_SITES_TENSOR) && !defined(tern_tensor_empty)
/* These make tensors. */
#define tern_tensor_empty(...) TERN_SITE("tern_tensor_empty", tern_tensor_empty(__VA_ARGS__))
#define tern_tensor_zeros(...) TERN_SITE("tern_tensor_zeros", tern_tensor_zeros(__VA_ARGS__))
#define tern_tensor_from_data(...)                                                                 \
    TERN_SITE("tern_tensor_from_data", tern_tensor_from_data(__VA_ARGS__))
#define tern_tensor_borrow(...)  TERN_SITE("tern_tensor_borrow", tern_tensor_borrow(__VA_ARGS__))
#define tern_tensor_randn(...)   TERN_SITE("tern_tensor_randn", tern_tensor_randn(__VA_ARGS__))
#define tern_tensor_rand(...)    TERN_SITE("tern_tensor_rand", tern_tensor_rand(__VA_ARGS__))
#define tern_tensor_reshape(...) TERN_SITE("tern_tensor_reshape", tern_tensor_reshape(__VA_ARGS__))
#define tern_tensor_permute(...) TERN_SITE("tern_tensor_permute", tern_tensor_permute(__VA_ARGS__))
#define tern_tensor_transpose(...)                                                                 \
    TERN_SITE("tern_tensor_transpose", tern_tensor_transpose(__VA_ARGS__))
#define tern_tensor_slice(...)  TERN_SITE("tern_tensor_slice", tern_tensor_slice(__VA_ARGS__))
#define tern_tensor_select(...) TERN_SITE("tern_tensor_select", tern_tensor_select(__VA_ARGS__))
#define tern_tensor_broadcast(...)                                                                 \
    TERN_SITE("tern_tensor_broadcast", tern_tensor_broadcast(__VA_ARGS__))
#define tern_contiguous(...)  TERN_SITE("tern_contiguous", tern_contiguous(__VA_ARGS__))
#define tern_cast(...)        TERN_SITE("tern_cast", tern_cast(__VA_ARGS__))
#define tern_add(...)         TERN_SITE("tern_add", tern_add(__VA_ARGS__))
#define tern_mul(...)         TERN_SITE("tern_mul", tern_mul(__VA_ARGS__))
#define tern_scale(...)       TERN_SITE("tern_scale", tern_scale(__VA_ARGS__))
#define tern_relu2(...)       TERN_SITE("tern_relu2", tern_relu2(__VA_ARGS__))
#define tern_silu(...)        TERN_SITE("tern_silu", tern_silu(__VA_ARGS__))
#define tern_rms_norm(...)    TERN_SITE("tern_rms_norm", tern_rms_norm(__VA_ARGS__))
#define tern_softmax(...)     TERN_SITE("tern_softmax", tern_softmax(__VA_ARGS__))
#define tern_rope(...)        TERN_SITE("tern_rope", tern_rope(__VA_ARGS__))
#define tern_rope_table(...)  TERN_SITE("tern_rope_table", tern_rope_table(__VA_ARGS__))
#define tern_embedding(...)   TERN_SITE("tern_embedding", tern_embedding(__VA_ARGS__))
#define tern_matmul(...)      TERN_SITE("tern_matmul", tern_matmul(__VA_ARGS__))
#define tern_linear(...)      TERN_SITE("tern_linear", tern_linear(__VA_ARGS__))
#define tern_tensor_pack(...) TERN_SITE("tern_tensor_pack", tern_tensor_pack(__VA_ARGS__))
#define tern_tensor_pack_random(...)                                                               \
    TERN_SITE("tern_tensor_pack_random", tern_tensor_pack_random(__VA_ARGS__))
#define tern_attention(...) TERN_SITE("tern_attention", tern_attention(__VA_ARGS__))
/* These release, or look at memory. */
#define tern_copy(...)           TERN_SITE("tern_copy", tern_copy(__VA_ARGS__))
#define tern_tensor_retain(...)  TERN_SITE("tern_tensor_retain", tern_tensor_retain(__VA_ARGS__))
#define tern_tensor_release(...) TERN_SITE("tern_tensor_release", tern_tensor_release(__VA_ARGS__))
#define tern_scope_end(...)      TERN_SITE("tern_scope_end", tern_scope_end(__VA_ARGS__))
#define tern_context_destroy(...)                                                                  \
    TERN_SITE("tern_context_destroy", tern_context_destroy(__VA_ARGS__))
#define tern_memory_check(...) TERN_SITE("tern_memory_check", tern_memory_check(__VA_ARGS__))
#define tern_memory_trim(...)  TERN_SITE("tern_memory_trim", tern_memory_trim(__VA_ARGS__))
#endif

#if defined(TERN_SITES_MODEL) && !defined(tern_model_load)
/* These make models and sessions. */
#define tern_model_load(...)     TERN_SITE("tern_model_load", tern_model_load(__VA_ARGS__))
#define tern_model_random(...)   TERN_SITE("tern_model_random", tern_model_random(__VA_ARGS__))
#define tern_session_create(...) TERN_SITE("tern_session_create", tern_session_create(__VA_ARGS__))
/* These use and release them. */
#define tern_session_eval(...)  TERN_SITE("tern_session_eval", tern_session_eval(__VA_ARGS__))
#define tern_model_release(...) TERN_SITE("tern_model_release", tern_model_release(__VA_ARGS__))
#define tern_session_destroy(...)                                                                  \
    TERN_SITE("tern_session_destroy", tern_session_destroy(__VA_ARGS__))
#endif
