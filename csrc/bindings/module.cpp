#include "bindings.hpp"
#include "readbench/simd.hpp"

using readbench::Isa;

PYBIND11_MODULE(_core, module) {
    module.doc() = "readbench's C++ core: token accounts, scheduler, ReAD's bandit, a planner (see _core.pyi).";
    module.def("instruction_set", [] {
        switch (readbench::detect_isa()) {
        case Isa::avx512:
            return "avx512";
        case Isa::avx2:
            return "avx2";
        case Isa::portable:
            break;
        }
        return "portable";
    });
    readbench::bindings::register_rng(module);
    readbench::bindings::register_ledger(module);
    readbench::bindings::register_scheduler(module);
    readbench::bindings::register_bandit(module);
    readbench::bindings::register_horizon(module);
    readbench::bindings::register_layers(module);
    readbench::bindings::register_attention(module);
}
