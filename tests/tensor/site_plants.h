/* SPDX-License-Identifier: MIT
 *
 * Leaks to be planted, one for every result of every call that makes something. The functions of
 * site_plants_*.h are lists of them, a line each:
 *
 *     PLANT(tern_add, "add", (x, x, out), LEAF("f32", 2, 3));
 *
 * is the call tern_add(x, x, out), whose only result is forgotten and must be reported as made by
 * "add", of type f32 and shape (2, 3), at this line. A list is run once to count its leaks and once
 * for each of them, when the call of that leak alone is made.
 */
#ifndef TERN_TEST_SITE_PLANTS_H
#define TERN_TEST_SITE_PLANTS_H

#include <tern/tern.h>

#include "support.h"

enum { PLANT_RESULTS = 4 };

/* What is reported of a leak. A dimension of 0 stands for any. */
typedef struct leaf {
    const char *dtype;
    tern_shape shape;
} leaf;

#define LEAF(dtype, ...)                                                                           \
    {                                                                                              \
        dtype, {                                                                                   \
            TERN_SHAPE_COUNT(__VA_ARGS__), {                                                       \
                __VA_ARGS__                                                                        \
            }                                                                                      \
        }                                                                                          \
    }
#define LEAF0(dtype)                                                                               \
    {                                                                                              \
        dtype, {                                                                                   \
            .rank = 0                                                                              \
        }                                                                                          \
    }

/* A leak: result `result` of a call. */
typedef struct plant {
    const char *call, *op, *file;
    int line, result, results;
    bool is_view; /* what it is a view of stays as bytes, reported as its maker's */
    leaf leaf;
} plant;

/* Where lists are run. What is planted lies in one of the last three. */
typedef struct garden {
    tern_context *context;
    int wanted, count; /* the leak whose call is made, -1: none; leaks so far */
    plant plant;       /* the wanted one, or the last one */
    tern_tensor *out[PLANT_RESULTS];
    tern_model *model;
    tern_session *session;
} garden;

/* Whether one of these leaks is wanted. */
static inline bool plant_is_wanted(garden *g, plant facts, const leaf *leaves, int results) {
    int first = g->count;
    bool is_wanted = g->wanted >= first && g->wanted < first + results;
    g->count += results;
    if (!is_wanted && g->wanted >= 0)
        return false;
    g->plant = facts;
    g->plant.results = results;
    g->plant.result = is_wanted ? g->wanted - first : 0;
    g->plant.leaf = leaves[g->plant.result];
    return is_wanted;
}

#define PLANT_AS(view, name, op_name, arguments, ...)                                              \
    do {                                                                                           \
        static const leaf leaves[] = {__VA_ARGS__};                                                \
        const plant mine = {                                                                       \
            .call = #name, .op = op_name, .file = __FILE__, .line = __LINE__, .is_view = view};    \
        if (plant_is_wanted(g, mine, leaves, (int)(sizeof leaves / sizeof *leaves)))               \
            test_ok(name arguments);                                                               \
    } while (0)
#define PLANT(name, op_name, arguments, ...) PLANT_AS(false, name, op_name, arguments, __VA_ARGS__)
#define PLANT_VIEW(name, op_name, arguments, ...)                                                  \
    PLANT_AS(true, name, op_name, arguments, __VA_ARGS__)

/* -- operands, owned by the open scope ----------------------------------------------------------*/

static inline tern_tensor *normal(garden *g, tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_randn(g->context, TERN_F32, shape, 1, &t));
    return t;
}

/* Whole numbers below 3, or truth values. */
static inline tern_tensor *whole(garden *g, tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL;
    if (dtype == TERN_BOOL)
        test_ok(tern_tensor_bernoulli(g->context, dtype, shape, 0.5, 1, &t));
    else
        test_ok(tern_tensor_randint(g->context, dtype, shape, 0, 3, 1, &t));
    return t;
}

static inline tern_tensor *ones(garden *g, tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_ones(g->context, dtype, shape, &t));
    return t;
}

#endif
