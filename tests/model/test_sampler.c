/* SPDX-License-Identifier: MIT
 * The sampler: cuts, ties, penalties and NaN on literal numbers, distributions by chi-square, and
 * every draw against a plain implementation that sorts the whole vocabulary. */
#include "support.h"

#include <float.h>
#include <math.h>

#include <tern/model.h>

#include "base/os.h"

/* No cut and no penalty: each test switches on what it is about. */
static tern_sampler_options plain_options(void) {
    return (tern_sampler_options){.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 11};
}

static tern_sampler *make_sampler(const tern_sampler_options *options, int64_t vocabulary) {
    tern_sampler *sampler = NULL;
    test_ok(tern_sampler_create(options, vocabulary, &sampler));
    assert_non_null(sampler);
    return sampler;
}

static int32_t next_token(tern_sampler *sampler, const float *logits) {
    int32_t token = -1;
    test_ok(tern_sampler_next(sampler, logits, &token));
    return token;
}

/* One token of a new sampler. */
static int32_t first_token(const tern_sampler_options *options, const float *logits, int64_t n) {
    tern_sampler *sampler = make_sampler(options, n);
    int32_t token = next_token(sampler, logits);
    tern_sampler_destroy(sampler);
    return token;
}

enum { DRAWS = 40000 };

/* Draws often and compares the counts with `expected` probabilities: chi-square within 5 standard
 * deviations, nothing drawn that has none. */
static void check_distribution(const tern_sampler_options *options, const float *logits,
                               const double *expected, int n) {
    int64_t counts[64] = {0};
    assert_in_range(n, 1, 64);
    tern_sampler *sampler = make_sampler(options, n);
    for (int i = 0; i < DRAWS; i++)
        counts[next_token(sampler, logits)]++;
    tern_sampler_destroy(sampler);
    double chi_square = 0;
    int freedom = -1;
    for (int i = 0; i < n; i++) {
        if (expected[i] == 0) {
            assert_int_equal(counts[i], 0);
            continue;
        }
        double difference = (double)counts[i] - expected[i] * DRAWS;
        chi_square += difference * difference / (expected[i] * DRAWS);
        freedom++;
    }
    if (chi_square > freedom + 5 * sqrt(2.0 * freedom) + 1e-9)
        fail_msg("chi-square %g with %d degrees of freedom, seed %llu", chi_square, freedom,
                 (unsigned long long)options->seed);
}

/* Probabilities 0.4, 0.3, 0.2, 0.1 in a mixed order. */
static const float four[] = {-1.609437912f, -0.916290732f, -2.302585093f, -1.203972804f};

static void test_greedy(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    options.temperature = 0;
    assert_int_equal(first_token(&options, (float[]){1, 5, 3}, 3), 1);
    assert_int_equal(first_token(&options, (float[]){-3, -1, -1, -2}, 4), 1);
    assert_int_equal(first_token(&options, (float[]){0.0f, -0.0f, 0.0f}, 3), 0);
    assert_int_equal(first_token(&options, (float[]){-INFINITY, -FLT_MAX, NAN}, 3), 1);
    assert_int_equal(first_token(&options, (float[]){NAN, 1, INFINITY, INFINITY}, 4), 2);
    assert_int_equal(first_token(&options, (float[]){7}, 1), 0);
}

static void test_softmax_and_temperature(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    check_distribution(&options, four, (double[]){0.2, 0.4, 0.1, 0.3}, 4);
    /* Temperature 1/2 squares the probabilities: 16, 9, 4, 1 out of 30. */
    options.temperature = 0.5f;
    check_distribution(&options, four, (double[]){4 / 30.0, 16 / 30.0, 1 / 30.0, 9 / 30.0}, 4);
    options.temperature = 1e-30f;
    check_distribution(&options, four, (double[]){0, 1, 0, 0}, 4);
    options = plain_options();
    options.seed = UINT64_MAX;
    float equal[10] = {0};
    check_distribution(&options, equal, (double[]){.1, .1, .1, .1, .1, .1, .1, .1, .1, .1}, 10);
}

static void test_top_k(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    options.top_k = 2;
    check_distribution(&options, four, (double[]){0, 4 / 7.0, 0, 3 / 7.0}, 4);
    options.top_k = 1;
    check_distribution(&options, four, (double[]){0, 1, 0, 0}, 4);
    for (options.top_k = 4; options.top_k <= 1000000; options.top_k *= 10)
        check_distribution(&options, four, (double[]){0.2, 0.4, 0.1, 0.3}, 4);
    /* Equal logits: the lowest ids stay. */
    options.top_k = 3;
    check_distribution(&options, (float[]){1, 1, 1, 1, 1, 1}, (double[6]){1 / 3., 1 / 3., 1 / 3.},
                       6);
    check_distribution(
        &options, (float[]){1, 1, 2, 1, 1, 2},
        (double[]){1 / (1 + 2 * M_E), 0, M_E / (1 + 2 * M_E), 0, 0, M_E / (1 + 2 * M_E)}, 6);
}

static void test_top_p(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    options.top_p = 0.39f;
    check_distribution(&options, four, (double[]){0, 1, 0, 0}, 4);
    options.top_p = 0.41f;
    check_distribution(&options, four, (double[]){0, 4 / 7.0, 0, 3 / 7.0}, 4);
    options.top_p = 0.71f;
    check_distribution(&options, four, (double[]){2 / 9.0, 4 / 9.0, 0, 3 / 9.0}, 4);
    options.top_p = 0;
    check_distribution(&options, four, (double[]){0, 1, 0, 0}, 4);
    /* After top-k: half of what two tokens share is less than the first of them has. */
    options.top_p = 0.5f;
    options.top_k = 2;
    check_distribution(&options, four, (double[]){0, 1, 0, 0}, 4);
}

/* A nucleus of many thousand tokens, far beyond the first guess. */
static void test_wide_nucleus(void **state) {
    (void)state;
    enum { V = 10000 };
    float *equal = calloc(V, sizeof *equal);
    tern_sampler_options options = plain_options();
    options.top_p = 0.5f;
    tern_sampler *sampler = make_sampler(&options, V);
    int32_t highest = 0;
    for (int i = 0; i < 2000; i++) {
        int32_t token = next_token(sampler, equal);
        highest = token > highest ? token : highest;
    }
    assert_in_range(highest, 4900, 4999);
    tern_sampler_destroy(sampler);
    free(equal);
}

static void test_min_p(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    options.min_p = 0.3f; /* of 0.4: drops 0.1 */
    check_distribution(&options, four, (double[]){2 / 9.0, 4 / 9.0, 0, 3 / 9.0}, 4);
    options.min_p = 0.6f;
    check_distribution(&options, four, (double[]){0, 4 / 7.0, 0, 3 / 7.0}, 4);
    options.min_p = 1;
    check_distribution(&options, (float[]){1, 2, 2, 1}, (double[]){0, 0.5, 0.5, 0}, 4);
    /* The nucleus is cut before: 0.41 keeps two tokens, min_p takes none of them. */
    options.min_p = 0.1f;
    options.top_p = 0.41f;
    check_distribution(&options, four, (double[]){0, 4 / 7.0, 0, 3 / 7.0}, 4);
}

static void test_repeat_penalty(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    options.temperature = 0;
    options.repeat_penalty = 2;
    options.repeat_last = 2;
    struct {
        float logits[3];
        int accepted[3], count, expected;
    } rows[] = {
        {{3, 2, 0}, {0}, 0, 0},
        {{3, 2, 0}, {0}, 1, 1},       /* 3 / 2 < 2 */
        {{3, 1.4f, 0}, {0, 0}, 2, 0}, /* seen twice, penalised once: 3 / 2 > 1.4 */
        {{-1, -1.5f, -9}, {0}, 1, 1}, /* negative: -1 * 2 */
        {{2, 1, 0}, {0}, 1, 0},       /* a tie: the lowest id */
        {{3, 2, 0}, {0, 2, 2}, 3, 0}, /* out of sight */
        {{3, 2, 1}, {2, 0, 1}, 3, 0}, /* 3 / 2, 2 / 2, 1 */
        {{3, 2, 0}, {-1, 3}, 2, 0},   /* no tokens: ignored */
        {{NAN, 2, -INFINITY}, {0, 2}, 2, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_sampler *sampler = make_sampler(&options, 3);
        for (int j = 0; j < rows[i].count; j++)
            tern_sampler_accept(sampler, rows[i].accepted[j]);
        int32_t token = next_token(sampler, rows[i].logits);
        if (token != rows[i].expected)
            fail_msg("row %zu: token %d, expected %d", i, token, rows[i].expected);
        tern_sampler_destroy(sampler);
    }
    /* What it draws itself counts too: 3, then 2 (against 1.5), then 1.5 (against 1). */
    tern_sampler *sampler = make_sampler(&options, 3);
    const float logits[] = {3, 2, -5};
    const int expected[] = {0, 1, 0, 0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(next_token(sampler, logits), expected[i]);
    tern_sampler_destroy(sampler);
    /* repeat_last 0 looks at nothing. */
    options.repeat_last = 0;
    sampler = make_sampler(&options, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next_token(sampler, logits), 0);
    tern_sampler_destroy(sampler);
}

static void test_nan_and_infinity(void **state) {
    (void)state;
    tern_sampler_options options = plain_options();
    const float mixed[] = {NAN, 1, -INFINITY, 1, -NAN};
    check_distribution(&options, mixed, (double[]){0, 0.5, 0, 0.5, 0}, 5);
    options.top_p = 0.9f;
    check_distribution(&options, mixed, (double[]){0, 0.5, 0, 0.5, 0}, 5);
    options.top_k = 4;
    check_distribution(&options, mixed, (double[]){0, 0.5, 0, 0.5, 0}, 5);
    check_distribution(&options, (float[]){1, INFINITY, 5, INFINITY, NAN},
                       (double[]){0, 0.5, 0, 0.5, 0}, 5);

    const float nothing[] = {NAN, -INFINITY, NAN, -INFINITY, -INFINITY};
    for (int greedy = 0; greedy < 2; greedy++) {
        options.temperature = greedy ? 0 : 1;
        tern_sampler *sampler = make_sampler(&options, 5);
        int32_t token = 77;
        test_status(tern_sampler_next(sampler, nothing, &token), TERN_E_ARGUMENT);
        assert_int_equal(token, 77);
        token = next_token(sampler, mixed); /* still usable, and the draw is the first one */
        assert_int_equal(token, first_token(&options, mixed, 5));
        tern_sampler_destroy(sampler);
    }
}

/* Draw n depends on seed and n only, and is the stated number. */
static void test_stream(void **state) {
    (void)state;
    enum { V = 1000 };
    static float equal[V], other[V];
    other[3] = 50;
    for (uint64_t seed = 0; seed < 20; seed++) {
        tern_sampler_options options = plain_options();
        options.seed = seed * UINT64_C(0x123456789abcdef);
        tern_sampler *a = make_sampler(&options, V), *b = make_sampler(&options, V);
        for (uint64_t n = 0; n < 50; n++) {
            tern__philox_block block = tern__philox(options.seed, n);
            double u = (double)((uint64_t)block.word[0] << 21 | block.word[1] >> 11) * 0x1p-53;
            int32_t token = next_token(a, equal);
            assert_int_equal(token, (int)(u * V));
            if (n % 2 == 0)
                assert_int_equal(next_token(b, other), 3);
            else
                assert_int_equal(next_token(b, equal), token);
        }
        tern_sampler_destroy(a);
        tern_sampler_destroy(b);
    }
}

/* -- the plain implementation ------------------------------------------------------------------*/

typedef struct candidate {
    float logit;
    int32_t id;
    double weight;
} candidate;

static int compare_candidates(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static int32_t plain_sample(const tern_sampler_options *o, const float *logits, int n,
                            candidate *list) {
    for (int i = 0; i < n; i++)
        list[i] = (candidate){logits[i], i, 0};
    qsort(list, (size_t)n, sizeof *list, compare_candidates);
    if (o->temperature == 0)
        return list[0].id;
    int count = o->top_k > 0 && o->top_k < n ? o->top_k : n;
    double total = 0, sum = 0;
    for (int i = 0; i < count; i++) {
        list[i].weight = exp(((double)list[i].logit - list[0].logit) / (double)o->temperature);
        total += list[i].weight;
    }
    int kept = 0;
    while (kept < count && (o->top_p >= 1 || kept == 0 || sum < (double)o->top_p * total))
        sum += list[kept++].weight;
    while (list[kept - 1].weight < (double)o->min_p)
        kept--;
    bool is_by_id = count == n && o->top_p >= 1;
    double drawn = 0;
    for (int i = 0; i < kept; i++)
        drawn += list[i].weight;
    tern__philox_block block = tern__philox(o->seed, 0);
    double u = (double)((uint64_t)block.word[0] << 21 | block.word[1] >> 11) * 0x1p-53;
    double target = u * drawn;
    if (is_by_id) /* no cut asks for an order: candidates stand by id */
        for (int id = 0; id < n; id++)
            for (int i = 0; i < kept; i++)
                if (list[i].id == id && (target -= list[i].weight) < 0)
                    return id;
    for (int i = 0; i < kept; i++)
        if ((target -= list[i].weight) < 0)
            return list[i].id;
    return -1;
}

static void test_against_plain(void **state) {
    (void)state;
    enum { V = 600 };
    test_random random = {.seed = 20};
    float logits[V];
    candidate list[V];
    for (int round = 0; round < 3000; round++) {
        int n = (int)test_random_range(&random, 1, V);
        tern_sampler_options options = plain_options();
        options.seed = test_random_u32(&random);
        options.temperature = (float)test_random_range(&random, 0, 30) * 0.1f;
        if (test_random_u32(&random) % 2)
            options.top_k = (int32_t)test_random_range(&random, 1, V + 20);
        if (test_random_u32(&random) % 2)
            options.top_p = (float)test_random_range(&random, 0, 100) * 0.01f;
        if (test_random_u32(&random) % 2)
            options.min_p = (float)test_random_range(&random, 0, 100) * 0.01f;
        test_random_normal(&random, logits, n);
        if (test_random_u32(&random) % 2) /* many ties */
            for (int i = 0; i < n; i++)
                logits[i] = rintf(logits[i] * 2);
        int32_t token = first_token(&options, logits, n);
        int32_t expected = plain_sample(&options, logits, n, list);
        if (token != expected)
            fail_msg("round %d of seed %llu: token %d, expected %d (V %d, temperature %g, top_k "
                     "%d, top_p %g, min_p %g)",
                     round, (unsigned long long)random.seed, token, expected, n,
                     (double)options.temperature, options.top_k, (double)options.top_p,
                     (double)options.min_p);
    }
}

/* -- from the best logits ----------------------------------------------------------------------*/

static const candidate *sorted_candidates(const float *logits, int n, candidate *list) {
    for (int i = 0; i < n; i++) /* as tern_session_eval_best gives them */
        list[i] = (candidate){isnan(logits[i]) ? -INFINITY : logits[i], i, 0};
    qsort(list, (size_t)n, sizeof *list, compare_candidates);
    return list;
}

/* Normal numbers, many ties, or a few infinities and NaN among them. */
static void fill_logits(test_random *random, float *logits, int n) {
    int kind = (int)test_random_range(random, 0, 3);
    test_random_normal(random, logits, n);
    for (int i = 0; i < n; i++) {
        if (kind == 1)
            logits[i] = rintf(logits[i] * 2);
        if (kind == 2 && test_random_u32(random) % 3 == 0)
            logits[i] = (float[]){-INFINITY, NAN, INFINITY, -0.0f}[test_random_range(random, 0, 3)];
        if (kind == 3 && test_random_u32(random) % 8 != 0)
            logits[i] = -INFINITY;
    }
}

/* Several draws of two samplers: from all logits, and from as many of the best as are needed or
 * some more. */
static void check_from_best(test_random *random, const tern_sampler_options *options, int n) {
    float logits[600], best[600];
    int32_t ids[600], expected = -1, token = -2;
    candidate list[600];
    int64_t needed = tern_sampler_needs(options);
    tern_sampler *a = make_sampler(options, n), *b = make_sampler(options, n);
    for (int draw = 0; draw < 5; draw++) {
        fill_logits(random, logits, n);
        sorted_candidates(logits, n, list);
        int64_t count = needed + (draw % 2 == 0 ? 0 : test_random_range(random, 0, 20));
        count = count < n ? count : n;
        for (int64_t i = 0; i < count; i++) {
            ids[i] = list[i].id;
            best[i] = list[i].logit;
        }
        tern_status status = tern_sampler_next(a, logits, &expected);
        test_status(tern_sampler_next_best(b, ids, best, count, &token), status);
        if (status == TERN_OK && token != expected)
            fail_msg("seed %llu at %llu: token %d, expected %d (V %d, %lld best, temperature %g, "
                     "top_k %d)",
                     (unsigned long long)random->seed, (unsigned long long)random->position, token,
                     expected, n, (long long)count, (double)options->temperature, options->top_k);
    }
    tern_sampler_destroy(a);
    tern_sampler_destroy(b);
}

static void test_from_best(void **state) {
    (void)state;
    test_random random = {.seed = 21};
    for (int round = 0; round < 4000; round++) {
        int n = (int)test_random_range(&random, 1, 580);
        tern_sampler_options options = plain_options();
        options.seed = test_random_u32(&random);
        options.top_k = (int32_t)test_random_range(&random, 1, round % 2 == 0 ? 8 : 600);
        options.temperature = (float)test_random_range(&random, 0, 30) * 0.1f;
        if (test_random_u32(&random) % 2)
            options.top_p = (float)test_random_range(&random, 0, 100) * 0.01f;
        if (test_random_u32(&random) % 2)
            options.min_p = (float)test_random_range(&random, 0, 100) * 0.01f;
        if (test_random_u32(&random) % 4 == 0) {
            options.repeat_penalty = 1.5f; /* of no tokens */
            options.repeat_last = 0;
        }
        check_from_best(&random, &options, n);
    }
}

static void test_needs(void **state) {
    (void)state;
    assert_int_equal(tern_sampler_needs(NULL), 41);
    tern_sampler_options options = plain_options();
    assert_int_equal(tern_sampler_needs(&options), 0);
    options.top_k = INT32_MAX;
    assert_int_equal(tern_sampler_needs(&options), (int64_t)INT32_MAX + 1);
    options.temperature = 0;
    assert_int_equal(tern_sampler_needs(&options), 1);
    options.repeat_penalty = 1.1f;
    assert_int_equal(tern_sampler_needs(&options), 1);
    options.repeat_last = 1;
    assert_int_equal(tern_sampler_needs(&options), 0);
}

static void test_best_refusals(void **state) {
    (void)state;
    const int32_t ids[] = {3, 0, 1}, twice[] = {3, 0, 3}, outside[] = {3, 0, 4},
                  below[] = {3, 0, -1};
    const float logits[] = {3, 2, 1};
    int32_t token = -7;
    tern_sampler_options options = plain_options();
    options.top_k = 2;
    tern_sampler *sampler = make_sampler(&options, 4);
    test_status(tern_sampler_next_best(sampler, ids, logits, 2, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, ids, logits, 5, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, twice, logits, 3, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, outside, logits, 3, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, below, logits, 3, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(NULL, ids, logits, 3, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, NULL, logits, 3, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, ids, NULL, 3, &token), TERN_E_ARGUMENT);
    test_status(tern_sampler_next_best(sampler, ids, logits, 3, NULL), TERN_E_ARGUMENT);
    assert_int_equal(token, -7);
    test_ok(tern_sampler_next_best(sampler, ids, logits, 3, &token));
    assert_true(token == 3 || token == 0);
    tern_sampler_destroy(sampler);
    options.top_k = 0;
    sampler = make_sampler(&options, 4);
    test_status(tern_sampler_next_best(sampler, ids, logits, 3, &token), TERN_E_ARGUMENT);
    tern_sampler_destroy(sampler);
}

/* -- misuse ------------------------------------------------------------------------------------*/

static void test_options(void **state) {
    (void)state;
    tern_sampler_options d = tern_sampler_options_default();
    assert_true(d.temperature == 0.8f && d.top_k == 40 && d.top_p == 0.95f && d.min_p == 0.05f);
    assert_true(d.repeat_penalty == 1 && d.repeat_last == 64 && d.seed == 0);
    tern_sampler *sampler = make_sampler(NULL, 10);
    tern_sampler_destroy(sampler);
    tern_sampler_destroy(NULL);

    tern_sampler_options bad[14];
    for (int i = 0; i < 14; i++)
        bad[i] = d;
    bad[0].temperature = -1;
    bad[1].temperature = NAN;
    bad[2].temperature = INFINITY;
    bad[3].top_k = -1;
    bad[4].top_p = -0.1f;
    bad[5].top_p = 1.1f;
    bad[6].top_p = NAN;
    bad[7].min_p = -0.1f;
    bad[8].min_p = 1.1f;
    bad[9].min_p = NAN;
    bad[10].repeat_penalty = 0;
    bad[11].repeat_penalty = NAN;
    bad[12].repeat_penalty = INFINITY;
    bad[13].repeat_last = -1;
    for (int i = 0; i < 14; i++) {
        sampler = (tern_sampler *)&bad;
        test_status(tern_sampler_create(&bad[i], 10, &sampler), TERN_E_ARGUMENT);
        assert_null(sampler);
    }
    test_status(tern_sampler_create(&d, 0, &sampler), TERN_E_ARGUMENT);
    test_status(tern_sampler_create(&d, -5, &sampler), TERN_E_ARGUMENT);
    test_status(tern_sampler_create(&d, INT64_MAX, &sampler), TERN_E_ARGUMENT);
    test_status(tern_sampler_create(&d, 10, NULL), TERN_E_ARGUMENT);
    int32_t token;
    test_status(tern_sampler_next(NULL, four, &token), TERN_E_ARGUMENT);
    sampler = make_sampler(NULL, 4);
    test_status(tern_sampler_next(sampler, NULL, &token), TERN_E_ARGUMENT);
    assert_string_equal(tern_last_error(), "sampler: the logits pointer is NULL");
    tern_sampler_destroy(sampler);
}

static void *no_memory(size_t bytes) {
    (void)bytes;
    return NULL;
}

/* What is no token is not remembered either: the penalty still sees the token before it. */
static void test_foreign_tokens(void **state) {
    (void)state;
    const float logits[] = {1, 1.5f, 2, 0};
    tern_sampler_options options = {.top_p = 1, .repeat_penalty = 4, .repeat_last = 1};
    tern_sampler *sampler = NULL;
    int32_t token;
    test_ok(tern_sampler_create(&options, 4, &sampler));
    tern_sampler_accept(sampler, 2);
    tern_sampler_accept(sampler, 4);
    tern_sampler_accept(sampler, -1);
    test_ok(tern_sampler_next(sampler, logits, &token));
    assert_int_equal(token, 1);
    tern_sampler_destroy(sampler);
}

static void test_no_memory(void **state) {
    (void)state;
    tern__os_table table = tern__os_default;
    table.alloc = no_memory;
    tern__os_set(&table);
    tern_sampler *sampler = (tern_sampler *)&table;
    tern_status status = tern_sampler_create(NULL, 10, &sampler);
    tern__os_set(NULL);
    test_status(status, TERN_E_MEMORY);
    assert_null(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),         cmocka_unit_test(test_softmax_and_temperature),
        cmocka_unit_test(test_top_k),          cmocka_unit_test(test_top_p),
        cmocka_unit_test(test_wide_nucleus),   cmocka_unit_test(test_min_p),
        cmocka_unit_test(test_repeat_penalty), cmocka_unit_test(test_nan_and_infinity),
        cmocka_unit_test(test_stream),         cmocka_unit_test(test_against_plain),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_foreign_tokens), cmocka_unit_test(test_from_best),
        cmocka_unit_test(test_needs),          cmocka_unit_test(test_best_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
