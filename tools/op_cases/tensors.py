# SPDX-License-Identifier: MIT
"""Operands: values, shapes, and how elements lie in memory."""

import math

import numpy as np

from .numbers import (FORMATS, NAMES, NUMPY, array_of, highest, is_float, largest, lowest,
                      round_float, tiniest, wrap)


class Tensor:
    """Elements in a base of their own: shape, strides and offset count elements. `formula`, when
    there is one, makes the base (see fill)."""

    def __init__(self, base, shape, strides, offset=0, formula=None, dtype=None):
        self.base, self.shape, self.strides = base, tuple(shape), tuple(strides)
        self.offset, self.formula = offset, formula
        self.dtype = dtype or NAMES[base.dtype]

    @property
    def array(self):
        size = self.base.itemsize
        if 0 in self.shape:
            return np.zeros(self.shape, self.base.dtype)
        return np.lib.stride_tricks.as_strided(
            self.base[self.offset:], self.shape, [s * size for s in self.strides]).copy()


def contiguous_strides(shape):
    strides, step = [], 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= max(n, 1)
    return strides


def plain(array):
    return Tensor(
        np.ascontiguousarray(array).ravel(), array.shape, contiguous_strides(array.shape))


def fill(name, count, shape, factor, addend, modulus, centre, scale):
    """((i * factor + addend) mod modulus - centre) * scale: long operands need no bytes in the
    file. The products are exact in the type."""
    i = np.arange(count, dtype=np.int64)
    whole = (i * factor + addend) % modulus - centre
    base = (whole * scale).astype(NUMPY[name])
    return Tensor(base, shape, contiguous_strides(shape), 0,
                  (factor, addend, modulus, centre, scale))


# -- layouts ---------------------------------------------------------------------------------------

LAYOUTS = ['plain', 'permuted', 'negative', 'step', 'offset', 'broadcast', 'mixed', 'mixed']


def lay_out(random, array, kind):
    """The array at this layout; broadcasting repeats its first slice along an axis."""
    rank = array.ndim
    if kind == 'plain' or rank == 0 and kind != 'offset':
        return plain(array)
    order, flips, steps, repeated = list(range(rank)), [False] * rank, [1] * rank, []
    before = random.between(1, 3) if kind in ('offset', 'mixed') else 0
    if kind in ('permuted', 'mixed') and rank > 1:
        order = random.shuffled(order)
    if kind in ('negative', 'mixed'):
        flips = [random.chance(0.5) for _ in range(rank)]
        flips[random.below(rank) if rank else 0] |= kind == 'negative'
    if kind in ('step', 'mixed'):
        steps = [random.between(1, 3) for _ in range(rank)]
        steps[-1] = array.shape[-1] + 1 if random.chance(0.2) else max(steps[-1], 2)
    if rank and (kind == 'broadcast' or kind == 'mixed' and random.chance(0.2)):
        repeated = [random.below(rank)]
    strides, inner = [0] * rank, 1
    for axis in reversed(order):
        n = 1 if axis in repeated else max(array.shape[axis], 1)
        strides[axis] = 0 if axis in repeated else inner * steps[axis]
        inner = inner * steps[axis] * (n - 1) + inner
    base = np.resize(array.ravel()[::-1], inner + before) if array.size else \
        np.zeros(inner + before, array.dtype)
    offset = before
    for axis in range(rank):
        if flips[axis] and array.shape[axis] > 0:
            offset += strides[axis] * (array.shape[axis] - 1)
            strides[axis] = -strides[axis]
    result = Tensor(base.copy(), array.shape, strides, offset)
    if array.size:
        for index in np.ndindex(array.shape):
            if all(index[axis] == 0 for axis in repeated):
                result.base[offset + sum(i * s for i, s in zip(index, strides))] = array[index]
    return result


# -- values ----------------------------------------------------------------------------------------

def special_floats(name):
    precision, low, _ = FORMATS[name]
    tiny, most = tiniest(name), largest(name)
    smallest = math.ldexp(1.0, low)
    return [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5, 3.0, math.inf, -math.inf, math.nan,
            tiny, -tiny, smallest, smallest - tiny, most, -most,
            1 + 2.0 ** (1 - precision), 1 - 2.0 ** -precision]


def special_integers(name):
    if name == 'bool':
        return [0, 1]
    low, high = lowest(name), highest(name)
    return sorted({0, 1, 2, 3, 7, low, low + 1, high, high - 1, high // 2 + 1, wrap(name, -1),
                   wrap(name, -2), wrap(name, -7)})


def specials(name):
    return special_floats(name) if is_float(name) else special_integers(name)


def random_number(random, name, size=4.0):
    """Ordinary: floats of magnitude `size`, integers small enough to multiply."""
    if is_float(name):
        return round_float(name, random.normal() * size)
    if name == 'bool':
        return random.below(2)
    return random.between(max(lowest(name), -int(size * 3)), int(size * 3))


def random_array(random, name, shape, size=4.0, share=0.0):
    """`share` of the elements are special ones."""
    count = int(np.prod(shape, dtype=np.int64))
    values = [random.pick(specials(name)) if share and random.chance(share)
              else random_number(random, name, size) for _ in range(count)]
    return array_of(name, values, shape)


def random_tensor(random, name, shape, layout=None, size=4.0, share=0.0):
    array = random_array(random, name, shape, size, share)
    return lay_out(random, array, layout or random.pick(LAYOUTS))


def positive_tensor(random, name, shape, layout=None, size=4.0):
    array = abs(random_array(random, name, shape, size))
    return lay_out(random, array, layout or random.pick(LAYOUTS))


# -- shapes ----------------------------------------------------------------------------------------

SHAPES = [(7,), (3, 4), (2, 3, 4), (1, 5), (5, 1), (2, 1, 3, 2), (17,), (1,), (2, 2, 2, 1, 2),
          (1, 2, 1, 2, 1, 1, 2, 3), (33,), (9, 5)]
ODD_SHAPES = [(), (0,), (3, 0), (0, 4, 2), (1,), (1, 1, 1), (2, 1, 2, 1, 2, 1, 2, 1)]
BROADCASTS = [((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 1, 3), (4, 1)), ((5,), ()),
              ((1, 1, 2), (3, 2, 1)), ((0, 3), (1, 3)), ((1,), (0,)), ((2, 3, 1, 2), (3, 4, 1)),
              ((1, 2, 1, 2, 1, 2, 1, 2), (2, 1, 2, 1, 2)), ((7, 1), (7, 5)), ((3, 2), (3, 2))]
