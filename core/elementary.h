// exp and log1p on lanes of doubles, to about one unit in the last place.
#pragma once

#include "lanes.h"
#include "polynomials.h"

namespace fromlogits {
namespace {

template <std::size_t n>
inline F64 polynomial(const double (&coefficients)[n], F64 x) {
  F64 y = all(coefficients[n - 1]);
  for (std::size_t k = n - 1; k-- > 0;) y = fused(y, x, all(coefficients[k]));
  return y;
}

// log(2) in two parts; the high one times an exponent is exact.
constexpr double log2_high = 0x1.62e42feep-1;
constexpr double log2_low = 0x1.a39ef35793c76p-33;

struct Exponential {
  F64 e;        // exp(x)
  F64 minus_1;  // exp(x) - 1; good to its last places for |x| <= 1/2
};

// x = n log(2) + r with |r| <= log(2) / 2, and exp(x) = 2^n (1 + r + r^2 P(r)).
//   x  at most 709, or NaN. Below -708 exp is 0, unless it is to reach the subnormal doubles.
template <bool reaches_subnormals = false>
inline Exponential exponential(F64 x) {
  constexpr double shifter = 0x1.8p52;  // adding it leaves the nearest integer in the low bits
  const F64 shifted = fused(x, all(0x1.71547652b82fep0), all(shifter));
  const F64 n = shifted - shifter;
  const F64 r = fused(n, all(-log2_low), fused(n, all(-log2_high), x));
  const F64 grown = fused(r * r, polynomial(exp_polynomial, r), r);
  I64 exponent = bits(shifted) << 52;
  F64 after = all(1.0);
  if constexpr (reaches_subnormals) {
    const I64 is_low = x < -650.0;
    exponent += is_low & (std::int64_t{128} << 52);
    after = take(is_low, all(0x1p-128), after);
  }
  const F64 scale = value(exponent + bits(all(1.0)));
  F64 e = fused(scale, grown, scale);
  if constexpr (reaches_subnormals) e *= after;
  e = zero_where(x < (reaches_subnormals ? -746.0 : -708.0), e);
  return {e, fused(scale, grown, scale - 1.0)};
}

// log(f) for f = 1 + g in [sqrt(1/2), sqrt(2)], plus k log(2) + carry. Source of the form: fdlibm's e_log.c.
inline F64 log_near_1(F64 g, F64 k, F64 carry) {
  const F64 s = g / (2.0 + g);
  const F64 z = s * s;
  const F64 half_square = 0.5 * g * g;
  const F64 rest = z * polynomial(log_polynomial, z);
  return k * log2_high - ((half_square - (s * (half_square + rest) + (k * log2_low + carry))) - g);
}

// log(1 + x) for x in [0, 1e300]. The carry of 1 + x is worth a division only where the last double digit counts.
template <bool carries>
inline F64 log1p(F64 x) {
  const F64 u = 1.0 + x;
  const I64 root = bits(all(0x1.6a09e667f3bcdp-1));
  const I64 moved = bits(u) + (bits(all(1.0)) - root);
  const I64 biased = shift_down<52>(moved);
  const F64 f = value((moved & ((std::int64_t{1} << 52) - 1)) + root);
  const F64 k = value(biased | bits(all(0x1p52))) - (0x1p52 + 1023.0);
  F64 carry{};
  if constexpr (carries) carry = take(x < 1.0, x - (u - 1.0), 1.0 - (u - x)) / u;
  const I64 is_small = k == 0.0;
  const F64 y = log_near_1(take(is_small, x, f - 1.0), k, zero_where(is_small, carry));
  return take(x == x, y, x);
}

// log(1 + e) for e in [0, 1]
inline F64 log1p_of_at_most_1(F64 e) {
  const I64 is_large = e > 0x1.a827999fcef32p-2;  // sqrt(2) - 1
  return log_near_1(take(is_large, 0.5 * (e - 1.0), e), value(bits(all(1.0)) & is_large), F64{});
}

}  // namespace
}  // namespace fromlogits
