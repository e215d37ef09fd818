/* SPDX-License-Identifier: MIT */
#include "model/pretokenize.h"

#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "base/utf8.h"

/* White space as the Unicode property White_Space has it, which is what \s means in the published
 * patterns. PCRE2's own \s also takes U+180E. */
#define SPACE "\\t-\\r\\x{85}\\p{Z}"

/* Every character is a letter, a number, white space or none of these, so that each pattern matches
 * at each place of valid text. No alternative backtracks further than into the piece that a later
 * alternative then takes whole: linear time. */
static const char *const patterns[] = {
    [TERN__PRETOKENIZER_GPT2] = "'s|'t|'re|'ve|'m|'ll|'d"
                                "| ?\\p{L}+"
                                "| ?\\p{N}+"
                                "| ?[^" SPACE "\\p{L}\\p{N}]+"
                                "|[" SPACE "]+(?![^" SPACE "])"
                                "|[" SPACE "]+",
    [TERN__PRETOKENIZER_LLAMA3] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
                                  "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
                                  "|\\p{N}{1,3}"
                                  "| ?[^" SPACE "\\p{L}\\p{N}]+[\\r\\n]*"
                                  "|[" SPACE "]*[\\r\\n]+"
                                  "|[" SPACE "]+(?![^" SPACE "])"
                                  "|[" SPACE "]+",
};

/* The patterns nest two deep and backtrack over single characters only, which takes no stack per
 * character: both limits are far above what any text needs. */
enum {
    JIT_STACK_START = 32 * 1024,
    JIT_STACK_LIMIT = 128 * 1024,
    HEAP_LIMIT_KIB = 1024, /* of the interpreter */
};

struct tern__pattern {
    pcre2_general_context *general;
    pcre2_code *code;
    bool has_machine_code;
};

static void *pcre_alloc(PCRE2_SIZE bytes, void *user) {
    (void)user;
    return tern__os()->alloc(bytes);
}

static void pcre_free(void *pointer, void *user) {
    (void)user;
    tern__os()->free(pointer);
}

tern_status tern__pattern_create(tern__pretokenizer kind, bool is_interpreted,
                                 tern__pattern **pattern) {
    tern_status status = TERN_E_MEMORY;
    pcre2_compile_context *context = NULL;
    int error = 0;
    PCRE2_SIZE offset = 0;
    *pattern = NULL;
    tern__pattern *made = tern__os()->alloc(sizeof *made);
    if (made == NULL)
        goto done;
    made->general = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    if (made->general == NULL)
        goto done;
    context = pcre2_compile_context_create(made->general);
    if (context == NULL)
        goto done;
    made->code = pcre2_compile((PCRE2_SPTR)patterns[kind], PCRE2_ZERO_TERMINATED,
                               PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, context);
    if (made->code == NULL) {
        status = error == PCRE2_ERROR_HEAP_FAILED ? TERN_E_MEMORY : TERN_E_INTERNAL;
        goto done;
    }
    made->has_machine_code =
        !is_interpreted && pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE) == 0;
    *pattern = made;
    status = TERN_OK;
done:
    pcre2_compile_context_free(context);
    if (status != TERN_OK) {
        tern__pattern_destroy(made);
        return tern__fail(status, "tokenizer: PCRE2 cannot compile pattern %d: error %d at %zu",
                          (int)kind, error, offset);
    }
    return TERN_OK;
}

void tern__pattern_destroy(tern__pattern *pattern) {
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    pcre2_general_context_free(pattern->general);
    tern__os()->free(pattern);
}

tern_status tern__splitter_init(tern__splitter *splitter, const tern__pattern *pattern) {
    *splitter = (tern__splitter){.pattern = pattern};
    splitter->match = pcre2_match_data_create(1, pattern->general);
    splitter->context = pcre2_match_context_create(pattern->general);
    if (splitter->match == NULL || splitter->context == NULL)
        goto failed;
    if (pattern->has_machine_code) {
        splitter->stack =
            pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_LIMIT, pattern->general);
        if (splitter->stack == NULL)
            goto failed;
        pcre2_jit_stack_assign(splitter->context, NULL, splitter->stack);
    }
    /* The default limit of 10 million steps is less than a long run of spaces takes. */
    pcre2_set_match_limit(splitter->context, UINT32_MAX);
    pcre2_set_heap_limit(splitter->context, HEAP_LIMIT_KIB);
    return TERN_OK;
failed:
    tern__splitter_deinit(splitter);
    return tern__fail(TERN_E_MEMORY, "tokenizer: no memory for matching");
}

void tern__splitter_deinit(tern__splitter *splitter) {
    pcre2_jit_stack_free(splitter->stack);
    pcre2_match_context_free(splitter->context);
    pcre2_match_data_free(splitter->match);
    *splitter = (tern__splitter){0};
}

void tern__splitter_start(tern__splitter *splitter, const uint8_t *text, size_t bytes) {
    splitter->next = splitter->valid_end = text;
    splitter->end = text + bytes;
}

/* Length of the valid character at `text`, 0 if there is none; text < end. */
static size_t character_length(const uint8_t *text, const uint8_t *end) {
    uint32_t code;
    return tern__utf8(text, (uint64_t)(end - text), &code);
}

static const uint8_t *skip_valid(const uint8_t *text, const uint8_t *end) {
    while (text < end) {
        uint64_t word;
        if (end - text >= 8) {
            memcpy(&word, text, 8);
            if ((word & 0x8080808080808080u) == 0) {
                text += 8;
                continue;
            }
        }
        size_t length = character_length(text, end);
        if (length == 0)
            break;
        text += length;
    }
    return text;
}

static const uint8_t *skip_invalid(const uint8_t *text, const uint8_t *end) {
    while (text < end && character_length(text, end) == 0)
        text++;
    return text;
}

/* PCRE2 is given valid stretches only. It could find them itself (PCRE2_MATCH_INVALID_UTF), but its
 * interpreter then checks the rest of the text again for every piece: quadratic time. */
tern_status tern__splitter_next(tern__splitter *splitter, const uint8_t **piece, size_t *bytes) {
    const uint8_t *text = *piece = splitter->next;
    *bytes = 0;
    if (text == splitter->end)
        return TERN_OK;
    if (text == splitter->valid_end) {
        splitter->valid_end = skip_valid(text, splitter->end);
        if (text == splitter->valid_end) {
            splitter->next = splitter->valid_end = skip_invalid(text, splitter->end);
            *bytes = (size_t)(splitter->next - text);
            return TERN_OK;
        }
    }
    size_t left = (size_t)(splitter->valid_end - text);
    const tern__pattern *pattern = splitter->pattern;
    int result =
        pattern->has_machine_code
            ? pcre2_jit_match(pattern->code, text, left, 0, 0, splitter->match, splitter->context)
            : pcre2_match(pattern->code, text, left, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                          splitter->match, splitter->context);
    size_t matched = result > 0 ? pcre2_get_ovector_pointer(splitter->match)[1] : 0;
    if (result == PCRE2_ERROR_NOMEMORY)
        return tern__fail(TERN_E_MEMORY, "tokenizer: no memory for matching");
    if (matched == 0)
        return tern__fail(TERN_E_INTERNAL, "tokenizer: PCRE2 match failed with error %d", result);
    splitter->next = text + matched;
    *bytes = matched;
    return TERN_OK;
}
