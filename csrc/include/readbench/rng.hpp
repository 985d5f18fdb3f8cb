// Counter-based random numbers: a number is a pure function of (seed, stream, index), so that no draw depends on the
// order in which others were made, and no state needs saving.
//
// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The distributions are our own,
// because those of the standard library differ between its implementations.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace readbench {

using PhiloxBlock = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

inline PhiloxBlock philox4x32(PhiloxBlock counter, PhiloxKey key) {
    constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
    constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
    constexpr PhiloxKey kWeyl = {0x9E3779B9U, 0xBB67AE85U};
    constexpr int kRounds = 10;
    for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t product0 = kMultiplier0 * counter[0];
        const std::uint64_t product1 = kMultiplier1 * counter[2];
        counter = {
            static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
            static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
        key = {key[0] + kWeyl[0], key[1] + kWeyl[1]};
    }
    return counter;
}

class CounterRng {
  public:
    explicit CounterRng(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

    std::uint64_t bits(std::uint64_t index) const { return pair(index).first; }

    // In [0, 1), on a grid of 2^-53.
    double uniform(std::uint64_t index) const { return unit(bits(index)); }

    // Standard normal (Box-Muller).
    double normal(std::uint64_t index) const {
        constexpr double kTwoPi = 6.283185307179586;
        const auto [first, second] = pair(index);
        const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(first))); // 1 - u is in (0, 1]
        return radius * std::cos(kTwoPi * unit(second));
    }

    // Poisson with mean 1, by inversion of its distribution function.
    std::int64_t poisson(std::uint64_t index) const {
        constexpr std::int64_t kMost = 20; // P(X > 18) < 2^-53: beyond what a uniform can tell apart
        const double u = uniform(index);
        double probability = 0.36787944117144233; // exp(-1)
        double cumulative = probability;
        std::int64_t count = 0;
        while (u >= cumulative && count < kMost) {
            ++count;
            probability /= static_cast<double>(count);
            cumulative += probability;
        }
        return count;
    }

    // A permutation of 0..n-1 from the n indices that follow `start` (Fisher-Yates; n < 2^32, where the bias of the
    // multiplication instead of a rejection stays below n / 2^32).
    std::vector<std::size_t> permutation(std::size_t n, std::uint64_t start = 0) const {
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        for (std::size_t i = n; i > 1; --i) {
            const std::uint64_t word = bits(start + (i - 1)) >> 32U;
            std::swap(order[i - 1], order[static_cast<std::size_t>((word * i) >> 32U)]);
        }
        return order;
    }

  private:
    static double unit(std::uint64_t word) { return static_cast<double>(word >> 11U) * 0x1.0p-53; }

    std::pair<std::uint64_t, std::uint64_t> pair(std::uint64_t index) const {
        const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
        const auto high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32U); };
        const PhiloxBlock block =
            philox4x32({low(index), high(index), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
        return {(static_cast<std::uint64_t>(block[1]) << 32U) | block[0],
                (static_cast<std::uint64_t>(block[3]) << 32U) | block[2]};
    }

    std::uint64_t seed_;
    std::uint64_t stream_;
};

} // namespace readbench
