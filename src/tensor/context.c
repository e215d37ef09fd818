/* SPDX-License-Identifier: MIT
 * The life of contexts, and what they tell about their memory.
 *
 * A context is freed when its handle, its models, its sessions and the last block of its pool are
 * gone, in any order: tensors keep it by their blocks alone.
 */
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"
#include "memory/size_class.h"
#include "tensor/tensor.h"

/* All contexts, newest first: a tensor that was released before may lead to none of them. */
static tern__lock list_lock = {PTHREAD_MUTEX_INITIALIZER};
static tern_context *newest;

static void enlist(tern_context *context) {
    tern__lock_acquire(&list_lock);
    context->next = newest;
    if (newest != NULL)
        newest->previous = context;
    newest = context;
    tern__lock_release(&list_lock);
}

static void delist(tern_context *context) {
    tern__lock_acquire(&list_lock);
    *(context->previous != NULL ? &context->previous->next : &newest) = context->next;
    if (context->next != NULL)
        context->next->previous = context->previous;
    tern__lock_release(&list_lock);
}

static tern_status create_pools(const tern_options *options, const tern__device_memory *memory,
                                tern_context *context) {
    tern__pool_options pool = {.max_bytes = memory == NULL ? options->max_bytes : 0,
                               .tracking = options->tracking,
                               .on_event = options->on_memory_event,
                               .on_pressure = options->on_memory_pressure,
                               .user = options->memory_user};
    tern_status status = tern__pool_create(&pool, &context->pool);
    if (status != TERN_OK || memory == NULL)
        return status;
    pool.source = &memory->source;
    pool.max_bytes = options->max_bytes;
    status = tern__pool_create(&pool, &context->data_pool);
    if (status != TERN_OK)
        tern__pool_destroy(context->pool);
    return status;
}

tern_status tern__context_create(const tern_options *options, const tern__device_memory *memory,
                                 tern_context **out) {
    *out = NULL;
    tern_context *context = tern__os()->alloc(sizeof *context);
    if (context == NULL)
        return tern__fail(TERN_E_MEMORY, "context: no memory for %zu bytes", sizeof *context);
    tern_status status = create_pools(options, memory, context);
    if (status != TERN_OK) {
        tern__os()->free(context);
        return status;
    }
    atomic_init(&context->references, 1);
    context->memory = memory;
    context->is_plain = !tern__pool_keeps_notes(context->pool);
    context->reports_leaks =
        options->on_memory_event != NULL || options->tracking >= TERN_TRACK_SITES;
    context->is_poisoning = options->tracking == TERN_TRACK_FULL;
    if (memory == NULL) {
        context->inline_below = tern__inline_below(options->tracking);
        context->pair_below = TERN__CLASS_MAX + 1;
    }
    tern__scopes_init(&context->scopes);
    enlist(context);
    *out = context;
    return TERN_OK;
}

/* The pool of the headers is gone, with the last block: no data are left either. */
static void free_context(void *user) {
    tern_context *context = user;
    delist(context);
    tern__pool_destroy(context->data_pool);
    if (context->device != NULL)
        context->device_close(context->device);
    if (context->host != NULL)
        tern__context_release(context->host);
    tern__scopes_deinit(&context->scopes);
    tern__os()->free(context);
}

void tern__context_retain(tern_context *context) {
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
}

void tern__context_release(tern_context *context) {
    if (atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    context->is_plain = false; /* nobody makes anything in it at the same time */
    tern__pool_abandon(context->pool, free_context, context);
}

/* Without events a word for those who listen to the log. */
static void tell_what_is_alive(tern_context *context) {
    if (context->reports_leaks) {
        tern__pool_report_leaks(context->memory == NULL ? context->pool : context->data_pool);
        return;
    }
    tern_memory_stats stats = tern_context_memory(context);
    if (stats.live_tensors != 0)
        tern__message(TERN_LOG_INFO, "context: destroyed with %lld tensors alive, %zu bytes",
                      (long long)stats.live_tensors, stats.live_bytes);
}

void tern_context_destroy(tern_context *context) {
    if (context == NULL)
        return;
    while (context->scopes.marked > 0)
        tern_scope_end(context);
    tell_what_is_alive(context);
    tern__pool_disown(context->pool);
    if (context->memory != NULL)
        tern__pool_disown(context->data_pool);
    tern__context_release(context);
}

const char *tern_context_describe(const tern_context *context) {
    return context->description;
}

/* -- releases that come twice ------------------------------------------------------------------*/

/* With a reference, so that its pool stays; NULL when it has none any more. */
static tern_context *retain_alive(tern_context *context) {
    long references = atomic_load_explicit(&context->references, memory_order_relaxed);
    while (references > 0)
        if (atomic_compare_exchange_weak_explicit(&context->references, &references, references + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return context;
    return NULL;
}

/* The context that `maybe` is, when there is such a one; else the newest that overwrites what is
 * released, else the newest. */
static tern_context *find_context(const tern_context *maybe) {
    tern_context *found = NULL, *poisoning = NULL;
    tern__lock_acquire(&list_lock);
    for (tern_context *c = newest; c != NULL && found == NULL; c = c->next) {
        if (c == maybe)
            found = c;
        else if (poisoning == NULL && c->is_poisoning)
            poisoning = c;
    }
    if (found == NULL)
        found = poisoning != NULL ? poisoning : newest;
    if (found != NULL)
        found = retain_alive(found);
    tern__lock_release(&list_lock);
    return found;
}

void tern__context_report_double(const tern_context *maybe, const tern_tensor *tensor) {
    tern_context *context = find_context(maybe);
    if (context == NULL) {
        tern__message(TERN_LOG_ERROR, "tensor %p was released before", (const void *)tensor);
        return;
    }
    tern__pool_report_double(context->pool, tensor);
    tern__context_release(context);
}

/* -- memory ------------------------------------------------------------------------------------*/

tern_memory_stats tern_context_memory(const tern_context *context) {
    tern_memory_stats stats = tern__pool_stats(context->pool);
    if (context->memory == NULL)
        return stats;
    tern_memory_stats data = tern__pool_stats(context->data_pool);
    stats.live_bytes += data.live_bytes;
    stats.peak_bytes += data.peak_bytes;
    stats.committed_bytes += data.committed_bytes;
    stats.mapped_bytes += data.mapped_bytes;
    return stats;
}

/* Headers are little, and the same for every device. */
void tern_memory_figures_get(tern_context *context, tern_memory_figures *figures) {
    tern__pool_figures(context->memory == NULL ? context->pool : context->data_pool, figures);
}

size_t tern_memory_trim(tern_context *context) {
    size_t bytes = tern__pool_trim(context->pool);
    return context->memory == NULL ? bytes : bytes + tern__pool_trim(context->data_pool);
}

int64_t tern_memory_check(tern_context *context) {
    int64_t found = tern__pool_check(context->pool);
    return context->memory == NULL ? found : found + tern__pool_check(context->data_pool);
}

void tern_context_adopt(tern_context *context) {
    tern__pool_adopt(context->pool);
    if (context->memory != NULL)
        tern__pool_adopt(context->data_pool);
    if (context->host != NULL)
        tern_context_adopt(context->host);
}

void tern__context_tick(tern_context *context) {
    tern__pool_tick(context->pool);
    if (context->memory != NULL)
        tern__pool_tick(context->data_pool);
    if (context->host != NULL)
        tern__context_tick(context->host);
}
