/* SPDX-License-Identifier: MIT */
#ifndef TERN__SORT_H
#define TERN__SORT_H

#include <stdint.h>

/* Negative, 0 or positive, as `a` stands before, beside or behind `b`. */
typedef int (*tern__compare_fn)(const void *user, int32_t a, int32_t b);

static inline void tern__sort_sift(int32_t *ids, int64_t root, int64_t count,
                                   tern__compare_fn compare, const void *user) {
    int32_t moved = ids[root];
    for (int64_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(user, ids[child], ids[child + 1]) < 0)
            child++;
        if (compare(user, moved, ids[child]) >= 0)
            break;
        ids[root] = ids[child];
    }
    ids[root] = moved;
}

/* Ascending; equals in any order. Heapsort: no recursion, no memory, no bad case. */
static inline void tern__sort_ids(int32_t *ids, int64_t count, tern__compare_fn compare,
                                  const void *user) {
    for (int64_t i = count / 2; i-- > 0;)
        tern__sort_sift(ids, i, count, compare, user);
    for (int64_t last = count; last-- > 1;) {
        int32_t largest = ids[0];
        ids[0] = ids[last];
        ids[last] = largest;
        tern__sort_sift(ids, 0, last, compare, user);
    }
}

#endif
