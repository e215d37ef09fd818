/* SPDX-License-Identifier: MIT */
#ifndef TERN__FILE_MAP_H
#define TERN__FILE_MAP_H

#include <tern/base.h>

/* Maps a whole regular file that is not empty, for reading. The caller unmaps it through the table
 * of base/os.h. Errors name the path: TERN_E_NOT_FOUND, TERN_E_IO, TERN_E_MEMORY, TERN_E_FORMAT
 * (empty). On failure *data and *size are untouched. */
tern_status tern__file_map(const char *path, const uint8_t **data, uint64_t *size);

#endif
