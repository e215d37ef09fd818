/* SPDX-License-Identifier: MIT
 * tern info: what a model file or a file of tensors holds. It needs the file's structure only, so
 * it also works for files that Tern cannot run. */
#include <string.h>

#include <tern/model.h>

#include "commands.h"

typedef struct info_values {
    bool is_json;
    const char *values;
} info_values;

static const cli_option info_options[] = {
    CLI_OPTION_JSON(info_values, is_json),
    {"values", 0, CLI_TEXT, "NAME", NULL, NULL,
     "print the tensor NAME of a .npy (arr_0), .npz or safetensors file",
     offsetof(info_values, values)},
    {0},
};

enum { VALUE_BYTES = 4096, TYPE_ROWS = 64 };

/* Elements and bytes of all tensors of one type. */
typedef struct type_total {
    const char *type;
    int64_t tensors;
    double elements, bytes;
} type_total;

/* By type in order of appearance, and of all. The last row holds the types that come when all
 * others are taken: real files have few types, a damaged one may name a different one for every
 * tensor. */
typedef struct type_totals {
    int count;
    type_total row[TYPE_ROWS];
    type_total all;
} type_totals;

static double element_count(const tern_file_tensor *tensor) {
    double count = 1;
    for (int i = 0; i < tensor->shape.rank; i++)
        count *= (double)tensor->shape.dims[i];
    return count;
}

static double bits_per_weight(const type_total *total) {
    return total->elements > 0 ? 8 * total->bytes / total->elements : 0;
}

static void count_tensor(type_total *total, const tern_file_tensor *tensor) {
    total->tensors++;
    total->elements += element_count(tensor);
    total->bytes += (double)tensor->bytes;
}

static type_totals add_up(const tern_file *file) {
    type_totals totals = {.all = {.type = "all"}};
    for (int64_t i = 0; i < tern_file_tensor_count(file); i++) {
        tern_file_tensor tensor = tern_file_tensor_at(file, i);
        int t = 0;
        while (t < totals.count && t < TYPE_ROWS - 1 &&
               strcmp(totals.row[t].type, tensor.type) != 0)
            t++;
        if (t == totals.count)
            totals.row[totals.count++].type = t < TYPE_ROWS - 1 ? tensor.type : "other";
        count_tensor(&totals.row[t], &tensor);
        count_tensor(&totals.all, &tensor);
    }
    return totals;
}

const char *cli_shape_text(const tern_shape *shape, char *buffer, size_t size) {
    size_t used = (size_t)snprintf(buffer, size, "(");
    for (int i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)shape->dims[i]);
    snprintf(buffer + used, size - used, ")");
    return buffer;
}

void cli_print_json_shape(const tern_shape *shape) {
    printf("[");
    for (int i = 0; i < shape->rank; i++)
        printf("%s%lld", i > 0 ? ", " : "", (long long)shape->dims[i]);
    printf("]");
}

static void print_total(const type_total *total) {
    printf("  %-12s %6lld tensors %15.0f weights %15.0f bytes %8.3f bits/weight\n", total->type,
           (long long)total->tensors, total->elements, total->bytes, bits_per_weight(total));
}

static void print_text(const tern_file *file, const char *path, const type_totals *totals) {
    char value[VALUE_BYTES], shape[TERN_MAX_RANK * 24];
    printf("%s: GGUF version %u, %llu bytes\n\nMetadata\n", path, tern_file_version(file),
           (unsigned long long)tern_file_bytes(file));
    for (int64_t i = 0; i < tern_file_key_count(file); i++) {
        const char *name = tern_file_key(file, i, value, sizeof value);
        printf("  %-44s %.160s\n", name, value);
    }
    printf("\nTensors\n  %-32s %-20s %-8s %12s %12s\n", "name", "shape", "type", "bytes", "offset");
    for (int64_t i = 0; i < tern_file_tensor_count(file); i++) {
        tern_file_tensor tensor = tern_file_tensor_at(file, i);
        printf("  %-32s %-20s %-8s %12llu %12llu\n", tensor.name,
               cli_shape_text(&tensor.shape, shape, sizeof shape), tensor.type,
               (unsigned long long)tensor.bytes, (unsigned long long)tensor.offset);
    }
    printf("\nTotals\n");
    for (int t = 0; t < totals->count; t++)
        print_total(&totals->row[t]);
    print_total(&totals->all);
}

static void print_json_text(const char *text) {
    cli_print_json_string(stdout, text, strlen(text));
}

static void print_json_total(const type_total *total) {
    printf("\"tensors\": %lld, \"weights\": %.0f, \"bytes\": %.0f, \"bits_per_weight\": ",
           (long long)total->tensors, total->elements, total->bytes);
    cli_print_json_number(stdout, bits_per_weight(total));
}

static void print_json(const tern_file *file, const char *path, const type_totals *totals) {
    char value[VALUE_BYTES];
    printf("{\n\"file\": ");
    print_json_text(path);
    printf(",\n\"version\": %u,\n\"bytes\": %llu,\n\"metadata\": {", tern_file_version(file),
           (unsigned long long)tern_file_bytes(file));
    for (int64_t i = 0; i < tern_file_key_count(file); i++) {
        printf(i > 0 ? ",\n  " : "\n  ");
        print_json_text(tern_file_key(file, i, value, sizeof value));
        printf(": ");
        print_json_text(value);
    }
    printf("\n},\n\"tensors\": [");
    for (int64_t i = 0; i < tern_file_tensor_count(file); i++) {
        tern_file_tensor tensor = tern_file_tensor_at(file, i);
        printf(i > 0 ? ",\n  {\"name\": " : "\n  {\"name\": ");
        print_json_text(tensor.name);
        printf(", \"type\": ");
        print_json_text(tensor.type);
        printf(", \"shape\": ");
        cli_print_json_shape(&tensor.shape);
        printf(", \"bytes\": %llu, \"offset\": %llu}", (unsigned long long)tensor.bytes,
               (unsigned long long)tensor.offset);
    }
    printf("\n],\n\"types\": {");
    for (int t = 0; t < totals->count; t++) {
        printf(t > 0 ? ",\n  " : "\n  ");
        print_json_text(totals->row[t].type);
        printf(": {");
        print_json_total(&totals->row[t]);
        printf("}");
    }
    printf("\n},\n\"total\": {");
    print_json_total(&totals->all);
    printf("}\n}\n");
}

static int show_model(const tern_file *file, const char *path, const info_values *values) {
    if (values->values != NULL)
        return cli_usage_error(
            &cli_info, "--values: for .npy, .npz and safetensors files, '%s' is GGUF", path);
    type_totals totals = add_up(file);
    (values->is_json ? print_json : print_text)(file, path, &totals);
    return CLI_OK;
}

/* By its first bytes, as tern_archive_open tells it: what that finds wrong is worth telling. */
static bool begins_as_archive(const char *path) {
    char start[9] = "";
    FILE *file = fopen(path, "rb");
    size_t got = file != NULL ? fread(start, 1, sizeof start, file) : 0;
    if (file != NULL)
        fclose(file);
    return memcmp(start, "PK", 2) == 0 || memcmp(start, "\x93NUMPY", 6) == 0 ||
           (got == sizeof start && start[8] == '{' && memcmp(start, "GGUF", 4) != 0);
}

static int info_run(int argc, char **argv) {
    info_values values = {0};
    char **rest;
    int count;
    int status = cli_parse(&cli_info, argc, argv, &values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count > 1)
        return cli_usage_error(&cli_info, "unexpected argument '%s'", rest[1]);
    const char *path = cli_model_path(count == 1 ? rest[0] : NULL);
    if (path == NULL)
        return CLI_FAILED;
    tern_archive *archive = NULL;
    tern_file *file = NULL;
    tern_status opened = tern_archive_open(path, &archive);
    if (opened == TERN_OK)
        status = cli_info_archive(archive, path, values.values, values.is_json);
    else if (opened == TERN_E_UNSUPPORTED && !begins_as_archive(path) &&
             tern_file_open(path, &file) == TERN_OK)
        status = show_model(file, path, &values);
    else
        status = cli_fail_library(path);
    tern_file_close(file);
    tern_archive_close(archive);
    return status;
}

const cli_command cli_info = {
    .name = "info",
    .usage = "[FILE]",
    .summary = "shows what a model file or a file of tensors holds",
    .details = "Shows the metadata of a GGUF file, the table of its tensors and the bits per "
               "weight. Works for types and architectures that Tern cannot run, too. Values of "
               "the metadata are texts, in JSON as well; long arrays are shortened. Of NumPy's "
               ".npy and .npz files and of safetensors it shows the table of tensors, or with "
               "--values one of them as NumPy prints it.",
    .operands = CLI_MODEL_FILE,
    .options = info_options,
    .run = info_run,
};
