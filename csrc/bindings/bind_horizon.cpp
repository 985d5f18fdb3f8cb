#include <cstddef>
#include <utility>

#include "bindings.hpp"
#include "readbench/horizon.hpp"

namespace readbench::bindings {

void register_horizon(py::module_& module) {
    module.def(
        "plan_horizon",
        [](const py::array& logits, const py::array& recency, const py::array& gains, const py::array& forgetting,
           const py::array& shares, const py::array& exponents, double left, double late, double decay, double floor) {
            HorizonProblem problem;
            problem.logits = to_vector<double>(logits, "logits");
            problem.recency = to_vector<double>(recency, "recency");
            problem.gains = to_vector<double>(gains, "gains");
            problem.forgetting = to_vector<double>(forgetting, "forgetting");
            problem.shares = to_vector<double>(shares, "shares");
            const Array<double> rows = checked<double>(exponents, "exponents", 2);
            problem.exponents.assign(rows.data(), rows.data() + rows.size());
            problem.left = left;
            problem.late = late;
            problem.decay = decay;
            problem.floor = floor;
            const std::size_t columns = problem.logits.size();
            // The interpreter's lock is kept: a plan takes less than a millisecond, getting the lock back may take
            // five.
            const HorizonPlans plans = HorizonPlanner(std::move(problem)).plan();
            const std::size_t count = plans.utilities.size();
            return py::make_tuple(to_array(plans.allocations, count, columns), to_array(plans.scores, count, columns),
                                  to_array(plans.utilities));
        },
        py::arg("logits"), py::arg("recency"), py::arg("gains"), py::arg("forgetting"), py::arg("shares"),
        py::arg("exponents"), py::kw_only(), py::arg("left"), py::arg("late"), py::arg("decay"), py::arg("floor"));
}

} // namespace readbench::bindings
