/* SPDX-License-Identifier: MIT
 *
 * Convolutions, without a matrix of patches: taps are offsets into x, which is read where it lies.
 * Where a group has many output channels they are the lanes of the kernel's tiles; the weights of a
 * panel of channels are packed into the lane's scratch and used for all positions of a piece of
 * work. Else (depthwise) the elements of a row are the lanes.
 *
 * Output rows, and columns, fall into spans that have the same taps inside of x: a long one and
 * short ones at the edges. More taps than a kernel call takes are done block after block, the sums
 * waiting in the result.
 */
#include "base/checked.h"
#include "device/cpu/cpu.h"

/* Height or width. Strides in elements. */
typedef struct side {
    int64_t in, out, taps;
    int64_t stride, padding, dilation;
    int64_t x_stride, weight_stride, out_stride;
} side;

typedef struct conv_job {
    const tern__cpu_device *cpu;
    const float *x, *weight, *bias;
    float *out;
    side height, width;
    int64_t batch, channels, groups; /* channels: of x in a group */
    int64_t outputs;                 /* channels of the result in a group */
    int64_t taps;                    /* of an element, channels included */
    int64_t x_batch, x_channel, weight_output, weight_channel, bias_stride, out_batch, out_channel;
    int64_t panels, chunk; /* of a group; output rows, batch included, of a piece of work */
} conv_job;

/* -- spans -------------------------------------------------------------------------------------*/

/* The outputs [begin, end) have the taps [first, last) and no others. */
typedef struct span {
    int64_t begin, end, first, last;
} span;

static int64_t ceil_div(int64_t a, int64_t b) {
    return a > 0 ? (a - 1) / b + 1 : -(-a / b);
}

static int64_t limited(int64_t x, int64_t limit) {
    return tern__max_i64(0, tern__min_i64(x, limit));
}

static int64_t first_tap(const side *d, int64_t at) {
    return limited(ceil_div(d->padding - at * d->stride, d->dilation), d->taps);
}

static int64_t last_tap(const side *d, int64_t at) {
    return limited(ceil_div(d->in + d->padding - at * d->stride, d->dilation), d->taps);
}

static span span_at(const side *d, int64_t begin) {
    span s = {begin, begin + 1, first_tap(d, begin), last_tap(d, begin)};
    while (s.end < d->out && first_tap(d, s.end) == s.first && last_tap(d, s.end) == s.last)
        s.end++;
    return s;
}

/* Of x, from the first one: where tap `tap` of output `at` lies. */
static int64_t place(const side *d, int64_t at, int64_t tap) {
    return (at * d->stride - d->padding + tap * d->dilation) * d->x_stride;
}

/* -- taps --------------------------------------------------------------------------------------*/

typedef struct tap_index {
    int64_t channel, row, column;
} tap_index;

/* A block of the taps of an element: channel, row, column, the last one fastest. */
typedef struct tap_block {
    int64_t first, count;
    bool is_first, is_last;
    tap_index at[TERN__CONV_TAPS];
    int64_t weights[TERN__CONV_TAPS]; /* where its weight lies behind the channel's first one */
} tap_block;

static void open_block(const conv_job *j, int64_t first, tap_block *block) {
    int64_t area = j->height.taps * j->width.taps;
    block->first = first;
    block->count = tern__min_i64(TERN__CONV_TAPS, j->taps - first);
    block->is_first = first == 0;
    block->is_last = first + block->count == j->taps;
    tap_index at = {first / area, first % area / j->width.taps, first % j->width.taps};
    for (int64_t i = 0; i < block->count; i++) {
        block->at[i] = at;
        block->weights[i] = at.channel * j->weight_channel + at.row * j->height.weight_stride +
                            at.column * j->width.weight_stride;
        if (++at.column < j->width.taps)
            continue;
        at.column = 0;
        if (++at.row < j->height.taps)
            continue;
        at.row = 0;
        at.channel++;
    }
}

/* The taps of a block that exist in the rows and columns of the spans, from where the first of the
 * spans' taps lies. Returns how many. */
static int64_t list_taps(const conv_job *j, const tap_block *block, const span *rows,
                         const span *columns, tern__conv_tap *taps) {
    int64_t count = 0;
    int64_t row_step = j->height.dilation * j->height.x_stride;
    int64_t column_step = j->width.dilation * j->width.x_stride;
    for (int64_t i = 0; i < block->count; i++) {
        tap_index at = block->at[i];
        int64_t row = at.row - rows->first, column = at.column - columns->first;
        if (row >= 0 && at.row < rows->last && column >= 0 && at.column < columns->last)
            taps[count++] = (tern__conv_tap){.x = at.channel * j->x_channel + row * row_step +
                                                  column * column_step,
                                             .weight = i};
    }
    return count;
}

/* -- many channels -----------------------------------------------------------------------------*/

/* One panel of channels and one block of taps. */
typedef struct panel_job {
    const conv_job *j;
    int64_t output; /* the first channel of the result */
    int channels;
    const float *panel, *bias;
    tap_block block;
    int64_t begin, end; /* output rows, batch included */
} panel_job;

static void pack(const panel_job *p, float *panel) {
    const conv_job *j = p->j;
    int width = j->cpu->conv->panel;
    for (int c = 0; c < width; c++) {
        const float *from = j->weight + (p->output + c) * j->weight_output;
        for (int64_t i = 0; i < p->block.count; i++)
            panel[i * width + c] = c < p->channels ? from[p->block.weights[i]] : 0;
    }
}

/* The rows and columns of two spans in one image, in tiles that go on over the ends of rows. */
static void run_region(const panel_job *p, const tern__conv_tile *common, int64_t batch,
                       const span *rows, const span *columns) {
    const conv_job *j = p->j;
    const side *h = &j->height, *w = &j->width;
    int64_t x_places[TERN__CONV_POSITIONS_MAX], out_places[TERN__CONV_POSITIONS_MAX];
    int64_t channel = p->output / j->outputs * j->channels;
    int64_t count = (columns->end - columns->begin) * (rows->end - rows->begin);
    tern__conv_tile tile = *common;
    tile.x = j->x + batch * j->x_batch + channel * j->x_channel;
    tile.out = j->out + batch * j->out_batch + p->output * j->out_channel;
    tile.x_places = x_places;
    tile.out_places = out_places;
    int64_t y = rows->begin, x = columns->begin;
    for (int64_t i = 0; i < count; i += tile.positions) {
        tile.positions = (int)tern__min_i64(j->cpu->conv->positions, count - i);
        tile.is_adjacent = x + tile.positions <= columns->end && w->stride * w->x_stride == 1;
        for (int k = 0; k < tile.positions; k++) {
            x_places[k] = place(h, y, rows->first) + place(w, x, columns->first);
            out_places[k] = y * h->out_stride + x * w->out_stride;
            if (++x == columns->end)
                x = columns->begin, y++;
        }
        j->cpu->conv->tile(&tile);
    }
}

/* The rows of the piece of work that a span has, image by image. */
static void run_spans(const panel_job *p, const span *rows, const span *columns) {
    const conv_job *j = p->j;
    tern__conv_tap taps[TERN__CONV_TAPS];
    tern__conv_tile tile = {.taps = taps,
                            .tap_count = list_taps(j, &p->block, rows, columns, taps),
                            .panel = p->panel,
                            .channel_stride = j->out_channel,
                            .channels = p->channels,
                            .is_first = p->block.is_first,
                            .bias = p->block.is_last ? p->bias : NULL};
    int64_t height = j->height.out;
    for (int64_t b = p->begin / height; b * height < p->end; b++) {
        span part = *rows;
        part.begin = tern__max_i64(part.begin, p->begin - b * height);
        part.end = tern__min_i64(part.end, p->end - b * height);
        if (part.begin < part.end)
            run_region(p, &tile, b, &part, columns);
    }
}

static void run_panel(panel_job *p, float *panel) {
    const conv_job *j = p->j;
    int64_t first = 0;
    do {
        open_block(j, first, &p->block);
        pack(p, panel);
        for (int64_t y = 0; y < j->height.out;) {
            span rows = span_at(&j->height, y);
            for (int64_t x = 0; x < j->width.out;) {
                span columns = span_at(&j->width, x);
                run_spans(p, &rows, &columns);
                x = columns.end;
            }
            y = rows.end;
        }
        first += p->block.count;
    } while (first < j->taps);
}

/* Indices are (chunk, group, panel). */
static void do_panels(void *argument, int64_t begin, int64_t end, int lane) {
    const conv_job *j = argument;
    float *panel = tern__lane_scratch(j->cpu, lane), bias[TERN__CONV_PANEL_MAX];
    for (int64_t index = begin; index < end; index++) {
        int64_t part = index % (j->groups * j->panels), chunk = index / (j->groups * j->panels);
        int64_t first = part % j->panels * j->cpu->conv->panel;
        panel_job p = {.j = j,
                       .output = part / j->panels * j->outputs + first,
                       .channels = (int)tern__min_i64(j->cpu->conv->panel, j->outputs - first),
                       .panel = panel,
                       .bias = j->bias != NULL ? bias : NULL,
                       .begin = chunk * j->chunk};
        p.end = tern__min_i64(p.begin + j->chunk, j->batch * j->height.out);
        for (int c = 0; j->bias != NULL && c < p.channels; c++)
            bias[c] = j->bias[(p.output + c) * j->bias_stride];
        run_panel(&p, panel);
    }
}

/* Enough positions that packing the weights is little work beside them. */
enum { CHUNK_POSITIONS = 128 };

static void run_panels(conv_job *j) {
    int64_t threads = tern__team_size(j->cpu->team), rows = j->batch * j->height.out;
    int panel = j->cpu->conv->panel;
    j->panels = (j->outputs - 1) / panel + 1;
    int64_t chunks = ceil_div(4 * threads, j->groups * j->panels);
    j->chunk = tern__max_i64(ceil_div(rows, chunks), ceil_div(CHUNK_POSITIONS, j->width.out));
    chunks = ceil_div(rows, j->chunk);
    int64_t work = tern__max_i64(1, j->taps) * j->chunk * j->width.out * panel;
    tern__team_run(j->cpu->team, chunks * j->groups * j->panels,
                   tern__max_i64(1, 4 * TERN__CPU_GRAIN / work), do_panels, j);
}

/* -- few channels ------------------------------------------------------------------------------*/

/* For which elements of a row each tap exists. */
static void limit_taps(const conv_job *j, const tap_block *block, tern__conv_tap *taps,
                       int64_t count) {
    const side *w = &j->width;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = w->padding - block->at[taps[i].weight].column * w->dilation;
        taps[i].begin = limited(ceil_div(before, w->stride), w->out);
        taps[i].end = limited(ceil_div(w->in + before, w->stride), w->out);
    }
}

/* The rows of a span in `count` planes of the result from plane `index` on: of one image, and of
 * groups with one channel each when they are several. */
static void run_some(const conv_job *j, int64_t index, int64_t count, const tap_block *block,
                     const span *rows, tern__conv_line *line) {
    const side *h = &j->height, *w = &j->width;
    int64_t outputs = j->groups * j->outputs, output = index % outputs, batch = index / outputs;
    int64_t channel = output / j->outputs * j->channels;
    line->channels = count;
    line->weights = j->weight + output * j->weight_output;
    line->x = j->x + batch * j->x_batch + channel * j->x_channel +
              place(h, rows->begin, rows->first) + place(w, 0, 0);
    line->out =
        j->out + batch * j->out_batch + output * j->out_channel + rows->begin * h->out_stride;
    if (block->is_last && j->bias != NULL)
        line->bias = j->bias + output * j->bias_stride;
    j->cpu->conv->line(line);
}

static void run_planes_of(const conv_job *j, int64_t begin, int64_t end, const tap_block *block,
                          const span *rows, tern__conv_line *line) {
    int64_t outputs = j->groups * j->outputs, count;
    for (int64_t index = begin; index < end; index += count) {
        count = j->outputs > 1 ? 1 : tern__min_i64(end - index, outputs - index % outputs);
        run_some(j, index, count, block, rows, line);
    }
}

static void run_block(const conv_job *j, const tap_block *block, int64_t begin, int64_t end) {
    const side *h = &j->height, *w = &j->width;
    const span columns = {0, w->out, 0, w->taps};
    tern__conv_tap taps[TERN__CONV_TAPS];
    tern__conv_line line = {.x_step = w->stride * w->x_stride,
                            .x_row = h->stride * h->x_stride,
                            .taps = taps,
                            .out_step = w->out_stride,
                            .out_row = h->out_stride,
                            .n = w->out,
                            .x_channel = j->channels * j->x_channel,
                            .weight_channel = j->weight_output,
                            .out_channel = j->out_channel,
                            .bias_channel = j->bias_stride,
                            .is_first = block->is_first};
    for (int64_t y = 0; y < h->out; y += line.rows) {
        span rows = span_at(h, y);
        line.rows = rows.end - rows.begin;
        line.tap_count = list_taps(j, block, &rows, &columns, taps);
        limit_taps(j, block, taps, line.tap_count);
        for (int64_t i = 0; i < line.tap_count; i++)
            taps[i].weight = block->weights[taps[i].weight];
        run_planes_of(j, begin, end, block, &rows, &line);
    }
}

/* Indices are (batch, output channel). */
static void do_planes(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const conv_job *j = argument;
    tap_block block;
    int64_t first = 0;
    do {
        open_block(j, first, &block);
        run_block(j, &block, begin, end);
        first += block.count;
    } while (first < j->taps);
}

static void run_planes(conv_job *j) {
    int64_t work = tern__max_i64(1, j->taps) * j->height.out * j->width.out;
    tern__team_run(j->cpu->team, j->batch * j->groups * j->outputs,
                   tern__max_i64(1, 4 * TERN__CPU_GRAIN / work), do_planes, j);
}

/* -- the call ----------------------------------------------------------------------------------*/

/* Axis `back` from the end; index 0 of the options is the height, 1 the width. conv1d has a height
 * of one row. */
static side side_of(const tern__op_call *call, int back, int index) {
    const tern_tensor *x = call->in[0], *weight = call->in[1];
    const tern_conv_options *options = call->detail;
    if (x->rank - 2 < back)
        return (side){.in = 1, .out = 1, .taps = 1, .stride = 1, .dilation = 1};
    return (side){.in = tern__dim_back(x, back),
                  .out = tern__dim_back(call->out, back),
                  .taps = tern__dim_back(weight, back),
                  .stride = options->stride[index],
                  .padding = options->padding[index],
                  .dilation = options->dilation[index],
                  .x_stride = tern__stride_back(x, back),
                  .weight_stride = tern__stride_back(weight, back),
                  .out_stride = tern__stride_back(call->out, back)};
}

static bool is_near(int64_t step) {
    return step >= -(1 << 24) && step <= 1 << 24;
}

tern_status tern__cpu_conv(tern__device *device, const tern__op_call *call) {
    const tern_tensor *x = call->in[0], *weight = call->in[1], *bias = call->in[2];
    const tern_conv_options *options = call->detail;
    conv_job j = {.cpu = tern__cpu_of(device),
                  .x = x->data,
                  .weight = weight->data,
                  .bias = bias != NULL ? bias->data : NULL,
                  .out = call->out->data,
                  .height = side_of(call, 2, 0),
                  .width = side_of(call, 1, x->rank == 3 ? 0 : 1),
                  .batch = x->dims[0],
                  .channels = weight->dims[1],
                  .groups = options->groups,
                  .outputs = weight->dims[0] / options->groups,
                  .x_batch = tern__strides(x)[0],
                  .x_channel = tern__strides(x)[1],
                  .weight_output = tern__strides(weight)[0],
                  .weight_channel = tern__strides(weight)[1],
                  .bias_stride = bias != NULL ? tern__strides(bias)[0] : 0,
                  .out_batch = tern__strides(call->out)[0],
                  .out_channel = tern__strides(call->out)[1]};
    j.taps = j.channels * j.height.taps * j.width.taps;
    if (4 * j.outputs <= j.cpu->conv->panel && is_near(j.width.stride * j.width.x_stride) &&
        is_near(j.width.out_stride))
        run_planes(&j);
    else
        run_panels(&j);
    return TERN_OK;
}
