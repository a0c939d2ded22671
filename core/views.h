// Index type and row views shared by the whole core.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fromlogits {

using Index = std::ptrdiff_t;

struct Span {
  Index begin;
  Index size;
};

// Part `at` of those that `size` is cut into, each `part` long but the last.
constexpr Span part_of(Index size, Index part, Index at) noexcept {
  const Index left = size - at * part;
  return {at * part, left < part ? left : part};
}

// Rows of input as the caller holds them: float32; bytes b that stand for b * scale + shift; or the values of each row
// that are not zero (CSR).
//   exactly one of floats, bytes and starts is set; floats and bytes (n, d), row-major, dense
struct Rows {
  const float* floats = nullptr;
  const std::uint8_t* bytes = nullptr;
  float scale = 1.0f;
  float shift = 0.0f;
  const std::int64_t* starts = nullptr;   // (n + 1): row i has the entries [starts[i], starts[i + 1])
  const std::int32_t* columns = nullptr;  // of each entry, in [0, d), ascending within a row
  const float* values = nullptr;          // of each entry
  Index n = 0;
  Index d = 0;
};

}  // namespace fromlogits
