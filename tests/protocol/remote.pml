/* SPDX-License-Identifier: MIT
 *
 * The protocol of src/memory/remote.h and the life of a pool (src/memory/pool.h), for spin.
 * README.md beside this file says what the model covers; tools/check_models runs it, and with it
 * every mistake below (BREAK_...), which must be found.
 *
 * THREADS users pass BLOCKS blocks round for ever: each allocates, releases any live block whoever
 * made it, becomes the owner when nobody is inside a call, or abandons the pool while the owner is
 * not inside a call and nobody allocates; from then on the blocks that are left are released. A
 * thread that exits with blocks alive is one that does nothing any more.
 *
 * Every access to the head is a step of its own. A SECTION is one step when nothing else in it can
 * be told from outside: it takes the lock, touches the head at most once, works on what the lock or
 * the owner guards and drops the lock, in this order. With FINE it is several, which shows on
 * smaller bounds that nothing was hidden. LEAN has fewer states: only the owner abandons, and live
 * blocks are one number. */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef BLOCKS
#define BLOCKS 3
#endif
#ifndef REMOTE_MAX
#define REMOTE_MAX 2
#endif
#ifdef FINE
#define SECTION
#else
#define SECTION atomic
#endif

#define NIL    BLOCKS       /* no block */
#define JUNK   (BLOCKS + 1) /* what the user of a block leaves where the node will be */
#define SHUT   255          /* head_count of a closed stack */
#define NOBODY THREADS
#define ME     (_pid - 1)

/* Where a block is. Ghost: the C code knows it only by the list that holds the block. */
mtype = { SLAB, BIN, LIVE, CLAIMED, STACK, CHAIN };
mtype place[BLOCKS];
byte next[BLOCKS];

/* The pool. */
byte head_first = NIL, head_count = 0; /* one word: always read and written together */
byte lock = NOBODY;                    /* who holds it */
byte owner = 0;
bool is_abandoned = false;
/* Live blocks as counted by the owner and under the lock. Each alone may drift without bounds, so
 * they are kept modulo BLOCKS + 1; their sum is what counts. */
#ifdef LEAN
byte lock_live = 0;
#define own_live lock_live
#else
byte own_live = 0, lock_live = 0;
#endif
#define MORE(count) ((count + 1) % (BLOCKS + 1))
#define LESS(count) ((count + BLOCKS) % (BLOCKS + 1))

/* Ghosts: what the users promise, and what became of the pool. */
bool is_gone = false; /* nobody allocates any more */
byte inside = 0;      /* calls under way */
byte allocating = 0;
#ifdef LEAN
#define MAY_ABANDON      (owner == ME)
#define NOTE_OWNER(busy) skip
#else
bool is_owner_busy = false; /* releasing */
#define MAY_ABANDON      (!is_owner_busy)
#define NOTE_OWNER(busy) is_owner_busy = busy
#endif
byte freed = 0;

/* Goes with every access to the pool. */
#define touch() assert(freed == 0)

/* The first block that is at `where`, or NIL. */
inline pick(which, where) {
    which = 0;
    do
    :: which < BLOCKS && place[which] != where -> which++
    :: else -> break
    od;
    skip /* spin wants no loop at the end of a d_step, nor one that ends where one begins */
}

inline take_lock() {
    atomic { lock == NOBODY -> touch(); lock = ME }
}

inline drop_lock() {
    d_step { touch(); assert(lock == ME); lock = NOBODY }
}

inline load_head() {
    d_step { touch(); seen_first = head_first; seen_count = head_count }
}

inline forget_head() {
    seen_first = NIL;
    seen_count = 0
}

/* tern__remote_exchange: the old first node in `chain`, NIL when it was closed. */
inline exchange(with_count) {
    d_step {
        touch();
        chain = (head_count == SHUT -> NIL : head_first);
        after = chain;
        do
        :: after != NIL ->
            assert(after < BLOCKS && place[after] == STACK);
            place[after] = CHAIN;
            /* Ends at a node whose next is not written yet: whoever reads it finds that. */
            if
            :: next[after] < BLOCKS && place[next[after]] == STACK -> after = next[after]
            :: else -> after = NIL
            fi
        :: else -> break
        od;
        head_first = NIL;
        head_count = with_count
    }
}

/* The second half of tern__remote_take, after load_head: all nodes, or NIL. */
#if defined(BREAK_POP_ONE)
/* One node: its next is read while another thread may take it, use it and push it again. */
inline take_loaded() {
    chain = NIL;
    if
    :: seen_count != 0 && seen_count != SHUT ->
        assert(seen_first < BLOCKS);
        after = next[seen_first];
        d_step {
            touch();
            if
            :: head_first == seen_first && head_count == seen_count ->
                chain = seen_first;
                assert(chain < BLOCKS && place[chain] == STACK);
                place[chain] = CHAIN;
                next[chain] = NIL;
                head_first = after;
                head_count--
            :: else
            fi;
            skip
        }
        after = NIL
    :: else
    fi;
    forget_head()
}
#else
inline take_loaded() {
    chain = NIL;
    if
#if defined(BREAK_TAKE_REOPENS)
    :: seen_count != 0 -> exchange(0)
#else
    :: seen_count != 0 && seen_count != SHUT -> exchange(0)
#endif
    :: else
    fi;
    forget_head()
}
#endif

/* Gives the nodes of `chain` back, to the list `where`, counted by `counter`. */
inline give_chain(where, counter) {
    do
    :: chain != NIL ->
        d_step {
            touch();
            after = next[chain]; /* read before the block is anybody's again */
            assert(after <= NIL && place[chain] == CHAIN);
            place[chain] = where;
            next[chain] = JUNK;
            counter = LESS(counter);
            chain = after;
            after = NIL
        }
    :: else -> break
    od;
    skip
}

/* A block, if there is one, becomes the user's, who writes what he likes. */
inline hand_out(counter) {
    d_step {
        touch();
        if
        :: block != NIL ->
            place[block] = LIVE;
            next[block] = JUNK;
            counter = MORE(counter);
            block = NIL
        :: else
        fi;
        skip
    }
}

inline free_pool() {
    d_step {
        assert(freed == 0);
        assert(lock == NOBODY && is_abandoned);
        after = 0;
        do
        :: after < BLOCKS -> assert(place[after] == SLAB); after++
        :: else -> break
        od;
        after = NIL;
        is_last = false;
        freed++
    }
}

/* -- calls --------------------------------------------------------------------------------- */

inline owner_alloc() {
    SECTION {
        d_step { touch(); pick(block, BIN) }
        if
        :: block == NIL -> load_head()
        :: else
        fi
    }
    if
    :: block == NIL ->
        SECTION {
            take_loaded();
            give_chain(BIN, own_live);
            d_step { pick(block, BIN) }
        }
    :: else
    fi;
    if
    :: block == NIL ->
        SECTION { /* refill: up to two blocks */
            take_lock();
            d_step {
                pick(block, SLAB);
                if
                :: block != NIL -> place[block] = BIN; pick(block, SLAB)
                :: else
                fi;
                if
                :: block != NIL -> place[block] = BIN
                :: else
                fi;
                pick(block, BIN)
            }
            drop_lock()
        }
    :: else
    fi;
    hand_out(own_live)
}

inline owner_release() {
    d_step {
        touch();
        assert(place[block] == CLAIMED);
        place[block] = BIN;
        own_live = LESS(own_live);
        block = NIL
    }
    if
    :: true
    :: SECTION { /* flush */
            take_lock();
            d_step {
                pick(block, BIN);
                if
                :: block != NIL -> place[block] = SLAB
                :: else
                fi;
                block = NIL
            }
            drop_lock()
        }
    fi
}

/* Under the lock. Without a free block: what was released to the stack may be one. */
inline other_alloc() {
    SECTION {
        take_lock();
        d_step { pick(block, SLAB) }
        if
        :: block == NIL -> load_head()
        :: else
        fi
    }
    SECTION {
        if
        :: block == NIL ->
            take_loaded();
            give_chain(SLAB, lock_live);
            d_step { pick(block, SLAB) }
        :: else
        fi;
        hand_out(lock_live);
        drop_lock()
    }
}

/* tern__remote_push; sets is_pushed. The compare-and-swap may fail for no reason in C, which only
 * repeats its step. */
inline push() {
    is_pushed = false;
    load_head();
    do
    :: is_pushed || seen_count == SHUT || seen_count >= REMOTE_MAX -> break
    :: else ->
#if defined(BREAK_CAS_SPLIT)
        next[block] = seen_first;
        is_pushed = head_first == seen_first && head_count == seen_count;
        d_step {
            touch();
            if
            :: is_pushed ->
#elif defined(BREAK_NEXT_AFTER_CAS)
        d_step {
            touch();
            if
            :: head_first == seen_first && head_count == seen_count ->
#else
        d_step {
            touch();
            assert(place[block] == CLAIMED);
            next[block] = seen_first;
            if
            :: head_first == seen_first && head_count == seen_count ->
#endif
                head_first = block;
                head_count = seen_count + 1;
                place[block] = STACK;
                is_pushed = true
            :: else -> seen_first = head_first; seen_count = head_count
            fi;
            skip
        }
#if defined(BREAK_NEXT_AFTER_CAS)
        if
        :: is_pushed -> next[block] = seen_first
        :: else
        fi
#endif
    od;
    forget_head()
}

/* The fate of a pool is decided under the lock, and done without it. */
inline drop_lock_and_decide() {
#if defined(BREAK_LAST_UNLOCKED)
    drop_lock();
    d_step { touch(); is_last = is_abandoned && lock_live == 0 }
#elif defined(BREAK_FREE_UNDER_LOCK)
    is_last = is_abandoned && lock_live == 0;
    if
    :: is_last -> d_step { lock = NOBODY; free_pool(); lock = ME }
    :: else
    fi;
    drop_lock()
#else
    is_last = is_abandoned && lock_live == 0;
    drop_lock()
#endif
}

inline other_release() {
#if defined(BREAK_COUNT_BEFORE_PUSH)
    take_lock();
    lock_live = LESS(lock_live);
    drop_lock_and_decide();
    if
    :: is_last -> free_pool()
    :: else
    fi;
#endif
    push();
    if
    :: is_pushed ->
#if defined(BREAK_TOUCH_AFTER_PUSH)
        touch();
#endif
        d_step { is_pushed = false; block = NIL }
    :: else ->
#if defined(BREAK_TAKE_UNLOCKED)
        load_head();
        take_lock();
#else
        SECTION { take_lock(); load_head() }
#endif
        SECTION {
            take_loaded();
            give_chain(SLAB, lock_live);
            d_step {
                touch();
                assert(place[block] == CLAIMED);
                place[block] = SLAB;
#if !defined(BREAK_COUNT_BEFORE_PUSH)
                lock_live = LESS(lock_live);
#endif
                block = NIL
            }
            drop_lock_and_decide()
        }
        if
        :: is_last -> free_pool()
        :: else
        fi
    fi
}

inline abandon() {
    SECTION {
        take_lock();
#if defined(BREAK_NO_CLOSE)
        load_head();
        take_loaded();
#else
        exchange(SHUT);
#endif
#if defined(BREAK_CLOSE_DROPS)
        chain = NIL;
#endif
        give_chain(SLAB, lock_live);
        d_step {
            after = 0;
            do
            :: after < BLOCKS && place[after] == BIN -> place[after] = SLAB
            :: after < BLOCKS && place[after] != BIN -> after++
            :: else -> break
            od;
            after = NIL;
#if !defined(LEAN)
#if !defined(BREAK_NO_MERGE)
            lock_live = (lock_live + own_live) % (BLOCKS + 1);
#endif
            own_live = 0;
#endif
#if !defined(BREAK_KEEPS_OWNER)
            owner = NOBODY;
#endif
            is_abandoned = true
        }
        drop_lock_and_decide()
    }
    if
#if defined(BREAK_EMPTY_STAYS)
    :: is_last -> is_last = false
#else
    :: is_last -> free_pool()
#endif
    :: else
    fi
}

/* -- users --------------------------------------------------------------------------------- */

proctype user() {
    byte block = NIL, chain = NIL, after = NIL, seen_first = NIL, seen_count = 0;
    bool is_pushed = false, is_last = false;
again:
    do
    :: atomic { !is_gone && owner == ME -> inside++; allocating++ }
        owner_alloc();
        d_step { inside--; allocating-- }
    :: atomic { !is_gone && owner != ME -> inside++; allocating++ }
        other_alloc();
        d_step { inside--; allocating-- }
    :: atomic {
            !(owner == ME && is_gone && !is_abandoned) ->
            block = 0; /* any live block, or none */
            do
            :: block < BLOCKS && place[block] == LIVE -> break
            :: block < BLOCKS -> block++
            :: else -> break
            od;
            if
            :: block < BLOCKS ->
                place[block] = CLAIMED;
                inside++;
                NOTE_OWNER(owner == ME || is_owner_busy)
            :: else -> goto again
            fi
        }
        if
        :: owner == ME -> owner_release()
        :: else -> other_release()
        fi;
        d_step { inside--; NOTE_OWNER(is_owner_busy && owner != ME) }
    :: atomic { !is_gone && owner != ME && inside == 0 -> owner = ME }
    :: atomic {
            !is_gone && allocating == 0 && MAY_ABANDON ->
            is_gone = true;
            inside++
        }
        abandon();
        inside--
    :: atomic {
            is_gone && inside == 0 ->
            pick(block, LIVE);
            if
            :: block == NIL -> break
            :: else -> block = NIL
            fi
        }
    od
}

init {
    byte i = 0;
    atomic {
        do
        :: i < BLOCKS -> place[i] = SLAB; next[i] = JUNK; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < THREADS -> run user(); i++
        :: else -> break
        od
    }
    _nr_pr == 1;
    i = 0;
    do
    :: i < BLOCKS -> assert(place[i] == SLAB); i++
    :: else -> break
    od;
    assert(freed == 1)
}
