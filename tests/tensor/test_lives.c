/* SPDX-License-Identifier: MIT
 * Lives of tensors: scopes, holes in them and failures; views and what they are views of, released
 * in every order, on other threads and after their context; references that are released twice. */
#define FIXTURE_THREADS 1
#include "context_fixture.h"

#include <pthread.h>

#include <tern/ops.h>

#include "memory_file.h"
#include "tensor/tensor.h"

static int64_t alive(tern_context *of) {
    return tern_context_memory(of).live_tensors;
}

static tern_tensor *numbered(tern_context *in, int64_t count, float first) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(in, TERN_F32, TERN_SHAPE(count), &t));
    for (int64_t i = 0; i < count; i++)
        ((float *)tern_tensor_data(t))[i] = first + (float)i;
    return t;
}

static void check_numbers(const tern_tensor *t, float first) {
    int64_t step = tern_tensor_stride(t, 0);
    for (int64_t i = 0; i < tern_tensor_dim(t, 0); i++)
        assert_true(((const float *)tern_tensor_data(t))[i * step] == first + (float)(i * step));
}

/* -- layout ------------------------------------------------------------------------------------*/

/* What a header takes: 32 bytes, 16 for each axis (for one at rank 0), and 8 where the number of
 * bytes is written, which is where there are none. */
static size_t header_bytes(int rank, int64_t bytes) {
    return 32 + 16 * (size_t)(rank > 0 ? rank : 1) + (bytes == 0 ? 8 : 0);
}

/* What a tensor costs: one block while it is small, its bytes and its header; 8 bytes more than
 * for the axes a view. */
static void costs(void **state) {
    (void)state;
    for (int rank = 0; rank <= TERN_MAX_RANK; rank++)
        for (int64_t bytes = 0; bytes <= 5000;
             bytes += bytes < 8 || (bytes > 990 && bytes < 1030) ? 1 : 31) {
            if (rank == 0 && bytes != 1)
                continue;
            tern_shape shape = {rank, {1, 1, 1, 1, 1, 1, 1, 1}};
            if (rank > 0)
                shape.dims[rank / 2] = bytes;
            tern_tensor *t = NULL, *u = NULL;
            test_ok(tern_tensor_empty(context, TERN_U8, shape, &t));
            size_t header = header_bytes(rank, bytes);
            size_t whole = (bytes <= 1024 ? (header + 63) / 64 * 64 : header) + (size_t)bytes;
            assert_int_equal(tern_context_memory(context).live_bytes, whole);
            assert_int_equal((uintptr_t)tern_tensor_data(t) % 64, 0);
            assert_int_equal(tern_tensor_bytes(t), bytes);
            bool is_inside =
                (uint8_t *)tern_tensor_data(t) == (uint8_t *)t + (header + 63) / 64 * 64;
            assert_true(is_inside == (bytes <= 1024));
            memset(tern_tensor_data(t), 0x5a, (size_t)bytes);
            assert_int_equal(tern_tensor_rank(t), rank); /* the header is somewhere else */
            test_ok(tern_tensor_broadcast(t, shape, &u));
            assert_int_equal(tern_context_memory(context).live_bytes,
                             whole + 32 + 16 * (size_t)rank + 8);
            assert_int_equal(alive(context), 2);
            tern_tensor_release(u);
            tern_tensor_release(t);
        }
}

/* At level FULL the bytes are a block of their own, with guard zones on both sides. */
static void costs_at_full(void **state) {
    (void)state;
    tern_context *other = NULL;
    test_ok(
        tern_context_create(&(tern_options){.threads = 1, .tracking = TERN_TRACK_FULL}, &other));
    for (int64_t bytes = 0; bytes < 3000; bytes += 100) {
        tern_tensor *t = NULL;
        test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(bytes), &t));
        assert_int_equal((uintptr_t)tern_tensor_data(t) % 64, 0);
        assert_int_equal(tern_context_memory(other).live_bytes,
                         header_bytes(1, bytes) + (size_t)bytes);
        assert_int_equal(alive(other), 1);
        memset(tern_tensor_data(t), 0xff, (size_t)bytes);
        tern_tensor_release(t);
    }
    assert_int_equal(tern_memory_check(other), 0);
    tern_context_destroy(other);
}

/* -- scopes ------------------------------------------------------------------------------------*/

/* A shadow of the stack of scopes: what each handle says about its tensor. */
enum { HANDLES = 300, DEPTH = 40 };

typedef struct handle {
    tern_tensor *tensor; /* NULL: free */
    int depth;           /* of the scope that owns it; 0: we do */
    int extra;           /* references that we have besides */
    float first;
} handle;

typedef struct shadow {
    handle handles[HANDLES];
    int depth, count;
} shadow;

static handle *pick(shadow *s, test_random *random, bool is_free) {
    int start = (int)test_random_range(random, 0, HANDLES - 1);
    for (int i = 0; i < HANDLES; i++) {
        handle *h = &s->handles[(start + i) % HANDLES];
        if ((h->tensor == NULL) == is_free)
            return h;
    }
    return NULL;
}

/* The scope's or our reference goes. */
static void shadow_drop(shadow *s, handle *h) {
    h->depth = 0;
    if (h->extra-- > 0)
        return;
    h->tensor = NULL;
    s->count--;
}

static void shadow_end(shadow *s) {
    tern_scope_end(context);
    for (int i = 0; i < HANDLES; i++)
        if (s->handles[i].tensor != NULL && s->handles[i].depth == s->depth && s->depth > 0)
            shadow_drop(s, &s->handles[i]);
    s->depth -= s->depth > 0;
}

static void shadow_make(shadow *s, test_random *random, float first) {
    handle *h = pick(s, random, true);
    if (h == NULL)
        return;
    int64_t count = test_random_range(random, 1, 400); /* inline and not */
    *h = (handle){numbered(context, count, first), s->depth, 0, first};
    s->count++;
}

static void shadow_touch(shadow *s, test_random *random) {
    handle *h = pick(s, random, false);
    if (h == NULL)
        return;
    switch (test_random_range(random, 0, 3)) {
    case 0:
        assert_ptr_equal(tern_tensor_retain(h->tensor), h->tensor);
        h->extra++;
        break;
    case 1:
        assert_ptr_equal(tern_tensor_keep(h->tensor), h->tensor);
        h->depth = 0;
        break;
    default:
        tern_tensor_release(h->tensor);
        if (h->extra > 0)
            h->extra--; /* the scope still has its own */
        else
            shadow_drop(s, h);
    }
}

static void random_scopes(void **state) {
    (void)state;
    static shadow s;
    test_random random = {.seed = 71};
    s = (shadow){.depth = 0};
    for (int step = 0; step < 60000 / TEST_THINNING; step++) {
        int64_t what = test_random_range(&random, 0, 99);
        if (what < 8 && s.depth < DEPTH) {
            tern_scope_begin(context);
            s.depth++;
        } else if (what < 16) {
            shadow_end(&s); /* also when none is open */
        } else if (what < 60) {
            shadow_make(&s, &random, (float)(step % 1000));
        } else {
            shadow_touch(&s, &random);
        }
        assert_int_equal(alive(context), s.count);
        handle *h = pick(&s, &random, false);
        if (h != NULL)
            check_numbers(h->tensor, h->first);
    }
    while (s.depth > 0)
        shadow_end(&s);
    for (int i = 0; i < HANDLES; i++)
        while (s.handles[i].tensor != NULL) {
            tern_tensor_release(s.handles[i].tensor);
            shadow_drop(&s, &s.handles[i]);
        }
    assert_int_equal(alive(context), 0);
}

static void deep_nesting(void **state) {
    (void)state;
    enum { DEEP = 20000 };
    tern_tensor *t = NULL;
    for (int i = 0; i < DEEP; i++) {
        tern_scope_begin(context);
        test_ok(tern_tensor_empty(context, TERN_U8, TERN_SHAPE(1), &t));
        if (i % 3 == 0)
            tern_tensor_release(t); /* a hole right above the mark */
    }
    for (int i = DEEP; i-- > 0;) {
        assert_int_equal(alive(context), (i + 1) - (i + 3) / 3);
        tern_scope_end(context);
    }
    tern_scope_end(context); /* one too many: nothing happens */
    assert_int_equal(alive(context), 0);
}

/* A long loop inside a scope: every turn leaves a hole below what is alive. The stack stays small
 * and everybody keeps his place. */
static void holes(void **state) {
    (void)state;
    enum { KEPT = 40, TURNS = 20000 };
    tern_context *other = NULL;
    tern_tensor *kept[KEPT], *last = NULL;
    memory_file_install();
    memory_file_serve(NULL, 0);
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
    tern_scope_begin(other);
    for (int i = 0; i < KEPT; i++)
        kept[i] = numbered(other, 3, (float)i);
    last = numbered(other, 3, 0);
    int64_t allocated = memory_file.allocated;
    for (int turn = 0; turn < TURNS; turn++) {
        if (turn == TURNS / 2) { /* an inner scope in the middle, its mark between holes */
            tern_scope_begin(other);
            tern_tensor_release(last);
            last = numbered(other, 3, 0);
        }
        tern_tensor *next = numbered(other, 3, (float)turn);
        tern_tensor_release(last);
        last = next;
    }
    assert_true(memory_file.allocated - allocated < 64 << 10);
    for (int i = 0; i < 300; i++) /* the stack grows more than once */
        numbered(other, 1, 0);
    assert_int_equal(alive(other), KEPT + 301);
    tern_scope_end(other);
    assert_int_equal(alive(other), KEPT);
    for (int i = 0; i < KEPT; i++) {
        check_numbers(kept[i], (float)i);
        if (i % 2 == 0)
            tern_tensor_keep(kept[i]);
    }
    tern_scope_end(other);
    assert_int_equal(alive(other), KEPT / 2);
    for (int i = 0; i < KEPT; i += 2)
        tern_tensor_release(kept[i]);
    tern_context_destroy(other);
    memory_file_check_empty();
    memory_file_remove();
}

static void fail_from_now_on(bool fails) {
    memory_file.fail_at = fails ? memory_file.calls : -1;
    memory_file.fail_count = INT64_MAX;
}

/* Fills the stack of scopes until a tensor is refused; returns how many went in. Their memory was
 * used before, so that it is the stack that fails. */
static int fill_stack(tern_context *other) {
    enum { MOST = 400 };
    tern_tensor *t[MOST];
    int count = 0;
    for (int i = 0; i < MOST; i++)
        test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(1), &t[i]));
    for (int i = 0; i < MOST; i++)
        tern_tensor_release(t[i]);
    tern_scope_begin(other);
    fail_from_now_on(true);
    tern_status status = TERN_OK;
    for (; status == TERN_OK && count < MOST; count += status == TERN_OK)
        status = tern_tensor_empty(other, TERN_U8, TERN_SHAPE(1), &t[count]);
    test_status(status, TERN_E_MEMORY);
    assert_non_null(strstr(tern_last_error(), "scope"));
    assert_null(t[count]);
    return count;
}

static void count_release(void *user) {
    ++*(int *)user;
}

/* A tensor for which the scope has no place is refused without a trace; inner scopes that have no
 * place belong to the outer one. */
static void scopes_without_memory(void **state) {
    (void)state;
    tern_context *other = NULL;
    tern_tensor *t = NULL, *kept = NULL;
    int released = 0, user = 0;
    memory_file_install();
    memory_file_serve(NULL, 0);
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
    int count = fill_stack(other);
    assert_true(count >= 32);
    assert_int_equal(alive(other), count);
    size_t bytes = tern_context_memory(other).live_bytes;
    const tern__tensor_callback callback = {count_release, &released};
    t = (tern_tensor *)&user;
    test_status(tern__tensor_adopt(other, TERN_U8, &TERN_SHAPE(1), &user, &callback, "borrow", &t),
                TERN_E_MEMORY);
    assert_null(t);
    assert_int_equal(released, 0);
    assert_int_equal(tern_context_memory(other).live_bytes, bytes);

    tern_scope_begin(other); /* no room for its mark */
    tern_scope_begin(other);
    fail_from_now_on(false);
    test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(1), &t));
    test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(1), &kept));
    tern_tensor_keep(kept);
    tern_scope_begin(other); /* there is room now, but the scope around it has no mark */
    tern_scope_end(other);
    assert_int_equal(alive(other), count + 2);
    test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(1), &t));
    tern_scope_end(other);
    tern_scope_end(other);
    count++;
    assert_int_equal(alive(other), count + 2); /* both t belong to the outer scope */
    tern_scope_begin(other);                   /* this one has a mark again */
    test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(1), &t));
    tern_scope_end(other);
    assert_int_equal(alive(other), count + 2);
    tern_scope_end(other);
    assert_int_equal(alive(other), 1);
    tern_tensor_release(kept);
    tern_context_destroy(other);
    memory_file_check_empty();
    memory_file_remove();
}

/* -- views and their owners --------------------------------------------------------------------*/

enum { FAMILY = 4 };

/* An owner, two views of it and a view of a view; the last two overlap. */
static void make_family(tern_context *in, int64_t count, tern_tensor *family[FAMILY]) {
    family[0] = numbered(in, count, 1);
    test_ok(tern_tensor_slice(family[0], 0, 0, count, 2, &family[1]));
    test_ok(tern_tensor_slice(family[0], 0, 0, count - 1, 1, &family[2]));
    test_ok(tern_tensor_slice(family[2], 0, 0, count - 1, 3, &family[3]));
}

static void release_in_order(tern_context *in, tern_tensor *family[FAMILY], int order,
                             bool context_goes_first) {
    int left[FAMILY] = {0, 1, 2, 3};
    for (int n = FAMILY; n > 0; n--) {
        int at = order % n;
        order /= n;
        for (int i = 0; i < FAMILY; i++)
            if (family[i] != NULL)
                check_numbers(family[i], 1);
        if (!context_goes_first)
            assert_int_equal(alive(in), n);
        tern_tensor_release(family[left[at]]);
        family[left[at]] = NULL;
        left[at] = left[n - 1];
    }
}

static void families_in_every_order(void **state) {
    (void)state;
    const int64_t counts[] = {7, 200, 300, 5000}; /* inline and not */
    for (int c = 0; c < 4; c++)
        for (int order = 0; order < 24; order++) {
            tern_tensor *family[FAMILY];
            make_family(context, counts[c], family);
            release_in_order(context, family, order, false);
            assert_int_equal(tern_context_memory(context).live_bytes, 0);
        }
}

/* The context's handle goes first: the last block takes everything along. */
static void context_goes_first(void **state) {
    (void)state;
    memory_file_install();
    for (int order = 0; order < 24; order++) {
        tern_context *other = NULL;
        tern_tensor *family[FAMILY], *sum = NULL;
        memory_file_serve(NULL, 0);
        test_ok(tern_context_create(&(tern_options){.threads = 2}, &other));
        make_family(other, order % 2 == 0 ? 100 : 2000, family);
        tern_context_destroy(other);
        tern_tensor *views[] = {NULL, NULL};
        sum = family[0];
        test_status(tern_add(family[0], family[0], &sum), TERN_E_ARGUMENT); /* nothing new */
        test_status(tern_tensor_slice(family[2], 0, 0, 1, 1, &views[0]), TERN_E_ARGUMENT);
        test_status(tern_tensor_borrow(other, TERN_I8, TERN_SHAPE(1), "x", &views[1]),
                    TERN_E_ARGUMENT);
        assert_non_null(strstr(tern_last_error(), "destroyed"));
        assert_null(sum);
        assert_null(views[0]);
        assert_null(views[1]);
        assert_true(memory_file.live > 0);
        release_in_order(other, family, order, true);
        memory_file_check_empty();
    }
    memory_file_remove();
}

/* Borrowed bytes are given back once, when the last view of them goes. */
static void borrowed_families(void **state) {
    (void)state;
    static float bytes[20];
    for (int i = 0; i < 20; i++)
        bytes[i] = (float)(1 + i);
    for (int order = 0; order < 24; order++) {
        tern_tensor *family[FAMILY] = {NULL};
        int released = 0;
        test_ok(tern__tensor_adopt(context, TERN_F32, &TERN_SHAPE(20), bytes,
                                   &(tern__tensor_callback){count_release, &released}, "borrow",
                                   &family[0]));
        assert_true(tern__tensor_is_borrowed(family[0]));
        test_ok(tern_tensor_slice(family[0], 0, 0, 20, 2, &family[1]));
        test_ok(tern_tensor_slice(family[1], 0, 0, 9, 3, &family[2]));
        test_ok(tern_contiguous(family[0], &family[3]));
        assert_true(tern__tensor_is_borrowed(family[2]));
        int left[FAMILY] = {0, 1, 2, 3}, rest = order;
        for (int n = FAMILY; n > 0; n--) {
            assert_int_equal(released, 0);
            assert_int_equal(alive(context), n);
            int at = rest % n;
            rest /= n;
            tern_tensor_release(family[left[at]]);
            left[at] = left[n - 1];
        }
        assert_int_equal(released, 1);
        assert_int_equal(tern_context_memory(context).live_bytes, 0);
    }
}

/* Views for which there is no memory leave their owner as it was. */
static void views_without_memory(void **state) {
    (void)state;
    tern_context *small = NULL;
    tern_tensor *t = NULL, *u = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = 64 + 400 + 60}, &small));
    test_ok(tern_tensor_zeros(small, TERN_F32, TERN_SHAPE(100), &t));
    test_ok(tern_tensor_slice(t, 0, 0, 9, 1, &u));
    tern_tensor *v = (tern_tensor *)&small;
    test_status(tern_tensor_slice(t, 0, 0, 9, 1, &v), TERN_E_LIMIT);
    assert_null(v);
    tern_tensor_release(t);
    assert_int_equal(alive(small), 1);
    tern_tensor_release(u);
    assert_int_equal(tern_context_memory(small).live_bytes, 0);
    test_ok(tern_tensor_zeros(small, TERN_F32, TERN_SHAPE(100), &t));
    tern_tensor_release(t);
    /* The header fits, the bytes do not. */
    test_status(tern_tensor_zeros(small, TERN_U8, TERN_SHAPE(2000), &t), TERN_E_LIMIT);
    assert_int_equal(tern_context_memory(small).live_bytes, 0);
    assert_int_equal(alive(small), 0);
    tern_context_destroy(small);
}

/* -- threads -----------------------------------------------------------------------------------*/

enum { HANDED = 4000 / TEST_THINNING, RECEIVERS = 3 };

/* What a thread is given; it releases all of it, every second one after retaining it. */
typedef struct receiver {
    pthread_t thread;
    tern_tensor *given[HANDED];
    bool is_right;
} receiver;

static void *receive(void *argument) {
    receiver *r = argument;
    r->is_right = true;
    for (int i = 0; i < HANDED; i++) {
        tern_tensor *t = r->given[i];
        r->is_right &= ((const float *)tern_tensor_data(t))[0] == 1;
        if (i % 2 == 0) {
            tern_tensor_retain(t);
            tern_tensor_release(t);
        }
        tern_tensor_release(t);
    }
    return NULL;
}

/* Each receiver has one of the family or a handle of its own on the owner; we go on making and
 * releasing meanwhile. */
static void hand_out_families(tern_context *in, receiver receivers[RECEIVERS]) {
    tern_scope_begin(in);
    for (int i = 0; i < HANDED; i++) {
        tern_tensor *family[FAMILY];
        make_family(in, i % 2 == 0 ? 10 : 500, family);
        receivers[0].given[i] = tern_tensor_keep(family[i % 4]);
        receivers[1].given[i] = tern_tensor_keep(family[(i + 1) % 4]);
        receivers[2].given[i] = tern_tensor_retain(tern_tensor_keep(family[(i + 2) % 4]));
        tern_tensor_release(family[(i + 2) % 4]); /* our own handle on what the third one has */
    }
    tern_scope_end(in); /* takes the fourth of each family */
}

static void releases_on_other_threads(void **state) {
    (void)state;
    static receiver receivers[RECEIVERS];
    for (int round = 0; round < 3; round++) {
        tern_context *other = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
        hand_out_families(other, receivers);
        for (int i = 0; i < RECEIVERS; i++)
            assert_int_equal(pthread_create(&receivers[i].thread, NULL, receive, &receivers[i]), 0);
        for (int i = 0; round < 2 && i < HANDED; i++) {
            tern_tensor *t = numbered(other, i % 2 == 0 ? 10 : 500, 2), *u = NULL;
            test_ok(tern_tensor_slice(t, 0, 1, 9, 1, &u));
            tern_tensor_release(t);
            check_numbers(u, 3);
            tern_tensor_release(u);
        }
        if (round == 1) /* while the others release */
            tern_context_destroy(other);
        for (int i = 0; i < RECEIVERS; i++) {
            assert_int_equal(pthread_join(receivers[i].thread, NULL), 0);
            assert_true(receivers[i].is_right);
        }
        if (round == 1)
            continue;
        tern_memory_trim(other);
        assert_int_equal(alive(other), 0);
        assert_int_equal(tern_context_memory(other).live_bytes, 0);
        tern_context_destroy(other);
    }
}

/* One owner, views of it made here while others release theirs. */
typedef struct race {
    pthread_t thread;
    _Atomic(tern_tensor *) next; /* NULL: nothing to release */
    atomic_bool is_over;
} race;

static void *release_views(void *argument) {
    race *r = argument;
    for (;;) {
        bool is_over = atomic_load(&r->is_over);
        tern_tensor *t = atomic_exchange(&r->next, NULL);
        tern_tensor_release(t);
        if (t == NULL && is_over)
            return NULL;
    }
}

static void views_race(void **state) {
    (void)state;
    race r = {.next = NULL};
    for (int round = 0; round < 200 / TEST_THINNING; round++) {
        tern_tensor *owner = numbered(context, 100, 0);
        atomic_store(&r.is_over, false);
        assert_int_equal(pthread_create(&r.thread, NULL, release_views, &r), 0);
        for (int i = 0; i < 100; i++) {
            tern_tensor *view = NULL;
            test_ok(tern_tensor_slice(owner, 0, 0, 50, 1, &view));
            check_numbers(view, 0);
            tern_tensor_release(atomic_exchange(&r.next, view));
        }
        tern_tensor_release(owner); /* before or after the last view */
        atomic_store(&r.is_over, true);
        assert_int_equal(pthread_join(r.thread, NULL), 0);
        tern_memory_trim(context);
        assert_int_equal(tern_context_memory(context).live_bytes, 0);
        assert_int_equal(alive(context), 0);
    }
}

/* -- releases that come twice ------------------------------------------------------------------*/

typedef struct events {
    int count;
    tern_memory_event_kind kind;
    const void *address;
} events;

static void on_event(void *user, const tern_memory_event *event) {
    events *e = user;
    e->count++;
    e->kind = event->kind;
    e->address = event->address;
}

static void release_twice(tern_context *other, events *e, tern_tensor *t, int64_t left) {
    tern_tensor_release(t);
    assert_int_equal(e->count, 0);
    tern_memory_stats before = tern_context_memory(other);
    assert_int_equal(before.live_tensors, left);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            assert_ptr_equal(tern_tensor_retain(t), t);
        else
            tern_tensor_release(t);
        assert_int_equal(e->count, i + 1);
        assert_int_equal(e->kind, TERN_MEMORY_DOUBLE_RELEASE);
        assert_ptr_equal(e->address, t);
    }
    tern_memory_stats after = tern_context_memory(other);
    assert_int_equal(after.live_tensors, before.live_tensors);
    assert_int_equal(after.live_bytes, before.live_bytes);
    e->count = 0;
}

/* At every level, for owners (small, large, with views, borrowed) and views; the context goes on
 * working and ends without leaks. */
static void double_releases(void **state) {
    (void)state;
    memory_file_install();
    memory_file_serve(NULL, 0);
    for (int tracking = TERN_TRACK_COUNTS; tracking <= TERN_TRACK_FULL; tracking++) {
        static float bytes[4];
        events e = {0};
        tern_context *other = NULL, *younger = NULL;
        tern_tensor *t = NULL, *u = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1,
                                                    .tracking = (tern_tracking)tracking,
                                                    .on_memory_event = on_event,
                                                    .memory_user = &e},
                                    &other));
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &younger));
        release_twice(other, &e, numbered(other, 5, 0), 0);
        release_twice(other, &e, numbered(other, 5000, 0), 0);
        test_ok(tern_tensor_borrow(other, TERN_F32, TERN_SHAPE(2, 2), bytes, &t));
        release_twice(other, &e, t, 0);
        t = numbered(other, 7, 0);
        test_ok(tern_tensor_slice(t, 0, 1, 3, 1, &u));
        release_twice(other, &e, u, 1);
        test_ok(tern_tensor_slice(t, 0, 1, 3, 1, &u));
        release_twice(other, &e, t, 1); /* its block is still there */
        tern_tensor_release(u);
        tern_scope_begin(other);
        release_twice(other, &e, numbered(other, 5, 0), 0);
        tern_scope_end(other);
        for (int i = 0; i < 100; i++)
            tern_tensor_release(numbered(other, 5, 0));
        assert_int_equal(alive(other), 0);
        tern_context_destroy(younger);
        tern_context_destroy(other);
        assert_int_equal(e.count, 0);
        memory_file_check_empty(); /* the report holds no reference on the context */
    }
    memory_file_remove();
}

/* On another thread the block waits on its way home: its first 16 bytes are the pool's. */
static void *release_one(void *argument) {
    tern_tensor_release(argument);
    return NULL;
}

static void double_release_after_another_thread(void **state) {
    (void)state;
    events e = {0};
    tern_context *other = NULL;
    pthread_t thread;
    test_ok(tern_context_create(
        &(tern_options){.threads = 1, .on_memory_event = on_event, .memory_user = &e}, &other));
    tern_tensor *t = numbered(other, 5, 0);
    assert_int_equal(pthread_create(&thread, NULL, release_one, t), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    tern_tensor_release(t);
    assert_int_equal(e.count, 1);
    assert_int_equal(e.kind, TERN_MEMORY_DOUBLE_RELEASE);
    tern_context_destroy(other);
    assert_int_equal(e.count, 1);
}

/* -- limits ------------------------------------------------------------------------------------*/

typedef struct spare {
    tern_tensor *tensor;
    int calls;
    size_t bytes;
} spare;

static void give_spare(void *user, size_t bytes) {
    spare *s = user;
    s->calls++;
    s->bytes = bytes;
    tern_tensor_release(s->tensor);
    s->tensor = NULL;
}

/* Before a tensor is refused, the user may release what can be spared. */
static void pressure(void **state) {
    (void)state;
    spare s = {0};
    tern_context *small = NULL;
    tern_tensor *t = NULL;
    test_ok(tern_context_create(
        &(tern_options){
            .threads = 1, .max_bytes = 100000, .on_memory_pressure = give_spare, .memory_user = &s},
        &small));
    test_ok(tern_tensor_empty(small, TERN_U8, TERN_SHAPE(60000), &s.tensor));
    test_ok(tern_tensor_empty(small, TERN_U8, TERN_SHAPE(70000), &t));
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.bytes, 70000);
    tern_tensor *more = (tern_tensor *)&small;
    test_status(tern_tensor_empty(small, TERN_U8, TERN_SHAPE(70000), &more), TERN_E_LIMIT);
    assert_null(more);
    assert_int_equal(s.calls, 2);
    assert_int_equal(alive(small), 1);
    tern_tensor_release(t);
    tern_context_destroy(small);
}

/* -- care --------------------------------------------------------------------------------------*/

static void trimming(void **state) {
    (void)state;
    tern_context *other = NULL;
    tern_tensor *t = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
    test_ok(tern_tensor_zeros(other, TERN_U8, TERN_SHAPE(3 << 20), &t));
    size_t used = tern_context_memory(other).committed_bytes;
    assert_true(used >= 3 << 20);
    tern_tensor_release(t);
    assert_true(tern_memory_trim(other) >= 3 << 20);
    assert_true(tern_context_memory(other).committed_bytes <= used - (3 << 20));
    assert_int_equal(tern_memory_trim(other), 0);
    tern_context_destroy(other);
}

/* Level FULL sees a byte too many on either side of a tensor's bytes, however small it is. */
static void damage(void **state) {
    (void)state;
    for (int64_t bytes = 0; bytes < 5000; bytes += 1 + bytes / 2) {
        events e = {0};
        tern_context *other = NULL;
        tern_tensor *t = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1,
                                                    .tracking = TERN_TRACK_FULL,
                                                    .on_memory_event = on_event,
                                                    .memory_user = &e},
                                    &other));
        test_ok(tern_tensor_empty(other, TERN_U8, TERN_SHAPE(bytes), &t));
        volatile uint8_t *data = tern_tensor_data(t);
        assert_int_equal(tern_memory_check(other), 0);
#if !defined(__SANITIZE_ADDRESS__) /* it forbids what follows */
        data[bytes] ^= 1;
        assert_int_equal(tern_memory_check(other), 1);
        assert_int_equal(e.kind, TERN_MEMORY_OVERRUN);
        data[-1] ^= 1;
        assert_int_equal(tern_memory_check(other), 1);
        assert_int_equal(e.kind, TERN_MEMORY_UNDERRUN);
        assert_int_equal(e.count, 2);
#else
        (void)data;
#endif
        tern_tensor_release(t);
        tern_context_destroy(other);
    }
}

static void *make_context(void *argument) {
    tern_context **made = argument;
    if (tern_context_create(&(tern_options){.threads = 1}, made) != TERN_OK)
        *made = NULL;
    return NULL;
}

static uint64_t locks_of_tensors(tern_context *other) {
    static tern_memory_figures before, after;
    for (int i = 0; i < 201; i++) {
        if (i == 1)
            tern_memory_figures_get(other, &before);
        tern_tensor_release(numbered(other, 500, 0));
    }
    tern_memory_figures_get(other, &after);
    return after.locks - before.locks;
}

/* A context that was made on another thread is as fast as an own one once it is adopted. */
static void adoption(void **state) {
    (void)state;
    tern_context *other = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_context, &other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(other);
    assert_true(locks_of_tensors(other) >= 200);
    tern_context_adopt(other);
    assert_int_equal(locks_of_tensors(other), 0);
    tern_context_destroy(other);
}

/* -- the end of a context ----------------------------------------------------------------------*/

typedef struct messages {
    int count;
    char last[200];
} messages;

static void on_message(void *user, tern_log_level level, const char *message) {
    messages *m = user;
    if (level != TERN_LOG_INFO || strstr(message, "alive") == NULL)
        return;
    m->count++;
    snprintf(m->last, sizeof m->last, "%s", message);
}

/* Without a callback a message says what is left, and only then. */
static void messages_at_the_end(void **state) {
    (void)state;
    messages m = {0};
    tern_log_set(on_message, &m, TERN_LOG_INFO);
    for (int i = 0; i < 2; i++) {
        tern_context *other = NULL;
        tern_tensor *t = NULL;
        pthread_t thread;
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
        test_ok(tern_tensor_zeros(other, TERN_U8, TERN_SHAPE(2000), &t));
        if (i == 1) { /* what another thread has released counts as released */
            assert_int_equal(pthread_create(&thread, NULL, release_one, t), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        tern_context_destroy(other);
        assert_int_equal(m.count, 1);
        if (i == 0)
            tern_tensor_release(t);
    }
    tern_log_set(NULL, NULL, TERN_LOG_ERROR);
    assert_non_null(strstr(m.last, "1 tensors alive, 2048 bytes"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(costs),
        TEST(costs_at_full),
        TEST(random_scopes),
        TEST(deep_nesting),
        TEST(holes),
        TEST(scopes_without_memory),
        TEST(families_in_every_order),
        TEST(context_goes_first),
        TEST(borrowed_families),
        TEST(views_without_memory),
        TEST(releases_on_other_threads),
        TEST(views_race),
        TEST(double_releases),
        TEST(double_release_after_another_thread),
        TEST(pressure),
        TEST(trimming),
        TEST(damage),
        TEST(adoption),
        TEST(messages_at_the_end),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
