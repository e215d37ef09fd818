/* SPDX-License-Identifier: MIT
 *
 * What the commands of the program share. A command is a row of facts and one function; its help,
 * the man page and the shell completions are all generated from these rows.
 */
#ifndef TERN_CLI_H
#define TERN_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_DEFAULT_MODEL "tern-story-i2_s.gguf"

enum {
    CLI_CONTINUE = -1, /* from cli_parse: go on with the command */
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_INTERRUPTED = 130, /* as a shell reports SIGINT */
    CLI_BROKEN_PIPE = 141, /* as a shell reports SIGPIPE */
};

/* The field that an option fills: bool, int64_t, double, const char *, cli_integers, cli_texts. */
typedef enum cli_kind {
    CLI_FLAG,
    CLI_INTEGER,
    CLI_REAL,
    CLI_TEXT,
    CLI_FILE,   /* text that names a file */
    CLI_CHOICE, /* text out of `limits` */
    CLI_INTEGERS,
    CLI_TEXTS, /* an option that may be given several times */
    CLI_FILES, /* the same, each names a file */
} cli_kind;

typedef struct cli_integers {
    int count;
    int64_t value[32];
} cli_integers;

typedef struct cli_texts {
    int count;
    const char *value[32];
} cli_texts;

typedef struct cli_option {
    const char *name; /* long form without dashes; NULL ends a table */
    char letter;      /* short form, 0: none */
    cli_kind kind;
    const char *argument; /* how the help calls it; NULL for flags */
    const char *initial;  /* default, read like an argument; NULL: the field is left alone */
    const char *limits;   /* "1..1024" for numbers, "auto|always|never" for choices */
    const char *help;
    size_t offset; /* of the field in the command's struct of values */
} cli_option;

/* What the words behind the options are, for usage lines and completion. */
typedef enum cli_operands {
    CLI_NO_OPERANDS,
    CLI_MODEL_FILE,
    CLI_MODEL_OR_BENCH,
    CLI_COMMAND_NAME,
    CLI_SHELL_NAME,
    CLI_DEVICE_NAME,
} cli_operands;

typedef struct cli_command {
    const char *name;
    const char *usage;           /* operands as the help shows them, "" if none */
    const char *summary;         /* one line, no full stop */
    const char *details;         /* sentences */
    const char *const *examples; /* command lines, ended by NULL; NULL: none */
    cli_operands operands;
    const cli_option *options;
    int (*run)(int argc, char **argv); /* argv[0] is the command; returns the exit status */
} cli_command;

/* Every command, ended by NULL. */
extern const cli_command *const cli_commands[];
const cli_command *cli_command_find(const char *name); /* NULL: none */
int cli_unknown_command(const char *word);             /* a usage error with a suggestion */

/* Facts for the help and the man page: rows of a name and a sentence, ended by a NULL name. */
typedef struct cli_fact {
    const char *name, *text;
} cli_fact;
extern const cli_fact cli_environment[];
extern const cli_fact cli_exit_statuses[];
extern const char *const cli_shells[]; /* ended by NULL */
extern const char cli_summary[];

/* -- options (options.c) -----------------------------------------------------------------------*/

/* Fills `values` with defaults, then with what argv says. *rest and *rest_count are the operands.
 * Returns CLI_CONTINUE, or the exit status after --help or a mistake, which it has reported. */
int cli_parse(const cli_command *command, int argc, char **argv, void *values, char ***rest,
              int *rest_count);

/* Reads all of `text` as a number within "low..high"; false when it is none. */
bool cli_read_integer(const char *text, const char *limits, int64_t *value);

/* The entry of `names` (`count`) that `word` was probably meant to be, or NULL. */
const char *cli_nearest(const char *word, const char *const *names, int count);

/* CLI_OK when --cpu LEVEL (NULL: not given) is one that this machine has; else says why not. */
int cli_check_level(const cli_command *command, const char *level);

/* "tern: command: message" and a hint to the help on stderr. Returns CLI_USAGE. */
int cli_usage_error(const cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "tern: message" on stderr. Returns CLI_FAILED. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* cli_fail with `subject` and the library's last error. Returns CLI_FAILED. */
int cli_fail_library(const char *subject);

/* -- generated texts (help.c, man.c, completion.c) ---------------------------------------------*/

void cli_print_help(FILE *out, const cli_command *command); /* NULL: the program's */
void cli_print_man(FILE *out);
void cli_print_operations(FILE *out); /* a page in Markdown */
struct tern_context;
void cli_print_stats(FILE *out, const struct tern_context *context);
bool cli_print_completion(FILE *out, const char *shell); /* false: unknown shell */

/* How many bytes of `text` go on a line of at most `width`: up to a space, at least one word. */
size_t cli_line_length(const char *text, size_t width);

/* Texts of an option's limits and default, "" if it has neither: " (default 0.8; 0..100)". */
const char *cli_option_facts(const cli_option *option, char *buffer, size_t size);

/* -- the other ends (terminal.c, input.c, model_path.c) ----------------------------------------*/

typedef enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER } cli_color;

/* Whether to colour `stream`, by --color WORD, NO_COLOR and what the stream is. */
bool cli_has_color(FILE *stream, const char *word);

double cli_now(void); /* seconds, monotonic */

int cli_width(FILE *stream); /* columns of the terminal; 0: it is none */
int cli_table_width(void);   /* of tables on stdout: the terminal's, COLUMNS, or what a pipe gets */

/* Some allocators to compare with keep thread-local variables that the dynamic linker must have set
 * room aside for when the process started: then the program is started anew, once. argc and argv
 * are the command's. Returns when nothing is to be done or the start fails: then such an allocator
 * is not measured. (bench_tables.c) */
void cli_restart_with_room(int argc, char **argv);

/* A bar on a terminal's stderr for what takes longer than 0.3 s. */
typedef struct cli_progress {
    double start;
    bool is_terminal, is_shown;
} cli_progress;
cli_progress cli_progress_begin(void);
void cli_progress_update(void *progress, double fraction); /* a tern_progress_fn */
void cli_progress_end(cli_progress *progress);

/* Flushes stdout. Returns `status`, or CLI_BROKEN_PIPE, or CLI_FAILED with a message when the
 * output did not arrive. */
int cli_finish_output(int status);
bool cli_flush(void); /* false: stdout has failed */

/* The bytes of a file, "-" for stdin, with a NUL behind; NULL after a message. Free it. */
char *cli_read_input(const char *path, size_t *bytes);

/* The model to use: `given` if not NULL, else the first default that exists. NULL after a message
 * that lists the places. Static storage. */
const char *cli_model_path(const char *given);
/* The story model that comes along; NULL: it is at none of the places. Static storage. */
const char *cli_story_path(void);

/* -- text (text.c) -----------------------------------------------------------------------------*/

/* Length of the valid UTF-8 sequence at the start of text[bytes]; 0: it may become one with more
 * bytes; -1: it cannot. bytes >= 1. */
int cli_utf8_length(const char *text, size_t bytes);

/* Text that arrives in pieces. Sequences that are cut by a piece wait for their rest. On a
 * terminal, bytes that are no text (invalid, control characters) appear as U+FFFD. */
typedef struct cli_stream {
    FILE *out;
    bool is_terminal;
    char held[4];
    size_t held_bytes;
} cli_stream;
void cli_stream_write(cli_stream *stream, const char *text, size_t bytes);
void cli_stream_end(cli_stream *stream); /* writes what still waits */

/* "text" with quotes and escapes, as JSON wants it; invalid bytes become U+FFFD. */
void cli_print_json_string(FILE *out, const char *text, size_t bytes);
/* "text" for people: like JSON, but bytes that are no text appear as \xNN. */
void cli_print_quoted(FILE *out, const char *text, size_t bytes);
/* 9 significant digits; null for what is not finite. */
void cli_print_json_number(FILE *out, double value);

#endif
