// Checks that say what failed and let the rest run; `readbench_test::result()` is main's exit status.
#pragma once

#include <cmath>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace readbench_test {

inline int& failures() {
    static int count = 0;
    return count;
}

inline void check(bool passed, const char* what, const char* file, int line) {
    if (!passed) {
        ++failures();
        std::cerr << file << ':' << line << ": failed: " << what << '\n';
    }
}

template <typename Error, typename Action>
bool throws(Action action) {
    try {
        action();
    } catch (const Error&) {
        return true;
    } catch (const std::exception& error) {
        std::cerr << "another exception: " << error.what() << '\n';
    }
    return false;
}

inline bool close(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance; }

inline int result() {
    if (failures() > 0) {
        std::cerr << failures() << " checks failed\n";
    }
    return failures() > 0 ? 1 : 0;
}

} // namespace readbench_test

#define CHECK(condition) readbench_test::check((condition), #condition, __FILE__, __LINE__)
#define CHECK_THROWS(error, expression)                                                                                \
    readbench_test::check(readbench_test::throws<error>([&] { expression; }), #expression " throws " #error, __FILE__, \
                          __LINE__)
