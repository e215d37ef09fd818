/* SPDX-License-Identifier: MIT
 * What operations are called on when all of them are timed or counted: matrices of one side in one
 * layout, and what goes with them. */
#ifndef TERN__OPERATION_INPUTS_H
#define TERN__OPERATION_INPUTS_H

#include <tern/tensor.h>

typedef enum tern__operand_layout {
    TERN__LAID_CONTIGUOUS,
    TERN__LAID_TRANSPOSED,
    TERN__LAID_STEPPED,   /* every second element of rows */
    TERN__LAID_BROADCAST, /* one row for all */
    TERN__OPERAND_LAYOUTS
} tern__operand_layout;

const char *tern__operand_layout_name(tern__operand_layout layout);

/* Shapes by S, the side. */
typedef struct tern__operands {
    /* (S, S), in the layout. */
    tern_tensor *a, *b, *c; /* F32, normal */
    tern_tensor *share;     /* F32 in [0, 1) */
    tern_tensor *near;      /* F32 in [0.75, 1.25): products of many stay finite */
    tern_tensor *whole;     /* I32 in -9..9 */
    tern_tensor *few;       /* I32 in 0..7 */
    tern_tensor *mask;      /* BOOL */
    tern_tensor *index;     /* I64 in 0..S-1 */
    tern_tensor *trits;     /* I8 in -1..1 */
    /* Views of a: (S, 1, S); (S, S / 32, 32); the first S / 8 rows of that; (S / 4, 4, S);
     * (1, 4, S / 4, S). */
    tern_tensor *thin, *heads, *queries, *sequence, *image;
    /* Contiguous whatever the layout. */
    tern_tensor *plain;         /* (S, S) F32 */
    tern_tensor *room;          /* (S, S) F32, to be written */
    tern_tensor *flat, *flat2;  /* (S S) F32, normal */
    tern_tensor *row, *sorted;  /* (S) F32 */
    tern_tensor *ids;           /* (S) I64 in 0..S-1 */
    tern_tensor *one;           /* rank 0, F32 */
    tern_tensor *packed;        /* (S, S), ternary */
    tern_tensor *screen;        /* (S, S), `plain` in 8 bits */
    tern_tensor *angles;        /* (S, 2, 16): a table for heads of 32 */
    tern_tensor *keys, *values; /* (S / 32, S, 32) F32 */
    tern_tensor *bytes;         /* (S / 32, S, 32) I8 */
    tern_tensor *scales;        /* (2, S / 32, S) F32: of bytes as keys and as values */
    tern_tensor *taps, *filter; /* (8, 4, 3), (8, 4, 3, 3) */
    /* (L, L), L = min(S, 128), normal over the root of L; and one that is positive definite. */
    tern_tensor *matrix, *definite;
} tern__operands;

/* Makes what `side`, a multiple of 32, asks for. On failure everything is NULL. */
tern_status tern__operands_make(tern_context *context, int64_t side, tern__operand_layout layout,
                                tern__operands *in);
void tern__operands_release(tern__operands *in); /* and NULL from then on */

#endif
