/* SPDX-License-Identifier: MIT
 * Options: reading them by the rows of a command's table, and saying what is wrong with them. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tensor.h>

#include "cli.h"

enum {
    MAX_OPTIONS = 32, /* of one command, --help included */
    LONG_VALUE = 256, /* getopt_long's value of row i is LONG_VALUE + i */
};

int cli_fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    cli_flush();
    fprintf(stderr, "tern: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    return CLI_FAILED;
}

int cli_fail_library(const char *subject) {
    const char *detail = tern_last_error();
    if (subject == NULL || strstr(detail, subject) != NULL)
        return cli_fail("%s", detail);
    return cli_fail("%s: %s", subject, detail);
}

int cli_usage_error(const cli_command *command, const char *format, ...) {
    va_list list;
    va_start(list, format);
    cli_flush();
    fprintf(stderr, "tern: ");
    if (command != NULL)
        fprintf(stderr, "%s: ", command->name);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\nTry 'tern help%s%s'.\n", command != NULL ? " " : "",
            command != NULL ? command->name : "");
    va_end(list);
    return CLI_USAGE;
}

int cli_check_level(const cli_command *command, const char *level) {
    if (level == NULL)
        return CLI_OK;
    tern_context *context = NULL;
    tern_status status =
        tern_context_create(&(tern_options){.device = "cpu", .threads = 1, .cpu = level}, &context);
    tern_context_destroy(context);
    return status == TERN_OK ? CLI_OK : cli_usage_error(command, "--cpu: %s", tern_last_error());
}

/* Edit distance of Levenshtein, one row at a time. */
static int edit_distance(const char *a, const char *b) {
    int row[64];
    int columns = (int)strlen(b);
    if (columns >= 64)
        return 64;
    for (int j = 0; j <= columns; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[columns];
}

const char *cli_nearest(const char *word, const char *const *names, int count) {
    const char *nearest = NULL;
    int least = 1 + (int)strlen(word) / 3; /* one slip, or one in three letters */
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(word, names[i]);
        if (distance <= least && distance < (int)strlen(names[i])) {
            least = distance - 1;
            nearest = names[i];
        }
    }
    return nearest;
}

bool cli_read_integer(const char *text, const char *limits, int64_t *value) {
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] < '0' || digits[0] > '9')
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *value = number;
    return number >= strtoll(limits, &end, 10) && number <= strtoll(end + 2, NULL, 10);
}

static bool read_real(const char *text, const char *limits, double *value) {
    if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    char *end;
    double number = strtod(text, &end);
    if (*end != '\0')
        return false;
    *value = number;
    const char *upper = strstr(limits, "..") + 2;
    return number >= strtod(limits, NULL) && number <= strtod(upper, NULL);
}

static bool read_integers(const char *text, const char *limits, cli_integers *list) {
    char copy[256];
    if (strlen(text) >= sizeof copy)
        return false;
    list->count = 0;
    const int capacity = (int)(sizeof list->value / sizeof *list->value);
    for (const char *part = text;; part++) {
        size_t length = strcspn(part, ",");
        memcpy(copy, part, length);
        copy[length] = '\0';
        if (list->count == capacity || !cli_read_integer(copy, limits, &list->value[list->count++]))
            return false;
        part += length;
        if (*part == '\0')
            return true;
    }
}

static bool add_text(const char *text, cli_texts *list) {
    if (list->count == (int)(sizeof list->value / sizeof *list->value))
        return false;
    list->value[list->count++] = text;
    return true;
}

static bool is_choice(const char *text, const char *choices) {
    size_t length = strcspn(text, "|");
    if (length == 0 || text[length] != '\0')
        return false;
    for (const char *c = choices; c != NULL; c = strchr(c, '|')) {
        c += *c == '|';
        if (strncmp(c, text, length) == 0 && (c[length] == '|' || c[length] == '\0'))
            return true;
    }
    return false;
}

/* Stores `text` in the option's field; false when it does not fit the option's limits. */
static bool store(const cli_option *option, const char *text, void *values) {
    void *field = (char *)values + option->offset;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)field = true;
        return true;
    case CLI_INTEGER:
        return cli_read_integer(text, option->limits, field);
    case CLI_REAL:
        return read_real(text, option->limits, field);
    case CLI_INTEGERS:
        return read_integers(text, option->limits, field);
    case CLI_TEXTS:
    case CLI_FILES:
        return add_text(text, field);
    case CLI_CHOICE:
        if (!is_choice(text, option->limits))
            return false;
        break;
    case CLI_TEXT:
    case CLI_FILE:
        break;
    }
    *(const char **)field = text;
    return true;
}

static int bad_value(const cli_command *command, const cli_option *option, const char *text) {
    static const char *const expected[] = {
        [CLI_INTEGER] = "a whole number within",
        [CLI_REAL] = "a number within",
        [CLI_CHOICE] = "one of",
        [CLI_INTEGERS] = "whole numbers, separated by commas, within",
    };
    if (option->kind == CLI_TEXTS || option->kind == CLI_FILES)
        return cli_usage_error(command, "--%s: it is given too often", option->name);
    return cli_usage_error(command, "--%s: '%s' is not %s %s", option->name, text,
                           expected[option->kind], option->limits);
}

/* What getopt_long did not like, in words. */
static int bad_option(const cli_command *command, int code, const char *word, int value) {
    const char *names[MAX_OPTIONS] = {"help"};
    int count = 1;
    for (const cli_option *o = command->options; o->name != NULL; o++)
        names[count++] = o->name;
    const char *known = NULL;
    for (const cli_option *o = command->options; o->name != NULL; o++)
        if (value == LONG_VALUE + (int)(o - command->options) || (value != 0 && value == o->letter))
            known = o->name;
    if (known != NULL)
        return cli_usage_error(
            command, code == ':' ? "--%s: an argument is missing" : "--%s: takes no argument",
            known);
    if (value != 0)
        return cli_usage_error(command, "unknown option '-%c'", value);

    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (int i = 0; i < count; i++)
        if (strncmp(names[i], name, strlen(name)) == 0)
            return cli_usage_error(command, "option '--%s' is ambiguous", name);
    const char *nearest = cli_nearest(name, names, count);
    if (nearest != NULL)
        return cli_usage_error(command, "unknown option '--%s'; did you mean '--%s'?", name,
                               nearest);
    return cli_usage_error(command, "unknown option '--%s'", name);
}

/* Makes getopt_long's tables out of the command's. Returns the number of rows. */
static int translate(const cli_command *command, struct option *longs, char *letters) {
    int count = 0;
    *letters++ = ':'; /* tells a missing argument from an unknown option */
    *letters++ = 'h';
    for (const cli_option *o = command->options; o->name != NULL; o++, count++) {
        bool takes_argument = o->kind != CLI_FLAG;
        longs[count] = (struct option){o->name, takes_argument ? required_argument : no_argument,
                                       NULL, LONG_VALUE + count};
        if (o->letter != 0)
            *letters++ = o->letter;
        if (o->letter != 0 && takes_argument)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[count] = (struct option){"help", no_argument, NULL, 'h'};
    longs[count + 1] = (struct option){NULL, 0, NULL, 0};
    return count;
}

int cli_parse(const cli_command *command, int argc, char **argv, void *values, char ***rest,
              int *rest_count) {
    struct option longs[MAX_OPTIONS + 1];
    char letters[2 * MAX_OPTIONS + 3];
    int count = translate(command, longs, letters);
    for (int i = 0; i < count; i++)
        if (command->options[i].initial != NULL)
            store(&command->options[i], command->options[i].initial, values);

    opterr = 0;
    int code;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (code == 'h') {
            cli_print_help(stdout, command);
            return CLI_OK;
        }
        if (code == '?' || code == ':')
            return bad_option(command, code, argv[optind - 1], optopt);
        const cli_option *option = command->options;
        while (code < LONG_VALUE && option->letter != code)
            option++;
        if (code >= LONG_VALUE)
            option += code - LONG_VALUE;
        if (!store(option, optarg, values))
            return bad_value(command, option, optarg);
    }
    *rest = argv + optind;
    *rest_count = argc - optind;
    return CLI_CONTINUE;
}
