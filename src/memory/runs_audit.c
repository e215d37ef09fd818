/* SPDX-License-Identifier: MIT
 * The audit of page runs: walks all pages and lists, and recomputes the figures. */
#include "memory/runs_state.h"

#include <stdarg.h>
#include <stdio.h>

/* What a walk through all pages finds. */
typedef struct audit {
    const tern__runs *runs;
    char *text;
    size_t text_size;
    size_t clean_counts[TERN__RUN_BINS], dirty_counts[TERN__RUN_BINS]; /* runs per bin */
    size_t aged; /* runs that must be in the age list */
    tern__runs_figures figures;
} audit;

__attribute__((format(printf, 2, 3))) static bool complain(audit *a, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(a->text, a->text_size, format, arguments);
    va_end(arguments);
    return false;
}

/* Whether the id is that of a page in a state. */
static bool is_page(const tern__runs *runs, uint32_t id, tern__page_state state) {
    size_t slot = id / TERN__ARENA_PAGES, page = id % TERN__ARENA_PAGES;
    if (slot >= runs->arenas.capacity || runs->arenas.slots[slot] == NULL)
        return false;
    const tern__arena *arena = runs->arenas.slots[slot];
    return page < (arena->is_single ? 1 : tern__arena_pages(arena)) &&
           arena->info[page].state == state;
}

static bool audit_free_run(audit *a, tern__span run, tern__page_state state) {
    const tern__runs *runs = a->runs;
    const tern__page_info *info = &run.arena->info[run.first];
    const tern__run_bins *set = state == TERN__PAGE_DIRTY ? &runs->dirty : &runs->clean;
    int bin = tern__run_bin(run.pages);
    unsigned id = tern__span_id(run);
    if (tern__span_has_tail(run) &&
        (info[run.pages - 1].state != info->state || info[run.pages - 1].pages != info->pages))
        return complain(a, "page %u: the last page of the run tells something else", id);
    if (tern__span_right(run, state).pages > 0)
        return complain(a, "page %u: the next run should be merged", id);
    uint32_t before = info->previous == TERN__NO_PAGE ? set->heads[bin]
                      : is_page(runs, info->previous, state)
                          ? tern__info_at(runs, info->previous)->next
                          : TERN__NO_PAGE;
    if (before != id || (info->next != TERN__NO_PAGE && !is_page(runs, info->next, state)))
        return complain(a, "page %u: not in its bin %d", id, bin);
    if (state == TERN__PAGE_CLEAN) {
        a->clean_counts[bin]++;
        return true;
    }
    a->dirty_counts[bin]++;
    a->aged += tern__span_has_age(runs, run);
    size_t bytes = run.pages * TERN__PAGE;
    a->figures.dirty_bytes += bytes;
    if (bytes > a->figures.largest_dirty)
        a->figures.largest_dirty = bytes;
    return true;
}

/* The state of a page that is not the first of its run. */
static bool is_inner_page_right(tern__span run, size_t page) {
    const tern__page_info *first = &run.arena->info[run.first], *info = first + page;
    if (first->state == TERN__PAGE_SLAB)
        return info->state == TERN__PAGE_SLAB_REST && info->number == page;
    bool is_tail =
        first->state < TERN__PAGE_RUN && tern__span_has_tail(run) && page == run.pages - 1;
    return is_tail || info->state == TERN__PAGE_NONE;
}

static bool audit_run(audit *a, tern__span run) {
    const tern__page_info *info = &run.arena->info[run.first];
    tern__page_state state = (tern__page_state)info->state;
    unsigned id = tern__span_id(run);
    if (run.pages == 0 || run.pages > tern__arena_pages(run.arena) - run.first)
        return complain(a, "page %u: a run of %zu pages", id, run.pages);
    bool is_written = state >= TERN__PAGE_RUN || tern__span_has_tail(run);
    if (run.first + (is_written && !run.arena->is_single ? run.pages : 1) >
        run.arena->touched_pages)
        return complain(a, "page %u: not counted as touched", id);
    if (!run.arena->is_single)
        for (size_t i = 1; i < run.pages; i++)
            if (!is_inner_page_right(run, i))
                return complain(a, "page %u: state %d inside a run", id, info[i].state);
    if (state == TERN__PAGE_CLEAN || state == TERN__PAGE_DIRTY)
        return audit_free_run(a, run, state);
    if (state != TERN__PAGE_RUN && state != TERN__PAGE_SLAB)
        return complain(a, "page %u: a run of state %d", id, (int)state);
    a->figures.live_bytes += run.pages * TERN__PAGE;
    return true;
}

static bool audit_arena(audit *a, tern__arena *arena) {
    size_t used = 0, live = a->figures.live_bytes;
    for (size_t page = 0; page < tern__arena_pages(arena);) {
        tern__span run = tern__span_at(a->runs, tern__page_id(arena, page));
        if (!audit_run(a, run))
            return false;
        page += run.pages;
    }
    used = (a->figures.live_bytes - live) / TERN__PAGE;
    if (used != arena->used_pages)
        return complain(a, "arena %u: %zu pages in use, not %zu", (unsigned)arena->slot, used,
                        arena->used_pages);
    a->figures.mapped_bytes += arena->bytes;
    return true;
}

/* Every run of a bin was found to be linked by its neighbours in the list: their number tells the
 * rest. */
static bool audit_bins(audit *a, const tern__run_bins *set, tern__page_state state,
                       const size_t *counts) {
    for (int bin = 0; bin < TERN__RUN_BINS; bin++) {
        size_t count = 0;
        uint32_t id = set->heads[bin];
        while (id != TERN__NO_PAGE && count <= counts[bin]) {
            if (!is_page(a->runs, id, state) ||
                tern__run_bin(tern__span_at(a->runs, id).pages) != bin)
                return complain(a, "bin %d: holds page %u", bin, (unsigned)id);
            count++;
            id = tern__info_at(a->runs, id)->next;
        }
        if (count != counts[bin])
            return complain(a, "bin %d: has %zu runs, not %zu", bin, count, counts[bin]);
        if ((set->in_use[bin / 64] >> bin % 64 & 1) != (count > 0))
            return complain(a, "bin %d: its bit is wrong", bin);
    }
    return true;
}

static bool audit_ages(audit *a) {
    const tern__runs *runs = a->runs;
    size_t count = 0;
    uint64_t time = 0;
    uint32_t older = TERN__NO_PAGE;
    for (uint32_t id = runs->oldest; id != TERN__NO_PAGE && count <= a->aged; count++) {
        if (!is_page(runs, id, TERN__PAGE_DIRTY) ||
            !tern__span_has_age(runs, tern__span_at(runs, id)))
            return complain(a, "ages: page %u has none", (unsigned)id);
        uint64_t since = tern__arena_at(&runs->arenas, id)->free_bits[id % TERN__ARENA_PAGES];
        if (since < time || since > runs->now || tern__info_at(runs, id)->older != older)
            return complain(a, "ages: page %u is out of order", (unsigned)id);
        time = since;
        older = id;
        id = tern__info_at(runs, id)->younger;
    }
    if (count != a->aged || runs->youngest != older)
        return complain(a, "ages: %zu runs, not %zu", count, a->aged);
    return true;
}

bool tern__runs_verify(const tern__runs *runs, tern__runs_figures *figures, char *text,
                       size_t text_size) {
    audit a = {.runs = runs, .text = text, .text_size = text_size};
    a.figures.bookkeeping_bytes = tern__runs_book_bytes(runs);
    a.figures.system_calls = runs->arenas.system_calls;
    bool is_right = tern__arenas_verify(&runs->arenas, text, text_size);
    for (size_t i = 0; is_right && i < runs->arenas.count; i++)
        is_right = audit_arena(&a, runs->arenas.sorted[i]);
    is_right = is_right && audit_bins(&a, &runs->clean, TERN__PAGE_CLEAN, a.clean_counts) &&
               audit_bins(&a, &runs->dirty, TERN__PAGE_DIRTY, a.dirty_counts) && audit_ages(&a);
    if (figures != NULL)
        *figures = a.figures;
    if (!is_right)
        return false;
    tern__runs_figures running = tern__runs_figures_get(runs);
    if (running.mapped_bytes != a.figures.mapped_bytes ||
        running.live_bytes != a.figures.live_bytes ||
        running.dirty_bytes != a.figures.dirty_bytes ||
        running.largest_dirty != a.figures.largest_dirty)
        return complain(&a, "figures: mapped %zu live %zu dirty %zu largest %zu", //
                        running.mapped_bytes, running.live_bytes, running.dirty_bytes,
                        running.largest_dirty);
    return true;
}
