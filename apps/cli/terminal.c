/* SPDX-License-Identifier: MIT
 * The terminal, the clock and the files around the program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { PIPE_WIDTH = 140 };

bool cli_has_color(FILE *stream, const char *word) {
    if (strcmp(word, "auto") != 0)
        return strcmp(word, "always") == 0;
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

double cli_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int cli_width(FILE *stream) {
    struct winsize size;
    if (!isatty(fileno(stream)) || ioctl(fileno(stream), TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

int cli_table_width(void) {
    const char *columns = getenv("COLUMNS");
    int width = cli_width(stdout);
    int64_t given;
    if (width == 0 && columns != NULL && cli_read_integer(columns, "20..1000", &given))
        width = (int)given;
    return width > 0 ? width : PIPE_WIDTH;
}

enum { BAR_WIDTH = 30 };
static const double BAR_DELAY = 0.3; /* seconds; what is faster needs no bar */

cli_progress cli_progress_begin(void) {
    return (cli_progress){.start = cli_now(), .is_terminal = isatty(fileno(stderr)) != 0};
}

void cli_progress_update(void *progress, double fraction) {
    cli_progress *p = progress;
    if (!p->is_terminal || cli_now() - p->start < BAR_DELAY)
        return;
    p->is_shown = true;
    int filled = (int)(fraction * BAR_WIDTH);
    fprintf(stderr, "\rloading [%.*s%*s] %3d %%", filled, "##############################",
            BAR_WIDTH - filled, "", (int)(fraction * 100));
    fflush(stderr);
}

void cli_progress_end(cli_progress *progress) {
    if (progress->is_shown)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 20, "");
}

/* errno of the first failed flush: stdio keeps no record of it. */
static int output_error;

bool cli_flush(void) {
    if (output_error == 0 && fflush(stdout) != 0)
        output_error = errno;
    if (output_error == 0 && ferror(stdout))
        output_error = EIO;
    return output_error == 0;
}

int cli_finish_output(int status) {
    if (cli_flush())
        return status;
    if (output_error == EPIPE)
        return CLI_BROKEN_PIPE;
    fprintf(stderr, "tern: cannot write to standard output: %s\n", strerror(output_error));
    return CLI_FAILED;
}

char *cli_read_input(const char *path, size_t *bytes) {
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    char *data = NULL;
    size_t used = 0, capacity = 0;
    if (file == NULL)
        goto failed;
    for (;;) {
        if (capacity - used < 2) {
            capacity = capacity == 0 ? 65536 : capacity * 2;
            char *larger = realloc(data, capacity);
            if (larger == NULL)
                goto failed;
            data = larger;
        }
        size_t got = fread(data + used, 1, capacity - used - 1, file);
        used += got;
        if (got == 0)
            break;
    }
    if (ferror(file))
        goto failed;
    if (!is_stdin)
        fclose(file);
    data[used] = '\0';
    *bytes = used;
    return data;
failed:
    cli_fail("%s: %s", is_stdin ? "standard input" : path, strerror(errno));
    free(data);
    if (file != NULL && !is_stdin)
        fclose(file);
    return NULL;
}
