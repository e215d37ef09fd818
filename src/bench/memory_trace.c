/* SPDX-License-Identifier: MIT */
#include "bench/memory_trace.h"

#include <string.h>

#include "base/os.h"
#include "base/status.h"

enum { VARINT_BYTES = 9, VARINT_BITS = 63 };

/* Seven bits a byte, the lowest first; the highest bit of a byte: there are more. */
static bool read_varint(const tern__trace *trace, size_t *position, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < VARINT_BITS && *position < trace->size; shift += 7) {
        unsigned char byte = trace->bytes[(*position)++];
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

static size_t write_varint(uint64_t value, unsigned char bytes[VARINT_BYTES]) {
    size_t count = 0;
    for (; value > 127; value >>= 7)
        bytes[count++] = (unsigned char)(value & 127) | 128;
    bytes[count++] = (unsigned char)value;
    return count;
}

tern_status tern__trace_next(const tern__trace *trace, size_t *position, tern__trace_event *event,
                             bool *is_end) {
    uint64_t value;
    *is_end = false;
    if (*position == 0) {
        if (trace->size < TERN__TRACE_MAGIC_BYTES ||
            memcmp(trace->bytes, TERN__TRACE_MAGIC, TERN__TRACE_MAGIC_BYTES) != 0)
            return tern__fail(TERN_E_FORMAT, "trace %s: this is none", trace->name);
        *position = TERN__TRACE_MAGIC_BYTES;
    }
    if (*position == trace->size) {
        *is_end = true;
        return TERN_OK;
    }
    if (!read_varint(trace, position, &value))
        return tern__fail(TERN_E_FORMAT, "trace %s: no number ends at byte %zu", trace->name,
                          *position);
    if (value & 1)
        *event = (tern__trace_event){.is_release = true,
                                     .kind = value & 2 ? TERN__BLOCK_TENSOR : 0,
                                     .newer = (int64_t)(value >> 2)};
    else
        *event = (tern__trace_event){.kind = (unsigned)(value >> 1 & 3), .bytes = value >> 3};
    return TERN_OK;
}

bool tern__trace_append(unsigned char *bytes, size_t capacity, size_t *size,
                        const tern__trace_event *event) {
    unsigned char code[VARINT_BYTES];
    size_t begin = *size > 0 ? *size : TERN__TRACE_MAGIC_BYTES;
    uint64_t value = (uint64_t)event->newer << 2 | (event->kind & TERN__BLOCK_TENSOR) | 1;
    if (!event->is_release)
        value = (uint64_t)event->bytes << 3 | (event->kind & 3) << 1;
    if (event->bytes >> (VARINT_BITS - 3) != 0 || event->newer >> (VARINT_BITS - 2) != 0)
        return false;
    size_t count = write_varint(value, code);
    if (begin + count > capacity)
        return false;
    if (*size == 0)
        memcpy(bytes, TERN__TRACE_MAGIC, TERN__TRACE_MAGIC_BYTES);
    memcpy(bytes + begin, code, count);
    *size = begin + count;
    return true;
}

/* -- replay ------------------------------------------------------------------------------------*/

size_t tern__pool_committed(tern__pool *pool) {
    tern_memory_figures figures;
    tern__pool_figures(pool, &figures);
    return figures.stats.committed_bytes + figures.bookkeeping_bytes;
}

typedef struct live_block {
    void *block;
    size_t bytes;
    unsigned kind;
} live_block;

typedef struct replay {
    const tern__trace *trace;
    tern__pool *pool;
    live_block *live; /* oldest first */
    int64_t count, capacity;
    size_t live_bytes;
} replay;

static tern_status take(replay *r, const tern__trace_event *event) {
    if (r->count == r->capacity)
        return tern__fail(TERN_E_FORMAT, "trace %s: more than %lld live blocks", r->trace->name,
                          (long long)r->capacity);
    live_block *block = &r->live[r->count];
    *block = (live_block){.bytes = event->bytes, .kind = event->kind};
    tern_status status = tern__pool_alloc(r->pool, event->bytes, event->kind, NULL, &block->block);
    if (status == TERN_OK) {
        r->count++;
        r->live_bytes += event->bytes;
    }
    return status;
}

/* A tensor that went before its block, which views still needed, was told without its flag. */
static void give(replay *r, int64_t index, unsigned tensor_flag) {
    live_block block = r->live[index];
    if ((block.kind & TERN__BLOCK_TENSOR) && !tensor_flag)
        tern__pool_tensor_gone(r->pool);
    tern__pool_free(r->pool, block.block, block.bytes,
                    (block.kind & TERN__BLOCK_DATA) | tensor_flag);
    r->count--;
    r->live_bytes -= block.bytes;
    memmove(r->live + index, r->live + index + 1, (size_t)(r->count - index) * sizeof *r->live);
}

static tern_status step(replay *r, const tern__trace_event *event, tern__trace_peaks *peaks) {
    tern_status status = TERN_OK;
    if (event->is_release && event->newer >= r->count)
        return tern__fail(TERN_E_FORMAT, "trace %s: event %lld releases a block that is not there",
                          r->trace->name, (long long)peaks->events);
    if (event->is_release)
        give(r, r->count - 1 - event->newer, event->kind);
    else
        status = take(r, event);
    size_t committed = status == TERN_OK && !event->is_release ? tern__pool_committed(r->pool) : 0;
    if (r->live_bytes > peaks->peak_live)
        peaks->peak_live = r->live_bytes;
    if (committed > peaks->peak_committed)
        peaks->peak_committed = committed;
    if (status == TERN_OK && tern__pool_stats(r->pool).live_bytes != r->live_bytes)
        return tern__fail(TERN_E_INTERNAL, "trace %s: %zu bytes are alive, the pool counts %zu",
                          r->trace->name, r->live_bytes, tern__pool_stats(r->pool).live_bytes);
    peaks->events++;
    return status;
}

tern_status tern__trace_replay(const tern__trace *trace, tern__trace_peaks *peaks) {
    replay r = {.trace = trace, .capacity = (int64_t)trace->size};
    tern_status status = TERN_OK;
    *peaks = (tern__trace_peaks){0};
    r.live = tern__os()->alloc((size_t)(r.capacity + 1) * sizeof *r.live);
    if (r.live == NULL)
        TERN__TRY(tern__fail(TERN_E_MEMORY, "trace %s: no memory", trace->name));
    TERN__TRY(tern__pool_create(&(tern__pool_options){0}, &r.pool));
    for (size_t position = 0;;) {
        tern__trace_event event;
        bool is_end;
        TERN__TRY(tern__trace_next(trace, &position, &event, &is_end));
        if (is_end)
            break;
        TERN__TRY(step(&r, &event, peaks));
    }
    if (r.count > 0)
        TERN__TRY(tern__fail(TERN_E_FORMAT, "trace %s: %lld blocks are left", trace->name,
                             (long long)r.count));
    if (tern__pool_stats(r.pool).live_tensors != 0)
        status = tern__fail(TERN_E_FORMAT, "trace %s: %lld tensors are left", trace->name,
                            (long long)tern__pool_stats(r.pool).live_tensors);
done:
    while (r.count > 0)
        give(&r, r.count - 1, r.live[r.count - 1].kind & TERN__BLOCK_TENSOR);
    tern__pool_destroy(r.pool);
    tern__os()->free(r.live);
    return status;
}
