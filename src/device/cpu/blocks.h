/* SPDX-License-Identifier: MIT
 * Walking over strided operands of one shape in blocks of several rows, shared out to the team's
 * threads. Short rows are gathered until they are worth a kernel's call. Operands that are
 * transposed are read down a panel of columns, narrow enough for their cache lines to stay in the
 * cache until the next rows use the rest of them.
 *
 *     tern__blocks_open(&b, device, call, 2, false);
 *     tern__blocks_cut(&b, CHUNK);
 *     tern__blocks_run(&b, do_blocks, &job);     // do_blocks: tern__blocks_at for each index
 */
#ifndef TERN__BLOCKS_H
#define TERN__BLOCKS_H

#include "device/cpu/walk.h"

/* The last two axes are cut into blocks, rectangles. Axes are ordered by the strides of most
 * operands, the shortest last. */
typedef struct tern__blocks {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    bool in_order;         /* as the result's memory */
    bool is_paneled;       /* blocks follow each other down the rows, else along them */
    tern__walk walk;       /* rank >= 2 */
    int64_t rows, n;       /* of a whole block */
    int64_t in_rows, in_n; /* blocks along the last two axes */
} tern__blocks;

typedef struct tern__block {
    int64_t at[TERN__WALK_OPERANDS]; /* offsets of the first elements */
    int64_t rows, n;
} tern__block;

/* The result and the first `operands - 1` operands of the call, broadcast to it. With `in_order`
 * elements follow each other as they do in the result's memory. */
void tern__blocks_open(tern__blocks *b, tern__device *device, const tern__op_call *call,
                       int operands, bool in_order);

/* The rows are so short that a call for each costs more than gathering them. */
bool tern__blocks_are_short(const tern__blocks *b);

/* Chooses blocks of at most `most` elements: whole rows, parts of one row, or parts of several rows
 * where an operand is transposed. */
void tern__blocks_cut(tern__blocks *b, int64_t most);

/* Runs `fn` over the indices of all blocks. */
void tern__blocks_run(const tern__blocks *b, tern__job_fn fn, void *argument);

void tern__blocks_at(const tern__blocks *b, int64_t index, tern__block *block);

/* Strides of operand `index` (0: the result) from element to element, from row to row. */
static inline int64_t tern__block_step(const tern__blocks *b, int index) {
    return b->walk.strides[index][b->walk.rank - 1];
}

static inline int64_t tern__block_row_step(const tern__blocks *b, int index) {
    return b->walk.strides[index][b->walk.rank - 2];
}

/* All elements of the block are one step apart. */
static inline bool tern__block_is_even(const tern__blocks *b, const tern__block *block, int index) {
    return block->rows == 1 ||
           tern__block_row_step(b, index) == block->n * tern__block_step(b, index);
}

/* One side of a move: the first element, bytes of an element, strides in elements. */
typedef struct tern__place {
    void *data;
    int64_t size, row_step, step;
} tern__place;

/* Moves rows x n elements by a function of the family `plain`; NULL: as they are. */
void tern__block_move(const tern__cpu_device *cpu, tern__plain_fn fn, const tern__place *from,
                      const tern__place *to, int64_t rows, int64_t n);

/* Index of the kernels of the families `plain` and `map` for elements of so many bytes. */
static inline int tern__size_index(int64_t bytes) {
    return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
}

#endif
