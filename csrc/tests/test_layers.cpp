#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.hpp"
#include "kernels.hpp"
#include "readbench/floats.hpp"
#include "readbench/layers.hpp"

using namespace readbench; // NOLINT(google-build-using-namespace): a test of this namespace

namespace {

constexpr std::size_t kRows = 3;
constexpr std::size_t kWidths[] = {1, 6, 24, 33}; // below a vector, between two, some and a rest

// Σ weight · function(x) by the formula, in double: what gradients are the derivatives of.
template <typename Function>
double weighted(const Function& function, const std::vector<double>& x, const std::vector<float>& weight) {
    const std::vector<double> y = function(x);
    double sum = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        sum += weight[i] * y[i];
    }
    return sum;
}

template <typename Function>
void gradient_is_that_of(const Function& function, const std::vector<float>& x, const std::vector<float>& weight,
                         const std::vector<float>& gradient) {
    std::vector<double> at(x.begin(), x.end());
    for (std::size_t i = 0; i < at.size(); ++i) {
        const double value = at[i];
        at[i] = value + 1e-5;
        const double above = weighted(function, at, weight);
        at[i] = value - 1e-5;
        const double numeric = (above - weighted(function, at, weight)) / 2e-5;
        at[i] = value;
        CHECK(readbench_test::close(gradient[i], numeric, 1e-5 * (1.0 + std::abs(numeric))));
    }
}

void powers_of_2_are_accurate_over_the_range() {
    for (int step = -1260; step <= 1270; ++step) {
        const float x = static_cast<float>(step) * 0.1F;
        const double expected = std::exp2(static_cast<double>(x));
        CHECK(readbench_test::close(power_of_2<1>(x) / expected, 1.0, 2e-7));
        CHECK(readbench_test::close(power_of_2<4>(Floats<4>{} + x)[3] / expected, 1.0, 2e-7));
    }
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK(power_of_2<1>(-infinity) == power_of_2<1>(-126.0F));
    CHECK(power_of_2<1>(infinity) == power_of_2<1>(127.0F));
    CHECK(std::isnan(power_of_2<1>(std::numeric_limits<float>::quiet_NaN())));
}

void norm_is_that_of_the_formula(Isa isa, std::size_t width) {
    const auto formula = [&](const std::vector<double>& x) {
        std::vector<double> y(x.size());
        for (std::size_t row = 0; row < kRows; ++row) {
            double squares = 0.0;
            for (std::size_t i = 0; i < width; ++i) {
                squares += x[row * width + i] * x[row * width + i];
            }
            for (std::size_t i = 0; i < width; ++i) {
                y[row * width + i] = x[row * width + i] / std::sqrt(squares / static_cast<double>(width) + 0.25);
            }
        }
        return y;
    };
    const std::vector<float> x = readbench_test::normals(kRows * width, 1);
    const std::vector<float> weight = readbench_test::normals(kRows * width, 2);
    std::vector<float> normal(x.size());
    std::vector<float> inverse(kRows);
    std::vector<float> to_x(x.size());
    run<kernel::Normalise>(isa, x.data(), kRows, width, 0.25F, normal.data(), inverse.data());
    run<kernel::NormaliseBackward>(isa, normal.data(), inverse.data(), weight.data(), kRows, width, to_x.data());
    const std::vector<double> expected = formula({x.begin(), x.end()});
    for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(readbench_test::close(normal[i], expected[i], 1e-6));
    }
    gradient_is_that_of(formula, x, weight, to_x);
}

void activation_is_that_of_the_formula(Isa isa, std::size_t width) {
    const auto formula = [&](const std::vector<double>& both) {
        std::vector<double> y(kRows * width);
        for (std::size_t row = 0; row < kRows; ++row) {
            for (std::size_t i = 0; i < width; ++i) {
                const double gate = both[2 * row * width + i];
                y[row * width + i] = gate / (1.0 + std::exp(-gate)) * both[(2 * row + 1) * width + i];
            }
        }
        return y;
    };
    std::vector<float> both = readbench_test::normals(2 * kRows * width, 3);
    both[0] = 90.0F; // far to both sides, where the exponential leaves its range
    both[2 * width] = -90.0F;
    const std::vector<float> weight = readbench_test::normals(kRows * width, 4);
    std::vector<float> product(kRows * width);
    std::vector<float> to_both(both.size());
    run<kernel::GatedSilu>(isa, both.data(), kRows, width, product.data());
    run<kernel::GatedSiluBackward>(isa, both.data(), weight.data(), kRows, width, to_both.data());
    const std::vector<double> expected = formula({both.begin(), both.end()});
    for (std::size_t i = 0; i < product.size(); ++i) {
        CHECK(readbench_test::close(product[i], expected[i], 1e-6 * (1.0 + std::abs(expected[i]))));
    }
    gradient_is_that_of(formula, both, weight, to_both);
}

void what_is_not_finite_stays_seen(Isa isa) {
    std::vector<float> both = readbench_test::normals(48, 5);
    both[5] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> product(24);
    run<kernel::GatedSilu>(isa, both.data(), 1, 24, product.data());
    CHECK(std::isnan(product[5]) && std::isfinite(product[4]));
    std::vector<float> inverse(2);
    std::vector<float> normal(48);
    run<kernel::Normalise>(isa, both.data(), 2, 24, 0.0F, normal.data(), inverse.data());
    CHECK(std::isnan(inverse[0]) && std::isnan(normal[0]) && std::isfinite(normal[24]));
}

} // namespace

int main() {
    powers_of_2_are_accurate_over_the_range();
    for (const Isa isa : readbench_test::instruction_sets()) {
        for (const std::size_t width : kWidths) {
            norm_is_that_of_the_formula(isa, width);
            activation_is_that_of_the_formula(isa, width);
        }
        what_is_not_finite_stays_seen(isa);
    }
    return readbench_test::result();
}
