/* SPDX-License-Identifier: MIT
 * All of Tern: tensors (tensor.h), devices (device.h), operations (ops.h), linear algebra
 * (linalg.h), DLPack, files and text (interchange.h), running models (model.h). */
#ifndef TERN_H
#define TERN_H

#include <tern/base.h>
#include <tern/device.h>
#include <tern/interchange.h>
#include <tern/linalg.h>
#include <tern/model.h>
#include <tern/ops.h>
#include <tern/tensor.h>

#endif
