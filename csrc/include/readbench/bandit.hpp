// ReAD's bandit: a bootstrap ensemble of two-layer perceptrons with an upper confidence bound (docs/method.md).
//
// Each of the J members is fitted on its own bootstrap resample of all logged (input, reward) pairs: a pair counts
// Poisson(1) times, drawn once and for good from (seed, member, pair), so that the spread over members is that of a
// bootstrap and does not jitter from fit to fit. Every fit starts from the member's own initial weights: the ensemble
// is a pure function of its observations, and its state is these alone. Rewards are standardised before a fit and
// predictions are given in reward units; inputs are the caller's to normalise to about [0, 1].
//
// "Two-layer" is read as one hidden layer (input -> hidden -> 1).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "readbench/bandit_config.hpp"
#include "readbench/bytes.hpp"
#include "readbench/mlp.hpp"
#include "readbench/observations.hpp"
#include "readbench/rng.hpp"
#include "readbench/simd.hpp"

namespace readbench {

struct Prediction {
    std::vector<double> mean; // (N,) over the members, in reward units
    std::vector<double> std;  // (N,) sample standard deviation over the members
};

class EnsembleBandit {
  public:
    explicit EnsembleBandit(const BanditConfig& config, Isa isa = detect_isa())
        : config_(validated(config)),
          shape_(static_cast<std::size_t>(config.num_inputs), static_cast<std::size_t>(config.hidden)), isa_(isa),
          members_(static_cast<std::size_t>(config.num_members), AlignedBuffer(shape_.num_parameters())),
          seen_(shape_.inputs) {}

    const BanditConfig& config() const { return config_; }
    std::size_t num_inputs() const { return shape_.inputs; }
    std::size_t num_members() const { return members_.size(); }
    std::size_t num_observations() const { return seen_.size(); }

    // Logs one pair; the next prediction takes it into account.
    void add(const std::vector<double>& input, double reward) {
        seen_.add(input, reward);
        stale_ = true;
    }

    // How often pair i counts for the member: its Poisson(1) draws, or 1 for all where every draw is 0.
    std::vector<std::int64_t> bootstrap_weights(std::size_t member) const {
        const CounterRng rng(config_.seed, stream(member, Purpose::bootstrap));
        std::vector<std::int64_t> weights(num_observations());
        for (std::size_t i = 0; i < weights.size(); ++i) {
            weights[i] = rng.poisson(i);
        }
        if (std::all_of(weights.begin(), weights.end(), [](std::int64_t weight) { return weight == 0; })) {
            std::fill(weights.begin(), weights.end(), 1);
        }
        return weights;
    }

    // Trains all members on all pairs, from their initial weights.
    void fit() {
        scale_ = seen_.reward_scale();
        for (std::size_t member = 0; member < members_.size(); ++member) {
            initialise(member);
            train(member);
        }
        stale_ = false;
    }

    // `inputs` holds N rows of num_inputs values. Fits first where pairs were logged since the last fit.
    Prediction predict(const double* inputs, std::size_t num_rows) {
        check_finite(inputs, num_rows * shape_.inputs, "inputs", kMaxInput);
        if (stale_) {
            fit();
        }
        InputRows rows(shape_, num_rows);
        for (std::size_t row = 0; row < num_rows; ++row) {
            rows.set(row, inputs + row * shape_.inputs);
        }
        const std::size_t stride = rows.padded_rows();
        AlignedBuffer hidden(stride * shape_.columns);
        AlignedBuffer outputs(members_.size() * stride);
        for (std::size_t member = 0; member < members_.size(); ++member) {
            run<kernel::Predict, double>(isa_, shape_, members_[member].data(), rows, hidden.data(),
                                         outputs.data() + member * stride);
        }
        return spread(outputs.data(), stride, num_rows);
    }

    // Index of the candidate with the largest mean + kappa * std (ties: lowest index).
    std::size_t select(const double* candidates, std::size_t num_candidates, double kappa) {
        if (num_candidates == 0) {
            throw std::invalid_argument("there must be at least one candidate");
        }
        check_finite(&kappa, 1, "kappa", kMaxReward);
        const Prediction prediction = predict(candidates, num_candidates);
        std::size_t best = 0;
        const auto bound = [&](std::size_t i) { return prediction.mean[i] + kappa * prediction.std[i]; };
        for (std::size_t i = 1; i < num_candidates; ++i) {
            if (bound(i) > bound(best)) {
                best = i;
            }
        }
        return best;
    }

    std::string to_bytes() const {
        ByteWriter writer(kMagic, kVersion);
        for (const std::int64_t value :
             {config_.num_inputs, config_.num_members, config_.hidden, config_.steps, config_.batch_size}) {
            writer.put(value);
        }
        writer.put(config_.learning_rate);
        writer.put(config_.seed);
        writer.put_all(seen_.rewards());
        writer.put_all(seen_.inputs());
        return std::move(writer).finish();
    }

    static EnsembleBandit from_bytes(std::string_view bytes) {
        ByteReader reader(bytes, kMagic, kVersion);
        BanditConfig config;
        for (std::int64_t* value :
             {&config.num_inputs, &config.num_members, &config.hidden, &config.steps, &config.batch_size}) {
            *value = reader.get_signed();
        }
        config.learning_rate = reader.get_double();
        config.seed = reader.get_unsigned();
        EnsembleBandit bandit(config);
        const std::size_t per_pair = bandit.num_inputs() + 1;
        if (reader.values_left() % per_pair != 0) {
            reader.fail("wrong number of observations");
        }
        std::vector<double> rewards(reader.values_left() / per_pair);
        for (double& reward : rewards) {
            reward = reader.get_double();
        }
        std::vector<double> input(bandit.num_inputs());
        for (const double reward : rewards) {
            for (double& value : input) {
                value = reader.get_double();
            }
            bandit.add(input, reward);
        }
        reader.finish();
        return bandit;
    }

  private:
    static constexpr std::string_view kMagic = "readbench.bandit";
    static constexpr std::uint64_t kVersion = 1;

    enum class Purpose : std::uint8_t { initial_weights, bootstrap, batches };

    static std::uint64_t stream(std::size_t member, Purpose purpose) {
        return (static_cast<std::uint64_t>(purpose) << 32U) | member;
    }

    static const BanditConfig& validated(const BanditConfig& config) {
        config.validate();
        return config;
    }

    // Uniform in +-1 / sqrt(fan in) for weights and biases, as torch.nn.Linear does.
    void initialise(std::size_t member) {
        const CounterRng rng(config_.seed, stream(member, Purpose::initial_weights));
        double* weights = members_[member].data();
        std::uint64_t index = 0;
        const auto draw = [&](std::size_t fan_in) {
            return (2.0 * rng.uniform(index++) - 1.0) / std::sqrt(static_cast<double>(fan_in));
        };
        for (std::size_t row = 0; row <= shape_.inputs; ++row) {
            for (std::size_t unit = 0; unit < shape_.hidden; ++unit) {
                weights[row * shape_.columns + unit] = draw(shape_.inputs);
            }
        }
        for (std::size_t unit = 0; unit < shape_.hidden; ++unit) {
            weights[shape_.output_layer() + unit] = draw(shape_.hidden);
        }
        weights[shape_.output_bias()] = draw(shape_.hidden);
    }

    void train(std::size_t member) {
        const std::vector<std::int64_t> weights = bootstrap_weights(member);
        std::vector<std::size_t> pairs; // those that count for this member
        for (std::size_t i = 0; i < weights.size(); ++i) {
            if (weights[i] > 0) {
                pairs.push_back(i);
            }
        }
        if (pairs.empty()) {
            return;
        }
        const std::size_t batch_rows = std::min(pairs.size(), static_cast<std::size_t>(config_.batch_size));
        // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): neither is 0, validate() sees to batch_size
        const std::size_t batches = (pairs.size() + batch_rows - 1) / batch_rows; // in an epoch
        const CounterRng rng(config_.seed, stream(member, Purpose::batches));
        std::vector<std::size_t> order;

        Batch batch(shape_, batch_rows);
        const std::size_t num_rows = batch.inputs.padded_rows();
        AlignedBuffer scratch(2 * shape_.num_parameters() + num_rows * (shape_.columns + 1));
        double* const first = scratch.data();
        double* const second = first + shape_.num_parameters();
        double* const hidden = second + shape_.num_parameters();
        const kernel::Trainee net{members_[member].data(), first, second, hidden, hidden + num_rows * shape_.columns};

        double beta1_power = 1.0;
        double beta2_power = 1.0;
        for (std::size_t step = 0; step < static_cast<std::size_t>(config_.steps); ++step) {
            if (batches > 1 || step == 0) {
                if (step % batches == 0) {
                    order = rng.permutation(pairs.size(), (step / batches) << 32U);
                }
                fill(batch, pairs, order, weights, step % batches * batch_rows, batch_rows);
            }
            beta1_power *= kBeta1;
            beta2_power *= kBeta2;
            run<kernel::TrainStep, double>(
                isa_, shape_, net, batch,
                kernel::AdamStep{config_.learning_rate / (1.0 - beta1_power), 1.0 / (1.0 - beta2_power)});
        }
    }

    void fill(Batch& batch, const std::vector<std::size_t>& pairs, const std::vector<std::size_t>& order,
              const std::vector<std::int64_t>& weights, std::size_t start, std::size_t batch_rows) const {
        for (std::size_t row = 0; row < batch_rows; ++row) {
            const bool filled = start + row < pairs.size(); // an epoch's last batch may be short
            const std::size_t i = pairs[order[filled ? start + row : 0]];
            batch.set(row, seen_.input(i), (seen_.reward(i) - scale_.mean) / scale_.deviation,
                      filled ? static_cast<double>(weights[i]) : 0.0);
        }
    }

    Prediction spread(const double* outputs, std::size_t stride, std::size_t num_rows) const {
        const auto members = static_cast<double>(members_.size());
        Prediction prediction{std::vector<double>(num_rows), std::vector<double>(num_rows)};
        for (std::size_t row = 0; row < num_rows; ++row) {
            double sum = 0.0;
            for (std::size_t member = 0; member < members_.size(); ++member) {
                sum += outputs[member * stride + row];
            }
            const double mean = sum / members;
            double squares = 0.0;
            for (std::size_t member = 0; member < members_.size(); ++member) {
                const double deviation = outputs[member * stride + row] - mean;
                squares += deviation * deviation;
            }
            prediction.mean[row] = scale_.mean + scale_.deviation * mean;
            prediction.std[row] = scale_.deviation * std::sqrt(squares / (members - 1.0));
        }
        return prediction;
    }

    BanditConfig config_;
    MlpShape shape_;
    Isa isa_;
    std::vector<AlignedBuffer> members_; // weights, derived from the pairs by fit()
    Observations seen_;
    RewardScale scale_; // of the pairs of the last fit
    bool stale_ = true;
};

} // namespace readbench
