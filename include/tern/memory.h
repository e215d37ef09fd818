/* SPDX-License-Identifier: MIT
 *
 * The memory of a context: figures, tracking, leak and misuse reports.
 *
 * Every context has a pool of its own. The thread that created the context owns it: its path takes
 * no lock. Other threads may release tensors at any time. What a pool notices beyond plain counts
 * is chosen when the context is created (tern_options.tracking) and goes to the callback
 * tern_options.on_memory_event:
 *
 *     static void on_event(void *user, const tern_memory_event *event) {
 *         fprintf(stderr, "%s\n", event->text);
 *     }
 *     ...
 *     tern_options options = tern_options_default();
 *     options.tracking = TERN_TRACK_SITES;
 *     options.on_memory_event = on_event;
 *     tern_context_create(&options, &context);
 */
#ifndef TERN_MEMORY_H
#define TERN_MEMORY_H

#include <tern/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_context;

typedef enum tern_tracking {
    TERN_TRACK_COUNTS = 0, /* bytes, blocks, calls */
    TERN_TRACK_SITES = 1,  /* and who made each block: file, line, call, op, shape */
    TERN_TRACK_FULL = 2,   /* and guard zones, poison on release, delayed reuse */
} tern_tracking;

/* A place in the user's program. */
typedef struct tern_site {
    const char *file; /* static storage; NULL when unknown */
    int line;
    const char *call; /* the public function, "tern_add"; NULL when unknown */
} tern_site;

/* The calls of this thread from now on come from there. The macros of <tern/sites.h> do it before
 * every call that makes something; `file` and `call` must outlive the context. */
TERN_API void tern_site_set(const char *file, int line, const char *call);

/* X(symbol, value, name). */
#define TERN_MEMORY_EVENT_MAP(X)                                                                   \
    X(LEAK, 0, "leak")                                                                             \
    X(DOUBLE_RELEASE, 1, "double release")                                                         \
    X(OVERRUN, 2, "overrun")                                                                       \
    X(UNDERRUN, 3, "underrun")                                                                     \
    X(WRITE_AFTER_RELEASE, 4, "write after release")                                               \
    X(INTERIOR_POINTER, 5, "interior pointer")                                                     \
    X(FOREIGN_POINTER, 6, "foreign pointer")                                                       \
    X(WRONG_POOL, 7, "wrong pool")                                                                 \
    X(HEADER_SMASH, 8, "header smash")                                                             \
    X(WRONG_SIZE, 9, "wrong size")

typedef enum tern_memory_event_kind {
#define TERN_MEMORY_EVENT_ENUM(symbol, value, name) TERN_MEMORY_##symbol = value,
    TERN_MEMORY_EVENT_MAP(TERN_MEMORY_EVENT_ENUM)
#undef TERN_MEMORY_EVENT_ENUM
} tern_memory_event_kind;

/* "leak"; "?" for an unknown value. Static storage. */
TERN_API const char *tern_memory_event_name(tern_memory_event_kind kind);

/* One finding. What the level does not know is NULL or 0. Valid during the callback. */
typedef struct tern_memory_event {
    tern_memory_event_kind kind;
    const void *address; /* of the block; of one of them when there are several */
    size_t bytes;        /* asked for; of all blocks of a leak together */
    int64_t count;       /* LEAK: tensors (or blocks without a tensor) from this site; else 1 */
    const char *op;      /* what made it: "add", "empty", "view" */
    const char *dtype;   /* "f32" */
    int rank;            /* -1 when unknown */
    const int64_t *dims; /* (rank) */
    tern_site made;      /* where it was made */
    tern_site released;  /* where it was released before */
    tern_site found;     /* the call that found it */
    const char *text;    /* all of the above as one line */
} tern_memory_event;

/* Called without any lock held, on the thread that found it; may call the library. */
typedef void (*tern_memory_event_fn)(void *user, const tern_memory_event *event);

/* Called once before an allocation of `bytes` fails, to release what can be spared; then the
 * allocation is tried again. Called without any lock held; its own allocations fail at once. */
typedef void (*tern_memory_pressure_fn)(void *user, size_t bytes);

/* -- figures -----------------------------------------------------------------------------------*/

/* Cheap. Exact for the thread that owns the context while no other thread uses it; else each figure
 * is off by no more than the calls under way. */
typedef struct tern_memory_stats {
    size_t live_bytes;      /* asked for by what is alive now */
    size_t peak_bytes;      /* largest live_bytes so far */
    size_t committed_bytes; /* of pages that are or were in use and not given back */
    size_t mapped_bytes;    /* address space obtained from the operating system now */
    int64_t live_tensors;
    int64_t peak_tensors;
} tern_memory_stats;

TERN_API tern_memory_stats tern_context_memory(const struct tern_context *context);

#define TERN_MEMORY_CLASSES   160
#define TERN_MEMORY_LIFETIMES 40

/* One size class; the last one sums up everything larger. */
typedef struct tern_memory_class {
    size_t room;         /* bytes of a block; 0: larger blocks of any size */
    int64_t live_blocks; /* in use */
    int64_t free_blocks; /* ready for reuse: in the owner's bins and in slabs */
    uint64_t calls;      /* allocations so far */
    uint64_t reused;     /* of them, served by a block that had been used before */
} tern_memory_class;

/* Everything the pool knows, recomputed by walking its lists. */
typedef struct tern_memory_figures {
    tern_tracking tracking;
    tern_memory_stats stats;
    size_t max_bytes;               /* the limit; 0: none */
    int64_t live_blocks;            /* a tensor has one or two, a view has one */
    size_t room_bytes;              /* of the live blocks, rounded up to their classes or pages */
    size_t free_bytes;              /* committed, ready for reuse: bins, slabs, free runs */
    size_t largest_free_run;        /* committed pages in one piece */
    size_t bookkeeping_bytes;       /* committed by the pool for itself */
    double internal_fragmentation;  /* 1 - live_bytes / room_bytes; 0 when nothing is alive */
    double external_fragmentation;  /* 1 - largest_free_run / free_bytes; 0 when nothing is free */
    uint64_t allocations, releases; /* calls so far */
    uint64_t remote_releases;       /* of them, by threads that do not own the context */
    uint64_t locks;                 /* times the lock was taken */
    uint64_t system_calls;          /* map, unmap and give-back calls to the operating system */
    int class_count;
    tern_memory_class classes[TERN_MEMORY_CLASSES];
    /* From tracking level SITES on: [k] counts the blocks that were released after 2^k to 2^(k+1)-1
     * further allocations ([0]: 0 or 1). */
    uint64_t lifetimes[TERN_MEMORY_LIFETIMES];
} tern_memory_figures;

TERN_API void tern_memory_figures_get(struct tern_context *context, tern_memory_figures *figures);

typedef enum tern_report_format {
    TERN_REPORT_TEXT = 0,
    TERN_REPORT_JSON = 1, /* one object; docs/memory.md lists its members */
} tern_report_format;

/* Receives a part of a text, in order. */
typedef void (*tern_write_fn)(void *user, const char *text, size_t bytes);

/* Writes the figures, the classes in use and, from level SITES on, what is alive by site (most
 * bytes first). TERN_E_ARGUMENT for an unknown format, TERN_E_MEMORY. */
TERN_API tern_status tern_memory_report(struct tern_context *context, tern_report_format format,
                                        tern_write_fn write, void *user);

/* -- care --------------------------------------------------------------------------------------*/

/* Gives everything that is free back to the operating system; returns how many bytes it was. */
TERN_API size_t tern_memory_trim(struct tern_context *context);

/* Level FULL: looks at every guard zone and every released block that is held back; findings go to
 * the callback. Returns their number; 0 at the other levels. */
TERN_API int64_t tern_memory_check(struct tern_context *context);

/* Makes the calling thread the owner: for a context that was made on another thread, before it is
 * used here. No other thread may be inside a call on this context. */
TERN_API void tern_context_adopt(struct tern_context *context);

#ifdef __cplusplus
}
#endif
#endif
