/* SPDX-License-Identifier: MIT
 * `tern devices`, and --device of other commands: what is there, what is not, and what auto does
 * about a plug-in that is broken. The plug-in toy has memory that the host cannot touch and hardly
 * an operation of its own. */
#include "child.h"

#include <sys/stat.h>

#include <tern/device.h>

static char folder[] = "/tmp/tern-test-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Text where a plug-in should be. */
static void break_plugin(const char *name) {
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs("this is no shared object\n", file);
    assert_int_equal(fclose(file), 0);
}

/* The toy alone: other plug-ins for tests have other words. */
static int set_up(void **state) {
    assert_non_null(mkdtemp(folder));
    setenv("XDG_CACHE_HOME", folder, 1);
    assert_int_equal(mkdir(in_folder("plugins"), 0700), 0);
    assert_int_equal(symlink(TERN_TEST_PLUGINS "/tern_toy.so", in_folder("plugins/tern_toy.so")),
                     0);
    return child_clean_environment(state);
}

static int tear_down(void **state) {
    char command[160];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static int with_toy(void **state) {
    (void)state;
    return setenv("TERN_PLUGIN_PATH", in_folder("plugins"), 1);
}

/* Where the build has its own. */
static int with_built(void **state) {
    char place[4096];
    (void)state;
    snprintf(place, sizeof place, "%s", child_program());
    *strrchr(place, '/') = '\0';
    return setenv("TERN_PLUGIN_PATH", place, 1);
}

static void expect_words(const child_result *r, const char *text, const char *words) {
    if (strstr(text, words) == NULL)
        fail_msg("without '%s'\nstatus %d\nstdout: %s\nstderr: %s", words, r->status, r->out,
                 r->err);
}

/* -- the table ---------------------------------------------------------------------------------*/

static void absent_ones(void **state) {
    (void)state;
    child_result r = child_run("devices");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    expect_words(&r, r.out, "\ncpu ");
    expect_words(&r, r.out, "\ncuda      absent (no plug-in tern_cuda.so)\n");
    expect_words(&r, r.out, "\nmlx       absent (no plug-in tern_mlx.so)\n");
    expect_words(&r, r.out, "\nauto takes cpu: ");
    expect_words(&r, r.out, " not measured\n");
    child_free(&r);
}

static void one_of_them(void **state) {
    (void)state;
    child_result r = child_run("devices", "toy", "--measure", "--order", "16");
    child_expect(&r, r.status == 0 && strstr(r.out, "auto takes") == NULL);
    expect_words(&r, r.out, "\ntoy ");
    expect_words(&r, r.out, " yes   0.25 of 0.25 GiB   ");
    expect_words(&r, r.out,
                 "for tests, no accelerator; not measured: device toy leaves products to the CPU");
    child_free(&r);
    setenv("TERN_TOY_MEMORY", "0", 1);
    r = child_run("devices", "toy", "--measure", "--order", "16");
    unsetenv("TERN_TOY_MEMORY");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, " not measured\n");
    expect_words(&r, r.out, "; not measured: ");
    child_free(&r);
}

static void narrow_terminal(void **state) {
    (void)state;
    setenv("COLUMNS", "80", 1);
    const char *const options[] = {NULL, "--measure"};
    for (int i = 0; i < 2; i++) {
        child_result r = child_run("devices", "--order", "16", options[i]);
        child_expect(&r, r.status == 0);
        for (const char *line = r.out; *line != '\0'; line += strcspn(line, "\n") + 1)
            child_expect(&r, strcspn(line, "\n") <= 80);
        child_free(&r);
    }
    unsetenv("COLUMNS");
}

static void json(void **state) {
    (void)state;
    child_result r = child_run("devices", "--json");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    expect_words(&r, r.out, "{\"name\": \"toy\", \"model\": \"toy\", \"library\": \"for tests\"");
    expect_words(&r, r.out, "\"reason\": \"no plug-in tern_mlx.so\", \"is_there\": false");
    expect_words(&r, r.out, "\"matmul_flops\": null");
    expect_words(&r, r.out, "\"auto\": {\"name\": \"");
    if (!child_has_tool("python3")) {
        child_free(&r);
        test_skip("python3 is not installed: JSON is not parsed");
    }
    FILE *checker = popen("python3 -c 'import json, sys; d = json.load(sys.stdin); "
                          "assert d[\"devices\"][0][\"name\"] == \"cpu\"'",
                          "w");
    assert_non_null(checker);
    fwrite(r.out, 1, r.out_bytes, checker);
    assert_int_equal(pclose(checker), 0);
    child_free(&r);
}

static void operations(void **state) {
    (void)state;
    child_result r = child_run("devices", "--ops", "toy");
    child_expect(&r, r.status == 0 && strncmp(r.out, "native ", 7) == 0);
    expect_words(&r, r.out, "\n  add, mul, neg\nfallback ");
    expect_words(&r, r.out, "rms_norm");
    expect_words(&r, r.out, "\nabsent ");
    child_free(&r);
    r = child_run("devices", "--ops", "cpu");
    expect_words(&r, r.out, "\nfallback 0: ");
    child_free(&r);
    r = child_run("devices", "--ops", "toy", "--json");
    expect_words(&r, r.out, "{\"name\": \"add\", \"place\": \"native\", \"tolerance\": 0}");
    child_free(&r);
}

static void misuse(void **state) {
    (void)state;
    const struct {
        const char *arguments[4], *words;
        int status;
    } cases[] = {
        {{"devices", "tou"}, "there is no device 'tou'; did you mean 'toy'?", 2},
        {{"devices", "somebody"}, "there is no device 'somebody' (see tern devices)", 2},
        {{"devices", "auto"}, "auto is no device", 2},
        {{"devices", "--ops"}, "--ops: name the device", 2},
        {{"devices", "cpu", "toy"}, "unexpected argument 'toy'", 2},
        {{"devices", "--ops", "mlx"}, "tern: device mlx: ", 1},
        {{"run", "--device", "tou"}, "did you mean 'toy'?", 2},
        {{"run", "--device", "mlx"}, "tern: device mlx: ", 1},
        {{"bench", "--device", "tou"}, "did you mean 'toy'?", 2},
        {{"bench", "--device", "mlx"}, "tern: device mlx: ", 1},
        {{"bench", "team_run", "--device", "toy"}, "--device is for models, ", 2},
        {{"bench", "memory", "--device", "toy"}, "--device is for models, ", 2},
        {{"validate", "--device", "tou"}, "did you mean 'toy'?", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *a = cases[i].arguments;
        child_result r = child_run(a[0], a[1], a[2], a[3]);
        child_expect(&r, r.status == cases[i].status);
        expect_words(&r, r.err, cases[i].words);
        child_free(&r);
    }
}

/* -- a device that multiplies ------------------------------------------------------------------*/

static int with_multiplier(void **state) {
    (void)state;
    return setenv("TERN_PLUGIN_PATH", TERN_TEST_PLUGINS "/multiplier", 1);
}

/* The line of the device as tern_device_find has it, up to what was measured. */
static void expect_facts(const char *name) {
    static const char *const words[] = {"false", "true"};
    tern_device_info d;
    char line[2048];
    child_result r = child_run("devices", name, "--json");
    child_expect(&r, r.status == 0);
    test_ok(tern_device_find(name, &d));
    int n = snprintf(
        line, sizeof line,
        "{\"devices\": [\n  {\"name\": \"%s\", \"model\": \"%s\", \"library\": \"%s\", "
        "\"path\": \"%s\", \"reason\": \"\", \"is_there\": true, \"is_accelerator\": %s, "
        "\"keeps_bits\": %s, \"has_memory\": %s, \"memory_bytes\": %llu, \"free_bytes\": %llu, "
        "\"native_ops\": %d, \"fallback_ops\": %d, \"absent_ops\": %d, \"matmul_flops\": null}\n"
        "],\n\"auto\": null}\n",
        d.name, d.model, d.library, d.path, words[d.is_accelerator], words[d.keeps_bits],
        words[d.has_memory], (unsigned long long)d.memory_bytes, (unsigned long long)d.free_bytes,
        d.native_ops, d.fallback_ops, d.absent_ops);
    assert_in_range(n, 1, sizeof line - 1);
    assert_string_equal(r.out, line);
    child_free(&r);
}

static void facts(void **state) {
    expect_facts("toy");
    with_multiplier(state);
    expect_facts("multiplier");
    setenv("TERN_MULTIPLIER", "inexact", 1);
    expect_facts("multiplier");
    child_result r = child_run("devices", "multiplier");
    expect_words(&r, r.out, " no    the machine's      not measured\n");
    child_free(&r);
    unsetenv("TERN_MULTIPLIER");
    r = child_run("devices", "--ops", "multiplier");
    expect_words(&r, r.out, "matmul, matmul_with (0.01)");
    child_free(&r);
}

static void why_auto(void **state) {
    (void)state;
    child_result r = child_run("devices", "--json");
    expect_words(&r, r.out,
                 "\"auto\": {\"name\": \"cpu\", \"reason\": "
                 "\"no accelerator that keeps the bits\"}}\n");
    child_free(&r);
}

/* A figure that is none to be ashamed of, in the unit it is told in. */
static void measured(void **state) {
    (void)state;
    child_result r = child_run("devices", "multiplier", "--measure", "--order", "64", "--json");
    child_expect(&r, r.status == 0);
    const char *figure = strstr(r.out, "\"matmul_flops\": ");
    child_expect(&r, figure != NULL && strtod(figure + 16, NULL) > 1e6);
    child_free(&r);
    r = child_run("devices", "multiplier", "--measure");
    expect_words(&r, r.out, "; not measured: 1024 rows are too many");
    child_free(&r);
    r = child_run("devices", "cpu", "--measure", "--order", "256");
    figure = strstr(r.out, " TFLOP/s\n");
    child_expect(&r, figure != NULL || strstr(r.out, " GFLOP/s\n") != NULL);
    while (figure != NULL && figure > r.out && figure[-1] != ' ')
        figure--;
    child_expect(&r, figure == NULL || strtod(figure, NULL) >= 1);
    child_free(&r);
}

/* -- tolerances --------------------------------------------------------------------------------*/

enum { TABLE_BYTES = 8192 };

/* "| 1e-06 | exp, log |": a line for each tolerance, the smallest first. */
static void write_tolerances(const char *json, char *table) {
    double last = 0, next;
    size_t used = 0;
    while (true) {
        const char *between = "| ";
        next = 1e9;
        for (const char *at = json; (at = strstr(at, "\"tolerance\": ")) != NULL; at++) {
            double tolerance = strtod(at + 13, NULL);
            next = tolerance > last && tolerance < next ? tolerance : next;
        }
        if (next == 1e9)
            return;
        used += (size_t)snprintf(table + used, TABLE_BYTES - used, "| %g ", next);
        for (const char *line = json; line != NULL; line = strchr(line, '\n')) {
            char name[64];
            double tolerance = 0;
            line += *line == '\n';
            if (sscanf(line,
                       " {\"name\": \"%63[a-z0-9_]\", \"place\": \"native\", \"tolerance\": %lf",
                       name, &tolerance) != 2 ||
                tolerance != next)
                continue;
            used += (size_t)snprintf(table + used, TABLE_BYTES - used, "%s%s", between, name);
            between = ", ";
        }
        used += (size_t)snprintf(table + used, TABLE_BYTES - used, " |\n");
        last = next;
    }
}

/* docs/devices.md tells those of MLX. */
static void documented_tolerances(void **state) {
    (void)state;
    static char expected[TABLE_BYTES], path[512];
    child_result r = child_run("devices", "--ops", "mlx", "--json");
    if (r.status != 0) {
        child_free(&r);
        test_skip("the plug-in mlx is not there: its tolerances are not checked");
    }
    write_tolerances(r.out, expected);
    char *page = test_read_file(test_path("docs/devices.md", path, sizeof path), NULL);
    if (strstr(page, expected) == NULL)
        fail_msg("docs/devices.md must have these lines:\n%s", expected);
    free(page);
    child_free(&r);
}

/* -- computing on one --------------------------------------------------------------------------*/

static void same_story(void **state) {
    (void)state;
    child_result cpu = child_run("run", "--device", "cpu", "-p", "Once", "-n", "5", "--seed", "3");
    child_result toy = child_run("run", "--device", "toy", "-p", "Once", "-n", "5", "--seed", "3",
                                 "--explain", "--stats", "--threads", "1");
    child_expect(&cpu, cpu.status == 0 && strstr(cpu.err, "the processor did") == NULL);
    child_expect(&toy, toy.status == 0);
    assert_string_equal(toy.out, cpu.out);
    expect_words(&toy, toy.err, "device:  toy: ");
    expect_words(&toy, toy.err, "\nchosen:  toy, asked for\n");
    expect_words(&toy, toy.err, "\ntoy did: add ");
    expect_words(&toy, toy.err, "\nthe processor did for it: ");
    expect_words(&toy, toy.err, " calls were done by the processor for toy: ");
    expect_words(&toy, toy.err, "ternary_linear ");
    child_free(&cpu);
    child_free(&toy);
}

static void environment(void **state) {
    (void)state;
    setenv("TERN_DEVICE", "toy", 1);
    child_result r = child_run("run", "-p", "Once", "-n", "1", "--explain", "-q");
    expect_words(&r, r.err, "\nchosen:  toy, asked for\n");
    child_free(&r);
    /* An option goes before it, and targets about the processor stay there. */
    r = child_run("run", "-p", "Once", "-n", "1", "--explain", "-q", "--device", "cpu");
    expect_words(&r, r.err, "\nchosen:  cpu, asked for\n");
    child_free(&r);
    r = child_run("validate", "--quick", "--only", "T5e", "--no-baseline");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\n2 rows: 2 PASS ");
    child_free(&r);
    setenv("TERN_DEVICE", "mlx", 1);
    r = child_run("run", "-p", "Once", "-n", "1", "-q");
    child_expect(&r, r.status == 1);
    expect_words(&r, r.err, "tern: device mlx: ");
    child_free(&r);
    /* What is about the processor does not ask for it. */
    r = child_run("version");
    child_expect(&r, r.status == 0);
    child_free(&r);
    r = child_run("run", "-p", "Once", "-n", "1", "-q", "--device", "cpu", "--cpu", "scalar");
    child_expect(&r, r.status == 0);
    child_free(&r);
    setenv("TERN_DEVICE", "nonsense", 1);
    r = child_run("bench", "-n", "1");
    child_expect(&r, r.status == 2);
    expect_words(&r, r.err, "tern: bench: TERN_DEVICE: there is no device 'nonsense'");
    child_free(&r);
    unsetenv("TERN_DEVICE");
}

static void broken_plugin(void **state) {
    (void)state;
    break_plugin("tern_broken.so");
    setenv("TERN_PLUGIN_PATH", folder, 1);
    child_result r = child_run("run", "-p", "Once", "-n", "3", "--temp", "0", "-q");
    child_expect(&r, r.status == 0 && strncmp(r.out, "Once upon", 9) == 0);
    child_expect(&r, strncmp(r.err, "tern: device broken is not used: ", 33) == 0);
    child_expect(&r, strchr(r.err, '\n') == r.err + strlen(r.err) - 1); /* one line */
    child_free(&r);
    r = child_run("run", "-p", "Once", "-n", "3", "-q", "--device", "broken");
    child_expect(&r, r.status == 1 && r.out[0] == '\0');
    expect_words(&r, r.err, "tern_broken.so");
    child_free(&r);
    /* Nobody asked: no word. */
    r = child_run("run", "-p", "Once", "-n", "3", "-q", "--device", "cpu");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    child_free(&r);
    r = child_run("devices", "broken");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\nbroken    absent (");
    child_free(&r);
}

/* A device that fails when it is tried. */
static void failing_accelerator(void **state) {
    (void)state;
    setenv("TERN_TOY_FACTS", "accelerator", 1);
    setenv("TERN_TOY_MEMORY", "65536", 1);
    child_result r = child_run("run", "-p", "Once", "-n", "1", "-q", "--explain");
    unsetenv("TERN_TOY_MEMORY");
    unsetenv("TERN_TOY_FACTS");
    child_expect(&r, r.status == 0 && strncmp(r.out, "Once", 4) == 0);
    child_expect(&r, strncmp(r.err, "tern: device toy is not used: ", 30) == 0);
    expect_words(&r, r.err, "\nchosen:  cpu, ");
    child_free(&r);
}

/* -- measuring ---------------------------------------------------------------------------------*/

static void validate(void **state) {
    (void)state;
    child_result r = child_run("validate", "--quick", "--no-baseline", "--only", "T1c,DEV",
                               "--device", "mlx", "--json", "-");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\"detail\": \"mlx: absent (no plug-in tern_mlx.so)\"");
    expect_words(&r, r.out, "\"name\": \"device\", \"value\": \"mlx\"");
    child_free(&r);
    r = child_run("validate", "--list", "--only", "T1c", "--device", "toy", "--md", "-");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\n`tern bench matmul --only T1c --threads ");
    expect_words(&r, r.out, " --device toy`\n");
    child_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(absent_ones, child_clean_environment),
        cmocka_unit_test_setup(one_of_them, with_toy),
        cmocka_unit_test_setup(narrow_terminal, with_toy),
        cmocka_unit_test_setup(json, with_toy),
        cmocka_unit_test_setup(operations, with_toy),
        cmocka_unit_test_setup(misuse, with_toy),
        cmocka_unit_test_setup(facts, with_toy),
        cmocka_unit_test_setup(why_auto, with_toy),
        cmocka_unit_test_setup(measured, with_multiplier),
        cmocka_unit_test_setup(documented_tolerances, with_built),
        cmocka_unit_test_setup(same_story, with_toy),
        cmocka_unit_test_setup(environment, with_toy),
        cmocka_unit_test_setup(broken_plugin, child_clean_environment),
        cmocka_unit_test_setup(failing_accelerator, with_toy),
        cmocka_unit_test_setup(validate, with_toy),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
