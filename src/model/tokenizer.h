/* SPDX-License-Identifier: MIT
 * Making a tokenizer without a model file: what tern_tokenizer_from_file fills from the keys
 * tokenizer.ggml.*. */
#ifndef TERN__TOKENIZER_H
#define TERN__TOKENIZER_H

#include "format/gguf.h"
#include "model/pretokenize.h"

typedef struct tern__tokenizer_spec {
    const tern__gguf_string *tokens; /* (token_count) written as in files, see vocabulary.h */
    const uint8_t *types;            /* (token_count) TERN__TOKEN_*; NULL: all normal */
    size_t token_count;
    const tern__gguf_string *merges; /* (merge_count) "left right", best first */
    size_t merge_count;
    tern__pretokenizer pretokenizer;
    int32_t bos, eos, eot; /* -1 (none) .. token_count - 1 */
    bool adds_bos;
    bool is_interpreted; /* see tern__pattern_create */
} tern__tokenizer_spec;

/* Keeps nothing of the spec. TERN_E_FORMAT names the first bad token or merge. */
tern_status tern__tokenizer_create(const tern__tokenizer_spec *spec, tern_tokenizer **tokenizer);

#endif
