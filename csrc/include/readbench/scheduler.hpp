// Deficit round robin in tokens (Shreedhar & Varghese 1995): allocation + tokens -> how many slots of each capability.
//
// Every interval grants each capability its share of the tokens; a capability is served while its next slot costs no
// more than its deficit, and what is left stays for the next interval. So the tokens served to a capability trail those
// granted to it by less than one example. At the very end each capability may overdraw once, by less than one example,
// to use up the budget's rest (`admit_remainder`). A slot that does not fit is never skipped for a cheaper one behind
// it: that would bias the end of every interval to short examples.
//
// What a student writes itself has a cost that is known only afterwards. There the discipline is surplus round robin
// (Adiseshu, Parulkar & Varghese 1996): a capability is served while its deficit is positive (`most_owed`), pays what
// it turned out to cost (`spend`), and carries what it overdrew to the next interval.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "readbench/bytes.hpp"

namespace readbench {

class Scheduler {
  public:
    static constexpr std::int64_t kMaxCapabilities = 4096;
    // Up to here a share times the tokens is so exact in double that the rounded-down shares cannot exceed their sum.
    static constexpr std::int64_t kMaxGrant = std::int64_t{1} << 36;

    explicit Scheduler(std::int64_t num_capabilities) {
        if (num_capabilities < 1 || num_capabilities > kMaxCapabilities) {
            throw std::invalid_argument("num_capabilities must be in 1.." + std::to_string(kMaxCapabilities) +
                                        ", got " + std::to_string(num_capabilities));
        }
        deficits_.assign(static_cast<std::size_t>(num_capabilities), 0);
    }

    std::size_t num_capabilities() const { return deficits_.size(); }
    const std::vector<std::int64_t>& deficits() const { return deficits_; }

    // Adds `tokens` to the deficits, split by `allocation` with largest remainders (ties: lower index), so that the
    // parts sum exactly to `tokens`.
    void grant(const std::vector<double>& allocation, std::int64_t tokens) {
        check_size(allocation.size(), "allocation");
        const double sum = simplex_sum(allocation);
        if (tokens < 0 || tokens > kMaxGrant) {
            throw std::invalid_argument("tokens must be in 0.." + std::to_string(kMaxGrant) + ", got " +
                                        std::to_string(tokens));
        }
        std::vector<std::int64_t> credits(num_capabilities());
        std::vector<double> remainders(num_capabilities());
        std::int64_t left = tokens;
        for (std::size_t c = 0; c < num_capabilities(); ++c) {
            const double quota = allocation[c] / sum * static_cast<double>(tokens);
            credits[c] = static_cast<std::int64_t>(quota);
            remainders[c] = quota - std::floor(quota);
            left -= credits[c];
        }
        std::vector<std::size_t> order(num_capabilities());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
        for (std::size_t rank = 0; left > 0; ++rank, --left) {
            ++credits[order[rank]];
        }
        for (std::size_t c = 0; c < num_capabilities(); ++c) {
            if (deficits_[c] > std::numeric_limits<std::int64_t>::max() - credits[c]) {
                throw std::invalid_argument("more tokens granted than can be counted");
            }
        }
        for (std::size_t c = 0; c < num_capabilities(); ++c) {
            deficits_[c] += credits[c];
        }
    }

    // Serves slots of one capability in stream order while they fit its deficit; returns how many. All of them taken
    // means: ask again with the slots that follow.
    std::size_t admit(std::int64_t capability, const std::vector<std::int64_t>& costs) {
        if (capability < 0 || static_cast<std::size_t>(capability) >= num_capabilities()) {
            throw std::invalid_argument("capability must be in 0.." + std::to_string(num_capabilities() - 1) +
                                        ", got " + std::to_string(capability));
        }
        if (std::any_of(costs.begin(), costs.end(), [](std::int64_t cost) { return cost < 1; })) {
            throw std::invalid_argument("costs must be at least 1 token");
        }
        std::int64_t& deficit = deficits_[static_cast<std::size_t>(capability)];
        std::size_t taken = 0;
        while (taken < costs.size() && costs[taken] <= deficit) {
            deficit -= costs[taken++];
        }
        return taken;
    }

    // The last interval's end: serves one more slot and returns its capability, or -1 when nothing more may be served.
    // Taken is the capability with the largest deficit > 0 (ties: lower index) whose head slot costs no more than the
    // budget's `remaining_tokens`; `head_costs` is -1 where there is no slot. Each call uses up a positive deficit, so
    // the calls end.
    std::int64_t admit_remainder(const std::vector<std::int64_t>& head_costs, std::int64_t remaining_tokens) {
        check_size(head_costs.size(), "head_costs");
        if (std::any_of(head_costs.begin(), head_costs.end(),
                        [](std::int64_t cost) { return cost < -1 || cost == 0; })) {
            throw std::invalid_argument("head_costs must be at least 1 token, or -1 for no slot");
        }
        std::int64_t best = -1;
        for (std::size_t c = 0; c < num_capabilities(); ++c) {
            const std::int64_t bar = best < 0 ? 0 : deficits_[static_cast<std::size_t>(best)];
            if (deficits_[c] > bar && head_costs[c] > 0 && head_costs[c] <= remaining_tokens) {
                best = static_cast<std::int64_t>(c);
            }
        }
        if (best >= 0) {
            deficits_[static_cast<std::size_t>(best)] -= head_costs[static_cast<std::size_t>(best)];
        }
        return best;
    }

    // The capability with the largest deficit that is positive after the (K,) tokens `pending` for what is prepared and
    // not paid yet (ties: lower index), or -1 when none is owed anything.
    std::int64_t most_owed(const std::vector<std::int64_t>& pending) const {
        check_size(pending.size(), "pending");
        std::int64_t best = -1;
        std::int64_t most = 0;
        for (std::size_t c = 0; c < num_capabilities(); ++c) {
            if (pending[c] < 0) {
                throw std::invalid_argument("pending tokens must not be negative, got " + std::to_string(pending[c]));
            }
            if (deficits_[c] > pending[c] && deficits_[c] - pending[c] > most) {
                most = deficits_[c] - pending[c];
                best = static_cast<std::int64_t>(c);
            }
        }
        return best;
    }

    // Takes what a capability's work turned out to cost from its deficit, which may become negative.
    void spend(std::int64_t capability, std::int64_t tokens) {
        if (capability < 0 || static_cast<std::size_t>(capability) >= num_capabilities()) {
            throw std::invalid_argument("capability must be in 0.." + std::to_string(num_capabilities() - 1) +
                                        ", got " + std::to_string(capability));
        }
        if (tokens < 0 || tokens > kMaxGrant) {
            throw std::invalid_argument("tokens must be in 0.." + std::to_string(kMaxGrant) + ", got " +
                                        std::to_string(tokens));
        }
        std::int64_t& deficit = deficits_[static_cast<std::size_t>(capability)];
        if (deficit < std::numeric_limits<std::int64_t>::min() + tokens) {
            throw std::invalid_argument("more tokens spent than can be counted");
        }
        deficit -= tokens;
    }

    // (K,) about how many slots each deficit pays for, rounded up: what is worth preparing in one go.
    std::vector<std::int64_t> estimate(const std::vector<double>& mean_costs) const {
        check_size(mean_costs.size(), "mean_costs");
        std::vector<std::int64_t> counts(num_capabilities());
        for (std::size_t c = 0; c < num_capabilities(); ++c) {
            if (!(mean_costs[c] >= 1.0)) {
                throw std::invalid_argument("mean_costs must be at least 1 token");
            }
            const auto deficit = static_cast<double>(std::max<std::int64_t>(deficits_[c], 0));
            counts[c] = static_cast<std::int64_t>(std::min(std::ceil(deficit / mean_costs[c]), 0x1.0p62));
        }
        return counts;
    }

    bool operator==(const Scheduler& other) const { return deficits_ == other.deficits_; }

    std::string to_bytes() const {
        ByteWriter writer(kMagic, kVersion);
        writer.put_all(deficits_);
        return std::move(writer).finish();
    }

    static Scheduler from_bytes(std::string_view bytes) {
        ByteReader reader(bytes, kMagic, kVersion);
        Scheduler scheduler(static_cast<std::int64_t>(reader.values_left()));
        for (std::int64_t& deficit : scheduler.deficits_) {
            deficit = reader.get_signed();
        }
        reader.finish();
        return scheduler;
    }

  private:
    static constexpr std::string_view kMagic = "readbench.scheduler";
    static constexpr std::uint64_t kVersion = 1;

    void check_size(std::size_t size, const std::string& name) const {
        if (size != num_capabilities()) {
            throw std::invalid_argument(name + " must have " + std::to_string(num_capabilities()) + " entries, got " +
                                        std::to_string(size));
        }
    }

    static double simplex_sum(const std::vector<double>& allocation) {
        double sum = 0.0;
        for (const double share : allocation) {
            if (!(share >= 0.0)) { // also where NaN
                throw std::invalid_argument("allocation must not be negative or NaN");
            }
            sum += share;
        }
        if (!(std::abs(sum - 1.0) <= 1e-6)) {
            throw std::invalid_argument("allocation must sum to 1, got " + std::to_string(sum));
        }
        return sum;
    }

    std::vector<std::int64_t> deficits_;
};

} // namespace readbench
