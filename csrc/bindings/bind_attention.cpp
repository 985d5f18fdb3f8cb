#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "readbench/attention.hpp"

namespace readbench::bindings {

namespace {

constexpr std::size_t kMostHeads = std::size_t{1} << 16;  // and columns of a head: products of them do not overflow
constexpr std::size_t kMostCached = std::size_t{1} << 38; // numbers in a cache: 1 TiB

AttentionShape shape_of(std::size_t heads, std::size_t groups, const py::array& turns) {
    const auto width = static_cast<std::size_t>(turns.ndim() == 2 ? turns.shape(1) : 0);
    if (groups < 1 || heads < groups || heads % groups != 0 || heads > kMostHeads) {
        throw std::invalid_argument("heads must be a multiple of groups, and at most " + std::to_string(kMostHeads));
    }
    if (width < 2 || width % 2 != 0 || width > kMostHeads) {
        throw std::invalid_argument("turns must have an even number of columns, at most " + std::to_string(kMostHeads));
    }
    return {heads, groups, width};
}

// How many sequences start at these rows, of which the last is where they end; each must fit its room.
template <typename Room>
std::size_t check_starts(const py::array_t<std::int64_t>& starts, py::ssize_t rows, const Room& room) {
    const std::int64_t* at = starts.data();
    const py::ssize_t count = starts.shape(0) - 1;
    if (count < 0 || at[0] != 0) {
        throw std::invalid_argument("starts must begin with 0");
    }
    for (py::ssize_t b = 0; b < count; ++b) {
        if (at[b + 1] <= at[b] || at[b + 1] > rows) {
            throw std::invalid_argument("starts must rise to at most the rows of z, " + std::to_string(rows));
        }
        if (static_cast<std::size_t>(at[b + 1] - at[b]) > room(static_cast<std::size_t>(b))) {
            throw std::invalid_argument("sequence " + std::to_string(b) + " has no room for " +
                                        std::to_string(at[b + 1] - at[b]) + " tokens");
        }
    }
    return static_cast<std::size_t>(count);
}

// The arguments of whole sequences, checked.
struct Whole {
    Whole(const py::array& rows, const py::array& first_rows, const py::array& angles, std::size_t heads,
          std::size_t groups)
        : shape(shape_of(heads, groups, angles)),
          z(in_place(rows, "z", {kAny, static_cast<py::ssize_t>(shape.columns())})),
          starts(in_place<std::int64_t>(first_rows, "starts", {kAny})), turns(in_place(angles, "turns", {kAny, kAny})),
          count(check_starts(starts, z.shape(0),
                             [this](std::size_t) { return static_cast<std::size_t>(turns.shape(0)); })) {}

    py::array_t<float> mixed(const py::array& array, const char* name) const {
        return in_place(array, name, {z.shape(0), static_cast<py::ssize_t>(shape.mixed())});
    }
    WholeSequences sequences() const { return {shape, starts.data(), count, turns.data()}; }

    AttentionShape shape;
    py::array_t<float> z;
    py::array_t<std::int64_t> starts;
    py::array_t<float> turns;
    std::size_t count;
};

void attend_whole(const py::array& z, const py::array& starts, const py::array& turns, std::size_t heads,
                  std::size_t groups, const py::array& mixed) {
    const Whole whole(z, starts, turns, heads, groups);
    auto to = whole.mixed(mixed, "mixed");
    whole.sequences().attend(detect_isa(), whole.z.data(), to.mutable_data());
}

void attend_whole_backward(const py::array& z, const py::array& starts, const py::array& turns, std::size_t heads,
                           std::size_t groups, const py::array& grad, const py::array& to_z) {
    const Whole whole(z, starts, turns, heads, groups);
    const auto given = whole.mixed(grad, "grad");
    auto to = in_place(to_z, "to_z", {whole.z.shape(0), whole.z.shape(1)});
    whole.sequences().backward(detect_isa(), whole.z.data(), given.data(), to.mutable_data());
}

AttentionCache make_cache(std::size_t num_sequences, const py::array& turns, std::size_t heads, std::size_t groups) {
    const AttentionShape shape = shape_of(heads, groups, turns);
    const auto angles = in_place(turns, "turns", {kAny, kAny});
    const std::size_t each = groups * shape.padded() * (static_cast<std::size_t>(angles.shape(0)) + 2 * kWidestFloats);
    if (num_sequences > kMostCached / each) {
        throw std::invalid_argument("num_sequences must be at most " + std::to_string(kMostCached / each) + ", got " +
                                    std::to_string(num_sequences));
    }
    return {shape, num_sequences, std::vector<float>(angles.data(), angles.data() + angles.size())};
}

void attend_cached(AttentionCache& cache, const py::array& z, const py::array& starts, std::size_t first,
                   const py::array& mixed) {
    const auto from = in_place(z, "z", {kAny, static_cast<py::ssize_t>(cache.shape().columns())});
    const auto rows = in_place<std::int64_t>(starts, "starts", {kAny});
    auto to = in_place(mixed, "mixed", {from.shape(0), static_cast<py::ssize_t>(cache.shape().mixed())});
    const std::size_t held = cache.num_sequences();
    if (first > held || rows.shape(0) - 1 > static_cast<py::ssize_t>(held - first)) {
        throw std::invalid_argument("the cache has " + std::to_string(held) + " sequences");
    }
    const std::size_t count =
        check_starts(rows, from.shape(0), [&](std::size_t b) { return cache.room_of(first + b); });
    cache.attend(detect_isa(), from.data(), rows.data(), count, first, to.mutable_data());
}

void keep_sequences(AttentionCache& cache, const py::array& sequences) {
    std::vector<std::size_t> kept;
    for (const std::int64_t sequence : to_vector<std::int64_t>(sequences, "sequences")) {
        if (sequence < 0 || static_cast<std::size_t>(sequence) >= cache.num_sequences()) {
            throw std::invalid_argument("sequence " + std::to_string(sequence) + " is not one of " +
                                        std::to_string(cache.num_sequences()));
        }
        kept.push_back(static_cast<std::size_t>(sequence));
    }
    cache.keep(kept);
}

} // namespace

// The interpreter's lock is kept: a call takes less than a millisecond, and other threads may not write the arrays
// meanwhile.
void register_attention(py::module_& module) {
    module.def("attend", attend_whole, py::arg("z"), py::arg("starts"), py::arg("turns"), py::arg("heads"),
               py::arg("groups"), py::arg("mixed"));
    module.def("attend_backward", attend_whole_backward, py::arg("z"), py::arg("starts"), py::arg("turns"),
               py::arg("heads"), py::arg("groups"), py::arg("grad"), py::arg("to_z"));
    py::class_<AttentionCache>(module, "AttentionCache")
        .def(py::init(&make_cache), py::arg("num_sequences"), py::arg("turns"), py::arg("heads"), py::arg("groups"))
        .def("attend", attend_cached, py::arg("z"), py::arg("starts"), py::arg("first"), py::arg("mixed"))
        .def("keep", keep_sequences, py::arg("sequences"));
}

} // namespace readbench::bindings
