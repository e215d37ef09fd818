/* SPDX-License-Identifier: MIT */
/* What is measured is what a program pays: its calls tell their places, see <tern/sites.h>. */
#undef TERN_NO_SITES
#include "bench/memory_churn.h"

#include <string.h>

#include "base/os.h"
#include "base/philox.h"
#include "base/realmath.h"
#include "base/status.h"
#include "bench/bench.h"

/* -- the plan ----------------------------------------------------------------------------------*/

typedef struct random_words {
    uint64_t seed, position;
} random_words;

static uint32_t next_word(random_words *random) {
    uint64_t position = random->position++;
    return tern__philox(random->seed, position / 4).word[position % 4];
}

/* 0..count-1 */
static uint32_t below(random_words *random, uint32_t count) {
    return (uint32_t)((uint64_t)next_word(random) * count >> 32);
}

/* A shape of about 2^u * smallest bytes, u uniform: leading dimensions of 1 to 8 and a last one
 * that makes up the rest. */
static tern_shape draw_shape(random_words *random) {
    double octaves = tern__log((double)(TERN__CHURN_LARGEST / TERN__CHURN_SMALLEST));
    double factor = tern__exp(octaves * (double)tern__uniform_f32(next_word(random)));
    int64_t count = (int64_t)((double)TERN__CHURN_SMALLEST * factor) / (int64_t)sizeof(float);
    tern_shape shape = {.rank = 1 + (int)below(random, 4)};
    for (int i = 0; i + 1 < shape.rank; i++) {
        int64_t dim = 1 + below(random, 8);
        shape.dims[i] = 4 * dim <= count ? dim : 1; /* the whole stays at 16 bytes and above */
        count /= shape.dims[i];
    }
    shape.dims[shape.rank - 1] = count;
    return shape;
}

static size_t shape_bytes(const tern_shape *shape) {
    size_t bytes = sizeof(float);
    for (int i = 0; i < shape->rank; i++)
        bytes *= (size_t)shape->dims[i];
    return bytes;
}

tern_status tern__churn_plan_create(uint64_t seed, int live, int64_t batches,
                                    tern__churn_plan **out) {
    *out = NULL;
    size_t events = (size_t)batches * TERN__CHURN_BATCH;
    tern__churn_plan *plan = tern__os()->alloc(sizeof *plan);
    uint16_t *order = tern__os()->alloc((size_t)live * sizeof *order);
    uint16_t *drawn = tern__os()->alloc(2 * events * sizeof *drawn);
    if (plan == NULL || order == NULL || drawn == NULL) {
        tern__os()->free(plan);
        tern__os()->free(order);
        tern__os()->free(drawn);
        return tern__fail(TERN_E_MEMORY, "bench: no memory for a plan of %zu events", events);
    }
    random_words random = {.seed = seed};
    plan->live = live;
    plan->batches = batches;
    plan->places = drawn;
    plan->shapes = drawn + events;
    for (int i = 0; i < TERN__CHURN_SHAPES; i++) {
        plan->shape[i] = draw_shape(&random);
        plan->bytes[i] = shape_bytes(&plan->shape[i]);
    }
    for (int i = 0; i < live; i++)
        order[i] = (uint16_t)i;
    for (size_t i = 0; i < events; i++) {
        /* A step of the shuffle of Fisher and Yates: the members of a batch differ. */
        uint32_t at = (uint32_t)(i % TERN__CHURN_BATCH);
        uint32_t from = at + below(&random, (uint32_t)live - at);
        uint16_t place = order[from];
        order[from] = order[at];
        plan->places[i] = order[at] = place;
        plan->shapes[i] = (uint16_t)below(&random, TERN__CHURN_SHAPES);
    }
    tern__os()->free(order);
    *out = plan;
    return TERN_OK;
}

void tern__churn_plan_destroy(tern__churn_plan *plan) {
    if (plan == NULL)
        return;
    tern__os()->free(plan->places);
    tern__os()->free(plan);
}

/* -- one batch ---------------------------------------------------------------------------------*/

static const uint16_t *batch_of(const tern__churn *churn, const uint16_t *drawn) {
    return drawn + churn->next % churn->plan->batches * TERN__CHURN_BATCH;
}

void tern__churn_take(const tern__churn *churn, void *taken[TERN__CHURN_BATCH]) {
    const uint16_t *places = batch_of(churn, churn->plan->places);
    for (int i = 0; i < TERN__CHURN_BATCH; i++)
        taken[i] = churn->live[places[i]];
}

void tern__churn_release(const tern__churn_side *side, void *const taken[TERN__CHURN_BATCH]) {
    if (side->peer == NULL) {
        for (int i = 0; i < TERN__CHURN_BATCH; i++)
            tern_tensor_release(taken[i]);
    } else {
        void (*release)(void *) = side->peer->release;
        for (int i = 0; i < TERN__CHURN_BATCH; i++)
            release(taken[i]);
    }
}

static tern_status make_tensors(const tern__churn *churn, const uint16_t *places,
                                const uint16_t *shapes, int count) {
    const tern__churn_plan *plan = churn->plan;
    tern_status status = TERN_OK;
    for (int i = 0; i < count; i++) {
        tern_tensor *tensor;
        tern_status made =
            tern_tensor_empty(churn->context, TERN_F32, plan->shape[shapes[i]], &tensor);
        churn->live[places[i]] = tensor;
        status = made != TERN_OK ? made : status;
    }
    return status;
}

static tern_status make_blocks(const tern__churn *churn, const uint16_t *places,
                               const uint16_t *shapes, int count) {
    const tern__churn_plan *plan = churn->plan;
    void *(*allocate)(size_t) = churn->side->peer->allocate;
    bool is_short = false;
    for (int i = 0; i < count; i++) {
        void *block = allocate(plan->bytes[shapes[i]]);
        churn->live[places[i]] = block;
        is_short |= block == NULL;
    }
    return is_short ? tern__fail(TERN_E_MEMORY, "bench: %s has no memory left", churn->side->name)
                    : TERN_OK;
}

static tern_status make(const tern__churn *churn, const uint16_t *places, const uint16_t *shapes,
                        int count) {
    return (churn->side->peer == NULL ? make_tensors : make_blocks)(churn, places, shapes, count);
}

tern_status tern__churn_refill(tern__churn *churn) {
    const uint16_t *places = batch_of(churn, churn->plan->places);
    const uint16_t *shapes = batch_of(churn, churn->plan->shapes);
    churn->next++;
    return make(churn, places, shapes, TERN__CHURN_BATCH);
}

tern_status tern__churn_run(tern__churn *churn, int64_t batches, uint64_t *stamps) {
    const int side = churn->side->number;
    tern_status status = TERN_OK;
    stamps[0] = tern__bench_clock(side, false);
    for (int64_t b = 0; b < batches && status == TERN_OK; b++) {
        void *taken[TERN__CHURN_BATCH];
        tern__churn_take(churn, taken);
        tern__churn_release(churn->side, taken);
        status = tern__churn_refill(churn);
        stamps[b + 1] = tern__bench_clock(side, side >= 0);
    }
    return status;
}

/* -- the set -----------------------------------------------------------------------------------*/

static void release_one(const tern__churn_side *side, void *member) {
    if (side->peer == NULL)
        tern_tensor_release(member);
    else
        side->peer->release(member);
}

static void empty_set(tern__churn *churn) {
    for (int i = 0; i < churn->plan->live; i++) {
        release_one(churn->side, churn->live[i]);
        churn->live[i] = NULL;
    }
}

tern_status tern__churn_close(tern__churn *churn) {
    if (churn->live == NULL)
        return TERN_OK;
    tern_status status = TERN_OK;
    empty_set(churn);
    if (churn->context != NULL) {
        tern_memory_stats stats = tern_context_memory(churn->context);
        if (stats.live_tensors != 0 || stats.live_bytes != 0)
            status = tern__fail(TERN_E_INTERNAL, "bench: %s: %lld tensors, %zu bytes are left",
                                churn->side->name, (long long)stats.live_tensors, stats.live_bytes);
    }
    tern_context_destroy(churn->context);
    tern__os()->free(churn->live);
    *churn = (tern__churn){0};
    return status;
}

tern_status tern__churn_open(const tern__churn_plan *plan, const tern__churn_side *side,
                             tern__churn *churn) {
    *churn = (tern__churn){.plan = plan, .side = side};
    churn->live = tern__os()->alloc((size_t)plan->live * sizeof *churn->live);
    if (churn->live == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for a live set");
    tern_status status = TERN_OK;
    if (side->peer == NULL)
        TERN__TRY(tern_context_create(
            &(tern_options){
                .device = "cpu", .threads = 1, .cpu = side->cpu, .tracking = side->tracking},
            &churn->context));
    for (int i = 0; i < plan->live; i++) {
        uint16_t place = (uint16_t)i, shape = (uint16_t)(i % TERN__CHURN_SHAPES);
        TERN__TRY(make(churn, &place, &shape, 1));
    }
done:
    if (status != TERN_OK)
        tern__churn_close(churn);
    return status;
}

/* Where member i lies. A member's size is not kept: what is written is what any of them has. */
static unsigned char *bytes_of(const tern__churn *churn, int i, size_t *bytes) {
    if (churn->side->peer == NULL) {
        *bytes = tern_tensor_bytes(churn->live[i]);
        return tern_tensor_data(churn->live[i]);
    }
    *bytes = churn->plan->bytes[i % TERN__CHURN_SHAPES]; /* as open made them */
    return churn->live[i];
}

/* The bytes that are written and read: all of a small member, of a large one the ends. No mark is
 * zero, which fresh pages are. */
enum { CHECK_END = 256 };

static unsigned char mark(int i, size_t at) {
    return (unsigned char)(((unsigned)i * 40503u + (unsigned)at * 7u) % 251u + 1);
}

tern_status tern__churn_check(tern__churn *churn) {
    size_t bytes;
    for (int i = 0; i < churn->plan->live; i++) {
        unsigned char *data = bytes_of(churn, i, &bytes);
        if (churn->side->peer == NULL && (uintptr_t)data % 64 != 0)
            return tern__fail(TERN_E_INTERNAL, "bench: member %d is not aligned to 64", i);
        for (size_t at = 0; at < bytes; at++) {
            if (at == CHECK_END && bytes > 2 * CHECK_END)
                at = bytes - CHECK_END;
            data[at] = mark(i, at);
        }
    }
    for (int i = 0; i < churn->plan->live; i++) {
        const unsigned char *data = bytes_of(churn, i, &bytes);
        for (size_t at = 0; at < bytes; at++) {
            if (at == CHECK_END && bytes > 2 * CHECK_END)
                at = bytes - CHECK_END;
            if (data[at] != mark(i, at))
                return tern__fail(TERN_E_INTERNAL, "bench: %s: byte %zu of member %d was changed",
                                  churn->side->name, at, i);
        }
    }
    return TERN_OK;
}
