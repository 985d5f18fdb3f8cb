// States under fire: bytes that were damaged or forged, with a right checksum. They are refused, or taken for what they
// say; memory is taken for what is there and not for what is claimed (run under ASan and UBSan, see CMakePresets.json).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "readbench/bandit.hpp"
#include "readbench/bytes.hpp"
#include "readbench/ledger.hpp"
#include "readbench/rng.hpp"
#include "readbench/scheduler.hpp"

using readbench::BanditConfig;
using readbench::ByteWriter;
using readbench::CounterRng;
using readbench::EnsembleBandit;
using readbench::Ledger;
using readbench::Scheduler;

namespace {

constexpr std::size_t kChecksum = 8;

std::string sealed(std::string body) {
    const std::uint64_t checksum = readbench::fnv1a(body);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        body.push_back(static_cast<char>((checksum >> shift) & 0xFFU));
    }
    return body;
}

// The bytes with one to four changes: a byte set, eight bytes made extreme, a piece cut out, a piece doubled.
std::string mutated(std::string bytes, const CounterRng& rng, std::uint64_t& index) {
    const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(rng.bits(index++) % bound); };
    for (std::size_t change = 1 + below(4); change > 0 && !bytes.empty(); --change) {
        const std::size_t at = below(bytes.size());
        switch (below(4)) {
        case 0:
            bytes[at] = static_cast<char>(below(256));
            break;
        case 1: {
            constexpr std::uint64_t kExtreme[] = {0,
                                                  1,
                                                  0x7FFFFFFFFFFFFFFFU,
                                                  0x8000000000000000U,
                                                  0xFFFFFFFFFFFFFFFFU,
                                                  0x7FF0000000000000U,  // infinity
                                                  0x7FF8000000000000U,  // NaN
                                                  0x7FEFFFFFFFFFFFFFU}; // the largest double
            const std::uint64_t word = kExtreme[below(8)];
            for (std::size_t i = 0; i < 8 && at + i < bytes.size(); ++i) {
                bytes[at + i] = static_cast<char>((word >> (8U * i)) & 0xFFU);
            }
            break;
        }
        case 2:
            bytes.erase(at, 1 + below(16));
            break;
        default:
            bytes.insert(at, bytes.substr(at, 1 + below(16)));
        }
    }
    return bytes;
}

template <typename Kept>
void is_refused_or_comes_back(const std::string& state, std::uint64_t seed) {
    const CounterRng rng(seed);
    std::uint64_t index = 0;
    std::size_t taken = 0;
    for (int round = 0; round < 20'000; ++round) {
        const std::string forged = sealed(mutated(state.substr(0, state.size() - kChecksum), rng, index));
        try {
            const Kept kept = Kept::from_bytes(forged);
            ++taken;
            CHECK(kept.to_bytes() == forged);
        } catch (const std::invalid_argument& error) {
            CHECK(std::string_view(error.what()).size() > 10); // says what is wrong
        }
    }
    CHECK(taken > 0); // the changes are small enough that some are sound
}

void forged_states_are_refused_or_are_what_they_say() {
    Ledger ledger(1000, 3);
    ledger.charge_example(2, 7, 11);
    ledger.charge_example(1, 0, 500);
    is_refused_or_comes_back<Ledger>(ledger.to_bytes(), 1);
    Scheduler scheduler(4);
    scheduler.grant({0.5, 0.25, 0.25, 0.0}, 1001);
    is_refused_or_comes_back<Scheduler>(scheduler.to_bytes(), 2);
    BanditConfig config;
    config.num_inputs = 2;
    config.hidden = 4;
    config.steps = 2;
    EnsembleBandit bandit(config);
    bandit.add({0.25, 0.5}, 1.0);
    bandit.add({0.5, 0.25}, -1.0);
    is_refused_or_comes_back<EnsembleBandit>(bandit.to_bytes(), 3);
}

// A scheduler with any deficits at all goes on without overflow.
void a_scheduler_with_extreme_deficits_does_not_overflow() {
    ByteWriter writer("readbench.scheduler", 1);
    for (const std::int64_t deficit : {INT64_MIN, INT64_MAX, std::int64_t{0}}) {
        writer.put(deficit);
    }
    Scheduler scheduler = Scheduler::from_bytes(std::move(writer).finish());
    CHECK_THROWS(std::invalid_argument, scheduler.grant({0.0, 1.0, 0.0}, 1));
    scheduler.grant({1.0, 0.0, 0.0}, Scheduler::kMaxGrant);
    CHECK(scheduler.admit(0, {1, INT64_MAX}) == 0);
    CHECK(scheduler.admit(1, {INT64_MAX, 1}) == 1);
    CHECK(scheduler.admit_remainder({INT64_MAX, INT64_MAX, INT64_MAX}, INT64_MAX) == -1);
    CHECK((scheduler.estimate({1.0, 1.0, 1e308}) == std::vector<std::int64_t>{0, 0, 0}));
}

void a_small_state_cannot_take_gigabytes() {
    ByteWriter writer("readbench.bandit", 1);
    for (const std::int64_t value : {4096, 64, 1024, 1, 1}) { // inputs, members, hidden: each in its range
        writer.put(value);
    }
    writer.put(0.01);
    writer.put(std::uint64_t{0});
    const std::string state = std::move(writer).finish();
    CHECK_THROWS(std::invalid_argument, EnsembleBandit::from_bytes(state));
}

// The largest values that are taken must not overflow on the way through a fit.
void extreme_but_legal_values_stay_finite() {
    for (const double input : {1e30, -1e30, 5e-324, 0.0}) {
        for (const double reward : {1e100, -1e100, 5e-324}) {
            BanditConfig config;
            config.num_inputs = 3;
            config.hidden = 8;
            config.steps = 50;
            config.learning_rate = 1.0;
            EnsembleBandit bandit(config);
            bandit.add({input, 1.0, 0.0}, reward);
            bandit.add({-input, 0.0, input}, -reward);
            const std::vector<double> rows = {input, input, input, 0.0, 0.0, 0.0};
            const readbench::Prediction prediction = bandit.predict(rows.data(), 2);
            for (std::size_t row = 0; row < 2; ++row) {
                CHECK(std::isfinite(prediction.mean[row]) && std::isfinite(prediction.std[row]));
            }
        }
    }
}

} // namespace

int main() {
    forged_states_are_refused_or_are_what_they_say();
    a_scheduler_with_extreme_deficits_does_not_overflow();
    a_small_state_cannot_take_gigabytes();
    extreme_but_legal_values_stay_finite();
    return readbench_test::result();
}
