// A two-layer perceptron (one hidden layer of ReLU, one output), its weighted least-squares loss, and Adam.
//
//     y = w2 . relu(x W1 + b1) + b2
//     loss of a batch = sum_i p_i (y_i - target_i)^2 / sum_i p_i
//
// b1 is the last row of W1, read by an input that is always 1. Every size is padded (inputs to kRowBlock, hidden units
// to kColumnBlock) with zero weights and zero inputs: the gradient there is zero, so they stay zero, and no kernel has
// a remainder loop. The gradient of W1 goes from registers straight into Adam and is never stored.
//
// Adam (Kingma & Ba 2015) with beta 0.9 / 0.999 and epsilon under the root: step * m / sqrt(v + eps^2), which differs
// from the usual m / (sqrt(v) + eps) only where gradients are about eps = 1e-8, and costs no division.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "readbench/rng.hpp"
#include "readbench/simd.hpp"

namespace readbench {

constexpr std::size_t kRowBlock = 4; // rows that a kernel holds in registers, times two vectors of columns
constexpr std::size_t kColumnBlock = 2 * kWidest;
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

struct MlpShape {
    MlpShape(std::size_t num_inputs, std::size_t num_hidden)
        : inputs(num_inputs), hidden(num_hidden), rows(round_up(num_inputs + 1, kRowBlock)),
          columns(round_up(num_hidden, kColumnBlock)) {}

    std::size_t inputs;
    std::size_t hidden;
    std::size_t rows;    // of W1: inputs, bias, padding
    std::size_t columns; // hidden units, padding

    std::size_t output_layer() const { return rows * columns; }      // where w2 starts
    std::size_t output_bias() const { return (rows + 1) * columns; } // where b2 stands, alone in its vector
    std::size_t num_parameters() const { return (rows + 1) * columns + kWidest; }
};

// Rows of inputs, padded as W1 wants them, with the bias input in place.
class InputRows {
  public:
    InputRows(const MlpShape& shape, std::size_t num_rows)
        : width_(shape.rows), inputs_(shape.inputs), padded_rows_(round_up(num_rows, kRowBlock)),
          values_(padded_rows_ * shape.rows) {}

    void set(std::size_t row, const double* inputs) {
        double* to = values_.data() + row * width_;
        std::memcpy(to, inputs, inputs_ * sizeof(double));
        to[inputs_] = 1.0;
    }
    std::size_t padded_rows() const { return padded_rows_; }
    const double* data() const { return values_.data(); }

  private:
    std::size_t width_;
    std::size_t inputs_;
    std::size_t padded_rows_;
    AlignedBuffer values_;
};

// A batch to train on; padding rows have weight zero.
struct Batch {
    Batch(const MlpShape& shape, std::size_t num_rows)
        : inputs(shape, num_rows), targets(inputs.padded_rows()), weights(inputs.padded_rows()) {}

    void set(std::size_t row, const double* x, double target, double weight) {
        inputs.set(row, x);
        targets.data()[row] = target;
        weights.data()[row] = weight;
    }

    InputRows inputs;
    AlignedBuffer targets;
    AlignedBuffer weights;
};

namespace kernel {

// hidden (N, columns) = relu(x (N, rows) W1 (rows, columns)), N a multiple of kRowBlock.
template <std::size_t Lanes>
READBENCH_INLINE void hidden_layer(const MlpShape& shape, const double* weights, const double* x, std::size_t num_rows,
                                   double* hidden) {
    const std::size_t columns = shape.columns;
    for (std::size_t strip = 0; strip < columns; strip += 2 * Lanes) {
        for (std::size_t row = 0; row < num_rows; row += kRowBlock) {
            const double* x_row = x + row * shape.rows;
            Vec<Lanes> sum[kRowBlock][2] = {};
            for (std::size_t k = 0; k < shape.rows; ++k) {
                const Vec<Lanes> w0 = load<Lanes>(weights + k * columns + strip);
                const Vec<Lanes> w1 = load<Lanes>(weights + k * columns + strip + Lanes);
                for (std::size_t r = 0; r < kRowBlock; ++r) {
                    const double value = x_row[r * shape.rows + k];
                    sum[r][0] += value * w0;
                    sum[r][1] += value * w1;
                }
            }
            for (std::size_t r = 0; r < kRowBlock; ++r) {
                double* to = hidden + (row + r) * columns + strip;
                store<Lanes>(to, sum[r][0] > 0.0 ? sum[r][0] : Vec<Lanes>{});
                store<Lanes>(to + Lanes, sum[r][1] > 0.0 ? sum[r][1] : Vec<Lanes>{});
            }
        }
    }
}

// w2 . hidden + b2 of one row, through kColumnBlock partial sums whatever the width of a vector.
template <std::size_t Lanes>
READBENCH_INLINE double output(const MlpShape& shape, const double* weights, const double* hidden) {
    constexpr std::size_t kParts = kColumnBlock / Lanes;
    const double* w2 = weights + shape.output_layer();
    Vec<Lanes> parts[kParts] = {};
    for (std::size_t c = 0; c < shape.columns; c += kColumnBlock) {
        for (std::size_t part = 0; part < kParts; ++part) {
            parts[part] += load<Lanes>(hidden + c + part * Lanes) * load<Lanes>(w2 + c + part * Lanes);
        }
    }
    alignas(64) double sums[kColumnBlock];
    for (std::size_t part = 0; part < kParts; ++part) {
        store<Lanes>(sums + part * Lanes, parts[part]);
    }
    for (std::size_t width = kColumnBlock / 2; width > 0; width /= 2) {
        for (std::size_t i = 0; i < width; ++i) {
            sums[i] += sums[i + width];
        }
    }
    return sums[0] + weights[shape.output_bias()];
}

// Outputs of rows of inputs.
struct Predict {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const MlpShape& shape, const double* weights, const InputRows& x, double* hidden,
                                     double* outputs) {
        hidden_layer<Lanes>(shape, weights, x.data(), x.padded_rows(), hidden);
        for (std::size_t row = 0; row < x.padded_rows(); ++row) {
            outputs[row] = output<Lanes>(shape, weights, hidden + row * shape.columns);
        }
    }
};

// The state of one network in training. `moments` holds the first moments, then the second.
struct Trainee {
    double* weights;
    double* first;
    double* second;
    double* hidden; // (N, columns) scratch
    double* error;  // (N,) scratch
};

struct AdamStep {
    double step;         // learning rate / (1 - beta1^t)
    double second_scale; // 1 / (1 - beta2^t)
};

template <std::size_t Lanes>
READBENCH_INLINE void adam(const Trainee& net, std::size_t at, const Vec<Lanes>& gradient, const AdamStep& adam_step) {
    const Vec<Lanes> first = kBeta1 * load<Lanes>(net.first + at) + (1.0 - kBeta1) * gradient;
    const Vec<Lanes> second = kBeta2 * load<Lanes>(net.second + at) + (1.0 - kBeta2) * gradient * gradient;
    store<Lanes>(net.first + at, first);
    store<Lanes>(net.second + at, second);
    const Vec<Lanes> scale = inverse_sqrt<Lanes>(second * adam_step.second_scale + kEpsilon * kEpsilon);
    store<Lanes>(net.weights + at, load<Lanes>(net.weights + at) - adam_step.step * first * scale);
}

// One Adam step on the batch's loss.
struct TrainStep {
    template <std::size_t Lanes>
    READBENCH_INLINE static void run(const MlpShape& shape, const Trainee& net, const Batch& batch,
                                     const AdamStep& adam_step) {
        const std::size_t columns = shape.columns;
        const std::size_t num_rows = batch.inputs.padded_rows();
        const double* x = batch.inputs.data();
        const double* targets = batch.targets.data();
        const double* row_weights = batch.weights.data();

        hidden_layer<Lanes>(shape, net.weights, x, num_rows, net.hidden);
        double total_weight = 0.0;
        for (std::size_t row = 0; row < num_rows; ++row) {
            total_weight += row_weights[row];
        }
        Vec<Lanes> bias_gradient = {};
        for (std::size_t row = 0; row < num_rows; ++row) { // error = d loss / d y
            const double residual = output<Lanes>(shape, net.weights, net.hidden + row * columns) - targets[row];
            net.error[row] = 2.0 * row_weights[row] / total_weight * residual;
            bias_gradient[0] += net.error[row];
        }
        for (std::size_t c = 0; c < columns; c += Lanes) { // w2's gradient; hidden becomes d loss / d (before ReLU)
            const std::size_t at = shape.output_layer() + c;
            const Vec<Lanes> w2 = load<Lanes>(net.weights + at);
            Vec<Lanes> gradient = {};
            for (std::size_t row = 0; row < num_rows; ++row) {
                double* unit = net.hidden + row * columns + c;
                const Vec<Lanes> activation = load<Lanes>(unit);
                gradient += net.error[row] * activation;
                store<Lanes>(unit, activation > 0.0 ? net.error[row] * w2 : Vec<Lanes>{});
            }
            adam<Lanes>(net, at, gradient, adam_step);
        }
        adam<Lanes>(net, shape.output_bias(), bias_gradient, adam_step);
        for (std::size_t strip = 0; strip < columns; strip += 2 * Lanes) { // W1's gradient = x^T hidden
            for (std::size_t k = 0; k < shape.rows; k += kRowBlock) {
                Vec<Lanes> gradient[kRowBlock][2] = {};
                for (std::size_t row = 0; row < num_rows; ++row) {
                    const Vec<Lanes> delta0 = load<Lanes>(net.hidden + row * columns + strip);
                    const Vec<Lanes> delta1 = load<Lanes>(net.hidden + row * columns + strip + Lanes);
                    for (std::size_t r = 0; r < kRowBlock; ++r) {
                        const double value = x[row * shape.rows + k + r];
                        gradient[r][0] += value * delta0;
                        gradient[r][1] += value * delta1;
                    }
                }
                for (std::size_t r = 0; r < kRowBlock; ++r) {
                    const std::size_t at = (k + r) * columns + strip;
                    adam<Lanes>(net, at, gradient[r][0], adam_step);
                    adam<Lanes>(net, at + Lanes, gradient[r][1], adam_step);
                }
            }
        }
    }
};

} // namespace kernel

} // namespace readbench
