/* SPDX-License-Identifier: MIT
 * tern bench NAME: tables of targets, row by row. */
#ifndef TERN_CLI_BENCH_TABLES_H
#define TERN_CLI_BENCH_TABLES_H

#include <tern/bench.h>

#include "cli.h"

/* Measures and prints the table, or a JSON list of its rows. argc and argv are the command's: the
 * program is started anew, once, when an allocator to compare with needs it. */
int cli_bench_show(const tern_bench_table *table, const tern_bench_table_options *options,
                   bool is_json, int argc, char **argv);

#endif
