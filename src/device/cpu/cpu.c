/* SPDX-License-Identifier: MIT */
#include "device/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"

static void close_cpu(tern__device *device) {
    tern__cpu_device *cpu = tern__cpu_of(device);
    tern__team_destroy(cpu->team);
    if (cpu->scratch != NULL)
        tern__os()->pages_unmap(cpu->scratch, cpu->scratch_bytes);
    tern__os()->free(cpu);
}

static void describe_cpu(const tern__device *device, char *text, size_t size) {
    const tern__cpu_device *cpu = (const tern__cpu_device *)device;
    int threads = tern__team_size(cpu->team);
    const char *model = tern__cpu()->model;
    char features[160];
    tern__cpu_describe(tern__cpu()->features, features, sizeof features);
    snprintf(text, size, "cpu: %d thread%s, float kernels %s, ternary kernel %s; %s: %s", threads,
             threads == 1 ? "" : "s", cpu->gemm->variant.name,
             cpu->packed[TERN__PACKING_TRITS4]->variant.name,
             model[0] != '\0' ? model : "processor",
             features[0] != '\0' ? features : "no vector features");
}

static int count_threads(const tern__device *device) {
    return tern__team_size(((const tern__cpu_device *)device)->team);
}

static bool find_kernel(const tern__device *device, int index, tern_kernel_info *info) {
    const tern__cpu_device *cpu = (const tern__cpu_device *)device;
    const tern_kernel_info rows[] = {
#define KERNEL_ROW(family) {#family, cpu->family->variant.name},
        TERN__CPU_FAMILIES(KERNEL_ROW)
#undef KERNEL_ROW
#define KERNEL_ROW(symbol, family, ...)                                                            \
    {#family, cpu->packed[TERN__PACKING_##symbol]->variant.name},
            TERN__PACKINGS(KERNEL_ROW)
#undef KERNEL_ROW
    };
    if (index < 0 || index >= (int)(sizeof rows / sizeof *rows))
        return false;
    *info = rows[index];
    return true;
}

#define COPY_ROW(symbol, ...)        [TERN__OP_##symbol] = tern__cpu_copy,
#define ELEMENTWISE_ROW(symbol, ...) [TERN__OP_##symbol] = tern__cpu_elementwise,

#define ROWS_OF_GROUPS                                                                             \
    TERN__OP_COPIES(COPY_ROW)                                                                      \
    TERN__OP_ARITHMETIC(ELEMENTWISE_ROW)                                                           \
    TERN__OP_LOGIC(ELEMENTWISE_ROW)                                                                \
    TERN__OP_ACTIVATIONS(ELEMENTWISE_ROW)

static const tern__device cpu_device = {
    .name = "cpu",
    .close = close_cpu,
    .describe = describe_cpu,
    .threads = count_threads,
    .kernel = find_kernel,
    .pack = tern__cpu_pack,
    .pack_int = tern__cpu_pack_int,
    .check_packed = tern__cpu_check_packed,
    .choose_storage = tern__cpu_choose_storage,
    .ops = {[TERN__OP_OUTER] = tern__cpu_elementwise,
            [TERN__OP_MASKED_FILL] = tern__cpu_elementwise,
            [TERN__OP_SUM] = tern__cpu_reduce,
            [TERN__OP_PROD] = tern__cpu_reduce,
            [TERN__OP_MEAN] = tern__cpu_reduce,
            [TERN__OP_MIN] = tern__cpu_reduce,
            [TERN__OP_MAX] = tern__cpu_reduce,
            [TERN__OP_ANY] = tern__cpu_reduce,
            [TERN__OP_ALL] = tern__cpu_reduce,
            [TERN__OP_COUNT_NONZERO] = tern__cpu_reduce,
            [TERN__OP_LOGSUMEXP] = tern__cpu_reduce,
            [TERN__OP_VAR] = tern__cpu_reduce,
            [TERN__OP_STD] = tern__cpu_reduce,
            [TERN__OP_NORM] = tern__cpu_reduce,
            [TERN__OP_MEDIAN] = tern__cpu_quantile,
            [TERN__OP_QUANTILE] = tern__cpu_quantile,
            [TERN__OP_ARGMIN] = tern__cpu_arg_extreme,
            [TERN__OP_ARGMAX] = tern__cpu_arg_extreme,
            [TERN__OP_CUMSUM] = tern__cpu_scan,
            [TERN__OP_CUMPROD] = tern__cpu_scan,
            [TERN__OP_DOT] = tern__cpu_dot,
            [TERN__OP_GATHER] = tern__cpu_gather,
            [TERN__OP_INDEX_SELECT] = tern__cpu_gather,
            [TERN__OP_TAKE] = tern__cpu_gather,
            [TERN__OP_SCATTER] = tern__cpu_scatter,
            [TERN__OP_SCATTER_ADD] = tern__cpu_scatter,
            [TERN__OP_PUT] = tern__cpu_scatter,
            [TERN__OP_MASKED_SELECT] = tern__cpu_pick,
            [TERN__OP_NONZERO] = tern__cpu_pick,
            [TERN__OP_ONE_HOT] = tern__cpu_one_hot,
            [TERN__OP_SEARCHSORTED] = tern__cpu_search,
            [TERN__OP_ROLL] = tern__cpu_roll,
            [TERN__OP_SORT] = tern__cpu_sort,
            [TERN__OP_ARGSORT] = tern__cpu_sort,
            [TERN__OP_TOPK] = tern__cpu_topk,
            [TERN__OP_UNIQUE] = tern__cpu_unique,
            [TERN__OP_RMS_NORM] = tern__cpu_rms_norm,
            [TERN__OP_SOFTMAX] = tern__cpu_softmax,
            [TERN__OP_SOFTMAX_CAUSAL] = tern__cpu_softmax,
            [TERN__OP_LOG_SOFTMAX] = tern__cpu_softmax,
            [TERN__OP_SOFTMAX_BACKWARD] = tern__cpu_softmax_backward,
            [TERN__OP_LOG_SOFTMAX_BACKWARD] = tern__cpu_softmax_backward,
            [TERN__OP_LAYER_NORM] = tern__cpu_layer_norm,
            [TERN__OP_RMS_NORM_BACKWARD] = tern__cpu_norm_backward,
            [TERN__OP_LAYER_NORM_BACKWARD] = tern__cpu_norm_backward,
            [TERN__OP_CROSS_ENTROPY] = tern__cpu_cross_entropy,
            [TERN__OP_CROSS_ENTROPY_BACKWARD] = tern__cpu_cross_entropy_backward,
            [TERN__OP_EINSUM] = tern__cpu_einsum,
            [TERN__OP_CONV1D] = tern__cpu_conv,
            [TERN__OP_CONV2D] = tern__cpu_conv,
            [TERN__OP_ROPE] = tern__cpu_rope,
            [TERN__OP_EMBEDDING] = tern__cpu_embedding,
            [TERN__OP_MATMUL] = tern__cpu_matmul,
            [TERN__OP_MATMUL_WITH] = tern__cpu_matmul,
            [TERN__OP_LINEAR] = tern__cpu_linear,
            [TERN__OP_TERNARY_LINEAR] = tern__cpu_packed_linear,
            [TERN__OP_NORM_LINEAR] = tern__cpu_norm_linear,
            [TERN__OP_NORM_LINEAR_ADD] = tern__cpu_norm_linear_add,
            [TERN__OP_NORM_GLU] = tern__cpu_norm_glu,
            [TERN__OP_QUANTIZED_LINEAR] = tern__cpu_packed_linear,
            [TERN__OP_LINEAR_TOPK] = tern__cpu_linear_topk,
            [TERN__OP_ATTENTION] = tern__cpu_attention,
            [TERN__OP_ATTENTION_INT8] = tern__cpu_attention,
            [TERN__OP_QUANTIZE_SCALE] = tern__cpu_quantize,
            [TERN__OP_QUANTIZE] = tern__cpu_quantize,
            ROWS_OF_GROUPS},
};

static void pick_kernels(tern__cpu_device *cpu) {
#define PICK(family) cpu->family = TERN__PICK(tern__##family##_family, cpu->features);
    TERN__CPU_FAMILIES(PICK)
#undef PICK
    for (int p = 0; p < TERN__PACKING_COUNT; p++)
        cpu->packed[p] = TERN__PICK(tern__packed_families[p], cpu->features);
}

tern_status tern__cpu_device_open(const tern_options *options, tern__device **out) {
    *out = NULL;
    uint32_t features = 0;
    tern_status status = tern__cpu_level(options->cpu, &features);
    if (status != TERN_OK)
        return status;
    int threads = options->threads;
    if (threads < 0 || threads > TERN__TEAM_MAX)
        return tern__fail(TERN_E_ARGUMENT, "context: %d threads are not in 1..%d", threads,
                          TERN__TEAM_MAX);
    if (threads == 0)
        threads = (int)tern__min_i64(tern__max_i64(tern__os_cpu_count(), 1), TERN__TEAM_MAX);
    tern__cpu_device *cpu = tern__os()->alloc(sizeof *cpu);
    if (cpu == NULL)
        return tern__fail(TERN_E_MEMORY, "cpu device: no memory");
    cpu->base = cpu_device;
    cpu->features = features;
    pick_kernels(cpu);
    cpu->scratch_bytes = (size_t)threads * TERN__LANE_SCRATCH;
    cpu->scratch = tern__os()->pages_map(cpu->scratch_bytes);
    if (cpu->scratch == NULL)
        status = tern__fail(TERN_E_MEMORY, "cpu device: no memory for %zu bytes of scratch",
                            cpu->scratch_bytes);
    else
        status = tern__team_create(threads, &cpu->team);
    if (status != TERN_OK) {
        close_cpu(&cpu->base);
        return status;
    }
    *out = &cpu->base;
    return TERN_OK;
}
