/* SPDX-License-Identifier: MIT */
#include "ops/lapack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/status.h"
#include "base/threads.h"

/* Where LAPACK is looked for, the fastest first. */
static const char *const library_names[] = {
    "libopenblas.so.0",
    "liblapack.so.3",
    "libopenblas.so",
#if defined(__APPLE__)
    "/System/Library/Frameworks/Accelerate.framework/Accelerate",
#endif
};
enum { LIBRARIES = sizeof library_names / sizeof *library_names };

static const struct {
    const char *name;
    size_t offset; /* of the pointer in tern__lapack */
} routines[] = {
    {"gesv", offsetof(tern__lapack, gesv)},   {"getrf", offsetof(tern__lapack, getrf)},
    {"potrf", offsetof(tern__lapack, potrf)}, {"geqrf", offsetof(tern__lapack, geqrf)},
    {"orgqr", offsetof(tern__lapack, orgqr)}, {"gesdd", offsetof(tern__lapack, gesdd)},
    {"syevd", offsetof(tern__lapack, syevd)}, {"geev", offsetof(tern__lapack, geev)},
    {"gelsd", offsetof(tern__lapack, gelsd)}, {"gemm", offsetof(tern__lapack, gemm)},
};
enum { ROUTINES = sizeof routines / sizeof *routines };

_Static_assert(sizeof(tern__lapack) == ROUTINES * sizeof(void (*)(void)), "every routine is named");

/* The one of this process. The lock guards all of it; what is open does not change while somebody
 * is inside. */
static struct {
    tern__lock lock;
    tern__library *opened; /* NULL: not open */
    tern__lapack precisions[2];
    int (*threads_get)(void); /* of OpenBLAS, else NULL */
    void (*threads_set)(int threads);
    int inside;  /* calls that entered and did not leave */
    int threads; /* what OpenBLAS had before the first of them */
} state = {.lock = {PTHREAD_MUTEX_INITIALIZER}};

/* Puts the symbol's address into the function pointer at `to`. */
static bool bind_symbol(tern__library *library, const char *name, void *to) {
    void *address = tern__library_symbol(library, name);
    memcpy(to, &address, sizeof address);
    return address != NULL;
}

static bool bind_routines(tern__library *library, char *why, size_t why_size) {
    for (int i = 0; i < 2 * ROUTINES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%c%s_", "sd"[i % 2], routines[i / 2].name);
        if (!bind_symbol(library, name,
                         (char *)&state.precisions[i % 2] + routines[i / 2].offset)) {
            snprintf(why, why_size, "it has no %s", name);
            return false;
        }
    }
    if (!bind_symbol(library, "openblas_get_num_threads", &state.threads_get) ||
        !bind_symbol(library, "openblas_set_num_threads", &state.threads_set))
        state.threads_set = NULL;
    return true;
}

static bool open_one(const char *name, char *why, size_t why_size) {
    tern__library *library = tern__library_open(name, why, why_size);
    if (library == NULL)
        return false;
    if (!bind_routines(library, why, why_size)) {
        tern__library_close(library);
        return false;
    }
    state.opened = library;
    tern__message(TERN_LOG_INFO, "lapack: %s%s", name,
                  state.threads_set != NULL ? ", OpenBLAS" : "");
    return true;
}

static tern_status open_any(const char *op) {
    char why[192] = "", tried[192] = "";
    const char *wanted = getenv("TERN_LAPACK");
    if (wanted != NULL && wanted[0] != '\0') {
        if (open_one(wanted, why, sizeof why))
            return TERN_OK;
        return tern__fail(TERN_E_UNSUPPORTED, "%s: TERN_LAPACK names %s: %s", op, wanted, why);
    }
    for (int i = 0; i < LIBRARIES; i++) {
        if (open_one(library_names[i], why, sizeof why))
            return TERN_OK;
        size_t used = strlen(tried);
        snprintf(tried + used, sizeof tried - used, "%s%s", i > 0 ? ", " : "", library_names[i]);
    }
    return tern__fail(TERN_E_UNSUPPORTED,
                      "%s needs LAPACK, and there is none of %s (the last: %s): \"apt-get install "
                      "libopenblas0-pthread\" brings one, TERN_LAPACK names another",
                      op, tried, why);
}

tern_status tern__lapack_enter(const char *op, const tern__lapack **lapack) {
    tern_status status = TERN_OK;
    tern__lock_acquire(&state.lock);
    if (state.opened == NULL)
        status = open_any(op);
    if (status == TERN_OK && state.inside++ == 0 && state.threads_set != NULL) {
        state.threads = state.threads_get();
        state.threads_set(1);
    }
    tern__lock_release(&state.lock);
    *lapack = state.precisions;
    return status;
}

void tern__lapack_leave(void) {
    tern__lock_acquire(&state.lock);
    if (--state.inside == 0 && state.threads_set != NULL)
        state.threads_set(state.threads);
    tern__lock_release(&state.lock);
}

void tern__lapack_forget(void) {
    tern__lock_acquire(&state.lock);
    tern__library_close(state.opened);
    state.opened = NULL;
    tern__lock_release(&state.lock);
}
