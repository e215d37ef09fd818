/* SPDX-License-Identifier: MIT
 * Decoding the ternary storage types of model files to codes 0, 1, 2 (trit + 1), one a byte.
 * Plain functions: load time only. Layouts: docs/formats.md. */
#ifndef TERN__TRITS_H
#define TERN__TRITS_H

#include <stdbool.h>
#include <stdint.h>

/* I2_S: blocks of 128 codes in 32 bytes run through the whole matrix; decodes the codes
 * [first, first + count). False when a code is 3. */
bool tern__trits_i2_s(const uint8_t *data, int64_t first, int64_t count, uint8_t *codes);

/* TQ1_0 and TQ2_0: `blocks` blocks of 256 codes; scales[b] gets the block's F16 scale as F32.
 * A block whose scale is 0 gives code 1 everywhere. False when a code is 3,
 * which TQ1_0 cannot hold. */
bool tern__trits_tq1_0(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales);
bool tern__trits_tq2_0(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales);

#endif
