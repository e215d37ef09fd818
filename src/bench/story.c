/* SPDX-License-Identifier: MIT */
#include "bench/story.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/realmath.h"
#include "base/status.h"

static const char story_text[] =
    "Once upon a time, there was a little fox who lived at the edge of a big, dark wood. Every "
    "morning he ran down to the river to see his own face in the water. One day the king's "
    "daughter came by with a basket of apples. \"Will you help me carry them home?\" she asked. "
    "The fox thought for 7 seconds. Then he said, \"I'll help you, but only if you tell me a "
    "story on the way.\" So they walked together, and she began:";

tern_status tern__story_check(const tern_model *model) {
    tern_model_info info = tern_model_describe(model);
    if (strcmp(info.name, "tern-story") == 0 && info.vocabulary == 4096 &&
        tern_model_tokenizer(model) != NULL)
        return TERN_OK;
    return tern__fail(TERN_E_UNSUPPORTED, "bench: '%.64s' is not the story model", info.name);
}

tern_status tern__story_encode(const tern_model *model, int32_t *ids, int64_t *count) {
    size_t all = 0;
    tern_status status =
        tern_tokenizer_encode(tern_model_tokenizer(model), story_text, sizeof story_text - 1,
                              TERN_ENCODE_BOS, ids, TERN__STORY_TOKENS, &all);
    *count = (int64_t)all;
    return status;
}

static uint64_t add_bits(uint64_t hash, const float *logits, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            hash = (hash ^ (bits >> 8 * byte & 0xffu)) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The lowest id among equals. */
static int32_t largest(const float *logits, int64_t vocabulary) {
    int32_t at = 0;
    for (int64_t i = 1; i < vocabulary; i++)
        at = logits[i] > logits[at] ? (int32_t)i : at;
    return at;
}

static tern_status make_logits(int64_t rows, int64_t vocabulary, float **logits) {
    *logits = tern__os()->alloc((size_t)rows * (size_t)vocabulary * sizeof **logits);
    if (*logits == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %lld rows of logits",
                          (long long)rows);
    return TERN_OK;
}

tern_status tern__story_hash(const tern_model *model, tern_session *session, int64_t chunk,
                             uint64_t *hash) {
    int64_t vocabulary = tern_model_describe(model).vocabulary, count = 0;
    int32_t ids[TERN__STORY_TOKENS];
    float *logits = NULL;
    const float *last = NULL;
    tern_status status;
    *hash = UINT64_C(0xcbf29ce484222325);
    TERN__TRY(tern__story_encode(model, ids, &count));
    TERN__TRY(make_logits(tern__min_i64(chunk, TERN__STORY_TOKENS), vocabulary, &logits));
    TERN__TRY(tern_session_truncate(session, 0));
    for (int64_t i = 0; i < count; i += chunk) {
        int64_t part = tern__min_i64(chunk, count - i);
        TERN__TRY(tern_session_eval(session, ids + i, part, TERN_LOGITS_ALL, logits));
        *hash = add_bits(*hash, logits, part * vocabulary);
        last = logits + (part - 1) * vocabulary;
    }
    for (int step = 0; step < TERN__STORY_STEPS; step++) {
        int32_t token = largest(last, vocabulary);
        TERN__TRY(tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits));
        *hash = add_bits(*hash, logits, vocabulary);
        last = logits;
    }
done:
    tern__os()->free(logits);
    return status;
}

/* -log softmax of the next token, in double. */
static double nll_of(const float *logits, int64_t vocabulary, int32_t next) {
    double most = logits[largest(logits, vocabulary)], sum = 0;
    for (int64_t i = 0; i < vocabulary; i++)
        sum += tern__exp(logits[i] - most);
    return tern__log(sum) + most - logits[next];
}

tern_status tern__story_nll(const tern_model *model, tern_session *session, double *mean,
                            int64_t *tokens) {
    int64_t vocabulary = tern_model_describe(model).vocabulary;
    float *logits = NULL;
    double sum = 0;
    tern_status status;
    *tokens = 0;
    TERN__TRY(make_logits(TERN__STORY_TOKENS, vocabulary, &logits));
    for (int window = 0; window < TERN__STORY_WINDOWS; window++) {
        int32_t ids[TERN__STORY_TOKENS];
        for (int i = 0; i < TERN__STORY_TOKENS; i++)
            ids[i] = tern__story_windows[window][i];
        TERN__TRY(tern_session_truncate(session, 0));
        TERN__TRY(tern_session_eval(session, ids, TERN__STORY_TOKENS, TERN_LOGITS_ALL, logits));
        for (int i = 0; i + 1 < TERN__STORY_TOKENS; i++, (*tokens)++)
            sum += nll_of(logits + i * vocabulary, vocabulary, ids[i + 1]);
    }
    *mean = sum / (double)*tokens;
done:
    tern__os()->free(logits);
    return status;
}
