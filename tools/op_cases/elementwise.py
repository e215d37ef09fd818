# SPDX-License-Identifier: MIT
"""Arithmetic, bits, comparison and logic: exact, then rounded once to the type."""

import math
from fractions import Fraction

import mpmath
import numpy as np

from .cases import Expected
from .numbers import (array_of, BITS, cast_array, CODES, compute_type, float_for, FLOATS, highest,
                      INTEGERS, is_float, lowest, NUMBERS, numbers_of, NUMPY, PLAIN, promote,
                      Random, round_float, round_to)
from .tensors import (BROADCASTS, ODD_SHAPES, SHAPES, fill, lay_out, plain, random_array,
                      random_tensor, specials)

INFINITY, NAN = math.inf, math.nan


# -- floats, exactly -------------------------------------------------------------------------------

def are_finite(*numbers):
    return all(math.isfinite(x) for x in numbers)


def exact(quick, fraction):
    """`fraction` of finite numbers when it is not 0; `quick` knows the special cases."""
    def function(*numbers):
        if are_finite(*numbers):
            value = fraction(*map(Fraction, numbers))
            if value != 0:
                return value
        return quick(*numbers)
    return function


def divide(a, b):
    with np.errstate(all='ignore'):
        if b == 0 or not are_finite(a, b) or a == 0:
            return float(np.float64(a) / np.float64(b))
    return Fraction(a) / Fraction(b)


def fused(a, b, c):
    if are_finite(a, b, c):
        value = Fraction(a) * Fraction(b) + Fraction(c)
        if value != 0:
            return value
        if a != 0 and b != 0:
            return 0.0
        return a * b + c
    if are_finite(a, b):
        return c
    return a * b + c


def root(a):
    if not (a > 0 and math.isfinite(a)):
        return NAN if a < 0 else a
    return mpmath.sqrt(mpmath.mpf(a))


def reciprocal_root(a):
    if a == 0:
        return math.copysign(INFINITY, a)
    if not are_finite(a) or a < 0:
        return 0.0 if a == INFINITY else NAN
    return 1 / mpmath.sqrt(mpmath.mpf(a))


def least(a, b):
    """IEEE 754-2019: NaN wins, -0 below +0."""
    if math.isnan(a) or math.isnan(b):
        return NAN
    if a == b:
        return a if math.copysign(1, a) < 0 else b
    return min(a, b)


def greatest(a, b):
    if math.isnan(a) or math.isnan(b):
        return NAN
    if a == b:
        return b if math.copysign(1, a) < 0 else a
    return max(a, b)


def sign(a):
    """As NumPy and the array API: of either zero 0."""
    return a if math.isnan(a) else float((a > 0) - (a < 0))


def whole(function):
    def of(a):
        if not math.isfinite(a):
            return a
        return math.copysign(float(function(Fraction(a))), a)
    return of


def clip(a, low, high):
    return a if math.isnan(a) else low if a < low else high if a > high else a


def relu(a):
    return 0.0 if a < 0 else a


def relu2(a):
    return 0.0 if a < 0 else square(a)


add = exact(lambda a, b: a + b, lambda a, b: a + b)
subtract = exact(lambda a, b: a - b, lambda a, b: a - b)
multiply = exact(lambda a, b: a * b, lambda a, b: a * b)
square = exact(lambda a: a * a, lambda a: a * a)

FLOAT1 = dict(neg=lambda a: -a, abs=abs, sign=sign, square=square, sqrt=root,
              rsqrt=reciprocal_root, reciprocal=lambda a: divide(1.0, a), floor=whole(math.floor),
              ceil=whole(math.ceil), trunc=whole(math.trunc), round=whole(round), relu=relu,
              relu2=relu2)
FLOAT2 = dict(add=add, sub=subtract, mul=multiply, div=divide, minimum=least, maximum=greatest)


def float_quotient(function):
    """NumPy's floor_divide and remainder in the type that is computed in."""
    def of(a, b, name):
        with np.errstate(all='ignore'):
            return float(function(NUMPY[name](a), NUMPY[name](b)))
    return of


# -- integers --------------------------------------------------------------------------------------

def integer_power(a, b):
    if b >= 0:
        return pow(a, b, 1 << 64)
    return 1 if a == 1 else (1 if b % 2 == 0 else -1) if a == -1 else 0


INTEGER1 = dict(neg=lambda a: -a,
                abs=abs,
                sign=lambda a: (a > 0) - (a < 0),
                square=lambda a: a * a,
                floor=int,
                ceil=int,
                trunc=int,
                round=int,
                relu=lambda a: max(a, 0),
                relu2=lambda a: max(a, 0) ** 2,
                bit_not=lambda a: ~a)
INTEGER2 = dict(add=lambda a, b: a + b, sub=lambda a, b: a - b, mul=lambda a, b: a * b,
                minimum=min, maximum=max, floor_div=lambda a, b: a // b if b else 0,
                mod=lambda a, b: a % b if b else 0, pow=integer_power,
                bit_and=lambda a, b: a & b, bit_or=lambda a, b: a | b, bit_xor=lambda a, b: a ^ b,
                shift_left=lambda a, b: a << b if 0 <= b < 64 else 0,
                shift_right=lambda a, b: a >> (b if 0 <= b < 64 else 63))
COMPARE2 = dict(equal=lambda a, b: a == b, not_equal=lambda a, b: a != b, less=lambda a, b: a < b,
                less_equal=lambda a, b: a <= b, greater=lambda a, b: a > b,
                greater_equal=lambda a, b: a >= b,
                logical_and=lambda a, b: a != 0 and b != 0,
                logical_or=lambda a, b: a != 0 or b != 0,
                logical_xor=lambda a, b: (a != 0) != (b != 0))
TEST1 = dict(isnan=lambda a: isinstance(a, float) and math.isnan(a),
             isinf=lambda a: isinstance(a, float) and math.isinf(a),
             isfinite=lambda a: not isinstance(a, float) or math.isfinite(a),
             logical_not=lambda a: a == 0)


# -- cases -----------------------------------------------------------------------------------------

def evaluate(function, arrays, kind, result):
    """The function of broadcast operands, each cast to `kind`, rounded to `result`."""
    arrays = np.broadcast_arrays(*[cast_array(kind, a) for a in arrays])
    values = [round_to(result, function(*numbers))
              for numbers in zip(*[numbers_of(a) for a in arrays])]
    return array_of(result, values, arrays[0].shape)


def special_tensor(name):
    return plain(array_of(name, specials(name), (len(specials(name)),)))


def special_pairs(name):
    """Every special value with every other one."""
    values = array_of(name, specials(name), (len(specials(name)),))
    if is_float(name):
        values = values[:19]
    n = len(values)
    return [lay_out(None, values.reshape(n, 1), 'plain'), plain(values)]


def unary_operands(random, name, count=2):
    yield special_tensor(name)
    for _ in range(count):
        yield random_tensor(random, name, random.pick(SHAPES), share=0.1)
    yield random_tensor(random, name, random.pick(ODD_SHAPES))


def add_unary(cases):
    for op in FLOAT1:
        random = Random(op)
        functions = [op in FLOAT1, op in INTEGER1]
        for name in PLAIN if not functions[1] else NUMBERS:
            for x in unary_operands(random, name):
                kind = name if functions[1] else float_for(name)
                function = FLOAT1[op] if is_float(kind) else INTEGER1[op]
                ulps = 2 if op == 'rsqrt' else 0
                y = evaluate(function, [x.array], kind, kind)
                cases.add(op, [x], [Expected(y, ulps)])
    for op, names in [(op, PLAIN) for op in TEST1] + [('bit_not', BITS)]:
        random = Random(op)
        for name in names:
            for x in unary_operands(random, name):
                result = 'bool' if op in TEST1 else name
                function = TEST1.get(op) or (INTEGER1[op] if name != 'bool' else lambda a: not a)
                cases.add(op, [x], [evaluate(function, [x.array], name, result)])


def binary_reference(op, names):
    """The type operands are computed in, the type of the result, and the function."""
    kind = promote(*names)
    if op in COMPARE2:
        return kind, 'bool', COMPARE2[op]
    if op == 'div' and not is_float(kind):
        kind = 'f64'
    if op in ('floor_div', 'mod') and is_float(kind):
        function = float_quotient(np.floor_divide if op == 'floor_div' else np.remainder)
        return kind, kind, lambda a, b: function(a, b, compute_type(kind))
    return kind, kind, FLOAT2[op] if is_float(kind) else INTEGER2[op]


def add_pair(cases, op, a, b):
    kind, result, function = binary_reference(op, (a.dtype, b.dtype))
    cases.add(op, [a, b], [evaluate(function, [a.array, b.array], kind, result)])


def binary_types(op):
    if op in ('bit_and', 'bit_or', 'bit_xor'):
        return BITS
    if op in ('shift_left', 'shift_right'):
        return INTEGERS
    return PLAIN if op in COMPARE2 or op in ('minimum', 'maximum', 'div') else NUMBERS


def add_binary(cases):
    """Same types with special values and broadcasts; all pairs of types for the common operations,
    some for the others."""
    common = ('add', 'mul', 'minimum', 'div', 'equal')
    for op in list(FLOAT2) + ['floor_div', 'mod'] + list(COMPARE2) + [
            'bit_and', 'bit_or', 'bit_xor', 'shift_left', 'shift_right']:
        random, names = Random(op), binary_types(op)
        for name in names:
            add_pair(cases, op, *special_pairs(name))
            for shapes in [random.pick(BROADCASTS) for _ in range(3)]:
                add_pair(cases, op, *[random_tensor(random, name, s, share=0.1) for s in shapes])
            if op.startswith('shift'):
                counts = [0, 1, 7, 8, 31, 32, 63, 64, 100, -1, -5]
                counts = [n for n in counts if lowest(name) <= n <= highest(name)]
                b = array_of(name, counts, (len(counts), 1))
                add_pair(cases, op, special_tensor(name), plain(b))
        pairs = [(a, b) for a in names for b in names if a != b]
        if op not in common:
            pairs = random.shuffled(pairs)[:12]
        for a, b in pairs:
            if op == 'add' and 'bool' in (a, b):
                continue
            shapes = random.pick(BROADCASTS)
            add_pair(cases, op, random_tensor(random, a, shapes[0], share=0.05),
                     random_tensor(random, b, shapes[1], share=0.05))
        if op in ('add', 'sub', 'mul'):
            cases.fail(op,
                       [random_array(random, 'bool', (3,)),
                        random_array(random, 'bool', (3,))], 'DTYPE')
            add_pair(cases, op, random_tensor(random, 'i16', (4,)),
                     random_tensor(random, 'bool', (3, 1)))
        cases.fail(op, [random_array(random, 'i32', (3, 2)), random_array(random, 'i32', (3,))],
                   'SHAPE')


def add_refusals(cases):
    """Types that an operation is not for."""
    random = Random('refusals')
    for op in ('neg', 'abs', 'sign', 'square', 'relu', 'round', 'floor'):
        cases.fail(op, [random_array(random, 'bool', (3,))], 'DTYPE')
    for op in ('bit_and', 'bit_or', 'bit_xor', 'shift_left', 'shift_right'):
        for name in FLOATS:
            cases.fail(op, [random_array(random, name, (3,)), random_array(random, 'i32', (3,))],
                       'DTYPE')
    cases.fail('bit_not', [random_array(random, 'f32', (3,))], 'DTYPE')
    for op in ('shift_left', 'shift_right', 'floor_div', 'mod'):
        bools = [random_array(random, 'bool', (3,)) for _ in range(2)]
        cases.fail(op, bools, 'DTYPE')


# -- numbers and three operands --------------------------------------------------------------------

def number_of(name, x):
    return round_float(name, x) if is_float(name) else math.trunc(x)


def one_number(op, name, p, q):
    p, q = number_of(name, p), number_of(name, q)
    if not is_float(name):
        return dict(scale=lambda a: a * p, affine=lambda a: a * p + q,
                    clip=lambda a: p if a < p else q if a > q else a)[op]
    return dict(scale=lambda a: multiply(a, p), affine=lambda a: fused(a, p, q),
                clip=lambda a: clip(a, p, q))[op]


def add_with_numbers(cases):
    for op, choices in [('scale', [(0.3, 0), (-2.5, 0), (0.0, 0)]),
                        ('affine', [(0.5, 1.25), (-3.0, 100.0), (2.0, 0.0)]),
                        ('clip', [(-1.5, 2.0), (0.0, 0.0), (-INFINITY, 3.0), (1.0, INFINITY)])]:
        random = Random(op)
        for name in NUMBERS:
            for x in unary_operands(random, name, 1):
                for p, q in choices:
                    if not is_float(name) and not are_finite(p, q):
                        continue
                    y = evaluate(one_number(op, name, p, q), [x.array], name, name)
                    cases.add(op, [x], [y], numbers=[p] if op == 'scale' else [p, q])
        cases.fail(op, [random_array(random, 'bool', (3,))], 'DTYPE', numbers=[1.0, 2.0])
    x = random_array(Random('clip'), 'f32', (3,))
    cases.fail('clip', [x], 'ARGUMENT', numbers=[2.0, 1.0])
    cases.fail('clip', [x], 'ARGUMENT', numbers=[NAN, 1.0])


def add_three(cases):
    random = Random('fma')
    shapes = [((3, 4), (4,), (3, 1)), ((5,), (), (5,)), ((2, 1, 2), (3, 1), (1, 1)),
              ((0,), (1,), ()), ((7,), (7,), (7,))]
    for name in NUMBERS:
        function = fused if is_float(name) else lambda a, b, c: a * b + c
        for triple in shapes:
            operands = [random_tensor(random, name, s, share=0.15) for s in triple]
            y = evaluate(function, [x.array for x in operands], name, name)
            cases.add('fma', operands, [y])
        for triple in shapes[:2]:
            operands = [random_tensor(random, n, s) for n, s in
                        zip((name, random.pick(NUMBERS), random.pick(NUMBERS)), triple)]
            kind = promote(*[x.dtype for x in operands])
            function = fused if is_float(kind) else lambda a, b, c: a * b + c
            y = evaluate(function, [x.array for x in operands], kind, kind)
            cases.add('fma', operands, [y])
    add_scaled_cases(cases)


def add_scaled_cases(cases):
    random = Random('add_scaled')
    for name in NUMBERS:
        for factor in (-0.75, 3.0):
            p = number_of(name, factor)
            for shapes in [random.pick(BROADCASTS) for _ in range(2)]:
                a, b = [random_tensor(random, name, s, share=0.1) for s in shapes]
                function = (lambda a, b: fused(b, p, a)) if is_float(name) else \
                    (lambda a, b: a + b * p)
                y = evaluate(function, [a.array, b.array], name, name)
                cases.add('add_scaled', [a, b], [y], numbers=[factor])
    cases.fail(
        'add_scaled',
        [random_array(random, 'f32',
                      (3,)), random_array(random, 'f32', (4,))],
        'SHAPE',
        numbers=[1.0])


def add_where(cases):
    """All pairs of types; moves bits, but that promotion converts."""
    random = Random('where')
    for a_name in PLAIN:
        for b_name in PLAIN:
            shapes = random.pick(BROADCASTS)
            a, b = [random_tensor(random, n, s, share=0.2)
                    for n, s in zip((a_name, b_name), shapes)]
            shape = np.broadcast_shapes(*shapes)
            condition = random_tensor(random, 'bool', random.pick([shape, shape, shape[-1:], ()]))
            kind = promote(a_name, b_name)
            y = np.where(condition.array, cast_array(kind, a.array), cast_array(kind, b.array))
            cases.add('where', [condition, a, b], [y.astype(NUMPY[kind])])
    x = random_array(random, 'f32', (3,))
    cases.fail('where', [x, x, x], 'DTYPE')
    cases.fail('where', [random_array(random, 'bool', (4,)), x, x], 'SHAPE')


def close(a, b, relative, absolute, equal_nan):
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b):
        return bool(equal_nan) and math.isnan(a) and math.isnan(b)
    if not are_finite(a, b):
        return a == b
    return abs(Fraction(a) -
               Fraction(b)) <= Fraction(absolute) + Fraction(relative) * abs(Fraction(b))


def add_close(cases):
    random = Random('isclose')
    for name in PLAIN:
        for equal_nan in (0, 1):
            for relative, absolute in ((2.0 ** -4, 0.0), (0.0, 1.5), (0.25, 0.25)):
                a, b = [random_tensor(random, name, s, share=0.3)
                        for s in random.pick(BROADCASTS)]
                y = evaluate(lambda p, q: close(p, q, relative, absolute, equal_nan),
                             [a.array, b.array], name, 'bool')
                cases.add('isclose', [a, b], [y], [equal_nan], [relative, absolute])
                cases.add('allclose', [a, b], [np.array(bool(y.all()))], [equal_nan],
                          [relative, absolute])
        x = random_tensor(random, name, (3, 4), share=0.2)
        for other in (plain(x.array), lay_out(random, x.array.T, 'plain'),
                      random_tensor(random, name, (3, 4), 'plain')):
            same = x.array.shape == other.array.shape and bool((x.array == other.array).all())
            cases.add('array_equal', [x, other], [np.array(same)])
    x = random_array(random, 'f32', (3,))
    cases.fail('isclose', [x, x], 'ARGUMENT', [0], [-1.0, 0.0])


def long_operand(name, factor, step):
    """More than fit into one chunk of converted elements (256)."""
    scale = 0.125 if is_float(name) else 1
    x = fill(name, 300 * step, (300,), factor, 3, 31, 0 if name in ('u8', 'bool') else 15, scale)
    x.strides = (step,)
    return x


def add_long(cases):
    for op in FLOAT1:
        for name in ('f16', 'i8') if op in INTEGER1 else ('f16',):
            x = long_operand(name, 7, 2)
            function = FLOAT1[op] if is_float(name) else INTEGER1[op]
            y = evaluate(function, [x.array], name, name)
            cases.add(op, [x], [Expected(y, 1 if op == 'rsqrt' else 0)])
    for op in TEST1:
        x = long_operand('f16', 7, 1)
        cases.add(op, [x], [evaluate(TEST1[op], [x.array], 'f16', 'bool')])
    for op in list(FLOAT2) + ['floor_div', 'mod'] + list(COMPARE2):
        for names in (('f16', 'bf16'), ('i16', 'i8')):
            if op != 'div' or is_float(names[0]):
                add_pair(cases, op, long_operand(names[0], 7, 1), long_operand(names[1], 5, 2))
    for op in ('bit_and', 'bit_or', 'bit_xor', 'shift_left', 'shift_right'):
        add_pair(cases, op, long_operand('i16', 7, 1), long_operand('i8', 5, 2))
    operands = [long_operand(name, 7 + i, 1 + i % 2) for i, name in enumerate(('f16',) * 3)]
    y = evaluate(fused, [x.array for x in operands], 'f16', 'f16')
    cases.add('fma', operands, [y])
    condition = fill('bool', 300, (300,), 7, 3, 2, 0, 1)
    a, b = operands[:2]
    cases.add('where', [condition, a, b], [np.where(condition.array, a.array, b.array)])
    y = np.where(condition.array, NUMPY['f16'](2.5), a.array)
    cases.add('masked_fill', [a, condition], [y], numbers=[2.5])
    for other in PLAIN:
        cases.add('cast', [b], [cast_array(other, b.array)], [CODES[other]])


def add_cases(cases):
    add_long(cases)
    add_unary(cases)
    add_binary(cases)
    add_with_numbers(cases)
    add_three(cases)
    add_where(cases)
    add_close(cases)
    add_refusals(cases)
