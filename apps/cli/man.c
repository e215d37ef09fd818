/* SPDX-License-Identifier: MIT
 * The man page in mdoc(7), made from the tables. */
#include <string.h>

#include "cli.h"

/* Of the version that the page describes. */
#define MAN_DATE "November 22, 2026"

enum { MAN_WIDTH = 76 };

/* Prints `text` as input lines of mdoc: a new line after each sentence, as mandoc wants it, none
 * too long, and what roff would read as markup escaped. */
static void print_text(FILE *out, const char *text) {
    while (*text != '\0') {
        const char *stop = strstr(text, ". ");
        size_t sentence = stop != NULL ? (size_t)(stop - text) + 1 : strlen(text);
        size_t length = cli_line_length(text, MAN_WIDTH);
        if (length > sentence)
            length = sentence;
        if (*text == '.' || *text == '\'')
            fputs("\\&", out);
        for (size_t i = 0; i < length; i++) {
            if (text[i] == '\\')
                fputs("\\e", out);
            else if (text[i] == '-')
                fputs("\\-", out);
            else
                fputc(text[i], out);
        }
        fputc('\n', out);
        text += length;
        text += strspn(text, " ");
    }
}

static void print_facts(FILE *out, const char *title, const char *macro, const cli_fact *facts) {
    fprintf(out, ".Sh %s\n.Bl -tag -width Ds\n", title);
    for (; facts->name != NULL; facts++) {
        fprintf(out, ".It %s%s\n", macro, facts->name);
        print_text(out, facts->text);
    }
    fprintf(out, ".El\n");
}

static void print_option(FILE *out, const cli_option *option) {
    char facts[128], text[512];
    fprintf(out, ".It ");
    if (option->letter != 0)
        fprintf(out, "Fl %c , ", option->letter);
    fprintf(out, "Fl \\-%s", option->name);
    if (option->argument != NULL)
        fprintf(out, " Ar %s", option->argument);
    snprintf(text, sizeof text, "%s%s.", option->help,
             cli_option_facts(option, facts, sizeof facts));
    fputc('\n', out);
    if (text[0] >= 'a' && text[0] <= 'z')
        text[0] = (char)(text[0] - 'a' + 'A');
    print_text(out, text);
}

/* A line of its own, literally. */
static void print_example(FILE *out, const char *line) {
    fputs(".Dl ", out);
    for (; *line != '\0'; line++) {
        if (*line == '-')
            fputc('\\', out);
        fputc(*line, out);
    }
    fputc('\n', out);
}

static void print_command(FILE *out, const cli_command *command) {
    fprintf(out, ".Ss tern %s\n", command->name);
    print_text(out, command->details);
    if (command->options->name == NULL)
        return;
    fprintf(out, ".Bl -tag -width Ds\n");
    for (const cli_option *option = command->options; option->name != NULL; option++)
        print_option(out, option);
    fprintf(out, ".El\n");
}

void cli_print_man(FILE *out) {
    fprintf(out,
            ".\\\" SPDX-License-Identifier: MIT\n"
            ".\\\" Made by: tern help --man\n"
            ".Dd %s\n.Dt TERN 1\n.Os\n.Sh NAME\n.Nm tern\n.Nd %s\n.Sh SYNOPSIS\n",
            MAN_DATE, cli_summary);
    for (int i = 0; cli_commands[i] != NULL; i++) {
        fprintf(out, ".Nm\n.Cm %s\n.Op Ar option ...\n", cli_commands[i]->name);
        print_text(out, cli_commands[i]->usage);
    }
    fprintf(out, ".Sh DESCRIPTION\n.Nm\nruns language models whose weights are \\-1, 0 and 1.\n"
                 "Every command explains itself with\n.Fl \\-help .\n");
    for (int i = 0; cli_commands[i] != NULL; i++)
        print_command(out, cli_commands[i]);
    print_facts(out, "ENVIRONMENT", "Ev ", cli_environment);
    print_facts(out, "EXIT STATUS", "", cli_exit_statuses);
    fprintf(out, ".Sh EXAMPLES\n.Dl tern run \\-p \\(dqOnce upon a time\\(dq\n"
                 ".Dl tern bench \\-\\-shape 2b4t \\-\\-threads 1,2\n");
    for (int i = 0; cli_commands[i] != NULL; i++)
        for (const char *const *e = cli_commands[i]->examples; e != NULL && *e != NULL; e++)
            print_example(out, *e);
}
