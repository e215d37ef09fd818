/* SPDX-License-Identifier: MIT
 * Sorting along an axis: each row becomes keys, which are sorted, and what was asked for is read
 * off them. Rows are shared out to the threads; the scratch of each comes from the context. */
#include <string.h>

#include "base/checked.h"
#include "device/cpu/elementwise.h"
#include "device/cpu/indexing.h"
#include "device/cpu/order.h"

/* What goes with a key. */
typedef enum load {
    LOAD_NONE,
    LOAD_INDEX, /* place in the row */
    LOAD_SIGN   /* 1 for -0, whose key is that of +0, else 0 */
} load;

enum { X, RESULT, INDICES };

typedef struct sorting {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    tern__order order;
    /* Over x, the result, and the indices of TOPK; the last axis is the one that is sorted. When
     * all elements are sorted: over x alone, merged. */
    tern__walk walk;
    bool is_flat;
    int64_t rows, n, pieces;
    int64_t slot; /* bytes of scratch of a piece */
    uint8_t *scratch;
    void (*run)(const struct sorting *s, const int64_t *at, uint8_t *scratch);
} sorting;

static tern__items kind_of(const sorting *s, load what) {
    bool is_narrow = s->order.bytes <= 4 && s->n <= UINT32_MAX;
    if (what == LOAD_NONE)
        return s->order.bytes <= 4 ? TERN__ITEMS_32 : TERN__ITEMS_64;
    return is_narrow ? TERN__ITEMS_64 : TERN__ITEMS_128;
}

/* -- items -------------------------------------------------------------------------------------*/

typedef struct loader {
    const sorting *s;
    void *items;
    load what;
    int64_t step;
    bool has_minus_zero;
} loader;

static void pack(const loader *l, int64_t first, const uint64_t *keys, const uint64_t *loads,
                 int64_t n) {
    switch (kind_of(l->s, l->what)) {
    case TERN__ITEMS_32:
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)l->items)[first + i] = (uint32_t)keys[i];
        break;
    case TERN__ITEMS_64:
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)l->items)[first + i] =
                l->what == LOAD_NONE ? keys[i] : keys[i] << 32 | loads[i];
        break;
    case TERN__ITEMS_128:
        for (int64_t i = 0; i < n; i++) {
            ((uint64_t *)l->items)[2 * (first + i)] = keys[i];
            ((uint64_t *)l->items)[2 * (first + i) + 1] = loads[i];
        }
    }
}

static void unpack(const loader *l, int64_t first, uint64_t *keys, uint64_t *loads, int64_t n) {
    switch (kind_of(l->s, l->what)) {
    case TERN__ITEMS_32:
        for (int64_t i = 0; i < n; i++)
            keys[i] = ((const uint32_t *)l->items)[first + i];
        break;
    case TERN__ITEMS_64:
        for (int64_t i = 0; i < n; i++) {
            uint64_t item = ((const uint64_t *)l->items)[first + i];
            keys[i] = l->what == LOAD_NONE ? item : item >> 32;
            loads[i] = item & UINT32_MAX;
        }
        break;
    case TERN__ITEMS_128:
        for (int64_t i = 0; i < n; i++) {
            keys[i] = ((const uint64_t *)l->items)[2 * (first + i)];
            loads[i] = ((const uint64_t *)l->items)[2 * (first + i) + 1];
        }
    }
}

static bool is_minus_zero(const tern__order *order, const uint8_t *element) {
    return memcmp(element, &order->sign, (size_t)order->bytes) == 0;
}

/* Elements of x as items `position` and behind. */
static void load_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    loader *l = user;
    const tern_tensor *x = l->s->call->in[0];
    uint64_t keys[TERN__CHUNK], loads[TERN__CHUNK];
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, n - i);
        const uint8_t *from = tern__element(x, at[X] + i * l->step);
        l->has_minus_zero |= tern__order_keys(&l->s->order, from, l->step, keys, count);
        for (int64_t k = 0; k < count && l->what == LOAD_INDEX; k++)
            loads[k] = (uint64_t)(position + i + k);
        for (int64_t k = 0; k < count && l->what == LOAD_SIGN; k++)
            loads[k] = is_minus_zero(&l->s->order, from + k * l->step * l->s->order.bytes);
        pack(l, position + i, keys, loads, count);
    }
}

static void load_row(loader *l, const int64_t *at) {
    if (l->s->is_flat)
        tern__walk_range(&l->s->walk, 0, l->s->n, load_segment, l);
    else
        load_segment(l, at, 0, l->s->n);
}

/* Sorts the row at `at` of x; has_minus_zero says whether there is one. */
static loader sort_row(const sorting *s, const int64_t *at, uint8_t *scratch, load what) {
    loader l = {
        .s = s, .items = scratch, .what = what, .step = s->walk.strides[X][s->walk.rank - 1]};
    load_row(&l, at);
    if (what == LOAD_NONE && l.has_minus_zero) {
        l.what = LOAD_SIGN;
        load_row(&l, at);
    }
    tern__items kind = kind_of(s, l.what);
    bool is_packed = kind == TERN__ITEMS_64 && l.what != LOAD_NONE;
    l.items = tern__order_sort(kind, scratch, scratch + s->slot / 2, s->n, is_packed ? 32 : 0,
                               s->order.bytes);
    return l;
}

/* -- what is read off --------------------------------------------------------------------------*/

static int64_t result_step(const sorting *s) {
    return s->is_flat ? tern__strides(s->call->out)[0] : s->walk.strides[RESULT][s->walk.rank - 1];
}

static void sort_values(const sorting *s, const int64_t *at, uint8_t *scratch) {
    loader l = sort_row(s, at, scratch, LOAD_NONE);
    uint64_t keys[TERN__CHUNK], loads[TERN__CHUNK];
    int64_t step = result_step(s);
    for (int64_t i = 0; i < s->n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, s->n - i);
        uint8_t *to = tern__element(s->call->out, at[RESULT] + i * step);
        unpack(&l, i, keys, loads, count);
        tern__order_values(&s->order, keys, to, step, count);
        for (int64_t k = 0; k < count && l.what == LOAD_SIGN; k++)
            if (loads[k] != 0)
                memcpy(to + k * step * s->order.bytes, &s->order.sign, (size_t)s->order.bytes);
    }
}

static void sort_indices(const sorting *s, const int64_t *at, uint8_t *scratch) {
    loader l = sort_row(s, at, scratch, LOAD_INDEX);
    uint64_t keys[TERN__CHUNK], loads[TERN__CHUNK];
    int64_t step = result_step(s);
    for (int64_t i = 0; i < s->n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, s->n - i);
        int64_t *to = tern__element(s->call->out, at[RESULT] + i * step);
        unpack(&l, i, keys, loads, count);
        for (int64_t k = 0; k < count; k++)
            to[k * step] = (int64_t)loads[k];
    }
}

static void sort_groups(const sorting *s, const int64_t *at, uint8_t *scratch) {
    const tern__unique *parts = s->call->detail;
    loader l = sort_row(s, at, scratch, LOAD_INDEX);
    uint64_t keys[TERN__CHUNK], loads[TERN__CHUNK], last = 0;
    int64_t *order = parts->order->data, *groups = parts->groups->data, group = 0;
    for (int64_t i = 0; i < s->n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, s->n - i);
        unpack(&l, i, keys, loads, count);
        for (int64_t k = 0; k < count; k++) {
            group += i + k > 0 && keys[k] != last;
            last = keys[k];
            order[i + k] = (int64_t)loads[k];
            groups[i + k] = group;
        }
    }
}

/* -- the best k --------------------------------------------------------------------------------*/

typedef struct candidate {
    uint64_t key;
    int64_t index;
} candidate;

static bool is_worse(candidate a, candidate b) {
    return a.key > b.key || (a.key == b.key && a.index > b.index);
}

/* The worst candidate is heap[0]; those below `root` are a heap already. */
static void sift(candidate *heap, int64_t root, int64_t count) {
    candidate moved = heap[root];
    for (int64_t child; (child = 2 * root + 1) < count; root = child) {
        child += child + 1 < count && is_worse(heap[child + 1], heap[child]);
        if (!is_worse(heap[child], moved))
            break;
        heap[root] = heap[child];
    }
    heap[root] = moved;
}

/* Keeps the k best of a row, and sorts them by taking the worst away again and again. */
static void keep_best(const sorting *s, int64_t at, candidate *heap, int64_t k) {
    uint64_t keys[TERN__CHUNK];
    int64_t count = 0, step = s->walk.strides[X][s->walk.rank - 1];
    for (int64_t i = 0; i < s->n; i += TERN__CHUNK) {
        int64_t length = tern__min_i64(TERN__CHUNK, s->n - i);
        tern__order_keys(&s->order, tern__element(s->call->in[0], at + i * step), step, keys,
                         length);
        for (int64_t j = 0; j < length; j++) {
            if (count < k) {
                heap[count++] = (candidate){keys[j], i + j};
                for (int64_t root = count / 2; count == k && root-- > 0;)
                    sift(heap, root, k);
            } else if (keys[j] < heap[0].key) {
                heap[0] = (candidate){keys[j], i + j};
                sift(heap, 0, k);
            }
        }
    }
    for (int64_t last = k; last-- > 1;) {
        candidate worst = heap[0];
        heap[0] = heap[last];
        heap[last] = worst;
        sift(heap, 0, last);
    }
}

static void pick_best(const sorting *s, const int64_t *at, uint8_t *scratch) {
    const tern__topk *parts = s->call->detail;
    candidate *heap = (candidate *)(void *)scratch;
    int last = s->walk.rank - 1;
    int64_t k = s->call->out->dims[s->call->axis];
    keep_best(s, at[X], heap, k);
    for (int64_t i = 0; i < k; i++) {
        const void *from =
            tern__element(s->call->in[0], at[X] + heap[i].index * s->walk.strides[X][last]);
        memcpy(tern__element(s->call->out, at[RESULT] + i * s->walk.strides[RESULT][last]), from,
               (size_t)s->order.bytes);
        if (parts->indices != NULL)
            *(int64_t *)tern__element(
                parts->indices, at[INDICES] + i * s->walk.strides[INDICES][last]) = heap[i].index;
    }
}

/* -- rows --------------------------------------------------------------------------------------*/

static void run_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const sorting *s = argument;
    for (int64_t piece = begin; piece < end; piece++)
        for (int64_t row = s->rows * piece / s->pieces; row < s->rows * (piece + 1) / s->pieces;
             row++) {
            int64_t at[TERN__WALK_OPERANDS] = {0};
            if (!s->is_flat)
                tern__walk_offsets(&s->walk, row, at);
            s->run(s, at, s->scratch + piece * s->slot);
        }
}

/* The axis moves to the end; operands may differ in its length. */
static void open_rows(sorting *s, int operands, const tern_tensor *const *tensors) {
    int axis = s->call->axis, rank = tensors[0]->rank;
    s->walk = (tern__walk){.rank = rank, .operands = operands};
    for (int i = 0; i < rank; i++) {
        int from = i == rank - 1 ? axis : i < axis ? i : i + 1;
        s->walk.dims[i] = tensors[0]->dims[from];
        for (int o = 0; o < operands; o++)
            s->walk.strides[o][i] = tern__strides(tensors[o])[from];
    }
    s->n = s->walk.dims[rank - 1];
    s->rows = tern__walk_rows(&s->walk);
}

static void open_flat(sorting *s, const tern_tensor *x) {
    tern_shape shape = tern_tensor_shape(x);
    tern__walk_open(&s->walk, &shape, 1, &x);
    s->is_flat = true;
    s->n = tern_tensor_count(x);
    s->rows = 1;
}

/* `item_bytes` of scratch for each of `items` in a row. */
static tern_status run_rows(sorting *s, int64_t items, int64_t item_bytes) {
    tern_tensor *scratch = NULL;
    bool is_small = s->rows * s->n <= TERN__CPU_GRAIN;
    s->pieces = is_small ? 1 : tern__min_i64(tern__team_size(s->cpu->team), s->rows);
    tern_shape shape = {.rank = 3, .dims = {s->pieces, items, item_bytes}};
    tern_status status =
        tern__tensor_empty(s->call->context, TERN_U8, &shape, tern__op_name(s->call->op), &scratch);
    if (status != TERN_OK)
        return status;
    s->scratch = scratch->data;
    s->slot = items * item_bytes;
    tern__team_run(s->cpu->team, s->pieces, 1, run_piece, s);
    tern_tensor_release(scratch);
    return TERN_OK;
}

static sorting open_sorting(tern__device *device, const tern__op_call *call, bool descending) {
    return (sorting){.cpu = tern__cpu_of(device),
                     .call = call,
                     .order = tern__order_of((tern_dtype)call->in[0]->dtype, descending)};
}

/* SORT and ARGSORT; call->axis < 0: of all elements. choice: descending. */
tern_status tern__cpu_sort(tern__device *device, const tern__op_call *call) {
    sorting s = open_sorting(device, call, call->choice);
    bool is_argsort = call->op == TERN__OP_ARGSORT;
    if (call->axis < 0)
        open_flat(&s, call->in[0]);
    else
        open_rows(&s, 2, (const tern_tensor *const[]){call->in[0], call->out});
    s.run = is_argsort ? sort_indices : sort_values;
    load widest = is_argsort ? LOAD_INDEX : s.order.infinity != 0 ? LOAD_SIGN : LOAD_NONE;
    return run_rows(&s, s.n, 2 * tern__item_bytes(kind_of(&s, widest)));
}

/* choice: the largest. */
tern_status tern__cpu_topk(tern__device *device, const tern__op_call *call) {
    sorting s = open_sorting(device, call, call->choice);
    const tern__topk *parts = call->detail;
    const tern_tensor *const tensors[] = {call->in[0], call->out, parts->indices};
    open_rows(&s, parts->indices != NULL ? 3 : 2, tensors);
    s.run = pick_best;
    return run_rows(&s, call->out->dims[call->axis], sizeof(candidate));
}

/* -- different values --------------------------------------------------------------------------*/

/* From the sorted order to what unique gives. */
static void describe_groups(const tern__unique *parts) {
    const int64_t *order = parts->order->data, *groups = parts->groups->data;
    int64_t n = tern_tensor_count(parts->order), *firsts = parts->firsts->data;
    int64_t *counts = parts->counts != NULL ? parts->counts->data : NULL;
    int64_t *inverse = parts->inverse != NULL ? parts->inverse->data : NULL;
    for (int64_t i = 0, begin = 0; i < n; i++) {
        if (i == 0 || groups[i] != groups[i - 1]) {
            firsts[groups[i]] = order[i];
            begin = i;
        }
        if (counts != NULL)
            counts[groups[i]] = i + 1 - begin;
        if (inverse != NULL)
            inverse[order[i]] = groups[i];
    }
}

tern_status tern__cpu_unique(tern__device *device, const tern__op_call *call) {
    const tern__unique *parts = call->detail;
    if (parts->firsts != NULL) {
        describe_groups(parts);
        return TERN_OK;
    }
    sorting s = open_sorting(device, call, false);
    open_flat(&s, call->in[0]);
    s.run = sort_groups;
    return run_rows(&s, s.n, 2 * tern__item_bytes(kind_of(&s, LOAD_INDEX)));
}

/* -- searching ---------------------------------------------------------------------------------*/

/* A sorted vector in the type that is compared in. */
typedef struct sorted_vector {
    const tern__cpu_device *cpu;
    const tern_tensor *t;
    tern__hub hub;
    tern__order order;
} sorted_vector;

static uint64_t key_at(const sorted_vector *v, int64_t index) {
    double value;
    uint64_t key;
    const void *from = tern__element(v->t, index * tern__strides(v->t)[0]);
    tern_dtype type = (tern_dtype)v->t->dtype;
    if (type != tern__hub_type(v->hub)) {
        tern__cpu_load(v->cpu, type, from, 1, v->hub, &value, 1);
        from = &value;
    }
    tern__order_keys(&v->order, from, 1, &key, 1);
    return key;
}

/* How many elements are below the key, or not above it. */
static int64_t count_below(const sorted_vector *v, uint64_t key, bool or_equal) {
    int64_t low = 0, high = v->t->dims[0];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        uint64_t there = key_at(v, middle);
        if (there < key || (or_equal && there == key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef struct search {
    const tern__op_call *call;
    sorted_vector sorted;
    tern__walk walk; /* over the result and the values */
} search;

static void search_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    (void)position;
    const search *s = user;
    const tern_tensor *values = s->call->in[0];
    const sorted_vector *v = &s->sorted;
    int last = s->walk.rank - 1;
    int64_t to_step = s->walk.strides[0][last], step = s->walk.strides[1][last];
    double chunk[TERN__CHUNK];
    uint64_t keys[TERN__CHUNK];
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, n - i);
        int64_t *to = tern__element(s->call->out, at[0] + i * to_step);
        tern__cpu_load(v->cpu, (tern_dtype)values->dtype, tern__element(values, at[1] + i * step),
                       step, v->hub, chunk, count);
        tern__order_keys(&v->order, chunk, 1, keys, count);
        for (int64_t k = 0; k < count; k++)
            to[k * to_step] = count_below(v, keys[k], s->call->choice);
    }
}

static void search_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    search *s = argument;
    tern__walk_range(&s->walk, begin, end, search_segment, s);
}

/* in[0]: the values, in[1]: the sorted vector; choice: behind equal ones. */
tern_status tern__cpu_search(tern__device *device, const tern__op_call *call) {
    const tern__cpu_device *cpu = tern__cpu_of(device);
    tern__hub hub = tern__hub_of(call->type);
    search s = {.call = call,
                .sorted = {cpu, call->in[1], hub, tern__order_of(tern__hub_type(hub), false)}};
    const tern_tensor *const tensors[] = {call->out, call->in[0]};
    tern_shape shape = tern_tensor_shape(call->out);
    tern__walk_open(&s.walk, &shape, 2, tensors);
    tern__team_run(cpu->team, tern_tensor_count(call->out), TERN__CPU_GRAIN, search_piece, &s);
    return TERN_OK;
}
