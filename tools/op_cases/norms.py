# SPDX-License-Identifier: MIT
"""Softmax, norms and losses with their backward forms: values at 160 bits, bounds that follow the
roundings of the documented formulas."""

import math

import mpmath
import numpy as np
from mpmath import mpf

from .cases import Expected
from .elementwise import INFINITY, NAN
from .numbers import (FLOATS, INTEGERS, REALS, NUMPY, Random, array_of, compute_type, float_for,
                      numbers_of, round_to, tiniest, unit)
from .reductions import steps_of
from .tensors import SHAPES, lay_out, plain, random_array, random_tensor

HALVES = ('f16', 'bf16')


def rounded(name, values, shape):
    return array_of(name, [round_to(name, v if isinstance(v, float) else v) for v in values],
                    shape)


def result(name, values, bounds, shape):
    half = 1 if name in HALVES else 0
    small = 2 * tiniest(name)
    bounds = np.array([float(b) + small for b in bounds]).reshape(shape)
    return Expected(rounded(name, values, shape), half, bounds)


def along(axis, arrays):
    """The arrays with this axis last."""
    return [np.moveaxis(a, axis, -1) for a in arrays]


def back(axis, expected):
    expected.array = np.moveaxis(expected.array, -1, axis)
    expected.absolute = np.moveaxis(expected.absolute, -1, axis)
    expected.shape = expected.array.shape
    return expected


# -- softmax ---------------------------------------------------------------------------------------

def softmax_row(values):
    """e / sum(e); and the logarithms."""
    most = max((v for v in values if not math.isnan(v)), default=NAN)
    if any(math.isnan(v) for v in values) or math.isinf(most):
        return [NAN] * len(values), [NAN] * len(values)
    powers = [mpmath.exp(mpf(v) - mpf(most)) if v != -INFINITY else mpf(0) for v in values]
    total = mpmath.fsum(powers)
    logs = [mpf(v) - mpf(most) - mpmath.log(total) if v != -INFINITY else -INFINITY
            for v in values]
    return [p / total for p in powers], logs


def softmax_bounds(values, name, logs):
    """The argument x - m is rounded, exp has an error of about one unit, the sum its steps."""
    u = unit(compute_type(name))
    most = max((v for v in values if math.isfinite(v)), default=0.0)
    reach = [most - v if math.isfinite(v) else 0.0 for v in values]
    shared = steps_of(len(values)) + 8
    far = max(reach, default=0.0)
    if logs:
        return [(shared + far + 4 * (r + 8)) * u for r in reach]
    chances = [float(p) if not isinstance(p, float) else 0.0 for p in softmax_row(values)[0]]
    return [p * (shared + far + r + 8) * u for p, r in zip(chances, reach)]


def softmax_case(cases, op, x, axis):
    kind = float_for(x.dtype)
    turned = along(axis, [x.array])[0]
    values, bounds = [], []
    for index in np.ndindex(turned.shape[:-1]):
        row = numbers_of(turned[index])
        pair = softmax_row(row) if row else ([], [])
        values += pair[op == 'log_softmax']
        bounds += softmax_bounds(row, kind, op == 'log_softmax')
    cases.add(op, [x], [back(axis, result(kind, values, bounds, turned.shape))], [axis])


def add_softmax(cases):
    for op in ('softmax', 'log_softmax'):
        random = Random(op)
        for name in FLOATS:
            for shape in SHAPES[:8] + [(3, 0), (0, 3), (2, 70), (70, 2)]:
                x = random_tensor(random, name, shape)
                softmax_case(cases, op, x, random.between(-len(shape), len(shape) - 1))
            rows = [[1.0, NAN, 2.0], [-INFINITY, 0.5, 1.0], [INFINITY, 0.0, 1.0],
                    [-INFINITY] * 3, [-80.0, 0.0, 80.0], [1000.0, 1000.5, 999.0]]
            softmax_case(cases, op, plain(array_of(name, rows, (6, 3)).astype(NUMPY[name])), 1)
        for name in INTEGERS:
            softmax_case(cases, op, random_tensor(random, name, (3, 4), size=2.0), -1)
        cases.fail(op, [random_array(random, 'f32', (3, 4))], 'ARGUMENT', [2])
    add_causal(cases)


def add_causal(cases):
    random = Random('softmax_causal')
    for shape in ((3, 3), (2, 5), (2, 3, 4), (1, 1), (1, 7), (2, 1, 2, 2), (0, 3), (3, 70)):
        x = random_tensor(random, 'f32', shape)
        t, s = shape[-2:]
        values, bounds = [], []
        for index in np.ndindex(shape[:-1]):
            seen = s - t + index[-1] + 1
            row = numbers_of(x.array[index])[:seen]
            values += softmax_row(row)[0] + [0.0] * (s - seen)
            bounds += softmax_bounds(row, 'f32', False) + [0.0] * (s - seen)
        cases.add('softmax_causal', [x], [result('f32', values, bounds, shape)])
    cases.fail('softmax_causal', [random_array(random, 'f32', (3, 2))], 'SHAPE')
    cases.fail('softmax_causal', [random_array(random, 'f32', (3,))], 'SHAPE')


def add_softmax_backward(cases):
    """y (g - sum(g y)), and for logarithms g - exp(y) sum(g)."""
    for op in ('softmax_backward', 'log_softmax_backward'):
        random = Random(op)
        for name in FLOATS:
            for shape in ((4,), (3, 4), (2, 3, 4), (2, 70), (0, 3), (1, 5)):
                axis = random.between(-len(shape), len(shape) - 1)
                x = random_array(random, name, shape, size=1.0)
                turned = np.moveaxis(x, axis, -1)
                y = np.zeros(turned.shape, x.dtype)
                for index in np.ndindex(turned.shape[:-1]):
                    pair = softmax_row(numbers_of(turned[index]))
                    y[index] = rounded(name, pair[op[0] == 'l'], (turned.shape[-1],))
                y = lay_out(random, np.moveaxis(y, -1, axis), random.pick(['plain', 'step']))
                grad = random_tensor(random, name, shape)
                softmax_backward_case(cases, op, grad, y, axis)
        x = random_array(random, 'f32', (3, 4))
        cases.fail(op, [x, random_array(random, 'f32', (4, 3))], 'SHAPE', [0])
        cases.fail(op, [x, x], 'ARGUMENT', [2])


def softmax_backward_case(cases, op, grad, y, axis):
    name, (g, p) = grad.dtype, along(axis, [grad.array, y.array])
    u = unit(compute_type(name))
    values, bounds = [], []
    for index in np.ndindex(g.shape[:-1]):
        gs = [mpf(v) for v in numbers_of(g[index])]
        ys = [mpf(v) for v in numbers_of(p[index])]
        steps = steps_of(len(gs)) + 6
        if op == 'softmax_backward':
            total = mpmath.fsum(a * b for a, b in zip(gs, ys))
            size = mpmath.fsum(abs(a * b) for a, b in zip(gs, ys))
            values += [b * (a - total) for a, b in zip(gs, ys)]
            bounds += [abs(b) * (steps * size + 4 * (abs(a) + abs(total))) * u
                       for a, b in zip(gs, ys)]
        else:
            total, size = mpmath.fsum(gs), mpmath.fsum(map(abs, gs))
            values += [a - mpmath.exp(b) * total for a, b in zip(gs, ys)]
            bounds += [(mpmath.exp(b) * (steps * size + 8 * abs(total)) + 4 * abs(a)) * u
                       for a, b in zip(gs, ys)]
    cases.add(op, [grad, y], [back(axis, result(name, values, bounds, g.shape))], [axis])


# -- norms -----------------------------------------------------------------------------------------

def moments(row, op, epsilon):
    """Mean (0 for the RMS norm) and 1 / sqrt(variance + epsilon)."""
    n = len(row)
    mean = mpmath.fsum(row) / n if op == 'layer' else mpf(0)
    return mean, 1 / mpmath.sqrt(mpmath.fsum((v - mean) ** 2 for v in row) / n + mpf(epsilon))


def norm_bounds(row, scales, shifts, mean, factor, u):
    """Of ((x - mean) factor) scale + shift: the mean has an error of its steps, the factor of half
    those of the variance."""
    steps = steps_of(len(row)) + 8
    most = max(abs(v) for v in row)
    return [
        abs(s) * factor * u * (steps * abs(v - mean) + 2 * steps * (most if mean else 0) *
                               (1 + factor * abs(v - mean))) + 4 * u * (abs(
                                   (v - mean) * factor * s) + abs(b))
        for v, s, b in zip(row, scales, shifts)
    ]


def norm_case(cases, op, x, weight, bias, epsilon):
    name, which = x.dtype, op.split('_')[0]
    d = x.shape[-1]
    ones, zeros = [mpf(1)] * d, [mpf(0)] * d
    scales = [mpf(v) for v in numbers_of(weight.array)] if weight else ones
    shifts = [mpf(v) for v in numbers_of(bias.array)] if bias and which == 'layer' else zeros
    values, bounds = [], []
    for index in np.ndindex(x.shape[:-1]):
        row = [mpf(v) for v in numbers_of(x.array[index])]
        if not row:
            continue
        mean, factor = moments(row, which, epsilon)
        values += [(v - mean) * factor * s + b for v, s, b in zip(row, scales, shifts)]
        bounds += norm_bounds(row, scales, shifts, mean, factor, unit(name))
    inputs = [x, weight] if which == 'rms' else [x, weight, bias]
    cases.add(op, inputs, [result(name, values, bounds, x.shape)], numbers=[epsilon])


def add_norms(cases):
    for op in ('rms_norm', 'layer_norm'):
        random = Random(op)
        for name in REALS:
            for shape in ((4,), (3, 5), (2, 3, 4), (2, 70), (1, 1), (0, 3)):
                for epsilon in (1e-5, 0.5):
                    x = random_tensor(random, name, shape)
                    weight, bias = [random_tensor(random, name, shape[-1:]) for _ in range(2)]
                    norm_case(cases, op, x, weight, bias, epsilon)
                    if op == 'layer_norm':
                        norm_case(cases, op, x, None, None, epsilon)
                        norm_case(cases, op, x, weight, None, epsilon)
        x, w = random_array(random, 'f32', (3, 4)), random_array(random, 'f32', (3,))
        cases.fail(op, [x, w, w], 'SHAPE', numbers=[1e-5])
        x, w = x[:, :3].astype(np.float16), w.astype(np.float16)
        cases.fail(op, [x, w, w], 'DTYPE', numbers=[1e-5])


def norm_backward_case(cases, op, grad, x, weight, epsilon, wanted):
    """With h = (x - mean) r and k = g w: r (k - mean(k) - h mean(k h)), without mean(k) for the RMS
    norm; weights: sum of g h over rows; biases: sum of g."""
    name, which, d = x.dtype, op.split('_')[0], x.shape[-1]
    u = unit(name)
    scales = [mpf(v) for v in numbers_of(weight.array)] if weight else [mpf(1)] * d
    values, bounds = [], []
    sums, sizes = [mpf(0)] * (2 * d), [mpf(0)] * (2 * d)
    rows = 0
    for index in np.ndindex(x.shape[:-1]):
        row, gs = [[mpf(v) for v in numbers_of(a.array[index])] for a in (x, grad)]
        mean, r = moments(row, which, epsilon)
        h = [(v - mean) * r for v in row]
        k = [g * s for g, s in zip(gs, scales)]
        flat = mpmath.fsum(k) / d if which == 'layer' else mpf(0)
        tilt = mpmath.fsum(a * b for a, b in zip(k, h)) / d
        values += [r * (a - flat - b * tilt) for a, b in zip(k, h)]
        size = max(map(abs, k))
        steps = steps_of(d) + 12
        wobble = max(abs(v) for v in row) * r if which == 'layer' else max(map(abs, h))
        bounds += [r * size * u * 4 * steps * (1 + wobble) * (1 + max(map(abs, h)) ** 2)] * d
        for i in range(d):
            sums[i] += gs[i] * h[i]
            sums[d + i] += gs[i]
            sizes[i] += abs(gs[i]) * (abs(h[i]) + wobble) * steps * 2
            sizes[d + i] += abs(gs[i])
        rows += 1
    steps = steps_of(rows) + 8 + rows
    outputs = [result(name, values, bounds, x.shape),
               result(name, sums[:d], [s * u * steps for s in sizes[:d]], (d,)),
               result(name, sums[d:], [s * u * steps for s in sizes[d:]], (d,))]
    outputs = outputs[:2] if which == 'rms' else outputs
    mask = sum(1 << i for i in wanted if i < len(outputs))
    chosen = [y for i, y in enumerate(outputs) if mask >> i & 1]
    cases.add(op, [grad, x, weight], chosen, [mask], [epsilon])


def add_norm_backward(cases):
    for op in ('rms_norm_backward', 'layer_norm_backward'):
        random = Random(op)
        for name in REALS:
            for shape in ((4,), (3, 5), (2, 3, 4), (2, 70), (1, 2)):
                for wanted in ((0, 1, 2), (0,), (1,)):
                    grad, x = [random_tensor(random, name, shape) for _ in range(2)]
                    weight = random_tensor(random, name, shape[-1:])
                    norm_backward_case(cases, op, grad, x, weight, 1e-3, wanted)
                norm_backward_case(cases, op, grad, x, None, 1e-3, (0, 1, 2))
        x = random_array(random, 'f32', (3, 4))
        cases.fail(op, [random_array(random, 'f32', (3, 3)), x, x[0]], 'SHAPE', [1], [1e-5])


# -- losses ----------------------------------------------------------------------------------------

def entropy_parts(logits, targets):
    rows = [numbers_of(row) for row in logits.array]
    return rows, numbers_of(targets.array)


def add_cross_entropy(cases):
    random = Random('cross_entropy')
    for name in REALS:
        for n, v in ((1, 1), (3, 4), (5, 7), (2, 70), (17, 3)):
            logits = random_tensor(random, name, (n, v))
            kind = random.pick(['i32', 'i64'])
            targets = lay_out(random, np.array([random.below(v) for _ in range(n)], NUMPY[kind]),
                              random.pick(['plain', 'step', 'negative']))
            rows, which = entropy_parts(logits, targets)
            u, steps = unit(name), steps_of(v) + 10
            losses = [-softmax_row(r)[1][t] for r, t in zip(rows, which)]
            reach = max(max(r) - min(r) for r in rows)
            bound = (steps + 6 * reach + steps_of(n) * reach) * u
            y = result(name, [mpmath.fsum(losses) / n], [bound], ())
            cases.add('cross_entropy', [logits, targets], [y])
            grad = random_array(random, name, ())
            g = mpf(float(grad))
            values, bounds = [], []
            for r, t in zip(rows, which):
                chances = softmax_row(r)[0]
                values += [g / n * (p - (i == t)) for i, p in enumerate(chances)]
                bounds += [abs(g) / n * (steps + 2 * reach) * u * (p + (i == t))
                           for i, p in enumerate(chances)]
            cases.add('cross_entropy_backward', [grad, logits, targets],
                      [result(name, values, bounds, (n, v))])
        refuse_entropy(cases, random, name)


def refuse_entropy(cases, random, name):
    logits = random_array(random, name, (3, 4))
    grad = random_array(random, name, ())
    for bad in ([0, 1, 4], [0, -1, 2]):
        targets = np.array(bad, np.int64)
        cases.fail('cross_entropy', [logits, targets], 'ARGUMENT')
        cases.fail('cross_entropy_backward', [grad, logits, targets], 'ARGUMENT')
    cases.fail('cross_entropy', [logits, np.array([0, 1], np.int64)], 'SHAPE')
    cases.fail('cross_entropy', [logits, np.array([0, 1, 2], np.float32)], 'DTYPE')


def add_cases(cases):
    add_softmax(cases)
    add_softmax_backward(cases)
    add_norms(cases)
    add_norm_backward(cases)
    add_cross_entropy(cases)
