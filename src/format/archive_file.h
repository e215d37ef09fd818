/* SPDX-License-Identifier: MIT
 *
 * What the readers of tensor files share: the opened file, its table of tensors, and the format's
 * row of functions.
 *
 *     archive.c      opening, looking up, making tensors
 *     npy.c          the header of an array; .npy files
 *     npz.c          arrays in a zip archive
 *     zip_read.c     the zip archive
 *     safetensors.c  a JSON header in front of all data
 */
#ifndef TERN__ARCHIVE_FILE_H
#define TERN__ARCHIVE_FILE_H

#include <stdatomic.h>

#include <tern/interchange.h>

#include "format/name_index.h"

/* One tensor. Texts live as long as the archive. */
typedef struct tern__entry {
    tern__string name; /* terminated; first: the index reads it */
    const char *type;  /* as the file has it */
    bool is_known;     /* dtype is set, and `bytes` are those of the shape */
    bool is_fortran;   /* the first axis is the fastest */
    tern_dtype dtype;
    tern_shape shape;
    uint64_t offset; /* of the elements in the file, or of the member they are in */
    uint64_t bytes;
    int64_t member; /* of a zip archive */
} tern__entry;

struct tern_archive {
    atomic_int references;
    const struct tern__archive_kind *kind;
    const uint8_t *data; /* the mapping; NULL until there is one */
    uint64_t size;
    tern__entry *entries;
    int64_t count;
    tern__name_index index;
    tern_metadata *metadata;
    int64_t metadata_count;
    char *texts;   /* copies of names and types, where the file has none that are terminated */
    void *private; /* the format's own */
};

/* A format. */
typedef struct tern__archive_kind {
    const char *name;
    bool (*is_mine)(const uint8_t *data, uint64_t size);
    /* Checks the structure and fills entries and metadata; what it made belongs to the archive also
     * after a failure. Names are unique, the data of known types lie inside the file. */
    tern_status (*open)(tern_archive *archive);
    void (*close)(tern_archive *archive);
    /* Where the checked elements lie in the mapping; *data = NULL when they have to be read. */
    tern_status (*find)(const tern_archive *archive, const tern__entry *entry, const void **data);
    /* Reads them; NULL when `find` always finds them. */
    tern_status (*read)(const tern_archive *archive, const tern__entry *entry, void *elements);
} tern__archive_kind;

extern const tern__archive_kind tern__archive_npy, tern__archive_npz, tern__archive_safetensors;

/* A zeroed table of archive->count entries, and the index for their names. */
tern_status tern__archive_make_table(tern_archive *archive);
/* Puts entry `i` into the index; TERN_E_FORMAT when its name was there before. */
tern_status tern__archive_add_name(tern_archive *archive, int64_t i);

/* Zeroed; NULL, with the error set (TERN_E_MEMORY), if there is no memory. */
void *tern__archive_alloc(uint64_t count, size_t bytes);

/* For writers: plain types, names that are UTF-8 and come once. `noun` begins the details. */
tern_status tern__check_named(const char *noun, const tern_named_tensor *tensors, int64_t count);
/* Text that is UTF-8 all over. */
bool tern__is_utf8(const char *text, size_t bytes);

#endif
