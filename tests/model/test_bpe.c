/* SPDX-License-Identifier: MIT
 * Merging against a naive twin: it works on the vocabulary's own texts, looks pairs up as strings
 * and scans the whole piece for every merge. */
#include "model/bpe.h"
#include "tokenizer_cases.h"

typedef struct naive_entry {
    tern__gguf_string text;
    int32_t index;
} naive_entry;

typedef struct naive_bpe {
    naive_entry *tokens, *merges; /* by their texts */
    size_t token_count, merge_count;
    bool prefers_whole_pieces;
} naive_bpe;

static int compare_entries(const void *a, const void *b) {
    const naive_entry *x = a, *y = b;
    size_t common = x->text.length < y->text.length ? x->text.length : y->text.length;
    int order = memcmp(x->text.bytes, y->text.bytes, common);
    return order != 0 ? order
                      : (x->text.length > y->text.length) - (x->text.length < y->text.length);
}

static naive_entry *sorted_entries(const tern_file *file, const char *key, size_t *count) {
    tern__gguf_array array;
    test_ok(tern__gguf_array_find(file, key, &array, NULL));
    naive_entry *entries = malloc((size_t)array.count * sizeof *entries);
    assert_non_null(entries);
    *count = (size_t)array.count;
    for (size_t i = 0; i < *count; i++)
        entries[i] = (naive_entry){tern__gguf_next_string(&array), (int32_t)i};
    qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

static int32_t find_entry(const naive_entry *entries, size_t count, const char *text,
                          size_t length) {
    const naive_entry key = {{text, length}, 0};
    const naive_entry *found = bsearch(&key, entries, count, sizeof key, compare_entries);
    return found != NULL ? found->index : -1;
}

/* Rank of the pair of neighbouring texts [a, b) and [b, c), -1 if it is none. */
static int32_t pair_rank(const naive_bpe *naive, const char *a, const char *b, const char *c) {
    char pair[4 * RANDOM_LENGTH];
    size_t left = (size_t)(b - a), right = (size_t)(c - b);
    memcpy(pair, a, left);
    pair[left] = ' ';
    memcpy(pair + left + 1, b, right);
    return find_entry(naive->merges, naive->merge_count, pair, left + 1 + right);
}

static id_list naive_encode(const naive_bpe *naive, const uint8_t *piece, size_t bytes) {
    char text[2 * RANDOM_LENGTH];
    const char *starts[RANDOM_LENGTH + 1]; /* of the symbols, and the end */
    size_t count = bytes;
    char *end = text;
    for (size_t i = 0; i < bytes; i++) {
        starts[i] = end;
        end += put_byte_character(piece[i], end);
    }
    starts[bytes] = end;
    bool is_token = find_entry(naive->tokens, naive->token_count, text, (size_t)(end - text)) >= 0;
    if (naive->prefers_whole_pieces && is_token) {
        count = 1;
        starts[1] = end;
    }
    for (;;) {
        int32_t best_rank = -1;
        size_t best = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            int32_t rank = pair_rank(naive, starts[i], starts[i + 1], starts[i + 2]);
            if (rank >= 0 && (best_rank < 0 || rank < best_rank)) {
                best_rank = rank;
                best = i;
            }
        }
        if (best_rank < 0)
            break;
        memmove(&starts[best + 1], &starts[best + 2], (count - best - 1) * sizeof *starts);
        count--;
    }
    id_list list = {malloc((count + 1) * sizeof(int32_t)), count};
    assert_non_null(list.ids);
    for (size_t i = 0; i < count; i++)
        list.ids[i] = find_entry(naive->tokens, naive->token_count, starts[i],
                                 (size_t)(starts[i + 1] - starts[i]));
    return list;
}

/* Random texts, piece by piece. */
static void compare_with_naive(const char *relative, tern__pretokenizer kind, uint64_t seed,
                               int count) {
    char path[4096];
    tern_file *file;
    tern_tokenizer *tokenizer;
    test_ok(tern_file_open(test_path(relative, path, sizeof path), &file));
    test_ok(tern_tokenizer_from_file(file, &tokenizer));
    naive_bpe naive = {.prefers_whole_pieces = kind == TERN__PRETOKENIZER_LLAMA3};
    naive.tokens = sorted_entries(file, "tokenizer.ggml.tokens", &naive.token_count);
    naive.merges = sorted_entries(file, "tokenizer.ggml.merges", &naive.merge_count);
    tern__pattern *pattern;
    tern__splitter splitter;
    test_ok(tern__pattern_create(kind, false, &pattern));
    test_ok(tern__splitter_init(&splitter, pattern));

    test_random random = {seed, 0};
    for (int i = 0; i < count; i++) {
        char text[RANDOM_LENGTH], what[64];
        size_t bytes = random_text(&random, i % RANDOM_KINDS, text), at = 0, length;
        id_list got = encode(tokenizer, text, bytes);
        const uint8_t *piece;
        tern__splitter_start(&splitter, (const uint8_t *)text, bytes);
        snprintf(what, sizeof what, "seed %llu, text %d", (unsigned long long)seed, i);
        for (;;) {
            test_ok(tern__splitter_next(&splitter, &piece, &length));
            if (length == 0)
                break;
            id_list expected = naive_encode(&naive, piece, length);
            assert_true(at + expected.count <= got.count);
            check_ids((id_list){got.ids + at, expected.count}, expected.ids, expected.count, what);
            at += expected.count;
            free(expected.ids);
        }
        assert_int_equal(at, got.count);
        free(got.ids);
    }
    tern__splitter_deinit(&splitter);
    tern__pattern_destroy(pattern);
    free(naive.tokens);
    free(naive.merges);
    tern_tokenizer_destroy(tokenizer);
    tern_file_close(file);
}

static void test_equals_naive(void **state) {
    (void)state;
    compare_with_naive("models/tern-story-i2_s.gguf", TERN__PRETOKENIZER_LLAMA3, 11, 1000);
    compare_with_naive("tests/data/tokenizer/ggml-vocab-gpt-2.gguf", TERN__PRETOKENIZER_GPT2, 12,
                       1000);
}

/* The pair of lowest rank comes first wherever it is, the leftmost of equals, and a merge takes its
 * neighbours' chances: in short pieces and in long ones. */
static void test_order_of_merges(void **state) {
    (void)state;
    tern__gguf_string tokens[259];
    for (int byte = 0; byte < 256; byte++)
        tokens[byte] = text_of_bytes(&(uint8_t){(uint8_t)byte}, 1);
    tokens[256] = text_of_bytes("bc", 2);
    tokens[257] = text_of_bytes("ab", 2);
    tokens[258] = text_of_bytes("aa", 2);
    const tern__gguf_string merges[] = {
        {"b c", 3}, {"a b", 3}, {"a a", 3}, {"b c", 3}}; /* of equal ones the first counts */
    tern__vocabulary vocabulary;
    tern__bpe bpe;
    test_ok(tern__vocabulary_init(&vocabulary, tokens, NULL, 259));
    test_ok(tern__bpe_init(&bpe, &vocabulary, merges, 4));

    static const char unit[] = "aabcabaaa.";
    static const int32_t expected[] = {258, 256, 257, 258, 'a', '.'};
    enum { COPIES = 50, IDS = 6 };
    tern__bpe_scratch scratch = {0};
    for (size_t copies = 1; copies <= COPIES; copies++) {
        char text[COPIES * sizeof unit];
        int32_t ids[COPIES * IDS];
        tern__id_sink sink = {ids, COPIES * IDS, 0};
        for (size_t i = 0; i < copies; i++)
            memcpy(text + i * strlen(unit), unit, strlen(unit));
        test_ok(
            tern__bpe_encode(&bpe, (const uint8_t *)text, copies * strlen(unit), &scratch, &sink));
        assert_int_equal(sink.count, copies * IDS);
        for (size_t i = 0; i < copies; i++)
            test_same_bytes(ids + i * IDS, expected, sizeof expected, unit);
    }
    tern__bpe_scratch_deinit(&scratch);
    tern__bpe_deinit(&bpe);
    tern__vocabulary_deinit(&vocabulary);
    for (int i = 0; i < 259; i++)
        free((char *)tokens[i].bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_naive),
                                       cmocka_unit_test(test_order_of_merges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
