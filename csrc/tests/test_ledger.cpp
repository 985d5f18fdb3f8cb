#include <cstdint>
#include <limits>
#include <string>

#include "check.hpp"
#include "readbench/ledger.hpp"

using readbench::BudgetExceeded;
using readbench::Kind;
using readbench::Ledger;

namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

void a_charge_past_the_budget_charges_nothing() {
    Ledger ledger(100, 2);
    ledger.charge(Kind::generated, 0, 60);
    CHECK_THROWS(BudgetExceeded, ledger.charge(Kind::trained, 1, 41));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, 1, 40));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, kHuge, kHuge));
    CHECK(ledger.spent_tokens() == 60 && ledger.total(Kind::trained) == 0 && ledger.total(Kind::generated) == 60);
    ledger.charge_example(1, 10, 30);
    CHECK(ledger.remaining_tokens() == 0);
    CHECK((ledger.by_capability() == std::vector<std::int64_t>{60, 40}));
}

void overhead_is_counted_but_free_and_cannot_overflow() {
    Ledger ledger(1, 1);
    ledger.charge(Kind::probe, 0, kHuge);
    CHECK_THROWS(BudgetExceeded, ledger.charge(Kind::eval, 0, 1));
    CHECK(ledger.spent_tokens() == 0 && ledger.total(Kind::probe) == kHuge && ledger.total(Kind::eval) == 0);
}

void bad_arguments_are_refused() {
    CHECK_THROWS(std::invalid_argument, Ledger(0, 1));
    CHECK_THROWS(std::invalid_argument, Ledger(1, 0));
    CHECK_THROWS(std::invalid_argument, Ledger(1, kHuge));
    Ledger ledger(10, 2);
    CHECK_THROWS(std::invalid_argument, ledger.charge(Kind::trained, 2, 1));
    CHECK_THROWS(std::invalid_argument, ledger.charge(Kind::trained, -1, 1));
    CHECK_THROWS(std::invalid_argument, ledger.charge(Kind::trained, 0, -1));
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(0, 5, -5));
    CHECK(ledger == Ledger(10, 2));
}

void bytes_come_back_and_any_changed_byte_is_noticed() {
    Ledger ledger(1000, 3);
    ledger.charge_example(2, 7, 11);
    ledger.charge(Kind::rollout, 0, 13);
    ledger.charge(Kind::eval, 1, 5000);
    const std::string bytes = ledger.to_bytes();
    CHECK(Ledger::from_bytes(bytes) == ledger);
    CHECK(Ledger::from_bytes(bytes).spent_tokens() == 31);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
        CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(damaged));
        CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(bytes.substr(0, i)));
    }
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(bytes + "x"));
}

// A correct checksum over accounts that no charges can have left.
void forged_accounts_are_refused() {
    const auto forge = [](std::int64_t budget, std::int64_t capabilities, std::int64_t account) {
        readbench::ByteWriter writer("readbench.ledger", 1);
        writer.put(budget);
        writer.put(capabilities);
        for (std::size_t i = 0; i < readbench::kNumKinds; ++i) {
            writer.put(account);
        }
        return std::move(writer).finish();
    };
    CHECK(Ledger::from_bytes(forge(8, 1, 2)).remaining_tokens() == 0);
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(forge(7, 1, 2)));
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(forge(8, 1, -1)));
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(forge(8, 2, 1)));
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(forge(8, -1, 1)));
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(forge(8, kHuge, 1)));
}

} // namespace

int main() {
    a_charge_past_the_budget_charges_nothing();
    overhead_is_counted_but_free_and_cannot_overflow();
    bad_arguments_are_refused();
    bytes_come_back_and_any_changed_byte_is_noticed();
    forged_accounts_are_refused();
    return readbench_test::result();
}
