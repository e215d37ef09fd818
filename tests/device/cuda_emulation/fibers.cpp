/* SPDX-License-Identifier: MIT */
#include "fibers.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "emulation_device.h"

namespace {

enum : size_t { STACK = 256 << 10, GUARD = 64 << 10 }; /* a guard is whole pages of any machine */
enum { FIBERS = 1024 };

unsigned char *stacks; /* all of them, from the first fiber on */
int stacks_made;

unsigned char *stack_end(int number) {
    if (stacks == nullptr) {
        void *all = mmap(nullptr, FIBERS * (STACK + GUARD), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED)
            emulation_die("no memory for the stacks of fibers");
        stacks = (unsigned char *)all;
    }
    unsigned char *stack = stacks + (size_t)number * (STACK + GUARD) + GUARD;
    if (number >= stacks_made) {
        if (mprotect(stack, STACK, PROT_READ | PROT_WRITE) != 0)
            emulation_die("no memory for the stack of a fiber");
        stacks_made = number + 1;
    }
    return stack + STACK;
}

__attribute__((destructor)) void unmap_stacks() {
    if (stacks != nullptr)
        munmap(stacks, FIBERS * (STACK + GUARD));
}

} // namespace

extern "C" void emulation_switch(void **from, void *to);

/* The registers that a call keeps go to the stack, the stack pointer to *from. */
#if defined(__x86_64__)
asm(R"(
    .text
    .type emulation_switch, @function
emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulation_switch, . - emulation_switch
)");
enum { SAVED_WORDS = 6, RETURN_WORD = 6 };
#elif defined(__aarch64__)
asm(R"(
    .text
    .type emulation_switch, %function
emulation_switch:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size emulation_switch, . - emulation_switch
)");
enum { SAVED_WORDS = 20, RETURN_WORD = 11 };
#else
#error "the CUDA emulation has no switch of fibers for this processor"
#endif

emulation_fiber emulation_fiber_make(int number, void (*body)()) {
    /* As if `body` had called the switch: its return address, and behind it the one that a called
     * function finds on its stack, which keeps the alignment that it expects. */
    void **place = (void **)stack_end(number) - 2 - SAVED_WORDS - 2;
    memset(place, 0, (SAVED_WORDS + 4) * sizeof *place);
    memcpy(&place[RETURN_WORD], &body, sizeof body);
    return {place};
}

void emulation_fiber_switch(emulation_fiber *from, const emulation_fiber *to) {
    emulation_switch(&from->place, to->place);
}
