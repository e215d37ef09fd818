# SPDX-License-Identifier: MIT
"""Reductions over axes, running results, order statistics: exact values, and the error that the
documented order of additions can have at most."""

import math
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mpf

from .cases import Expected
from .elementwise import INFINITY, NAN, greatest, least
from .numbers import (FLOATS, NUMBERS, NUMPY, PLAIN, Random, array_of, compute_type, float_for,
                      is_float, numbers_of, promote, round_to, tiniest, unit)
from .tensors import (SHAPES, fill, plain, random_array, random_tensor, specials)

FLAT = -9
LANES, BLOCK = 64, 65536


def steps_of(n):
    """Additions on the longest way from an element to a sum (docs/numerics.md, reductions)."""
    steps = 0
    while n > BLOCK:
        steps += BLOCK // LANES + 6
        n = -(-n // BLOCK)
    return steps + -(-n // LANES) + 6


def reduce_slices(array, axes):
    """Lists of the elements that one result is made of, results row-major; and their shape."""
    keep = [i for i in range(array.ndim) if i not in axes]
    shape = tuple(array.shape[i] for i in keep)
    turned = array.transpose(keep + sorted(axes))
    count = int(np.prod([array.shape[i] for i in axes], dtype=np.int64))
    results = int(np.prod(shape, dtype=np.int64))
    rows = turned.reshape(results, count)
    return [numbers_of(row) for row in rows], shape


# -- what one result is ----------------------------------------------------------------------------

def sum_of(values):
    """NaN and infinities as IEEE has them; a sum starts from +0."""
    if any(isinstance(v, float) and not math.isfinite(v) for v in values):
        return math.fsum(v for v in values if not math.isfinite(v)) if not (
            INFINITY in values and -INFINITY in values) else NAN
    total = sum(map(Fraction, values), Fraction(0))
    return total if total != 0 else 0.0


def product_of(values):
    if not all(isinstance(v, int) for v in values) and (
            not all(math.isfinite(v) for v in values) or 0 in values):
        result = 1.0
        for v in values:
            result *= math.copysign(1.0, v) if math.isfinite(v) and v != 0 else v
        return result
    return math.prod(map(Fraction, values))


def mean_of(values):
    if not values:
        return NAN
    return sum_of(values) / len(values)


def variance_of(values, ddof):
    n = len(values)
    if n == 0 or n == ddof or not all(math.isfinite(v) for v in values):
        return NAN
    mean = sum(map(Fraction, values), Fraction(0)) / n
    return sum(((Fraction(v) - mean) ** 2 for v in values), Fraction(0)) / (n - ddof)


def square_root(x):
    return x if isinstance(x, float) else mpmath.sqrt(mpf(x.numerator) / x.denominator)


def norm_of(values, p):
    sizes = [abs(v) for v in values]
    if any(math.isnan(v) for v in sizes):
        return NAN
    if math.isinf(p):
        return float(max(sizes) if p > 0 else min(sizes))
    if p == 0:
        return float(sum(v != 0 for v in sizes))
    if INFINITY in sizes:
        return INFINITY
    total = mpmath.fsum(mpf(v) ** mpf(p) for v in sizes)
    return total ** (1 / mpf(p)) if total != 0 else 0.0


def logsumexp_of(values):
    if any(math.isnan(v) for v in values):
        return NAN
    most = max(values, default=-INFINITY)
    if math.isinf(most):
        return most
    return mpmath.log(mpmath.fsum(mpmath.exp(mpf(v)) for v in values if v != -INFINITY))


def quantile_of(values, q):
    """Linear between neighbours."""
    if any(math.isnan(v) for v in values):
        return NAN
    values = sorted(values)
    place = Fraction(q) * (len(values) - 1)
    low = math.floor(place)
    part = place - low
    a, b = values[low], values[min(low + 1, len(values) - 1)]
    if part == 0 or a == b:
        return a if isinstance(a, float) and not math.isfinite(a) else Fraction(a) or 0.0
    if not math.isfinite(a) or not math.isfinite(b):
        return a * float(1 - part) + b * float(part)
    return Fraction(a) + (Fraction(b) - Fraction(a)) * part


def first_of(values, better):
    """The lowest index of the best, of the first NaN when there is one."""
    best = 0
    for i, v in enumerate(values):
        if math.isnan(v):
            return i
        if better(v, values[best]):
            best = i
    return best


# -- types and bounds ------------------------------------------------------------------------------

def sum_type(name):
    return name if is_float(name) else 'i64'


def mean_type(name):
    return name if is_float(name) else 'f64'


def bound_sum(values, name):
    """n u sum|x| with the length of the longest chain for n."""
    sizes = [abs(float(v)) for v in values if math.isfinite(v)]
    return (steps_of(len(values)) + 1) * unit(compute_type(name)) * math.fsum(sizes)


def bound_relative(count):
    return lambda values, name: None if not values else count(len(values)) * \
        unit(compute_type(name))


REDUCTIONS = dict(
    sum=(sum_of, sum_type), prod=(product_of, sum_type), mean=(mean_of, mean_type),
    min=(None, None), max=(None, None), any=(lambda v: any(x != 0 for x in v), lambda n: 'bool'),
    all=(lambda v: all(x != 0 for x in v), lambda n: 'bool'),
    count_nonzero=(lambda v: sum(x != 0 for x in v), lambda n: 'i64'),
    logsumexp=(logsumexp_of, float_for),
    median=(lambda v: quantile_of(v, 0.5), mean_type))


def extreme(op, values):
    function = (least if op == 'min' else greatest) if isinstance(values[0], float) else \
        (min if op == 'min' else max)
    best = values[0]
    for v in values:
        best = function(best, v)
    return best


def error_bound(op, values, result, name, extra):
    """Absolute, for one result of `op`; None where the result is exact or only rounded."""
    kind = mean_type(name) if op in ('mean', 'var', 'std', 'norm', 'median', 'quantile') else name
    if not is_float(kind) or not values or not math.isfinite(float(result)):
        return 0.0
    u, steps = unit(compute_type(kind)), steps_of(len(values))
    finite = [float(v) for v in values if math.isfinite(v)]
    small = 4 * tiniest(kind)
    if op == 'sum':
        return bound_sum(values, kind)
    if op == 'mean':
        return (bound_sum(values, kind) + 2 * u * math.fsum(map(abs, finite))) / len(values)
    if op == 'prod':
        return (len(values) + 8) * u * abs(float(result)) + small
    if op == 'logsumexp':
        return (steps + 8) * u + 4 * u * max(abs(max(finite)), abs(float(result)))
    if op in ('var', 'std'):
        mean = math.fsum(finite) / len(finite)
        off = 2 * (steps + 4) * u * max(map(abs, finite))  # of the mean that is subtracted
        squares = math.fsum((v - mean) ** 2 for v in finite)
        bound = ((steps + 8) * u * squares + 2 * off * math.fsum(abs(v - mean) for v in finite)
                 + len(finite) * off * off) / max(len(values) - extra, 1)
        if op == 'var':
            return bound + small
        root = float(result)
        return min(bound / root if root > 0 else INFINITY, math.sqrt(bound)) + 2 * u * root + small
    if op == 'norm':
        p = abs(extra) if extra and not math.isinf(extra) else 1.0
        return (steps + 16) * u * float(result) * max(1, 1 / p) + small
    if op in ('median', 'quantile'):
        # the place q (n - 1) is rounded in F64
        return (4 * u + 2 * len(values) * unit('f64')) * max(map(abs, finite))
    return 0.0


# -- cases -----------------------------------------------------------------------------------------

def reduce_case(cases, op, x, axes, keepdims, extra=None):
    """`axes` is None for all. `extra`: ddof, p or q."""
    array, name = x.array, x.dtype
    which = sorted(a % array.ndim for a in axes) if axes is not None else list(range(array.ndim))
    rows, shape = reduce_slices(array, which)
    if op in ('min', 'max'):
        kind, function = name, lambda v: extreme(op, v)
    elif op in ('var', 'std'):
        kind = mean_type(name)
        function = lambda v: variance_of(v, extra)
        if op == 'std':
            function = lambda v: square_root(variance_of(v, extra))
    elif op in ('norm', 'quantile'):
        kind = mean_type(name)
        function = lambda v: (norm_of if op == 'norm' else quantile_of)(v, extra)
    else:
        function, kind = REDUCTIONS[op][0], REDUCTIONS[op][1](name)
    exact = [function(row) for row in rows]
    values = [round_to(kind, v) if kind != 'bool' else v for v in exact]
    bounds = [error_bound(op, row, v, name, extra) for row, v in zip(rows, values)]
    if keepdims:
        shape = tuple(1 if i in which else n for i, n in enumerate(array.shape))
    y = array_of(kind, values, shape)
    ints = [int(keepdims)] + ([extra] if op in ('var', 'std') else []) + \
        ([-1] if axes is None else [len(axes)] + list(axes))
    numbers = [float(extra)] if op in ('norm', 'quantile') else []
    half = 1 if kind in ('f16', 'bf16') else 0
    bounds = np.array(bounds).reshape(shape) if any(bounds) else None
    cases.add(op, [x], [Expected(y, half if bounds is not None else 0, bounds)], ints, numbers)


def axes_of(random, rank):
    if rank == 0 or random.chance(0.25):
        return None
    count = random.between(1, min(rank, 3)) if random.chance(0.6) else 1
    return [a - rank if random.chance(0.3) else a
            for a in random.shuffled(range(rank))[:count]]


def share_of(op):
    return 0.3 if op in ('any', 'all', 'count_nonzero', 'min', 'max') else 0.0


def extras_of(op):
    return dict(var=[0, 1], std=[0, 1], norm=[2.0, 1.0, INFINITY, 0.0, 3.0, -INFINITY, 0.5],
                quantile=[0.5, 0.25, 0.0, 1.0, 0.9]).get(op, [None])


def add_reductions(cases):
    for op in list(REDUCTIONS) + ['var', 'std', 'norm', 'quantile']:
        random = Random(op)
        size = 1.4 if op == 'prod' else 4.0
        for name in FLOATS if op == 'logsumexp' else PLAIN:
            for extra in extras_of(op):
                few = op in ('norm', 'quantile')
                for shape in random.shuffled(SHAPES)[:2 if few else 5]:
                    x = random_tensor(random, name, shape, size=size, share=share_of(op))
                    axes = axes_of(random, len(shape))
                    if extra == 1 and reduced_count(shape, axes) < 2:
                        continue
                    reduce_case(cases, op, x, axes, random.chance(0.5), extra)
                reduce_case(cases, op, random_tensor(random, name, (), 'plain'), None, False,
                            0 if extra == 1 else extra)
            special_reductions(cases, random, op, name)
            empty_reductions(cases, random, op, name)
        refused_reductions(cases, random, op)


def reduced_count(shape, axes):
    return int(np.prod([shape[a] for a in (axes if axes is not None else range(len(shape)))]))


def special_reductions(cases, random, op, name):
    """Rows with one special value among ordinary ones, and of nothing but -0."""
    if not is_float(name):
        if op in ('sum', 'prod', 'cumsum', 'cumprod', 'min', 'max'):
            array = array_of(name, specials(name), (len(specials(name)),))
            reduce_case(cases, op, plain(array), None, False)
        return
    if op == 'prod':
        rows = [[1.5, -0.0, 2.0], [0.0, 1.0, -3.0], [INFINITY, 0.0, 1.0], [INFINITY, -2.0, 1.0],
                [NAN, 0.0, 1.0], [-0.0, -0.0, -1.0]]
    else:
        rows = [[1.0, NAN, 2.0], [INFINITY, 1.0, 2.0], [-INFINITY, 1.0, 2.0],
                [INFINITY, -INFINITY, 1.0], [-0.0, -0.0, -0.0], [-0.0, 0.0, -0.0],
                [0.0, -0.0, 0.0], [-INFINITY] * 3]
    extra = extras_of(op)[0]
    if op in ('var', 'std', 'quantile', 'median'):
        rows = [rows[0]] + rows[4:7] if op in ('var', 'std') else rows[:3]
    reduce_case(cases, op, plain(array_of(name, rows, (len(rows), 3))), [1], False, extra)


def empty_reductions(cases, random, op, name):
    extra = extras_of(op)[0]
    x = random_tensor(random, name, (3, 0), 'plain')
    if op in ('min', 'max', 'median', 'quantile'):
        cases.fail(op, [x], 'SHAPE', [0, 1, 1], [0.5])
        reduce_case(cases, op, random_tensor(random, name, (0, 3), 'plain'), [1], True, extra)
        return
    for axes, keepdims in (([1], False), ([0], True), (None, False)):
        reduce_case(cases, op, x, axes, keepdims, extra)
    reduce_case(cases, op, random_tensor(random, name, (2, 3)), [], False, extra)


def refused_reductions(cases, random, op):
    x = random_array(random, 'f32', (3, 4))
    start = [0] + ([0] if op in ('var', 'std') else [])
    for axes in ([2], [-3], [0, 0], [1, -1]):
        cases.fail(op, [x], 'ARGUMENT', start + [len(axes)] + axes, [0.5])
    if op == 'quantile':
        for q in (-0.1, 1.5, NAN):
            cases.fail(op, [x], 'ARGUMENT', start + [-1], [q])
    if op == 'norm':
        cases.fail(op, [x], 'ARGUMENT', start + [-1], [NAN])


# -- long operands ---------------------------------------------------------------------------------

def add_long(cases):
    """Across 64 partial results and across blocks of 65 536, from formulas whose numbers and sums
    are whole and small: sums and counts are exact in any order."""
    for op in ('sum', 'mean', 'max', 'min', 'count_nonzero', 'any', 'all'):
        for name in ('f32', 'f64', 'bf16', 'i32', 'u8'):
            for shape, axes in (((3, 65), [1]), ((129,), None), ((70, 3), [0]),
                                ((64, 64, 2), [0, 1]), ((65537,), None), ((2, 70000), [1])):
                if name not in ('f32', 'i32') and shape[-1] > 65536:
                    continue
                count = int(np.prod(shape))
                x = fill(name, count, shape, 7, 3, 31, 0 if name == 'u8' else 15, 1)
                reduce_case(cases, op, x, axes, False)
    for op in ('var', 'norm', 'logsumexp', 'median', 'prod'):
        for shape, axes in (((3, 65), [1]), ((200,), None), ((150, 2), [0])):
            x = fill('f32', int(np.prod(shape)), shape, 7, 3, 31, 15, 0.125)
            if op == 'prod':
                x = fill('f32', int(np.prod(shape)), shape, 1, 0, 2, -1, 0.75)
            extra = extras_of(op)[0]
            reduce_case(cases, op, x, axes, False, extra)
    for op in ('argmin', 'argmax'):
        for shape, axis in (((129,), 0), ((3, 70), 1), ((70, 3), 0), ((70000,), FLAT)):
            x = fill('f32', int(np.prod(shape)), shape, 7919, 11, 104729, 50000, 1)
            arg_case(cases, op, x, axis, False)


# -- along one axis --------------------------------------------------------------------------------

def arg_case(cases, op, x, axis, keepdims):
    array = x.array
    which = list(range(array.ndim)) if axis == FLAT else [axis % array.ndim]
    rows, shape = reduce_slices(array, which)
    better = (lambda a, b: a < b) if op == 'argmin' else (lambda a, b: a > b)
    if keepdims:
        shape = tuple(1 if i in which else n for i, n in enumerate(array.shape))
    y = np.array([first_of(row, better) for row in rows], np.int64).reshape(shape)
    cases.add(op, [x], [y], [int(keepdims), axis])


def add_args(cases):
    for op in ('argmin', 'argmax'):
        random = Random(op)
        for name in PLAIN:
            for shape in random.shuffled(SHAPES)[:5]:
                x = random_tensor(random, name, shape, share=0.2)
                axis = random.pick([FLAT] + list(range(-len(shape), len(shape))))
                arg_case(cases, op, x, axis, random.chance(0.5))
            arg_case(cases, op, random_tensor(random, name, (), 'plain'), FLAT, False)
            arg_case(cases, op, plain(np.ones((2, 5), NUMPY[name])), 1, True)
            arg_case(cases, op, random_tensor(random, name, (0, 3), 'plain'), 1, False)
            cases.fail(op, [random_array(random, name, (3, 0))], 'SHAPE', [0, 1])
        cases.fail(op, [random_array(random, 'f32', (3, 4))], 'ARGUMENT', [0, 2])


def running(values, op):
    """Exact running results; NaN and infinities as IEEE has them. The first one is the element
    itself: unlike a sum, nothing but -0 stays -0."""
    function = sum_of if op == 'cumsum' else product_of
    results = [function(values[:i + 1]) for i in range(len(values))]
    for i in range(len(results)):
        if str(values[i]) != '-0.0':
            break
        results[i] = -0.0 if op == 'cumsum' else results[i]
    return results


def add_running(cases):
    for op in ('cumsum', 'cumprod'):
        random = Random(op)
        for name in PLAIN:
            for shape in random.shuffled(SHAPES)[:5] + [(0, 3), (3, 0), ()]:
                x = random_tensor(random, name, shape, size=4.0 if op == 'cumsum' else 1.3)
                axis = random.pick([FLAT] + list(range(-len(shape), len(shape))))
                running_case(cases, op, x, axis)
            if is_float(name):
                rows = [[1.0, INFINITY, -INFINITY, 2.0], [-0.0, -0.0, 1.0, -1.0],
                        [1.0, NAN, 0.0, 3.0]]
                running_case(cases, op, plain(array_of(name, rows, (3, 4))), 1)
        cases.fail(op, [random_array(random, 'f32', (3, 4))], 'ARGUMENT', [2])


def running_case(cases, op, x, axis):
    """In order along the axis: result i has i + 1 roundings behind it."""
    array, kind = x.array, sum_type(x.dtype)
    flat = axis == FLAT
    turned = array.reshape(1, -1) if flat else np.moveaxis(array, axis, -1)
    y, bounds = np.zeros(turned.shape, NUMPY[kind]), np.zeros(turned.shape)
    for index in np.ndindex(turned.shape[:-1]):
        values = numbers_of(turned[index])
        exact = running(values, op)
        y[index] = array_of(kind, [round_to(kind, v) for v in exact], (len(values),))
        if is_float(kind):
            u, sizes = unit(compute_type(kind)), np.cumsum([abs(v) if math.isfinite(v) else 0
                                                            for v in values])
            for i, v in enumerate(exact):
                size = sizes[i] if op == 'cumsum' else abs(float(v))
                bounds[index + (i,)] = (i + 1) * u * size if math.isfinite(size) else 0
    if not flat:
        y, bounds = np.moveaxis(y, -1, axis), np.moveaxis(bounds, -1, axis)
    shape = (array.size,) if flat else array.shape
    y, bounds = y.reshape(shape), bounds.reshape(shape)
    half = 1 if kind in ('f16', 'bf16') else 0
    cases.add(op, [x], [Expected(y, half, bounds if bounds.any() else None)], [axis])


def add_dot(cases):
    """Of two vectors, one fma a step."""
    random = Random('dot')
    for name in NUMBERS:
        for n in (0, 1, 5, 33, 60):
            a, b = [random_tensor(random, name, (n,)) for _ in range(2)]
            dot_case(cases, 'dot', a, b)
        for _ in range(3):
            a, b = [random_tensor(random, t, (9,)) for t in (name, random.pick(NUMBERS))]
            dot_case(cases, 'dot', a, b)
        dot_case(cases, 'dot', fill(name, 300, (300,), 7, 3, 31, 0 if name == 'u8' else 15, 1),
                 fill(name, 300, (300,), 5, 1, 11, 0, 1))
    x = random_array(random, 'f32', (3,))
    cases.fail('dot', [x, random_array(random, 'f32', (4,))], 'SHAPE')
    cases.fail('dot', [x, random_array(random, 'f32', (3, 3))], 'SHAPE')


def dot_case(cases, op, a, b):
    kind = promote(a.dtype, b.dtype)
    products = [
        Fraction(p) * Fraction(q) for p, q in zip(numbers_of(a.array), numbers_of(b.array))
    ]
    result = sum_type(kind)
    total = sum(products, Fraction(0))
    y = array_of(result, [round_to(result, total if total != 0 else 0.0 if is_float(result)
                                   else 0)], ())
    bound = None
    if is_float(result):
        bound = (steps_of(len(products)) + 2) * unit(compute_type(result)) * \
            float(sum(map(abs, products), Fraction(0)))
    half = 1 if result in ('f16', 'bf16') else 0
    cases.add(op, [a, b], [Expected(y, half, bound)])


def add_cases(cases):
    add_reductions(cases)
    add_long(cases)
    add_args(cases)
    add_running(cases)
    add_dot(cases)
