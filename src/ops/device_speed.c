/* SPDX-License-Identifier: MIT
 * How fast a device multiplies, and which one "auto" is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "device/choices.h"
#include "ops/call.h"

enum {
    CHECKED = 96,          /* rows and columns of the product that is checked */
    ROUNDS = 7,            /* products that are timed */
    ENOUGH_NS = 300000000, /* after which no new one is begun */
    CHOICE_ORDER = 1024,
    MOST_DEVICES = 32,
};

/* -- one device --------------------------------------------------------------------------------*/

typedef struct product {
    tern_context *context;
    tern_tensor *a, *b, *c;
} product;

static tern_status make_product(tern_context *context, int64_t order, product *p) {
    tern_shape shape = {2, {order, order}};
    tern_status status;
    p->context = context;
    TERN__TRY(tern_tensor_randn(context, TERN_F32, shape, 1, &p->a));
    TERN__TRY(tern_tensor_randn(context, TERN_F32, shape, 2, &p->b));
    TERN__TRY(tern_matmul(p->a, p->b, &p->c));
    TERN__TRY(tern_context_wait(context));
done:
    return status;
}

static void drop_product(product *p) {
    tern_tensor_release(p->c);
    tern_tensor_release(p->b);
    tern_tensor_release(p->a);
    *p = (product){0};
}

/* The largest difference of two products, relative to the largest number of the first. */
static tern_status compare_products(const product *cpu, const product *device, double tolerance) {
    float ours[CHECKED * CHECKED], theirs[CHECKED * CHECKED];
    double largest = 0, difference = 0;
    tern_status status = tern_tensor_read(cpu->c, ours, sizeof ours);
    if (status == TERN_OK)
        status = tern_tensor_read(device->c, theirs, sizeof theirs);
    if (status != TERN_OK)
        return status;
    for (int i = 0; i < CHECKED * CHECKED; i++) {
        double off = fabs((double)theirs[i] - (double)ours[i]);
        largest = fmax(largest, fabs((double)ours[i]));
        difference = off > difference || isnan(off) ? off : difference;
    }
    if (!(difference <= tolerance * largest))
        return tern__fail(TERN_E_INTERNAL, "device %s: a product is off by %.2g, %.2g are allowed",
                          device->context->device->name, difference / largest, tolerance);
    return TERN_OK;
}

static tern_context_op_info matmul_of(const tern_context *context) {
    tern_context_op_info info;
    for (int i = 0; tern_context_op(context, i, &info); i++)
        if (strcmp(info.name, "matmul") == 0)
            break;
    return info;
}

/* Before it is timed a small product is the CPU's. */
static tern_status check_product(tern_context *context) {
    const tern_options options = {.threads = 1, .cpu = "scalar", .device = "cpu"};
    tern_context *cpu = NULL;
    product ours = {0}, theirs = {0};
    tern_status status;
    TERN__TRY(tern_context_create(&options, &cpu));
    TERN__TRY(make_product(cpu, CHECKED, &ours));
    TERN__TRY(make_product(context, CHECKED, &theirs));
    status = compare_products(&ours, &theirs, matmul_of(context).tolerance);
    if (status == TERN_OK && matmul_of(context).fallback_calls > 0)
        status = tern__fail(TERN_E_UNSUPPORTED, "device %s leaves products to the CPU",
                            context->device->name);
done:
    drop_product(&theirs);
    drop_product(&ours);
    tern_context_destroy(cpu);
    return status;
}

static int compare(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static tern_status time_product(product *p, int64_t order, double *flops) {
    double times[ROUNDS];
    uint64_t begin = tern__os()->clock_ns();
    int count = 0;
    tern_status status = TERN_OK;
    do {
        uint64_t start = tern__os()->clock_ns();
        status = tern_matmul_into(p->a, p->b, p->c);
        if (status == TERN_OK)
            status = tern_context_wait(p->context);
        times[count++] = (double)(tern__os()->clock_ns() - start) * 1e-9;
    } while (status == TERN_OK && count < ROUNDS && tern__os()->clock_ns() - begin < ENOUGH_NS);
    if (status != TERN_OK)
        return status;
    qsort(times, (size_t)count, sizeof *times, compare);
    double n = (double)order, median = times[count / 2];
    *flops = median > 0 ? 2 * n * n * n / median : 0;
    return TERN_OK;
}

tern_status tern_device_speed(const tern_options *options, int64_t order, double *flops) {
    tern_context *context = NULL;
    product p = {0};
    tern_status status;
    *flops = 0;
    if (order < 1 || order > 1 << 15)
        return tern__fail(TERN_E_ARGUMENT, "speed: an order of %lld is not in 1..%d",
                          (long long)order, 1 << 15);
    TERN__TRY(tern_context_create(options, &context));
    TERN__TRY(check_product(context));
    TERN__TRY(make_product(context, order, &p));
    status = time_product(&p, order, flops);
done:
    drop_product(&p);
    tern_context_destroy(context);
    return status;
}

/* -- the fastest one ---------------------------------------------------------------------------*/

typedef struct candidate {
    char name[24];
    double gflops;
} candidate;

/* "matmul cuda NVIDIA H200 CUDA 13.0": what a figure is kept by. */
static void make_key(const tern_options *options, const tern_device_info *info,
                     char key[TERN__CHOICE_KEY]) {
    snprintf(key, TERN__CHOICE_KEY, "matmul %s %.60s %.40s %s %d", info->name, info->model,
             info->library, options->cpu != NULL ? options->cpu : "best", options->threads);
    for (char *c = key; *c != '\0'; c++)
        if (*c == '\t' || *c == '\n')
            *c = ' ';
}

/* A device that fails is as good as none: false, and a word for the log. */
static bool find_speed(const tern_options *options, const tern_device_info *info,
                       const char *directory, candidate *c) {
    char key[TERN__CHOICE_KEY];
    double flops;
    /* Limits and callbacks are for the caller's tensors. */
    const tern_options own = {
        .threads = options->threads, .cpu = options->cpu, .device = info->name};
    make_key(&own, info, key);
    snprintf(c->name, sizeof c->name, "%s", info->name);
    c->gflops = tern__choice_read(directory, key);
    if (c->gflops > 0)
        return true;
    if (tern_device_speed(&own, CHOICE_ORDER, &flops) != TERN_OK) {
        tern__message(TERN_LOG_WARN, "device %s is not used: %s", info->name, tern_last_error());
        return false;
    }
    c->gflops = flops * 1e-9;
    if (c->gflops >= 1)
        tern__choice_write(directory, key, (int)fmin(c->gflops, 1e6));
    return true;
}

static bool is_candidate(const tern_device_info *info) {
    return info->is_there && info->is_accelerator && info->keeps_bits;
}

tern_status tern_device_choose(const tern_options *options, tern_device_choice *choice) {
    char buffer[4096];
    const tern_options of_cpu = options != NULL ? *options : tern_options_default();
    const char *directory = tern__choices_directory(of_cpu.cache_directory, buffer, sizeof buffer);
    tern_device_info infos[MOST_DEVICES];
    int count = (int)tern__min_i64(tern_devices(infos, MOST_DEVICES), MOST_DEVICES);
    candidate best = {"", 0}, cpu = {"cpu", 0};
    *choice = (tern_device_choice){"cpu", "no accelerator that keeps the bits"};
    for (int i = 1; i < count; i++) {
        candidate c;
        if (!is_candidate(&infos[i]))
            continue;
        if (!find_speed(&of_cpu, &infos[i], directory, &c))
            snprintf(choice->reason, sizeof choice->reason, "%.110s", tern_last_error());
        else if (c.gflops > best.gflops)
            best = c;
    }
    if (best.gflops == 0)
        return TERN_OK;
    find_speed(&of_cpu, &infos[0], directory, &cpu);
    bool is_cpu = cpu.gflops >= best.gflops;
    snprintf(choice->name, sizeof choice->name, "%s", is_cpu ? "cpu" : best.name);
    snprintf(choice->reason, sizeof choice->reason, "F32 matmul at %.0f GFLOP/s, %s at %.0f",
             is_cpu ? cpu.gflops : best.gflops, is_cpu ? best.name : "the CPU",
             is_cpu ? best.gflops : cpu.gflops);
    return TERN_OK;
}
