/* SPDX-License-Identifier: MIT
 * Operations element by element. Operands of the type that is computed in are read where they lie;
 * others go through a chunk of scratch on the stack, as do results of another type or with strides.
 */
#include "device/cpu/elementwise.h"

#include <string.h>

#include "base/checked.h"
#include "base/philox.h"
#include "device/cpu/activation_backward.h"
#include "device/cpu/indexing.h"
#include "tensor/dtype.h"

#define CHECK_PLAIN(symbol, type, group)                                                           \
    _Static_assert((int)TERN__PLAIN_##symbol == (int)TERN_##symbol, "one numbering");
TERN__PLAIN_TYPES(CHECK_PLAIN)
#undef CHECK_PLAIN

/* -- between types -----------------------------------------------------------------------------*/

void tern__cpu_load(const tern__cpu_device *cpu, tern_dtype type, const void *from, int64_t stride,
                    tern__hub hub, void *to, int64_t n) {
    const tern__plain_kernel *plain = cpu->plain;
    if (hub == TERN__HUB_F32 && stride == 1 && type == TERN_F16)
        cpu->convert->f32_from_f16(from, to, n);
    else if (hub == TERN__HUB_F32)
        plain->load_f32[type](from, stride, to, 1, n);
    else if (hub == TERN__HUB_F64)
        plain->load_f64[type](from, stride, to, 1, n);
    else
        plain->load_i64[type](from, stride, to, 1, n);
}

void tern__cpu_store(const tern__cpu_device *cpu, tern__hub hub, const void *from, tern_dtype type,
                     void *to, int64_t stride, int64_t n) {
    const tern__plain_kernel *plain = cpu->plain;
    if (hub == TERN__HUB_F32 && stride == 1 && type == TERN_F16)
        cpu->convert->f16_from_f32(from, to, n);
    else if (hub == TERN__HUB_F32)
        plain->store_f32[type](from, 1, to, stride, n);
    else if (hub == TERN__HUB_F64)
        plain->store_f64[type](from, 1, to, stride, n);
    else
        plain->store_i64[type](from, 1, to, stride, n);
}

static int64_t hub_bytes(tern__hub hub) {
    return hub == TERN__HUB_F32 ? 4 : 8;
}

void tern__block_load(const tern__blocks *b, const tern__block *block, int operand, tern__hub hub,
                      void *to) {
    const tern__plain_kernel *plain = b->cpu->plain;
    const tern_tensor *t = b->call->in[operand - 1];
    tern_dtype dtype = (tern_dtype)t->dtype;
    int64_t step = tern__block_step(b, operand);
    void *from = tern__element(t, block->at[operand]);
    if (tern__block_is_even(b, block, operand)) {
        tern__cpu_load(b->cpu, dtype, from, step, hub, to, block->rows * block->n);
        return;
    }
    const tern__plain_fn *loads = hub == TERN__HUB_F32   ? plain->load_f32
                                  : hub == TERN__HUB_F64 ? plain->load_f64
                                                         : plain->load_i64;
    tern__block_move(b->cpu, loads[dtype],
                     &(tern__place){from, tern__dtype(dtype)->block_bytes,
                                    tern__block_row_step(b, operand), step},
                     &(tern__place){to, hub_bytes(hub), block->n, 1}, block->rows, block->n);
}

void tern__block_store(const tern__blocks *b, const tern__block *block, tern__hub hub,
                       const void *from) {
    const tern__plain_kernel *plain = b->cpu->plain;
    const tern_tensor *t = b->call->out;
    tern_dtype dtype = (tern_dtype)t->dtype;
    int64_t step = tern__block_step(b, 0);
    void *to = tern__element(t, block->at[0]);
    if (tern__block_is_even(b, block, 0)) {
        tern__cpu_store(b->cpu, hub, from, dtype, to, step, block->rows * block->n);
        return;
    }
    const tern__plain_fn *stores = hub == TERN__HUB_F32   ? plain->store_f32
                                   : hub == TERN__HUB_F64 ? plain->store_f64
                                                          : plain->store_i64;
    tern__block_move(
        b->cpu, stores[dtype], &(tern__place){(void *)(uintptr_t)from, hub_bytes(hub), block->n, 1},
        &(tern__place){to, tern__dtype(dtype)->block_bytes, tern__block_row_step(b, 0), step},
        block->rows, block->n);
}

/* -- steps -------------------------------------------------------------------------------------*/

static const tern__map_fn *map_functions(const tern__map_kernel *map, tern_dtype type) {
    switch (type) {
    case TERN_F64:
        return map->f64;
    case TERN_I64:
        return map->i64;
    case TERN_I32:
        return map->i32;
    case TERN_I16:
        return map->i16;
    case TERN_I8:
        return map->i8;
    case TERN_U8:
    case TERN_BOOL:
        return map->u8;
    default:
        return map->f32;
    }
}

static void run_map(const tern__step_args *args, int code) {
    map_functions(args->cpu->map, args->type)[code](&args->map);
}

static void step_map(const tern__step_args *args) {
    run_map(args, args->code);
}

static void run_function(const tern__step_args *args, int code) {
    const tern__map_args *m = &args->map;
    if (args->hub == TERN__HUB_F32)
        args->cpu->functions->f32[code](m->in[0], m->stride[0], m->out, m->n);
    else
        args->cpu->functions->f64[code](m->in[0], m->stride[0], m->out, m->n);
}

static void step_function(const tern__step_args *args) {
    run_function(args, args->code);
}

static void step_atan2(const tern__step_args *args) {
    const tern__functions_kernel *functions = args->cpu->functions;
    const tern__map_args *m = &args->map;
    if (args->hub == TERN__HUB_F32)
        functions->atan2_f32(m->in[0], m->stride[0], m->in[1], m->stride[1], m->out, m->n);
    else
        functions->atan2_f64(m->in[0], m->stride[0], m->in[1], m->stride[1], m->out, m->n);
}

static void step_pow(const tern__step_args *args) {
    const tern__functions_kernel *functions = args->cpu->functions;
    const tern__map_args *m = &args->map;
    if (args->hub == TERN__HUB_F32)
        functions->pow_f32(m->in[0], m->stride[0], m->in[1], m->stride[1], m->out, m->n);
    else if (args->hub == TERN__HUB_F64)
        functions->pow_f64(m->in[0], m->stride[0], m->in[1], m->stride[1], m->out, m->n);
    else
        run_map(args, TERN__MAP_POW);
}

static void step_isclose(const tern__step_args *args) {
    run_map(args, args->call->choice ? TERN__MAP_ISCLOSE_NAN : TERN__MAP_ISCLOSE);
}

/* Every number is finite, no integer is NaN. */
static void step_float_test(const tern__step_args *args) {
    if (args->hub != TERN__HUB_I64) {
        run_map(args, args->code);
        return;
    }
    memset(args->map.out, args->code == TERN__MAP_ISFINITE, (size_t)args->map.n);
}

/* Truth values: their one bit. */
static void step_bit_not(const tern__step_args *args) {
    run_map(args, args->type == TERN_BOOL ? TERN__MAP_LOGICAL_NOT : TERN__MAP_BIT_NOT);
}

/* out = condition ? a : b; the kernel has the condition first. */
static void choose(const tern__step_args *args, int condition, const void *a, int64_t a_stride,
                   int b) {
    const tern__map_args *m = &args->map;
    int bytes = tern__dtype(args->type)->block_bytes;
    args->cpu->map->where[tern__size_index(bytes)](&(tern__map_args){
        .in = {m->in[condition], a, m->in[b]},
        .stride = {m->stride[condition], a_stride, m->stride[b]},
        .out = m->out,
        .n = m->n,
    });
}

static void step_where(const tern__step_args *args) {
    choose(args, 2, args->map.in[0], args->map.stride[0], 1);
}

/* One number in any type. */
typedef union any_number {
    float f32;
    double f64;
    int64_t i64;
} any_number;

static void step_masked_fill(const tern__step_args *args) {
    any_number value;
    args->cpu->plain->store_f64[args->type](&args->call->number, 0, &value, 0, 1);
    choose(args, 1, &value, 0, 0);
}

void tern__cpu_activate(const tern__step_args *args) {
    static const struct {
        void (*run)(const tern__step_args *args, int code);
        int code;
    } activations[] = {
        [TERN_ACTIVATION_RELU] = {run_map, TERN__MAP_RELU},
        [TERN_ACTIVATION_RELU2] = {run_map, TERN__MAP_RELU2},
        [TERN_ACTIVATION_SIGMOID] = {run_function, TERN__FUNCTION_SIGMOID},
        [TERN_ACTIVATION_SILU] = {run_function, TERN__FUNCTION_SILU},
        [TERN_ACTIVATION_GELU] = {run_function, TERN__FUNCTION_GELU},
        [TERN_ACTIVATION_GELU_TANH] = {run_function, TERN__FUNCTION_GELU_TANH},
        [TERN_ACTIVATION_TANH] = {run_function, TERN__FUNCTION_TANH},
    };
    int activation = args->call->choice;
    if (activation == TERN_ACTIVATION_NONE)
        return;
    tern__step_args sum = *args;
    sum.map.in[0] = args->map.out;
    sum.map.stride[0] = 1;
    activations[activation].run(&sum, activations[activation].code);
}

static void step_bias_activation(const tern__step_args *args) {
    run_map(args, TERN__MAP_ADD);
    tern__cpu_activate(args);
}

/* Element i is kept when word i % 4 of block i / 4 of Philox, as a number in [0, 1), is not below
 * the probability. */
static void step_dropout(const tern__step_args *args) {
    static const double zero = 0;
    const tern__map_kernel *map = args->cpu->map;
    bool is_f32 = args->hub == TERN__HUB_F32;
    uint8_t kept[TERN__CHUNK];
    tern__philox_block block = {{0}};
    for (int64_t i = 0; i < args->map.n; i++) {
        uint64_t position = (uint64_t)(args->position + i);
        if (i == 0 || position % 4 == 0)
            block = tern__philox((uint64_t)args->call->position, position / 4);
        kept[i] = block.word[position % 4] * 0x1p-32 >= args->call->number;
    }
    tern__map_args m = args->map;
    m.p = 1 / (1 - args->call->number);
    (is_f32 ? map->f32 : map->f64)[TERN__MAP_SCALE](&m);
    m = (tern__map_args){.in = {kept, m.out, &zero}, .stride = {1, 1, 0}, .out = m.out, .n = m.n};
    map->where[tern__size_index(is_f32 ? 4 : 8)](&m);
}

#define MAP_STEP(symbol, ...) [TERN__OP_##symbol] = {step_map, TERN__MAP_##symbol, -1, false},
#define FUNCTION_STEP(symbol, ...)                                                                 \
    [TERN__OP_##symbol] = {step_function, TERN__FUNCTION_##symbol, -1, false},
#define TEST_STEP(symbol, ...)                                                                     \
    [TERN__OP_##symbol] = {step_float_test, TERN__MAP_##symbol, -1, false},

/* Operations that are one function of a kernel. */
#define KERNEL_STEPS                                                                               \
    TERN__MAP_FLOAT1(MAP_STEP)                                                                     \
    TERN__MAP_FLOAT2(MAP_STEP)                                                                     \
    TERN__MAP_FLOAT3(MAP_STEP)                                                                     \
    TERN__MAP_COMPARE1(MAP_STEP)                                                                   \
    TERN__MAP_COMPARE2(MAP_STEP)                                                                   \
    TERN__MAP_FLOAT_TEST1(TEST_STEP)                                                               \
    TERN__UNARY_FUNCTIONS(FUNCTION_STEP)                                                           \
    MAP_STEP(BIT_AND)                                                                              \
    MAP_STEP(BIT_OR)                                                                               \
    MAP_STEP(BIT_XOR)                                                                              \
    MAP_STEP(SHIFT_LEFT)                                                                           \
    MAP_STEP(SHIFT_RIGHT)

static const tern__step_row steps[TERN__OP_COUNT] = {
    [TERN__OP_OUTER] = {step_map, TERN__MAP_MUL, -1, false},
    [TERN__OP_BIT_NOT] = {step_bit_not, 0, -1, false},
    [TERN__OP_ATAN2] = {step_atan2, 0, -1, false},
    [TERN__OP_POW] = {step_pow, 0, -1, false},
    [TERN__OP_ISCLOSE] = {step_isclose, 0, -1, false},
    [TERN__OP_WHERE] = {step_where, 0, 2, false},
    [TERN__OP_MASKED_FILL] = {step_masked_fill, 0, 1, false},
    [TERN__OP_BIAS_ACTIVATION] = {step_bias_activation, 0, -1, true},
    [TERN__OP_DROPOUT] = {step_dropout, 0, -1, true},
    [TERN__OP_SILU_BACKWARD] = {tern__step_silu_backward, 0, -1, true},
    [TERN__OP_GELU_BACKWARD] = {tern__step_gelu_backward, 0, -1, true},
    [TERN__OP_GELU_TANH_BACKWARD] = {tern__step_gelu_tanh_backward, 0, -1, true},
    [TERN__OP_SOFTPLUS_BACKWARD] = {tern__step_softplus_backward, 0, -1, true},
    KERNEL_STEPS};

/* -- the plan of a call ------------------------------------------------------------------------*/

/* What does not change from block to block. */
typedef struct plan {
    tern__blocks blocks;
    const tern__step_row *row;
    tern_dtype types[TERN__WALK_OPERANDS]; /* as the step writes the result and reads operands */
    int64_t sizes[TERN__WALK_OPERANDS];    /* bytes of an element where it lies */
    bool is_ready[TERN__WALK_OPERANDS];    /* lies in memory in that type */
    tern__step_args args;                  /* all but what a block changes */
} plan;

/* The operation is done in the type that all operands have: bits that are chosen, not computed, and
 * integers, for which it gives the same as the way through I64 that wraps. */
static bool is_native(const plan *p, const tern__op_call *call) {
    bool is_whole = tern__hub_of(call->type) == TERN__HUB_I64;
    if (p->row->raw < 0 && !(is_whole && p->row->run == step_map) && p->row->run != step_bit_not)
        return false;
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL; i++)
        if (i != p->row->raw && call->in[i]->dtype != call->type)
            return false;
    return true;
}

/* A number of the call in the type of a half float; the kernels round it to wider ones. */
static double rounded(const plan *p, const tern__op_call *call, double number) {
    if (p->row->run != step_map || (call->type != TERN_F16 && call->type != TERN_BF16))
        return number;
    uint16_t half;
    const tern__plain_kernel *plain = p->args.cpu->plain;
    plain->store_f64[call->type](&number, 1, &half, 1, 1);
    plain->load_f64[call->type](&half, 1, &number, 1, 1);
    return number;
}

static void describe_operand(plan *p, const tern_tensor *t, int index, tern_dtype type) {
    p->types[index] = type;
    p->is_ready[index] = t->dtype == type;
    p->sizes[index] = tern__dtype((tern_dtype)t->dtype)->block_bytes;
}

static void make_plan(plan *p, const tern__op_call *call) {
    tern__hub hub = tern__hub_of(call->type);
    tern_dtype type = is_native(p, call) ? call->type : tern__hub_type(hub);
    p->args = (tern__step_args){
        .cpu = p->blocks.cpu, .call = call, .hub = hub, .type = type, .code = p->row->code};
    p->args.map.p = rounded(p, call, call->number);
    p->args.map.q = rounded(p, call, call->other_number);
    bool gives_bytes = tern__op_rows[call->op].result == TERN__RESULT_BOOL;
    describe_operand(p, call->out, 0, gives_bytes ? TERN_BOOL : type);
    for (int i = 1; i < p->blocks.walk.operands; i++)
        describe_operand(p, call->in[i - 1], i, i - 1 == p->row->raw ? TERN_BOOL : type);
}

static uint8_t *element(const plan *p, int operand, int64_t index) {
    const tern__op_call *call = p->args.call;
    const tern_tensor *t = operand == 0 ? call->out : call->in[operand - 1];
    return (uint8_t *)t->data + index * p->sizes[operand];
}

/* -- where the elements lie --------------------------------------------------------------------*/

/* Every operand is read, and the result written, where it lies, row after row. */
static void do_rows(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const plan *p = argument;
    const tern__blocks *b = &p->blocks;
    tern__step_args args = p->args;
    for (int i = 1; i < b->walk.operands; i++)
        args.map.stride[i - 1] = tern__block_step(b, i);
    for (int64_t index = begin; index < end; index++) {
        tern__block block;
        tern__blocks_at(b, index, &block);
        args.map.n = block.n;
        for (int64_t row = 0; row < block.rows; row++) {
            args.map.out = element(p, 0, block.at[0] + row * tern__block_row_step(b, 0));
            for (int i = 1; i < b->walk.operands; i++)
                args.map.in[i - 1] = element(p, i, block.at[i] + row * tern__block_row_step(b, i));
            p->row->run(&args);
        }
    }
}

/* -- through scratch ---------------------------------------------------------------------------*/

/* The scratch of a thread, and which blocks of the operands lie in it. */
typedef struct scratch {
    double operands[TERN__OPERANDS][TERN__CHUNK], result[TERN__CHUNK];
    int64_t at[TERN__OPERANDS], rows[TERN__OPERANDS], n;
} scratch;

/* Gathers the block of an operand, unless it lies there already: repeated ones are read once. */
static double *hold(const plan *p, const tern__block *block, int operand, scratch *s) {
    const tern__blocks *b = &p->blocks;
    int slot = operand - 1;
    bool is_held =
        s->rows[slot] >= block->rows && s->n == block->n && s->at[slot] == block->at[operand];
    if (!is_held) {
        if (p->is_ready[operand])
            tern__block_move(
                b->cpu, NULL,
                &(tern__place){element(p, operand, block->at[operand]), p->sizes[operand],
                               tern__block_row_step(b, operand), tern__block_step(b, operand)},
                &(tern__place){s->operands[slot], 0, block->n, 1}, block->rows, block->n);
        else
            tern__block_load(b, block, operand, p->args.hub, s->operands[slot]);
        s->at[slot] = block->at[operand];
        s->rows[slot] = block->rows;
    }
    return s->operands[slot];
}

static void run_block(const plan *p, const tern__block *block, scratch *s, tern__step_args *args) {
    const tern__blocks *b = &p->blocks;
    for (int i = 1; i < b->walk.operands; i++) {
        bool is_even = p->is_ready[i] && tern__block_is_even(b, block, i);
        args->map.in[i - 1] = is_even ? element(p, i, block->at[i]) : (void *)hold(p, block, i, s);
        args->map.stride[i - 1] = is_even ? tern__block_step(b, i) : 1;
    }
    bool is_even =
        p->is_ready[0] && tern__block_step(b, 0) == 1 && tern__block_is_even(b, block, 0);
    args->map.out = is_even ? element(p, 0, block->at[0]) : (void *)s->result;
    args->map.n = block->rows * block->n;
    args->position = block->at[0];
    p->row->run(args);
    if (is_even)
        return;
    if (p->is_ready[0])
        tern__block_move(b->cpu, NULL, &(tern__place){s->result, p->sizes[0], block->n, 1},
                         &(tern__place){element(p, 0, block->at[0]), 0, tern__block_row_step(b, 0),
                                        tern__block_step(b, 0)},
                         block->rows, block->n);
    else
        tern__block_store(b, block, p->args.hub, s->result);
}

static void do_blocks(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const plan *p = argument;
    tern__step_args args = p->args;
    scratch s;
    memset(s.rows, 0, sizeof s.rows);
    s.n = 0;
    for (int64_t index = begin; index < end; index++) {
        tern__block block;
        tern__blocks_at(&p->blocks, index, &block);
        run_block(p, &block, &s, &args);
        s.n = block.n;
    }
}

tern_status tern__cpu_elementwise(tern__device *device, const tern__op_call *call) {
    plan p;
    int operands = 1;
    while (operands <= TERN__OPERANDS && call->in[operands - 1] != NULL)
        operands++;
    p.row = &steps[call->op];
    tern__blocks_open(&p.blocks, device, call, operands, p.row->is_chunked);
    make_plan(&p, call);
    bool needs_scratch = p.row->is_chunked || tern__block_step(&p.blocks, 0) != 1;
    for (int i = 0; i < operands; i++)
        needs_scratch |= !p.is_ready[i];
    if (needs_scratch || tern__blocks_are_short(&p.blocks)) {
        tern__blocks_cut(&p.blocks, TERN__CHUNK);
        tern__blocks_run(&p.blocks, do_blocks, &p);
    } else {
        tern__blocks_cut(&p.blocks, TERN__CPU_GRAIN);
        tern__blocks_run(&p.blocks, do_rows, &p);
    }
    return TERN_OK;
}
