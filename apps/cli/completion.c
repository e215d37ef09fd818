/* SPDX-License-Identifier: MIT
 * Completion scripts for bash, zsh and fish, made from the tables. */
#include <string.h>

#include <tern/bench.h>

#include "commands.h"

/* The words that a command's operands may be, each behind a blank. */
static void print_operand_words(FILE *out, cli_operands operands) {
    if (operands == CLI_MODEL_OR_BENCH) {
        for (int64_t i = 0; i < tern_bench_count(); i++)
            fprintf(out, " %s", tern_bench_at(i)->name);
        for (int i = 0; i < tern_bench_table_count(); i++)
            fprintf(out, " %s", tern_bench_table_at(i)->name);
    }
    if (operands == CLI_COMMAND_NAME)
        for (int i = 0; cli_commands[i] != NULL; i++)
            fprintf(out, " %s", cli_commands[i]->name);
    if (operands == CLI_DEVICE_NAME)
        fputs(" cpu cuda mlx", out);
    if (operands == CLI_SHELL_NAME)
        for (int i = 0; cli_shells[i] != NULL; i++)
            fprintf(out, " %s", cli_shells[i]);
}

static bool has_file_operands(const cli_command *command) {
    return command->operands == CLI_MODEL_FILE || command->operands == CLI_MODEL_OR_BENCH;
}

static bool names_file(const cli_option *option) {
    return option->kind == CLI_FILE || option->kind == CLI_FILES;
}

static bool is_repeatable(const cli_option *option) {
    return option->kind == CLI_TEXTS || option->kind == CLI_FILES;
}

/* "auto|never" as "auto never". */
static void print_choices(FILE *out, const char *choices) {
    for (; *choices != '\0'; choices++)
        fputc(*choices == '|' ? ' ' : *choices, out);
}

/* Text between single quotes of a shell; `escaped` lists characters that take a backslash. */
static void print_shell_text(FILE *out, const char *text, const char *escaped) {
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\'", out);
        else if (strchr(escaped, *text) != NULL)
            fputc('\\', out);
        fputc(*text, out);
    }
}

/* -- bash --------------------------------------------------------------------------------------*/

static void print_bash_arguments(FILE *out, const cli_command *command) {
    for (const cli_option *option = command->options; option->name != NULL; option++) {
        if (option->kind == CLI_FLAG)
            continue;
        fprintf(out, "    %s:--%s", command->name, option->name);
        if (option->letter != 0)
            fprintf(out, " | %s:-%c", command->name, option->letter);
        if (option->kind == CLI_CHOICE) {
            fprintf(out, ") words=\"");
            print_choices(out, option->limits);
            fprintf(out, "\" ;;\n");
        } else {
            fprintf(out, ") files=%d ;;\n", names_file(option));
        }
    }
}

static void print_bash_command(FILE *out, const cli_command *command) {
    fprintf(out, "    %s:-*) words=\"--help", command->name);
    for (const cli_option *option = command->options; option->name != NULL; option++)
        fprintf(out, " --%s", option->name);
    fprintf(out, "\" ;;\n    %s:*) files=%d words=\"", command->name, has_file_operands(command));
    print_operand_words(out, command->operands);
    fprintf(out, "\" ;;\n");
}

static void print_bash(FILE *out) {
    fprintf(out,
            "# Completion of tern for bash, made by: tern completion bash\n"
            "_tern() {\n"
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    local command=${COMP_WORDS[1]} words='' files=''\n"
            "    case $command:$previous in\n");
    for (int i = 0; cli_commands[i] != NULL; i++)
        print_bash_arguments(out, cli_commands[i]);
    fprintf(out, "    esac\n"
                 "    if ((COMP_CWORD == 1)); then\n"
                 "        words=\"--help --version");
    print_operand_words(out, CLI_COMMAND_NAME);
    fprintf(out, "\"\n"
                 "    elif [[ -z $words$files ]]; then\n"
                 "        case $command:$current in\n");
    for (int i = 0; cli_commands[i] != NULL; i++)
        print_bash_command(out, cli_commands[i]);
    fprintf(out, "        esac\n"
                 "    fi\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                 "    if [[ $files == 1 ]]; then\n"
                 "        local IFS=$'\\n'\n"
                 "        COMPREPLY+=($(compgen -f -- \"$current\"))\n"
                 "    fi\n"
                 "}\n"
                 "complete -o filenames -F _tern tern\n");
}

/* -- zsh ---------------------------------------------------------------------------------------*/

static void print_zsh_option(FILE *out, const cli_option *option) {
    bool is_flag = option->kind == CLI_FLAG;
    fprintf(out, " \\\n            ");
    if (option->letter != 0)
        fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name, option->letter,
                is_flag ? "" : "+", option->name, is_flag ? "" : "=");
    else
        fprintf(out, "'%s--%s%s[", is_repeatable(option) ? "*" : "", option->name,
                is_flag ? "" : "=");
    print_shell_text(out, option->help, "[]:");
    fputc(']', out);
    if (!is_flag)
        fprintf(out, ":%s:", option->argument);
    if (names_file(option))
        fprintf(out, "_files");
    if (option->kind == CLI_CHOICE) {
        fputc('(', out);
        print_choices(out, option->limits);
        fputc(')', out);
    }
    fputc('\'', out);
}

static void print_zsh_command(FILE *out, const cli_command *command) {
    fprintf(out, "    %s)\n        _arguments '(-h --help)'{-h,--help}'[show the help]'",
            command->name);
    for (const cli_option *option = command->options; option->name != NULL; option++)
        print_zsh_option(out, option);
    if (command->operands == CLI_MODEL_FILE)
        fprintf(out, " \\\n            ':model:_files'");
    if (command->operands == CLI_MODEL_OR_BENCH) {
        fprintf(out, " \\\n            '*:model or benchmark:{_files; compadd --");
        print_operand_words(out, command->operands);
        fprintf(out, "}'");
    } else if (!has_file_operands(command) && command->operands != CLI_NO_OPERANDS) {
        fprintf(out, " \\\n            ':name:(");
        print_operand_words(out, command->operands);
        fprintf(out, ")'");
    }
    fprintf(out, "\n        ;;\n");
}

static void print_zsh(FILE *out) {
    fprintf(out, "#compdef tern\n"
                 "# Completion of tern for zsh, made by: tern completion zsh\n"
                 "local -a commands\n"
                 "commands=(\n");
    for (int i = 0; cli_commands[i] != NULL; i++) {
        fprintf(out, "    '%s:", cli_commands[i]->name);
        print_shell_text(out, cli_commands[i]->summary, ":");
        fprintf(out, "'\n");
    }
    fprintf(out, ")\n"
                 "if ((CURRENT == 2)); then\n"
                 "    _describe command commands\n"
                 "    return\n"
                 "fi\n"
                 "local name=$words[2]\n"
                 "shift words\n"
                 "((CURRENT--))\n"
                 "case $name in\n");
    for (int i = 0; cli_commands[i] != NULL; i++)
        print_zsh_command(out, cli_commands[i]);
    fprintf(out, "esac\n");
}

/* -- fish --------------------------------------------------------------------------------------*/

static void print_fish_option(FILE *out, const char *command, const cli_option *option) {
    fprintf(out, "complete -c tern -n '__fish_seen_subcommand_from %s' -l %s", command,
            option->name);
    if (option->letter != 0)
        fprintf(out, " -s %c", option->letter);
    if (names_file(option))
        fprintf(out, " -r -F");
    else if (option->kind != CLI_FLAG)
        fprintf(out, " -x");
    if (option->kind == CLI_CHOICE) {
        fprintf(out, " -a '");
        print_choices(out, option->limits);
        fputc('\'', out);
    }
    fprintf(out, " -d '");
    print_shell_text(out, option->help, "\\");
    fprintf(out, "'\n");
}

static void print_fish_command(FILE *out, const cli_command *command) {
    fprintf(out, "complete -c tern -n __fish_use_subcommand -a %s -d '", command->name);
    print_shell_text(out, command->summary, "\\");
    fprintf(out, "'\n");
    for (const cli_option *option = command->options; option->name != NULL; option++)
        print_fish_option(out, command->name, option);
    if (has_file_operands(command))
        fprintf(out, "complete -c tern -n '__fish_seen_subcommand_from %s' -F\n", command->name);
    if (command->operands == CLI_NO_OPERANDS || command->operands == CLI_MODEL_FILE)
        return;
    fprintf(out, "complete -c tern -n '__fish_seen_subcommand_from %s' -a '", command->name);
    print_operand_words(out, command->operands);
    fprintf(out, "'\n");
}

static void print_fish(FILE *out) {
    fprintf(out, "# Completion of tern for fish, made by: tern completion fish\n"
                 "complete -c tern -f\n"
                 "complete -c tern -n __fish_use_subcommand -l help -s h -d 'show the help'\n"
                 "complete -c tern -n __fish_use_subcommand -l version -s V -d 'show the "
                 "version'\n");
    for (int i = 0; cli_commands[i] != NULL; i++)
        print_fish_command(out, cli_commands[i]);
}

bool cli_print_completion(FILE *out, const char *shell) {
    if (strcmp(shell, "bash") == 0)
        print_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(out);
    else if (strcmp(shell, "fish") == 0)
        print_fish(out);
    else
        return false;
    return true;
}
