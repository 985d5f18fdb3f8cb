// What a bandit has seen: pairs of an input and a reward, checked when they are logged, and the scale of their rewards.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace readbench {

// Bounded, so that nothing on the way overflows: a reward is squared, an input enters the square of a gradient three
// times over (through the hidden unit, the error, and as the factor of W1's own gradient).
constexpr double kMaxInput = 1e30;
constexpr double kMaxReward = 1e100;

inline void check_finite(const double* values, std::size_t size, const std::string& what, double limit) {
    if (!std::all_of(values, values + size, [limit](double value) { return std::abs(value) <= limit; })) {
        throw std::invalid_argument(what + " must be finite, and not beyond 1e" +
                                    std::to_string(std::lround(std::log10(limit))));
    }
}

// Standardised rewards are (reward - mean) / deviation.
struct RewardScale {
    double mean = 0.0;
    double deviation = 1.0; // of the population; 1 where all rewards are the same
};

class Observations {
  public:
    explicit Observations(std::size_t num_inputs) : num_inputs_(num_inputs) {}

    // Throws std::invalid_argument, and logs nothing, for an input of another size or a value out of range.
    void add(const std::vector<double>& input, double reward) {
        if (input.size() != num_inputs_) {
            throw std::invalid_argument("inputs must have " + std::to_string(num_inputs_) + " entries, got " +
                                        std::to_string(input.size()));
        }
        check_finite(input.data(), input.size(), "inputs", kMaxInput);
        check_finite(&reward, 1, "reward", kMaxReward);
        inputs_.insert(inputs_.end(), input.begin(), input.end());
        rewards_.push_back(reward);
    }

    std::size_t size() const { return rewards_.size(); }
    const double* input(std::size_t i) const { return inputs_.data() + i * num_inputs_; }
    double reward(std::size_t i) const { return rewards_[i]; }

    const std::vector<double>& inputs() const { return inputs_; }   // (n, num_inputs) in row-major order
    const std::vector<double>& rewards() const { return rewards_; } // (n,)

    RewardScale reward_scale() const {
        const auto n = static_cast<double>(std::max<std::size_t>(rewards_.size(), 1));
        double sum = 0.0;
        for (const double reward : rewards_) {
            sum += reward;
        }
        const double mean = sum / n;
        double squares = 0.0;
        for (const double reward : rewards_) {
            squares += (reward - mean) * (reward - mean);
        }
        return {mean, squares > 0.0 ? std::sqrt(squares / n) : 1.0};
    }

  private:
    std::size_t num_inputs_;
    std::vector<double> inputs_;
    std::vector<double> rewards_;
};

} // namespace readbench
