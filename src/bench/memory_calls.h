/* SPDX-License-Identifier: MIT
 * Calls that make tensors, as a table: run in random sizes it is the op mix of target T5c, run at
 * known places, with one call of every operation, it plants the leaks of T5d. */
#ifndef TERN__MEMORY_CALLS_H
#define TERN__MEMORY_CALLS_H

#include <tern/tensor.h>

enum { TERN__CALLS_MAX = 48 };

/* What the calls work on; `made` are the results so far, by index. */
typedef struct tern__call_inputs {
    tern_context *context;
    int64_t rows;          /* T, at most 64 */
    int64_t width;         /* D, a multiple of 256, at most 1024 */
    int64_t heads;         /* of D / heads elements, an even number */
    const int32_t *ids;    /* (64), below rows */
    const uint8_t *weight; /* TQ2_0 (8, D) */
    tern_tensor *made[TERN__CALLS_MAX];
} tern__call_inputs;

typedef struct tern__creating_call {
    const char *name; /* "tern_add" */
    tern_status (*make)(const tern__call_inputs *in, tern_tensor **out);
} tern__creating_call;

/* In an order in which each finds its operands among the results of earlier ones. */
extern const tern__creating_call tern__creating_calls[];
int tern__creating_call_count(void);

/* `rounds` rounds of all of them in random sizes, in nested scopes; some results outlive their
 * round. Nothing is left when it returns. */
tern_status tern__op_mix(tern_context *context, uint64_t seed, int rounds);

/* Makes all of them, and the results of every operation, at level TERN_TRACK_SITES, each call at a
 * place of its own, releases none and destroys the context: how many of these places were reported
 * with their tensors, and how many reports fit none. The tensors are released afterwards. */
typedef struct tern__leaks {
    int planted, found, wrong;
} tern__leaks;
tern_status tern__plant_leaks(const char *cpu, tern__leaks *leaks);

#endif
