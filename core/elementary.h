// exp and log1p on lanes of doubles, to about one unit in the last place.
#pragma once

#include "lanes.h"
#include "polynomials.h"

namespace fromlogits {
namespace {

// f(0), f(1), … f(count - 1), written out. Vectors are worked on several at a time, step by step: their chains of
// operations do not wait for each other.
template <int count, class F>
inline void each(F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) { (f(i), ...); }(std::make_integer_sequence<int, count>());
}

template <std::size_t n, int count>
inline void polynomials(const double (&coefficients)[n], const F64 (&x)[count], F64 (&y)[count]) {
  each<count>([&](int i) { y[i] = all(coefficients[n - 1]); });
  each<static_cast<int>(n) - 1>([&](int k) {
    each<count>([&](int i) { y[i] = fused(y[i], x[i], all(coefficients[n - 2 - static_cast<std::size_t>(k)])); });
  });
}

template <std::size_t n>
inline F64 polynomial(const double (&coefficients)[n], F64 x) {
  const F64 argument[1] = {x};
  F64 y[1];
  polynomials(coefficients, argument, y);
  return y[0];
}

// log(2) in two parts; the high one times an exponent is exact.
constexpr double log2_high = 0x1.62e42feep-1;
constexpr double log2_low = 0x1.a39ef35793c76p-33;

struct Exponential {
  F64 e;        // exp(x)
  F64 minus_1;  // exp(x) - 1; good to its last places for |x| <= 1/2
};

// A number in two parts.
struct Difference {
  F64 high;
  F64 low;  // counts for doubles only: it does not show in a float
};

// exp(x) for a result of type T.
//   x  high at most 709, or NaN; low below 2^-12. Below -708.7 exp is 0 for floats; for doubles it is subnormal.
template <class T, int count>
inline void exponentials(const Difference (&from)[count], Exponential (&to)[count]) {
  constexpr bool is_double = sizeof(T) == sizeof(double);
  F64 x[count], shifted[count], n[count], r[count], p[count];
#if defined(__AVX512F__)
  // x = (n + r) log(2) with n a multiple of 1/16 and |r| <= 1/32: 2^n from a table and an exponent, 2^r - 1 = r P(r).
  constexpr double shifter = 0x1.8p48;  // adding it leaves the nearest sixteenth in the low bits
  constexpr double per_log2_high = 0x1.71547652b82fep0, per_log2_low = 0x1.777d0ffda0d24p-56;
  each<count>([&](int i) { x[i] = at_least(-800.0, from[i].high); });
  each<count>([&](int i) { shifted[i] = fused(x[i], all(per_log2_high), all(shifter)); });
  each<count>([&](int i) { n[i] = shifted[i] - shifter; });
  each<count>([&](int i) { r[i] = fused(x[i], all(per_log2_high), -n[i]); });
  each<count>([&](int i) { r[i] = fused(x[i], all(per_log2_low), r[i]); });
  if constexpr (is_double) each<count>([&](int i) { r[i] = fused(from[i].low, all(per_log2_high), r[i]); });
  polynomials(power_polynomial, r, p);
  const auto of_sixteenth = [&](const double (&table)[16], int i) -> F64 {
    return _mm512_permutex2var_pd(load(table), reinterpret_cast<__m512i>(bits(shifted[i])), load(table + 8));
  };
  each<count>([&](int i) {
    const F64 root = of_sixteenth(sixteenth_powers, i);
    F64 grown = p[i] * r[i];
    if constexpr (is_double) grown = fused(p[i], r[i], of_sixteenth(sixteenth_roundings, i));
    to[i].e = _mm512_maskz_scalef_pd(every, fused(root, grown, root), n[i]);
    const F64 power = _mm512_maskz_scalef_pd(every, root, n[i]);
    to[i].minus_1 = fused(power, grown, power - 1.0);
  });
#else
  // x = n log(2) + r with |r| <= log(2) / 2, and exp(x) = 2^n (1 + r + r^2 P(r)). From n = -1023 the biased exponent
  // is 0, and so is all of it.
  constexpr double shifter = 0x1.8p52 + 1023.0;  // adding it leaves the nearest integer, biased, in the low bits
  each<count>([&](int i) { x[i] = at_least(is_double ? -800.0 : -709.0, from[i].high); });
  each<count>([&](int i) { shifted[i] = fused(x[i], all(0x1.71547652b82fep0), all(shifter)); });
  each<count>([&](int i) { n[i] = shifted[i] - shifter; });
  each<count>([&](int i) { r[i] = fused(n[i], all(-log2_high), x[i]); });
  each<count>([&](int i) { r[i] = fused(n[i], all(-log2_low), r[i]); });
  if constexpr (is_double) each<count>([&](int i) { r[i] += from[i].low; });
  polynomials(exp_polynomial, r, p);
  each<count>([&](int i) {
    const F64 grown = fused(r[i] * r[i], p[i], r[i]);
    F64 scale = value(bits(shifted[i]) << 52), after = all(1.0);
    if constexpr (is_double) {
      const I64 is_low = x[i] < -650.0;
      scale = value((bits(shifted[i]) + (is_low & 256)) << 52);
      after = take(is_low, all(0x1p-256), after);
    }
    to[i].e = fused(scale, grown, scale);
    if constexpr (is_double) to[i].e *= after;
    to[i].minus_1 = fused(scale, grown, scale - 1.0);
  });
#endif
}

template <class T>
inline Exponential exponential(const Difference& x) {
  const Difference from[1] = {x};
  Exponential to[1];
  exponentials<T>(from, to);
  return to[0];
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
  // Unsigned: of NaN the sum leaves the signed numbers.
  const I64 moved = reinterpret_cast<I64>(reinterpret_cast<U64>(u) + reinterpret_cast<U64>(bits(all(1.0)) - root));
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

// log(1 + e) = 2 atanh(s) for s = e / (2 + e) in [0, 1/3]
template <int count>
inline void log1p_of_ratios(const F64 (&s)[count], F64 (&to)[count]) {
  F64 z[count];
  each<count>([&](int i) { z[i] = s[i] * s[i]; });
  polynomials(log1p_polynomial, z, to);
  each<count>([&](int i) { to[i] = fused(s[i] * z[i], to[i], s[i] + s[i]); });
}

}  // namespace
}  // namespace fromlogits
