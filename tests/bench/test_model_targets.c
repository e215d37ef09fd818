/* SPDX-License-Identifier: MIT
 * The table of models: its rows, what they say where something is missing, and its figures on a
 * clock by which each side takes a given time. The tiny shape stands in for the large one, whose
 * targets these are: then rows tell their figure and are not judged. */
#include "bench/cost_clock.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/limits.h"
#include "bench/llama_bench.h"

enum { FIRST_NS = 20000000, OTHER_NS = 70000000, GENERATED = 16, PROMPT = 64 };

static const char story[] = "models/tern-story-i2_s.gguf";
static const char other_story[] = "tests/data/tern-story-tq2_0.gguf";

static table rows;
static uint64_t first_ns = FIRST_NS; /* of a sample of Tern's */

static const char *path_of(const char *file) {
    static char path[512];
    return test_path(file, path, sizeof path);
}

/* With a simulated clock; `os` may be changed further by the caller, NULL: it is not. */
static void run_on(tern__os_table *os, const tern_bench_table_options *options) {
    tern__os_table cost = cost_os();
    cost_ns[0] = first_ns;
    for (int side = 1; side < COST_SIDES; side++)
        cost_ns[side] = OTHER_NS + 1000000 * (uint64_t)side;
    if (os == NULL)
        os = &cost;
    memset(&rows, 0, sizeof rows);
    tern__os_set(os);
    tern_status status = tern_bench_models(options, collect, &rows);
    tern__os_set(NULL);
    test_ok(status);
}

static tern_bench_table_options quick(const char *only) {
    return (tern_bench_table_options){.threads = 1, .samples = 1, .is_quick = true, .only = only};
}

/* NOT MEASURED, and the reason has these words. */
static void check_missing(const tern_bench_row *row, const char *words) {
    assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
    assert_true(isnan(row->median) && row->samples == 0);
    if (strstr(row->detail, words) == NULL)
        fail_msg("%s %s: '%s' is without '%s'", row->id, row->what, row->detail, words);
}

/* The figure of a row that tells it, to the three digits that it tells. */
static void check_told(const tern_bench_row *row, double expected) {
    char *rest;
    double told = strtod(row->detail, &rest);
    check_missing(row, ", not judged: the target is about the 2B4T shape; ");
    assert_ptr_not_equal(rest, row->detail);
    if (fabs(told / expected - 1) > 0.006)
        fail_msg("%s %s: %g is told, %g expected", row->id, row->what, told, expected);
}

/* -- rows --------------------------------------------------------------------------------------*/

/* What other tests run on several threads is here about figures. */
static void skip_when_slow(void) {
    if (TEST_THINNING > 1)
        test_skip("figures: not under the thread sanitizer");
}

static void test_rows(void **state) {
    (void)state;
    skip_when_slow();
    static const char *const what[] = {
        "tg16, all logits, 1 thread, of the read rate",
        "tg16, all logits, 2 threads, of the read rate",
        "tg16, screened, 1 thread, of the read rate",
        "tg16, screened, 2 threads, of the read rate",
        "pp64, 1 thread, of the peak",
        "pp64, 2 threads, of the peak",
        "resident memory while generating, over paper",
        "load to first token, prompt of 16 tokens",
        "mean NLL of held-out text against float64",
        "hash of all logits: runs that differ",
        "screened head: values that differ",
        "hash on devices: runs that differ",
        "hash over MPI ranks: runs that differ",
    };
    tern_bench_table_options options = quick(NULL);
    options.threads = 2;
    options.story = path_of(story);
    tern__os_table os = tern__os_default; /* its threads wait by the real clock */
    run_on(&os, &options);
    assert_int_equal(rows.count, 13);
    for (int i = 0; i < 13; i++)
        assert_string_equal(rows.what[i], what[i]);
    for (int i = 0; i < 8; i++)
        check_missing(&rows.rows[i], i == 4 || i == 5 ? "" : "not judged");
    for (int i = 0; i < 6; i++)
        assert_true(rows.rows[i].is_least && rows.rows[i].is_ratio);
    for (int i = 8; i < 11; i++) {
        assert_int_equal(rows.rows[i].verdict, TERN_BENCH_PASS);
        assert_true(rows.rows[i].is_goal_met && rows.rows[i].samples == 1);
    }
    assert_true(rows.rows[8].median > 0 && rows.rows[8].median < 0.02);
    assert_true(rows.rows[9].median == 0 && rows.rows[10].median == 0);
    check_missing(&rows.rows[11], "cuda: absent (");
    check_missing(&rows.rows[12], "not built");
}

static void test_one_target(void **state) {
    (void)state;
    skip_when_slow();
    static const struct {
        const char *id;
        int count;
        double floor, goal;
    } targets[] = {{"M1a", 1, 75, 90},   {"M1b", 1, 75, 90}, {"M2", 1, 50, 80},
                   {"M3", 1, 1.1, 1.02}, {"M4", 1, 1, 0.5},  {"M5", 1, 0.1, 0.02},
                   {"M6", 4, 0, 0}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        tern_bench_table_options options = quick(targets[i].id);
        options.is_listing = true;
        run_on(NULL, &options);
        assert_int_equal(rows.count, targets[i].count);
        for (int r = 0; r < rows.count; r++)
            assert_string_equal(rows.rows[r].id, targets[i].id);
        assert_true(rows.rows[0].floor == targets[i].floor && rows.rows[0].goal == targets[i].goal);
    }
    tern_bench_table_options options = quick("M1");
    test_status(tern_bench_models(&options, collect, &rows), TERN_E_ARGUMENT);
    test_status(tern_bench_models(NULL, NULL, NULL), TERN_E_ARGUMENT);
}

/* -- shares ------------------------------------------------------------------------------------*/

static tern_model_info tiny_info(double *position_bytes) {
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_model_options options = {.head = TERN_HEAD_SCREENED};
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern_model_random(context, "tiny", 1, &options, &model));
    test_ok(tern_session_create(context, model, NULL, &session));
    *position_bytes =
        (double)tern_session_cache_bytes(session) / (double)tern_session_capacity(session);
    tern_model_info info = tern_model_describe(model);
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    return info;
}

/* Bytes or products a second of the model over those of the fastest other side. */
static void test_shares(void **state) {
    (void)state;
    skip_when_slow();
    double position;
    tern_model_info m = tiny_info(&position);
    double cache = position * GENERATED * (GENERATED + 1) / 2;
    double read = (double)tern__limit_memory_set(1) / (1 << 20);
    read = ceil(read) * (1 << 20) / ((OTHER_NS + 1000000) * 1e-9);
    double ternary = 2 * (128 * (2 * 128 + 2 * 64) + 3 * 128 * 384), embedding = 515 * 128;
    assert_true(ternary + embedding == (double)m.parameters);
    for (int slower = 1; slower <= 2; slower++) {
        tern_bench_table_options options = quick("M1a,M1b,M2");
        double seconds = slower * FIRST_NS * 1e-9;
        first_ns = (uint64_t)slower * FIRST_NS;
        run_on(NULL, &options);
        first_ns = FIRST_NS;
        check_told(&rows.rows[0],
                   100 * (GENERATED * (double)m.token_bytes + cache) / seconds / read);
        check_told(&rows.rows[1],
                   100 * (GENERATED * (double)m.best_bytes + cache) / seconds / read);
        const tern__peak *peak = tern__limit_dot(tern__cpu()->features);
        if (peak == NULL) {
            check_missing(&rows.rows[2], "no unit");
            continue;
        }
        tern__team *team;
        test_ok(tern__team_create(1, &team));
        tern__peak_job job = tern__limit_peak_job(team, peak);
        double rate = tern__limit_peak_products(&job) / ((OTHER_NS + 1000000) * 1e-9);
        tern__team_destroy(team);
        check_told(&rows.rows[2], 100 * PROMPT * ternary / seconds / rate);
    }
}

/* The number behind these words. */
static double number_behind(const char *text, const char *words) {
    const char *at = strstr(text, words);
    if (at == NULL) {
        fail_msg("'%s' is without '%s'", text, words);
        return NAN;
    }
    return strtod(at + strlen(words), NULL);
}

/* What a model took, and not what was there before, over all that it needs on paper. */
static void test_resident(void **state) {
    (void)state;
    skip_when_slow();
    enum { BEFORE = 96 << 20, MIB = 1 << 20 };
    if (TEST_IS_SANITIZED || tern__os_resident_bytes() == 0)
        test_skip("resident memory is not told, or not that of the model");
    char *before = malloc(BEFORE);
    assert_non_null(before);
    memset(before, 1, BEFORE);
    tern_bench_table_options options = quick("M3");
    options.model = path_of(story);
    run_on(NULL, &options);
    assert_true(before[BEFORE / 2] == 1);
    free(before);
    const char *detail = rows.rows[0].detail;
    double told = strtod(detail, NULL), more = number_behind(detail, "shape; ");
    double paper = number_behind(detail, "paper "), parts = number_behind(detail, "head ") +
                                                            number_behind(detail, "values ") +
                                                            number_behind(detail, "activations ");
    double ratio = more / paper, step = (0.06 + 0.06 * fabs(ratio)) / paper; /* of what is told */
    if (!(more < (double)BEFORE / MIB && fabs(paper - parts) < 0.21 &&
          fabs(told - ratio) < step + 0.01 * fabs(ratio)))
        fail_msg("'%s'", detail);
}

/* -- what is missing ---------------------------------------------------------------------------*/

static void test_without_story(void **state) {
    (void)state;
    skip_when_slow();
    tern_bench_table_options options = quick("M4,M5,M6");
    run_on(NULL, &options);
    assert_int_equal(rows.count, 6);
    check_missing(row_of(&rows, "load to first token, prompt of 16 tokens"), "--model FILE");
    for (int i = 1; i < 4; i++)
        check_missing(&rows.rows[i], "needs the story model");
    options.story = "/nowhere/story.gguf";
    run_on(NULL, &options);
    for (int i = 0; i < 4; i++)
        check_missing(&rows.rows[i], "/nowhere/story.gguf");
}

/* The same weights with scales of fewer bits: near, but not to the last bit. */
static void test_another_story(void **state) {
    (void)state;
    skip_when_slow();
    tern_bench_table_options options = quick("M4,M5,M6");
    options.model = path_of(other_story);
    run_on(NULL, &options);
    assert_int_equal(rows.count, 6);
    check_told(&rows.rows[0], FIRST_NS * 1e-9);
    assert_non_null(strstr(rows.rows[0].detail, "tern-story-tq2_0.gguf"));
    assert_int_equal(rows.rows[1].verdict, TERN_BENCH_PASS);
    assert_true(rows.rows[1].median > 0.001);
    assert_int_equal(rows.rows[2].verdict, TERN_BENCH_FAIL);
    assert_true(rows.rows[2].median >= 5);
    assert_non_null(strstr(rows.rows[2].detail, "2 bits, 1 threads, chunks of 64: "));
    assert_int_equal(rows.rows[3].verdict, TERN_BENCH_PASS);
}

static void test_a_file_that_is_none(void **state) {
    (void)state;
    skip_when_slow();
    static const char *const files[] = {"/nowhere/model.gguf", "README.md"};
    static const char *const words[] = {"/nowhere/model.gguf", "is not a GGUF file"};
    for (int i = 0; i < 2; i++) {
        tern_bench_table_options options = quick(NULL);
        options.model = i == 0 ? files[i] : path_of(files[i]);
        run_on(NULL, &options);
        assert_int_equal(rows.count, 10);
        for (int r = 0; r < 8; r++)
            check_missing(&rows.rows[r], words[i]);
    }
}

/* A file of another shape is measured, and its head has no screen. */
static void test_a_file_of_another_shape(void **state) {
    (void)state;
    skip_when_slow();
    tern_bench_table_options options = quick("M1a,M1b,M2,M3");
    options.model = path_of(story);
    run_on(NULL, &options);
    assert_int_equal(rows.count, 4);
    check_missing(&rows.rows[0], "not judged");
    check_missing(&rows.rows[1], "not judged");
    check_missing(&rows.rows[3], "not judged");
    options.is_quick = false;
    options.only = "M1b";
    run_on(NULL, &options);
    check_missing(&rows.rows[0], "the head has no screen: the f16 table of 2.0 MiB");
}

static void *no_pages(size_t bytes) {
    (void)bytes;
    return NULL;
}

static void test_no_memory(void **state) {
    (void)state;
    skip_when_slow();
    tern__os_table os = cost_os();
    tern_bench_table_options options = quick(NULL);
    os.pages_map = no_pages;
    run_on(&os, &options);
    assert_int_equal(rows.count, 10);
    for (int i = 0; i < 5; i++)
        check_missing(&rows.rows[i], i < 4 ? "memory" : "--model");
}

/* -- beside llama-bench ------------------------------------------------------------------------*/

static struct {
    int calls, error, exit_status;
    const char *output;      /* NULL: a rate for what was asked */
    double rate, rate_after; /* of the first call, and of later ones; 0: the same */
    uint64_t at[2];          /* Tern's time when it was called */
    int pinned;              /* where the thread was told to stay, last; -1: anywhere */
    int64_t parameters;
    char model[512];
} peer;

static int fake_run(const char *const argv[], char *output, size_t size, int *exit_status) {
    static const char *const flags[] = {"-m", NULL, "-p", NULL, "-n", NULL,
                                        "-r", "1",  "-t", NULL, "-o", "json"};
    assert_string_equal(argv[0], "/opt/llama-bench");
    for (int i = 0; i < 12; i++)
        if (flags[i] != NULL)
            assert_string_equal(argv[1 + i], flags[i]);
    assert_null(argv[13]);
    assert_int_equal(peer.pinned, -1); /* a program would stay where its parent is */
    if (peer.calls < 2)
        peer.at[peer.calls] = cost_now;
    if (peer.calls++ > 0 && peer.rate_after > 0)
        peer.rate = peer.rate_after;
    snprintf(peer.model, sizeof peer.model, "%s", argv[2]);
    if (peer.output != NULL)
        snprintf(output, size, "%s", peer.output);
    else
        snprintf(output, size,
                 "[{\"build_commit\": \"0c1e57098\", \"build_number\": 42, \"model_type\": "
                 "\"bitnet TQ2_0\", \"model_n_params\": %lld, \"n_threads\": %s, \"n_prompt\": %s, "
                 "\"n_gen\": %s, \"avg_ts\": %.17g}]",
                 (long long)peer.parameters, argv[10], argv[4], argv[6], peer.rate);
    *exit_status = peer.exit_status;
    return peer.error;
}

static void note_pin(int index) {
    peer.pinned = index;
}

static const tern_bench_peer_path llama_paths[] = {{"llama-bench", "/opt/llama-bench"},
                                                   {"llama-model", "f16.gguf"},
                                                   {"llama-model-best", "q6.gguf"}};

static void run_beside(const char *only, int peers, const char *model) {
    tern__os_table os = cost_os();
    tern_bench_table_options options = quick(only);
    os.program_run = fake_run;
    os.thread_pin = note_pin;
    options.peers = llama_paths;
    options.peer_count = peers;
    options.model = model;
    options.samples = 3;
    run_on(&os, &options);
}

static void set_peer(double rate) {
    double position;
    memset(&peer, 0, sizeof peer);
    peer.rate = rate;
    peer.parameters = (int64_t)tiny_info(&position).parameters;
}

static void test_beside_llama_bench(void **state) {
    (void)state;
    skip_when_slow();
    static const char *const what[] = {"tg16, 1 thread, against llama-bench",
                                       "tg16, screened, 1 thread, against llama-bench",
                                       "pp64, 1 thread, against llama-bench"};
    static const char *const ids[] = {"M1a", "M1b", "M2"};
    static const int tokens[] = {GENERATED, GENERATED, PROMPT};
    for (int i = 0; i < 3; i++) {
        set_peer(500);
        run_beside(ids[i], 3, NULL);
        assert_int_equal(rows.count, 1);
        assert_string_equal(rows.what[0], what[i]);
        assert_int_equal(peer.calls, 2);
        assert_string_equal(peer.model, i == 1 ? "q6.gguf" : "f16.gguf");
        check_told(&rows.rows[0], tokens[i] / 500.0 / (FIRST_NS * 1e-9));
        assert_non_null(strstr(rows.rows[0].detail, "llama-bench 0c1e57098 (42), bitnet TQ2_0: "
                                                    "500 tok/s"));
        assert_true(rows.rows[0].is_ratio && rows.rows[0].is_least && !rows.rows[0].is_noisy);
        assert_true(peer.at[0] == peer.at[1]); /* Tern, the peer, the peer, Tern */
        assert_string_equal(rows.rows[0].unit, "x");
        set_peer(250); /* half as fast: the ratio doubles */
        run_beside(ids[i], 2, NULL);
        assert_string_equal(peer.model, "f16.gguf");
        check_told(&rows.rows[0], tokens[i] / 250.0 / (FIRST_NS * 1e-9));
    }
    /* One round of two takes twice as long. */
    set_peer(500);
    peer.rate_after = 250;
    run_beside("M2", 2, NULL);
    assert_true(rows.rows[0].is_noisy);
    check_told(&rows.rows[0], PROMPT * (1 / 500.0 + 1 / 250.0) / 2 / (FIRST_NS * 1e-9));
    run_beside("M1a", 1, path_of(story)); /* and no file of its own */
    assert_string_equal(peer.model, path_of(story));
}

/* A machine whose processors are all at work when it is looked at for the first times, and idle
 * afterwards: 100 s more at each look, of which this process had none. */
static int busy_looks;
static int busy_file(const char *path, char *text, size_t size) {
    static long busy = 0, idle = 0;
    if (strcmp(path, "/proc/stat") != 0)
        return ENOENT;
    *(busy_looks-- > 0 ? &busy : &idle) += 10000;
    int used = snprintf(text, size, "cpu  %ld 0 0 %ld 0 0 0 0 0 0\n", busy, idle);
    for (int cpu = 0; cpu < 256 && used < (int)size - 64; cpu++)
        used += snprintf(text + used, size - (size_t)used, "cpu%d %ld 0 0 %ld 0 0 0 0 0 0\n", cpu,
                         busy, idle);
    return 0;
}

/* What others did is counted while Tern has its turns: the peer is another program too. The worst
 * of the turns counts. */
static void test_load_beside_llama_bench(void **state) {
    (void)state;
    skip_when_slow();
    tern__os_table os = cost_os();
    tern_bench_table_options options = quick("M2");
    set_peer(500);
    os.program_run = fake_run;
    os.thread_pin = note_pin;
    os.file_text = busy_file;
    options.peers = llama_paths;
    options.peer_count = 2;
    first_ns = 400000000; /* load is told of 50 ms or more */
    busy_looks = 3;       /* until the end of the first turn */
    run_on(&os, &options);
    first_ns = FIRST_NS;
    assert_true(rows.rows[0].load > 0.5);
    set_peer(500);
    run_beside("M2", 2, NULL);
    assert_true(isnan(rows.rows[0].load));
}

static void test_bounds_beside_llama_bench(void **state) {
    (void)state;
    skip_when_slow();
    static const struct {
        const char *level;
        double floor, goal;
    } levels[] = {{"scalar", NAN, NAN}, {"avx2", 1.8, 2.8}, {"avxvnni", 3, 5}, {"amx", 8, 20}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        uint32_t features;
        if (tern__cpu_level(levels[i].level, &features) != TERN_OK)
            continue;
        tern_bench_table_options options = quick("M1a,M1b,M2");
        options.is_listing = true;
        options.cpu = levels[i].level;
        options.peers = llama_paths;
        options.peer_count = 2;
        run_on(NULL, &options);
        assert_true(rows.rows[0].floor == 1.5 && rows.rows[0].goal == 1.8);
        assert_true(rows.rows[1].floor == 1.8 && rows.rows[1].goal == 2.5);
        assert_true(isnan(levels[i].floor) ? isnan(rows.rows[2].floor)
                                           : rows.rows[2].floor == levels[i].floor &&
                                                 rows.rows[2].goal == levels[i].goal);
    }
}

static void test_a_peer_that_fails(void **state) {
    (void)state;
    skip_when_slow();
    static const struct {
        int error, exit_status;
        const char *output, *words;
    } cases[] = {
        {ENOENT, 0, "", "cannot run \"/opt/llama-bench\": "},
        {0, 1, "", "ended with status 1 for \"f16.gguf\""},
        {0, 0, "", "did not print JSON"},
        {0, 0, "error: no such model", "did not print JSON: line 1"},
        {0, 0, "[]", "no rate for what was asked"},
        {0, 0, "{\"avg_ts\": 5}", "no rate for what was asked"},
        {0, 0, "[{\"n_prompt\": 64, \"n_gen\": 0, \"n_threads\": 2, \"avg_ts\": 5}]", "no rate"},
        {0, 0, "[{\"n_prompt\": 64, \"n_gen\": 1, \"n_threads\": 1, \"avg_ts\": 5}]", "no rate"},
        {0, 0, "[{\"n_prompt\": 65, \"n_gen\": 0, \"n_threads\": 1, \"avg_ts\": 5}]", "no rate"},
        {0, 0, "[{\"n_prompt\": 64, \"n_gen\": 0, \"n_threads\": 1, \"avg_ts\": -5}]", "no rate"},
        {0, 0, "[{\"n_prompt\": 64, \"n_gen\": 0, \"n_threads\": 1, \"avg_ts\": \"5\"}]",
         "no rate"},
        {0, 0, "[{\"n_prompt\": 64, \"n_gen\": 0, \"n_threads\": 1, \"avg_ts\": 5}]",
         "its model has 0 parameters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_peer(500);
        peer.error = cases[i].error;
        peer.exit_status = cases[i].exit_status;
        peer.output = cases[i].output;
        run_beside("M2", 2, NULL);
        check_missing(&rows.rows[0], cases[i].words);
        assert_int_equal(peer.calls, 1);
    }
    set_peer(500);
    peer.parameters += peer.parameters / 50; /* not the same model */
    run_beside("M2", 2, NULL);
    check_missing(&rows.rows[0], " parameters, Tern's ");
    set_peer(500);
    run_beside("M2", 1, NULL);
    check_missing(&rows.rows[0], "--peer llama-model=FILE");
    assert_int_equal(peer.calls, 0);
    run_beside("M2", 2, "/nowhere/model.gguf");
    check_missing(&rows.rows[0], "/nowhere/model.gguf");
}

/* A real program: what it prints has the numbers that it was given. */
static void test_a_program(void **state) {
    (void)state;
    skip_when_slow();
    static const char script[] =
        "#!/bin/sh\n"
        "echo \"[{\\\"n_prompt\\\": $4, \\\"n_gen\\\": $6, \\\"n_threads\\\": ${10}, "
        "\\\"avg_ts\\\": 12.5, \\\"model_n_params\\\": 7, \\\"model_type\\\": \\\"$2\\\"}]\"\n";
    char path[] = "/tmp/tern-llama-bench-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, sizeof script - 1), sizeof script - 1);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    tern__llama_job job = {
        .program = path, .model = "a b.gguf", .generated_tokens = 128, .threads = 3};
    tern__llama_result result;
    tern_status status = tern__llama_bench(&job, &result);
    remove(path);
    test_ok(status);
    assert_true(result.rate == 12.5 && result.parameters == 7);
    assert_string_equal(result.model, "a b.gguf");
    assert_string_equal(result.build, "? (0)");
    test_status(tern__llama_bench(&job, &result), TERN_E_UNSUPPORTED);
}

int main(void) {
    setenv("TERN_PLUGIN_PATH", "/nowhere", 1); /* no accelerator */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rows, restore_os),
        cmocka_unit_test_teardown(test_one_target, restore_os),
        cmocka_unit_test_teardown(test_shares, restore_os),
        cmocka_unit_test_teardown(test_resident, restore_os),
        cmocka_unit_test_teardown(test_without_story, restore_os),
        cmocka_unit_test_teardown(test_another_story, restore_os),
        cmocka_unit_test_teardown(test_a_file_that_is_none, restore_os),
        cmocka_unit_test_teardown(test_a_file_of_another_shape, restore_os),
        cmocka_unit_test_teardown(test_no_memory, restore_os),
        cmocka_unit_test_teardown(test_beside_llama_bench, restore_os),
        cmocka_unit_test_teardown(test_load_beside_llama_bench, restore_os),
        cmocka_unit_test_teardown(test_bounds_beside_llama_bench, restore_os),
        cmocka_unit_test_teardown(test_a_peer_that_fails, restore_os),
        cmocka_unit_test_teardown(test_a_program, restore_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
