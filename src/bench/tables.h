/* SPDX-License-Identifier: MIT
 * What the registered tables and cases cover. */
#ifndef TERN__BENCH_TABLES_H
#define TERN__BENCH_TABLES_H

/* A family of kernels and what times it: rows of a table that `only` selects, or, without, a case.
 */
typedef struct tern__family_bench {
    const char *family; /* "trits4" */
    const char *name;   /* of the table or case */
    const char *only;   /* NULL: a case */
} tern__family_bench;

extern const tern__family_bench tern__family_benches[]; /* the last has no family */

#endif
