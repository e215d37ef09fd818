/* SPDX-License-Identifier: MIT
 * Whether a shared object is all there. */
#ifndef TERN__WHOLE_H
#define TERN__WHOLE_H

#include <stdbool.h>

/* False for an ELF file that is shorter than its headers say: the dynamic linker takes such a file
 * and the process dies when it touches what is missing. Every other file is the linker's to judge.
 */
bool tern__file_is_whole(const char *path);

#endif
