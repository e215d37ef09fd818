/* SPDX-License-Identifier: MIT
 *
 * Device memory lies twice in the address space. The addresses that cudaMalloc gives are reserved
 * and belong to nothing: whoever touches them dies. The memory itself lies at a fixed distance from
 * them, and what kernels and copies get is translated (emulation_translate). Between two
 * allocations is a guard, and what is allocated is poisoned. TERN_EMULATION_MEMORY is the size of
 * the memory in bytes.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <map>

#include "emulation.h"

std::recursive_mutex emulation_lock;

namespace {

enum : size_t { PAGE = 64 << 10, DEFAULT_BYTES = 1 << 30, POISONED_BYTES = 1 << 20 };

struct arena {
    unsigned char *shown = nullptr, *memory = nullptr;
    size_t total = 0, used = 0, room = 0;
    std::map<size_t, size_t> taken; /* offset: bytes, whole pages */

    static unsigned char *reserve(size_t bytes) {
        void *all =
            mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return all == MAP_FAILED ? nullptr : (unsigned char *)all;
    }

    bool prepare() {
        if (memory != nullptr)
            return true;
        const char *text = getenv("TERN_EMULATION_MEMORY");
        total = text != nullptr ? (size_t)strtoull(text, nullptr, 10) : size_t{DEFAULT_BYTES};
        /* Guards and gaps take addresses, not memory. */
        room = 2 * total + (64 << 20);
        shown = reserve(room);
        memory = shown != nullptr ? reserve(room) : nullptr;
        return memory != nullptr;
    }

    /* The first gap that is large enough, with a guard in front. */
    bool find(size_t bytes, size_t *offset) const {
        size_t end = 0;
        for (auto &part : taken) {
            if (part.first >= end + bytes + 2 * PAGE)
                break;
            end = part.first + part.second;
        }
        *offset = end + PAGE;
        return *offset + bytes + PAGE <= room;
    }

    /* Whether an address is shown, of `bytes` bytes of one allocation. */
    bool has(const void *address, size_t bytes) const {
        const unsigned char *place = (const unsigned char *)address;
        if (shown == nullptr || place < shown || place > shown + room)
            return false;
        size_t offset = (size_t)(place - shown);
        auto next = taken.upper_bound(offset);
        if (next == taken.begin())
            return false;
        --next;
        return offset + bytes <= next->first + next->second;
    }

    ~arena() {
        if (shown != nullptr)
            munmap(shown, room);
        if (memory != nullptr)
            munmap(memory, room);
    }
};

arena the_arena;
cudaError_t last_error = cudaSuccess;

} // namespace

cudaError_t emulation_error(cudaError_t error) {
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

cudaError_t cudaPeekAtLastError() {
    return last_error;
}

cudaError_t cudaGetLastError() {
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

bool emulation_is_device(const void *memory, size_t bytes) {
    return the_arena.has(memory, bytes);
}

void *emulation_place(const void *address) {
    const unsigned char *place = (const unsigned char *)address;
    return (void *)(the_arena.has(place, 0) ? place - the_arena.shown + the_arena.memory : place);
}

void emulation_translate(void *call, size_t bytes) {
    unsigned char *at = (unsigned char *)call;
    for (size_t i = 0; i + sizeof(void *) <= bytes; i += sizeof(void *)) {
        void *word;
        memcpy(&word, at + i, sizeof word);
        word = emulation_place(word);
        memcpy(at + i, &word, sizeof word);
    }
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    *memory = nullptr;
    cudaError_t error = emulation_forbid_in_capture();
    if (error != cudaSuccess || bytes == 0)
        return error;
    size_t offset = 0, whole = (bytes + PAGE - 1) / PAGE * PAGE;
    if (!the_arena.prepare() || bytes > the_arena.total ||
        whole > the_arena.total - the_arena.used || !the_arena.find(whole, &offset))
        return emulation_error(cudaErrorMemoryAllocation);
    unsigned char *place = the_arena.memory + offset;
    if (mprotect(place, whole, PROT_READ | PROT_WRITE) != 0)
        return emulation_error(cudaErrorMemoryAllocation);
    memset(place, 0xff, whole < POISONED_BYTES ? whole : size_t{POISONED_BYTES});
    the_arena.taken[offset] = whole;
    the_arena.used += whole;
    *memory = the_arena.shown + offset;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    cudaError_t error = emulation_forbid_in_capture();
    if (error != cudaSuccess || memory == nullptr)
        return error;
    auto part = the_arena.taken.find((size_t)((unsigned char *)memory - the_arena.shown));
    if (part == the_arena.taken.end())
        return emulation_error(cudaErrorInvalidValue);
    unsigned char *place = the_arena.memory + part->first;
    madvise(place, part->second, MADV_DONTNEED);
    mprotect(place, part->second, PROT_NONE);
    the_arena.used -= part->second;
    the_arena.taken.erase(part);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (!the_arena.prepare())
        return emulation_error(cudaErrorMemoryAllocation);
    *total_bytes = the_arena.total;
    *free_bytes = the_arena.total - the_arena.used;
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned) {
    return cudaMallocHost(memory, bytes);
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    return *memory != nullptr ? cudaSuccess : emulation_error(cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void *memory) {
    free(memory);
    return cudaSuccess;
}
