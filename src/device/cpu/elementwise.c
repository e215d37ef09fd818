/* SPDX-License-Identifier: MIT
 * Operations element by element. Operands of the type that is computed in are read where they lie;
 * others go through a chunk of scratch on the stack, as do results of another type or with strides.
 */
#include "device/cpu/elementwise.h"

#include <string.h>

#include "base/checked.h"
#include "base/philox.h"
#include "device/cpu/activation_backward.h"
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

/* -- steps -------------------------------------------------------------------------------------*/

static void run_map(const tern__step_args *args, int code) {
    const tern__map_kernel *map = args->cpu->map;
    tern__map_fn fn = args->hub == TERN__HUB_F32   ? map->f32[code]
                      : args->hub == TERN__HUB_F64 ? map->f64[code]
                                                   : map->i64[code];
    fn(&args->map);
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
    static const int64_t one = 1;
    tern__step_args flipped = *args;
    flipped.map.in[1] = &one;
    flipped.map.stride[1] = 0;
    run_map(&flipped, args->call->type == TERN_BOOL ? TERN__MAP_BIT_XOR : TERN__MAP_BIT_NOT);
}

/* out = condition ? a : b; the kernel has the condition first. */
static void choose(const tern__step_args *args, int condition, const void *a, int64_t a_stride,
                   int b) {
    const tern__map_args *m = &args->map;
    args->cpu->map->where[args->hub == TERN__HUB_F32 ? 2 : 3](&(tern__map_args){
        .in = {m->in[condition], a, m->in[b]},
        .stride = {m->stride[condition], a_stride, m->stride[b]},
        .out = m->out,
        .n = m->n,
    });
}

static void step_where(const tern__step_args *args) {
    choose(args, 2, args->map.in[0], args->map.stride[0], 1);
}

/* One number in the hub's type. */
typedef union hub_value {
    float f32;
    double f64;
    int64_t i64;
} hub_value;

static void step_masked_fill(const tern__step_args *args) {
    hub_value value;
    tern__cpu_load(args->cpu, TERN_F64, &args->call->number, 0, args->hub, &value, 1);
    choose(args, 1, &value, 0, 0);
}

/* The activation of a sum, which lies in the result. */
static void step_bias_activation(const tern__step_args *args) {
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
    run_map(args, TERN__MAP_ADD);
    int activation = args->call->choice;
    if (activation == TERN_ACTIVATION_NONE)
        return;
    tern__step_args sum = *args;
    sum.map.in[0] = args->map.out;
    sum.map.stride[0] = 1;
    activations[activation].run(&sum, activations[activation].code);
}

/* Element i is kept when word i % 4 of block i / 4 of Philox, as a number in [0, 1), is not below
 * the probability. */
static void step_dropout(const tern__step_args *args) {
    uint64_t seed = (uint64_t)args->call->position;
    double keep = 1 - args->call->number;
    tern__philox_block block = {{0}};
    tern__map_args m = args->map;
    hub_value factors[TERN__CHUNK];
    float *f32 = &factors[0].f32;
    double *f64 = &factors[0].f64;
    for (int64_t i = 0; i < m.n; i++) {
        uint64_t position = (uint64_t)(args->position + i);
        if (i == 0 || position % 4 == 0)
            block = tern__philox(seed, position / 4);
        bool is_kept = block.word[position % 4] * 0x1p-32 >= args->call->number;
        if (args->hub == TERN__HUB_F32)
            f32[i] = is_kept ? (float)(1 / keep) : 0;
        else
            f64[i] = is_kept ? 1 / keep : 0;
    }
    tern__step_args scaled = *args;
    scaled.map.in[1] = factors;
    scaled.map.stride[1] = 1;
    run_map(&scaled, TERN__MAP_MUL);
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

/* -- runs --------------------------------------------------------------------------------------*/

/* What does not change from run to run. */
typedef struct plan {
    const tern__step_row *row;
    tern__hub hub;
    tern_dtype result; /* what the step writes: the hub's type or bytes */
    int operands;
    bool is_direct; /* every operand is read, and the result written, where it lies */
} plan;

static plan make_plan(const tern__walk_job *j) {
    const tern__op_call *call = j->call;
    plan p = {.row = &steps[call->op], .hub = tern__hub_of(call->type)};
    bool gives_bytes = tern__op_rows[call->op].result == TERN__RESULT_BOOL;
    p.result = gives_bytes ? TERN_BOOL : tern__hub_type(p.hub);
    p.is_direct = call->out->dtype == p.result && tern__walk_step(j, 0) == 1;
    for (; p.operands < TERN__OPERANDS && call->in[p.operands] != NULL; p.operands++)
        p.is_direct &=
            p.operands == p.row->raw || call->in[p.operands]->dtype == tern__hub_type(p.hub);
    return p;
}

static const void *element(const tern_tensor *t, int64_t index) {
    return (const uint8_t *)t->data + index * tern__dtype((tern_dtype)t->dtype)->block_bytes;
}

static void run_direct(const plan *p, tern__step_args *args, const int64_t *at, int64_t n) {
    for (int i = 0; i < p->operands; i++)
        args->map.in[i] = element(args->call->in[i], at[i + 1]);
    args->map.out = (void *)(uintptr_t)element(args->call->out, at[0]);
    args->map.n = n;
    p->row->run(args);
}

/* n <= TERN__CHUNK elements. */
static void run_chunk(const plan *p, tern__step_args *args, const tern__walk_job *j,
                      const int64_t *at, int64_t n) {
    double scratch[TERN__OPERANDS][TERN__CHUNK], result[TERN__CHUNK];
    const tern__op_call *call = args->call;
    for (int i = 0; i < p->operands; i++) {
        tern_dtype dtype = (tern_dtype)call->in[i]->dtype;
        const void *from = element(call->in[i], at[i + 1]);
        int64_t stride = tern__walk_step(j, i + 1);
        bool is_ready = i == p->row->raw || dtype == tern__hub_type(p->hub);
        if (!is_ready)
            tern__cpu_load(args->cpu, dtype, from, stride, p->hub, scratch[i], n);
        args->map.in[i] = is_ready ? from : scratch[i];
        args->map.stride[i] = is_ready ? stride : 1;
    }
    void *to = (void *)(uintptr_t)element(call->out, at[0]);
    int64_t step = tern__walk_step(j, 0);
    bool is_ready = call->out->dtype == p->result && step == 1;
    args->map.out = is_ready ? to : result;
    args->map.n = n;
    p->row->run(args);
    if (is_ready)
        return;
    if (p->result == TERN_BOOL)
        args->cpu->plain->copy[0](result, 1, to, step, n);
    else
        tern__cpu_store(args->cpu, p->hub, result, (tern_dtype)call->out->dtype, to, step, n);
}

static void run_elements(const tern__walk_job *j, const int64_t *at, int64_t n) {
    plan p = make_plan(j);
    tern__step_args args = {.cpu = j->cpu,
                            .call = j->call,
                            .hub = p.hub,
                            .code = p.row->code,
                            .map = {.p = j->call->number, .q = j->call->other_number}};
    for (int i = 0; i < p.operands; i++)
        args.map.stride[i] = tern__walk_step(j, i + 1);
    if (p.is_direct && !p.row->is_chunked) {
        run_direct(&p, &args, at, n);
        return;
    }
    int64_t offsets[TERN__WALK_OPERANDS];
    memcpy(offsets, at, sizeof offsets);
    for (int64_t i = 0; i < n; i += TERN__CHUNK) {
        args.position = offsets[0];
        run_chunk(&p, &args, j, offsets, tern__min_i64(TERN__CHUNK, n - i));
        for (int o = 0; o <= p.operands; o++)
            offsets[o] += TERN__CHUNK * tern__walk_step(j, o);
    }
}

tern_status tern__cpu_elementwise(tern__device *device, const tern__op_call *call) {
    int operands = 1;
    while (operands <= TERN__OPERANDS && call->in[operands - 1] != NULL)
        operands++;
    tern__walk_call(device, call, operands, run_elements);
    return TERN_OK;
}
