/* SPDX-License-Identifier: MIT
 *
 * A tensor as text, as NumPy's str() has it: brackets around each axis, numbers of one width, lines
 * broken at the width, the middle of long axes left out. Two passes over the elements that are
 * shown: the first finds the widths, the second writes.
 */
#include <tern/interchange.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/status.h"
#include "tensor/decimal.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

enum {
    MOST_PRECISION = 330, /* no digit of a double's shortest form lies further behind the point */
    WORD_BYTES = 800,     /* one element */
    EXPONENT_BYTES = 16,
};

/* How all floats of a tensor are written. */
typedef struct number_style {
    tern_dtype dtype;
    bool is_scientific;
    int precision;       /* most places; with is_scientific also the fewest */
    int left, right;     /* characters before and behind the point */
    int exponent_digits; /* at least 2 */
} number_style;

typedef struct printer {
    const tern_tensor *tensor;
    tern_format_options options;
    number_style style;
    int width;            /* of integers and bools */
    bool is_shortened;    /* axes are cut to edge_items at both ends */
    bool is_float;        /* of the data type */
    char *text;           /* the caller's, `size` bytes */
    size_t size, written; /* `written` may be more */
    int64_t column;       /* characters on this line, blanks at its end among them */
    int64_t blanks; /* of them, those not yet written: they are dropped at the end of a line */
} printer;

tern_format_options tern_format_options_default(void) {
    return (tern_format_options){
        .precision = 8, .threshold = 1000, .edge_items = 3, .line_width = 75};
}

/* -- output ------------------------------------------------------------------------------------*/

static void put_char(printer *out, char c) {
    if (out->written < out->size)
        out->text[out->written] = c;
    out->written++;
}

static void put_text(printer *out, const char *text) {
    for (; *text != '\0'; text++) {
        out->column++;
        if (*text == ' ') {
            out->blanks++;
            continue;
        }
        for (; out->blanks > 0; out->blanks--)
            put_char(out, ' ');
        put_char(out, *text);
    }
}

static void put_blanks(printer *out, int64_t count) {
    out->blanks += count;
    out->column += count;
}

/* The next line begins with `indent` blanks. */
static void put_line_end(printer *out, int64_t indent) {
    put_char(out, '\n');
    out->column = out->blanks = indent;
}

/* -- elements ----------------------------------------------------------------------------------*/

static double float_at(const printer *in, const uint8_t *at) {
    uint16_t half;
    float single;
    double value;
    switch (in->style.dtype) {
    case TERN_F32:
        memcpy(&single, at, sizeof single);
        return (double)single;
    case TERN_F16:
        memcpy(&half, at, sizeof half);
        return (double)tern__f32_from_f16(half);
    case TERN_BF16:
        memcpy(&half, at, sizeof half);
        return (double)tern__f32_from_bf16(half);
    default:
        memcpy(&value, at, sizeof value);
        return value;
    }
}

static int64_t integer_at(const printer *in, const uint8_t *at) {
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    switch ((tern_dtype)in->tensor->dtype) {
    case TERN_I8:
        memcpy(&i8, at, sizeof i8);
        return i8;
    case TERN_I16:
        memcpy(&i16, at, sizeof i16);
        return i16;
    case TERN_I32:
        memcpy(&i32, at, sizeof i32);
        return i32;
    case TERN_I64:
        memcpy(&i64, at, sizeof i64);
        return i64;
    default: /* U8, BOOL */
        return *at;
    }
}

/* Calls `see` for every element that is shown, in row-major order. */
typedef void (*see_fn)(void *user, printer *p, const uint8_t *at);

static void walk(printer *p, int axis, const uint8_t *at, see_fn see, void *user) {
    const tern_tensor *t = p->tensor;
    if (axis == t->rank) {
        see(user, p, at);
        return;
    }
    int64_t dim = tern__dims(t)[axis], edge = p->options.edge_items;
    int64_t step = tern__strides(t)[axis] * tern__dtype((tern_dtype)t->dtype)->block_bytes;
    bool is_cut = p->is_shortened && dim / 2 >= edge && dim > 2 * edge;
    for (int64_t i = 0; i < dim; i++) {
        if (is_cut && i == edge)
            i = dim - edge;
        if (i < dim)
            walk(p, axis + 1, at + i * step, see, user);
    }
}

/* -- widths ------------------------------------------------------------------------------------*/

/* What the first look at floats gathers. */
typedef struct extremes {
    double largest, smallest; /* magnitudes of finite numbers that are not zero */
    bool has_finite, has_other, has_minus_infinity;
} extremes;

static void see_extremes(void *user, printer *p, const uint8_t *at) {
    extremes *e = user;
    double value = float_at(p, at), magnitude = fabs(value);
    if (!isfinite(value)) {
        e->has_other = true;
        e->has_minus_infinity |= value < 0;
        return;
    }
    e->has_finite = true;
    if (magnitude == 0)
        return;
    e->largest = fmax(e->largest, magnitude);
    e->smallest = e->smallest == 0 ? magnitude : fmin(e->smallest, magnitude);
}

/* From which magnitude on NumPy has exponents: what the type has digits for, 1e8 at most. */
static double scientific_from(tern_dtype dtype) {
    return dtype == TERN_F64 ? 1e8 : dtype == TERN_F32 ? 1e6 : 1e3;
}

/* NumPy computes in the numbers' own type. */
static bool wants_exponents(const printer *p, const extremes *e) {
    if (e->largest == 0)
        return false;
    double least = 0.0001, ratio = e->largest / e->smallest;
    if (p->style.dtype == TERN_F32) {
        least = (double)0.0001f;
        ratio = (double)((float)e->largest / (float)e->smallest);
    } else if (p->style.dtype != TERN_F64) {
        least = (double)tern__f32_from_f16(tern__f16_from_f32(0.0001f));
        ratio =
            (double)tern__f32_from_f16(tern__f16_from_f32((float)e->largest / (float)e->smallest));
    }
    return e->largest >= scientific_from(p->style.dtype) ||
           (!p->options.suppress_small && (e->smallest < least || ratio > 1000));
}

static int larger(int a, int b) {
    return a > b ? a : b;
}

static int digits_of(int number) {
    return snprintf(NULL, 0, "%d", number);
}

/* The shortest digits, or where these are too many, as many as there may be. */
static tern__decimal decimal_of(const printer *p, double value) {
    bool is_scientific = p->style.is_scientific;
    tern__decimal d = tern__decimal_shortest(value, p->style.dtype);
    if (d.count - (is_scientific ? 1 : d.point) > p->options.precision)
        d = tern__decimal_rounded(value, is_scientific, p->options.precision);
    return d;
}

/* Widens the style to what this number takes. */
static void see_style(void *user, printer *p, const uint8_t *at) {
    number_style *style = user;
    double value = float_at(p, at);
    if (!isfinite(value))
        return;
    tern__decimal d = decimal_of(p, value);
    if (p->style.is_scientific) {
        int exponent = d.count > 0 ? d.point - 1 : 0;
        style->left = larger(style->left, 1 + d.is_negative);
        style->precision = larger(style->precision, d.count - 1);
        style->exponent_digits = larger(style->exponent_digits, digits_of(abs(exponent)));
    } else {
        style->left = larger(style->left, d.is_negative + larger(d.point, 1));
        style->right = larger(style->right, d.count - d.point);
    }
}

static void choose_style(printer *p) {
    extremes e = {0};
    walk(p, 0, p->tensor->data, see_extremes, &e);
    p->style.is_scientific = wants_exponents(p, &e);
    p->style.precision = p->options.precision;
    number_style style = {.dtype = p->style.dtype, .is_scientific = p->style.is_scientific};
    style.exponent_digits = 2;
    walk(p, 0, p->tensor->data, see_style, &style);
    if (style.is_scientific)
        style.right = style.precision + 2 + style.exponent_digits; /* "e+" */
    if (e.has_other) {
        int others = 3 + e.has_minus_infinity;
        style.left = larger(style.left, others - style.right - 1);
    }
    p->style = style;
}

static void see_integer(void *user, printer *p, const uint8_t *at) {
    int *width = user;
    *width = larger(*width, snprintf(NULL, 0, "%lld", (long long)integer_at(p, at)));
}

/* -- words -------------------------------------------------------------------------------------*/

/* Digits [begin, end) of d, counted from the point (negative: before it); zeros where it has none.
 */
static char *put_digits(char *to, const tern__decimal *d, int begin, int end) {
    for (int i = begin; i < end; i++) {
        int at = i + d->point;
        *to++ = (char)('0' + (at >= 0 && at < d->count ? d->digits[at] : 0));
    }
    return to;
}

/* Sign, digits before the point and `places` behind it. */
static char *put_positional(char *to, const tern__decimal *d, int places) {
    if (d->is_negative)
        *to++ = '-';
    to = put_digits(to, d, -larger(d->point, 1), 0);
    *to++ = '.';
    return put_digits(to, d, 0, places);
}

static char *put_scientific(char *to, tern__decimal d, int places, int exponent_digits) {
    int exponent = d.count > 0 ? d.point - 1 : 0;
    d.point = 1;
    to = put_positional(to, &d, places);
    return to + snprintf(to, EXPONENT_BYTES, "e%c%0*d", exponent < 0 ? '-' : '+', exponent_digits,
                         abs(exponent));
}

static void right_align(char *word, int length, int width) {
    int pad = larger(width - length, 0);
    memmove(word + pad, word, (size_t)length + 1);
    memset(word, ' ', (size_t)pad);
}

static const char *other_name(double value) {
    return isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
}

static void float_word(const printer *p, double value, char *word) {
    const number_style *style = &p->style;
    int width = style->left + 1 + style->right;
    if (!isfinite(value)) {
        right_align(word, snprintf(word, WORD_BYTES, "%s", other_name(value)), width);
        return;
    }
    char *end;
    tern__decimal d = decimal_of(p, value);
    if (style->is_scientific) { /* all have as many places: of the exact value, not zeros */
        if (d.count - 1 < style->precision)
            d = tern__decimal_rounded(value, true, style->precision);
        end = put_scientific(word, d, style->precision, style->exponent_digits);
        *end = '\0';
        right_align(word, (int)(end - word), width);
        return;
    }
    int places = larger(d.count - d.point, 0);
    end = put_positional(word, &d, places);
    *end = '\0';
    right_align(word, (int)(end - word), style->left + 1 + places);
    end = word + strlen(word);
    memset(end, ' ', (size_t)(style->right - places));
    end[style->right - places] = '\0';
}

/* A tensor without axes: all digits, as NumPy writes its scalars. */
static void scalar_word(const printer *p, double value, char *word) {
    if (!isfinite(value)) {
        strcpy(word, other_name(value));
        return;
    }
    double magnitude = fabs(value), limit = scientific_from(p->style.dtype);
    tern__decimal d = tern__decimal_shortest(value, p->style.dtype);
    char *end;
    if (magnitude != 0 &&
        (magnitude >= (p->style.dtype == TERN_F64 ? 1e16 : limit) || magnitude < 0.0001)) {
        end = put_scientific(word, d, d.count - 1, 2);
        *end = '\0';
        if (d.count == 1) { /* no digit behind the point: without it */
            char *point = strchr(word, '.');
            memmove(point, point + 1, strlen(point));
        }
        return;
    }
    *put_positional(word, &d, larger(d.count - d.point, 1)) = '\0';
}

static void make_word(const printer *p, const uint8_t *at, char *word) {
    bool is_scalar = p->tensor->rank == 0;
    if (p->is_float && is_scalar)
        scalar_word(p, float_at(p, at), word);
    else if (p->is_float)
        float_word(p, float_at(p, at), word);
    else if (p->tensor->dtype == TERN_BOOL)
        snprintf(word, WORD_BYTES, "%*s", is_scalar ? 0 : 5, *at ? "True" : "False");
    else
        snprintf(word, WORD_BYTES, "%*lld", p->width, (long long)integer_at(p, at));
}

/* -- layout ------------------------------------------------------------------------------------*/

/* One word more on a line that may have `room` characters. */
static void put_word(printer *out, const char *word, int64_t room, int64_t indent) {
    if (out->column + (int64_t)strlen(word) > room && out->column > indent)
        put_line_end(out, indent);
    put_text(out, word);
}

/* Axis `axis` from `at` on, in brackets. Lines inside begin with one blank for each bracket that is
 * open, and leave room for as many that close. */
static void put_axis(printer *out, int axis, const uint8_t *at) {
    const tern_tensor *t = out->tensor;
    const int64_t dim = tern__dims(t)[axis], edge = out->options.edge_items;
    const int64_t step = tern__strides(t)[axis] * tern__dtype((tern_dtype)t->dtype)->block_bytes;
    const int64_t indent = axis + 1, room = out->options.line_width - indent;
    const bool is_cut = out->is_shortened && dim / 2 >= edge && dim > 2 * edge;
    const bool is_last = axis == t->rank - 1;
    char word[WORD_BYTES];
    put_text(out, "[");
    for (int64_t i = 0; i < dim; i++) {
        bool is_gap = is_cut && i == edge;
        if (is_last) {
            if (i > 0)
                put_blanks(out, 1);
            if (is_gap)
                strcpy(word, "...");
            else
                make_word(out, at + i * step, word);
            put_word(out, word, room, indent);
        } else {
            for (int line = axis + 1; i > 0 && line < t->rank; line++)
                put_line_end(out, indent);
            if (is_gap)
                put_text(out, "...");
            else
                put_axis(out, axis + 1, at + i * step);
        }
        if (is_gap)
            i = dim - edge - 1;
    }
    put_text(out, "]");
}

static tern_status check_options(const tern_format_options *options) {
    if (options->precision < 0 || options->precision > MOST_PRECISION || options->threshold < 0 ||
        options->edge_items < 1 || options->line_width < 1)
        return tern__fail(TERN_E_ARGUMENT,
                          "format: precision %d (0 to %d), threshold %lld, %lld edge items, lines "
                          "of %d",
                          options->precision, MOST_PRECISION, (long long)options->threshold,
                          (long long)options->edge_items, options->line_width);
    return TERN_OK;
}

static void put_elements(printer *out) {
    const tern_tensor *t = out->tensor;
    char word[WORD_BYTES];
    if (tern_tensor_count(t) == 0) {
        put_text(out, "[]");
        return;
    }
    if (out->is_float && t->rank > 0)
        choose_style(out);
    else if (!out->is_float)
        walk(out, 0, t->data, see_integer, &out->width);
    if (t->rank > 0) {
        put_axis(out, 0, t->data);
    } else {
        make_word(out, t->data, word);
        put_text(out, word);
    }
}

static tern_status put_tensor(printer *out) {
    tern_tensor *twin;
    tern_status status = tern__host_twin(out->tensor, &twin);
    if (status != TERN_OK)
        return status;
    out->tensor = twin;
    put_elements(out);
    tern_tensor_release(twin);
    return TERN_OK;
}

tern_status tern_tensor_format(const tern_tensor *tensor, const tern_format_options *options,
                               char *text, size_t size, size_t *needed) {
    tern_dtype dtype = (tern_dtype)tensor->dtype;
    printer out = {.tensor = tensor,
                   .options = options != NULL ? *options : tern_format_options_default(),
                   .style = {.dtype = dtype},
                   .text = text,
                   .size = size};
    if (!tern__dtype_is_plain(dtype))
        return tern__fail(TERN_E_DTYPE, "format: the elements of %s are not plain numbers",
                          tern_dtype_name(dtype));
    tern_status status = check_options(&out.options);
    if (status != TERN_OK)
        return status;
    out.is_float = tern__dtype(dtype)->is_float;
    out.is_shortened = tern_tensor_count(tensor) > out.options.threshold;
    status = put_tensor(&out);
    if (status != TERN_OK)
        return status;
    put_char(&out, '\0');
    if (needed != NULL)
        *needed = out.written;
    if (out.written > size) {
        if (size > 0)
            text[size - 1] = '\0';
        return tern__fail(TERN_E_LIMIT, "format: the text takes %zu bytes, there are %zu",
                          out.written, size);
    }
    return TERN_OK;
}
