/* SPDX-License-Identifier: MIT
 * Steps of the backward forms of activations that are more than one expression: operands are the
 * gradient and x, at most TERN__CHUNK elements. */
#ifndef TERN__ACTIVATION_BACKWARD_H
#define TERN__ACTIVATION_BACKWARD_H

#include "device/cpu/elementwise.h"

void tern__step_silu_backward(const tern__step_args *args);
void tern__step_gelu_backward(const tern__step_args *args);
void tern__step_gelu_tanh_backward(const tern__step_args *args);
void tern__step_softplus_backward(const tern__step_args *args);

#endif
