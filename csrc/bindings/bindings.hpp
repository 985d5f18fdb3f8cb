// What the bindings share: registration, and NumPy arrays in and out.
//
// Arrays are taken as they are: a wrong dtype, rank or size is an std::invalid_argument (ValueError in Python), never a
// silent cast. A strided array is copied to a contiguous one.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace readbench::bindings {

namespace py = pybind11;

void register_rng(py::module_& module);
void register_ledger(py::module_& module);
void register_scheduler(py::module_& module);
void register_bandit(py::module_& module);
void register_horizon(py::module_& module);
void register_layers(py::module_& module);
void register_attention(py::module_& module);

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

template <typename T>
Array<T> checked(const py::array& array, const char* name, py::ssize_t rank) {
    const py::dtype expected = py::dtype::of<T>();
    if (!array.dtype().equal(expected)) {
        throw std::invalid_argument(std::string(name) + " must be " + py::str(expected).cast<std::string>() + ", got " +
                                    py::str(array.dtype()).cast<std::string>());
    }
    if (array.ndim() != rank) {
        throw std::invalid_argument(std::string(name) + " must have " + std::to_string(rank) + " dimensions, got " +
                                    std::to_string(array.ndim()));
    }
    return Array<T>::ensure(array);
}

constexpr py::ssize_t kAny = -1; // a size that `in_place` takes as it is

// Not copied: what is read here is as large as a batch, and what is written must be the caller's.
template <typename T = float>
py::array_t<T> in_place(const py::array& array, const char* name, const std::vector<py::ssize_t>& shape) {
    if (!array.dtype().equal(py::dtype::of<T>()) || (array.flags() & py::array::c_style) == 0) {
        throw std::invalid_argument(std::string(name) + " must be contiguous " +
                                    py::str(py::dtype::of<T>()).template cast<std::string>());
    }
    const bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size()) &&
                      std::equal(shape.begin(), shape.end(), array.shape(),
                                 [](py::ssize_t wanted, py::ssize_t found) { return wanted < 0 || wanted == found; });
    if (!fits) {
        throw std::invalid_argument(std::string(name) + " has a shape that does not fit the other arguments");
    }
    return py::reinterpret_borrow<py::array_t<T>>(array);
}

template <typename T>
std::vector<T> to_vector(const py::array& array, const char* name) {
    const Array<T> values = checked<T>(array, name, 1);
    return std::vector<T>(values.data(), values.data() + values.size());
}

template <typename T>
Array<T> to_array(const std::vector<T>& values) {
    return Array<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <typename T>
Array<T> to_array(const std::vector<T>& values, std::size_t rows, std::size_t columns) {
    return Array<T>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(columns)}, values.data());
}

} // namespace readbench::bindings
