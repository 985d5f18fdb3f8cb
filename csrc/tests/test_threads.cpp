// The core has no hidden shared state: threads with an object each, and threads that only read one, get what one thread
// gets. Run under ThreadSanitizer (preset tsan), which sees a race whether or not it changes a result.

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "readbench/bandit.hpp"
#include "readbench/ledger.hpp"
#include "readbench/rng.hpp"
#include "readbench/scheduler.hpp"

using readbench::BanditConfig;
using readbench::CounterRng;
using readbench::EnsembleBandit;
using readbench::Ledger;
using readbench::Prediction;
using readbench::Scheduler;

namespace {

constexpr std::size_t kThreads = 8;

// Runs the work in every thread at once; each writes what it finds to its own place.
std::vector<std::string> in_threads(const std::function<std::string(std::size_t)>& work) {
    std::vector<std::string> found(kThreads);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (std::size_t i = 0; i < kThreads; ++i) {
        threads.emplace_back([&found, &work, i] { found[i] = work(i); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return found;
}

BanditConfig small_config() {
    BanditConfig config;
    config.num_inputs = 5;
    config.hidden = 16;
    config.steps = 20;
    config.seed = 7;
    return config;
}

std::string text_of(const Prediction& prediction) {
    std::string text;
    for (const std::vector<double>* values : {&prediction.mean, &prediction.std}) {
        text.append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(double));
    }
    return text;
}

EnsembleBandit taught(std::uint64_t seed) {
    EnsembleBandit bandit(small_config());
    const CounterRng rng(seed);
    for (std::uint64_t i = 0; i < 12; ++i) {
        std::vector<double> input(5);
        for (std::uint64_t k = 0; k < 5; ++k) {
            input[k] = rng.uniform(i * 5 + k);
        }
        bandit.add(input, rng.normal(1000 + i));
    }
    return bandit;
}

std::string bandit_s_work(std::uint64_t seed) {
    EnsembleBandit bandit = taught(seed);
    const std::vector<double> rows(15, 0.5);
    return text_of(bandit.predict(rows.data(), 3)) + std::to_string(bandit.select(rows.data(), 3, 1.0)) +
           bandit.to_bytes();
}

std::string accountant_s_work(std::uint64_t seed) {
    Ledger ledger(100'000, 4);
    Scheduler scheduler(4);
    const CounterRng rng(seed);
    for (std::uint64_t i = 0; i < 50; ++i) {
        scheduler.grant({0.4, 0.3, 0.2, 0.1}, 500);
        for (std::int64_t c = 0; c < 4; ++c) {
            const auto cost = static_cast<std::int64_t>(1 + rng.bits(i) % 40);
            const std::size_t served = scheduler.admit(c, {cost, cost, cost});
            for (std::size_t n = 0; n < served; ++n) {
                ledger.charge_example(c, cost - 1, 1);
            }
        }
    }
    return ledger.to_bytes() + scheduler.to_bytes();
}

void threads_with_an_object_each_find_what_one_thread_finds() {
    for (const auto& work : {bandit_s_work, accountant_s_work}) {
        const std::vector<std::string> found = in_threads(work);
        for (std::size_t i = 0; i < kThreads; ++i) {
            CHECK(found[i] == work(i));
        }
    }
}

void threads_may_read_one_object() {
    const EnsembleBandit bandit = taught(3);
    Ledger charged(1000, 3);
    charged.charge_example(1, 3, 4);
    const Ledger& ledger = charged;
    Scheduler granted(3);
    granted.grant({0.5, 0.25, 0.25}, 100);
    const Scheduler& scheduler = granted;
    const CounterRng rng(11, 4);
    const auto read = [&](std::size_t) {
        std::string text = bandit.to_bytes() + ledger.to_bytes() + scheduler.to_bytes();
        for (std::size_t member = 0; member < bandit.num_members(); ++member) {
            for (const std::int64_t weight : bandit.bootstrap_weights(member)) {
                text += std::to_string(weight);
            }
        }
        for (const std::size_t place : rng.permutation(50)) {
            text += std::to_string(place) + std::to_string(rng.normal(place)) + std::to_string(rng.poisson(place));
        }
        for (const std::int64_t count : scheduler.estimate({1.0, 2.0, 3.0})) {
            text += std::to_string(count);
        }
        return text + std::to_string(ledger.spent_tokens()) + std::to_string(ledger.remaining_tokens());
    };
    for (const std::string& text : in_threads(read)) {
        CHECK(text == read(0));
    }
}

// As the binding does it: one bandit behind a lock, each thread fits, predicts and adds.
void threads_may_share_a_bandit_behind_a_lock() {
    EnsembleBandit bandit(small_config());
    std::mutex mutex;
    in_threads([&](std::size_t i) {
        for (int round = 0; round < 3; ++round) {
            const std::lock_guard<std::mutex> lock(mutex);
            const std::vector<double> input(5, static_cast<double>(i) / kThreads);
            bandit.add(input, static_cast<double>(round));
            bandit.predict(input.data(), 1);
        }
        return std::string();
    });
    CHECK(bandit.num_observations() == 3 * kThreads);
}

} // namespace

int main() {
    threads_with_an_object_each_find_what_one_thread_finds();
    threads_may_read_one_object();
    threads_may_share_a_bandit_behind_a_lock();
    return readbench_test::result();
}
