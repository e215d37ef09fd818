/* SPDX-License-Identifier: MIT
 * Packing ternary matrices for the GPU (ternary.h), on the host, and looking at packed ones. */
#include <stdlib.h>
#include <string.h>

#include "device/cuda/ternary.h"

enum { PORTION_BYTES = 1 << 20 }; /* of tiles, packed and copied at once */

struct packed_plan {
    int64_t rows, panels, chunks;
    int64_t blocks; /* scales of a row; 0: one for all */
    size_t scale_bytes, panel_bytes;
    size_t bytes; /* all of it */
};

static tern_status make_plan(cuda_device *d, int64_t rows, int64_t columns, int64_t block_columns,
                             packed_plan *plan) {
    if (columns > TERNARY_COLUMNS_MAX)
        return d->host->fail(TERN_E_LIMIT, "pack: %lld columns, at most %d", (long long)columns,
                             (int)TERNARY_COLUMNS_MAX);
    if (block_columns != 0 && (block_columns != TERNARY_BLOCK || columns % TERNARY_BLOCK != 0))
        return d->host->fail(TERN_E_UNSUPPORTED, "cuda: a scale for %lld of %lld columns",
                             (long long)block_columns, (long long)columns);
    *plan = {};
    plan->rows = rows;
    plan->panels = rows / TERNARY_PANEL + (rows % TERNARY_PANEL != 0);
    plan->chunks = (columns + TERNARY_CHUNK - 1) / TERNARY_CHUNK;
    plan->blocks = block_columns != 0 ? columns / TERNARY_BLOCK : 0;
    plan->panel_bytes = (size_t)plan->chunks * TERNARY_TILE_BYTES;
    size_t scales_of_panel = (size_t)plan->blocks * TERNARY_PANEL * sizeof(float);
    /* A panel has less than 2^22 bytes. */
    if (plan->panels > INT32_MAX / TERNARY_PANEL)
        return d->host->fail(TERN_E_LIMIT, "cuda: a packed weight of %lld rows", (long long)rows);
    plan->scale_bytes = (size_t)plan->panels * scales_of_panel;
    plan->bytes = TERNARY_HEADER + plan->scale_bytes + (size_t)plan->panels * plan->panel_bytes;
    return TERN_OK;
}

tern_status cuda_packed_bytes(void *device, const tern__pack_request *request, size_t *bytes) {
    packed_plan plan;
    tern_status status =
        make_plan(cuda_of(device), request->rows, request->columns, request->block_columns, &plan);
    if (status == TERN_OK)
        *bytes = plan.bytes;
    return status;
}

tern_status cuda_ternary_view(cuda_device *d, const tern__operand *weight, ternary_weight *view) {
    packed_plan plan;
    if (weight->dtype != TERN_TERNARY || weight->rank != 2)
        return cuda_decline();
    int64_t columns = weight->dims[1];
    tern_status status = make_plan(d, weight->dims[0], columns, 0, &plan);
    if (status == TERN_OK && weight->bytes != plan.bytes)
        status = make_plan(d, weight->dims[0], columns, TERNARY_BLOCK, &plan);
    if (status != TERN_OK)
        return status;
    if (weight->bytes != plan.bytes)
        return d->host->fail(
            TERN_E_UNSUPPORTED, "cuda: %llu bytes are no packed weight (%lld, %lld)",
            (unsigned long long)weight->bytes, (long long)plan.rows, (long long)columns);
    const uint8_t *base = (const uint8_t *)weight->data;
    view->scale = (const float *)base;
    view->block_scales = plan.blocks > 0 ? (const float *)(base + TERNARY_HEADER) : nullptr;
    view->tiles = (const uint4 *)(base + TERNARY_HEADER + plan.scale_bytes);
    view->rows = plan.rows;
    view->panels = (int)plan.panels;
    return TERN_OK;
}

/* -- packing -----------------------------------------------------------------------------------*/

/* Codes (16, padded), at a chunk, to a tile. */
static void pack_tile(const uint8_t *codes, int64_t padded, uint32_t *tile) {
    for (int lane = 0; lane < 32; lane++)
        for (int r = 0; r < 4; r++) {
            const uint8_t *from =
                codes + (lane / 4 + 8 * (r % 2)) * padded + 32 * (lane % 4) + 4 * (r / 2);
            uint32_t word = 0;
            for (int field = 0; field < 4; field++) {
                uint32_t four;
                memcpy(&four, from + 8 * field, sizeof four);
                /* Codes 0, 1, 2 become 3, 0, 1: less one in two bits. */
                word |= ((four + 0x03030303u) & 0x03030303u) << 2 * field;
            }
            tile[4 * lane + r] = word;
        }
}

/* Host memory of one packing. */
struct pack_room {
    uint8_t *codes;    /* (panels * 16, padded) */
    float *row_scales; /* (panels * 16, blocks) */
    float *scales;     /* (blocks, all panels * 16) */
    uint32_t *tiles;   /* (panels, chunks, 128) */
    int64_t panels;    /* of a portion */
};

static void free_room(pack_room *room) {
    free(room->codes);
    free(room->row_scales);
    free(room->scales);
    free(room->tiles);
}

static tern_status make_room(cuda_device *d, const packed_plan *plan, pack_room *room) {
    size_t panel = plan->panel_bytes > 0 ? plan->panel_bytes : 1;
    room->panels = panel < PORTION_BYTES ? (int64_t)(PORTION_BYTES / panel) : 1;
    if (room->panels > plan->panels)
        room->panels = plan->panels;
    size_t rows = (size_t)room->panels * TERNARY_PANEL;
    /* One more byte each: malloc(0) may be NULL. */
    room->codes = (uint8_t *)malloc(rows * (size_t)plan->chunks * TERNARY_CHUNK + 1);
    room->row_scales = (float *)malloc(rows * (size_t)plan->blocks * sizeof(float) + 1);
    room->scales = (float *)calloc(1, plan->scale_bytes + 1);
    room->tiles = (uint32_t *)malloc((size_t)room->panels * plan->panel_bytes + 1);
    if (room->codes == NULL || room->row_scales == NULL || room->scales == NULL ||
        room->tiles == NULL)
        return d->host->fail(TERN_E_MEMORY, "cuda: no memory for packing a weight");
    return TERN_OK;
}

/* The panels [first, first + count) to room->tiles, their scales to their places. */
static tern_status pack_portion(const tern__pack_request *request, const packed_plan *plan,
                                pack_room *room, int64_t first, int64_t count) {
    int64_t padded = plan->chunks * TERNARY_CHUNK, row = first * TERNARY_PANEL;
    int64_t rows = count * TERNARY_PANEL;
    if (rows > plan->rows - row)
        rows = plan->rows - row;
    memset(room->codes + rows * padded, 1,
           (size_t)((count * TERNARY_PANEL - rows) * padded)); /* trit 0 */
    tern_status status = request->codes(request, row, rows, padded, room->codes,
                                        plan->blocks > 0 ? room->row_scales : NULL);
    if (status != TERN_OK)
        return status;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t block = 0; block < plan->blocks; block++)
            room->scales[block * plan->panels * TERNARY_PANEL + row + i] =
                room->row_scales[i * plan->blocks + block];
    for (int64_t panel = 0; panel < count; panel++)
        for (int64_t chunk = 0; chunk < plan->chunks; chunk++)
            pack_tile(room->codes + panel * TERNARY_PANEL * padded + chunk * TERNARY_CHUNK, padded,
                      room->tiles + (panel * plan->chunks + chunk) * (TERNARY_TILE_BYTES / 4));
    return TERN_OK;
}

static tern_status copy_in(cuda_device *d, void *to, const void *from, size_t bytes) {
    return cuda_copy_in(d, to, from, bytes, "packed weights");
}

static tern_status pack_all(cuda_device *d, const tern__pack_request *request,
                            const packed_plan *plan, pack_room *room, uint8_t *to) {
    float header[TERNARY_HEADER / sizeof(float)] = {request->scale};
    tern_status status = copy_in(d, to, header, sizeof header);
    uint8_t *tiles = to + TERNARY_HEADER + plan->scale_bytes;
    for (int64_t first = 0; status == TERN_OK && first < plan->panels; first += room->panels) {
        int64_t count = room->panels < plan->panels - first ? room->panels : plan->panels - first;
        status = pack_portion(request, plan, room, first, count);
        if (status == TERN_OK)
            status = copy_in(d, tiles + (size_t)first * plan->panel_bytes, room->tiles,
                             (size_t)count * plan->panel_bytes);
    }
    if (status == TERN_OK && plan->scale_bytes > 0)
        status = copy_in(d, to + TERNARY_HEADER, room->scales, plan->scale_bytes);
    return status;
}

tern_status cuda_pack_weight(void *device, const tern__pack_request *request, void *to) {
    cuda_device *d = cuda_of(device);
    packed_plan plan;
    pack_room room = {};
    tern_status status =
        make_plan(d, request->rows, request->columns, request->block_columns, &plan);
    if (status == TERN_OK)
        status = cuda_flush(d);
    if (status == TERN_OK)
        status = make_room(d, &plan, &room);
    if (status == TERN_OK)
        status = pack_all(d, request, &plan, &room, (uint8_t *)to);
    free_room(&room);
    return status;
}
