/* SPDX-License-Identifier: MIT
 * tern info: what a model file holds. It needs the file's structure only, so it also works for
 * files that Tern cannot run. */
#include <stdlib.h>
#include <string.h>

#include <tern/model.h>

#include "commands.h"

typedef struct info_values {
    bool is_json;
} info_values;

static const cli_option info_options[] = {
    CLI_OPTION_JSON(info_values, is_json),
    {0},
};

enum { VALUE_BYTES = 4096 };

/* Elements and bytes of all tensors of one type. */
typedef struct type_total {
    const char *type;
    int64_t tensors;
    double elements, bytes;
} type_total;

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

/* Totals by type, in order of appearance, and of all in *all. `types` has room for every tensor.
 * Returns the number of types. */
static int64_t add_up(const tern_file *file, type_total *types, type_total *all) {
    int64_t type_count = 0;
    for (int64_t i = 0; i < tern_file_tensor_count(file); i++) {
        tern_file_tensor tensor = tern_file_tensor_at(file, i);
        int64_t t = 0;
        while (t < type_count && strcmp(types[t].type, tensor.type) != 0)
            t++;
        if (t == type_count)
            types[type_count++] = (type_total){.type = tensor.type};
        count_tensor(&types[t], &tensor);
        count_tensor(all, &tensor);
    }
    return type_count;
}

static const char *shape_text(const tern_shape *shape, char *buffer, size_t size) {
    size_t used = (size_t)snprintf(buffer, size, "(");
    for (int i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)shape->dims[i]);
    snprintf(buffer + used, size - used, ")");
    return buffer;
}

static void print_total(const type_total *total) {
    printf("  %-12s %6lld tensors %15.0f weights %15.0f bytes %8.3f bits/weight\n", total->type,
           (long long)total->tensors, total->elements, total->bytes, bits_per_weight(total));
}

static void print_text(const tern_file *file, const char *path, const type_total *types,
                       int64_t type_count, const type_total *all) {
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
               shape_text(&tensor.shape, shape, sizeof shape), tensor.type,
               (unsigned long long)tensor.bytes, (unsigned long long)tensor.offset);
    }
    printf("\nTotals\n");
    for (int64_t t = 0; t < type_count; t++)
        print_total(&types[t]);
    print_total(all);
}

static void print_json_text(const char *text) {
    cli_print_json_string(stdout, text, strlen(text));
}

static void print_json_total(const type_total *total) {
    printf("\"tensors\": %lld, \"weights\": %.0f, \"bytes\": %.0f, \"bits_per_weight\": ",
           (long long)total->tensors, total->elements, total->bytes);
    cli_print_json_number(stdout, bits_per_weight(total));
}

static void print_json(const tern_file *file, const char *path, const type_total *types,
                       int64_t type_count, const type_total *all) {
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
        printf(", \"shape\": [");
        for (int d = 0; d < tensor.shape.rank; d++)
            printf("%s%lld", d > 0 ? ", " : "", (long long)tensor.shape.dims[d]);
        printf("], \"bytes\": %llu, \"offset\": %llu}", (unsigned long long)tensor.bytes,
               (unsigned long long)tensor.offset);
    }
    printf("\n],\n\"types\": {");
    for (int64_t t = 0; t < type_count; t++) {
        printf(t > 0 ? ",\n  " : "\n  ");
        print_json_text(types[t].type);
        printf(": {");
        print_json_total(&types[t]);
        printf("}");
    }
    printf("\n},\n\"total\": {");
    print_json_total(all);
    printf("}\n}\n");
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
    tern_file *file;
    if (tern_file_open(path, &file) != TERN_OK)
        return cli_fail_library(path);
    type_total *types = calloc((size_t)tern_file_tensor_count(file) + 1, sizeof *types);
    if (types != NULL) {
        type_total all = {.type = "all"};
        int64_t type_count = add_up(file, types, &all);
        (values.is_json ? print_json : print_text)(file, path, types, type_count, &all);
    }
    status = types != NULL ? CLI_OK : cli_fail("out of memory");
    free(types);
    tern_file_close(file);
    return status;
}

const cli_command cli_info = {
    .name = "info",
    .usage = "[MODEL]",
    .summary = "shows what a model file holds",
    .details = "Shows the metadata of a GGUF file, the table of its tensors and the bits per "
               "weight. Works for types and architectures that Tern cannot run, too.",
    .operands = CLI_MODEL_FILE,
    .options = info_options,
    .run = info_run,
};
