/* SPDX-License-Identifier: MIT
 * Small functions that kernels of devices compile as well, so that there is one definition of
 * each. */
#ifndef TERN__INLINE_H
#define TERN__INLINE_H

#if defined(__CUDACC__)
#define TERN__INLINE static inline __host__ __device__
#else
#define TERN__INLINE static inline
#endif

#endif
