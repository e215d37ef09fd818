/* SPDX-License-Identifier: MIT
 *
 * Fibers: stacks of their own, and a switch between them that makes no system call.
 */
#ifndef TERN_EMULATION_FIBERS_H
#define TERN_EMULATION_FIBERS_H

struct emulation_fiber {
    void *place; /* stack pointer while it does not run */
};

/* A fresh fiber that will run `body`, which never returns. The same `number` gets the same stack:
 * give each number once at a time. */
emulation_fiber emulation_fiber_make(int number, void (*body)());

/* Goes on in `to` and keeps the place here in `from`. */
void emulation_fiber_switch(emulation_fiber *from, const emulation_fiber *to);

#endif
