#include <cstddef>

#include "bindings.hpp"
#include "readbench/layers.hpp"

namespace readbench::bindings {

namespace {

std::size_t size_of(py::ssize_t size) { return static_cast<std::size_t>(size); }

void bind_normalise(const py::array& x, float epsilon, const py::array& normal, const py::array& inverse) {
    const auto from = in_place(x, "x", {kAny, kAny});
    const py::ssize_t rows = from.shape(0);
    auto to = in_place(normal, "normal", {rows, from.shape(1)});
    auto scale = in_place(inverse, "inverse", {rows});
    run<kernel::Normalise>(detect_isa(), from.data(), size_of(rows), size_of(from.shape(1)), epsilon, to.mutable_data(),
                           scale.mutable_data());
}

void bind_normalise_backward(const py::array& normal, const py::array& inverse, const py::array& grad,
                             const py::array& to_x) {
    const auto from = in_place(normal, "normal", {kAny, kAny});
    const py::ssize_t rows = from.shape(0);
    const auto scale = in_place(inverse, "inverse", {rows});
    const auto given = in_place(grad, "grad", {rows, from.shape(1)});
    auto to = in_place(to_x, "to_x", {rows, from.shape(1)});
    run<kernel::NormaliseBackward>(detect_isa(), from.data(), scale.data(), given.data(), size_of(rows),
                                   size_of(from.shape(1)), to.mutable_data());
}

void bind_gated_silu(const py::array& both, const py::array& product) {
    auto to = in_place(product, "product", {kAny, kAny});
    const auto from = in_place(both, "both", {to.shape(0), 2 * to.shape(1)});
    run<kernel::GatedSilu>(detect_isa(), from.data(), size_of(to.shape(0)), size_of(to.shape(1)), to.mutable_data());
}

void bind_gated_silu_backward(const py::array& both, const py::array& grad, const py::array& to_both) {
    const auto given = in_place(grad, "grad", {kAny, kAny});
    const auto from = in_place(both, "both", {given.shape(0), 2 * given.shape(1)});
    auto to = in_place(to_both, "to_both", {given.shape(0), 2 * given.shape(1)});
    run<kernel::GatedSiluBackward>(detect_isa(), from.data(), given.data(), size_of(given.shape(0)),
                                   size_of(given.shape(1)), to.mutable_data());
}

} // namespace

// The interpreter's lock is kept, as in bind_attention.cpp.
void register_layers(py::module_& module) {
    module.def("normalise", bind_normalise, py::arg("x"), py::arg("epsilon"), py::arg("normal"), py::arg("inverse"));
    module.def("normalise_backward", bind_normalise_backward, py::arg("normal"), py::arg("inverse"), py::arg("grad"),
               py::arg("to_x"));
    module.def("gated_silu", bind_gated_silu, py::arg("both"), py::arg("product"));
    module.def("gated_silu_backward", bind_gated_silu_backward, py::arg("both"), py::arg("grad"), py::arg("to_both"));
}

} // namespace readbench::bindings
