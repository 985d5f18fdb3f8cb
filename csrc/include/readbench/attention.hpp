// Attention over many sequences: whole ones, as training and scoring have them, and ones that grow, as decoding has
// them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "readbench/attention_gradients.hpp"
#include "readbench/attention_kernels.hpp"

namespace readbench {

// B whole sequences, in rows [starts[b], starts[b + 1]) of z, and the memory for any of them.
class WholeSequences {
  public:
    WholeSequences(const AttentionShape& shape, const std::int64_t* starts, std::size_t count, const float* turns)
        : shape_(shape), starts_(starts), count_(count), turns_(turns), scratch_(shape, longest(), longest()),
          keys_(shape.groups * shape.width * scratch_.places),
          values_(shape.groups * scratch_.places * shape.padded()) {}

    // z (N, (H + 2G)·D) -> mixed (N, H·D)
    void attend(Isa isa, const float* z, float* mixed) {
        for (std::size_t b = 0; b < count_; ++b) {
            run<kernel::Attend>(isa, shape_, span(b, z), scratch_, mixed + start(b) * shape_.mixed());
        }
    }

    // d loss / d mixed -> d loss / d z
    void backward(Isa isa, const float* z, const float* grad, float* to_z) {
        GradientScratch gradients(shape_, longest());
        for (std::size_t b = 0; b < count_; ++b) {
            run<kernel::AttendBackward>(isa, shape_, span(b, z), grad + start(b) * shape_.mixed(), scratch_, gradients,
                                        to_z + start(b) * shape_.columns());
        }
    }

  private:
    std::size_t start(std::size_t b) const { return static_cast<std::size_t>(starts_[b]); }
    std::size_t longest() const {
        std::size_t most = 0;
        for (std::size_t b = 0; b < count_; ++b) {
            most = std::max(most, start(b + 1) - start(b));
        }
        return most;
    }
    Span span(std::size_t b, const float* z) {
        return {z + start(b) * shape_.columns(),
                turns_,
                start(b + 1) - start(b),
                0,
                keys_.data(),
                values_.data(),
                scratch_.places};
    }

    AttentionShape shape_;
    const std::int64_t* starts_;
    std::size_t count_;
    const float* turns_; // (T, D)
    AttentionScratch scratch_;
    FloatBuffer keys_;
    FloatBuffer values_;
};

// Keys and values of B sequences that grow together: what decoding attends to.
class AttentionCache {
  public:
    // Room for so many tokens in each sequence, whose angles are `turns` (T, D).
    AttentionCache(const AttentionShape& shape, std::size_t num_sequences, std::vector<float> turns)
        : shape_(shape), turns_(std::move(turns)), room_(turns_.size() / shape.width),
          // an odd number of cache lines: rows a power of two apart would share a few places of the core's cache
          places_((round_up(room_, kWidestFloats) / kWidestFloats | 1U) * kWidestFloats), slots_(num_sequences),
          lengths_(num_sequences), keys_(num_sequences * keys_size()), values_(num_sequences * values_size()) {
        std::iota(slots_.begin(), slots_.end(), std::size_t{0});
    }

    const AttentionShape& shape() const { return shape_; }
    std::size_t num_sequences() const { return slots_.size(); }
    std::size_t room_of(std::size_t sequence) const { return room_ - lengths_[sequence]; }

    // Appends the tokens in rows [starts[b], starts[b + 1]) of z to sequence `first` + b; mixed (N, H·D) of them.
    void attend(Isa isa, const float* z, const std::int64_t* starts, std::size_t count, std::size_t first,
                float* mixed) {
        std::size_t longest = 0;
        for (std::size_t b = 0; b < count; ++b) {
            longest = std::max(longest, static_cast<std::size_t>(starts[b + 1] - starts[b]));
        }
        AttentionScratch scratch(shape_, longest, room_);
        for (std::size_t b = 0; b < count; ++b) {
            const auto start = static_cast<std::size_t>(starts[b]);
            const std::size_t length = static_cast<std::size_t>(starts[b + 1]) - start;
            std::size_t& before = lengths_[first + b];
            const std::size_t slot = slots_[first + b];
            const Span span{z + start * shape_.columns(),      turns_.data() + before * shape_.width, length, before,
                            keys_.data() + slot * keys_size(), values_.data() + slot * values_size(), places_};
            run<kernel::Attend>(isa, shape_, span, scratch, mixed + start * shape_.mixed());
            before += length;
        }
    }

    // Keeps these sequences, one as often as it is named.
    void keep(const std::vector<std::size_t>& sequences) {
        std::vector<std::size_t> slots;
        std::vector<std::size_t> lengths;
        for (const std::size_t sequence : sequences) {
            slots.push_back(slots_[sequence]);
            lengths.push_back(lengths_[sequence]);
        }
        std::vector<std::size_t> distinct = slots;
        std::sort(distinct.begin(), distinct.end());
        if (std::adjacent_find(distinct.begin(), distinct.end()) != distinct.end()) {
            FloatBuffer keys(slots.size() * keys_size());
            FloatBuffer values(slots.size() * values_size());
            for (std::size_t b = 0; b < slots.size(); ++b) {
                std::memcpy(keys.data() + b * keys_size(), keys_.data() + slots[b] * keys_size(),
                            keys_size() * sizeof(float));
                std::memcpy(values.data() + b * values_size(), values_.data() + slots[b] * values_size(),
                            values_size() * sizeof(float));
                slots[b] = b;
            }
            keys_ = std::move(keys);
            values_ = std::move(values);
        }
        slots_ = std::move(slots);
        lengths_ = std::move(lengths);
    }

  private:
    std::size_t keys_size() const { return shape_.groups * shape_.width * places_; }
    std::size_t values_size() const { return shape_.groups * places_ * shape_.padded(); }

    AttentionShape shape_;
    std::vector<float> turns_;
    std::size_t room_;
    std::size_t places_;
    std::vector<std::size_t> slots_; // where each sequence's keys and values stand
    std::vector<std::size_t> lengths_;
    FloatBuffer keys_;   // of each slot and group, (D, T)
    FloatBuffer values_; // of each slot and group, (T, D')
};

} // namespace readbench
