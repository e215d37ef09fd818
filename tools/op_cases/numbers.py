# SPDX-License-Identifier: MIT
"""Data types, promotion as NumPy has it, exact rounding, and the random generator."""

import math
from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np

mpmath.mp.prec = 160

CODES = dict(f32=0, f16=1, bf16=2, f64=3, i8=4, u8=5, i16=6, i32=7, i64=8, bool=9,
             q8_0=16, i2_s=24, tq1_0=25, tq2_0=26, ternary=32)
NUMPY = dict(f32=np.float32, f16=np.float16, bf16=ml_dtypes.bfloat16, f64=np.float64,
             i8=np.int8, u8=np.uint8, i16=np.int16, i32=np.int32, i64=np.int64, bool=np.bool_)
NAMES = {np.dtype(t): name for name, t in NUMPY.items()}

FLOATS = ['f32', 'f16', 'bf16', 'f64']
REALS = ['f32', 'f64']
INTEGERS = ['i8', 'u8', 'i16', 'i32', 'i64']
BITS = INTEGERS + ['bool']
NUMBERS = FLOATS + INTEGERS
PLAIN = NUMBERS + ['bool']

# precision, smallest and largest exponent of a normal number
FORMATS = dict(f32=(24, -126, 127), f16=(11, -14, 15), bf16=(8, -126, 127), f64=(53, -1022, 1023))
BITS_OF = dict(i8=8, u8=8, i16=16, i32=32, i64=64)


def is_float(name):
    return name in FLOATS


def lowest(name):
    return 0 if name in ('u8', 'bool') else -(1 << (BITS_OF[name] - 1))


def highest(name):
    return 1 if name == 'bool' else (1 << BITS_OF[name]) - 1 + lowest(name)


def unit(name):
    """The largest relative error of one rounding."""
    return 2.0 ** -FORMATS[name][0]


def tiniest(name):
    """The smallest denormal number."""
    precision, lowest_exponent, _ = FORMATS[name]
    return math.ldexp(1.0, lowest_exponent - precision + 1)


def largest(name):
    precision, _, exponent = FORMATS[name]
    return math.ldexp(2.0 - 2.0 ** (1 - precision), exponent)


# -- promotion -------------------------------------------------------------------------------------

def promote(*names):
    """NumPy's result type; bfloat16 goes with integers as float16 does, with float16 to float32."""
    result = names[0]
    for name in names[1:]:
        result = promote_two(result, name)
    return result


def promote_two(a, b):
    if 'bf16' not in (a, b):
        return NAMES[np.result_type(NUMPY[a], NUMPY[b])]
    other = b if a == 'bf16' else a
    if other in ('bf16', 'f32', 'f64'):
        return other
    if other == 'f16':
        return 'f32'
    with_half = promote_two('f16', other)
    return 'bf16' if with_half == 'f16' else with_half


def float_for(name):
    """What NumPy's float functions make of a type."""
    if is_float(name):
        return name
    return NAMES[np.exp(np.zeros(1, NUMPY[name])).dtype]


def compute_type(name):
    """Half floats are computed in F32 and rounded again."""
    return 'f32' if name in ('f16', 'bf16') else name


# -- rounding --------------------------------------------------------------------------------------

def to_fraction(x):
    if isinstance(x, mpmath.mpf):
        sign, mantissa, exponent, _ = x._mpf_
        value = Fraction(int(mantissa)) * Fraction(2) ** exponent
        return -value if sign else value
    return Fraction(x)


def is_special(x):
    return isinstance(x, float) and (x == 0 or not math.isfinite(x))


def round_float(name, x):
    """The float of this type nearest to x, ties to even: a Python float that the type has."""
    if isinstance(x, mpmath.mpf) and not mpmath.isfinite(x):
        return float(x)
    if isinstance(x, mpmath.mpf) and x != 0 and abs(mpmath.mag(x)) > 4000:
        return math.copysign(math.inf if mpmath.mag(x) > 0 else 0.0, mpmath.sign(x))
    if is_special(x):
        return x
    value = to_fraction(x)
    if value == 0:
        return 0.0
    precision, lowest_exponent, highest_exponent = FORMATS[name]
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    last = max(exponent, lowest_exponent) - precision + 1
    steps = round(size / Fraction(2) ** last)
    if steps.bit_length() + last - 1 > highest_exponent:
        return -math.inf if value < 0 else math.inf
    return -math.ldexp(steps, last) if value < 0 else math.ldexp(steps, last)


def wrap(name, x):
    """Two's complement."""
    if name == 'bool':
        return bool(x)
    bits = BITS_OF[name]
    x = int(x) & ((1 << bits) - 1)
    return x - (1 << bits) if x > highest(name) else x


def round_to(name, x):
    """Once to the type; half floats by way of F32."""
    if not is_float(name):
        return wrap(name, x)
    return round_float(name, round_float(compute_type(name), x))


def array_of(name, values, shape):
    """Values that the type has (after round_to), in an array."""
    if is_float(name):
        wide = np.array(values, np.float64).reshape(shape)
        with np.errstate(over='ignore'):
            return wide.astype(NUMPY[name])
    return np.array(values, NUMPY[name]).reshape(shape)


def numbers_of(array):
    """Python numbers of an array, row-major: exact."""
    if NAMES[array.dtype] in FLOATS:
        return [float(x) for x in array.astype(np.float64).ravel()]
    return [int(x) for x in array.ravel()]


def cast_number(name, x, source):
    """As tern_cast: truncated, NaN is 0, saturated; integers wrap; bool is x != 0."""
    if name == 'bool':
        return x != 0
    if is_float(name):
        return round_float(name, float(x) if is_float(source) else Fraction(int(x)))
    if not is_float(source):
        return wrap(name, x)
    if math.isnan(x):
        return 0
    if math.isinf(x):
        return highest(name) if x > 0 else lowest(name)
    return min(max(math.trunc(x), lowest(name)), highest(name))


def cast_array(name, array):
    source = NAMES[array.dtype]
    if source == name:
        return array.copy()
    return array_of(name, [cast_number(name, x, source) for x in numbers_of(array)], array.shape)


# -- random numbers --------------------------------------------------------------------------------

def philox(seed, position):
    """Philox4x32-10 of Salmon et al. 2011: key = seed, counter = position; four words."""
    c = [position & 0xffffffff, position >> 32 & 0xffffffff, 0, 0]
    k = [seed & 0xffffffff, seed >> 32 & 0xffffffff]
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 1 << 32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) & 0xffffffff, (k[1] + 0xBB67AE85) & 0xffffffff]
    return c


def narrow_word(seed, i):
    return philox(seed, i // 4)[i % 4]


def wide_word(seed, i):
    words = philox(seed, i // 2)
    return words[2 * (i % 2)] | words[2 * (i % 2) + 1] << 32


class Random:
    """A stream that no version of Python or NumPy changes."""

    def __init__(self, text):
        seed = 0xcbf29ce484222325
        for byte in text.encode():
            seed = (seed ^ byte) * 0x100000001b3 & (1 << 64) - 1
        self.seed, self.position, self.block = seed, 0, None

    def word(self):
        if self.position % 4 == 0:
            self.block = philox(self.seed, self.position // 4)
        self.position += 1
        return self.block[(self.position - 1) % 4]

    def below(self, n):
        return (self.word() << 32 | self.word()) * n >> 64

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def pick(self, items):
        return items[self.below(len(items))]

    def chance(self, probability):
        return self.word() < probability * 2 ** 32

    def uniform(self, low=0.0, high=1.0):
        return low + (high - low) * (self.word() / 2 ** 32)

    def normal(self):
        return sum(self.uniform(-1, 1) for _ in range(3))

    def shuffled(self, items):
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items
