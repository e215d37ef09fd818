/* SPDX-License-Identifier: MIT
 * The commands, each in <name>_command.c. */
#ifndef TERN_CLI_COMMANDS_H
#define TERN_CLI_COMMANDS_H

#include <string.h>

#include <tern/interchange.h>
#include <tern/model.h>

#include "cli.h"

extern const cli_command cli_run;
extern const cli_command cli_info;
extern const cli_command cli_tokenize;
extern const cli_command cli_bench;
extern const cli_command cli_validate;
extern const cli_command cli_devices;
/* about_commands.c */
extern const cli_command cli_version;
extern const cli_command cli_completion;
extern const cli_command cli_help;

/* Options that several commands have: the field of `values` is the only thing that differs. */
#define CLI_OPTION_CPU(values, field)                                                              \
    {                                                                                              \
        "cpu", 0, CLI_TEXT, "LEVEL", NULL, NULL,                                                   \
            "kernel level, such as scalar, avx2 or avx512; the best of this machine by default",   \
            offsetof(values, field)                                                                \
    }
#define CLI_OPTION_DEVICE(values, field, initial)                                                  \
    {                                                                                              \
        "device", 0, CLI_TEXT, "NAME", NULL, NULL,                                                 \
            "what computes: cpu, cuda, mlx, the name of another plug-in, or auto, the fastest "    \
            "that gives the processor's bits; " initial " by default (see tern devices)",          \
            offsetof(values, field)                                                                \
    }
#define CLI_OPTION_CACHE(values, field)                                                            \
    {                                                                                              \
        "cache", 0, CLI_CHOICE, "TYPE", "f32", "f32|f16|i8",                                       \
            "type of cached keys and values; f16 takes half the memory, i8 a quarter; both round", \
            offsetof(values, field)                                                                \
    }
#define CLI_OPTION_STORAGE(values, field)                                                          \
    {                                                                                              \
        "storage", 0, CLI_CHOICE, "BITS", "auto", "auto|2|1.6",                                    \
            "bits of a ternary weight in memory; auto: what is faster here, by a measurement "     \
            "made once; the results are the same",                                                 \
            offsetof(values, field)                                                                \
    }
#define CLI_OPTION_HEAD(values, field, initial, detail)                                            \
    {                                                                                              \
        "head", 0, CLI_CHOICE, "HEAD", initial, "auto|full|screened|int8|int4",                    \
            "how logits are made: screened finds the largest ones from an 8-bit copy of the "      \
            "table, exactly; int8 and int4 round the table" detail,                                \
            offsetof(values, field)                                                                \
    }
#define CLI_OPTION_JSON(values, field)                                                             \
    { "json", 0, CLI_FLAG, NULL, NULL, NULL, "print JSON", offsetof(values, field) }
#define CLI_OPTION_FILE(values, field)                                                             \
    {                                                                                              \
        "file", 'f', CLI_FILE, "FILE", NULL, NULL, "take the text from FILE; - is standard input", \
            offsetof(values, field)                                                                \
    }

/* The other half of tern info (info_archive.c), for what is no GGUF file: prints a table, or the
 * tensor `values` if it is not NULL. Returns the exit status. */
int cli_info_archive(tern_archive *archive, const char *path, const char *values, bool is_json);
/* What both halves print: "(2, 3)" in `buffer`, and "[2, 3]". */
const char *cli_shape_text(const tern_shape *shape, char *buffer, size_t size);
void cli_print_json_shape(const tern_shape *shape);

/* What --head, --storage and --cache say. */
static inline tern_head cli_head(const char *word) {
    tern_head head = TERN_HEAD_AUTO;
    while (head < TERN_HEAD_INT4 && strcmp(tern_head_name(head), word) != 0)
        head++;
    return head;
}

static inline tern_storage cli_storage(const char *word) {
    return word[0] == '2'   ? TERN_STORAGE_2_BIT
           : word[0] == '1' ? TERN_STORAGE_1_6_BIT
                            : TERN_STORAGE_AUTO;
}

/* Of a trit, as --storage calls them. */
static inline const char *cli_storage_bits(const tern_model_info *info) {
    return info->storage == TERN_STORAGE_1_6_BIT ? "1.6" : "2";
}

static inline tern_dtype cli_cache_type(const char *word) {
    return strcmp(word, "f16") == 0 ? TERN_F16 : strcmp(word, "i8") == 0 ? TERN_I8 : TERN_F32;
}

#endif
