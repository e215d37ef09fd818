/* SPDX-License-Identifier: MIT
 * Help texts, made from the tables. */
#include <string.h>

#include "cli.h"

enum { HELP_WIDTH = 80, OPTION_COLUMN = 26, NAME_COLUMN = 14 };

size_t cli_line_length(const char *text, size_t width) {
    size_t length = strlen(text);
    if (length <= width)
        return length;
    size_t cut = width;
    while (cut > 0 && text[cut] != ' ')
        cut--;
    return cut > 0 ? cut : strcspn(text, " ");
}

/* Prints `text` in lines that start at `column`; the cursor is there already. */
static void print_wrapped(FILE *out, const char *text, int column) {
    for (;;) {
        size_t length = cli_line_length(text, (size_t)(HELP_WIDTH - column));
        fprintf(out, "%.*s\n", (int)length, text);
        text += length;
        text += strspn(text, " ");
        if (*text == '\0')
            return;
        fprintf(out, "%*s", column, "");
    }
}

/* `left`, then `text` from `column` on, or on the next line when there is no room. */
static void print_row(FILE *out, const char *left, const char *text, int column) {
    int width = (int)strlen(left) + 2;
    fprintf(out, "  %s", left);
    if (width + 2 > column) {
        fputc('\n', out);
        width = 0;
    }
    fprintf(out, "%*s", column - width, "");
    print_wrapped(out, text, column);
}

static void print_facts(FILE *out, const char *title, const cli_fact *facts) {
    fprintf(out, "\n%s:\n", title);
    for (; facts->name != NULL; facts++)
        print_row(out, facts->name, facts->text, NAME_COLUMN);
}

const char *cli_option_facts(const cli_option *option, char *buffer, size_t size) {
    const char *initial = option->initial, *limits = option->limits;
    if (initial != NULL && limits != NULL)
        snprintf(buffer, size, " (%s; default %s)", limits, initial);
    else if (initial != NULL)
        snprintf(buffer, size, " (default %s)", initial);
    else
        snprintf(buffer, size, "%s%s%s", limits != NULL ? " (" : "", limits != NULL ? limits : "",
                 limits != NULL ? ")" : "");
    return buffer;
}

static void print_option(FILE *out, const cli_option *option) {
    char left[64], text[512], facts[128];
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    snprintf(left, sizeof left, "%s--%s%s%s", option->letter != 0 ? letter : "    ", option->name,
             option->argument != NULL ? " " : "", option->argument != NULL ? option->argument : "");
    snprintf(text, sizeof text, "%s%s", option->help,
             cli_option_facts(option, facts, sizeof facts));
    print_row(out, left, text, OPTION_COLUMN);
}

static void print_command_help(FILE *out, const cli_command *command) {
    fprintf(out, "Usage: tern %s [OPTION]...%s%s\n\n", command->name,
            command->usage[0] != '\0' ? " " : "", command->usage);
    print_wrapped(out, command->details, 0);
    fprintf(out, "\nOptions:\n");
    for (const cli_option *option = command->options; option->name != NULL; option++)
        print_option(out, option);
    print_row(out, "-h, --help", "show this help", OPTION_COLUMN);
    if (command->examples != NULL)
        fprintf(out, "\nExamples:\n");
    for (const char *const *e = command->examples; e != NULL && *e != NULL; e++)
        fprintf(out, "  %s\n", *e);
}

void cli_print_help(FILE *out, const cli_command *command) {
    if (command != NULL) {
        print_command_help(out, command);
        return;
    }
    fprintf(out, "tern %s.\n\nUsage: tern COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n",
            cli_summary);
    for (int i = 0; cli_commands[i] != NULL; i++)
        print_row(out, cli_commands[i]->name, cli_commands[i]->summary, NAME_COLUMN);
    print_facts(out, "Environment", cli_environment);
    print_facts(out, "Exit status", cli_exit_statuses);
    fprintf(out, "\n'tern help COMMAND' explains a command; 'tern run' writes a story.\n");
}
