/* SPDX-License-Identifier: MIT
 * tern info for .npy, .npz and safetensors files: the table of their tensors, and one as text. */
#include <stdlib.h>
#include <string.h>

#include <tern/interchange.h>

#include "commands.h"

/* NaN and infinity have no JSON: a tensor is text there. */
static int print_values(tern_archive *archive, const char *name, bool is_json) {
    tern_context *context = NULL;
    tern_tensor *tensor = NULL;
    char *text = NULL;
    size_t bytes = 0;
    int status = CLI_FAILED;
    if (tern_context_create(&(tern_options){.device = "cpu", .threads = 1}, &context) == TERN_OK &&
        tern_archive_tensor(context, archive, name, &tensor) == TERN_OK)
        status = CLI_OK;
    if (status == CLI_OK)
        (void)tern_tensor_format(tensor, NULL, NULL, 0, &bytes);
    if (status == CLI_OK)
        text = malloc(bytes);
    if (status != CLI_OK) {
        cli_fail_library(NULL);
    } else if (text == NULL) {
        status = cli_fail("out of memory");
    } else if (tern_tensor_format(tensor, NULL, text, bytes, NULL) != TERN_OK) {
        status = cli_fail_library(NULL);
    } else if (is_json) {
        cli_print_json_string(stdout, text, strlen(text));
        putchar('\n');
    } else {
        puts(text);
    }
    free(text);
    tern_tensor_release(tensor);
    tern_context_destroy(context);
    return status;
}

/* As it is, unless it could steer a terminal. */
static void print_text(const char *text, int width) {
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            cli_print_quoted(stdout, text, strlen(text));
            return;
        }
    printf("%-*s", width, text);
}

/* Tern's name for the type, else the file's. */
static const char *type_of(const tern_archive_entry *entry) {
    return entry->is_known ? tern_dtype_name(entry->dtype) : entry->type;
}

static void print_table(const tern_archive *archive, const char *path) {
    char shape[TERN_MAX_RANK * 24];
    printf("%s: %s, %llu bytes\n", path, tern_archive_format(archive),
           (unsigned long long)tern_archive_bytes(archive));
    const char *value = NULL;
    if (tern_archive_metadata_count(archive) > 0)
        printf("\nMetadata\n");
    for (int64_t i = 0; i < tern_archive_metadata_count(archive); i++) {
        printf("  ");
        print_text(tern_archive_metadata_at(archive, i, &value), 44);
        printf(" ");
        print_text(value, 0);
        printf("\n");
    }
    printf("\nTensors\n  %-44s %-10s %-20s %12s\n", "name", "type", "shape", "bytes");
    unsigned long long total = 0;
    for (int64_t i = 0; i < tern_archive_tensor_count(archive); i++) {
        tern_archive_entry entry = tern_archive_entry_at(archive, i);
        printf("  ");
        print_text(entry.name, 44);
        printf(" ");
        print_text(type_of(&entry), 10);
        printf(" %-20s %12llu\n", cli_shape_text(&entry.shape, shape, sizeof shape),
               (unsigned long long)entry.bytes);
        total += entry.bytes;
    }
    printf("\n%lld tensors, %llu bytes\n", (long long)tern_archive_tensor_count(archive), total);
}

static void print_json_text(const char *text) {
    cli_print_json_string(stdout, text, strlen(text));
}

static void print_json(const tern_archive *archive, const char *path) {
    printf("{\n\"file\": ");
    print_json_text(path);
    printf(",\n\"format\": ");
    print_json_text(tern_archive_format(archive));
    printf(",\n\"bytes\": %llu,\n\"metadata\": {", (unsigned long long)tern_archive_bytes(archive));
    for (int64_t i = 0; i < tern_archive_metadata_count(archive); i++) {
        const char *value;
        printf(i > 0 ? ",\n  " : "\n  ");
        print_json_text(tern_archive_metadata_at(archive, i, &value));
        printf(": ");
        print_json_text(value);
    }
    printf("\n},\n\"tensors\": [");
    for (int64_t i = 0; i < tern_archive_tensor_count(archive); i++) {
        tern_archive_entry entry = tern_archive_entry_at(archive, i);
        printf(i > 0 ? ",\n  {\"name\": " : "\n  {\"name\": ");
        print_json_text(entry.name);
        printf(", \"type\": ");
        print_json_text(type_of(&entry));
        printf(", \"shape\": ");
        cli_print_json_shape(&entry.shape);
        printf(", \"bytes\": %llu}", (unsigned long long)entry.bytes);
    }
    printf("\n]\n}\n");
}

int cli_info_archive(tern_archive *archive, const char *path, const char *values, bool is_json) {
    if (values != NULL)
        return print_values(archive, values, is_json);
    (is_json ? print_json : print_table)(archive, path);
    return CLI_OK;
}
