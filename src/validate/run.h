/* SPDX-License-Identifier: MIT
 * A run over tables of targets. */
#ifndef TERN__RUN_H
#define TERN__RUN_H

#include <tern/validate.h>

enum { TERN__MAX_TABLES = 16 };

/* tern_validate with these tables, in this order, in place of those of tern_bench_table_at. */
tern_status tern__validate_tables(const tern_validate_options *options,
                                  const tern_bench_table *const *tables, int count,
                                  tern_report **report);

#endif
