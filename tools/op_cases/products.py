# SPDX-License-Identifier: MIT
"""Matrix products, convolutions and the operations of models: exact sums of products, and n u times
the sizes of the terms for a chain of n fused steps."""

import math
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mpf

from .cases import Expected
from .elementwise import evaluate, fused, multiply
from .numbers import (FLOATS, NUMBERS, NUMPY, PLAIN, Random, array_of, compute_type, is_float,
                      numbers_of, promote, round_float, round_to, unit)
from .reductions import steps_of
from .storage import (decode, q8_0_tensor, ternary_tensor)
from .tensors import fill, lay_out, plain, random_array, random_tensor


def fractions(array):
    values = np.empty(array.shape, object)
    values.ravel()[:] = [Fraction(v) for v in numbers_of(array)]
    return values


def product_type(a, b):
    kind = promote(a, b)
    return 'i32' if kind == 'i8' else kind


def product_case(cases, op, a, b, function, depth, ints=(), text='', kind=None, extra=0.0):
    """`function` of two arrays of fractions; `depth` terms a sum; `extra`: error of a product."""
    kind = kind or product_type(a.dtype, b.dtype)
    x, y = fractions(a.array), fractions(b.array)
    exact = np.asarray(function(x, y), object)
    sizes = np.asarray(function(*[np.asarray(abs(v), object) for v in (x, y)]), object)
    values = [round_to(kind, v) for v in exact.ravel()]
    bound = None
    if is_float(kind):
        relative = (depth + 1) * unit(compute_type(kind)) + extra
        bound = np.array([float(s) * relative for s in sizes.ravel()]).reshape(exact.shape)
    half = 1 if kind in ('f16', 'bf16') else 0
    cases.add(op, [a, b], [Expected(array_of(kind, values, exact.shape), half, bound)], ints,
              text=text)


def matmul_of(x, y):
    """np.matmul of objects, that of no terms too."""
    if x.shape[-1] == 0:
        shape = np.matmul(np.zeros(x.shape), np.zeros(y.shape)).shape
        return np.full(shape, Fraction(0), object)
    return np.matmul(x, y)


MATMULS = [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)),
           ((2, 3, 4), (2, 4, 2)), ((2, 1, 3, 2), (3, 2, 2)), ((0, 4), (4, 3)), ((3, 0), (0, 2)),
           ((1, 1), (1, 1)), ((5, 7), (7, 17)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)),
           ((1, 3), (2, 3, 4)), ((0, 2, 3), (3, 2)), ((9, 33), (33, 2))]


def is_product(a, b):
    return is_float(promote(a, b)) or a == b == 'i8'


def add_matmul(cases):
    random = Random('matmul')
    for name in FLOATS + ['i8']:
        for shapes in MATMULS:
            a, b = [random_tensor(random, name, s) for s in shapes]
            product_case(cases, 'matmul', a, b, matmul_of, a.shape[-1])
        if name != 'f64':
            a = fill(name, 33 * 70, (33, 70), 7, 3, 31, 15, 1)
            b = fill(name, 70 * 19, (70, 19), 5, 1, 11, 5, 1)
            product_case(cases, 'matmul', a, b, matmul_of, 70)
    for a_name in PLAIN:
        for b_name in PLAIN:
            shapes = random.pick(MATMULS[:4])
            a, b = [random_tensor(random, n, s) for n, s in zip((a_name, b_name), shapes)]
            if is_product(a_name, b_name):
                product_case(cases, 'matmul', a, b, matmul_of, a.shape[-1])
            else:
                cases.fail('matmul', [a, b], 'DTYPE')
    i8 = array_of('i8', [-128] * 60, (60,))
    product_case(cases, 'matmul', plain(i8), plain(i8), matmul_of, 60)
    special = array_of('f32', [[math.inf, 1], [math.nan, 2], [0.0, 1e38]], (3, 2))
    with np.errstate(all='ignore'):
        y = np.array([[math.inf], [math.nan], [math.inf]], np.float32)
    cases.add('matmul', [special, array_of('f32', [[2.0], [100.0]], (2, 1))], [y])
    for shapes in (((3, 4), (3, 4)), ((3, 4), (5,)), ((), (3,)), ((3,), ()), ((2, 3, 4), (3, 4,
                                                                                          5))):
        cases.fail('matmul', [random_array(random, 'f32', s) for s in shapes], 'SHAPE')


def add_matmul_with(cases):
    """By name: operands rounded to BF16, two roundings of 2^-8 a product."""
    random = Random('matmul_with')
    for shapes in MATMULS:
        a, b = [random_tensor(random, 'f32', s) for s in shapes]
        product_case(cases, 'matmul_with', a, b, matmul_of, a.shape[-1], [0])
        product_case(cases, 'matmul_with', a, b, matmul_of, a.shape[-1], [1],
                     extra=2.0 ** -7 + 2.0 ** -16)
    x = random_array(random, 'f32', (3, 3))
    cases.fail('matmul_with', [x, x], 'ARGUMENT', [7])


def add_outer(cases):
    random = Random('outer')
    for name in NUMBERS:
        for m, n in ((3, 4), (1, 7), (0, 3), (9, 2)):
            a, b = [random_tensor(random, name, (k,), share=0.1) for k in (m, n)]
            outer_case(cases, a, b)
        a, b = [random_tensor(random, t, (k,)) for t, k in ((name, 3), (random.pick(NUMBERS), 2))]
        outer_case(cases, a, b)
    x = random_array(random, 'f32', (3, 3))
    cases.fail('outer', [x, x[0]], 'SHAPE')


def outer_case(cases, a, b):
    kind = promote(a.dtype, b.dtype)
    function = multiply if is_float(kind) else lambda x, y: x * y
    y = evaluate(function, [a.array.reshape(-1, 1), b.array], kind, kind)
    cases.add('outer', [a, b], [y])


EINSUMS = [('ij,jk->ik', (3, 4), (4, 2)), ('bij,bjk->bik', (2, 3, 4), (2, 4, 2)),
           ('i,j->ij', (3,), (4,)), ('i,i->', (5,), (5,)), ('ij,ij->ij', (2, 3), (2, 3)),
           ('ij,kj->ik', (3, 4), (2, 4)), ('ji,jk->ki', (4, 3), (4, 2)),
           ('bhqd,bhkd->bhqk', (1, 2, 3, 4), (1, 2, 2, 4)), ('ijk,k->ij', (2, 3, 4), (4,)),
           ('ij,j->i', (3, 4), (4,)), ('abc,cd->dab', (2, 2, 3), (3, 2)),
           ('ij,k->kji', (2, 3), (2,)), ('ijk,jl->il', (2, 3, 2), (3, 4)),
           ('ij,ij->', (3, 4), (3, 4)), ('ij,jk->ik', (3, 0), (0, 2)), ('i,->i', (3,), ()),
           ('ij,kl->', (2, 3), (2, 2))]


def add_einsum(cases):
    random = Random('einsum')
    for name in FLOATS:
        for text, *shapes in EINSUMS:
            a, b = [random_tensor(random, name, s, size=2.0) for s in shapes]
            einsum_case(cases, text, a, b)
        a, b = random_tensor(random, name, (3, 4)), random_tensor(random, 'f32', (4, 2))
        einsum_case(cases, 'ij,jk->ik', a, b)
    x = random_array(random, 'f32', (3, 4))
    for text in ('ij,jk->ik', 'ij,ij->ii', 'ij,ij->k', 'ij', 'i1,ij->j', 'ijk,ij->i', ''):
        status = 'SHAPE' if text in ('ij,jk->ik', 'ijk,ij->i') else 'ARGUMENT'
        cases.fail('einsum', [x, x], status, text=text)


def einsum_case(cases, text, a, b):
    left, _, out = text.replace(' ', '').partition('->')
    if '->' not in text:  # as NumPy: the letters that stand once, in alphabetical order
        out = ''.join(c for c in sorted(set(left) - {','}) if left.count(c) == 1)

    def function(x, y):
        first, second = left.split(',')
        sizes = dict(zip(first, x.shape)) | dict(zip(second, y.shape))
        result = np.full([sizes[c] for c in out], Fraction(0), object)
        for index in np.ndindex(*sizes.values()):
            at = dict(zip(sizes, index))
            result[tuple(at[c] for c in out)] += (x[tuple(at[c] for c in first)] *
                                                  y[tuple(at[c] for c in second)])
        return result
    sizes = dict(zip(left.replace(',', ''), a.shape + b.shape))
    depth = math.prod(sizes[c] for c in sizes if c not in out)
    product_case(cases, 'einsum', a, b, function, depth, text=text)


# -- convolutions ----------------------------------------------------------------------------------

def conv_reference(x, w, bias, stride, padding, dilation, groups):
    """Cross-correlation over any number of spatial axes, in double."""
    n = x.ndim - 2
    out = [
        (x.shape[2 + i] + 2 * padding[i] - dilation[i] * (w.shape[2 + i] - 1) - 1) // stride[i] + 1
        for i in range(n)
    ]
    pad = np.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in padding[:n]])
    y = np.zeros((x.shape[0], w.shape[0], *out))
    per_group = w.shape[0] // groups
    for b, o, *at in np.ndindex(y.shape):
        first = o // per_group * w.shape[1]
        total = []
        for c, *tap in np.ndindex(w.shape[1:]):
            place = [at[i] * stride[i] + tap[i] * dilation[i] for i in range(n)]
            total.append(pad[(b, first + c, *place)] * w[(o, c, *tap)])
        y[(b, o, *at)] = math.fsum(total + ([bias[o]] if bias is not None else []))
    return y


def conv_case(cases, op, random, shape, weight_shape, options, has_bias, is_plain=False):
    x, w = [random_tensor(random, 'f32', s) for s in (shape, weight_shape)]
    bias = random_tensor(random, 'f32', weight_shape[:1]) if has_bias else None
    stride, padding, dilation, groups = options
    arrays = [t.array.astype(np.float64) if t else None for t in (x, w, bias)]
    y = conv_reference(*arrays, *options)
    size = conv_reference(*[abs(a) if a is not None else None for a in arrays], *options)
    depth = math.prod(weight_shape[1:]) + 2
    ints = [] if is_plain else [*stride, *padding, *dilation, groups]
    cases.add(op, [x, w, bias], [Expected(y.astype(np.float32), 0, size * depth * unit('f32'))],
              ints)


def add_conv(cases):
    default = ((1,), (0,), (1,), 1)
    for op, n in (('conv1d', 1), ('conv2d', 2)):
        random = Random(op)
        for shape, weight, options in [((2, 3, 8), (4, 3, 3), default),
                                       ((1, 2, 7), (2, 2, 3), ((2,), (1,), (1,), 1)),
                                       ((1, 4, 6), (4, 1, 3), ((1,), (1,), (1,), 4)),
                                       ((2, 4, 9), (6, 2, 2), ((3,), (2,), (2,), 2)),
                                       ((1, 1, 1), (1, 1, 1), default),
                                       ((0, 2, 5), (3, 2, 2), default),
                                       ((1, 3, 5), (2, 3, 5), default),
                                       ((1, 2, 4), (2, 2, 3), ((1,), (3,), (2,), 1)),
                                       ((1, 2, 3), (2, 2, 1), ((2,), (0,), (1,), 1)),
                                       ((1, 4, 5), (8, 1, 3), ((1,), (1,), (1,), 4))]:
            shape, weight = shape[:2] + shape[2:] * n, weight[:2] + weight[2:] * n
            if n == 2 and shape[2] > 3:
                shape = shape[:2] + (shape[2], shape[2] - 1)
                if weight[2] > 1 and weight[3] > 2:
                    weight = weight[:3] + (weight[3] - 1,)
            stride, padding, dilation, groups = options
            options = (stride * n, padding * n, dilation * n, groups)
            for has_bias in (False, True):
                conv_case(cases, op, random, shape, weight, options, has_bias,
                          options[3] == 1 and stride == (1,) and padding == (0,))
        if n == 2:
            conv_case(cases, op, random, (1, 2, 6, 5), (3, 2, 3, 2), ((2, 1), (1, 0), (1, 2), 1),
                      True)
        refuse_conv(cases, op, random, n)


def refuse_conv(cases, op, random, n):
    x, w = random_array(random, 'f32',
                        (1, 4) + (5,) * n), random_array(random, 'f32', (2, 4) + (3,) * n)
    plain_options = [1] * n + [0] * n + [1] * n + [1]
    cases.fail(op, [x, w[:, :3], None], 'SHAPE', plain_options)
    cases.fail(op, [x, w, random_array(random, 'f32', (3,))], 'SHAPE', plain_options)
    cases.fail(op, [x, random_array(random, 'f32', (2, 4) + (6,) * n), None], 'SHAPE',
               plain_options)
    cases.fail(op, [x[0], w, None], 'SHAPE', plain_options)
    cases.fail(op, [x.astype(np.float64), w.astype(np.float64), None], 'DTYPE', plain_options)
    for bad in ([0] * n + [0] * n + [1] * n + [1], [1] * n + [-1] * n + [1] * n + [1],
                [1] * n + [0] * n + [0] * n + [1], [1] * n + [0] * n + [1] * n + [0]):
        cases.fail(op, [x, w, None], 'ARGUMENT', bad)


# -- projections -----------------------------------------------------------------------------------

def transposed_matmul(x, w):
    return matmul_of(x, w.T)


def add_linear(cases):
    random = Random('linear')
    for name in ('f32', 'f16', 'bf16'):
        for shape, rows in (((3, 4), 5), ((4,), 3), ((2, 3, 7), 2), ((0, 4), 3), ((1, 33), 4),
                            ((5, 3), 17)):
            x = random_tensor(random, 'f32', shape)
            w = random_tensor(random, name, (rows, shape[-1]), 'plain')
            product_case(cases, 'linear', x, w, transposed_matmul, shape[-1], kind='f32')
    for shape, rows in (((3, 32), 4), ((64,), 3), ((2, 1, 32), 5)):
        x = random_tensor(random, 'f32', shape)
        w = q8_0_tensor(random, rows, shape[-1])
        wide = fractions(decode(w))
        exact = matmul_of(fractions(x.array), wide.T)
        size = matmul_of(abs(fractions(x.array)), abs(wide).T)
        bound = np.array([float(s) for s in size.ravel()]) * (shape[-1] + 1) * unit('f32')
        y = array_of('f32', [round_float('f32', v) for v in exact.ravel()], exact.shape)
        cases.add('linear', [x, w], [Expected(y, 0, bound.reshape(exact.shape))])
    x = random_array(random, 'f32', (3, 4))
    cases.fail('linear', [x, random_array(random, 'f32', (5, 3))], 'SHAPE')
    cases.fail('linear', [x, random_array(random, 'i8', (5, 4))], 'DTYPE')
    cases.fail('linear', [x.astype(np.float64), random_array(random, 'f32', (5, 4))], 'DTYPE')


def quantised(row):
    """W1.58A8 in F32: s = 127 / max(m, 1e-5), q = clamp(rint(x s), -128, 127)."""
    most = max((abs(v) for v in row), default=np.float32(0))
    s = np.float32(127) / max(most, np.float32(1e-5))
    return s, [int(v) for v in np.clip(np.rint(row * s), -128, 127)]


def ternary_row(row, trits, scales):
    """One scale: float(sum) (w / s). Scales of blocks: fused block after block, then (1 / s)."""
    s, q = quantised(row)
    parts = [sum(t * v for t, v in zip(trits[i:i + len(trits) // len(scales)],
                                       q[i:i + len(trits) // len(scales)]))
             for i in range(0, len(trits), len(trits) // len(scales))]
    if len(scales) == 1:
        return np.float32(parts[0]) * (np.float32(scales[0]) / s)
    total = 0.0
    for part, scale in zip(parts, scales):
        total = round_float('f32', fused(float(part), float(scale), total))
    return np.float32(total) * (np.float32(1) / s)


def add_ternary(cases):
    random = Random('ternary_linear')
    for kind, rows, columns, mixed in (('i2_s', 4, 96, False), ('i2_s', 5, 128, False),
                                       ('tq1_0', 3, 256, False), ('tq2_0', 5, 256, False),
                                       ('tq2_0', 2, 512, True), ('tq1_0', 2, 512, True),
                                       ('i2_s', 32, 4, False), ('i2_s', 37, 128, False)):
        w, trits, scales = ternary_tensor(random, kind, rows, columns, mixed)
        for shape in ((columns,), (2, columns), (2, 1, columns), (0, columns)):
            x = random_tensor(random, 'f32', shape, random.pick(['plain', 'offset', 'permuted']))
            y = np.zeros(shape[:-1] + (rows,), np.float32)
            for index in np.ndindex(shape[:-1]):
                for r in range(rows):
                    y[index + (r,)] = ternary_row(x.array[index], trits[r], scales[r])
            cases.add('ternary_linear', [x, w], [y])
        x = np.stack([np.zeros(columns, np.float32), np.full(columns, 1e-7, np.float32)])
        y = np.array([[ternary_row(row, trits[r], scales[r]) for r in range(rows)] for row in x])
        cases.add('ternary_linear', [x, w], [y.astype(np.float32)])
        x = random_array(random, 'f32', (3, columns))
        x[0, 1], x[1, 0] = math.nan, math.inf
        y = np.full((3, rows), math.nan, np.float32)
        y[2] = [ternary_row(x[2], trits[r], scales[r]) for r in range(rows)]
        cases.add('ternary_linear', [x, w], [y])
        cases.fail('ternary_linear', [x[:, 1:], w], 'SHAPE')


def add_pack(cases):
    """Seen through a product: 127 on the diagonal is quantised exactly."""
    random = Random('pack')
    for kind, rows, columns, mixed in (('i2_s', 4, 32, False), ('i2_s', 3, 128, False),
                                       ('tq1_0', 2, 256, False), ('tq2_0', 3, 256, False),
                                       ('tq2_0', 1, 512, True)):
        w, trits, scales = ternary_tensor(random, kind, rows, columns, mixed)
        if mixed:
            wide = decode(w).astype(np.float32)
        else:
            wide = np.array(trits, np.float32) * np.float32(scales[0][0])
        y = np.float32(127) * wide
        cases.add('pack', [w], [np.ascontiguousarray(y.T)])
    for shape in ((3, 5), (1, 64), (33, 7)):
        w = random_ids(random, shape, -1, 1, 'i8')
        cases.add('pack', [w], [np.ascontiguousarray(np.float32(127) * w.array.T)])
    cases.fail('pack', [np.array([[0, 2]], np.int8)], 'FORMAT')
    w, trits, scales = ternary_tensor(random, 'i2_s', 4, 32, False)
    w.base[3] |= 0xc0
    cases.fail('pack', [w], 'FORMAT')
    w, trits, scales = ternary_tensor(random, 'i2_s', 4, 32, False)
    w.base[32:36] = np.frombuffer(np.float32(math.nan).tobytes(), np.uint8)
    cases.fail('pack', [w], 'FORMAT')
    cases.fail('pack', [random_array(random, 'f32', (3, 3))], 'DTYPE')
    for rows, columns in ((1, 1), (5, 100), (3, 256), (40, 7)):
        shape = Expected(np.zeros(0, np.uint8),
                         raw='ternary',
                         shape=(rows, columns),
                         is_shape=True)
        cases.add('pack_random', [], [shape], [rows, columns, 5], [0.5])


def quantised_rows(wide, limit):
    """Of each row the integers rint(w (L / m)), m at least 2^-100, and the scale m / L."""
    rows = []
    for row in wide:
        if not np.isfinite(row).all():
            rows.append(([0] * len(row), np.float32(math.nan)))
            continue
        most = max([abs(v) for v in row] + [np.float32(2.0 ** -100)])
        factor = np.float32(limit) / most
        rows.append(([int(v) for v in np.rint(row * factor)], most / np.float32(limit)))
    return rows


def quantised_product(x, rows):
    s, q = quantised(x)
    y = []
    for codes, scale in rows:
        total = np.float32(sum(c * v for c, v in zip(codes, q)))
        y.append(total * scale * (np.float32(1) / s))
    return y


def float_table(random, kind, rows, columns, layout='plain'):
    if kind == 'q8_0':
        table = q8_0_tensor(random, rows, columns)
        return table, decode(table)
    table = random_tensor(random, kind, (rows, columns), layout)
    return table, table.array.astype(np.float32)


def add_quantized(cases):
    random = Random('quantized')
    for kind in ('f32', 'f16', 'bf16', 'q8_0'):
        for bits, limit in ((8, 127), (4, 7)):
            for rows, columns in ((3, 32), (17, 32), (1, 64)):
                layout = random.pick(['plain', 'permuted']) if kind != 'q8_0' else 'plain'
                w, wide = float_table(random, kind, rows, columns, layout)
                codes = quantised_rows(wide, limit)
                seen = [[np.float32(127 * c) * scale for c in q] for q, scale in codes]
                cases.add('pack_int', [w], [np.array(seen, np.float32).T.copy()], [bits])
                x = random_tensor(random, 'f32', (2, columns))
                y = [quantised_product(row, codes) for row in x.array]
                cases.add('quantized_linear', [x, w], [np.array(y, np.float32)], [bits])
    w = random_array(random, 'f32', (4, 8))
    w[0], w[1, 3], w[2, 0] = 0, math.inf, math.nan
    x = random_array(random, 'f32', (3, 8))
    x[1, 2] = math.nan
    y = np.full((3, 4), math.nan, np.float32)
    for i in (0, 2):
        y[i] = quantised_product(x[i], quantised_rows(w, 127))
    cases.add('quantized_linear', [x, w], [y], [8])
    cases.fail('quantized_linear', [x[:, 1:], w], 'SHAPE', [8])
    cases.fail('pack_int', [w], 'ARGUMENT', [6])
    cases.fail('pack_int', [w.astype(np.float64)], 'DTYPE', [8])
    cases.fail('pack_int', [w[0]], 'SHAPE', [8])


def best_of(x, wide, k):
    """Whole numbers: their sums are exact in every order."""
    y = x.astype(np.float64) @ wide.astype(np.float64).T + 0.0  # no -0
    order = np.argsort(-y, axis=-1, kind='stable')[..., :k]
    return [np.take_along_axis(y, order, -1).astype(np.float32), order.astype(np.int64)]


def add_linear_topk(cases):
    random = Random('linear_topk')
    for kind in ('f32', 'f16', 'bf16'):
        for rows, columns, k in ((5, 3, 2), (40, 16, 1), (64, 7, 8), (20, 3, 20), (9, 4, 0)):
            for bits in (0, 8):
                w = np.array([[random.between(-100, 100) for _ in range(columns)]
                              for _ in range(rows)], np.float32)
                x = np.array([random.between(-1000, 1000) for _ in range(columns)], np.float32)
                cases.add('linear_topk', [x, w.astype(NUMPY[kind])], best_of(x, w, k), [k, bits])
    w = q8_0_tensor(random, 20, 32)
    x = np.zeros((2, 32), np.float32)
    x[0, 5], x[1, 31] = 2, -0.5
    cases.add('linear_topk', [x, w], best_of(x, decode(w), 3), [3, 8])
    x, w = random_array(random, 'f32', (2, 4)), random_array(random, 'f32', (5, 4))
    cases.fail('linear_topk', [x, w], 'ARGUMENT', [6, 8], outputs=2)
    cases.fail('linear_topk', [x, w], 'ARGUMENT', [-1, 0], outputs=2)
    cases.fail('linear_topk', [x[:, 1:], w], 'SHAPE', [1, 8], outputs=2)
    cases.fail('linear_topk', [x.astype(np.float64), w], 'DTYPE', [1, 8], outputs=2)


# -- models ----------------------------------------------------------------------------------------

def rope_table(positions, head, theta):
    table = np.zeros((positions, 2, head // 2), np.float32)
    for p in range(positions):
        for i in range(head // 2):
            angle = mpf(p) * mpf(theta) ** (mpf(-2 * i) / head)
            table[p, 0, i] = round_float('f32', mpmath.cos(angle))
            table[p, 1, i] = round_float('f32', mpmath.sin(angle))
    return table


def add_rope(cases):
    random = Random('rope')
    for positions, head, theta in ((7, 8, 10000.0), (3, 2, 500000.0), (0, 4, 10000.0), (12, 6,
                                                                                        1e6)):
        table = rope_table(positions, head, theta)
        # angles in double: an error of positions 2^-50 at most
        cases.add('rope_table', [], [Expected(table, 1, positions * 2.0 ** -50)],
                  [positions, head], [theta])
    for t, h, head, positions, position in ((3, 2, 8, 7, 0), (2, 1, 4, 5, 3), (1, 3, 2, 2, 1),
                                            (0, 2, 4, 3, 1)):
        table = rope_table(positions, head, 10000.0)
        x = random_tensor(random, 'f32', (t, h, head))
        y = np.zeros((t, h, head), np.float32)
        for at in np.ndindex(t, h):
            for i in range(head // 2):
                cos, sin = [float(v) for v in table[position + at[0], :, i]]
                a, b = float(x.array[at][i]), float(x.array[at][i + head // 2])
                y[at][i] = round_float('f32', fused(-b, sin, round_float('f32', multiply(a, cos))))
                y[at][i + head // 2] = round_float('f32', fused(a, sin, round_float(
                    'f32', multiply(b, cos))))
        cases.add('rope', [x, table], [y], [position])
    x = random_array(random, 'f32', (3, 2, 8))
    table = rope_table(4, 8, 10000.0)
    cases.fail('rope', [x, table], 'ARGUMENT', [2])
    cases.fail('rope', [x, table], 'ARGUMENT', [-1])
    cases.fail('rope', [x[:, :, :6], table], 'SHAPE', [0])
    cases.fail('rope', [x.astype(np.float64), table], 'DTYPE', [0])


def add_embedding(cases):
    random = Random('embedding')
    for name in ('f32', 'f16', 'bf16', 'q8_0'):
        for ids_shape in ((4,), (2, 3), (), (0,), (17,)):
            table = q8_0_tensor(random, 5, 32) if name == 'q8_0' else \
                random_tensor(random, name, (5, 3), 'plain', share=0.1)
            wide = decode(table) if name == 'q8_0' else table.array.astype(np.float32)
            ids = random_ids(random, ids_shape, 0, 4)
            cases.add('embedding', [table, ids], [wide[ids.array].astype(np.float32)])
        for bad in (5, -1):
            cases.fail('embedding', [table, np.array([0, bad], np.int64)], 'ARGUMENT')
    cases.fail('embedding', [table, np.array([0.0], np.float32)], 'DTYPE')


def random_ids(random, shape, low, high, kind=None):
    count = math.prod(shape)
    values = np.array([random.between(low, high) for _ in range(count)],
                      NUMPY[kind or random.pick(['i32', 'i64'])]).reshape(shape)
    return lay_out(random, values, random.pick(['plain', 'step', 'negative', 'permuted']))


def attention_case(cases, random, t, heads, kv_heads, s, k, kind, scale):
    q = random_tensor(random, 'f32', (t, heads, k), size=1.0)
    keys, values = [random_tensor(random, kind, (kv_heads, s, k), 'plain', size=1.0)
                    for _ in range(2)]
    a, b, c = [x.array.astype(np.float64) for x in (q, keys, values)]
    y, bound = np.zeros((t, heads * k)), np.zeros((t, heads * k))
    u, group = unit('f32'), heads // kv_heads
    for row in range(t):
        for h in range(heads):
            seen = s - t + row + 1
            ks, vs = b[h // group, :seen], c[h // group, :seen]
            scores = ks @ a[row, h] * scale
            off = (abs(ks) @ abs(a[row, h])).max() * abs(scale) * (steps_of(k) + 3) * u
            powers = np.exp(scores - scores.max())
            p = powers / powers.sum()
            relative = 2 * off + (steps_of(seen) + 10 + np.ptp(scores) + seen) * u
            y[row, h * k:(h + 1) * k] = p @ vs
            bound[row, h * k:(h + 1) * k] = p @ abs(vs) * relative * 1.01
    cases.add('attention', [q, keys, values], [Expected(y.astype(np.float32), 0, bound + 1e-42)],
              numbers=[scale])


def add_attention(cases):
    random = Random('attention')
    for shape in ((1, 1, 1, 1, 1), (3, 2, 1, 5, 4), (2, 4, 2, 2, 8), (1, 2, 2, 70, 3),
                  (4, 1, 1, 4, 16), (0, 2, 1, 3, 4)):
        for kind in ('f32', 'f16'):
            attention_case(cases, random, *shape, kind, 0.5)
    q, k = random_array(random, 'f32', (3, 3, 4)), random_array(random, 'f32', (2, 5, 4))
    cases.fail('attention', [q, k, k], 'SHAPE', numbers=[1.0])
    cases.fail('attention', [q[:, :2], k[:, :2], k[:, :2]], 'SHAPE', numbers=[1.0])
    cases.fail('attention', [q[:, :2], k, k.astype(np.float16)], 'DTYPE', numbers=[1.0])


def int8_scales(x):
    largest = np.maximum(abs(x).max(axis=-1, initial=0), np.float32(1e-5))  # a NaN wins
    return (largest / np.float32(127)).astype(np.float32)


def int8_rows(x, scales):
    with np.errstate(invalid='ignore', divide='ignore'):
        whole = np.rint(x / scales[..., None])
    return np.clip(np.nan_to_num(whole, nan=0, posinf=127, neginf=-127), -127, 127).astype(np.int8)


def add_quantize(cases):
    random = Random('quantize')
    for shape in ((1,), (7,), (2, 65), (2, 3, 5), (2, 0, 4)):
        for layout in ('plain', 'step', 'permuted'):
            x = random_tensor(random, 'f32', shape, layout, size=random.pick([1e-6, 1.0, 100.0]))
            array = x.array
            scales = int8_scales(array)
            cases.add('quantize_scale', [x], [scales])
            cases.add('quantize', [x, scales], [int8_rows(array, scales)])
            scales = random_tensor(random, 'f32', shape[:-1], size=0.02)
            cases.add('quantize', [x, scales], [int8_rows(array, scales.array)])
    x = np.zeros((6, 5), np.float32)
    x[1, 2], x[2] = 1e-45, [127, -127, 0.5, 1.5, -2.5]
    x[3, 1], x[4, 2], x[5] = math.nan, -math.inf, 3e38
    scales = int8_scales(x)
    cases.add('quantize_scale', [x], [scales])
    cases.add('quantize', [x, scales], [int8_rows(x, scales)])
    scales = np.array([0, -1, 1, math.inf, math.nan, 1e-45], np.float32)
    cases.add('quantize', [x, scales], [int8_rows(x, scales)])
    cases.fail('quantize_scale', [x.astype(np.float64)], 'DTYPE')
    cases.fail('quantize_scale', [np.float32(1)], 'SHAPE')
    cases.fail('quantize', [x, scales[:5]], 'SHAPE')
    cases.fail('quantize', [x, x], 'SHAPE')
    cases.fail('quantize', [x, scales.astype(np.float64)], 'DTYPE')


def attention_int8_case(cases, random, t, heads, kv_heads, s, k, scale):
    q = random_tensor(random, 'f32', (t, heads, k), size=1.0)
    rows = [random_array(random, 'f32', (kv_heads, s, k), size=1.0) for _ in range(2)]
    scales = np.array([int8_scales(x) for x in rows])
    keys, values = [int8_rows(x, of_x) for x, of_x in zip(rows, scales)]
    a, b, c = [x.astype(np.float64) for x in (q.array, keys, values)]
    b, c = b * scales[0][..., None], c * scales[1][..., None]
    y, bound = np.zeros((t, heads * k)), np.zeros((t, heads * k))
    u, group = unit('f32'), heads // kv_heads
    for row in range(t):
        for h in range(heads):
            seen = s - t + row + 1
            ks, vs = b[h // group, :seen], c[h // group, :seen]
            scores = ks @ a[row, h] * scale
            off = (abs(ks) @ abs(a[row, h])).max() * abs(scale) * (steps_of(k) + 4) * u
            powers = np.exp(scores - scores.max())
            p = powers / powers.sum()
            relative = 2 * off + (steps_of(seen) + 11 + np.ptp(scores) + seen) * u
            y[row, h * k:(h + 1) * k] = p @ vs
            bound[row, h * k:(h + 1) * k] = p @ abs(vs) * relative * 1.01
    cases.add('attention_int8', [q, keys, values, scales],
              [Expected(y.astype(np.float32), 0, bound + 1e-42)],
              numbers=[scale])


def add_attention_int8(cases):
    random = Random('attention_int8')
    for shape in ((1, 1, 1, 1, 1), (3, 2, 1, 5, 4), (2, 4, 2, 2, 8), (1, 2, 2, 70, 3),
                  (4, 1, 1, 4, 16), (0, 2, 1, 3, 4)):
        attention_int8_case(cases, random, *shape, 0.5)
    q, k = random_array(random, 'f32', (3, 2, 4)), np.ones((2, 5, 4), np.int8)
    scales = np.ones((2, 2, 5), np.float32)
    cases.fail('attention_int8', [q, k, k, scales[:, :1]], 'SHAPE', numbers=[1.0])
    cases.fail('attention_int8', [q, k, k, scales[0]], 'SHAPE', numbers=[1.0])
    cases.fail('attention_int8', [q, k[:, :4], k, scales], 'SHAPE', numbers=[1.0])
    cases.fail('attention_int8', [q, k, k, scales.astype(np.float16)], 'DTYPE', numbers=[1.0])
    cases.fail('attention_int8', [q, k.astype(np.float32), k, scales], 'DTYPE', numbers=[1.0])


def add_cases(cases):
    add_matmul(cases)
    add_matmul_with(cases)
    add_outer(cases)
    add_einsum(cases)
    add_conv(cases)
    add_linear(cases)
    add_ternary(cases)
    add_pack(cases)
    add_quantized(cases)
    add_linear_topk(cases)
    add_rope(cases)
    add_embedding(cases)
    add_attention(cases)
    add_attention_int8(cases)
    add_quantize(cases)
