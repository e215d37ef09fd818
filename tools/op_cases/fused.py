# SPDX-License-Identifier: MIT
"""A norm and what follows it, with packed weights: every step in F32 as docs/numerics.md has it."""

import math

import numpy as np

from .elementwise import fused
from .numbers import Random, round_float
from .products import ternary_row
from .storage import ternary_tensor
from .tensors import random_array, random_tensor

EPSILON = 1e-5


def sum_of_squares(row):
    """64 partial sums in turns, then halves added to halves."""
    parts = [0.0] * 64
    for i, value in enumerate(row):
        parts[i % 64] = round_float('f32', fused(float(value), float(value), parts[i % 64]))
    parts = [np.float32(p) for p in parts]
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [parts[i] + parts[i + half] for i in range(half)]
    return parts[0]


def normed(row, norm):
    mean = sum_of_squares(row) / np.float32(len(row))
    r = np.float32(1) / np.sqrt(mean + np.float32(EPSILON))
    return ((row * r) * norm).astype(np.float32)


def products(x, norm, weight):
    """linear(rms_norm(x, norm), weight): weight is what ternary_tensor gives."""
    _, trits, scales = weight
    y = np.zeros(x.shape[:-1] + (len(trits),), np.float32)
    for index in np.ndindex(x.shape[:-1]):
        row = normed(x[index], norm)
        if not all(math.isfinite(v) for v in row):
            y[index] = math.nan
            continue
        y[index] = [ternary_row(row, t, s) for t, s in zip(trits, scales)]
    return y


def activated(y, activation):
    if activation == 2:
        return np.where(y < 0, np.float32(0), y * y)
    return np.where(y < 0, np.float32(0), y) if activation == 1 else y


def operands(random, kind, columns, shape, layout):
    x = random_tensor(random, 'f32', shape, layout)
    norm = random_array(random, 'f32', (columns,))
    return x, np.where(np.isfinite(norm), norm, np.float32(1))


def add_one(cases, random, kind, rows, columns, mixed, shape, layout):
    x, norm = operands(random, kind, columns, shape, layout)
    weights = [ternary_tensor(random, kind, n, columns, mixed) for n in (rows, 4, rows)]
    y = [products(x.array, norm, w) for w in weights]
    tensors = [w[0] for w in weights]
    for count in (1, 3):
        cases.add('norm_linear', [x, norm] + tensors[:count], y[:count], numbers=[EPSILON])
    residual = random_tensor(random, 'f32', y[0].shape, layout)
    cases.add('norm_linear_add', [x, norm, tensors[0], residual],
              [(residual.array + y[0]).astype(np.float32)], numbers=[EPSILON])
    for activation in (0, 1, 2) if rows == 4 else (2,):
        cases.add('norm_glu', [x, norm, tensors[0], tensors[2]],
                  [(activated(y[0], activation) * y[2]).astype(np.float32)],
                  ints=[activation], numbers=[EPSILON])


def add_refusals(cases, random):
    x, norm = random_array(random, 'f32', (2, 96)), random_array(random, 'f32', (96,))
    w, other = [ternary_tensor(random, 'i2_s', rows, 96, False)[0] for rows in (4, 8)]
    narrow = ternary_tensor(random, 'i2_s', 4, 128, False)[0]
    residual = random_array(random, 'f32', (2, 4))
    for op, tail in (('norm_linear', []), ('norm_linear_add', [residual]), ('norm_glu', [w])):
        ints = [2] if op == 'norm_glu' else []
        for changed, status in (([x[:, 1:], norm, w], 'SHAPE'), ([x, norm[1:], w], 'SHAPE'),
                                ([x, norm, narrow], 'SHAPE'),
                                ([x.astype(np.float64), norm, w], 'DTYPE'),
                                ([x, norm.astype(np.float16), w], 'DTYPE'),
                                ([x, norm, random_array(random, 'i32', (4, 96))], 'DTYPE')):
            cases.fail(op, changed + tail, status, ints, numbers=[EPSILON])
        cases.fail(op, [x, norm, w] + tail, 'ARGUMENT', ints, numbers=[-1])
    cases.fail('norm_linear', [x, norm], 'ARGUMENT', numbers=[EPSILON])
    cases.fail('norm_linear_add', [x, norm, w, residual[:, 1:]], 'SHAPE', numbers=[EPSILON])
    cases.fail('norm_linear_add', [x, norm, w, residual[0]], 'SHAPE', numbers=[EPSILON])
    cases.fail('norm_glu', [x, norm, w, other], 'SHAPE', [2], numbers=[EPSILON])
    cases.fail('norm_glu', [x, norm, w, w], 'ARGUMENT', [8], numbers=[EPSILON])


def add_cases(cases):
    random = Random('fused')
    for kind, rows, columns, mixed in (('i2_s', 4, 96, False), ('tq1_0', 3, 256, False),
                                       ('tq2_0', 2, 512, True), ('tq1_0', 5, 512, True),
                                       ('i2_s', 37, 128, False)):
        shapes = ((columns,), (2, 1, columns), (3, columns), (0, columns))
        for shape in shapes[:4 if rows == 4 else 2]:
            layout = random.pick(['plain', 'offset', 'permuted'])
            add_one(cases, random, kind, rows, columns, mixed, shape, layout)
    add_refusals(cases, random)
