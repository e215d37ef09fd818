/* SPDX-License-Identifier: MIT
 * Family `plain` in plain C: the specification of the other variants. */
#include "kernels/plain_loops.h"

const tern__plain_kernel tern__plain_scalar = {
    .variant = {.name = "scalar"},
    PLAIN_FUNCTIONS,
};
