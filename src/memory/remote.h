/* SPDX-License-Identifier: MIT
 *
 * Blocks released by threads that do not own the pool, on their way home: a lock-free stack. Any
 * thread pushes; whoever takes, takes all at once, so no node is ever looked at by a thread that
 * may lose it (no ABA). The node is written into the released block, which has room for it.
 *
 * Protocol (modelled in tests/protocol/remote.pml, checked by `make check-models`):
 *   - push fails when the stack is closed or holds TERN__REMOTE_MAX nodes; then the thread takes
 * the pool's lock, takes the stack, and gives all of it and its own block back itself.
 *   - after a successful push the thread touches the pool no more: its block is not yet counted as
 *     returned, and once it is, the pool may be gone.
 *   - close takes all and makes every later push fail. An abandoned pool is closed.
 */
#ifndef TERN__REMOTE_H
#define TERN__REMOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERN__REMOTE_MAX 256

/* Written into the released block. */
typedef struct tern__remote_node {
    struct tern__remote_node *next;
    uint64_t what; /* what the releasing thread told: bytes and kind, coded by the pool */
} tern__remote_node;

/* Bits 0..47 of the head are the address of the first node, 48..63 their number; TERN__REMOTE_SHUT
 * when closed. */
typedef struct tern__remote {
    _Atomic uint64_t head;
} tern__remote;

#define TERN__REMOTE_SHUT UINT64_MAX

static inline bool tern__remote_push(tern__remote *remote, void *block, uint64_t what) {
    tern__remote_node *node = block;
    uint64_t head = atomic_load_explicit(&remote->head, memory_order_relaxed), next;
    node->what = what;
    do {
        uint64_t count = head >> 48;
        if (head == TERN__REMOTE_SHUT || count >= TERN__REMOTE_MAX || (uintptr_t)node >> 48 != 0)
            return false;
        node->next = (tern__remote_node *)(uintptr_t)(head & ((UINT64_C(1) << 48) - 1));
        next = (count + 1) << 48 | (uint64_t)(uintptr_t)node;
    } while (!atomic_compare_exchange_weak_explicit(&remote->head, &head, next,
                                                    memory_order_release, memory_order_relaxed));
    return true;
}

static inline tern__remote_node *tern__remote_exchange(tern__remote *remote, uint64_t with) {
    uint64_t head = atomic_exchange_explicit(&remote->head, with, memory_order_acquire);
    return head == TERN__REMOTE_SHUT
               ? NULL
               : (tern__remote_node *)(uintptr_t)(head & ((UINT64_C(1) << 48) - 1));
}

/* All nodes, newest first; NULL when there is none. Never called at the same time as close: both
 * are for the owner or the holder of the lock, and the owner closes under the lock. */
static inline tern__remote_node *tern__remote_take(tern__remote *remote) {
    uint64_t head = atomic_load_explicit(&remote->head, memory_order_relaxed);
    if (head == 0 || head == TERN__REMOTE_SHUT)
        return NULL;
    return tern__remote_exchange(remote, 0);
}

static inline tern__remote_node *tern__remote_close(tern__remote *remote) {
    return tern__remote_exchange(remote, TERN__REMOTE_SHUT);
}

#endif
