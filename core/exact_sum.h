// The exact sum of doubles, or of products of two, that is not negative: no rounding, so no order. A fixed-point number
// as wide as the products of doubles reach (Kulisch & Miranker, Computer Arithmetic in Theory and Practice, 1981).
#pragma once

#include <bit>
#include <cmath>

#include "views.h"

namespace fromlogits {

class ExactSum {
 public:
  void add(double x) noexcept {
    if (!std::isfinite(x)) {
      odd_ += x;
      return;
    }
    const auto [mantissa, position] = parts(x);
    make_room();
    add_at(mantissa, position + half_range, std::signbit(x));
  }

  // The exact product of x and weight, both >= 0 and finite or NaN; 0 for weight 0.
  void add_product(double x, double weight) noexcept {
    if (weight == 0.0) return;
    if (!(std::isfinite(x) && std::isfinite(weight))) {
      odd_ += x * weight;
      return;
    }
    const auto [m1, p1] = parts(x);
    const auto [m2, p2] = parts(weight);
    make_room();
    const std::uint64_t low1 = m1 & 0xffffffff, high1 = m1 >> 32;
    add_at(low1 * (m2 & 0xffffffff), p1 + p2, false);
    add_at(high1 * (m2 & 0xffffffff), p1 + p2 + 32, false);
    add_at(low1 * (m2 >> 32), p1 + p2 + 32, false);
    add_at(high1 * (m2 >> 32), p1 + p2 + 64, false);
  }

  // Both must be settled.
  void merge(const ExactSum& other) noexcept {
    for (int i = 0; i < size; ++i) limbs_[i] += other.limbs_[i];
    odd_ += other.odd_;
  }

  // Carries over, so that each limb is a digit to base 2^32 again.
  void settle() noexcept {
    additions_ = 0;
    for (int i = 0; i + 1 < size; ++i) {
      limbs_[i + 1] += limbs_[i] >> 32;  // rounds down: a digit is never negative
      limbs_[i] &= 0xffffffff;
    }
  }

  // 0, or the sum of what was not finite: inf or NaN.
  double odd() const noexcept { return odd_; }

  // The digits of the settled sum to base 2^32, least first, in units of 2^unit_exponent.
  static constexpr int unit_exponent = -2148;
  static constexpr int size = (2 * 2046 + 2 * 53) / 32 + 4;
  const std::int64_t* digits() const noexcept { return limbs_; }

 private:
  static constexpr std::uint64_t hidden = std::uint64_t{1} << 52;
  static constexpr std::uint64_t fraction_mask = hidden - 1;
  static constexpr std::uint64_t half_range = 1074;  // a double is a multiple of 2^-1074, a product of its square

  struct Parts {
    std::uint64_t mantissa, position;
  };
  static Parts parts(double x) noexcept {
    const auto word = std::bit_cast<std::uint64_t>(x);
    const std::uint64_t exponent = (word >> 52) & 0x7ff, fraction = word & fraction_mask;
    return {exponent == 0 ? fraction : fraction | hidden, exponent == 0 ? 0 : exponent - 1};
  }

  // An addition moves a digit by less than 2^34, and a limb holds 63 bits.
  void make_room() noexcept {
    if (++additions_ == std::int32_t{1} << 28) settle();
  }

  // Three words take what a 64-bit number spreads over; each keeps its carries in its upper half.
  void add_at(std::uint64_t x, std::uint64_t position, bool is_negative) noexcept {
    std::int64_t* const limb = limbs_ + position / 32;
    const auto shift = static_cast<int>(position % 32);
    const std::uint64_t low = x << shift, high = shift == 0 ? 0 : x >> (64 - shift);
    const std::int64_t sign = is_negative ? -1 : 1;
    limb[0] += sign * static_cast<std::int64_t>(low & 0xffffffff);
    limb[1] += sign * static_cast<std::int64_t>(low >> 32);
    limb[2] += sign * static_cast<std::int64_t>(high);
  }

  std::int64_t limbs_[size] = {};
  std::int32_t additions_ = 0;  // since the limbs were digits
  double odd_ = 0.0;
};

}  // namespace fromlogits
