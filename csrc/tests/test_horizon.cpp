#include <cmath>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "readbench/horizon.hpp"

using readbench::HorizonPlanner;
using readbench::HorizonPlans;
using readbench::HorizonProblem;

namespace {

HorizonProblem two_halves() {
    HorizonProblem problem;
    problem.logits = {0.0, 0.0, -6.0, -6.0};
    problem.recency = {0.15, 0.15, 0.15, 0.15};
    problem.gains = {4.0, 4.0, 1.0, 1.0};
    problem.forgetting = {0.2, 0.2, 0.05, 0.05};
    problem.shares = {0.5, 0.5};
    problem.exponents = {1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0};
    problem.left = 1.0;
    problem.late = 0.38;
    problem.decay = 0.15;
    problem.floor = 0.005;
    return problem;
}

void plans_are_on_the_simplex_and_the_half_that_can_be_won_gets_it() {
    const HorizonPlans plans = HorizonPlanner(two_halves()).plan();
    CHECK(plans.utilities.size() == 3); // the scores now, and each chain alone
    std::size_t best = 0;
    for (std::size_t s = 0; s < plans.utilities.size(); ++s) {
        double sum = 0.0;
        for (std::size_t c = 0; c < 4; ++c) {
            sum += plans.allocations[s * 4 + c];
            CHECK(plans.scores[s * 4 + c] > 0.0 && plans.scores[s * 4 + c] < 1.0);
        }
        CHECK(readbench_test::close(sum, 1.0, 1e-12));
        best = plans.utilities[s] > plans.utilities[best] ? s : best;
    }
    CHECK(plans.allocations[best * 4] + plans.allocations[best * 4 + 1] > 0.95);
    CHECK(readbench_test::close(plans.allocations[best * 4], plans.allocations[best * 4 + 1], 0.02));
}

void one_capability_gets_all() {
    HorizonProblem problem = two_halves();
    for (std::vector<double>* each : {&problem.logits, &problem.recency, &problem.gains, &problem.forgetting}) {
        each->resize(1);
    }
    problem.shares = {1.0};
    problem.exponents = {2.0};
    const HorizonPlans plans = HorizonPlanner(problem).plan();
    CHECK(plans.utilities.size() == 1);
    CHECK(readbench_test::close(plans.allocations[0], 1.0, 1e-12));
    CHECK(readbench_test::close(plans.utilities[0], plans.scores[0] * plans.scores[0], 1e-12));
}

void bad_problems_are_refused() {
    HorizonProblem empty;
    CHECK_THROWS(std::invalid_argument, HorizonPlanner{empty});
    HorizonProblem asks_nothing = two_halves();
    asks_nothing.exponents[0] = asks_nothing.exponents[1] = 0.0;
    CHECK_THROWS(std::invalid_argument, HorizonPlanner{asks_nothing});
    HorizonProblem no_time = two_halves();
    no_time.left = 0.0;
    CHECK_THROWS(std::invalid_argument, HorizonPlanner{no_time});
    HorizonProblem not_finite = two_halves();
    not_finite.logits[1] = std::nan("");
    CHECK_THROWS(std::invalid_argument, HorizonPlanner{not_finite});
}

} // namespace

int main() {
    plans_are_on_the_simplex_and_the_half_that_can_be_won_gets_it();
    one_capability_gets_all();
    bad_problems_are_refused();
    return readbench_test::result();
}
