/* SPDX-License-Identifier: MIT
 * Cutting text into pieces: literal cases, bytes that are no UTF-8, machine code against the
 * interpreter, and linear time for long runs on a small stack. */
#include <pthread.h>
#include <time.h>

#include "base/utf8.h"
#include "model/pretokenize.h"
#include "tokenizer_cases.h"

static const tern__pretokenizer kinds[] = {TERN__PRETOKENIZER_GPT2, TERN__PRETOKENIZER_LLAMA3};

typedef struct split_fixture {
    tern__pattern *pattern;
    tern__splitter splitter;
} split_fixture;

static void open_splitter(split_fixture *fixture, tern__pretokenizer kind, bool is_interpreted) {
    test_ok(tern__pattern_create(kind, is_interpreted, &fixture->pattern));
    test_ok(tern__splitter_init(&fixture->splitter, fixture->pattern));
}

static void close_splitter(split_fixture *fixture) {
    tern__splitter_deinit(&fixture->splitter);
    tern__pattern_destroy(fixture->pattern);
}

/* `expected` has the pieces with '|' between them; texts have no '|' of their own. */
static void check_pieces(tern__pretokenizer kind, const char *expected) {
    char text[256], got[256];
    size_t bytes = 0, at = 0, length;
    for (const char *from = expected; *from != '\0'; from++)
        if (*from != '|')
            text[bytes++] = *from;
    for (int interpreted = 0; interpreted < 2; interpreted++) {
        split_fixture fixture;
        open_splitter(&fixture, kind, interpreted == 1);
        tern__splitter_start(&fixture.splitter, (const uint8_t *)text, bytes);
        const uint8_t *piece;
        for (at = 0;; at += length) {
            test_ok(tern__splitter_next(&fixture.splitter, &piece, &length));
            if (length == 0)
                break;
            if (at > 0)
                got[at++] = '|';
            memcpy(got + at, piece, length);
        }
        got[at] = '\0';
        assert_string_equal(got, expected);
        close_splitter(&fixture);
    }
}

static void test_pieces(void **state) {
    (void)state;
    static const struct {
        const char *gpt2, *llama3;
    } cases[] = {
        {"", ""},
        {"Hello| world", "Hello| world"},
        {"I|'ll| DON|'|T", "I|'ll| DON|'T"},
        {" 1234567", " |123|456|7"},
        {"a|  | b|   ", "a|  | b|   "},
        {"x|\n|\n|y", "x|\n\n|y"},
        {"x| \n\n| y", "x| \n\n| y"},
        {"!?|\r|\n|z", "!?\r\n|z"},
        {"(|word|)", "(word|)"},
        {"\t|tab", "\ttab"},
        {"\xc2\xa0|nbsp", "\xc2\xa0nbsp"},
        /* U+180E is no white space, U+0085 is. */
        {"!\xe1\xa0\x8e", "!\xe1\xa0\x8e"},
        {"!|\xc2\x85", "!|\xc2\x85"},
        /* Llama 3 does not mind case, and U+017F is a small s then. */
        {"WE|'|REALLY", "WE|'RE|ALLY"},
        {"it|'|\xc5\xbfo", "it|'\xc5\xbf|o"},
        {"e|\xcc\x81|tude", "e|\xcc\x81tude"},
        {"\xe4\xbd\xa0\xe5\xa5\xbd|\xe3\x80\x82", "\xe4\xbd\xa0\xe5\xa5\xbd|\xe3\x80\x82"},
        /* Bytes that are no UTF-8 stand alone, and text ends before them. */
        {"ab|\xff\xfe|cd", "ab|\xff\xfe|cd"},
        {"a|   |\x80|  | b", "a|   |\x80|  | b"},
        {"\xe4\xbd|x", "\xe4\xbd|x"},
        {"x|\xed\xa0\x80|y|\xf4\x90\x80\x80", "x|\xed\xa0\x80|y|\xf4\x90\x80\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_pieces(TERN__PRETOKENIZER_GPT2, cases[i].gpt2);
        check_pieces(TERN__PRETOKENIZER_LLAMA3, cases[i].llama3);
    }
}

/* What is handed to the pattern is valid UTF-8, and all that is valid is: it is not checked again,
 * so that a mistake here would let it read out of bounds. */
static void test_validity(void **state) {
    (void)state;
    test_random random = {22, 0};
    split_fixture fixture;
    open_splitter(&fixture, TERN__PRETOKENIZER_LLAMA3, false);
    for (int i = 0; i < 200000; i++) {
        uint8_t text[24];
        size_t bytes = (size_t)test_random_range(&random, 2, sizeof text), valid = 0, length;
        memset(text, 'a', bytes);
        for (int k = 0; k < 4; k++) /* anywhere from the second byte on */
            text[test_random_range(&random, 1, (int64_t)bytes - 1)] =
                (uint8_t)test_random_u32(&random);
        if (bytes > 4 && i % 2 == 0) /* a character or nearly one */
            put_utf8((uint32_t)test_random_range(&random, 0, 0x10ffff), (char *)text + bytes - 4);
        const uint8_t *piece;
        tern__splitter_start(&fixture.splitter, text, bytes);
        test_ok(tern__splitter_next(&fixture.splitter, &piece, &length));
        uint32_t code;
        while (valid < bytes && (length = tern__utf8(text + valid, bytes - valid, &code)) > 0)
            valid += length;
        if (fixture.splitter.valid_end != text + valid)
            fail_msg("seed 22, step %d: %zu of %zu bytes are valid", i, valid, bytes);
    }
    close_splitter(&fixture);
}

static void test_interpreter_agrees(void **state) {
    (void)state;
    test_random random = {21, 0};
    for (size_t k = 0; k < 2; k++) {
        split_fixture compiled, interpreted;
        open_splitter(&compiled, kinds[k], false);
        open_splitter(&interpreted, kinds[k], true);
        assert_null(interpreted.splitter.stack);
        for (int i = 0; i < 5000; i++) {
            char text[RANDOM_LENGTH];
            size_t bytes = random_text(&random, i % RANDOM_KINDS, text), length = 1, other;
            tern__splitter_start(&compiled.splitter, (const uint8_t *)text, bytes);
            tern__splitter_start(&interpreted.splitter, (const uint8_t *)text, bytes);
            while (length > 0) {
                const uint8_t *piece, *other_piece;
                test_ok(tern__splitter_next(&compiled.splitter, &piece, &length));
                test_ok(tern__splitter_next(&interpreted.splitter, &other_piece, &other));
                if (piece != other_piece || length != other)
                    fail_msg("seed 21, pattern %zu, text %d", k, i);
            }
        }
        close_splitter(&compiled);
        close_splitter(&interpreted);
    }
}

/* -- long runs ---------------------------------------------------------------------------------*/

static const char *const runs[] = {
    " ",
    "\n",
    "\r",
    "a",
    "7",
    "!",
    "'",
    "\xcc\x81",
    "\xff",
    "\xe4\xbd",
    "\xe4\xbd\xa0",
    " \n",
    "\n ",
    " a",
    "a ",
    "a1",
    "'s",
    "' ",
    "\xff ",
    " \xcc\x81",
    "\r\n\t",
    "!\n",
    "\xf0\x9f\x99\x82",
};

enum { RUN_BYTES = 1 << 20, SHORT_RUN = RUN_BYTES / 16, SMALL_STACK = 128 * 1024 };

typedef struct run_job {
    const tern_tokenizer *tokenizer;
    const char *unit;
    int32_t *ids;            /* (RUN_BYTES) */
    char *text;              /* (RUN_BYTES) */
    uint64_t nanoseconds[2]; /* of processor time for SHORT_RUN and RUN_BYTES */
    const char *failure;     /* NULL: none */
} run_job;

/* Of this thread alone, so that other programs do not matter. */
static uint64_t cpu_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* In a thread with a small stack; assertions belong to the main thread. */
static void *run_body(void *argument) {
    run_job *job = argument;
    size_t unit = strlen(job->unit), at = 0, count = 0;
    for (size_t i = 0; i < RUN_BYTES; i++)
        job->text[i] = job->unit[i % unit];
    /* The run ends in a letter: white space before it is not all one piece. */
    for (int round = 0; round < 2; round++) {
        size_t bytes = round == 0 ? SHORT_RUN : RUN_BYTES;
        job->text[bytes - 1] = 'x';
        uint64_t start = cpu_nanoseconds();
        if (tern_tokenizer_encode(job->tokenizer, job->text, bytes, TERN_ENCODE_SPECIAL, job->ids,
                                  RUN_BYTES, &count) != TERN_OK)
            job->failure = tern_last_error();
        job->nanoseconds[round] = cpu_nanoseconds() - start;
    }
    for (size_t i = 0; i < count && job->failure == NULL; i++) {
        const char *piece;
        size_t length;
        if (tern_tokenizer_piece(job->tokenizer, job->ids[i], false, &piece, &length) != TERN_OK ||
            length == 0 || length > RUN_BYTES - at || memcmp(job->text + at, piece, length) != 0)
            job->failure = "decoding gives other bytes";
        at += length;
    }
    if (job->failure == NULL && at != RUN_BYTES)
        job->failure = "bytes are missing";
    return NULL;
}

static void check_runs(const char *relative) {
    char path[4096];
    tern_file *file;
    tern_tokenizer *tokenizer;
    test_ok(tern_file_open(test_path(relative, path, sizeof path), &file));
    test_ok(tern_tokenizer_from_file(file, &tokenizer));
    tern_file_close(file);
    run_job job = {.tokenizer = tokenizer};
    assert_non_null(job.ids = malloc(RUN_BYTES * sizeof *job.ids));
    assert_non_null(job.text = malloc(RUN_BYTES));
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        job.unit = runs[i];
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, &attributes, run_body, &job), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        double small = (double)job.nanoseconds[0] * 1e-6, large = (double)job.nanoseconds[1] * 1e-6;
        print_message("run %2zu: %7.2f ms for 64 KiB, %7.2f ms for 1 MiB\n", i, small, large);
        if (job.failure != NULL)
            fail_msg("run %zu of %s: %s", i, relative, job.failure);
        /* Linear is 16 times as long, quadratic 256 times. */
        if (large > 64 * small + 50)
            fail_msg("run %zu of %s takes %.1f ms, 1/16 of it %.1f ms", i, relative, large, small);
    }
    pthread_attr_destroy(&attributes);
    free(job.ids);
    free(job.text);
    tern_tokenizer_destroy(tokenizer);
}

static void test_runs_llama3(void **state) {
    (void)state;
    check_runs("models/tern-story-i2_s.gguf");
}

static void test_runs_gpt2(void **state) {
    (void)state;
    check_runs("tests/data/tokenizer/ggml-vocab-gpt-2.gguf");
}

/* More steps than PCRE2's default limit allows: the white space is walked back once for each of two
 * alternatives. */
static void test_limit_of_steps(void **state) {
    (void)state;
    enum { BYTES = 12 << 20 };
    char *text = malloc(BYTES);
    assert_non_null(text);
    memset(text, ' ', BYTES);
    text[BYTES - 1] = 'x';
    for (int interpreted = 0; interpreted < 2; interpreted++) {
        split_fixture fixture;
        const uint8_t *piece;
        size_t length;
        open_splitter(&fixture, TERN__PRETOKENIZER_LLAMA3, interpreted == 1);
        tern__splitter_start(&fixture.splitter, (const uint8_t *)text, BYTES);
        test_ok(tern__splitter_next(&fixture.splitter, &piece, &length));
        assert_int_equal(length, BYTES - 2);
        close_splitter(&fixture);
    }
    free(text);
}

/* The interpreter goes through the same runs, without merging. */
static void test_runs_interpreted(void **state) {
    (void)state;
    char *text = malloc(SHORT_RUN);
    assert_non_null(text);
    for (size_t k = 0; k < 2; k++) {
        split_fixture fixture;
        open_splitter(&fixture, kinds[k], true);
        for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
            size_t at = 0, length = 1;
            for (size_t j = 0; j < SHORT_RUN; j++)
                text[j] = runs[i][j % strlen(runs[i])];
            tern__splitter_start(&fixture.splitter, (const uint8_t *)text, SHORT_RUN);
            for (const uint8_t *piece; length > 0; at += length)
                test_ok(tern__splitter_next(&fixture.splitter, &piece, &length));
            assert_int_equal(at, SHORT_RUN);
        }
        close_splitter(&fixture);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_interpreter_agrees),
        cmocka_unit_test(test_runs_llama3),
        cmocka_unit_test(test_runs_gpt2),
        cmocka_unit_test(test_runs_interpreted),
        cmocka_unit_test(test_limit_of_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
