/* SPDX-License-Identifier: MIT */
#include "bench/memory_calls.h"

#include <tern/ops.h>

#include <string.h>

#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/operation_calls.h"

typedef tern__call_inputs inputs;

enum { WEIGHT_ROWS = 8, BLOCK_ELEMENTS = 256, BLOCK_BYTES = 66, MAX_WIDTH = 1024, MAX_ROWS = 64 };

/* Places of results that later calls use, in the table's order. */
enum {
    AT_IDS = 2,
    AT_WEIGHT = 3,
    AT_NORMAL = 4,
    AT_UNIFORM = 5,
    AT_HEADS = 6,
    AT_KEYS = 7,
    AT_TRANSPOSED = 9,
    AT_ROW = 11,
    AT_ROPE_TABLE = 21,
    AT_ROPE = 22,
    AT_PACKED = 25,
};

static tern_shape matrix(const inputs *in) {
    return TERN_SHAPE(in->rows, in->width);
}

static tern_status make_empty(const inputs *in, tern_tensor **out) {
    return tern_tensor_empty(in->context, TERN_F32, matrix(in), out);
}
static tern_status make_zeros(const inputs *in, tern_tensor **out) {
    return tern_tensor_zeros(in->context, TERN_BF16, matrix(in), out);
}
static tern_status make_ids(const inputs *in, tern_tensor **out) {
    return tern_tensor_from_data(in->context, TERN_I32, TERN_SHAPE(in->rows), in->ids, out);
}
static tern_status make_weight(const inputs *in, tern_tensor **out) {
    tern_shape shape = TERN_SHAPE(WEIGHT_ROWS, in->width);
    return tern_tensor_borrow(in->context, TERN_TQ2_0, shape, in->weight, out);
}
static tern_status make_normal(const inputs *in, tern_tensor **out) {
    return tern_tensor_randn(in->context, TERN_F32, matrix(in), 1, out);
}
static tern_status make_uniform(const inputs *in, tern_tensor **out) {
    return tern_tensor_rand(in->context, TERN_F32, matrix(in), 2, out);
}
static tern_status make_heads(const inputs *in, tern_tensor **out) {
    tern_shape shape = TERN_SHAPE(in->rows, in->heads, in->width / in->heads);
    return tern_tensor_reshape(in->made[AT_NORMAL], shape, out);
}
static tern_status make_keys(const inputs *in, tern_tensor **out) {
    tern_shape shape = TERN_SHAPE(in->heads, in->rows, in->width / in->heads);
    return tern_tensor_reshape(in->made[AT_UNIFORM], shape, out);
}
static tern_status make_permuted(const inputs *in, tern_tensor **out) {
    return tern_tensor_permute(in->made[AT_HEADS], (const int[]){1, 0, 2}, out);
}
static tern_status make_transposed(const inputs *in, tern_tensor **out) {
    return tern_tensor_transpose(in->made[AT_UNIFORM], 0, 1, out);
}
static tern_status make_slice(const inputs *in, tern_tensor **out) {
    return tern_tensor_slice(in->made[AT_NORMAL], 1, 1, INT64_MAX, 3, out);
}
static tern_status make_row(const inputs *in, tern_tensor **out) {
    return tern_tensor_select(in->made[AT_UNIFORM], 0, 0, out);
}
static tern_status make_broadcast(const inputs *in, tern_tensor **out) {
    return tern_tensor_broadcast(in->made[AT_ROW], matrix(in), out);
}
static tern_status make_contiguous(const inputs *in, tern_tensor **out) {
    return tern_contiguous(in->made[AT_TRANSPOSED], out);
}
static tern_status make_cast(const inputs *in, tern_tensor **out) {
    return tern_cast(in->made[AT_NORMAL], TERN_F16, out);
}
static tern_status make_sum(const inputs *in, tern_tensor **out) {
    return tern_add(in->made[AT_NORMAL], in->made[AT_ROW], out);
}
static tern_status make_product(const inputs *in, tern_tensor **out) {
    return tern_mul(in->made[AT_NORMAL], in->made[AT_UNIFORM], out);
}
static tern_status make_scaled(const inputs *in, tern_tensor **out) {
    return tern_scale(in->made[AT_NORMAL], 0.5f, out);
}
static tern_status make_relu2(const inputs *in, tern_tensor **out) {
    return tern_relu2(in->made[AT_NORMAL], out);
}
static tern_status make_silu(const inputs *in, tern_tensor **out) {
    return tern_silu(in->made[AT_NORMAL], out);
}
static tern_status make_norm(const inputs *in, tern_tensor **out) {
    return tern_rms_norm(in->made[AT_NORMAL], in->made[AT_ROW], 1e-5f, out);
}
static tern_status make_rope_table(const inputs *in, tern_tensor **out) {
    return tern_rope_table(in->context, in->rows, in->width / in->heads, 1e4, out);
}
static tern_status make_rope(const inputs *in, tern_tensor **out) {
    return tern_rope(in->made[AT_HEADS], in->made[AT_ROPE_TABLE], 0, out);
}
static tern_status make_embedding(const inputs *in, tern_tensor **out) {
    return tern_embedding(in->made[AT_UNIFORM], in->made[AT_IDS], out);
}
static tern_status make_matmul(const inputs *in, tern_tensor **out) {
    return tern_matmul(in->made[AT_NORMAL], in->made[AT_TRANSPOSED], out);
}
static tern_status make_packed(const inputs *in, tern_tensor **out) {
    return tern_tensor_pack(in->made[AT_WEIGHT], out);
}
static tern_status make_random_packed(const inputs *in, tern_tensor **out) {
    return tern_tensor_pack_random(in->context, WEIGHT_ROWS, in->width, 0.5f, 3, out);
}
static tern_status make_linear(const inputs *in, tern_tensor **out) {
    return tern_linear(in->made[AT_NORMAL], in->made[AT_PACKED], out);
}
static tern_status make_softmax(const inputs *in, tern_tensor **out) {
    return tern_softmax(in->made[AT_NORMAL], -1, out);
}
static tern_status make_attention(const inputs *in, tern_tensor **out) {
    tern_tensor *keys = in->made[AT_KEYS];
    return tern_attention(in->made[AT_ROPE], keys, keys, 0.125f, out);
}

static tern_status make_empty_like(const inputs *in, tern_tensor **out) {
    return tern_tensor_empty_like(in->made[AT_TRANSPOSED], out);
}
static tern_status make_zeros_like(const inputs *in, tern_tensor **out) {
    return tern_tensor_zeros_like(in->made[AT_NORMAL], out);
}
static tern_status make_ones_like(const inputs *in, tern_tensor **out) {
    return tern_tensor_ones_like(in->made[AT_ROW], out);
}
static tern_status make_full_like(const inputs *in, tern_tensor **out) {
    return tern_tensor_full_like(in->made[AT_IDS], 7, out);
}

const tern__creating_call tern__creating_calls[] = {
    {"tern_tensor_empty", make_empty},
    {"tern_tensor_zeros", make_zeros},
    [AT_IDS] = {"tern_tensor_from_data", make_ids},
    [AT_WEIGHT] = {"tern_tensor_borrow", make_weight},
    [AT_NORMAL] = {"tern_tensor_randn", make_normal},
    [AT_UNIFORM] = {"tern_tensor_rand", make_uniform},
    [AT_HEADS] = {"tern_tensor_reshape", make_heads},
    [AT_KEYS] = {"tern_tensor_reshape", make_keys},
    {"tern_tensor_permute", make_permuted},
    [AT_TRANSPOSED] = {"tern_tensor_transpose", make_transposed},
    {"tern_tensor_slice", make_slice},
    [AT_ROW] = {"tern_tensor_select", make_row},
    {"tern_tensor_broadcast", make_broadcast},
    {"tern_contiguous", make_contiguous},
    {"tern_cast", make_cast},
    {"tern_add", make_sum},
    {"tern_mul", make_product},
    {"tern_scale", make_scaled},
    {"tern_relu2", make_relu2},
    {"tern_silu", make_silu},
    {"tern_rms_norm", make_norm},
    [AT_ROPE_TABLE] = {"tern_rope_table", make_rope_table},
    [AT_ROPE] = {"tern_rope", make_rope},
    {"tern_embedding", make_embedding},
    {"tern_matmul", make_matmul},
    [AT_PACKED] = {"tern_tensor_pack", make_packed},
    {"tern_tensor_pack_random", make_random_packed},
    {"tern_linear", make_linear},
    {"tern_softmax", make_softmax},
    {"tern_attention", make_attention},
    {"tern_tensor_empty_like", make_empty_like},
    {"tern_tensor_zeros_like", make_zeros_like},
    {"tern_tensor_ones_like", make_ones_like},
    {"tern_tensor_full_like", make_full_like},
};

int tern__creating_call_count(void) {
    return (int)(sizeof tern__creating_calls / sizeof *tern__creating_calls);
}

_Static_assert(sizeof tern__creating_calls / sizeof *tern__creating_calls <= TERN__CALLS_MAX,
               "a place for each result");

/* -- the op mix --------------------------------------------------------------------------------*/

enum { WEIGHT_BYTES = WEIGHT_ROWS * MAX_WIDTH / BLOCK_ELEMENTS * BLOCK_BYTES, KEPT = 12 };

/* Blocks of 256 trits: 64 bytes of four codes 0..2, then the scale 1 in F16. */
static void fill_weight(uint8_t weight[WEIGHT_BYTES]) {
    static const uint8_t codes[] = {0x00, 0x24, 0x92, 0x49, 0xA1, 0x18};
    for (size_t i = 0; i < WEIGHT_BYTES; i++)
        weight[i] = i % BLOCK_BYTES < 64 ? codes[i * 7 / 3 % sizeof codes]
                                         : (i % BLOCK_BYTES == 65 ? 0x3C : 0x00);
}

static tern_status make(inputs *in, int begin, int end) {
    tern_status status = TERN_OK;
    for (int i = begin; i < end && status == TERN_OK; i++)
        status = tern__creating_calls[i].make(in, &in->made[i]);
    return status;
}

/* The result of call `kept`, when it is among these, is handed over. */
static tern_status make_and_keep(inputs *in, int begin, int end, int kept, tern_tensor **out) {
    tern_status status = make(in, begin, end);
    if (status == TERN_OK && kept >= begin && kept < end)
        *out = tern_tensor_keep(in->made[kept]);
    return status;
}

static tern_status run_round(inputs *in, int kept, tern_tensor **out) {
    tern_scope_begin(in->context);
    tern_status status = make_and_keep(in, 0, AT_ROW + 1, kept, out);
    if (status == TERN_OK) {
        tern_scope_begin(in->context);
        status = make_and_keep(in, AT_ROW + 1, AT_ROPE_TABLE, kept, out);
        tern_scope_end(in->context);
    }
    if (status == TERN_OK)
        status = make_and_keep(in, AT_ROPE_TABLE, tern__creating_call_count(), kept, out);
    tern_scope_end(in->context);
    return status;
}

tern_status tern__op_mix(tern_context *context, uint64_t seed, int rounds) {
    int32_t ids[MAX_ROWS];
    uint8_t weight[WEIGHT_BYTES];
    tern_tensor *kept[KEPT] = {NULL};
    tern_status status = TERN_OK;
    fill_weight(weight);
    for (int round = 0; round < rounds && status == TERN_OK; round++) {
        tern__philox_block draw = tern__philox(seed, (uint64_t)round);
        inputs in = {.context = context, .ids = ids, .weight = weight};
        in.rows = 1 + draw.word[0] % MAX_ROWS;
        in.width = BLOCK_ELEMENTS * (1 + draw.word[1] % (MAX_WIDTH / BLOCK_ELEMENTS));
        in.heads = (int64_t)1 << draw.word[2] % 4;
        for (int i = 0; i < MAX_ROWS; i++)
            ids[i] = (int32_t)(i * 5 % in.rows);
        tern_tensor **place = &kept[draw.word[3] % KEPT];
        tern_tensor_release(*place);
        *place = NULL;
        status = run_round(&in, (int)(draw.word[3] / KEPT) % tern__creating_call_count(), place);
    }
    for (int i = 0; i < KEPT; i++)
        tern_tensor_release(kept[i]);
    return status;
}

/* -- planted leaks -----------------------------------------------------------------------------*/

/* Places: those of the table above, then one for each caller of the table of operations. */
enum { PLACES = 512, OPERAND_SIDE = 32 };

typedef struct leak_reports {
    int64_t seen[PLACES];
    int places, wrong;
} leak_reports;

typedef struct planting {
    inputs in;
    tern__operands operands;
    tern_tensor *made[PLACES][TERN__CALL_RESULTS];
    int64_t expected[PLACES]; /* reports */
    leak_reports reports;
} planting;

/* The lines of an imagined file: the call of place i stands in line i + 1. */
static const char leak_file[] = "planted";
/* Of what is released, but kept alive by views of it that are planted. */
static const char operands_name[] = "operands";

static const char *name_of_place(int place) {
    int count = tern__creating_call_count();
    return place < count ? tern__creating_calls[place].name
                         : tern__op_caller_at(place - count)->name;
}

static void on_leak(void *user, const tern_memory_event *event) {
    leak_reports *reports = user;
    int at = event->made.line - 1;
    bool is_planted = event->kind == TERN_MEMORY_LEAK && event->made.file != NULL &&
                      strcmp(event->made.file, leak_file) == 0 && event->made.call != NULL;
    if (is_planted && at >= 0 && at < reports->places &&
        strcmp(event->made.call, name_of_place(at)) == 0)
        reports->seen[at] += event->count;
    else if (!is_planted || strcmp(event->made.call, operands_name) != 0)
        reports->wrong++;
}

/* What this machine cannot do plants nothing, nor does a copy into a tensor that is there. */
static tern_status plant_caller(planting *p, int place, const tern__op_caller *caller) {
    tern_tensor **out = p->made[place];
    tern_site_set(leak_file, place + 1, caller->name);
    tern_status status = tern__op_call_once(caller, p->in.context, &p->operands, out);
    if (status != TERN_OK)
        return status == TERN_E_UNSUPPORTED ? TERN_OK : status;
    if (out[0] == p->operands.room)
        tern__op_results_release(out);
    for (int i = 0; i < TERN__CALL_RESULTS; i++)
        p->expected[place] += out[i] != NULL;
    return TERN_OK;
}

static tern_status plant_all(planting *p) {
    int count = tern__creating_call_count();
    tern_status status;
    tern_site_set(leak_file, 0, operands_name);
    TERN__TRY(tern__operands_make(p->in.context, OPERAND_SIDE, TERN__LAID_STEPPED, &p->operands));
    for (int i = 0; i < count; i++) {
        tern_site_set(leak_file, i + 1, tern__creating_calls[i].name);
        TERN__TRY(make(&p->in, i, i + 1));
        p->made[i][0] = p->in.made[i];
        p->expected[i] = 1;
    }
    for (int i = 0; i < tern__op_caller_count(); i++)
        TERN__TRY(plant_caller(p, count + i, tern__op_caller_at(i)));
done:
    tern__operands_release(&p->operands);
    return status;
}

static tern_status plant(planting *p, const char *cpu, tern__leaks *leaks) {
    static const int32_t ids[] = {2, 0, 1};
    uint8_t weight[WEIGHT_BYTES];
    tern_options options = {.device = "cpu",
                            .threads = 1,
                            .cpu = cpu,
                            .tracking = TERN_TRACK_SITES,
                            .on_memory_event = on_leak,
                            .memory_user = &p->reports};
    p->in = (inputs){.rows = 3, .width = BLOCK_ELEMENTS, .heads = 2, .ids = ids, .weight = weight};
    p->reports.places = tern__creating_call_count() + tern__op_caller_count();
    fill_weight(weight);
    tern_status status = tern_context_create(&options, &p->in.context);
    if (status == TERN_OK)
        status = plant_all(p);
    tern_context_destroy(p->in.context);
    for (int i = 0; i < p->reports.places; i++) {
        leaks->planted += p->expected[i] > 0;
        leaks->found += p->expected[i] > 0 && p->reports.seen[i] == p->expected[i];
        leaks->wrong += p->reports.seen[i] > 0 && p->reports.seen[i] != p->expected[i];
        tern__op_results_release(p->made[i]);
    }
    leaks->wrong += p->reports.wrong;
    return status;
}

tern_status tern__plant_leaks(const char *cpu, tern__leaks *leaks) {
    *leaks = (tern__leaks){0};
    if (tern__creating_call_count() + tern__op_caller_count() > PLACES)
        return tern__fail(TERN_E_INTERNAL, "bench: more than %d places of leaks", PLACES);
    planting *p = tern__os()->alloc(sizeof *p);
    if (p == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory to note leaks");
    *p = (planting){0};
    tern_status status = plant(p, cpu, leaks);
    tern__os()->free(p);
    return status;
}
