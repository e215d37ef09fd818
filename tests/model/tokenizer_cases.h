/* SPDX-License-Identifier: MIT
 *
 * What the tokenizer tests share: encoding into a buffer, the published vectors, random texts,
 * decode(encode(x)) = x, and vocabularies made by hand.
 */
#ifndef TERN_TEST_TOKENIZER_CASES_H
#define TERN_TEST_TOKENIZER_CASES_H

#include <tern/model.h>

#include "format/gguf.h"
#include "model/tokenizer.h"
#include "model/vocabulary.h"
#include "support.h"

typedef struct id_list {
    int32_t *ids;
    size_t count;
} id_list;

static inline id_list encode_flags(const tern_tokenizer *tokenizer, const char *text, size_t bytes,
                                   unsigned flags) {
    id_list list = {malloc((bytes + 2) * sizeof(int32_t)), 0};
    assert_non_null(list.ids);
    test_ok(tern_tokenizer_encode(tokenizer, text, bytes, flags, list.ids, bytes + 2, &list.count));
    return list;
}

static inline id_list encode(const tern_tokenizer *tokenizer, const char *text, size_t bytes) {
    return encode_flags(tokenizer, text, bytes, 0);
}

static inline void check_ids(id_list got, const int32_t *expected, size_t count, const char *what) {
    for (size_t i = 0; i < got.count && i < count; i++)
        if (got.ids[i] != expected[i])
            fail_msg("%s: id %zu is %d, expected %d", what, i, got.ids[i], expected[i]);
    if (got.count != count)
        fail_msg("%s: %zu ids, expected %zu", what, got.count, count);
}

/* Encodes `text` and compares with ids written as text up to the end of the line. Returns the
 * start of the next line. */
static inline const char *check_line(const tern_tokenizer *tokenizer, const char *text,
                                     size_t bytes, const char *line, const char *what) {
    int32_t *expected = malloc((bytes + 1) * sizeof *expected);
    assert_non_null(expected);
    size_t count = 0;
    for (;;) {
        line += strspn(line, " ");
        char *end;
        long id = *line == '\n' ? 0 : strtol(line, &end, 10);
        if (*line == '\n' || end == line)
            break;
        assert_true(count <= bytes);
        expected[count++] = (int32_t)id;
        line = end;
    }
    id_list got = encode(tokenizer, text, bytes);
    check_ids(got, expected, count, what);
    free(got.ids);
    free(expected);
    return *line == '\n' ? line + 1 : line;
}

/* The 46 published strings: NAME.inp and NAME.out under tests/data/tokenizer. */
static inline void check_vectors(const tern_tokenizer *tokenizer, const char *name) {
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char path[4096], relative[256], what[64];
    snprintf(relative, sizeof relative, "tests/data/tokenizer/%s.inp", name);
    char *texts = test_read_file(test_path(relative, path, sizeof path), NULL);
    snprintf(relative, sizeof relative, "tests/data/tokenizer/%s.out", name);
    char *ids = test_read_file(test_path(relative, path, sizeof path), NULL);
    const char *line = ids;
    int count = 0;
    for (char *text = texts, *end; (end = strstr(text, separator)) != NULL; count++) {
        snprintf(what, sizeof what, "vector %d of %s", count, name);
        line = check_line(tokenizer, text, (size_t)(end - text), line, what);
        text = end + strlen(separator);
    }
    assert_int_equal(count, 46);
    assert_int_equal(*line, '\0');
    free(texts);
    free(ids);
}

/* -- random texts ------------------------------------------------------------------------------*/

static inline size_t put_utf8(uint32_t c, char *out) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

enum { RANDOM_KINDS = 5, RANDOM_LENGTH = 300 };

/* 0..RANDOM_LENGTH bytes of one of several kinds into `text`. */
static inline size_t random_text(test_random *random, int kind, char *text) {
    static const char *const spaces[] = {
        " ",  " ",  "\n", "\r\n", "\t", "\v", "\xc2\xa0", "\xe3\x80\x80",
        "\r", "  ", "a",  "B",    "'s", "1",  ".",        "\xff"};
    static const char *const words[] = {"the", " the", "'re", "'LL",       " don't", "12345",
                                        "ing", "tion", "é",   "你好",      "🙂",   "́",
                                        " ",   "\n",   "!!",  "<|eot_id|>"};
    size_t wanted = (size_t)test_random_range(random, 0, RANDOM_LENGTH), bytes = 0;
    while (bytes < wanted) {
        char part[16];
        size_t length = 1;
        uint32_t word = test_random_u32(random);
        switch (kind) {
        case 0: /* any bytes */
            part[0] = (char)word;
            break;
        case 1: /* any characters, short ones and long ones */
            word = word >> 8 & (0x1fffffu >> (word % 15));
            length =
                put_utf8(word > 0x10ffff || (word >= 0xd800 && word < 0xe000) ? 'x' : word, part);
            break;
        case 2: /* lower-case letters: long pieces with many merges */
            part[0] = (char)('a' + word % 26);
            break;
        default:
            strcpy(part, kind == 3 ? spaces[word % 16] : words[word % 16]);
            length = strlen(part);
        }
        if (bytes + length > wanted)
            break;
        memcpy(text + bytes, part, length);
        bytes += length;
    }
    return bytes;
}

static inline void check_round_trip(const tern_tokenizer *tokenizer, const char *text, size_t bytes,
                                    const char *what) {
    id_list list = encode(tokenizer, text, bytes);
    size_t at = 0;
    for (size_t i = 0; i < list.count; i++) {
        const char *piece;
        size_t length;
        test_ok(tern_tokenizer_piece(tokenizer, list.ids[i], false, &piece, &length));
        if (length == 0 || length > bytes - at || memcmp(text + at, piece, length) != 0)
            fail_msg("%s: token %zu is not the text at byte %zu", what, i, at);
        at += length;
    }
    assert_int_equal(at, bytes);
    free(list.ids);
}

static inline void check_round_trips(const tern_tokenizer *tokenizer, uint64_t seed, int count) {
    test_random random = {seed, 0};
    for (int i = 0; i < count; i++) {
        char text[RANDOM_LENGTH], what[64];
        snprintf(what, sizeof what, "seed %llu, text %d", (unsigned long long)seed, i);
        size_t bytes = random_text(&random, i % RANDOM_KINDS, text);
        check_round_trip(tokenizer, text, bytes, what);
    }
}

/* -- vocabularies made by hand -----------------------------------------------------------------*/

/* The character that stands for a byte in a vocabulary: the printable ones of Latin-1 for
 * themselves, the others from U+0100 on in ascending order. Writes 1 or 2 bytes of UTF-8. */
static inline size_t put_byte_character(uint8_t byte, char *out) {
    uint32_t others = 0, c = byte;
    for (uint32_t b = 0; b <= byte; b++) {
        bool is_printable =
            (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
        if (!is_printable && b == byte)
            c = 0x100 + others;
        others += !is_printable;
    }
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

/* Bytes as they are written in a vocabulary; free it. */
static inline tern__gguf_string text_of_bytes(const void *bytes, size_t count) {
    char *text = malloc(2 * count + 1);
    assert_non_null(text);
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += put_byte_character(((const uint8_t *)bytes)[i], text + length);
    return (tern__gguf_string){text, length};
}

#endif
