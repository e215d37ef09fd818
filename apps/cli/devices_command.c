/* SPDX-License-Identifier: MIT
 * tern devices: what there is to compute with. */
#include <string.h>

#include "commands.h"
#include "device.h"

enum { DEVICES = 32, INDENT = 10, LEAST_WIDTH = 40 };

typedef struct devices_values {
    bool is_json, is_measuring, lists_ops;
    int64_t order;
} devices_values;

#define FIELD(field) offsetof(devices_values, field)
static const cli_option devices_options[] = {
    {"measure", 0, CLI_FLAG, NULL, NULL, NULL,
     "measure products of F32 matrices on each device that can be used", FIELD(is_measuring)},
    {"order", 0, CLI_INTEGER, "N", "1024", "16..16384", "of the matrices of --measure",
     FIELD(order)},
    {"ops", 0, CLI_FLAG, NULL, NULL, NULL,
     "list the operations of the named device, by who does them", FIELD(lists_ops)},
    CLI_OPTION_JSON(devices_values, is_json),
    {0},
};

typedef struct devices_state {
    devices_values values;
    int count;
    tern_device_info info[DEVICES];
    double flops[DEVICES];    /* 0: not measured */
    const char *why[DEVICES]; /* what is to be said of the figure, or of there being none; NULL */
    char failure[DEVICES][128];
    tern_device_choice choice;
} devices_state;

/* -- the table ---------------------------------------------------------------------------------*/

/* Words from column `column` on, in as many lines as they need; the cursor is there already. */
static void print_wrapped(const char *text, int column) {
    int width = cli_table_width() > LEAST_WIDTH ? cli_table_width() : LEAST_WIDTH;
    for (;;) {
        size_t length = cli_line_length(text, (size_t)(width - column));
        printf("%.*s\n", (int)length, text);
        text += length + strspn(text + length, " ");
        if (*text == '\0')
            return;
        printf("%*s", column, "");
    }
}

/* "79.6 of 141 GiB" */
static const char *memory_text(const tern_device_info *d, char *buffer, size_t size) {
    const double gib = 1024.0 * 1024 * 1024;
    if (d->memory_bytes == 0)
        return d->has_memory ? "not told" : "the machine's";
    snprintf(buffer, size, "%.3g of %.3g GiB", (double)d->free_bytes / gib,
             (double)d->memory_bytes / gib);
    return buffer;
}

/* "38.2 TFLOP/s" */
static const char *speed_text(double flops, char *buffer, size_t size) {
    bool is_tera = flops >= 1e12;
    if (flops == 0)
        return "not measured";
    snprintf(buffer, size, "%.3g %cFLOP/s", flops / (is_tera ? 1e12 : 1e9), is_tera ? 'T' : 'G');
    return buffer;
}

static void print_device(const devices_state *s, int index) {
    const tern_device_info *d = &s->info[index];
    char memory[48], speed[48], text[512];
    if (!d->is_there) {
        printf("%-*s ", INDENT - 1, d->name);
        snprintf(text, sizeof text, "absent (%s)", d->reason);
        print_wrapped(text, INDENT);
        return;
    }
    printf("%-*s %6d %8d %6d  %-4s  %-18s %s\n", INDENT - 1, d->name, d->native_ops,
           d->fallback_ops, d->absent_ops, d->keeps_bits ? "yes" : "no",
           memory_text(d, memory, sizeof memory), speed_text(s->flops[index], speed, sizeof speed));
    snprintf(text, sizeof text, "%s%s%s%s%s%s", d->model,
             d->model[0] != '\0' && d->library[0] != '\0' ? ", " : "", d->library,
             d->is_accelerator || strcmp(d->name, "cpu") == 0 ? "" : ", no accelerator",
             s->why[index] != NULL ? "; " : "", s->why[index] != NULL ? s->why[index] : "");
    printf("%*s", INDENT, "");
    print_wrapped(text, INDENT);
}

static void print_table(const devices_state *s) {
    char text[256];
    printf("%-*s %6s %8s %6s  %-4s  %-18s %s\n", INDENT - 1, "device", "native", "fallback",
           "absent", "bits", "memory free", "F32 matmul");
    for (int i = 0; i < s->count; i++)
        print_device(s, i);
    if (s->choice.name[0] == '\0')
        return;
    snprintf(text, sizeof text, "auto takes %s: %s", s->choice.name, s->choice.reason);
    putchar('\n');
    print_wrapped(text, 0);
}

/* -- JSON --------------------------------------------------------------------------------------*/

static void print_text(const char *name, const char *text) {
    printf("\"%s\": ", name);
    cli_print_json_string(stdout, text, strlen(text));
}

static void print_fact(const char *name, bool fact) {
    printf("\"%s\": %s, ", name, fact ? "true" : "false");
}

static void print_device_json(const devices_state *s, int index) {
    const tern_device_info *d = &s->info[index];
    const char *const texts[][2] = {{"name", d->name},
                                    {"model", d->model},
                                    {"library", d->library},
                                    {"path", d->path},
                                    {"reason", d->reason}};
    putchar('{');
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        print_text(texts[i][0], texts[i][1]);
        fputs(", ", stdout);
    }
    print_fact("is_there", d->is_there);
    print_fact("is_accelerator", d->is_accelerator);
    print_fact("keeps_bits", d->keeps_bits);
    print_fact("has_memory", d->has_memory);
    printf("\"memory_bytes\": %llu, \"free_bytes\": %llu, \"native_ops\": %d, \"fallback_ops\": "
           "%d, \"absent_ops\": %d, \"matmul_flops\": ",
           (unsigned long long)d->memory_bytes, (unsigned long long)d->free_bytes, d->native_ops,
           d->fallback_ops, d->absent_ops);
    if (s->flops[index] > 0)
        cli_print_json_number(stdout, s->flops[index]);
    else
        fputs("null", stdout);
    putchar('}');
}

static void print_json(const devices_state *s) {
    fputs("{\"devices\": [", stdout);
    for (int i = 0; i < s->count; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", stdout);
        print_device_json(s, i);
    }
    fputs("\n],\n\"auto\": ", stdout);
    if (s->choice.name[0] == '\0') {
        puts("null}");
        return;
    }
    putchar('{');
    print_text("name", s->choice.name);
    fputs(", ", stdout);
    print_text("reason", s->choice.reason);
    puts("}}");
}

/* -- operations --------------------------------------------------------------------------------*/

/* "rms_norm", or "matmul (1e-05)" where the bits are not the processor's. */
static void add_op(char *text, size_t size, const tern_context_op_info *op) {
    size_t used = strlen(text);
    const char *between = used > 0 ? ", " : "";
    if (op->tolerance > 0)
        snprintf(text + used, size - used, "%s%s (%.3g)", between, op->name, op->tolerance);
    else
        snprintf(text + used, size - used, "%s%s", between, op->name);
}

static void print_ops_text(const tern_context *context) {
    static const char *const heads[] = {
        [TERN_PLACE_NATIVE] = "the device itself; in parentheses, how far a result may lie from "
                              "the processor's, relative to the largest magnitude",
        [TERN_PLACE_FALLBACK] = "the processor for it",
        [TERN_PLACE_ABSENT] = "nobody",
    };
    for (int place = TERN_PLACE_NATIVE; place <= TERN_PLACE_ABSENT; place++) {
        char text[8192] = "";
        int count = 0;
        tern_context_op_info op;
        for (int i = 0; tern_context_op(context, i, &op); i++)
            if ((int)op.place == place) {
                add_op(text, sizeof text, &op);
                count++;
            }
        char head[256];
        snprintf(head, sizeof head, "%s %d: %s", tern_place_name((tern_place)place), count,
                 heads[place]);
        print_wrapped(head, 0);
        if (count > 0) {
            fputs("  ", stdout);
            print_wrapped(text, 2);
        }
    }
}

static void print_ops_json(const tern_context *context) {
    tern_context_op_info op;
    putchar('[');
    for (int i = 0; tern_context_op(context, i, &op); i++) {
        printf("%s{", i > 0 ? ",\n  " : "\n  ");
        print_text("name", op.name);
        printf(", \"place\": \"%s\", \"tolerance\": ", tern_place_name(op.place));
        cli_print_json_number(stdout, op.tolerance);
        putchar('}');
    }
    puts("\n]");
}

static int list_ops(const devices_state *s) {
    tern_options options = {.device = s->info[0].name};
    tern_context *context;
    if (tern_context_create(&options, &context) != TERN_OK)
        return cli_fail_library(s->info[0].name);
    (s->values.is_json ? print_ops_json : print_ops_text)(context);
    tern_context_destroy(context);
    return CLI_OK;
}

/* -- the command -------------------------------------------------------------------------------*/

static void measure(devices_state *s) {
    for (int i = 0; i < s->count; i++) {
        tern_options options = {.device = s->info[i].name};
        if (!s->info[i].is_there)
            continue;
        if (tern_device_speed(&options, s->values.order, &s->flops[i]) == TERN_OK)
            continue;
        s->flops[i] = 0;
        snprintf(s->failure[i], sizeof s->failure[i], "not measured: %s", tern_last_error());
        s->why[i] = s->failure[i];
    }
}

/* All devices, or the one that is named. */
static int find(devices_state *s, const char *name) {
    tern_options options = {0};
    if (name != NULL) {
        int status = cli_check_device(&cli_devices, name);
        if (status == CLI_OK && strcmp(name, "auto") == 0)
            return cli_usage_error(&cli_devices, "auto is no device: tern devices says what it is");
        s->count = 1;
        if (status != CLI_OK || tern_device_find(name, &s->info[0]) == TERN_OK)
            return status;
        return cli_fail_library(NULL);
    }
    s->count = tern_devices(s->info, DEVICES);
    s->count = s->count < DEVICES ? s->count : DEVICES;
    if (tern_device_choose(&options, &s->choice) != TERN_OK)
        return cli_fail_library(NULL);
    return CLI_OK;
}

static int devices_run(int argc, char **argv) {
    devices_state s = {.count = 0};
    char **rest;
    int count;
    int status = cli_parse(&cli_devices, argc, argv, &s.values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count > 1)
        return cli_usage_error(&cli_devices, "unexpected argument '%s'", rest[1]);
    if (s.values.lists_ops && count == 0)
        return cli_usage_error(&cli_devices, "--ops: name the device");
    status = find(&s, count == 1 ? rest[0] : NULL);
    if (status != CLI_OK)
        return status;
    if (s.values.lists_ops)
        return list_ops(&s);
    if (s.values.is_measuring)
        measure(&s);
    (s.values.is_json ? print_json : print_table)(&s);
    return CLI_OK;
}

static const char *const examples[] = {
    "tern devices --measure",
    "tern devices --ops cuda",
    "tern run --device cuda --explain",
    NULL,
};

const cli_command cli_devices = {
    .name = "devices",
    .usage = "[NAME]",
    .summary = "shows what there is to compute with",
    .details =
        "Shows every device: how many operations it does itself, how many the processor does for "
        "it and how many nobody does; whether its results have the processor's bits; its memory; "
        "what it is, or why it cannot be used. Devices besides the processor are plug-ins, "
        "tern_NAME.so. The last line says what --device auto takes and why; where several devices "
        "keep the bits, they are measured once for it.",
    .examples = examples,
    .operands = CLI_DEVICE_NAME,
    .options = devices_options,
    .run = devices_run,
};
