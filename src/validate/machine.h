/* SPDX-License-Identifier: MIT
 * Facts that a report begins with. */
#ifndef TERN__MACHINE_H
#define TERN__MACHINE_H

#include <tern/validate.h>

/* The kernel level that is asked for, by the options or by TERN_CPU; "": none. */
const char *tern__level_name(const tern_bench_table_options *options);

/* "2026-11-28 21:55 UTC" of seconds since 1970. */
void tern__date_text(uint64_t seconds, char *text, size_t size);

#endif
