/* SPDX-License-Identifier: MIT
 *
 * A file that is written under a temporary name beside its own, and takes its own name only when
 * all of it is on the disk: whoever opens the path sees the old file or the new one, never half.
 *
 *     tern__new_file file;
 *     TERN__TRY(tern__new_file_open(&file, path));     // a zeroed one may be closed
 *     TERN__TRY(tern__new_file_append(&file, bytes, count));
 *     TERN__TRY(tern__new_file_publish(&file));
 * done:
 *     tern__new_file_close(&file);                      // removes what was not published
 */
#ifndef TERN__NEW_FILE_H
#define TERN__NEW_FILE_H

#include <tern/base.h>

typedef struct tern__new_file {
    const char *path; /* the caller's */
    char *temporary;  /* its name; NULL: not open */
    uint8_t *buffer;  /* what was appended last, not yet written */
    size_t buffered;
    uint64_t size; /* bytes appended so far */
    int fd;
} tern__new_file;

/* TERN_E_IO, TERN_E_MEMORY; after a failure there is nothing to close. */
tern_status tern__new_file_open(tern__new_file *file, const char *path);
tern_status tern__new_file_append(tern__new_file *file, const void *data, size_t bytes);
/* Zeros up to a multiple of `unit`, a power of two of at most 4096. */
tern_status tern__new_file_align(tern__new_file *file, size_t unit);
/* Overwrites bytes that were appended before. */
tern_status tern__new_file_patch(tern__new_file *file, uint64_t offset, const void *data,
                                 size_t bytes);
tern_status tern__new_file_publish(tern__new_file *file);
void tern__new_file_close(tern__new_file *file);

#endif
