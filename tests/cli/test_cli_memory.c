/* SPDX-License-Identifier: MIT
 * What `tern run` tells about its memory: the page on standard error, JSON in a file, and no
 * warnings, as nothing is leaked or misused. */
#include "cli/child.h"
#include "json_reader.h"

static char json_path[] = "/tmp/tern-test-XXXXXX";

static int make_file(void **state) {
    int fd = mkstemp(json_path);
    return fd < 0 || close(fd) != 0 || child_clean_environment(state) != 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(json_path);
}

#define STORY "run", "-q", "-p", "Once upon a time", "-n", "8", "--temp", "0", "--threads", "2"

static child_result plain_story(void) {
    child_result r = child_run(STORY);
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    return r;
}

static json_document *read_report(void) {
    size_t bytes;
    char *text = test_read_file(json_path, &bytes);
    json_document *json = json_read(text, bytes);
    free(text);
    return json;
}

static void page(void **state) {
    (void)state;
    static const char *const levels[] = {"counts", "sites", "full"};
    child_result plain = plain_story();
    for (int i = 0; i < 3; i++) {
        char title[80];
        child_result r = child_run(STORY, "--memory-report", "--track", levels[i]);
        snprintf(title, sizeof title, "memory of the context, tracking level %s\n  live ",
                 levels[i]);
        child_expect(&r, r.status == 0 && strcmp(r.out, plain.out) == 0);
        child_expect(&r, strncmp(r.err, title, strlen(title)) == 0);
        child_expect(&r, strstr(r.err, "warning") == NULL);
        /* What is in use, not what was left: the model and the session are there. */
        const char *loaded = strstr(r.err, "tern_model_load (");
        const char *session = strstr(r.err, "tern_session_create (");
        child_expect(&r, (loaded != NULL) == (i > 0) && (session != NULL) == (i > 0));
        child_expect(&r, i == 0 || strstr(r.err, "run_command.c:") != NULL);
        child_free(&r);
    }
    /* The figures of the run come first, also when the level is not named. */
    child_result r = child_run("run", "-n", "2", "--memory-report");
    child_expect(&r, r.status == 0 && strncmp(r.err, "load ", 5) == 0);
    child_expect(&r, strstr(r.err, "\nmemory of the context, tracking level counts\n") != NULL);
    child_free(&r);
    child_free(&plain);
}

static uint64_t number_at(const json_document *json, const char *path) {
    const json_value *value = json_find(json, path);
    assert_non_null(value);
    assert_int_equal(value->kind, JSON_NUMBER);
    return strtoull(value->text, NULL, 10);
}

static void json_file(void **state) {
    (void)state;
    child_result plain = plain_story();
    child_result r = child_run(STORY, "--memory-json", json_path, "--track", "sites");
    child_expect(&r, r.status == 0 && strcmp(r.out, plain.out) == 0 && r.err[0] == '\0');
    child_free(&r);
    json_document *json = read_report();
    json_expect_string(json, "tracking", "sites");
    uint64_t live = number_at(json, "live_bytes"), sum = 0, tensors = 0;
    for (int i = 0;; i++) {
        char path[64];
        snprintf(path, sizeof path, "sites[%d].bytes", i);
        if (json_find(json, path) == NULL)
            break;
        sum += number_at(json, path);
        snprintf(path, sizeof path, "sites[%d].count", i);
        tensors += number_at(json, path);
    }
    assert_true(live > 1000000); /* the weights */
    assert_true(sum == live && tensors == number_at(json, "live_tensors"));
    json_free(json);

    /* Both reports at once; the file is written anew. */
    r = child_run(STORY, "--memory-json", json_path, "--memory-report");
    child_expect(&r, r.status == 0 && strncmp(r.err, "memory of the context,", 22) == 0);
    child_free(&r);
    json = read_report();
    json_expect_string(json, "tracking", "counts");
    json_free(json);

    r = child_run(STORY, "--memory-json", "-");
    size_t length = strlen(plain.out);
    child_expect(&r, r.status == 0 && strncmp(r.out, plain.out, length) == 0);
    json = json_read(r.out + length, strlen(r.out) - length);
    json_expect_string(json, "tracking", "counts");
    json_free(json);
    child_free(&r);
    child_free(&plain);
}

static void bad_files(void **state) {
    (void)state;
    child_result r = child_run(STORY, "--memory-json", "/no/such/folder/report");
    child_expect(&r, r.status == 1 && r.out[0] == '\0');
    child_expect(&r, strstr(r.err, "tern: /no/such/folder/report: No such file") != NULL);
    child_free(&r);
    r = child_run(STORY, "--memory-json", "/dev/full");
    child_expect(&r, r.status == 1 && strstr(r.err, "tern: /dev/full: No space left") != NULL);
    child_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page),
        cmocka_unit_test(json_file),
        cmocka_unit_test(bad_files),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
