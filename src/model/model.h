/* SPDX-License-Identifier: MIT
 * A loaded model: the hyper-parameters and weights of a BitNet b1.58 decoder. Immutable once
 * loaded; shared by reference counting. */
#ifndef TERN__MODEL_H
#define TERN__MODEL_H

#include <stdatomic.h>

#include <tern/model.h>

#include "device/device.h"

typedef struct tern__layer {
    tern_tensor *attn_norm;     /* (D) */
    tern_tensor *attn_q;        /* (H * K, D), packed like all matrices here */
    tern_tensor *attn_k;        /* (H_kv * K, D) */
    tern_tensor *attn_v;        /* (H_kv * K, D) */
    tern_tensor *attn_sub_norm; /* (H * K) */
    tern_tensor *attn_output;   /* (D, H * K) */
    tern_tensor *ffn_norm;      /* (D) */
    tern_tensor *ffn_gate;      /* (F, D) */
    tern_tensor *ffn_up;        /* (F, D) */
    tern_tensor *ffn_sub_norm;  /* (F) */
    tern_tensor *ffn_down;      /* (D, F) */
} tern__layer;

struct tern_model {
    atomic_int references;
    tern_context *context; /* retained: the weights live in its pool */
    tern_model_info info;
    char name[128];
    tern__storage_choice storage;
    float norm_epsilon;
    float attention_scale; /* 1 / sqrt(K) */
    double rope_theta;
    tern__layer *layers;      /* info.layers of them */
    tern_tensor *embedding;   /* (V, D) */
    tern_tensor *output_norm; /* (D) */
    tern_tensor *output;      /* (V, D); the embedding again when tied; or QUANTIZED */
    tern_tensor *screen;      /* the table quantised to 8 bits; NULL: none */
    char head_reason[96];
    tern_tokenizer *tokenizer; /* NULL: none */
};

/* An empty model whose info is filled in: the layers' table is there, the weights are NULL. */
tern_status tern__model_create(tern_context *context, const tern_model_info *info,
                               tern_model **model);

/* Chooses how the ternary weights are stored, before the first is packed. TERN_E_ARGUMENT for an
 * unknown storage. */
tern_status tern__model_choose_storage(tern_model *model, const tern_model_options *options);

/* From the table in model->output makes the head that was asked for: a screen beside the table, or
 * a quantised table in its place. TERN_E_ARGUMENT for an unknown head. */
tern_status tern__model_make_head(tern_model *model, const tern_model_options *options);

/* X(member, name in files, rows, columns) of the matrices of a layer, with `m` the model. */
#define TERN__LAYER_MATRICES(X)                                                                    \
    X(attn_q, "attn_q", m->heads * m->head_size, m->width)                                         \
    X(attn_k, "attn_k", m->kv_heads * m->head_size, m->width)                                      \
    X(attn_v, "attn_v", m->kv_heads * m->head_size, m->width)                                      \
    X(attn_output, "attn_output", m->width, m->heads * m->head_size)                               \
    X(ffn_gate, "ffn_gate", m->ffn_width, m->width)                                                \
    X(ffn_up, "ffn_up", m->ffn_width, m->width)                                                    \
    X(ffn_down, "ffn_down", m->width, m->ffn_width)

/* X(member, name in files, length) of the norms of a layer. */
#define TERN__LAYER_NORMS(X)                                                                       \
    X(attn_norm, "attn_norm", m->width)                                                            \
    X(attn_sub_norm, "attn_sub_norm", m->heads * m->head_size)                                     \
    X(ffn_norm, "ffn_norm", m->width)                                                              \
    X(ffn_sub_norm, "ffn_sub_norm", m->ffn_width)

/* One row per tensor of a layer, made from the two lists. */
typedef struct tern__layer_slot {
    size_t offset;    /* of the member in tern__layer */
    const char *name; /* "attn_q": blk.N.attn_q.weight in files */
    int64_t rows;     /* 0 for a norm */
    int64_t columns;  /* length of a norm */
} tern__layer_slot;

enum { TERN__LAYER_SLOTS = 11 };

void tern__layer_slots(const tern_model_info *m, tern__layer_slot slots[TERN__LAYER_SLOTS]);

static inline tern_tensor **tern__layer_tensor(tern__layer *layer, const tern__layer_slot *slot) {
    return (tern_tensor **)(void *)((char *)layer + slot->offset);
}

/* TERN_E_FORMAT names the first number that is out of range or does not fit another. */
tern_status tern__model_check(const tern_model_info *info);

#endif
