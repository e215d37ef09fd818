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

tern_status tern__context_create(const tern_options *options, tern_context **out) {
    *out = NULL;
    tern_context *context = tern__os()->alloc(sizeof *context);
    if (context == NULL)
        return tern__fail(TERN_E_MEMORY, "context: no memory for %zu bytes", sizeof *context);
    tern_status status =
        tern__pool_create(&(tern__pool_options){.max_bytes = options->max_bytes,
                                                .tracking = options->tracking,
                                                .on_event = options->on_memory_event,
                                                .on_pressure = options->on_memory_pressure,
                                                .user = options->memory_user},
                          &context->pool);
    if (status != TERN_OK) {
        tern__os()->free(context);
        return status;
    }
    atomic_init(&context->references, 1);
    context->is_plain = !tern__pool_keeps_notes(context->pool);
    context->reports_leaks =
        options->on_memory_event != NULL || options->tracking >= TERN_TRACK_SITES;
    context->is_poisoning = options->tracking == TERN_TRACK_FULL;
    context->inline_below = tern__inline_below(options->tracking);
    tern__scopes_init(&context->scopes);
    enlist(context);
    *out = context;
    return TERN_OK;
}

/* The pool is gone, with the last block. */
static void free_context(void *user) {
    tern_context *context = user;
    delist(context);
    if (context->device != NULL)
        context->device_close(context->device);
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
        tern__pool_report_leaks(context->pool);
        return;
    }
    tern_memory_stats stats = tern__pool_stats(context->pool);
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
    return tern__pool_stats(context->pool);
}

void tern_memory_figures_get(tern_context *context, tern_memory_figures *figures) {
    tern__pool_figures(context->pool, figures);
}

size_t tern_memory_trim(tern_context *context) {
    return tern__pool_trim(context->pool);
}

int64_t tern_memory_check(tern_context *context) {
    return tern__pool_check(context->pool);
}

void tern_context_adopt(tern_context *context) {
    tern__pool_adopt(context->pool);
}
