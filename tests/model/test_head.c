/* SPDX-License-Identifier: MIT
 * Output heads: the best logits are those of all logits, ids and bits, with every head, and a
 * screened head's logits are the full one's. */
#include <math.h>

#include "base/cpu.h"
#include "base/status.h"
#include "device/cpu/cpu.h"
#include "model/model.h"
#include "tensor/tensor.h"
#include "tiny_model.h"

static tern_context *context;

static int open_context(void **state) {
    (void)state;
    return tern_context_create(&(tern_options){.threads = 2}, &context) != TERN_OK;
}

static int close_context(void **state) {
    (void)state;
    tern_context_destroy(context);
    return 0;
}

static const tern_head heads[] = {TERN_HEAD_FULL, TERN_HEAD_SCREENED, TERN_HEAD_INT8,
                                  TERN_HEAD_INT4};

static tern_model *load_story(tern_head head) {
    char path[512];
    tern_model *model = NULL;
    test_ok(tern_model_load(context, test_path("models/tern-story-i2_s.gguf", path, sizeof path),
                            &(tern_model_options){.head = head}, &model));
    return model;
}

static tern_session *open_session(tern_model *model) {
    tern_session *session = NULL;
    test_ok(tern_session_create(context, model, NULL, &session));
    return session;
}

enum { BEST = 40 };
static const int64_t sizes[] = {1, 8, BEST};

/* -- the best of all ---------------------------------------------------------------------------*/

/* By repeated search: the largest of what is left, the lowest id first. */
static void find_best(const float *logits, int64_t vocabulary, int64_t k, int32_t *ids) {
    bool *is_taken = calloc((size_t)vocabulary, sizeof *is_taken);
    for (int64_t i = 0; i < k; i++) {
        int64_t best = -1;
        for (int64_t id = 0; id < vocabulary; id++)
            if (!is_taken[id] && (best < 0 || logits[id] > logits[best]))
                best = id;
        is_taken[best] = true;
        ids[i] = (int32_t)best;
    }
    free(is_taken);
}

static void check_best(const float *all, int64_t vocabulary, const int32_t *ids,
                       const float *logits, int64_t k, const char *what) {
    int32_t expected[BEST] = {0};
    find_best(all, vocabulary, k, expected);
    test_same_bytes(ids, expected, (size_t)k * sizeof *ids, what);
    for (int64_t i = 0; i < k; i++)
        test_same_bytes(&logits[i], &all[ids[i]], sizeof *logits, what);
}

/* A greedy text of one session beside all logits of another; `golden` has the full head. Of the
 * screened head, how many logits were computed for a token. */
static double check_text(tern_model *golden, tern_model *model, int tokens, int64_t k) {
    int64_t vocabulary = tern_model_describe(model).vocabulary;
    bool is_exact = tern_model_describe(model).head <= TERN_HEAD_SCREENED;
    tern_session *all = open_session(is_exact ? golden : model), *best = open_session(model);
    float *logits = malloc((size_t)vocabulary * sizeof *logits), found[BEST];
    int32_t ids[BEST], token = 1;
    tern_stats before, after;
    tern_stats_get(context, &before);
    for (int i = 0; i < tokens; i++) {
        test_ok(tern_session_eval(all, &token, 1, TERN_LOGITS_LAST, logits));
        test_ok(tern_session_eval_best(best, &token, 1, k, ids, found));
        check_best(logits, vocabulary, ids, found, k,
                   tern_head_name(tern_model_describe(model).head));
        token = ids[i % 7 == 3 ? k - 1 : 0];
    }
    tern_stats_get(context, &after);
    free(logits);
    tern_session_destroy(best);
    tern_session_destroy(all);
    int64_t rows = after.screen_rows - before.screen_rows;
    return rows > 0 ? (double)(after.screen_candidates - before.screen_candidates) / (double)rows
                    : 0;
}

static void story(void **state) {
    (void)state;
    tern_model *golden = load_story(TERN_HEAD_FULL);
    for (int h = 0; h < 4; h++) {
        tern_model *model = load_story(heads[h]);
        assert_int_equal(tern_model_describe(model).head, heads[h]);
        for (int i = 0; i < 3; i++) {
            double candidates = check_text(golden, model, TEST_IS_SANITIZED ? 40 : 250, sizes[i]);
            if (heads[h] == TERN_HEAD_SCREENED)
                printf("best %lld of 4096: %.1f candidates\n", (long long)sizes[i], candidates);
        }
        tern_model_release(model);
    }
    tern_model_release(golden);
}

static void random_model(void **state) {
    (void)state;
    tern_model *golden = NULL, *model = NULL;
    test_ok(tern_model_random(context, "tiny", 6, &(tern_model_options){.head = TERN_HEAD_FULL},
                              &golden));
    for (int h = 0; h < 4; h++) {
        test_ok(
            tern_model_random(context, "tiny", 6, &(tern_model_options){.head = heads[h]}, &model));
        for (int i = 0; i < 3; i++)
            check_text(golden, model, 100, sizes[i]);
        tern_model_release(model);
    }
    tern_model_release(golden);
}

/* Heads of their own, tables of blocks and of BF16. */
static void file_models(void **state) {
    (void)state;
    const tiny_shape *const shapes[] = {&tiny_grouped, &tiny_twelve, &tiny_plain};
    for (int s = 0; s < 3; s++) {
        tern_model *golden = tiny_load_with(context, shapes[s], NULL);
        for (int h = 0; h < 4; h++) {
            tern_model *model =
                tiny_load_with(context, shapes[s], &(tern_model_options){.head = heads[h]});
            check_text(golden, model, 50, 8);
            tern_model_release(model);
        }
        tern_model_release(golden);
    }
}

/* Prompts, in batches, end in the same best logits; all logits of a screened model are the full
 * model's. */
static void prompts(void **state) {
    (void)state;
    enum { TOKENS = 90, V = 515 };
    static float all[2][TOKENS * V];
    int32_t tokens[TOKENS], ids[BEST];
    float found[BEST];
    tern_model *model[2] = {NULL, NULL};
    for (int i = 0; i < TOKENS; i++)
        tokens[i] = i * 37 % V;
    for (int i = 0; i < 2; i++) {
        test_ok(tern_model_random(context, "tiny", 7, &(tern_model_options){.head = heads[i]},
                                  &model[i]));
        tern_session *session = open_session(model[i]);
        test_ok(tern_session_eval(session, tokens, TOKENS, TERN_LOGITS_ALL, all[i]));
        tern_session_destroy(session);
    }
    test_same_bytes(all[1], all[0], sizeof all[0], "all logits");
    for (int64_t batch = 1; batch < 200; batch *= 7) {
        tern_session *session = NULL;
        test_ok(tern_session_create(context, model[1], &(tern_session_options){.batch = batch},
                                    &session));
        test_ok(tern_session_eval_best(session, tokens, TOKENS, BEST, ids, found));
        check_best(all[0] + (TOKENS - 1) * V, V, ids, found, BEST, "prompt");
        assert_int_equal(tern_session_position(session), TOKENS);
        tern_session_destroy(session);
    }
    for (int i = 0; i < 2; i++)
        tern_model_release(model[i]);
}

/* NaN counts as -infinity. */
static void nan_logits(void **state) {
    (void)state;
    tern_model *model = NULL;
    int32_t token = 3, ids[515];
    float found[515], logits[515];
    test_ok(tern_model_random(context, "tiny", 8, NULL, &model));
    uint16_t *table = model->output->data;
    for (int64_t row = 100; row < 110; row++)
        table[row * 128] = 0x7e00;
    table[55 * 128] = 0xfc00;
    tern_session *session = open_session(model);
    test_ok(tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits));
    test_ok(tern_session_truncate(session, 0));
    test_ok(tern_session_eval_best(session, &token, 1, 515, ids, found));
    int infinite = 0;
    for (int i = 0; i < 515; i++) {
        assert_false(isnan(found[i]));
        bool is_nan = isnan(logits[ids[i]]);
        assert_true(is_nan ? found[i] == -INFINITY : found[i] == logits[ids[i]]);
        assert_true(i == 0 || found[i - 1] > found[i] ||
                    (found[i - 1] == found[i] && ids[i - 1] < ids[i]));
        infinite += found[i] == -INFINITY;
    }
    assert_in_range(infinite, 10, 11);
    tern_session_destroy(session);
    tern_model_release(model);
}

static int events;

static void on_event(void *user, const tern_memory_event *event) {
    (void)user;
    printf("%s\n", event->text);
    events++;
}

static tern_status no_memory(tern__device *device, const tern__op_call *call) {
    (void)device;
    (void)call;
    return tern__fail(TERN_E_MEMORY, "no memory");
}

/* The search without NaN fails: what the first search made is released once. */
static void nan_logits_without_memory(void **state) {
    (void)state;
    tern_context *own = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    int32_t token = 3, ids[4];
    float found[4];
    test_ok(tern_context_create(&(tern_options){.threads = 1, .on_memory_event = on_event}, &own));
    test_ok(tern_model_random(own, "tiny", 8, NULL, &model));
    test_ok(tern_session_create(own, model, NULL, &session));
    *(float *)model->output_norm->data = NAN;
    const tern__op_fn row = own->device->ops[TERN__OP_ISNAN];
    own->device->ops[TERN__OP_ISNAN] = no_memory;
    test_status(tern_session_eval_best(session, &token, 1, 4, ids, found), TERN_E_MEMORY);
    own->device->ops[TERN__OP_ISNAN] = row;
    test_ok(tern_session_eval_best(session, &token, 1, 4, ids, found));
    assert_true(ids[3] == 3 && found[3] == -INFINITY);
    tern_session_destroy(session);
    tern_model_release(model);
    assert_int_equal(tern_context_memory(own).live_tensors, 0);
    tern_context_destroy(own);
    assert_int_equal(events, 0);
}

/* -- levels and threads ------------------------------------------------------------------------*/

enum { STEPS = 40, K = 8 };

typedef struct record {
    int32_t ids[STEPS][K];
    float logits[STEPS][K];
} record;

static void record_with(const char *level, int threads, tern_head head, record *r) {
    tern_context *own = NULL, *shared = context;
    int32_t token = 1;
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &own));
    context = own;
    tern_model *model = load_story(head);
    tern_session *session = open_session(model);
    for (int i = 0; i < STEPS; i++) {
        test_ok(tern_session_eval_best(session, &token, 1, K, r->ids[i], r->logits[i]));
        token = r->ids[i][i % 5 == 4];
    }
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(own);
    context = shared;
}

static void same_everywhere(void **state) {
    (void)state;
    static const char *const levels[] = {"scalar", "avx2",    "avxvnni", "avx512",
                                         "neon",   "dotprod", "native"};
    static record first, r;
    record_with(NULL, 2, TERN_HEAD_FULL, &first);
    for (int level = 0; level < 7; level++) {
        uint32_t features;
        if (tern__cpu_level(levels[level], &features) != TERN_OK ||
            (TEST_IS_SANITIZED && level < 6))
            continue;
        for (int threads = 1; threads <= 3; threads++) {
            memset(&r, 0, sizeof r);
            record_with(levels[level], threads, TERN_HEAD_SCREENED, &r);
            test_same_bytes(&r, &first, sizeof r, levels[level]);
        }
    }
}

/* -- choices -----------------------------------------------------------------------------------*/

/* All matrices of the layers, and the table or the screen. */
static void check_read_bytes(const tern_model *model) {
    tern_model_info info = tern_model_describe(model);
    tern__layer_slot slots[TERN__LAYER_SLOTS];
    tern__layer_slots(&info, slots);
    uint64_t layers = 0, table = tern_tensor_bytes(model->output);
    for (int64_t i = 0; i < info.layers; i++)
        for (int s = 0; s < TERN__LAYER_SLOTS; s++)
            if (slots[s].rows > 0)
                layers += tern_tensor_bytes(*tern__layer_tensor(&model->layers[i], &slots[s]));
    assert_int_equal(info.token_bytes, layers + table);
    assert_int_equal(info.best_bytes,
                     layers + (model->screen != NULL ? tern_tensor_bytes(model->screen) : table));
}

static void names_and_memory(void **state) {
    (void)state;
    static const char *const names[] = {"auto", "full", "screened", "int8", "int4"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(tern_head_name((tern_head)i), names[i]);
    assert_string_equal(tern_head_name((tern_head)5), "?");
    uint64_t bytes[4];
    for (int h = 0; h < 4; h++) {
        tern_model *model =
            tiny_load_with(context, &tiny_grouped, &(tern_model_options){.head = heads[h]});
        tern_model_info info = tern_model_describe(model);
        bytes[h] = info.weight_bytes;
        assert_int_equal(info.head, heads[h]);
        assert_string_equal(info.head_reason, "asked for");
        assert_true((model->screen != NULL) == (heads[h] == TERN_HEAD_SCREENED));
        assert_true((model->output->dtype == TERN_QUANTIZED) == (h >= 2));
        check_read_bytes(model);
        tern_model_release(model);
    }
    /* The table of Q8_0 takes 8.5 bits a number; each row of 96 has 12 bytes on top of its codes.
     */
    assert_true(bytes[1] > bytes[0] && bytes[2] > bytes[3]);
    tern_model *model = load_story(TERN_HEAD_AUTO);
    assert_int_equal(tern_model_describe(model).head, TERN_HEAD_FULL);
    assert_non_null(strstr(tern_model_describe(model).head_reason, "may stay in a cache"));
    tern_model_release(model);
    test_status(
        tern_model_random(context, "tiny", 1, &(tern_model_options){.head = (tern_head)5}, &model),
        TERN_E_ARGUMENT);
}

/* A screen comes on top; a quantised head takes the place of a table, unless it is the embedding's
 * too. */
static void what_heads_weigh(void **state) {
    (void)state;
    const tiny_shape *const shapes[] = {&tiny_grouped, &tiny_twelve};
    for (int s = 0; s < 2; s++) {
        tern_model *full =
            tiny_load_with(context, shapes[s], &(tern_model_options){.head = heads[0]});
        uint64_t bytes = tern_model_describe(full).weight_bytes;
        check_read_bytes(full);
        uint64_t table = full->output != full->embedding ? tern_tensor_bytes(full->output) : 0;
        assert_int_equal(table == 0, s);
        for (int h = 1; h < 4; h++) {
            tern_model *model =
                tiny_load_with(context, shapes[s], &(tern_model_options){.head = heads[h]});
            const tern_tensor *own = model->screen != NULL ? model->screen : model->output;
            check_read_bytes(model);
            assert_int_equal(tern_model_describe(model).weight_bytes,
                             bytes + tern_tensor_bytes(own) - (h > 1 ? table : 0));
            tern_model_release(model);
        }
        tern_model_release(full);
    }
}

/* Of tables around 64 MiB, which none that a test loads reaches. */
static void heads_by_size(void **state) {
    (void)state;
    static const struct {
        tern_dtype type;
        int64_t rows;
        tern_head head;
        const char *reason;
    } tables[] = {
        {TERN_F16, 32768, TERN_HEAD_FULL, "the f16 table of 64.0 MiB may stay in a cache"},
        {TERN_F16, 32769, TERN_HEAD_SCREENED, "the f16 table of 64.0 MiB fits no cache"},
        {TERN_Q8_0, 65536, TERN_HEAD_FULL, "the q8_0 table of 68.0 MiB is no larger than a screen"},
    };
    for (int i = 0; i < 3; i++) {
        tern_model model = {.context = context};
        test_ok(tern_tensor_zeros(context, tables[i].type, TERN_SHAPE(tables[i].rows, 1024),
                                  &model.output));
        test_ok(tern__model_make_head(&model, NULL));
        assert_int_equal(model.info.head, tables[i].head);
        assert_string_equal(model.info.head_reason, tables[i].reason);
        tern_tensor_release(model.screen);
        tern_tensor_release(model.output);
    }
}

static void refusals(void **state) {
    (void)state;
    tern_model *model = NULL;
    int32_t token = 3, ids[4] = {0};
    float logits[4];
    test_ok(tern_model_random(context, "tiny", 9, NULL, &model));
    tern_session *session = open_session(model);
    test_status(tern_session_eval_best(session, &token, 1, 0, ids, logits), TERN_E_ARGUMENT);
    test_status(tern_session_eval_best(session, &token, 1, 516, ids, logits), TERN_E_ARGUMENT);
    test_status(tern_session_eval_best(session, &token, 1, 4, NULL, logits), TERN_E_ARGUMENT);
    test_status(tern_session_eval_best(session, &token, 1, 4, ids, NULL), TERN_E_ARGUMENT);
    test_status(tern_session_eval_best(session, &token, 0, 4, ids, logits), TERN_E_ARGUMENT);
    token = 515;
    test_status(tern_session_eval_best(session, &token, 1, 4, ids, logits), TERN_E_ARGUMENT);
    assert_int_equal(tern_session_position(session), 0);
    tern_session_destroy(session);
    tern_model_release(model);
}

/* A screen that was made for other kernels is found out when the session is opened. */
static void other_kernels(void **state) {
    (void)state;
    tern_context *own = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1, .cpu = "scalar"}, &own));
    for (int h = 0; h < 4; h++) {
        test_ok(tern_model_random(own, "tiny", 9, &(tern_model_options){.head = heads[h]}, &model));
        tern_status status = tern_session_create(context, model, NULL, &session);
        if (status != TERN_OK)
            test_status(status, TERN_E_ARGUMENT);
        tern_session_destroy(session);
        tern_model_release(model);
    }
    tern_context_destroy(own);
}

/* The same where the kernels of layers agree and those of heads do not. */
static void other_kernels_of_heads(void **state) {
    (void)state;
    tern_context *own = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &own));
    tern__cpu_device *cpu = tern__cpu_of(own->device);
    tern__packed_kernel twins[2] = {*cpu->packed[TERN__PACKING_INT8],
                                    *cpu->packed[TERN__PACKING_INT4]};
    cpu->packed[TERN__PACKING_INT8] = &twins[0];
    cpu->packed[TERN__PACKING_INT4] = &twins[1];
    for (int h = 0; h < 4; h++) {
        test_ok(tern_model_random(own, "tiny", 9, &(tern_model_options){.head = heads[h]}, &model));
        test_status(tern_session_create(context, model, NULL, &session),
                    heads[h] == TERN_HEAD_FULL ? TERN_OK : TERN_E_ARGUMENT);
        tern_session_destroy(session);
        tern_model_release(model);
    }
    tern_context_destroy(own);
}

/* The last test, as what a group's teardown returns fails nothing. */
static void nothing_is_left(void **state) {
    (void)state;
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story),
        cmocka_unit_test(random_model),
        cmocka_unit_test(file_models),
        cmocka_unit_test(prompts),
        cmocka_unit_test(same_everywhere),
        cmocka_unit_test(nan_logits),
        cmocka_unit_test(nan_logits_without_memory),
        cmocka_unit_test(names_and_memory),
        cmocka_unit_test(what_heads_weigh),
        cmocka_unit_test(heads_by_size),
        cmocka_unit_test(refusals),
        cmocka_unit_test(other_kernels),
        cmocka_unit_test(other_kernels_of_heads),
        cmocka_unit_test(nothing_is_left),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
