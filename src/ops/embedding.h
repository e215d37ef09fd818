/* SPDX-License-Identifier: MIT */
#ifndef TERN__EMBEDDING_H
#define TERN__EMBEDDING_H

#include <tern/tensor.h>

/* tern_embedding for ids that are known to be in 0..V-1: nothing is brought back from a device to
 * look at them. */
tern_status tern__embedding(tern_tensor *table, tern_tensor *ids, tern_tensor **out);

#endif
