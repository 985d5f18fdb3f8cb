// The derivatives of attention_kernels.hpp, with its shapes: a head's shares are computed again, and no more than one
// head's are kept.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>

#include "readbench/attention_kernels.hpp"

namespace readbench {

// Memory for the derivatives of a whole sequence, beside `AttentionScratch`.
struct GradientScratch {
    GradientScratch(const AttentionShape& shape, std::size_t num_tokens)
        : places(round_up(num_tokens, kWidestFloats)), values(shape.width * places), given(places * shape.padded()),
          share(places * places), to_share(places * places), to_query(places * shape.padded()),
          to_key(places * shape.padded()), to_value(places * shape.padded()) {}

    std::size_t places; // T
    FloatBuffer values; // (D, T), transposed
    FloatBuffer given;  // (T, D'), the derivative of what attention returns
    FloatBuffer share;  // (T, T)
    FloatBuffer to_share;
    FloatBuffer to_query;
    FloatBuffer to_key;
    FloatBuffer to_value;
};

namespace kernel {

// (row of) d loss / d share -> d loss / d score, in natural units: share · (given − Σ share · given), in the same
// memory.
template <std::size_t Lanes>
READBENCH_INLINE void softmax_backward(const float* share, std::size_t columns, float* given) {
    Floats<Lanes> sums = {};
    for (std::size_t c = 0; c < columns; c += Lanes) {
        sums += load<Lanes>(share + c) * load<Lanes>(given + c);
    }
    const float along = sum_of<Lanes>(sums);
    for (std::size_t c = 0; c < columns; c += Lanes) {
        store<Lanes>(given + c, load<Lanes>(share + c) * (load<Lanes>(given + c) - along));
    }
}

// Adds (n, D') = Σ_i weight(i, ·) rows(i, D') over the i that see a place, for each place: weight (n, T') is 0 above
// its diagonal.
template <std::size_t Lanes>
READBENCH_INLINE void gather(const float* weight, std::size_t weight_row, const float* rows, std::size_t padded,
                             std::size_t n, std::size_t columns, float* to) {
    for (std::size_t first = 0; first < n; first += kTile) {
        product<Lanes, kTile, true>(weight + first * weight_row + first, 1, weight_row, rows + first * padded, padded,
                                    n - first, to + first * padded, padded, columns);
    }
}

// Adds a head's share to the gradients of its group's keys and values; writes that of its queries.
template <std::size_t Lanes>
READBENCH_INLINE void attend_head_backward(const AttentionShape& shape, const Span& span, std::size_t head,
                                           const float* grad, AttentionScratch& scratch, GradientScratch& gradients,
                                           float* to_z) {
    const std::size_t padded = shape.padded();
    const std::size_t columns = round_up(shape.width, Lanes);
    const std::size_t n = span.length;
    float* share = gradients.share.data();
    float* to_share = gradients.to_share.data();
    turn_queries<Lanes>(shape, span, head, scratch);
    for (std::size_t i = 0; i < n; ++i) {
        copy<Lanes>(grad + i * shape.mixed() + head * shape.width, shape.width, gradients.given.data() + i * padded);
    }
    for (std::size_t first = 0; first < n; first += kTile) {
        const std::size_t end = first + kTile < n ? first + kTile : n;
        const std::size_t seen = round_up(end, Lanes);
        float* share_rows = share + first * scratch.places;
        float* to_rows = to_share + first * scratch.places;
        shares_of<Lanes, kTile>(shape, span, first, scratch, share_rows);
        product<Lanes, kTile>(gradients.given.data() + first * padded, padded, 1, gradients.values.data(),
                              gradients.places, shape.width, to_rows, scratch.places, seen);
        for (std::size_t r = 0; r < kTile; ++r) {
            softmax_backward<Lanes>(share_rows + r * scratch.places, seen, to_rows + r * scratch.places);
        }
        product<Lanes, kTile>(to_rows, scratch.places, 1, scratch.key.data(), padded, end,
                              gradients.to_query.data() + first * padded, padded, columns);
    }
    gather<Lanes>(share, scratch.places, gradients.given.data(), padded, n, columns, gradients.to_value.data());
    gather<Lanes>(to_share, scratch.places, scratch.query.data(), padded, n, columns, gradients.to_key.data());
    const float scale = 1.0F / std::sqrt(static_cast<float>(shape.width));
    for (std::size_t i = 0; i < n; ++i) {
        rotate<Lanes, true>(gradients.to_query.data() + i * padded, span.turns + i * shape.width, shape.width, scale,
                            to_z + i * shape.columns() + head * shape.width);
    }
}

// One whole sequence: d loss / d z (L, (H + 2G)·D), by that of what `Attend` writes, (L, H·D).
struct AttendBackward {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const AttentionShape& shape, const Span& span, const float* grad,
                                     AttentionScratch& scratch, GradientScratch& gradients, float* to_z) {
        const std::size_t padded = shape.padded();
        const std::size_t n = span.length;
        for (std::size_t group = 0; group < shape.groups; ++group) {
            const Span own = of_group(shape, span, group);
            append<Lanes>(shape, own, group, scratch);
            transpose(own.values, n, padded, shape.width, gradients.values.data(), gradients.places);
            const std::size_t bytes = round_up(n, kTile) * padded * sizeof(float);
            std::memset(gradients.to_key.data(), 0, bytes);
            std::memset(gradients.to_value.data(), 0, bytes);
            for (std::size_t head = group * shape.shared(); head < (group + 1) * shape.shared(); ++head) {
                attend_head_backward<Lanes>(shape, own, head, grad, scratch, gradients, to_z);
            }
            float* to_key = to_z + (shape.heads + group) * shape.width;
            float* to_value = to_key + shape.groups * shape.width;
            for (std::size_t i = 0; i < n; ++i) { // the queries in the keys' gradient hold log2(e)
                rotate<Lanes, true>(gradients.to_key.data() + i * padded, span.turns + i * shape.width, shape.width,
                                    kLn2, to_key + i * shape.columns());
                copy<Lanes>(gradients.to_value.data() + i * padded, shape.width, to_value + i * shape.columns());
            }
        }
    }
};

} // namespace kernel

} // namespace readbench
