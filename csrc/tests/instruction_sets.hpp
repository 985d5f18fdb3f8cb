// What this processor can run: kernels are tested in each.
#pragma once

#include <vector>

#include "readbench/simd.hpp"

namespace readbench_test {

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

} // namespace readbench_test
