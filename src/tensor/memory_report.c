/* SPDX-License-Identifier: MIT
 * The report on a context's memory: a page for people, or JSON.
 *
 * Nothing is allocated: what is written passes through a buffer on the stack. Fractions are made of
 * integers, so that the locale cannot change a decimal point. The first line is written when the
 * first site arrives or all of them have, and by then nothing can fail any more: after a failure
 * not a byte has been written.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tensor/tensor.h"

enum {
    BUFFER_BYTES = 1024,
    SITES_SHOWN = 20, /* on the page; JSON has them all */
    PATH_SHOWN = 60,  /* characters of a path, on the page */
    BAR_LENGTH = 40,
};

/* Sums of sites. */
typedef struct site_total {
    int64_t sites, count;
    size_t bytes;
} site_total;

typedef struct report {
    const struct report_writer *writer;
    tern_write_fn write;
    void *user;
    tern_memory_figures figures;
    bool has_begun;
    site_total all, shown;
    size_t used;
    char text[BUFFER_BYTES]; /* what is not written yet */
} report;

/* One per format: the parts of a report, in order. */
typedef struct report_writer {
    void (*begin)(report *r);
    void (*site)(report *r, const tern_memory_event *site);
    void (*end)(report *r);
} report_writer;

static void flush(report *r) {
    if (r->used > 0)
        r->write(r->user, r->text, r->used);
    r->used = 0;
}

static void put_char(report *r, char c) {
    if (r->used == BUFFER_BYTES)
        flush(r);
    r->text[r->used++] = c;
}

/* At most TERN__SHAPE_TEXT characters. */
static void put(report *r, const char *format, ...) TERN__PRINTF(2, 3);
static void put(report *r, const char *format, ...) {
    if (BUFFER_BYTES - r->used <= TERN__SHAPE_TEXT)
        flush(r);
    va_list list;
    va_start(list, format);
    int written = vsnprintf(r->text + r->used, BUFFER_BYTES - r->used, format, list);
    va_end(list);
    r->used += written > 0 ? (size_t)written : 0;
}

/* A number of 0..1 in parts of 10^digits. */
static uint64_t parts_of(double fraction, double scale) {
    double parts = fraction * scale + 0.5;
    return parts >= scale ? (uint64_t)scale : parts > 0 ? (uint64_t)parts : 0;
}

/* -- the page ----------------------------------------------------------------------------------*/

#define UNIT_TEXT 32

/* "12.3 MiB", rounded; text of less than 1 KiB has no decimals. */
static const char *unit_text(size_t bytes, char text[UNIT_TEXT]) {
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(text, UNIT_TEXT, "%zu B", bytes);
        return text;
    }
    int unit = -1;
    uint64_t tenths;
    do {
        int shift = 10 * (++unit + 1);
        uint64_t rest = bytes & (((uint64_t)1 << shift) - 1);
        tenths = (bytes >> shift) * 10 + ((rest * 10 + ((uint64_t)1 << (shift - 1))) >> shift);
    } while (tenths >= 10240 && unit < 5);
    snprintf(text, UNIT_TEXT, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, names[unit]);
    return text;
}

/* What could drive a terminal appears as '?'. */
static void put_plain(report *r, const char *text) {
    for (; *text != '\0'; text++)
        put_char(r, (unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text);
}

static void put_bytes(report *r, const char *name, size_t bytes) {
    char text[UNIT_TEXT];
    put(r, "  %-12s %10s %16zu bytes", name, unit_text(bytes, text), bytes);
}

static void put_totals(report *r) {
    const tern_memory_figures *f = &r->figures;
    put_bytes(r, "live", f->stats.live_bytes);
    put(r, " in %" PRId64 " tensors, %" PRId64 " blocks\n", f->stats.live_tensors, f->live_blocks);
    put_bytes(r, "peak", f->stats.peak_bytes);
    put(r, ", at most %" PRId64 " tensors\n", f->stats.peak_tensors);
    put_bytes(r, "room", f->room_bytes);
    put(r, " that the live blocks take\n");
    put_bytes(r, "free", f->free_bytes);
    put(r, " ready for reuse, %zu of them in one piece\n", f->largest_free_run);
    put_bytes(r, "committed", f->stats.committed_bytes);
    put(r, "\n");
    put_bytes(r, "mapped", f->stats.mapped_bytes);
    put(r, "\n");
    put_bytes(r, "bookkeeping", f->bookkeeping_bytes);
    put(r, "\n");
    if (f->max_bytes != 0)
        put_bytes(r, "limit", f->max_bytes);
    else
        put(r, "  %-12s %10s", "limit", "none");
    put(r, "\n\n");
}

static void put_percent(report *r, uint64_t tenths) {
    put(r, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
}

static void put_calls(report *r) {
    const tern_memory_figures *f = &r->figures;
    put(r, "  fragmentation  internal ");
    put_percent(r, parts_of(f->internal_fragmentation, 1e3));
    put(r, " of the room, external ");
    put_percent(r, parts_of(f->external_fragmentation, 1e3));
    put(r, " of what is free\n  calls          %" PRIu64 " allocations, %" PRIu64 " releases, ",
        f->allocations, f->releases);
    put(r, "%" PRIu64 " of them by other threads\n", f->remote_releases);
    put(r, "                 %" PRIu64 " locks, %" PRIu64 " calls to the system\n", f->locks,
        f->system_calls);
}

static bool is_in_use(const tern_memory_class *c) {
    return c->live_blocks != 0 || c->free_blocks != 0 || c->calls != 0;
}

static void put_classes(report *r) {
    put(r, "\nclasses in use\n  %10s %10s %10s %14s %9s\n", "room", "live", "free", "allocations",
        "reused");
    for (int i = 0; i < r->figures.class_count; i++) {
        const tern_memory_class *c = &r->figures.classes[i];
        if (!is_in_use(c))
            continue;
        if (c->room != 0)
            put(r, "  %10zu", c->room);
        else
            put(r, "  %10s", "larger");
        put(r, " %10" PRId64 " %10" PRId64 " %14" PRIu64, c->live_blocks, c->free_blocks, c->calls);
        uint64_t tenths = c->calls != 0 ? (c->reused * 1000 + c->calls / 2) / c->calls : 0;
        put(r, "   %3" PRIu64 ".%" PRIu64 " %%\n", tenths / 10, tenths % 10);
    }
}

static void put_lifetimes(report *r) {
    const uint64_t *lifetimes = r->figures.lifetimes;
    int last = TERN_MEMORY_LIFETIMES;
    uint64_t most = 0;
    while (last > 0 && lifetimes[last - 1] == 0)
        last--;
    for (int k = 0; k < last; k++)
        most = lifetimes[k] > most ? lifetimes[k] : most;
    put(r, "\nlifetimes: blocks released after so many further allocations\n");
    if (last == 0)
        put(r, "  none was released yet\n");
    for (int k = 0; k < last; k++) {
        put(r, "  %12" PRIu64 " - %-12" PRIu64 " %10" PRIu64, (uint64_t)(k > 0) << k,
            ((uint64_t)2 << k) - 1, lifetimes[k]);
        /* Rounded up: what is there shows, however little it is. */
        uint64_t length = (lifetimes[k] * BAR_LENGTH + most - 1) / most;
        for (uint64_t i = 0; i < length; i++)
            put(r, i == 0 ? " #" : "#");
        put(r, "\n");
    }
}

static void begin_page(report *r) {
    tern_tracking tracking = r->figures.tracking;
    put(r, "memory of the context, tracking level %s\n",
        tracking == TERN_TRACK_COUNTS  ? "counts"
        : tracking == TERN_TRACK_SITES ? "sites"
                                       : "full");
    put_totals(r);
    put_calls(r);
    put_classes(r);
    if (tracking == TERN_TRACK_COUNTS)
        return;
    put_lifetimes(r);
    put(r, "\nalive by site, most bytes first\n  %8s %14s  made by\n", "count", "bytes");
}

/* "tern_add (x.c:12, add f32 (2, 3))" */
static void put_page_site(report *r, const tern_memory_event *site) {
    r->all.sites++;
    r->all.count += site->count;
    r->all.bytes += site->bytes;
    if (r->all.sites > SITES_SHOWN)
        return;
    r->shown = r->all;
    put(r, "  %8" PRId64 " %14zu  ", site->count, site->bytes);
    put_plain(r, site->made.call != NULL ? site->made.call : "an unknown call");
    put(r, " (");
    if (site->made.file != NULL) {
        size_t length = strlen(site->made.file);
        bool is_cut = length > PATH_SHOWN;
        put_plain(r, is_cut ? "..." : "");
        put_plain(r, site->made.file + (is_cut ? length - PATH_SHOWN : 0));
        put(r, ":%d, ", site->made.line);
    }
    put_plain(r, site->op != NULL ? site->op : "?");
    put_plain(r, site->dtype != NULL ? " " : "");
    put_plain(r, site->dtype != NULL ? site->dtype : "");
    char shape[TERN__SHAPE_TEXT];
    if (site->rank >= 0)
        put(r, " %s", tern__shape_text(site->rank, site->dims, shape));
    put(r, ")\n");
}

static void end_page(report *r) {
    if (r->figures.tracking == TERN_TRACK_COUNTS)
        put(r, "\nlifetimes and sites are known from tracking level sites on\n");
    else if (r->all.sites == 0)
        put(r, "  nothing is alive\n");
    else if (r->all.sites > SITES_SHOWN)
        put(r, "  %8" PRId64 " %14zu  and %" PRId64 " more sites\n", r->all.count - r->shown.count,
            r->all.bytes - r->shown.bytes, r->all.sites - r->shown.sites);
}

/* -- JSON --------------------------------------------------------------------------------------*/

/* Bytes that are no UTF-8 become U+FFFD. */
static void put_string(report *r, const char *text) {
    if (text == NULL) {
        put(r, "null");
        return;
    }
    put_char(r, '"');
    for (size_t left = strlen(text); left > 0;) {
        uint32_t code;
        size_t length = tern__utf8((const uint8_t *)text, left, &code);
        if (length == 0 || code < ' ')
            put(r, "\\u%04x", length == 0 ? 0xfffd : code);
        else if (code == '"' || code == '\\')
            put(r, "\\%c", (char)code);
        else
            put(r, "%.*s", (int)length, text);
        text += length > 0 ? length : 1;
        left -= length > 0 ? length : 1;
    }
    put_char(r, '"');
}

static void put_member(report *r, const char *name, uint64_t value) {
    put(r, "\"%s\": %" PRIu64 ",\n", name, value);
}

static void put_fraction(report *r, const char *name, double fraction) {
    uint64_t parts = parts_of(fraction, 1e6);
    put(r, "\"%s\": %" PRIu64 ".%06" PRIu64 ",\n", name, parts / 1000000, parts % 1000000);
}

static void put_json_figures(report *r) {
    const tern_memory_figures *f = &r->figures;
    put_member(r, "live_bytes", f->stats.live_bytes);
    put_member(r, "peak_bytes", f->stats.peak_bytes);
    put_member(r, "committed_bytes", f->stats.committed_bytes);
    put_member(r, "mapped_bytes", f->stats.mapped_bytes);
    put_member(r, "live_tensors", (uint64_t)f->stats.live_tensors);
    put_member(r, "peak_tensors", (uint64_t)f->stats.peak_tensors);
    put_member(r, "max_bytes", f->max_bytes);
    put_member(r, "live_blocks", (uint64_t)f->live_blocks);
    put_member(r, "room_bytes", f->room_bytes);
    put_member(r, "free_bytes", f->free_bytes);
    put_member(r, "largest_free_run", f->largest_free_run);
    put_member(r, "bookkeeping_bytes", f->bookkeeping_bytes);
    put_fraction(r, "internal_fragmentation", f->internal_fragmentation);
    put_fraction(r, "external_fragmentation", f->external_fragmentation);
    put_member(r, "allocations", f->allocations);
    put_member(r, "releases", f->releases);
    put_member(r, "remote_releases", f->remote_releases);
    put_member(r, "locks", f->locks);
    put_member(r, "system_calls", f->system_calls);
}

static void put_json_classes(report *r) {
    const char *between = "\n";
    put(r, "\"classes\": [");
    for (int i = 0; i < r->figures.class_count; i++) {
        const tern_memory_class *c = &r->figures.classes[i];
        if (!is_in_use(c))
            continue;
        put(r, "%s  {\"room\": %zu, \"live_blocks\": %" PRId64 ", \"free_blocks\": %" PRId64,
            between, c->room, c->live_blocks, c->free_blocks);
        put(r, ", \"calls\": %" PRIu64 ", \"reused\": %" PRIu64 "}", c->calls, c->reused);
        between = ",\n";
    }
    put(r, between[0] == ',' ? "\n],\n" : "],\n");
}

static void begin_json(report *r) {
    static const char *const levels[] = {"counts", "sites", "full"};
    put(r, "{\n\"tracking\": \"%s\",\n", levels[r->figures.tracking]);
    put_json_figures(r);
    put_json_classes(r);
    put(r, "\"lifetimes\": [");
    for (int k = 0; k < TERN_MEMORY_LIFETIMES; k++)
        put(r, "%s%" PRIu64, k > 0 ? ", " : "", r->figures.lifetimes[k]);
    put(r, "],\n\"sites\": [");
}

static void put_json_site(report *r, const tern_memory_event *site) {
    put(r, "%s\n  {\"count\": %" PRId64 ", \"bytes\": %zu, \"op\": ", r->all.sites++ > 0 ? "," : "",
        site->count, site->bytes);
    put_string(r, site->op);
    put(r, ", \"dtype\": ");
    put_string(r, site->dtype);
    put(r, ", \"shape\": ");
    if (site->rank < 0)
        put(r, "null");
    else
        put_char(r, '[');
    for (int i = 0; i < site->rank; i++)
        put(r, "%s%" PRId64, i > 0 ? ", " : "", site->dims[i]);
    if (site->rank >= 0)
        put_char(r, ']');
    put(r, ", \"file\": ");
    put_string(r, site->made.file);
    if (site->made.file != NULL)
        put(r, ", \"line\": %d, \"call\": ", site->made.line);
    else
        put(r, ", \"line\": null, \"call\": ");
    put_string(r, site->made.call);
    put_char(r, '}');
}

static void end_json(report *r) {
    put(r, r->all.sites > 0 ? "\n]\n}\n" : "]\n}\n");
}

/* -- both --------------------------------------------------------------------------------------*/

static void begin(report *r) {
    if (!r->has_begun)
        r->writer->begin(r);
    r->has_begun = true;
}

static void visit_site(void *user, const tern_memory_event *site) {
    report *r = user;
    begin(r);
    r->writer->site(r, site);
}

tern_status tern_memory_report(tern_context *context, tern_report_format format,
                               tern_write_fn write, void *user) {
    static const report_writer writers[] = {
        [TERN_REPORT_TEXT] = {begin_page, put_page_site, end_page},
        [TERN_REPORT_JSON] = {begin_json, put_json_site, end_json},
    };
    if ((unsigned)format >= sizeof writers / sizeof *writers)
        return tern__fail(TERN_E_ARGUMENT, "memory report: format %d is unknown", (int)format);
    report r = {.writer = &writers[format], .write = write, .user = user};
    tern__pool *pool = context->memory == NULL ? context->pool : context->data_pool;
    tern__pool_figures(pool, &r.figures);
    tern_status status = tern__pool_sites(pool, visit_site, &r);
    if (status != TERN_OK)
        return status;
    begin(&r);
    r.writer->end(&r);
    flush(&r);
    return TERN_OK;
}
