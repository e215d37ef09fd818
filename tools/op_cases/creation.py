# SPDX-License-Identifier: MIT
"""Tensors made of numbers: the formulas of docs/numerics.md."""

import math
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mpf

from .cases import Expected
from .numbers import (CODES, FLOATS, INTEGERS, PLAIN, NUMPY, Random, array_of, cast_number,
                      highest, is_float, lowest, narrow_word, round_float, wide_word)

SHAPES = [(3, 4), (), (0,), (17,), (2, 1, 3), (1, 1, 1, 1, 1, 1, 1, 2)]
UNIFORM_BITS = dict(f32=24, f16=11, bf16=8)
STATUS_NUMBERS = [('i8', 128.0), ('u8', -1.0), ('bool', 2.0), ('i32', 0.5), ('f16', 65520.0),
                  ('i64', 9223372036854775808.0), ('i16', math.nan)]


def add_constants(cases):
    random = Random('full')
    for name in PLAIN:
        code = CODES[name]
        for shape in SHAPES:
            cases.add('empty', [], [Expected(np.zeros(shape, NUMPY[name]), is_shape=True)],
                      [code, *shape])
            cases.add('zeros', [], [np.zeros(shape, NUMPY[name])], [code, *shape])
            cases.add('ones', [], [np.ones(shape, NUMPY[name])], [code, *shape])
        values = [0.1, -0.0, math.inf, math.nan, 1e-7, 3.0] if is_float(name) else [0.0, 1.0]
        if name in ('i8', 'u8', 'i16', 'i32'):
            values += [float(highest(name)), float(lowest(name))]
        for value in values:
            shape = random.pick(SHAPES)
            number = cast_number(name, value, 'f64')
            y = array_of(name, [number] * math.prod(shape), shape)
            cases.add('full', [], [y], [code, *shape], [value])
        for rows, columns, diagonal in ((3, 4, 0), (3, 3, 1), (4, 2, -2), (0, 3, 0), (2, 2, 5),
                                        (1, 1, 0)):
            y = np.eye(rows, columns, diagonal).astype(NUMPY[name])
            cases.add('eye', [], [y], [code, rows, columns, diagonal])
    for name, value in STATUS_NUMBERS:
        cases.fail('full', [], 'ARGUMENT', [CODES[name], 3], [value])
    cases.fail('full', [], 'SHAPE', [0, -1], [1.0])
    cases.fail('zeros', [], 'SHAPE', [0, 1 << 40, 1 << 40])
    cases.fail('ones', [], 'DTYPE', [CODES['q8_0'], 32])


def add_ranges(cases):
    for name in PLAIN:
        code = CODES[name]
        ranges = [(0, 7, 1), (5, -3, -2), (0, 0, 1), (3, 1, 1)] if name not in ('bool', 'u8') else \
            [(0, 2, 1), (1, -1, -1), (0, 0, 1)]
        if is_float(name):
            ranges += [(0.0, 1.0, 0.1), (-1.0, 1.0, 0.3), (1.5, 1.75, 0.0625)]
        elif name not in ('bool', 'u8'):
            ranges += [(0, 6.5, 1), (-4, 4, 3)]
        for start, stop, step in ranges:
            count = max(0, math.ceil((stop - start) / step))
            values = [
                float(
                    np.float64(round_float('f64',
                                           Fraction(i) * Fraction(step) + Fraction(start))))
                for i in range(count)
            ]
            y = array_of(name, [cast_number(name, v, 'f64') for v in values], (count,))
            cases.add('arange', [], [y], [code], [float(start), float(stop), float(step)])
        ends = [(0.0, 1.0, 2), (0.0, 1.0, 1), (1.0, 0.0, 3), (0.0, 0.0, 4), (0.0, 1.0, 0)]
        if name != 'bool':
            ends += [(0.0, 10.0, 7), (1.0, 100.0, 12)]
        if name not in ('bool', 'u8'):
            ends += [(-3.0, 2.0, 9)]
        for start, stop, count in ends:
            step = (stop - start) / (count - 1) if count > 1 else 0.0
            values = [start + i * step for i in range(count)]
            if count > 1:
                values[-1] = stop
            if not is_float(name):
                values = [float(math.floor(v)) for v in values]
            y = array_of(name, [cast_number(name, v, 'f64') for v in values], (count,))
            cases.add('linspace', [], [y], [code, count], [start, stop])
    cases.fail('arange', [], 'ARGUMENT', [0], [0.0, 1.0, 0.0])
    cases.fail('arange', [], 'ARGUMENT', [CODES['i32']], [0.0, 1.0, 0.5])
    cases.fail('arange', [], 'ARGUMENT', [0], [0.0, math.nan, 1.0])
    cases.fail('linspace', [], 'ARGUMENT', [0, -1], [0.0, 1.0])


# -- random numbers --------------------------------------------------------------------------------

def uniform(name, seed, i):
    if name == 'f64':
        return (wide_word(seed, i) >> 11) * 2.0 ** -53
    return (narrow_word(seed, i) >> 32 - UNIFORM_BITS[name]) * 2.0 ** -UNIFORM_BITS[name]


def normal(name, seed, i):
    """Box and Muller 1958: numbers i and i + 1, i even."""
    even = i - i % 2
    if name == 'f64':
        u = (mpf(wide_word(seed, even) >> 12) + 0.5) / mpf(2) ** 52
        v = mpf(wide_word(seed, even + 1) >> 11) / mpf(2) ** 53
    else:
        u = (mpf(narrow_word(seed, even)) + 0.5) / mpf(2) ** 32
        v = mpf(narrow_word(seed, even + 1)) / mpf(2) ** 32
    angle = 2 * mpmath.pi * v
    return mpmath.sqrt(-2 * mpmath.log(u)) * (mpmath.sin(angle) if i % 2 else mpmath.cos(angle))


def add_random(cases):
    random = Random('random')
    for name in FLOATS:
        for shape in SHAPES + [(5, 7)]:
            seed, count = random.below(1 << 62), math.prod(shape)
            ints = [CODES[name], seed, *shape]
            cases.add('rand', [],
                      [array_of(name, [uniform(name, seed, i) for i in range(count)], shape)],
                      ints)
            y = array_of(name, [round_float(name, normal(name, seed, i)) for i in range(count)],
                         shape)
            # the angle is rounded in F64: 2 pi 2^-53, times a radius of at most 8.6
            cases.add('randn', [], [Expected(y, 4 if name == 'f64' else 1, 1e-14)], ints)
    for name in INTEGERS:
        for shape in SHAPES:
            seed, count = random.below(1 << 62), math.prod(shape)
            low, high = random.pick([(0, 10), (0, 1), (lowest(name), highest(name)), (3, 101)])
            y = [low + (wide_word(seed, i) * (high - low) >> 64) for i in range(count)]
            cases.add('randint', [], [array_of(name, y, shape)],
                      [CODES[name], seed, low, high, *shape])
    for name in PLAIN:
        for shape in SHAPES:
            seed, count = random.below(1 << 62), math.prod(shape)
            p = random.pick([0.0, 1.0, 0.5, 0.3])
            y = [int(uniform('f64', seed, i) < p) for i in range(count)]
            cases.add('bernoulli', [], [array_of(name, y, shape)], [CODES[name], seed, *shape],
                      [p])
    cases.fail('rand', [], 'DTYPE', [CODES['i32'], 1, 3])
    cases.fail('randn', [], 'DTYPE', [CODES['bool'], 1, 3])
    cases.fail('randint', [], 'DTYPE', [CODES['f32'], 1, 0, 5, 3])
    cases.fail('randint', [], 'ARGUMENT', [CODES['i32'], 1, 5, 5, 3])
    cases.fail('randint', [], 'ARGUMENT', [CODES['i8'], 1, 0, 200, 3])
    for p in (-0.1, 1.1, math.nan):
        cases.fail('bernoulli', [], 'ARGUMENT', [0, 1, 3], [p])


def add_cases(cases):
    add_constants(cases)
    add_ranges(cases)
    add_random(cases)
