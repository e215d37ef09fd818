# SPDX-License-Identifier: MIT
"""Runs libtern.so against NumPy, and against ml_dtypes and safetensors where they are installed.

Prints what tools/report.sh prints: one test for every function below whose name begins with test_.
"""
import ctypes
import gc
import os
import sys
import tempfile
import traceback
import weakref
import zipfile

import numpy as np

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None
try:
    import safetensors.numpy
except ImportError:
    safetensors = None


class Skipped(Exception):
    pass


# -- the library -----------------------------------------------------------------------------------

class Shape(ctypes.Structure):
    _fields_ = [("rank", ctypes.c_int), ("dims", ctypes.c_int64 * 8)]


class Named(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("tensor", ctypes.c_void_p)]


class Metadata(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class MemoryStats(ctypes.Structure):
    _fields_ = [("live_bytes", ctypes.c_size_t), ("peak_bytes", ctypes.c_size_t),
                ("committed_bytes", ctypes.c_size_t), ("mapped_bytes", ctypes.c_size_t),
                ("live_tensors", ctypes.c_int64), ("peak_tensors", ctypes.c_int64)]


TYPES = {"float32": 0, "float16": 1, "bfloat16": 2, "float64": 3, "int8": 4, "uint8": 5,
         "int16": 6, "int32": 7, "int64": 8, "bool": 9}

lib = ctypes.CDLL(os.path.abspath(sys.argv[1]))
lib.tern_last_error.restype = ctypes.c_char_p
lib.tern_tensor_data.restype = ctypes.c_void_p
lib.tern_tensor_shape.restype = Shape
lib.tern_tensor_stride.restype = ctypes.c_int64
lib.tern_context_memory.restype = MemoryStats
context = ctypes.c_void_p()
PyCapsule_New = ctypes.pythonapi.PyCapsule_New
PyCapsule_New.restype = ctypes.py_object
PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
PyCapsule_GetPointer = ctypes.pythonapi.PyCapsule_GetPointer
PyCapsule_GetPointer.restype = ctypes.c_void_p
PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
PyCapsule_SetName = ctypes.pythonapi.PyCapsule_SetName
PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]


def check(status):
    if status != 0:
        raise RuntimeError(lib.tern_last_error().decode())


check(lib.tern_context_create(None, ctypes.byref(context)))


class Tensor:
    """A tensor of the library; to NumPy it exports itself by DLPack."""

    def __init__(self, pointer):
        self.pointer = pointer

    def __del__(self):
        lib.tern_tensor_release(self.pointer)

    @classmethod
    def of(cls, array):
        """A copy, with the array's axes but C order."""
        data = np.ascontiguousarray(array)
        shape = Shape(array.ndim)
        shape.dims[:array.ndim] = array.shape
        out = ctypes.c_void_p()
        check(lib.tern_tensor_from_data(context, TYPES[array.dtype.name], shape,
                                        ctypes.c_void_p(data.ctypes.data), ctypes.byref(out)))
        return cls(out)

    def transpose(self, a, b):
        out = ctypes.c_void_p()
        check(lib.tern_tensor_transpose(self.pointer, a, b, ctypes.byref(out)))
        return Tensor(out)

    @property
    def address(self):
        return lib.tern_tensor_data(self.pointer)

    @property
    def shape(self):
        shape = lib.tern_tensor_shape(self.pointer)
        return tuple(shape.dims[:shape.rank])

    @property
    def strides(self):
        return tuple(lib.tern_tensor_stride(self.pointer, i) for i in range(len(self.shape)))

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        managed = ctypes.c_void_p()
        is_new = max_version is not None and max_version >= (1, 0)
        call = lib.tern_tensor_to_dlpack if is_new else lib.tern_tensor_to_dlpack_old
        check(call(self.pointer, ctypes.byref(managed)))
        # NumPy renames what it takes, and calls the deleter.
        return PyCapsule_New(managed, b"dltensor_versioned" if is_new else b"dltensor", None)

    def array(self):
        """What NumPy makes of it, BF16 by way of its bits."""
        if lib.tern_tensor_dtype(self.pointer) == TYPES["bfloat16"]:
            count = int(np.prod(self.shape))
            span = 1 + sum((n - 1) * s for n, s in zip(self.shape, self.strides)) if count else 0
            bits = np.ctypeslib.as_array((ctypes.c_uint16 * span).from_address(self.address or 1))
            return np.lib.stride_tricks.as_strided(
                bits, self.shape, [2 * s for s in self.strides]).view(ml_dtypes.bfloat16).copy()
        return np.from_dlpack(self)

    def text(self):
        needed = ctypes.c_size_t()
        lib.tern_tensor_format(self.pointer, None, None, ctypes.c_size_t(0), ctypes.byref(needed))
        text = ctypes.create_string_buffer(needed.value)
        check(lib.tern_tensor_format(self.pointer, None, text, needed, None))
        return text.value.decode()


def import_array(array, is_new=True):
    """The array as a tensor, by DLPack, without a copy."""
    name = b"dltensor_versioned" if is_new else b"dltensor"
    capsule = array.__dlpack__(max_version=(1, 0)) if is_new else array.__dlpack__()
    out = ctypes.c_void_p()
    call = lib.tern_tensor_from_dlpack if is_new else lib.tern_tensor_from_dlpack_old
    check(call(context, ctypes.c_void_p(PyCapsule_GetPointer(capsule, name)), ctypes.byref(out)))
    PyCapsule_SetName(capsule, b"used_" + name)
    import_array.names.append(b"used_" + name)  # the capsule keeps a pointer to it
    return Tensor(out)


import_array.names = []


def live_tensors():
    gc.collect()
    return lib.tern_context_memory(context).live_tensors


# -- arrays to try ---------------------------------------------------------------------------------

random = np.random.default_rng(20240229)


def plain_types(has_bfloat=False):
    for name in TYPES:
        if name != "bfloat16":
            yield np.dtype(name)
        elif has_bfloat and ml_dtypes is not None:
            yield np.dtype(ml_dtypes.bfloat16)


def some_array(dtype, shape):
    if dtype.name == "bool":
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, shape, endpoint=True, dtype=dtype)
    return random.standard_normal(shape).astype(dtype)


SHAPES = [(), (1,), (5,), (0,), (2, 0, 3), (3, 4), (2, 3, 4), (1, 2, 1, 3, 1, 2, 1, 1)]


def views(array):
    yield array
    yield array.T
    yield array[::-1] if array.ndim > 0 else array
    yield array[..., ::2] if array.ndim > 0 else array
    yield np.broadcast_to(array, (2,) + array.shape) if array.ndim < 8 else array


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# -- DLPack ----------------------------------------------------------------------------------------

def test_dlpack_export():
    for dtype in plain_types():
        for shape in SHAPES:
            array = some_array(dtype, shape)
            tensor = Tensor.of(array)
            for device in [None, "cpu"]:
                seen = np.from_dlpack(tensor, device=device)
                assert same(seen, array), (dtype, shape)
                assert seen.size == 0 or seen.ctypes.data == tensor.address


def test_dlpack_export_shares_bytes():
    before = live_tensors()
    tensor = Tensor.of(np.arange(12, dtype=np.float32).reshape(3, 4))
    seen = np.from_dlpack(tensor.transpose(0, 1))
    assert seen.shape == (4, 3) and seen.strides == (4, 16) and seen.flags.writeable
    seen[2, 1] = -7  # through NumPy, seen by Tern
    cells = (ctypes.c_float * 12).from_address(tensor.address)
    assert cells[1 * 4 + 2] == -7
    cells[3] = 42  # and the other way
    assert seen[3, 0] == 42
    del tensor, cells
    assert seen[3, 0] == 42 and live_tensors() > before
    del seen
    assert live_tensors() == before


def test_dlpack_import():
    for dtype in plain_types():
        for shape in SHAPES:
            for array in views(some_array(dtype, shape)):
                for is_new in [True, False] if array.flags.writeable else [True]:
                    tensor = import_array(array, is_new)
                    assert tensor.shape == array.shape
                    assert array.size == 0 or tensor.address == array.ctypes.data
                    assert same(np.array(np.from_dlpack(tensor)), np.array(array))


def test_dlpack_import_shares_bytes():
    before = live_tensors()
    array = np.arange(12, dtype=np.int32).reshape(3, 4).copy()
    gone = weakref.ref(array)
    tensor = import_array(array[::-1, ::2])
    assert tensor.strides == (-4, 2)
    array[2, 2] = 99
    cells = (ctypes.c_int32 * 2).from_address(tensor.address)
    assert cells[0] == 8  # the first of the last row
    assert (ctypes.c_int32 * 3).from_address(tensor.address)[2] == 99
    assert tensor.text() == str(array[::-1, ::2])
    del array
    gc.collect()
    assert gone() is not None  # the tensor keeps it
    del tensor
    assert live_tensors() == before and gone() is None


def test_dlpack_read_only():
    array = np.arange(6.0)
    array.flags.writeable = False
    seen = np.from_dlpack(import_array(array))
    assert not seen.flags.writeable and seen.ctypes.data == array.ctypes.data


# -- files -----------------------------------------------------------------------------------------

def open_archive(path):
    archive = ctypes.c_void_p()
    check(lib.tern_archive_open(os.fsencode(path), ctypes.byref(archive)))
    return archive


def read_tensor(path, name):
    archive = open_archive(path)
    out = ctypes.c_void_p()
    status = lib.tern_archive_tensor(context, archive, name.encode(), ctypes.byref(out))
    lib.tern_archive_close(archive)
    check(status)
    return Tensor(out)


def named(tensors):
    return (Named * len(tensors))(*[Named(k.encode(), t.pointer) for k, t in tensors.items()])


def in_folder(test):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            test(os.path.join(folder, "file"))
    run.__name__ = test.__name__
    return run


@in_folder
def test_npy_read(path):
    path += ".npy"
    for dtype in plain_types(has_bfloat=True):
        for shape in SHAPES:
            for array in views(some_array(dtype, shape)):
                for version in [(1, 0), (2, 0), (3, 0)]:
                    with open(path, "wb") as file:
                        np.lib.format.write_array(file, np.asarray(array), version=version)
                    tensor = read_tensor(path, "arr_0")
                    assert same(tensor.array(), np.array(array)), (dtype, shape, version)


@in_folder
def test_npy_write_as_numpy(path):
    """Byte by byte what NumPy writes."""
    for dtype in plain_types(has_bfloat=True):
        for shape in SHAPES:
            array = some_array(dtype, shape)
            tensor = Tensor.of(array)
            pairs = [(array, tensor)]
            if array.ndim > 1:
                turned = array.swapaxes(0, 1)
                pairs.append((turned, tensor.transpose(0, 1)))
            for expected, given in pairs:
                check(lib.tern_npy_save(os.fsencode(path), given.pointer))
                np.save(path + ".npy", expected)
                with open(path, "rb") as a, open(path + ".npy", "rb") as b:
                    assert a.read() == b.read(), (dtype, shape)


@in_folder
def test_npz_read(path):
    path += ".npz"
    arrays = {f"{dtype.name} {i} \u00e9": some_array(dtype, shape)
              for dtype in plain_types(has_bfloat=True) for i, shape in enumerate(SHAPES)}
    for save in [np.savez, np.savez_compressed]:
        save(path, **arrays)
        for name, array in arrays.items():
            assert same(read_tensor(path, name).array(), array), name


@in_folder
def test_npz_write(path):
    arrays = {f"{dtype.name} {i} \u00e9": some_array(dtype, shape)
              for dtype in plain_types() for i, shape in enumerate(SHAPES)}
    arrays["large"] = np.tile(random.standard_normal(1000), 500)
    tensors = {name: Tensor.of(array) for name, array in arrays.items()}
    for is_deflated in [False, True]:
        check(lib.tern_npz_save(os.fsencode(path), named(tensors), len(tensors), is_deflated))
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
        with np.load(path) as seen:
            assert list(seen) == list(arrays)
            for name, array in arrays.items():
                assert same(seen[name], array), name
        assert same(read_tensor(path, "large").array(), arrays["large"])
    assert os.path.getsize(path) < arrays["large"].nbytes // 10
    check(lib.tern_npz_save(os.fsencode(path), None, 0, False))
    with np.load(path) as seen:
        assert list(seen) == []


@in_folder
def test_safetensors(path):
    """Reads what the package writes; writes byte by byte the same, and what it can read."""
    if safetensors is None:
        raise Skipped("safetensors is not installed")
    arrays = {f"{dtype.name}.{i}.\u00e9 \"/\\": some_array(dtype, shape)
              for dtype in plain_types(has_bfloat=True) for i, shape in enumerate(SHAPES)}
    tensors = {name: Tensor.of(array) for name, array in arrays.items()
               if array.dtype.name != "bfloat16"}
    note = (Metadata * 1)(Metadata("k\u00e9y".encode(), b"line\nline"))
    safetensors.numpy.save_file(arrays, path, metadata={"k\u00e9y": "line\nline"})
    for name, array in arrays.items():
        assert same(read_tensor(path, name).array(), array), name
    check(lib.tern_safetensors_save(os.fsencode(path), named(tensors), len(tensors), note, 1))
    with open(path, "rb") as file:
        written = file.read()
    given = {name: arrays[name] for name in tensors}
    assert written == safetensors.numpy.save(given, metadata={"k\u00e9y": "line\nline"})
    seen = safetensors.numpy.load(written)
    for name in tensors:
        assert same(seen[name], arrays[name]), name


# -- text ------------------------------------------------------------------------------------------

def expect_text(array):
    text = Tensor.of(array).text()
    assert text == str(array), f"\n{text}\n{array}"


def test_text_of_shapes():
    for dtype in plain_types():
        for shape in SHAPES + [(100,), (1000,), (1001,), (30, 40), (5, 6, 7, 8), (2, 1000, 3)]:
            expect_text(some_array(dtype, shape))
            if dtype.kind == "f":
                with np.errstate(all="ignore"):
                    for scale in [1e-6, 1e-3, 1e3, 1e6]:
                        expect_text((random.standard_normal(shape) * scale).astype(dtype))


def test_text_of_numbers():
    special = [0.0, -0.0, 1.0, 1.5, np.nan, np.inf, -np.inf, 1 / 3, 1e-5, 1e5, 123456789.0, 0.1,
               1e-4, 9.9999e-5, 2.0**-44, 5e-324, 1e16, 1e15, 999999.0, 1e6, 99999999.0, 1e8]
    with np.errstate(all="ignore"):
        for name in ["float16", "float32", "float64"]:
            for value in special:
                for line in [value, [value], [value, 1], [[value, -1], [2, np.nan]],
                             [value, -np.inf]]:
                    expect_text(np.array(line).astype(name))


def test_text_of_bits():
    """Random bit patterns, and powers of two: there neighbours are nearer on one side."""
    with np.errstate(all="ignore"):
        for name in ["float16", "float32", "float64"]:
            size = np.dtype(name).itemsize
            for _ in range(2000):
                count = int(random.integers(1, 5))
                expect_text(random.integers(0, 256, count * size, dtype="u1").view(name))
                scale = 10.0 ** int(random.integers(-8, 9))
                expect_text((random.standard_normal(count) * scale).astype(name))
        for exponent in range(-1074, 1024):
            expect_text(np.array(2.0**exponent))
            expect_text(np.array([2.0**exponent]))
            expect_text(np.array([2.0**exponent]).astype("f4"))
        for bits in range(0, 65536, 7):
            expect_text(np.array(bits, "u2").view("f2"))


def main():
    print(f"numpy {np.__version__}, ml_dtypes {'there' if ml_dtypes else 'missing'}, "
          f"safetensors {'there' if safetensors else 'missing'}")
    failures = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        print(f"[ RUN      ] numpy_{name[5:]}")
        try:
            test()
            print(f"[       OK ] numpy_{name[5:]}")
        except Skipped as reason:
            print(f"SKIPPED: {reason}\n[  SKIPPED ] numpy_{name[5:]}")
        except Exception:
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] numpy_{name[5:]}")
            failures += 1
    sys.exit(failures > 0)


main()
