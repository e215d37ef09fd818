/* SPDX-License-Identifier: MIT */
#include "format/file_map.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"

tern_status tern__file_map(const char *path, const uint8_t **mapped, uint64_t *size) {
    const tern__os_table *os = tern__os();
    tern_status status = TERN_OK;
    tern__os_file_info info = {0};
    const void *data = NULL;
    int fd = -1;
    int error = os->file_open(path, &fd);
    if (error != 0)
        return tern__fail(error == ENOENT || error == ENOTDIR ? TERN_E_NOT_FOUND : TERN_E_IO,
                          "cannot open \"%.300s\": %s", path, strerror(error));
    if ((error = os->file_info(fd, &info)) != 0)
        status = tern__fail(TERN_E_IO, "cannot examine \"%.300s\": %s", path, strerror(error));
    else if (info.is_directory)
        status = tern__fail(TERN_E_IO, "\"%.300s\" is a directory", path);
    else if (!info.is_regular)
        status = tern__fail(TERN_E_IO, "\"%.300s\" is not a regular file", path);
    else if (info.size == 0)
        status = tern__fail(TERN_E_FORMAT, "\"%.300s\" is empty", path);
    else if ((error = os->file_map(fd, (size_t)info.size, &data)) != 0)
        status = tern__fail(error == ENOMEM ? TERN_E_MEMORY : TERN_E_IO,
                            "cannot map \"%.300s\": %s", path, strerror(error));
    os->file_close(fd);
    if (status == TERN_OK) {
        *mapped = data;
        *size = info.size;
    }
    return status;
}
