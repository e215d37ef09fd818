/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"

#if defined(__x86_64__)

#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef struct leaf {
    uint32_t a, b, c, d;
} leaf;

/* All zero when the processor does not have the leaf. */
static leaf cpuid(uint32_t number, uint32_t sub) {
    leaf r = {0, 0, 0, 0};
    if (!__get_cpuid_count(number, sub, &r.a, &r.b, &r.c, &r.d))
        r = (leaf){0, 0, 0, 0};
    return r;
}

/* XCR0: the register files that the operating system saves. */
static uint32_t saved_registers(void) {
    const uint32_t osxsave = 1u << 27;
    if ((cpuid(1, 0).c & osxsave) == 0)
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Linux gives tile registers only to a process that asks for them. */
static int permit_tiles(void) {
#if defined(__linux__)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return 0;
#endif
}

enum { LEAF_1C, LEAF_7B, LEAF_7C, LEAF_7D, LEAF_7_1A, LEAF_COUNT };
enum { SAVES_AVX = 0x6, SAVES_AVX512 = 0xe6, SAVES_TILES = 0x60000 };

#define BIT(n) (1u << (n))

/* One row a condition: a feature needs all of its rows. */
static const struct {
    uint32_t feature;
    int leaf;
    uint32_t bits;
    uint32_t saved;
} conditions[] = {
    {TERN__CPU_AVX2, LEAF_1C, BIT(12) | BIT(28) | BIT(29), SAVES_AVX}, /* FMA, AVX, F16C */
    {TERN__CPU_AVX2, LEAF_7B, BIT(5) | BIT(8), SAVES_AVX},             /* AVX2, BMI2 */
    {TERN__CPU_AVX_VNNI, LEAF_7_1A, BIT(4), SAVES_AVX},
    /* F, DQ, CD, BW, VL */
    {TERN__CPU_AVX512, LEAF_7B, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31), SAVES_AVX512},
    {TERN__CPU_AVX512_VNNI, LEAF_7C, BIT(11), SAVES_AVX512},
    {TERN__CPU_AVX512_VBMI, LEAF_7C, BIT(1), SAVES_AVX512},
    {TERN__CPU_AVX512_BF16, LEAF_7_1A, BIT(5), SAVES_AVX512},
    {TERN__CPU_AVX512_FP16, LEAF_7D, BIT(23), SAVES_AVX512},
    {TERN__CPU_AMX_INT8, LEAF_7D, BIT(24) | BIT(25), SAVES_TILES}, /* AMX-TILE, AMX-INT8 */
    {TERN__CPU_AMX_BF16, LEAF_7D, BIT(22) | BIT(24), SAVES_TILES},
};

static uint32_t detect_features(void) {
    leaf one = cpuid(1, 0), seven = cpuid(7, 0), seven_1 = cpuid(7, 1);
    const uint32_t words[LEAF_COUNT] = {one.c, seven.b, seven.c, seven.d, seven_1.a};
    uint32_t saved = saved_registers();
    uint32_t all = 0, lacking = 0;
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        all |= conditions[i].feature;
        if ((conditions[i].bits & ~words[conditions[i].leaf]) != 0 ||
            (conditions[i].saved & ~saved) != 0)
            lacking |= conditions[i].feature;
    }
    uint32_t features = all & ~lacking;
    /* The wider sets build on the narrower ones. */
    if ((features & TERN__CPU_AVX2) == 0)
        features = 0;
    if ((features & TERN__CPU_AVX512) == 0)
        features &= TERN__CPU_AVX2 | TERN__CPU_AVX_VNNI;
    const uint32_t tiles = TERN__CPU_AMX_INT8 | TERN__CPU_AMX_BF16;
    if ((features & tiles) != 0 && !permit_tiles())
        features &= ~tiles;
    return features;
}

static void detect_model(char model[64]) {
    if (cpuid(0x80000000u, 0).a < 0x80000004u)
        return;
    char brand[49] = "";
    for (uint32_t i = 0; i < 3; i++) {
        leaf part = cpuid(0x80000002u + i, 0);
        memcpy(brand + 16 * i, &part, sizeof part);
    }
    snprintf(model, 64, "%s", brand + strspn(brand, " "));
}

static bool is_intel(void) {
    leaf vendor = cpuid(0, 0);
    char name[12];
    memcpy(name, &vendor.b, 4);
    memcpy(name + 4, &vendor.d, 4);
    memcpy(name + 8, &vendor.c, 4);
    return memcmp(name, "GenuineIntel", sizeof name) == 0;
}

/* Cache leaves enumerate one cache each: type in bits 0-4, level in bits 5-7. AMD has the same
 * format at another number. */
static void detect_caches(tern__cpu_info *info) {
    uint32_t number = (cpuid(0x80000001u, 0).c & BIT(22)) != 0 ? 0x8000001du : 4;
    for (uint32_t sub = 0; sub < 16; sub++) {
        leaf cache = cpuid(number, sub);
        uint32_t type = cache.a & 31, level = cache.a >> 5 & 7;
        if (type == 0)
            return;
        int64_t ways = (cache.b >> 22) + 1, partitions = (cache.b >> 12 & 0x3ff) + 1;
        int64_t line = (cache.b & 0xfff) + 1, sets = (int64_t)cache.c + 1;
        int64_t bytes = ways * partitions * line * sets;
        if (level == 1 && type == 1)
            info->cache_l1d = bytes;
        else if (level == 2)
            info->cache_l2 = bytes;
        else if (level == 3)
            info->cache_l3 = bytes;
    }
}

static void detect(tern__cpu_info *info) {
    info->features = detect_features();
    detect_model(info->model);
    info->prefetches_within_pages = is_intel();
    detect_caches(info);
}

#elif defined(__aarch64__)

#if defined(__linux__)
#include <sys/auxv.h>

/* Bits of the kernel's interface (its document elf_hwcaps). */
static const struct {
    uint32_t feature;
    unsigned long type;
    unsigned bit;
} conditions[] = {
    {TERN__CPU_NEON, AT_HWCAP, 1},   {TERN__CPU_DOTPROD, AT_HWCAP, 20},
    {TERN__CPU_SVE, AT_HWCAP, 22},   {TERN__CPU_SVE2, AT_HWCAP2, 1},
    {TERN__CPU_I8MM, AT_HWCAP2, 13}, {TERN__CPU_ARM_BF16, AT_HWCAP2, 14},
};

static void detect(tern__cpu_info *info) {
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        if ((getauxval(conditions[i].type) >> conditions[i].bit & 1) != 0)
            info->features |= conditions[i].feature;
}

#else

/* Every 64-bit Arm processor has NEON; more cannot be asked portably. */
static void detect(tern__cpu_info *info) {
    info->features = TERN__CPU_NEON;
}

#endif

#else

static void detect(tern__cpu_info *info) {
    (void)info;
}

#endif

static tern__cpu_info detected;

static void detect_once(void) {
    detect(&detected);
#if defined(TERN_SCALAR_ONLY)
    detected.features = 0;
#endif
}

const tern__cpu_info *tern__cpu(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, detect_once);
    return &detected;
}

enum {
    LEVEL_AVX2 = TERN__CPU_AVX2,
    LEVEL_AVX_VNNI = LEVEL_AVX2 | TERN__CPU_AVX_VNNI,
    LEVEL_AVX512 = LEVEL_AVX_VNNI | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI |
                   TERN__CPU_AVX512_VBMI | TERN__CPU_AVX512_BF16 | TERN__CPU_AVX512_FP16,
    LEVEL_AMX = LEVEL_AVX512 | TERN__CPU_AMX_INT8 | TERN__CPU_AMX_BF16,
    LEVEL_NEON = TERN__CPU_NEON,
    LEVEL_DOTPROD = LEVEL_NEON | TERN__CPU_DOTPROD,
    LEVEL_I8MM = LEVEL_DOTPROD | TERN__CPU_I8MM,
};

/* A level is there when the machine has all of `needs`; it allows what the machine has of
 * `allows`. */
static const struct {
    const char *name;
    uint32_t needs;
    uint32_t allows;
} levels[] = {
    {"scalar", 0, 0},
    {"avx2", TERN__CPU_AVX2, LEVEL_AVX2},
    {"avxvnni", TERN__CPU_AVX_VNNI, LEVEL_AVX_VNNI},
    {"avx512", TERN__CPU_AVX512, LEVEL_AVX512},
    {"amx", TERN__CPU_AMX_INT8, LEVEL_AMX},
    {"neon", TERN__CPU_NEON, LEVEL_NEON},
    {"dotprod", TERN__CPU_DOTPROD, LEVEL_DOTPROD},
    {"i8mm", TERN__CPU_I8MM, LEVEL_I8MM},
    {"native", 0, UINT32_MAX},
};

enum { LEVELS = sizeof levels / sizeof levels[0] };

tern_status tern__cpu_level(const char *level, uint32_t *features) {
    if (level == NULL || level[0] == '\0')
        level = "native";
    char names[128] = "";
    for (size_t i = 0; i < LEVELS; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", levels[i].name);
        if (strcmp(level, levels[i].name) != 0)
            continue;
        uint32_t has = tern__cpu()->features;
        if ((levels[i].needs & ~has) != 0)
            return tern__fail(TERN_E_UNSUPPORTED, "cpu: this machine or build lacks level %s",
                              level);
        *features = levels[i].allows & has;
        return TERN_OK;
    }
    return tern__fail(TERN_E_ARGUMENT, "cpu: level '%s' is none of %s", level, names);
}

const char *tern__cpu_level_name(int index) {
    return index >= 0 && index < LEVELS ? levels[index].name : NULL;
}

void tern__cpu_describe(uint32_t features, char *text, size_t size) {
    static const struct {
        uint32_t feature;
        const char *name;
    } names[] = {
#define FEATURE_NAME(symbol, bit, name) {TERN__CPU_##symbol, name},
        TERN__CPU_FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
    };
    if (size == 0)
        return;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((features & names[i].feature) == 0)
            continue;
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "", names[i].name);
    }
}
