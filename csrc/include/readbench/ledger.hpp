// Integer token accounts of one trial: what its examples cost to generate, to train on, to score and to roll out, by
// capability.
//
// A charge that would pass the budget throws and changes nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "readbench/bytes.hpp"

namespace readbench {

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
        generated_.assign(static_cast<std::size_t>(num_capabilities), 0);
        trained_ = generated_;
        scored_ = generated_;
        rollout_ = generated_;
    }

    // An example's costs at once: all are charged, or none is. Scored tokens are those that the teacher read to judge
    // it, rollout tokens those that the student wrote.
    void charge_example(std::int64_t capability, std::int64_t generated_tokens, std::int64_t trained_tokens,
                        std::int64_t scored_tokens = 0, std::int64_t rollout_tokens = 0) {
        if (capability < 0 || static_cast<std::size_t>(capability) >= generated_.size()) {
            throw std::invalid_argument("capability must be in 0.." + std::to_string(generated_.size() - 1) + ", got " +
                                        std::to_string(capability));
        }
        std::int64_t tokens = 0;
        for (const std::int64_t part : {generated_tokens, trained_tokens, scored_tokens, rollout_tokens}) {
            if (part < 0) {
                throw std::invalid_argument("tokens must not be negative, got " + std::to_string(part));
            }
            if (tokens > std::numeric_limits<std::int64_t>::max() - part) {
                throw BudgetExceeded("the example costs more tokens than can be counted");
            }
            tokens += part;
        }
        if (tokens > remaining_tokens()) {
            throw BudgetExceeded("a charge of " + std::to_string(tokens) + " tokens passes the limit: " +
                                 std::to_string(remaining_tokens()) + " of " + std::to_string(budget_) + " are left");
        }
        spent_ += tokens;
        generated_[static_cast<std::size_t>(capability)] += generated_tokens;
        trained_[static_cast<std::size_t>(capability)] += trained_tokens;
        scored_[static_cast<std::size_t>(capability)] += scored_tokens;
        rollout_[static_cast<std::size_t>(capability)] += rollout_tokens;
    }

    std::int64_t spent_tokens() const { return spent_; }
    std::int64_t remaining_tokens() const { return budget_ - spent_; }

    bool operator==(const Ledger& other) const {
        return budget_ == other.budget_ && generated_ == other.generated_ && trained_ == other.trained_ &&
               scored_ == other.scored_ && rollout_ == other.rollout_;
    }

    std::string to_bytes() const {
        ByteWriter writer(kMagic, kVersion);
        writer.put(budget_);
        writer.put(static_cast<std::uint64_t>(generated_.size()));
        writer.put_all(generated_);
        writer.put_all(trained_);
        writer.put_all(scored_);
        writer.put_all(rollout_);
        writer.put_all(std::vector<std::int64_t>(kUnusedKinds * generated_.size(), 0));
        return std::move(writer).finish();
    }

    // Throws std::invalid_argument for anything that no sequence of charges can have written.
    static Ledger from_bytes(std::string_view bytes) {
        ByteReader reader(bytes, kMagic, kVersion);
        const std::int64_t budget = reader.get_signed();
        const std::int64_t capabilities = reader.get_signed();
        Ledger ledger(budget, std::clamp<std::int64_t>(capabilities, 0, kMaxCapabilities));
        const std::size_t size = ledger.generated_.size();
        if (reader.values_left() != (4 + kUnusedKinds) * size) {
            reader.fail("wrong number of accounts");
        }
        std::vector<std::int64_t> accounts(4 * size);
        for (std::int64_t& tokens : accounts) {
            tokens = reader.get_signed();
        }
        for (std::size_t capability = 0; capability < size; ++capability) {
            ledger.charge_example(static_cast<std::int64_t>(capability), accounts[capability],
                                  accounts[size + capability], accounts[2 * size + capability],
                                  accounts[3 * size + capability]);
        }
        for (std::size_t i = 0; i < kUnusedKinds * size; ++i) {
            if (reader.get_signed() != 0) {
                reader.fail("tokens on an account that is not in use");
            }
        }
        reader.finish();
        return ledger;
    }

  private:
    static constexpr std::string_view kMagic = "readbench.ledger";
    static constexpr std::uint64_t kVersion = 1;
    static constexpr std::size_t kUnusedKinds = 2; // version 1 has accounts for them, which hold 0

    std::int64_t budget_;
    std::int64_t spent_ = 0;              // the sum of all accounts
    std::vector<std::int64_t> generated_; // (K,)
    std::vector<std::int64_t> trained_;   // (K,)
    std::vector<std::int64_t> scored_;    // (K,)
    std::vector<std::int64_t> rollout_;   // (K,)
};

} // namespace readbench
