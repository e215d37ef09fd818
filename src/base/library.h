/* SPDX-License-Identifier: MIT
 * Shared libraries that a machine may have or not: opened at run time, never needed to start. */
#ifndef TERN__LIBRARY_H
#define TERN__LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tern__library tern__library;

/* Opens `name` as the dynamic linker finds it. Its symbols stay out of the program's own lookups,
 * and its code stays mapped after close: threads may still have destructors of it to run. NULL:
 * `why` tells, in the system's words. */
tern__library *tern__library_open(const char *name, char *why, size_t why_size);

/* NULL: it has none of that name. A function's address is copied into a function pointer with
 * memcpy, as ISO C has no conversion. */
void *tern__library_symbol(tern__library *library, const char *name);

/* The same for a function, to be cast to its type; `name` may be NULL, which is none. */
void (*tern__library_function(tern__library *library, const char *name))(void);

void tern__library_close(tern__library *library); /* NULL is fine */

/* The folder of the file that this code was loaded from: the program, or libtern. False where the
 * system does not tell, or its path is longer than that. */
bool tern__library_folder(char *folder, size_t size);

/* Calls `visit` with the name of every file in `folder`, in no particular order. */
void tern__library_list(const char *folder, void (*visit)(void *user, const char *file),
                        void *user);

#endif
