#include <cmath>
#include <cstddef>
#include <vector>

#include "check.hpp"
#include "kernels.hpp"
#include "readbench/mlp.hpp"
#include "readbench/rng.hpp"

using namespace readbench; // NOLINT(google-build-using-namespace): a test of this namespace

namespace {

void inverse_sqrt_is_accurate_over_the_range() {
    for (int exponent = -60; exponent <= 60; ++exponent) {
        Vec<4> x;
        for (std::size_t lane = 0; lane < 4; ++lane) {
            x[lane] = std::ldexp(1.0 + 0.23 * static_cast<double>(lane), exponent);
        }
        const Vec<4> y = inverse_sqrt<4>(x);
        for (std::size_t lane = 0; lane < 4; ++lane) {
            CHECK(readbench_test::close(y[lane] * std::sqrt(x[lane]), 1.0, 1e-15));
        }
    }
}

// One network, its batch, and what training needs.
struct Setup {
    Setup(std::size_t inputs, std::size_t hidden, std::size_t num_rows)
        : shape(inputs, hidden), rows(num_rows), batch(shape, num_rows), weights(shape.num_parameters()),
          moments(2 * shape.num_parameters()), units(batch.inputs.padded_rows() * shape.columns),
          error(batch.inputs.padded_rows()) {
        const CounterRng rng(5);
        std::uint64_t draw = 0;
        for (std::size_t row = 0; row <= inputs; ++row) {
            for (std::size_t unit = 0; unit < hidden; ++unit) {
                weights.data()[row * shape.columns + unit] = rng.normal(draw++) * 0.5;
            }
        }
        for (std::size_t unit = 0; unit < hidden; ++unit) {
            weights.data()[shape.output_layer() + unit] = rng.normal(draw++) * 0.5;
        }
        std::vector<double> x(inputs);
        for (std::size_t row = 0; row < num_rows; ++row) {
            for (double& value : x) {
                value = rng.uniform(draw++);
            }
            batch.set(row, x.data(), rng.normal(draw++), static_cast<double>(1 + row % 3));
        }
    }

    double loss(Isa isa) {
        std::vector<double> outputs(batch.inputs.padded_rows());
        run<kernel::Predict, double>(isa, shape, weights.data(), batch.inputs, units.data(), outputs.data());
        double sum = 0.0;
        double total = 0.0;
        for (std::size_t row = 0; row < rows; ++row) {
            const double residual = outputs[row] - batch.targets.data()[row];
            sum += batch.weights.data()[row] * residual * residual;
            total += batch.weights.data()[row];
        }
        return sum / total;
    }

    void step(Isa isa) {
        const kernel::Trainee net{weights.data(), moments.data(), moments.data() + shape.num_parameters(), units.data(),
                                  error.data()};
        run<kernel::TrainStep, double>(isa, shape, net, batch,
                                       kernel::AdamStep{1e-2 / (1.0 - kBeta1), 1.0 / (1.0 - kBeta2)});
    }

    MlpShape shape;
    std::size_t rows;
    Batch batch;
    AlignedBuffer weights;
    AlignedBuffer moments;
    AlignedBuffer units;
    AlignedBuffer error;
};

// After one step from zero moments, the first moment is (1 - beta1) * gradient: compared with finite differences.
void gradients_are_those_of_the_loss(Isa isa) {
    Setup setup(5, 7, 6);
    const auto is_parameter = [&](std::size_t at) {
        const std::size_t row = at / setup.shape.columns;
        const std::size_t column = at % setup.shape.columns;
        const bool hidden_layer = row <= setup.shape.inputs && column < setup.shape.hidden;
        const bool output_layer = row == setup.shape.rows && column < setup.shape.hidden;
        return hidden_layer || output_layer || at == setup.shape.output_bias();
    };
    std::vector<double> numeric(setup.shape.num_parameters(), 0.0);
    for (std::size_t at = 0; at < numeric.size(); ++at) {
        if (is_parameter(at)) {
            const double weight = setup.weights.data()[at];
            setup.weights.data()[at] = weight + 1e-6;
            const double above = setup.loss(isa);
            setup.weights.data()[at] = weight - 1e-6;
            numeric[at] = (above - setup.loss(isa)) / 2e-6;
            setup.weights.data()[at] = weight;
        }
    }
    setup.step(isa);
    for (std::size_t at = 0; at < numeric.size(); ++at) {
        CHECK(readbench_test::close(setup.moments.data()[at] / (1.0 - kBeta1), numeric[at], 1e-7));
        CHECK(is_parameter(at) || setup.weights.data()[at] == 0.0); // padding stays zero
    }
}

void training_lowers_the_loss_and_instruction_sets_agree() {
    std::vector<double> losses;
    for (const Isa isa : readbench_test::instruction_sets()) {
        Setup setup(25, 64, 24);
        const double before = setup.loss(isa);
        for (int step = 0; step < 50; ++step) {
            setup.step(isa);
        }
        losses.push_back(setup.loss(isa));
        CHECK(losses.back() < 0.5 * before);
        CHECK(readbench_test::close(losses.back(), losses.front(), 1e-9));
    }
}

} // namespace

int main() {
    inverse_sqrt_is_accurate_over_the_range();
    for (const Isa isa : readbench_test::instruction_sets()) {
        gradients_are_those_of_the_loss(isa);
    }
    training_lowers_the_loss_and_instruction_sets_agree();
    return readbench_test::result();
}
