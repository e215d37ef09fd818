/* SPDX-License-Identifier: MIT
 * Tells AddressSanitizer which memory of a pool may be used; nothing in other builds. */
#ifndef TERN__POISON_H
#define TERN__POISON_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TERN__POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TERN__POISONS 1
#endif

#if defined(TERN__POISONS)
#include <sanitizer/asan_interface.h>
#define TERN__POISON(begin, bytes)   ASAN_POISON_MEMORY_REGION(begin, bytes)
#define TERN__UNPOISON(begin, bytes) ASAN_UNPOISON_MEMORY_REGION(begin, bytes)
#else
#define TERN__POISON(begin, bytes)   ((void)(begin), (void)(bytes))
#define TERN__UNPOISON(begin, bytes) ((void)(begin), (void)(bytes))
#endif

#endif
