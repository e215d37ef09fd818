/* SPDX-License-Identifier: MIT
 * A ternary convolutional network that reads handwritten digits.
 *
 * The network is bit_netcnn_small of BitNetCNN: a 3x3 stem, three stages of {1x1 with stride 2,
 * depthwise 3x3, 1x1}, each with batch normalisation, the mean over the image, and a linear layer;
 * weights -1, 0, +1 with a scale for each channel. It is run twice over the 10 000 test images of
 * MNIST: in F32, and with the 1x1 layers and the last one (95 % of the weights) as packed ternary
 * weights times int8 activations.
 *
 *     example_mnist [MODEL.safetensors [IMAGES.npz [MOST]]] */
#include <stdio.h>
#include <stdlib.h>
#include <tern/tern.h>

enum { BATCH = 250 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((status = (call)) != TERN_OK)                                                          \
            goto done;                                                                             \
    } while (0)

/* A layer's output is value * scale + offset for each channel: the weights' scale, the bias and the
 * batch normalisation in one. */
typedef struct layer {
    tern_tensor *weight, *packed, *scale, *offset;
} layer;

typedef struct network {
    layer stem, expand[3], depthwise[3], point[3], head;
} network;

/* -- loading -----------------------------------------------------------------------------------*/

static tern_status load(tern_context *ctx, tern_archive *file, const char *layer_name,
                        const char *part, tern_tensor **out) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", layer_name, part);
    return tern_archive_tensor(ctx, file, name, out);
}

/* g = weight / sqrt(var + 1e-5): scale = scale * g, offset = (bias - mean) * g + shift. */
static tern_status fold_norm(tern_context *ctx, tern_archive *file, const char *name, layer *l) {
    tern_tensor *weight, *shift, *mean, *var, *spread;
    tern_status status;
    TRY(load(ctx, file, name, "norm.weight", &weight));
    TRY(load(ctx, file, name, "norm.bias", &shift));
    TRY(load(ctx, file, name, "norm.running_mean", &mean));
    TRY(load(ctx, file, name, "norm.running_var", &var));
    TRY(tern_affine(var, 1, 1e-5, &spread));
    TRY(tern_rsqrt(spread, &spread));
    TRY(tern_mul(spread, weight, &spread));
    TRY(tern_mul(l->scale, spread, &l->scale));
    TRY(tern_sub(l->offset, mean, &l->offset));
    TRY(tern_fma(l->offset, spread, shift, &l->offset));
done:
    return status;
}

/* `name` is that of the convolution and its norm; `conv` the part with the weights. */
static tern_status load_layer(tern_context *ctx, tern_archive *file, const char *name,
                              const char *conv, layer *l) {
    char path[128];
    tern_status status;
    tern_tensor *trits, *matrix;
    snprintf(path, sizeof path, "%s%s", name, conv);
    TRY(load(ctx, file, path, "weight", &trits));
    TRY(load(ctx, file, path, "scale", &l->scale));
    TRY(load(ctx, file, path, "bias", &l->offset));
    TRY(tern_cast(trits, TERN_F32, &l->weight));
    TRY(tern_tensor_reshape(l->scale, TERN_SHAPE(-1), &l->scale));
    if (conv[0] != '\0')
        TRY(fold_norm(ctx, file, name, l));
    if (tern_tensor_rank(trits) == 2 || tern_tensor_dim(trits, 2) == 1) { /* 1x1 or linear */
        TRY(tern_tensor_reshape(trits, TERN_SHAPE(tern_tensor_dim(trits, 0), -1), &matrix));
        TRY(tern_tensor_pack(matrix, &l->packed));
    }
done:
    return status;
}

static tern_status load_network(tern_context *ctx, const char *path, network *n) {
    tern_archive *file = NULL;
    tern_status status;
    TRY(tern_archive_open(path, &file));
    TRY(load_layer(ctx, file, "stem", ".conv", &n->stem));
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "stage%d.conv_pw_exp", i + 1);
        TRY(load_layer(ctx, file, name, ".conv", &n->expand[i]));
        snprintf(name, sizeof name, "stage%d.conv_dw", i + 1);
        TRY(load_layer(ctx, file, name, ".conv", &n->depthwise[i]));
        snprintf(name, sizeof name, "stage%d.conv_pw", i + 1);
        TRY(load_layer(ctx, file, name, ".conv", &n->point[i]));
    }
    TRY(load_layer(ctx, file, "head.3", "", &n->head));
done:
    tern_archive_close(file);
    return status;
}

/* -- running -----------------------------------------------------------------------------------*/

/* x (B, C, H, W) * scale (C) + offset (C). */
static tern_status scale_channels(tern_tensor *x, const layer *l, tern_tensor **out) {
    tern_tensor *scale, *offset;
    tern_status status;
    TRY(tern_tensor_reshape(l->scale, TERN_SHAPE(-1, 1, 1), &scale));
    TRY(tern_tensor_reshape(l->offset, TERN_SHAPE(-1, 1, 1), &offset));
    TRY(tern_fma(x, scale, offset, out));
done:
    return status;
}

static tern_status convolve(tern_tensor *x, const layer *l, int64_t stride, int64_t padding,
                            int64_t groups, tern_tensor **out) {
    tern_conv_options options = tern_conv_options_default();
    options.stride[0] = options.stride[1] = stride;
    options.padding[0] = options.padding[1] = padding;
    options.groups = groups;
    tern_tensor *y;
    tern_status status = tern_conv2d(x, l->weight, NULL, &options, &y);
    return status == TERN_OK ? scale_channels(y, l, out) : status;
}

/* A 1x1 convolution: in F32, or of int8 activations and ternary weights, where each position of an
 * image is a row (channels last). */
static tern_status pointwise(tern_tensor *x, const layer *l, int64_t stride, bool is_ternary,
                             tern_tensor **out) {
    tern_tensor *rows;
    tern_status status;
    if (!is_ternary)
        return convolve(x, l, stride, 0, 1, out);
    TRY(tern_tensor_slice(x, 2, 0, INT64_MAX, stride, &rows));
    TRY(tern_tensor_slice(rows, 3, 0, INT64_MAX, stride, &rows));
    TRY(tern_tensor_move_axis(rows, 1, 3, &rows));
    TRY(tern_linear(rows, l->packed, &rows)); /* (B, H, W, C') */
    TRY(tern_tensor_move_axis(rows, 3, 1, &rows));
    TRY(scale_channels(rows, l, out));
done:
    return status;
}

/* images (B, 28, 28) U8 to logits (B, 10). */
static tern_status classify(const network *n, tern_tensor *images, bool is_ternary,
                            tern_tensor **logits) {
    tern_tensor *x;
    tern_status status;
    TRY(tern_cast(images, TERN_F32, &x));
    TRY(tern_affine(x, 1 / (255 * 0.3081), -0.1307 / 0.3081, &x));
    TRY(tern_tensor_unsqueeze(x, 1, &x));
    TRY(convolve(x, &n->stem, 1, 1, 1, &x));
    TRY(tern_silu(x, &x));
    for (int i = 0; i < 3; i++) {
        TRY(pointwise(x, &n->expand[i], 2, is_ternary, &x));
        TRY(tern_silu(x, &x));
        TRY(convolve(x, &n->depthwise[i], 1, 1, tern_tensor_dim(x, 1), &x));
        TRY(tern_silu(x, &x));
        TRY(pointwise(x, &n->point[i], 1, is_ternary, &x));
    }
    TRY(tern_mean(x, TERN_AXES(2, 3), false, &x));
    TRY(tern_linear(x, is_ternary ? n->head.packed : n->head.weight, &x));
    TRY(tern_fma(x, n->head.scale, n->head.offset, logits));
done:
    return status;
}

static tern_status count_right(tern_context *ctx, const network *n, tern_tensor *images,
                               tern_tensor *labels, bool is_ternary, int64_t *right) {
    tern_status status = TERN_OK;
    int64_t count = tern_tensor_dim(images, 0);
    *right = 0;
    for (int64_t first = 0; first < count && status == TERN_OK; first += BATCH) {
        int64_t end = count - first < BATCH ? count : first + BATCH;
        tern_tensor *some, *logits, *digits, *truth, *hits, *sum;
        double number;
        tern_scope_begin(ctx);
        TRY(tern_tensor_slice(images, 0, first, end, 1, &some));
        TRY(tern_tensor_slice(labels, 0, first, end, 1, &truth));
        TRY(classify(n, some, is_ternary, &logits));
        TRY(tern_argmax(logits, 1, false, &digits));
        TRY(tern_equal(digits, truth, &hits));
        TRY(tern_sum(hits, TERN_ALL_AXES, false, &sum));
        TRY(tern_item(sum, &number));
        *right += (int64_t)number;
    done:
        tern_scope_end(ctx);
    }
    return status;
}

int main(int argc, char **argv) {
    const char *model = argc > 1 ? argv[1] : "models/mnist-cnn-ternary.safetensors";
    const char *data = argc > 2 ? argv[2] : "examples/data/mnist-test.npz";
    int64_t most = argc > 3 ? atoll(argv[3]) : INT64_MAX; /* images */
    tern_context *ctx = NULL;
    tern_archive *file = NULL;
    tern_tensor *images, *labels;
    network n = {0};
    int64_t right;
    tern_status status;
    TRY(tern_context_create(NULL, &ctx));
    tern_scope_begin(ctx);
    TRY(load_network(ctx, model, &n));
    TRY(tern_archive_open(data, &file));
    TRY(tern_archive_tensor(ctx, file, "images", &images));
    TRY(tern_archive_tensor(ctx, file, "labels", &labels));
    if (most < tern_tensor_dim(images, 0))
        TRY(tern_tensor_slice(images, 0, 0, most, 1, &images));
    TRY(count_right(ctx, &n, images, labels, false, &right));
    printf("F32: %lld of %lld digits are right\n", (long long)right,
           (long long)tern_tensor_dim(images, 0));
    TRY(count_right(ctx, &n, images, labels, true, &right));
    printf("ternary weights, int8 activations: %lld of %lld\n", (long long)right,
           (long long)tern_tensor_dim(images, 0));
done:
    if (status != TERN_OK)
        fprintf(stderr, "%s\n", tern_last_error());
    tern_archive_close(file);
    tern_context_destroy(ctx);
    return status != TERN_OK;
}
