/* SPDX-License-Identifier: MIT
 * Target T4: what share of calls and bytes is not copied (tern_stats_get): while a random model
 * reads a prompt of 512 and decodes, and over a mix of operations on contiguous, transposed,
 * stepped and broadcast operands. */
#include <math.h>
#include <stdio.h>

#include <tern/model.h>
#include <tern/ops.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/rows.h"

enum { PROMPT_TOKENS = 512, TOKENS = 16 };

/* -- rows --------------------------------------------------------------------------------------*/

/* Calls and bytes of one activity, with and without views. */
static void show_rates(const tern__table *table, const char *activity, double goal,
                       const tern_stats *stats) {
    const struct {
        const char *what;
        double rate, floor, goal;
    } rates[] = {
        {"calls", stats->zero_copy_rate, 80, goal},
        {"calls, without views", stats->zero_copy_no_views, 80, goal},
        {"bytes", stats->zero_copy_byte_rate, NAN, 99},
    };
    int64_t calls = 0;
    for (int i = 0; i < TERN_CLASS_MOVE; i++)
        calls += stats->total.calls[i];
    for (int i = 0; i < 3; i++) {
        char what[64];
        snprintf(what, sizeof what, "zero copy: %s, %s", activity, rates[i].what);
        tern_bench_row row = tern__row("T4", what, "%");
        tern__row_count(&row, 100 * rates[i].rate);
        row.is_least = true;
        row.floor = rates[i].floor;
        row.goal = rates[i].goal;
        snprintf(row.detail, sizeof row.detail,
                 "%lld calls, %lld of them copies, %lld views; apart: %lld that move data; "
                 "%.3f MB of %.1f copied",
                 (long long)calls, (long long)stats->total.calls[TERN_CLASS_COPY],
                 (long long)stats->total.calls[TERN_CLASS_VIEW],
                 (long long)stats->total.calls[TERN_CLASS_MOVE],
                 (double)stats->total.bytes[TERN_CLASS_COPY] * 1e-6,
                 (double)(stats->total.bytes[TERN_CLASS_IN_PLACE] +
                          stats->total.bytes[TERN_CLASS_COMPUTE] +
                          stats->total.bytes[TERN_CLASS_COPY]) *
                     1e-6);
        tern__row_show(table, &row);
    }
}

/* -- a model -----------------------------------------------------------------------------------*/

static tern_status count_model(const tern__table *table, tern_context *context,
                               tern_session *session, int64_t vocabulary) {
    int32_t tokens[PROMPT_TOKENS];
    for (int i = 0; i < PROMPT_TOKENS; i++)
        tokens[i] = (int32_t)((i * 7919LL) % vocabulary);
    float *logits = tern__os()->alloc((size_t)vocabulary * sizeof *logits);
    if (logits == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for logits");
    tern_stats stats;
    tern_status status;
    tern_stats_reset(context);
    TERN__TRY(tern_session_eval(session, tokens, PROMPT_TOKENS, TERN_LOGITS_LAST, logits));
    tern_stats_get(context, &stats);
    show_rates(table, "prompt of 512", 95, &stats);
    tern_stats_reset(context);
    for (int i = 0; i < TOKENS; i++)
        TERN__TRY(tern_session_eval(session, &tokens[i], 1, TERN_LOGITS_LAST, logits));
    tern_stats_get(context, &stats);
    show_rates(table, "decode", 100, &stats);
done:
    tern__os()->free(logits);
    return status;
}

static tern_status show_model(const tern__table *table, tern_context *context) {
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_status status;
    TERN__TRY(
        tern_model_random(context, table->options.is_quick ? "tiny" : "2b4t", 1, NULL, &model));
    tern_session_options options = {.context_length = PROMPT_TOKENS + TOKENS};
    TERN__TRY(tern_session_create(context, model, &options, &session));
    TERN__TRY(count_model(table, context, session, tern_model_describe(model).vocabulary));
done:
    tern_session_destroy(session);
    tern_model_release(model);
    return status;
}

/* -- a mix of operations -----------------------------------------------------------------------*/

/* What the calls read: (64, 96) unless said otherwise. */
typedef struct operands {
    tern_tensor *x, *y, *turned, *stepped, *row, *wide, *half, *whole, *batch, *image, *filter;
} operands;

static tern_status make_operands(tern_context *c, operands *in) {
    tern_tensor *tall, *large;
    tern_status status;
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(64, 96), 1, &in->x));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(64, 96), 2, &in->y));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(96, 64), 3, &tall));
    TERN__TRY(tern_tensor_transpose(tall, 0, 1, &in->turned));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(64, 192), 4, &large));
    TERN__TRY(tern_tensor_slice(large, 1, 0, 192, 2, &in->stepped));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(96), 5, &in->row));
    TERN__TRY(tern_tensor_broadcast(in->row, TERN_SHAPE(64, 96), &in->wide));
    TERN__TRY(tern_tensor_randn(c, TERN_F16, TERN_SHAPE(64, 96), 6, &in->half));
    TERN__TRY(tern_tensor_randint(c, TERN_I32, TERN_SHAPE(64, 96), -9, 9, 7, &in->whole));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(3, 96, 32), 8, &in->batch));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(1, 4, 14, 14), 9, &in->image));
    TERN__TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(8, 4, 3, 3), 10, &in->filter));
done:
    return status;
}

/* X(call with `out`): each once; in the end the in-place forms. */
#define MIX(X)                                                                                     \
    X(tern_add(in->x, in->turned, out))                                                            \
    X(tern_sub(in->stepped, in->y, out))                                                           \
    X(tern_mul(in->x, in->row, out))                                                               \
    X(tern_div(in->wide, in->turned, out))                                                         \
    X(tern_add(in->half, in->whole, out))                                                          \
    X(tern_maximum(in->x, in->y, out))                                                             \
    X(tern_exp(in->turned, out))                                                                   \
    X(tern_tanh(in->stepped, out))                                                                 \
    X(tern_sqrt(in->half, out))                                                                    \
    X(tern_gelu(in->x, out))                                                                       \
    X(tern_silu(in->wide, out))                                                                    \
    X(tern_relu2(in->turned, out))                                                                 \
    X(tern_affine(in->stepped, 2, 1, out))                                                         \
    X(tern_clip(in->whole, -3, 3, out))                                                            \
    X(tern_less(in->x, in->turned, out))                                                           \
    X(tern_cast(in->turned, TERN_BF16, out))                                                       \
    X(tern_bias_activation(in->x, in->row, TERN_ACTIVATION_GELU, out))                             \
    X(tern_tensor_transpose(in->x, 0, 1, out))                                                     \
    X(tern_tensor_reshape(in->x, TERN_SHAPE(8, 8, 96), out))                                       \
    X(tern_tensor_slice(in->turned, 0, 4, 60, 3, out))                                             \
    X(tern_tensor_flip(in->x, TERN_AXES(1), out))                                                  \
    X(tern_tensor_diagonal(in->x, 1, 0, 1, out))                                                   \
    X(tern_sum(in->x, TERN_AXES(1), false, out))                                                   \
    X(tern_sum(in->turned, TERN_AXES(0), true, out))                                               \
    X(tern_mean(in->stepped, TERN_ALL_AXES, false, out))                                           \
    X(tern_max(in->whole, TERN_AXES(1), false, out))                                               \
    X(tern_var(in->x, TERN_AXES(0), 1, false, out))                                                \
    X(tern_norm(in->turned, 2, TERN_AXES(1), false, out))                                          \
    X(tern_argmax(in->turned, 1, false, out))                                                      \
    X(tern_cumsum(in->x, 1, out))                                                                  \
    X(tern_logsumexp(in->x, TERN_AXES(1), false, out))                                             \
    X(tern_softmax(in->x, 1, out))                                                                 \
    X(tern_softmax(in->turned, 0, out))                                                            \
    X(tern_rms_norm(in->x, in->row, 1e-5, out))                                                    \
    X(tern_layer_norm(in->stepped, in->row, NULL, 1e-5, out))                                      \
    X(tern_matmul(in->x, in->batch, out))                                                          \
    X(tern_matmul(in->turned, in->batch, out))                                                     \
    X(tern_outer(in->row, in->row, out))                                                           \
    X(tern_dot(in->row, in->row, out))                                                             \
    X(tern_linear(in->x, in->y, out))                                                              \
    X(tern_conv2d(in->image, in->filter, NULL, NULL, out))                                         \
    X(tern_relu_backward(in->x, in->turned, out))                                                  \
    X(tern_gelu_backward(in->x, in->y, out))                                                       \
    X(tern_softmax_backward(in->x, in->y, 1, out))

/* X(call), into an operand. */
#define MIX_IN_PLACE(X)                                                                            \
    X(tern_add_into(in->x, in->row, in->x))                                                        \
    X(tern_scale_into(in->turned, 0.5, in->turned))                                                \
    X(tern_relu_into(in->stepped, in->stepped))                                                    \
    X(tern_fma_into(in->x, in->y, in->turned, in->x))

static tern_status run_mix(const operands *in) {
    tern_status status;
    tern_tensor *result = NULL, **out = &result;
#define RUN(call)                                                                                  \
    TERN__TRY(call);                                                                               \
    tern_tensor_release(result);                                                                   \
    result = NULL;
    MIX(RUN)
#undef RUN
#define RUN(call) TERN__TRY(call);
    MIX_IN_PLACE(RUN)
#undef RUN
done:
    return status;
}

static tern_status show_mix(const tern__table *table, tern_context *context) {
    operands in = {0};
    tern_stats stats;
    tern_scope_begin(context);
    tern_status status = make_operands(context, &in);
    tern_stats_reset(context);
    if (status == TERN_OK)
        status = run_mix(&in);
    tern_scope_end(context);
    tern_stats_get(context, &stats);
    if (status == TERN_OK)
        show_rates(table, "operations", 95, &stats);
    return status;
}

tern_status tern_bench_zero_copy(const tern_bench_table_options *options, tern_bench_row_fn visit,
                                 void *user) {
    tern__table table;
    tern_context *context = NULL;
    tern_bench_row row = tern__row("T4", "zero copy", "%");
    tern_status status = tern__table_open(&table, options, 1, 1, visit, user);
    if (status != TERN_OK)
        return status;
    TERN__TRY(tern_context_create(
        &(tern_options){.threads = table.options.threads, .cpu = table.options.cpu}, &context));
    TERN__TRY(show_mix(&table, context));
    TERN__TRY(show_model(&table, context));
    row = tern__row("T4", "zero copy: training step", "%");
    row.is_least = true;
    row.floor = 80;
    row.goal = 95;
    snprintf(row.detail, sizeof row.detail, "not built");
    tern__row_show(&table, &row);
done:
    tern_context_destroy(context);
    return status == TERN_OK ? status : tern__row_failed(&table, &row, status);
}
