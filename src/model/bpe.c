/* SPDX-License-Identifier: MIT */
#include "model/bpe.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"

/* Pieces up to this length are merged by looking at all pairs each time, longer ones with a heap.
 * Measured with random letters: the scan is the faster up to here. On English text, where nearly
 * all pieces are short, it makes encoding 1.3 times as fast as the heap alone. */
enum { SHORT_PIECE = 64 };

#define NO_RANK UINT32_MAX

/* -- the table of merges -----------------------------------------------------------------------*/

static uint64_t pair_key(int32_t left, int32_t right) {
    return ((uint64_t)left << 32 | (uint32_t)right) + 1;
}

static uint32_t first_slot(const tern__bpe *bpe, uint64_t key) {
    uint64_t hash = key * bpe->factors[0];
    hash = (hash ^ hash >> 32) * bpe->factors[1];
    return (uint32_t)(hash >> 32) & bpe->mask;
}

/* The slot that holds `key`, or the free one where it belongs. */
static tern__bpe_merge *find_slot(const tern__bpe *bpe, uint64_t key) {
    uint32_t i = first_slot(bpe, key);
    while (bpe->slots[i].key != 0 && bpe->slots[i].key != key)
        i = (i + 1) & bpe->mask;
    return &bpe->slots[i];
}

static tern_status bad_merge(size_t index, tern__gguf_string text, const char *what) {
    int shown = text.length < 64 ? (int)text.length : 64;
    return tern__fail(TERN_E_FORMAT, "tokenizer: merge %zu, \"%.*s\", %s", index, shown, text.bytes,
                      what);
}

/* The bytes of one merge: left and right part, one behind the other. */
typedef struct merge_text {
    const uint8_t *bytes;
    size_t left, whole; /* their counts */
    uint32_t hashes[3]; /* of the left part, the right part, the whole */
} merge_text;

/* Writes at most text.length bytes into `bytes` and has the vocabulary's slots fetched. */
static tern_status read_merge(const tern__vocabulary *vocabulary, tern__gguf_string text,
                              size_t index, uint8_t *bytes, merge_text *merge) {
    const char *space = memchr(text.bytes, ' ', (size_t)text.length);
    if (space == NULL)
        return bad_merge(index, text, "is no pair of tokens");
    size_t left = (size_t)(space - text.bytes), right = (size_t)text.length - left - 1;
    bool is_pair = tern__bytes_from_text(text.bytes, left, bytes, &left) &&
                   tern__bytes_from_text(space + 1, right, bytes + left, &right);
    if (!is_pair || left == 0 || right == 0)
        return bad_merge(index, text, "is no pair of tokens");
    *merge = (merge_text){.bytes = bytes, .left = left, .whole = left + right};
    merge->hashes[0] = tern__vocabulary_hash(vocabulary, bytes, left);
    merge->hashes[1] = tern__vocabulary_hash(vocabulary, bytes + left, right);
    merge->hashes[2] = tern__vocabulary_hash(vocabulary, bytes, left + right);
    for (int i = 0; i < 3; i++)
        tern__vocabulary_prefetch(vocabulary, merge->hashes[i]);
    return TERN_OK;
}

/* Has the slot of `merge` fetched. Its key stays 0 when it is to be left out. */
static tern_status find_merge(const tern__bpe *bpe, const tern__vocabulary *vocabulary,
                              const merge_text *text, tern__gguf_string source, size_t index,
                              tern__bpe_merge *merge) {
    const uint8_t *parts[3] = {text->bytes, text->bytes + text->left, text->bytes};
    size_t counts[3] = {text->left, text->whole - text->left, text->whole}, matched = 0;
    int32_t ids[3];
    *merge = (tern__bpe_merge){0};
    for (int i = 0; i < 3; i++) {
        ids[i] = tern__vocabulary_find_hashed(vocabulary, parts[i], counts[i], text->hashes[i]);
        if (ids[i] >= 0)
            continue;
        tern__vocabulary_special(vocabulary, parts[i], counts[i], &matched);
        if (matched == counts[i])
            return TERN_OK;
        return bad_merge(index, source,
                         i < 2 ? "takes an unknown token" : "makes an unknown token");
    }
    *merge = (tern__bpe_merge){pair_key(ids[0], ids[1]), (uint32_t)index, ids[2]};
    __builtin_prefetch(&bpe->slots[first_slot(bpe, merge->key)], 1);
    return TERN_OK;
}

/* Large vocabularies do not fit the caches: taking merges one by one, each waiting for its slots,
 * takes half as long again. */
enum { MERGE_BATCH = 16 };

/* `bytes` has room for any batch. */
static tern_status add_merges(tern__bpe *bpe, const tern__vocabulary *vocabulary,
                              const tern__gguf_string *merges, size_t count, uint8_t *bytes) {
    merge_text texts[MERGE_BATCH];
    tern__bpe_merge found[MERGE_BATCH];
    tern_status status = TERN_OK;
    for (size_t begin = 0; begin < count && status == TERN_OK; begin += MERGE_BATCH) {
        size_t n = count - begin < MERGE_BATCH ? count - begin : MERGE_BATCH;
        const tern__gguf_string *sources = merges + begin;
        uint8_t *next = bytes;
        for (size_t i = 0; i < n && status == TERN_OK; next += sources[i++].length)
            status = read_merge(vocabulary, sources[i], begin + i, next, &texts[i]);
        for (size_t i = 0; i < n && status == TERN_OK; i++)
            status = find_merge(bpe, vocabulary, &texts[i], sources[i], begin + i, &found[i]);
        for (size_t i = 0; i < n && status == TERN_OK; i++) {
            if (found[i].key == 0)
                continue;
            tern__bpe_merge *slot = find_slot(bpe, found[i].key);
            if (slot->key == 0)
                *slot = found[i];
        }
    }
    return status;
}

tern_status tern__bpe_init(tern__bpe *bpe, const tern__vocabulary *vocabulary,
                           const tern__gguf_string *merges, size_t count) {
    tern_status status;
    uint8_t *bytes = NULL; /* of a batch of merges */
    const uint64_t *key = vocabulary->key.word;
    *bpe = (tern__bpe){.byte_ids = vocabulary->byte_ids, .factors = {key[0] | 1, key[1] | 1}};
    if (count >= INT32_MAX / 4)
        return tern__fail(TERN_E_FORMAT, "tokenizer: %zu merges", count);
    size_t batch = 0, largest = 1;
    for (size_t i = 0; i < count; i++) {
        batch = (i % MERGE_BATCH == 0 ? 0 : batch) + (size_t)merges[i].length;
        largest = batch > largest ? batch : largest;
    }
    uint32_t slots = 1024;
    while (slots < 2 * count)
        slots *= 2;
    bpe->mask = slots - 1;
    bpe->slots = tern__os()->alloc(slots * sizeof *bpe->slots);
    bytes = tern__os()->alloc(largest);
    if (bpe->slots == NULL || bytes == NULL) {
        status = tern__fail(TERN_E_MEMORY, "tokenizer: no memory for %zu merges", count);
        goto done;
    }
    status = add_merges(bpe, vocabulary, merges, count, bytes);
done:
    tern__os()->free(bytes);
    if (status != TERN_OK)
        tern__bpe_deinit(bpe);
    return status;
}

void tern__bpe_deinit(tern__bpe *bpe) {
    tern__os()->free(bpe->slots);
    *bpe = (tern__bpe){0};
}

/* -- short pieces ------------------------------------------------------------------------------*/

typedef struct short_symbol {
    int32_t id;
    uint32_t rank;  /* of the pair with the next symbol; NO_RANK if it is none */
    int32_t merged; /* what that pair becomes */
} short_symbol;

static void look_up_short(const tern__bpe *bpe, short_symbol *symbol) {
    const tern__bpe_merge *merge = find_slot(bpe, pair_key(symbol[0].id, symbol[1].id));
    symbol->rank = merge->key != 0 ? merge->rank : NO_RANK;
    symbol->merged = merge->merged;
}

static void encode_short(const tern__bpe *bpe, const uint8_t *piece, size_t count,
                         tern__id_sink *sink) {
    short_symbol symbols[SHORT_PIECE];
    for (size_t i = 0; i < count; i++)
        symbols[i] = (short_symbol){bpe->byte_ids[piece[i]], NO_RANK, -1};
    for (size_t i = 0; i + 1 < count; i++)
        look_up_short(bpe, &symbols[i]);
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            if (symbols[i].rank < symbols[best].rank)
                best = i;
        if (symbols[best].rank == NO_RANK)
            break;
        symbols[best].id = symbols[best].merged;
        count--;
        for (size_t i = best + 1; i < count; i++)
            symbols[i] = symbols[i + 1];
        symbols[best].rank = NO_RANK;
        if (best + 1 < count)
            look_up_short(bpe, &symbols[best]);
        if (best > 0)
            look_up_short(bpe, &symbols[best - 1]);
    }
    for (size_t i = 0; i < count; i++)
        tern__id_sink_put(sink, symbols[i].id);
}

/* -- long pieces -------------------------------------------------------------------------------*/

/* Symbols form a doubly linked list in an array indexed by the place of their first byte; a merge
 * keeps the left symbol and unlinks the right one. The heap holds rank << 32 | place of every pair
 * that there is, and of some that are gone: an entry counts only if its rank is still that of the
 * symbol at its place. An unlinked symbol has NO_RANK, and a place never sees one rank twice since
 * its symbol only grows. A merge takes one entry and adds at most two, so 2n suffice. */
typedef struct long_symbol {
    int32_t id;
    uint32_t rank; /* of the pair with the next symbol; NO_RANK if it is none */
    int32_t merged;
    uint32_t previous, next; /* places; UINT32_MAX before the first, the count after the last */
} long_symbol;

typedef struct long_piece {
    const tern__bpe *bpe;
    long_symbol *symbols;
    uint64_t *heap; /* the least entry first: heap[(i - 1) / 2] <= heap[i] */
    size_t heap_count;
    uint32_t count;
} long_piece;

static void heap_push(long_piece *work, uint64_t entry) {
    size_t i = work->heap_count++;
    for (size_t parent; i > 0 && work->heap[parent = (i - 1) / 2] > entry; i = parent)
        work->heap[i] = work->heap[parent];
    work->heap[i] = entry;
}

static uint64_t heap_pop(long_piece *work) {
    uint64_t *heap = work->heap;
    uint64_t least = heap[0];
    size_t count = --work->heap_count;
    uint64_t moved = heap[count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (moved <= heap[child])
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
    return least;
}

static void look_up_long(long_piece *work, uint32_t place) {
    long_symbol *symbol = &work->symbols[place];
    symbol->rank = NO_RANK;
    if (symbol->next == work->count)
        return;
    const tern__bpe_merge *merge =
        find_slot(work->bpe, pair_key(symbol->id, work->symbols[symbol->next].id));
    if (merge->key == 0)
        return;
    symbol->rank = merge->rank;
    symbol->merged = merge->merged;
    heap_push(work, (uint64_t)merge->rank << 32 | place);
}

static void encode_long(long_piece *work, const uint8_t *piece, tern__id_sink *sink) {
    for (uint32_t i = 0; i < work->count; i++)
        work->symbols[i] =
            (long_symbol){.id = work->bpe->byte_ids[piece[i]], .previous = i - 1, .next = i + 1};
    for (uint32_t i = 0; i < work->count; i++)
        look_up_long(work, i);
    while (work->heap_count > 0) {
        uint64_t entry = heap_pop(work);
        uint32_t place = (uint32_t)entry;
        long_symbol *left = &work->symbols[place];
        if (left->rank != (uint32_t)(entry >> 32))
            continue;
        long_symbol *right = &work->symbols[left->next];
        right->rank = NO_RANK;
        left->id = left->merged;
        left->next = right->next;
        if (left->next < work->count)
            work->symbols[left->next].previous = place;
        look_up_long(work, place);
        if (left->previous != UINT32_MAX)
            look_up_long(work, left->previous);
    }
    for (uint32_t i = 0; i < work->count; i = work->symbols[i].next)
        tern__id_sink_put(sink, work->symbols[i].id);
}

/* Makes `scratch` good for a piece of `count` bytes; at least doubles it, so that growing costs
 * linear time in total. */
static tern_status grow_scratch(tern__bpe_scratch *scratch, size_t count) {
    if (count <= scratch->piece_bytes)
        return TERN_OK;
    size_t wanted = count > 2 * scratch->piece_bytes ? count : 2 * scratch->piece_bytes;
    tern__bpe_scratch_deinit(scratch);
    size_t bytes;
    if (tern__mul_size(wanted, 2 * sizeof(uint64_t) + sizeof(long_symbol), &bytes))
        scratch->memory = tern__os()->alloc(bytes);
    if (scratch->memory == NULL)
        return tern__fail(TERN_E_MEMORY, "tokenizer: no memory for a piece of %zu bytes", count);
    scratch->piece_bytes = wanted;
    return TERN_OK;
}

tern_status tern__bpe_encode(const tern__bpe *bpe, const uint8_t *piece, size_t count,
                             tern__bpe_scratch *scratch, tern__id_sink *sink) {
    if (count <= SHORT_PIECE) {
        encode_short(bpe, piece, count, sink);
        return TERN_OK;
    }
    tern_status status = grow_scratch(scratch, count);
    if (status != TERN_OK)
        return status;
    uint64_t *heap = scratch->memory;
    long_piece work = {.bpe = bpe,
                       .symbols = (long_symbol *)(heap + 2 * scratch->piece_bytes),
                       .heap = heap,
                       .count = (uint32_t)count};
    encode_long(&work, piece, sink);
    return TERN_OK;
}

void tern__bpe_scratch_deinit(tern__bpe_scratch *scratch) {
    tern__os()->free(scratch->memory);
    *scratch = (tern__bpe_scratch){0};
}
