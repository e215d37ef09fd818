/* SPDX-License-Identifier: MIT
 * The Llama-3 vocabulary, which may not be shipped: runs when TERN_LLAMA3_VOCAB names its rank
 * file. Merges are derived as files of these models have them: every way to cut a token into two
 * tokens, by the ids of the whole, the left and the right. */
#include "base/os.h"
#include "tokenizer_cases.h"

enum { RANKS = 128000, SPECIALS = 256, TOKENS = RANKS + SPECIALS, MERGES = 280147 };

typedef struct rank_token {
    uint8_t bytes[128];
    size_t count;
    int32_t id;
} rank_token;

static size_t decode_base64(const char *text, uint8_t *bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int held = 0;
    size_t count = 0;
    for (const char *digit; *text != ' ' && *text != '='; text++) {
        assert_non_null(digit = strchr(digits, *text));
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[count++] = (uint8_t)(bits >> held);
        }
    }
    return count;
}

static rank_token *read_ranks(const char *path) {
    rank_token *tokens = calloc(RANKS, sizeof *tokens);
    assert_non_null(tokens);
    char *ranks = test_read_file(path, NULL);
    const char *line = ranks;
    for (int32_t id = 0; id < RANKS; id++, line = strchr(line, '\n') + 1) {
        tokens[id].count = decode_base64(line, tokens[id].bytes);
        tokens[id].id = id;
        assert_int_equal(strtol(strchr(line, ' '), NULL, 10), id);
    }
    free(ranks);
    return tokens;
}

static int by_bytes(const void *a, const void *b) {
    const rank_token *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->count < y->count ? x->count : y->count);
    return order != 0 ? order : (x->count > y->count) - (x->count < y->count);
}

typedef struct derived_merge {
    int32_t whole, left, right;
} derived_merge;

static int by_ids(const void *a, const void *b) {
    const derived_merge *x = a, *y = b;
    if (x->whole != y->whole)
        return x->whole < y->whole ? -1 : 1;
    return x->left != y->left ? (x->left < y->left ? -1 : 1) : 0;
}

static int32_t find_token(const rank_token *sorted, const uint8_t *bytes, size_t count) {
    rank_token key = {.count = count};
    memcpy(key.bytes, bytes, count);
    const rank_token *found = bsearch(&key, sorted, RANKS, sizeof *sorted, by_bytes);
    return found != NULL ? found->id : -1;
}

static derived_merge *derive_merges(const rank_token *tokens) {
    rank_token *sorted = malloc(RANKS * sizeof *sorted);
    derived_merge *merges = malloc(MERGES * sizeof *merges);
    assert_true(sorted != NULL && merges != NULL);
    memcpy(sorted, tokens, RANKS * sizeof *sorted);
    qsort(sorted, RANKS, sizeof *sorted, by_bytes);
    size_t count = 0;
    for (int32_t id = 0; id < RANKS; id++)
        for (size_t cut = 1; cut < tokens[id].count; cut++) {
            int32_t left = find_token(sorted, tokens[id].bytes, cut);
            int32_t right = find_token(sorted, tokens[id].bytes + cut, tokens[id].count - cut);
            if (left < 0 || right < 0)
                continue;
            assert_true(count < MERGES);
            merges[count++] = (derived_merge){id, left, right};
        }
    assert_int_equal(count, MERGES);
    qsort(merges, MERGES, sizeof *merges, by_ids);
    free(sorted);
    return merges;
}

static tern__gguf_string token_text(const rank_token *tokens, int32_t id) {
    char special[32];
    if (id < RANKS)
        return text_of_bytes(tokens[id].bytes, tokens[id].count);
    if (id == RANKS + 9)
        strcpy(special, "<|eot_id|>");
    else
        snprintf(special, sizeof special, "<|reserved_%d|>", id - RANKS);
    return text_of_bytes(special, strlen(special));
}

static tern_tokenizer *create_llama3(const char *path) {
    static tern__gguf_string tokens[TOKENS], merges[MERGES];
    static uint8_t types[TOKENS];
    rank_token *ranks = read_ranks(path);
    derived_merge *derived = derive_merges(ranks);
    for (int32_t id = 0; id < TOKENS; id++) {
        tokens[id] = token_text(ranks, id);
        types[id] = id < RANKS ? TERN__TOKEN_NORMAL : TERN__TOKEN_CONTROL;
    }
    for (size_t i = 0; i < MERGES; i++) {
        tern__gguf_string left = tokens[derived[i].left], right = tokens[derived[i].right];
        size_t length = (size_t)(left.length + right.length + 1);
        char *text = malloc(length + 1);
        assert_non_null(text);
        snprintf(text, length + 1, "%.*s %.*s", (int)left.length, left.bytes, (int)right.length,
                 right.bytes);
        merges[i] = (tern__gguf_string){text, length};
    }
    const tern__tokenizer_spec spec = {
        .tokens = tokens,
        .types = types,
        .token_count = TOKENS,
        .merges = merges,
        .merge_count = MERGES,
        .pretokenizer = TERN__PRETOKENIZER_LLAMA3,
        .bos = RANKS,
        .eos = RANKS + 1,
        .eot = RANKS + 9,
        .adds_bos = true,
    };
    tern_tokenizer *tokenizer;
    uint64_t start = tern__os()->clock_ns();
    test_ok(tern__tokenizer_create(&spec, &tokenizer));
    printf("created in %.1f ms\n", (double)(tern__os()->clock_ns() - start) * 1e-6);
    for (int32_t id = 0; id < TOKENS; id++)
        free((char *)tokens[id].bytes);
    for (size_t i = 0; i < MERGES; i++)
        free((char *)merges[i].bytes);
    free(derived);
    free(ranks);
    return tokenizer;
}

static void test_llama3(void **state) {
    (void)state;
    const char *path = getenv("TERN_LLAMA3_VOCAB");
    if (path == NULL || path[0] == '\0')
        test_skip("TERN_LLAMA3_VOCAB does not name the rank file of Llama 3");
    tern_tokenizer *tokenizer = create_llama3(path);
    check_vectors(tokenizer, "ggml-vocab-llama-bpe");
    check_round_trips(tokenizer, 3, 10000);

    static const char text[] = "Hi<|eot_id|>";
    id_list with =
        encode_flags(tokenizer, text, strlen(text), TERN_ENCODE_BOS | TERN_ENCODE_SPECIAL);
    check_ids(with, (int32_t[]){128000, 13347, 128009}, 3, "special");
    id_list without = encode(tokenizer, text, strlen(text));
    check_ids(without, (int32_t[]){13347, 27, 91, 68, 354, 851, 91, 29}, 8, "plain");
    assert_true(tern_tokenizer_is_end(tokenizer, 128001));
    assert_true(tern_tokenizer_is_end(tokenizer, 128009));
    assert_false(tern_tokenizer_is_end(tokenizer, 128000));
    free(with.ids);
    free(without.ids);
    tern_tokenizer_destroy(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_llama3)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
