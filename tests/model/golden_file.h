/* SPDX-License-Identifier: MIT
 * Reader of tests/data/story-golden.txt and data/story-heldout.txt: the vectors of an independent
 * float64 program. Records are lines "name count values..."; a prompt opens a group, a window too.
 */
#ifndef TERN_TEST_GOLDEN_FILE_H
#define TERN_TEST_GOLDEN_FILE_H

#include "support.h"

enum { GOLDEN_MOST = 8192 };

/* One line: a word, then numbers. */
typedef struct golden_line {
    char name[32];
    int64_t count;
    double values[GOLDEN_MOST];
} golden_line;

/* Reads the next line that has the form above; text lines and comments are passed over. False at
 * the end of the text. */
static inline bool golden_next(const char **text, golden_line *line) {
    while (**text != '\0') {
        const char *at = *text;
        const char *end = strchr(at, '\n');
        *text = end != NULL ? end + 1 : at + strlen(at);
        int used = 0;
        long long count = 0;
        if (*at == '#' || strncmp(at, "mean_nll", 8) == 0 ||
            sscanf(at, "%31s %lld%n", line->name, &count, &used) != 2)
            continue;
        assert_in_range(count, 1, GOLDEN_MOST);
        line->count = count;
        at += used;
        for (int64_t i = 0; i < count; i++) {
            char *after;
            line->values[i] = strtod(at, &after);
            assert_ptr_not_equal(at, after);
            at = after;
        }
        return true;
    }
    return false;
}

#endif
