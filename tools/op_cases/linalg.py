# SPDX-License-Identifier: MIT
"""Linear algebra. What is not unique (signs and order of vectors) is seen through products that
are. Bounds: backward stable methods, n u times the condition, with a small factor."""

import math

import mpmath
import numpy as np
from mpmath import mpf

from .cases import Expected
from .numbers import REALS, Random, array_of, numbers_of, round_to, unit
from .tensors import lay_out, random_array, random_tensor

FACTOR = 16


def mp(array):
    return mpmath.matrix([[mpf(float(v)) for v in row] for row in array.astype(np.float64)])


def numbers(matrix):
    return [matrix[i, j] for i in range(matrix.rows) for j in range(matrix.cols)]


def near(name, values, shape, bound):
    y = array_of(name, [round_to(name, v if isinstance(v, float) else mpf(v)) for v in values],
                 shape)
    return Expected(y, 1, bound)


def condition(a):
    return float(np.linalg.cond(a.astype(np.float64))) if a.size else 1.0


def stable(name, a, size, power=1):
    """n u cond size."""
    return FACTOR * max(a.shape[-2:]) * unit(name) * condition(a).__pow__(power) * size


def good_matrix(random, name, shape):
    """Well away from singular: ordinary numbers plus a strong diagonal."""
    a = random_array(random, name, shape, size=1.0)
    return (a + 3 * np.eye(*shape)).astype(a.dtype)


def symmetric(random, name, n):
    a = random_array(random, name, (n, n), size=1.0)
    return ((a + a.T) / 2).astype(a.dtype)


def operand(random, array):
    return lay_out(random, array, random.pick(['plain', 'permuted', 'step', 'negative', 'offset']))


SIZES = (1, 2, 3, 5)


def add_systems(cases, random, name):
    for n in SIZES:
        a = good_matrix(random, name, (n, n))
        for columns in (1, 2, 0):
            b = random_tensor(random, name, (n, columns) if columns else (n,))
            right = mp(b.array.reshape(n, -1))
            x = mpmath.inverse(mp(a)) * right
            size = max(abs(float(v)) for v in numbers(x))
            cases.add('solve', [operand(random, a), b],
                      [near(name, numbers(x), b.shape, stable(name, a, size))])
        inverse = mpmath.inverse(mp(a))
        size = max(abs(float(v)) for v in numbers(inverse))
        cases.add('inv', [operand(random, a)], [near(name, numbers(inverse), (n, n),
                                                     stable(name, a, size))])
        det = mpmath.det(mp(a))
        bound = stable(name, a, abs(float(det)))
        cases.add('det', [operand(random, a)], [near(name, [det], (), bound)])
        cases.add('slogdet', [operand(random, a)],
                  [near(name, [mpf(1 if det > 0 else -1)], (), 0.0),
                   near(name, [mpmath.log(abs(det))], (), stable(name, a, 1.0))])
    singular = array_of(name, [1.0, 2.0, 2.0, 4.0], (2, 2))
    cases.fail('solve', [singular, singular], 'ARGUMENT')
    cases.fail('inv', [singular], 'ARGUMENT')
    cases.add('det', [singular], [array_of(name, [0.0], ())])
    cases.add('slogdet', [singular], [array_of(name, [0.0], ()), array_of(name, [-math.inf], ())])
    stack = np.stack([good_matrix(random, name, (2, 2)) for _ in range(3)])
    dets = [mpmath.det(mp(a)) for a in stack]
    cases.add('det', [stack], [near(name, dets, (3,), max(stable(name, a, abs(float(d)))
                                                         for a, d in zip(stack, dets)))])
    for op in ('solve', 'inv', 'det', 'slogdet', 'cholesky', 'eigh', 'eig', 'expm'):
        odd = random_array(random, name, (2, 3))
        cases.fail(op, [odd, odd][:2 if op == 'solve' else 1], 'SHAPE')
        half = random_array(random, 'f16', (2, 2))
        cases.fail(op, [half, half][:2 if op == 'solve' else 1], 'DTYPE')


def add_least(cases, random, name):
    for m, n in ((3, 3), (5, 2), (4, 3)):
        a = good_matrix(random, name, (m, n))
        left = mpmath.inverse(mp(a).T * mp(a)) * mp(a).T
        size = max(abs(float(v)) for v in numbers(left))
        cases.add('pinv', [operand(random, a)],
                  [near(name, numbers(left), (n, m), stable(name, a, size, 2))], numbers=[-1.0])
        turned = np.ascontiguousarray(a.T)
        cases.add('pinv', [turned],
                  [near(name, numbers(left.T), (m, n), stable(name, a, size, 2))],
                  numbers=[-1.0])
        b = random_array(random, name, (m, 2))
        x = left * mp(b)
        size = max(abs(float(v)) for v in numbers(x)) + float(np.abs(b).max())
        cases.add('lstsq', [operand(random, a), b],
                  [near(name, numbers(x), (n, 2), stable(name, a, size, 2))], numbers=[-1.0])


def add_factors(cases, random, name):
    """Products of the factors: they are the matrix to within n u its size."""
    for shape in ((1, 1), (3, 3), (5, 3), (2, 4)):
        a = random_array(random, name, shape, size=1.0)
        bound = FACTOR * max(shape) * unit(name) * (1 + float(np.abs(a).max()) * 2)
        whole = near(name, numbers_of(a), shape, bound)
        k = min(shape)
        eye = Expected(np.eye(k).astype(a.dtype), 0, FACTOR * max(shape) * unit(name))
        cases.add('lu', [operand(random, a)], [whole])
        cases.add('qr', [operand(random, a)], [whole, eye], [1])
        cases.add('svd', [operand(random, a)], [whole, singular_values(name, a)], [0])
        large = np.stack([a, a[::-1]])
        cases.add('matrix_rank', [large], [np.array([k, k], np.int64)], numbers=[-1.0])
    for n in SIZES:
        a = symmetric(random, name, n)
        values = sorted(float(v) for v in mpmath.eigsy(mp(a), eigvals_only=True))
        bound = FACTOR * n * unit(name) * (1 + float(np.abs(a).max()) * n)
        cases.add('eigh', [operand(random, a)],
                  [near(name, values, (n,), bound), near(name, numbers_of(a), (n, n), bound)])
        positive = (a @ a.T + np.eye(n)).astype(a.dtype)
        positive = ((positive + positive.T) / 2).astype(a.dtype)
        lower = mpmath.cholesky(mp(positive))
        size = max(abs(float(v)) for v in numbers(lower))
        cases.add('cholesky', [operand(random, positive)],
                  [near(name, numbers(lower), (n, n), stable(name, positive, size))])
        add_eigenvalues(cases, random, name, n)
    cases.fail('cholesky', [array_of(name, [-1.0], (1, 1))], 'ARGUMENT')


def singular_values(name, a):
    values = sorted((float(v) for v in mpmath.svd_r(mp(a), compute_uv=False)), reverse=True)
    return near(name, values, (len(values),), FACTOR * max(a.shape) * unit(name) * values[0])


def add_eigenvalues(cases, random, name, n):
    """a v - v w, both parts, and the real parts in order; eigenvalues lie apart."""
    a = (random_array(random, name, (n, n), size=0.3) + np.diag(np.arange(1, n + 1) * 4.0)).astype(
        np.dtype('f4' if name == 'f32' else 'f8'))
    values, _ = mpmath.eig(mp(a))
    reals = sorted(float(mpmath.re(v)) for v in values)
    bound = 4 * FACTOR * n * unit(name) * (1 + 4.0 * n)
    zeros = Expected(np.zeros((n, n), a.dtype), 0, bound)
    cases.add('eig', [operand(random, a)], [near(name, reals, (n,), bound), zeros, zeros])


def matrix_norms(a):
    wide = np.abs(a.astype(np.float64))
    values = [float(v) for v in mpmath.svd_r(mp(a), compute_uv=False)]
    return [math.sqrt(math.fsum((wide ** 2).ravel())), math.fsum(values), wide.sum(0).max(),
            wide.sum(0).min(), max(values), min(values), wide.sum(1).max(), wide.sum(1).min()]


def add_numbers(cases, random, name):
    for shape in ((1, 1), (3, 3), (4, 2), (2, 5)):
        a = good_matrix(random, name, shape)
        norms = matrix_norms(a)
        for kind, value in enumerate(norms):
            bound = FACTOR * max(shape) * unit(name) * norms[0] * 2
            cases.add('matrix_norm', [operand(random, a)], [near(name, [float(value)], (), bound)],
                      [kind])
        cond = norms[4] / norms[5]
        cases.add('cond', [operand(random, a)], [near(name, [cond], (), stable(name, a, cond))])
        if shape[0] == shape[1]:
            power = mpmath.expm(mp(a) / 4)
            size = max(abs(float(v)) for v in numbers(power))
            quarter = (a / 4).astype(a.dtype)
            cases.add(
                'expm', [operand(random, quarter)],
                [near(name, numbers(power), shape, FACTOR * 4 * shape[0] * unit(name) * size)])
    ones = array_of(name, [1.0] * 6, (2, 3))
    cases.add('matrix_rank', [ones], [np.array(1, np.int64)], numbers=[-1.0])
    cases.fail('cond', [random_array(random, name, (0, 2))], 'SHAPE')
    cases.fail('matrix_norm', [ones], 'ARGUMENT', [8])


def add_cases(cases):
    for name in REALS:
        random = Random('linalg ' + name)
        for part in (add_systems, add_least, add_factors, add_numbers):
            part(cases, random, name)
