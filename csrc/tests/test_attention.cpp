#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.hpp"
#include "kernels.hpp"
#include "readbench/attention.hpp"

using namespace readbench; // NOLINT(google-build-using-namespace): a test of this namespace

namespace {

// Sequences of a shape, and all that attention takes.
struct Case {
    Case(std::size_t heads, std::size_t groups, std::size_t width, const std::vector<std::size_t>& lengths)
        : shape{heads, groups, width}, starts{0} {
        for (const std::size_t length : lengths) {
            starts.push_back(starts.back() + static_cast<std::int64_t>(length));
        }
        z = readbench_test::normals(rows() * shape.columns(), 1);
        grad = readbench_test::normals(rows() * shape.mixed(), 2);
        turns.resize(places() * width);
        for (std::size_t place = 0; place < places(); ++place) {
            for (std::size_t i = 0; i < width / 2; ++i) {
                const double angle = static_cast<double>(place) * std::exp(-static_cast<double>(i));
                turns[place * width + i] = static_cast<float>(std::cos(angle));
                turns[place * width + width / 2 + i] = static_cast<float>(std::sin(angle));
            }
        }
    }

    std::size_t count() const { return starts.size() - 1; }
    std::size_t rows() const { return static_cast<std::size_t>(starts.back()); }
    std::size_t start(std::size_t b) const { return static_cast<std::size_t>(starts[b]); }
    std::size_t places() const {
        std::size_t most = 0;
        for (std::size_t b = 0; b < count(); ++b) {
            most = std::max(most, start(b + 1) - start(b));
        }
        return most;
    }

    AttentionShape shape;
    std::vector<std::int64_t> starts;
    std::vector<float> z;
    std::vector<float> grad;
    std::vector<float> turns;
};

// One turned value of a head that begins at `column`.
double turned(const Case& given, const std::vector<double>& z, std::size_t row, std::size_t place, std::size_t column,
              std::size_t d) {
    const std::size_t half = given.shape.width / 2;
    const double* head = z.data() + row * given.shape.columns() + column;
    const double cosine = given.turns[place * given.shape.width + d % half];
    const double sine = given.turns[place * given.shape.width + half + d % half];
    return d < half ? head[d] * cosine - head[d + half] * sine : head[d] * cosine + head[d - half] * sine;
}

// The formula, in double.
std::vector<double> formula(const Case& given, const std::vector<double>& z) {
    const AttentionShape& shape = given.shape;
    std::vector<double> mixed(given.rows() * shape.mixed(), 0.0);
    for (std::size_t b = 0; b < given.count(); ++b) {
        for (std::size_t head = 0; head < shape.heads; ++head) {
            const std::size_t query = head * shape.width;
            const std::size_t key = (shape.heads + head / shape.shared()) * shape.width;
            const std::size_t value = key + shape.groups * shape.width;
            for (std::size_t i = 0; given.start(b) + i < given.start(b + 1); ++i) {
                std::vector<double> weight(i + 1);
                double total = 0.0;
                for (std::size_t j = 0; j <= i; ++j) {
                    double score = 0.0;
                    for (std::size_t d = 0; d < shape.width; ++d) {
                        score += turned(given, z, given.start(b) + i, i, query, d) *
                                 turned(given, z, given.start(b) + j, j, key, d);
                    }
                    weight[j] = std::exp(score / std::sqrt(static_cast<double>(shape.width)));
                    total += weight[j];
                }
                for (std::size_t j = 0; j <= i; ++j) {
                    for (std::size_t d = 0; d < shape.width; ++d) {
                        mixed[(given.start(b) + i) * shape.mixed() + query + d] +=
                            weight[j] / total * z[(given.start(b) + j) * shape.columns() + value + d];
                    }
                }
            }
        }
    }
    return mixed;
}

double loss(const Case& given, const std::vector<double>& z) {
    const std::vector<double> mixed = formula(given, z);
    double sum = 0.0;
    for (std::size_t i = 0; i < mixed.size(); ++i) {
        sum += given.grad[i] * mixed[i];
    }
    return sum;
}

std::vector<float> whole(Isa isa, const Case& given) {
    std::vector<float> mixed(given.rows() * given.shape.mixed());
    WholeSequences(given.shape, given.starts.data(), given.count(), given.turns.data())
        .attend(isa, given.z.data(), mixed.data());
    return mixed;
}

void whole_sequences_are_those_of_the_formula(Isa isa, const Case& given) {
    const std::vector<float> mixed = whole(isa, given);
    std::vector<double> z(given.z.begin(), given.z.end());
    const std::vector<double> expected = formula(given, z);
    for (std::size_t i = 0; i < mixed.size(); ++i) {
        CHECK(readbench_test::close(mixed[i], expected[i], 2e-6));
    }
    std::vector<float> to_z(given.z.size());
    WholeSequences(given.shape, given.starts.data(), given.count(), given.turns.data())
        .backward(isa, given.z.data(), given.grad.data(), to_z.data());
    for (std::size_t i = 0; i < z.size(); i += 7) { // some of each: the formula is slow
        const double value = z[i];
        z[i] = value + 1e-5;
        const double above = loss(given, z);
        z[i] = value - 1e-5;
        const double numeric = (above - loss(given, z)) / 2e-5;
        z[i] = value;
        CHECK(readbench_test::close(to_z[i], numeric, 1e-5));
    }
}

// A cache that gets the sequences in pieces, after it was shuffled, gives what they give whole.
void pieces_give_what_the_whole_gives(Isa isa, const Case& given) {
    const std::vector<float> expected = whole(isa, given);
    const std::size_t columns = given.shape.columns();
    const std::size_t mixed = given.shape.mixed();
    for (std::size_t b = 0; b < given.count(); ++b) {
        const std::size_t length = given.start(b + 1) - given.start(b);
        AttentionCache cache(given.shape, 2, given.turns);
        std::vector<float> found;
        const auto append = [&](std::size_t begin, std::size_t end, std::size_t sequence) {
            const std::int64_t starts[] = {0, static_cast<std::int64_t>(end - begin)};
            found.assign((end - begin) * mixed, 0.0F);
            cache.attend(isa, given.z.data() + (given.start(b) + begin) * columns, starts, 1, sequence, found.data());
            for (std::size_t i = 0; i < found.size(); ++i) {
                CHECK(readbench_test::close(found[i], expected[(given.start(b) + begin) * mixed + i], 1e-6));
            }
        };
        const std::size_t first = length / 2;
        if (first > 0) {
            append(0, first, 1);
        }
        cache.keep({1, 1, 0}); // two of the same, which part from now on
        CHECK(cache.room_of(0) == given.places() - first && cache.room_of(2) == given.places());
        for (std::size_t place = first; place < length; ++place) {
            append(place, place + 1, 0);
        }
        append(first, length, 1);
        cache.keep({1});
        CHECK(cache.num_sequences() == 1 && cache.room_of(0) == given.places() - length);
    }
}

void large_scores_do_not_overflow_and_what_is_not_finite_stays_seen(Isa isa) {
    Case given(2, 1, 8, {5});
    for (float& value : given.z) {
        value *= 100.0F;
    }
    std::vector<float> mixed = whole(isa, given);
    const std::vector<double> expected = formula(given, {given.z.begin(), given.z.end()});
    for (std::size_t i = 0; i < 2 * given.shape.mixed(); ++i) {
        CHECK(std::isfinite(mixed[i]));
        CHECK(std::isnan(expected[i]) || readbench_test::close(mixed[i], expected[i], 1e-3));
    }
    given.z[2 * given.shape.columns()] = std::numeric_limits<float>::quiet_NaN(); // the third token's query
    mixed = whole(isa, given);
    CHECK(std::isnan(mixed[2 * given.shape.mixed()]));
    CHECK(std::isfinite(mixed[given.shape.mixed()]) && std::isfinite(mixed[3 * given.shape.mixed()]));
}

} // namespace

int main() {
    // heads of their own, heads that share, a width that no vector fits, lengths of one and beyond a vector
    const Case cases[] = {{2, 2, 24, {3, 1, 19}}, {4, 2, 8, {1, 17, 4}}, {3, 1, 6, {9, 2}}, {1, 1, 32, {35}}};
    for (const Isa isa : readbench_test::instruction_sets()) {
        for (const Case& given : cases) {
            whole_sequences_are_those_of_the_formula(isa, given);
            pieces_give_what_the_whole_gives(isa, given);
        }
        large_scores_do_not_overflow_and_what_is_not_finite_stays_seen(isa);
    }
    return readbench_test::result();
}
