/* SPDX-License-Identifier: MIT
 * Byte-level BPE: text -> stretches between special tokens -> pieces -> tokens. */
#include "model/tokenizer.h"

#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "model/bpe.h"
#include "model/vocabulary.h"

struct tern_tokenizer {
    tern__vocabulary vocabulary;
    tern__bpe bpe;
    tern__pattern *pattern;
    bool *is_end; /* (vocabulary.size) */
    int32_t bos, eos;
    bool adds_bos;
    bool prefers_whole_pieces; /* a piece that is a token becomes it, whatever the merges say */
};

/* -- making ------------------------------------------------------------------------------------*/

/* Marks the tokens that end a text: those the file names, and those known by their names, because
 * files name one of several or a wrong one. */
static void mark_ends(tern_tokenizer *tokenizer, const tern__tokenizer_spec *spec) {
    static const char *const names[] = {"<|eot_id|>", "<|end_of_text|>", "<|endoftext|>",
                                        "<|im_end|>", "</s>"};
    if (spec->eos >= 0)
        tokenizer->is_end[spec->eos] = true;
    if (spec->eot >= 0)
        tokenizer->is_end[spec->eot] = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]), matched = 0;
        int32_t id = tern__vocabulary_special(&tokenizer->vocabulary, (const uint8_t *)names[i],
                                              length, &matched);
        if (id >= 0 && matched == length && tokenizer->vocabulary.types[id] == TERN__TOKEN_CONTROL)
            tokenizer->is_end[id] = true;
    }
}

tern_status tern__tokenizer_create(const tern__tokenizer_spec *spec, tern_tokenizer **tokenizer) {
    tern_status status;
    *tokenizer = NULL;
    tern_tokenizer *made = tern__os()->alloc(sizeof *made);
    if (made == NULL)
        return tern__fail(TERN_E_MEMORY, "tokenizer: no memory");
    TERN__TRY(
        tern__vocabulary_init(&made->vocabulary, spec->tokens, spec->types, spec->token_count));
    TERN__TRY(tern__bpe_init(&made->bpe, &made->vocabulary, spec->merges, spec->merge_count));
    TERN__TRY(tern__pattern_create(spec->pretokenizer, spec->is_interpreted, &made->pattern));
    made->is_end = tern__os()->alloc(spec->token_count * sizeof *made->is_end);
    if (made->is_end == NULL) {
        status =
            tern__fail(TERN_E_MEMORY, "tokenizer: no memory for %zu tokens", spec->token_count);
        goto done;
    }
    mark_ends(made, spec);
    made->bos = spec->bos;
    made->eos = spec->eos;
    made->adds_bos = spec->adds_bos && spec->bos >= 0;
    made->prefers_whole_pieces = spec->pretokenizer == TERN__PRETOKENIZER_LLAMA3;
    *tokenizer = made;
done:
    if (status != TERN_OK)
        tern_tokenizer_destroy(made);
    return status;
}

void tern_tokenizer_destroy(tern_tokenizer *tokenizer) {
    if (tokenizer == NULL)
        return;
    tern__os()->free(tokenizer->is_end);
    tern__pattern_destroy(tokenizer->pattern);
    tern__bpe_deinit(&tokenizer->bpe);
    tern__vocabulary_deinit(&tokenizer->vocabulary);
    tern__os()->free(tokenizer);
}

/* -- from a file -------------------------------------------------------------------------------*/

static bool text_is(tern__gguf_string text, const char *word) {
    return text.length == strlen(word) && memcmp(text.bytes, word, text.length) == 0;
}

static int shown_length(tern__gguf_string text) {
    return text.length < 64 ? (int)text.length : 64;
}

/* Some files of Llama-3 vocabularies do not name their pre-tokenizer; the size gives them away. */
enum { LLAMA3_TOKENS = 128256 };

static tern_status read_pretokenizer(const tern_file *file, size_t token_count,
                                     tern__pretokenizer *pretokenizer) {
    static const struct {
        const char *name;
        tern__pretokenizer kind;
    } known[] = {
        {"llama-bpe", TERN__PRETOKENIZER_LLAMA3},
        {"llama3", TERN__PRETOKENIZER_LLAMA3},
        {"llama-v3", TERN__PRETOKENIZER_LLAMA3},
        {"gpt-2", TERN__PRETOKENIZER_GPT2},
    };
    tern__gguf_string name = {0};
    bool found = false;
    tern_status status = tern__gguf_text(file, "tokenizer.ggml.pre", &name, &found);
    if (status != TERN_OK)
        return status;
    if (!found && token_count == LLAMA3_TOKENS) {
        *pretokenizer = TERN__PRETOKENIZER_LLAMA3;
        return TERN_OK;
    }
    if (!found)
        return tern__fail(TERN_E_UNSUPPORTED,
                          "tokenizer: key tokenizer.ggml.pre is missing, so that it is not known "
                          "how to cut text into words");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (text_is(name, known[i].name)) {
            *pretokenizer = known[i].kind;
            return TERN_OK;
        }
    }
    return tern__fail(TERN_E_UNSUPPORTED, "tokenizer: tokenizer.ggml.pre is \"%.*s\"",
                      shown_length(name), name.bytes);
}

static tern_status check_model(const tern_file *file) {
    tern__gguf_string name;
    tern_status status = tern__gguf_text(file, "tokenizer.ggml.model", &name, NULL);
    if (status == TERN_OK && !text_is(name, "gpt2"))
        status = tern__fail(TERN_E_UNSUPPORTED, "tokenizer: tokenizer.ggml.model is \"%.*s\"",
                            shown_length(name), name.bytes);
    return status;
}

/* The strings of an array, borrowed from the file; *strings is the caller's to free. */
static tern_status read_strings(const tern_file *file, const char *key, tern__gguf_string **strings,
                                size_t *count) {
    tern__gguf_array array;
    tern_status status = tern__gguf_array_find(file, key, &array, NULL);
    if (status != TERN_OK)
        return status;
    if (array.type != TERN__GGUF_STRING || array.count >= INT32_MAX)
        return tern__fail(TERN_E_FORMAT, "tokenizer: %s is no array of strings", key);
    *count = (size_t)array.count;
    *strings = tern__os()->alloc((*count + 1) * sizeof **strings);
    if (*strings == NULL)
        return tern__fail(TERN_E_MEMORY, "tokenizer: no memory for %zu strings", *count);
    for (size_t i = 0; i < *count; i++)
        (*strings)[i] = tern__gguf_next_string(&array);
    return TERN_OK;
}

/* *types stays NULL when the file has none. */
static tern_status read_types(const tern_file *file, size_t count, uint8_t **types) {
    static const char key[] = "tokenizer.ggml.token_type";
    tern__gguf_array array;
    bool found = false;
    tern_status status = tern__gguf_array_find(file, key, &array, &found);
    if (status != TERN_OK || !found)
        return status;
    bool is_integer = array.type != TERN__GGUF_STRING && array.type != TERN__GGUF_ARRAY &&
                      array.type != TERN__GGUF_F32 && array.type != TERN__GGUF_F64;
    if (!is_integer || array.count != count)
        return tern__fail(TERN_E_FORMAT, "tokenizer: %s is no array of %zu integers", key, count);
    *types = tern__os()->alloc(count + 1);
    if (*types == NULL)
        return tern__fail(TERN_E_MEMORY, "tokenizer: no memory for %zu tokens", count);
    for (size_t i = 0; i < count; i++) {
        int64_t type = tern__gguf_next_integer(&array);
        if (type < TERN__TOKEN_UNDEFINED || type > TERN__TOKEN_BYTE)
            return tern__fail(TERN_E_FORMAT, "tokenizer: token %zu has type %lld", i,
                              (long long)type);
        (*types)[i] = (uint8_t)type;
    }
    return TERN_OK;
}

static tern_status read_id(const tern_file *file, const char *key, size_t count, int32_t *id) {
    uint64_t value = 0;
    bool found = false;
    *id = -1;
    tern_status status = tern__gguf_u64(file, key, &value, &found);
    if (status != TERN_OK || !found)
        return status;
    if (value >= count)
        return tern__fail(TERN_E_FORMAT, "tokenizer: %s is %llu, of %zu tokens", key,
                          (unsigned long long)value, count);
    *id = (int32_t)value;
    return TERN_OK;
}

tern_status tern_tokenizer_from_file(const tern_file *file, tern_tokenizer **tokenizer) {
    tern_status status;
    tern__tokenizer_spec spec = {0};
    tern__gguf_string *tokens = NULL, *merges = NULL;
    uint8_t *types = NULL;
    *tokenizer = NULL;
    TERN__TRY(check_model(file));
    TERN__TRY(read_strings(file, "tokenizer.ggml.tokens", &tokens, &spec.token_count));
    TERN__TRY(read_pretokenizer(file, spec.token_count, &spec.pretokenizer));
    TERN__TRY(read_types(file, spec.token_count, &types));
    TERN__TRY(read_strings(file, "tokenizer.ggml.merges", &merges, &spec.merge_count));
    TERN__TRY(read_id(file, "tokenizer.ggml.bos_token_id", spec.token_count, &spec.bos));
    TERN__TRY(read_id(file, "tokenizer.ggml.eos_token_id", spec.token_count, &spec.eos));
    TERN__TRY(read_id(file, "tokenizer.ggml.eot_token_id", spec.token_count, &spec.eot));
    /* Llama-3 models were trained with it; their files do not always say so. */
    spec.adds_bos = spec.pretokenizer == TERN__PRETOKENIZER_LLAMA3;
    TERN__TRY(
        tern__gguf_bool(file, "tokenizer.ggml.add_bos_token", &spec.adds_bos, &(bool){false}));
    spec.tokens = tokens;
    spec.types = types;
    spec.merges = merges;
    status = tern__tokenizer_create(&spec, tokenizer);
done:
    tern__os()->free(types);
    tern__os()->free(merges);
    tern__os()->free(tokens);
    return status;
}

/* -- facts -------------------------------------------------------------------------------------*/

int32_t tern_tokenizer_size(const tern_tokenizer *tokenizer) {
    return tokenizer->vocabulary.size;
}

int32_t tern_tokenizer_bos(const tern_tokenizer *tokenizer) {
    return tokenizer->bos;
}

int32_t tern_tokenizer_eos(const tern_tokenizer *tokenizer) {
    return tokenizer->eos;
}

bool tern_tokenizer_adds_bos(const tern_tokenizer *tokenizer) {
    return tokenizer->adds_bos;
}

bool tern_tokenizer_is_end(const tern_tokenizer *tokenizer, int32_t id) {
    return id >= 0 && id < tokenizer->vocabulary.size && tokenizer->is_end[id];
}

tern_status tern_tokenizer_piece(const tern_tokenizer *tokenizer, int32_t id, bool special,
                                 const char **piece, size_t *bytes) {
    const tern__vocabulary *vocabulary = &tokenizer->vocabulary;
    *piece = NULL;
    *bytes = 0;
    if (id < 0 || id >= vocabulary->size)
        return tern__fail(TERN_E_ARGUMENT, "tokenizer: token %d, of %d", id, vocabulary->size);
    uint8_t type = vocabulary->types[id];
    if (special || (type != TERN__TOKEN_CONTROL && type != TERN__TOKEN_UNKNOWN))
        *piece = (const char *)tern__vocabulary_bytes(vocabulary, id, bytes);
    return TERN_OK;
}

/* -- encoding ----------------------------------------------------------------------------------*/

/* What one call to encode needs. */
typedef struct encoder {
    const tern_tokenizer *tokenizer;
    tern__splitter splitter;
    tern__bpe_scratch scratch;
    tern__id_sink sink;
} encoder;

static tern_status encode_plain(encoder *work, const uint8_t *text, size_t bytes) {
    const tern_tokenizer *tokenizer = work->tokenizer;
    const uint8_t *piece;
    size_t count;
    tern__splitter_start(&work->splitter, text, bytes);
    for (;;) {
        tern_status status = tern__splitter_next(&work->splitter, &piece, &count);
        if (status != TERN_OK || count == 0)
            return status;
        if (tokenizer->prefers_whole_pieces) {
            int32_t id = tern__vocabulary_find(&tokenizer->vocabulary, piece, count);
            if (id >= 0) {
                tern__id_sink_put(&work->sink, id);
                continue;
            }
        }
        status = tern__bpe_encode(&tokenizer->bpe, piece, count, &work->scratch, &work->sink);
        if (status != TERN_OK)
            return status;
    }
}

/* Special tokens cut the text: what lies between them is encoded as if it stood alone. */
static tern_status encode_special(encoder *work, const uint8_t *text, size_t bytes) {
    const tern__vocabulary *vocabulary = &work->tokenizer->vocabulary;
    size_t begin = 0;
    for (size_t at = 0; at < bytes;) {
        size_t length = 0;
        int32_t id = tern__vocabulary_special(vocabulary, text + at, bytes - at, &length);
        if (id < 0) {
            at++;
            continue;
        }
        tern_status status = encode_plain(work, text + begin, at - begin);
        if (status != TERN_OK)
            return status;
        tern__id_sink_put(&work->sink, id);
        begin = at += length;
    }
    return encode_plain(work, text + begin, bytes - begin);
}

tern_status tern_tokenizer_encode(const tern_tokenizer *tokenizer, const char *text, size_t bytes,
                                  unsigned flags, int32_t *ids, size_t capacity, size_t *count) {
    tern_status status;
    *count = 0;
    if ((flags & ~(unsigned)(TERN_ENCODE_BOS | TERN_ENCODE_SPECIAL)) != 0)
        return tern__fail(TERN_E_ARGUMENT, "tokenizer: unknown flags 0x%x", flags);
    if ((text == NULL && bytes > 0) || (ids == NULL && capacity > 0))
        return tern__fail(TERN_E_ARGUMENT, "tokenizer: no buffer for %s",
                          text == NULL && bytes > 0 ? "text" : "ids");
    if (bytes >= UINT32_MAX)
        return tern__fail(TERN_E_LIMIT, "tokenizer: a text of %zu bytes, at most 4 GiB", bytes);
    encoder work = {.tokenizer = tokenizer, .sink = {ids, capacity, 0}};
    TERN__TRY(tern__splitter_init(&work.splitter, tokenizer->pattern));
    if ((flags & TERN_ENCODE_BOS) != 0 && tokenizer->adds_bos)
        tern__id_sink_put(&work.sink, tokenizer->bos);
    const uint8_t *begin = bytes > 0 ? (const uint8_t *)text : (const uint8_t *)"";
    TERN__TRY((flags & TERN_ENCODE_SPECIAL) != 0 ? encode_special(&work, begin, bytes)
                                                 : encode_plain(&work, begin, bytes));
    *count = work.sink.count;
    if (capacity != 0 && *count > capacity)
        status = tern__fail(TERN_E_LIMIT, "tokenizer: %zu tokens, room for %zu", *count, capacity);
done:
    tern__bpe_scratch_deinit(&work.scratch);
    tern__splitter_deinit(&work.splitter);
    return status;
}
