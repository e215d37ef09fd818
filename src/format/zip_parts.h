/* SPDX-License-Identifier: MIT
 * What reading and writing of zip archives share: signatures, sizes of records, memory for zlib. */
#ifndef TERN__ZIP_PARTS_H
#define TERN__ZIP_PARTS_H

#include <string.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/os.h"

#define TERN__ZIP_LOCAL      0x04034b50u /* before each member */
#define TERN__ZIP_CENTRAL    0x02014b50u /* a member in the directory */
#define TERN__ZIP_END        0x06054b50u /* behind the directory */
#define TERN__ZIP_WIDE_END   0x06064b50u /* between the two, with wide fields */
#define TERN__ZIP_WIDE_PLACE 0x07064b50u /* where that one lies */

enum {
    TERN__ZIP_LOCAL_BYTES = 30,
    TERN__ZIP_CENTRAL_BYTES = 46,
    TERN__ZIP_END_BYTES = 22,
    TERN__ZIP_WIDE_END_BYTES = 56,
    TERN__ZIP_WIDE_PLACE_BYTES = 20,
    TERN__ZIP_WIDE_EXTRA = 1, /* id of the extra field with wide sizes */

    TERN__ZIP_FLAG_OPTIONS = 6,  /* of the compressor */
    TERN__ZIP_FLAG_LATER = 8,    /* sizes and checksum follow the data */
    TERN__ZIP_FLAG_UTF8 = 0x800, /* the name is */
    TERN__ZIP_STORED = 0,        /* methods */
    TERN__ZIP_DEFLATED = 8,
};

#define TERN__ZIP_WIDE_32 0xffffffffu /* in a narrow field: see the wide one */
#define TERN__ZIP_WIDE_16 0xffffu

static inline void *tern__zip_alloc(void *user, unsigned items, unsigned size) {
    (void)user;
    size_t bytes;
    return tern__mul_size(items, size, &bytes) ? tern__os()->alloc(bytes) : NULL;
}

static inline void tern__zip_free(void *user, void *memory) {
    (void)user;
    tern__os()->free(memory);
}

#endif
