// What an EnsembleBandit is made of, and the ranges in which that makes sense.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace readbench {

struct BanditConfig {
    std::int64_t num_inputs = 0;
    std::int64_t num_members = 5;
    std::int64_t hidden = 64;
    std::int64_t steps = 200;     // of Adam, per fit
    std::int64_t batch_size = 64; // all of the member's pairs at once where they are no more
    double learning_rate = 1e-2;
    std::uint64_t seed = 0;

    void validate() const {
        const auto check = [](const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
            if (value < least || value > most) {
                throw std::invalid_argument(std::string(name) + " must be in " + std::to_string(least) + ".." +
                                            std::to_string(most) + ", got " + std::to_string(value));
            }
        };
        check("num_inputs", num_inputs, 1, 4096);
        check("num_members", num_members, 2, 64); // a spread needs two
        check("hidden", hidden, 1, 1024);
        check("steps", steps, 1, 100'000);
        check("batch_size", batch_size, 1, 4096);
        // A state of a hundred bytes must not take gigabytes: 2^25 weights are 256 MiB.
        if (num_members * (num_inputs + 2) * hidden > (std::int64_t{1} << 25)) {
            throw std::invalid_argument("num_members * (num_inputs + 2) * hidden must be at most 2^25");
        }
        if (!(learning_rate > 0.0 && learning_rate <= 1.0)) {
            throw std::invalid_argument("learning_rate must be in (0, 1], got " + std::to_string(learning_rate));
        }
    }
};

} // namespace readbench
