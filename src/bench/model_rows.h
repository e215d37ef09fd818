/* SPDX-License-Identifier: MIT
 * What the parts of the table of models share. */
#ifndef TERN__MODEL_ROWS_H
#define TERN__MODEL_ROWS_H

#include "bench/limits.h"
#include "bench/model_run.h"
#include "bench/rows.h"

enum { TERN__MODEL_TEAMS = 2 }; /* one thread, all threads; one only where that is all */

typedef struct tern__model_table {
    tern__table *table;
    uint32_t features;
    const char *shape; /* of a random model */
    int team_count;
    int threads[TERN__MODEL_TEAMS];
    tern_context *context[TERN__MODEL_TEAMS];
    tern_model *model; /* NULL: there is none, or it is not needed */
    tern_model_info info;
    double resident, paper;      /* bytes of the model: in the process, and as they add up */
    char parts[128];             /* of the latter */
    bool is_judged;              /* targets are about the 2B4T shape, and this is it */
    char why[TERN_BENCH_DETAIL]; /* there is none */
} tern__model_table;

/* The one of all threads. */
tern_context *tern__model_context(const tern__model_table *t);

/* The row of a model of another shape tells its figure and is not judged. */
void tern__model_row_show(const tern__model_table *t, tern_bench_row *row);
/* NOT MEASURED: there is no model. True when it has been shown so. */
bool tern__model_row_missing(const tern__model_table *t, tern_bench_row *row);
/* As tern__row_failed; a missing or broken file is NOT MEASURED too. */
tern_status tern__model_row_failed(const tern__model_table *t, tern_bench_row *row,
                                   tern_status status);

/* What M1a, M1b and M2 measure. */
typedef enum tern__model_work {
    TERN__WORK_ALL_LOGITS,
    TERN__WORK_BEST_LOGIT,
    TERN__WORK_PROMPT,
    TERN__WORKS
} tern__model_work;

extern const char *const tern__model_work_ids[TERN__WORKS]; /* "M1a" */

/* M1a, M1b and M2 as shares of the machine's limits, or beside llama-bench; M5 and M6. Those that
 * are asked for. */
tern_status tern__model_speeds(const tern__model_table *t);
tern_status tern__model_beside_peer(const tern__model_table *t, const char *program);
tern_status tern__model_story(const tern__model_table *t);

/* The file that a row about the story model is for; NULL: there is none. */
const char *tern__model_story_path(const tern__model_table *t);

/* Ternary weights: a token needs so many products. */
double tern__model_products(const tern_model_info *info);

#endif
