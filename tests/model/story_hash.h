/* SPDX-License-Identifier: MIT
 * One number for everything: FNV-1a over the bits of all logits of a fixed text and of 64 greedy
 * tokens behind it. tests/model/golden_hash.txt holds the value that every machine must give. */
#ifndef TERN_TEST_STORY_HASH_H
#define TERN_TEST_STORY_HASH_H

#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>

static const char story_hash_text[] =
    "Once upon a time, there was a little fox who lived at the edge of a big, dark wood. Every "
    "morning he ran down to the river to see his own face in the water. One day the king's "
    "daughter came by with a basket of apples. \"Will you help me carry them home?\" she asked. "
    "The fox thought for 7 seconds. Then he said, \"I'll help you, but only if you tell me a "
    "story on the way.\" So they walked together, and she began:";

static inline uint64_t story_hash_add(uint64_t hash, const float *logits, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            hash = (hash ^ (bits >> 8 * byte & 0xffu)) * 0x100000001b3u;
    }
    return hash;
}

/* Logits go through `logits` (512, V). The prompt is evaluated `chunk` tokens a call. */
static inline tern_status story_hash_run(tern_session *session, int64_t vocabulary,
                                         const int32_t *ids, int64_t count, int64_t chunk,
                                         float *logits, uint64_t *hash) {
    *hash = 0xcbf29ce484222325u;
    const float *last = logits;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < count && status == TERN_OK; i += chunk) {
        int64_t part = count - i < chunk ? count - i : chunk;
        status = tern_session_eval(session, ids + i, part, TERN_LOGITS_ALL, logits);
        if (status == TERN_OK)
            *hash = story_hash_add(*hash, logits, part * vocabulary);
        last = logits + (part - 1) * vocabulary;
    }
    for (int step = 0; step < 64 && status == TERN_OK; step++) {
        int32_t token = 0;
        for (int32_t v = 1; v < vocabulary; v++)
            if (last[v] > last[token])
                token = v;
        status = tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits);
        last = logits;
        if (status == TERN_OK)
            *hash = story_hash_add(*hash, logits, vocabulary);
    }
    return status;
}

static inline tern_status story_hash(tern_context *context, const char *path, tern_storage storage,
                                     int64_t chunk, uint64_t *hash) {
    tern_model *model = NULL;
    tern_session *session = NULL;
    int32_t ids[512];
    size_t count = 0;
    float *logits = NULL;
    tern_model_options options = {.storage = storage};
    tern_status status = tern_model_load(context, path, &options, &model);
    if (status == TERN_OK)
        status = tern_session_create(context, model, NULL, &session);
    if (status == TERN_OK)
        status =
            tern_tokenizer_encode(tern_model_tokenizer(model), story_hash_text,
                                  sizeof story_hash_text - 1, TERN_ENCODE_BOS, ids, 256, &count);
    if (status == TERN_OK) {
        int64_t vocabulary = tern_model_describe(model).vocabulary;
        logits = malloc(512 * (size_t)vocabulary * sizeof *logits);
        status = logits == NULL ? TERN_E_MEMORY
                                : story_hash_run(session, vocabulary, ids, (int64_t)count, chunk,
                                                 logits, hash);
    }
    free(logits);
    tern_session_destroy(session);
    tern_model_release(model);
    return status;
}

#endif
