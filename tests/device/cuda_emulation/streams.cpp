/* SPDX-License-Identifier: MIT
 *
 * Streams do what they are asked for at once; while one is captured they record it, and the graph
 * does it. What must not happen during a capture is refused, and ends the capture.
 */
#include <time.h>

#include <algorithm>
#include <map>
#include <vector>

#include "emulation.h"

namespace {

/* TERN_EMULATION_SM=75: compute capability 7.5. */
int wanted_capability() {
    const char *sm = getenv("TERN_EMULATION_SM");
    return sm != nullptr ? atoi(sm) : 90;
}

struct graph_node {
    const void *function; /* NULL: a copy, or memory that is set */
    std::function<void()> run;
};

enum : size_t { SHARED_PLAIN = 48 << 10, SHARED_MOST = 227 << 10 };

std::map<const void *, size_t> shared_limits; /* raised by cudaFuncSetAttribute */
std::vector<cudaStream_t> capturing;

} // namespace

struct emulated_graph {
    std::vector<graph_node> nodes;
};

struct emulated_graph_exec {
    std::vector<graph_node> nodes;
};

struct emulated_stream {
    emulated_graph *captured = nullptr;
    bool is_spoilt = false;
    int capability = wanted_capability();
};

struct emulated_event {
    timespec time = {};
};

namespace {

cudaError_t do_or_record(cudaStream_t stream, const void *function, std::function<void()> work) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (stream != nullptr && stream->captured != nullptr) {
        if (stream->is_spoilt)
            return emulation_error(cudaErrorStreamCaptureInvalidated);
        stream->captured->nodes.push_back({function, std::move(work)});
        return cudaSuccess;
    }
    work();
    return cudaSuccess;
}

void stop_capture(cudaStream_t stream) {
    auto place = std::find(capturing.begin(), capturing.end(), stream);
    if (place != capturing.end())
        capturing.erase(place);
}

bool has_good_shape(const emulation_kernel &k) {
    const dim3 &g = k.grid, &b = k.block;
    return g.x >= 1 && g.x <= 0x7fffffff && g.y >= 1 && g.y <= 65535 && g.z >= 1 && g.z <= 65535 &&
           b.x >= 1 && b.y >= 1 && b.z >= 1 && b.z <= 64 && b.x <= 1024 && b.y <= 1024 &&
           b.x * b.y * b.z <= 1024;
}

bool is_copy_good(const void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    bool is_to_device = emulation_is_device(to, bytes), is_from = emulation_is_device(from, bytes);
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !is_to_device && !is_from;
    case cudaMemcpyHostToDevice:
        return is_to_device && !is_from;
    case cudaMemcpyDeviceToHost:
        return !is_to_device && is_from;
    case cudaMemcpyDeviceToDevice:
        return is_to_device && is_from;
    default:
        return true;
    }
}

} // namespace

cudaError_t emulation_forbid_in_capture() {
    if (capturing.empty())
        return cudaSuccess;
    for (cudaStream_t stream : capturing)
        stream->is_spoilt = true;
    return emulation_error(cudaErrorStreamCaptureUnsupported);
}

/* -- kernels and copies ------------------------------------------------------------------------*/

cudaError_t emulation_set_shared(const void *kernel, cudaFuncAttribute attribute, int value) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return cudaSuccess;
    if (value < 0 || (size_t)value > SHARED_MOST)
        return emulation_error(cudaErrorInvalidValue);
    shared_limits[kernel] = (size_t)value;
    return cudaSuccess;
}

cudaError_t emulation_launch(const emulation_kernel &kernel, cudaStream_t stream) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    auto limit = shared_limits.find(kernel.function);
    size_t most = limit != shared_limits.end() ? limit->second : SHARED_PLAIN;
    if (!has_good_shape(kernel))
        return emulation_error(cudaErrorInvalidConfiguration);
    if (kernel.shared_bytes > (most > SHARED_PLAIN ? most : SHARED_PLAIN))
        return emulation_error(cudaErrorInvalidValue);
    emulation_kernel known = kernel;
    known.capability = stream != nullptr ? stream->capability : wanted_capability();
    return do_or_record(stream, kernel.function, [known] { emulation_run(known); });
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (bytes == 0)
        return cudaSuccess;
    if (!is_copy_good(to, from, bytes, kind))
        return emulation_error(cudaErrorInvalidValue);
    return do_or_record(stream, nullptr,
                        [=] { memmove(emulation_place(to), emulation_place(from), bytes); });
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    cudaError_t error = emulation_forbid_in_capture();
    return error != cudaSuccess ? error : cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (!emulation_is_device(to, bytes))
        return emulation_error(cudaErrorInvalidValue);
    return do_or_record(stream, nullptr, [=] { memset(emulation_place(to), value, bytes); });
}

/* -- streams -----------------------------------------------------------------------------------*/

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    *stream = new emulated_stream;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    return cudaStreamCreate(stream);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    stop_capture(stream);
    delete stream->captured;
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (stream != nullptr && stream->captured != nullptr)
        return emulation_forbid_in_capture();
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    return cudaStreamSynchronize(stream);
}

cudaError_t cudaDeviceSynchronize() {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    return emulation_forbid_in_capture();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    if (stream == nullptr || stream->captured != nullptr)
        return emulation_error(cudaErrorStreamCaptureUnsupported);
    stream->captured = new emulated_graph;
    stream->is_spoilt = false;
    capturing.push_back(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    *graph = nullptr;
    if (stream == nullptr || stream->captured == nullptr)
        return emulation_error(cudaErrorInvalidValue);
    stop_capture(stream);
    if (stream->is_spoilt)
        delete stream->captured;
    else
        *graph = stream->captured;
    stream->captured = nullptr;
    return stream->is_spoilt ? emulation_error(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    *status = stream == nullptr || stream->captured == nullptr ? cudaStreamCaptureStatusNone
              : stream->is_spoilt                              ? cudaStreamCaptureStatusInvalidated
                                                               : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

/* -- graphs ------------------------------------------------------------------------------------*/

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    if (nodes != nullptr)
        return emulation_error(cudaErrorInvalidValue);
    *count = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
    *exec = new emulated_graph_exec{graph->nodes};
    return cudaSuccess;
}

/* The same kernels in the same order, with other arguments and grids. */
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo *info) {
    std::lock_guard<std::recursive_mutex> guard(emulation_lock);
    bool is_same = exec->nodes.size() == graph->nodes.size();
    for (size_t i = 0; is_same && i < graph->nodes.size(); i++)
        is_same = exec->nodes[i].function == graph->nodes[i].function;
    info->result = is_same ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateError;
    if (!is_same)
        return emulation_error(cudaErrorGraphExecUpdateFailure);
    exec->nodes = graph->nodes;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    std::vector<graph_node> nodes = exec->nodes;
    return do_or_record(stream, exec, [nodes] {
        for (const graph_node &node : nodes)
            node.run();
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    delete exec;
    return cudaSuccess;
}

/* -- events ------------------------------------------------------------------------------------*/

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    *event = new emulated_event;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
    return cudaEventCreate(event);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
    clock_gettime(CLOCK_MONOTONIC, &event->time);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t) {
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t) {
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end) {
    *milliseconds = 1e3f * (float)(end->time.tv_sec - begin->time.tv_sec) +
                    1e-6f * (float)(end->time.tv_nsec - begin->time.tv_nsec);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

/* -- the device --------------------------------------------------------------------------------*/

cudaError_t cudaDriverGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : emulation_error(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
    if (device != 0)
        return emulation_error(cudaErrorInvalidDevice);
    size_t free_bytes;
    const int capability = wanted_capability();
    *properties = {};
    strcpy(properties->name, "CUDA emulation on the processor");
    properties->major = capability / 10;
    properties->minor = capability % 10;
    properties->multiProcessorCount = 4;
    properties->sharedMemPerBlockOptin = SHARED_MOST;
    return cudaMemGetInfo(&free_bytes, &properties->totalGlobalMem);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
        *value = 4;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = 9;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = 0;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (int)SHARED_MOST;
        return cudaSuccess;
    }
    return emulation_error(cudaErrorInvalidValue);
}

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    case cudaErrorStreamCaptureUnsupported:
        return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
        return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorGraphExecUpdateFailure:
        return "cudaErrorGraphExecUpdateFailure";
    default:
        return "cudaErrorUnknown";
    }
}

const char *cudaGetErrorString(cudaError_t error) {
    return cudaGetErrorName(error);
}
