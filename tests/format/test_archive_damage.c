/* SPDX-License-Identifier: MIT
 * Small archives, cut off at every length and with every byte changed, lying in memory right before
 * a page that may not be touched: refused with a typed error, or all that is in them can be read.
 * And headers that lie. */
#define FIXTURE_THREADS 1
#include "format/archive_cases.h"
#include "format/zip.h"
#include "memory_file.h"

#define MOST_BYTES ((int64_t)4 << 20) /* of memory beside the file */

static struct { int64_t accepted, refused; } seen;

static int set_up(void **state) {
    if (open_context(state) != 0)
        return 1;
    /* The pool gets its memory now: what is alive later is the archive's. */
    for (int64_t bytes = 1; bytes <= 1 << 20; bytes *= 2)
        tern_tensor_release(counted_tensor(TERN_U8, TERN_SHAPE(bytes)));
    memory_file_install();
    return 0;
}

static int tear_down(void **state) {
    memory_file_remove();
    return close_context(state);
}

static uint64_t sum_of(const tern_tensor *t) {
    uint64_t sum = 0;
    if (tern_tensor_is_contiguous(t)) {
        const uint8_t *data = tern_tensor_data(t);
        for (size_t i = 0; i < tern_tensor_bytes(t); i++)
            sum += data[i];
    }
    return sum;
}

static void walk(tern_archive *archive) {
    static volatile uint64_t sink;
    const char *value;
    for (int64_t i = 0; i < tern_archive_metadata_count(archive); i++)
        sink = strlen(tern_archive_metadata_at(archive, i, &value)) + strlen(value);
    for (int64_t i = 0; i < tern_archive_tensor_count(archive); i++) {
        tern_archive_entry entry = tern_archive_entry_at(archive, i);
        assert_true(entry.shape.rank >= 0 && entry.shape.rank <= TERN_MAX_RANK);
        assert_true(strlen(entry.type) < 4096);
        tern_tensor *t;
        tern_status status = tern_archive_tensor(context, archive, entry.name, &t);
        if (status == TERN_OK)
            sink = sum_of(t);
        else if (status != TERN_E_FORMAT && status != TERN_E_DTYPE && status != TERN_E_SHAPE)
            test_ok(status);
        if (status != TERN_OK)
            assert_null(t);
        tern_tensor_release(t);
    }
    (void)sink;
}

/* Opens what memory_file serves and checks the outcome. */
static tern_status open_damaged(void) {
    tern_archive *archive = NULL;
    tern_status status = tern_archive_open("damaged", &archive);
    if (status == TERN_OK) {
        seen.accepted++;
        walk(archive);
    } else {
        seen.refused++;
        assert_null(archive);
        assert_true(status == TERN_E_FORMAT || status == TERN_E_UNSUPPORTED);
        assert_true(strlen(tern_last_error()) > 10);
    }
    tern_archive_close(archive);
    memory_file_check_empty();
    assert_true(memory_file.allocated <= MOST_BYTES);
    return status;
}

static const char *const files[] = {"stored.npz",  "deflated.npz", "all.safetensors",
                                    "fortran.npy", "version2.npy", "version3.npy",
                                    "record.npy",  "text.npy"};
enum { FILES = sizeof files / sizeof files[0] };

static char *load(int i, size_t *size) {
    char relative[128], full[1024];
    snprintf(relative, sizeof relative, "tests/data/interchange/%s", files[i]);
    return test_read_file(test_path(relative, full, sizeof full), size);
}

static void test_cut_off(void **state) {
    (void)state;
    for (int i = 0; i < FILES; i++) {
        size_t size;
        char *bytes = load(i, &size);
        for (size_t length = 1; length < size; length++) {
            test_guarded copy = test_guarded_new(length, 0);
            memcpy(copy.data, bytes, length);
            memory_file_serve(copy.data, length);
            /* The elements of a type that Tern does not have may be any number. */
            bool is_unknown = i >= FILES - 2 && length >= 128;
            if (open_damaged() == TERN_OK && !is_unknown)
                fail_msg("%s: %zu of %zu bytes are accepted", files[i], length, size);
            test_guarded_free(&copy);
        }
        free(bytes);
    }
}

static void test_changed_bytes(void **state) {
    (void)state;
    static const uint8_t changes[] = {0x01, 0x80, 0xFF, 0x20, 0x0D};
    for (int i = 0; i < FILES; i++) {
        size_t size;
        char *bytes = load(i, &size);
        test_guarded copy = test_guarded_new(size, 0);
        memcpy(copy.data, bytes, size);
        seen.accepted = seen.refused = 0;
        for (size_t at = 0; at < size; at++)
            for (size_t c = 0; c < sizeof changes; c++) {
                copy.data[at] ^= changes[c];
                memory_file_serve(copy.data, size);
                open_damaged();
                copy.data[at] ^= changes[c];
            }
        printf("%s: %lld accepted, %lld refused\n", files[i], (long long)seen.accepted,
               (long long)seen.refused);
        assert_true(seen.refused > 100);
        memory_file_serve(copy.data, size);
        test_ok(open_damaged());
        test_guarded_free(&copy);
        free(bytes);
    }
}

/* A changed byte of the elements is a wrong checksum. */
static void test_checksums(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t size;
        char *bytes = load(i, &size);
        int64_t noticed = 0;
        tern_archive *archive;
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= 0x10;
            memory_file_serve(bytes, size);
            if (tern_archive_open("damaged", &archive) == TERN_OK) {
                for (int64_t e = 0; e < tern_archive_tensor_count(archive); e++) {
                    tern_tensor *t;
                    const char *name = tern_archive_entry_at(archive, e).name;
                    noticed += tern_archive_tensor(context, archive, name, &t) == TERN_E_FORMAT;
                    tern_tensor_release(t);
                }
                tern_archive_close(archive);
            }
            bytes[at] ^= 0x10;
        }
        printf("%s: %lld changes noticed late\n", files[i], (long long)noticed);
        assert_true(noticed > 50);
        free(bytes);
    }
}

/* -- headers that lie --------------------------------------------------------------------------*/

/* A safetensors file of this header and `data` bytes of zeros. */
static tern_status open_header(const char *header, size_t data) {
    size_t length = strlen(header);
    test_guarded file = test_guarded_new(8 + length + data, 0);
    memset(file.data, 0, file.bytes);
    for (int i = 0; i < 4; i++)
        file.data[i] = (uint8_t)(length >> 8 * i);
    memcpy(file.data + 8, header, length);
    memory_file_serve(file.data, file.bytes);
    tern_status status = open_damaged();
    test_guarded_free(&file);
    return status;
}

#define TENSOR(type, shape, offsets)                                                               \
    "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_safetensors_headers(void **state) {
    (void)state;
    const struct {
        tern_status status;
        size_t data;
        const char *header, *words;
    } rows[] = {
        {TERN_OK, 0, "{}", ""},
        {TERN_OK, 0, "{}  \n ", ""},
        {TERN_OK, 8, "{\"a\":" TENSOR("F32", "[2]", "[0,8]") "}", ""},
        {TERN_OK, 8,
         "{\"a\":" TENSOR("F32", "[1]", "[4,8]") ",\"b\":" TENSOR("F32", "[1]", "[0,4]") "}", ""},
        {TERN_OK, 4,
         "{\"a\":" TENSOR("F32", "[0]", "[0,0]") ",\"b\":" TENSOR("F32", "[1]", "[0,4]") "}", ""},
        {TERN_OK, 4,
         "{\"a\":" TENSOR("F32", "[0]", "[4,4]") ",\"b\":" TENSOR("F32", "[1]", "[0,4]") "}", ""},
        {TERN_OK, 5,
         "{\"a\":" TENSOR("I8", "[1]", "[0,1]") ",\"b\":" TENSOR("F32", "[1]", "[1,5]") "}", ""},
        {TERN_OK, 3, "{\"a\":" TENSOR("F8_E4M3", "[3]", "[0,3]") "}", ""},
        {TERN_OK, 3, "{\"a\":" TENSOR("F4", "[6]", "[0,3]") "}", ""},
        {TERN_OK, 0, "{\"__metadata__\":{}}", ""},
        {TERN_E_FORMAT, 0, "{\"__metadata__\":[]}", "no object"},
        {TERN_E_FORMAT, 0, "{\"__metadata__\":{\"a\":1}}", "no text"},
        {TERN_E_FORMAT, 0, "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "duplicate"},
        {TERN_E_FORMAT, 0, "{\"a\":1}", "not described"},
        {TERN_E_FORMAT, 0, "{\"a\":null}", "not described"},
        {TERN_E_FORMAT, 0, "{\"a\":{}}", "not described"},
        {TERN_E_FORMAT, 4,
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}",
         "not described"},
        {TERN_E_FORMAT, 4, "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}",
         "not described"},
        {TERN_E_FORMAT, 8,
         "{\"a\":" TENSOR("F32", "[1]", "[0,4]") ",\"a\":" TENSOR("F32", "[1]", "[4,8]") "}",
         "duplicate"},
        {TERN_E_FORMAT, 7, "{\"a\":" TENSOR("F32", "[2]", "[0,8]") "}", "beyond the end"},
        {TERN_E_FORMAT, 9, "{\"a\":" TENSOR("F32", "[2]", "[0,8]") "}", "1 bytes behind"},
        {TERN_E_FORMAT, 9, "{\"a\":" TENSOR("F32", "[2]", "[1,9]") "}", "hole"},
        {TERN_E_FORMAT, 12,
         "{\"a\":" TENSOR("F32", "[2]", "[0,8]") ",\"b\":" TENSOR("F32", "[2]", "[4,12]") "}",
         "overlap"},
        {TERN_E_FORMAT, 8,
         "{\"a\":" TENSOR("F32", "[2]", "[0,8]") ",\"b\":" TENSOR("F32", "[0]", "[4,4]") "}",
         "overlap"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[3]", "[0,8]") "}", "takes 12 bytes"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("U16", "[3]", "[0,8]") "}", "takes 6 bytes"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "[8,0]") "}", "data_offsets"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "[0,8,8]") "}", "data_offsets"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "[0]") "}", "data_offsets"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "[0,8.0]") "}", "data_offsets"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "[-8,0]") "}", "data_offsets"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "{}") "}", "data_offsets"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "2", "[0,8]") "}", "no shape"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2.0]", "[0,8]") "}", "a dimension"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[-2]", "[0,8]") "}", "a dimension"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[\"2\"]", "[0,8]") "}", "a dimension"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[4294967296,4294967296]", "[0,8]") "}",
         "too many"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[9223372036854775807,2]", "[0,8]") "}",
         "too many"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[9223372036854775808]", "[0,8]") "}",
         "no JSON object"},
        {TERN_E_FORMAT, 8, "{\"a\":" TENSOR("F32", "[2]", "[0,9223372036854775807]") "}",
         "takes 8 bytes"},
        {TERN_E_FORMAT, 8,
         "{\"a\":" TENSOR("F3", "[2]", "[9223372036854775800,9223372036854775807]") "}", "hole"},
        {TERN_E_UNSUPPORTED, 4, "{\"a\":" TENSOR("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}",
         "9 dimensions"},
        {TERN_E_FORMAT, 0, "{", "no JSON object"},
        {TERN_E_FORMAT, 0, "{}{}", "no JSON object"},
        {TERN_E_FORMAT, 0, "{} x", "no JSON object"},
        {TERN_E_FORMAT, 0, "{\"a\\u0000b\":1}", "no JSON object"},
        {TERN_E_FORMAT, 0, "{\"\xFF\":1}", "no JSON object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_status status = open_header(rows[i].header, rows[i].data);
        if (status != rows[i].status ||
            (status != TERN_OK && strstr(tern_last_error(), rows[i].words) == NULL))
            fail_msg("%s: %s: %s", rows[i].header, tern_status_name(status), tern_last_error());
    }
    test_status(open_header(" {}", 0), TERN_E_UNSUPPORTED);
    test_status(open_header("[]", 0), TERN_E_UNSUPPORTED);
}

/* Data that are aligned to their elements are those of the file, others are read. Blanks behind the
 * header move them. */
static void test_alignment(void **state) {
    (void)state;
    static const char header[] =
        "{\"a\":" TENSOR("I8", "[3]", "[0,3]") ",\"b\":" TENSOR("F32", "[2]", "[3,11]") "}";
    enum { LENGTH = sizeof header - 1, BLANKS = 8 };
    _Alignas(8) static uint8_t file[8 + LENGTH + BLANKS + 11];
    const float numbers[2] = {1.5F, -2};
    int borrowed = 0;
    for (size_t blanks = 0; blanks < BLANKS; blanks++) {
        size_t begin = 8 + LENGTH + blanks;
        file[0] = (uint8_t)(LENGTH + blanks);
        memset(file + 8, ' ', LENGTH + blanks);
        memcpy(file + 8, header, LENGTH);
        memcpy(file + begin, "\1\2\3", 3);
        memcpy(file + begin + 3, numbers, sizeof numbers);
        memory_file_serve(file, begin + 11);
        tern_archive *archive;
        test_ok(tern_archive_open("any", &archive));
        tern_tensor *a = read_tensor(archive, "a"), *b = read_tensor(archive, "b");
        tern_archive_close(archive);
        assert_ptr_equal(tern_tensor_data(a), file + begin);
        bool is_borrowed = tern_tensor_data(b) == file + begin + 3;
        assert_int_equal(is_borrowed, (begin + 3) % sizeof(float) == 0);
        borrowed += is_borrowed;
        assert_memory_equal(tern_tensor_data(b), numbers, sizeof numbers);
        tern_tensor_release(a);
        assert_int_equal(memory_file.live > 0, is_borrowed); /* the archive stays for it */
        tern_tensor_release(b);
        memory_file_check_empty();
    }
    assert_int_equal(borrowed, BLANKS / (int)sizeof(float));
}

static void test_safetensors_depth_and_length(void **state) {
    (void)state;
    enum { DEEP = 100000 };
    char *header = malloc(2 * DEEP + 16);
    assert_non_null(header);
    strcpy(header, "{\"a\":");
    memset(header + 5, '[', DEEP);
    memset(header + 5 + DEEP, ']', DEEP);
    strcpy(header + 5 + 2 * DEEP, "}");
    test_status(open_header(header, 0), TERN_E_FORMAT);
    free(header);
    const struct {
        uint64_t length;
        const char *words;
    } rows[] = {
        {11, "a header of 11"}, {100000001, "100000000 are allowed"}, {UINT64_MAX, "header"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char file[18] = "........{}        ";
        memcpy(file, &rows[i].length, 8);
        memory_file_serve(file, sizeof file);
        test_status(open_damaged(), TERN_E_FORMAT);
        expect_detail(rows[i].words);
    }
}

/* An array whose header has this text; version 1. */
static tern_status open_npy(const char *text, size_t data) {
    size_t length = strlen(text);
    test_guarded file = test_guarded_new(10 + length + data, 0);
    memset(file.data, 0, file.bytes);
    memcpy(file.data, "\x93NUMPY\x01", 8);
    file.data[8] = (uint8_t)length;
    file.data[9] = (uint8_t)(length >> 8);
    memcpy(file.data + 10, text, length);
    memory_file_serve(file.data, file.bytes);
    tern_status status = open_damaged();
    test_guarded_free(&file);
    return status;
}

#define ARRAY(type, order, shape)                                                                  \
    "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }\n"

static void test_npy_headers(void **state) {
    (void)state;
    const struct {
        tern_status status;
        size_t data;
        const char *header, *words;
    } rows[] = {
        {TERN_OK, 8, ARRAY("<f4", "False", "(2,)"), ""},
        {TERN_OK, 24, ARRAY("<f4", "True", "(2, 3)"), ""},
        {TERN_OK, 24, ARRAY("<f4", "True", "( 2 , 3 , )"), ""},
        {TERN_OK, 4, ARRAY("<f4", "False", "()"), ""},
        {TERN_OK, 0, ARRAY("<f4", "False", "(0,)"), ""},
        {TERN_OK, 2, "{\"shape\":(2,),\"fortran_order\":True,\"descr\":\"|i1\"}  \n", ""},
        {TERN_OK, 2, ARRAY("<i1", "False", "(2,)"), ""},
        {TERN_OK, 2, ARRAY("<u2", "False", "(1,)"), ""}, /* listed, not read */
        {TERN_E_FORMAT, 9, ARRAY("<f4", "False", "(2,)"), "the file has 9"},
        {TERN_E_FORMAT, 7, ARRAY("<f4", "False", "(2,)"), "the file has 7"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "false", "(2,)"), "neither True nor False"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "0", "(2,)"), "neither True nor False"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(2)"), "no tuple"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "[2]"), "no tuple"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(-2,)"), "no number"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(2, , 3)"), "no number"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(,)"), "no number"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(2, 3 4)"), "comma"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(2,"), "no number"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(9223372036854775808,)"), "too large"},
        {TERN_E_FORMAT, 8, ARRAY("<f4", "False", "(4294967296, 4294967296)"), "too many"},
        {TERN_E_UNSUPPORTED, 4, ARRAY("<f4", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"),
         "more than 8"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4', 'fortran_order': False, }\n", "lacks the shape"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4', 'shape': (2,), }\n", "lacks the order"},
        {TERN_E_FORMAT, 8, "{'shape': (2,), 'fortran_order': False}\n", "lacks the type"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4', 'descr': '<f4', }\n", "there twice"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4', 'more': 1, }\n", "unknown"},
        {TERN_E_FORMAT, 8, "{'descr': 4, }\n", "neither a string nor a list"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4\n", "neither a string nor a list"},
        {TERN_E_FORMAT, 8, "{'descr': [[], }\n", "does not end"},
        {TERN_E_FORMAT, 8, "{'descr' '<f4', }\n", "no dictionary"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4' 'fortran_order': False}\n", "no dictionary"},
        {TERN_E_FORMAT, 8, "('descr': '<f4')\n", "no dictionary"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "line end"},
        {TERN_E_FORMAT, 8, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x\n",
         "line end"},
        {TERN_E_FORMAT, 0, "", ""},
        {TERN_E_FORMAT, 0, "\n", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_status status = open_npy(rows[i].header, rows[i].data);
        if (status != rows[i].status ||
            (status != TERN_OK && strstr(tern_last_error(), rows[i].words) == NULL))
            fail_msg("%s: %s: %s", rows[i].header, tern_status_name(status), tern_last_error());
    }
}

static void test_npy_starts(void **state) {
    (void)state;
    const struct {
        const char *start; /* 12 bytes */
        tern_status status;
        const char *words;
    } rows[] = {{"\x93NUMPY\x04\x00\x10\x00  ", TERN_E_UNSUPPORTED, "version 4.0"},
                {"\x93NUMPY\x01\x01\x10\x00  ", TERN_E_UNSUPPORTED, "version 1.1"},
                {"\x93NUMPY\x00\x00\x10\x00  ", TERN_E_UNSUPPORTED, "version 0.0"},
                {"\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", TERN_E_FORMAT, "a header of 42949"},
                {"\x93NUMPY\x01\x00\x40\x00{ ", TERN_E_FORMAT, "a header of 74"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memory_file_serve(rows[i].start, 12);
        test_status(open_damaged(), rows[i].status);
        expect_detail(rows[i].words);
    }
}

/* A packed member that says it is shorter than the header of its array. */
static void test_short_member(void **state) {
    (void)state;
    char npy[256] = "\x93NUMPY\x01";
    uint8_t copy[512];
    size_t bytes = 10 + strlen(strcpy(npy + 10, ARRAY("<u2", "False", "(1,)"))) + 2;
    npy[8] = (char)(bytes - 12);
    tern__new_file file;
    tern__zip_writer writer;
    memory_file_serve(NULL, 0);
    test_ok(tern__new_file_open(&file, "any"));
    test_ok(tern__zip_writer_init(&writer, &file, 1));
    test_ok(tern__zip_writer_begin(&writer, "a.npy", bytes, true));
    test_ok(tern__zip_writer_append(&writer, npy, bytes));
    test_ok(tern__zip_writer_end(&writer));
    test_ok(tern__zip_writer_finish(&writer));
    test_ok(tern__new_file_publish(&file));
    tern__zip_writer_deinit(&writer);
    const size_t size = memory_file.published_size;
    assert_true(size <= sizeof copy);
    memcpy(copy, memory_file.published, size);
    memory_file_serve(copy, size);
    test_ok(open_damaged());
    size_t directory = copy[size - 6] | (size_t)copy[size - 5] << 8;
    copy[22] = copy[directory + 24] = 20;
    memory_file_serve(copy, size);
    test_status(open_damaged(), TERN_E_FORMAT);
    expect_detail("the member 20");
}

/* A packed member whose header would end before the bytes that tell its length do. */
static void test_npz_short_header(void **state) {
    (void)state;
    static const uint8_t start[] = "\x93NUMPY\x01\x00\x00", zeros[100000];
    tern__new_file file;
    tern__zip_writer writer;
    memory_file_serve(NULL, 0);
    test_ok(tern__new_file_open(&file, "any"));
    test_ok(tern__zip_writer_init(&writer, &file, 1));
    test_ok(tern__zip_writer_begin(&writer, "a.npy", sizeof start + sizeof zeros, true));
    test_ok(tern__zip_writer_append(&writer, start, sizeof start));
    test_ok(tern__zip_writer_append(&writer, zeros, sizeof zeros));
    test_ok(tern__zip_writer_end(&writer));
    test_ok(tern__zip_writer_finish(&writer));
    test_ok(tern__new_file_publish(&file));
    tern__zip_writer_deinit(&writer);
    test_guarded packed = test_guarded_new(memory_file.published_size, 0);
    memcpy(packed.data, memory_file.published, packed.bytes);
    memory_file_serve(packed.data, packed.bytes);
    test_status(open_damaged(), TERN_E_FORMAT);
    expect_detail("a header of 10 bytes");
    test_guarded_free(&packed);
}

/* Neither 0 nor 1 in a bool, wherever it comes from. */
static void test_bools(void **state) {
    (void)state;
    static char npy[] = "\x93NUMPY\x01\x00\x40\x00"
                        "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }     \n..";
    tern_tensor *t;
    for (int bad = 0; bad < 2; bad++) {
        npy[sizeof npy - 3] = 1;
        npy[sizeof npy - 2] = (char)(bad ? 2 : 0);
        npy[8] = (char)(sizeof npy - 1 - 10 - 2);
        memory_file_serve(npy, sizeof npy - 1);
        test_status(tern_npy_load(context, "any", &t), bad ? TERN_E_FORMAT : TERN_OK);
        tern_tensor_release(t);
        memory_file_check_empty();
    }
    expect_detail("neither 0 nor 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_cut_off, nothing_alive),
        cmocka_unit_test_teardown(test_changed_bytes, nothing_alive),
        cmocka_unit_test_teardown(test_checksums, nothing_alive),
        cmocka_unit_test_teardown(test_safetensors_headers, nothing_alive),
        cmocka_unit_test_teardown(test_alignment, nothing_alive),
        cmocka_unit_test_teardown(test_safetensors_depth_and_length, nothing_alive),
        cmocka_unit_test_teardown(test_npy_headers, nothing_alive),
        cmocka_unit_test_teardown(test_npy_starts, nothing_alive),
        cmocka_unit_test_teardown(test_npz_short_header, nothing_alive),
        cmocka_unit_test_teardown(test_short_member, nothing_alive),
        cmocka_unit_test_teardown(test_bools, nothing_alive),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
