// Causal attention of short sequences with rotated queries and keys (Vaswani et al. 2017, arXiv 1706.03762; Su et al.
// 2021, arXiv 2104.09864), in one pass: a head's queries, keys and values stay in the core's cache from rotation to
// mix.
//
// Sequences stand one below the other in z (N, (H + 2G)·D): H heads of queries, G of keys, G of values, each of width
// D; H/G heads share a group's keys and values. A head's first and second halves are turned against each other, by the
// angles of the token's place.
//
// Keys are kept transposed, (D, T), and values in padded rows, (T, D'), so that every product adds vectors times
// numbers. The exponents are powers of 2: the queries hold log2(e) with the softmax's scale.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "readbench/floats.hpp"

namespace readbench {

struct AttentionShape {
    std::size_t heads;  // H
    std::size_t groups; // G
    std::size_t width;  // D, even

    std::size_t columns() const { return (heads + 2 * groups) * width; }  // of z
    std::size_t mixed() const { return heads * width; }                   // columns of the result
    std::size_t shared() const { return heads / groups; }                 // heads of a group
    std::size_t padded() const { return round_up(width, kWidestFloats); } // D'
};

// One sequence's rows of z, and where they stand.
struct Span {
    const float* z;     // its first row
    const float* turns; // (·, D) of its first place
    std::size_t length; // tokens
    std::size_t before; // tokens that are in `keys` and `values` already
    float* keys;        // of each group (D, T)
    float* values;      // of each group (T, D')
    std::size_t places; // T
};

constexpr std::size_t kTile = 4; // rows of a product that stay in registers, times two vectors of columns

// Memory for a sequence to which at most so many tokens come, and which then has at most so many places.
struct AttentionScratch {
    AttentionScratch(const AttentionShape& shape, std::size_t num_tokens, std::size_t num_places)
        : places(round_up(num_places, kWidestFloats)), query(round_up(num_tokens, kTile) * shape.padded()),
          key(num_tokens * shape.padded()), share(kTile * places), mixed(kTile * shape.padded()) {}

    std::size_t places;
    FloatBuffer query; // (L, D'), turned and scaled
    FloatBuffer key;   // (L, D'), turned
    FloatBuffer share; // of a tile of queries, (kTile, T)
    FloatBuffer mixed; // likewise, (kTile, D')
};

namespace kernel {

// to (Rows, Columns·Lanes) = Σ_k a(r, k) · b(k, ·), of which a(r, k) stands at a[r·row + k·step]; added to `to` if
// Adds.
template <std::size_t Lanes, std::size_t Rows, std::size_t Columns, bool Adds>
READBENCH_INLINE void tile(const float* a, std::size_t row, std::size_t step, const float* b, std::size_t b_row,
                           std::size_t inner, float* to, std::size_t to_row) {
    Floats<Lanes> sum[Rows][Columns] = {};
    for (std::size_t k = 0; k < inner; ++k) {
        Floats<Lanes> right[Columns];
        for (std::size_t c = 0; c < Columns; ++c) {
            right[c] = load<Lanes>(b + k * b_row + c * Lanes);
        }
        for (std::size_t r = 0; r < Rows; ++r) {
            const float left = a[r * row + k * step];
            for (std::size_t c = 0; c < Columns; ++c) {
                sum[r][c] += left * right[c];
            }
        }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
        for (std::size_t c = 0; c < Columns; ++c) {
            float* place = to + r * to_row + c * Lanes;
            store<Lanes>(place, Adds ? load<Lanes>(place) + sum[r][c] : sum[r][c]);
        }
    }
}

// The same for all columns, a multiple of Lanes.
template <std::size_t Lanes, std::size_t Rows, bool Adds = false>
READBENCH_INLINE void product(const float* a, std::size_t row, std::size_t step, const float* b, std::size_t b_row,
                              std::size_t inner, float* to, std::size_t to_row, std::size_t columns) {
    std::size_t column = 0;
    for (; column + 2 * Lanes <= columns; column += 2 * Lanes) {
        tile<Lanes, Rows, 2, Adds>(a, row, step, b + column, b_row, inner, to + column, to_row);
    }
    if (column < columns) {
        tile<Lanes, Rows, 1, Adds>(a, row, step, b + column, b_row, inner, to + column, to_row);
    }
}

// Exponents of 2 -> shares, of which the places after `last` are 0; `columns` is a multiple of Lanes beyond it. Shares
// below 2^-100 of the largest are 0 too: products with them would leave what floats can hold.
template <std::size_t Lanes>
READBENCH_INLINE void softmax(float* row, std::size_t last, std::size_t columns) {
    Floats<Lanes> lane = {};
    for (std::size_t i = 0; i < Lanes; ++i) {
        lane[i] = static_cast<float>(i);
    }
    const Floats<Lanes> nothing = Floats<Lanes>{} - std::numeric_limits<float>::infinity();
    Floats<Lanes> largest = nothing;
    for (std::size_t c = 0; c < columns; c += Lanes) {
        const float limit = static_cast<float>(last) - static_cast<float>(c);
        const Floats<Lanes> seen = lane <= limit ? load<Lanes>(row + c) : nothing;
        store<Lanes>(row + c, seen);
        largest = seen > largest ? seen : largest;
    }
    const float bound = largest_of<Lanes>(largest);
    Floats<Lanes> sums = {};
    for (std::size_t c = 0; c < columns; c += Lanes) {
        const Floats<Lanes> below = load<Lanes>(row + c) - bound;
        const Floats<Lanes> power = below < -100.0F ? Floats<Lanes>{} : power_of_2<Lanes>(below);
        store<Lanes>(row + c, power);
        sums += power;
    }
    const float inverse = 1.0F / sum_of<Lanes>(sums);
    for (std::size_t c = 0; c < columns; c += Lanes) {
        store<Lanes>(row + c, load<Lanes>(row + c) * inverse);
    }
}

template <std::size_t Lanes>
READBENCH_INLINE void copy(const float* from, std::size_t n, float* to) {
    in_vectors<Lanes>(n, [&](auto lanes, std::size_t place)
                             READBENCH_INLINE_LAMBDA { store<lanes()>(to + place, load<lanes()>(from + place)); });
}

// A head's two halves turned by the angles whose cosines and sines stand in `turn` (D,), forth or back, times `scale`.
template <std::size_t Lanes, bool Back>
READBENCH_INLINE void rotate(const float* from, const float* turn, std::size_t width, float scale, float* to) {
    const std::size_t half = width / 2;
    in_vectors<Lanes>(half, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
        const auto cosine = load<lanes()>(turn + place) * scale;
        const auto sine = load<lanes()>(turn + half + place) * (Back ? -scale : scale);
        const auto first = load<lanes()>(from + place);
        const auto second = load<lanes()>(from + half + place);
        store<lanes()>(to + place, first * cosine - second * sine);
        store<lanes()>(to + half + place, second * cosine + first * sine);
    });
}

// rows (n, stride) -> columns (width, to_stride)
READBENCH_INLINE void transpose(const float* from, std::size_t n, std::size_t stride, std::size_t width, float* to,
                                std::size_t to_stride) {
    for (std::size_t d = 0; d < width; ++d) {
        for (std::size_t i = 0; i < n; ++i) {
            to[d * to_stride + i] = from[i * stride + d];
        }
    }
}

READBENCH_INLINE Span of_group(const AttentionShape& shape, Span span, std::size_t group) {
    span.keys += group * shape.width * span.places;
    span.values += group * span.places * shape.padded();
    return span;
}

// Adds a group's keys and values to those of the tokens before; its turned keys stay in `scratch.key`.
template <std::size_t Lanes>
READBENCH_INLINE void append(const AttentionShape& shape, const Span& span, std::size_t group,
                             AttentionScratch& scratch) {
    const std::size_t padded = shape.padded();
    const float* key = span.z + (shape.heads + group) * shape.width;
    const float* value = key + shape.groups * shape.width;
    float* rows = scratch.key.data();
    for (std::size_t i = 0; i < span.length; ++i) {
        rotate<Lanes, false>(key + i * shape.columns(), span.turns + i * shape.width, shape.width, 1.0F,
                             rows + i * padded);
        copy<Lanes>(value + i * shape.columns(), shape.width, span.values + (span.before + i) * padded);
    }
    transpose(rows, span.length, padded, shape.width, span.keys + span.before, span.places);
}

// A head's queries, turned and scaled, to `scratch.query`.
template <std::size_t Lanes>
READBENCH_INLINE void turn_queries(const AttentionShape& shape, const Span& span, std::size_t head,
                                   AttentionScratch& scratch) {
    const float scale = kLog2E / std::sqrt(static_cast<float>(shape.width));
    const float* query = span.z + head * shape.width;
    for (std::size_t i = 0; i < span.length; ++i) {
        rotate<Lanes, false>(query + i * shape.columns(), span.turns + i * shape.width, shape.width, scale,
                             scratch.query.data() + i * shape.padded());
    }
}

// What each of `Rows` queries from `first` on gives to the places that it sees, (Rows, T).
template <std::size_t Lanes, std::size_t Rows>
READBENCH_INLINE void shares_of(const AttentionShape& shape, const Span& span, std::size_t first,
                                const AttentionScratch& scratch, float* share) {
    const std::size_t end = first + Rows < span.length ? first + Rows : span.length;
    const std::size_t columns = round_up(span.before + end, Lanes);
    const std::size_t padded = shape.padded();
    product<Lanes, Rows>(scratch.query.data() + first * padded, padded, 1, span.keys, span.places, shape.width, share,
                         scratch.places, columns);
    for (std::size_t r = 0; r < Rows; ++r) {
        softmax<Lanes>(share + r * scratch.places, span.before + first + r, columns);
    }
}

template <std::size_t Lanes, std::size_t Rows>
READBENCH_INLINE void attend_head(const AttentionShape& shape, const Span& span, std::size_t head,
                                  AttentionScratch& scratch, float* out) {
    const std::size_t padded = shape.padded();
    const std::size_t columns = round_up(shape.width, Lanes);
    turn_queries<Lanes>(shape, span, head, scratch);
    for (std::size_t first = 0; first < span.length; first += Rows) {
        const std::size_t rows = span.length - first < Rows ? span.length - first : Rows;
        shares_of<Lanes, Rows>(shape, span, first, scratch, scratch.share.data());
        product<Lanes, Rows>(scratch.share.data(), scratch.places, 1, span.values, padded, span.before + first + rows,
                             scratch.mixed.data(), padded, columns);
        for (std::size_t r = 0; r < rows; ++r) {
            copy<Lanes>(scratch.mixed.data() + r * padded, shape.width,
                        out + (first + r) * shape.mixed() + head * shape.width);
        }
    }
}

// One sequence: mixed (L, H·D) of its rows, whose keys and values stand in the memory of each group, one behind the
// other.
struct Attend {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const AttentionShape& shape, const Span& span, AttentionScratch& scratch,
                                     float* mixed) {
        for (std::size_t group = 0; group < shape.groups; ++group) {
            const Span own = of_group(shape, span, group);
            append<Lanes>(shape, own, group, scratch);
            for (std::size_t head = group * shape.shared(); head < (group + 1) * shape.shared(); ++head) {
                if (span.length == 1) {
                    attend_head<Lanes, 1>(shape, own, head, scratch, mixed);
                } else {
                    attend_head<Lanes, kTile>(shape, own, head, scratch, mixed);
                }
            }
        }
    }
};

} // namespace kernel

} // namespace readbench
