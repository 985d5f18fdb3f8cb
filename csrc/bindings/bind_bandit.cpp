#include <mutex>
#include <string_view>
#include <utility>

#include "bindings.hpp"
#include "readbench/bandit.hpp"

namespace readbench::bindings {

namespace {

// Training and prediction run without the GIL, so that other threads go on; the mutex keeps two of them from working on
// one bandit at once. It is taken after the GIL is released: the other order would deadlock.
class LockedBandit {
  public:
    explicit LockedBandit(EnsembleBandit bandit) : bandit_(std::move(bandit)) {}

    template <typename Work>
    auto run(Work work) {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(mutex_);
        return work(bandit_);
    }

  private:
    EnsembleBandit bandit_;
    std::mutex mutex_;
};

Array<double> candidate_rows(LockedBandit& locked, const py::array& inputs, const char* name) {
    Array<double> rows = checked<double>(inputs, name, 2);
    const auto width =
        static_cast<py::ssize_t>(locked.run([](const EnsembleBandit& bandit) { return bandit.num_inputs(); }));
    if (rows.shape(1) != width) {
        throw std::invalid_argument(std::string(name) + " must have " + std::to_string(width) + " columns, got " +
                                    std::to_string(rows.shape(1)));
    }
    return rows;
}

Array<std::int64_t> bootstrap_weights(LockedBandit& locked) {
    std::size_t members = 0;
    std::size_t observations = 0;
    std::vector<std::int64_t> table;
    locked.run([&](const EnsembleBandit& bandit) {
        members = bandit.num_members();
        observations = bandit.num_observations();
        for (std::size_t member = 0; member < members; ++member) {
            const std::vector<std::int64_t> weights = bandit.bootstrap_weights(member);
            table.insert(table.end(), weights.begin(), weights.end());
        }
    });
    return to_array(table, members, observations);
}

} // namespace

void register_bandit(py::module_& module) {
    const BanditConfig defaults;
    py::class_<LockedBandit>(module, "EnsembleBandit")
        .def(py::init([](std::int64_t num_inputs, std::uint64_t seed, std::int64_t num_members, std::int64_t hidden,
                         std::int64_t steps, std::int64_t batch_size, double learning_rate) {
                 BanditConfig config;
                 config.num_inputs = num_inputs;
                 config.num_members = num_members;
                 config.hidden = hidden;
                 config.steps = steps;
                 config.batch_size = batch_size;
                 config.learning_rate = learning_rate;
                 config.seed = seed;
                 return std::make_unique<LockedBandit>(EnsembleBandit(config));
             }),
             py::arg("num_inputs"), py::kw_only(), py::arg("seed"), py::arg("num_members") = defaults.num_members,
             py::arg("hidden") = defaults.hidden, py::arg("steps") = defaults.steps,
             py::arg("batch_size") = defaults.batch_size, py::arg("learning_rate") = defaults.learning_rate)
        .def_property_readonly(
            "num_inputs",
            [](LockedBandit& locked) { return locked.run([](EnsembleBandit& bandit) { return bandit.num_inputs(); }); })
        .def_property_readonly("num_members",
                               [](LockedBandit& locked) {
                                   return locked.run([](EnsembleBandit& bandit) { return bandit.num_members(); });
                               })
        .def_property_readonly("num_observations",
                               [](LockedBandit& locked) {
                                   return locked.run([](EnsembleBandit& bandit) { return bandit.num_observations(); });
                               })
        .def(
            "add",
            [](LockedBandit& locked, const py::array& inputs, double reward) {
                const std::vector<double> values = to_vector<double>(inputs, "inputs");
                locked.run([&](EnsembleBandit& bandit) { bandit.add(values, reward); });
            },
            py::arg("inputs"), py::arg("reward"))
        .def("fit", [](LockedBandit& locked) { locked.run([](EnsembleBandit& bandit) { bandit.fit(); }); })
        .def(
            "predict",
            [](LockedBandit& locked, const py::array& inputs) {
                const Array<double> rows = candidate_rows(locked, inputs, "inputs");
                const double* const values = rows.data();
                const auto count = static_cast<std::size_t>(rows.shape(0));
                const Prediction prediction =
                    locked.run([&](EnsembleBandit& bandit) { return bandit.predict(values, count); });
                return py::make_tuple(to_array(prediction.mean), to_array(prediction.std));
            },
            py::arg("inputs"))
        .def(
            "select",
            [](LockedBandit& locked, const py::array& candidates, double kappa) {
                const Array<double> rows = candidate_rows(locked, candidates, "candidates");
                const double* const values = rows.data();
                const auto count = static_cast<std::size_t>(rows.shape(0));
                return locked.run([&](EnsembleBandit& bandit) { return bandit.select(values, count, kappa); });
            },
            py::arg("candidates"), py::arg("kappa"))
        .def("bootstrap_weights", &bootstrap_weights)
        .def("to_bytes",
             [](LockedBandit& locked) {
                 return py::bytes(locked.run([](const EnsembleBandit& bandit) { return bandit.to_bytes(); }));
             })
        .def_static(
            "from_bytes",
            [](const py::bytes& state) {
                return std::make_unique<LockedBandit>(EnsembleBandit::from_bytes(std::string_view(state)));
            },
            py::arg("state"));
}

} // namespace readbench::bindings
