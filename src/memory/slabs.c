/* SPDX-License-Identifier: MIT
 *
 * Invariants, for each slab of n blocks: bits 0..n-1 of its words of free_bits are the free ones,
 * no bit above is set; `number` of its first page is n minus their count and is never 0 between
 * calls; the slab is in the list of its class if and only if it has a free block.
 */
#include "memory/slabs.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A slab has two pages at least (the second holds a number, see slabs.h) and four blocks, unless it
 * is as large as this. */
#define SLAB_LARGE ((size_t)16 << 10)

void tern__slabs_init(tern__slabs *slabs, tern__runs *runs) {
    memset(slabs, 0, sizeof *slabs);
    slabs->runs = runs;
    for (int c = 0; c < TERN__SLAB_CLASSES; c++) {
        size_t room = tern__class_room(c), bytes = 2 * TERN__PAGE;
        while (bytes < room || bytes % room > bytes / 32 ||
               (bytes < 4 * room && bytes < SLAB_LARGE))
            bytes += TERN__PAGE;
        slabs->partial[c] = TERN__NO_PAGE;
        slabs->pages[c] = (uint16_t)(bytes / TERN__PAGE);
        slabs->blocks[c] = (uint16_t)(bytes / room);
    }
}

static tern__page_info *info_of(const tern__slabs *slabs, uint32_t id) {
    size_t page;
    tern__arena *arena = tern__runs_arena_of(slabs->runs, id, &page);
    return &arena->info[page];
}

static uint32_t id_of(const tern__arena *arena, size_t page) {
    return (uint32_t)(arena->slot * TERN__ARENA_PAGES + page);
}

static void link_slab(tern__slabs *slabs, uint32_t id, tern__page_info *info) {
    uint32_t *list = &slabs->partial[info->size_class];
    info->next = *list;
    info->previous = TERN__NO_PAGE;
    if (*list != TERN__NO_PAGE)
        info_of(slabs, *list)->previous = id;
    *list = id;
}

static void unlink_slab(tern__slabs *slabs, tern__page_info *info) {
    if (info->previous != TERN__NO_PAGE)
        info_of(slabs, info->previous)->next = info->next;
    else
        slabs->partial[info->size_class] = info->next;
    if (info->next != TERN__NO_PAGE)
        info_of(slabs, info->next)->previous = info->previous;
}

static bool make_slab(tern__slabs *slabs, int size_class) {
    size_t pages = slabs->pages[size_class], page;
    bool is_reused;
    char *run = tern__runs_take(slabs->runs, pages * TERN__PAGE, &is_reused);
    if (run == NULL)
        return false;
    tern__arena *arena;
    bool is_found = tern__runs_find(slabs->runs, run, &arena, &page);
    assert(is_found && !arena->is_single), (void)is_found;
    tern__page_info *info = &arena->info[page];
    info->state = TERN__PAGE_SLAB;
    info->size_class = (uint8_t)size_class;
    info->number = 0;
    for (size_t p = 1; p < pages; p++) {
        info[p].state = TERN__PAGE_SLAB_REST;
        info[p].number = (uint16_t)p;
    }
    info[1].next = 0;
    size_t left = slabs->blocks[size_class];
    for (size_t p = 0; p < pages; p++) {
        size_t bits = left < 64 ? left : 64;
        arena->free_bits[page + p] = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        left -= bits;
    }
    link_slab(slabs, id_of(arena, page), info);
    slabs->slab_count[size_class]++;
    return true;
}

/* The last block of the slab came back. */
static void drop_slab(tern__slabs *slabs, tern__arena *arena, size_t page) {
    tern__page_info *info = &arena->info[page];
    size_t pages = slabs->pages[info->size_class];
    unlink_slab(slabs, info);
    slabs->slab_count[info->size_class]--;
    for (size_t p = 1; p < pages; p++)
        info[p] = (tern__page_info){.next = TERN__NO_PAGE, .previous = TERN__NO_PAGE};
    info->state = TERN__PAGE_RUN;
    tern__runs_give(slabs->runs, arena->base + page * TERN__PAGE, pages * TERN__PAGE);
}

/* Up to `count` blocks of one slab that has a free one. */
static int take_from(tern__slabs *slabs, tern__arena *arena, size_t page, void **blocks, int count,
                     int *fresh) {
    tern__page_info *info = &arena->info[page];
    uint32_t room = (uint32_t)tern__class_room(info->size_class);
    char *base = arena->base + page * TERN__PAGE;
    int taken = 0;
    for (size_t word = 0; word < info->pages && taken < count; word++) {
        uint64_t bits = arena->free_bits[page + word];
        while (bits != 0 && taken < count) {
            uint32_t index = (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(bits);
            bits &= bits - 1;
            if (index >= info[1].next) {
                info[1].next = index + 1;
                ++*fresh;
            }
            blocks[taken++] = base + (size_t)index * room;
        }
        arena->free_bits[page + word] = bits;
    }
    info->number = (uint16_t)(info->number + taken);
    if (info->number == slabs->blocks[info->size_class])
        unlink_slab(slabs, info);
    return taken;
}

int tern__slabs_take(tern__slabs *slabs, int size_class, void **blocks, int count, int *fresh) {
    int taken = 0;
    *fresh = 0;
    while (taken < count) {
        uint32_t id = slabs->partial[size_class];
        if (id == TERN__NO_PAGE) {
            if (!make_slab(slabs, size_class))
                break;
            id = slabs->partial[size_class];
        }
        size_t page;
        tern__arena *arena = tern__runs_arena_of(slabs->runs, id, &page);
        taken += take_from(slabs, arena, page, blocks + taken, count - taken, fresh);
    }
    slabs->live_blocks[size_class] += taken;
    return taken;
}

static void give_block(tern__slabs *slabs, char *block) {
    tern__arena *arena;
    size_t page;
    bool is_found = tern__runs_find(slabs->runs, block, &arena, &page);
    assert(is_found), (void)is_found;
    if (arena->info[page].state == TERN__PAGE_SLAB_REST)
        page -= arena->info[page].number;
    tern__page_info *info = &arena->info[page];
    assert(info->state == TERN__PAGE_SLAB);
    uint32_t offset = (uint32_t)(block - (arena->base + page * TERN__PAGE));
    uint32_t room = (uint32_t)tern__class_room(info->size_class), index = offset / room;
    uint64_t bit = UINT64_C(1) << index % 64;
    assert(offset % room == 0 && (arena->free_bits[page + index / 64] & bit) == 0);
    arena->free_bits[page + index / 64] |= bit;
    slabs->live_blocks[info->size_class]--;
    if (info->number-- == slabs->blocks[info->size_class])
        link_slab(slabs, id_of(arena, page), info);
    if (info->number == 0)
        drop_slab(slabs, arena, page);
}

void tern__slabs_give(tern__slabs *slabs, void *const *blocks, int count) {
    for (int i = 0; i < count; i++)
        give_block(slabs, blocks[i]);
}

void *tern__slab_block(const tern__arena *arena, size_t first_page, const void *address,
                       bool *is_free) {
    const tern__page_info *info = &arena->info[first_page];
    char *base = arena->base + first_page * TERN__PAGE;
    size_t room = tern__class_room(info->size_class);
    size_t index = (size_t)((const char *)address - base) / room;
    if (index >= info->pages * TERN__PAGE / room)
        return NULL;
    *is_free = (arena->free_bits[first_page + index / 64] >> index % 64 & 1) != 0;
    return base + index * room;
}

/* -- verify ------------------------------------------------------------------------------------*/

typedef struct walk {
    const tern__slabs *slabs;
    int64_t used[TERN__SLAB_CLASSES], count[TERN__SLAB_CLASSES], partial[TERN__SLAB_CLASSES];
    char *text;
    size_t text_size;
    bool is_whole;
} walk;

static void complain(walk *w, const char *what, int size_class) {
    if (w->is_whole)
        snprintf(w->text, w->text_size, "slabs of class %d: %s", size_class, what);
    w->is_whole = false;
}

static void visit_slab(void *user, const tern__arena *arena, size_t page) {
    walk *w = user;
    const tern__page_info *info = &arena->info[page];
    if (info->state != TERN__PAGE_SLAB)
        return;
    int c = info->size_class;
    if (c >= TERN__SLAB_CLASSES || info->pages != w->slabs->pages[c]) {
        complain(w, "a slab has the wrong pages", c);
        return;
    }
    size_t blocks = w->slabs->blocks[c], is_free = 0;
    for (size_t i = 0; i < 64u * info->pages; i++) {
        bool bit = (arena->free_bits[page + i / 64] >> i % 64 & 1) != 0;
        is_free += bit;
        if (bit && i >= blocks)
            complain(w, "a free block beyond the last", c);
        if (!bit && i < blocks && i >= info[1].next)
            complain(w, "a block in use was never taken", c);
    }
    for (size_t p = 1; p < info->pages; p++)
        if (info[p].state != TERN__PAGE_SLAB_REST || info[p].number != p)
            complain(w, "a page does not know its slab", c);
    if (info->number != blocks - is_free || info->number == 0)
        complain(w, "a wrong number of blocks in use", c);
    w->used[c] += info->number;
    w->count[c]++;
    w->partial[c] += is_free != 0;
}

static void check_list(walk *w, int c) {
    uint32_t previous = TERN__NO_PAGE, id = w->slabs->partial[c];
    for (int64_t left = w->partial[c]; id != TERN__NO_PAGE; left--) {
        const tern__page_info *info = info_of(w->slabs, id);
        if (left == 0 || info->state != TERN__PAGE_SLAB || info->size_class != c ||
            info->previous != previous || info->number == w->slabs->blocks[c]) {
            complain(w, "the list of slabs with free blocks is damaged", c);
            return;
        }
        w->partial[c]--;
        previous = id;
        id = info->next;
    }
    if (w->partial[c] != 0)
        complain(w, "a slab with free blocks is in no list", c);
}

bool tern__slabs_verify(const tern__slabs *slabs, char *text, size_t text_size) {
    walk w = {.slabs = slabs, .text = text, .text_size = text_size, .is_whole = true};
    tern__runs_walk(slabs->runs, visit_slab, &w);
    for (int c = 0; c < TERN__SLAB_CLASSES && w.is_whole; c++) {
        check_list(&w, c);
        if (w.used[c] != slabs->live_blocks[c] || w.count[c] != slabs->slab_count[c])
            complain(&w, "a running figure is wrong", c);
    }
    return w.is_whole;
}
