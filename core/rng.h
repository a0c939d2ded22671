// Philox4x64-10: random bits as a pure function of (key, counter), so no state has to travel between threads.
// Source: Salmon, Moraes, Dror & Shaw, SC 2011. NumPy's Philox gives the same words (a test compares).
#pragma once

#include <array>
#include <cstdint>

namespace fromlogits {

using PhiloxBlock = std::array<std::uint64_t, 4>;

inline PhiloxBlock philox(PhiloxBlock c, std::uint64_t key0, std::uint64_t key1 = 0) noexcept {
  __extension__ using Wide = unsigned __int128;
  for (int round = 0; round < 10; ++round) {
    const Wide a = Wide{0xD2E7470EE14C6C93u} * c[0];
    const Wide b = Wide{0xCA5A826395121157u} * c[2];
    c = {static_cast<std::uint64_t>(b >> 64) ^ c[1] ^ key0, static_cast<std::uint64_t>(b),
         static_cast<std::uint64_t>(a >> 64) ^ c[3] ^ key1, static_cast<std::uint64_t>(a)};
    key0 += 0x9E3779B97F4A7C15u;
    key1 += 0xBB67AE8584CAA73Bu;
  }
  return c;
}

// Last word of the counter: what the bits are for. Python draws streams 1 (weights), 2 (row order) and 4 (splits).
inline constexpr std::uint64_t dropout_stream = 3;

}  // namespace fromlogits
