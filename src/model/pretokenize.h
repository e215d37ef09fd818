/* SPDX-License-Identifier: MIT
 *
 * Cuts text into the pieces inside which tokens are merged: words, numbers, runs of punctuation,
 * white space. Any bytes in, the same bytes out, piece by piece:
 *
 *     tern__splitter splitter;
 *     status = tern__splitter_init(&splitter, pattern);
 *     tern__splitter_start(&splitter, text, bytes);
 *     while ((status = tern__splitter_next(&splitter, &piece, &count)) == TERN_OK && count > 0) ...
 *     tern__splitter_deinit(&splitter);
 */
#ifndef TERN__PRETOKENIZE_H
#define TERN__PRETOKENIZE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <tern/base.h>

typedef enum tern__pretokenizer {
    TERN__PRETOKENIZER_GPT2,
    TERN__PRETOKENIZER_LLAMA3,
} tern__pretokenizer;

/* A compiled pattern: does not change after it was made and may be shared by threads. */
typedef struct tern__pattern tern__pattern;

/* `is_interpreted`: no machine code is made, as on systems that forbid it. The pieces are the
 * same. */
tern_status tern__pattern_create(tern__pretokenizer kind, bool is_interpreted,
                                 tern__pattern **pattern);
void tern__pattern_destroy(tern__pattern *pattern); /* NULL is fine */

/* One thread's walk over texts. */
typedef struct tern__splitter {
    const tern__pattern *pattern;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;                /* NULL when the pattern is interpreted */
    const uint8_t *next, *valid_end, *end; /* [next, valid_end) is valid UTF-8 */
} tern__splitter;

/* Borrows `pattern`. TERN_E_MEMORY. */
tern_status tern__splitter_init(tern__splitter *splitter, const tern__pattern *pattern);
void tern__splitter_deinit(tern__splitter *splitter);

void tern__splitter_start(tern__splitter *splitter, const uint8_t *text, size_t bytes);

/* The next piece; 0 bytes at the end. A longest run of bytes that are not UTF-8 (Unicode 15,
 * table 3-7) is a piece of its own; text before it ends there as far as the pattern goes. Linear
 * time over the whole text, whatever is in it. */
tern_status tern__splitter_next(tern__splitter *splitter, const uint8_t **piece, size_t *bytes);

#endif
