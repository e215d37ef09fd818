/* SPDX-License-Identifier: MIT
 *
 * Zip archives, as far as arrays of NumPy need them (PKWARE's APPNOTE 6.3): stored and deflated
 * members, zip64, no encryption, one file. The reader is strict: the directory lies right before
 * the end, members do not overlap, and what local headers say agrees with it.
 */
#ifndef TERN__ZIP_H
#define TERN__ZIP_H

#include "base/new_file.h"
#include "format/name_index.h"

/* Places and sizes inside the file were checked. */
typedef struct tern__zip_member {
    tern__string name; /* UTF-8, in the mapping, not terminated */
    uint64_t header;   /* offset of the local header */
    uint64_t data;     /* offset of the packed bytes */
    uint64_t packed;   /* so many of them */
    uint64_t bytes;    /* unpacked */
    uint32_t checksum; /* CRC-32 of the unpacked bytes */
    bool is_deflated;
} tern__zip_member;

typedef struct tern__zip {
    const uint8_t *data; /* the file, the caller's */
    uint64_t size;
    tern__zip_member *members;
    int64_t count;
} tern__zip;

bool tern__zip_is_mine(const uint8_t *data, uint64_t size);
tern_status tern__zip_open(tern__zip *zip, const uint8_t *data, uint64_t size);
void tern__zip_close(tern__zip *zip); /* also after a failure; a zeroed one is fine */

/* TERN_E_FORMAT when the bytes of a stored member do not have its checksum. */
tern_status tern__zip_check_stored(const tern__zip *zip, const tern__zip_member *member);

/* The unpacked bytes of a member, from the first to the last. */
typedef struct tern__zip_stream {
    const tern__zip_member *member;
    struct z_stream_s *inflater; /* NULL for a stored member */
    const uint8_t *at;           /* packed bytes not yet taken */
    uint64_t packed_left;
    uint32_t checksum;
    bool is_ended; /* the packed form said so */
} tern__zip_stream;

tern_status tern__zip_stream_open(tern__zip_stream *stream, const tern__zip *zip,
                                  const tern__zip_member *member);
/* Exactly `bytes` bytes. */
tern_status tern__zip_stream_read(tern__zip_stream *stream, void *to, size_t bytes);
/* TERN_E_FORMAT unless all was read and has the checksum. */
tern_status tern__zip_stream_end(tern__zip_stream *stream);
void tern__zip_stream_close(tern__zip_stream *stream); /* also after a failure */

/* Writing: members one after the other, then the directory. */
typedef struct tern__zip_written tern__zip_written;
typedef struct tern__zip_writer {
    tern__new_file *file;
    tern__zip_written *members;
    int64_t count, capacity;
    struct z_stream_s *deflater; /* NULL while no member is being deflated */
    uint64_t wide_from;          /* sizes, offsets and counts from here on take zip64; 2^32 - 1 */
    int64_t wide_count;          /* so many members take it too; 2^16 - 1 */
} tern__zip_writer;

/* Room for `capacity` members, in a file just opened. */
tern_status tern__zip_writer_init(tern__zip_writer *writer, tern__new_file *file, int64_t capacity);
void tern__zip_writer_deinit(tern__zip_writer *writer); /* also after a failure */

/* Begins a member of `bytes` bytes, which are appended next. A stored member's bytes
 * begin at a multiple of 64. The name (of at most 65535 bytes) lives until the writer is done. */
tern_status tern__zip_writer_begin(tern__zip_writer *writer, const char *name, uint64_t bytes,
                                   bool is_deflated);
tern_status tern__zip_writer_append(tern__zip_writer *writer, const void *data, size_t bytes);
tern_status tern__zip_writer_end(tern__zip_writer *writer);
/* The directory, behind the last member. */
tern_status tern__zip_writer_finish(tern__zip_writer *writer);

#endif
