// Plans the rest of a trial: how to split all tokens that are left, so that the task's items come out right at the end.
//
// A capability's score is s = sigmoid(u). Its learning curve in the time d that is left is
//     u = base + gain * d * w + forgetting * log(recency + floor),
// where w is its share of the tokens and the recency is an exponential average of w: what is fed is learned, and what
// is not fed any more is forgotten. Items are chains of steps: utility = sum_i share_i * prod_c s_c^exponent_ic. Around
// given scores it is close to sum_c n_c log s_c with n = the chains' exponents, each weighed by how often it comes out
// right. For fixed n that is concave in w, so the best split is found greedily: grid step by grid step, always the one
// that is worth most a token. A plan alternates the two: split, project the scores at the end, weigh again.
//
// The time left is split into two phases, since what is fed late is remembered best; each is optimised in turn.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace readbench {

// K capabilities, C chains. Times are shares of the whole trial's learning time.
struct HorizonProblem {
    std::vector<double> logits;     // (K,) of the scores now
    std::vector<double> recency;    // (K,) exponential averages of the shares until now
    std::vector<double> gains;      // (K,) logits that the whole time on one capability adds
    std::vector<double> forgetting; // (K,) logits per unit of log recency
    std::vector<double> shares;     // (C,) of the items
    std::vector<double> exponents;  // (C, K) how often a chain asks each capability
    double left = 0.0;              // time left, in (0, 1]
    double late = 0.0;              // the second phase is at most so long
    double decay = 0.0;             // time in which recency fades to 1/e
    double floor = 0.0;             // added to the recency in the logarithm
};

// S plans, one from each start.
struct HorizonPlans {
    std::vector<double> allocations; // (S, K) of the first phase
    std::vector<double> scores;      // (S, K) projected at the end
    std::vector<double> utilities;   // (S,)
};

class HorizonPlanner {
  public:
    static constexpr std::size_t kMaxSize = 1U << 20U; // of chains times capabilities
    static constexpr std::size_t kChainStarts = 3;     // the most frequent chains, each alone, as starts

    explicit HorizonPlanner(HorizonProblem problem) : p_(std::move(problem)) {
        check();
        const double rest = std::exp(-p_.left / p_.decay);
        second_ = std::min(p_.late, p_.left);
        first_ = p_.left - second_;
        first_recency_ = std::exp(-second_ / p_.decay) - rest;
        second_recency_ = 1.0 - std::exp(-second_ / p_.decay);
        for (std::size_t c = 0; c < size(); ++c) {
            kept_.push_back(p_.recency[c] * rest);
            base_.push_back(p_.logits[c] - p_.forgetting[c] * std::log(p_.recency[c] + p_.floor));
        }
    }

    HorizonPlans plan() const {
        HorizonPlans plans;
        std::vector<double> now(size());
        for (std::size_t c = 0; c < size(); ++c) {
            now[c] = log_sigmoid(p_.logits[c]);
        }
        add_plan(weights(now), plans);
        std::vector<std::size_t> order(p_.shares.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return p_.shares[a] > p_.shares[b]; });
        order.resize(std::min(order.size(), order.size() > 1 ? kChainStarts : 0));
        for (const std::size_t chain : order) {
            const double* row = &p_.exponents[chain * size()];
            add_plan(std::vector<double>(row, row + size()), plans);
        }
        return plans;
    }

  private:
    static constexpr int kRounds = 6;      // of splitting and weighing
    static constexpr int kSweeps = 2;      // over the two phases
    static constexpr double kIdle = 1e-12; // weights below it ask nothing

    // What a phase does to one capability of weight n: value(w) = n * log sigmoid(base + slope * w + forgetting *
    // log(old + fresh * w)).
    struct Curve {
        double weight, base, slope, forgetting, old, fresh;

        double value(double w) const {
            return weight * log_sigmoid(base + slope * w + forgetting * std::log(old + fresh * w));
        }
    };

    // Shares at which a curve is evaluated: 0, then in equal ratios up to 0.1, then in equal steps up to 1.
    static const std::array<double, 75>& grid() {
        static const std::array<double, 75> shares = [] {
            std::array<double, 75> values{};
            for (std::size_t i = 0; i < 28; ++i) {
                values[1 + i] = 0.002 * std::pow(50.0, static_cast<double>(i) / 27.0);
            }
            for (std::size_t i = 1; i <= 46; ++i) {
                values[28 + i] = 0.1 + 0.9 * static_cast<double>(i) / 46.0;
            }
            return values;
        }();
        return shares;
    }

    static double log_sigmoid(double u) { return u < 0.0 ? u - std::log1p(std::exp(u)) : -std::log1p(std::exp(-u)); }

    std::size_t size() const { return p_.logits.size(); }

    // (K,) the chains' exponents, each chain weighed by its share of the utility at these log scores.
    std::vector<double> weights(const std::vector<double>& log_scores) const {
        std::vector<double> logs;
        for (std::size_t i = 0; i < p_.shares.size(); ++i) {
            logs.push_back(std::log(p_.shares[i]) + log_right(i, log_scores));
        }
        const double most = *std::max_element(logs.begin(), logs.end());
        std::vector<double> sums(size(), 0.0);
        double total = 0.0;
        for (std::size_t i = 0; i < logs.size(); ++i) {
            const double share = std::exp(logs[i] - most);
            total += share;
            for (std::size_t c = 0; c < size(); ++c) {
                sums[c] += share * p_.exponents[i * size() + c];
            }
        }
        for (double& sum : sums) {
            sum /= total;
        }
        return sums;
    }

    double log_right(std::size_t chain, const std::vector<double>& log_scores) const {
        const double* row = &p_.exponents[chain * size()];
        return std::inner_product(row, row + size(), log_scores.begin(), 0.0);
    }

    double utility(const std::vector<double>& log_scores) const {
        double sum = 0.0;
        for (std::size_t i = 0; i < p_.shares.size(); ++i) {
            sum += p_.shares[i] * std::exp(log_right(i, log_scores));
        }
        return sum;
    }

    // Splits, projects and weighs in turn from the weights n; keeps the best plan on the way.
    void add_plan(std::vector<double> n, HorizonPlans& plans) const {
        double best = -1.0;
        std::vector<double> allocation;
        std::vector<double> scores;
        for (int round = 0; round < kRounds; ++round) {
            const auto [first, end] = split(n);
            const double reached = utility(end);
            if (reached > best) {
                best = reached;
                allocation = first;
                scores = end;
            }
            const std::vector<double> again = weights(end);
            double change = 0.0;
            for (std::size_t c = 0; c < size(); ++c) {
                change = std::max(change, std::abs(again[c] - n[c]));
                n[c] = 0.5 * (n[c] + again[c]);
            }
            if (change < 1e-9) {
                break;
            }
        }
        for (double& score : scores) {
            score = std::exp(score);
        }
        plans.allocations.insert(plans.allocations.end(), allocation.begin(), allocation.end());
        plans.scores.insert(plans.scores.end(), scores.begin(), scores.end());
        plans.utilities.push_back(best);
    }

    // (the first phase's shares, the log scores at the end) of the best plan for the weights n.
    std::pair<std::vector<double>, std::vector<double>> split(const std::vector<double>& n) const {
        const double both = first_recency_ + second_recency_;
        std::vector<double> first = fill(curves(n, p_.left, both, std::vector<double>(size()), 0.0, 0.0));
        std::vector<double> second = first;
        for (int sweep = 0; first_ > 0.0 && sweep < kSweeps; ++sweep) {
            first = fill(curves(n, first_, first_recency_, second, second_, second_recency_));
            second = fill(curves(n, second_, second_recency_, first, first_, first_recency_));
        }
        std::vector<double> end(size());
        for (std::size_t c = 0; c < size(); ++c) {
            const double recency = kept_[c] + first_recency_ * first[c] + second_recency_ * second[c];
            end[c] = log_sigmoid(base_[c] + p_.gains[c] * (first_ * first[c] + second_ * second[c]) +
                                 p_.forgetting[c] * std::log(recency + p_.floor));
        }
        return {std::move(first), std::move(end)};
    }

    // What one phase does, while the other one's shares stay as they are; each phase has a length and a part in the
    // recency.
    std::vector<Curve> curves(const std::vector<double>& n, double length, double fresh,
                              const std::vector<double>& other, double other_length, double other_fresh) const {
        std::vector<Curve> result;
        for (std::size_t c = 0; c < size(); ++c) {
            result.push_back({n[c], base_[c] + p_.gains[c] * other_length * other[c], p_.gains[c] * length,
                              p_.forgetting[c], kept_[c] + p_.floor + other_fresh * other[c], fresh});
        }
        return result;
    }

    // (K,) the shares that sum to 1 with the largest sum of values; ties go to the lower index.
    static std::vector<double> fill(const std::vector<Curve>& curves) {
        struct Next {
            std::size_t capability, place;
            double value, gain; // at `place`, and of the step from there a token
        };
        const std::array<double, 75>& shares = grid();
        std::vector<Next> steps;
        const auto look_ahead = [&](Next& next) {
            if (next.place + 1 == shares.size()) {
                next.gain = -std::numeric_limits<double>::infinity();
                return;
            }
            const double value = curves[next.capability].value(shares[next.place + 1]);
            next.gain = (value - next.value) / (shares[next.place + 1] - shares[next.place]);
        };
        for (std::size_t c = 0; c < curves.size(); ++c) {
            if (curves[c].weight > kIdle) {
                steps.push_back({c, 0, curves[c].value(0.0), 0.0});
                look_ahead(steps.back());
            }
        }
        std::vector<double> filled(curves.size(), 0.0);
        double left = 1.0;
        while (left > 0.0) {
            Next& best = *std::max_element(steps.begin(), steps.end(),
                                           [](const Next& a, const Next& b) { return a.gain < b.gain; });
            if (best.place + 1 == shares.size()) { // all are full, and rounding left a rest
                filled[best.capability] += left;
                break;
            }
            const double step = shares[best.place + 1] - shares[best.place];
            const double taken = std::min(step, left);
            filled[best.capability] += taken;
            left -= taken;
            best.value += best.gain * step;
            ++best.place;
            look_ahead(best);
        }
        return filled;
    }

    void check() const {
        const std::size_t k = size();
        const std::size_t chains = p_.shares.size();
        if (k == 0 || chains == 0 || k * chains > kMaxSize) {
            throw std::invalid_argument("the capabilities times the chains must be in 1.." + std::to_string(kMaxSize));
        }
        check_values(p_.logits, k, "logits", -1e3, 1e3);
        check_values(p_.recency, k, "recency", 0.0, 1.0);
        check_values(p_.gains, k, "gains", 0.0, 1e3);
        check_values(p_.forgetting, k, "forgetting", 0.0, 1e3);
        check_values(p_.shares, chains, "shares", std::numeric_limits<double>::min(), 1.0);
        check_values(p_.exponents, k * chains, "exponents", 0.0, 1e3);
        check_values({p_.left}, 1, "left", std::numeric_limits<double>::min(), 1.0);
        check_values({p_.late}, 1, "late", 0.0, 1.0);
        check_values({p_.decay}, 1, "decay", 1e-6, 1e6);
        check_values({p_.floor}, 1, "floor", 1e-9, 1.0);
        for (std::size_t i = 0; i < chains; ++i) {
            const double* row = &p_.exponents[i * k];
            if (*std::max_element(row, row + k) < 1e-6) {
                throw std::invalid_argument("every chain must ask for something");
            }
        }
    }

    static void check_values(const std::vector<double>& values, std::size_t count, const char* name, double least,
                             double most) {
        if (values.size() != count) {
            throw std::invalid_argument(std::string(name) + " must have " + std::to_string(count) + " values, got " +
                                        std::to_string(values.size()));
        }
        for (const double value : values) {
            if (!(value >= least && value <= most)) {
                throw std::invalid_argument(std::string(name) + " must be in " + std::to_string(least) + ".." +
                                            std::to_string(most) + ", got " + std::to_string(value));
            }
        }
    }

    HorizonProblem p_;
    double first_ = 0.0, second_ = 0.0;                 // lengths of the phases
    double first_recency_ = 0.0, second_recency_ = 0.0; // of a phase's shares in the recency at the end
    std::vector<double> kept_;                          // (K,) the recency at the end of what is fed until now
    std::vector<double> base_;                          // (K,) logits without the recency's part
};

} // namespace readbench
