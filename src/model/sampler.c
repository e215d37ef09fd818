/* SPDX-License-Identifier: MIT
 *
 * Choosing the next token: repetition penalty, then the largest logit (temperature 0), or top-k,
 * softmax, top-p, min-p and one draw. All arithmetic behind the logits is in double, in a stated
 * order (candidates from the best to the worst, or by id where no cut asks for an order), so that
 * a seed gives the same text on every machine.
 *
 * Cost: one pass over the vocabulary keeps the best candidates in a small heap; almost every logit
 * fails a single comparison with the worst of them. Without top-k the exponentials of all logits
 * are summed, and the heap grows only until it holds the nucleus.
 *
 * All of it goes over `count` entries in the order of their ids: all V, or only the best logits.
 */
#include <math.h>
#include <string.h>

#include <tern/model.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/realmath.h"
#include "base/sort.h"
#include "base/status.h"

/* First guess of how many candidates hold the nucleus of top-p when top-k is off. */
enum { NUCLEUS_GUESS = 256 };

struct tern_sampler {
    tern_sampler_options options;
    int64_t vocabulary;
    int64_t count;     /* of logits that the draw sees; entry i is token i, or names[i] */
    uint64_t draws;    /* position of the next draw in the stream of the seed */
    uint64_t accepted; /* tokens seen; `recent` is a ring of the last repeat_last of them */
    double *weights;   /* (V) exp((logit - largest) / temperature) of ids[i] */
    float *logits;     /* (count) after the penalty, NaN replaced by -infinity */
    int32_t *ids;      /* (V) candidates: entries */
    int32_t *names;    /* (V) tokens of the best logits, ascending */
    int32_t *recent;   /* (repeat_last) */
};

tern_sampler_options tern_sampler_options_default(void) {
    return (tern_sampler_options){.temperature = 0.8f,
                                  .top_k = 40,
                                  .top_p = 0.95f,
                                  .min_p = 0.05f,
                                  .repeat_penalty = 1.0f,
                                  .repeat_last = 64,
                                  .seed = 0};
}

static tern_status check_options(const tern_sampler_options *o, int64_t vocabulary) {
    if (vocabulary < 1 || vocabulary > INT32_MAX)
        return tern__fail(TERN_E_ARGUMENT, "sampler: a vocabulary of %lld tokens",
                          (long long)vocabulary);
    if (!(o->temperature >= 0 && o->temperature < INFINITY))
        return tern__fail(TERN_E_ARGUMENT, "sampler: temperature %g is not a number >= 0",
                          (double)o->temperature);
    if (o->top_k < 0)
        return tern__fail(TERN_E_ARGUMENT, "sampler: top_k %d is below 0", o->top_k);
    if (!(o->top_p >= 0 && o->top_p <= 1))
        return tern__fail(TERN_E_ARGUMENT, "sampler: top_p %g is outside 0..1", (double)o->top_p);
    if (!(o->min_p >= 0 && o->min_p <= 1))
        return tern__fail(TERN_E_ARGUMENT, "sampler: min_p %g is outside 0..1", (double)o->min_p);
    if (!(o->repeat_penalty > 0 && o->repeat_penalty < INFINITY))
        return tern__fail(TERN_E_ARGUMENT, "sampler: repeat_penalty %g is not a number > 0",
                          (double)o->repeat_penalty);
    if (o->repeat_last < 0)
        return tern__fail(TERN_E_ARGUMENT, "sampler: repeat_last %d is below 0", o->repeat_last);
    return TERN_OK;
}

tern_status tern_sampler_create(const tern_sampler_options *options, int64_t vocabulary,
                                tern_sampler **sampler) {
    if (sampler == NULL)
        return tern__fail(TERN_E_ARGUMENT, "sampler: the result pointer is NULL");
    *sampler = NULL;
    tern_sampler_options o = options != NULL ? *options : tern_sampler_options_default();
    tern_status status = check_options(&o, vocabulary);
    if (status != TERN_OK)
        return status;

    /* One block: the struct, then the arrays by falling alignment. */
    size_t token_bytes = sizeof(double) + sizeof(float) + 2 * sizeof(int32_t);
    size_t bytes, recent_bytes;
    if (!tern__mul_size((size_t)vocabulary, token_bytes, &bytes) ||
        !tern__mul_size((size_t)o.repeat_last, sizeof(int32_t), &recent_bytes) ||
        !tern__add_size(bytes, recent_bytes, &bytes) ||
        !tern__add_size(bytes, sizeof(tern_sampler), &bytes))
        return tern__fail(TERN_E_MEMORY, "sampler: %lld tokens do not fit the address space",
                          (long long)vocabulary);
    tern_sampler *s = tern__os()->alloc(bytes);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "sampler: no memory for %zu bytes", bytes);
    s->options = o;
    s->vocabulary = vocabulary;
    s->weights = (double *)(s + 1);
    s->logits = (float *)(s->weights + vocabulary);
    s->ids = (int32_t *)(s->logits + vocabulary);
    s->names = s->ids + vocabulary;
    s->recent = s->names + vocabulary;
    *sampler = s;
    return TERN_OK;
}

void tern_sampler_destroy(tern_sampler *sampler) {
    if (sampler != NULL)
        tern__os()->free(sampler);
}

void tern_sampler_accept(tern_sampler *sampler, int32_t token) {
    uint64_t last = (uint64_t)sampler->options.repeat_last;
    if (last > 0 && token >= 0 && token < sampler->vocabulary)
        sampler->recent[sampler->accepted++ % last] = token;
}

/* Fills s->logits from all of them. The penalty starts from the caller's logits, so a token seen
 * twice is penalised once. */
static void take_logits(tern_sampler *s, const float *logits) {
    s->count = s->vocabulary;
    memcpy(s->logits, logits, (size_t)s->vocabulary * sizeof *logits);
    float penalty = s->options.repeat_penalty;
    uint64_t last = (uint64_t)s->options.repeat_last;
    uint64_t recent = s->accepted < last ? s->accepted : last;
    for (uint64_t i = 0; i < recent; i++) {
        int32_t id = s->recent[i];
        s->logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
}

/* Tells the largest logit (the lowest entry among equals) and how many are above -infinity. */
static int64_t count_live(tern_sampler *s, int32_t *largest) {
    int64_t live = 0;
    float maximum = -INFINITY;
    for (int64_t id = 0; id < s->count; id++) {
        float x = s->logits[id];
        if (!(x > -INFINITY)) {
            s->logits[id] = -INFINITY;
            continue;
        }
        live++;
        if (x > maximum) {
            maximum = x;
            *largest = (int32_t)id;
        }
    }
    return live;
}

static bool is_better(const float *logits, int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

/* Restores the heap below `root`: every parent is worse than its children. */
static void sift_down(const float *logits, int32_t *heap, int64_t count, int64_t root) {
    int32_t id = heap[root];
    for (int64_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_better(logits, heap[child], heap[child + 1]))
            child++;
        if (!is_better(logits, id, heap[child]))
            break;
        heap[root] = heap[child];
    }
    heap[root] = id;
}

/* Stores the `count` best ids in s->ids, best first. count is at most the live logits. */
static void select_best(tern_sampler *s, int64_t count) {
    int32_t *heap = s->ids;
    int64_t held = 0;
    for (int64_t id = 0; id < s->count; id++) {
        if (s->logits[id] == -INFINITY)
            continue;
        if (held < count) {
            heap[held++] = (int32_t)id;
            for (int64_t root = count / 2 - 1; held == count && root >= 0; root--)
                sift_down(s->logits, heap, count, root);
        } else if (is_better(s->logits, (int32_t)id, heap[0])) {
            heap[0] = (int32_t)id;
            sift_down(s->logits, heap, count, 0);
        }
    }
    for (int64_t end = count - 1; end > 0; end--) {
        int32_t worst = heap[0];
        heap[0] = heap[end];
        heap[end] = worst;
        sift_down(s->logits, heap, end, 0);
    }
}

/* Equal infinities count as a distance of 0. */
static double weight_of(const tern_sampler *s, int32_t id, float largest) {
    float x = s->logits[id];
    if (x == largest)
        return 1.0;
    return tern__exp(((double)x - (double)largest) / (double)s->options.temperature);
}

/* Weights the `count` best candidates and returns how many of them the nucleus takes: the fewest
 * whose sum reaches `needed`; count + 1 when all of them fall short. */
static int64_t cut_nucleus(tern_sampler *s, int64_t count, float largest, double needed) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        s->weights[i] = weight_of(s, s->ids[i], largest);
        sum += s->weights[i];
        if (sum >= needed)
            return i + 1;
    }
    return count + 1;
}

/* Candidates and weights of top-k and top-p; returns their number. */
static int64_t gather(tern_sampler *s, int64_t live, float largest) {
    double top_p = (double)s->options.top_p;
    bool has_top_k = s->options.top_k > 0 && s->options.top_k < live;
    if (!has_top_k && top_p >= 1) {
        int64_t count = 0;
        for (int64_t id = 0; id < s->count; id++) {
            if (s->logits[id] == -INFINITY)
                continue;
            s->ids[count] = (int32_t)id;
            s->weights[count++] = weight_of(s, (int32_t)id, largest);
        }
        return count;
    }
    double total = 0;
    if (has_top_k) {
        int64_t count = s->options.top_k;
        select_best(s, count);
        for (int64_t i = 0; i < count; i++)
            total += weight_of(s, s->ids[i], largest);
        return tern__min_i64(cut_nucleus(s, count, largest, top_p * total), count);
    }
    for (int64_t id = 0; id < s->count; id++)
        total += s->logits[id] == -INFINITY ? 0 : weight_of(s, (int32_t)id, largest);
    /* The best first and by id are two orders of one sum: the last bits may differ, and then all
     * candidates are the nucleus. */
    for (int64_t width = NUCLEUS_GUESS;; width *= 4) {
        int64_t count = tern__min_i64(width, live);
        select_best(s, count);
        int64_t kept = cut_nucleus(s, count, largest, top_p * total);
        if (kept <= count || count == live)
            return tern__min_i64(kept, count);
    }
}

/* 53 bits of the seed's stream, in [0, 1). */
static double uniform(uint64_t seed, uint64_t position) {
    tern__philox_block block = tern__philox(seed, position);
    uint64_t bits = (uint64_t)block.word[0] << 21 | block.word[1] >> 11;
    return (double)bits * 0x1p-53;
}

/* Drops weights below min_p (the largest is 1) and draws among the rest. */
static int32_t draw(tern_sampler *s, int64_t count) {
    double least = (double)s->options.min_p;
    double total = 0;
    for (int64_t i = 0; i < count; i++) {
        if (s->weights[i] < least)
            s->weights[i] = 0;
        total += s->weights[i];
    }
    double target = uniform(s->options.seed, s->draws) * total;
    double sum = 0;
    int32_t choice = -1;
    for (int64_t i = 0; i < count && !(sum > target); i++) {
        sum += s->weights[i];
        if (s->weights[i] > 0)
            choice = s->ids[i];
    }
    return choice;
}

/* The draw from what was taken. */
static tern_status choose_entry(tern_sampler *s, int32_t *entry) {
    *entry = -1;
    int64_t live = count_live(s, entry);
    if (live == 0)
        return tern__fail(TERN_E_ARGUMENT, "sampler: all %lld logits are NaN or -infinity",
                          (long long)s->count);
    if (s->options.temperature > 0)
        *entry = draw(s, gather(s, live, s->logits[*entry]));
    s->draws++;
    return TERN_OK;
}

static tern_status check_pointers(const void *sampler, const void *ids, const void *logits,
                                  const void *token) {
    const char *missing = sampler == NULL  ? "sampler"
                          : logits == NULL ? "logits"
                          : ids == NULL    ? "ids"
                          : token == NULL  ? "token"
                                           : NULL;
    if (missing != NULL)
        return tern__fail(TERN_E_ARGUMENT, "sampler: the %s pointer is NULL", missing);
    return TERN_OK;
}

tern_status tern_sampler_next(tern_sampler *sampler, const float *logits, int32_t *token) {
    int32_t choice;
    tern_status status = check_pointers(sampler, logits, logits, token);
    if (status != TERN_OK)
        return status;
    take_logits(sampler, logits);
    status = choose_entry(sampler, &choice);
    if (status != TERN_OK)
        return status;
    tern_sampler_accept(sampler, choice);
    *token = choice;
    return TERN_OK;
}

/* -- from the best logits ----------------------------------------------------------------------*/

int64_t tern_sampler_needs(const tern_sampler_options *options) {
    tern_sampler_options o = options != NULL ? *options : tern_sampler_options_default();
    if (o.repeat_penalty != 1 && o.repeat_last > 0)
        return 0;
    if (o.temperature == 0)
        return 1;
    /* One more tells whether top-k cuts anything off, without which the order of sums is by id. */
    return o.top_k > 0 ? (int64_t)o.top_k + 1 : 0;
}

static int by_token(const void *ids, int32_t a, int32_t b) {
    const int32_t *tokens = ids;
    return tokens[a] < tokens[b] ? -1 : tokens[a] > tokens[b];
}

/* Fills s->logits and s->names in the order of tokens. */
static tern_status take_best(tern_sampler *s, const int32_t *ids, const float *logits,
                             int64_t count) {
    for (int64_t i = 0; i < count; i++)
        s->ids[i] = (int32_t)i;
    tern__sort_ids(s->ids, count, by_token, ids);
    s->count = count;
    for (int64_t i = 0; i < count; i++) {
        s->names[i] = ids[s->ids[i]];
        s->logits[i] = logits[s->ids[i]];
        if (s->names[i] < 0 || s->names[i] >= s->vocabulary)
            return tern__fail(TERN_E_ARGUMENT, "sampler: id %d is not in 0..%lld", s->names[i],
                              (long long)s->vocabulary - 1);
        if (i > 0 && s->names[i] == s->names[i - 1])
            return tern__fail(TERN_E_ARGUMENT, "sampler: id %d is given twice", s->names[i]);
    }
    return TERN_OK;
}

tern_status tern_sampler_next_best(tern_sampler *sampler, const int32_t *ids, const float *logits,
                                   int64_t count, int32_t *token) {
    int32_t choice;
    tern_status status = check_pointers(sampler, ids, logits, token);
    if (status != TERN_OK)
        return status;
    int64_t needed = tern_sampler_needs(&sampler->options);
    if (needed == 0)
        return tern__fail(TERN_E_ARGUMENT, "sampler: these options need all logits");
    needed = tern__min_i64(needed, sampler->vocabulary);
    if (count < needed || count > sampler->vocabulary)
        return tern__fail(TERN_E_ARGUMENT, "sampler: %lld logits, not %lld..%lld", (long long)count,
                          (long long)needed, (long long)sampler->vocabulary);
    status = take_best(sampler, ids, logits, count);
    if (status == TERN_OK)
        status = choose_entry(sampler, &choice);
    if (status != TERN_OK)
        return status;
    *token = sampler->names[choice];
    tern_sampler_accept(sampler, *token);
    return TERN_OK;
}
