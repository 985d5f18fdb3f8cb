// What tests of kernels share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "readbench/rng.hpp"
#include "readbench/simd.hpp"

namespace readbench_test {

// What this processor can run.
inline std::vector<readbench::Isa> instruction_sets() {
    std::vector<readbench::Isa> sets = {readbench::Isa::portable};
    if (readbench::detect_isa() >= readbench::Isa::avx2) {
        sets.push_back(readbench::Isa::avx2);
    }
    if (readbench::detect_isa() >= readbench::Isa::avx512) {
        sets.push_back(readbench::Isa::avx512);
    }
    return sets;
}

inline std::vector<float> normals(std::size_t count, std::uint64_t seed) {
    const readbench::CounterRng rng(seed);
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
        values[i] = static_cast<float>(rng.normal(i));
    }
    return values;
}

} // namespace readbench_test
