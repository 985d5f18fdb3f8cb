#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "check.hpp"
#include "readbench/rng.hpp"
#include "readbench/scheduler.hpp"

using readbench::CounterRng;
using readbench::Scheduler;

namespace {

using Counts = std::vector<std::int64_t>;

std::int64_t sum(const Counts& values) { return std::accumulate(values.begin(), values.end(), std::int64_t{0}); }

void grants_sum_exactly_and_ties_go_to_the_lower_index() {
    Scheduler thirds(3);
    thirds.grant({1.0 / 3, 1.0 / 3, 1.0 / 3}, 100);
    CHECK((thirds.deficits() == Counts{34, 33, 33}));
    Scheduler scheduler(3);
    scheduler.grant({0.5, 0.0, 0.5}, 7);
    CHECK((scheduler.deficits() == Counts{4, 0, 3}));
    scheduler.grant({0.0, 1.0, 0.0}, Scheduler::kMaxGrant);
    CHECK((scheduler.deficits() == Counts{4, Scheduler::kMaxGrant, 3}));
}

void slots_are_served_in_order_while_they_fit() {
    Scheduler scheduler(2);
    scheduler.grant({1.0, 0.0}, 100);
    CHECK(scheduler.admit(0, {40, 50, 20, 1}) == 2); // 20 does not fit, and 1 behind it is not pulled forward
    CHECK((scheduler.deficits() == Counts{10, 0}));
    CHECK(scheduler.admit(0, {}) == 0);
    CHECK(scheduler.admit(1, {1}) == 0);
    CHECK((scheduler.estimate({3.0, 3.0}) == Counts{4, 0}));
}

void the_remainder_ends_with_one_overdraft_each() {
    Scheduler scheduler(3);
    scheduler.grant({0.4, 0.4, 0.2}, 10);
    CHECK(scheduler.admit_remainder({6, 6, 6}, 10) == 0);
    CHECK(scheduler.admit_remainder({6, 4, 6}, 4) == 1);
    CHECK((scheduler.deficits() == Counts{-2, 0, 2}));
    CHECK(scheduler.admit_remainder({1, 1, 3}, 2) == -1);  // does not fit the budget
    CHECK(scheduler.admit_remainder({1, 1, -1}, 9) == -1); // has no slot
    CHECK(scheduler.admit_remainder({1, 1, 3}, 9) == 2);
    CHECK(scheduler.admit_remainder({1, 1, 1}, 9) == -1);
}

void a_cost_known_afterwards_is_carried_to_the_next_interval() {
    Scheduler scheduler(3);
    scheduler.grant({0.5, 0.4, 0.1}, 100);
    CHECK(scheduler.most_owed({0, 0, 0}) == 0);
    CHECK(scheduler.most_owed({20, 0, 0}) == 1);
    CHECK(scheduler.most_owed({50, 40, 9}) == 2);
    CHECK(scheduler.most_owed({50, 40, 10}) == -1);
    scheduler.spend(0, 70); // it was dearer than thought
    CHECK((scheduler.deficits() == Counts{-20, 40, 10}));
    scheduler.grant({0.5, 0.5, 0.0}, 30);
    CHECK((scheduler.deficits() == Counts{-5, 55, 10}));
    CHECK(scheduler.most_owed({0, 50, 6}) == 1);
    CHECK(scheduler.most_owed({0, 55, 6}) == 2);
}

void bad_arguments_are_refused_and_change_nothing() {
    Scheduler scheduler(2);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS(std::invalid_argument, Scheduler(0));
    CHECK_THROWS(std::invalid_argument, scheduler.grant({1.0}, 1));
    CHECK_THROWS(std::invalid_argument, scheduler.grant({0.5, 0.4}, 1));
    CHECK_THROWS(std::invalid_argument, scheduler.grant({1.5, -0.5}, 1));
    CHECK_THROWS(std::invalid_argument, scheduler.grant({nan, 1.0}, 1));
    CHECK_THROWS(std::invalid_argument, scheduler.grant({0.5, 0.5}, -1));
    CHECK_THROWS(std::invalid_argument, scheduler.grant({0.5, 0.5}, Scheduler::kMaxGrant + 1));
    CHECK_THROWS(std::invalid_argument, scheduler.admit(2, {1}));
    CHECK_THROWS(std::invalid_argument, scheduler.admit(-1, {1}));
    CHECK_THROWS(std::invalid_argument, scheduler.admit(0, {1, 0}));
    CHECK_THROWS(std::invalid_argument, scheduler.admit_remainder({1, 0}, 5));
    CHECK_THROWS(std::invalid_argument, scheduler.admit_remainder({1, -2}, 5));
    CHECK_THROWS(std::invalid_argument, scheduler.admit_remainder({1}, 5));
    CHECK_THROWS(std::invalid_argument, scheduler.most_owed({1}));
    CHECK_THROWS(std::invalid_argument, scheduler.most_owed({0, -1}));
    CHECK_THROWS(std::invalid_argument, scheduler.spend(2, 1));
    CHECK_THROWS(std::invalid_argument, scheduler.spend(-1, 1));
    CHECK_THROWS(std::invalid_argument, scheduler.spend(0, -1));
    CHECK_THROWS(std::invalid_argument, scheduler.spend(0, Scheduler::kMaxGrant + 1));
    CHECK_THROWS(std::invalid_argument, scheduler.estimate({0.5, 1.0}));
    CHECK_THROWS(std::invalid_argument, scheduler.estimate({nan, 1.0}));
    CHECK(scheduler == Scheduler(2));
}

void bytes_come_back_and_any_changed_byte_is_noticed() {
    Scheduler scheduler(3);
    scheduler.grant({0.2, 0.3, 0.5}, 1001);
    CHECK(scheduler.admit_remainder({1, 1, 2000}, 3000) == 2);
    const std::string bytes = scheduler.to_bytes();
    CHECK(Scheduler::from_bytes(bytes) == scheduler);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x01);
        CHECK_THROWS(std::invalid_argument, Scheduler::from_bytes(damaged));
    }
}

// A whole trial with random costs and allocations: served tokens stay within one example of the granted ones, the
// budget is never passed, and what is left at the end pays for nothing more.
void served_tokens_track_granted_ones(std::uint64_t seed) {
    constexpr std::size_t kCapabilities = 4;
    constexpr std::int64_t kDearest = 50;
    constexpr std::int64_t kIntervals = 9;
    const std::int64_t budget = 5'000;
    const CounterRng rng(seed);
    std::uint64_t draw = 0;
    Scheduler scheduler(kCapabilities);
    Counts served(kCapabilities, 0);
    Counts granted(kCapabilities, 0);
    Counts heads(kCapabilities);
    const auto next_cost = [&] { return 1 + static_cast<std::int64_t>(rng.uniform(draw++) * kDearest); };
    for (std::int64_t& head : heads) {
        head = next_cost();
    }
    for (std::int64_t interval = 0; interval < kIntervals; ++interval) {
        std::vector<double> allocation(kCapabilities);
        for (double& share : allocation) {
            share = rng.uniform(draw++) < 0.3 ? 0.0 : rng.uniform(draw++);
        }
        allocation[0] += 0.01;
        const double total = std::accumulate(allocation.begin(), allocation.end(), 0.0);
        for (double& share : allocation) {
            share /= total;
        }
        const Counts before = scheduler.deficits();
        scheduler.grant(allocation, budget * (interval + 1) / kIntervals - budget * interval / kIntervals);
        for (std::size_t c = 0; c < kCapabilities; ++c) {
            granted[c] += scheduler.deficits()[c] - before[c];
            while (scheduler.admit(static_cast<std::int64_t>(c), {heads[c]}) == 1) {
                served[c] += heads[c];
                heads[c] = next_cost();
            }
            CHECK(served[c] <= granted[c] && granted[c] - served[c] < kDearest);
        }
    }
    CHECK(sum(granted) == budget);
    for (std::size_t rounds = 0;; ++rounds) {
        CHECK(rounds <= kCapabilities);
        const std::int64_t c = scheduler.admit_remainder(heads, budget - sum(served));
        if (c < 0) {
            break;
        }
        served[static_cast<std::size_t>(c)] += heads[static_cast<std::size_t>(c)];
        heads[static_cast<std::size_t>(c)] = next_cost();
    }
    CHECK(sum(served) <= budget);
    for (std::size_t c = 0; c < kCapabilities; ++c) {
        CHECK(std::abs(served[c] - granted[c]) < kDearest);
        CHECK(scheduler.deficits()[c] <= 0 || heads[c] > budget - sum(served));
    }
}

} // namespace

int main() {
    grants_sum_exactly_and_ties_go_to_the_lower_index();
    slots_are_served_in_order_while_they_fit();
    the_remainder_ends_with_one_overdraft_each();
    a_cost_known_afterwards_is_carried_to_the_next_interval();
    bad_arguments_are_refused_and_change_nothing();
    bytes_come_back_and_any_changed_byte_is_noticed();
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        served_tokens_track_granted_ones(seed);
    }
    return readbench_test::result();
}
