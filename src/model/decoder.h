/* SPDX-License-Identifier: MIT
 * The b1.58 decoder as tensor operations. */
#ifndef TERN__DECODER_H
#define TERN__DECODER_H

#include "model/model.h"

/* Where a session's keys and values are kept: (L, S, H_kv, K) each, F32, F16 or I8. */
typedef struct tern__cache {
    tern_tensor *keys, *values;
    tern_tensor *scales;     /* of I8: (L, 2, H_kv, S) F32, those of keys first; else NULL */
    tern_tensor *rope_table; /* (S, 2, K/2) */
} tern__cache;

/* Runs ids (T) I32 at positions [position, position + T) through all layers; their keys and values
 * go into the cache. *out: the residual stream (T, D) behind the last layer, in no scope: the
 * caller releases it. */
tern_status tern__decoder_forward(const tern_model *model, const tern__cache *cache,
                                  tern_context *context, tern_tensor *ids, int64_t position,
                                  tern_tensor **out);

/* Final norm and output head: x (T, D) gives logits (T, V). */
tern_status tern__decoder_logits(const tern_model *model, tern_tensor *x, tern_tensor **out);

/* Final norm and the k largest logits of each row of x: (T, k), and their ids (I64); as tern_topk
 * orders them, NaN first. */
tern_status tern__decoder_best(const tern_model *model, tern_tensor *x, int64_t k,
                               tern_tensor **logits, tern_tensor **ids);

#endif
