/* SPDX-License-Identifier: MIT
 * The tokenizer as its users see it: published ids, any bytes in and out, special tokens, limits,
 * threads, bad files, no memory. */
#include <pthread.h>

#include "gguf_builder.h"
#include "memory_file.h"
#include "tokenizer_cases.h"

#define STORY "models/tern-story-i2_s.gguf"
#define GPT2  "tests/data/tokenizer/ggml-vocab-gpt-2.gguf"

static tern_tokenizer *open_tokenizer(const char *relative) {
    char path[4096];
    tern_file *file;
    tern_tokenizer *tokenizer;
    test_ok(tern_file_open(test_path(relative, path, sizeof path), &file));
    test_ok(tern_tokenizer_from_file(file, &tokenizer));
    tern_file_close(file); /* nothing of it is kept */
    return tokenizer;
}

static char *read_story(size_t *bytes) {
    char path[4096];
    return test_read_file(test_path("tests/data/story-heldout-20k.txt", path, sizeof path), bytes);
}

static void test_story(void **state) {
    (void)state;
    char path[4096];
    size_t bytes;
    tern_tokenizer *tokenizer = open_tokenizer(STORY);
    char *text = read_story(&bytes);
    char *ids = test_read_file(test_path("tests/data/story-tokens.txt", path, sizeof path), NULL);
    const char *line = strchr(ids, '\n') + 1; /* behind the title */
    line = check_line(tokenizer, text, bytes, line, "held-out story");
    assert_int_equal(*line, '\0');
    assert_int_equal(tern_tokenizer_size(tokenizer), 4096);
    assert_int_equal(tern_tokenizer_bos(tokenizer), 4093);
    assert_int_equal(tern_tokenizer_eos(tokenizer), 4094);
    assert_true(tern_tokenizer_adds_bos(tokenizer));
    for (int32_t id = -1; id <= 4096; id++)
        assert_int_equal(tern_tokenizer_is_end(tokenizer, id), id == 4094 || id == 4095);
    free(ids);
    free(text);
    tern_tokenizer_destroy(tokenizer);
}

static void test_gpt2_vectors(void **state) {
    (void)state;
    tern_tokenizer *tokenizer = open_tokenizer(GPT2);
    check_vectors(tokenizer, "ggml-vocab-gpt-2");
    assert_int_equal(tern_tokenizer_size(tokenizer), 50257);
    assert_false(tern_tokenizer_adds_bos(tokenizer));
    assert_true(tern_tokenizer_is_end(tokenizer, 50256));
    tern_tokenizer_destroy(tokenizer);
}

static void test_round_trips(void **state) {
    (void)state;
    static const char *const files[] = {STORY, GPT2};
    for (size_t i = 0; i < 2; i++) {
        tern_tokenizer *tokenizer = open_tokenizer(files[i]);
        check_round_trips(tokenizer, 1 + i, 10000);
        check_round_trip(tokenizer, "\0a\0", 3, "zeros");
        tern_tokenizer_destroy(tokenizer);
    }
}

/* -- a small vocabulary: 256 bytes, a few merges, special tokens -------------------------------*/

enum { HE = 256, LLO, HELLO, BOS, EOT, BAR, BARBAR, SPACES, HOLE, UNKNOWN, SMALL_TOKENS };

static const char *const small_merges[] = {"h e", "l o", "l lo", "he llo"};
enum { LO = SMALL_TOKENS, SMALL_SIZE, SMALL_MERGES = 4 };

typedef struct small_vocabulary {
    char bytes[256][4];
    const char *tokens[SMALL_SIZE];
    int32_t types[SMALL_SIZE];
} small_vocabulary;

static void make_small(small_vocabulary *small) {
    static const char *const others[] = {"he",         "llo",   "hello", "<|begin_of_text|>",
                                         "<|eot_id|>", "<|",    "<|<|",  "  ",
                                         "",           "<unk>", "lo"};
    *small = (small_vocabulary){0};
    for (int i = 0; i < SMALL_SIZE; i++) {
        if (i < 256)
            put_byte_character((uint8_t)i, small->bytes[i]);
        small->tokens[i] = i < 256 ? small->bytes[i] : others[i - 256];
        small->types[i] = TERN__TOKEN_NORMAL;
    }
    small->types[BOS] = small->types[EOT] = TERN__TOKEN_CONTROL;
    small->types[BAR] = small->types[BARBAR] = TERN__TOKEN_CONTROL;
    small->types[SPACES] = TERN__TOKEN_USER_DEFINED;
    small->types[HOLE] = TERN__TOKEN_UNUSED;
    small->types[UNKNOWN] = TERN__TOKEN_UNKNOWN;
}

static gguf_builder begin_small(const small_vocabulary *small, const char *pre) {
    gguf_builder gguf = gguf_begin(3);
    gguf_add_string(&gguf, "tokenizer.ggml.model", "gpt2");
    if (pre != NULL)
        gguf_add_string(&gguf, "tokenizer.ggml.pre", pre);
    gguf_add_strings(&gguf, "tokenizer.ggml.tokens", SMALL_SIZE, small->tokens);
    gguf_add_array(&gguf, "tokenizer.ggml.token_type", TERN__GGUF_I32, SMALL_SIZE, small->types,
                   sizeof small->types);
    return gguf;
}

/* Opens what the builder holds and frees it. */
static tern_status open_built(gguf_builder *gguf, tern_tokenizer **tokenizer) {
    tern_file *file;
    gguf_finish(gguf);
    memory_file_install();
    memory_file_serve(gguf->bytes, gguf->length);
    test_ok(tern_file_open("built", &file));
    tern_status status = tern_tokenizer_from_file(file, tokenizer);
    tern_file_close(file);
    if (status != TERN_OK) {
        assert_null(*tokenizer);
        memory_file_check_empty();
    }
    memory_file_remove();
    gguf_free(gguf);
    return status;
}

static tern_tokenizer *open_small(void) {
    small_vocabulary small;
    tern_tokenizer *tokenizer;
    make_small(&small);
    gguf_builder gguf = begin_small(&small, "llama-bpe");
    gguf_add_strings(&gguf, "tokenizer.ggml.merges", SMALL_MERGES, small_merges);
    gguf_add_u32(&gguf, "tokenizer.ggml.bos_token_id", BOS);
    gguf_add_u32(&gguf, "tokenizer.ggml.eos_token_id", 'z');
    gguf_add_u32(&gguf, "tokenizer.ggml.eot_token_id", HELLO);
    test_ok(open_built(&gguf, &tokenizer));
    return tokenizer;
}

static void check_encoding(const tern_tokenizer *tokenizer, const char *text, unsigned flags,
                           const int32_t *expected, size_t count) {
    id_list got = encode_flags(tokenizer, text, strlen(text), flags);
    check_ids(got, expected, count, text);
    free(got.ids);
}

#define CHECK(text, flags, ...)                                                                    \
    check_encoding(tokenizer, text, flags, (const int32_t[]){__VA_ARGS__},                         \
                   sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void test_special_tokens(void **state) {
    (void)state;
    tern_tokenizer *tokenizer = open_small();
    CHECK("hello", 0, HELLO);
    CHECK("hello", TERN_ENCODE_BOS, BOS, HELLO);
    CHECK("<|", 0, '<', '|');
    CHECK("<|", TERN_ENCODE_SPECIAL, BAR);
    CHECK("a<|eot_id|>", 0, 'a', '<', '|', 'e', 'o', 't', '_', 'i', 'd', '|', '>');
    CHECK("a<|eot_id|>he", TERN_ENCODE_SPECIAL, 'a', EOT, HE);
    CHECK("<|eot_id|><|eot_id|>", TERN_ENCODE_SPECIAL | TERN_ENCODE_BOS, BOS, EOT, EOT);
    /* The longest one at each place; what is no complete token stays text. */
    CHECK("<|<|<|", TERN_ENCODE_SPECIAL, BARBAR, BAR);
    CHECK("<|eot_id|", TERN_ENCODE_SPECIAL, BAR, 'e', 'o', 't', '_', 'i', 'd', '|');
    CHECK("<<|", TERN_ENCODE_SPECIAL, '<', BAR);
    CHECK("<unk>he", TERN_ENCODE_SPECIAL, UNKNOWN, HE);
    /* A user-defined token is found only when asked for, even as a whole piece. */
    CHECK("   ", 0, ' ', ' ', ' ');
    CHECK("  ", 0, ' ', ' ');
    CHECK("   ", TERN_ENCODE_SPECIAL, SPACES, ' ');

    static const struct {
        int32_t id;
        bool special;
        const char *piece; /* NULL: none */
    } pieces[] = {{HELLO, false, "hello"}, {EOT, false, NULL},    {EOT, true, "<|eot_id|>"},
                  {UNKNOWN, false, NULL},  {SPACES, false, "  "}, {HOLE, false, ""}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const char *piece;
        size_t bytes;
        test_ok(tern_tokenizer_piece(tokenizer, pieces[i].id, pieces[i].special, &piece, &bytes));
        assert_int_equal(piece == NULL, pieces[i].piece == NULL);
        assert_int_equal(bytes, pieces[i].piece != NULL ? strlen(pieces[i].piece) : 0);
        if (piece != NULL)
            assert_memory_equal(piece, pieces[i].piece, bytes);
    }
    for (int32_t id = 0; id < SMALL_SIZE; id++)
        assert_int_equal(tern_tokenizer_is_end(tokenizer, id),
                         id == EOT || id == 'z' || id == HELLO);
    tern_tokenizer_destroy(tokenizer);
}

static void test_limits(void **state) {
    (void)state;
    tern_tokenizer *tokenizer = open_small();
    int32_t ids[3] = {-7, -7, -7};
    size_t count = 99, bytes;
    const char *piece;
    test_ok(tern_tokenizer_encode(tokenizer, NULL, 0, 0, NULL, 0, &count));
    assert_int_equal(count, 0);
    test_ok(tern_tokenizer_encode(tokenizer, "abcd", 4, TERN_ENCODE_BOS, NULL, 0, &count));
    assert_int_equal(count, 5);
    test_status(tern_tokenizer_encode(tokenizer, "abcd", 4, TERN_ENCODE_BOS, ids, 2, &count),
                TERN_E_LIMIT);
    assert_int_equal(count, 5);
    assert_int_equal(ids[1], 'a');
    assert_int_equal(ids[2], -7);
    test_ok(tern_tokenizer_encode(tokenizer, "abc", 3, 0, ids, 3, &count));
    assert_int_equal(ids[2], 'c');
    test_status(tern_tokenizer_encode(tokenizer, "a", 1, 4, ids, 3, &count), TERN_E_ARGUMENT);
    test_status(tern_tokenizer_encode(tokenizer, NULL, 1, 0, ids, 3, &count), TERN_E_ARGUMENT);
    test_status(tern_tokenizer_encode(tokenizer, "a", 1, 0, NULL, 3, &count), TERN_E_ARGUMENT);
    test_status(tern_tokenizer_piece(tokenizer, -1, true, &piece, &bytes), TERN_E_ARGUMENT);
    test_status(tern_tokenizer_piece(tokenizer, SMALL_SIZE, true, &piece, &bytes), TERN_E_ARGUMENT);
    assert_false(tern_tokenizer_is_end(tokenizer, -1));
    assert_false(tern_tokenizer_is_end(tokenizer, SMALL_SIZE));
    tern_tokenizer_destroy(tokenizer);
    tern_tokenizer_destroy(NULL);
}

/* -- bad files ---------------------------------------------------------------------------------*/

static void fails(gguf_builder gguf, tern_status expected, const char *detail) {
    tern_tokenizer *tokenizer;
    tern_status status = open_built(&gguf, &tokenizer);
    if (status == TERN_OK)
        fail_msg("loads, expected: %s", detail);
    test_status(status, expected);
    if (strstr(tern_last_error(), detail) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", tern_last_error(), detail);
}

static void test_keys(void **state) {
    (void)state;
    small_vocabulary small;
    make_small(&small);
    gguf_builder gguf = gguf_begin(3);
    fails(gguf, TERN_E_FORMAT, "tokenizer.ggml.model");
    gguf = gguf_begin(3);
    gguf_add_string(&gguf, "tokenizer.ggml.model", "llama");
    fails(gguf, TERN_E_UNSUPPORTED, "tokenizer.ggml.model is \"llama\"");
    gguf = gguf_begin(3);
    gguf_add_string(&gguf, "tokenizer.ggml.model", "gpt2");
    fails(gguf, TERN_E_FORMAT, "tokenizer.ggml.tokens");
    fails(begin_small(&small, NULL), TERN_E_UNSUPPORTED, "tokenizer.ggml.pre is missing");
    fails(begin_small(&small, "gpt-5"), TERN_E_UNSUPPORTED, "tokenizer.ggml.pre is \"gpt-5\"");
    fails(begin_small(&small, "llama-bp"), TERN_E_UNSUPPORTED, "\"llama-bp\"");
    fails(begin_small(&small, "llama3"), TERN_E_FORMAT, "tokenizer.ggml.merges");

    gguf = gguf_begin(3);
    gguf_add_string(&gguf, "tokenizer.ggml.model", "gpt2");
    gguf_add_array(&gguf, "tokenizer.ggml.tokens", TERN__GGUF_U8, 2, "ab", 2);
    fails(gguf, TERN_E_FORMAT, "tokenizer.ggml.tokens is no array of strings");

    static const char *const ids[] = {"bos", "eos", "eot"};
    for (int i = 0; i < 3; i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", ids[i]);
        gguf = begin_small(&small, "gpt-2");
        gguf_add_strings(&gguf, "tokenizer.ggml.merges", SMALL_MERGES, small_merges);
        gguf_add_u32(&gguf, key, SMALL_SIZE);
        fails(gguf, TERN_E_FORMAT, key);
    }
}

static void test_known_names(void **state) {
    (void)state;
    static const struct {
        const char *pre;
        int adds_bos; /* the key; -1: absent */
        bool expected;
    } cases[] = {{"llama-bpe", -1, true},
                 {"llama3", 0, false},
                 {"llama-v3", 1, true},
                 {"gpt-2", -1, false},
                 {"gpt-2", 1, true}};
    small_vocabulary small;
    make_small(&small);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_tokenizer *tokenizer;
        gguf_builder gguf = begin_small(&small, cases[i].pre);
        gguf_add_strings(&gguf, "tokenizer.ggml.merges", 2, small_merges);
        gguf_add_u32(&gguf, "tokenizer.ggml.bos_token_id", BOS);
        if (cases[i].adds_bos >= 0)
            gguf_add_bool(&gguf, "tokenizer.ggml.add_bos_token", cases[i].adds_bos == 1);
        test_ok(open_built(&gguf, &tokenizer));
        assert_int_equal(tern_tokenizer_adds_bos(tokenizer), cases[i].expected);
        assert_int_equal(tern_tokenizer_eos(tokenizer), -1);
        /* No merges lead to "llo": only Llama-3 takes it as a whole piece. */
        if (cases[i].pre[0] == 'l')
            CHECK("llo", 0, LLO);
        else
            CHECK("llo", 0, 'l', LO);
        tern_tokenizer_destroy(tokenizer);
    }
}

/* A file without tokenizer.ggml.pre is taken for Llama 3 by the number of its tokens. */
static void test_nameless_llama3(void **state) {
    (void)state;
    enum { TOKENS = 128256 };
    small_vocabulary small;
    make_small(&small);
    for (int missing = 0; missing < 2; missing++) {
        gguf_builder gguf = gguf_begin(3);
        gguf_add_string(&gguf, "tokenizer.ggml.model", "gpt2");
        gguf_add_array(&gguf, "tokenizer.ggml.tokens", TERN__GGUF_STRING,
                       (uint64_t)(TOKENS - missing), NULL, 0);
        for (int i = 0; i < TOKENS - missing; i++) {
            char filler[16];
            snprintf(filler, sizeof filler, "<%d>", i);
            const char *token = i < SMALL_SIZE ? small.tokens[i] : filler;
            gguf_put_string(&gguf, token, strlen(token));
        }
        gguf_add_strings(&gguf, "tokenizer.ggml.merges", 2, small_merges);
        if (missing > 0) {
            fails(gguf, TERN_E_UNSUPPORTED, "tokenizer.ggml.pre is missing");
            continue;
        }
        tern_tokenizer *tokenizer;
        test_ok(open_built(&gguf, &tokenizer));
        CHECK("llo", 0, LLO);
        assert_int_equal(tern_tokenizer_size(tokenizer), TOKENS);
        tern_tokenizer_destroy(tokenizer);
    }
}

static void test_bad_vocabularies(void **state) {
    (void)state;
    small_vocabulary small;
    make_small(&small);
    static const struct {
        int32_t id;
        const char *token;
        int32_t type;
        const char *detail;
    } tokens[] = {{LLO, "he", 1, "tokens 256 and 257 are the same"},
                  {BAR, "<|eot_id|>", 3, "special tokens"},
                  {200, "xyz", 1, "no token for the byte 0xc8"},
                  {'a', "a", 3, "no token for the byte 0x61"},
                  {HOLE, "x", 7, "token 264 has type 7"},
                  {HOLE, "x", -1, "token 264 has type -1"}};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        make_small(&small);
        small.tokens[tokens[i].id] = tokens[i].token;
        small.types[tokens[i].id] = tokens[i].type;
        gguf_builder gguf = begin_small(&small, "gpt-2");
        gguf_add_strings(&gguf, "tokenizer.ggml.merges", SMALL_MERGES, small_merges);
        fails(gguf, TERN_E_FORMAT, tokens[i].detail);
    }

    static const struct {
        const char *merge, *detail;
    } merges[] = {{"hello", "merge 1, \"hello\", is no pair"},
                  {"", "merge 1, \"\", is no pair"},
                  {"h ", "merge 1, \"h \", is no pair"},
                  {" e", "merge 1, \" e\", is no pair"},
                  {"h e l", "merge 1, \"h e l\", is no pair"},
                  {"h \xe2\x96\x81", "is no pair"},
                  {"hel lo", "takes an unknown token"},
                  {"l hel", "takes an unknown token"},
                  {"x y", "makes an unknown token"}};
    make_small(&small);
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        gguf_builder gguf = begin_small(&small, "gpt-2");
        gguf_add_strings(&gguf, "tokenizer.ggml.merges", 2,
                         (const char *[]){"h e", merges[i].merge});
        fails(gguf, TERN_E_FORMAT, merges[i].detail);
    }
    gguf_builder gguf = begin_small(&small, "gpt-2");
    gguf_add_array(&gguf, "tokenizer.ggml.merges", TERN__GGUF_U8, 1, "a", 1);
    fails(gguf, TERN_E_FORMAT, "tokenizer.ggml.merges is no array of strings");
}

/* What real files have and must load. */
static void test_odd_vocabularies(void **state) {
    (void)state;
    small_vocabulary small;
    tern_tokenizer *tokenizer;
    make_small(&small);
    small.tokens[HOLE] = "a\xe2\x96\x81"
                         "b"; /* no byte mapping: its bytes as they are */
    small.types[HOLE] = TERN__TOKEN_NORMAL;
    small.tokens[LLO] = small.tokens[HELLO] = ""; /* holes are no duplicates */
    small.tokens[SPACES] = small.tokens[UNKNOWN] = "";
    small.tokens[BARBAR] = "lo"; /* like a text token, but never made from text */
    gguf_builder gguf = begin_small(&small, "gpt-2");
    gguf_add_strings(&gguf, "tokenizer.ggml.merges", 4,
                     (const char *[]){"h e", "h e", "< |", "l o"});
    test_ok(open_built(&gguf, &tokenizer));
    const char *piece;
    size_t bytes;
    test_ok(tern_tokenizer_piece(tokenizer, HOLE, false, &piece, &bytes));
    assert_int_equal(bytes, 5);
    assert_memory_equal(piece,
                        "a\xe2\x96\x81"
                        "b",
                        5);
    CHECK("he", 0, HE);
    CHECK("<|", 0, '<', '|'); /* a merge that makes a control token is left out */
    CHECK("lo", 0, LO);
    CHECK("lo", TERN_ENCODE_SPECIAL, BARBAR);
    assert_int_equal(tern_tokenizer_bos(tokenizer), -1);
    tern_tokenizer_destroy(tokenizer);
}

/* -- no memory, many threads -------------------------------------------------------------------*/

static void test_no_memory(void **state) {
    (void)state;
    char path[4096], text[4000];
    size_t bytes;
    char *model = test_read_file(test_path(STORY, path, sizeof path), &bytes);
    memset(text, 'a', sizeof text); /* one long piece, and a longer one */
    text[1000] = ' ';
    memory_file_install();
    int64_t failures = 0, without_key = 0;
    for (int64_t at = 0;; at++) {
        tern_file *file;
        tern_tokenizer *tokenizer;
        size_t count = 0;
        memory_file_serve(model, bytes);
        test_ok(tern_file_open("model", &file));
        int64_t opened = memory_file.calls;
        memory_file.fail_at = opened + at;
        tern_status status = tern_tokenizer_from_file(file, &tokenizer);
        assert_true((status == TERN_OK) == (tokenizer != NULL));
        if (status == TERN_OK)
            status = tern_tokenizer_encode(tokenizer, text, sizeof text, 0, NULL, 0, &count);
        if (status == TERN_E_IO) { /* the one call for random bytes */
            assert_non_null(strstr(tern_last_error(), "tokenizer: no random bytes"));
            without_key++;
        } else if (status != TERN_OK) {
            test_status(status, TERN_E_MEMORY);
            failures++;
        }
        bool is_over = memory_file.calls <= memory_file.fail_at;
        tern_tokenizer_destroy(tokenizer);
        tern_file_close(file);
        memory_file_check_empty();
        if (is_over)
            break;
        assert_true(at < 1000);
    }
    memory_file_remove();
    assert_int_equal(without_key, 1);
    assert_true(failures > 15);
    free(model);
}

typedef struct thread_job {
    const tern_tokenizer *tokenizer;
    const char *text;
    size_t bytes;
    id_list expected;
    bool is_equal;
} thread_job;

static void *thread_body(void *argument) {
    thread_job *job = argument;
    int32_t *ids = malloc(job->bytes * sizeof *ids);
    job->is_equal = ids != NULL;
    for (int i = 0; i < 10 && job->is_equal; i++) {
        size_t count;
        tern_status status = tern_tokenizer_encode(job->tokenizer, job->text, job->bytes,
                                                   TERN_ENCODE_SPECIAL, ids, job->bytes, &count);
        job->is_equal = status == TERN_OK && count == job->expected.count &&
                        memcmp(ids, job->expected.ids, count * sizeof *ids) == 0;
    }
    free(ids);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    enum { THREADS = 4 };
    thread_job job = {.tokenizer = open_tokenizer(STORY)};
    char *text = read_story(&job.bytes);
    job.text = text;
    job.expected = encode(job.tokenizer, text, job.bytes);
    thread_job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = job;
        assert_int_equal(pthread_create(&threads[i], NULL, thread_body, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(jobs[i].is_equal);
    }
    free(job.expected.ids);
    free(text);
    tern_tokenizer_destroy((tern_tokenizer *)job.tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_gpt2_vectors),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_known_names),
        cmocka_unit_test(test_nameless_llama3),
        cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_odd_vocabularies),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
