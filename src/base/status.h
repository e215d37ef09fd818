/* SPDX-License-Identifier: MIT
 * Internal side of status codes: setting the thread's error detail, and logging. */
#ifndef TERN__STATUS_H
#define TERN__STATUS_H

#include <tern/base.h>

#if defined(__GNUC__)
#define TERN__PRINTF(f, a) __attribute__((format(printf, f, a)))
#define TERN__UNLIKELY(x)  __builtin_expect(!!(x), 0)
#else
#define TERN__PRINTF(f, a)
#define TERN__UNLIKELY(x) (x)
#endif

/* Stores the formatted detail for tern_last_error() (cut at 511 bytes) and returns `status`.
 * Control characters that come from files are shown as '?'. Allocates nothing. */
tern_status tern__fail(tern_status status, const char *format, ...) TERN__PRINTF(2, 3);

/* Formats and hands a message to the log callback; nothing happens when none is set. */
void tern__message(tern_log_level level, const char *format, ...) TERN__PRINTF(2, 3);

/* Evaluates to the status; jumps to `done` with `status` set when it is not TERN_OK.
 * For functions that have a local `tern_status status` and a label `done`. */
#define TERN__TRY(expression)                                                                      \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (TERN__UNLIKELY(status != TERN_OK))                                                     \
            goto done;                                                                             \
    } while (0)

#endif
