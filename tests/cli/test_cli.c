/* SPDX-License-Identifier: MIT
 * The program from outside: what it writes where, its exit status, misuse, bad files, signals and
 * broken outputs. */
#include "cli/child.h"
#include "gguf_builder.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

static const char golden[] =
    "Once upon a time, there was a little girl named Lily. She loved to play with her toys and eat "
    "yummy snack. One day, she saw a big, pretty\n";

static const char story[] = "models/tern-story-i2_s.gguf";

/* -- run ---------------------------------------------------------------------------------------*/

static void test_story(void **state) {
    (void)state;
    const char *const models[] = {"--quiet", story}; /* the default, and the same by name */
    for (int i = 0; i < 2; i++) {
        child_result r =
            child_run("run", models[i], "-p", "Once upon a time", "-n", "32", "--temp", "0");
        child_expect(&r, r.status == 0);
        child_expect(&r, strcmp(r.out, golden) == 0);
        if (i == 0) {
            child_expect(&r, r.err[0] == '\0');
        } else {
            child_expect(&r, strncmp(r.err, "load ", 5) == 0);
            child_expect(&r, strstr(r.err, " ms, prompt 5 tokens (") != NULL);
            child_expect(&r, strstr(r.err, "generated 32 tokens (") != NULL);
            child_expect(&r, strstr(r.err, " MiB, seed ") != NULL);
            child_expect(&r, strchr(r.err, '\n') == r.err + strlen(r.err) - 1);
        }
        child_free(&r);
    }
    child_result r = child_run("run", "-qn32", "--temp=0", "--threads", "2", "--cpu=scalar",
                               "--prompt=Once upon a time", "--", story);
    child_expect(&r, r.status == 0 && strcmp(r.out, golden) == 0);
    child_free(&r);
}

static void test_prompt_sources(void **state) {
    (void)state;
    char path[4096] = "/tmp/tern-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "Once upon a time", 16), 16);
    close(fd);
    child_result r[3];
    r[0] = child_run_input("Once upon a time", "run", "-q", "-n", "32", "--temp", "0", "-p", "-");
    r[1] = child_run_input("Once upon a time", "run", "-q", "-n", "32", "--temp", "0", "-f", "-");
    r[2] = child_run("run", "-q", "-n", "32", "--temp", "0", "--file", path);
    unlink(path);
    for (int i = 0; i < 3; i++) {
        child_expect(&r[i], r[i].status == 0 && strcmp(r[i].out, golden) == 0);
        child_free(&r[i]);
    }
    /* Without a prompt the model begins by itself, from the token that begins a text. */
    r[0] = child_run("run", "-n", "12", "--temp", "0");
    child_expect(&r[0], r[0].status == 0 && strlen(r[0].out) > 12);
    child_expect(&r[0], strstr(r[0].err, "prompt 1 token (") != NULL);
    r[1] = child_run("run", "-n", "12", "--temp", "0", "-p", "");
    child_expect(&r[1], strcmp(r[0].out, r[1].out) == 0);
    child_free(&r[0]);
    child_free(&r[1]);
    r[0] = child_run("run", "-p", "Hello", "-n", "0");
    child_expect(&r[0], r[0].status == 0 && strcmp(r[0].out, "Hello\n") == 0);
    child_expect(&r[0], strstr(r[0].err, "generated 0 tokens,") != NULL);
    child_free(&r[0]);
}

/* The seed that is printed repeats the run; another one does not. */
static void test_seed(void **state) {
    (void)state;
    child_result first = child_run("run", "-p", "The", "-n", "40", "--temp", "1.5");
    child_expect(&first, first.status == 0);
    char *seed = strstr(first.err, "seed ");
    child_expect(&first, seed != NULL);
    seed += 5;
    seed[strcspn(seed, "\n")] = '\0';
    child_result again = child_run("run", "-p", "The", "-n", "40", "--temp", "1.5", "--seed", seed);
    child_expect(&again, strcmp(again.out, first.out) == 0);
    child_result other = child_run("run", "-p", "The", "-n", "40", "--temp", "1.5");
    child_expect(&other, strcmp(other.out, first.out) != 0);
    child_free(&first);
    child_free(&again);
    child_free(&other);
}

static void test_context(void **state) {
    (void)state;
    child_result r = child_run("run", "-p", "Once upon a time", "--temp", "0", "--ctx", "12");
    child_expect(&r, r.status == 0);
    child_expect(&r, strstr(r.err, "the context of 12 tokens is full") != NULL);
    child_expect(&r, strstr(r.err, "generated 7 tokens") != NULL);
    child_expect(&r, strncmp(r.out, golden, strlen(r.out) - 1) == 0);
    child_free(&r);
    r = child_run("run", "-p", "Once upon a time", "-n", "7", "--temp", "0", "--ctx", "13");
    child_expect(&r, r.status == 0 && strstr(r.err, "full") == NULL);
    child_free(&r);
    r = child_run("run", "-p", "Once upon a time", "--ctx", "4");
    child_expect(&r, r.status == 1);
    child_expect(&r, strstr(r.err, "tern: the prompt has 5 tokens, the context holds 4") != NULL);
    child_free(&r);
    r = child_run("run", "--ctx", "513");
    child_expect(&r, r.status == 1 && strstr(r.err, "the model's context has 512 tokens") != NULL);
    child_free(&r);
}

/* Rounded keys and values: as good a story, in half the memory and less (checked where sessions are
 * tested). */
static void test_cache(void **state) {
    (void)state;
    child_result r = child_run("run", "-q", "-p", "Once upon a time", "-n", "8", "--temp", "0",
                               "--cache", "f16");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    child_expect(&r, strncmp(r.out, golden, strlen("Once upon a time, ")) == 0);
    child_free(&r);
    double mebibytes[3];
    for (int i = 0; i < 3; i++) {
        r = child_run("bench", "-p", "64", "-n", "0", "-r", "1", "--cache",
                      (const char *[]){"f32", "f16", "i8"}[i]);
        const char *cache = strstr(r.out, " cache ");
        child_expect(&r, r.status == 0 && cache != NULL);
        mebibytes[i] = strtod(cache + 7, NULL);
        child_free(&r);
    }
    assert_true(mebibytes[1] > 0 && mebibytes[1] < 0.6 * mebibytes[0]);
    assert_true(mebibytes[2] > 0 && mebibytes[2] < 0.6 * mebibytes[1]);
}

/* What this process holds when it starts the program is not the program's. */
static void test_peak_memory(void **state) {
    (void)state;
    enum { MIB = 1 << 20, HELD = 400 };
    char *held = malloc((size_t)HELD * MIB);
    assert_non_null(held);
    memset(held, 1, (size_t)HELD * MIB);
    child_result r = child_run("run", "-p", "A", "-n", "2");
    free(held);
    const char *peak = strstr(r.err, "peak memory ");
    child_expect(&r, r.status == 0 && peak != NULL);
    double mebibytes = strtod(peak + 12, NULL);
    child_expect(&r, mebibytes > 3 && mebibytes < HELD * 3 / 4);
    child_free(&r);
}

static void test_color(void **state) {
    (void)state;
    child_result r = child_run("run", "-p", "A", "-n", "3");
    child_expect(&r, strchr(r.out, '\033') == NULL && strchr(r.err, '\033') == NULL);
    child_free(&r);
    r = child_run("run", "-p", "A", "-n", "3", "--color", "always");
    child_expect(&r, strncmp(r.out, "\033[1mA\033[0m", 9) == 0 && strchr(r.err, '\033') != NULL);
    child_free(&r);
}

/* Runs with stdout (unless it goes to `out`) and stderr on a terminal of its own; returns what
 * appeared there. */
static char *run_on_terminal_but(FILE *out, const char *const *arguments) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
        dup2(out != NULL ? fileno(out) : slave, 1);
        dup2(slave, 2);
        if (chdir(child_source_folder()) != 0)
            _exit(126);
        child_exec(child_program(), arguments);
    }
    int keep = open(ptsname(master), O_RDWR | O_NOCTTY); /* until the child has ended */
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_int_equal(child_wait(pid), 0);
    fcntl(master, F_SETFL, O_NONBLOCK);
    size_t used = 0;
    for (ssize_t got; (got = read(master, text + used, 65535 - used)) > 0;)
        used += (size_t)got;
    close(keep);
    close(master);
    return text;
}

static char *run_on_terminal(const char *const *arguments) {
    return run_on_terminal_but(NULL, arguments);
}

/* The figures have a line of their own, whatever the story ends with and wherever it goes. */
static void test_figures_on_terminal(void **state) {
    (void)state;
    const char *const run[] = {"run",    "-p", "Once upon a time", "-n",    "120",
                               "--temp", "0",  "--color",          "never", NULL};
    child_result plain = child_run_in(child_source_folder(), child_program(), "", run);
    child_expect(&plain, plain.status == 0 && strlen(plain.out) > 300);
    char *text = run_on_terminal(run);
    char *shown = calloc(1, strlen(text) + 1); /* without the terminal's returns */
    assert_non_null(shown);
    for (size_t i = 0, n = 0; text[i] != '\0'; i++)
        if (text[i] != '\r')
            shown[n++] = text[i];
    size_t length = strlen(plain.out);
    assert_int_equal(plain.out[length - 1], '\n');
    if (strncmp(shown, plain.out, length) != 0 || strncmp(shown + length, "load ", 5) != 0 ||
        strchr(shown + length, '\n') != shown + strlen(shown) - 1)
        fail_msg("on a terminal: %s\nelsewhere: %s", shown, plain.out);
    free(shown);
    free(text);

    FILE *out = tmpfile();
    assert_non_null(out);
    text = run_on_terminal_but(out, run);
    lseek(fileno(out), 0, SEEK_SET);
    char *story_text = child_read_all(fileno(out), NULL);
    assert_string_equal(story_text, plain.out);
    assert_int_equal(strncmp(text, "load ", 5), 0);
    fclose(out);
    free(story_text);
    free(text);
    child_free(&plain);
}

static void test_terminal(void **state) {
    (void)state;
    const char *const run[] = {"run", "-p", "A", "-n", "3", NULL};
    char *text = run_on_terminal(run);
    assert_non_null(strstr(text, "\033[1mA\033[0m"));
    free(text);
    setenv("NO_COLOR", "1", 1);
    text = run_on_terminal(run);
    assert_null(strchr(text, '\033'));
    unsetenv("NO_COLOR");
    free(text);
    /* Half a character, a whole one, and a control character that could drive the terminal. */
    text = run_on_terminal(
        (const char *const[]){"tokenize", "--decode", "195", "182", "195", "65", NULL});
    assert_string_equal(text, "\xC3\xB6\xEF\xBF\xBD"
                              "A\r\n");
    free(text);
    text = run_on_terminal((const char *const[]){"tokenize", "--decode", "27", "65", "226", NULL});
    assert_string_equal(text, "\xEF\xBF\xBD"
                              "A\xEF\xBF\xBD\r\n");
    free(text);
}

/* -- misuse ------------------------------------------------------------------------------------*/

static void test_misuse(void **state) {
    (void)state;
    const struct {
        const char *arguments[6];
        int status;
        const char *message;
    } rows[] = {
        {{"rum"}, 2, "unknown command 'rum'; did you mean 'run'?"},
        {{"tokenise"}, 2, "did you mean 'tokenize'?"},
        {{"frobnicate"}, 2, "unknown command 'frobnicate'\n"},
        {{""}, 2, "unknown command ''\n"},
        {{"--frobnicate"}, 2, "unknown option '--frobnicate'\n"},
        {{"run", "--tmep", "1"}, 2, "run: unknown option '--tmep'; did you mean '--temp'?"},
        {{"run", "--frobnicate=3"}, 2, "run: unknown option '--frobnicate'\n"},
        {{"run", "--to", "1"}, 2, "option '--to' is ambiguous"},
        {{"run", "-x"}, 2, "unknown option '-x'"},
        {{"run", "-n"}, 2, "--tokens: an argument is missing"},
        {{"run", "--seed"}, 2, "--seed: an argument is missing"},
        {{"run", "--quiet=3"}, 2, "--quiet: takes no argument"},
        {{"run", "-n", "abc"}, 2, "--tokens: 'abc' is not a whole number within 0.."},
        {{"run", "-n", ""}, 2, "--tokens: '' is not"},
        {{"run", "-n", "1.5"}, 2, "--tokens: '1.5' is not"},
        {{"run", "-n", " 5"}, 2, "--tokens: ' 5' is not"},
        {{"run", "-n", "0x10"}, 2, "--tokens: '0x10' is not"},
        {{"run", "-n", "-1"}, 2, "--tokens: '-1' is not"},
        {{"run", "-n", "99999999999999999999"}, 2, "is not a whole number"},
        {{"run", "--seed", "18446744073709551617"}, 2, "is not a whole number"},
        {{"run", "--threads", "0"}, 2, "--threads: '0' is not a whole number within 1..1024"},
        {{"run", "--threads", "1025"}, 2, "--threads: '1025' is not a whole number within 1..1024"},
        {{"run", "--temp", "-1"}, 2, "--temp: '-1' is not a number within 0..100"},
        {{"run", "--temp", "nan"}, 2, "--temp: 'nan' is not"},
        {{"run", "--temp", "inf"}, 2, "--temp: 'inf' is not"},
        {{"run", "--temp", "1e999"}, 2, "--temp: '1e999' is not"},
        {{"run", "--temp", "0.5x"}, 2, "--temp: '0.5x' is not"},
        {{"run", "--top-p", "1.01"}, 2, "--top-p: '1.01' is not a number within 0..1"},
        {{"run", "--min-p", "-0.1"}, 2, "--min-p: '-0.1' is not"},
        {{"run", "--repeat-penalty", "0"}, 2, "--repeat-penalty: '0' is not"},
        {{"run", "--ctx", "0"}, 2, "--ctx: '0' is not"},
        {{"run", "--color", "maybe"}, 2, "--color: 'maybe' is not one of auto|always|never"},
        {{"run", "--color", "auto|always"}, 2, "is not one of"},
        {{"run", "--cache", "q8"}, 2, "--cache: 'q8' is not one of f32|f16|i8"},
        {{"run", "--track", "all"}, 2, "--track: 'all' is not one of counts|sites|full"},
        {{"run", "--memory-report=json"}, 2, "--memory-report: takes no argument"},
        {{"run", "--memory-json"}, 2, "--memory-json: an argument is missing"},
        {{"run", "--cpu", "z80"}, 2, "run: --cpu: "},
        {{"run", "-p", "a", "-f", "b"}, 2, "exclude each other"},
        {{"run", "a.gguf", "Once"}, 2, "unexpected argument 'Once'; text goes behind -p"},
        {{"info", "a", "b"}, 2, "info: unexpected argument 'b'"},
        {{"tokenize", "a", "b"}, 2, "tokenize: unexpected argument 'b'"},
        {{"tokenize", "--decode"}, 2, "no ids are given"},
        {{"tokenize", "--decode", "1", "-p", "x"}, 2, "exclude each other"},
        {{"tokenize", "--decode", "4096"}, 1, "token 4096 is outside 0..4095"},
        {{"tokenize", "--decode", "99999999999999999999"}, 1, "is outside"},
        {{"tokenize", "-f", "/no/such/text"}, 1, "tern: /no/such/text: No such file"},
        {{"run", "-f", "/no/such/text"}, 1, "tern: /no/such/text: No such file"},
        {{"run", "-f", "/tmp"}, 1, "tern: /tmp: Is a directory"},
        {{"bench", "--shape", "9b"}, 2, "--shape: '9b' is not one of 2b4t|"},
        {{"bench", "--cache", "bf16"}, 2, "--cache: 'bf16' is not one of f32|f16|i8"},
        {{"bench", "--threads", "1,,2"}, 2, "--threads: '1,,2' is not"},
        {{"bench", "--threads", "1,0"}, 2, "--threads: '1,0' is not"},
        {{"bench", "team_runn"}, 1, "neither a file nor a benchmark; did you mean 'team_run'?"},
        {{"bench", "a", "b"}, 2, "give either one MODEL, or --shape, or names"},
        {{"bench", "team_run", "--shape", "tiny"}, 2, "give either"},
        {{"bench", "-p", "0", "-n", "0"}, 2, "both 0"},
        {{"bench", "-r", "0"}, 2, "--repeats: '0' is not"},
        {{"bench", "memory", "--vs", "openblas"}, 2, "--vs is for matmul only"},
        {{"bench", "team_run", "--only", "add"}, 2, "--only are for tables only"},
        {{"bench", "roofline", "kernels"}, 2, "names of benchmarks, or one table"},
        {{"bench", "kernels", "--shape", "tiny", "--quick"}, 2, "and without --shape"},
        {{"bench", "kernels", "--only", "K8"},
         1,
         "'K8' is none of K1, K2, K3, K4, K5, K6, K7, T1b, KERN, trits4"},
        {{"bench", "memory", "--only", "T3,T4"}, 1, "'T4' is none of T3, T5a, T5b"},
        {{"bench", "operations", "--only", "addd"}, 1, "'addd' is none of OPS, empty, zeros"},
        {{"bench", "team_run", "--cpu", "z80"}, 2, "bench: --cpu: "},
        {{"version", "x"}, 2, "unexpected argument 'x'"},
        {{"completion"}, 2, "name one shell"},
        {{"completion", "tcsh"}, 2, "unknown shell 'tcsh'"},
        {{"help", "rum"}, 2, "did you mean 'run'?"},
        {{"help", "run", "info"}, 2, "unexpected argument 'info'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        child_result r =
            child_run_in(child_source_folder(), child_program(), "", rows[i].arguments);
        if (r.status != rows[i].status || strstr(r.err, rows[i].message) == NULL ||
            strncmp(r.err, "tern: ", 6) != 0)
            fail_msg("row %zu (%s): status %d, expected %d with '%s'\nstdout: %s\nstderr: %s", i,
                     rows[i].arguments[0], r.status, rows[i].status, rows[i].message, r.out, r.err);
        if (r.status == 2)
            child_expect(&r, r.out[0] == '\0' && strstr(r.err, "\nTry 'tern help") != NULL);
        child_free(&r);
    }
    child_result r =
        child_run_in(child_source_folder(), child_program(), "", (const char *const[]){NULL});
    child_expect(&r, r.status == 2 && r.out[0] == '\0' && strstr(r.err, "Usage: tern") != NULL);
    child_free(&r);
}

/* -- files -------------------------------------------------------------------------------------*/

static void write_file(const char *path, const char *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static char test_folder[] = "/tmp/tern-cli-XXXXXX";

static const char *in_folder(const char *name, char *path, size_t size) {
    snprintf(path, size, "%s/%s", test_folder, name);
    return path;
}

static void test_bad_files(void **state) {
    (void)state;
    char model_path[4096], paths[6][4096];
    size_t bytes;
    char *model = test_read_file(test_path(story, model_path, sizeof model_path), &bytes);
    in_folder("missing.gguf", paths[0], sizeof *paths);
    in_folder(".", paths[1], sizeof *paths);
    write_file(in_folder("empty.gguf", paths[2], sizeof *paths), "", 0);
    write_file(in_folder("text.gguf", paths[3], sizeof *paths), "Once upon a time\n", 17);
    write_file(in_folder("half.gguf", paths[4], sizeof *paths), model, bytes / 2);
    write_file(in_folder("start.gguf", paths[5], sizeof *paths), model, 100);
    free(model);
    const char *const commands[] = {"run", "info", "tokenize", "bench"};
    for (int c = 0; c < 4; c++) {
        for (int p = 0; p < 6; p++) {
            child_result r = child_run(commands[c], paths[p]);
            child_expect(&r, r.status == 1);
            child_expect(&r, strncmp(r.err, "tern: ", 6) == 0 && strlen(r.err) > 20);
            child_expect(&r, strstr(r.err, paths[p]) != NULL);
            child_expect(&r, strchr(r.err, '\n') == r.err + strlen(r.err) - 1);
            child_expect(&r, r.out[0] == '\0');
            child_free(&r);
        }
    }
    for (int p = 2; p < 6; p++)
        unlink(paths[p]);
}

static void test_model_search(void **state) {
    (void)state;
    setenv("TERN_MODEL", "/no/such/model", 1);
    child_result r = child_run("info");
    child_expect(&r, r.status == 1 && strstr(r.err, "/no/such/model") != NULL);
    child_free(&r);
    unsetenv("TERN_MODEL");

    /* A copy of the program, alone in a folder, finds nothing and tells where it looked. */
    size_t bytes;
    char path[4096];
    char *program = test_read_file(child_program(), &bytes);
    write_file(in_folder("tern", path, sizeof path), program, bytes);
    free(program);
    assert_int_equal(chmod(path, 0755), 0);
    r = child_run_in(test_folder, path, "", (const char *const[]){"info", NULL});
    unlink(path);
    if (r.status == 0) {
        child_free(&r);
        test_skip("a model is installed on this machine");
    }
    child_expect(&r, r.status == 1);
    child_expect(&r, strstr(r.err, "tern: no model was given and there is none at\n") != NULL);
    child_expect(&r, strstr(r.err, "\n  models/tern-story-i2_s.gguf\n") != NULL);
    child_expect(&r, strstr(r.err, "/../share/tern/tern-story-i2_s.gguf\n") != NULL);
    child_expect(&r, strstr(r.err, "TERN_MODEL") != NULL);
    child_free(&r);
}

/* -- broken outputs and signals ----------------------------------------------------------------*/

/* Runs with standard output on `fd`, or closed (-1). */
static child_result run_with_output(int fd, const char *const *arguments) {
    FILE *err = tmpfile();
    assert_non_null(err);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fd >= 0)
            dup2(fd, 1);
        else
            close(1);
        dup2(fileno(err), 2);
        if (chdir(child_source_folder()) != 0)
            _exit(126);
        child_exec(child_program(), arguments);
    }
    child_result result = {.status = child_wait(pid), .out = calloc(1, 1)};
    lseek(fileno(err), 0, SEEK_SET);
    result.err = child_read_all(fileno(err), NULL);
    fclose(err);
    return result;
}

static void test_broken_output(void **state) {
    (void)state;
    const char *const commands[][6] = {
        {"info"},         {"help"}, {"run", "-n", "20"}, {"version"}, {"tokenize", "-p", "abc"},
        {"help", "--man"}};
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        child_result r = run_with_output(-1, commands[i]);
        child_expect(&r, r.status == 1);
        child_expect(&r, strstr(r.err, "tern: cannot write to standard output: Bad file") != NULL);
        child_free(&r);
        r = run_with_output(full, commands[i]);
        child_expect(&r, r.status == 1);
        child_expect(&r, strstr(r.err, "standard output: No space left on device") != NULL);
        child_free(&r);
        /* A reader that went away: quiet, and the status that a shell would show. */
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        close(ends[0]);
        r = run_with_output(ends[1], commands[i]);
        close(ends[1]);
        child_expect(&r, r.status == 141 && r.err[0] == '\0');
        child_free(&r);
    }
    close(full);
}

static bool is_valid_utf8(const char *text) {
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0'; s++) {
        int more = *s < 0x80 ? 0 : *s >= 0xF0 ? 3 : *s >= 0xE0 ? 2 : 1;
        if (*s >= 0x80 && *s < 0xC2)
            return false;
        for (; more > 0; more--)
            if ((*++s & 0xC0) != 0x80)
                return false;
    }
    return true;
}

/* A prompt of `bytes` bytes in few tokens, for a pipe that nobody reads: it fills up, and the
 * program waits. */
static void fill_prompt(char *prompt, int bytes) {
    static const char word[] = " beautiful";
    for (int i = 0; i < bytes; i++)
        prompt[i] = word[i % 10];
    prompt[bytes] = '\0';
}

enum { PIPE_BYTES = 4096 };

/* Starts the program with stdout on a small pipe; returns its reading end in *fd. */
static pid_t start_into_pipe(const char *const *arguments, FILE *err, int *fd) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) >= 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], 1);
        dup2(fileno(err), 2);
        close(ends[0]);
        close(ends[1]);
        if (chdir(child_source_folder()) != 0)
            _exit(126);
        child_exec(child_program(), arguments);
    }
    close(ends[1]);
    *fd = ends[0];
    return pid;
}

/* Returns when the pipe holds `bytes`; fails when that takes a minute. */
static void wait_for_bytes(int fd, int bytes) {
    int waiting = 0;
    for (int i = 0; i < 60000 && waiting < bytes; i++) {
        assert_int_equal(ioctl(fd, FIONREAD, &waiting), 0);
        usleep(1000);
    }
    assert_in_range(waiting, bytes, PIPE_BYTES);
}

/* Ctrl-C while the text comes: the figures, complete characters, status 130. */
static void test_interrupt(void **state) {
    (void)state;
    char prompt[4001];
    fill_prompt(prompt, 4000);
    FILE *err = tmpfile();
    assert_non_null(err);
    int fd;
    pid_t pid = start_into_pipe((const char *const[]){"run", "-p", prompt, "-n", "100",
                                                      "--ignore-eos", "--temp", "2", NULL},
                                err, &fd);
    wait_for_bytes(fd, 4020);
    assert_int_equal(kill(pid, SIGINT), 0);
    usleep(20000); /* it hears the signal before there is room again */
    char *out = child_read_all(fd, NULL);
    int status = child_wait(pid);
    close(fd);
    lseek(fileno(err), 0, SEEK_SET);
    char *figures = child_read_all(fileno(err), NULL);
    fclose(err);
    if (status != 130 || strstr(figures, "generated ") == NULL ||
        strstr(figures, "generated 100 ") != NULL || !is_valid_utf8(out) ||
        out[strlen(out) - 1] != '\n')
        fail_msg("status %d\nstdout: %s\nstderr: %s", status, out, figures);
    free(figures);
    free(out);
}

/* The second Ctrl-C ends it at once, whatever it waits for. */
static void test_second_interrupt(void **state) {
    (void)state;
    char prompt[5001];
    fill_prompt(prompt, 5000); /* its echo fills the pipe */
    int fd;
    pid_t pid =
        start_into_pipe((const char *const[]){"run", "-q", "-p", prompt, NULL}, stderr, &fd);
    wait_for_bytes(fd, PIPE_BYTES);
    assert_int_equal(kill(pid, SIGINT), 0);
    usleep(20000);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* still waits for room */
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(child_wait(pid), 1000 + SIGINT);
    close(fd);
}

/* -- tokenize, info, bench, version ------------------------------------------------------------*/

static void test_tokenize(void **state) {
    (void)state;
    child_result r = child_run("tokenize", "-p", "Once upon a \"\xC3\xB6\n", "--bos");
    child_expect(&r, r.status == 0);
    child_expect(&r, strstr(r.out, "\n1130\t\"Once\"\n619\t\" upon\"\n258\t\" a\"\n") != NULL);
    child_expect(&r, strncmp(r.out, "4093\t\"", 6) == 0);
    child_expect(&r, strstr(r.out, "\"\\xc3\"\n") != NULL && strstr(r.out, "\\\"") != NULL);
    child_expect(&r, strstr(r.out, "\"\\n\"\n") != NULL);
    child_free(&r);
    r = child_run_input("Once upon a time", "tokenize", "--ids", "--bos");
    child_expect(&r, strcmp(r.out, "4093 1130 619 258 516\n") == 0);
    child_free(&r);
    r = child_run_input("", "tokenize", "--ids");
    child_expect(&r, r.status == 0 && strcmp(r.out, "\n") == 0);
    child_free(&r);
    r = child_run("tokenize", "--decode", "4093", story, "1130", "619", "195", "182", "195");
    child_expect(&r, r.status == 0 && strcmp(r.out, "Once upon\xC3\xB6\xC3") == 0);
    child_free(&r);
}

static void test_info(void **state) {
    (void)state;
    child_result r = child_run("info");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    const char *const expected[] = {"GGUF version 3, 3448128 bytes",
                                    "general.name",
                                    "tern-story",
                                    "token_embd.weight",
                                    "(4096, 256)",
                                    "I2_S",
                                    "2.002 bits/weight",
                                    "16.000 bits/weight",
                                    "4.592 bits/weight",
                                    "5776640 weights"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (strstr(r.out, expected[i]) == NULL)
            fail_msg("tern info does not tell '%s':\n%s", expected[i], r.out);
    child_free(&r);
}

/* A file that names another type for each tensor: more types than a table can hold. */
static void test_info_of_many_types(void **state) {
    (void)state;
    enum { TENSORS = 20000, ROWS = 64 };
    gguf_builder gguf = gguf_begin(3);
    for (uint32_t i = 0; i < TENSORS; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%u", i);
        gguf_add_tensor(&gguf, name, 100000 + i, TERN_SHAPE(8), NULL, 32);
    }
    gguf_finish(&gguf);
    char path[4096];
    write_file(in_folder("types.gguf", path, sizeof path), (const char *)gguf.bytes, gguf.length);
    gguf_free(&gguf);
    child_result r = child_run("info", path);
    unlink(path);
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    assert_non_null(strstr(r.out, "type 119999 "));
    const char *totals = strstr(r.out, "\nTotals\n");
    assert_non_null(totals);
    int rows = 0;
    for (const char *line = totals + 8; *line != '\0'; line += strcspn(line, "\n") + 1)
        rows++;
    assert_int_equal(rows, ROWS + 1); /* and all */
    char other[128];
    snprintf(other, sizeof other, "\n  %-12s %6d tensors %15d weights %15d bytes", "other",
             TENSORS - (ROWS - 1), 8 * (TENSORS - (ROWS - 1)), 32 * (TENSORS - (ROWS - 1)));
    if (strstr(totals, other) == NULL)
        fail_msg("no%s in%s", other, totals);
    child_free(&r);
}

static void test_bench(void **state) {
    (void)state;
    child_result r = child_run("bench", "-p", "8", "-n", "4", "-r", "2", "-t", "1,2");
    child_expect(&r, r.status == 0);
    child_expect(&r, strstr(r.out, ", 1 thread: ") != NULL);
    child_expect(&r, strstr(r.out, ", 2 threads: ") != NULL);
    child_expect(&r, strstr(r.out, "\n  pp8 ") != NULL && strstr(r.out, "\n  tg4 ") != NULL);
    child_free(&r);
    r = child_run("bench", "--shape", "tiny", "-p", "0", "-n", "4", "-r", "1");
    child_expect(&r, r.status == 0 && strncmp(r.out, "tiny, ", 6) == 0);
    child_expect(&r, strstr(r.out, " pp") == NULL && strstr(r.out, "\n  tg4 ") != NULL);
    child_free(&r);
    r = child_run("bench", "--list");
    child_expect(&r, r.status == 0 && strstr(r.out, "ternary_linear ") != NULL);
    child_free(&r);
    r = child_run("bench", "team_run", "-r", "3", "-t", "2");
    child_expect(&r, r.status == 0 && strncmp(r.out, "team_run: ", 10) == 0);
    child_free(&r);
}

static void test_version(void **state) {
    (void)state;
    child_result r = child_run("version");
    child_expect(&r, r.status == 0 && strncmp(r.out, "tern 0.1.0\nbuilt with ", 22) == 0);
    child_expect(&r, strstr(r.out, "\ncpu: ") != NULL);
    child_expect(&r, strstr(r.out, "\nprocessor: ") != NULL && strchr(r.out, ';') == NULL);
    child_result again = child_run("--version");
    child_expect(&again, strcmp(again.out, r.out) == 0);
    child_free(&again);
    child_free(&r);
    setenv("TERN_CPU", "scalar", 1);
    r = child_run("-V");
    child_expect(&r, r.status == 0 && strstr(r.out, "scalar") != NULL);
    child_free(&r);
    setenv("TERN_CPU", "z80", 1);
    r = child_run("run");
    unsetenv("TERN_CPU");
    child_expect(&r, r.status == 1 && strstr(r.err, "z80") != NULL);
    child_free(&r);
}

static int make_folder(void **state) {
    return mkdtemp(test_folder) == NULL || child_clean_environment(state) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(test_folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_prompt_sources),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_peak_memory),
        cmocka_unit_test(test_color),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_figures_on_terminal),
        cmocka_unit_test(test_info_of_many_types),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_model_search),
        cmocka_unit_test(test_broken_output),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_second_interrupt),
        cmocka_unit_test(test_tokenize),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_version),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
