/* SPDX-License-Identifier: MIT
 * Opening shared libraries: one that every system of ours has, and ones that are not there. */
#include "support.h"

#include "base/library.h"

static void test_present(void **state) {
    (void)state;
    char why[64] = "old";
    tern__library *library = tern__library_open("libc.so.6", why, sizeof why);
    if (library == NULL)
        test_skip("there is no libc.so.6: %s", why);
    assert_string_equal(why, "");
    void *address = tern__library_symbol(library, "strlen");
    size_t (*length)(const char *);
    assert_non_null(address);
    memcpy(&length, &address, sizeof length);
    assert_int_equal(length("seven c"), 7);
    assert_null(tern__library_symbol(library, "no_function_is_called_so"));
    tern__library_close(library);
    assert_int_equal(length("code stays mapped"), 17);
}

static void test_absent(void **state) {
    (void)state;
    char why[256] = "", small[4] = "zzz";
    assert_null(tern__library_open("libno-such-library.so.99", why, sizeof why));
    assert_non_null(strstr(why, "libno-such-library.so.99"));
    assert_null(tern__library_open("libno-such-library.so.99", small, sizeof small));
    assert_int_equal(strlen(small), 3);
    tern__library_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_present),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
