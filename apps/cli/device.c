/* SPDX-License-Identifier: MIT
 * The device that a command computes on: by its name, or by choice. */
#include "device.h"

#include <stdlib.h>
#include <string.h>

enum { DEVICES = 32 };

const char *cli_device_name(const char *given, const char *otherwise) {
    const char *variable = getenv("TERN_DEVICE");
    if (given != NULL)
        return given;
    return variable != NULL && variable[0] != '\0' ? variable : otherwise;
}

const char *cli_device_rows(const char *given) {
    return given != NULL && strcmp(given, "auto") != 0 ? given : NULL;
}

int cli_check_device(const cli_command *command, const char *name) {
    tern_device_info infos[DEVICES];
    const char *names[DEVICES + 1] = {"auto"};
    const char *variable = getenv("TERN_DEVICE");
    const char *origin = name != NULL && name == variable ? "TERN_DEVICE: " : "";
    if (name == NULL || strcmp(name, "auto") == 0 || tern_device_find(name, &infos[0]) == TERN_OK)
        return CLI_OK;
    int count = tern_devices(infos, DEVICES);
    count = count < DEVICES ? count : DEVICES;
    for (int i = 0; i < count; i++)
        names[i + 1] = infos[i].name;
    const char *nearest = cli_nearest(name, names, count + 1);
    if (nearest != NULL && strcmp(nearest, name) != 0)
        return cli_usage_error(command, "%sthere is no device '%s'; did you mean '%s'?", origin,
                               name, nearest);
    return cli_usage_error(command, "%sthere is no device '%s' (see tern devices)", origin, name);
}

static void warn(void *user, tern_log_level level, const char *message) {
    (void)user, (void)level;
    fprintf(stderr, "tern: %s\n", message);
}

/* A plug-in that is there and could not be loaded: none of its operations is known. */
static void warn_of_broken(void) {
    tern_device_info infos[DEVICES];
    int count = tern_devices(infos, DEVICES);
    for (int i = 0; i < count && i < DEVICES; i++) {
        const tern_device_info *d = &infos[i];
        bool is_loaded = d->native_ops + d->fallback_ops + d->absent_ops > 0;
        if (d->path[0] != '\0' && !d->is_there && !is_loaded)
            fprintf(stderr, "tern: device %s is not used: %s\n", d->name, d->reason);
    }
}

/* What was chosen and cannot be used gives way to the processor. */
static int open_chosen(tern_options *options, tern_device_choice *choice, tern_context **context) {
    warn_of_broken();
    tern_log_set(warn, NULL, TERN_LOG_WARN); /* tells of a device that failed when it was tried */
    tern_status status = tern_device_choose(options, choice);
    tern_log_set(NULL, NULL, TERN_LOG_WARN);
    if (status != TERN_OK)
        return cli_fail_library(NULL);
    options->device = choice->name;
    if (tern_context_create(options, context) == TERN_OK)
        return CLI_OK;
    if (strcmp(choice->name, "cpu") == 0)
        return cli_fail_library(NULL);
    fprintf(stderr, "tern: %s cannot be used, the processor computes: %s\n", choice->name,
            tern_last_error());
    snprintf(choice->reason, sizeof choice->reason, "%s cannot be used", choice->name);
    snprintf(choice->name, sizeof choice->name, "cpu");
    return tern_context_create(options, context) == TERN_OK ? CLI_OK : cli_fail_library(NULL);
}

int cli_open_context(tern_options *options, const char *device, tern_device_choice *choice,
                     tern_context **context) {
    *choice = (tern_device_choice){.reason = "asked for"};
    if (strcmp(device, "auto") == 0)
        return open_chosen(options, choice, context);
    snprintf(choice->name, sizeof choice->name, "%s", device);
    options->device = choice->name;
    return tern_context_create(options, context) == TERN_OK ? CLI_OK : cli_fail_library(NULL);
}

/* -- who did what ------------------------------------------------------------------------------*/

static int64_t calls_of(const tern_context_op_info *op, tern_place place) {
    return place == TERN_PLACE_NATIVE ? op->native_calls : op->fallback_calls;
}

void cli_print_places(FILE *out, const tern_context *context, tern_place place) {
    tern_context_op_info op;
    const char *between = "";
    for (int i = 0; tern_context_op(context, i, &op); i++) {
        if (calls_of(&op, place) == 0)
            continue;
        fprintf(out, "%s%s %lld", between, op.name, (long long)calls_of(&op, place));
        between = ", ";
    }
    fputs(between[0] == '\0' ? "none\n" : "\n", out);
}

int64_t cli_fallback_calls(const tern_context *context) {
    tern_context_op_info op;
    int64_t calls = 0;
    for (int i = 0; tern_context_op(context, i, &op); i++)
        calls += op.fallback_calls;
    return calls;
}
