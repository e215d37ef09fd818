/* SPDX-License-Identifier: MIT
 * The hash of src/bench/story.h, of a file in a context. */
#ifndef TERN_TEST_STORY_HASH_H
#define TERN_TEST_STORY_HASH_H

#include <tern/tern.h>

#include "bench/story.h"

/* The text is evaluated `chunk` tokens a call. */
static inline tern_status story_hash(tern_context *context, const char *path, tern_storage storage,
                                     int64_t chunk, uint64_t *hash) {
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_model_options options = {.storage = storage};
    tern_status status = tern_model_load(context, path, &options, &model);
    if (status == TERN_OK)
        status = tern_session_create(context, model, NULL, &session);
    if (status == TERN_OK)
        status = tern__story_hash(model, session, chunk, hash);
    tern_session_destroy(session);
    tern_model_release(model);
    return status;
}

#endif
