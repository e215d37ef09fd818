/* SPDX-License-Identifier: MIT */
#include "model/vocabulary.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/sort.h"
#include "base/status.h"

/* Byte of a character of the GPT-2 mapping, -1 for others. Printable Latin-1 characters stand for
 * themselves; U+0100.. stand for the other 68 bytes in ascending order: 0..32, 127..160, 173. */
static int byte_of_character(uint32_t c) {
    if ((c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 127);
    return c == 0x143 ? 173 : -1;
}

bool tern__bytes_from_text(const char *text, size_t count, uint8_t *bytes, size_t *written) {
    const uint8_t *in = (const uint8_t *)text;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t c = in[i];
        if (c >= 0x80) { /* all mapped characters above ASCII have two bytes */
            if ((c & 0xe0u) != 0xc0u || i + 1 == count || (in[i + 1] & 0xc0u) != 0x80u)
                return false;
            c = (c & 0x1fu) << 6 | (in[++i] & 0x3fu);
            if (c < 0x80)
                return false;
        }
        int byte = byte_of_character(c);
        if (byte < 0)
            return false;
        bytes[n++] = (uint8_t)byte;
    }
    *written = n;
    return true;
}

/* The slot that holds these bytes, or the free one where they belong. */
static tern__vocabulary_slot *find_slot(const tern__vocabulary *vocabulary, const uint8_t *bytes,
                                        size_t count, uint32_t hash) {
    for (uint32_t i = hash & vocabulary->mask;; i = (i + 1) & vocabulary->mask) {
        tern__vocabulary_slot *slot = &vocabulary->slots[i];
        if (slot->id < 0)
            return slot;
        if (slot->hash != hash)
            continue;
        size_t length;
        const uint8_t *known = tern__vocabulary_bytes(vocabulary, slot->id, &length);
        if (length == count && memcmp(known, bytes, count) == 0)
            return slot;
    }
}

int32_t tern__vocabulary_find_hashed(const tern__vocabulary *vocabulary, const uint8_t *bytes,
                                     size_t count, uint32_t hash) {
    return find_slot(vocabulary, bytes, count, hash)->id;
}

int32_t tern__vocabulary_find(const tern__vocabulary *vocabulary, const uint8_t *bytes,
                              size_t count) {
    return find_slot(vocabulary, bytes, count, tern__vocabulary_hash(vocabulary, bytes, count))->id;
}

/* Narrows [*begin, *end) of the sorted specials, which share their first `depth` bytes, to those
 * whose byte `depth` is `byte`. Texts that end at `depth` come first and were met before. */
static void narrow(const tern__vocabulary *vocabulary, size_t depth, uint8_t byte, int32_t *begin,
                   int32_t *end) {
    for (int side = 0; side < 2; side++) {
        int32_t low = *begin, high = *end;
        while (low < high) {
            int32_t middle = low + (high - low) / 2;
            size_t length;
            const uint8_t *text =
                tern__vocabulary_bytes(vocabulary, vocabulary->specials[middle], &length);
            bool is_before = length <= depth || text[depth] < byte + side;
            if (is_before)
                low = middle + 1;
            else
                high = middle;
        }
        *(side == 0 ? begin : end) = low;
    }
}

int32_t tern__vocabulary_special(const tern__vocabulary *vocabulary, const uint8_t *text,
                                 size_t count, size_t *length) {
    int32_t found = -1;
    if (count == 0)
        return found;
    int32_t begin = vocabulary->special_start[text[0]];
    int32_t end = vocabulary->special_start[text[0] + 1];
    for (size_t depth = 1; begin < end; depth++) {
        size_t first;
        tern__vocabulary_bytes(vocabulary, vocabulary->specials[begin], &first);
        if (first == depth) {
            found = vocabulary->specials[begin];
            *length = depth;
        }
        if (depth == count)
            break;
        narrow(vocabulary, depth, text[depth], &begin, &end);
    }
    return found;
}

static int compare_tokens(const void *user, int32_t a, int32_t b) {
    const tern__vocabulary *vocabulary = user;
    size_t a_count, b_count;
    const uint8_t *a_bytes = tern__vocabulary_bytes(vocabulary, a, &a_count);
    const uint8_t *b_bytes = tern__vocabulary_bytes(vocabulary, b, &b_count);
    int order = memcmp(a_bytes, b_bytes, a_count < b_count ? a_count : b_count);
    return order != 0 ? order : (a_count > b_count) - (a_count < b_count);
}

static tern_status sort_specials(tern__vocabulary *vocabulary) {
    int32_t *ids = vocabulary->specials;
    int32_t count = vocabulary->special_count;
    tern__sort_ids(ids, count, compare_tokens, vocabulary);
    for (int32_t i = 0; i < count; i++) {
        if (i > 0 && compare_tokens(vocabulary, ids[i - 1], ids[i]) == 0)
            return tern__fail(TERN_E_FORMAT, "tokenizer: special tokens %d and %d are the same",
                              ids[i - 1], ids[i]);
        /* Counting sort's trick: first the number of specials per first byte, then their sum. */
        vocabulary->special_start[vocabulary->bytes[vocabulary->offsets[ids[i]]] + 1]++;
    }
    for (int byte = 0; byte < 256; byte++)
        vocabulary->special_start[byte + 1] += vocabulary->special_start[byte];
    return TERN_OK;
}

static tern_status allocate(tern__vocabulary *vocabulary, const tern__gguf_string *tokens,
                            const uint8_t *types, size_t count) {
    if (count == 0 || count >= INT32_MAX / 4)
        return tern__fail(TERN_E_FORMAT, "tokenizer: %zu tokens", count);
    size_t text_bytes = 0, special_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!tern__add_size(text_bytes, tokens[i].length, &text_bytes) || text_bytes > UINT32_MAX)
            return tern__fail(TERN_E_LIMIT, "tokenizer: the tokens have more than 4 GiB");
        special_count += types != NULL && tern__token_is_special(types[i]);
    }
    const tern__os_table *os = tern__os();
    int error = os->random(&vocabulary->key, sizeof vocabulary->key);
    if (error != 0)
        return tern__fail(TERN_E_IO, "tokenizer: no random bytes: %s", strerror(error));
    uint32_t slots = 1024;
    while (slots < 2 * count)
        slots *= 2;
    vocabulary->size = (int32_t)count;
    vocabulary->mask = slots - 1;
    vocabulary->types = os->alloc(count);
    vocabulary->offsets = os->alloc((count + 1) * sizeof *vocabulary->offsets);
    vocabulary->bytes = os->alloc(text_bytes + 1);
    vocabulary->slots = os->alloc(slots * sizeof *vocabulary->slots);
    vocabulary->specials = os->alloc((special_count + 1) * sizeof *vocabulary->specials);
    if (vocabulary->types == NULL || vocabulary->offsets == NULL || vocabulary->bytes == NULL ||
        vocabulary->slots == NULL || vocabulary->specials == NULL)
        return tern__fail(TERN_E_MEMORY, "tokenizer: no memory for %zu tokens", count);
    for (uint32_t i = 0; i < slots; i++)
        vocabulary->slots[i].id = -1;
    return TERN_OK;
}

/* Adds token `id`, the next one, to the bytes and to the map that its type asks for. */
static tern_status add_token(tern__vocabulary *vocabulary, int32_t id, tern__gguf_string text,
                             uint8_t type) {
    uint8_t *bytes = vocabulary->bytes + vocabulary->offsets[id];
    size_t length = 0;
    bool is_special = tern__token_is_special(type);
    bool is_text = !is_special && tern__bytes_from_text(text.bytes, text.length, bytes, &length);
    if (!is_text) {
        length = text.length;
        if (length > 0)
            memcpy(bytes, text.bytes, length);
    }
    vocabulary->types[id] = type;
    vocabulary->offsets[id + 1] = vocabulary->offsets[id] + (uint32_t)length;
    if (length == 0) /* real files have such holes */
        return TERN_OK;
    if (is_special)
        vocabulary->specials[vocabulary->special_count++] = id;
    if (!is_text)
        return TERN_OK;
    uint32_t hash = tern__vocabulary_hash(vocabulary, bytes, length);
    tern__vocabulary_slot *slot = find_slot(vocabulary, bytes, length, hash);
    if (slot->id >= 0)
        return tern__fail(TERN_E_FORMAT, "tokenizer: tokens %d and %d are the same", slot->id, id);
    *slot = (tern__vocabulary_slot){hash, id};
    return TERN_OK;
}

tern_status tern__vocabulary_init(tern__vocabulary *vocabulary, const tern__gguf_string *tokens,
                                  const uint8_t *types, size_t count) {
    tern_status status;
    *vocabulary = (tern__vocabulary){0};
    TERN__TRY(allocate(vocabulary, tokens, types, count));
    for (size_t i = 0; i < count; i++)
        TERN__TRY(add_token(vocabulary, (int32_t)i, tokens[i],
                            types != NULL ? types[i] : TERN__TOKEN_NORMAL));
    TERN__TRY(sort_specials(vocabulary));
    for (int byte = 0; byte < 256; byte++) {
        vocabulary->byte_ids[byte] =
            tern__vocabulary_find(vocabulary, &(uint8_t){(uint8_t)byte}, 1);
        if (vocabulary->byte_ids[byte] < 0) {
            status = tern__fail(TERN_E_FORMAT, "tokenizer: no token for the byte 0x%02x", byte);
            goto done;
        }
    }
done:
    if (status != TERN_OK)
        tern__vocabulary_deinit(vocabulary);
    return status;
}

void tern__vocabulary_deinit(tern__vocabulary *vocabulary) {
    const tern__os_table *os = tern__os();
    os->free(vocabulary->specials);
    os->free(vocabulary->slots);
    os->free(vocabulary->bytes);
    os->free(vocabulary->offsets);
    os->free(vocabulary->types);
    *vocabulary = (tern__vocabulary){0};
}
