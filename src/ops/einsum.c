/* SPDX-License-Identifier: MIT
 * Einsum of two operands: letters, what they are in each operand and in the result. */
#include "device/einsum_call.h"

#include <string.h>

#include "ops/call.h"

/* The letters of the operands and of the result, in order. */
typedef struct terms {
    const char *text;
    int counts[3];
    char letters[3][2 * TERN_MAX_RANK + 1];
} terms;

enum { A, B, RESULT };

static tern_status fails(const terms *t, const char *what, char letter) {
    return tern__fail(TERN_E_ARGUMENT, "einsum: \"%s\": %s '%c'", t->text, what, letter);
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int count_of(const terms *t, int term, char letter) {
    int count = 0;
    for (int i = 0; i < t->counts[term]; i++)
        count += t->letters[term][i] == letter;
    return count;
}

/* -- the text ----------------------------------------------------------------------------------*/

/* Letters that stand once, in alphabetical order. */
static void imply_result(terms *t) {
    for (int c = 'A'; c <= 'z'; c++)
        if (is_letter((char)c) && count_of(t, A, (char)c) + count_of(t, B, (char)c) == 1)
            t->letters[RESULT][t->counts[RESULT]++] = (char)c;
}

static tern_status parse(terms *t) {
    int term = A;
    const char *at = t->text;
    if (at == NULL)
        return tern__fail(TERN_E_ARGUMENT, "einsum: the subscripts are NULL");
    for (; *at != '\0'; at++) {
        if (*at == ' ')
            continue;
        if (*at == ',' && term == A)
            term = B;
        else if (*at == '-' && at[1] == '>' && term == B)
            term = RESULT, at++;
        else if (!is_letter(*at))
            return fails(t, "cannot use", *at);
        else if (t->counts[term] >= (term == RESULT ? 2 : 1) * TERN_MAX_RANK)
            return fails(t, "too many letters at", *at);
        else
            t->letters[term][t->counts[term]++] = *at;
    }
    if (term == A)
        return tern__fail(TERN_E_ARGUMENT, "einsum: \"%s\" has no second operand", t->text);
    if (term == B)
        imply_result(t);
    return TERN_OK;
}

static tern_status check_result(const terms *t) {
    if (t->counts[RESULT] > TERN_MAX_RANK)
        return tern__fail(TERN_E_LIMIT, "einsum: \"%s\": a result of rank %d", t->text,
                          t->counts[RESULT]);
    for (int i = 0; i < t->counts[RESULT]; i++) {
        char letter = t->letters[RESULT][i];
        if (count_of(t, A, letter) + count_of(t, B, letter) == 0)
            return fails(t, "no operand has", letter);
        if (count_of(t, RESULT, letter) > 1)
            return fails(t, "the result has twice", letter);
    }
    return TERN_OK;
}

/* -- letters as axes ---------------------------------------------------------------------------*/

static tern_status lengths_differ(const terms *t, char letter, const tern__op_call *call) {
    char a[TERN__SHAPE_TEXT], b[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_SHAPE, "einsum: \"%s\": lengths of '%c' differ in shapes %s and %s",
                      t->text, letter, tern__shape_text(call->in[0]->rank, call->in[0]->dims, a),
                      tern__shape_text(call->in[1]->rank, call->in[1]->dims, b));
}

/* Length and strides of a letter; a length of 1 is repeated. Equal letters of an operand are its
 * diagonal. */
static tern_status measure(const terms *t, char name, const tern__op_call *call,
                           tern__einsum_letter *letter) {
    *letter = (tern__einsum_letter){.size = 1};
    for (int operand = A; operand <= B; operand++)
        for (int i = 0; i < t->counts[operand]; i++) {
            int64_t length = call->in[operand]->dims[i];
            if (t->letters[operand][i] != name)
                continue;
            letter->is_in[operand] = true;
            if (length != 1 && letter->size != 1 && length != letter->size)
                return lengths_differ(t, name, call);
            letter->size = letter->size == 1 ? length : letter->size;
            if (length != 1)
                letter->strides[operand] += tern__strides(call->in[operand])[i];
        }
    return TERN_OK;
}

/* Those of the result, then those that are summed over in the order in which they come. */
static tern_status read_letters(const terms *t, const tern__op_call *call, tern__einsum *e) {
    char seen[3 * TERN_MAX_RANK + 1] = "";
    for (int term = RESULT; term >= A; term = term == RESULT ? A : term == A ? B : -1)
        for (int i = 0; i < t->counts[term]; i++) {
            char name = t->letters[term][i];
            if (memchr(seen, name, (size_t)e->count) != NULL)
                continue;
            seen[e->count] = name;
            tern_status status = measure(t, name, call, &e->letters[e->count]);
            if (status != TERN_OK)
                return status;
            e->count++;
        }
    e->kept = t->counts[RESULT];
    return TERN_OK;
}

/* -- the call ----------------------------------------------------------------------------------*/

static tern_status check_ranks(const terms *t, const tern__op_call *call) {
    for (int operand = A; operand <= B; operand++) {
        const tern_tensor *x = call->in[operand];
        char text[TERN__SHAPE_TEXT];
        if (x->rank != t->counts[operand])
            return tern__fail(TERN_E_SHAPE, "einsum: \"%s\": %d letters for shape %s", t->text,
                              t->counts[operand], tern__shape_text(x->rank, x->dims, text));
    }
    return TERN_OK;
}

/* The product takes F64, or any mixture of the other float types: an operand of another type is
 * cast. */
static tern_status match_type(tern_tensor *x, tern__op_call *call, tern_tensor **out) {
    uint64_t taken = call->type == TERN_F64 ? TERN__BIT(TERN_F64) : TERN__SINGLE | TERN__HALVES;
    *out = x;
    return taken >> x->dtype & 1 ? TERN_OK : tern__stage(x, call->type, call, out);
}

static tern_status einsum(const char *subscripts, tern_tensor *a, tern_tensor *b,
                          tern__target target) {
    tern__op_call call = {.op = TERN__OP_EINSUM, .in = {a, b}};
    terms t = {.text = subscripts};
    tern__einsum e = {0};
    tern_tensor *first = NULL, *second = NULL;
    tern_dtype dtype;
    tern_status status;
    TERN__TRY(parse(&t));
    TERN__TRY(check_result(&t));
    TERN__TRY(tern__promote_operands(&call, &dtype));
    TERN__TRY(check_ranks(&t, &call));
    TERN__TRY(match_type(a, &call, &first));
    TERN__TRY(match_type(b, &call, &second));
    call.in[0] = first;
    call.in[1] = second;
    TERN__TRY(read_letters(&t, &call, &e));
    call.detail = &e;
    tern_shape shape = {.rank = e.kept};
    for (int i = 0; i < e.kept; i++)
        shape.dims[i] = e.letters[i].size;
    TERN__TRY(tern__call(&call, dtype, &shape, target));
done:
    tern__drop(b, second);
    tern__drop(a, first);
    return status;
}

tern_status tern_einsum(const char *subscripts, tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return einsum(subscripts, a, b, TERN__FRESH(out));
}

tern_status tern_einsum_into(const char *subscripts, tern_tensor *a, tern_tensor *b,
                             tern_tensor *out) {
    return einsum(subscripts, a, b, TERN__INTO(out));
}
