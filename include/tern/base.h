/* SPDX-License-Identifier: MIT
 *
 * Status codes, error details, logging and the version: what every other header builds on.
 *
 * Every call that can fail returns a tern_status. The details of the last failure on the calling
 * thread (what, where, which value) are in tern_last_error(). The library never prints, exits or
 * aborts; messages reach the user of the library through the log callback only.
 */
#ifndef TERN_BASE_H
#define TERN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define TERN_API
#else
#define TERN_API __attribute__((visibility("default")))
#endif

#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0

/* X(code, value, sentence). Values are stable across versions. */
#define TERN_STATUS_MAP(X)                                                                         \
    X(OK, 0, "success")                                                                            \
    X(E_ARGUMENT, 1, "an argument is invalid")                                                     \
    X(E_SHAPE, 2, "the shapes do not fit together")                                                \
    X(E_DTYPE, 3, "the data type is not supported here")                                           \
    X(E_MEMORY, 4, "out of memory")                                                                \
    X(E_LIMIT, 5, "a limit is exceeded")                                                           \
    X(E_IO, 6, "a file or the operating system failed")                                            \
    X(E_NOT_FOUND, 7, "not found")                                                                 \
    X(E_FORMAT, 8, "the file is malformed")                                                        \
    X(E_UNSUPPORTED, 9, "not supported by this version or machine")                                \
    X(E_INTERNAL, 10, "an internal error of the library")

typedef enum tern_status {
#define TERN_STATUS_ENUM(code, value, sentence) TERN_##code = value,
    TERN_STATUS_MAP(TERN_STATUS_ENUM)
#undef TERN_STATUS_ENUM
} tern_status;

/* "TERN_E_SHAPE"; "TERN_E_?" for an unknown value. Static storage. */
TERN_API const char *tern_status_name(tern_status status);

/* One sentence about the code. Static storage. */
TERN_API const char *tern_status_string(tern_status status);

/* Details of the last failure on this thread, "" if none. Valid until the thread's next failure. */
TERN_API const char *tern_last_error(void);

/* Version of the library that runs, such as "0.1.0". Static storage. */
TERN_API const char *tern_version(void);

/* Largest resident set of this process so far, bytes; 0 where the system does not tell. */
TERN_API uint64_t tern_peak_memory(void);

typedef enum tern_log_level {
    TERN_LOG_ERROR = 0,
    TERN_LOG_WARN = 1,
    TERN_LOG_INFO = 2,
    TERN_LOG_DEBUG = 3,
} tern_log_level;

typedef void (*tern_log_fn)(void *user, tern_log_level level, const char *message);

/* Sends messages of `level` and more urgent ones to `fn`; NULL (the default) drops them all.
 * Set it before other threads use the library. */
TERN_API void tern_log_set(tern_log_fn fn, void *user, tern_log_level level);

#ifdef __cplusplus
}
#endif
#endif
