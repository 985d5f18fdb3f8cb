#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "readbench/rng.hpp"

namespace readbench::bindings {

namespace {

constexpr std::uint64_t kMostValues = std::uint64_t{1} << 27; // of a call: 1 GiB

void check_count(std::uint64_t count, const std::string& name) {
    if (count > kMostValues) {
        throw std::invalid_argument(name + " must be at most " + std::to_string(kMostValues) + ", got " +
                                    std::to_string(count));
    }
}

// (count,) values of `draw` at the indices that follow `start`.
template <typename T, typename Draw>
Array<T> sequence(const CounterRng& rng, std::uint64_t start, std::uint64_t count, Draw draw) {
    check_count(count, "count");
    Array<T> values(static_cast<py::ssize_t>(count));
    T* const to = values.mutable_data();
    const py::gil_scoped_release release; // pure arithmetic on memory that nobody else has seen
    for (std::uint64_t i = 0; i < count; ++i) {
        to[i] = (rng.*draw)(start + i);
    }
    return values;
}

} // namespace

void register_rng(py::module_& module) {
    py::class_<CounterRng>(module, "CounterRng")
        .def(py::init<std::uint64_t, std::uint64_t>(), py::arg("seed"), py::arg("stream") = 0)
        .def(
            "bits",
            [](const CounterRng& rng, std::uint64_t start, std::uint64_t count) {
                return sequence<std::uint64_t>(rng, start, count, &CounterRng::bits);
            },
            py::arg("start"), py::arg("count"))
        .def(
            "uniform",
            [](const CounterRng& rng, std::uint64_t start, std::uint64_t count) {
                return sequence<double>(rng, start, count, &CounterRng::uniform);
            },
            py::arg("start"), py::arg("count"))
        .def(
            "normal",
            [](const CounterRng& rng, std::uint64_t start, std::uint64_t count) {
                return sequence<double>(rng, start, count, &CounterRng::normal);
            },
            py::arg("start"), py::arg("count"))
        .def(
            "poisson",
            [](const CounterRng& rng, std::uint64_t start, std::uint64_t count) {
                return sequence<std::int64_t>(rng, start, count, &CounterRng::poisson);
            },
            py::arg("start"), py::arg("count"))
        .def(
            "permutation",
            [](const CounterRng& rng, std::uint32_t n, std::uint64_t start) {
                check_count(n, "n");
                const std::vector<std::size_t> order = rng.permutation(n, start);
                return to_array(std::vector<std::int64_t>(order.begin(), order.end()));
            },
            py::arg("n"), py::arg("start") = 0);
}

} // namespace readbench::bindings
