# SPDX-License-Identifier: MIT
"""The file of cases; tests/data/README.md describes it."""

import struct

import numpy as np

from .numbers import CODES, NAMES
from .tensors import plain

STATUS = dict(OK=0, ARGUMENT=1, SHAPE=2, DTYPE=3, FORMAT=8, UNSUPPORTED=9)
MAGIC = b'TERNOPS1'


def operand(x):
    """A tensor, an array, or nothing."""
    return plain(np.asarray(x)) if isinstance(x, (np.ndarray, np.generic)) else x


def pack_shape(shape):
    return struct.pack('<B%di' % len(shape), len(shape), *shape)


def pack_operand(x):
    if x is None:
        return struct.pack('<B', 255)
    head = struct.pack('<B', CODES[x.dtype]) + pack_shape(x.shape)
    head += struct.pack('<%di' % len(x.strides), *x.strides)
    head += struct.pack('<iiB', x.offset, x.base.size, x.formula is not None)
    if x.formula is not None:
        return head + struct.pack('<qqqqd', *x.formula)
    return head + x.base.tobytes()


class Expected:
    """A result: within `ulps` units in the last place of the type, or within `absolute` (a number,
    or one for each element), of the array. Of dtype `raw`, the bytes. `is_shape`: nothing but type
    and shape is compared."""

    def __init__(self, array, ulps=0, absolute=None, raw=None, shape=None, is_shape=False):
        self.array, self.ulps, self.absolute = np.asarray(array), ulps, absolute
        self.dtype = raw or NAMES[self.array.dtype]
        self.shape = shape if shape is not None else self.array.shape
        self.is_shape = is_shape

    def pack(self):
        kind = 0 if self.absolute is None else 1 if np.ndim(self.absolute) == 0 else 2
        if self.is_shape:
            kind = 3
        out = struct.pack('<B', CODES[self.dtype]) + pack_shape(self.shape)
        out += struct.pack('<HB', self.ulps, kind)
        if kind == 1:
            out += struct.pack('<f', round_up(self.absolute))
        if kind == 2:
            bounds = np.broadcast_to(np.asarray(self.absolute, np.float64), self.shape)
            out += np.array([round_up(b) for b in bounds.ravel()], np.float32).tobytes()
        if kind == 3:
            return out + struct.pack('<i', 0)
        data = np.ascontiguousarray(self.array).tobytes()
        return out + struct.pack('<i', len(data)) + data


def round_up(bound):
    with np.errstate(over='ignore', under='ignore'):
        return float(np.nextafter(np.float32(bound), np.float32(np.inf))) if bound else 0.0


class Cases:
    def __init__(self):
        self.records, self.counts = [], {}

    def add(self, op, inputs, outputs, ints=(), numbers=(), text='', status='OK'):
        """Outputs: arrays for exact results, or Expected."""
        outputs = [x if isinstance(x, Expected) else Expected(x) for x in outputs]
        inputs = [operand(x) for x in inputs]
        body = struct.pack('<B', len(op)) + op.encode() + struct.pack('<B', STATUS[status])
        body += struct.pack('<B%dq' % len(ints), len(ints), *[int(i) for i in ints])
        body += struct.pack('<B%dd' % len(numbers), len(numbers), *numbers)
        body += struct.pack('<B', len(text)) + text.encode()
        body += struct.pack('<B', len(inputs)) + b''.join(pack_operand(x) for x in inputs)
        body += struct.pack('<B', len(outputs)) + b''.join(x.pack() for x in outputs)
        self.records.append(struct.pack('<i', len(body)) + body)
        self.counts[op] = self.counts.get(op, 0) + 1

    def fail(self, op, inputs, status, ints=(), numbers=(), text='', outputs=1):
        """A call that is refused; `outputs` results stay nothing."""
        self.add(op, inputs, [Expected(np.zeros(0, np.uint8), is_shape=True)] * outputs, ints,
                 numbers, text, status)

    def write(self, path):
        with open(path, 'wb') as file:
            file.write(MAGIC + struct.pack('<i', len(self.records)) + b''.join(self.records))
