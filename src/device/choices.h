/* SPDX-License-Identifier: MIT
 *
 * What was measured once and holds as long as the machine is the same: lines of a key and a number
 * in the file `choices` of a directory. A cache: whatever is wrong with it, it holds nothing. */
#ifndef TERN__CHOICES_H
#define TERN__CHOICES_H

#include <stdbool.h>
#include <stddef.h>

enum { TERN__CHOICE_KEY = 160 }; /* room for a key and its end */

/* Where choices are kept: in the directory that is asked for, nowhere (NULL) for "", and for NULL
 * in $XDG_CACHE_HOME/tern, else $HOME/.cache/tern. The result may be `buffer`. */
const char *tern__choices_directory(const char *asked, char *buffer, size_t size);

/* The number behind `key`; 0: there is none. NULL for a directory is fine. */
int tern__choice_read(const char *directory, const char *key);

/* number >= 1. False when it could not be kept: next time it will be measured again. */
bool tern__choice_write(const char *directory, const char *key, int number);

#endif
