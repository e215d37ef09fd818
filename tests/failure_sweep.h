/* SPDX-License-Identifier: MIT
 *
 * One call made to fail in every way in which memory can run out, and made again:
 *
 *     static const sweep_flow add = {"add", prepare, call_add, look, dispose};
 *     sweep_flow_all(&add);
 *
 * Each disturbed run prepares the objects, takes down all that can be seen of them (look), lets the
 * call fail, and checks: a typed error with its detail, and that nothing which can be seen has
 * changed. Then the failure is lifted and the same call on the same objects must succeed, and what
 * can be seen then must be the bits of an undisturbed run. In the end nothing may be leaked. The
 * failures are those of the operating system (memory_file.h: call k once, several times, for ever,
 * at random) with a pool as it is, one whose last free byte is taken, one that has a few blocks of
 * every size left, and one that has just the blocks that the first j allocations of the call need;
 * and those of max_bytes, one byte short of what the j-th allocation needs.
 */
#ifndef TERN_TEST_FAILURE_SWEEP_H
#define TERN_TEST_FAILURE_SWEEP_H

#include <tern/tern.h>

#include "base/status.h"
#include "memory/size_class.h"
#include "memory_file.h"
#include "tensor/tensor.h"

/* -- what can be seen --------------------------------------------------------------------------*/

/* Bytes in a row; sweep_clear frees them. */
typedef struct sweep_view {
    uint8_t *bytes;
    size_t count, capacity;
} sweep_view;

static inline void sweep_put(sweep_view *view, const void *bytes, size_t count) {
    if (view->count + count > view->capacity) {
        view->capacity = 2 * (view->count + count);
        view->bytes = realloc(view->bytes, view->capacity);
        assert_non_null(view->bytes);
    }
    if (count > 0)
        memcpy(view->bytes + view->count, bytes, count);
    view->count += count;
}

static inline void sweep_put_number(sweep_view *view, int64_t number) {
    sweep_put(view, &number, sizeof number);
}

static inline void sweep_clear(sweep_view *view) {
    free(view->bytes);
    *view = (sweep_view){0};
}

static inline void sweep_same(const sweep_view *got, const sweep_view *expected, const char *what) {
    if (got->count != expected->count)
        fail_msg("%s: %zu bytes can be seen, %zu before", what, got->count, expected->count);
    test_same_bytes(got->bytes, expected->bytes, got->count, what);
}

/* Type, shape, strides and elements; NULL is fine. The bytes of packed weights are the device's own
 * affair: look at a product instead. */
static inline void sweep_put_tensor(sweep_view *view, const tern_tensor *t) {
    sweep_put_number(view, t != NULL);
    if (t == NULL)
        return;
    tern_shape shape = tern_tensor_shape(t);
    sweep_put_number(view, tern_tensor_dtype(t));
    sweep_put(view, &shape, sizeof shape);
    for (int i = 0; i < shape.rank; i++)
        sweep_put_number(view, tern_tensor_stride(t, i));
    int64_t count = tern_tensor_count(t);
    if (tern_tensor_data(t) == NULL || count == 0)
        return;
    const uint8_t *data = tern_tensor_data(t);
    if (tern_tensor_is_contiguous(t)) {
        sweep_put(view, data, tern_tensor_bytes(t));
        return;
    }
    int64_t size = (int64_t)tern_tensor_bytes(t) / count;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0, rest = i;
        for (int axis = shape.rank - 1; axis >= 0; axis--) {
            at += rest % shape.dims[axis] * tern_tensor_stride(t, axis);
            rest /= shape.dims[axis];
        }
        sweep_put(view, data + at * size, (size_t)size);
    }
}

/* -- flows -------------------------------------------------------------------------------------*/

/* Tensors that only take memory away. */
enum { SWEEP_BALLAST = 4096 };

/* Zeroed before prepare, except `options` and `flow`. */
typedef struct sweep_fixture {
    const struct sweep_flow *flow;
    tern_options options;  /* for the context */
    tern_context *context; /* NULL until somebody makes it */
    tern_tensor *in[32], *out;
    tern_file *file;
    tern_tokenizer *tokenizer;
    tern_model *model;
    tern_session *session;
    tern_sampler *sampler;
    sweep_view result; /* what the call wrote into memory of the caller */
    tern_tensor *ballast[SWEEP_BALLAST];
    int ballast_count;
} sweep_fixture;

typedef struct sweep_flow {
    const char *name;
    void (*prepare)(sweep_fixture *f); /* nothing fails meanwhile */
    /* After a failure it leaves `f` as it was. */
    tern_status (*call)(sweep_fixture *f);
    void (*look)(sweep_fixture *f, sweep_view *view);
    void (*dispose)(sweep_fixture *f); /* everything but the context */
    int row;                           /* for `call`: of a table */
} sweep_flow;

/* Of one flow or many. */
typedef struct sweep_counts {
    int64_t calls;     /* to the system in undisturbed runs */
    int64_t failures;  /* disturbed calls that failed */
    int64_t made_good; /* disturbed calls that succeeded all the same */
    int64_t needs;     /* allocations that have to find memory */
    int64_t met;       /* of them, those that failed once */
    int64_t limits;    /* failures by max_bytes */
} sweep_counts;

static inline void sweep_print(const char *name, const sweep_counts *counts) {
    printf("%s: %lld system calls, %lld failures, %lld made good; %lld of %lld allocations failed; "
           "%lld limits\n",
           name, (long long)counts->calls, (long long)counts->failures,
           (long long)counts->made_good, (long long)counts->met, (long long)counts->needs,
           (long long)counts->limits);
}

static inline void sweep_no_event(void *user, const tern_memory_event *event) {
    (void)user;
    fail_msg("memory event: %s", event->text);
}

static inline void sweep_make_context(sweep_fixture *f) {
    test_ok(tern_context_create(&f->options, &f->context));
}

/* No failure is on any more. */
static inline void sweep_lift(void) {
    memory_file.fail_at = -1;
    memory_file.fail_seed = 0;
    memory_file.largest_map = 0;
}

static sweep_fixture sweep_state;

static inline sweep_fixture *sweep_begin(const sweep_flow *flow, const tern_options *options) {
    memset(&sweep_state, 0, sizeof sweep_state);
    sweep_state.flow = flow;
    sweep_state.options = *options;
    sweep_state.options.on_memory_event = sweep_no_event;
    /* A small arena: the call soon needs another, and little ballast fills it. The scratch of the
     * threads and the table of a tracking level are no larger. */
    memory_file.largest_map = (size_t)4 << 20;
    flow->prepare(&sweep_state);
    sweep_lift();
    return &sweep_state;
}

static inline void sweep_release_ballast(sweep_fixture *f) {
    while (f->ballast_count > 0)
        tern_tensor_release(f->ballast[--f->ballast_count]);
}

static inline void sweep_end(sweep_fixture *f) {
    sweep_release_ballast(f);
    f->flow->dispose(f);
    sweep_clear(&f->result);
    if (f->context != NULL) {
        tern_memory_stats stats = tern_context_memory(f->context);
        if (stats.live_tensors != 0 || stats.live_bytes != 0)
            fail_msg("%s: %lld tensors, %zu bytes are left", f->flow->name,
                     (long long)stats.live_tensors, stats.live_bytes);
        tern_context_destroy(f->context);
    }
    memory_file_check_empty();
}

static inline sweep_view sweep_look(sweep_fixture *f) {
    sweep_view view = {0};
    if (f->context != NULL) {
        tern_memory_stats stats = tern_context_memory(f->context);
        sweep_put_number(&view, stats.live_tensors);
        sweep_put_number(&view, (int64_t)stats.live_bytes);
    }
    f->flow->look(f, &view);
    sweep_put(&view, f->result.bytes, f->result.count);
    return view;
}

/* -- disturbances ------------------------------------------------------------------------------*/

/* The system: calls from `first` on as memory_file has it. Or a limit, when `first` is negative:
 * `allowed` bytes more than are in use. */
typedef struct sweep_disturbance {
    int64_t first, count;
    uint64_t seed;
    size_t allowed;
    int spare;  /* blocks of every size that the pool has left; -1: the pool is as it is */
    int needed; /* and as many of the blocks that the call needs, in its order */
    bool pages; /* no pages come from the system, everything else does */
} sweep_disturbance;

/* What a call allocates. */
static struct {
    /* Allocations that no block serves which the call itself gave back. */
    struct {
        size_t bytes;
        unsigned kind;
    } needs[SWEEP_BALLAST];
    int count;
    int given_back[TERN__CLASSES + 1]; /* blocks of each class, free for the call's next ones */
    /* Allocations that take more bytes in use than there were before: one byte less than these. */
    size_t limits[SWEEP_BALLAST];
    int limit_count;
    int64_t live, most; /* bytes in use, more than before the call */
} sweep_trace;

static inline void sweep_on_trace(void *user, const void *block, size_t bytes, unsigned kind,
                                  bool is_release) {
    (void)user, (void)block;
    size_t room = (kind & TERN__BLOCK_DATA) != 0 ? (bytes + 63) / 64 * 64 : bytes;
    int *free_blocks =
        &sweep_trace.given_back[room > TERN__CLASS_MAX ? TERN__CLASSES : tern__class_of(room)];
    sweep_trace.live += is_release ? -(int64_t)bytes : (int64_t)bytes;
    if (is_release) {
        ++*free_blocks;
        return;
    }
    assert_true(sweep_trace.count < SWEEP_BALLAST && sweep_trace.limit_count < SWEEP_BALLAST);
    if (*free_blocks > 0 && room <= TERN__CLASS_MAX) {
        --*free_blocks;
    } else {
        sweep_trace.needs[sweep_trace.count].bytes = bytes;
        sweep_trace.needs[sweep_trace.count++].kind = kind & TERN__BLOCK_DATA;
    }
    if (sweep_trace.live > sweep_trace.most) {
        sweep_trace.most = sweep_trace.live;
        sweep_trace.limits[sweep_trace.limit_count++] = (size_t)sweep_trace.live - 1;
    }
}

/* A view of `from` when it is given, else a fresh tensor; false when there is no memory. */
static inline bool sweep_take_ballast(sweep_fixture *f, tern_tensor *from, tern_shape shape) {
    tern_tensor **to = &f->ballast[f->ballast_count];
    assert_true(f->ballast_count < SWEEP_BALLAST);
    tern_status status = from != NULL ? tern_tensor_broadcast(from, shape, to)
                                      : tern_tensor_empty(f->context, TERN_U8, shape, to);
    f->ballast_count += status == TERN_OK;
    if (status != TERN_OK && status != TERN_E_MEMORY)
        test_ok(status);
    return status == TERN_OK;
}

/* At most `count` tensors of every size up to `bytes`, and as many views of every rank: headers,
 * small tensors and large ones live in different places. */
static inline void sweep_take_sizes(sweep_fixture *f, int64_t bytes, int count) {
    for (; bytes >= 0; bytes -= bytes > 32768 ? bytes / 2 : bytes > 256 ? bytes / 16 : 8)
        for (int i = 0; i < count && sweep_take_ballast(f, NULL, TERN_SHAPE(bytes)); i++)
            ;
    tern_tensor *from = f->ballast_count > 0 ? f->ballast[0] : NULL;
    for (int rank = TERN_MAX_RANK; from != NULL && rank >= 1; rank--) {
        tern_shape shape = {rank, {1, 1, 1, 1, 1, 1, 1, 1}};
        shape.dims[rank - 1] = tern_tensor_dim(from, 0);
        for (int i = 0; i < count && sweep_take_ballast(f, from, shape); i++)
            ;
    }
}

/* Takes everything the pool can give without the system, but for `spare` blocks of every small
 * size and the first `needed` blocks of the trace. */
static inline void sweep_exhaust(sweep_fixture *f, int spare, int needed) {
    void *kept[SWEEP_BALLAST];
    tern__pool *pool = f->context->pool;
    for (int i = 0; i < needed; i++)
        test_ok(tern__pool_alloc(pool, sweep_trace.needs[i].bytes, sweep_trace.needs[i].kind, NULL,
                                 &kept[i]));
    sweep_take_sizes(f, 32768, spare);
    int given = f->ballast_count;
    memory_file.largest_map = 1;
    sweep_take_sizes(f, (int64_t)64 << 20, SWEEP_BALLAST);
    sweep_lift();
    for (int i = given; i-- > 0;)
        tern_tensor_release(f->ballast[i]);
    f->ballast_count -= given;
    memmove(f->ballast, f->ballast + given, (size_t)f->ballast_count * sizeof *f->ballast);
    for (int i = needed; i-- > 0;)
        tern__pool_free(pool, kept[i], sweep_trace.needs[i].bytes, sweep_trace.needs[i].kind);
}

/* Fills the context up to `allowed` bytes below its limit. */
static inline void sweep_fill(sweep_fixture *f, size_t allowed) {
    size_t goal = f->options.max_bytes - allowed;
    size_t start = tern_context_memory(f->context).live_bytes;
    assert_true(goal - start > 1024);
    size_t bytes = goal - start - 1024;
    for (int i = 0; i < 4; i++) { /* what a header takes is found by trying */
        assert_true(sweep_take_ballast(f, NULL, TERN_SHAPE((int64_t)bytes)));
        size_t live = tern_context_memory(f->context).live_bytes;
        if (live == goal)
            return;
        sweep_release_ballast(f);
        bytes = bytes - live + goal;
    }
    fail_msg("cannot fill the context up to %zu bytes", goal);
}

/* -- runs --------------------------------------------------------------------------------------*/

typedef struct sweep_outcome {
    tern_status status;
    bool was_disturbed; /* a call to the system failed */
} sweep_outcome;

static inline void sweep_check_typed(const sweep_flow *flow, tern_status status, bool by_limit) {
    bool is_typed = by_limit
                        ? status == TERN_E_LIMIT
                        : status == TERN_E_MEMORY || status == TERN_E_LIMIT || status == TERN_E_IO;
    if (!is_typed || strcmp(tern_last_error(), "nothing yet") == 0 || tern_last_error()[0] == '\0')
        fail_msg("%s: status %s: \"%s\"", flow->name, tern_status_name(status), tern_last_error());
}

static inline sweep_outcome sweep_run(const sweep_flow *flow, const tern_options *options,
                                      const sweep_disturbance *how, const sweep_view *expected) {
    sweep_fixture *f = sweep_begin(flow, options);
    bool by_limit = how->first < 0;
    if (by_limit)
        sweep_fill(f, how->allowed);
    else if (how->spare >= 0)
        sweep_exhaust(f, how->spare, how->needed);
    sweep_view before = sweep_look(f);
    int64_t failures = memory_file.failures;
    tern__fail(TERN_E_ARGUMENT, "nothing yet");
    if (how->pages) {
        memory_file.largest_map = 1;
    } else if (!by_limit) {
        memory_file.fail_at = memory_file.calls + how->first;
        memory_file.fail_count = how->count;
        memory_file.fail_seed = how->seed;
    }
    sweep_outcome outcome = {.status = flow->call(f)};
    sweep_lift();
    outcome.was_disturbed = memory_file.failures > failures;
    if (outcome.status != TERN_OK) {
        sweep_check_typed(flow, outcome.status, by_limit);
        sweep_view after = sweep_look(f);
        sweep_same(&after, &before, flow->name);
        sweep_clear(&after);
    }
    sweep_release_ballast(f);
    if (outcome.status != TERN_OK)
        test_ok(flow->call(f));
    sweep_view done = sweep_look(f);
    sweep_same(&done, expected, flow->name);
    sweep_clear(&done);
    sweep_clear(&before);
    sweep_end(f);
    return outcome;
}

static inline void sweep_count(sweep_counts *counts, const sweep_outcome *outcome) {
    counts->failures += outcome->status != TERN_OK;
    counts->made_good += outcome->status == TERN_OK && outcome->was_disturbed;
}

/* Every k of one kind of failure, up to the first that meets no call any more. */
static inline void sweep_calls(const sweep_flow *flow, const tern_options *options,
                               sweep_disturbance how, const sweep_view *expected,
                               sweep_counts *counts) {
    for (how.first = 0;; how.first++) {
        sweep_outcome outcome = sweep_run(flow, options, &how, expected);
        if (!outcome.was_disturbed) {
            test_ok(outcome.status);
            return;
        }
        sweep_count(counts, &outcome);
        assert_true(how.first < 100000);
    }
}

/* No pages come from the system, and the pool has more and more. */
static inline void sweep_spares(const sweep_flow *flow, const tern_options *options,
                                const sweep_view *expected, sweep_counts *counts) {
    for (int spare = 0; spare < 16; spare++) {
        sweep_disturbance how = {.pages = true, .spare = spare};
        sweep_outcome outcome = sweep_run(flow, options, &how, expected);
        sweep_count(counts, &outcome);
        if (!outcome.was_disturbed)
            return;
    }
}

static inline void sweep_record(const sweep_flow *flow, const tern_options *options) {
    memset(&sweep_trace, 0, sizeof sweep_trace);
    sweep_fixture *f = sweep_begin(flow, options);
    tern__pool_trace(f->context->pool, sweep_on_trace, NULL);
    test_ok(flow->call(f));
    tern__pool_trace(f->context->pool, NULL, NULL);
    sweep_end(f);
}

/* No pages come from the system, and the pool has what the call's first allocations need. */
static inline void sweep_needs(const sweep_flow *flow, const tern_options *options,
                               const sweep_view *expected, sweep_counts *counts) {
    counts->needs += sweep_trace.count;
    for (int needed = 0; needed < sweep_trace.count; needed++) {
        sweep_disturbance how = {.pages = true, .needed = needed};
        counts->met += sweep_run(flow, options, &how, expected).status != TERN_OK;
    }
}

/* The limit one byte short of every amount that the call needs to get further; and not short. */
static inline void sweep_limits(const sweep_flow *flow, tern_options options, size_t peak,
                                const sweep_view *expected, sweep_counts *counts) {
    options.max_bytes = 2 * peak + 65536;
    for (int i = 0; i < sweep_trace.limit_count; i++) {
        sweep_disturbance how = {.first = -1, .allowed = sweep_trace.limits[i], .spare = -1};
        test_status(sweep_run(flow, &options, &how, expected).status, TERN_E_LIMIT);
        counts->limits++;
    }
    sweep_disturbance how = {.first = -1, .allowed = (size_t)sweep_trace.most, .spare = -1};
    test_ok(sweep_run(flow, &options, &how, expected).status);
}

/* The undisturbed run: what can be seen in the end, and the most bytes in use. */
static inline sweep_view sweep_expect(const sweep_flow *flow, const tern_options *options,
                                      size_t *peak, int64_t *calls) {
    sweep_fixture *f = sweep_begin(flow, options);
    int64_t before = memory_file.calls;
    test_ok(flow->call(f));
    *calls = memory_file.calls - before;
    sweep_view view = sweep_look(f);
    *peak = f->context != NULL ? tern_context_memory(f->context).peak_bytes : 0;
    sweep_end(f);
    return view;
}

enum {
    SWEEP_OWN_CONTEXT = 1, /* the call makes its context: no ballast, no limits */
    SWEEP_BRIEFLY = 2      /* long calls: once and for ever only */
};

/* All kinds of failure. */
static inline sweep_counts sweep_flow_all(const sweep_flow *flow, const tern_options *options,
                                          unsigned flags) {
    static const sweep_disturbance kinds[] = {{.count = 1, .spare = -1},
                                              {.count = INT64_MAX, .spare = -1},
                                              {.count = 2, .spare = -1},
                                              {.count = 8, .spare = -1},
                                              {.count = 1},
                                              {.count = INT64_MAX}};
    sweep_counts counts = {0};
    size_t peak;
    sweep_view expected = sweep_expect(flow, options, &peak, &counts.calls);
    bool is_own = (flags & SWEEP_OWN_CONTEXT) != 0, is_brief = (flags & SWEEP_BRIEFLY) != 0;
    for (size_t i = 0; i < (is_brief ? 2 : sizeof kinds / sizeof *kinds); i++)
        if (!is_own || kinds[i].spare < 0)
            sweep_calls(flow, options, kinds[i], &expected, &counts);
    for (uint64_t seed = 1; !is_brief && seed <= 8; seed++) {
        sweep_disturbance how = {.seed = seed, .spare = is_own || seed % 2 == 0 ? -1 : 0};
        sweep_outcome outcome = sweep_run(flow, options, &how, &expected);
        sweep_count(&counts, &outcome);
    }
    if (!is_own && !is_brief) {
        sweep_spares(flow, options, &expected, &counts);
        sweep_record(flow, options);
        sweep_needs(flow, options, &expected, &counts);
        sweep_limits(flow, *options, peak, &expected, &counts);
    }
    sweep_clear(&expected);
    return counts;
}

#endif
