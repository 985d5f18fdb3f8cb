// Integer token accounts of one trial, by kind and capability.
//
// Kinds that count against the budget come first; probe and eval are overhead: recorded, but free. A charge that would
// pass the budget throws and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "readbench/bytes.hpp"

namespace readbench {

enum class Kind : std::uint8_t { generated, trained, rollout, scored, probe, eval };

constexpr std::size_t kNumKinds = 6;
constexpr std::array<std::string_view, kNumKinds> kKindNames = {"generated", "trained", "rollout",
                                                                "scored",    "probe",   "eval"};

constexpr bool counts_against_budget(Kind kind) { return kind < Kind::probe; }

struct BudgetExceeded : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

class Ledger {
  public:
    static constexpr std::int64_t kMaxCapabilities = 4096;

    Ledger(std::int64_t budget_tokens, std::int64_t num_capabilities) : budget_(budget_tokens) {
        if (budget_tokens < 1) {
            throw std::invalid_argument("budget_tokens must be at least 1, got " + std::to_string(budget_tokens));
        }
        if (num_capabilities < 1 || num_capabilities > kMaxCapabilities) {
            throw std::invalid_argument("num_capabilities must be in 1.." + std::to_string(kMaxCapabilities) +
                                        ", got " + std::to_string(num_capabilities));
        }
        capabilities_ = static_cast<std::size_t>(num_capabilities);
        accounts_.assign(kNumKinds * capabilities_, 0);
    }

    void charge(Kind kind, std::int64_t capability, std::int64_t tokens) {
        const std::size_t column = check_capability(capability);
        check_tokens(tokens);
        reserve(counts_against_budget(kind) ? spent_ : overhead_, tokens, counts_against_budget(kind));
        account(kind, column) += tokens;
    }

    // An example's two costs at once: both are charged, or neither is.
    void charge_example(std::int64_t capability, std::int64_t generated_tokens, std::int64_t trained_tokens) {
        const std::size_t column = check_capability(capability);
        check_tokens(generated_tokens);
        check_tokens(trained_tokens);
        if (generated_tokens > std::numeric_limits<std::int64_t>::max() - trained_tokens) {
            throw BudgetExceeded("the example costs more tokens than can be counted");
        }
        reserve(spent_, generated_tokens + trained_tokens, true);
        account(Kind::generated, column) += generated_tokens;
        account(Kind::trained, column) += trained_tokens;
    }

    std::int64_t budget_tokens() const { return budget_; }
    std::size_t num_capabilities() const { return capabilities_; }
    std::int64_t spent_tokens() const { return spent_; }
    std::int64_t remaining_tokens() const { return budget_ - spent_; }

    std::int64_t total(Kind kind) const {
        std::int64_t sum = 0;
        for (std::size_t column = 0; column < capabilities_; ++column) {
            sum += account(kind, column);
        }
        return sum;
    }

    // (K,) tokens that count against the budget.
    std::vector<std::int64_t> by_capability() const {
        std::vector<std::int64_t> sums(capabilities_, 0);
        for (std::size_t row = 0; row < kNumKinds && counts_against_budget(static_cast<Kind>(row)); ++row) {
            for (std::size_t column = 0; column < capabilities_; ++column) {
                sums[column] += account(static_cast<Kind>(row), column);
            }
        }
        return sums;
    }

    // (kinds, K) in row-major order.
    const std::vector<std::int64_t>& table() const { return accounts_; }

    bool operator==(const Ledger& other) const { return budget_ == other.budget_ && accounts_ == other.accounts_; }

    std::string to_bytes() const {
        ByteWriter writer(kMagic, kVersion);
        writer.put(budget_);
        writer.put(static_cast<std::uint64_t>(capabilities_));
        writer.put_all(accounts_);
        return std::move(writer).finish();
    }

    // Throws std::invalid_argument for anything that no sequence of charges can have written.
    static Ledger from_bytes(std::string_view bytes) {
        ByteReader reader(bytes, kMagic, kVersion);
        const std::int64_t budget = reader.get_signed();
        const std::int64_t capabilities = reader.get_signed();
        Ledger ledger(budget, std::clamp<std::int64_t>(capabilities, 0, kMaxCapabilities));
        if (reader.values_left() != ledger.accounts_.size()) {
            reader.fail("wrong number of accounts");
        }
        for (std::size_t row = 0; row < kNumKinds; ++row) {
            for (std::size_t column = 0; column < ledger.capabilities_; ++column) {
                ledger.charge(static_cast<Kind>(row), static_cast<std::int64_t>(column), reader.get_signed());
            }
        }
        reader.finish();
        return ledger;
    }

  private:
    static constexpr std::string_view kMagic = "readbench.ledger";
    static constexpr std::uint64_t kVersion = 1;

    std::size_t check_capability(std::int64_t capability) const {
        if (capability < 0 || static_cast<std::size_t>(capability) >= capabilities_) {
            throw std::invalid_argument("capability must be in 0.." + std::to_string(capabilities_ - 1) + ", got " +
                                        std::to_string(capability));
        }
        return static_cast<std::size_t>(capability);
    }

    static void check_tokens(std::int64_t tokens) {
        if (tokens < 0) {
            throw std::invalid_argument("tokens must not be negative, got " + std::to_string(tokens));
        }
    }

    void reserve(std::int64_t& sum, std::int64_t tokens, bool budgeted) const {
        const std::int64_t limit = budgeted ? budget_ : std::numeric_limits<std::int64_t>::max();
        if (tokens > limit - sum) {
            throw BudgetExceeded("a charge of " + std::to_string(tokens) + " tokens passes the limit: " +
                                 std::to_string(limit - sum) + " of " + std::to_string(limit) + " are left");
        }
        sum += tokens;
    }

    std::int64_t& account(Kind kind, std::size_t column) {
        return accounts_[static_cast<std::size_t>(kind) * capabilities_ + column];
    }
    std::int64_t account(Kind kind, std::size_t column) const {
        return accounts_[static_cast<std::size_t>(kind) * capabilities_ + column];
    }

    std::int64_t budget_;
    std::size_t capabilities_ = 0;
    std::int64_t spent_ = 0;    // sum of the accounts that count against the budget
    std::int64_t overhead_ = 0; // sum of the others
    std::vector<std::int64_t> accounts_;
};

} // namespace readbench
