/* SPDX-License-Identifier: MIT
 *
 * The header in front of an array of NumPy (NEP 1; versions 1.0, 2.0 and 3.0):
 *
 *     "\x93NUMPY" u8 major, u8 minor, u16 length (u32 from version 2 on), text of so many bytes:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   blanks, and a line end
 */
#ifndef TERN__NPY_H
#define TERN__NPY_H

#include "format/archive_file.h"
#include "tensor/elements.h"

enum {
    TERN__NPY_START = 12,         /* so many bytes tell how long the header is */
    TERN__NPY_MOST_BYTES = 65536, /* of a header */
    TERN__NPY_TYPE_BYTES = 40,    /* of a type's text, its end included */
};

/* The bytes of the whole header, by the first TERN__NPY_START bytes of the array. */
tern_status tern__npy_header_bytes(const char *name, const uint8_t *start, size_t *bytes);

/* Reads a whole header of `bytes` bytes into the entry (is_known, dtype, shape, is_fortran, bytes),
 * whose name is set; `type` becomes its type's text. For types that Tern does not have, `bytes`
 * are 0. */
tern_status tern__npy_read_header(const uint8_t *header, size_t bytes,
                                  char type[TERN__NPY_TYPE_BYTES], tern__entry *entry);

/* The header of a tensor; *bytes its length, a multiple of 64. The elements of
 * tern__npy_elements follow it: in Fortran order where they lie so. */
enum { TERN__NPY_WRITTEN_BYTES = 512 };
void tern__npy_make_header(const tern_tensor *tensor, char header[TERN__NPY_WRITTEN_BYTES],
                           size_t *bytes);
tern__elements tern__npy_elements(const tern_tensor *tensor);

#endif
