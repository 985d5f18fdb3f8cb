#include <pybind11/operators.h>

#include <string>
#include <string_view>

#include "bindings.hpp"
#include "readbench/ledger.hpp"

namespace readbench::bindings {

void register_ledger(py::module_& module) {
    py::register_exception<BudgetExceeded>(module, "BudgetExceeded", PyExc_ValueError);

    py::class_<Ledger>(module, "Ledger")
        .def(py::init<std::int64_t, std::int64_t>(), py::arg("budget_tokens"), py::arg("num_capabilities"))
        .def("charge_example", &Ledger::charge_example, py::arg("capability"), py::kw_only(),
             py::arg("generated_tokens"), py::arg("trained_tokens"), py::arg("scored_tokens") = 0,
             py::arg("rollout_tokens") = 0)
        .def_property_readonly("spent_tokens", &Ledger::spent_tokens)
        .def_property_readonly("remaining_tokens", &Ledger::remaining_tokens)
        .def("to_bytes", [](const Ledger& ledger) { return py::bytes(ledger.to_bytes()); })
        .def_static(
            "from_bytes", [](const py::bytes& state) { return Ledger::from_bytes(std::string_view(state)); },
            py::arg("state"))
        .def(py::self == py::self) // NOLINT(misc-redundant-expression): pybind11's way to name the operator
        .def("__repr__", [](const Ledger& ledger) {
            return "Ledger(spent " + std::to_string(ledger.spent_tokens()) + " of " +
                   std::to_string(ledger.spent_tokens() + ledger.remaining_tokens()) + " tokens)";
        });
}

} // namespace readbench::bindings
