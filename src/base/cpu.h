/* SPDX-License-Identifier: MIT
 *
 * What this processor can do. Features count only when the operating system saves their registers
 * too (XCR0 on x86, AMX permission asked once; HWCAP on Arm). A level masks them: it is how
 * TERN_CPU and tests force a kernel variant.
 */
#ifndef TERN__CPU_H
#define TERN__CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <tern/base.h>

/* X(symbol, bit, name). AVX2 stands for AVX2+FMA+F16C+BMI2; AVX512 for F+BW+DQ+VL+CD. */
#define TERN__CPU_FEATURES(X)                                                                      \
    X(AVX2, 0, "avx2")                                                                             \
    X(AVX_VNNI, 1, "avx_vnni")                                                                     \
    X(AVX512, 2, "avx512")                                                                         \
    X(AVX512_VNNI, 3, "avx512_vnni")                                                               \
    X(AVX512_VBMI, 4, "avx512_vbmi")                                                               \
    X(AVX512_BF16, 5, "avx512_bf16")                                                               \
    X(AVX512_FP16, 6, "avx512_fp16")                                                               \
    X(AMX_INT8, 7, "amx_int8")                                                                     \
    X(AMX_BF16, 8, "amx_bf16")                                                                     \
    X(NEON, 16, "neon")                                                                            \
    X(DOTPROD, 17, "dotprod")                                                                      \
    X(I8MM, 18, "i8mm")                                                                            \
    X(ARM_BF16, 19, "bf16")                                                                        \
    X(SVE, 20, "sve")                                                                              \
    X(SVE2, 21, "sve2")

#define TERN__CPU_ENUM(symbol, bit, name) TERN__CPU_##symbol = 1u << (bit),
enum { TERN__CPU_FEATURES(TERN__CPU_ENUM) };
#undef TERN__CPU_ENUM

typedef struct tern__cpu_info {
    uint32_t features; /* TERN__CPU_* bits that this machine has */
    char model[64];    /* brand string, "" where unknown */
    /* Its prefetchers follow one stream in each page of 4 KiB and none into the next page: a linear
     * stream is read faster when it is fetched from several pages in turn. True of Intel's, whose
     * family 6 model 207 was measured. */
    bool prefetches_within_pages;
    int64_t cache_l1d; /* bytes per core, 0 where unknown */
    int64_t cache_l2;
    int64_t cache_l3;
} tern__cpu_info;

/* Detected once per process; thread safe. */
const tern__cpu_info *tern__cpu(void);

/* The features allowed at `level`: "scalar", "avx2", "avxvnni", "avx512", "amx" on x86; "scalar",
 * "neon", "dotprod", "i8mm" on Arm; NULL, "" or "native" for all that the machine has.
 * TERN_E_ARGUMENT for a word that is none of these (the detail lists them),
 * TERN_E_UNSUPPORTED for a level this machine lacks. */
tern_status tern__cpu_level(const char *level, uint32_t *features);

/* The names of the levels of all machines, the plainest first; NULL beyond the last. */
const char *tern__cpu_level_name(int index);

/* Writes "avx2 avx512 avx512_vnni" for the bits into `text`, cut at `size`. */
void tern__cpu_describe(uint32_t features, char *text, size_t size);

/* Common head of every kernel variant. A family is an array of pointers to variants, best first,
 * the plain one (needs == 0) last, ended by NULL. */
typedef struct tern__variant {
    const char *name; /* "avx512_vnni" */
    uint32_t needs;   /* TERN__CPU_* bits, all required */
} tern__variant;

/* The first variant of a family that `features` supports. */
#define TERN__PICK(family, features) (tern__pick_variant((const void *const *)(family), (features)))

static inline const void *tern__pick_variant(const void *const *family, uint32_t features) {
    while ((((const tern__variant *)*family)->needs & ~features) != 0)
        family++;
    return *family;
}

#endif
