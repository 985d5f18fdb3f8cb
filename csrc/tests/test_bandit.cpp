#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "check.hpp"
#include "readbench/bandit.hpp"
#include "readbench/rng.hpp"

using readbench::BanditConfig;
using readbench::CounterRng;
using readbench::EnsembleBandit;
using readbench::Prediction;

namespace {

constexpr std::int64_t kInputs = 6;

BanditConfig configuration() {
    BanditConfig config;
    config.num_inputs = kInputs;
    config.hidden = 20;
    config.batch_size = 8;
    config.seed = 11;
    return config;
}

std::vector<double> point(std::uint64_t index) {
    const CounterRng rng(99);
    std::vector<double> x(kInputs);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = rng.uniform(index * x.size() + i);
    }
    return x;
}

double reward(const std::vector<double>& x) { return 3.0 + 0.1 * (2.0 * x[0] - x[1]); }

EnsembleBandit taught(std::uint64_t pairs) {
    EnsembleBandit bandit(configuration());
    for (std::uint64_t i = 0; i < pairs; ++i) {
        bandit.add(point(i), reward(point(i)));
    }
    return bandit;
}

std::vector<double> grid(std::uint64_t rows) {
    std::vector<double> points;
    for (std::uint64_t i = 0; i < rows; ++i) {
        const std::vector<double> x = point(1'000 + i);
        points.insert(points.end(), x.begin(), x.end());
    }
    return points;
}

void it_learns_in_reward_units() {
    EnsembleBandit bandit = taught(60);
    const std::vector<double> points = grid(40);
    const Prediction prediction = bandit.predict(points.data(), 40);
    double error = 0.0;
    for (std::uint64_t i = 0; i < 40; ++i) {
        error += std::abs(prediction.mean[i] - reward(point(1'000 + i))) / 40;
        CHECK(prediction.std[i] > 0.0);
    }
    CHECK(error < 0.02); // the rewards' own spread is 0.065
}

// Spread is larger where nothing was logged than where much was.
void spread_grows_away_from_the_pairs() {
    EnsembleBandit bandit(configuration());
    for (std::uint64_t i = 0; i < 30; ++i) {
        std::vector<double> x = point(i);
        for (double& value : x) {
            value *= 0.3;
        }
        bandit.add(x, CounterRng(3).normal(i));
    }
    std::vector<double> points(2 * kInputs, 0.15);
    std::fill(points.begin() + kInputs, points.end(), 1.0);
    const Prediction prediction = bandit.predict(points.data(), 2);
    CHECK(prediction.std[1] > 2.0 * prediction.std[0]);
}

void bootstrap_weights_are_drawn_once() {
    const EnsembleBandit few = taught(10);
    const EnsembleBandit many = taught(200);
    for (std::size_t member = 0; member < few.num_members(); ++member) {
        const std::vector<std::int64_t> before = few.bootstrap_weights(member);
        const std::vector<std::int64_t> after = many.bootstrap_weights(member);
        CHECK(std::equal(before.begin(), before.end(), after.begin()));
        const auto total = std::accumulate(after.begin(), after.end(), std::int64_t{0});
        CHECK(total > 140 && total < 260);
    }
    CHECK(few.bootstrap_weights(0) != few.bootstrap_weights(1));
}

void a_member_without_draws_counts_every_pair_once() {
    std::size_t fallbacks = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        BanditConfig config = configuration();
        config.seed = seed;
        EnsembleBandit bandit(config);
        bandit.add(point(0), 1.0);
        for (std::size_t member = 0; member < bandit.num_members(); ++member) {
            CHECK(bandit.bootstrap_weights(member)[0] >= 1);
            fallbacks += CounterRng(seed, (1ULL << 32U) | member).poisson(0) == 0 ? 1 : 0;
        }
    }
    CHECK(fallbacks > 0);
}

void selection_takes_the_largest_bound_and_the_lowest_index() {
    EnsembleBandit bandit = taught(20);
    const std::vector<double> points = grid(30);
    for (const double kappa : {0.0, 1.0, 10.0}) {
        const Prediction prediction = bandit.predict(points.data(), 30);
        const std::size_t best = bandit.select(points.data(), 30, kappa);
        for (std::size_t i = 0; i < 30; ++i) {
            const double bound = prediction.mean[i] + kappa * prediction.std[i];
            const double largest = prediction.mean[best] + kappa * prediction.std[best];
            CHECK(i < best ? bound < largest : bound <= largest);
        }
    }
    const std::vector<double> equal(3 * kInputs, 0.5);
    CHECK(bandit.select(equal.data(), 3, 1.0) == 0);
    CHECK_THROWS(std::invalid_argument, bandit.select(points.data(), 0, 1.0));
}

void one_seed_gives_the_same_bits_and_another_does_not() {
    const std::vector<double> points = grid(9);
    const Prediction first = taught(40).predict(points.data(), 9);
    EnsembleBandit again = taught(40);
    again.fit();
    again.fit(); // from the initial weights: a refit changes nothing
    CHECK(again.predict(points.data(), 9).mean == first.mean && again.predict(points.data(), 9).std == first.std);
    EnsembleBandit restored = EnsembleBandit::from_bytes(again.to_bytes());
    CHECK(restored.predict(points.data(), 9).mean == first.mean);
    CHECK(restored.to_bytes() == again.to_bytes());
    BanditConfig config = configuration();
    config.seed = 12;
    EnsembleBandit other(config);
    other.add(point(0), 1.0);
    CHECK(other.predict(points.data(), 9).mean != first.mean);
}

void bad_arguments_are_refused() {
    EnsembleBandit bandit = taught(3);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double inf = std::numeric_limits<double>::infinity();
    CHECK_THROWS(std::invalid_argument, bandit.add(point(0), nan));
    CHECK_THROWS(std::invalid_argument, bandit.add(point(0), -inf));
    CHECK_THROWS(std::invalid_argument, bandit.add({1.0}, 0.0));
    CHECK_THROWS(std::invalid_argument, bandit.add(std::vector<double>(kInputs, inf), 0.0));
    CHECK_THROWS(std::invalid_argument, bandit.select(point(0).data(), 1, nan));
    CHECK(bandit.num_observations() == 3);
    for (const auto& spoil : std::vector<void (*)(BanditConfig&)>{
             [](BanditConfig& config) { config.num_inputs = 0; }, [](BanditConfig& config) { config.num_members = 1; },
             [](BanditConfig& config) { config.hidden = -1; }, [](BanditConfig& config) { config.steps = 0; },
             [](BanditConfig& config) { config.batch_size = 0; },
             [](BanditConfig& config) { config.learning_rate = 0.0; }}) {
        BanditConfig config = configuration();
        spoil(config);
        CHECK_THROWS(std::invalid_argument, EnsembleBandit{config});
    }
}

void any_changed_byte_is_noticed() {
    const std::string bytes = taught(2).to_bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x80);
        CHECK_THROWS(std::invalid_argument, EnsembleBandit::from_bytes(damaged));
        CHECK_THROWS(std::invalid_argument, EnsembleBandit::from_bytes(bytes.substr(0, i)));
    }
}

} // namespace

int main() {
    it_learns_in_reward_units();
    spread_grows_away_from_the_pairs();
    bootstrap_weights_are_drawn_once();
    a_member_without_draws_counts_every_pair_once();
    selection_takes_the_largest_bound_and_the_lowest_index();
    one_seed_gives_the_same_bits_and_another_does_not();
    bad_arguments_are_refused();
    any_changed_byte_is_noticed();
    return readbench_test::result();
}
