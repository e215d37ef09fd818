/* SPDX-License-Identifier: MIT
 * Leaks of linear algebra, of what comes from elsewhere, and of models. */
#ifndef TERN_TEST_SITE_PLANTS_MORE_H
#define TERN_TEST_SITE_PLANTS_MORE_H

#include <tern/dlpack.h>
#include <tern/interchange.h>
#include <tern/linalg.h>

#include "tensor/site_plants.h"

static void plant_linalg(garden *g) {
    tern_tensor *a = NULL, *b = normal(g, TERN_SHAPE(3, 2)), *wide = normal(g, TERN_SHAPE(2, 3));
    tern_tensor **out = g->out;
    test_ok(tern_tensor_eye(g->context, TERN_F32, 3, 3, 0, &a));
    PLANT(tern_solve, "solve", (a, b, out), LEAF("f32", 3, 2));
    PLANT(tern_inv, "inv", (a, out), LEAF("f32", 3, 3));
    PLANT(tern_det, "det", (a, out), LEAF0("f32"));
    PLANT(tern_slogdet, "slogdet", (a, out, out + 1), LEAF0("f32"), LEAF0("f32"));
    PLANT(tern_lstsq, "lstsq", (a, b, -1, out, out + 1, out + 2, out + 3), LEAF("f32", 3, 2),
          LEAF("f32", 2), LEAF0("i64"), LEAF("f32", 3));
    PLANT(tern_pinv, "pinv", (wide, -1, out), LEAF("f32", 3, 2));
    PLANT(tern_lu, "lu", (wide, out, out + 1, out + 2), LEAF("i64", 2), LEAF("f32", 2, 2),
          LEAF("f32", 2, 3));
    PLANT(tern_qr, "qr", (wide, true, out, out + 1), LEAF("f32", 2, 2), LEAF("f32", 2, 3));
    PLANT(tern_cholesky, "cholesky", (a, out), LEAF("f32", 3, 3));
    PLANT(tern_svd, "svd", (wide, true, out, out + 1, out + 2), LEAF("f32", 2, 2), LEAF("f32", 2),
          LEAF("f32", 3, 3));
    PLANT(tern_eigh, "eigh", (a, out, out + 1), LEAF("f32", 3), LEAF("f32", 3, 3));
    PLANT(tern_eig, "eig", (a, out, out + 1, out + 2, out + 3), LEAF("f32", 3), LEAF("f32", 3),
          LEAF("f32", 3, 3), LEAF("f32", 3, 3));
    PLANT(tern_matrix_rank, "matrix_rank", (a, -1, out), LEAF0("i64"));
    PLANT(tern_cond, "cond", (a, out), LEAF0("f32"));
    PLANT(tern_matrix_norm, "matrix_norm", (a, TERN_MATRIX_TWO, out), LEAF0("f32"));
    PLANT(tern_expm, "expm", (a, out), LEAF("f32", 3, 3));
}

static void delete_nothing(DLManagedTensorVersioned *managed) {
    (void)managed;
}

static void delete_nothing_old(DLManagedTensor *managed) {
    (void)managed;
}

static void plant_dlpack(garden *g) {
    static float data[6];
    static int64_t shape[2] = {2, 3};
    static DLManagedTensorVersioned managed;
    static DLManagedTensor old;
    const DLTensor facts = {
        .data = data, .device = {kDLCPU, 0}, .ndim = 2, .dtype = {kDLFloat, 32, 1}, .shape = shape};
    managed = (DLManagedTensorVersioned){
        .version = {1, 0}, .deleter = delete_nothing, .dl_tensor = facts};
    old = (DLManagedTensor){.deleter = delete_nothing_old, .dl_tensor = facts};
    tern_tensor **out = g->out;
    PLANT(tern_tensor_from_dlpack, "from_dlpack", (g->context, &managed, out), LEAF("f32", 2, 3));
    PLANT(tern_tensor_from_dlpack_old, "from_dlpack", (g->context, &old, out), LEAF("f32", 2, 3));
}

static void plant_files(garden *g) {
    char path[512];
    tern_archive *archive = NULL;
    tern_tensor **out = g->out;
    test_path("tests/data/interchange/version2.npy", path, sizeof path);
    test_ok(tern_archive_open(path, &archive));
    PLANT(tern_archive_tensor, "archive", (g->context, archive, "arr_0", out), LEAF("i16", 2, 3));
    PLANT(tern_npy_load, "archive", (g->context, path, out), LEAF("i16", 2, 3));
    tern_archive_close(archive);
}

/* Leaks of a model are those of its tensors, of a session that of its cache (L, S, H_kv, K). */
static void plant_language_models(garden *g) {
    char path[512];
    tern_context *c = g->context;
    tern_model *model = NULL;
    test_path("models/tern-story-i2_s.gguf", path, sizeof path);
    PLANT(tern_model_load, "model_load", (c, path, NULL, &g->model), LEAF("f16", 4096, 0));
    PLANT(tern_model_random, "model_random", (c, "tiny", 1, NULL, &g->model),
          LEAF("f16", 515, 128));
    test_ok(tern_model_random(c, "tiny", 1, NULL, &model));
    PLANT(tern_session_create, "cache", (c, model, NULL, &g->session), LEAF("f32", 2, 256, 2, 32));
    tern_model_release(model);
}

#endif
