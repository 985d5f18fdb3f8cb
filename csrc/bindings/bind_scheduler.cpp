#include <pybind11/operators.h>

#include <string_view>

#include "bindings.hpp"
#include "readbench/scheduler.hpp"

namespace readbench::bindings {

void register_scheduler(py::module_& module) {
    py::class_<Scheduler>(module, "Scheduler")
        .def(py::init<std::int64_t>(), py::arg("num_capabilities"))
        .def_property_readonly("num_capabilities", &Scheduler::num_capabilities)
        .def_property_readonly("deficits", [](const Scheduler& scheduler) { return to_array(scheduler.deficits()); })
        .def(
            "grant",
            [](Scheduler& scheduler, const py::array& allocation, std::int64_t tokens) {
                scheduler.grant(to_vector<double>(allocation, "allocation"), tokens);
            },
            py::arg("allocation"), py::arg("tokens"))
        .def(
            "admit",
            [](Scheduler& scheduler, std::int64_t capability, const py::array& costs) {
                return scheduler.admit(capability, to_vector<std::int64_t>(costs, "costs"));
            },
            py::arg("capability"), py::arg("costs"))
        .def(
            "admit_remainder",
            [](Scheduler& scheduler, const py::array& head_costs, std::int64_t remaining_tokens) {
                return scheduler.admit_remainder(to_vector<std::int64_t>(head_costs, "head_costs"), remaining_tokens);
            },
            py::arg("head_costs"), py::arg("remaining_tokens"))
        .def(
            "most_owed",
            [](const Scheduler& scheduler, const py::array& pending) {
                return scheduler.most_owed(to_vector<std::int64_t>(pending, "pending"));
            },
            py::arg("pending"))
        .def("spend", &Scheduler::spend, py::arg("capability"), py::arg("tokens"))
        .def(
            "estimate",
            [](const Scheduler& scheduler, const py::array& mean_costs) {
                return to_array(scheduler.estimate(to_vector<double>(mean_costs, "mean_costs")));
            },
            py::arg("mean_costs"))
        .def("to_bytes", [](const Scheduler& scheduler) { return py::bytes(scheduler.to_bytes()); })
        .def_static(
            "from_bytes", [](const py::bytes& state) { return Scheduler::from_bytes(std::string_view(state)); },
            py::arg("state"))
        .def(py::self == py::self); // NOLINT(misc-redundant-expression): pybind11's way to name the operator
}

} // namespace readbench::bindings
