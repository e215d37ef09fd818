#include <stdio.h>
#include <tern/tern.h>

int main(void) {
    tern_context *ctx = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    static float logits[4096];
    int32_t ids[64], best;
    size_t count, bytes;
    const char *piece, *text = "Once upon a time", *file = "models/tern-story-i2_s.gguf";
    if (tern_context_create(NULL, &ctx) || tern_model_load(ctx, file, NULL, &model) ||
        tern_session_create(ctx, model, NULL, &session))
        return fprintf(stderr, "%s\n", tern_last_error()), 1;
    const tern_tokenizer *words = tern_model_tokenizer(model);
    tern_tokenizer_encode(words, text, 16, TERN_ENCODE_BOS, ids, 64, &count);
    for (int n = 0; n < 40; n++, ids[0] = best, count = 1) {
        if (tern_session_eval(session, ids, (int64_t)count, TERN_LOGITS_LAST, logits))
            return fprintf(stderr, "%s\n", tern_last_error()), 1;
        for (int i = best = 0; i < 4096; i++)
            best = logits[i] > logits[best] ? i : best;
        tern_tokenizer_piece(words, best, false, &piece, &bytes);
        fwrite(piece, 1, bytes, stdout);
    }
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(ctx);
    return 0;
}
