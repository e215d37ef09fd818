/* SPDX-License-Identifier: MIT
 * What a pool tells its user: findings, leaks, what is alive by site. */
#include <string.h>

#include "base/os.h"
#include "base/sort.h"
#include "base/status.h"
#include "memory/pool_state.h"

/* The user of an abandoned pool is gone, and perhaps what its callback needs. */
tern__reporter tern__pool_reporter(const tern__pool *pool) {
    if (pool->is_abandoned)
        return (tern__reporter){NULL, NULL};
    return (tern__reporter){pool->on_event, pool->user};
}

void tern__report_event(const tern__reporter *reporter, tern_memory_event *event) {
    char text[TERN__FINDING_TEXT];
    tern__finding_text(event, text);
    event->text = text;
    if (reporter->on_event != NULL)
        reporter->on_event(reporter->user, event);
    else
        tern__message(TERN_LOG_ERROR, "%s", text);
    event->text = NULL;
}

void tern__report(const tern__reporter *reporter, const tern__finding *finding) {
    const tern__record *record = &finding->record;
    tern_memory_event event = {
        .kind = finding->kind,
        .address = finding->address,
        .bytes = record->bytes,
        .count = 1,
        .op = record->op,
        .dtype = record->dtype,
        .rank = record->rank,
        .dims = record->rank >= 0 ? record->dims : NULL,
        .made = record->made,
        .released = finding->released,
        .found = finding->found,
    };
    tern__report_event(reporter, &event);
}

/* -- the register of tracked pools -------------------------------------------------------------*/

/* Order of locks: the register's, then a pool's. */
static struct {
    tern__lock lock;
    tern__pool *first;
} tracked = {{PTHREAD_MUTEX_INITIALIZER}, NULL};

void tern__register_add(tern__pool *pool) {
    tern__lock_acquire(&tracked.lock);
    pool->next_tracked = tracked.first;
    tracked.first = pool;
    tern__lock_release(&tracked.lock);
}

void tern__register_remove(tern__pool *pool) {
    tern__lock_acquire(&tracked.lock);
    tern__pool **link = &tracked.first;
    while (*link != pool)
        link = &(*link)->next_tracked;
    *link = pool->next_tracked;
    tern__lock_release(&tracked.lock);
}

void tern__register_search(const tern__pool *besides, tern__finding *finding) {
    tern__lock_acquire(&tracked.lock);
    for (tern__pool *pool = tracked.first; pool != NULL; pool = pool->next_tracked) {
        if (pool == besides)
            continue;
        tern__pool_lock(pool);
        const tern__record *record = tern__track_lookup(pool->track, finding->address);
        if (record != NULL && record->block == finding->address) {
            finding->kind = TERN_MEMORY_WRONG_POOL;
            finding->record = *record;
        }
        tern__pool_unlock(pool);
    }
    tern__lock_release(&tracked.lock);
}

/* -- what is alive, by site --------------------------------------------------------------------*/

/* Blocks made at the same place. */
typedef struct group {
    tern__record sample; /* of a tensor when there is one */
    size_t bytes;
    int64_t blocks, tensors;
} group;

/* A hash table (open addressing); groups without blocks are free places. */
typedef struct groups {
    group *table;
    size_t places; /* a power of two */
    size_t used;
} groups;

static uint64_t hash_text(uint64_t hash, const char *text) {
    for (; text != NULL && *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3); /* FNV-1a */
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t hash_site(const tern__record *record) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)(unsigned)record->made.line;
    hash = hash_text(hash, record->made.file);
    hash = hash_text(hash, record->made.call);
    hash = hash_text(hash, record->op);
    return hash ^ hash >> 32;
}

static bool is_same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_site(const tern__record *a, const tern__record *b) {
    return a->made.line == b->made.line && is_same_text(a->made.file, b->made.file) &&
           is_same_text(a->made.call, b->made.call) && is_same_text(a->op, b->op);
}

static group *place_of(const groups *set, const tern__record *record) {
    size_t i = (size_t)hash_site(record) & (set->places - 1);
    while (set->table[i].blocks != 0 && !is_same_site(&set->table[i].sample, record))
        i = (i + 1) & (set->places - 1);
    return &set->table[i];
}

/* Twice as many places. False when there is no memory. */
static bool double_places(groups *set) {
    groups larger = {.places = set->places != 0 ? 2 * set->places : 64, .used = set->used};
    larger.table = tern__os()->alloc(larger.places * sizeof(group));
    if (larger.table == NULL)
        return false;
    for (size_t i = 0; i < set->places; i++)
        if (set->table[i].blocks != 0)
            *place_of(&larger, &set->table[i].sample) = set->table[i];
    tern__os()->free(set->table);
    *set = larger;
    return true;
}

static bool add_record(groups *set, const tern__record *record) {
    if (set->used >= set->places / 2 && !double_places(set))
        return false;
    group *place = place_of(set, record);
    bool is_tensor = tern__is_tensor(record->kind);
    if (place->blocks == 0 || (is_tensor && place->tensors == 0))
        place->sample = *record;
    set->used += place->blocks == 0;
    place->blocks++;
    place->tensors += is_tensor;
    place->bytes += record->bytes;
    return true;
}

/* Copies what is alive; the lock is held. */
static bool collect(tern__pool *pool, groups *set) {
    size_t cursor = 0;
    const tern__record *record;
    while ((record = tern__track_next(pool->track, &cursor)) != NULL)
        if (!add_record(set, record))
            return false;
    return true;
}

static int by_bytes(const void *user, int32_t a, int32_t b) {
    const group *table = user;
    size_t x = table[a].bytes, y = table[b].bytes;
    return x != y ? (x < y) - (x > y) : (a > b) - (a < b);
}

/* The places of the groups, most bytes first; NULL: no memory. */
static int32_t *order_groups(groups *set) {
    int32_t *order = tern__os()->alloc((set->used + 1) * sizeof *order);
    if (order == NULL)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < set->places; i++)
        if (set->table[i].blocks != 0)
            order[count++] = (int32_t)i;
    tern__sort_ids(order, (int64_t)count, by_bytes, set->table);
    return order;
}

static int64_t count_of(const group *g) {
    return g->tensors != 0 ? g->tensors : g->blocks;
}

static tern_memory_event leak_event(const group *g) {
    return (tern_memory_event){
        .kind = TERN_MEMORY_LEAK,
        .address = g->sample.block,
        .bytes = g->bytes,
        .count = count_of(g),
        .op = g->sample.op,
        .dtype = g->sample.dtype,
        .rank = g->sample.rank,
        .dims = g->sample.rank >= 0 ? g->sample.dims : NULL,
        .made = g->sample.made,
        .found = tern__site_current(),
    };
}

static tern_status visit_groups(tern__pool *pool, const tern__reporter *to, int64_t *count) {
    groups set = {NULL, 0, 0};
    int32_t *order = NULL;
    tern_status status = TERN_OK;
    tern__lock_acquire(&pool->lock);
    bool is_complete = collect(pool, &set);
    tern__lock_release(&pool->lock);
    if (is_complete)
        order = order_groups(&set);
    if (order == NULL)
        status = tern__fail(TERN_E_MEMORY, "memory: no memory to list what is alive");
    for (size_t i = 0; order != NULL && i < set.used; i++) {
        tern_memory_event event = leak_event(&set.table[order[i]]);
        *count += event.count;
        tern__report_event(to, &event);
    }
    tern__os()->free(order);
    tern__os()->free(set.table);
    return status;
}

tern_status tern__pool_sites(tern__pool *pool, tern_memory_event_fn visit, void *user) {
    tern__reporter to = {visit, user};
    int64_t count = 0;
    return pool->track != NULL ? visit_groups(pool, &to, &count) : TERN_OK;
}

/* Level COUNTS, or no memory to say more. */
static int64_t report_sum(tern__pool *pool, const tern__reporter *to) {
    tern_memory_stats stats = tern__pool_stats(pool);
    tern__lock_acquire(&pool->lock);
    int64_t blocks = tern__pool_live_blocks(pool);
    tern__lock_release(&pool->lock);
    int64_t count = stats.live_tensors > 0 ? stats.live_tensors : blocks;
    if (blocks == 0)
        return 0;
    tern_memory_event event = {
        .kind = TERN_MEMORY_LEAK,
        .bytes = stats.live_bytes,
        .count = count,
        .rank = -1,
        .found = tern__site_current(),
    };
    tern__report_event(to, &event);
    return count;
}

int64_t tern__pool_report_leaks(tern__pool *pool) {
    tern__lock_acquire(&pool->lock);
    tern__reporter to = tern__pool_reporter(pool);
    tern__lock_release(&pool->lock);
    int64_t count = 0;
    if (pool->track != NULL && visit_groups(pool, &to, &count) == TERN_OK)
        return count;
    return report_sum(pool, &to);
}
