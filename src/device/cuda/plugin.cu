/* SPDX-License-Identifier: MIT
 *
 * The CUDA plug-in's side of the contract (device/plugin.h): the device, its memory, its table of
 * rows.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/cuda.h"
#include "device/cuda/product.h"
#include "device/cuda/rows_table.h"
#include "device/cuda/ternary.h"

#if !defined(TERN_CUDA_NAME)
#define TERN_CUDA_NAME "cuda"
#endif

enum { OLDEST_SM = 75, PAGE = 4096 };

/* -- errors ------------------------------------------------------------------------------------*/

/* After these the context still works. */
static bool is_passing(cudaError_t error) {
    return error == cudaErrorMemoryAllocation || error == cudaErrorInvalidValue ||
           error == cudaErrorInvalidConfiguration || error == cudaErrorStreamCaptureUnsupported ||
           error == cudaErrorStreamCaptureInvalidated || error == cudaErrorGraphExecUpdateFailure;
}

tern_status cuda_check(cuda_device *device, cudaError_t error, const char *what) {
    if (device->failed != cudaSuccess)
        error = device->failed;
    if (error == cudaSuccess)
        return TERN_OK;
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return device->host->fail(TERN_E_MEMORY, "cuda: %s: the device has no memory left", what);
    }
    if (is_passing(error))
        (void)cudaGetLastError();
    else
        device->failed = error;
    return device->host->fail(TERN_E_INTERNAL, "cuda: %s: %s (%s)", what, cudaGetErrorString(error),
                              cudaGetErrorName(error));
}

/* -- the machine -------------------------------------------------------------------------------*/

#if defined(__CUDACC__)
static const bool is_emulated = false;

static bool has_driver_library(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library != NULL)
        dlclose(library);
    return library != NULL;
}
#else
static const bool is_emulated = true;

static bool has_driver_library(void) {
    return true;
}
#endif

/* "580.65.06" of "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun ..." */
static void read_driver(char *text, size_t size) {
    char line[256] = "";
    FILE *file = fopen("/proc/driver/nvidia/version", "r");
    if (file != NULL) {
        if (fgets(line, sizeof line, file) == NULL)
            line[0] = '\0';
        fclose(file);
    }
    snprintf(text, size, "unknown");
    for (char *rest = line, *word; (word = strtok_r(rest, " \t\n", &rest)) != NULL;) {
        unsigned major, minor;
        if (sscanf(word, "%u.%u", &major, &minor) == 2) {
            snprintf(text, size, "%s", word);
            return;
        }
    }
}

static tern_status find_device(const tern__plugin_host *host, cudaDeviceProp *properties) {
    int count = 0, driver = 0;
    char words[64];
    if (!has_driver_library())
        return host->fail(TERN_E_UNSUPPORTED, "libcuda.so.1 not found");
    cudaError_t error = cudaDriverGetVersion(&driver);
    if (error == cudaSuccess && driver < CUDART_VERSION / 1000 * 1000) {
        read_driver(words, sizeof words);
        return host->fail(TERN_E_UNSUPPORTED, "driver %s is too old for CUDA %d.%d", words,
                          CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    }
    if (error == cudaSuccess)
        error = cudaGetDeviceCount(&count);
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
        return host->fail(TERN_E_UNSUPPORTED, "no CUDA device");
    if (error == cudaSuccess)
        error = cudaGetDeviceProperties(properties, 0);
    if (error != cudaSuccess)
        return host->fail(TERN_E_UNSUPPORTED, "CUDA does not start: %s", cudaGetErrorString(error));
    if (properties->major * 10 + properties->minor < OLDEST_SM)
        return host->fail(TERN_E_UNSUPPORTED, "%s has compute capability %d.%d, 7.5 is needed",
                          properties->name, properties->major, properties->minor);
    return TERN_OK;
}

static tern_status probe_cuda(const tern__plugin_host *host, tern__plugin_facts *facts) {
    cudaDeviceProp properties;
    tern_status status = find_device(host, &properties);
    if (status != TERN_OK)
        return status;
    char driver[64];
    size_t free_bytes = 0, total_bytes = properties.totalGlobalMem;
    read_driver(driver, sizeof driver);
    if (cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess)
        (void)cudaGetLastError();
    snprintf(facts->model, sizeof facts->model, "%.*s", (int)sizeof facts->model - 1,
             properties.name);
    snprintf(facts->library, sizeof facts->library, "CUDA %d.%d, driver %s", CUDART_VERSION / 1000,
             CUDART_VERSION % 1000 / 10, driver);
    facts->memory_bytes = total_bytes;
    facts->free_bytes = free_bytes;
    facts->is_accelerator = !is_emulated;
    facts->keeps_bits = true;
    return TERN_OK;
}

/* -- life --------------------------------------------------------------------------------------*/

static void close_cuda(void *handle) {
    cuda_device *device = cuda_of(handle);
    if (device->stream != NULL) {
        (void)cuda_flush(device);
        cudaStreamSynchronize(device->stream);
        cuda_graphs_close(device);
        cuda_cublas_close(device);
        cudaStreamDestroy(device->stream);
    }
    cudaFree(device->scratch);
    (void)cudaGetLastError();
    free(device);
}

static tern_status open_cuda(const tern__plugin_host *host, void **out) {
    cudaDeviceProp properties;
    *out = NULL;
    tern_status status = find_device(host, &properties);
    if (status != TERN_OK)
        return status;
    cuda_device *device = (cuda_device *)calloc(1, sizeof *device);
    if (device == NULL)
        return host->fail(TERN_E_MEMORY, "cuda: no memory for a device");
    device->host = host;
    device->sm = properties.major * 10 + properties.minor;
    device->processors = properties.multiProcessorCount;
    device->shared_most = properties.sharedMemPerBlockOptin;
    status = cuda_check(device, cudaSetDevice(0), "open");
    if (status == TERN_OK)
        status = cuda_check(
            device, cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking), "open");
    if (status != TERN_OK) {
        close_cuda(device);
        return status;
    }
    *out = device;
    return TERN_OK;
}

/* -- memory ------------------------------------------------------------------------------------*/

/* cudaMalloc aligns to 256 bytes, the contract to pages. */
struct cuda_pages {
    cuda_pages *next;
    void *pages, *memory;
};

static void *map_cuda(void *handle, size_t bytes) {
    cuda_device *device = cuda_of(handle);
    void *memory = NULL;
    cuda_pages *kept = (cuda_pages *)malloc(sizeof *kept);
    if (kept == NULL)
        return NULL;
    if (cuda_flush(device) != TERN_OK ||
        cuda_check(device, cudaMalloc(&memory, bytes + PAGE), "memory") != TERN_OK) {
        free(kept);
        return NULL;
    }
    kept->memory = memory;
    kept->pages = (void *)(((uintptr_t)memory + PAGE - 1) / PAGE * PAGE);
    kept->next = device->pages;
    device->pages = kept;
    return kept->pages;
}

/* Once the work that may use it is done; cudaFree need not wait for that. */
static tern_status free_memory(cuda_device *device, void *memory, const char *what) {
    tern_status status = cuda_flush(device);
    if (status == TERN_OK && memory != NULL)
        status = cuda_check(device, cudaStreamSynchronize(device->stream), what);
    cudaError_t error = cudaFree(memory);
    return status == TERN_OK ? cuda_check(device, error, what) : status;
}

static void unmap_cuda(void *handle, void *memory, size_t bytes) {
    cuda_device *device = cuda_of(handle);
    cuda_pages **link = &device->pages;
    (void)bytes;
    while (*link != NULL && (*link)->pages != memory)
        link = &(*link)->next;
    cuda_pages *kept = *link;
    if (kept == NULL)
        return;
    *link = kept->next;
    (void)free_memory(device, kept->memory, "freeing memory");
    free(kept);
}

/* Waits: a copy of pinned memory, and of pageable memory that the device reads by itself, would
 * read the bytes later. */
tern_status cuda_copy_in(cuda_device *device, void *to, const void *from, size_t bytes,
                         const char *what) {
    cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, device->stream);
    if (error == cudaSuccess)
        error = cudaStreamSynchronize(device->stream);
    return cuda_check(device, error, what);
}

static tern_status copy_in(void *handle, void *to, const void *from_host, size_t bytes) {
    cuda_device *device = cuda_of(handle);
    tern_status status = cuda_flush(device);
    return status == TERN_OK ? cuda_copy_in(device, to, from_host, bytes, "copy to the device")
                             : status;
}

static tern_status copy_out(void *handle, void *to_host, const void *from, size_t bytes) {
    cuda_device *device = cuda_of(handle);
    tern_status status = cuda_flush(device);
    if (status != TERN_OK)
        return status;
    cudaError_t error =
        cudaMemcpyAsync(to_host, from, bytes, cudaMemcpyDeviceToHost, device->stream);
    if (error == cudaSuccess)
        error = cudaStreamSynchronize(device->stream);
    cuda_graphs_rewind(device);
    return cuda_check(device, error, "copy from the device");
}

static tern_status copy_within(void *handle, void *to, const void *from, size_t bytes) {
    cuda_device *device = cuda_of(handle);
    cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, device->stream);
    return cuda_check(device, error, "copy within the device");
}

static tern_status wait_for_cuda(void *handle) {
    cuda_device *device = cuda_of(handle);
    tern_status status = cuda_flush(device);
    if (status == TERN_OK)
        status = cuda_check(device, cudaStreamSynchronize(device->stream), "waiting");
    cuda_graphs_rewind(device);
    return status;
}

static tern_status submit_cuda(void *handle) {
    return cuda_flush(cuda_of(handle));
}

tern_status cuda_scratch(cuda_device *device, size_t bytes, void **out) {
    enum : size_t { STEP = 1 << 20 };
    *out = device->scratch;
    if (bytes <= device->scratch_bytes)
        return TERN_OK;
    size_t wanted = (bytes + STEP - 1) / STEP * STEP;
    void *fresh = NULL;
    tern_status status = free_memory(device, device->scratch, "scratch");
    device->scratch = NULL;
    device->scratch_bytes = 0;
    if (status == TERN_OK)
        status = cuda_check(device, cudaMalloc(&fresh, wanted), "scratch");
    if (status != TERN_OK)
        return status;
    device->scratch = *out = fresh;
    device->scratch_bytes = wanted;
    return TERN_OK;
}

/* -- the table ---------------------------------------------------------------------------------*/

static tern__plugin the_plugin;

/* Copies, element by element, reductions, norms, picks. */
static void add_basic_rows(tern__plugin *plugin) {
#define COPY_ROW(symbol, ...)        plugin->ops[TERN__OP_##symbol] = cuda_copy;
#define ELEMENTWISE_ROW(symbol, ...) plugin->ops[TERN__OP_##symbol] = cuda_elementwise;
    TERN__OP_COPIES(COPY_ROW)
    TERN__OP_ARITHMETIC(ELEMENTWISE_ROW)
    TERN__OP_LOGIC(ELEMENTWISE_ROW)
    TERN__OP_ACTIVATIONS(ELEMENTWISE_ROW)
    plugin->ops[TERN__OP_OUTER] = cuda_elementwise;
    plugin->ops[TERN__OP_MASKED_FILL] = cuda_elementwise;
    static const struct {
        tern__op op;
        cuda_row row;
    } rows[] = {
        {TERN__OP_SUM, cuda_reduce},
        {TERN__OP_PROD, cuda_reduce},
        {TERN__OP_MEAN, cuda_reduce},
        {TERN__OP_MIN, cuda_reduce},
        {TERN__OP_MAX, cuda_reduce},
        {TERN__OP_ANY, cuda_reduce},
        {TERN__OP_ALL, cuda_reduce},
        {TERN__OP_COUNT_NONZERO, cuda_reduce},
        {TERN__OP_LOGSUMEXP, cuda_reduce},
        {TERN__OP_VAR, cuda_reduce},
        {TERN__OP_STD, cuda_reduce},
        {TERN__OP_NORM, cuda_reduce},
        {TERN__OP_DOT, cuda_dot},
        {TERN__OP_ARGMIN, cuda_arg_extreme},
        {TERN__OP_ARGMAX, cuda_arg_extreme},
        {TERN__OP_TOPK, cuda_topk},
        {TERN__OP_SOFTMAX, cuda_softmax},
        {TERN__OP_SOFTMAX_CAUSAL, cuda_softmax},
        {TERN__OP_LOG_SOFTMAX, cuda_softmax},
        {TERN__OP_SOFTMAX_BACKWARD, cuda_softmax},
        {TERN__OP_LOG_SOFTMAX_BACKWARD, cuda_softmax},
        {TERN__OP_RMS_NORM, cuda_rms_norm},
        {TERN__OP_LAYER_NORM, cuda_layer_norm},
        {TERN__OP_EMBEDDING, cuda_embedding},
        {TERN__OP_GATHER, cuda_gather},
        {TERN__OP_INDEX_SELECT, cuda_gather},
        {TERN__OP_TAKE, cuda_gather},
        {TERN__OP_ONE_HOT, cuda_one_hot},
    };
    for (const auto &entry : rows)
        plugin->ops[entry.op] = entry.row;
}

/* Packed weights and what they are multiplied with. */
static void add_ternary_rows(tern__plugin *plugin) {
    plugin->packed_bytes = cuda_packed_bytes;
    plugin->pack_weight = cuda_pack_weight;
    plugin->ops[TERN__OP_TERNARY_LINEAR] = cuda_ternary_linear;
    plugin->ops[TERN__OP_NORM_LINEAR] = cuda_norm_linear;
    plugin->ops[TERN__OP_NORM_LINEAR_ADD] = cuda_norm_linear_add;
    plugin->ops[TERN__OP_NORM_GLU] = cuda_norm_glu;
    plugin->ops[TERN__OP_QUANTIZE_SCALE] = cuda_quantize_scale;
    plugin->ops[TERN__OP_QUANTIZE] = cuda_quantize;
}

/* Products of floats, attention. */
static void add_product_rows(tern__plugin *plugin) {
    plugin->ops[TERN__OP_MATMUL] = cuda_matmul;
    plugin->ops[TERN__OP_MATMUL_WITH] = cuda_matmul_with;
    plugin->ops[TERN__OP_LINEAR] = cuda_linear;
    plugin->ops[TERN__OP_LINEAR_TOPK] = cuda_linear_topk;
    plugin->ops[TERN__OP_ROPE] = cuda_rope;
    plugin->ops[TERN__OP_ATTENTION] = cuda_attend;
    plugin->ops[TERN__OP_ATTENTION_INT8] = cuda_attend;
    plugin->tolerance[TERN__OP_MATMUL_WITH] = CUDA_BF16_TOLERANCE;
}

static cuda_row the_rows[TERN__OP_COUNT];

static tern_status run_row(void *handle, const tern__device_call *call) {
    tern_status status = cuda_collect(cuda_of(handle));
    return status == TERN_OK ? the_rows[call->op](handle, call) : status;
}

/* All rows go through run_row(). */
static void route_rows(tern__plugin *plugin) {
    for (int op = 0; op < TERN__OP_COUNT; op++) {
        if (plugin->ops[op] == NULL)
            continue;
        the_rows[op] = plugin->ops[op];
        plugin->ops[op] = run_row;
    }
}

extern "C" const tern__plugin *tern_plugin(void) {
    tern__plugin *plugin = &the_plugin;
    plugin->abi = TERN__PLUGIN_ABI;
    plugin->struct_bytes = sizeof *plugin;
    plugin->op_count = TERN__OP_COUNT;
    plugin->name = TERN_CUDA_NAME;
    plugin->tern = TERN_PLUGIN_VERSION;
    plugin->probe = probe_cuda;
    plugin->open = open_cuda;
    plugin->close = close_cuda;
    plugin->map = map_cuda;
    plugin->unmap = unmap_cuda;
    plugin->copy_in = copy_in;
    plugin->copy_out = copy_out;
    plugin->copy_within = copy_within;
    plugin->submit = submit_cuda;
    plugin->wait = wait_for_cuda;
    add_basic_rows(plugin);
    add_ternary_rows(plugin);
    add_product_rows(plugin);
    route_rows(plugin);
    return plugin;
}
