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
 */
#include <math.h>
#include <string.h>

#include <tern/model.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/realmath.h"
#include "base/status.h"

/* First guess of how many candidates hold the nucleus of top-p when top-k is off. */
enum { NUCLEUS_GUESS = 256 };

struct tern_sampler {
    tern_sampler_options options;
    int64_t vocabulary;
    uint64_t draws;    /* position of the next draw in the stream of the seed */
    uint64_t accepted; /* tokens seen; `recent` is a ring of the last repeat_last of them */
    double *weights;   /* (V) exp((logit - largest) / temperature) of ids[i] */
    float *logits;     /* (V) after the penalty, NaN replaced by -infinity */
    int32_t *ids;      /* (V) candidates */
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
    size_t token_bytes = sizeof(double) + sizeof(float) + sizeof(int32_t);
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
    s->recent = s->ids + vocabulary;
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

/* Fills s->logits and tells the largest of them (lowest id among equals) and how many are above
 * -infinity. The penalty starts from the caller's logits, so a token seen twice is penalised
 * once. */
static int64_t take_logits(tern_sampler *s, const float *logits, int32_t *largest) {
    memcpy(s->logits, logits, (size_t)s->vocabulary * sizeof *logits);
    float penalty = s->options.repeat_penalty;
    uint64_t last = (uint64_t)s->options.repeat_last;
    uint64_t recent = s->accepted < last ? s->accepted : last;
    for (uint64_t i = 0; i < recent; i++) {
        int32_t id = s->recent[i];
        s->logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
    int64_t live = 0;
    float maximum = -INFINITY;
    for (int64_t id = 0; id < s->vocabulary; id++) {
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
    for (int64_t id = 0; id < s->vocabulary; id++) {
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
        for (int64_t id = 0; id < s->vocabulary; id++) {
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
    for (int64_t id = 0; id < s->vocabulary; id++)
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

tern_status tern_sampler_next(tern_sampler *sampler, const float *logits, int32_t *token) {
    if (sampler == NULL || logits == NULL || token == NULL)
        return tern__fail(TERN_E_ARGUMENT, "sampler: the %s pointer is NULL",
                          sampler == NULL  ? "sampler"
                          : logits == NULL ? "logits"
                                           : "token");
    int32_t choice = -1;
    int64_t live = take_logits(sampler, logits, &choice);
    if (live == 0)
        return tern__fail(TERN_E_ARGUMENT, "sampler: all %lld logits are NaN or -infinity",
                          (long long)sampler->vocabulary);
    if (sampler->options.temperature > 0)
        choice = draw(sampler, gather(sampler, live, sampler->logits[choice]));
    sampler->draws++;
    tern_sampler_accept(sampler, choice);
    *token = choice;
    return TERN_OK;
}
