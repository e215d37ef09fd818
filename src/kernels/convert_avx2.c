/* SPDX-License-Identifier: MIT
 * Family `convert` for AVX2 and F16C: 8 numbers a step, the last ones by base/half.h. */
#include <immintrin.h>

#include "base/half.h"
#include "kernels/convert.h"

enum { LANES = 8 };

static void f32_from_f16(const uint16_t *x, float *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
    for (; i < n; i++)
        out[i] = tern__f32_from_f16(x[i]);
}

static void f16_from_f32(const float *x, uint16_t *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(out + i), half);
    }
    for (; i < n; i++)
        out[i] = tern__f16_from_f32(x[i]);
}

static void f32_from_bf16(const uint16_t *x, float *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(x + i)));
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_slli_epi32(wide, 16));
    }
    for (; i < n; i++)
        out[i] = tern__f32_from_bf16(x[i]);
}

/* tern__bf16_from_f32 in lanes: add just below half of the last place kept, one more when that
 * place is odd. */
static void bf16_from_f32(const float *x, uint16_t *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 value = _mm256_loadu_ps(x + i);
        __m256i bits = _mm256_castps_si256(value);
        __m256i high = _mm256_srli_epi32(bits, 16);
        __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
        __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
        __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
        __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
        __m256i wide = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
        __m128i narrow =
            _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
        _mm_storeu_si128((__m128i *)(out + i), narrow);
    }
    for (; i < n; i++)
        out[i] = tern__bf16_from_f32(x[i]);
}

static void f32_from_q8_0(const uint8_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += 32, x += 34) {
        __m256 d = _mm256_set1_ps(tern__f32_from_f16((uint16_t)(x[0] | x[1] << 8)));
        for (int64_t j = 0; j < 32; j += LANES) {
            __m128i q = _mm_loadl_epi64((const __m128i *)(x + 2 + j));
            __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
            _mm256_storeu_ps(out + i + j, _mm256_mul_ps(d, value));
        }
    }
}

static float i8_scale(const float *x, int64_t n) {
    __m256i largest = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + i));
        bits = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
        largest = _mm256_max_epi32(largest, bits);
    }
    uint32_t lanes[LANES], most = 0;
    _mm256_storeu_si256((__m256i *)lanes, largest);
    for (int lane = 0; lane < LANES; lane++)
        most = lanes[lane] > most ? lanes[lane] : most;
    for (; i < n; i++) {
        uint32_t bits = tern__f32_bits(x[i]) & 0x7fffffff;
        most = bits > most ? bits : most;
    }
    return tern__i8_scale_of(most);
}

/* 8 numbers as int8 in the low half. */
static inline __m128i i8_of(__m256 x, __m256 scale) {
    __m256 v = _mm256_div_ps(x, scale);
    v = _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q));
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(-127)), _mm256_set1_ps(127));
    __m256i whole = _mm256_cvtps_epi32(v);
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    return _mm_packs_epi16(words, words);
}

static void i8_from_f32(const float *x, float scale, int8_t *out, int64_t n) {
    const __m256 by = _mm256_set1_ps(scale);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm_storel_epi64((__m128i *)(void *)(out + i), i8_of(_mm256_loadu_ps(x + i), by));
    for (; i < n; i++)
        out[i] = (int8_t)_mm_cvtsi128_si32(i8_of(_mm256_set1_ps(x[i]), by));
}

const tern__convert_kernel tern__convert_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .f32_from_f16 = f32_from_f16,
    .f16_from_f32 = f16_from_f32,
    .f32_from_bf16 = f32_from_bf16,
    .bf16_from_f32 = bf16_from_f32,
    .f32_from_q8_0 = f32_from_q8_0,
    .i8_scale = i8_scale,
    .i8_from_f32 = i8_from_f32,
};
