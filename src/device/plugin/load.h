/* SPDX-License-Identifier: MIT
 * Finding plug-ins and taking them into the process. */
#ifndef TERN__LOAD_H
#define TERN__LOAD_H

#include "device/plugin.h"

enum { TERN__PLUGIN_NAME = 24, TERN__PLUGIN_PATH = 256 };

/* What every plug-in gets. */
extern const tern__plugin_host tern__plugin_host_table;

/* Loads plug-in `name`; what was loaded once stays. `path` gets the file's, "" when there is none.
 * TERN_E_NOT_FOUND when there is no such file and nobody knows the name, else TERN_E_UNSUPPORTED;
 * tern_last_error() is one line that says what is wrong with it. */
tern_status tern__plugin_load(const char *name, const tern__plugin **plugin,
                              char path[TERN__PLUGIN_PATH]);

/* The names of plug-ins: those that Tern knows, there or not, then the others that are there, by
 * name. Fills in the first `capacity` and returns how many there are. */
int tern__plugin_names(char (*names)[TERN__PLUGIN_NAME], int capacity);

#endif
