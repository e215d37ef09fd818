/* SPDX-License-Identifier: MIT
 *
 * Rows of F32 as integers, and W1.58A8 by MLX's product with weights of 2 bits. The codes 0, 1, 2
 * stand for -1, 0, +1: scale 1, bias -1. The activations are the integers of docs/numerics.md, as
 * floats; so all sums are of integers, and exact in F32 up to 65 536 columns whatever their order.
 * With a scale for each 256 columns it is the group's scale and bias that bring it in.
 *
 * The packed form, in the memory of the host: the head, rows of words with 16 codes each, the first
 * in the lowest bits, then a scale and a bias for each group of columns. */
#include <algorithm>
#include <cstring>

#include "device/mlx/mlx.h"

namespace tern_mlx {

namespace {

const int64_t codes_per_word = 16;

struct packed_head {
    int64_t rows, columns; /* columns: padded to whole groups */
    int64_t group;         /* columns with a scale and a bias: 128, 64 or 32 */
    float scale;           /* of the result */
    int32_t unused[9];     /* what follows is aligned to 64 */
};
static_assert(sizeof(packed_head) == 64, "what follows is aligned");

packed_head describe(const tern__pack_request &request) {
    packed_head head = {};
    head.rows = request.rows;
    head.group = request.columns % 128 == 0 ? 128 : request.columns % 64 == 0 ? 64 : 32;
    head.columns = (request.columns + head.group - 1) / head.group * head.group;
    head.scale = request.block_columns > 0 ? 1 : request.scale;
    return head;
}

int64_t count_words(const packed_head &head) {
    return head.rows * (head.columns / codes_per_word);
}

int64_t count_groups(const packed_head &head) {
    return head.rows * (head.columns / head.group);
}

/* A matrix of a packed form. */
tern__operand part(const packed_head &head, int64_t columns, int64_t offset) {
    tern__operand operand = {};
    auto *begin = reinterpret_cast<char *>(const_cast<packed_head *>(&head));
    operand.data = begin + sizeof head + offset * (int64_t)sizeof(float);
    operand.rank = 2;
    operand.dims[0] = head.rows, operand.dims[1] = columns;
    operand.strides[0] = columns, operand.strides[1] = 1;
    return operand;
}

/* -- rows as integers --------------------------------------------------------------------------*/

/* The largest |x| of each row, NaN when there is one: (..., 1). As integers the magnitudes are in
 * order, NaN above. */
mx::array largest(const mx::array &x) {
    return mx::view(mx::max(mx::view(mx::abs(x), mx::int32), -1, true), mx::float32);
}

mx::array at_least(const mx::array &x, float least) {
    return mx::where(mx::less(x, mx::array(least)), mx::array(least), x);
}

mx::array quantize_scale(frame &f) {
    return mx::divide(at_least(largest(f.in(0)), 1e-5f), mx::array(127.0f));
}

mx::array quantize(frame &f) {
    mx::array q = mx::round(mx::divide(f.in(0), mx::expand_dims(f.in(1), -1)));
    q = mx::where(mx::isnan(q), mx::array(0.0f), q);
    return mx::clip(q, mx::array(-127.0f), mx::array(127.0f));
}

/* -- the product -------------------------------------------------------------------------------*/

mx::array ternary_linear(frame &f) {
    const auto &head = *static_cast<const packed_head *>(f.call.in[1].data);
    if (head.columns == 0)
        return mx::array(0 * head.scale);
    int64_t words = count_words(head), groups = count_groups(head);
    mx::array w = f.wrap(part(head, head.columns / codes_per_word, 0), mx::uint32);
    mx::array scales = f.wrap(part(head, head.columns / head.group, words), mx::float32);
    mx::array biases = f.wrap(part(head, head.columns / head.group, words + groups), mx::float32);
    mx::array x = f.in(0);
    x = mx::reshape(x, {-1, x.shape(-1)});
    mx::array s = mx::divide(mx::array(127.0f), at_least(largest(x), 1e-5f));
    mx::array q = mx::round(mx::multiply(x, s));
    if (q.shape(1) < head.columns)
        q = mx::pad(q, {{0, 0}, {0, (int)head.columns - q.shape(1)}});
    mx::array sums = mx::quantized_matmul(q, w, scales, biases, true, (int)head.group, 2);
    return mx::multiply(sums, mx::divide(mx::array(head.scale), s));
}

/* -- packing -----------------------------------------------------------------------------------*/

void pack_words(const uint8_t *codes, int64_t columns, uint32_t *words) {
    for (int64_t i = 0; i < columns; i += codes_per_word) {
        uint32_t word = 0;
        for (int64_t k = 0; k < codes_per_word; k++)
            word |= (uint32_t)codes[i + k] << 2 * k;
        words[i / codes_per_word] = word;
    }
}

} // namespace

size_t packed_bytes(const tern__pack_request &request) {
    packed_head head = describe(request);
    if (head.columns > INT32_MAX || head.rows > INT32_MAX)
        throw declined();
    return sizeof head + (size_t)(count_words(head) + 2 * count_groups(head)) * sizeof(float);
}

tern_status pack_weight(const tern__pack_request &request, void *to) {
    packed_head head = describe(request);
    int64_t groups = head.columns / head.group, blocks = 0;
    if (request.block_columns > 0)
        blocks = request.columns / request.block_columns;
    std::vector<uint8_t> codes((size_t)head.columns);
    std::vector<float> block_scales((size_t)blocks);
    std::memcpy(to, &head, sizeof head);
    auto *words = reinterpret_cast<uint32_t *>(static_cast<char *>(to) + sizeof head);
    auto *scales = reinterpret_cast<float *>(words + count_words(head));
    float *biases = scales + count_groups(head);
    for (int64_t row = 0; row < head.rows; row++) {
        tern_status status =
            request.codes(&request, row, 1, head.columns, codes.data(), block_scales.data());
        if (status != TERN_OK)
            return status;
        pack_words(codes.data(), head.columns, words + row * (head.columns / codes_per_word));
        for (int64_t group = 0; group < groups; group++) {
            /* The padding of a row belongs to its last block. */
            float scale =
                blocks > 0
                    ? block_scales[std::min(group * head.group / request.block_columns, blocks - 1)]
                    : 1.0f;
            scales[row * groups + group] = scale;
            biases[row * groups + group] = -scale;
        }
    }
    return TERN_OK;
}

void add_ternary(row *rows) {
    rows[TERN__OP_QUANTIZE_SCALE] = {quantize_scale};
    rows[TERN__OP_QUANTIZE] = {quantize};
    rows[TERN__OP_TERNARY_LINEAR] = {ternary_linear, 0, 1e-5};
}

} // namespace tern_mlx
