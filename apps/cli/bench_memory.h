/* SPDX-License-Identifier: MIT
 * tern bench memory: the table of targets T3 and T5. */
#ifndef TERN_CLI_BENCH_MEMORY_H
#define TERN_CLI_BENCH_MEMORY_H

#include <tern/bench.h>

#include "cli.h"

extern const char cli_memory_summary[];

/* Measures and prints the table, or a JSON list of its rows. argc and argv are the command's: the
 * program is started anew, once, when an allocator to compare with needs it. */
int cli_bench_memory(const tern_bench_memory_options *options, bool is_json, int argc, char **argv);

#endif
