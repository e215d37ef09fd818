/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <tern/tern.h>

int main(int argc, char **argv) {
    const char *file = argc > 1 ? argv[1] : "models/tern-story-i2_s.gguf", *piece;
    tern_context *ctx = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_sampler *sampler = NULL;
    tern_sampler_options greedy = tern_sampler_options_default();
    greedy.temperature = 0;
    int32_t ids[64];
    size_t count = 0, bytes = 0;
    if (tern_context_create(NULL, &ctx) || tern_model_load(ctx, file, NULL, &model) ||
        tern_session_create(ctx, model, NULL, &session) ||
        tern_sampler_create(&greedy, tern_model_describe(model).vocabulary, &sampler) ||
        tern_tokenizer_encode(tern_model_tokenizer(model), "Once upon a time", 16, TERN_ENCODE_BOS,
                              ids, 64, &count))
        return fprintf(stderr, "%s\n", tern_last_error()), 1;
    float *logits = malloc((size_t)tern_model_describe(model).vocabulary * sizeof *logits);
    for (int n = 0; n < 40 && logits != NULL; n++, count = 1) {
        if (tern_session_eval(session, ids, (int64_t)count, TERN_LOGITS_LAST, logits) ||
            tern_sampler_next(sampler, logits, &ids[0]) ||
            tern_tokenizer_piece(tern_model_tokenizer(model), ids[0], false, &piece, &bytes))
            return fprintf(stderr, "%s\n", tern_last_error()), 1;
        fwrite(piece, 1, bytes, stdout);
    }
    free(logits);
    tern_sampler_destroy(sampler);
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(ctx);
    return 0;
}
