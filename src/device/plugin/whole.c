/* SPDX-License-Identifier: MIT */
#include "device/plugin/whole.h"

#if defined(__linux__)
#include <elf.h>
#include <string.h>

#include "base/os.h"

/* [offset, offset + bytes) lies inside the file. */
static bool is_inside(uint64_t offset, uint64_t bytes, uint64_t file_bytes) {
    return offset <= file_bytes && bytes <= file_bytes - offset;
}

static bool has_segments(const uint8_t *file, uint64_t bytes) {
    Elf64_Ehdr header;
    memcpy(&header, file, sizeof header);
    if (header.e_phentsize != sizeof(Elf64_Phdr))
        return true;
    if (!is_inside(header.e_phoff, (uint64_t)header.e_phnum * header.e_phentsize, bytes) ||
        !is_inside(header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize, bytes))
        return false;
    for (int i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, file + header.e_phoff + (size_t)i * sizeof segment, sizeof segment);
        if (!is_inside(segment.p_offset, segment.p_filesz, bytes))
            return false;
    }
    return true;
}

static bool is_elf(const uint8_t *file, uint64_t bytes) {
    return bytes >= SELFMAG && memcmp(file, ELFMAG, SELFMAG) == 0;
}

bool tern__file_is_whole(const char *path) {
    const tern__os_table *os = tern__os();
    tern__os_file_info info;
    const void *data;
    bool is_whole = true;
    int fd;
    if (os->file_open(path, &fd) != 0)
        return true;
    if (os->file_info(fd, &info) == 0 && info.size > 0 &&
        os->file_map(fd, (size_t)info.size, &data) == 0) {
        const uint8_t *file = data;
        if (is_elf(file, info.size))
            is_whole = info.size > EI_CLASS && file[EI_CLASS] != ELFCLASS64
                           ? info.size >= sizeof(Elf32_Ehdr)
                           : info.size >= sizeof(Elf64_Ehdr) && has_segments(file, info.size);
        os->file_unmap(data, (size_t)info.size);
    }
    os->file_close(fd);
    return is_whole;
}

#else

bool tern__file_is_whole(const char *path) {
    (void)path;
    return true;
}

#endif
