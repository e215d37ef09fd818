/* SPDX-License-Identifier: MIT
 * Reading and writing at places that tensors name.
 *
 * Gather, scatter and their relatives are one walk over the index, broadcast: each step moves an
 * element between a place that the walk gives and one that the index adds to it. The walk is cut
 * into pieces along one axis of the result, so that all that is written to one element comes from
 * one piece, in row-major order of the index: on any number of threads the last one wins, and sums
 * are the same. Every index is checked before the first element moves.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/half.h"
#include "base/status.h"
#include "device/cpu/elementwise.h"
#include "device/cpu/indexing.h"

/* -- indices -----------------------------------------------------------------------------------*/

/* n <= TERN__CHUNK indices: where they lie, or in `chunk`. */
static const int64_t *read_indices(const tern__cpu_device *cpu, const tern_tensor *index,
                                   int64_t at, int64_t step, int64_t *chunk, int64_t n) {
    const void *from = tern__element(index, at);
    if (index->dtype == TERN_I64 && step == 1)
        return from;
    tern__cpu_load(cpu, (tern_dtype)index->dtype, from, step, TERN__HUB_I64, chunk, n);
    return chunk;
}

/* -- checking indices --------------------------------------------------------------------------*/

typedef struct index_check {
    const tern__cpu_device *cpu;
    const tern_tensor *index;
    tern__walk walk; /* over the index; axes that repeat elements have one element only */
    int64_t length;
    atomic_llong first; /* the lowest position that is outside; INT64_MAX: none */
} index_check;

static void note_first(atomic_llong *first, int64_t position) {
    long long lowest = atomic_load_explicit(first, memory_order_relaxed);
    while (position < lowest &&
           !atomic_compare_exchange_weak_explicit(first, &lowest, position, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

/* In [-length, length): one comparison. */
static inline bool is_inside(int64_t index, uint64_t length) {
    return (uint64_t)index + length < 2 * length;
}

static void check_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    index_check *c = user;
    uint64_t length = (uint64_t)c->length;
    int64_t chunk[TERN__CHUNK], step = c->walk.strides[0][c->walk.rank - 1];
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, n - i);
        const int64_t *values =
            read_indices(c->cpu, c->index, at[0] + i * step, step, chunk, count);
        int64_t inside = 0;
        for (int64_t k = 0; k < count; k++)
            inside += is_inside(values[k], length);
        for (int64_t k = 0; inside < count && k < count; k++)
            if (!is_inside(values[k], length)) {
                note_first(&c->first, position + i + k);
                return;
            }
    }
}

static void check_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    index_check *c = argument;
    tern__walk_range(&c->walk, begin, end, check_segment, c);
}

/* Where the walk over `shape` finds its position, as "(1, 2)", and the index there. */
static tern_status fail_at(const tern__op_call *call, const index_check *c,
                           const tern_shape *shape) {
    int64_t place[TERN_MAX_RANK] = {0}, rest = atomic_load(&c->first), offset = 0, chunk;
    for (int i = shape->rank - 1; i >= 0; i--) {
        place[i] = rest % shape->dims[i];
        rest /= shape->dims[i];
        offset += place[i] * tern__strides(c->index)[i];
    }
    int64_t value = *read_indices(c->cpu, c->index, offset, 1, &chunk, 1);
    char text[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_ARGUMENT, "%s: index %lld at %s is outside of %lld elements",
                      tern__op_name(call->op), (long long)value,
                      tern__shape_text(shape->rank, place, text), (long long)c->length);
}

/* TERN_E_ARGUMENT names the first index that is not in [-length, length). */
static tern_status check_indices(const tern__cpu_device *cpu, const tern__op_call *call,
                                 const tern_tensor *index, int64_t length) {
    index_check c = {.cpu = cpu, .index = index, .length = length};
    tern_shape shape = tern_tensor_shape(index);
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (tern__strides(index)[i] == 0 && shape.dims[i] > 1)
            shape.dims[i] = 1;
        count *= shape.dims[i];
    }
    if (count == 0)
        return TERN_OK;
    c.walk = (tern__walk){.rank = shape.rank, .operands = 1};
    memcpy(c.walk.dims, shape.dims, sizeof c.walk.dims);
    memcpy(c.walk.strides[0], tern__strides(index), sizeof(int64_t) * (size_t)shape.rank);
    tern__walk_merge(&c.walk);
    atomic_init(&c.first, INT64_MAX);
    tern__team_run(cpu->team, count, TERN__CPU_GRAIN, check_piece, &c);
    return atomic_load(&c.first) == INT64_MAX ? TERN_OK : fail_at(call, &c, &shape);
}

/* -- moving elements ---------------------------------------------------------------------------*/

/* Element k lies at k * step, and where `offsets` is given offsets[k] further. */
typedef struct side {
    void *data;
    int64_t step;
} side;

typedef void (*move_fn)(side to, side from, const int64_t *offsets, int64_t n);

#define DEFINE_MOVES(name, type)                                                                   \
    static void read_##name(side to, side from, const int64_t *offsets, int64_t n) {               \
        type *out = to.data;                                                                       \
        const type *x = from.data;                                                                 \
        for (int64_t k = 0; k < n; k++)                                                            \
            out[k * to.step] = x[k * from.step + offsets[k]];                                      \
    }                                                                                              \
    static void write_##name(side to, side from, const int64_t *offsets, int64_t n) {              \
        type *out = to.data;                                                                       \
        const type *x = from.data;                                                                 \
        for (int64_t k = 0; k < n; k++)                                                            \
            out[k * to.step + offsets[k]] = x[k * from.step];                                      \
    }
DEFINE_MOVES(1, uint8_t)
DEFINE_MOVES(2, uint16_t)
DEFINE_MOVES(4, uint32_t)
DEFINE_MOVES(8, uint64_t)

/* By the logarithm of the bytes of an element. */
static const move_fn readers[] = {read_1, read_2, read_4, read_8};
static const move_fn writers[] = {write_1, write_2, write_4, write_8};

static int size_index(const tern_tensor *t) {
    int bytes = tern__dtype((tern_dtype)t->dtype)->block_bytes;
    return bytes == 8 ? 3 : bytes / 2;
}

void tern__read_at(const tern_tensor *t, int64_t at, const int64_t *offsets, void *to, int64_t n) {
    readers[size_index(t)]((side){to, 1}, (side){tern__element(t, at), 0}, offsets, n);
}

/* Sums of a type, each rounded to it. BOOL has none; its row only fills the table. */
#define SUM_float(type, a, b)   ((a) + (b))
#define SUM_integer(type, a, b) ((type)((uint64_t)(a) + (uint64_t)(b)))
#define SUM_f16(type, a, b)     tern__f16_from_f32(tern__f32_from_f16(a) + tern__f32_from_f16(b))
#define SUM_bf16(type, a, b)    tern__bf16_from_f32(tern__f32_from_bf16(a) + tern__f32_from_bf16(b))
#define SUM_bool(type, a, b)    ((type)((a) | (b)))

/* Without offsets the elements of the result are different ones. */
#define DEFINE_ADD(symbol, type, group)                                                            \
    static void add_##symbol(side to, side from, const int64_t *offsets, int64_t n) {              \
        type *out = to.data;                                                                       \
        const type *x = from.data;                                                                 \
        if (offsets == NULL && to.step == 1 && from.step == 1)                                     \
            for (int64_t k = 0; k < n; k++)                                                        \
                out[k] = SUM_##group(type, out[k], x[k]);                                          \
        else                                                                                       \
            for (int64_t k = 0; k < n; k++) {                                                      \
                type *place = out + k * to.step + (offsets != NULL ? offsets[k] : 0);              \
                *place = SUM_##group(type, *place, x[k * from.step]);                              \
            }                                                                                      \
    }
#define ADD_ROW(symbol, type, group) [TERN__PLAIN_##symbol] = add_##symbol,
TERN__PLAIN_TYPES(DEFINE_ADD)
static const move_fn adders[] = {TERN__PLAIN_TYPES(ADD_ROW)};

/* -- the walk over an index --------------------------------------------------------------------*/

enum { RESULT, SOURCE, INDEX };

typedef struct moves {
    const tern__cpu_device *cpu;
    const tern_tensor *to, *from, *index;
    tern__walk walk;
    move_fn move;             /* NULL: elements are copied */
    bool writes;              /* the index says where to write, not where to read */
    bool is_vector;           /* the index has the axis only */
    int64_t length, stride;   /* of the axis that is indexed */
    const tern_tensor *whole; /* the index counts its elements in row-major order; else NULL */
    int cut;                  /* axis along which the walk is cut */
} moves;

/* Element offset of the element of a tensor at a row-major position. */
static int64_t offset_of(const tern_tensor *t, int64_t position) {
    int64_t offset = 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        offset += position % t->dims[i] * tern__strides(t)[i];
        position /= t->dims[i];
    }
    return offset;
}

/* Reads n <= TERN__CHUNK indices as element offsets. */
static void read_offsets(const moves *m, int64_t at, int64_t step, int64_t *offsets, int64_t n) {
    const int64_t *indices = read_indices(m->cpu, m->index, at, step, offsets, n);
    for (int64_t k = 0; k < n; k++)
        offsets[k] = (indices[k] + (indices[k] < 0 ? m->length : 0)) * m->stride;
    for (int64_t k = 0; m->whole != NULL && k < n; k++)
        offsets[k] = offset_of(m->whole, offsets[k]);
}

static void copy_run(const moves *m, side to, side from, int64_t n) {
    int bytes = tern__dtype((tern_dtype)m->to->dtype)->block_bytes;
    if (to.step == 1 && from.step == 1)
        memcpy(to.data, from.data, (size_t)(n * bytes));
    else
        m->cpu->plain->copy[size_index(m->to)](from.data, from.step, to.data, to.step, n);
}

/* One index for all of them. */
static void move_run(const moves *m, const int64_t *at, int64_t n) {
    int64_t offset;
    read_offsets(m, at[INDEX], 1, &offset, 1);
    int last = m->walk.rank - 1;
    side to = {tern__element(m->to, at[RESULT] + (m->writes ? offset : 0)),
               m->walk.strides[RESULT][last]};
    side from = {tern__element(m->from, at[SOURCE] + (m->writes ? 0 : offset)),
                 m->walk.strides[SOURCE][last]};
    if (m->move != NULL)
        m->move(to, from, NULL, n);
    else
        copy_run(m, to, from, n);
}

static void move_elements(const moves *m, const int64_t *at, int64_t n) {
    int64_t offsets[TERN__CHUNK];
    int last = m->walk.rank - 1;
    int64_t to_step = m->walk.strides[RESULT][last], from_step = m->walk.strides[SOURCE][last];
    int64_t index_step = m->walk.strides[INDEX][last];
    move_fn move = m->move != NULL ? m->move
                   : m->writes     ? writers[size_index(m->to)]
                                   : readers[size_index(m->to)];
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        int64_t count = tern__min_i64(TERN__CHUNK, n - i);
        read_offsets(m, at[INDEX] + i * index_step, index_step, offsets, count);
        move((side){tern__element(m->to, at[RESULT] + i * to_step), to_step},
             (side){tern__element(m->from, at[SOURCE] + i * from_step), from_step}, offsets, count);
    }
}

static void move_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    moves m = *(const moves *)argument;
    int64_t base[TERN__WALK_OPERANDS] = {0}, at[TERN__WALK_OPERANDS];
    if (m.cut >= 0) {
        m.walk.dims[m.cut] = end - begin;
        for (int o = 0; o < m.walk.operands; o++)
            base[o] = begin * m.walk.strides[o][m.cut];
    }
    int64_t rows = tern__walk_rows(&m.walk), n = m.walk.dims[m.walk.rank - 1];
    bool has_one_index = m.walk.strides[INDEX][m.walk.rank - 1] == 0;
    for (int64_t row = 0; row < rows; row++) {
        tern__walk_offsets(&m.walk, row, at);
        for (int o = 0; o < m.walk.operands; o++)
            at[o] += base[o];
        if (has_one_index)
            move_run(&m, at, n);
        else
            move_elements(&m, at, n);
    }
}

/* Where the index moves along one axis, the indexed side has a step of 0 along it; where it counts
 * all elements (axis -1), along every axis. */
static void open_moves(moves *m, const tern_shape *shape, int axis) {
    const tern_tensor *tensors[] = {m->to, m->from, m->index};
    int indexed = m->writes ? RESULT : SOURCE;
    m->walk = (tern__walk){.rank = shape->rank, .operands = 3};
    memcpy(m->walk.dims, shape->dims, sizeof shape->dims);
    for (int o = 0; o < 3; o++)
        if ((o != indexed || axis >= 0) && !(o == INDEX && m->is_vector))
            tern__broadcast_strides(tensors[o], shape, m->walk.strides[o]);
    if (axis >= 0)
        m->walk.strides[indexed][axis] = 0;
    if (m->is_vector)
        m->walk.strides[INDEX][axis] = tern__strides(m->index)[0];
    tern__walk_merge(&m->walk);
}

static void run_moves(moves *m, const tern_shape *shape, int axis) {
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    if (count == 0)
        return;
    open_moves(m, shape, axis);
    m->cut = -1;
    for (int i = 0; i < m->walk.rank; i++)
        if (m->walk.strides[RESULT][i] != 0 &&
            (m->cut < 0 || m->walk.dims[i] > m->walk.dims[m->cut]))
            m->cut = i;
    int64_t slices = m->cut < 0 ? 1 : m->walk.dims[m->cut];
    int64_t grain = tern__max_i64(1, TERN__CPU_GRAIN / (count / slices));
    tern__team_run(m->cpu->team, slices, grain, move_piece, m);
}

/* -- gather, scatter ---------------------------------------------------------------------------*/

/* The index moves along an axis of `indexed`. */
static void index_axis(moves *m, const tern_tensor *indexed, int axis) {
    m->length = indexed->dims[axis];
    m->stride = tern__strides(indexed)[axis];
}

/* The index counts all elements of `indexed`. */
static void index_whole(moves *m, const tern_tensor *indexed) {
    m->length = tern_tensor_count(indexed);
    m->stride = 1;
    m->whole = tern_tensor_is_contiguous(indexed) ? NULL : indexed;
}

tern_status tern__cpu_gather(tern__device *device, const tern__op_call *call) {
    moves m = {.cpu = tern__cpu_of(device),
               .to = call->out,
               .from = call->in[0],
               .index = call->in[1],
               .is_vector = call->op == TERN__OP_INDEX_SELECT};
    bool is_whole = call->op == TERN__OP_TAKE;
    if (is_whole)
        index_whole(&m, m.from);
    else
        index_axis(&m, m.from, call->axis);
    tern_status status = check_indices(m.cpu, call, m.index, m.length);
    if (status != TERN_OK)
        return status;
    tern_shape shape = tern_tensor_shape(call->out);
    run_moves(&m, &shape, is_whole ? -1 : call->axis);
    return TERN_OK;
}

tern_status tern__cpu_scatter(tern__device *device, const tern__op_call *call) {
    moves m = {.cpu = tern__cpu_of(device),
               .to = call->out,
               .from = call->in[2],
               .index = call->in[1],
               .move = call->op == TERN__OP_SCATTER_ADD ? adders[call->out->dtype] : NULL,
               .writes = true};
    bool is_whole = call->op == TERN__OP_PUT;
    tern_shape shape = tern_tensor_shape(is_whole ? m.index : m.to);
    if (is_whole)
        index_whole(&m, m.to);
    else
        index_axis(&m, m.to, call->axis);
    tern_status status = check_indices(m.cpu, call, m.index, m.length);
    if (status != TERN_OK || tern_tensor_count(m.to) == 0)
        return status;
    if (call->in[0]->data != call->out->data)
        status = tern__cpu_copy(device, call);
    if (!is_whole)
        shape.dims[call->axis] = m.index->dims[call->axis];
    run_moves(&m, &shape, is_whole ? -1 : call->axis);
    return status;
}

/* -- one-hot -----------------------------------------------------------------------------------*/

typedef struct one_hot {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    tern__walk walk; /* over the ids */
    int64_t classes;
    double one; /* its bytes in the type of the result */
} one_hot;

static void one_hot_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    const one_hot *h = user;
    const tern_tensor *ids = h->call->in[0], *out = h->call->out;
    int64_t bytes = tern__dtype((tern_dtype)out->dtype)->block_bytes, row = h->classes * bytes;
    int64_t step = h->walk.strides[0][h->walk.rank - 1];
    uint8_t *to = tern__element(out, position * h->classes);
    memset(to, 0, (size_t)(n * row));
    for (int64_t i = 0; i < n; i++) {
        int64_t chunk, id = *read_indices(h->cpu, ids, at[0] + i * step, 1, &chunk, 1);
        memcpy(to + i * row + (id < 0 ? id + h->classes : id) * bytes, &h->one, (size_t)bytes);
    }
}

static void one_hot_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    one_hot *h = argument;
    tern__walk_range(&h->walk, begin, end, one_hot_segment, h);
}

tern_status tern__cpu_one_hot(tern__device *device, const tern__op_call *call) {
    one_hot h = {
        .cpu = tern__cpu_of(device), .call = call, .classes = call->out->dims[call->out->rank - 1]};
    tern_status status = check_indices(h.cpu, call, call->in[0], h.classes);
    if (status != TERN_OK || tern_tensor_count(call->out) == 0)
        return status;
    double one = 1;
    tern_shape shape = tern_tensor_shape(call->in[0]);
    tern__walk_open(&h.walk, &shape, 1, (const tern_tensor *const *)call->in);
    tern__cpu_store(h.cpu, TERN__HUB_F64, &one, (tern_dtype)call->out->dtype, &h.one, 1, 1);
    tern__team_run(h.cpu->team, tern_tensor_count(call->in[0]),
                   tern__max_i64(1, TERN__CPU_GRAIN / h.classes), one_hot_piece, &h);
    return TERN_OK;
}

/* -- roll --------------------------------------------------------------------------------------*/

typedef struct roll {
    const tern__op_call *call;
    tern__walk walk; /* over x */
    const tern__cpu_device *cpu;
} roll;

static void roll_segment(void *user, const int64_t *at, int64_t position, int64_t n) {
    const roll *r = user;
    const tern_tensor *x = r->call->in[0], *out = r->call->out;
    int64_t count = tern_tensor_count(out), step = r->walk.strides[0][r->walk.rank - 1];
    int64_t bytes = tern__dtype((tern_dtype)out->dtype)->block_bytes;
    for (int64_t i = 0; i < n;) {
        int64_t to = (position + i + r->call->position) % count;
        int64_t length = tern__min_i64(n - i, count - to);
        const void *from = tern__element(x, at[0] + i * step);
        if (step == 1)
            memcpy(tern__element(out, to), from, (size_t)(length * bytes));
        else
            r->cpu->plain->copy[size_index(x)](from, step, tern__element(out, to), 1, length);
        i += length;
    }
}

static void roll_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    roll *r = argument;
    tern__walk_range(&r->walk, begin, end, roll_segment, r);
}

/* Of all elements in row-major order, by call->position in [0, count), into a contiguous result. */
tern_status tern__cpu_roll(tern__device *device, const tern__op_call *call) {
    roll r = {.call = call, .cpu = tern__cpu_of(device)};
    tern_shape shape = tern_tensor_shape(call->in[0]);
    tern__walk_open(&r.walk, &shape, 1, (const tern_tensor *const *)call->in);
    tern__team_run(r.cpu->team, tern_tensor_count(call->out), TERN__CPU_GRAIN, roll_piece, &r);
    return TERN_OK;
}
