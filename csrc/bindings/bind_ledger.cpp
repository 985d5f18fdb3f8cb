#include <pybind11/native_enum.h>
#include <pybind11/operators.h>

#include <string>
#include <string_view>

#include "bindings.hpp"
#include "readbench/ledger.hpp"

namespace readbench::bindings {

void register_ledger(py::module_& module) {
    py::native_enum<Kind> kinds(module, "Kind", "enum.IntEnum", "What tokens were spent on.");
    for (std::size_t i = 0; i < kNumKinds; ++i) {
        kinds.value(std::string(kKindNames.at(i)).c_str(), static_cast<Kind>(i));
    }
    kinds.finalize();
    py::register_exception<BudgetExceeded>(module, "BudgetExceeded", PyExc_ValueError);

    py::class_<Ledger>(module, "Ledger")
        .def(py::init<std::int64_t, std::int64_t>(), py::arg("budget_tokens"), py::arg("num_capabilities"))
        .def("charge", &Ledger::charge, py::arg("kind"), py::arg("capability"), py::arg("tokens"))
        .def("charge_example", &Ledger::charge_example, py::arg("capability"), py::kw_only(),
             py::arg("generated_tokens"), py::arg("trained_tokens"))
        .def_property_readonly("budget_tokens", &Ledger::budget_tokens)
        .def_property_readonly("num_capabilities", &Ledger::num_capabilities)
        .def_property_readonly("spent_tokens", &Ledger::spent_tokens)
        .def_property_readonly("remaining_tokens", &Ledger::remaining_tokens)
        .def("total", &Ledger::total, py::arg("kind"))
        .def("by_kind",
             [](const Ledger& ledger) {
                 py::dict totals;
                 for (std::size_t i = 0; i < kNumKinds; ++i) {
                     totals[py::str(std::string(kKindNames.at(i)))] = ledger.total(static_cast<Kind>(i));
                 }
                 return totals;
             })
        .def("by_capability", [](const Ledger& ledger) { return to_array(ledger.by_capability()); })
        .def("table",
             [](const Ledger& ledger) { return to_array(ledger.table(), kNumKinds, ledger.num_capabilities()); })
        .def("to_bytes", [](const Ledger& ledger) { return py::bytes(ledger.to_bytes()); })
        .def_static(
            "from_bytes", [](const py::bytes& state) { return Ledger::from_bytes(std::string_view(state)); },
            py::arg("state"))
        .def(py::self == py::self) // NOLINT(misc-redundant-expression): pybind11's way to name the operator
        .def("__repr__", [](const Ledger& ledger) {
            return "Ledger(spent " + std::to_string(ledger.spent_tokens()) + " of " +
                   std::to_string(ledger.budget_tokens()) + " tokens, " + std::to_string(ledger.num_capabilities()) +
                   " capabilities)";
        });
}

} // namespace readbench::bindings
