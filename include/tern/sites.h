/* SPDX-License-Identifier: MIT
 *
 * Where in your program is this tensor made? The headers that declare what makes something end with
 * these macros: every call that makes or releases something tells the library its file and line
 * first, so that leak and misuse reports (see <tern/memory.h>) can name it. The cost is a store of
 * three words a call. Without them (define TERN_NO_SITES before the first header of Tern) reports
 * name the operation, the shape, and the place that the thread told last, if any.
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
#define tern_tensor_empty(...)  TERN_SITE("tern_tensor_empty", tern_tensor_empty(__VA_ARGS__))
#define tern_tensor_zeros(...)  TERN_SITE("tern_tensor_zeros", tern_tensor_zeros(__VA_ARGS__))
#define tern_tensor_ones(...)   TERN_SITE("tern_tensor_ones", tern_tensor_ones(__VA_ARGS__))
#define tern_tensor_full(...)   TERN_SITE("tern_tensor_full", tern_tensor_full(__VA_ARGS__))
#define tern_tensor_arange(...) TERN_SITE("tern_tensor_arange", tern_tensor_arange(__VA_ARGS__))
#define tern_tensor_linspace(...)                                                                  \
    TERN_SITE("tern_tensor_linspace", tern_tensor_linspace(__VA_ARGS__))
#define tern_tensor_eye(...) TERN_SITE("tern_tensor_eye", tern_tensor_eye(__VA_ARGS__))
#define tern_tensor_empty_like(...)                                                                \
    TERN_SITE("tern_tensor_empty_like", tern_tensor_empty_like(__VA_ARGS__))
#define tern_tensor_zeros_like(...)                                                                \
    TERN_SITE("tern_tensor_zeros_like", tern_tensor_zeros_like(__VA_ARGS__))
#define tern_tensor_ones_like(...)                                                                 \
    TERN_SITE("tern_tensor_ones_like", tern_tensor_ones_like(__VA_ARGS__))
#define tern_tensor_full_like(...)                                                                 \
    TERN_SITE("tern_tensor_full_like", tern_tensor_full_like(__VA_ARGS__))
#define tern_tensor_from_data(...)                                                                 \
    TERN_SITE("tern_tensor_from_data", tern_tensor_from_data(__VA_ARGS__))
#define tern_tensor_borrow(...)  TERN_SITE("tern_tensor_borrow", tern_tensor_borrow(__VA_ARGS__))
#define tern_tensor_randn(...)   TERN_SITE("tern_tensor_randn", tern_tensor_randn(__VA_ARGS__))
#define tern_tensor_rand(...)    TERN_SITE("tern_tensor_rand", tern_tensor_rand(__VA_ARGS__))
#define tern_tensor_randint(...) TERN_SITE("tern_tensor_randint", tern_tensor_randint(__VA_ARGS__))
#define tern_tensor_bernoulli(...)                                                                 \
    TERN_SITE("tern_tensor_bernoulli", tern_tensor_bernoulli(__VA_ARGS__))
#define tern_tensor_reshape(...) TERN_SITE("tern_tensor_reshape", tern_tensor_reshape(__VA_ARGS__))
#define tern_tensor_flatten(...) TERN_SITE("tern_tensor_flatten", tern_tensor_flatten(__VA_ARGS__))
#define tern_tensor_squeeze(...) TERN_SITE("tern_tensor_squeeze", tern_tensor_squeeze(__VA_ARGS__))
#define tern_tensor_unsqueeze(...)                                                                 \
    TERN_SITE("tern_tensor_unsqueeze", tern_tensor_unsqueeze(__VA_ARGS__))
#define tern_tensor_permute(...) TERN_SITE("tern_tensor_permute", tern_tensor_permute(__VA_ARGS__))
#define tern_tensor_transpose(...)                                                                 \
    TERN_SITE("tern_tensor_transpose", tern_tensor_transpose(__VA_ARGS__))
#define tern_tensor_move_axis(...)                                                                 \
    TERN_SITE("tern_tensor_move_axis", tern_tensor_move_axis(__VA_ARGS__))
#define tern_tensor_slice(...)  TERN_SITE("tern_tensor_slice", tern_tensor_slice(__VA_ARGS__))
#define tern_tensor_select(...) TERN_SITE("tern_tensor_select", tern_tensor_select(__VA_ARGS__))
#define tern_tensor_flip(...)   TERN_SITE("tern_tensor_flip", tern_tensor_flip(__VA_ARGS__))
#define tern_tensor_diagonal(...)                                                                  \
    TERN_SITE("tern_tensor_diagonal", tern_tensor_diagonal(__VA_ARGS__))
#define tern_tensor_unfold(...) TERN_SITE("tern_tensor_unfold", tern_tensor_unfold(__VA_ARGS__))
#define tern_tensor_broadcast(...)                                                                 \
    TERN_SITE("tern_tensor_broadcast", tern_tensor_broadcast(__VA_ARGS__))
#define tern_tensor_view_as(...) TERN_SITE("tern_tensor_view_as", tern_tensor_view_as(__VA_ARGS__))
/* These release, or look at memory. */
#define tern_tensor_retain(...)  TERN_SITE("tern_tensor_retain", tern_tensor_retain(__VA_ARGS__))
#define tern_tensor_release(...) TERN_SITE("tern_tensor_release", tern_tensor_release(__VA_ARGS__))
#define tern_scope_end(...)      TERN_SITE("tern_scope_end", tern_scope_end(__VA_ARGS__))
#define tern_context_destroy(...)                                                                  \
    TERN_SITE("tern_context_destroy", tern_context_destroy(__VA_ARGS__))
#define tern_memory_check(...) TERN_SITE("tern_memory_check", tern_memory_check(__VA_ARGS__))
#define tern_memory_trim(...)  TERN_SITE("tern_memory_trim", tern_memory_trim(__VA_ARGS__))
#endif

#if defined(TERN_SITES_OPS) && !defined(tern_add)
/* These make tensors. */
#define tern_contiguous(...)    TERN_SITE("tern_contiguous", tern_contiguous(__VA_ARGS__))
#define tern_clone(...)         TERN_SITE("tern_clone", tern_clone(__VA_ARGS__))
#define tern_cast(...)          TERN_SITE("tern_cast", tern_cast(__VA_ARGS__))
#define tern_add(...)           TERN_SITE("tern_add", tern_add(__VA_ARGS__))
#define tern_sub(...)           TERN_SITE("tern_sub", tern_sub(__VA_ARGS__))
#define tern_mul(...)           TERN_SITE("tern_mul", tern_mul(__VA_ARGS__))
#define tern_div(...)           TERN_SITE("tern_div", tern_div(__VA_ARGS__))
#define tern_floor_div(...)     TERN_SITE("tern_floor_div", tern_floor_div(__VA_ARGS__))
#define tern_mod(...)           TERN_SITE("tern_mod", tern_mod(__VA_ARGS__))
#define tern_pow(...)           TERN_SITE("tern_pow", tern_pow(__VA_ARGS__))
#define tern_atan2(...)         TERN_SITE("tern_atan2", tern_atan2(__VA_ARGS__))
#define tern_minimum(...)       TERN_SITE("tern_minimum", tern_minimum(__VA_ARGS__))
#define tern_maximum(...)       TERN_SITE("tern_maximum", tern_maximum(__VA_ARGS__))
#define tern_neg(...)           TERN_SITE("tern_neg", tern_neg(__VA_ARGS__))
#define tern_abs(...)           TERN_SITE("tern_abs", tern_abs(__VA_ARGS__))
#define tern_sign(...)          TERN_SITE("tern_sign", tern_sign(__VA_ARGS__))
#define tern_square(...)        TERN_SITE("tern_square", tern_square(__VA_ARGS__))
#define tern_sqrt(...)          TERN_SITE("tern_sqrt", tern_sqrt(__VA_ARGS__))
#define tern_rsqrt(...)         TERN_SITE("tern_rsqrt", tern_rsqrt(__VA_ARGS__))
#define tern_reciprocal(...)    TERN_SITE("tern_reciprocal", tern_reciprocal(__VA_ARGS__))
#define tern_exp(...)           TERN_SITE("tern_exp", tern_exp(__VA_ARGS__))
#define tern_expm1(...)         TERN_SITE("tern_expm1", tern_expm1(__VA_ARGS__))
#define tern_log(...)           TERN_SITE("tern_log", tern_log(__VA_ARGS__))
#define tern_log1p(...)         TERN_SITE("tern_log1p", tern_log1p(__VA_ARGS__))
#define tern_log2(...)          TERN_SITE("tern_log2", tern_log2(__VA_ARGS__))
#define tern_sin(...)           TERN_SITE("tern_sin", tern_sin(__VA_ARGS__))
#define tern_cos(...)           TERN_SITE("tern_cos", tern_cos(__VA_ARGS__))
#define tern_tan(...)           TERN_SITE("tern_tan", tern_tan(__VA_ARGS__))
#define tern_asin(...)          TERN_SITE("tern_asin", tern_asin(__VA_ARGS__))
#define tern_acos(...)          TERN_SITE("tern_acos", tern_acos(__VA_ARGS__))
#define tern_atan(...)          TERN_SITE("tern_atan", tern_atan(__VA_ARGS__))
#define tern_sinh(...)          TERN_SITE("tern_sinh", tern_sinh(__VA_ARGS__))
#define tern_cosh(...)          TERN_SITE("tern_cosh", tern_cosh(__VA_ARGS__))
#define tern_tanh(...)          TERN_SITE("tern_tanh", tern_tanh(__VA_ARGS__))
#define tern_erf(...)           TERN_SITE("tern_erf", tern_erf(__VA_ARGS__))
#define tern_round(...)         TERN_SITE("tern_round", tern_round(__VA_ARGS__))
#define tern_floor(...)         TERN_SITE("tern_floor", tern_floor(__VA_ARGS__))
#define tern_ceil(...)          TERN_SITE("tern_ceil", tern_ceil(__VA_ARGS__))
#define tern_trunc(...)         TERN_SITE("tern_trunc", tern_trunc(__VA_ARGS__))
#define tern_fma(...)           TERN_SITE("tern_fma", tern_fma(__VA_ARGS__))
#define tern_scale(...)         TERN_SITE("tern_scale", tern_scale(__VA_ARGS__))
#define tern_affine(...)        TERN_SITE("tern_affine", tern_affine(__VA_ARGS__))
#define tern_add_scaled(...)    TERN_SITE("tern_add_scaled", tern_add_scaled(__VA_ARGS__))
#define tern_clip(...)          TERN_SITE("tern_clip", tern_clip(__VA_ARGS__))
#define tern_bit_and(...)       TERN_SITE("tern_bit_and", tern_bit_and(__VA_ARGS__))
#define tern_bit_or(...)        TERN_SITE("tern_bit_or", tern_bit_or(__VA_ARGS__))
#define tern_bit_xor(...)       TERN_SITE("tern_bit_xor", tern_bit_xor(__VA_ARGS__))
#define tern_bit_not(...)       TERN_SITE("tern_bit_not", tern_bit_not(__VA_ARGS__))
#define tern_shift_left(...)    TERN_SITE("tern_shift_left", tern_shift_left(__VA_ARGS__))
#define tern_shift_right(...)   TERN_SITE("tern_shift_right", tern_shift_right(__VA_ARGS__))
#define tern_equal(...)         TERN_SITE("tern_equal", tern_equal(__VA_ARGS__))
#define tern_not_equal(...)     TERN_SITE("tern_not_equal", tern_not_equal(__VA_ARGS__))
#define tern_less(...)          TERN_SITE("tern_less", tern_less(__VA_ARGS__))
#define tern_less_equal(...)    TERN_SITE("tern_less_equal", tern_less_equal(__VA_ARGS__))
#define tern_greater(...)       TERN_SITE("tern_greater", tern_greater(__VA_ARGS__))
#define tern_greater_equal(...) TERN_SITE("tern_greater_equal", tern_greater_equal(__VA_ARGS__))
#define tern_logical_and(...)   TERN_SITE("tern_logical_and", tern_logical_and(__VA_ARGS__))
#define tern_logical_or(...)    TERN_SITE("tern_logical_or", tern_logical_or(__VA_ARGS__))
#define tern_logical_xor(...)   TERN_SITE("tern_logical_xor", tern_logical_xor(__VA_ARGS__))
#define tern_logical_not(...)   TERN_SITE("tern_logical_not", tern_logical_not(__VA_ARGS__))
#define tern_isnan(...)         TERN_SITE("tern_isnan", tern_isnan(__VA_ARGS__))
#define tern_isinf(...)         TERN_SITE("tern_isinf", tern_isinf(__VA_ARGS__))
#define tern_isfinite(...)      TERN_SITE("tern_isfinite", tern_isfinite(__VA_ARGS__))
#define tern_where(...)         TERN_SITE("tern_where", tern_where(__VA_ARGS__))
#define tern_isclose(...)       TERN_SITE("tern_isclose", tern_isclose(__VA_ARGS__))
#define tern_relu(...)          TERN_SITE("tern_relu", tern_relu(__VA_ARGS__))
#define tern_relu2(...)         TERN_SITE("tern_relu2", tern_relu2(__VA_ARGS__))
#define tern_sigmoid(...)       TERN_SITE("tern_sigmoid", tern_sigmoid(__VA_ARGS__))
#define tern_silu(...)          TERN_SITE("tern_silu", tern_silu(__VA_ARGS__))
#define tern_gelu(...)          TERN_SITE("tern_gelu", tern_gelu(__VA_ARGS__))
#define tern_gelu_tanh(...)     TERN_SITE("tern_gelu_tanh", tern_gelu_tanh(__VA_ARGS__))
#define tern_softplus(...)      TERN_SITE("tern_softplus", tern_softplus(__VA_ARGS__))
#define tern_leaky_relu(...)    TERN_SITE("tern_leaky_relu", tern_leaky_relu(__VA_ARGS__))
#define tern_bias_activation(...)                                                                  \
    TERN_SITE("tern_bias_activation", tern_bias_activation(__VA_ARGS__))
#define tern_dropout(...)        TERN_SITE("tern_dropout", tern_dropout(__VA_ARGS__))
#define tern_relu_backward(...)  TERN_SITE("tern_relu_backward", tern_relu_backward(__VA_ARGS__))
#define tern_relu2_backward(...) TERN_SITE("tern_relu2_backward", tern_relu2_backward(__VA_ARGS__))
#define tern_silu_backward(...)  TERN_SITE("tern_silu_backward", tern_silu_backward(__VA_ARGS__))
#define tern_gelu_backward(...)  TERN_SITE("tern_gelu_backward", tern_gelu_backward(__VA_ARGS__))
#define tern_gelu_tanh_backward(...)                                                               \
    TERN_SITE("tern_gelu_tanh_backward", tern_gelu_tanh_backward(__VA_ARGS__))
#define tern_softplus_backward(...)                                                                \
    TERN_SITE("tern_softplus_backward", tern_softplus_backward(__VA_ARGS__))
#define tern_leaky_relu_backward(...)                                                              \
    TERN_SITE("tern_leaky_relu_backward", tern_leaky_relu_backward(__VA_ARGS__))
#define tern_sigmoid_backward(...)                                                                 \
    TERN_SITE("tern_sigmoid_backward", tern_sigmoid_backward(__VA_ARGS__))
#define tern_tanh_backward(...)  TERN_SITE("tern_tanh_backward", tern_tanh_backward(__VA_ARGS__))
#define tern_sum(...)            TERN_SITE("tern_sum", tern_sum(__VA_ARGS__))
#define tern_prod(...)           TERN_SITE("tern_prod", tern_prod(__VA_ARGS__))
#define tern_mean(...)           TERN_SITE("tern_mean", tern_mean(__VA_ARGS__))
#define tern_min(...)            TERN_SITE("tern_min", tern_min(__VA_ARGS__))
#define tern_max(...)            TERN_SITE("tern_max", tern_max(__VA_ARGS__))
#define tern_any(...)            TERN_SITE("tern_any", tern_any(__VA_ARGS__))
#define tern_all(...)            TERN_SITE("tern_all", tern_all(__VA_ARGS__))
#define tern_count_nonzero(...)  TERN_SITE("tern_count_nonzero", tern_count_nonzero(__VA_ARGS__))
#define tern_logsumexp(...)      TERN_SITE("tern_logsumexp", tern_logsumexp(__VA_ARGS__))
#define tern_median(...)         TERN_SITE("tern_median", tern_median(__VA_ARGS__))
#define tern_var(...)            TERN_SITE("tern_var", tern_var(__VA_ARGS__))
#define tern_std(...)            TERN_SITE("tern_std", tern_std(__VA_ARGS__))
#define tern_norm(...)           TERN_SITE("tern_norm", tern_norm(__VA_ARGS__))
#define tern_quantile(...)       TERN_SITE("tern_quantile", tern_quantile(__VA_ARGS__))
#define tern_argmin(...)         TERN_SITE("tern_argmin", tern_argmin(__VA_ARGS__))
#define tern_argmax(...)         TERN_SITE("tern_argmax", tern_argmax(__VA_ARGS__))
#define tern_cumsum(...)         TERN_SITE("tern_cumsum", tern_cumsum(__VA_ARGS__))
#define tern_cumprod(...)        TERN_SITE("tern_cumprod", tern_cumprod(__VA_ARGS__))
#define tern_softmax(...)        TERN_SITE("tern_softmax", tern_softmax(__VA_ARGS__))
#define tern_softmax_causal(...) TERN_SITE("tern_softmax_causal", tern_softmax_causal(__VA_ARGS__))
#define tern_log_softmax(...)    TERN_SITE("tern_log_softmax", tern_log_softmax(__VA_ARGS__))
#define tern_softmax_backward(...)                                                                 \
    TERN_SITE("tern_softmax_backward", tern_softmax_backward(__VA_ARGS__))
#define tern_log_softmax_backward(...)                                                             \
    TERN_SITE("tern_log_softmax_backward", tern_log_softmax_backward(__VA_ARGS__))
#define tern_rms_norm(...)   TERN_SITE("tern_rms_norm", tern_rms_norm(__VA_ARGS__))
#define tern_layer_norm(...) TERN_SITE("tern_layer_norm", tern_layer_norm(__VA_ARGS__))
#define tern_rms_norm_backward(...)                                                                \
    TERN_SITE("tern_rms_norm_backward", tern_rms_norm_backward(__VA_ARGS__))
#define tern_layer_norm_backward(...)                                                              \
    TERN_SITE("tern_layer_norm_backward", tern_layer_norm_backward(__VA_ARGS__))
#define tern_cross_entropy(...) TERN_SITE("tern_cross_entropy", tern_cross_entropy(__VA_ARGS__))
#define tern_cross_entropy_backward(...)                                                           \
    TERN_SITE("tern_cross_entropy_backward", tern_cross_entropy_backward(__VA_ARGS__))
#define tern_matmul(...)      TERN_SITE("tern_matmul", tern_matmul(__VA_ARGS__))
#define tern_matmul_with(...) TERN_SITE("tern_matmul_with", tern_matmul_with(__VA_ARGS__))
#define tern_dot(...)         TERN_SITE("tern_dot", tern_dot(__VA_ARGS__))
#define tern_outer(...)       TERN_SITE("tern_outer", tern_outer(__VA_ARGS__))
#define tern_linear(...)      TERN_SITE("tern_linear", tern_linear(__VA_ARGS__))
#define tern_norm_linear(...) TERN_SITE("tern_norm_linear", tern_norm_linear(__VA_ARGS__))
#define tern_norm_linear_add(...)                                                                  \
    TERN_SITE("tern_norm_linear_add", tern_norm_linear_add(__VA_ARGS__))
#define tern_norm_glu(...)       TERN_SITE("tern_norm_glu", tern_norm_glu(__VA_ARGS__))
#define tern_einsum(...)         TERN_SITE("tern_einsum", tern_einsum(__VA_ARGS__))
#define tern_conv1d(...)         TERN_SITE("tern_conv1d", tern_conv1d(__VA_ARGS__))
#define tern_conv2d(...)         TERN_SITE("tern_conv2d", tern_conv2d(__VA_ARGS__))
#define tern_rope(...)           TERN_SITE("tern_rope", tern_rope(__VA_ARGS__))
#define tern_rope_table(...)     TERN_SITE("tern_rope_table", tern_rope_table(__VA_ARGS__))
#define tern_embedding(...)      TERN_SITE("tern_embedding", tern_embedding(__VA_ARGS__))
#define tern_attention(...)      TERN_SITE("tern_attention", tern_attention(__VA_ARGS__))
#define tern_attention_int8(...) TERN_SITE("tern_attention_int8", tern_attention_int8(__VA_ARGS__))
#define tern_quantize_scale(...) TERN_SITE("tern_quantize_scale", tern_quantize_scale(__VA_ARGS__))
#define tern_quantize(...)       TERN_SITE("tern_quantize", tern_quantize(__VA_ARGS__))
#define tern_tensor_pack(...)    TERN_SITE("tern_tensor_pack", tern_tensor_pack(__VA_ARGS__))
#define tern_linear_topk(...)    TERN_SITE("tern_linear_topk", tern_linear_topk(__VA_ARGS__))
#define tern_tensor_pack_int(...)                                                                  \
    TERN_SITE("tern_tensor_pack_int", tern_tensor_pack_int(__VA_ARGS__))
#define tern_tensor_pack_random(...)                                                               \
    TERN_SITE("tern_tensor_pack_random", tern_tensor_pack_random(__VA_ARGS__))
#define tern_gather(...)        TERN_SITE("tern_gather", tern_gather(__VA_ARGS__))
#define tern_scatter(...)       TERN_SITE("tern_scatter", tern_scatter(__VA_ARGS__))
#define tern_scatter_add(...)   TERN_SITE("tern_scatter_add", tern_scatter_add(__VA_ARGS__))
#define tern_index_select(...)  TERN_SITE("tern_index_select", tern_index_select(__VA_ARGS__))
#define tern_take(...)          TERN_SITE("tern_take", tern_take(__VA_ARGS__))
#define tern_put(...)           TERN_SITE("tern_put", tern_put(__VA_ARGS__))
#define tern_masked_select(...) TERN_SITE("tern_masked_select", tern_masked_select(__VA_ARGS__))
#define tern_masked_fill(...)   TERN_SITE("tern_masked_fill", tern_masked_fill(__VA_ARGS__))
#define tern_nonzero(...)       TERN_SITE("tern_nonzero", tern_nonzero(__VA_ARGS__))
#define tern_one_hot(...)       TERN_SITE("tern_one_hot", tern_one_hot(__VA_ARGS__))
#define tern_searchsorted(...)  TERN_SITE("tern_searchsorted", tern_searchsorted(__VA_ARGS__))
#define tern_concat(...)        TERN_SITE("tern_concat", tern_concat(__VA_ARGS__))
#define tern_stack(...)         TERN_SITE("tern_stack", tern_stack(__VA_ARGS__))
#define tern_chunk(...)         TERN_SITE("tern_chunk", tern_chunk(__VA_ARGS__))
#define tern_split(...)         TERN_SITE("tern_split", tern_split(__VA_ARGS__))
#define tern_pad(...)           TERN_SITE("tern_pad", tern_pad(__VA_ARGS__))
#define tern_tile(...)          TERN_SITE("tern_tile", tern_tile(__VA_ARGS__))
#define tern_repeat(...)        TERN_SITE("tern_repeat", tern_repeat(__VA_ARGS__))
#define tern_roll(...)          TERN_SITE("tern_roll", tern_roll(__VA_ARGS__))
#define tern_sort(...)          TERN_SITE("tern_sort", tern_sort(__VA_ARGS__))
#define tern_argsort(...)       TERN_SITE("tern_argsort", tern_argsort(__VA_ARGS__))
#define tern_topk(...)          TERN_SITE("tern_topk", tern_topk(__VA_ARGS__))
#define tern_unique(...)        TERN_SITE("tern_unique", tern_unique(__VA_ARGS__))
/* This may make one on the way. */
#define tern_copy(...) TERN_SITE("tern_copy", tern_copy(__VA_ARGS__))
#endif

#if defined(TERN_SITES_LINALG) && !defined(tern_solve)
/* These make tensors, some of them several. */
#define tern_solve(...)       TERN_SITE("tern_solve", tern_solve(__VA_ARGS__))
#define tern_inv(...)         TERN_SITE("tern_inv", tern_inv(__VA_ARGS__))
#define tern_det(...)         TERN_SITE("tern_det", tern_det(__VA_ARGS__))
#define tern_slogdet(...)     TERN_SITE("tern_slogdet", tern_slogdet(__VA_ARGS__))
#define tern_lstsq(...)       TERN_SITE("tern_lstsq", tern_lstsq(__VA_ARGS__))
#define tern_pinv(...)        TERN_SITE("tern_pinv", tern_pinv(__VA_ARGS__))
#define tern_lu(...)          TERN_SITE("tern_lu", tern_lu(__VA_ARGS__))
#define tern_qr(...)          TERN_SITE("tern_qr", tern_qr(__VA_ARGS__))
#define tern_cholesky(...)    TERN_SITE("tern_cholesky", tern_cholesky(__VA_ARGS__))
#define tern_svd(...)         TERN_SITE("tern_svd", tern_svd(__VA_ARGS__))
#define tern_eigh(...)        TERN_SITE("tern_eigh", tern_eigh(__VA_ARGS__))
#define tern_eig(...)         TERN_SITE("tern_eig", tern_eig(__VA_ARGS__))
#define tern_matrix_rank(...) TERN_SITE("tern_matrix_rank", tern_matrix_rank(__VA_ARGS__))
#define tern_cond(...)        TERN_SITE("tern_cond", tern_cond(__VA_ARGS__))
#define tern_matrix_norm(...) TERN_SITE("tern_matrix_norm", tern_matrix_norm(__VA_ARGS__))
#define tern_expm(...)        TERN_SITE("tern_expm", tern_expm(__VA_ARGS__))
#endif

#if defined(TERN_SITES_INTERCHANGE) && !defined(tern_npy_load)
/* These make tensors. */
#define tern_tensor_from_dlpack(...)                                                               \
    TERN_SITE("tern_tensor_from_dlpack", tern_tensor_from_dlpack(__VA_ARGS__))
#define tern_tensor_from_dlpack_old(...)                                                           \
    TERN_SITE("tern_tensor_from_dlpack_old", tern_tensor_from_dlpack_old(__VA_ARGS__))
#define tern_archive_tensor(...) TERN_SITE("tern_archive_tensor", tern_archive_tensor(__VA_ARGS__))
#define tern_npy_load(...)       TERN_SITE("tern_npy_load", tern_npy_load(__VA_ARGS__))
#endif

#if defined(TERN_SITES_MODEL) && !defined(tern_model_load)
/* These make models and sessions. */
#define tern_model_load(...)     TERN_SITE("tern_model_load", tern_model_load(__VA_ARGS__))
#define tern_model_random(...)   TERN_SITE("tern_model_random", tern_model_random(__VA_ARGS__))
#define tern_session_create(...) TERN_SITE("tern_session_create", tern_session_create(__VA_ARGS__))
/* These use and release them. */
#define tern_session_eval(...) TERN_SITE("tern_session_eval", tern_session_eval(__VA_ARGS__))
#define tern_session_eval_best(...)                                                                \
    TERN_SITE("tern_session_eval_best", tern_session_eval_best(__VA_ARGS__))
#define tern_model_release(...) TERN_SITE("tern_model_release", tern_model_release(__VA_ARGS__))
#define tern_session_destroy(...)                                                                  \
    TERN_SITE("tern_session_destroy", tern_session_destroy(__VA_ARGS__))
#endif
