/* SPDX-License-Identifier: MIT
 *
 * What the code of kernels sees of the emulation: qualifiers, vector types, indices, barriers,
 * exchanges between the 32 lanes of a warp, tensor cores.
 */
#ifndef TERN_EMULATION_DEVICE_H
#define TERN_EMULATION_DEVICE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "emulation_vectors.h"

#define __device__
#define __global__
#define __host__
#define __constant__     static const
#define __forceinline__  inline __attribute__((always_inline))
#define __noinline__     __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
/* All of it is one block of thread-local storage, which is poisoned before a block runs; nothing
 * else here may be thread-local. */
#define __shared__ static thread_local

struct emulation_thread {
    uint3 thread, block;
    dim3 block_dim, grid_dim;
};

/* Of the fiber that runs. */
extern emulation_thread emulation_here;
#define threadIdx (emulation_here.thread)
#define blockIdx  (emulation_here.block)
#define blockDim  (emulation_here.block_dim)
#define gridDim   (emulation_here.grid_dim)
enum { warpSize = 32 };

/* A place in the source: all who wait together must wait at the same one. */
#define EMULATION_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

void emulation_block_barrier(const char *file, int line);

/* Up to 64 bytes of each lane, after all lanes of `mask` have come: element [lane]. Good until the
 * next but one exchange of the warp. */
typedef unsigned char emulation_slot[64];
const emulation_slot *emulation_exchange(unsigned mask, const void *mine, size_t bytes,
                                         const char *file, int line);
int emulation_lane();
int emulation_capability();

/* Ends the program with words. */
[[noreturn]] void emulation_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void __syncthreads(EMULATION_PLACE) {
    emulation_block_barrier(file, line);
}

static inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATION_PLACE) {
    emulation_exchange(mask, nullptr, 0, file, line);
}

template <typename T>
static inline T emulation_shuffle(unsigned mask, T value, int from, bool inside, const char *file,
                                  int line) {
    const emulation_slot *slots = emulation_exchange(mask, &value, sizeof value, file, line);
    if (inside && (mask >> from & 1u) == 0)
        emulation_die("%s:%d: a shuffle reads lane %d, which is not in the mask", file, line, from);
    if (inside)
        memcpy(&value, slots[from], sizeof value);
    return value;
}

template <typename T>
static inline T __shfl_sync(unsigned mask, T value, int from, int width = 32, EMULATION_PLACE) {
    int lane = emulation_lane(), first = lane & ~(width - 1);
    return emulation_shuffle(mask, value, first + (from & (width - 1)), true, file, line);
}

template <typename T>
static inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EMULATION_PLACE) {
    int lane = emulation_lane(), from = lane ^ bits;
    return emulation_shuffle(mask, value, from, from / width <= lane / width, file, line);
}

template <typename T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32,
                                 EMULATION_PLACE) {
    int lane = emulation_lane(), from = lane + (int)by;
    return emulation_shuffle(mask, value, from, from / width == lane / width, file, line);
}

template <typename T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32,
                               EMULATION_PLACE) {
    int lane = emulation_lane(), from = lane - (int)by;
    return emulation_shuffle(mask, value, from, from >= (lane & ~(width - 1)), file, line);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATION_PLACE) {
    const emulation_slot *slots =
        emulation_exchange(mask, &predicate, sizeof predicate, file, line);
    unsigned ballot = 0;
    for (int lane = 0; lane < 32; lane++) {
        int value = 0;
        if (mask >> lane & 1u)
            memcpy(&value, slots[lane], sizeof value);
        ballot |= (unsigned)(value != 0) << lane;
    }
    return ballot;
}

static inline int __any_sync(unsigned mask, int predicate, EMULATION_PLACE) {
    return __ballot_sync(mask, predicate, file, line) != 0;
}

static inline int __all_sync(unsigned mask, int predicate, EMULATION_PLACE) {
    return __ballot_sync(mask, predicate, file, line) == mask;
}

template <typename T, typename F>
static inline T emulation_fold(unsigned mask, T value, F fold, const char *file, int line) {
    const emulation_slot *slots = emulation_exchange(mask, &value, sizeof value, file, line);
    for (int lane = 0; lane < 32; lane++) {
        T other;
        if (lane == emulation_lane() || (mask >> lane & 1u) == 0)
            continue;
        memcpy(&other, slots[lane], sizeof other);
        value = fold(value, other);
    }
    return value;
}

static inline int __reduce_add_sync(unsigned mask, int value, EMULATION_PLACE) {
    auto add = [](int a, int b) { return (int)((unsigned)a + (unsigned)b); };
    return emulation_fold(mask, value, add, file, line);
}

template <typename T> static inline T __reduce_min_sync(unsigned mask, T value, EMULATION_PLACE) {
    return emulation_fold(
        mask, value, [](T a, T b) { return a < b ? a : b; }, file, line);
}

template <typename T> static inline T __reduce_max_sync(unsigned mask, T value, EMULATION_PLACE) {
    return emulation_fold(
        mask, value, [](T a, T b) { return a > b ? a : b; }, file, line);
}

static inline void __threadfence() {}

static inline void __threadfence_block() {}

/* -- dynamic shared memory ---------------------------------------------------------------------*/

/* A guard page lies right behind its last byte. */
unsigned char *emulation_dynamic_shared();
#define TERN_DYNAMIC_SHARED(type, name) type *name = (type *)emulation_dynamic_shared()

/* cp.async: what is asked for is copied when it is waited for, so that a wait that is missing
 * shows. */
void emulation_copy_async(void *shared, const void *global, int bytes);
void emulation_copy_commit();
void emulation_copy_wait(int groups);

/* -- bits --------------------------------------------------------------------------------------*/

template <typename To, typename From> static inline To emulation_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "bits of the same size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

static inline int __float_as_int(float x) {
    return emulation_bits<int>(x);
}

static inline unsigned __float_as_uint(float x) {
    return emulation_bits<unsigned>(x);
}

static inline float __int_as_float(int x) {
    return emulation_bits<float>(x);
}

static inline float __uint_as_float(unsigned x) {
    return emulation_bits<float>(x);
}

static inline long long __double_as_longlong(double x) {
    return emulation_bits<long long>(x);
}

static inline double __longlong_as_double(long long x) {
    return emulation_bits<double>(x);
}

static inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}

static inline int __clz(int x) {
    return x == 0 ? 32 : __builtin_clz((unsigned)x);
}

static inline int __ffs(int x) {
    return __builtin_ffs(x);
}

static inline unsigned __umulhi(unsigned a, unsigned b) {
    return (unsigned)((uint64_t)a * b >> 32);
}

static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    uint64_t both = (uint64_t)b << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; i++)
        result |= (unsigned)(both >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
    return result;
}

static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) {
    return (unsigned)(((uint64_t)high << 32 | low) >> (by & 31));
}

static inline unsigned __vsub4(unsigned a, unsigned b) {
    unsigned result = 0;
    for (int i = 0; i < 32; i += 8)
        result |= (((a >> i) - (b >> i)) & 255u) << i;
    return result;
}

static inline unsigned __vadd4(unsigned a, unsigned b) {
    unsigned result = 0;
    for (int i = 0; i < 32; i += 8)
        result |= (((a >> i) + (b >> i)) & 255u) << i;
    return result;
}

static inline int __dp4a(int a, int b, int c) {
    unsigned sum = (unsigned)c;
    for (int i = 0; i < 32; i += 8)
        sum += (unsigned)((int8_t)((unsigned)a >> i) * (int8_t)((unsigned)b >> i));
    return (int)sum;
}

template <typename T> static inline T __ldg(const T *place) {
    return *place;
}

template <typename T> static inline T min(T a, T b) {
    return b < a ? b : a;
}

template <typename T> static inline T max(T a, T b) {
    return a < b ? b : a;
}

/* Fibers of one thread: nothing comes between. */
template <typename T> static inline T atomicAdd(T *place, T value) {
    T old = *place;
    *place = old + value;
    return old;
}

template <typename T> static inline T atomicMax(T *place, T value) {
    T old = *place;
    *place = old < value ? value : old;
    return old;
}

template <typename T> static inline T atomicMin(T *place, T value) {
    T old = *place;
    *place = value < old ? value : old;
    return old;
}

template <typename T> static inline T atomicOr(T *place, T value) {
    T old = *place;
    *place = old | value;
    return old;
}

template <typename T> static inline T atomicExch(T *place, T value) {
    T old = *place;
    *place = value;
    return old;
}

template <typename T> static inline T atomicCAS(T *place, T expected, T value) {
    T old = *place;
    if (old == expected)
        *place = value;
    return old;
}

/* -- tensor cores ------------------------------------------------------------------------------*/

/* mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32: d += a b, the fragments as the PTX manual
 * lays them over the lanes. */
static inline void tern_mma_s8(int32_t d[4], const uint32_t a[4], const uint32_t b[2],
                               EMULATION_PLACE) {
    if (emulation_capability() < 80)
        emulation_die("%s:%d: a GPU of this kind has no such tensor cores", file, line);
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const emulation_slot *slots = emulation_exchange(~0u, mine, sizeof mine, file, line);
    int lane = emulation_lane();
    for (int i = 0; i < 4; i++) {
        int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 32; k++) {
            /* Four k to a register, four lanes to 16 k. */
            int place = k % 16 / 4, byte = k % 4;
            int8_t x, y;
            memcpy(&x, slots[row % 8 * 4 + place] + 4 * (row / 8 + 2 * (k / 16)) + byte, 1);
            memcpy(&y, slots[column * 4 + place] + 4 * (4 + k / 16) + byte, 1);
            d[i] = (int32_t)((uint32_t)d[i] + (uint32_t)(x * y));
        }
    }
}

#endif
