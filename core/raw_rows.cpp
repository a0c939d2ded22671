#include "raw_rows.h"

#include <bit>
#include <cstdint>
#include <type_traits>

#include "arena.h"

namespace fromlogits {

namespace {

// Whether every value is finite; by its bits, which a compiler compares several at a time.
bool are_finite(const float* x, Index n) noexcept {
  constexpr std::uint32_t exponent = 0x7f800000u;
  bool are = true;
  for (Index i = 0; i < n; ++i) are &= (std::bit_cast<std::uint32_t>(x[i]) & exponent) != exponent;
  return are;
}

template <class In>
void encode(const Encoding& by, const In* x, Index n, Index d, float* out) noexcept {
  for (Index i = 0; i < n; ++i, x += d, out += d) {
    if (by.mean != nullptr) {
      for (Index j = 0; j < d; ++j)
        out[j] = static_cast<float>((static_cast<double>(x[j]) - by.mean[j]) * by.inverse_spread[j]);
    } else {
      for (Index j = 0; j < d; ++j) out[j] = static_cast<float>(x[j]) * by.scale + by.shift;
    }
  }
}

void calibrate(const Calibration& by, Index n, Index c, float* z) noexcept {
  if (by.biases == nullptr) {
    const double temperature = by.temperatures[0];
    for (Index i = 0; i < n * c; ++i) z[i] = static_cast<float>(static_cast<double>(z[i]) / temperature);
    return;
  }
  for (Index i = 0; i < n; ++i, z += c)
    for (Index k = 0; k < c; ++k)
      z[k] = static_cast<float>(static_cast<double>(z[k]) / by.temperatures[k] + by.biases[k]);
}

}  // namespace

template <class In>
bool logits_of_raw(const Network& network, const Encoding& encoding, const In* x, Index n,
                   const Calibration& calibration, float* out) {
  Rows rows;
  rows.n = n, rows.d = network.features();
  Buffer<float> encoded;
  if (std::is_same_v<In, std::uint8_t> && encoding.mean == nullptr) {
    rows.bytes = reinterpret_cast<const std::uint8_t*>(x), rows.scale = encoding.scale, rows.shift = encoding.shift;
  } else {
    encoded.reserve(n * rows.d);
    encode(encoding, x, n, rows.d, encoded.data());
    if (!are_finite(encoded.data(), n * rows.d)) return false;
    rows.floats = encoded.data();
  }
  Team alone(1);
  network.logits(rows, nullptr, n, out, alone);
  calibrate(calibration, n, network.outputs(), out);
  return true;
}

template bool logits_of_raw(const Network&, const Encoding&, const float*, Index, const Calibration&, float*);
template bool logits_of_raw(const Network&, const Encoding&, const double*, Index, const Calibration&, float*);
template bool logits_of_raw(const Network&, const Encoding&, const std::uint8_t*, Index, const Calibration&, float*);

}  // namespace fromlogits
