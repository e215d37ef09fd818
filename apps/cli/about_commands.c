/* SPDX-License-Identifier: MIT
 * tern version, help and completion: what the program says about itself. */
#include <string.h>

#include <tern/tern.h>

#include "commands.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "an unknown compiler"
#endif

static const cli_option no_options[] = {{0}};

/* -- version -----------------------------------------------------------------------------------*/

static int version_run(int argc, char **argv) {
    char **rest;
    int count;
    int status = cli_parse(&cli_version, argc, argv, NULL, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count > 0)
        return cli_usage_error(&cli_version, "unexpected argument '%s'", rest[0]);
    tern_context *context;
    if (tern_context_create(&(tern_options){.device = "cpu"}, &context) != TERN_OK)
        return cli_fail_library(NULL);
    const char *kernels = tern_context_describe(context), *processor = strstr(kernels, "; ");
    int length = (int)(processor != NULL ? (size_t)(processor - kernels) : strlen(kernels));
    printf("tern %s\nbuilt with %s\n%.*s\n", tern_version(), COMPILER, length, kernels);
    if (processor != NULL)
        printf("processor: %s\n", processor + 2);
    tern_context_destroy(context);
    return CLI_OK;
}

const cli_command cli_version = {
    .name = "version",
    .usage = "",
    .summary = "shows version, compiler, processor and kernel level",
    .details = "Shows the version, the compiler it was built with, how many threads and which "
               "kernels Tern uses here by default, and the processor with its features.",
    .operands = CLI_NO_OPERANDS,
    .options = no_options,
    .run = version_run,
};

/* -- completion --------------------------------------------------------------------------------*/

static int completion_run(int argc, char **argv) {
    char **rest;
    int count;
    int status = cli_parse(&cli_completion, argc, argv, NULL, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count != 1)
        return cli_usage_error(&cli_completion, "name one shell: bash, zsh or fish");
    if (!cli_print_completion(stdout, rest[0]))
        return cli_usage_error(&cli_completion, "unknown shell '%s': bash, zsh or fish", rest[0]);
    return CLI_OK;
}

const cli_command cli_completion = {
    .name = "completion",
    .usage = "SHELL",
    .summary = "prints a completion script for bash, zsh or fish",
    .details = "Prints a script that completes commands, options and their values. For bash: "
               "source <(tern completion bash).",
    .operands = CLI_SHELL_NAME,
    .options = no_options,
    .run = completion_run,
};

/* -- help --------------------------------------------------------------------------------------*/

typedef struct help_values {
    bool is_man, is_ops;
} help_values;

static const cli_option help_options[] = {
    {"man", 0, CLI_FLAG, NULL, NULL, NULL, "print the man page, in mdoc",
     offsetof(help_values, is_man)},
    {"ops", 0, CLI_FLAG, NULL, NULL, NULL, "print the table of operations, in Markdown",
     offsetof(help_values, is_ops)},
    {0},
};

static int help_run(int argc, char **argv) {
    help_values values = {0};
    char **rest;
    int count;
    int status = cli_parse(&cli_help, argc, argv, &values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count > 1)
        return cli_usage_error(&cli_help, "unexpected argument '%s'", rest[1]);
    if (values.is_man) {
        cli_print_man(stdout);
        return CLI_OK;
    }
    if (values.is_ops) {
        cli_print_operations(stdout);
        return CLI_OK;
    }
    const cli_command *command = count == 1 ? cli_command_find(rest[0]) : NULL;
    if (count == 1 && command == NULL)
        return cli_unknown_command(rest[0]);
    cli_print_help(stdout, command);
    return CLI_OK;
}

const cli_command cli_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "explains the program or a command",
    .details = "Explains the program, or the command that is named.",
    .operands = CLI_COMMAND_NAME,
    .options = help_options,
    .run = help_run,
};
