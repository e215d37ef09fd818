/* SPDX-License-Identifier: MIT
 * The ternary decoders against literal blocks and against encoders written from the formulas of
 * docs/formats.md. */
#include "support.h"

#include "kernels/trits.h"

enum { SEED = 77 };

static void random_codes(test_random *random, uint8_t *codes, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        codes[i] = (uint8_t)test_random_range(random, 0, 2);
}

/* I2_S: where code i of the matrix lies. */
static void put_i2_s(uint8_t *data, int64_t i, int code) {
    int64_t byte = 32 * (i / 128) + i % 32;
    int shift = (int)(6 - 2 * (i % 128 / 32));
    data[byte] = (uint8_t)((data[byte] & ~(3 << shift)) | code << shift);
}

static void test_i2_s_literal(void **state) {
    (void)state;
    uint8_t data[32], codes[128], expected[128];
    memset(data, 0x55, sizeof data);
    memset(expected, 1, sizeof expected);
    data[0] = 0x18;  /* 00 01 10 00 */
    data[31] = 0xa1; /* 10 10 00 01 */
    expected[0] = 0, expected[32] = 1, expected[64] = 2, expected[96] = 0;
    expected[31] = 2, expected[63] = 2, expected[95] = 0, expected[127] = 1;
    assert_true(tern__trits_i2_s(data, 0, 128, codes));
    test_same_bytes(codes, expected, 128, "codes");
    assert_true(tern__trits_i2_s(data, 63, 3, codes));
    test_same_bytes(codes, (uint8_t[]){2, 2, 1}, 3, "codes 63..65");
    assert_true(tern__trits_i2_s(data, 5, 0, codes));
}

static void test_i2_s_any_range(void **state) {
    (void)state;
    enum { N = 1280 };
    test_random random = {.seed = SEED};
    uint8_t codes[N];
    random_codes(&random, codes, N);
    test_guarded data = test_guarded_new(N / 4, 0);
    for (int64_t i = 0; i < N; i++)
        put_i2_s(data.data, i, codes[i]);
    for (int64_t first = 0; first < 300; first++)
        for (int64_t end = first; end <= N; end += 1 + (end - first) / 8) {
            uint8_t decoded[N + 1];
            memset(decoded, 0xA5, sizeof decoded);
            assert_true(tern__trits_i2_s(data.data, first, end - first, decoded));
            test_same_bytes(decoded, codes + first, (size_t)(end - first), "codes");
            assert_int_equal(decoded[end - first], 0xA5);
        }
    assert_true(tern__trits_i2_s(data.data, 0, N, codes));
    test_guarded_free(&data);
}

static void test_i2_s_rejects_3(void **state) {
    (void)state;
    uint8_t data[96], codes[384];
    memset(data, 0xaa, sizeof data);
    for (int64_t i = 0; i < 384; i++) {
        put_i2_s(data, i, 3);
        assert_false(tern__trits_i2_s(data, 0, 384, codes));
        assert_false(tern__trits_i2_s(data, i, 1, codes));
        assert_true(tern__trits_i2_s(data, 0, i, codes));
        assert_true(tern__trits_i2_s(data, i + 1, 383 - i, codes));
        put_i2_s(data, i, 2);
    }
}

/* TQ1_0: where code i of a block lies, as (byte, place from the most significant trit on). */
static void place_tq1_0(int i, int *byte, int *place) {
    if (i < 160) {
        *byte = i % 32, *place = i / 32;
    } else if (i < 240) {
        *byte = 32 + (i - 160) % 16, *place = (i - 160) / 16;
    } else {
        *byte = 48 + (i - 240) % 4, *place = (i - 240) / 4;
    }
}

static void encode_tq1_0(const uint8_t *codes, uint16_t scale, uint8_t *block) {
    static const int weights[5] = {81, 27, 9, 3, 1};
    int values[52] = {0};
    for (int i = 0; i < 256; i++) {
        int byte, place;
        place_tq1_0(i, &byte, &place);
        values[byte] += codes[i] * weights[place];
    }
    for (int j = 0; j < 52; j++)
        block[j] = (uint8_t)((values[j] * 256 + 242) / 243);
    block[52] = (uint8_t)scale;
    block[53] = (uint8_t)(scale >> 8);
}

/* The value 2 0 1 2 1 is 2*81 + 0*27 + 1*9 + 2*3 + 1 = 178, stored as ceil(178 * 256 / 243) = 188;
 * 0 2 1 0 (0) is 63, stored as ceil(63 * 256 / 243) = 67; the rest is 121 = 1 1 1 1 1, stored as
 * 128, and 120 = 1 1 1 1 0, stored as 127. */
static void test_tq1_0_literal(void **state) {
    (void)state;
    uint8_t block[54], codes[256], expected[256];
    float scale;
    memset(block, 128, 48);
    memset(block + 48, 127, 4);
    memset(expected, 1, sizeof expected);
    block[0] = 188, block[47] = 188, block[51] = 67;
    block[52] = 0x00, block[53] = 0x38;
    expected[0] = 2, expected[32] = 0, expected[64] = 1, expected[96] = 2, expected[128] = 1;
    expected[175] = 2, expected[191] = 0, expected[207] = 1, expected[223] = 2, expected[239] = 1;
    expected[243] = 0, expected[247] = 2, expected[251] = 1, expected[255] = 0;
    assert_true(tern__trits_tq1_0(block, 1, codes, &scale));
    test_same_bytes(codes, expected, 256, "codes");
    assert_true(scale == 0.5f);
}

/* Each of the 243 values of five trits in each byte, and 81 in those of four. */
static void test_tq1_0_exhaustive(void **state) {
    (void)state;
    for (int value = 0; value < 243; value++) {
        static const int weights[5] = {81, 27, 9, 3, 1};
        uint8_t codes[256], decoded[256], block[54];
        float scale;
        for (int i = 0; i < 256; i++) {
            int byte, place;
            place_tq1_0(i, &byte, &place);
            codes[i] = (uint8_t)(value / weights[place] % 3);
        }
        encode_tq1_0(codes, 0x3c00, block);
        assert_true(tern__trits_tq1_0(block, 1, decoded, &scale));
        test_same_bytes(decoded, codes, 256, "codes");
        assert_true(scale == 1.0f);
    }
}

static void encode_tq2_0(const uint8_t *codes, uint16_t scale, uint8_t *block) {
    memset(block, 0, 64);
    for (int i = 0; i < 256; i++)
        block[32 * (i / 128) + i % 32] |= (uint8_t)(codes[i] << 2 * (i % 128 / 32));
    block[64] = (uint8_t)scale;
    block[65] = (uint8_t)(scale >> 8);
}

static void test_tq2_0_literal(void **state) {
    (void)state;
    uint8_t block[66], codes[256], expected[256];
    float scale;
    memset(block, 0x55, 64);
    memset(expected, 1, sizeof expected);
    block[0] = 0x18; /* 00 01 10 00 */
    block[63] = 0xa1;
    block[64] = 0x00, block[65] = 0xc0;
    expected[0] = 0, expected[32] = 2, expected[64] = 1, expected[96] = 0;
    expected[159] = 1, expected[191] = 0, expected[223] = 2, expected[255] = 2;
    assert_true(tern__trits_tq2_0(block, 1, codes, &scale));
    test_same_bytes(codes, expected, 256, "codes");
    assert_true(scale == -2.0f);
}

typedef bool (*block_decoder)(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales);
typedef void (*block_encoder)(const uint8_t *codes, uint16_t scale, uint8_t *block);

/* Many blocks at an odd address that end before a page that may not be touched. */
static void check_round_trip(block_encoder encode, block_decoder decode, size_t bytes) {
    enum { BLOCKS = 33 };
    test_random random = {.seed = SEED + bytes};
    uint8_t codes[BLOCKS * 256], decoded[BLOCKS * 256 + 1];
    float scales[BLOCKS + 1];
    test_guarded data = test_guarded_new(BLOCKS * bytes, -(BLOCKS * bytes) & 63);
    random_codes(&random, codes, BLOCKS * 256);
    for (int b = 0; b < BLOCKS; b++)
        encode(codes + 256 * b, (uint16_t)(0x3c00 + b), data.data + b * bytes);
    memset(decoded, 0xA5, sizeof decoded);
    scales[BLOCKS] = 7;
    assert_true(decode(data.data, BLOCKS, decoded, scales));
    test_same_bytes(decoded, codes, sizeof codes, "codes");
    assert_int_equal(decoded[BLOCKS * 256], 0xA5);
    for (int b = 0; b < BLOCKS; b++)
        assert_true(scales[b] == 1.0f + (float)b / 1024);
    assert_true(scales[BLOCKS] == 7);
    test_guarded_free(&data);
}

static void check_zero_scale(block_encoder encode, block_decoder decode, size_t bytes) {
    test_random random = {.seed = SEED};
    uint8_t codes[3 * 256], decoded[3 * 256], ones[256], data[3 * 66];
    float scales[3];
    random_codes(&random, codes, sizeof codes);
    memset(ones, 1, sizeof ones);
    encode(codes, 0x0000, data);
    encode(codes + 256, 0x0001, data + bytes);
    encode(codes + 512, 0x8000, data + 2 * bytes);
    assert_true(decode(data, 3, decoded, scales));
    test_same_bytes(decoded, ones, 256, "codes of scale 0");
    test_same_bytes(decoded + 256, codes + 256, 256, "codes of the smallest scale");
    test_same_bytes(decoded + 512, ones, 256, "codes of scale -0");
    assert_true(scales[0] == 0 && scales[1] == 0x1p-24f && scales[2] == 0);
}

static void test_tq1_0_blocks(void **state) {
    (void)state;
    check_round_trip(encode_tq1_0, tern__trits_tq1_0, 54);
    check_zero_scale(encode_tq1_0, tern__trits_tq1_0, 54);
}

static void test_tq2_0_blocks(void **state) {
    (void)state;
    check_round_trip(encode_tq2_0, tern__trits_tq2_0, 66);
    check_zero_scale(encode_tq2_0, tern__trits_tq2_0, 66);
}

static void test_tq2_0_rejects_3(void **state) {
    (void)state;
    uint8_t codes[512], decoded[512], data[132];
    float scales[2];
    memset(codes, 2, sizeof codes);
    for (int i = 0; i < 512; i++) {
        codes[i] = 3;
        encode_tq2_0(codes, 0x3c00, data);
        encode_tq2_0(codes + 256, 0x3c00, data + 66);
        assert_false(tern__trits_tq2_0(data, 2, decoded, scales));
        assert_int_equal(tern__trits_tq2_0(data, 1, decoded, scales), i >= 256);
        codes[i] = 2;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i2_s_literal),     cmocka_unit_test(test_i2_s_any_range),
        cmocka_unit_test(test_i2_s_rejects_3),   cmocka_unit_test(test_tq1_0_literal),
        cmocka_unit_test(test_tq1_0_exhaustive), cmocka_unit_test(test_tq1_0_blocks),
        cmocka_unit_test(test_tq2_0_literal),    cmocka_unit_test(test_tq2_0_blocks),
        cmocka_unit_test(test_tq2_0_rejects_3),
    };
    return cmocka_run_group_tests_name("trits", tests, NULL, NULL);
}
