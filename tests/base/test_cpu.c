/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/cpu.h"

static void detection_is_stable(void **state) {
    (void)state;
    const tern__cpu_info *info = tern__cpu();
    assert_ptr_equal(info, tern__cpu());
    assert_true(strlen(info->model) < sizeof info->model);
    char text[256];
    tern__cpu_describe(info->features, text, sizeof text);
    print_message("processor: %s; %s; caches %lld %lld %lld\n", info->model, text,
                  (long long)info->cache_l1d, (long long)info->cache_l2, (long long)info->cache_l3);
}

/* What a known cache can be on any machine, and on Linux what the kernel says of the same one. */
static void caches_are_plausible(void **state) {
    (void)state;
    const tern__cpu_info *info = tern__cpu();
    const struct {
        int64_t detected, least, most;
    } caches[] = {
        {info->cache_l1d, 4 << 10, 1 << 20},
        {info->cache_l2, 64 << 10, 256 << 20},
        {info->cache_l3, 256 << 10, (int64_t)8 << 30},
    };
    for (int level = 1; level <= 3; level++) {
        int64_t bytes = caches[level - 1].detected;
        if (bytes == 0)
            continue;
        assert_in_range(bytes, caches[level - 1].least, caches[level - 1].most);
        assert_int_equal(bytes % 64, 0);
    }
    if (info->cache_l2 != 0)
        assert_true(info->cache_l1d > 0 && info->cache_l1d <= info->cache_l2);

    /* Index 0 and 1 are the two of level 1, data first. Machines that mix cores have several. */
    static const int indices[] = {0, 2, 3};
    for (int level = 1; level <= 3; level++) {
        bool is_told = false, is_same = false;
        for (int cpu = 0; cpu < 1024 && !is_same; cpu++) {
            char path[96];
            long long kib = -1;
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/size", cpu,
                     indices[level - 1]);
            FILE *file = fopen(path, "r");
            if (file == NULL)
                continue;
            is_told = fscanf(file, "%lldK", &kib) == 1 || is_told;
            fclose(file);
            is_same = caches[level - 1].detected == kib * 1024;
        }
        if (is_told && !is_same && caches[level - 1].detected != 0)
            fail_msg("level %d: %lld bytes, the kernel says otherwise", level,
                     (long long)caches[level - 1].detected);
    }
}

/* What the kernel says about the same processor. Tiles need a permission, so only one direction. */
static void detection_agrees_with_the_kernel(void **state) {
    (void)state;
    uint32_t features = tern__cpu()->features;
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[8192] = "";
    while (file != NULL && fgets(line, sizeof line, file) != NULL && strncmp(line, "flags", 5) != 0)
        ;
    if (file != NULL)
        fclose(file);
#if !defined(__x86_64__) || defined(TERN_SCALAR_ONLY)
    (void)features;
    test_skip("features are compared on x86-64 builds with kernels only");
#else
    if (strncmp(line, "flags", 5) != 0)
        test_skip("/proc/cpuinfo tells no flags");
    line[strcspn(line, "\n")] = ' ';
    static const struct {
        uint32_t feature;
        const char *flags[6];
    } expected[] = {
        {TERN__CPU_AVX2, {" avx2 ", " fma ", " f16c ", " bmi2 "}},
        {TERN__CPU_AVX_VNNI, {" avx_vnni "}},
        {TERN__CPU_AVX512, {" avx512f ", " avx512bw ", " avx512dq ", " avx512vl ", " avx512cd "}},
        {TERN__CPU_AVX512_VNNI, {" avx512_vnni "}},
        {TERN__CPU_AVX512_VBMI, {" avx512vbmi "}},
        {TERN__CPU_AVX512_BF16, {" avx512_bf16 "}},
        {TERN__CPU_AVX512_FP16, {" avx512_fp16 "}},
        {TERN__CPU_AMX_INT8, {" amx_tile ", " amx_int8 "}},
        {TERN__CPU_AMX_BF16, {" amx_tile ", " amx_bf16 "}},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        bool has = true;
        for (size_t k = 0; k < 6 && expected[i].flags[k] != NULL; k++)
            has = has && strstr(line, expected[i].flags[k]) != NULL;
        bool is_tile = (expected[i].feature & (TERN__CPU_AMX_INT8 | TERN__CPU_AMX_BF16)) != 0;
        bool detected = (features & expected[i].feature) != 0;
        if (is_tile ? detected && !has : detected != has)
            fail_msg("the kernel's%s: %d, detected: %d", expected[i].flags[0], has, detected);
    }
#endif
}

/* A fact of the vendor, whatever level is forced. */
static void prefetches_are_the_vendors(void **state) {
    (void)state;
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[8192] = "";
    while (file != NULL && fgets(line, sizeof line, file) != NULL &&
           strncmp(line, "vendor_id", 9) != 0)
        ;
    if (file != NULL)
        fclose(file);
#if defined(__x86_64__)
    if (strncmp(line, "vendor_id", 9) != 0)
        test_skip("/proc/cpuinfo tells no vendor");
    bool is_intel = strstr(line, "GenuineIntel") != NULL;
    assert_int_equal(tern__cpu()->prefetches_within_pages, is_intel);
#else
    assert_false(tern__cpu()->prefetches_within_pages);
#endif
}

/* Every name is a level of some machine. */
static void levels_have_names(void **state) {
    (void)state;
    uint32_t features;
    int count = 0;
    assert_null(tern__cpu_level_name(-1));
    for (const char *name; (name = tern__cpu_level_name(count)) != NULL; count++) {
        tern_status status = tern__cpu_level(name, &features);
        assert_true(status == TERN_OK || status == TERN_E_UNSUPPORTED);
    }
    assert_true(count >= 5);
    assert_string_equal(tern__cpu_level_name(0), "scalar");
}

static void levels_mask_features(void **state) {
    (void)state;
    uint32_t all = tern__cpu()->features, features = 99;
    test_ok(tern__cpu_level(NULL, &features));
    assert_int_equal(features, all);
    test_ok(tern__cpu_level("", &features));
    assert_int_equal(features, all);
    test_ok(tern__cpu_level("native", &features));
    assert_int_equal(features, all);
    test_ok(tern__cpu_level("scalar", &features));
    assert_int_equal(features, 0);

    const uint32_t avx512 = TERN__CPU_AVX2 | TERN__CPU_AVX_VNNI | TERN__CPU_AVX512 |
                            TERN__CPU_AVX512_VNNI | TERN__CPU_AVX512_VBMI | TERN__CPU_AVX512_BF16 |
                            TERN__CPU_AVX512_FP16;
    const struct {
        const char *name;
        uint32_t needs, allows;
    } levels[] = {
        {"avx2", TERN__CPU_AVX2, TERN__CPU_AVX2},
        {"avxvnni", TERN__CPU_AVX_VNNI, TERN__CPU_AVX2 | TERN__CPU_AVX_VNNI},
        {"avx512", TERN__CPU_AVX512, avx512},
        {"amx", TERN__CPU_AMX_INT8, avx512 | TERN__CPU_AMX_INT8 | TERN__CPU_AMX_BF16},
        {"neon", TERN__CPU_NEON, TERN__CPU_NEON},
        {"dotprod", TERN__CPU_DOTPROD, TERN__CPU_NEON | TERN__CPU_DOTPROD},
        {"i8mm", TERN__CPU_I8MM, TERN__CPU_NEON | TERN__CPU_DOTPROD | TERN__CPU_I8MM},
    };
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        features = 99;
        tern_status status = tern__cpu_level(levels[i].name, &features);
        if ((all & levels[i].needs) != 0) {
            test_ok(status);
            assert_int_equal(features, all & levels[i].allows);
            assert_true((features & levels[i].needs) != 0);
        } else {
            test_status(status, TERN_E_UNSUPPORTED);
            assert_non_null(strstr(tern_last_error(), levels[i].name));
            assert_int_equal(features, 99);
        }
    }
}

/* No machine has both, so that one of these is always unsupported. */
static void foreign_level_is_unsupported(void **state) {
    (void)state;
    uint32_t features;
    assert_true(tern__cpu_level("neon", &features) == TERN_E_UNSUPPORTED ||
                tern__cpu_level("avx2", &features) == TERN_E_UNSUPPORTED);
}

static void unknown_word_lists_the_known(void **state) {
    (void)state;
    uint32_t features = 99;
    test_status(tern__cpu_level("AVX2", &features), TERN_E_ARGUMENT);
    test_status(tern__cpu_level("avx2 ", &features), TERN_E_ARGUMENT);
    test_status(tern__cpu_level("sse9", &features), TERN_E_ARGUMENT);
    assert_int_equal(features, 99);
    assert_non_null(strstr(tern_last_error(), "'sse9'"));
    const char *names[] = {"scalar", "avx2",    "avxvnni", "avx512", "amx",
                           "neon",   "dotprod", "i8mm",    "native"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(tern_last_error(), names[i]));
}

static void description_is_cut(void **state) {
    (void)state;
    char text[32];
    tern__cpu_describe(0, text, sizeof text);
    assert_string_equal(text, "");
    tern__cpu_describe(TERN__CPU_AVX512_VNNI | TERN__CPU_AVX2, text, sizeof text);
    assert_string_equal(text, "avx2 avx512_vnni");
    tern__cpu_describe(TERN__CPU_AVX512_VNNI | TERN__CPU_AVX2, text, 8);
    assert_string_equal(text, "avx2 av");
    tern__cpu_describe(TERN__CPU_AVX2, text, 1);
    assert_string_equal(text, "");
    text[0] = 'x';
    tern__cpu_describe(TERN__CPU_AVX2, text, 0);
    assert_int_equal(text[0], 'x');
}

static void the_first_that_fits_is_picked(void **state) {
    (void)state;
    static const tern__variant best = {"best", TERN__CPU_AVX2 | TERN__CPU_AVX512};
    static const tern__variant middle = {"middle", TERN__CPU_AVX2};
    static const tern__variant plain = {"plain", 0};
    static const tern__variant *const family[] = {&best, &middle, &plain, NULL};
    assert_ptr_equal(TERN__PICK(family, TERN__CPU_AVX2 | TERN__CPU_AVX512), &best);
    assert_ptr_equal(TERN__PICK(family, TERN__CPU_AVX2), &middle);
    assert_ptr_equal(TERN__PICK(family, TERN__CPU_AVX512), &plain);
    assert_ptr_equal(TERN__PICK(family, 0), &plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detection_is_stable),
        cmocka_unit_test(caches_are_plausible),
        cmocka_unit_test(detection_agrees_with_the_kernel),
        cmocka_unit_test(prefetches_are_the_vendors),
        cmocka_unit_test(levels_mask_features),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(foreign_level_is_unsupported),
        cmocka_unit_test(unknown_word_lists_the_known),
        cmocka_unit_test(description_is_cut),
        cmocka_unit_test(the_first_that_fits_is_picked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
