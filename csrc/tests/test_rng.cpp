#include <algorithm>
#include <cstdint>
#include <vector>

#include "check.hpp"
#include "readbench/rng.hpp"

using readbench::CounterRng;
using readbench::philox4x32;
using readbench::PhiloxBlock;

namespace {

// Known answers of Random123 (kat_vectors, philox4x32 10).
void philox_gives_the_published_answers() {
    CHECK((philox4x32({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    CHECK((philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
           PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    CHECK((philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
           PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

void moments_are_those_of_the_distributions() {
    const CounterRng rng(7, 3);
    constexpr std::uint64_t kDraws = 200'000;
    double uniform = 0.0;
    double normal = 0.0;
    double normal_squared = 0.0;
    double poisson = 0.0;
    double poisson_squared = 0.0;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
        const double u = rng.uniform(i);
        CHECK(u >= 0.0 && u < 1.0);
        const double z = rng.normal(i);
        const auto count = static_cast<double>(rng.poisson(i));
        uniform += u / kDraws;
        normal += z / kDraws;
        normal_squared += z * z / kDraws;
        poisson += count / kDraws;
        poisson_squared += count * count / kDraws;
    }
    using readbench_test::close;
    CHECK(close(uniform, 0.5, 0.005));
    CHECK(close(normal, 0.0, 0.01));
    CHECK(close(normal_squared, 1.0, 0.02));
    CHECK(close(poisson, 1.0, 0.01));
    CHECK(close(poisson_squared, 2.0, 0.05));
}

void a_permutation_holds_every_index_once_and_depends_on_start() {
    const CounterRng rng(1);
    for (const std::size_t n : {0U, 1U, 2U, 100U}) {
        std::vector<std::size_t> order = rng.permutation(n);
        std::sort(order.begin(), order.end());
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(order[i] == i);
        }
    }
    CHECK(rng.permutation(50) == rng.permutation(50));
    CHECK(rng.permutation(50) != rng.permutation(50, 1000));
}

} // namespace

int main() {
    philox_gives_the_published_answers();
    moments_are_those_of_the_distributions();
    a_permutation_holds_every_index_once_and_depends_on_start();
    return readbench_test::result();
}
