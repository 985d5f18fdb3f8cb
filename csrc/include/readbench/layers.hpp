// The element-wise parts of a Llama's layer, each in one pass over its rows: the RMS norm (Zhang and Sennrich 2019,
// arXiv 1910.07467) without its weight, and the gated perceptron's activation (Shazeer 2020, arXiv 2002.05202), with
// their derivatives.
//
// Arrays are float, row-major, N rows.
#pragma once

#include <cmath>
#include <cstddef>

#include "readbench/floats.hpp"

namespace readbench::kernel {

// Σ of `term(lanes, place)` over [0, n).
template <std::size_t Lanes, typename Term>
READBENCH_INLINE float summed(std::size_t n, const Term& term) {
    Floats<Lanes> wide = {};
    float rest = 0.0F;
    in_vectors<Lanes>(n, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
        if constexpr (lanes() == Lanes) {
            wide += term(lanes, place);
        } else {
            rest += sum_of<lanes()>(term(lanes, place));
        }
    });
    return sum_of<Lanes>(wide) + rest;
}

// x (N, d) -> normal = x / rms(x) (N, d), inverse = 1 / rms(x) (N,).
struct Normalise {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const float* x, std::size_t rows, std::size_t width, float epsilon, float* normal,
                                     float* inverse) {
        for (std::size_t row = 0; row < rows; ++row) {
            const float* from = x + row * width;
            float* to = normal + row * width;
            const float squares = summed<Lanes>(width, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
                const auto value = load<lanes()>(from + place);
                return value * value;
            });
            const float scale = 1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon);
            inverse[row] = scale;
            in_vectors<Lanes>(width, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
                store<lanes()>(to + place, load<lanes()>(from + place) * scale);
            });
        }
    }
};

// d loss / d x of `Normalise`: (grad - normal · mean(grad · normal)) · inverse.
struct NormaliseBackward {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const float* normal, const float* inverse, const float* grad, std::size_t rows,
                                     std::size_t width, float* to_x) {
        for (std::size_t row = 0; row < rows; ++row) {
            const float* normal_row = normal + row * width;
            const float* grad_row = grad + row * width;
            float* to = to_x + row * width;
            const float along = summed<Lanes>(width, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
                return load<lanes()>(normal_row + place) * load<lanes()>(grad_row + place);
            });
            const float mean = along / static_cast<float>(width);
            const float scale = inverse[row];
            in_vectors<Lanes>(width, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
                store<lanes()>(to + place,
                               (load<lanes()>(grad_row + place) - load<lanes()>(normal_row + place) * mean) * scale);
            });
        }
    }
};

template <std::size_t Lanes>
READBENCH_INLINE Floats<Lanes> sigmoid(const Floats<Lanes>& x) {
    return 1.0F / (1.0F + power_of_2<Lanes>(x * -kLog2E));
}

// both (N, 2F), gate and up -> silu(gate) · up (N, F).
struct GatedSilu {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const float* both, std::size_t rows, std::size_t width, float* product) {
        for (std::size_t row = 0; row < rows; ++row) {
            const float* gate = both + 2 * row * width;
            const float* up = gate + width;
            float* to = product + row * width;
            in_vectors<Lanes>(width, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
                const auto x = load<lanes()>(gate + place);
                store<lanes()>(to + place, x * sigmoid<lanes()>(x) * load<lanes()>(up + place));
            });
        }
    }
};

// d loss / d both (N, 2F) of `GatedSilu`.
struct GatedSiluBackward {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const float* both, const float* grad, std::size_t rows, std::size_t width,
                                     float* to_both) {
        for (std::size_t row = 0; row < rows; ++row) {
            const float* gate = both + 2 * row * width;
            const float* up = gate + width;
            const float* grad_row = grad + row * width;
            float* to_gate = to_both + 2 * row * width;
            float* to_up = to_gate + width;
            in_vectors<Lanes>(width, [&](auto lanes, std::size_t place) READBENCH_INLINE_LAMBDA {
                const auto x = load<lanes()>(gate + place);
                const auto share = sigmoid<lanes()>(x);
                const auto silu = x * share;
                const auto given = load<lanes()>(grad_row + place);
                store<lanes()>(to_up + place, given * silu);
                store<lanes()>(to_gate + place, given * load<lanes()>(up + place) * (share + silu * (1.0F - share)));
            });
        }
    }
};

} // namespace readbench::kernel
