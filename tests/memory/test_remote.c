/* SPDX-License-Identifier: MIT
 * The remote stack by itself; with threads: test_pool_threads.c, and the model in tests/protocol.
 */
#include "support.h"

#include "memory/remote.h"

static void test_remote_stack(void **state) {
    (void)state;
    static tern__remote_node nodes[TERN__REMOTE_MAX + 1];
    tern__remote remote = {0};
    assert_null(tern__remote_take(&remote));
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < TERN__REMOTE_MAX; i++)
            assert_true(tern__remote_push(&remote, &nodes[i], 7 * i));
        assert_false(tern__remote_push(&remote, &nodes[TERN__REMOTE_MAX], 0)); /* full */
        tern__remote_node *node = tern__remote_take(&remote);
        for (uint64_t i = TERN__REMOTE_MAX; i-- > 0; node = node->next) {
            assert_ptr_equal(node, &nodes[i]); /* newest first */
            assert_int_equal(node->what, 7 * i);
        }
        assert_null(node);
        assert_null(tern__remote_take(&remote));
    }
    assert_true(tern__remote_push(&remote, &nodes[0], 1));
    assert_ptr_equal(tern__remote_close(&remote), &nodes[0]);
    assert_null(nodes[0].next);
    assert_false(tern__remote_push(&remote, &nodes[1], 1)); /* closed, and stays so */
    assert_null(tern__remote_take(&remote));
    assert_false(tern__remote_push(&remote, &nodes[1], 1));
    assert_null(tern__remote_close(&remote));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remote_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
