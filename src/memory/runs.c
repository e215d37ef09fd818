/* SPDX-License-Identifier: MIT
 * Page runs: bins, ages, the policy of runs.h. What holds between the books: runs_state.h. */
#include "memory/runs_state.h"

#include <assert.h>

#include "base/checked.h"
#include "base/os.h"

/* Runs of a bin that are looked at for one that is long enough. */
enum { FEW = 8 };

/* A huge page, and the shortest run that asks for huge pages. */
#define HUGE_BYTES ((size_t)2 << 20)
#define HUGE_LEAST ((size_t)512 << 10)

/* Dirty pages that may lie idle beside the most live bytes so far: a share of them, and a little.
 */
#define SPARE_BYTES ((size_t)64 << 10)
enum { SPARE_SHARE = 32 };

/* -- bins --------------------------------------------------------------------------------------*/

/* The smallest bin all whose runs have at least `pages`. */
static int fitting_bin(size_t pages) {
    if (pages < 16)
        return (int)pages;
    int e = 63 - __builtin_clzll((unsigned long long)pages);
    return tern__run_bin(pages + ((size_t)1 << (e - 3)) - 1);
}

/* The first bin in use from `bin` on; BINS: none. */
static int next_bin(const tern__run_bins *set, int bin) {
    uint64_t word = set->in_use[bin / 64] & ~UINT64_C(0) << bin % 64;
    for (int i = bin / 64;;) {
        if (word != 0)
            return 64 * i + __builtin_ctzll(word);
        if (++i == TERN__RUN_BIN_WORDS)
            return TERN__RUN_BINS;
        word = set->in_use[i];
    }
}

static tern__run_bins *bins_of(tern__runs *runs, tern__page_state state) {
    return state == TERN__PAGE_DIRTY ? &runs->dirty : &runs->clean;
}

static void bin_link(tern__runs *runs, tern__span run, tern__page_state state) {
    tern__run_bins *set = bins_of(runs, state);
    int bin = tern__run_bin(run.pages);
    uint32_t head = set->heads[bin], id = tern__span_id(run);
    tern__page_info *info = &run.arena->info[run.first];
    info->next = head;
    info->previous = TERN__NO_PAGE;
    if (head != TERN__NO_PAGE)
        tern__info_at(runs, head)->previous = id;
    set->heads[bin] = id;
    set->in_use[bin / 64] |= UINT64_C(1) << bin % 64;
}

static void bin_unlink(tern__runs *runs, tern__span run, tern__page_state state) {
    tern__run_bins *set = bins_of(runs, state);
    int bin = tern__run_bin(run.pages);
    const tern__page_info *info = &run.arena->info[run.first];
    if (info->next != TERN__NO_PAGE)
        tern__info_at(runs, info->next)->previous = info->previous;
    if (info->previous != TERN__NO_PAGE)
        tern__info_at(runs, info->previous)->next = info->next;
    else
        set->heads[bin] = info->next;
    if (set->heads[bin] == TERN__NO_PAGE)
        set->in_use[bin / 64] &= ~(UINT64_C(1) << bin % 64);
}

/* A free run of at least `pages` <= TERN__ARENA_PAGES; looks at `most` runs that may be too short
 * at most. */
static uint32_t find_run(tern__runs *runs, tern__page_state state, size_t pages, size_t most) {
    const tern__run_bins *set = bins_of(runs, state);
    int sure = fitting_bin(pages), own = tern__run_bin(pages);
    if (own != sure) {
        uint32_t id = set->heads[own];
        for (size_t i = 0; i < most && id != TERN__NO_PAGE; i++) {
            const tern__page_info *info = tern__info_at(runs, id);
            if (info->pages >= pages)
                return id;
            id = info->next;
        }
    }
    int bin = next_bin(set, sure);
    return bin < TERN__SINGLE_BIN ? set->heads[bin] : TERN__NO_PAGE;
}

/* -- the age list ------------------------------------------------------------------------------*/

static void age_push(tern__runs *runs, tern__span run) {
    tern__page_info *info = &run.arena->info[run.first];
    run.arena->free_bits[run.first] = runs->now;
    info->older = runs->youngest;
    info->younger = TERN__NO_PAGE;
    if (runs->youngest != TERN__NO_PAGE)
        tern__info_at(runs, runs->youngest)->younger = tern__span_id(run);
    else
        runs->oldest = tern__span_id(run);
    runs->youngest = tern__span_id(run);
}

static void age_remove(tern__runs *runs, tern__span run) {
    const tern__page_info *info = &run.arena->info[run.first];
    if (info->older != TERN__NO_PAGE)
        tern__info_at(runs, info->older)->younger = info->younger;
    else
        runs->oldest = info->younger;
    if (info->younger != TERN__NO_PAGE)
        tern__info_at(runs, info->younger)->older = info->older;
    else
        runs->youngest = info->older;
}

/* `heir`, of the same arena, takes the age of `run` and its place in the list. */
static void age_inherit(tern__runs *runs, tern__span run, tern__span heir) {
    if (run.first == heir.first)
        return;
    tern__page_info *info = &heir.arena->info[heir.first];
    info->older = run.arena->info[run.first].older;
    info->younger = run.arena->info[run.first].younger;
    heir.arena->free_bits[heir.first] = run.arena->free_bits[run.first];
    uint32_t id = tern__span_id(heir);
    *(info->older != TERN__NO_PAGE ? &tern__info_at(runs, info->older)->younger : &runs->oldest) =
        id;
    *(info->younger != TERN__NO_PAGE ? &tern__info_at(runs, info->younger)->older
                                     : &runs->youngest) = id;
}

/* A run that became free was merged with its dirty neighbours, which have 0 pages when there are
 * none: the whole is as old as the largest part, the run itself of age 0. A busy run thus neither
 * keeps a large idle neighbour from decay, nor is a large one given back for a small one's age. */
static void settle_age(tern__runs *runs, tern__span whole, tern__span left, tern__span right) {
    if (!tern__span_has_age(runs, whole))
        return;
    if (!tern__runs_has_drop(runs)) {
        age_push(runs, whole); /* a part of an arena has no age */
        return;
    }
    size_t own = whole.pages - left.pages - right.pages;
    bool keeps_left = left.pages > own && left.pages >= right.pages;
    bool keeps_right = !keeps_left && right.pages > own;
    if (left.pages > 0 && !keeps_left)
        age_remove(runs, left);
    if (right.pages > 0 && !keeps_right)
        age_remove(runs, right);
    if (keeps_left || keeps_right)
        age_inherit(runs, keeps_left ? left : right, whole);
    else
        age_push(runs, whole);
}

/* -- free runs ---------------------------------------------------------------------------------*/

static void mark_free(tern__runs *runs, tern__span run, tern__page_state state) {
    tern__page_info *info = &run.arena->info[run.first];
    bool is_tailed = tern__span_has_tail(run);
    tern__arena_touch(&runs->arenas, run.arena, run.first + (is_tailed ? run.pages : 1));
    info->state = (uint8_t)state;
    info->pages = run.pages < UINT16_MAX ? (uint16_t)run.pages : UINT16_MAX;
    if (is_tailed) {
        info[run.pages - 1].state = (uint8_t)state;
        info[run.pages - 1].pages = info->pages;
    }
}

static void mark_none(tern__span run) {
    tern__page_info *info = &run.arena->info[run.first];
    info->state = TERN__PAGE_NONE;
    if (tern__span_has_tail(run))
        info[run.pages - 1].state = TERN__PAGE_NONE;
}

/* The free neighbour before a run, like tern__span_right. */
static tern__span left_of(tern__span run, tern__page_state state) {
    const tern__page_info *info = run.arena->info;
    if (run.first == 0 || info[run.first - 1].state != state)
        return (tern__span){run.arena, run.first, 0};
    size_t pages = info[run.first - 1].pages;
    return (tern__span){run.arena, run.first - pages, pages};
}

/* Takes pages that no list knows into the bins, merged with their neighbours. The sums are the
 * caller's. */
static void insert_free(tern__runs *runs, tern__span run, tern__page_state state) {
    tern__span left = left_of(run, state), right = tern__span_right(run, state);
    tern__span whole = {run.arena, left.first, left.pages + run.pages + right.pages};
    if (left.pages > 0) {
        bin_unlink(runs, left, state);
        mark_none(left);
    }
    if (right.pages > 0) {
        bin_unlink(runs, right, state);
        mark_none(right);
    }
    mark_free(runs, whole, state);
    if (state == TERN__PAGE_DIRTY)
        settle_age(runs, whole, left, right);
    bin_link(runs, whole, state);
}

/* Takes the first `pages` of a free run into use; the rest stays what it is. */
static void *use_run(tern__runs *runs, uint32_t id, size_t pages) {
    tern__span run = tern__span_at(runs, id);
    tern__page_info *info = &run.arena->info[run.first];
    tern__page_state state = (tern__page_state)info->state;
    tern__span rest = {run.arena, run.first + pages, run.pages - pages};
    bin_unlink(runs, run, state);
    mark_none(run);
    if (rest.pages > 0) {
        mark_free(runs, rest, state);
        bin_link(runs, rest, state);
    }
    if (state == TERN__PAGE_DIRTY) {
        if (rest.pages > 0 && tern__span_has_age(runs, rest))
            age_inherit(runs, run, rest);
        else if (tern__span_has_age(runs, run))
            age_remove(runs, run);
        runs->dirty_bytes -= pages * TERN__PAGE;
    }
    tern__arena_touch(&runs->arenas, run.arena, run.arena->is_single ? 1 : rest.first);
    info->state = TERN__PAGE_RUN;
    if (rest.pages > 0)
        info->pages = (uint16_t)pages;
    run.arena->used_pages += pages;
    runs->live_bytes += pages * TERN__PAGE;
    return run.arena->base + run.first * TERN__PAGE;
}

/* -- giving back -------------------------------------------------------------------------------*/

/* Unmaps an arena that has no run in use; returns the dirty bytes it had. */
static size_t unmap_arena(tern__runs *runs, tern__arena *arena) {
    assert(arena->used_pages == 0);
    size_t dirty = 0;
    for (size_t page = 0; page < tern__arena_pages(arena);) {
        tern__span run = tern__span_at(runs, tern__page_id(arena, page));
        tern__page_state state = (tern__page_state)arena->info[page].state;
        bin_unlink(runs, run, state);
        if (state == TERN__PAGE_DIRTY) {
            dirty += run.pages * TERN__PAGE;
            if (tern__span_has_age(runs, run))
                age_remove(runs, run);
        }
        page += run.pages;
    }
    runs->dirty_bytes -= dirty;
    tern__arena_destroy(&runs->arenas, arena);
    return dirty;
}

static size_t unmap_free_arenas(tern__runs *runs) {
    size_t done = 0;
    for (size_t i = runs->arenas.count; i-- > 0;)
        if (runs->arenas.sorted[i]->used_pages == 0)
            done += unmap_arena(runs, runs->arenas.sorted[i]);
    return done;
}

/* Gives up to `most` pages of a dirty run back, at the end that adjoins clean pages, else the last
 * ones; returns the bytes. */
static size_t drop_run(tern__runs *runs, tern__span run, size_t most) {
    tern__span gone = run, rest = run;
    bin_unlink(runs, run, TERN__PAGE_DIRTY);
    mark_none(run);
    if (run.pages <= most) {
        age_remove(runs, run);
    } else {
        gone.pages = most;
        rest.pages = run.pages - most;
        if (left_of(run, TERN__PAGE_CLEAN).pages > 0 &&
            tern__span_right(run, TERN__PAGE_CLEAN).pages == 0)
            rest.first += most;
        else
            gone.first += rest.pages;
        age_inherit(runs, run, rest);
        mark_free(runs, rest, TERN__PAGE_DIRTY);
        bin_link(runs, rest, TERN__PAGE_DIRTY);
    }
    size_t bytes = gone.pages * TERN__PAGE;
    const tern__source *source = runs->arenas.source;
    runs->arenas.system_calls++;
    source->drop(source->user, run.arena->base + gone.first * TERN__PAGE, bytes);
    runs->dirty_bytes -= bytes;
    insert_free(runs, gone, TERN__PAGE_CLEAN);
    return bytes;
}

static size_t give_oldest(tern__runs *runs, size_t most_pages) {
    tern__span run = tern__span_at(runs, runs->oldest);
    if (run.arena->is_single || !tern__runs_has_drop(runs))
        return unmap_arena(runs, run.arena);
    return drop_run(runs, run, most_pages);
}

size_t tern__runs_purge(tern__runs *runs, size_t goal) {
    size_t done = 0;
    while (done < goal && runs->oldest != TERN__NO_PAGE)
        done += give_oldest(runs, (goal - done - 1) / TERN__PAGE + 1);
    return done;
}

size_t tern__runs_decay(tern__runs *runs) {
    size_t done = 0;
    while (runs->oldest != TERN__NO_PAGE) {
        tern__span run = tern__span_at(runs, runs->oldest);
        if (runs->now - run.arena->free_bits[run.first] < TERN__DECAY_NS)
            break;
        done += give_oldest(runs, SIZE_MAX);
    }
    return done;
}

size_t tern__runs_trim(tern__runs *runs) {
    size_t done = unmap_free_arenas(runs);
    return done + tern__runs_purge(runs, SIZE_MAX);
}

/* Clean pages count as dirty from now on and merge with those that are. */
static void soil_clean_runs(tern__runs *runs) {
    for (int bin; (bin = next_bin(&runs->clean, 0)) < TERN__RUN_BINS;) {
        tern__span run = tern__span_at(runs, runs->clean.heads[bin]);
        bin_unlink(runs, run, TERN__PAGE_CLEAN);
        mark_none(run);
        runs->dirty_bytes += run.pages * TERN__PAGE;
        insert_free(runs, run, TERN__PAGE_DIRTY);
    }
}

/* -- taking ------------------------------------------------------------------------------------*/

/* The clean run of a new arena of the usual size, or of what the source has, at least `pages`. */
static uint32_t map_clean_run(tern__runs *runs, size_t pages) {
    for (size_t size = TERN__ARENA_PAGES;; size /= 2) {
        if (size < pages)
            size = pages;
        tern__arena *arena = tern__arena_create(&runs->arenas, size * TERN__PAGE, false);
        if (arena != NULL) {
            insert_free(runs, (tern__span){arena, 0, size}, TERN__PAGE_CLEAN);
            return tern__page_id(arena, 0);
        }
        if (size == pages)
            return TERN__NO_PAGE;
    }
}

/* The last resort: gives everything free back. */
static uint32_t scrape_run(tern__runs *runs, size_t pages) {
    tern__page_state state = tern__runs_has_drop(runs) ? TERN__PAGE_CLEAN : TERN__PAGE_DIRTY;
    if (tern__runs_has_drop(runs))
        (void)tern__runs_purge(runs, SIZE_MAX);
    else
        soil_clean_runs(runs);
    uint32_t id = find_run(runs, state, pages, SIZE_MAX);
    if (id != TERN__NO_PAGE)
        return id;
    (void)unmap_free_arenas(runs);
    return map_clean_run(runs, pages);
}

/* For the run and what lies around it in the same huge pages, as far as its arena goes: a run
 * seldom begins or ends where a huge page does, and a page that is touched before its whole huge
 * page was asked for stays small. Read from memory by one thread, weights of 1.6 to 4.4 MiB stream
 * a third faster so (Zen 4: 21 against 16 GB/s). */
static void ask_huge(tern__runs *runs, const tern__arena *arena, void *run, size_t bytes) {
    const tern__source *source = runs->arenas.source;
    if (bytes < HUGE_LEAST || source->huge == NULL)
        return;
    uintptr_t begin = (uintptr_t)run & ~(HUGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)run + bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
    uintptr_t first = (uintptr_t)arena->base, last = first + arena->bytes;
    begin = begin < first ? first : begin;
    end = end > last ? last : end;
    runs->arenas.system_calls++;
    source->huge(source->user, (char *)arena->base + (begin - first), end - begin);
}

/* Before memory behind `bytes` of clean pages is committed: gives dirty runs back, oldest first, as
 * far as the commitment would exceed what the most live bytes so far allow. */
static void pay(tern__runs *runs, size_t bytes) {
    size_t live = runs->live_bytes + bytes;
    runs->peak_bytes = live > runs->peak_bytes ? live : runs->peak_bytes;
    size_t allowed = runs->peak_bytes + runs->peak_bytes / SPARE_SHARE + SPARE_BYTES;
    if (live + runs->dirty_bytes > allowed)
        (void)tern__runs_purge(runs, live + runs->dirty_bytes - allowed);
}

/* A run for which no dirty one was found. */
static void *take_clean(tern__runs *runs, size_t pages, bool *is_reused) {
    pay(runs, pages * TERN__PAGE);
    uint32_t id = find_run(runs, TERN__PAGE_CLEAN, pages, FEW);
    if (id == TERN__NO_PAGE)
        id = map_clean_run(runs, pages);
    if (id == TERN__NO_PAGE)
        id = scrape_run(runs, pages);
    if (id == TERN__NO_PAGE)
        return NULL;
    *is_reused = tern__info_at(runs, id)->state == TERN__PAGE_DIRTY;
    void *run = use_run(runs, id, pages);
    if (!*is_reused)
        ask_huge(runs, tern__arena_at(&runs->arenas, id), run, pages * TERN__PAGE);
    return run;
}

/* The smallest free single arena of `bytes` to 8/7 of that. */
static uint32_t find_single(const tern__runs *runs, size_t bytes) {
    uint32_t best = TERN__NO_PAGE;
    size_t best_bytes = SIZE_MAX;
    for (uint32_t id = runs->dirty.heads[TERN__SINGLE_BIN]; id != TERN__NO_PAGE;
         id = tern__info_at(runs, id)->next) {
        size_t room = tern__arena_at(&runs->arenas, id)->bytes;
        if (room >= bytes && room - bytes <= room / 8 && room < best_bytes) {
            best = id;
            best_bytes = room;
        }
    }
    return best;
}

static void *take_single(tern__runs *runs, size_t bytes, bool *is_reused) {
    uint32_t id = find_single(runs, bytes);
    if (id != TERN__NO_PAGE) {
        *is_reused = true;
        return use_run(runs, id, tern__span_at(runs, id).pages);
    }
    pay(runs, bytes);
    tern__arena *arena = tern__arena_create(&runs->arenas, bytes, true);
    if (arena == NULL) {
        (void)tern__runs_trim(runs);
        arena = tern__arena_create(&runs->arenas, bytes, true);
    }
    if (arena == NULL)
        return NULL;
    insert_free(runs, (tern__span){arena, 0, bytes / TERN__PAGE}, TERN__PAGE_CLEAN);
    void *run = use_run(runs, tern__page_id(arena, 0), bytes / TERN__PAGE);
    ask_huge(runs, arena, run, bytes);
    return run;
}

/* Whole pages, at least one. */
static bool round_to_pages(size_t bytes, size_t *rounded) {
    return tern__round_up_size(bytes != 0 ? bytes : 1, TERN__PAGE, rounded);
}

bool tern__runs_would_exceed(tern__runs *runs, size_t pages, size_t most) {
    size_t committed = runs->live_bytes + runs->dirty_bytes;
    if (committed <= most && pages * TERN__PAGE <= most - committed)
        return false;
    return find_run(runs, TERN__PAGE_DIRTY, pages, FEW) == TERN__NO_PAGE;
}

void *tern__runs_take(tern__runs *runs, size_t bytes, bool *is_reused) {
    *is_reused = false;
    size_t rounded;
    if (!round_to_pages(bytes, &rounded))
        return NULL;
    size_t pages = rounded / TERN__PAGE;
    if (pages > TERN__ARENA_PAGES)
        return take_single(runs, rounded, is_reused);
    uint32_t id = find_run(runs, TERN__PAGE_DIRTY, pages, FEW);
    if (id == TERN__NO_PAGE)
        return take_clean(runs, pages, is_reused);
    *is_reused = true;
    return use_run(runs, id, pages);
}

void tern__runs_give(tern__runs *runs, void *address, size_t bytes) {
    tern__arena *arena = tern__arena_find(&runs->arenas, address);
    assert(arena != NULL);
    size_t first = (size_t)((char *)address - arena->base) / TERN__PAGE;
    tern__span run = {arena, first, tern__run_bytes(arena, first) / TERN__PAGE};
    tern__page_info *info = &arena->info[first];
    assert(info->state == TERN__PAGE_RUN || info->state == TERN__PAGE_SLAB);
    assert((char *)address == arena->base + first * TERN__PAGE);
    assert((bytes != 0 ? bytes - 1 : 0) / TERN__PAGE < run.pages);
    assert(arena->is_single || (bytes != 0 ? bytes - 1 : 0) / TERN__PAGE + 1 == run.pages);
    (void)bytes;

    if (info->state == TERN__PAGE_SLAB)
        for (size_t i = 1; i < run.pages; i++)
            info[i].state = TERN__PAGE_NONE;
    info->state = TERN__PAGE_NONE;
    arena->used_pages -= run.pages;
    runs->live_bytes -= run.pages * TERN__PAGE;
    runs->dirty_bytes += run.pages * TERN__PAGE;
    insert_free(runs, run, TERN__PAGE_DIRTY);
}

/* -- life, lookup, figures ---------------------------------------------------------------------*/

tern__runs *tern__runs_create(const tern__source *source) {
    tern__runs *runs = tern__os()->alloc(sizeof *runs);
    if (runs == NULL)
        return NULL;
    runs->arenas.source = source;
    for (int bin = 0; bin < TERN__RUN_BINS; bin++)
        runs->clean.heads[bin] = runs->dirty.heads[bin] = TERN__NO_PAGE;
    runs->oldest = runs->youngest = TERN__NO_PAGE;
    return runs;
}

void tern__runs_destroy(tern__runs *runs) {
    if (runs == NULL)
        return;
    tern__arenas_deinit(&runs->arenas);
    tern__os()->free(runs);
}

void tern__runs_set_time(tern__runs *runs, uint64_t now_ns) {
    if (now_ns > runs->now)
        runs->now = now_ns;
}

bool tern__runs_find(const tern__runs *runs, const void *address, tern__arena **arena,
                     size_t *page) {
    tern__arena *found = tern__arena_find(&runs->arenas, address);
    if (found == NULL)
        return false;
    *arena = found;
    *page = found->is_single ? 0 : (size_t)((const char *)address - found->base) / TERN__PAGE;
    return true;
}

tern__arena *tern__runs_arena_of(const tern__runs *runs, uint32_t page_id, size_t *page) {
    *page = page_id % TERN__ARENA_PAGES;
    return tern__arena_at(&runs->arenas, page_id);
}

static size_t largest_dirty(const tern__runs *runs) {
    size_t largest = 0;
    int top = -1;
    for (int i = 0; i < TERN__RUN_BIN_WORDS; i++)
        if (runs->dirty.in_use[i] != 0)
            top = 64 * i + 63 - __builtin_clzll(runs->dirty.in_use[i]);
    if (top < 0)
        return 0;
    for (uint32_t id = runs->dirty.heads[top]; id != TERN__NO_PAGE;
         id = tern__info_at(runs, id)->next) {
        size_t bytes = tern__span_at(runs, id).pages * TERN__PAGE;
        largest = bytes > largest ? bytes : largest;
        if (top < 16)
            break; /* all are equal */
    }
    return largest;
}

tern__runs_figures tern__runs_figures_get(const tern__runs *runs) {
    return (tern__runs_figures){
        .mapped_bytes = runs->arenas.mapped_bytes,
        .live_bytes = runs->live_bytes,
        .dirty_bytes = runs->dirty_bytes,
        .largest_dirty = largest_dirty(runs),
        .bookkeeping_bytes = tern__runs_book_bytes(runs),
        .system_calls = runs->arenas.system_calls,
    };
}

void tern__runs_walk(const tern__runs *runs, tern__run_visit visit, void *user) {
    for (size_t i = 0; i < runs->arenas.count; i++) {
        const tern__arena *arena = runs->arenas.sorted[i];
        size_t pages = tern__arena_pages(arena);
        for (size_t page = 0; page < pages; page += tern__run_bytes(arena, page) / TERN__PAGE)
            if (arena->info[page].state >= TERN__PAGE_RUN)
                visit(user, arena, page);
    }
}
