/* SPDX-License-Identifier: MIT
 * The device that a command computes on. */
#ifndef TERN_CLI_DEVICE_H
#define TERN_CLI_DEVICE_H

#include <tern/device.h>

#include "cli.h"

/* The name that was given, else that of TERN_DEVICE, else `otherwise`. */
const char *cli_device_name(const char *given, const char *otherwise);

/* CLI_OK for "auto", a device that Tern knows, there or not, and NULL; else a usage error, which
 * names TERN_DEVICE if `name` is its text. */
int cli_check_device(const cli_command *command, const char *name);

/* What --device says about rows of tables: NULL, all accelerators, where it is not given or auto.
 */
const char *cli_device_rows(const char *given);

/* Makes a context on `device`, which may be "auto": then a device that fails gives way to the
 * processor, with a line on stderr. Tells what was taken and why; `options` points into it.
 * Returns the exit status, after a message. */
int cli_open_context(tern_options *options, const char *device, tern_device_choice *choice,
                     tern_context **context);

/* "topk 3, sort 1" and a line feed: operations that the device, or the processor for it, did so
 * far. */
void cli_print_places(FILE *out, const tern_context *context, tern_place place);
int64_t cli_fallback_calls(const tern_context *context);

#endif
