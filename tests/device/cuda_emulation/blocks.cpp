/* SPDX-License-Identifier: MIT
 *
 * The threads of a block as fibers. A fiber takes threads one after the other; only when one of
 * them waits does it stay with it, and another fiber takes the next. So a kernel that never waits
 * costs no switch. Blocks take their threads forwards and backwards by turns, which shows where a
 * barrier is missing.
 */
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "emulation.h"
#include "fibers.h"

emulation_thread emulation_here;

namespace {

enum { THREADS = 1024, WARP = 32, WARPS = THREADS / WARP };
enum { POISONED_BLOCKS = 2, POISON = 0xff }; /* all ones is a NaN, and -1 */
enum : size_t { SHARED_MAX = 227 << 10 };

struct async_copy {
    void *to;
    const void *from;
    int bytes, group;
};

struct place {
    const char *file = nullptr;
    int line = 0;
};

struct thread_state {
    int fiber = -1; /* whose stack it waits on */
    bool has_ended = false;
    place at;
    int group = 0; /* of asynchronous copies, the open one */
    std::vector<async_copy> copies;
};

struct warp_state {
    unsigned mask = 0, arrived = 0; /* of the exchange that is being waited for */
    place at;
    int turn = 0; /* which half of the slots it fills */
    emulation_slot slots[2][WARP];
};

/* The block that runs. */
struct block_state {
    const emulation_kernel *kernel;
    int threads, next, ended, waiting, running;
    bool is_backward;
    place at; /* where they wait for all threads */
    thread_state thread[THREADS];
    warp_state warp[WARPS];
    emulation_fiber fibers[THREADS], scheduler;
    int fibers_made, fiber_to_run;
    std::vector<int> idle;  /* fibers without a thread */
    std::vector<int> ready; /* threads that may go on */
};

block_state the_block;
unsigned char *shared_memory; /* dynamic: room for the most, then a guard page */
unsigned char *shared_first;  /* of this launch */

void set_indices(int thread) {
    const dim3 &block = the_block.kernel->block;
    unsigned t = (unsigned)thread;
    the_block.running = thread;
    emulation_here.thread = {t % block.x, t / block.x % block.y, t / block.x / block.y};
}

/* Back to the scheduler, until everybody has come. */
void wait_at(const place &at) {
    block_state &b = the_block;
    int thread = b.running, fiber = b.thread[thread].fiber;
    b.thread[thread].at = at;
    emulation_fiber_switch(&b.fibers[fiber], &b.scheduler);
    set_indices(thread);
}

void run_thread(int thread, int fiber) {
    thread_state &t = the_block.thread[thread];
    t.fiber = fiber;
    set_indices(thread);
    the_block.kernel->run();
    if (!t.copies.empty())
        emulation_die("thread %d ends before it waits for its asynchronous copies", thread);
    t.has_ended = true;
    the_block.ended++;
}

void fiber_body() {
    block_state &b = the_block;
    for (;;) {
        int fiber = b.fiber_to_run;
        while (b.next < b.threads) {
            int turn = b.next++;
            run_thread(b.is_backward ? b.threads - 1 - turn : turn, fiber);
        }
        b.idle.push_back(fiber);
        emulation_fiber_switch(&b.fibers[fiber], &b.scheduler);
    }
}

void resume(int fiber) {
    the_block.fiber_to_run = fiber;
    emulation_fiber_switch(&the_block.scheduler, &the_block.fibers[fiber]);
}

int idle_fiber() {
    block_state &b = the_block;
    if (b.idle.empty()) {
        b.fibers[b.fibers_made] = emulation_fiber_make(b.fibers_made, fiber_body);
        return b.fibers_made++;
    }
    int fiber = b.idle.back();
    b.idle.pop_back();
    return fiber;
}

bool is_same(const place &a, const place &b) {
    return a.line == b.line && strcmp(a.file, b.file) == 0;
}

/* Nobody can go on, and not all have ended. */
[[noreturn]] void report_divergence() {
    const block_state &b = the_block;
    int first = 0;
    while (b.thread[first].has_ended)
        first++;
    const place &at = b.thread[first].at;
    for (int i = 0; i < b.threads; i++) {
        const thread_state &t = b.thread[i];
        if (t.has_ended)
            emulation_die("threads diverge: thread %d waits at %s:%d, thread %d has ended", first,
                          at.file, at.line, i);
        if (!is_same(t.at, at))
            emulation_die("threads diverge: thread %d waits at %s:%d, thread %d at %s:%d", first,
                          at.file, at.line, i, t.at.file, t.at.line);
    }
    emulation_die("threads wait at %s:%d for lanes that never come", at.file, at.line);
}

void run_block() {
    block_state &b = the_block;
    b.next = b.ended = b.waiting = 0;
    for (int i = 0; i < b.threads; i++) {
        b.thread[i].has_ended = false;
        b.thread[i].group = 0;
    }
    while (b.ended < b.threads) {
        if (!b.ready.empty()) {
            std::vector<int> now;
            now.swap(b.ready);
            for (int thread : now)
                resume(b.thread[thread].fiber);
        } else if (b.next < b.threads) {
            resume(idle_fiber());
        } else {
            report_divergence();
        }
    }
}

/* -- shared memory -----------------------------------------------------------------------------*/

struct storage {
    void *first;
    size_t bytes;
};

/* The thread-local storage of this shared object: all __shared__ arrays. */
int find_storage(dl_phdr_info *info, size_t, void *out) {
    ElfW(Addr) here = (ElfW(Addr)) & find_storage;
    bool is_ours = false;
    size_t bytes = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &part = info->dlpi_phdr[i];
        ElfW(Addr) first = info->dlpi_addr + part.p_vaddr;
        is_ours |= part.p_type == PT_LOAD && here >= first && here < first + part.p_memsz;
        if (part.p_type == PT_TLS)
            bytes = part.p_memsz;
    }
    if (is_ours)
        *(storage *)out = {info->dlpi_tls_data, bytes};
    return is_ours;
}

void make_dynamic(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (SHARED_MAX + page - 1) / page * page;
    if (shared_memory == nullptr) {
        void *all =
            mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED || mprotect((char *)all + room, page, PROT_NONE) != 0)
            emulation_die("no memory for shared memory");
        shared_memory = (unsigned char *)all;
    }
    shared_first = shared_memory + room - (bytes + 127) / 128 * 128;
}

void poison(const storage &fixed, size_t dynamic_bytes) {
    if (fixed.first != nullptr)
        memset(fixed.first, POISON, fixed.bytes);
    memset(shared_first, POISON, dynamic_bytes);
}

__attribute__((destructor)) void unmap_shared() {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (SHARED_MAX + page - 1) / page * page;
    if (shared_memory != nullptr)
        munmap(shared_memory, room + page);
}

} // namespace

unsigned char *emulation_dynamic_shared() {
    return shared_first;
}

void emulation_run(const emulation_kernel &kernel) {
    static bool is_backward;
    storage fixed = {};
    dl_iterate_phdr(find_storage, &fixed);
    make_dynamic(kernel.shared_bytes);
    the_block.kernel = &kernel;
    the_block.threads = (int)(kernel.block.x * kernel.block.y * kernel.block.z);
    emulation_here.block_dim = kernel.block;
    emulation_here.grid_dim = kernel.grid;
    uint64_t blocks = (uint64_t)kernel.grid.x * kernel.grid.y * kernel.grid.z;
    for (uint64_t i = 0; i < blocks; i++) {
        if (i < POISONED_BLOCKS)
            poison(fixed, kernel.shared_bytes);
        is_backward = !is_backward;
        the_block.is_backward = is_backward;
        uint64_t rest = i / kernel.grid.x;
        emulation_here.block = {(unsigned)(i % kernel.grid.x), (unsigned)(rest % kernel.grid.y),
                                (unsigned)(rest / kernel.grid.y)};
        run_block();
    }
}

/* -- waiting for one another -------------------------------------------------------------------*/

void emulation_block_barrier(const char *file, int line) {
    block_state &b = the_block;
    place here = {file, line};
    if (b.waiting++ == 0)
        b.at = here;
    else if (!is_same(b.at, here))
        emulation_die("threads diverge: some are in the barrier at %s:%d, thread %d in that at "
                      "%s:%d",
                      b.at.file, b.at.line, b.running, file, line);
    if (b.waiting < b.threads) {
        wait_at(here);
        return;
    }
    b.waiting = 0;
    for (int i = 0; i < b.threads; i++)
        if (i != b.running)
            b.ready.push_back(i);
}

int emulation_lane() {
    return the_block.running % WARP;
}

int emulation_capability() {
    return the_block.kernel->capability;
}

const emulation_slot *emulation_exchange(unsigned mask, const void *mine, size_t bytes,
                                         const char *file, int line) {
    block_state &b = the_block;
    int lane = b.running % WARP, first = b.running - lane;
    warp_state &w = b.warp[b.running / WARP];
    place here = {file, line};
    if (w.arrived == 0) {
        w.mask = mask;
        w.at = here;
    }
    if (w.mask != mask || !is_same(w.at, here) || (mask >> lane & 1u) == 0)
        emulation_die("lanes diverge: some exchange at %s:%d with mask %08x, lane %d at %s:%d "
                      "with %08x",
                      w.at.file, w.at.line, w.mask, lane, file, line, mask);
    int turn = w.turn;
    if (bytes > 0)
        memcpy(w.slots[turn][lane], mine, bytes);
    w.arrived |= 1u << lane;
    if (w.arrived != mask) {
        wait_at(here);
        return w.slots[turn];
    }
    w.arrived = 0;
    w.turn = !turn;
    for (int i = 0; i < WARP; i++)
        if (i != lane && (mask >> i & 1u) != 0)
            b.ready.push_back(first + i);
    return w.slots[turn];
}

void emulation_copy_async(void *shared, const void *global, int bytes) {
    thread_state &t = the_block.thread[the_block.running];
    if (((uintptr_t)shared | (uintptr_t)global) % (unsigned)bytes != 0)
        emulation_die("an asynchronous copy of %d bytes is not aligned", bytes);
    t.copies.push_back({shared, global, bytes, t.group});
}

void emulation_copy_commit() {
    the_block.thread[the_block.running].group++;
}

void emulation_copy_wait(int groups) {
    thread_state &t = the_block.thread[the_block.running];
    size_t done = 0;
    while (done < t.copies.size() && t.copies[done].group < t.group - groups) {
        const async_copy &copy = t.copies[done++];
        memcpy(copy.to, copy.from, (size_t)copy.bytes);
    }
    t.copies.erase(t.copies.begin(), t.copies.begin() + (ptrdiff_t)done);
}

void emulation_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("CUDA emulation: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (block %u, %u, %u)\n", blockIdx.x, blockIdx.y, blockIdx.z);
    va_end(arguments);
    abort();
}
