/* SPDX-License-Identifier: MIT
 * How often a token wakes the workers: five times a layer, which are the projections, attention,
 * its output, the gated unit and the output of that; a prompt twice that but for attention, since
 * its rows are quantised by all threads. */
#include "support.h"
#include "tiny_model.h"

#include "device/cpu/cpu.h"

enum { PROMPT = 40 };

/* Jobs of the team for `count` tokens behind a prompt, in a model of so many layers. */
static int64_t jobs_of(int64_t layers, int64_t count) {
    tiny_shape shape = {"bitnet-b1.58", layers, 512,       8,        4,         64,
                        1536,           300,    TINY_I2_S, TINY_F16, TINY_TIED, TINY_F32};
    int32_t tokens[PROMPT] = {3, 1, 4, 1, 5, 9, 2, 6};
    static float logits[TINY_VOCABULARY];
    tern_context *context = NULL;
    tern_session *session = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 2}, &context));
    tern_model *model = tiny_load(context, &shape);
    test_ok(tern_session_create(context, model, NULL, &session));
    test_ok(tern_session_eval(session, tokens, PROMPT, TERN_LOGITS_LAST, logits));
    const tern__team *team = tern__cpu_of(context->device)->team;
    uint32_t before = tern__team_jobs(team);
    test_ok(tern_session_eval(session, tokens, count, TERN_LOGITS_LAST, logits));
    uint32_t jobs = tern__team_jobs(team) - before;
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    return jobs;
}

static void of_a_token(void **state) {
    (void)state;
    /* The output head and the embedding are there once. */
    int64_t layers = jobs_of(3, 1) - jobs_of(1, 1);
    assert_in_range(layers, 2 * 4, 2 * 5); /* few positions are not worth a barrier in attention */
}

static void of_a_prompt(void **state) {
    (void)state;
    int64_t layers = jobs_of(3, PROMPT) - jobs_of(1, PROMPT);
    assert_in_range(layers, 2 * 9, 2 * 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_a_token), cmocka_unit_test(of_a_prompt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
