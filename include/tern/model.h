/* SPDX-License-Identifier: MIT
 *
 * Running language models: load a model, open a session, evaluate tokens, sample the next.
 *
 *     tern_model *model = NULL;
 *     tern_session *session = NULL;
 *     tern_model_load(ctx, "models/tern-story-i2_s.gguf", NULL, &model);
 *     tern_session_create(ctx, model, NULL, &session);
 *     tern_session_eval(session, tokens, count, TERN_LOGITS_LAST, logits);
 *
 * A model does not change after loading and may be shared by threads: give each thread a context of
 * its own, with the kernel level of the model's, and its sessions in it. A session is one
 * conversation, used by one thread at a time, and owns its key/value cache.
 */
#ifndef TERN_MODEL_H
#define TERN_MODEL_H

#include <tern/base.h>
#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_file tern_file;
typedef struct tern_tokenizer tern_tokenizer;
typedef struct tern_model tern_model;
typedef struct tern_session tern_session;
typedef struct tern_sampler tern_sampler;

/* -- model files: looking inside without loading -----------------------------------------------*/

/* Opens a GGUF file (version 2 or 3), maps it and checks all of its structure.
 * TERN_E_NOT_FOUND, TERN_E_IO; TERN_E_FORMAT (the detail names field and offset);
 * TERN_E_UNSUPPORTED for another version, big-endian files and nested arrays; TERN_E_LIMIT for more
 * than 2^30 keys or tensors; TERN_E_MEMORY. */
TERN_API tern_status tern_file_open(const char *path, tern_file **file);
TERN_API void tern_file_close(tern_file *file); /* NULL is fine */

TERN_API uint32_t tern_file_version(const tern_file *file);
TERN_API uint64_t tern_file_bytes(const tern_file *file);
TERN_API int64_t tern_file_key_count(const tern_file *file);
/* Name and printable value (arrays shortened to their first elements) of key `index`. `value` is
 * written into the caller's buffer, always terminated, valid UTF-8 without control characters. */
TERN_API const char *tern_file_key(const tern_file *file, int64_t index, char *value, size_t size);

typedef struct tern_file_tensor {
    const char *name;
    const char *type; /* "I2_S", "F16", ...; "type 39" for one Tern cannot read */
    tern_shape shape; /* outermost first */
    uint64_t offset;  /* of the data from the start of the file */
    uint64_t bytes;
} tern_file_tensor;

TERN_API int64_t tern_file_tensor_count(const tern_file *file);
TERN_API tern_file_tensor tern_file_tensor_at(const tern_file *file, int64_t index);

/* -- tokenizer ---------------------------------------------------------------------------------*/

/* The tokenizer that a GGUF file carries. It keeps nothing of the file. */
TERN_API tern_status tern_tokenizer_from_file(const tern_file *file, tern_tokenizer **tokenizer);
TERN_API void tern_tokenizer_destroy(tern_tokenizer *tokenizer);

TERN_API int32_t tern_tokenizer_size(const tern_tokenizer *tokenizer); /* V */
TERN_API int32_t tern_tokenizer_bos(const tern_tokenizer *tokenizer);  /* -1: none */
TERN_API int32_t tern_tokenizer_eos(const tern_tokenizer *tokenizer);  /* -1: none */
TERN_API bool tern_tokenizer_adds_bos(const tern_tokenizer *tokenizer);
/* True for the tokens after which generation stops: EOS and <|eot_id|> and their like. */
TERN_API bool tern_tokenizer_is_end(const tern_tokenizer *tokenizer, int32_t id);

enum {
    TERN_ENCODE_BOS = 1,     /* put BOS first if the model wants one */
    TERN_ENCODE_SPECIAL = 2, /* text such as <|eot_id|> becomes that token; else plain text */
};

/* Encodes any `bytes` bytes. Writes up to `capacity` ids and stores the full number in *count
 * (call with capacity 0 to ask). TERN_E_LIMIT when ids did not fit and capacity was not 0. */
TERN_API tern_status tern_tokenizer_encode(const tern_tokenizer *tokenizer, const char *text,
                                           size_t bytes, unsigned flags, int32_t *ids,
                                           size_t capacity, size_t *count);

/* The bytes of one token; not terminated, may be a part of a UTF-8 sequence. NULL and 0 bytes for
 * control tokens when `special` is false. TERN_E_ARGUMENT for an id outside 0..V-1. */
TERN_API tern_status tern_tokenizer_piece(const tern_tokenizer *tokenizer, int32_t id, bool special,
                                          const char **piece, size_t *bytes);

/* -- models ------------------------------------------------------------------------------------*/

/* How ternary weights lie in memory. It changes no result. 1.6 bits are five trits in a byte, with
 * AVX2 24 in five. */
typedef enum tern_storage {
    TERN_STORAGE_AUTO = 0, /* the faster one: 2 bits when the weights fit the caches, else what a
                              measurement says that is made once on a machine */
    TERN_STORAGE_2_BIT = 1,
    TERN_STORAGE_1_6_BIT = 2, /* fewer bytes to read, more work to unpack.
                                 Weights with a scale per 256 columns stay at 2 bits */
} tern_storage;

/* How logits come from the last hidden state and the output table (V, D). SCREENED gives the same
 * logits as FULL: tern_session_eval_best finds the largest of them from an 8-bit copy of the table,
 * which takes V * D bytes more, and a few of its rows. INT8 and INT4 give other logits, those of
 * the rows of the table quantised to 8 or 4 bits, and keep the table only if it is the embedding
 * too. */
typedef enum tern_head {
    TERN_HEAD_AUTO = 0, /* SCREENED for F16, BF16 and F32 tables of more than 64 MiB and at most
                           65536 columns, else FULL */
    TERN_HEAD_FULL = 1,
    TERN_HEAD_SCREENED = 2,
    TERN_HEAD_INT8 = 3,
    TERN_HEAD_INT4 = 4,
} tern_head;

/* "full"; "?" for an unknown value. */
TERN_API const char *tern_head_name(tern_head head);

typedef struct tern_model_info {
    const char *name;         /* general.name, "" if none */
    const char *architecture; /* "bitnet-b1.58" */
    int64_t layers, width, heads, kv_heads, head_size, ffn_width, vocabulary, context_length;
    uint64_t parameters;
    uint64_t weight_bytes; /* memory of the packed weights, the embedding and the head */
    uint64_t token_bytes;  /* of these, what is read to make all logits of one token */
    uint64_t best_bytes;   /* to make the largest one: with a screen that, and not the table */
    tern_storage storage;  /* of the ternary weights, as it was chosen */
    const char *storage_reason;
    tern_head head; /* as it was chosen: not AUTO */
    const char *head_reason;
    double load_seconds; /* open, check, pack */
} tern_model_info;

typedef void (*tern_progress_fn)(void *user, double fraction);

typedef struct tern_model_options {
    tern_progress_fn progress; /* called from the loading thread, fraction 0..1; may be NULL */
    void *progress_user;
    tern_storage storage;
    tern_head head;
    const char *cache_directory; /* keeps what was measured; NULL: $XDG_CACHE_HOME/tern, else
                                    $HOME/.cache/tern; "": nowhere */
} tern_model_options;

/* Loads and packs a model for `context`. `options` may be NULL. TERN_E_UNSUPPORTED names an
 * architecture or type that Tern does not know. */
TERN_API tern_status tern_model_load(tern_context *context, const char *path,
                                     const tern_model_options *options, tern_model **model);

/* A model with random weights and one of the named shapes ("2b4t", "0.7b", "3b", "8b", and "tiny"
 * for tests): for measuring speed without a download. It has no tokenizer. */
TERN_API tern_status tern_model_random(tern_context *context, const char *shape, uint64_t seed,
                                       const tern_model_options *options, tern_model **model);

TERN_API void tern_model_release(tern_model *model); /* sessions keep it alive; NULL is fine */
TERN_API tern_model_info tern_model_describe(const tern_model *model); /* lives with the model */
TERN_API const tern_tokenizer *tern_model_tokenizer(const tern_model *model); /* NULL: none */

/* -- sessions ----------------------------------------------------------------------------------*/

typedef struct tern_session_options {
    int64_t context_length; /* positions the cache holds; 0: the model's */
    int64_t batch;          /* tokens evaluated at once; 0: 256. Does not change a bit. */
    tern_dtype cache_type; /* of keys and values: TERN_F32 (the default), TERN_F16, half the memory,
                              or TERN_I8, a quarter and one scale for each token and head */
} tern_session_options;

/* `options` may be NULL. TERN_E_ARGUMENT when the model was packed for another kernel level or
 * device than the context's, or lies in the memory of a device, in another context. */
TERN_API tern_status tern_session_create(tern_context *context, tern_model *model,
                                         const tern_session_options *options,
                                         tern_session **session);
TERN_API void tern_session_destroy(tern_session *session); /* NULL is fine */

TERN_API int64_t tern_session_position(const tern_session *session); /* tokens evaluated so far */
TERN_API int64_t tern_session_capacity(const tern_session *session);
TERN_API size_t tern_session_cache_bytes(const tern_session *session);

/* Forgets everything from `position` on. */
TERN_API tern_status tern_session_truncate(tern_session *session, int64_t position);

typedef enum tern_logits {
    TERN_LOGITS_NONE = 0,
    TERN_LOGITS_LAST = 1, /* (V) for the last token */
    TERN_LOGITS_ALL = 2,  /* (count, V) */
} tern_logits;

/* Evaluates `count` >= 1 tokens behind what the session holds. `logits` is the caller's.
 * TERN_E_LIMIT when they do not fit the cache, TERN_E_ARGUMENT for an id outside 0..V-1; after a
 * failure the session is as before the call. */
TERN_API tern_status tern_session_eval(tern_session *session, const int32_t *tokens, int64_t count,
                                       tern_logits which, float *logits);

/* The same for the last token, but only its k largest logits, 1 <= k <= V: `ids` and `logits` (k),
 * the largest first, the lowest id first among equals; NaN counts as -infinity and comes as such.
 * They are those of tern_session_eval to the last bit; with a screened head, without reading all of
 * the table. */
TERN_API tern_status tern_session_eval_best(tern_session *session, const int32_t *tokens,
                                            int64_t count, int64_t k, int32_t *ids, float *logits);

/* -- sampling ----------------------------------------------------------------------------------*/

typedef struct tern_sampler_options {
    float temperature;    /* 0: greedy, ties to the lowest id */
    int32_t top_k;        /* keep the k largest; 0: all */
    float top_p;          /* keep the smallest set with this probability; 1: all */
    float min_p;          /* drop what is below min_p times the largest; 0: none */
    float repeat_penalty; /* 1: none. Keskar et al. 2019, section 4.1 */
    int32_t repeat_last;  /* tokens looked back at by the penalty */
    uint64_t seed;
} tern_sampler_options;

/* temperature 0.8, top_k 40, top_p 0.95, min_p 0.05, repeat_penalty 1, repeat_last 64, seed 0. */
TERN_API tern_sampler_options tern_sampler_options_default(void);

TERN_API tern_status tern_sampler_create(const tern_sampler_options *options, int64_t vocabulary,
                                         tern_sampler **sampler);
TERN_API void tern_sampler_destroy(tern_sampler *sampler); /* NULL is fine */

/* Tells the sampler of a token that it did not draw itself (the prompt). */
TERN_API void tern_sampler_accept(tern_sampler *sampler, int32_t token);

/* Draws the next token from logits (V) and accepts it. NaN logits count as -infinity;
 * TERN_E_ARGUMENT when every logit is NaN or -infinity. Draw n depends on seed and n only. */
TERN_API tern_status tern_sampler_next(tern_sampler *sampler, const float *logits, int32_t *token);

/* How many of the largest logits decide what a sampler with these options draws: 1 when greedy,
 * with top_k one more than that; 0: all, since the penalty or the sum over all tokens needs them.
 */
TERN_API int64_t tern_sampler_needs(const tern_sampler_options *options);

/* Draws the token that tern_sampler_next draws from all V logits, from the `count` largest of them
 * as tern_session_eval_best gives them. TERN_E_ARGUMENT for fewer than the sampler needs (or all
 * V), and for ids outside 0..V-1 or given twice. */
TERN_API tern_status tern_sampler_next_best(tern_sampler *sampler, const int32_t *ids,
                                            const float *logits, int64_t count, int32_t *token);

#ifdef __cplusplus
}
#endif

#ifndef TERN_NO_SITES
#define TERN_SITES_MODEL
#include <tern/sites.h>
#endif
#endif
