/* SPDX-License-Identifier: MIT
 *
 * Device memory: one reservation, which nobody may touch but kernels and copies while they run.
 * Between two allocations lies a guard page, and what is allocated is poisoned.
 * TERN_EMULATION_MEMORY is the size of the memory in bytes.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <map>

#include "emulation.h"

std::recursive_mutex emulation_lock;

namespace {

enum : size_t { PAGE = 64 << 10, DEFAULT_BYTES = 1 << 30, POISONED_BYTES = 16 << 20 };

struct arena {
    unsigned char *memory = nullptr;
    size_t total = 0, used = 0, room = 0;
    std::map<size_t, size_t> taken; /* offset: bytes, whole pages */
    int open = 0;                   /* accesses */

    void protect(int how) {
        for (auto &part : taken)
            if (mprotect(memory + part.first, part.second, how) != 0)
                emulation_die("device memory cannot be opened or closed");
    }

    bool prepare() {
        if (memory != nullptr)
            return true;
        const char *text = getenv("TERN_EMULATION_MEMORY");
        total = text != nullptr ? (size_t)strtoull(text, nullptr, 10) : size_t{DEFAULT_BYTES};
        /* Guards and gaps take addresses, not memory. */
        room = 2 * total + (64 << 20);
        void *all =
            mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED)
            return false;
        memory = (unsigned char *)all;
        return true;
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

    ~arena() {
        if (memory != nullptr)
            munmap(memory, room);
    }
};

arena the_arena;
cudaError_t last_error = cudaSuccess;

} // namespace

emulation_access::emulation_access() {
    emulation_lock.lock();
    if (the_arena.open++ == 0)
        the_arena.protect(PROT_READ | PROT_WRITE);
}

emulation_access::~emulation_access() {
    if (--the_arena.open == 0)
        the_arena.protect(PROT_NONE);
    emulation_lock.unlock();
}

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
    const unsigned char *place = (const unsigned char *)memory;
    if (the_arena.memory == nullptr || place < the_arena.memory)
        return false;
    size_t offset = (size_t)(place - the_arena.memory);
    auto next = the_arena.taken.upper_bound(offset);
    if (next == the_arena.taken.begin())
        return false;
    --next;
    return offset + bytes <= next->first + next->second;
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
    memset(place, 0xff, whole < POISONED_BYTES ? whole : POISONED_BYTES);
    if (the_arena.open == 0 && mprotect(place, whole, PROT_NONE) != 0)
        return emulation_error(cudaErrorMemoryAllocation);
    the_arena.taken[offset] = whole;
    the_arena.used += whole;
    *memory = place;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    cudaError_t error = emulation_forbid_in_capture();
    if (error != cudaSuccess || memory == nullptr)
        return error;
    auto part = the_arena.taken.find((size_t)((unsigned char *)memory - the_arena.memory));
    if (part == the_arena.taken.end())
        return emulation_error(cudaErrorInvalidValue);
    madvise(memory, part->second, MADV_DONTNEED);
    mprotect(memory, part->second, PROT_NONE);
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
