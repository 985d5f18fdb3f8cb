// Vectors of floats for the kernels of small models: see simd.hpp for how a kernel is compiled for each instruction
// set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "readbench/simd.hpp"

namespace readbench {

template <std::size_t Lanes>
struct FloatTypes;
template <>
struct FloatTypes<1> { // what is left over
    using Floats = float;
    using Bits = std::uint32_t;
};
template <>
struct FloatTypes<4> {
    using Floats = float __attribute__((vector_size(16)));
    using Bits = std::uint32_t __attribute__((vector_size(16)));
};
template <>
struct FloatTypes<8> {
    using Floats = float __attribute__((vector_size(32)));
    using Bits = std::uint32_t __attribute__((vector_size(32)));
};
template <>
struct FloatTypes<16> {
    using Floats = float __attribute__((vector_size(64)));
    using Bits = std::uint32_t __attribute__((vector_size(64)));
};
template <std::size_t Lanes>
using Floats = typename FloatTypes<Lanes>::Floats;

constexpr std::size_t kWidestFloats = 16; // a cache line
using FloatBuffer = Aligned<float>;
constexpr float kLog2E = 1.4426950408889634F;
constexpr float kLn2 = 0.6931471805599453F;

template <std::size_t Lanes>
READBENCH_INLINE Floats<Lanes> load(const float* from) {
    Floats<Lanes> value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <std::size_t Lanes>
READBENCH_INLINE void store(float* to, const Floats<Lanes>& value) {
    std::memcpy(to, &value, sizeof value);
}

template <std::size_t Lanes>
READBENCH_INLINE float sum_of(const Floats<Lanes>& value) {
    if constexpr (Lanes == 1) {
        return value;
    } else if constexpr (Lanes == 4) {
        return (value[0] + value[2]) + (value[1] + value[3]);
    } else {
        Floats<Lanes / 2> halves[2];
        std::memcpy(&halves, &value, sizeof value);
        return sum_of<Lanes / 2>(halves[0] + halves[1]);
    }
}

template <std::size_t Lanes>
READBENCH_INLINE float largest_of(const Floats<Lanes>& value) {
    if constexpr (Lanes == 4) {
        const float even = value[0] > value[2] ? value[0] : value[2];
        const float odd = value[1] > value[3] ? value[1] : value[3];
        return even > odd ? even : odd;
    } else {
        Floats<Lanes / 2> halves[2];
        std::memcpy(&halves, &value, sizeof value);
        const Floats<Lanes / 2> larger = halves[0] > halves[1] ? halves[0] : halves[1];
        return largest_of<Lanes / 2>(larger);
    }
}

// 2^x with a relative error below 2e-7 for -126 <= x <= 127; nearer ones of these for an x beyond them, NaN for NaN.
// 2^x = 2^n · 2^f with n the nearest integer; 2^f, |f| <= 1/2, by its Taylor series to the seventh power.
template <std::size_t Lanes>
READBENCH_INLINE Floats<Lanes> power_of_2(const Floats<Lanes>& exponent) {
    Floats<Lanes> x = exponent < -126.0F ? Floats<Lanes>{} - 126.0F : exponent;
    x = x > 127.0F ? Floats<Lanes>{} + 127.0F : x;
    const Floats<Lanes> rounder = Floats<Lanes>{} + 12582912.0F; // 1.5 · 2^23: a sum with it has no place for fractions
    const Floats<Lanes> shifted = x + rounder;
    const Floats<Lanes> f = x - (shifted - rounder);
    Floats<Lanes> power = f * 1.5252733804e-5F + 1.5403530393e-4F;
    power = power * f + 1.3333558146e-3F;
    power = power * f + 9.6181291076e-3F;
    power = power * f + 5.5504108665e-2F;
    power = power * f + 2.4022650696e-1F;
    power = power * f + 6.9314718056e-1F;
    power = power * f + 1.0F;
    typename FloatTypes<Lanes>::Bits bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - 0x4B400000U + 127U) << 23U; // without the rounder's bits the sum is n
    Floats<Lanes> scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return power * scale;
}

// Calls part(lanes, place) over [0, n) in vectors as wide as fit: of `Lanes`, of half as many ..., one by one.
template <std::size_t Lanes, typename Part>
READBENCH_INLINE void in_vectors(std::size_t n, const Part& part, std::size_t begin = 0) {
    std::size_t place = begin;
    for (; place + Lanes <= n; place += Lanes) {
        part(std::integral_constant<std::size_t, Lanes>{}, place);
    }
    if constexpr (Lanes > 4) {
        in_vectors<Lanes / 2>(n, part, place);
    } else {
        for (; place < n; ++place) {
            part(std::integral_constant<std::size_t, 1>{}, place);
        }
    }
}

} // namespace readbench
