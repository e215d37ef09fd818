/* SPDX-License-Identifier: MIT
 * The bytes around a block at level FULL, and in it once it is released: see track.h. Raw memory is
 * aligned to 16 and `raw_bytes` long, a multiple of 64; its block begins TERN__GUARD behind. */
#ifndef TERN__GUARD_H
#define TERN__GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include <tern/memory.h>

#define TERN__GUARD 64

/* Raw bytes of a block of `bytes`; false on overflow. */
bool tern__guard_room(size_t bytes, size_t *raw_bytes);

void tern__guard_write(void *block, size_t bytes);
void tern__guard_poison(void *block, size_t bytes);

/* Finds and mends one damage: HEADER_SMASH, UNDERRUN, OVERRUN or, when the block is poisoned,
 * WRITE_AFTER_RELEASE. False: there is none. */
bool tern__guard_mend(void *block, size_t bytes, bool is_poisoned, tern_memory_event_kind *kind);

#endif
