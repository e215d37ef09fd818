/* SPDX-License-Identifier: MIT
 * tern tokenize: text to token ids, and back. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tern/model.h>

#include "commands.h"

typedef struct tokenize_values {
    const char *text, *file;
    bool is_ids, is_decode, has_special, has_bos, is_json;
} tokenize_values;

#define FIELD(field) offsetof(tokenize_values, field)
static const cli_option tokenize_options[] = {
    {"prompt", 'p', CLI_TEXT, "TEXT", NULL, NULL, "the text; - or nothing reads standard input",
     FIELD(text)},
    CLI_OPTION_FILE(tokenize_values, file),
    {"ids", 0, CLI_FLAG, NULL, NULL, NULL, "print the ids only, on one line", FIELD(is_ids)},
    {"decode", 0, CLI_FLAG, NULL, NULL, NULL,
     "the arguments that are numbers are ids: print their text", FIELD(is_decode)},
    {"special", 0, CLI_FLAG, NULL, NULL, NULL,
     "words such as <|eot_id|> are tokens; with --decode: show such tokens", FIELD(has_special)},
    {"bos", 0, CLI_FLAG, NULL, NULL, NULL, "put the token that begins a text first",
     FIELD(has_bos)},
    CLI_OPTION_JSON(tokenize_values, is_json),
    {0},
};

static bool is_number(const char *word) {
    return word[0] != '\0' && strspn(word, "0123456789") == strlen(word);
}

/* Text of a token; control tokens have a name to show, if nothing else. */
static void token_piece(const tern_tokenizer *tokenizer, int32_t id, const char **piece,
                        size_t *bytes) {
    if (tern_tokenizer_piece(tokenizer, id, true, piece, bytes) != TERN_OK || *piece == NULL) {
        *piece = "";
        *bytes = 0;
    }
}

static void print_ids(const int32_t *ids, size_t count, bool is_json) {
    if (is_json)
        fputc('[', stdout);
    for (size_t i = 0; i < count; i++)
        printf("%s%d", i == 0 ? "" : is_json ? ", " : " ", ids[i]);
    puts(is_json ? "]" : "");
}

static void print_pieces(const tern_tokenizer *tokenizer, const int32_t *ids, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *piece;
        size_t bytes;
        token_piece(tokenizer, ids[i], &piece, &bytes);
        printf("%d\t", ids[i]);
        cli_print_quoted(stdout, piece, bytes);
        fputc('\n', stdout);
    }
}

/* A piece may be a part of a UTF-8 sequence, which JSON text cannot hold: the bytes stand beside
 * it in hexadecimal. */
static void print_json_pieces(const tern_tokenizer *tokenizer, const int32_t *ids, size_t count) {
    fputc('[', stdout);
    for (size_t i = 0; i < count; i++) {
        const char *piece;
        size_t bytes;
        token_piece(tokenizer, ids[i], &piece, &bytes);
        printf("%s\n  {\"id\": %d, \"piece\": ", i > 0 ? "," : "", ids[i]);
        cli_print_json_string(stdout, piece, bytes);
        printf(", \"bytes\": \"");
        for (size_t b = 0; b < bytes; b++)
            printf("%02x", (unsigned char)piece[b]);
        printf("\"}");
    }
    puts("\n]");
}

static int encode(const tern_tokenizer *tokenizer, const tokenize_values *values) {
    size_t bytes = values->text != NULL ? strlen(values->text) : 0;
    char *read = NULL;
    if (values->text == NULL || strcmp(values->text, "-") == 0) {
        read = cli_read_input(values->file != NULL ? values->file : "-", &bytes);
        if (read == NULL)
            return CLI_FAILED;
    }
    int status = CLI_OK;
    unsigned flags =
        (values->has_bos ? TERN_ENCODE_BOS : 0) | (values->has_special ? TERN_ENCODE_SPECIAL : 0);
    size_t count = 0;
    int32_t *ids = malloc((bytes + 1) * sizeof *ids); /* a token has at least one byte, BOS none */
    if (ids == NULL)
        status = cli_fail("out of memory");
    else if (tern_tokenizer_encode(tokenizer, read != NULL ? read : values->text, bytes, flags, ids,
                                   bytes + 1, &count) != TERN_OK)
        status = cli_fail_library(NULL);
    else if (values->is_ids)
        print_ids(ids, count, values->is_json);
    else
        (values->is_json ? print_json_pieces : print_pieces)(tokenizer, ids, count);
    free(ids);
    free(read);
    return status;
}

/* Writes the exact bytes; on a terminal as text, with a newline behind. */
static int decode(const tern_tokenizer *tokenizer, const tokenize_values *values,
                  char *const *words, int count) {
    cli_stream stream = {.out = stdout, .is_terminal = isatty(fileno(stdout)) != 0};
    for (int i = 0; i < count; i++) {
        char limits[32];
        int64_t id;
        const char *piece;
        size_t bytes;
        snprintf(limits, sizeof limits, "0..%d", tern_tokenizer_size(tokenizer) - 1);
        if (!cli_read_integer(words[i], limits, &id))
            return cli_fail("token %s is outside %s", words[i], limits);
        if (tern_tokenizer_piece(tokenizer, (int32_t)id, values->has_special, &piece, &bytes) !=
            TERN_OK)
            return cli_fail_library(NULL);
        cli_stream_write(&stream, piece, bytes);
    }
    cli_stream_end(&stream);
    if (stream.is_terminal)
        fputc('\n', stdout);
    return CLI_OK;
}

/* Moves the operands that are ids to the front; returns their number. */
static int sort_operands(char **operands, int count) {
    int ids = 0;
    for (int i = 0; i < count; i++) {
        if (!is_number(operands[i]))
            continue;
        char *id = operands[i];
        memmove(operands + ids + 1, operands + ids, (size_t)(i - ids) * sizeof *operands);
        operands[ids++] = id;
    }
    return ids;
}

static int tokenize_run(int argc, char **argv) {
    tokenize_values values = {0};
    char **rest;
    int count;
    int status = cli_parse(&cli_tokenize, argc, argv, &values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    int ids = values.is_decode ? sort_operands(rest, count) : 0;
    if (count - ids > 1)
        return cli_usage_error(&cli_tokenize, "unexpected argument '%s'; text goes behind -p",
                               rest[ids + 1]);
    if (values.is_decode && ids == 0)
        return cli_usage_error(&cli_tokenize, "--decode: no ids are given");
    if ((values.text != NULL) + (values.file != NULL) + values.is_decode > 1)
        return cli_usage_error(&cli_tokenize, "--prompt, --file and --decode exclude each other");

    const char *path = cli_model_path(count > ids ? rest[ids] : NULL);
    if (path == NULL)
        return CLI_FAILED;
    tern_file *file = NULL;
    tern_tokenizer *tokenizer = NULL;
    if (tern_file_open(path, &file) != TERN_OK ||
        tern_tokenizer_from_file(file, &tokenizer) != TERN_OK)
        status = cli_fail_library(path);
    else
        status =
            values.is_decode ? decode(tokenizer, &values, rest, ids) : encode(tokenizer, &values);
    tern_tokenizer_destroy(tokenizer);
    tern_file_close(file);
    return status;
}

const cli_command cli_tokenize = {
    .name = "tokenize",
    .usage = "[MODEL] [ID]...",
    .summary = "shows the tokens of a text, or the text of tokens",
    .details = "Shows the tokens of a text, one per line: its id, a tab, its text in quotes. With "
               "--decode it writes the text of the ids that are given; a model file whose name is "
               "a number is then written as ./1234.",
    .operands = CLI_MODEL_FILE,
    .options = tokenize_options,
    .run = tokenize_run,
};
