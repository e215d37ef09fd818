/* SPDX-License-Identifier: MIT
 * Running the built program as a child process. TERN_CLI in the environment names another one. */
#ifndef TERN_TEST_CHILD_H
#define TERN_TEST_CHILD_H

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a finished child left. Strings end with NUL; child_free releases them. */
typedef struct child_result {
    int status; /* exit status, or 1000 + the number of the signal that ended it */
    char *out, *err;
    size_t out_bytes;
} child_result;

static inline const char *child_program(void) {
    const char *program = getenv("TERN_CLI");
    return program != NULL ? program : TERN_PROGRAM;
}

/* Replaces the process. `arguments` ends with NULL; an emulator comes before the program. */
static inline void child_exec(const char *program, const char *const *arguments) {
    char emulator[] = TERN_EMULATOR;
    const char *words[64];
    int count = 0;
    for (char *word = strtok(emulator, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    words[count++] = program;
    while (*arguments != NULL && count < 63)
        words[count++] = *arguments++;
    words[count] = NULL;
    execvp(words[0], (char *const *)(uintptr_t)words);
    fprintf(stderr, "cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static inline int child_wait(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline char *child_read_all(int fd, size_t *bytes) {
    size_t used = 0, capacity = 4096;
    char *data = malloc(capacity);
    assert_non_null(data);
    for (ssize_t got; (got = read(fd, data + used, capacity - used - 1)) > 0;) {
        used += (size_t)got;
        if (capacity - used < 2)
            data = realloc(data, capacity *= 2);
        assert_non_null(data);
    }
    data[used] = '\0';
    if (bytes != NULL)
        *bytes = used;
    return data;
}

/* Runs `program` in `folder` with `input` on its standard input. Output goes through files, so no
 * pipe can fill up. */
static inline child_result child_run_in(const char *folder, const char *program, const char *input,
                                        const char *const *arguments) {
    FILE *files[3];
    for (int i = 0; i < 3; i++) {
        files[i] = tmpfile();
        assert_non_null(files[i]);
    }
    fputs(input, files[0]);
    rewind(files[0]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            dup2(fileno(files[i]), i);
        if (chdir(folder) != 0)
            _exit(126);
        child_exec(program, arguments);
    }
    child_result result = {.status = child_wait(pid)};
    lseek(fileno(files[1]), 0, SEEK_SET);
    lseek(fileno(files[2]), 0, SEEK_SET);
    result.out = child_read_all(fileno(files[1]), &result.out_bytes);
    result.err = child_read_all(fileno(files[2]), NULL);
    for (int i = 0; i < 3; i++)
        fclose(files[i]);
    return result;
}

static inline void child_free(child_result *result) {
    free(result->out);
    free(result->err);
    *result = (child_result){0};
}

/* tern ARGUMENT... in the source folder, where models/ is. */
#define child_run(...) child_run_input("", __VA_ARGS__)
#define child_run_input(input, ...)                                                                \
    child_run_in(child_source_folder(), child_program(), input,                                    \
                 (const char *const[]){__VA_ARGS__, NULL})

static inline const char *child_source_folder(void) {
    static char folder[4096];
    return test_path("", folder, sizeof folder);
}

/* Fails with all that the child said. */
#define child_expect(result, condition)                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s\nstatus %d\nstdout: %s\nstderr: %s", #condition, (result)->status,        \
                     (result)->out, (result)->err);                                                \
    } while (0)

static inline bool child_has_tool(const char *name) {
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

/* A clean environment, as a group set-up. */
static inline int child_clean_environment(void **state) {
    (void)state;
    unsetenv("TERN_MODEL");
    unsetenv("TERN_CPU");
    unsetenv("TERN_DEVICE");
    setenv("TERN_PLUGIN_PATH", "/nowhere", 1); /* the processor is the only device */
    unsetenv("NO_COLOR");
    return setenv("TERM", "xterm", 1);
}

#endif
