/* SPDX-License-Identifier: MIT
 * The plug-in itself: finding out about MLX, and the way of every call through it. */
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <set>

#include <mlx/primitives.h>
#include <unistd.h>

#include "base/half.h"
#include "device/mlx/mlx.h"

namespace tern_mlx {

namespace {

const char *const op_names[] = {
#define OP_NAME(symbol, name, ...) name,
    TERN__OP_MAP(OP_NAME)
#undef OP_NAME
};

row rows[TERN__OP_COUNT];

bool has_gpu() {
    return mx::metal::is_available();
}

/* Runs the body; what it throws becomes a status. MLX has one exception for all that goes wrong:
 * its words tell what. */
template <typename Body>
tern_status guarded(const tern__plugin_host *host, const char *what, Body &&body) noexcept {
    try {
        return body();
    } catch (const declined &) {
        return TERN_E_UNSUPPORTED;
    } catch (const std::bad_alloc &) {
        return host->fail(TERN_E_MEMORY, "mlx: %s: no memory", what);
    } catch (const std::exception &e) {
        bool is_memory = std::strstr(e.what(), "llocate") != nullptr;
        return host->fail(is_memory ? TERN_E_MEMORY : TERN_E_INTERNAL, "mlx: %s: %s", what,
                          e.what());
    } catch (...) {
        return host->fail(TERN_E_INTERNAL, "mlx: %s: an unknown exception", what);
    }
}

/* -- results -----------------------------------------------------------------------------------*/

/* In the type and shape of `out`. */
mx::array fit(mx::array y, const tern__operand &out) {
    mx::Shape shape = shape_of(out);
    y = mx::astype(y, dtype_of(out.dtype));
    if (y.shape() == shape)
        return y;
    size_t count = 1;
    for (auto dim : shape)
        count *= (size_t)dim;
    return y.size() == count ? mx::reshape(y, shape) : mx::broadcast_to(y, shape);
}

template <typename T>
void copy_items(const mx::array &y, const tern__operand &out, size_t axis, const T *from, T *to) {
    if (axis == y.ndim()) {
        *to = *from;
        return;
    }
    int64_t from_step = y.strides()[axis], to_step = out.strides[axis];
    for (int64_t i = 0; i < out.dims[axis]; i++)
        copy_items(y, out, axis + 1, from + i * from_step, to + i * to_step);
}

template <typename T> void store_items(const mx::array &y, const tern__operand &out) {
    bool is_contiguous = y.flags().row_contiguous;
    int64_t step = 1;
    for (int i = out.rank - 1; i >= 0; step *= out.dims[i], i--)
        is_contiguous = is_contiguous && (out.dims[i] == 1 || out.strides[i] == step);
    if (is_contiguous)
        std::memcpy(out.data, y.data<T>(), y.nbytes());
    else
        copy_items(y, out, 0, y.data<T>(), static_cast<T *>(out.data));
}

/* An evaluated array to where the result belongs. */
void store(const mx::array &y, const tern__operand &out) {
    switch (y.itemsize()) {
    case 1:
        return store_items<uint8_t>(y, out);
    case 2:
        return store_items<uint16_t>(y, out);
    case 4:
        return store_items<uint32_t>(y, out);
    default:
        return store_items<uint64_t>(y, out);
    }
}

/* -- memory ------------------------------------------------------------------------------------*/

bool is_made_by(const mx::array &y, std::initializer_list<const char *> primitives) {
    return std::any_of(primitives.begin(), primitives.end(), [&](const char *name) {
        return std::strcmp(y.primitive().name(), name) == 0;
    });
}

/* Bytes of the arrays that are computed on the way to y; `seen` has those that are counted. */
double bytes_to_compute(const mx::array &y, std::set<std::uintptr_t> &seen) {
    if (!y.has_primitive() || !seen.insert(y.id()).second)
        return 0;
    bool is_view = is_made_by(y, {"AsStrided", "Broadcast", "Transpose", "ExpandDims"});
    /* These may bring their operands in order first. */
    bool copies = is_made_by(y, {"Matmul", "QuantizedMatmul", "CumSum", "ArgSort"});
    double bytes = is_view ? 0 : (double)y.size() * (double)y.itemsize();
    for (const mx::array &x : y.inputs())
        bytes += bytes_to_compute(x, seen) + (copies ? (double)x.size() * (double)x.itemsize() : 0);
    return bytes;
}

/* MLX writes to what malloc gives without looking at it. So there must be room for all arrays of a
 * call beforehand: more than it needs at a time. */
void check_memory(const std::vector<mx::array> &results) {
    std::set<std::uintptr_t> seen;
    double bytes = 0;
    for (const mx::array &y : results)
        bytes += bytes_to_compute(y, seen);
    /* Volatile, or the compiler leaves the attempt out. */
    void *volatile room = bytes < (double)PTRDIFF_MAX ? std::malloc((size_t)bytes) : nullptr;
    if (room == nullptr)
        throw std::bad_alloc();
    std::free(room);
}

/* -- rows --------------------------------------------------------------------------------------*/

tern_status do_row(const device &device, const tern__device_call &call) {
    const row &r = rows[call.op];
    if (r.types != 0 && !(r.types >> call.type & 1))
        return TERN_E_UNSUPPORTED;
    mx::set_default_stream(device.stream);
    frame f(device, call);
    std::vector<mx::array> results = {r.build(f)};
    results.insert(results.end(), f.more.begin(), f.more.end());
    for (size_t i = 0; i < results.size(); i++)
        results[i] = fit(results[i], call.out[i]);
    check_memory(results);
    mx::eval(results);
    for (size_t i = 0; i < results.size(); i++)
        store(results[i], call.out[i]);
    return TERN_OK;
}

tern_status run_row(void *opened, const tern__device_call *call) noexcept {
    const auto &d = *static_cast<const device *>(opened);
    return guarded(d.host, op_names[call->op], [&] { return do_row(d, *call); });
}

/* -- life --------------------------------------------------------------------------------------*/

/* MLX keeps a stream, and the thread that serves it, for ever: closed devices leave theirs to
 * those that are opened later. */
std::mutex streams_lock;
std::vector<mx::Stream> free_streams;

mx::Stream take_stream() {
    std::lock_guard<std::mutex> lock(streams_lock);
    if (free_streams.empty())
        return mx::new_thread_unsafe_stream(has_gpu() ? mx::Device::gpu : mx::Device::cpu);
    mx::Stream stream = free_streams.back();
    free_streams.pop_back();
    return stream;
}

/* MLX promises no binary interface between its versions. */
tern_status check_version(const tern__plugin_host *host) {
    char built_with[32];
    std::snprintf(built_with, sizeof built_with, "%d.%d.%d", MLX_VERSION_MAJOR, MLX_VERSION_MINOR,
                  MLX_VERSION_PATCH);
    size_t length = std::strlen(built_with);
    const char *version = mx::version(); /* perhaps with words behind */
    if (std::strncmp(version, built_with, length) == 0 && std::isdigit(version[length]) == 0)
        return TERN_OK;
    return host->fail(TERN_E_UNSUPPORTED, "MLX is %s, the plug-in was built with %s", mx::version(),
                      built_with);
}

tern_status probe(const tern__plugin_host *host, tern__plugin_facts *facts) {
    return guarded(host, "probe", [&] {
        tern_status status = check_version(host);
        if (status != TERN_OK)
            return status;
        std::snprintf(facts->library, sizeof facts->library, "MLX %s", mx::version());
        std::snprintf(facts->model, sizeof facts->model, "CPU back end");
        facts->is_accelerator = has_gpu();
        if (!facts->is_accelerator)
            return TERN_OK;
        const auto &info = mx::device_info(mx::Device::gpu);
        auto name = info.find("device_name"), memory = info.find("memory_size");
        if (name != info.end())
            std::snprintf(facts->model, sizeof facts->model, "%s",
                          std::get<std::string>(name->second).c_str());
        if (memory != info.end())
            facts->memory_bytes = std::get<size_t>(memory->second);
        uint64_t used = mx::get_active_memory();
        facts->free_bytes = facts->memory_bytes > used ? facts->memory_bytes - used : 0;
        return TERN_OK;
    });
}

tern_status open_device(const tern__plugin_host *host, void **opened) {
    *opened = nullptr;
    return guarded(host, "open", [&] {
        {
            /* Room for the stream that comes back, so that closing needs no memory. */
            std::lock_guard<std::mutex> lock(streams_lock);
            free_streams.reserve(mx::get_streams().size() + 1);
        }
        *opened = new device{host, take_stream()};
        return TERN_OK;
    });
}

void close_device(void *opened) {
    auto *d = static_cast<device *>(opened);
    if (d == nullptr)
        return;
    guarded(d->host, "close", [&] {
        if (has_gpu())
            mx::clear_cache(); /* without, 32 MiB at most, and other devices would be waited for */
        std::lock_guard<std::mutex> lock(streams_lock);
        free_streams.push_back(d->stream);
        return TERN_OK;
    });
    delete d;
}

tern_status count_packed(void *opened, const tern__pack_request *request, size_t *bytes) {
    const auto &d = *static_cast<const device *>(opened);
    return guarded(d.host, "pack", [&] {
        *bytes = packed_bytes(*request);
        return TERN_OK;
    });
}

tern_status pack(void *opened, const tern__pack_request *request, void *to) {
    const auto &d = *static_cast<const device *>(opened);
    return guarded(d.host, "pack", [&] { return pack_weight(*request, to); });
}

/* A row has done its work when it returns. */
tern_status nothing_to_do(void *) {
    return TERN_OK;
}

tern__plugin make_plugin() {
    tern__plugin plugin = {};
    add_elementwise(rows);
    add_functions(rows);
    add_reductions(rows);
    add_products(rows);
    add_ternary(rows);
    plugin.abi = TERN__PLUGIN_ABI;
    plugin.struct_bytes = sizeof plugin;
    plugin.op_count = TERN__OP_COUNT;
    plugin.name = "mlx";
    plugin.tern = TERN_PLUGIN_VERSION;
    plugin.probe = probe;
    plugin.open = open_device;
    plugin.close = close_device;
    plugin.packed_bytes = count_packed;
    plugin.pack_weight = pack;
    plugin.submit = nothing_to_do;
    plugin.wait = nothing_to_do;
    for (int op = 0; op < TERN__OP_COUNT; op++)
        if (rows[op].build != nullptr) {
            plugin.ops[op] = run_row;
            /* Measured without Metal; with it the functions and the order of sums are others. */
            plugin.tolerance[op] = rows[op].tolerance;
            if (has_gpu() && rows[op].tolerance > 0)
                plugin.tolerance[op] = std::max(rows[op].tolerance, 1e-5);
        }
    return plugin;
}

} // namespace

/* -- operands ----------------------------------------------------------------------------------*/

mx::Dtype dtype_of(int32_t dtype) {
    switch (dtype) {
    case TERN_F32:
        return mx::float32;
    case TERN_F16:
        return mx::float16;
    case TERN_BF16:
        return mx::bfloat16;
    case TERN_F64:
        return mx::float64;
    case TERN_I8:
        return mx::int8;
    case TERN_U8:
        return mx::uint8;
    case TERN_I16:
        return mx::int16;
    case TERN_I32:
        return mx::int32;
    case TERN_I64:
        return mx::int64;
    case TERN_BOOL:
        return mx::bool_;
    default:
        throw declined();
    }
}

/* MLX counts the elements of an axis with 31 bits, and all may become one axis. */
mx::Shape shape_of(const tern__operand &operand) {
    mx::Shape shape;
    int64_t count = 1;
    for (int i = 0; i < operand.rank; i++) {
        if (operand.dims[i] < 1 || operand.dims[i] > INT32_MAX / count)
            throw declined();
        count *= operand.dims[i];
        shape.push_back((int32_t)operand.dims[i]);
    }
    return shape;
}

frame::frame(const device &device, const tern__device_call &c)
    : call(c), is_gpu(device.stream.device == mx::Device::gpu) {
    bool has_f64 = false;
    for (int i = 0; i < c.in_count; i++)
        has_f64 = has_f64 || c.in[i].dtype == TERN_F64;
    for (int i = 0; i < c.out_count; i++)
        has_f64 = has_f64 || c.out[i].dtype == TERN_F64;
    if (is_gpu && has_f64)
        throw declined();
}

/* Memory of the caller as a vector. The constructor that is made for it copies without Metal. MLX's
 * own buffers there have a head of some bytes, which nobody looks at while the memory belongs to
 * somebody else: so a buffer that would begin with it. */
static mx::array borrow(void *data, int32_t count, mx::Dtype type) {
#if !defined(__APPLE__)
    static char probe;
    if (!mx::is_available(mx::Device::gpu)) {
        static const ptrdiff_t head =
            static_cast<char *>(mx::allocator::Buffer(&probe).raw_ptr()) - &probe;
        mx::allocator::Buffer buffer(static_cast<char *>(data) - head);
        return mx::array(mx::allocator::Data(buffer, [](mx::allocator::Buffer) {}), {count}, type);
    }
#endif
    return mx::array(data, {count}, type, [](void *) {});
}

/* All that the operand reaches becomes a vector, and the operand a view of it. Metal takes whole
 * pages only. */
mx::array frame::wrap(const tern__operand &operand, mx::Dtype type) {
    mx::Shape shape = shape_of(operand);
    mx::Strides strides;
    int64_t low = 0, high = 0;
    for (int i = 0; i < operand.rank; i++) {
        int64_t reach = (operand.dims[i] - 1) * operand.strides[i];
        (reach < 0 ? low : high) += reach;
        strides.push_back(operand.strides[i]);
    }
    auto size = (intptr_t)mx::size_of(type), first = (intptr_t)operand.data;
    intptr_t page = is_gpu ? (intptr_t)sysconf(_SC_PAGESIZE) : size;
    intptr_t begin = (first + low * size) / page * page;
    intptr_t end = (first + (high + 1) * size + page - 1) / page * page;
    if (first == 0 || first % size != 0 || (end - begin) / size > INT32_MAX)
        throw declined();
    held.push_back(borrow((void *)begin, (int32_t)((end - begin) / size), type));
    return mx::as_strided(held.back(), shape, strides, (size_t)((first - begin) / size));
}

mx::array frame::in(int i) {
    return wrap(call.in[i], dtype_of(call.in[i].dtype));
}

mx::array frame::in(int i, mx::Dtype type) {
    return mx::astype(in(i), type);
}

mx::Dtype frame::hub_type() const {
    mx::Dtype type = dtype_of(call.type);
    return mx::size_of(type) == 2 && mx::issubdtype(type, mx::floating) ? mx::float32 : type;
}

mx::array frame::hub(int i) {
    return in(i, hub_type());
}

mx::array frame::number(double number) const {
    mx::Dtype type = hub_type();
    if (call.type == TERN_F16)
        return mx::array(tern__f32_from_f16(tern__f16_from_f32(tern__odd_f32_from_f64(number))));
    if (call.type == TERN_BF16)
        return mx::array(tern__f32_from_bf16(tern__bf16_from_f32(tern__odd_f32_from_f64(number))));
    if (mx::issubdtype(type, mx::floating))
        return constant(number, type);
    int64_t whole = number != number   ? 0
                    : number >= 0x1p63 ? INT64_MAX
                    : number < -0x1p63 ? INT64_MIN
                                       : (int64_t)number;
    return mx::array(whole, type);
}

} // namespace tern_mlx

extern "C" __attribute__((visibility("default"))) const tern__plugin *tern_plugin(void) {
    static const tern__plugin plugin = tern_mlx::make_plugin();
    return &plugin;
}
