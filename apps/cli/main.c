/* SPDX-License-Identifier: MIT
 * The program: finds the command and runs it. */
#include <signal.h>
#include <string.h>

#include "cli.h"
#include "commands.h"

const cli_command *const cli_commands[] = {
    &cli_run,     &cli_info,    &cli_tokenize,   &cli_bench, &cli_validate,
    &cli_devices, &cli_version, &cli_completion, &cli_help,  NULL,
};

const char cli_summary[] = "runs ternary (1.58-bit) language models";

const cli_fact cli_environment[] = {
    {"TERN_MODEL", "Model file that is used when none is given."},
    {"TERN_CPU", "Kernel level, such as scalar, avx2 or avx512, when --cpu is not given."},
    {"TERN_DEVICE", "What computes, such as cpu, cuda or auto, when --device is not given."},
    {"TERN_PLUGIN_PATH",
     "Directories with plug-ins tern_NAME.so, colons between; else beside the program."},
    {"XDG_CACHE_HOME", "Where what was measured once is kept, below tern; else ~/.cache."},
    {"XDG_STATE_HOME", "Where baselines are kept, below tern; else ~/.local/state."},
    {"NO_COLOR", "If not empty, no colours are used unless --color says so."},
    {NULL, NULL},
};

const cli_fact cli_exit_statuses[] = {
    {"0", "Success."},
    {"1", "Failure, such as a file that cannot be read, or a target that is missed."},
    {"2", "Wrong usage."},
    {"130", "Interrupted by Ctrl-C."},
    {"141", "The reader of the output has gone."},
    {NULL, NULL},
};

const char *const cli_shells[] = {"bash", "zsh", "fish", NULL};

const cli_command *cli_command_find(const char *name) {
    for (int i = 0; cli_commands[i] != NULL; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

int cli_unknown_command(const char *word) {
    const char *names[16];
    int count = 0;
    for (; cli_commands[count] != NULL; count++)
        names[count] = cli_commands[count]->name;
    const char *nearest = cli_nearest(word, names, count);
    const char *what = word[0] == '-' ? "option" : "command";
    if (nearest != NULL)
        return cli_usage_error(NULL, "unknown %s '%s'; did you mean '%s'?", what, word, nearest);
    return cli_usage_error(NULL, "unknown %s '%s'", what, word);
}

int main(int argc, char **argv) {
    /* A reader that goes away shows up as EPIPE, which cli_finish_output turns into status 141. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        cli_print_help(stderr, NULL);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = cli_help.name;
    else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        word = cli_version.name;
    const cli_command *command = cli_command_find(word);
    if (command == NULL)
        return cli_unknown_command(word);
    return cli_finish_output(command->run(argc - 1, argv + 1));
}
