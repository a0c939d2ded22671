// Index type and row views shared by the whole core.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fromlogits {

using Index = std::ptrdiff_t;

// Rows of input as the caller holds them: float32, or bytes b that stand for b * scale + shift.
//   exactly one of floats and bytes is set; (n, d), row-major, dense
struct Rows {
  const float* floats = nullptr;
  const std::uint8_t* bytes = nullptr;
  float scale = 1.0f;
  float shift = 0.0f;
  Index n = 0;
  Index d = 0;
};

}  // namespace fromlogits
