/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <tern/base.h>

#include "base/os.h"
#include "base/status.h"

static void names_and_sentences(void **state) {
    (void)state;
    assert_string_equal(tern_status_name(TERN_OK), "TERN_OK");
    assert_string_equal(tern_status_name(TERN_E_SHAPE), "TERN_E_SHAPE");
    assert_string_equal(tern_status_name((tern_status)999), "TERN_E_?");
    assert_string_equal(tern_status_name((tern_status)-1), "TERN_E_?");
    assert_string_equal(tern_status_string(TERN_E_MEMORY), "out of memory");
    assert_string_equal(tern_status_string((tern_status)999), "unknown status");
    /* Stable across versions. */
    assert_int_equal(TERN_OK, 0);
    assert_int_equal(TERN_E_FORMAT, 8);
    assert_int_equal(TERN_E_INTERNAL, 10);
}

static void version_is_three_numbers(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", TERN_VERSION_MAJOR, TERN_VERSION_MINOR,
             TERN_VERSION_PATCH);
    assert_string_equal(tern_version(), expected);
}

static void detail_is_formatted(void **state) {
    (void)state;
    assert_int_equal(tern__fail(TERN_E_SHAPE, "matmul: %d x %s", 3, "four"), TERN_E_SHAPE);
    assert_string_equal(tern_last_error(), "matmul: 3 x four");
    /* A detail may be built from the one before. */
    (void)tern__fail(TERN_E_FORMAT, "model: %s", tern_last_error());
    assert_string_equal(tern_last_error(), "model: matmul: 3 x four");
}

static void detail_is_cut(void **state) {
    (void)state;
    char name[2000];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    (void)tern__fail(TERN_E_FORMAT, "<%s", name);
    assert_int_equal(strlen(tern_last_error()), 511);
    assert_memory_equal(tern_last_error(), "<xxx", 4);
    (void)tern__fail(TERN_E_FORMAT, "short");
    assert_string_equal(tern_last_error(), "short");
}

static void controls_are_hidden(void **state) {
    (void)state;
    /* ESC, newline, DEL and the C1 control U+009B; other UTF-8 stays (é is C3 A9, U+00A0 is C2 A0).
     */
    (void)tern__fail(TERN_E_FORMAT, "%s", "a\x1b[31m\n\x7f\xc2\x9b\xc3\xa9\xc2\xa0\xc2");
    assert_string_equal(tern_last_error(), "a?[31m????\xc3\xa9\xc2\xa0\xc2");
}

static void fail_in_thread(void *seen_before) {
    *(size_t *)seen_before = strlen(tern_last_error());
    (void)tern__fail(TERN_E_IO, "from the other thread");
}

static void detail_belongs_to_a_thread(void **state) {
    (void)state;
    (void)tern__fail(TERN_E_IO, "from the main thread");
    size_t seen_before = 99;
    tern__os_thread thread;
    assert_int_equal(tern__os()->thread_start(&thread, fail_in_thread, &seen_before), 0);
    tern__os()->thread_join(thread);
    assert_int_equal(seen_before, 0);
    assert_string_equal(tern_last_error(), "from the main thread");
}

typedef struct log_record {
    int calls;
    tern_log_level level;
    char text[600];
} log_record;

static void record_log(void *user, tern_log_level level, const char *message) {
    log_record *record = user;
    record->calls++;
    record->level = level;
    snprintf(record->text, sizeof record->text, "%s", message);
}

static void log_reaches_the_callback(void **state) {
    (void)state;
    log_record record = {0};
    tern__message(TERN_LOG_ERROR, "nobody listens");
    tern_log_set(record_log, &record, TERN_LOG_WARN);
    tern__message(TERN_LOG_WARN, "level %d\a", 1);
    assert_int_equal(record.calls, 1);
    assert_int_equal(record.level, TERN_LOG_WARN);
    assert_string_equal(record.text, "level 1?");
    tern__message(TERN_LOG_INFO, "not urgent enough");
    assert_int_equal(record.calls, 1);
    tern__message(TERN_LOG_ERROR, "more urgent");
    assert_int_equal(record.calls, 2);
    tern_log_set(NULL, NULL, TERN_LOG_DEBUG);
    tern__message(TERN_LOG_ERROR, "nobody listens");
    assert_int_equal(record.calls, 2);
}

static tern_status tries(tern_status outcome, int *reached) {
    tern_status status = TERN_OK;
    TERN__TRY(outcome);
    ++*reached;
done:
    return status;
}

static void try_jumps_on_failure(void **state) {
    (void)state;
    int reached = 0;
    assert_int_equal(tries(TERN_E_LIMIT, &reached), TERN_E_LIMIT);
    assert_int_equal(reached, 0);
    assert_int_equal(tries(TERN_OK, &reached), TERN_OK);
    assert_int_equal(reached, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sentences),      cmocka_unit_test(version_is_three_numbers),
        cmocka_unit_test(detail_is_formatted),      cmocka_unit_test(detail_is_cut),
        cmocka_unit_test(controls_are_hidden),      cmocka_unit_test(detail_belongs_to_a_thread),
        cmocka_unit_test(log_reaches_the_callback), cmocka_unit_test(try_jumps_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
