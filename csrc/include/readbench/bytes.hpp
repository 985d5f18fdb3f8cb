// Serialised states: magic, version, little-endian payload, checksum.
//
// The checksum is FNV-1a (64 bits). Each of its steps is a bijection of the running hash, so that a single damaged byte
// is always noticed. It guards against damage, not against forgery: readers check the values too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

namespace readbench {

static_assert(std::numeric_limits<double>::is_iec559, "states hold IEEE 754 doubles");

inline std::uint64_t fnv1a(std::string_view bytes) {
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const char byte : bytes) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
    }
    return hash;
}

class ByteWriter {
  public:
    ByteWriter(std::string_view magic, std::uint64_t version) : bytes_(magic) { put(version); }

    void put(std::uint64_t value) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            bytes_.push_back(static_cast<char>((value >> shift) & 0xFFU));
        }
    }
    void put(std::int64_t value) { put(static_cast<std::uint64_t>(value)); }
    void put(double value) {
        std::uint64_t word = 0;
        std::memcpy(&word, &value, sizeof word);
        put(word);
    }
    template <typename Container>
    void put_all(const Container& values) {
        for (const auto value : values) {
            put(value);
        }
    }

    std::string finish() && {
        put(fnv1a(bytes_));
        return std::move(bytes_);
    }

  private:
    std::string bytes_;
};

class ByteReader {
  public:
    // Throws std::invalid_argument unless the bytes are an undamaged state of that kind and version.
    ByteReader(std::string_view bytes, std::string_view magic, std::uint64_t version) : rest_(bytes), name_(magic) {
        if (bytes.size() < magic.size() + 16 || bytes.substr(0, magic.size()) != magic) {
            fail("these bytes are something else");
        }
        rest_.remove_prefix(bytes.size() - 8);
        const std::uint64_t checksum = get_unsigned();
        const std::string_view body = bytes.substr(0, bytes.size() - 8);
        if (fnv1a(body) != checksum) {
            fail("damaged (checksum)");
        }
        rest_ = body.substr(magic.size());
        if (get_unsigned() != version) {
            fail("written by another version");
        }
    }

    std::uint64_t get_unsigned() {
        if (rest_.size() < 8) {
            fail("too short");
        }
        std::uint64_t value = 0;
        for (unsigned i = 0; i < 8; ++i) {
            value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[i])) << (8U * i);
        }
        rest_.remove_prefix(8);
        return value;
    }
    std::int64_t get_signed() { return static_cast<std::int64_t>(get_unsigned()); }
    double get_double() {
        const std::uint64_t word = get_unsigned();
        double value = 0.0;
        std::memcpy(&value, &word, sizeof value);
        return value;
    }

    // How many 8-byte values are left: the bound to check a count against before memory is taken for it.
    std::size_t values_left() const { return rest_.size() / 8; }

    void finish() const {
        if (!rest_.empty()) {
            fail("too long");
        }
    }

    [[noreturn]] void fail(const std::string& reason) const {
        throw std::invalid_argument(std::string(name_) + " state: " + reason);
    }

  private:
    std::string_view rest_;
    std::string_view name_;
};

} // namespace readbench
