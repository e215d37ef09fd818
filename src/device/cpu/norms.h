/* SPDX-License-Identifier: MIT
 * What the norms and their gradients share. */
#ifndef TERN__NORM_ROWS_H
#define TERN__NORM_ROWS_H

#include "device/cpu/row_walk.h"

/* 1 / sqrt(dot(x, x) / n + epsilon) */
double tern__norm_of_squares(const tern__rows *rows, const tern__row *x, double epsilon);

/* 1 / sqrt(deviations / n + epsilon), and the mean */
double tern__norm_of_deviations(const tern__rows *rows, const tern__row *x, double epsilon,
                                double *mean);

/* The rows are better done many at a time (softmax_columns.c): softmax of slot 1, or its gradient
 * from slots 1 and 2, into slot 0. */
bool tern__softmax_prefers_columns(const tern__rows *rows);
void tern__softmax_columns(const tern__rows *rows);

/* Gathers a row into one half of the lane's scratch, when that helps and it fits. */
static inline void tern__norm_stage(const tern__rows *rows, tern__row *row, int lane, int half) {
    size_t room = TERN__LANE_SCRATCH / 2;
    tern__row_stage(rows, row, (uint8_t *)tern__lane_scratch(rows->cpu, lane) + half * room, room);
}

#endif
