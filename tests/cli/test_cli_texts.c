/* SPDX-License-Identifier: MIT
 * Texts that the program makes from its tables: help, man page, completions (the committed copies
 * must not be stale), and JSON. */
#include "cli/child.h"

#include <sys/resource.h>

#include <tern/model.h>

#include "base/os.h"

static const char *const commands[] = {"run",      "info",    "tokenize",   "bench",
                                       "validate", "version", "completion", "help"};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void test_help(void **state) {
    (void)state;
    child_result all = child_run("--help");
    child_expect(&all, all.status == 0 && all.err[0] == '\0');
    child_result again = child_run("help");
    child_expect(&again, strcmp(again.out, all.out) == 0);
    child_free(&again);
    for (int i = 0; i < COMMANDS; i++) {
        char start[64];
        snprintf(start, sizeof start, "\n  %s ", commands[i]);
        child_expect(&all, strstr(all.out, start) != NULL);
        child_result help = child_run("help", commands[i]);
        snprintf(start, sizeof start, "Usage: tern %s [OPTION]...", commands[i]);
        child_expect(&help, help.status == 0 && help.err[0] == '\0');
        child_expect(&help, strncmp(help.out, start, strlen(start)) == 0);
        child_expect(&help, strstr(help.out, "-h, --help") != NULL);
        for (char *line = help.out; *line != '\0'; line += strcspn(line, "\n") + 1)
            child_expect(&help, strcspn(line, "\n") <= 80);
        child_result option = child_run(commands[i], "--help");
        child_expect(&option, option.status == 0 && strcmp(option.out, help.out) == 0);
        child_free(&option);
        option = child_run(commands[i], "-h");
        child_expect(&option, option.status == 0 && strcmp(option.out, help.out) == 0);
        child_free(&option);
        child_free(&help);
    }
    child_free(&all);
}

/* The defaults of the program are those of the library. */
static void test_sampler_defaults(void **state) {
    (void)state;
    tern_sampler_options d = tern_sampler_options_default();
    const struct {
        const char *option;
        double value;
    } rows[] = {
        {"--temp ", (double)d.temperature},
        {"--top-k ", d.top_k},
        {"--top-p ", (double)d.top_p},
        {"--min-p ", (double)d.min_p},
        {"--repeat-penalty ", (double)d.repeat_penalty},
        {"--repeat-last ", d.repeat_last},
    };
    child_result help = child_run("help", "run");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *option = strstr(help.out, rows[i].option);
        child_expect(&help, option != NULL);
        const char *value = strstr(option, "default ");
        child_expect(&help, value != NULL);
        if (strtof(value + 8, NULL) != (float)rows[i].value)
            fail_msg("%s: default %.8s in the help, %g in the library", rows[i].option, value + 8,
                     rows[i].value);
    }
    child_free(&help);
}

static tern__os_table small_memory;

static void *small_pages_map(size_t bytes) {
    return bytes <= (size_t)64 << 20 ? tern__os_default.pages_map(bytes) : NULL;
}

/* The choices of --shape are the shapes of the library: it makes "tiny", and for the others it asks
 * for memory, which is refused here, instead of saying that it does not know them. */
static void test_shapes(void **state) {
    (void)state;
    child_result r = child_run("bench", "--shape", "9b");
    char *choices = strstr(r.err, "is not one of ");
    child_expect(&r, r.status == 2 && choices != NULL);
    choices += strlen("is not one of ");
    choices[strcspn(choices, "\n")] = '\0';

    small_memory = tern__os_default;
    small_memory.pages_map = small_pages_map;
    tern__os_set(&small_memory);
    tern_context *context;
    tern_model *model;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_status(tern_model_random(context, "9b", 1, NULL, &model), TERN_E_ARGUMENT);
    char known[256];
    snprintf(known, sizeof known, "%s", tern_last_error());
    int count = 0, separators = 0;
    for (char *name = strtok(choices, "|"); name != NULL; name = strtok(NULL, "|"), count++) {
        bool is_tiny = strcmp(name, "tiny") == 0;
        tern_status status = tern_model_random(context, name, 1, NULL, &model);
        if (status != (is_tiny ? TERN_OK : TERN_E_MEMORY))
            fail_msg("%s: %s: %s", name, tern_status_name(status), tern_last_error());
        if (strstr(known, name) == NULL)
            fail_msg("%s is not in '%s'", name, known);
        tern_model_release(model);
    }
    for (const char *c = known; *c != '\0'; c++)
        separators += *c == ',';
    assert_int_equal(count, separators + 1);
    tern_context_destroy(context);
    tern__os_set(NULL);
    child_free(&r);
}

/* -- committed copies --------------------------------------------------------------------------*/

static void test_committed_copies(void **state) {
    (void)state;
    const struct {
        const char *path, *arguments[3];
    } copies[] = {
        {"docs/tern.1", {"help", "--man"}},
        {"docs/OPS.md", {"help", "--ops"}},
        {"completions/tern.bash", {"completion", "bash"}},
        {"completions/_tern", {"completion", "zsh"}},
        {"completions/tern.fish", {"completion", "fish"}},
    };
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        char path[4096];
        child_result made =
            child_run_in(child_source_folder(), child_program(), "", copies[i].arguments);
        child_expect(&made, made.status == 0 && made.out_bytes > 500);
        char *committed = test_read_file(test_path(copies[i].path, path, sizeof path), NULL);
        if (strcmp(committed, made.out) != 0)
            fail_msg("%s is stale: tern %s %s > %s", copies[i].path, copies[i].arguments[0],
                     copies[i].arguments[1], copies[i].path);
        free(committed);
        child_free(&made);
    }
}

/* What a shell command prints, NULL when it fails. */
static char *shell_output(const char *command) {
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char *text = child_read_all(fileno(pipe), NULL);
    if (pclose(pipe) == 0)
        return text;
    free(text);
    return NULL;
}

static void test_man_page(void **state) {
    (void)state;
    if (!child_has_tool("mandoc"))
        test_skip("mandoc is not installed: the man page is not checked");
    char command[4200];
    snprintf(command, sizeof command, "cd '%s' && mandoc -T lint docs/tern.1 2>&1",
             child_source_folder());
    char *text = shell_output(command);
    if (text == NULL || text[0] != '\0')
        fail_msg("mandoc: %s", text != NULL ? text : "failed");
    free(text);
}

static void test_bash_completion(void **state) {
    (void)state;
    if (!child_has_tool("bash"))
        test_skip("bash is not installed: its completion is not tried");
    const struct {
        const char *words, *expected;
    } rows[] = {
        {"tern ru", "run\n"},
        {"tern --ver", "--version\n"},
        {"tern run --te", "--temp\n"},
        {"tern run --repeat-", "--repeat-penalty --repeat-last\n"},
        {"tern run --color a", "auto always\n"},
        {"tern run models/tern-s", "models/tern-story-i2_s.gguf\n"},
        {"tern run --file models/tern-s", "models/tern-story-i2_s.gguf\n"},
        {"tern run --seed m", "\n"},
        {"tern bench --shape 2", "2b4t\n"},
        {"tern bench ternary_l", "ternary_linear\n"},
        {"tern validate --save", "--save-baseline\n"},
        {"tern validate --from README", "README.md\n"},
        {"tern help tok", "tokenize\n"},
        {"tern completion f", "fish\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char command[8192];
        snprintf(command, sizeof command,
                 "cd '%s' && bash -c '. completions/tern.bash; COMP_WORDS=(%s); "
                 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tern; echo \"${COMPREPLY[*]}\"'",
                 child_source_folder(), rows[i].words);
        char *text = shell_output(command);
        if (text == NULL || strcmp(text, rows[i].expected) != 0)
            fail_msg("'%s' becomes '%s', expected '%s'", rows[i].words, text != NULL ? text : "",
                     rows[i].expected);
        free(text);
    }
}

static void test_fish_completion(void **state) {
    (void)state;
    if (!child_has_tool("fish"))
        test_skip("fish is not installed: its completion is not tried");
    const struct {
        const char *line, *expected;
    } rows[] = {
        {"tern ru", "run\tcontinues"},
        {"tern run --color=a", "--color=always\t"},
        {"tern bench ternary_l", "ternary_linear\n"},
        {"tern validate --save", "--save-baseline\n"},
        {"tern validate --from README", "README.md\n"},
        {"tern help tok", "tokenize\n"},
        {"tern completion z", "zsh\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char command[4300];
        snprintf(command, sizeof command,
                 "cd '%s' && fish --no-config -c 'source completions/tern.fish; complete -C "
                 "\"%s\"' | sort",
                 child_source_folder(), rows[i].line);
        char *text = shell_output(command);
        if (text == NULL || strstr(text, rows[i].expected) != text)
            fail_msg("'%s' becomes '%s', expected '%s'", rows[i].line, text != NULL ? text : "",
                     rows[i].expected);
        free(text);
    }
}

static void test_zsh_completion(void **state) {
    (void)state;
    if (!child_has_tool("zsh"))
        test_skip("zsh is not installed: its completion is not checked");
    char command[4300];
    snprintf(command, sizeof command, "cd '%s' && zsh -n completions/_tern 2>&1",
             child_source_folder());
    char *text = shell_output(command);
    if (text == NULL || text[0] != '\0')
        fail_msg("zsh -n completions/_tern: %s", text != NULL ? text : "failed");
    free(text);
}

/* -- JSON --------------------------------------------------------------------------------------*/

static void check_json(const child_result *r) {
    FILE *checker = popen("python3 -c 'import json, sys; json.loads(sys.stdin.buffer.read()"
                          ".decode(\"utf-8\"), parse_constant=lambda c: 1/0)'",
                          "w");
    assert_non_null(checker);
    fwrite(r->out, 1, r->out_bytes, checker);
    if (pclose(checker) != 0)
        fail_msg("this is no JSON:\n%s", r->out);
}

static void test_json(void **state) {
    (void)state;
    if (!child_has_tool("python3"))
        test_skip("python3 is not installed: JSON is not checked");
    const char *const rows[][12] = {
        {"info", "--json"},
        {"tokenize", "--json", "-p", "A \"quote\", a \\, a tab\t and \x01\xC3\xB6\xF0\x9F\x98\x80"},
        {"tokenize", "--json", "-p", "\xC3\x28 broken \xFF"},
        {"tokenize", "--json", "-p", ""},
        {"tokenize", "--json", "--ids", "-p", "Once upon a time"},
        {"bench", "--json", "--list"},
        {"bench", "--json", "-p", "4", "-n", "2", "-r", "1", "-t", "1,2"},
        {"bench", "--json", "-r", "2", "-t", "1,2", "team_run", "tensor_create"},
        {"bench", "--json", "-r", "1", "-t", "1", "ternary_batch"},
        {"bench", "--json", "--quick", "-r", "1", "operations", "--only", "transpose,add"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        child_result r = child_run_in(child_source_folder(), child_program(), "", rows[i]);
        child_expect(&r, r.status == 0);
        check_json(&r);
        child_free(&r);
    }
    child_result r = child_run("tokenize", "--json", "--ids", "-p", "Once upon");
    child_expect(&r, strcmp(r.out, "[1130, 619]\n") == 0);
    child_free(&r);
}

/* The list is closed when a measurement fails: the first one, or one behind others. */
static void test_json_of_failures(void **state) {
    (void)state;
    char no_model[512];
    child_result r =
        child_run("bench", "--json", "-r", "1", test_path("README.md", no_model, sizeof no_model));
    child_expect(&r, r.status == 1 && strcmp(r.out, "[]\n") == 0 && r.err[0] != '\0');
    child_free(&r);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (TERN_EMULATOR[0] != '\0' || !child_has_tool("python3"))
        return;
    /* Stacks too large for any address space: no second thread can be started. */
    struct rlimit before, huge;
    assert_int_equal(getrlimit(RLIMIT_STACK, &before), 0);
    huge = (struct rlimit){(rlim_t)1 << 47, before.rlim_max};
    if (setrlimit(RLIMIT_STACK, &huge) != 0)
        test_skip("the stack is limited: no thread can be made to fail");
    child_result rows[2];
    rows[0] = child_run("bench", "--json", "-p", "4", "-n", "0", "-r", "1", "-t", "1,2");
    rows[1] = child_run("bench", "--json", "-r", "1", "-t", "1,2", "ternary_linear");
    setrlimit(RLIMIT_STACK, &before);
    for (int i = 0; i < 2; i++) {
        child_expect(&rows[i], rows[i].status == 1 && strstr(rows[i].out, "median") != NULL);
        check_json(&rows[i]);
        child_free(&rows[i]);
    }
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_sampler_defaults),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_committed_copies),
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_bash_completion),
        cmocka_unit_test(test_fish_completion),
        cmocka_unit_test(test_zsh_completion),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_failures),
    };
    return cmocka_run_group_tests(tests, child_clean_environment, NULL);
}
