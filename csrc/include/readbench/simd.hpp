// Vectors of doubles, and the choice of an instruction set at run time.
//
// A kernel is written once, as an inlined body over `Vec<Lanes>`, and compiled for each instruction set through a
// wrapper with a target attribute (see mlp.hpp). The order of operations is the same in all of them, so one machine
// always gives the same bits; a fused multiply-add rounds once, so the portable set may differ from the others in the
// last bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#if !defined(__GNUC__)
#error "readbench needs GCC or Clang (vector extensions)"
#endif

#define READBENCH_INLINE __attribute__((always_inline)) inline
#define READBENCH_INLINE_LAMBDA __attribute__((always_inline))

#if defined(__x86_64__)
#define READBENCH_HAS_X86_TARGETS 1
#define READBENCH_TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#define READBENCH_TARGET_AVX2 __attribute__((target("avx2,fma")))
#else
#define READBENCH_HAS_X86_TARGETS 0
#endif

namespace readbench {

enum class Isa : std::uint8_t { portable, avx2, avx512 };

// The widest instruction set that this processor and this build have.
inline Isa detect_isa() {
#if READBENCH_HAS_X86_TARGETS
    if (static_cast<bool>(__builtin_cpu_supports("avx512f")) && static_cast<bool>(__builtin_cpu_supports("avx512dq")) &&
        static_cast<bool>(__builtin_cpu_supports("avx512vl"))) {
        return Isa::avx512;
    }
    if (static_cast<bool>(__builtin_cpu_supports("avx2")) && static_cast<bool>(__builtin_cpu_supports("fma"))) {
        return Isa::avx2;
    }
#endif
    return Isa::portable;
}

// A vector of doubles, and the integers behind them. (Specialised, because Clang takes no dependent vector_size.)
template <std::size_t Lanes>
struct VecTypes;
template <>
struct VecTypes<2> {
    using Vec = double __attribute__((vector_size(16)));
    using Bits = std::uint64_t __attribute__((vector_size(16)));
};
template <>
struct VecTypes<4> {
    using Vec = double __attribute__((vector_size(32)));
    using Bits = std::uint64_t __attribute__((vector_size(32)));
};
template <>
struct VecTypes<8> {
    using Vec = double __attribute__((vector_size(64)));
    using Bits = std::uint64_t __attribute__((vector_size(64)));
};
template <std::size_t Lanes>
using Vec = typename VecTypes<Lanes>::Vec;

constexpr std::size_t kWidest = 8; // doubles: a cache line

template <std::size_t Lanes>
READBENCH_INLINE Vec<Lanes> load(const double* from) {
    Vec<Lanes> value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <std::size_t Lanes>
READBENCH_INLINE void store(double* to, const Vec<Lanes>& value) {
    std::memcpy(to, &value, sizeof value);
}

// 1 / sqrt(x) for normal x > 0, to about 2 units in the last place: bit-trick start (relative error 3.4e-2), then
// Newton's steps, each of which squares the error. Square root and division would take most of an Adam step.
template <std::size_t Lanes>
READBENCH_INLINE Vec<Lanes> inverse_sqrt(const Vec<Lanes>& x) {
    typename VecTypes<Lanes>::Bits bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = 0x5FE6EB50C7B537A9U - (bits >> 1U);
    Vec<Lanes> y;
    std::memcpy(&y, &bits, sizeof y);
    const Vec<Lanes> half = 0.5 * x;
    for (int step = 0; step < 4; ++step) {
        y = y * (1.5 - half * y * y);
    }
    return y;
}

// Zeroed doubles that start on a cache line, so that no vector straddles two.
class AlignedBuffer {
  public:
    explicit AlignedBuffer(std::size_t size = 0) : lines_((size + kWidest - 1) / kWidest) {}

    double* data() { return lines_.empty() ? nullptr : lines_.front().lane; }
    const double* data() const { return lines_.empty() ? nullptr : lines_.front().lane; }

  private:
    struct alignas(64) Line {
        double lane[kWidest] = {};
    };
    std::vector<Line> lines_;
};

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

} // namespace readbench
