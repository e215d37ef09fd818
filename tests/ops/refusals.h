/* SPDX-License-Identifier: MIT
 *
 * What must hold when a call is refused: a typed error whose text names the operation, no result,
 * nothing left alive, every byte that can be seen as it was.
 *
 *     refusal before = refusal_begin(context);
 *     tern_status status = tern_add(a, b, &out);
 *     refusal_end(&before, status, "add", out);
 */
#ifndef TERN_TEST_REFUSALS_H
#define TERN_TEST_REFUSALS_H

#include <tern/tern.h>

#include "base/status.h"
#include "support.h"

typedef struct refusal {
    tern_context *context;
    tern_memory_stats before;
} refusal;

static inline refusal refusal_begin(tern_context *of) {
    tern__fail(TERN_E_ARGUMENT, "nothing yet");
    return (refusal){of, tern_context_memory(of)};
}

/* The status is one that bad input may have. */
static inline bool refusal_is_typed(tern_status status) {
    return status == TERN_E_ARGUMENT || status == TERN_E_DTYPE || status == TERN_E_SHAPE ||
           status == TERN_E_LIMIT || status == TERN_E_UNSUPPORTED || status == TERN_E_FORMAT ||
           status == TERN_E_MEMORY;
}

/* Fails the test unless the refusal was a clean one. `call` is what is told, `name` what the error
 * must name. */
static inline void refusal_end(const refusal *r, tern_status status, const char *call,
                               const char *name, const tern_tensor *out) {
    tern_memory_stats after = tern_context_memory(r->context);
    if (!refusal_is_typed(status))
        fail_msg("%s: %s: %s", call, tern_status_name(status), tern_last_error());
    if (out != NULL)
        fail_msg("%s: a result after %s", call, tern_last_error());
    /* The memory of a context does not know who asks. */
    if (strncmp(tern_last_error(), "memory: ", 8) != 0 && strstr(tern_last_error(), name) == NULL)
        fail_msg("%s: the error does not name %s: \"%s\"", call, name, tern_last_error());
    if (after.live_tensors != r->before.live_tensors || after.live_bytes != r->before.live_bytes)
        fail_msg("%s: %lld tensors, %zu bytes are left after %s", call,
                 (long long)(after.live_tensors - r->before.live_tensors),
                 after.live_bytes - r->before.live_bytes, tern_last_error());
}

#endif
