/* SPDX-License-Identifier: MIT
 * The family `conv`: literals for the plain C, then every variant against it. */
#include "support.h"

#include "kernels/conv.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

static const tern__conv_kernel *twin(void) {
    return test_scalar_twin(tern__conv_family);
}

static void test_literals(void **state) {
    (void)state;
    const float x[] = {1, 2, 3, 4, 5}, weights[] = {10, 1}, bias = 0.5f;
    const tern__conv_tap taps[] = {{0, 0, 0, 3}, {1, 1, 1, 3}};
    float out[] = {-1, -1, -1, -1};
    tern__conv_line line = {.x = x,
                            .x_step = 1,
                            .taps = taps,
                            .tap_count = 2,
                            .weights = weights,
                            .out = out,
                            .out_step = 1,
                            .n = 3,
                            .channels = 1,
                            .rows = 1,
                            .is_first = true};
    twin()->line(&line);
    test_same_floats(out, (const float[]){10, 23, 34, -1}, 4, "line");
    line.is_first = false;
    line.bias = &bias;
    twin()->line(&line);
    test_same_floats(out, (const float[]){20.5f, 46.5f, 68.5f, -1}, 4, "line, again");

    float panel[2 * TERN__CONV_PANEL_MAX] = {0};
    panel[0] = 10, panel[1] = 20;
    panel[twin()->panel] = 1, panel[twin()->panel + 1] = 2;
    const int64_t x_places[] = {0, 3}, out_places[] = {1, 0};
    const tern__conv_tile tile = {.x = x,
                                  .x_places = x_places,
                                  .taps = taps,
                                  .tap_count = 2,
                                  .panel = panel,
                                  .out = out,
                                  .out_places = out_places,
                                  .channel_stride = 2,
                                  .positions = 2,
                                  .channels = 2,
                                  .is_first = true};
    twin()->tile(&tile);
    test_same_floats(out, (const float[]){45, 12, 90, 24}, 4, "tile");
}

enum { X = 4096, TAPS = 40, OUT = 2048 };

typedef struct data {
    float x[X], weights[TAPS * TERN__CONV_PANEL_MAX], bias[TERN__CONV_PANEL_MAX], out[OUT];
    tern__conv_tap taps[TAPS];
} data;

static void fill(test_random *random, int input, data *d) {
    test_fill(random, input, d->x, X);
    test_fill(random, input, d->weights, TAPS * TERN__CONV_PANEL_MAX);
    test_fill(random, input, d->bias, TERN__CONV_PANEL_MAX);
    test_random_normal(random, d->out, OUT);
    for (int i = 0; i < TAPS; i++) {
        int64_t begin = test_random_range(random, -2, 40);
        d->taps[i] = (tern__conv_tap){test_random_range(random, 0, 100),
                                      test_random_range(random, 0, TAPS - 1),
                                      begin > 20 ? 0 : begin, begin > 20 ? 1000 : begin + 20};
    }
}

static void check_lines(test_random *random, data *d, data *other) {
    tern__conv_line line = {.x_step = test_random_range(random, 1, 3),
                            .x_row = test_random_range(random, 0, 50),
                            .tap_count = test_random_range(random, 0, TAPS),
                            .out_step = test_random_range(random, 1, 2),
                            .n = test_random_range(random, 0, 70),
                            .rows = test_random_range(random, 0, 9),
                            .is_first = test_random_range(random, 0, 1) == 1};
    line.out_row = line.n * line.out_step + test_random_range(random, 0, 3);
    line.channels = test_random_range(random, 0, OUT / (line.rows * line.out_row + 1));
    line.channels = line.channels > 3 ? 3 : line.channels;
    line.out_channel = line.rows * line.out_row;
    line.x_channel = test_random_range(random, 0, 900);
    line.weight_channel = test_random_range(random, 0, 40);
    line.bias_channel = test_random_range(random, 0, 2);
    bool has_bias = test_random_range(random, 0, 1) == 1;
    const tern__conv_kernel *kernel;
    memcpy(other, d, sizeof *d);
    for (int at = -1;
         (kernel = at < 0 ? twin() : test_next_variant(tern__conv_family, "conv", &at));) {
        data *to = at < 0 ? other : d;
        float before[OUT];
        memcpy(before, to->out, sizeof before);
        line.x = to->x, line.taps = to->taps, line.weights = to->weights, line.out = to->out;
        line.bias = has_bias ? to->bias : NULL;
        kernel->line(&line);
        if (at < 0) {
            at = 0;
            continue;
        }
        test_same_floats(d->out, other->out, OUT, kernel->variant.name);
        memcpy(d->out, before, sizeof before);
    }
}

/* The panel has as many columns as the variant likes. */
static void run_tile(const tern__conv_kernel *kernel, tern__conv_tile tile, data *d,
                     bool has_bias) {
    static _Alignas(64) float panel[TAPS * TERN__CONV_PANEL_MAX];
    for (int row = 0; row < TAPS; row++)
        for (int c = 0; c < kernel->panel; c++)
            panel[row * kernel->panel + c] =
                c < tile.channels ? d->weights[row * TERN__CONV_PANEL_MAX + c] : 0;
    tile.x = d->x, tile.taps = d->taps, tile.panel = panel, tile.out = d->out;
    tile.bias = has_bias ? d->bias : NULL;
    kernel->tile(&tile);
}

/* As many positions and channels as the kernel takes; the plain C takes fewer and goes on. */
static void run_twin(const tern__conv_tile *tile, data *d, bool has_bias) {
    data *part = malloc(sizeof *part);
    for (int p = 0; p < tile->positions; p += twin()->positions)
        for (int c = 0; c < tile->channels; c += twin()->panel) {
            tern__conv_tile some = *tile;
            memcpy(part, d, sizeof *part);
            for (int i = 0; i + c < TAPS * TERN__CONV_PANEL_MAX; i++)
                part->weights[i] = d->weights[i + c];
            for (int i = 0; i + c < TERN__CONV_PANEL_MAX; i++)
                part->bias[i] = d->bias[i + c];
            some.x_places += p, some.out_places += p;
            some.positions =
                tile->positions - p < twin()->positions ? tile->positions - p : twin()->positions;
            some.channels = tile->channels - c < twin()->panel ? tile->channels - c : twin()->panel;
            memmove(part->out, d->out + c * tile->channel_stride,
                    (size_t)(OUT - c * tile->channel_stride) * sizeof(float));
            run_tile(twin(), some, part, has_bias);
            memcpy(d->out + c * tile->channel_stride, part->out,
                   (size_t)(OUT - c * tile->channel_stride) * sizeof(float));
        }
    free(part);
}

static void check_tiles(test_random *random, data *d, data *other) {
    const tern__conv_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__conv_family, "conv", &at)) != NULL;) {
        int64_t x_places[TERN__CONV_POSITIONS_MAX], out_places[TERN__CONV_POSITIONS_MAX];
        tern__conv_tile tile = {.x_places = x_places,
                                .out_places = out_places,
                                .is_adjacent = test_random_range(random, 0, 1) == 1,
                                .tap_count = test_random_range(random, 0, TAPS),
                                .channel_stride = 50,
                                .positions = (int)test_random_range(random, 1, kernel->positions),
                                .channels = (int)test_random_range(random, 1, kernel->panel),
                                .is_first = test_random_range(random, 0, 1) == 1};
        for (int p = 0; p < tile.positions; p++) {
            x_places[p] = tile.is_adjacent ? 7 + p : test_random_range(random, 0, 2000);
            out_places[p] = 3 * p;
        }
        bool has_bias = test_random_range(random, 0, 1) == 1;
        memcpy(other, d, sizeof *d);
        run_twin(&tile, other, has_bias);
        run_tile(kernel, tile, d, has_bias);
        test_same_floats(d->out, other->out, OUT, kernel->variant.name);
    }
}

static void test_variants(void **state) {
    (void)state;
    data *d = malloc(sizeof *d), *other = malloc(sizeof *other);
    test_random random = {.seed = 31};
    for (int round = 0; round < 700; round++) {
        fill(&random, round % TEST_INPUTS, d);
        check_lines(&random, d, other);
        check_tiles(&random, d, other);
    }
    free(d);
    free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
