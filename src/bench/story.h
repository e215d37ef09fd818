/* SPDX-License-Identifier: MIT
 * The story model that comes along (models/tern-story-i2_s.gguf) and what every machine must make
 * of it: one hash of its logits to the last bit, and the likelihood of held-out text that an
 * independent program computed in float64. */
#ifndef TERN__STORY_H
#define TERN__STORY_H

#include <tern/model.h>

/* FNV-1a over the bits of all logits of a fixed text and of TERN__STORY_STEPS greedy tokens behind
 * it: whatever the threads, the instruction set, the batch and the compiler. */
#define TERN__STORY_HASH UINT64_C(0x9ea1ccc9592fd74f)

enum { TERN__STORY_STEPS = 64, TERN__STORY_TOKENS = 256, TERN__STORY_WINDOWS = 8 };

/* Of data/story-heldout.txt: each window is evaluated by itself. */
extern const int16_t tern__story_windows[TERN__STORY_WINDOWS][TERN__STORY_TOKENS];
extern const double tern__story_mean_nll; /* of all but the first token of each */

/* TERN_E_UNSUPPORTED when it is another model, by name and vocabulary. */
tern_status tern__story_check(const tern_model *model);

/* The fixed text; TERN__STORY_TOKENS ids at most. */
tern_status tern__story_encode(const tern_model *model, int32_t *ids, int64_t *count);

/* Empties the session first; the text is evaluated `chunk` >= 1 tokens a call. */
tern_status tern__story_hash(const tern_model *model, tern_session *session, int64_t chunk,
                             uint64_t *hash);

/* Mean of -log of the probability of each next token of all windows, and how many there are. */
tern_status tern__story_nll(const tern_model *model, tern_session *session, double *mean,
                            int64_t *tokens);

#endif
