/* SPDX-License-Identifier: MIT
 * Whether the conformance suite finds what is wrong with a device: the toy with a planted fault,
 * each in a run of its own. */
#include <sys/wait.h>

#include "support.h"

enum { TEXT = 1 << 16 };

/* The end of a run; `text` gets what it printed. */
static int run_suite(const char *fault, char text[TEXT]) {
    char command[1024];
    snprintf(command, sizeof command,
             "TERN_TOY_FAULT=%s %s %s --devices toy --rounds 4 add mul neg 2>&1", fault,
             TERN_EMULATOR, TEST_CONFORMANCE);
    fflush(NULL);
    FILE *run = popen(command, "r");
    assert_non_null(run);
    size_t length = fread(text, 1, TEXT - 1, run);
    text[length] = '\0';
    for (char rest[256]; fread(rest, 1, sizeof rest, run) > 0;)
        continue;
    return pclose(run);
}

static void finds(const char *fault, const char *words) {
    static char text[TEXT];
    int ended = run_suite(fault, text);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) == 0 || strstr(text, words) == NULL)
        fail_msg("fault %s: ended with %d, without \"%s\":\n%s", fault, ended, words, text);
}

static void nothing_wrong(void **state) {
    (void)state;
    static char text[TEXT];
    int ended = run_suite("none", text);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0 || strstr(text, "  pass\n") == NULL)
        fail_msg("ended with %d:\n%s", ended, text);
}

static void wrong_bit(void **state) {
    (void)state;
    finds("bit", "element 0 is");
}

static void beside_the_result(void **state) {
    (void)state;
    finds("beside", "wrote beside the destination");
}

static void changed_operand(void **state) {
    (void)state;
    finds("operand", "operand 0 was changed");
}

static void native_that_never_is(void **state) {
    (void)state;
    finds("decline", "NEVER NATIVE");
}

static void wrong_status(void **state) {
    (void)state;
    finds("status", "TERN_E_INTERNAL (the toy broke), the CPU gives TERN_OK");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wrong),        cmocka_unit_test(wrong_bit),
        cmocka_unit_test(beside_the_result),    cmocka_unit_test(changed_operand),
        cmocka_unit_test(native_that_never_is), cmocka_unit_test(wrong_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
