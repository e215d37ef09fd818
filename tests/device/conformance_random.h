/* SPDX-License-Identifier: MIT
 * Which random cases each operation has. */
#ifndef TERN_TEST_CONFORMANCE_RANDOM_H
#define TERN_TEST_CONFORMANCE_RANDOM_H

#include "conformance_models.h"
#include "conformance_ops.h"

#define RANDOM_UNARY(name)     {#name, make_unary},
#define RANDOM_BINARY(name)    {#name, make_binary},
#define RANDOM_REDUCTION(name) {#name, make_reduction},
#define RANDOM_ALONG(name)     {#name, make_along},

static const struct random_entry {
    const char *op;
    void (*make)(maker *m);
} random_entries[] = {
    OP_UNARY(RANDOM_UNARY) OP_BINARY(RANDOM_BINARY) OP_REDUCTION(RANDOM_REDUCTION)
        OP_ALONG(RANDOM_ALONG) /* */
    {"contiguous", make_unary},
    {"clone", make_unary},
    {"cast", make_cast},
    {"copy", make_copy},
    {"fma", make_fma},
    {"where", make_where},
    {"scale", make_factor},
    {"affine", make_affine},
    {"clip", make_clip},
    {"add_scaled", make_binary_factor},
    {"leaky_relu", make_factor},
    {"leaky_relu_backward", make_binary_factor},
    {"bias_activation", make_bias_activation},
    {"dropout", make_dropout},
    {"masked_fill", make_masked_fill},
    {"isclose", make_isclose},
    {"var", make_spread},
    {"std", make_spread},
    {"norm", make_norm},
    {"quantile", make_quantile},
    {"argmin", make_arg},
    {"argmax", make_arg},
    {"dot", make_dot},
    {"softmax_causal", make_softmax_causal},
    {"softmax_backward", make_along_pair},
    {"log_softmax_backward", make_along_pair},
    {"rms_norm", make_rms_norm},
    {"layer_norm", make_layer_norm},
    {"rms_norm_backward", make_rms_norm_backward},
    {"layer_norm_backward", make_layer_norm_backward},
    {"cross_entropy", make_cross_entropy},
    {"cross_entropy_backward", make_cross_entropy_backward},
    {"matmul", make_matmul},
    {"matmul_with", make_matmul_with},
    {"outer", make_outer},
    {"linear", make_linear},
    {"ternary_linear", make_ternary_linear},
    {"norm_linear", make_norm_linear},
    {"norm_linear_add", make_norm_linear_add},
    {"norm_glu", make_norm_glu},
    {"quantized_linear", make_quantized_linear},
    {"linear_topk", make_linear_topk},
    {"einsum", make_einsum},
    {"conv1d", make_conv1d},
    {"conv2d", make_conv2d},
    {"rope", make_rope},
    {"rope_table", make_rope_table},
    {"embedding", make_embedding},
    {"attention", make_attention},
    {"attention_int8", make_attention_int8},
    {"quantize_scale", make_quantize_scale},
    {"quantize", make_quantize},
    {"pack", make_pack},
    {"pack_int", make_pack_int},
    {"pack_random", make_pack_random},
    {"gather", make_gather},
    {"scatter", make_scatter},
    {"scatter_add", make_scatter},
    {"index_select", make_index_select},
    {"take", make_take},
    {"put", make_put},
    {"masked_select", make_masked_select},
    {"nonzero", make_nonzero},
    {"one_hot", make_one_hot},
    {"searchsorted", make_searchsorted},
    {"concat", make_concat},
    {"stack", make_stack},
    {"pad", make_pad},
    {"tile", make_tile},
    {"repeat", make_repeat},
    {"roll", make_roll},
    {"sort", make_sort},
    {"argsort", make_sort},
    {"topk", make_topk},
    {"unique", make_nonzero},
};

enum { RANDOM_ENTRIES = sizeof random_entries / sizeof *random_entries };

/* The case is the same for an entry and a round, whatever runs before. Every fourth one is simple.
 */
static void run_random(int entry, int round) {
    maker m = {.random = {.seed = (uint64_t)(1000 * entry + round)},
               .is_simple = round % 4 == 0,
               .is_large = round % 8 == 3};
    m.info = find_info(random_entries[entry].op);
    assert_non_null(m.info);
    m.c.number = 1000000 + 1000 * entry + round;
    snprintf(m.c.op, sizeof m.c.op, "%s", random_entries[entry].op);
    random_entries[entry].make(&m);
    run_case(&m.c);
    for (int i = 0; i < m.c.input_count; i++)
        free((void *)(uintptr_t)m.c.inputs[i].base);
}

#endif
