#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "readbench/ledger.hpp"

using readbench::BudgetExceeded;
using readbench::Ledger;

namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

// The state of a ledger of two capabilities: what each generated, trained, scored and rolled out, and the
// accounts out of use.
std::string state_of(std::int64_t budget, const std::vector<std::int64_t>& accounts, std::int64_t unused = 0,
                     std::int64_t capabilities = 2) {
    readbench::ByteWriter writer("readbench.ledger", 1);
    writer.put(budget);
    writer.put(capabilities);
    writer.put_all(accounts);
    writer.put_all(std::vector<std::int64_t>(4, unused));
    return std::move(writer).finish();
}

void a_charge_past_the_budget_charges_nothing() {
    Ledger ledger(100, 2);
    ledger.charge_example(0, 60, 0);
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, 0, 41));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, 1, 40));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, 20, 20, 1));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, 20, 19, 1, 1));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, kHuge, kHuge));
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(1, 0, kHuge, kHuge));
    CHECK(ledger.spent_tokens() == 60);
    CHECK(ledger.to_bytes() == state_of(100, {60, 0, 0, 0, 0, 0, 0, 0}));
    ledger.charge_example(1, 10, 20, 5, 5);
    CHECK(ledger.remaining_tokens() == 0);
    CHECK(ledger.to_bytes() == state_of(100, {60, 10, 0, 20, 0, 5, 0, 5}));
}

void the_largest_budget_can_be_spent_and_cannot_overflow() {
    Ledger ledger(kHuge, 1);
    ledger.charge_example(0, kHuge - 1, 1);
    CHECK_THROWS(BudgetExceeded, ledger.charge_example(0, 1, 0));
    CHECK(ledger.spent_tokens() == kHuge && ledger.remaining_tokens() == 0);
}

void bad_arguments_are_refused() {
    CHECK_THROWS(std::invalid_argument, Ledger(0, 1));
    CHECK_THROWS(std::invalid_argument, Ledger(1, 0));
    CHECK_THROWS(std::invalid_argument, Ledger(1, kHuge));
    Ledger ledger(10, 2);
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(2, 0, 1));
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(-1, 0, 1));
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(0, -1, 0));
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(0, 5, -5));
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(0, 5, 0, -5));
    CHECK_THROWS(std::invalid_argument, ledger.charge_example(0, 5, 0, 0, -5));
    CHECK(ledger == Ledger(10, 2));
}

void bytes_come_back_and_any_changed_byte_is_noticed() {
    Ledger ledger(1000, 3);
    ledger.charge_example(2, 7, 8, 3);
    ledger.charge_example(0, 13, 0);
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
    CHECK(Ledger::from_bytes(state_of(8, {2, 2, 2, 1, 0, 0, 0, 1})).remaining_tokens() == 0);
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(state_of(7, {2, 2, 2, 1, 0, 0, 0, 1})));
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(state_of(8, {2, 2, 2, 2, 0, 0, 0, -1})));
    CHECK_THROWS(std::invalid_argument,
                 Ledger::from_bytes(state_of(8, {kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge})));
    CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(state_of(8, {2, 2, 2, 1, 0, 0, 0, 1}, 1)));
    for (const std::int64_t capabilities :
         {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, std::int64_t{3}, kHuge}) {
        CHECK_THROWS(std::invalid_argument, Ledger::from_bytes(state_of(8, {2, 2, 2, 1, 0, 0, 0, 1}, 0, capabilities)));
    }
}

} // namespace

int main() {
    a_charge_past_the_budget_charges_nothing();
    the_largest_budget_can_be_spent_and_cannot_overflow();
    bad_arguments_are_refused();
    bytes_come_back_and_any_changed_byte_is_noticed();
    forged_accounts_are_refused();
    return readbench_test::result();
}
