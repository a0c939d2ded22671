// Matrix products on panels (panels.h). Included by kernels_impl.h, once per instruction set.
//
// Every entry of a product is one chain of fused multiply-adds in the order of the inner dimension, begun from the bias
// or from 0. So its bits depend neither on the tile it falls into, nor on the other rows of its batch, nor on how the
// work is shared out, nor on the width of the registers.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "panels.h"

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace fromlogits {
namespace {

#if defined(__AVX512F__)
constexpr int width = 16;
constexpr int most_rows = 8, most_sums = 16;  // of a tile: rows, and registers that hold sums
#elif defined(__AVX2__)
constexpr int width = 8;
constexpr int most_rows = 6, most_sums = 12;
#else
constexpr int width = 4;
constexpr int most_rows = 3, most_sums = 12;
#endif
constexpr int parts = static_cast<int>(lane_count) / width;  // registers of a panel's row

typedef float Lanes __attribute__((vector_size(width * sizeof(float))));

inline Lanes lanes_at(const float* from) {
  Lanes x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
inline void put(Lanes x, float* to) { std::memcpy(to, &x, sizeof x); }

inline Lanes times_plus(float a, Lanes b, Lanes c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(_mm512_set1_ps(a), b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(_mm256_set1_ps(a), b, c);
#elif defined(__ARM_NEON)
  return vfmaq_n_f32(c, b, a);
#else
  return a * b + c;
#endif
}

// M rows by P panels.
//   a     (M, k)  rows 16 floats apart, panels `a_panel`
//   b     (k, 16 P)  rows `b_row` apart, panels `b_panel`
//   bias  (16 P)  or null: 0
//   out   (M, 16 P)  rows 16 apart, panels `out_panel`
template <int M, int P>
void product_tile(const float* a, Index a_panel, Index k, const float* b, Index b_panel, Index b_row, const float* bias,
                  float* out, Index out_panel) noexcept {
  Lanes sums[M][P * parts];
  for (int p = 0; p < P * parts; ++p) {
    const Lanes first = bias == nullptr ? Lanes{} : lanes_at(bias + p * width);
    for (int m = 0; m < M; ++m) sums[m][p] = first;
  }
  const auto step = [&](const float* at) __attribute__((always_inline)) {
    Lanes row[P * parts];
    for (int p = 0; p < P; ++p) {
      for (int q = 0; q < parts; ++q) row[p * parts + q] = lanes_at(b + p * b_panel + q * width);
    }
    for (int m = 0; m < M; ++m) {
      for (int p = 0; p < P * parts; ++p) sums[m][p] = times_plus(at[m * lane_count], row[p], sums[m][p]);
    }
    b += b_row;
  };
  for (; k >= lane_count; k -= lane_count, a += a_panel) {
#pragma GCC unroll 4
    for (Index i = 0; i < lane_count; ++i) step(a + i);
  }
  for (Index i = 0; i < k; ++i) step(a + i);
  for (int m = 0; m < M; ++m) {
    for (int p = 0; p < P; ++p) {
      for (int q = 0; q < parts; ++q) put(sums[m][p * parts + q], out + p * out_panel + m * lane_count + q * width);
    }
  }
}

// A tile's P: as many panels as its rows leave registers for.
constexpr int panels_beside(int rows) {
  int panels = 1;
  while (panels < 8 && 2 * panels * parts * rows <= most_sums) panels *= 2;
  return panels;
}

template <int M>
void product_rows(const float* a, Index a_panel, Index k, const float* b, Index b_panel, Index b_row, Index panels,
                  const float* bias, float* out, Index out_panel) noexcept {
  constexpr int most = panels_beside(M);
  const auto advance = [&](Index count) {
    b += count * b_panel;
    out += count * out_panel;
    if (bias != nullptr) bias += count * lane_count;
    panels -= count;
  };
  for (; panels >= most; advance(most)) product_tile<M, most>(a, a_panel, k, b, b_panel, b_row, bias, out, out_panel);
  if constexpr (most > 4) {
    if (panels >= 4) product_tile<M, 4>(a, a_panel, k, b, b_panel, b_row, bias, out, out_panel), advance(4);
  }
  if constexpr (most > 2) {
    if (panels >= 2) product_tile<M, 2>(a, a_panel, k, b, b_panel, b_row, bias, out, out_panel), advance(2);
  }
  if constexpr (most > 1) {
    if (panels >= 1) product_tile<M, 1>(a, a_panel, k, b, b_panel, b_row, bias, out, out_panel);
  }
}

using ProductRows = void (*)(const float*, Index, Index, const float*, Index, Index, Index, const float*, float*,
                             Index) noexcept;

template <int... m>
constexpr std::array<ProductRows, sizeof...(m)> product_rows_of(std::integer_sequence<int, m...>) {
  return {product_rows<m + 1>...};
}

void product(const float* a, Index a_panel, Index rows, Index k, const float* b, Index b_panel, Index b_row,
             Index panels, const float* bias, float* out, Index out_panel) noexcept {
  static constexpr auto by_rows = product_rows_of(std::make_integer_sequence<int, most_rows>());
  // All rows meet a group of panels while it is in the nearest cache that holds it.
  const Index group = panels_beside(most_rows);
  for (Index p = 0; p < panels; p += rows <= most_rows ? panels : group) {
    const Index some = rows <= most_rows ? panels : std::min(group, panels - p);
    const float* const begin = bias == nullptr ? nullptr : bias + p * lane_count;
    // Rows cut evenly: 9 are 5 and 4, not 8 and 1.
    Index left = tiles(rows, most_rows);
    for (Index i = 0; i < rows; --left) {
      const Index m = tiles(rows - i, left);
      by_rows[static_cast<std::size_t>(m - 1)](a + i * lane_count, a_panel, k, b + p * b_panel, b_panel, b_row, some,
                                               begin, out + p * out_panel + i * lane_count, out_panel);
      i += m;
    }
  }
}

// M columns of x against P panels of dout, added to sums.
template <int M, int P>
void gradient_tile(const float* x, Index n, const float* dout, Index dout_panel, float* sums,
                   Index sums_panel) noexcept {
  Lanes total[M][P * parts];
  for (int m = 0; m < M; ++m) {
    for (int p = 0; p < P * parts; ++p) {
      total[m][p] = lanes_at(sums + p / parts * sums_panel + m * lane_count + p % parts * width);
    }
  }
#pragma GCC unroll 2
  for (Index i = 0; i < n; ++i, x += lane_count, dout += lane_count) {
    Lanes row[P * parts];
    for (int p = 0; p < P * parts; ++p) row[p] = lanes_at(dout + p / parts * dout_panel + p % parts * width);
    for (int m = 0; m < M; ++m) {
      for (int p = 0; p < P * parts; ++p) total[m][p] = times_plus(x[m], row[p], total[m][p]);
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int p = 0; p < P * parts; ++p) {
      put(total[m][p], sums + p / parts * sums_panel + m * lane_count + p % parts * width);
    }
  }
}

// A panel has 16 columns, so tiles of 8, 4, 2 or 1 never cross into the next one.
constexpr int most_columns = width == 16 ? 8 : width == 8 ? 4 : 2;

template <int P>
void gradient_panels(const float* x, Index x_panel, Index columns, Index n, const float* dout, Index dout_panel,
                     float* sums, Index sums_panel) noexcept {
  for (Index j = 0; j < columns;) {
    const float* const at = x + j / lane_count * x_panel + j % lane_count;
    float* const to = sums + j * lane_count;
    const Index left = columns - j;
    if (left >= most_columns)
      gradient_tile<most_columns, P>(at, n, dout, dout_panel, to, sums_panel), j += most_columns;
    else if (most_columns > 4 && left >= 4) gradient_tile<4, P>(at, n, dout, dout_panel, to, sums_panel), j += 4;
    else if (most_columns > 2 && left >= 2) gradient_tile<2, P>(at, n, dout, dout_panel, to, sums_panel), j += 2;
    else gradient_tile<1, P>(at, n, dout, dout_panel, to, sums_panel), j += 1;
  }
}

void weight_gradient(const float* x, Index x_panel, Index columns, Index n, const float* dout, Index dout_panel,
                     Index panels, float* sums, Index sums_panel) noexcept {
  // So many examples at a time keep both operands in a first-level cache.
  constexpr Index some = 128;
  for (Index i = 0; i < n; i += some) {
    const Index m = std::min(some, n - i);
    const float* const x_at = x + i * lane_count;
    constexpr int pair = 2 * parts * most_columns <= most_sums ? 2 : 1;
    for (Index p = 0; p < panels; p += pair) {
      const float* const dout_at = dout + p * dout_panel + i * lane_count;
      float* const to = sums + p * sums_panel;
      if (pair == 2 && panels - p >= 2) {
        gradient_panels<pair>(x_at, x_panel, columns, m, dout_at, dout_panel, to, sums_panel);
      } else {
        gradient_panels<1>(x_at, x_panel, columns, m, dout_at, dout_panel, to, sums_panel);
      }
    }
  }
}

// One step of a butterfly: the upper half of a and the lower half of b change places, in groups of 2 * half columns.
template <int half, int... j>
inline void cross(Lanes& a, Lanes& b, std::integer_sequence<int, j...>) {
  const Lanes first = __builtin_shufflevector(a, b, ((j & half) == 0 ? j : width + j - half)...);
  b = __builtin_shufflevector(a, b, ((j & half) == 0 ? j + half : width + j)...);
  a = first;
}

template <int half = width / 2>
inline void turn(Lanes (&rows)[width]) {
  for (int r = 0; r < width; ++r) {
    if ((r & half) == 0) cross<half>(rows[r], rows[r + half], std::make_integer_sequence<int, width>());
  }
  if constexpr (half > 1) turn<half / 2>(rows);
}

// Rows become columns, (16, 16) floats, rows 16 apart; not in place.
void transpose(const float* from, float* to) noexcept {
  for (Index r = 0; r < lane_count; r += width) {
    for (Index c = 0; c < lane_count; c += width) {
      Lanes rows[width];
      for (int i = 0; i < width; ++i) rows[i] = lanes_at(from + (r + i) * lane_count + c);
      turn(rows);
      for (int i = 0; i < width; ++i) put(rows[i], to + (c + i) * lane_count + r);
    }
  }
}

// Sums over a few rows of (rows, panels), each times a number: P panels at a time.
template <int P>
void combine_tile(const std::int32_t* which, const float* factors, Index count, const float* rows, Index row,
                  Index panel, const float* bias, float* out, Index out_panel) noexcept {
  Lanes sums[P * parts];
  for (int p = 0; p < P * parts; ++p) sums[p] = bias == nullptr ? Lanes{} : lanes_at(bias + p * width);
  for (Index i = 0; i < count; ++i) {
    const float* const at = rows + which[i] * row;
    for (int p = 0; p < P * parts; ++p) {
      sums[p] = times_plus(factors[i], lanes_at(at + p / parts * panel + p % parts * width), sums[p]);
    }
  }
  for (int p = 0; p < P * parts; ++p) put(sums[p], out + p / parts * out_panel + p % parts * width);
}

void combine(const std::int32_t* which, const float* factors, Index count, const float* rows, Index row, Index panel,
             Index panels, const float* bias, float* out, Index out_panel) noexcept {
  constexpr int most = width == 16 ? 16 : width == 8 ? 4 : 2;
  const auto advance = [&](Index some) {
    rows += some * panel;
    out += some * out_panel;
    if (bias != nullptr) bias += some * lane_count;
    panels -= some;
  };
  for (; panels >= most; advance(most)) {
    combine_tile<most>(which, factors, count, rows, row, panel, bias, out, out_panel);
  }
  if (most > 8 && panels >= 8)
    combine_tile<8>(which, factors, count, rows, row, panel, bias, out, out_panel), advance(8);
  if (most > 4 && panels >= 4)
    combine_tile<4>(which, factors, count, rows, row, panel, bias, out, out_panel), advance(4);
  if (most > 2 && panels >= 2)
    combine_tile<2>(which, factors, count, rows, row, panel, bias, out, out_panel), advance(2);
  for (; panels >= 1; advance(1)) combine_tile<1>(which, factors, count, rows, row, panel, bias, out, out_panel);
}

}  // namespace
}  // namespace fromlogits
