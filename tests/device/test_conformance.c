/* SPDX-License-Identifier: MIT
 *
 * Every operation on every device against the CPU's scalar twin: the stored cases of
 * tests/data/op-cases.bin, random ones with tails and strides, and the calls of op_hash.h. A device
 * with a stated tolerance may be that far off; everything else has the same bits. What the CPU does
 * for a device is shown as that, and never counts as a pass of the device.
 *
 *     test_conformance [--devices NAME,...] [--rounds N] [OPERATION...]
 */
#include "conformance_random.h"
#include "conformance_shared.h"

static char **chosen;
static int chosen_count, rounds = TEST_THINNING > 1 ? 1 : TEST_IS_SANITIZED ? 2 : 8;
static const char *device_list;

/* Of the stored cases of each operation, every n-th one. */
static const int thinning = TEST_THINNING > 1 ? 16 : TEST_IS_SANITIZED ? 6 : 1;

static bool is_chosen(const char *op) {
    bool is_named = chosen_count == 0;
    for (int i = 0; i < chosen_count; i++)
        is_named |= strcmp(chosen[i], op) == 0;
    return is_named;
}

static int open_all(void **state) {
    (void)state;
    tern_device_info infos[FIXTURE_DEVICES];
    int count = test_devices(device_list, infos);
    test_ok(tern_context_create(&(tern_options){.threads = 1, .cpu = "scalar", .device = "cpu"},
                                &host));
    for (int i = 0; i < count; i++) {
        conformance_device *d = &devices[device_count];
        d->info = infos[i];
        test_ok(tern_context_create(&(tern_options){.threads = 1, .device = infos[i].name},
                                    &d->context));
        tern_context_op_info info;
        while (tern_context_op(d->context, d->row_count, &info))
            d->row_count++;
        device_count++;
    }
    if (thinning > 1)
        printf("sanitized: every %d-th stored case and %d random ones of each operation\n",
               thinning, rounds);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    for (int i = 0; i < device_count; i++)
        tern_context_destroy(devices[i].context);
    tern_context_destroy(host);
    return 0;
}

static void need_devices(void) {
    if (device_count == 0)
        test_skip("no device but the CPU");
}

/* Since the last look. */
static void no_failures(void) {
    static int64_t seen[FIXTURE_DEVICES];
    int64_t fresh = 0;
    for (int i = 0; i < device_count; i++) {
        fresh += failures_of(&devices[i]) - seen[i];
        seen[i] = failures_of(&devices[i]);
    }
    if (fresh > 0)
        fail_msg("%lld failures", (long long)fresh);
}

/* -- cases -------------------------------------------------------------------------------------*/

static void stored_cases(void **state) {
    (void)state;
    need_devices();
    uint8_t *file;
    int count, of_op = 0;
    op_case *cases = op_read_cases(&file, &count);
    for (int i = 0; i < count; i++) {
        of_op = i > 0 && strcmp(cases[i].op, cases[i - 1].op) == 0 ? of_op + 1 : 0;
        if (of_op % thinning == 0 && is_chosen(cases[i].op))
            run_case(&cases[i]);
    }
    free(cases);
    free(file);
    no_failures();
}

static void random_cases(void **state) {
    (void)state;
    need_devices();
    for (int i = 0; i < RANDOM_ENTRIES; i++)
        for (int round = 0; round < rounds && is_chosen(random_entries[i].op); round++)
            run_random(i, round);
    no_failures();
}

static void shared_calls(void **state) {
    (void)state;
    need_devices();
    if (chosen_count > 0)
        test_skip("only some operations");
    for (int i = 0; i < device_count; i++)
        run_shared(&devices[i]);
    no_failures();
}

/* -- the table ---------------------------------------------------------------------------------*/

/* Linear algebra is the host's. */
static bool needs_case(const char *name) {
    return is_chosen(name) && strcmp(find_info(name)->family, "LAPACK") != 0;
}

static int check_row(const conformance_device *d, int i) {
    const conformance_row *row = &d->rows[i];
    tern_context_op_info info;
    tern_context_op(d->context, i, &info);
    int bad = 0;
    if (row->cases == 0 && needs_case(info.name))
        bad += printf("%s: no case of %s\n", d->info.name, info.name) > 0;
    if (row->cases > 0 && info.place == TERN_PLACE_NATIVE && row->native + row->parts == 0)
        bad += printf("%s: %s is native, but no case was done by the device\n", d->info.name,
                      info.name) > 0;
    if (info.place != TERN_PLACE_NATIVE && row->native > 0)
        bad += printf("%s: %s is not native, but the device did %lld cases\n", d->info.name,
                      info.name, (long long)row->native) > 0;
    /* A named precision is outside the contract of equal bits. */
    bool is_precision = strcmp(info.name, "matmul_with") == 0;
    if (d->info.keeps_bits && info.tolerance != 0 && !is_precision)
        bad += printf("%s keeps the bits, but %s has a tolerance of %g\n", d->info.name, info.name,
                      info.tolerance) > 0;
    return bad;
}

static void every_row(void **state) {
    (void)state;
    need_devices();
    int bad = 0;
    for (int i = 0; i < device_count; i++) {
        print_table(&devices[i]);
        for (int row = 0; row < devices[i].row_count; row++)
            bad += check_row(&devices[i], row);
    }
    if (bad > 0)
        fail_msg("%d findings", bad);
}

int main(int argc, char **argv) {
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (strcmp(argv[at], "--devices") == 0)
            device_list = argv[at + 1];
        else if (strcmp(argv[at], "--rounds") == 0)
            rounds = atoi(argv[at + 1]);
    }
    chosen = argv + at;
    chosen_count = argc - at;
    use_plugins();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_cases),
        cmocka_unit_test(random_cases),
        cmocka_unit_test(shared_calls),
        cmocka_unit_test(every_row),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
