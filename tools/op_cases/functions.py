# SPDX-License-Identifier: MIT
"""Transcendental functions and activations with their backward forms, at 160 bits."""

import math
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mpf

from .cases import Expected
from .elementwise import (INFINITY, INTEGER2, NAN, add, are_finite, evaluate, long_operand,
                          multiply, relu, relu2, special_pairs, special_tensor)
from .numbers import (FLOATS, NUMBERS, PLAIN, Random, array_of, cast_array, compute_type,
                      float_for, is_float, narrow_word, numbers_of, promote, round_to, tiniest,
                      to_fraction, unit)
from .tensors import BROADCASTS, ODD_SHAPES, SHAPES, plain, random_array, random_tensor

# Largest errors in F64 that docs/numerics.md states, in units of the last place; 1 in other types.
ULPS = dict(exp=1, log=1, log2=1, log1p=1, acos=1, atan=1, expm1=2, asin=2, cosh=2, erf=2,
            sigmoid=2, softplus=2, tan=2, sin=3, cos=3, sinh=3, tanh=3, gelu_tanh=3, gelu=5,
            silu=4, atan2=2, pow=2)


def with_specials(function, quick, lowest=-INFINITY, highest=INFINITY):
    """`function` of finite numbers inside the bounds and not 0; `quick`, in double, of others."""
    def of(a):
        if math.isfinite(a) and lowest < a < highest and a != 0:
            return function(mpf(a))
        with np.errstate(all='ignore'):
            return float(quick(np.float64(a)))
    return of


def sigmoid(a):
    return 1 / (1 + mpmath.exp(-a))


def gelu(a):
    return a / 2 * mpmath.erfc(-a / mpmath.sqrt(2))


def gelu_tanh(a):
    """x / 2 (1 + tanh(u)) = x sigmoid(2 u)."""
    return a * sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (a + mpf('0.044715') * a ** 3))


def softplus(a):
    return mpmath.log1p(mpmath.exp(a))


def erf_quick(a):
    return a if a == 0 or math.isnan(a) else math.copysign(1, a)


def at_infinity(right, left):
    """Of +-infinity these; 0 and NaN stay."""
    return lambda a: right if a == INFINITY else left if a == -INFINITY else a


FUNCTIONS = dict(
    exp=with_specials(mpmath.exp, np.exp), expm1=with_specials(mpmath.expm1, np.expm1),
    log=with_specials(mpmath.log, np.log, 0), log2=with_specials(lambda a: mpmath.log(a, 2),
                                                               np.log2, 0),
    log1p=with_specials(mpmath.log1p, np.log1p, -1), sin=with_specials(mpmath.sin, np.sin),
    cos=with_specials(mpmath.cos, np.cos), tan=with_specials(mpmath.tan, np.tan),
    asin=with_specials(mpmath.asin, np.arcsin, -1 - 2.0 ** -52, 1 + 2.0 ** -52),
    acos=with_specials(lambda a: mpmath.acos(a) if a != 1 else 0.0, lambda a: np.arccos(a)
                       if a != 0 else mpmath.pi / 2, -1 - 2.0 ** -52, 1 + 2.0 ** -52),
    atan=with_specials(mpmath.atan, np.arctan), sinh=with_specials(mpmath.sinh, np.sinh),
    cosh=with_specials(mpmath.cosh, np.cosh), tanh=with_specials(mpmath.tanh, np.tanh),
    erf=with_specials(mpmath.erf, erf_quick),
    sigmoid=with_specials(sigmoid, lambda a: 0.5 if a == 0 else at_infinity(1.0, 0.0)(a)),
    silu=with_specials(lambda a: a * sigmoid(a), at_infinity(INFINITY, NAN)),
    gelu=with_specials(gelu, at_infinity(INFINITY, -0.0)),
    gelu_tanh=with_specials(gelu_tanh, at_infinity(INFINITY, -0.0)),
    softplus=with_specials(softplus, lambda a: mpmath.log(2) if a == 0 else
                           at_infinity(INFINITY, 0.0)(a)))

# Arguments where something happens: ranges, turning points, thresholds of overflow.
POINTS = dict(exp=[88.7, -87.4, -103.9, -104.1, 709.7, -708.5, -745.1, 1e-5, 11.0, -9.8, -17.0],
              expm1=[1e-10, -1e-10, 1e-3, 0.3, -0.3, 88.7, -40.0, 709.7],
              log=[2.0, 10.0, 1.0001, 0.9999, 1e-30, 1e30, 1e300, 5e-324],
              log2=[2.0, 8.0, 0.125, 1.0001],
              log1p=[1e-10, -1e-10, -0.9999, 1e10, -0.5],
              sin=[3.14159, 1e5, 1e10, 1e22, 1e-5, 1e300, 710.0],
              cos=[1.5707963, 1e5, 1e10, 1e22, 1e-5, 1e300],
              tan=[1.5707963, 1e5, 1e22, 1e-5, 0.785398],
              asin=[0.5, 0.99999, 1.0001, -2.0, 1e-5],
              acos=[0.5, 0.99999, 1.0001, -2.0, 1e-5, -0.99999],
              atan=[1e-5, 1e10, 0.4375, 2.4375],
              sinh=[1e-5, 88.0, 89.4, 710.4, 20.0, 0.3],
              cosh=[1e-5, 88.0, 89.4, 710.4, 20.0],
              tanh=[1e-5, 0.3, 9.0, 20.0, 0.54],
              erf=[1e-5, 0.5, 0.84, 1.2, 2.0, 3.9, 5.9],
              sigmoid=[-88.0, -103.0, 20.0, 40.0, -700.0],
              silu=[-20.0, -80.0, 20.0, 1e-5],
              gelu=[-5.0, -3.0, 5.0, 1e-5, 0.7],
              softplus=[-80.0, 20.0, 40.0],
              gelu_tanh=[-5.0, -3.0, 5.0, 1e-5, 0.7])


def function_ulps(op, kind):
    return ULPS[op] if kind == 'f64' or op == 'silu' and kind == 'f32' else 1


def silu_bound(op, kind):
    """x / (1 + exp(-x)) in F32: from -88.72 down the exponential overflows and the result is 0."""
    return 2.4e-37 if op == 'silu' and kind == 'f32' else None


def add_functions(cases):
    for op, function in FUNCTIONS.items():
        random = Random(op)
        names = FLOATS if op in ('gelu', 'gelu_tanh') else PLAIN
        for name in names:
            points = POINTS[op] + [-p for p in POINTS[op]]
            points = [round_to(name, p) for p in points] if is_float(name) else [-1, 0, 1, 2, 5]
            if name in ('bool', 'u8'):
                points = [p for p in points if p in (0, 1)]
            operands = [special_tensor(name), plain(array_of(name, points, (len(points),)))]
            for size in (1.0, 4.0):
                operands.append(random_tensor(random, name, random.pick(SHAPES), size=size))
            operands.append(random_tensor(random, name, random.pick(ODD_SHAPES), size=0.5))
            if name == 'f16':
                operands.append(long_operand(name, 7, 2))
            kind = float_for(name)
            for x in operands:
                if name == 'f64' and op in ('gelu', 'gelu_tanh', 'silu'):
                    x = within(x)
                y = evaluate(function, [x.array], kind, kind)
                cases.add(op, [x], [Expected(y, function_ulps(op, kind), silu_bound(op, kind))])


def within(x):
    """Arguments for which docs/numerics.md states an error: up to 2^4, or special."""
    with np.errstate(invalid='ignore'):
        x.base[(abs(x.base) > 16) & np.isfinite(x.base)] = 16
    return x


# -- two operands ----------------------------------------------------------------------------------

def power(a, b):
    if are_finite(a, b) and a != 0 and b != 0 and (a > 0 or float(b).is_integer()):
        size = mpf(abs(a)) ** mpf(b)
        return -size if a < 0 and b % 2 == 1 else size
    is_odd = math.isfinite(b) and b % 2 == 1
    if a == 0 and b < 0:
        return math.copysign(INFINITY, a) if is_odd else INFINITY
    return NAN if are_finite(a, b) and a < 0 and not float(b).is_integer() else math.pow(a, b)


def angle(a, b):
    if are_finite(a, b) and a != 0:
        return mpmath.atan2(mpf(a), mpf(b))
    quick = float(np.arctan2(np.float64(a), np.float64(b)))
    return quick if quick == 0 or math.isnan(quick) else mpmath.pi * round(quick / math.pi * 4) / 4


def add_two(cases):
    for op, function in (('pow', power), ('atan2', angle)):
        random = Random(op)
        for name in NUMBERS if op == 'pow' else PLAIN:
            pairs = [special_pairs(name)]
            for shapes in [random.pick(BROADCASTS) for _ in range(4)]:
                pairs.append(
                    [random_tensor(random, name, s, share=0.05, size=2.0) for s in shapes])
            for other in [random.pick(NUMBERS) for _ in range(4)] if op == 'atan2' else NUMBERS:
                shapes = random.pick(BROADCASTS)
                pairs.append([random_tensor(random, n, s, size=2.0)
                              for n, s in zip((name, other), shapes)])
            for a, b in pairs:
                kind = promote(a.dtype, b.dtype)
                kind = float_for(kind) if op == 'atan2' else kind
                which = function if is_float(kind) else INTEGER2[op]
                y = evaluate(which, [a.array, b.array], kind, kind)
                cases.add(op, [a, b], [Expected(y, function_ulps(op, kind)
                                                if is_float(kind) else 0)])


# -- fused forms -----------------------------------------------------------------------------------

ACTIVATIONS = [None, relu, relu2] + [FUNCTIONS[f] for f in
                                     ('sigmoid', 'silu', 'gelu', 'gelu_tanh', 'tanh')]
NAMED = ['', '', '', 'sigmoid', 'silu', 'gelu', 'gelu_tanh', 'tanh']


def add_bias_activation(cases):
    """The bits of the two steps: the sum is rounded first. Half floats stay in F32 between."""
    random = Random('bias_activation')
    for name in FLOATS:
        for activation in range(8):
            for shapes in (((3, 4), (4,)), ((2, 3, 1), (5,)), ((6,), ())):
                x, bias = [random_tensor(random, name, s) for s in shapes]
                if name == 'f64':
                    x, bias = within(x), within(bias)
                step = compute_type(name)
                total = evaluate(add, [x.array, bias.array], name, step)
                if ACTIVATIONS[activation] is not None:
                    total = evaluate(ACTIVATIONS[activation], [total], step, name)
                ulps = function_ulps(NAMED[activation], name) if NAMED[activation] else 0
                cases.add('bias_activation', [x, bias], [Expected(cast_array(name, total), ulps)],
                          [activation])
    x = random_array(random, 'f32', (3,))
    cases.fail('bias_activation', [x, x], 'ARGUMENT', [8])
    cases.fail('bias_activation', [x, x], 'ARGUMENT', [-1])


def add_dropout(cases):
    """Element i is 0 where word i as a number in [0, 1) is below the probability."""
    random = Random('dropout')
    for name in FLOATS:
        for probability in (0.5, 0.75, 0.1, 0.0):
            x = random_tensor(random, name, random.pick(SHAPES), share=0.1)
            seed = random.below(1 << 62)
            keep = Fraction(1) - Fraction(probability)
            values = [multiply_by(v, 1 / keep) if narrow_word(seed, i) / 2 ** 32 >= probability
                      else 0.0 for i, v in enumerate(numbers_of(x.array))]
            y = array_of(name, [round_to(name, v) for v in values], x.shape)
            cases.add('dropout', [x], [Expected(y, 0 if probability != 0.1 else 2)], [seed],
                      [probability])
    x = random_array(random, 'f32', (3,))
    for probability in (1.0, -0.1, NAN):
        cases.fail('dropout', [x], 'ARGUMENT', [1], [probability])


def multiply_by(x, factor):
    return Fraction(x) * factor if math.isfinite(x) and x != 0 else x


# -- backward forms --------------------------------------------------------------------------------

def normal_density(x):
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def gelu_slope(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2, x * normal_density(x)


def gelu_tanh_slope(x):
    c, k = mpmath.sqrt(2 / mpmath.pi), mpf('0.044715')
    u = c * (x + k * x ** 3)
    return (1 + mpmath.tanh(u)) / 2, x / 2 * mpmath.sech(u) ** 2 * c * (1 + 3 * k * x * x)


def silu_slope(x):
    s = sigmoid(x)
    return s, x * s * (1 - s)


# The terms of the slope at x (or y): their sum is the slope, their sizes bound the error.
SLOPES = dict(
    silu_backward=silu_slope, gelu_backward=gelu_slope, gelu_tanh_backward=gelu_tanh_slope,
    softplus_backward=lambda x: (sigmoid(x),), sigmoid_backward=lambda y: (y, -y * y),
    tanh_backward=lambda y: (mpf(1), -y * y),
    relu_backward=lambda x: (mpf(1 if x > 0 else 0),),
    relu2_backward=lambda x: (2 * x if x > 0 else mpf(0),))
STEPS = 12  # roundings, and errors of functions in units of one, on the way to a slope


def slope_case(cases, op, grad, x, slope, numbers, is_exact):
    name = promote(grad.dtype, x.dtype)
    grads, arguments = np.broadcast_arrays(grad.array, x.array)
    values, bounds = [], []
    for g, a in zip(numbers_of(grads), numbers_of(arguments)):
        terms = slope(mpf(a))
        total = mpmath.fsum(terms)
        if op == 'leaky_relu_backward' and total == 0:
            values.append(g * (1.0 if a > 0 else numbers[0]))
        else:
            values.append(round_to(name, to_fraction(mpf(g) * total)))
        size = abs(mpf(g)) * mpmath.fsum(abs(t) for t in terms)
        bounds.append(float(size) * STEPS * unit(compute_type(name)) + 2 * tiniest(name))
    y = array_of(name, values, grads.shape)
    bounds = None if is_exact else np.array(bounds).reshape(grads.shape)
    cases.add(op, [grad, x], [Expected(y, 0 if is_exact else 1, bounds)], numbers=numbers)


def add_backward(cases):
    for op, slope in list(SLOPES.items()) + [('leaky_relu_backward', None)]:
        random = Random(op)
        for name in FLOATS:
            for shapes in (((3, 4), (4,)), ((7,), (7,)), ((), (2, 3)), ((0, 3), (1, 3)),
                           ((2, 3, 4), (2, 3, 4))):
                grad, x = [random_tensor(random, name, s, size=2.0) for s in shapes]
                if op in ('sigmoid_backward', 'tanh_backward'):
                    x = random_tensor(random, name, shapes[1], size=0.33)
                numbers, of = [], slope
                if op == 'leaky_relu_backward':
                    numbers = [random.pick([0.25, -0.5, 0.0])]
                    of = leaky_slope(numbers[0])
                slope_case(cases, op, grad, x, of, numbers, 'relu' in op)
        x = random_tensor(random, 'bf16', (5,), size=0.3)
        grad = random_tensor(random, 'f32', (5,))
        slope_case(cases, op, grad, x, slope or leaky_slope(0.5), [] if slope else [0.5],
                   'relu' in op)
        cases.fail(op, [random_array(random, 'f32', (3,)), random_array(random, 'f32', (4,))],
                   'SHAPE', numbers=[0.5])


def leaky_slope(p):
    return lambda x: (mpf(1 if x > 0 else p),)


def add_leaky(cases):
    random = Random('leaky_relu')
    for name in FLOATS:
        for slope in (0.25, -0.5, 0.0):
            for x in (special_tensor(name), random_tensor(random, name, random.pick(SHAPES))):
                y = evaluate(lambda a: multiply(a, slope) if a < 0 else a, [x.array], name, name)
                cases.add('leaky_relu', [x], [y], numbers=[slope])


def add_cases(cases):
    add_functions(cases)
    add_two(cases)
    add_bias_activation(cases)
    add_dropout(cases)
    add_leaky(cases)
    add_backward(cases)
