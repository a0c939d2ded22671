// Doubles side by side, as many as the instruction set holds: arithmetic, tails, sums, transposition. Included by one
// source per instruction set; everything has internal linkage, so each set keeps its own copy.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "views.h"

#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace fromlogits {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 8;
constexpr __mmask8 every = 0xff;  // GCC 12 warns of its own header's undefined lanes where there is no mask
#elif defined(__AVX2__)
constexpr int lanes = 4;
#else
constexpr int lanes = 2;
#endif

typedef double F64 __attribute__((vector_size(lanes * sizeof(double))));
typedef float F32 __attribute__((vector_size(lanes * sizeof(float))));
typedef std::int64_t I64 __attribute__((vector_size(lanes * sizeof(std::int64_t))));
typedef std::uint64_t U64 __attribute__((vector_size(lanes * sizeof(std::uint64_t))));

template <class T>
struct VectorOf;
template <>
struct VectorOf<double> {
  using type = F64;
};
template <>
struct VectorOf<float> {
  using type = F32;
};

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

inline F64 all(double x) { return x - F64{}; }  // x - 0 keeps -0
inline I64 all(std::int64_t i) { return i + I64{}; }
inline I64 bits(F64 x) { return reinterpret_cast<I64>(x); }
inline F64 value(I64 x) { return reinterpret_cast<F64>(x); }
inline F64 absolute(F64 x) { return value(bits(x) & std::numeric_limits<std::int64_t>::max()); }
inline F64 take(I64 mask, F64 yes, F64 no) { return mask ? yes : no; }
inline F64 zero_where(I64 mask, F64 x) { return value(bits(x) & ~mask); }

// Without the sign: there is no arithmetic shift of 64 bits in AVX2.
template <int by>
inline I64 shift_down(I64 x) {
  return reinterpret_cast<I64>(reinterpret_cast<U64>(x) >> by);
}

inline bool any(I64 mask) {
  std::int64_t found = 0;
  for (int r = 0; r < lanes; ++r) found |= mask[r];
  return found != 0;
}

// The larger; NaN where x is.
inline F64 at_least(double low, F64 x) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_pd(every, all(low), x);
#elif defined(__AVX2__)
  return _mm256_max_pd(all(low), x);
#else
  return take(all(low) > x, all(low), x);
#endif
}

// The smaller; NaN where x is.
inline F64 at_most(double high, F64 x) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_pd(every, all(high), x);
#elif defined(__AVX2__)
  return _mm256_min_pd(all(high), x);
#else
  return take(all(high) < x, all(high), x);
#endif
}

// a * b + c, in one rounding where the set can.
inline F64 fused(F64 a, F64 b, F64 c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}

// To doubles and back, rounding once; what rounds to 0 is +0. (__builtin_convertvector takes two steps and a shuffle
// with GCC 12.)
inline F64 widen(F64 x) { return x; }
inline F64 widen(F32 x) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(every, x);
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(x);
#else
  return __builtin_convertvector(x, F64);
#endif
}

template <class T>
inline typename VectorOf<T>::type narrow(F64 x) {
  if constexpr (sizeof(T) == sizeof(double)) return x + F64{};
#if defined(__AVX512F__)
  else return F32{_mm512_maskz_cvtpd_ps(every, x)} + F32{};
#elif defined(__AVX2__)
  else return F32{_mm256_cvtpd_ps(x)} + F32{};
#else
  else return __builtin_convertvector(x, F32) + F32{};
#endif
}
template <class T>
inline T rounded(double x) {
  return static_cast<T>(x) + T{0};
}

template <class T>
inline F64 load(const T* from) {
  typename VectorOf<T>::type x;
  std::memcpy(&x, from, sizeof x);
  return widen(x);
}

// Its first m lanes are set.
inline I64 first_lanes(Index m) {
  I64 lane;
  for (int r = 0; r < lanes; ++r) lane[r] = r;
  return lane < m;
}

// The first m <= lanes entries, and `fill` beyond. A masked load: entries that are put together one by one are slow to
// read as a vector.
template <class T>
inline F64 load_part(const T* from, Index m, T fill) {
#if defined(__AVX512F__)
  const auto mask = static_cast<__mmask8>((1u << m) - 1u);
  if constexpr (sizeof(T) == sizeof(double)) return _mm512_mask_loadu_pd(all(fill), mask, from);
  else return widen(F32{_mm256_mask_loadu_ps(F32{} + fill, mask, from)});
#elif defined(__AVX2__)
  const I64 mask = first_lanes(m);
  if constexpr (sizeof(T) == sizeof(double)) {
    return take(mask, F64{_mm256_maskload_pd(from, reinterpret_cast<__m256i>(mask))}, all(fill));
  } else {
    typedef std::int32_t I32 __attribute__((vector_size(lanes * sizeof(std::int32_t))));
    const I32 narrow_mask = __builtin_convertvector(mask, I32);
    return take(mask, widen(F32{_mm_maskload_ps(from, reinterpret_cast<__m128i>(narrow_mask))}),
                all(static_cast<double>(fill)));
  }
#else
  T part[lanes];
  for (int r = 0; r < lanes; ++r) part[r] = r < m ? from[r] : fill;
  return load(part);
#endif
}

// Rounds once, to T.
template <class T>
inline void store(F64 x, T* to) {
  const auto rounded = narrow<T>(x);
  std::memcpy(to, &rounded, sizeof rounded);
}

template <class T>
inline void store_part(F64 x, T* to, Index m) {
#if defined(__AVX512F__)
  const auto mask = static_cast<__mmask8>((1u << m) - 1u);
  if constexpr (sizeof(T) == sizeof(double)) _mm512_mask_storeu_pd(to, mask, narrow<double>(x));
  else _mm256_mask_storeu_ps(to, mask, narrow<float>(x));
  return;
#endif
  T part[lanes];
  store(x, part);
  for (Index r = 0; r < m; ++r) to[r] = part[r];
}

// A sum that keeps what each addition rounds away.
struct Compensated {
  F64 high{};
  F64 low{};

  void add(F64 x) {
    const F64 sum = high + x;
    const F64 of_x = sum - high;
    low += (high - (sum - of_x)) + (x - of_x);
    high = sum;
  }
};

inline double total(F64 x) {
  double sum = x[0];
  for (int r = 1; r < lanes; ++r) sum += x[r];
  return sum;
}

inline double total(const Compensated& x) {
  double high = x.high[0], low = total(x.low);
  for (int r = 1; r < lanes; ++r) {
    const double sum = high + x.high[r], of_x = sum - high;
    low += (high - (sum - of_x)) + (x.high[r] - of_x);
    high = sum;
  }
  return high + low;
}

// Rows become columns: a butterfly of log2(lanes) steps.
template <int half, class V, int... j>
inline void exchange(V& a, V& b, std::integer_sequence<int, j...>) {
  const V first = __builtin_shufflevector(a, b, ((j & half) == 0 ? j : lanes + j - half)...);
  b = __builtin_shufflevector(a, b, ((j & half) == 0 ? j + half : lanes + j)...);
  a = first;
}

template <int half = lanes / 2, class V>
inline void transpose(V (&rows)[lanes]) {
  for (int r = 0; r < lanes; ++r) {
    if ((r & half) == 0) exchange<half>(rows[r], rows[r + half], std::make_integer_sequence<int, lanes>());
  }
  if constexpr (half > 1) transpose<half / 2>(rows);
}

// The total of each vector in its lane.
inline F64 totals(F64 (&vectors)[lanes]) {
  transpose(vectors);
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int r = 0; r < half; ++r) vectors[r] += vectors[r + half];
  }
  return vectors[0];
}

}  // namespace
}  // namespace fromlogits
