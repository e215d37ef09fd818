/* SPDX-License-Identifier: MIT
 *
 * Complete model files of a few hundred KiB, made in memory, of any shape and type that the decoder
 * takes; and damaged on request:
 *
 *     tiny_shape shape = tiny_grouped;
 *     gguf_builder gguf = tiny_file(&shape, NULL);
 *     tern_model *model = tiny_load(context, &shape);      through a real file
 */
#ifndef TERN_TEST_TINY_MODEL_H
#define TERN_TEST_TINY_MODEL_H

#include <math.h>
#include <unistd.h>

#include <tern/tern.h>

#include "base/half.h"
#include "gguf_builder.h"

/* Types as GGUF numbers them. */
enum {
    TINY_F32 = 0,
    TINY_F16 = 1,
    TINY_Q8_0 = 8,
    TINY_Q4_K = 12,
    TINY_BF16 = 30,
    TINY_TQ1_0 = 34,
    TINY_TQ2_0 = 35,
    TINY_I2_S = 36,
    TINY_TIED = 1000,
    TINY_VOCABULARY = 260
};

typedef struct tiny_shape {
    const char *architecture;
    int64_t layers, width, heads, kv_heads, head_size, ffn_width, context_length;
    uint32_t matrix, embedding, head, norm; /* types; TINY_TIED: no output.weight */
} tiny_shape;

/* Three query heads on each of three key/value heads, sizes that fit no vector, a head of its own.
 */
static const tiny_shape tiny_grouped = {
    "bitnet-b1.58", 2, 96, 9, 3, 20, 160, 600, TINY_I2_S, TINY_F16, TINY_Q8_0, TINY_F32};
/* Twelve query heads on one; block scales; the other name of the architecture. */
static const tiny_shape tiny_twelve = {"bitnet-25", 1,         256,       12,      1, 64, 512, 300,
                                       TINY_TQ1_0,  TINY_BF16, TINY_TIED, TINY_F16};
/* No grouping, an embedding of blocks, a head of BF16. */
static const tiny_shape tiny_plain = {
    "bitnet-b1.58", 1, 256, 2, 2, 128, 256, 300, TINY_TQ2_0, TINY_Q8_0, TINY_BF16, TINY_F32};

typedef enum tiny_kind {
    TINY_OMIT,
    TINY_SET,     /* a key to `value` */
    TINY_TALLER,  /* twice the rows */
    TINY_FLAT,    /* a matrix becomes a vector, a vector a matrix of one column */
    TINY_RETYPE,  /* to type `value` */
    TINY_NO_TRIT, /* the last code is 3 */
    TINY_INFINITE /* the last scale */
} tiny_kind;

/* What to do to the key or tensor `name`. */
typedef struct tiny_change {
    const char *name;
    tiny_kind kind;
    uint32_t value;
} tiny_change;

static inline bool tiny_is(const tiny_change *change, const char *name, tiny_kind kind) {
    return change != NULL && strcmp(change->name, name) == 0 && change->kind == kind;
}

static inline size_t tiny_bytes(uint32_t type, int64_t count) {
    size_t n = (size_t)count;
    switch (type) {
    case TINY_F32:
        return 4 * n;
    case TINY_Q8_0:
        return n / 32 * 34;
    case TINY_TQ1_0:
        return n / 256 * 54;
    case TINY_TQ2_0:
        return n / 256 * 66;
    case TINY_I2_S:
        return n / 4 + 32;
    default:
        return 2 * n;
    }
}

static inline void tiny_put_half(uint8_t *to, float value) {
    uint16_t half = tern__f16_from_f32(value);
    memcpy(to, &half, sizeof half);
}

static inline void tiny_fill_floats(test_random *random, uint32_t type, int64_t count, float mean,
                                    uint8_t *data) {
    for (int64_t i = 0; i < count; i++) {
        float x;
        test_random_normal(random, &x, 1);
        x = mean == 0 ? x : mean + 0.1f * x;
        uint16_t half = type == TINY_F16 ? tern__f16_from_f32(x) : tern__bf16_from_f32(x);
        if (type == TINY_F32)
            memcpy(data + 4 * i, &x, 4);
        else
            memcpy(data + 2 * i, &half, 2);
    }
}

/* Blocks of random content: a scale, where the type has one in each block, and bytes. */
static inline void tiny_fill_blocks(test_random *random, uint32_t type, size_t bytes,
                                    uint8_t *data) {
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)test_random_u32(random);
        if (type == TINY_TQ2_0 || type == TINY_I2_S) /* no code of 3 */
            data[i] &= (uint8_t) ~(data[i] << 1 & 0xaa);
    }
    if (type == TINY_I2_S) {
        float scale = 0.05f;
        memset(data + bytes - 32, 0, 32);
        memcpy(data + bytes - 32, &scale, sizeof scale);
        return;
    }
    size_t block = type == TINY_Q8_0 ? 34 : type == TINY_TQ1_0 ? 54 : 66;
    for (size_t b = 0; b < bytes / block; b++)
        tiny_put_half(data + b * block + (type == TINY_Q8_0 ? 0 : block - 2),
                      type == TINY_Q8_0 ? 0.02f : 0.03f + 0.01f * (float)(b % 7));
}

static inline void tiny_damage(const tiny_change *change, const char *name, uint32_t type,
                               size_t bytes, uint8_t *data) {
    size_t tail = type == TINY_I2_S ? 32 : 2;
    if (tiny_is(change, name, TINY_NO_TRIT))
        data[bytes - tail - 1] |= 0xc3;
    if (tiny_is(change, name, TINY_INFINITE))
        memcpy(data + bytes - tail, type == TINY_I2_S ? "\0\0\x80\x7f" : "\0\x7c",
               tail > 2 ? 4 : 2);
}

/* rows 0: a vector of numbers around 1. */
static inline void tiny_tensor(gguf_builder *gguf, const tiny_change *change, const char *name,
                               uint32_t type, int64_t rows, int64_t columns) {
    if (tiny_is(change, name, TINY_OMIT))
        return;
    if (tiny_is(change, name, TINY_RETYPE))
        type = change->value;
    if (tiny_is(change, name, TINY_TALLER))
        rows = rows == 0 ? 0 : 2 * rows, columns *= rows == 0 ? 2 : 1;
    int64_t count = (rows == 0 ? 1 : rows) * columns;
    tern_shape shape = rows == 0 ? TERN_SHAPE(columns) : TERN_SHAPE(rows, columns);
    if (tiny_is(change, name, TINY_FLAT))
        shape = rows == 0 ? TERN_SHAPE(columns, 1) : TERN_SHAPE(count);
    test_random random = {.seed = 1};
    for (const char *c = name; *c != '\0'; c++)
        random.seed = random.seed * 31 + (uint8_t)*c;
    size_t bytes = tiny_bytes(type, count);
    uint8_t *data = malloc(bytes);
    assert_non_null(data);
    if (type == TINY_F32 || type == TINY_F16 || type == TINY_BF16)
        tiny_fill_floats(&random, type, count, rows == 0 ? 1 : 0, data);
    else
        tiny_fill_blocks(&random, type, bytes, data);
    tiny_damage(change, name, type, bytes, data);
    gguf_add_tensor(gguf, name, type, shape, data, bytes);
    free(data);
}

static inline void tiny_key(gguf_builder *gguf, const tiny_shape *shape, const tiny_change *change,
                            const char *key, int64_t value) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", shape->architecture, key);
    if (!tiny_is(change, key, TINY_OMIT))
        gguf_add_u32(gguf, name, tiny_is(change, key, TINY_SET) ? change->value : (uint32_t)value);
}

/* All bytes and four special tokens; `tokens` says how many of them the file has. */
static inline void tiny_tokenizer(gguf_builder *gguf, uint64_t tokens) {
    static const char *const specials[] = {"<|begin_of_text|>", "<|eot_id|>", "<|end|>", "<|x|>"};
    const char *texts[TINY_VOCABULARY];
    char bytes[256][4] = {{0}};
    int32_t types[TINY_VOCABULARY];
    uint32_t other = 0x100; /* the characters that stand for bytes which cannot be printed */
    for (uint32_t b = 0; b < TINY_VOCABULARY; b++) {
        bool is_printable =
            (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
        types[b] = b < 256 ? 1 : 3;
        texts[b] = b < 256 ? bytes[b] : specials[b - 256];
        if (b >= 256)
            continue;
        uint32_t c = is_printable ? b : other++;
        bytes[b][0] = (char)(c < 0x80 ? c : (0xc0 | c >> 6));
        bytes[b][1] = (char)(c < 0x80 ? 0 : (0x80 | (c & 0x3f)));
    }
    gguf_add_string(gguf, "tokenizer.ggml.model", "gpt2");
    gguf_add_string(gguf, "tokenizer.ggml.pre", "llama-bpe");
    gguf_add_strings(gguf, "tokenizer.ggml.tokens", tokens, texts);
    gguf_add_array(gguf, "tokenizer.ggml.token_type", TERN__GGUF_I32, tokens, types, 4 * tokens);
    gguf_add_strings(gguf, "tokenizer.ggml.merges", 0, NULL);
    gguf_add_u32(gguf, "tokenizer.ggml.bos_token_id", 256);
    gguf_add_u32(gguf, "tokenizer.ggml.eos_token_id", 258);
}

static inline void tiny_keys(gguf_builder *gguf, const tiny_shape *s, const tiny_change *change) {
    char name[96];
    gguf_add_string(gguf, "general.architecture", s->architecture);
    gguf_add_string(gguf, "general.name", "tiny");
    tiny_key(gguf, s, change, "block_count", s->layers);
    tiny_key(gguf, s, change, "context_length", s->context_length);
    tiny_key(gguf, s, change, "embedding_length", s->width);
    tiny_key(gguf, s, change, "feed_forward_length", s->ffn_width);
    tiny_key(gguf, s, change, "attention.head_count", s->heads);
    if (s->kv_heads != s->heads || change != NULL)
        tiny_key(gguf, s, change, "attention.head_count_kv", s->kv_heads);
    if (s->head_size * s->heads != s->width)
        tiny_key(gguf, s, change, "attention.key_length", s->head_size);
    tiny_key(gguf, s, change, "rope.dimension_count", s->head_size);
    tiny_key(gguf, s, change, "vocab_size", TINY_VOCABULARY);
    snprintf(name, sizeof name, "%s.attention.layer_norm_rms_epsilon", s->architecture);
    gguf_add_f32(gguf, name, tiny_is(change, "epsilon", TINY_SET) ? -1 : 0.01f);
    snprintf(name, sizeof name, "%s.rope.freq_base", s->architecture);
    gguf_add_f32(gguf, name, tiny_is(change, "base", TINY_SET) ? 0.5f : 5000);
    tiny_tokenizer(gguf, tiny_is(change, "tokens", TINY_SET) ? change->value : TINY_VOCABULARY);
}

/* The whole file; gguf_free it. */
static inline gguf_builder tiny_file(const tiny_shape *s, const tiny_change *change) {
    gguf_builder gguf = gguf_begin(3);
    int64_t q = s->heads * s->head_size, kv = s->kv_heads * s->head_size;
    const struct {
        const char *name;
        int64_t rows, columns;
    } tensors[] = {
        {"attn_norm", 0, s->width},
        {"attn_q", q, s->width},
        {"attn_k", kv, s->width},
        {"attn_v", kv, s->width},
        {"attn_sub_norm", 0, q},
        {"attn_output", s->width, q},
        {"ffn_norm", 0, s->width},
        {"ffn_gate", s->ffn_width, s->width},
        {"ffn_up", s->ffn_width, s->width},
        {"ffn_sub_norm", 0, s->ffn_width},
        {"ffn_down", s->width, s->ffn_width},
    };
    tiny_keys(&gguf, s, change);
    tiny_tensor(&gguf, change, "token_embd.weight", s->embedding, TINY_VOCABULARY, s->width);
    for (int64_t layer = 0; layer < s->layers; layer++)
        for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
            char name[96];
            snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)layer, tensors[i].name);
            tiny_tensor(&gguf, change, name, tensors[i].rows == 0 ? s->norm : s->matrix,
                        tensors[i].rows, tensors[i].columns);
        }
    tiny_tensor(&gguf, change, "output_norm.weight", s->norm, 0, s->width);
    if (s->head != TINY_TIED)
        tiny_tensor(&gguf, change, "output.weight", s->head, TINY_VOCABULARY, s->width);
    gguf_finish(&gguf);
    return gguf;
}

/* Loads through a file of the file system, which is gone afterwards. */
static inline tern_model *tiny_load_with(tern_context *owner, const tiny_shape *shape,
                                         const tern_model_options *options) {
    char path[] = "/tmp/tern-test-XXXXXX";
    tern_model *model = NULL;
    gguf_builder gguf = tiny_file(shape, NULL);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, gguf.bytes, gguf.length), (ssize_t)gguf.length);
    close(fd);
    tern_status status = tern_model_load(owner, path, options, &model);
    unlink(path);
    gguf_free(&gguf);
    test_ok(status);
    return model;
}

static inline tern_model *tiny_load(tern_context *owner, const tiny_shape *shape) {
    return tiny_load_with(owner, shape, NULL);
}

#endif
