/* SPDX-License-Identifier: MIT
 *
 * Einsum of two operands as matrix products that are read and written where they lie: letters whose
 * strides allow it are merged; then one letter of the first operand alone makes the rows, one of
 * the second alone the columns, the others that are kept are a batch. Of several letters to sum
 * over the last one is summed by the product, which goes on from the results for each index of the
 * others.
 */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/elementwise.h"
#include "device/cpu/matmul.h"
#include "device/einsum_call.h"

typedef struct letter {
    int64_t size;
    int64_t strides[3]; /* operands, result */
    bool is_in[2];
} letter;

typedef struct letters {
    int count;
    letter at[2 * TERN_MAX_RANK];
} letters;

/* -- letters -----------------------------------------------------------------------------------*/

static bool can_merge(const letter *outer, const letter *inner) {
    bool can = outer->is_in[0] == inner->is_in[0] && outer->is_in[1] == inner->is_in[1];
    for (int i = 0; i < 3; i++)
        can &= outer->strides[i] == inner->strides[i] * inner->size;
    return can;
}

/* Appends a letter, or merges it with the one before. */
static void append(letters *list, letter next) {
    letter *last = list->count > 0 ? &list->at[list->count - 1] : NULL;
    if (next.size == 1)
        return;
    if (last == NULL || !can_merge(last, &next)) {
        list->at[list->count++] = next;
        return;
    }
    next.size *= last->size;
    *last = next;
}

static void read_letters(const tern__op_call *call, letters *kept, letters *summed) {
    const tern__einsum *e = call->detail;
    kept->count = summed->count = 0;
    for (int i = 0; i < e->count; i++) {
        const tern__einsum_letter *from = &e->letters[i];
        letter next = {.size = from->size,
                       .strides = {from->strides[0], from->strides[1], 0},
                       .is_in = {from->is_in[0], from->is_in[1]}};
        if (i < e->kept)
            next.strides[2] = tern__strides(call->out)[i];
        append(i < e->kept ? kept : summed, next);
    }
}

/* Takes the longest letter that only one operand has out of the list. */
static letter take_longest(letters *list, int operand) {
    int best = -1;
    for (int i = 0; i < list->count; i++)
        if (list->at[i].is_in[operand] && !list->at[i].is_in[1 - operand] &&
            (best < 0 || list->at[i].size > list->at[best].size))
            best = i;
    if (best < 0)
        return (letter){.size = 1};
    letter taken = list->at[best];
    list->count--;
    memmove(&list->at[best], &list->at[best + 1],
            (size_t)(list->count - best) * sizeof list->at[best]);
    return taken;
}

/* -- products ----------------------------------------------------------------------------------*/

static tern__product product_of(const tern__op_call *call, letters *kept, const letter *inner) {
    letter rows = take_longest(kept, 0), columns = take_longest(kept, 1);
    tern__product p = {.a = {.data = call->in[0]->data,
                             .dtype = (tern_dtype)call->in[0]->dtype,
                             .stride = rows.strides[0],
                             .k_stride = inner->strides[0]},
                       .b = {.data = call->in[1]->data,
                             .dtype = (tern_dtype)call->in[1]->dtype,
                             .stride = columns.strides[1],
                             .k_stride = inner->strides[1]},
                       .m = rows.size,
                       .n = columns.size,
                       .k = inner->size,
                       .out = call->out->data,
                       .out_i_stride = rows.strides[2],
                       .out_j_stride = columns.strides[2],
                       .batch_rank = kept->count};
    for (int i = 0; i < kept->count; i++) {
        p.batch_dims[i] = kept->at[i].size;
        p.a.batch_strides[i] = kept->at[i].strides[0];
        p.b.batch_strides[i] = kept->at[i].strides[1];
        p.out_batch_strides[i] = kept->at[i].strides[2];
    }
    return p;
}

static const void *moved(const void *data, tern_dtype dtype, int64_t elements) {
    return (const uint8_t *)data + elements * (dtype == TERN_F64 ? 8 : dtype == TERN_F32 ? 4 : 2);
}

/* The product for every index of the outer letters, in order. */
static tern_status sum_products(tern__cpu_device *cpu, const tern__op_call *call,
                                const tern__product *product, const letters *outer) {
    int64_t count = 1;
    for (int i = 0; i < outer->count; i++)
        count *= outer->at[i].size;
    tern_status status = TERN_OK;
    for (int64_t index = 0; index < count && status == TERN_OK; index++) {
        int64_t a = 0, b = 0, rest = index;
        for (int i = outer->count - 1; i >= 0; i--) {
            a += rest % outer->at[i].size * outer->at[i].strides[0];
            b += rest % outer->at[i].size * outer->at[i].strides[1];
            rest /= outer->at[i].size;
        }
        tern__product p = *product;
        p.a.data = moved(p.a.data, p.a.dtype, a);
        p.b.data = moved(p.b.data, p.b.dtype, b);
        p.accumulates = index > 0;
        int64_t packed = 0;
        status = tern__cpu_multiply(cpu, &p, &packed);
        tern__count_packed(call->context, packed);
    }
    return status;
}

/* -- results in 16 bits ------------------------------------------------------------------------*/

enum { PIECE = 16384 }; /* results of a piece, which is F32 before it is rounded */

static void store_piece(tern__cpu_device *cpu, const tern__product *p, tern_dtype dtype,
                        const float *piece) {
    for (int64_t i = 0; i < p->m; i++)
        tern__cpu_store(cpu, TERN__HUB_F32, piece + i * p->n, dtype,
                        (uint16_t *)p->out + i * p->out_i_stride, p->out_j_stride, p->n);
}

/* One matrix of the batch in pieces of some rows and columns. */
static tern_status round_matrix(tern__cpu_device *cpu, const tern__op_call *call,
                                const tern__product *whole, const letters *outer, float *piece) {
    int64_t columns = tern__min_i64(whole->n, PIECE), rows = PIECE / columns;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < whole->m && status == TERN_OK; i += rows)
        for (int64_t j = 0; j < whole->n && status == TERN_OK; j += columns) {
            tern__product part = *whole;
            part.m = tern__min_i64(rows, whole->m - i);
            part.n = tern__min_i64(columns, whole->n - j);
            part.a.data = moved(part.a.data, part.a.dtype, i * part.a.stride);
            part.b.data = moved(part.b.data, part.b.dtype, j * part.b.stride);
            part.out = (uint16_t *)whole->out + i * whole->out_i_stride + j * whole->out_j_stride;
            tern__product sums = part;
            sums.out = piece;
            sums.out_i_stride = part.n;
            sums.out_j_stride = 1;
            status = sum_products(cpu, call, &sums, outer);
            store_piece(cpu, &part, (tern_dtype)call->out->dtype, piece);
        }
    return status;
}

static tern_status round_products(tern__cpu_device *cpu, const tern__op_call *call,
                                  const tern__product *product, const letters *outer) {
    static const tern__note note = {.op = "einsum", .rank = -1};
    size_t bytes = PIECE * sizeof(float);
    void *piece = NULL;
    int64_t matrices = 1;
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &note, &piece);
    if (status != TERN_OK)
        return status;
    for (int i = 0; i < product->batch_rank; i++)
        matrices *= product->batch_dims[i];
    for (int64_t index = 0; index < matrices && status == TERN_OK; index++) {
        tern__product p = *product;
        int64_t a = 0, b = 0, out = 0, rest = index;
        for (int i = p.batch_rank - 1; i >= 0; i--) {
            a += rest % p.batch_dims[i] * p.a.batch_strides[i];
            b += rest % p.batch_dims[i] * p.b.batch_strides[i];
            out += rest % p.batch_dims[i] * p.out_batch_strides[i];
            rest /= p.batch_dims[i];
        }
        p.a.data = moved(p.a.data, p.a.dtype, a);
        p.b.data = moved(p.b.data, p.b.dtype, b);
        p.out = (uint16_t *)p.out + out;
        p.batch_rank = 0;
        status = round_matrix(cpu, call, &p, outer, piece);
    }
    tern__pool_free(call->context->pool, piece, bytes, TERN__BLOCK_DATA);
    return status;
}

tern_status tern__cpu_einsum(tern__device *device, const tern__op_call *call) {
    letters kept, summed;
    letter inner = {.size = 1};
    read_letters(call, &kept, &summed);
    for (int i = 0; i < summed.count; i++)
        if (summed.at[i].size == 0) { /* sums of nothing */
            inner.size = 0;
            summed.count = 0;
        }
    if (summed.count > 0)
        inner = summed.at[--summed.count];
    tern__product product = product_of(call, &kept, &inner);
    tern_dtype dtype = (tern_dtype)call->out->dtype;
    tern__cpu_device *cpu = tern__cpu_of(device);
    return dtype == TERN_F32 || dtype == TERN_F64 ? sum_products(cpu, call, &product, &summed)
                                                  : round_products(cpu, call, &product, &summed);
}
