/* SPDX-License-Identifier: MIT
 *
 * Recorded traces: what a program asked of its context's pool, block by block, without contents.
 * They are made by tests/memory/record_traces.c, kept in data/traces (its README describes the
 * bytes) and built into the library.
 */
#ifndef TERN__MEMORY_TRACE_H
#define TERN__MEMORY_TRACE_H

#include "memory/pool.h"

/* First bytes of a trace. */
#define TERN__TRACE_MAGIC "TERNTRC1"
enum { TERN__TRACE_MAGIC_BYTES = 8, TERN__TRACE_MAX_BYTES = 64 << 10 };

typedef struct tern__trace {
    const char *name; /* "decode" */
    const unsigned char *bytes;
    size_t size;
} tern__trace;

/* Built in; the name of the one behind the last is NULL. */
extern const tern__trace tern__traces[];

typedef struct tern__trace_event {
    bool is_release;
    unsigned kind; /* tern__block_kind, as told at this call */
    size_t bytes;  /* allocation */
    int64_t newer; /* release: how many of the live blocks are newer than this one */
} tern__trace_event;

/* Reads the event at *position (0 at first) and steps behind it. *is_end: there is none. For a
 * release only the flag TENSOR of `kind` is known. TERN_E_FORMAT. */
tern_status tern__trace_next(const tern__trace *trace, size_t *position, tern__trace_event *event,
                             bool *is_end);

/* Appends an event to bytes[*size]; false when there is no room (magic included: *size is 0 at
 * first). */
bool tern__trace_append(unsigned char *bytes, size_t capacity, size_t *size,
                        const tern__trace_event *event);

typedef struct tern__trace_peaks {
    int64_t events;
    size_t peak_live;      /* as asked for */
    size_t peak_committed; /* with what the pool committed for itself */
} tern__trace_peaks;

/* Does with a new pool what the trace tells. TERN_E_FORMAT also when it leaves blocks alive,
 * TERN_E_INTERNAL when the pool's own count of live bytes is another. */
tern_status tern__trace_replay(const tern__trace *trace, tern__trace_peaks *peaks);

/* Bytes that the pool has committed, its books among them. */
size_t tern__pool_committed(tern__pool *pool);

#endif
