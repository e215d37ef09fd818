# SPDX-License-Identifier: MIT
"""What moves elements: views, copies, casts, indexing, joining, sorting. All exact."""

import math

import numpy as np

from .cases import Expected
from .numbers import (CODES, FLOATS, INTEGERS, NUMBERS, NUMPY, PLAIN, Random, array_of, cast_array,
                      is_float, numbers_of, promote, round_float)
from .products import random_ids
from .reductions import FLAT
from .storage import decode, q8_0_tensor, ternary_tensor
from .tensors import (LAYOUTS, ODD_SHAPES, SHAPES, fill, lay_out, random_array, random_tensor,
                      specials)

MOST, LEAST = (1 << 63) - 1, -1 << 63


# -- views -----------------------------------------------------------------------------------------

def slice_indices(random, n):
    """begin, end, step for an axis of n, and the indices they stand for."""
    step = random.pick([1, 1, 2, 3, -1, -1, -2])
    if random.chance(0.2):
        begin, end = (0, MOST) if step > 0 else (MOST, LEAST)
        return (begin, end, step), list(range(n))[::step]
    low, high = sorted((random.between(0, n), random.between(0, n)))
    if step > 0:
        indices = list(range(low, high, step))
        begin, end = low, high
    else:
        low, high = min(low, n - 1), min(high, n - 1)
        indices = list(range(high, low, step))
        begin, end = high, low
    if random.chance(0.3) and begin < n:
        begin -= n
    if random.chance(0.3) and end < n:
        end -= n
    return (begin, end, step), indices


def view_of(random, op, a):
    """The integers of a call on array a, and its result; None where it does not apply."""
    rank, axis = a.ndim, random.below(a.ndim) if a.ndim else 0
    signed = axis - rank if random.chance(0.3) else axis
    other = random.below(rank) if rank else 0
    if op == 'reshape':
        shape = random.pick([(a.size,), (-1,), (1, a.size), a.shape + (1,), a.shape[::-1]])
        if -1 in shape and a.size == 0 or len(shape) > 8:
            return None
        return list(shape), a.reshape(shape)
    if op == 'permute':
        order = random.shuffled(range(rank))
        return [i - rank if random.chance(0.2) else i for i in order], a.transpose(order)
    if op == 'unsqueeze' and rank < 8:
        at = random.between(0, rank)
        return [at - rank - 1 if random.chance(0.3) else at], np.expand_dims(a, at)
    if op == 'broadcast' and rank < 7:
        shape = (random.between(1, 3),) + a.shape
        given = [-1 if i and random.chance(0.3) else n for i, n in enumerate(shape)]
        return given, np.broadcast_to(a, shape)
    if op == 'squeeze':
        ones = [i for i, n in enumerate(a.shape) if n == 1]
        if random.chance(0.5) or not ones:
            return [-1], a.squeeze()
        return [1, ones[0]], a.squeeze(ones[0])
    return view_along(random, op, a, axis, signed, other) if rank else None


def view_along(random, op, a, axis, signed, other):
    rank, n = a.ndim, a.shape[axis]
    if op == 'transpose':
        return [signed, other], np.swapaxes(a, axis, other)
    if op == 'move_axis':
        return [signed, other], np.moveaxis(a, axis, other)
    if op == 'flatten':
        last = random.between(axis, rank - 1)
        shape = a.shape[:axis] + (math.prod(a.shape[axis:last + 1]),) + a.shape[last + 1:]
        return [signed, last], a.reshape(shape)
    if op == 'slice' and n:
        given, indices = slice_indices(random, n)
        return [signed, *given], np.take(a, np.array(indices, int), axis)
    if op == 'select' and n:
        index = random.below(n)
        return [signed, index - n if random.chance(0.4) else index], np.take(a, index, axis)
    if op == 'flip':
        if random.chance(0.3):
            return [-1], np.flip(a)
        return [1, signed], np.flip(a, axis)
    if op == 'diagonal' and rank > 1 and other != axis:
        offset = random.between(-2, 2)
        return [offset, signed, other], a.diagonal(offset, axis, other)
    if op == 'unfold' and n:
        size, step = random.between(1, n), random.between(1, 3)
        windows = np.lib.stride_tricks.sliding_window_view(a, size, axis)
        return [signed, size, step], np.take(windows, np.arange(0, n - size + 1, step), axis) \
            if rank < 8 else None
    return None


VIEWS = ['reshape', 'permute', 'transpose', 'slice', 'select', 'broadcast', 'squeeze', 'unsqueeze',
         'flip', 'diagonal', 'unfold', 'move_axis', 'flatten']


def add_views(cases):
    for op in VIEWS:
        random = Random(op)
        for name in PLAIN:
            done = 0
            while done < 6:
                layout = 'plain' if op in ('reshape', 'flatten') else random.pick(LAYOUTS)
                shape = random.pick(SHAPES + ODD_SHAPES + [(3, 3), (4, 3, 4)])
                x = random_tensor(random, name, shape, layout, share=0.1)
                made = view_of(random, op, x.array)
                if made is not None and made[1] is not None:
                    cases.add(op, [x], [made[1]], made[0])
                    done += 1
    add_view_as(cases)
    add_parts(cases)
    refuse_views(cases)


def refuse_views(cases):
    x = random_array(Random('views'), 'f32', (3, 4))
    for op, ints, status in [('reshape', [5, 2], 'SHAPE'), ('reshape', [-1, -1], 'SHAPE'),
                             ('permute', [0, 0], 'ARGUMENT'), ('permute', [0, 2], 'ARGUMENT'),
                             ('transpose', [0, 2], 'ARGUMENT'), ('slice', [0, 0, 3,
                                                                           0], 'ARGUMENT'),
                             ('slice', [0, 2, 1, 1], 'ARGUMENT'),
                             ('slice', [0, 0, 4, 1], 'ARGUMENT'),
                             ('slice', [2, 0, 1, 1], 'ARGUMENT'), ('select', [0, 3], 'ARGUMENT'),
                             ('select', [0, -4], 'ARGUMENT'), ('select', [2, 0], 'ARGUMENT'),
                             ('broadcast', [3, 5], 'SHAPE'), ('broadcast', [4], 'SHAPE'),
                             ('squeeze', [1, 0], 'SHAPE'), ('squeeze', [1, 2], 'ARGUMENT'),
                             ('unsqueeze', [3], 'ARGUMENT'), ('unsqueeze', [-4], 'ARGUMENT'),
                             ('flip', [1, 2], 'ARGUMENT'), ('diagonal', [0, 0, 0], 'ARGUMENT'),
                             ('unfold', [0, 4, 1], 'ARGUMENT'), ('unfold', [0, 0, 1], 'ARGUMENT'),
                             ('unfold', [0, 2, 0], 'ARGUMENT'), ('chunk', [0, 0], 'ARGUMENT'),
                             ('split', [1, 2, 1], 'SHAPE'), ('split', [1, -1, 5], 'ARGUMENT')]:
        cases.fail(op, [x], status, ints)
    turned = lay_out(Random('turned'), x, 'plain')
    turned.shape, turned.strides = (4, 3), (1, 4)
    cases.fail('reshape', [turned], 'SHAPE', [12])


def add_view_as(cases):
    random = Random('view_as')
    for name in PLAIN:
        for other in PLAIN:
            if other == 'bool' and name != 'bool':
                continue
            x = random_tensor(random, name, (3, 8), 'plain')
            if name == other or x.base.itemsize == np.dtype(NUMPY[other]).itemsize:
                x = random_tensor(random, name, (3, 8),
                                  random.pick(['permuted', 'step', 'negative']))
                y = np.ascontiguousarray(x.array).view(NUMPY[other])
            else:
                y = x.array.view(NUMPY[other])
            cases.add('view_as', [x], [y], [CODES[other]])
    x = random_array(random, 'i8', (3, 6))
    cases.fail('view_as', [x], 'SHAPE', [CODES['f32']])
    cases.fail('view_as', [x], 'DTYPE', [CODES['q8_0']])


def add_parts(cases):
    random = Random('parts')
    for name in PLAIN:
        for shape in ((7,), (3, 4), (2, 5, 3), (0, 3)):
            x = random_tensor(random, name, shape)
            axis, count = random.below(len(shape)), random.between(1, 4)
            n = shape[axis]
            length = -(-n // count)
            edges = [min(i * length, n) for i in range(count + 1)]
            parts = [np.take(x.array, np.arange(a, b), axis) for a, b in zip(edges, edges[1:])]
            cases.add('chunk', [x], parts,
                      [count, axis - len(shape) if random.chance(0.3) else axis])
            cuts = sorted(random.between(0, n) for _ in range(count - 1))
            edges = [0, *cuts, n]
            parts = [np.take(x.array, np.arange(a, b), axis) for a, b in zip(edges, edges[1:])]
            cases.add('split', [x], parts, [axis] + [b - a for a, b in zip(edges, edges[1:])])


# -- copies and casts ------------------------------------------------------------------------------

def casting_values(random, name):
    """Ranges of all the others: what is saturated, wrapped, rounded."""
    values = list(specials(name))
    if is_float(name):
        values += [round_float(name, v) for v in
                   (127.5, 128.0, -128.9, -129.0, 255.9, 256.0, -0.9, 32767.9, 32768.0, -32769.0,
                    2147483647.0, 2147483648.0, -2147483649.0, 9.3e18, -9.3e18, 65504.0, 65519.0,
                    65520.0, 1e-8, 3e-8, 6e-8, 1.00048828125, 1.00390625, 1.01171875, 0.1, 1e-40)]
    else:
        values += [
            v for v in (16777217, 16777219, 2049, 2051, 65519, 65520, 257, 259, (1 << 53) + 1,
                        9007199791611905, 70000)
            if v <= 1 << 62 and name == 'i64' or name == 'i32' and v < 1 << 31
        ]
    return array_of(name, values, (len(values),))


def add_casts(cases):
    random = Random('cast')
    for name in PLAIN:
        for other in PLAIN:
            x = lay_out(random, casting_values(random, name),
                        random.pick(['plain', 'negative', 'step']))
            cases.add('cast', [x], [cast_array(other, x.array)], [CODES[other]])
            x = random_tensor(random, name, random.pick(SHAPES + ODD_SHAPES), share=0.2)
            cases.add('cast', [x], [cast_array(other, x.array)], [CODES[other]])
            shapes = random.pick([((3, 4), (3, 4)), ((4,), (3, 4)), ((), (2, 2)), ((3, 1), (3, 5)),
                                  ((1, 2), (0, 2))])
            x = random_tensor(random, name, shapes[0], share=0.2)
            y = np.broadcast_to(cast_array(other, x.array), shapes[1])
            cases.add('copy', [x], [y], [CODES[other], *shapes[1]])
    for name in PLAIN:
        for shape in SHAPES[:6] + ODD_SHAPES[:3]:
            for op in ('contiguous', 'clone'):
                x = random_tensor(random, name, shape, share=0.2)
                cases.add(op, [x], [x.array])
        x = random_tensor(random, name, random.pick([(), (1,), (1, 1)]))
        cases.add('item', [x], [np.array(float(numbers_of(x.array)[0]))])
    x = random_array(random, 'f32', (3, 4))
    cases.fail('item', [x], 'SHAPE')
    cases.fail('copy', [x], 'SHAPE', [CODES['f32'], 4])
    cases.fail('copy', [x], 'SHAPE', [CODES['f32'], 3, 5])
    cases.fail('cast', [x], 'DTYPE', [CODES['q8_0']])
    add_storage_casts(cases, random)


def add_storage_casts(cases, random):
    makers = [lambda: q8_0_tensor(random, 2, 64), lambda: q8_0_tensor(random, 3, 32)]
    for kind, columns in (('i2_s', 32), ('i2_s', 96), ('tq1_0', 256), ('tq2_0', 256), ('tq2_0',
                                                                                       512)):
        for mixed in (False, True):
            makers.append(lambda k=kind, c=columns, m=mixed: ternary_tensor(
                random, k, 4 if k == 'i2_s' else 2, c, m)[0])
    for make in makers:
        for other in FLOATS:
            x = make()
            cases.add('cast', [x], [cast_array(other, decode(x))], [CODES[other]])
    cases.fail('cast', [makers[0]()], 'DTYPE', [CODES['i32']])
    cases.fail('clone', [makers[0]()], 'DTYPE')
    for make in makers:
        x = make()
        for op in ('from_data', 'borrow'):
            raw = Expected(x.base, raw=x.dtype, shape=x.shape)
            cases.add(op, [x], [raw])
    for name in PLAIN:
        for shape in ((3, 4), (), (0,), (2, 1, 3)):
            for op in ('from_data', 'borrow'):
                x = random_array(random, name, shape, share=0.2)
                cases.add(op, [x], [x])


# -- indexing --------------------------------------------------------------------------------------

def signed_axis(random, rank):
    axis = random.below(rank)
    return axis, axis - rank if random.chance(0.3) else axis


def add_gather(cases):
    random = Random('gather')
    for name in PLAIN:
        for shape, index_shape, axis in (((5,), (7,), 0), ((3, 4), (3, 2), 1), ((3, 4), (2, 4), 0),
                                         ((2, 3, 4), (2, 5, 4), 1), ((3, 4), (1, 2), 1),
                                         ((1, 4), (3, 2), 1), ((3, 4), (3, 0), 1)):
            x = random_tensor(random, name, shape, share=0.2)
            n = shape[axis]
            index = random_ids(random, index_shape, -n, n - 1)
            wide = np.where(index.array < 0, index.array + n, index.array).astype(np.int64)
            sizes = [
                max(a, b) if i != axis else b for i, (a, b) in enumerate(zip(shape, index_shape))
            ]
            wide = np.broadcast_to(wide, sizes)
            source = np.broadcast_to(x.array, [n if i == axis else s for i, s in enumerate(sizes)])
            cases.add('gather', [x, index], [np.take_along_axis(source, wide, axis)], [axis])
    x = random_array(random, 'f32', (3, 4))
    for bad in (4, -5):
        cases.fail('gather', [x, np.full((3, 1), bad, np.int64)], 'ARGUMENT', [1])
    cases.fail('gather', [x, np.zeros((2, 1), np.int64)], 'SHAPE', [1])
    cases.fail('gather', [x, np.zeros((3,), np.int64)], 'SHAPE', [1])
    cases.fail('gather', [x, np.zeros((3, 1), np.int16)], 'DTYPE', [1])
    cases.fail('gather', [x, np.zeros((3, 1), np.int64)], 'ARGUMENT', [2])


def add_scatter(cases):
    for op in ('scatter', 'scatter_add'):
        random = Random(op)
        for name in PLAIN if op == 'scatter' else NUMBERS:
            for shape, axis, k in (((5,), 0, 7), ((3, 4), 1, 2), ((3, 4), 0, 5), ((2, 3, 4), 1, 3),
                                   ((3, 4), 1, 0), ((2, 1, 3), 2, 4)):
                whole = [k if i == axis else n for i, n in enumerate(shape)]
                x, source = [whole_numbers(random, name, s) for s in (shape, whole)]
                n = shape[axis]
                index = random_ids(random, tuple(whole), -n, n - 1)
                y = x.array.copy()
                for at in np.ndindex(*whole):
                    to = list(at)
                    to[axis] = int(index.array[at])
                    to = tuple(to)
                    y[to] = source.array[at] if op == 'scatter' else y[to] + source.array[at]
                cases.add(op, [x, index, source], [y], [axis])
        x = random_array(random, 'f32', (3, 4))
        cases.fail(op, [x, np.full((3, 1), 4, np.int64), x[:, :1]], 'ARGUMENT', [1])
        cases.fail(op, [x, np.zeros((3, 1), np.int64), x[:, :1].astype(np.float64)], 'DTYPE', [1])
        cases.fail(op, [x, np.zeros((3, 1), np.int64), x], 'SHAPE', [1])


def whole_numbers(random, name, shape):
    """Sums of a few of these are exact in every type; integers wrap."""
    if not is_float(name):
        return random_tensor(random, name, shape, share=0.2)
    count = math.prod(shape)
    return lay_out(random,
                   array_of(name, [float(random.between(-12, 12)) for _ in range(count)], shape),
                   random.pick(LAYOUTS))


def add_select(cases):
    random = Random('index_select')
    for name in PLAIN:
        for shape in ((5,), (3, 4), (2, 3, 4), (3, 4, 1, 2)):
            x = random_tensor(random, name, shape, share=0.2)
            axis, given = signed_axis(random, len(shape))
            n = shape[axis]
            index = random_ids(random, (random.between(0, 6),), -n, n - 1)
            cases.add('index_select', [x, index], [np.take(x.array, index.array, axis)], [given])
        for shape in ((5,), (3, 4), (2, 1, 4), ()):
            x = random_tensor(random, name, shape, share=0.2)
            n = math.prod(shape)
            index = random_ids(random, random.pick([(3,), (2, 2), (), (0,)]), -n, n - 1)
            cases.add('take', [x, index], [np.take(x.array, index.array)])
            values_shape = random.pick([index.shape, (), index.shape[-1:]])
            values = random_tensor(random, name, values_shape, share=0.2)
            y = x.array.copy()
            whole = np.broadcast_to(values.array, index.shape)
            for at in np.ndindex(*index.shape):
                y.flat[int(index.array[at]) % max(n, 1)] = whole[at]
            cases.add('put', [x, index, values], [y])
    x = random_array(random, 'f32', (3, 4))
    bad = np.array([0, 12], np.int64)
    cases.fail('take', [x, bad], 'ARGUMENT')
    cases.fail('put', [x, bad, x[0, 0].reshape(())], 'ARGUMENT')
    cases.fail('put', [x, bad, x[0, :3]], 'SHAPE')
    cases.fail('index_select', [x, bad], 'ARGUMENT', [0])
    cases.fail('index_select', [x, np.zeros((1, 1), np.int64)], 'SHAPE', [0])
    cases.fail('index_select', [x, np.zeros(1, np.float32)], 'DTYPE', [0])


def add_masks(cases):
    random = Random('masks')
    for name in PLAIN:
        for shape, mask_shape in (((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 3, 4), (3, 1)), ((5,),
                                                                                          (5,)),
                                  ((4,), (3, 1)), ((), ()), ((0, 3), (1, 3)), ((17,), (17,))):
            x = random_tensor(random, name, shape, share=0.2)
            mask = random_tensor(random, 'bool', mask_shape)
            a, m = np.broadcast_arrays(x.array, mask.array)
            cases.add('masked_select', [x, mask], [a[m]])
            cases.add('nonzero', [x], [np.argwhere(x.array != 0).astype(np.int64)])
            if np.broadcast_shapes(shape, mask_shape) == shape:
                value = random.pick([-1.5, 3.0, 0.0] +
                                    ([math.inf, math.nan] if is_float(name) else []))
                if name in ('u8', 'bool'):
                    value = 1.0
                value = value if is_float(name) else float(math.trunc(value))
                y = np.where(m, cast_array(name, np.array(value)), x.array).astype(NUMPY[name])
                cases.add('masked_fill', [x, mask], [y], numbers=[value])
    x = random_array(random, 'f32', (3, 4))
    for op in ('masked_select', 'masked_fill'):
        cases.fail(op, [x, x], 'DTYPE', numbers=[1.0])
        cases.fail(op, [x, np.ones((3,), bool)], 'SHAPE', numbers=[1.0])
    cases.fail('masked_fill', [x[0], np.ones((3, 4), bool)], 'SHAPE', numbers=[1.0])


def add_one_hot(cases):
    random = Random('one_hot')
    for name in INTEGERS:
        for other in PLAIN:
            shape = random.pick([(4,), (2, 3), (), (0,), (3, 1)])
            count = math.prod(shape)
            ids = lay_out(random, np.array([random.below(5) for _ in range(count)], NUMPY[name])
                          .reshape(shape), random.pick(['plain', 'step', 'negative']))
            y = (ids.array[..., None].astype(np.int64) == np.arange(5)).astype(NUMPY[other])
            cases.add('one_hot', [ids], [y], [5, CODES[other]])
    cases.fail('one_hot', [np.array([5], np.int64)], 'ARGUMENT', [5, 0])
    cases.fail('one_hot', [np.array([1.0], np.float32)], 'DTYPE', [5, 0])


def order_key(v):
    """NaN is the largest; -0 equals +0."""
    return (1, 0) if isinstance(v, float) and math.isnan(v) else (0, v)


def add_searchsorted(cases):
    random = Random('searchsorted')
    for name in PLAIN:
        for right in (0, 1):
            for n, shape in ((5, (4,)), (0, (3,)), (9, (2, 3)), (1, ()), (33, (7,))):
                values = sorted(numbers_of(random_array(random, name, (n,), share=0.3)),
                                key=order_key)
                line = lay_out(random, array_of(name, values, (n,)),
                               random.pick(['plain', 'step', 'negative']))
                x = random_tensor(random, name, shape, share=0.3)
                y = [sum(order_key(s) < order_key(v) or right and order_key(s) == order_key(v)
                         for s in values) for v in numbers_of(x.array)]
                cases.add('searchsorted', [line, x], [np.array(y, np.int64).reshape(shape)],
                          [right])
    x = random_array(random, 'f32', (3, 4))
    cases.fail('searchsorted', [x, x], 'SHAPE', [0])


# -- joining ---------------------------------------------------------------------------------------

def add_joining(cases):
    random = Random('joining')
    for name in PLAIN:
        for op in ('concat', 'stack'):
            for shape in ((4,), (3, 4), (2, 1, 3), (0, 2)):
                axis, given = signed_axis(random, len(shape) + (op == 'stack'))
                count = random.between(1, 3)
                parts = []
                for i in range(count):
                    own = list(shape)
                    if op == 'concat':
                        own[axis] = random.between(0, 4)
                    other = name if i == 0 or random.chance(0.5) else random.pick(PLAIN)
                    parts.append(random_tensor(random, other, tuple(own), share=0.1))
                kind = promote(*[p.dtype for p in parts])
                arrays = [cast_array(kind, p.array) for p in parts]
                y = np.concatenate(arrays, axis) if op == 'concat' else np.stack(arrays, axis)
                cases.add(op, parts, [y], [given])
            parts = [random_tensor(random, name, (3, 2), share=0.2) for _ in range(2)]
            arrays = [p.array for p in parts]
            y = np.concatenate(arrays, 1) if op == 'concat' else np.stack(arrays, 1)
            cases.add(op, parts, [y], [1])
        add_padding(cases, random, name)
        add_repeats(cases, random, name)
    x = random_array(random, 'f32', (3, 4))
    cases.fail('concat', [x, x[:, :3]], 'SHAPE', [0])
    cases.fail('concat', [x, x[0]], 'SHAPE', [0])
    cases.fail('concat', [x, x], 'ARGUMENT', [2])
    cases.fail('stack', [x, x[:2]], 'SHAPE', [0])
    cases.fail('stack', [x, x], 'ARGUMENT', [3])
    cases.fail('pad', [x], 'ARGUMENT', [0, -1, 0, 0, 0], [0.0])
    cases.fail('repeat', [x], 'ARGUMENT', [-1, 0])
    cases.fail('repeat', [x], 'ARGUMENT', [2, 2])
    cases.fail('roll', [x], 'ARGUMENT', [1, 2])


def add_padding(cases, random, name):
    for mode, kind in enumerate(('constant', 'reflect', 'edge')):
        for shape in ((4,), (3, 4), (2, 3, 2)):
            x = random_tensor(random, name, shape, share=0.1)
            most = [n - 1 if kind == 'reflect' else 3 for n in shape]
            before, after = [[random.between(0, m) for m in most] for _ in range(2)]
            value = 1.0 if name in ('u8', 'bool') else random.pick([0.0, -2.0, 7.0])
            extra = dict(constant_values=cast_array(name, np.array(value))) if mode == 0 else {}
            y = np.pad(x.array, list(zip(before, after)), kind, **extra)
            cases.add('pad', [x], [y], [mode, *before, *after], [value])


def add_repeats(cases, random, name):
    for shape in ((3,), (2, 3), (2, 1, 2), (0, 2)):
        x = random_tensor(random, name, shape, share=0.1)
        repeats = [random.between(0, 2) if random.chance(0.2) else random.between(1, 3)
                   for _ in range(random.between(1, 3))]
        cases.add('tile', [x], [np.tile(x.array, repeats)], repeats)
        axis, given = signed_axis(random, len(shape))
        flat = random.chance(0.3)
        count = random.between(0, 3)
        cases.add('repeat', [x], [np.repeat(x.array, count, None if flat else axis)],
                  [count, FLAT if flat else given])
        shift = random.between(-9, 9)
        cases.add('roll', [x], [np.roll(x.array, shift, None if flat else axis)],
                  [shift, FLAT if flat else given])


# -- sorting ---------------------------------------------------------------------------------------

def stable_order(values, descending):
    """Equal elements keep their order, backwards too."""
    places = list(range(len(values)))
    keys = [order_key(v) for v in values]
    if descending:
        keys = [(-a, -b) for a, b in keys]
    return sorted(places, key=lambda i: keys[i])


def sorted_rows(array, axis, descending):
    """Rows along the axis with their order."""
    turned = np.moveaxis(array, axis, -1)
    order = np.zeros(turned.shape, np.int64)
    for index in np.ndindex(turned.shape[:-1]):
        order[index] = stable_order(numbers_of(turned[index]), descending)
    return np.moveaxis(order, -1, axis)


def add_sorting(cases):
    random = Random('sorting')
    for name in PLAIN:
        for shape in ((7,), (3, 4), (2, 3, 4), (33,), (0, 3), (3, 0), (1,), (5, 1)):
            for descending in (0, 1):
                x = random_tensor(random, name, shape, share=0.3, size=2.0)
                axis, given = signed_axis(random, len(shape))
                array = x.array
                if random.chance(0.2):
                    array, axis, given = array.reshape(-1), 0, FLAT
                order = sorted_rows(array, axis, descending)
                cases.add('sort', [x], [np.take_along_axis(array, order, axis)],
                          [given, descending])
                cases.add('argsort', [x], [order], [given, descending])
        topk_cases(cases, random, name)
        for shape in ((7,), (3, 4), (0,), (), (33,)):
            unique_case(cases, random_tensor(random, name, shape, share=0.3, size=1.0))
    for shape in ((100,), (2, 300)):
        x = fill('i32', math.prod(shape), shape, 7919, 11, 97, 50, 1)
        for descending in (0, 1):
            order = sorted_rows(x.array, len(shape) - 1, descending)
            cases.add('argsort', [x], [order], [-1, descending])
    x = random_array(random, 'f32', (3, 4))
    for op in ('sort', 'argsort'):
        cases.fail(op, [x], 'ARGUMENT', [2, 0])
    cases.fail('topk', [x], 'ARGUMENT', [5, 1, 1], outputs=2)
    cases.fail('topk', [x], 'ARGUMENT', [-1, 1, 1], outputs=2)


def topk_cases(cases, random, name):
    """Best first, the lowest index first among equals."""
    for shape in ((7,), (3, 4), (2, 3, 4), (33,)):
        for largest in (0, 1):
            x = random_tensor(random, name, shape, share=0.3, size=2.0)
            axis, given = signed_axis(random, len(shape))
            k = random.between(0, shape[axis])
            order = np.take(sorted_rows(x.array, axis, largest), np.arange(k), axis)
            cases.add('topk', [x], [np.take_along_axis(x.array, order, axis), order],
                      [k, given, largest])


def unique_case(cases, x):
    """The first of equal ones; no NaN equals another in IEEE, but NumPy makes them one."""
    values = numbers_of(x.array)
    order = stable_order(values, False)
    firsts, groups, counts = [], [0] * len(values), []
    for at in order:
        if not firsts or order_key(values[firsts[-1]]) != order_key(values[at]):
            firsts.append(at)
            counts.append(0)
        groups[at] = len(firsts) - 1
        counts[-1] += 1
    flat = x.array.reshape(-1)
    cases.add('unique', [x], [
        flat[np.array(firsts, int)],
        np.array(groups, np.int64).reshape(x.shape),
        np.array(counts, np.int64)
    ])


def add_cases(cases):
    add_views(cases)
    add_casts(cases)
    add_gather(cases)
    add_scatter(cases)
    add_select(cases)
    add_masks(cases)
    add_one_hot(cases)
    add_searchsorted(cases)
    add_joining(cases)
    add_sorting(cases)
