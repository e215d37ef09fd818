# SPDX-License-Identifier: MIT
"""Encoders of the storage types, written from docs/formats.md, and what they stand for."""

import numpy as np

from .tensors import Tensor, contiguous_strides


def encoded(kind, data, shape):
    return Tensor(np.frombuffer(bytes(data), np.uint8).copy(), shape, contiguous_strides(shape),
                  dtype=kind)


def half_bytes(x):
    return np.float16(x).tobytes()


def q8_0_tensor(random, rows, columns):
    data = bytearray()
    for _ in range(rows * columns // 32):
        data += half_bytes(random.uniform(0.01, 2.0))
        data += np.array([random.between(-128, 127) for _ in range(32)], np.int8).tobytes()
    return encoded('q8_0', data, (rows, columns))


def i2_s_bytes(codes, scale):
    data = bytearray(len(codes) // 4 + 32)
    for i, code in enumerate(codes):
        data[32 * (i // 128) + i % 32] |= code << 6 - 2 * (i % 128 // 32)
    data[len(codes) // 4:len(codes) // 4 + 4] = np.float32(scale).tobytes()
    return data


def tq2_0_block(codes, scale):
    data = bytearray(64)
    for i, code in enumerate(codes):
        data[32 * (i // 128) + i % 32] |= code << 2 * (i % 128 // 32)
    return data + half_bytes(scale)


def tq1_0_block(codes, scale):
    digits = [[0] * 5 for _ in range(52)]
    for i, code in enumerate(codes):
        if i < 160:
            digits[i % 32][i // 32] = code
        elif i < 240:
            digits[32 + (i - 160) % 16][(i - 160) // 16] = code
        else:
            digits[48 + (i - 240) % 4][(i - 240) // 4] = code
    values = [81 * c[0] + 27 * c[1] + 9 * c[2] + 3 * c[3] + c[4] for c in digits]
    return bytearray((256 * v + 242) // 243 for v in values) + half_bytes(scale)


def ternary_tensor(random, kind, rows, columns, mixed):
    """The tensor, its trits by row, and its scales by row: one, or one a block when they differ."""
    trits = [[random.between(-1, 1) for _ in range(columns)] for _ in range(rows)]
    if kind == 'i2_s':
        scale = float(np.float32(random.uniform(0.1, 2.0)))
        codes = [t + 1 for row in trits for t in row]
        return encoded(kind, i2_s_bytes(codes, scale), (rows, columns)), trits, [[scale]] * rows
    block = tq1_0_block if kind == 'tq1_0' else tq2_0_block
    one = float(np.float16(random.uniform(0.1, 2.0)))
    data, scales = bytearray(), []
    for row in trits:
        own = [float(np.float16(random.uniform(0.1, 2.0))) if mixed else one
               for _ in range(columns // 256)]
        for i, scale in enumerate(own):
            data += block([t + 1 for t in row[256 * i:256 * i + 256]], scale)
        scales.append(own if mixed else [one])
    return encoded(kind, data, (rows, columns)), trits, scales


def decode(tensor):
    """As F32: exact but for I2_S, whose scale has all bits of F32 (and times -1, 0, 1 is exact)."""
    kind, data, (rows, columns) = tensor.dtype, bytes(tensor.base), tensor.shape
    if kind == 'q8_0':
        blocks = np.frombuffer(data, np.uint8).reshape(-1, 34)
        scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        return (scale * blocks[:, 2:].copy().view(np.int8).astype(np.float32)).reshape(
            rows, columns)
    if kind == 'i2_s':
        count = rows * columns
        scale = np.frombuffer(data[count // 4:count // 4 + 4], np.float32)[0]
        codes = [
            data[32 * (i // 128) + i % 32] >> 6 - 2 * (i % 128 // 32) & 3 for i in range(count)
        ]
        return values(codes, scale).reshape(rows, columns)
    size = 54 if kind == 'tq1_0' else 66
    blocks = [decode_block(kind, data[i:i + size]) for i in range(0, len(data), size)]
    return np.concatenate(blocks).reshape(rows, columns)


def values(codes, scale):
    """A trit of 0 is +0 whatever the scale."""
    return np.array([(c - 1) * scale if c != 1 else 0.0 for c in codes], np.float32)


def decode_block(kind, block):
    scale = float(np.frombuffer(block[-2:], np.float16)[0])
    codes = []
    for i in range(256):
        if kind == 'tq2_0':
            codes.append(block[32 * (i // 128) + i % 32] >> 2 * (i % 128 // 32) & 3)
            continue
        if i < 160:
            byte, digit = i % 32, i // 32
        elif i < 240:
            byte, digit = 32 + i % 16, (i - 160) // 16
        else:
            byte, digit = 48 + i % 4, (i - 240) // 4
        codes.append((block[byte] * 3 ** digit % 256) * 3 // 256)
    return values(codes if scale != 0 else [1] * 256, scale)
