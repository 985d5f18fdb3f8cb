// Vectors of doubles (floats: floats.hpp), and the choice of an instruction set at run time.
//
// A kernel is written once, as an inlined body over vectors of some lanes, and compiled for each instruction set
// through a wrapper with a target attribute (`run`). The order of operations is the same in all of them, so one machine
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

// Kernel::run<Lanes>(arguments...) with as many Numbers as a vector holds, compiled for each instruction set.
template <typename Kernel, typename Number, typename... Arguments>
void run_portable(Arguments&&... arguments) {
    Kernel::template run<16 / sizeof(Number)>(arguments...);
}
#if READBENCH_HAS_X86_TARGETS
template <typename Kernel, typename Number, typename... Arguments>
READBENCH_TARGET_AVX2 void run_avx2(Arguments&&... arguments) {
    Kernel::template run<32 / sizeof(Number)>(arguments...);
}
template <typename Kernel, typename Number, typename... Arguments>
READBENCH_TARGET_AVX512 void run_avx512(Arguments&&... arguments) {
    Kernel::template run<64 / sizeof(Number)>(arguments...);
}
#endif

template <typename Kernel, typename Number = float, typename... Arguments>
void run(Isa isa, Arguments&&... arguments) {
#if READBENCH_HAS_X86_TARGETS
    if (isa == Isa::avx512) {
        return run_avx512<Kernel, Number>(arguments...);
    }
    if (isa == Isa::avx2) {
        return run_avx2<Kernel, Number>(arguments...);
    }
#endif
    (void)isa;
    run_portable<Kernel, Number>(arguments...);
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

// Zeroed numbers that start on a cache line, so that no vector straddles two; one line at least.
template <typename Number>
class Aligned {
  public:
    explicit Aligned(std::size_t size = 0) : lines_(size / kEach + 1) {}

    Number* data() { return lines_.front().lane; }
    const Number* data() const { return lines_.front().lane; }

  private:
    static constexpr std::size_t kEach = 64 / sizeof(Number);
    struct alignas(64) Line {
        Number lane[kEach] = {};
    };
    std::vector<Line> lines_;
};
using AlignedBuffer = Aligned<double>;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

} // namespace readbench
