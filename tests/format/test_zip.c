/* SPDX-License-Identifier: MIT
 * Zip archives: what is written can be read, with narrow and with wide fields, and what does not
 * hang together is refused. tests/format/test_archive_damage.c damages them at random,
 * tools/test_numpy reads them by Python's zipfile. */
#include "support.h"

#include "format/zip.h"
#include "memory_file.h"

enum { MEMBERS = 3 };
static const char *const names[MEMBERS] = {"a", "second/\xC3\xA9", ""};
static const size_t sizes[MEMBERS] = {1, 100000, 0};
static uint8_t bytes[100000];

/* Fields become wide from these limits on. */
static void write_archive(uint64_t wide_from, int64_t wide_count, bool is_deflated) {
    tern__new_file file;
    tern__zip_writer writer;
    memory_file_serve(NULL, 0);
    test_ok(tern__new_file_open(&file, "any"));
    test_ok(tern__zip_writer_init(&writer, &file, MEMBERS));
    writer.wide_from = wide_from;
    writer.wide_count = wide_count;
    for (int i = 0; i < MEMBERS; i++) {
        test_ok(tern__zip_writer_begin(&writer, names[i], sizes[i], is_deflated));
        for (size_t at = 0, part = 1; at < sizes[i]; at += part, part = 2 * part + 1) {
            part = part < sizes[i] - at ? part : sizes[i] - at;
            test_ok(tern__zip_writer_append(&writer, bytes + at, part));
        }
        test_ok(tern__zip_writer_end(&writer));
    }
    test_ok(tern__zip_writer_finish(&writer));
    test_ok(tern__new_file_publish(&file));
    tern__zip_writer_deinit(&writer);
    tern__new_file_close(&file);
    memory_file_check_empty();
}

static void read_archive(const uint8_t *data, size_t size, bool is_deflated) {
    static uint8_t got[100000];
    tern__zip zip;
    tern__zip_stream stream;
    test_ok(tern__zip_open(&zip, data, size));
    assert_int_equal(zip.count, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        const tern__zip_member *member = &zip.members[i];
        assert_int_equal(member->name.length, strlen(names[i]));
        assert_memory_equal(member->name.bytes, names[i], member->name.length);
        assert_int_equal(member->bytes, sizes[i]);
        assert_int_equal(member->is_deflated, is_deflated);
        if (!is_deflated) {
            assert_int_equal(member->data % 64, 0);
            test_ok(tern__zip_check_stored(&zip, member));
        }
        for (int excess = -1; excess <= 1; excess++) {
            if (sizes[i] == 0 && excess < 0)
                continue;
            test_ok(tern__zip_stream_open(&stream, &zip, member));
            tern_status status = tern__zip_stream_read(&stream, got,
                                                       (size_t)((int64_t)sizes[i] + excess > 100000
                                                                    ? 100000
                                                                    : (int64_t)sizes[i] + excess));
            if (excess <= 0 || sizes[i] == 100000)
                test_ok(status);
            else
                test_status(status, TERN_E_FORMAT);
            if (status == TERN_OK)
                test_status(tern__zip_stream_end(&stream), excess < 0 ? TERN_E_FORMAT : TERN_OK);
            tern__zip_stream_close(&stream);
        }
        assert_memory_equal(got, bytes, sizes[i]);
    }
    tern__zip_close(&zip);
}

static void test_round_trips(void **state) {
    (void)state;
    const struct {
        uint64_t from;
        int64_t count;
        bool has_wide_end;
    } rows[] = {{0xffffffff, 0xffff, false}, {0, 0xffff, true},  {1, 0xffff, true},
                {100, 0xffff, true},         {50000, 3, true},   {1 << 20, 3, true},
                {1 << 20, 4, false},         {200, 0xffff, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int is_deflated = 0; is_deflated < 2; is_deflated++) {
            write_archive(rows[i].from, rows[i].count, is_deflated);
            const uint8_t *end = memory_file.published + memory_file.published_size - 22;
            bool has_wide_end = memcmp(end - 20, "PK\006\007", 4) == 0;
            assert_int_equal(has_wide_end, rows[i].has_wide_end);
            read_archive(memory_file.published, memory_file.published_size, is_deflated);
        }
}

/* A changed byte of any field that the reader has to look at. */
static void test_fields(void **state) {
    (void)state;
    const struct {
        int from_end; /* else from the first directory record */
        int at;
        uint8_t change;
        tern_status status;
        const char *words;
    } rows[] = {
        {1, 4, 1, TERN_E_UNSUPPORTED, "several parts"},
        {1, 10, 1, TERN_E_UNSUPPORTED, "several parts"},
        {1, 12, 1, TERN_E_FORMAT, "right before its end"},
        {1, 16, 1, TERN_E_FORMAT, "right before its end"},
        {1, 20, 1, TERN_E_FORMAT, "no end record"},
        {0, 0, 1, TERN_E_FORMAT, "record is not there"},
        {0, 8, 1, TERN_E_UNSUPPORTED, "encrypted"},
        {0, 8, 0x40, TERN_E_UNSUPPORTED, "flags 0x40"},
        {0, 8, 8, TERN_E_FORMAT, "disagrees"},
        {0, 10, 12, TERN_E_UNSUPPORTED, "method 12"},
        {0, 10, 8, TERN_E_FORMAT, "disagrees"},
        {0, 16, 1, TERN_E_FORMAT, "disagrees"},
        {0, 20, 1, TERN_E_FORMAT, "sizes do not fit"},
        {0, 24, 1, TERN_E_FORMAT, "sizes do not fit"},
        {0, 28, 2, TERN_E_FORMAT, ""},
        {0, 42, 1, TERN_E_FORMAT, "disagrees"},
        {0, 45, 0x10, TERN_E_FORMAT, "behind the directory"},
        {0, 46, 'a' ^ 'b', TERN_E_FORMAT, "another name"},
        {0, 46, 0x80, TERN_E_FORMAT, "UTF-8"},
        {0, 46, 'a', TERN_E_FORMAT, "UTF-8"}, /* a NUL */
    };
    write_archive(0xffffffff, 0xffff, false);
    uint8_t *data = memory_file.published;
    size_t size = memory_file.published_size;
    const uint8_t *end = data + size - 22;
    size_t directory = (size_t)end[16] | (size_t)end[17] << 8 | (size_t)end[18] << 16;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *at = data + (rows[i].from_end ? size - 22 : directory) + rows[i].at;
        tern__zip zip;
        *at ^= rows[i].change;
        tern_status status = tern__zip_open(&zip, data, size);
        if (status != rows[i].status || strstr(tern_last_error(), rows[i].words) == NULL)
            fail_msg("field %d: %s: %s", rows[i].at, tern_status_name(status), tern_last_error());
        tern__zip_close(&zip);
        *at ^= rows[i].change;
    }
    read_archive(data, size, false);
}

/* Two records for one member; a comment; an archive without members. */
static void test_structure(void **state) {
    (void)state;
    tern__zip zip;
    uint8_t file[512] = {0};
    size_t used = 0;
    static const uint8_t local[] = "PK\3\4\24\0\0\0\0\0\0\0\41\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0a";
    static const uint8_t central[] = "PK\1\2\24\0\24\0\0\0\0\0\0\0\41\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0"
                                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a";
    static const uint8_t end[] = "PK\5\6\0\0\0\0\2\0\2\0\136\0\0\0\37\0\0\0\0\0";
    memcpy(file, local, 31);
    memcpy(file + 31, central, 47);
    memcpy(file + 78, central, 47);
    memcpy(file + 125, end, 22);
    used = 147;
    test_status(tern__zip_open(&zip, file, used), TERN_E_FORMAT);
    assert_non_null(strstr(tern_last_error(), "overlap"));
    tern__zip_close(&zip);
    memmove(file + 78, file + 125, 22); /* one record */
    file[86] = file[88] = 1;
    file[90] = 47;
    for (size_t comment = 0; comment < 300; comment += 7) {
        file[98] = (uint8_t)comment;
        file[99] = (uint8_t)(comment >> 8);
        test_ok(tern__zip_open(&zip, file, 100 + comment));
        assert_int_equal(zip.count, 1);
        tern__zip_close(&zip);
    }
    uint8_t nothing[22] = "PK\5\6";
    assert_true(tern__zip_is_mine(nothing, 22));
    test_ok(tern__zip_open(&zip, nothing, 22));
    assert_int_equal(zip.count, 0);
    tern__zip_close(&zip);
    test_status(tern__zip_open(&zip, nothing, 21), TERN_E_FORMAT);
    tern__zip_close(&zip);
}

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 7 ^ i);
    memory_file_install();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    memory_file_remove();
    return 0;
}

/* Parts that the buffer takes, and one that it cannot, end up in their order. */
static void test_parts_of_all_sizes(void **state) {
    (void)state;
    static const size_t parts[] = {100, 70000, 1, 65536, 3, 99999};
    tern__new_file file;
    memory_file_serve(NULL, 0);
    test_ok(tern__new_file_open(&file, "any"));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        test_ok(tern__new_file_append(&file, bytes, parts[i]));
    test_ok(tern__new_file_publish(&file));
    const uint8_t *at = memory_file.published;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; at += parts[i++])
        assert_memory_equal(at, bytes, parts[i]);
    assert_int_equal(at - memory_file.published, memory_file.published_size);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_parts_of_all_sizes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
