// Bodies of the kernels from logits (kernels.h). Formulas: docs/maths/from-logits.md.
//
// One algorithm serves two layouts. With few classes, rows stand side by side, a row in each lane, and every sum over
// classes is lane by lane; with many, one row at a time stands along the lanes, and sums end across them. So a row's
// bits never depend on its neighbours.
#include <cmath>
#include <type_traits>

#include "elementary.h"
#include "kernels.h"

namespace fromlogits {
namespace {

// Above it a row fills its lanes well enough that turning rows side by side costs more than it saves.
constexpr Index most_abreast = 40;

using Yes = std::true_type;
using No = std::false_type;

// NaN is above all.
inline F64 higher(F64 a, F64 b) { return take((b > a) | (b != b), b, a); }

// Up to `lanes` rows of c entries side by side, turned in `columns` (c).
template <class T>
struct Abreast {
  static constexpr int rows = lanes;
  static Index taken(Index c) { return c; }  // of the scratch
  const F64* columns;
  Index c;

  // Rows beyond m repeat the last one.
  Abreast(const T* from, Index m, Index width, F64* scratch) : columns(scratch), c(width) {
    const T* row[lanes];
    for (int r = 0; r < lanes; ++r) row[r] = from + std::min<Index>(r, m - 1) * c;
    if (c < lanes) {
      for (Index k = 0; k < c; ++k) {
        for (int r = 0; r < lanes; ++r) scratch[k][r] = static_cast<double>(row[r][k]);
      }
      return;
    }
    for (Index at = 0; at < c; at += lanes) {
      const Index k = std::min<Index>(at, c - lanes);  // the last block overlaps the one before
      typename VectorOf<T>::type block[lanes];
      for (int r = 0; r < lanes; ++r) std::memcpy(&block[r], row[r] + k, sizeof block[r]);
      transpose(block);
      for (int j = 0; j < lanes; ++j) scratch[k + j] = __builtin_convertvector(block[j], F64);
    }
  }

  Index size() const { return c; }
  F64 get(Index k) const { return columns[k]; }
  static F64 sum(F64 x) { return x; }
  static F64 sum(const Compensated& x) { return x.high + x.low; }
  static F64 highest(F64 x) { return x; }

  // f(k, mask of the lanes in which class k is class at[r], whether any can be)
  template <class F>
  void each(I64 at, F f) const {
    for (Index k = 0; k < c; ++k) f(k, at == k, Yes{});
  }

  // to (m, c) = f(k)
  template <class Out, class F>
  void write(Out* to, Index m, F f) const {
    if (c < lanes) {
      for (Index k = 0; k < c; ++k) {
        Out column[lanes];
        store(f(k), column);
        for (Index r = 0; r < m; ++r) to[r * c + k] = column[r];
      }
      return;
    }
    for (Index at = 0; at < c; at += lanes) {
      const Index k = std::min<Index>(at, c - lanes);
      typename VectorOf<Out>::type block[lanes];
      for (int j = 0; j < lanes; ++j) block[j] = __builtin_convertvector(f(k + j), typename VectorOf<Out>::type);
      transpose(block);
      for (Index r = 0; r < m; ++r) std::memcpy(to + r * c + k, &block[r], sizeof block[r]);
    }
  }
};

// One row of c entries along the lanes. Lanes beyond its end hold `fill`.
template <class T>
struct Along {
  static constexpr int rows = 1;
  static Index taken(Index) { return 0; }
  const T* row;
  Index c;
  F64 last;

  Along(const T* from, Index, Index width, F64*, T fill = -std::numeric_limits<T>::infinity())
      : row(from), c(width), last(load_part(from + (size() - 1) * lanes, c - (size() - 1) * lanes, fill)) {}

  Index size() const { return (c + lanes - 1) / lanes; }
  F64 get(Index k) const { return k < size() - 1 ? load(row + k * lanes) : last; }
  static F64 sum(F64 x) { return all(total(x)); }
  static F64 sum(const Compensated& x) { return all(total(x)); }
  static F64 highest(F64 x) {
    F64 y = all(x[0]);
    for (int r = 1; r < lanes; ++r) y = higher(y, all(x[r]));
    return y;
  }

  template <class F>
  void each(I64 at, F f) const {
    const Index special = at[0] / lanes;
    I64 mask;
    for (int r = 0; r < lanes; ++r) mask[r] = special * lanes + r == at[0] ? -1 : 0;
    for (Index k = 0; k < special; ++k) f(k, I64{}, No{});
    f(special, mask, Yes{});
    for (Index k = special + 1; k < size(); ++k) f(k, I64{}, No{});
  }

  template <class Out, class F>
  void write(Out* to, Index, F f) const {
    for (Index k = 0; k + 1 < size(); ++k) store(f(k), to + k * lanes);
    store_part(f(size() - 1), to + (size() - 1) * lanes, c - (size() - 1) * lanes);
  }
};

// Sums in plain doubles where the result is a float, compensated where it is a double.
template <class T>
struct SumFor {
  F64 high{};
  void add(F64 x) { high += x; }
  operator F64() const { return high; }
};
template <>
struct SumFor<double> : Compensated {};

// z - pivot, and what its rounding lost: nothing that shows in a float.
struct Difference {
  F64 high;
  F64 low;
};
template <class T>
Difference difference(F64 z, F64 pivot) {
  const F64 high = z - pivot;
  if constexpr (sizeof(T) == sizeof(float)) return {high, F64{}};
  const F64 of_pivot = z - high;
  const F64 low = (z - (high + of_pivot)) + (of_pivot - pivot);
  return {high, take(low == low, low, F64{})};
}

// exp(high + low)
template <class T>
F64 exponential_of(Difference x) {
  if constexpr (sizeof(T) == sizeof(float)) return exponential(x.high).e;
  const F64 e = exponential<true>(x.high).e;
  return fused(e, x.low, e);
}

template <class T>
F64 log_1_plus(F64 x) {
  return log1p<sizeof(T) == sizeof(double)>(x);
}

template <class T, template <class> class Layout>
F64 highest(const Layout<T>& z) {
  F64 m = all(-inf);
  for (Index k = 0; k < z.size(); ++k) m = higher(m, z.get(k));
  return z.highest(m);
}

// The largest logit apart from the others; classes as large count among them.
struct Top {
  F64 max;     // NaN where every class is masked
  F64 others;  // sum of exp(z - max) over all but one class that has the max
};

// terms: exp(z - max), kept if wanted.
template <bool keeps_terms, class T, template <class> class Layout>
Top apart(const Layout<T>& z, F64* terms) {
  F64 max = highest(z);
  max = take(max == -inf, all(not_a_number), max);
  SumFor<T> below;
  F64 ties{};
  for (Index k = 0; k < z.size(); ++k) {
    const F64 x = z.get(k);
    const I64 is_top = x == max;
    F64 e = exponential_of<T>(difference<T>(x, max));
    below.add(zero_where(is_top, e));
    ties += take(is_top, all(1.0), F64{});
    if constexpr (keeps_terms) terms[k] = take(is_top, all(1.0), e);
  }
  ties = z.sum(ties) - 1.0;
  const F64 others = z.sum(below) + ties;
  return {max, take((max == inf) & (ties > 0.0), all(not_a_number), others)};
}

template <class In, class Out, template <class> class Layout>
void softmax_rows(const In* from, Out* to, Index m, Index c, F64* scratch) noexcept {
  const Layout<In> z(from, m, c, scratch);
  F64* const terms = scratch + Layout<In>::taken(c);
  const Top top = apart<true>(z, terms);
  const F64 total = 1.0 + top.others;
  const F64 share = 1.0 / total;
  z.write(to, m, [&](Index k) { return terms[k] * share; });
}

template <class In, class Out, template <class> class Layout>
void log_softmax_rows(const In* from, Out* to, Index m, Index c, F64* scratch) noexcept {
  const Layout<In> z(from, m, c, scratch);
  const Top top = apart<false>(z, nullptr);
  const F64 rest = log_1_plus<In>(top.others);
  z.write(to, m, [&](Index k) {
    const F64 x = z.get(k);
    const Difference d = difference<In>(x, top.max);
    return (take(x == top.max, F64{}, d.high) - rest) + d.low + 0.0;
  });
}

template <class In, class Out, template <class> class Layout>
void logsumexp_rows(const In* from, Out* to, Index m, Index c, F64* scratch) noexcept {
  const Layout<In> z(from, m, c, scratch);
  const F64 max = highest(z);
  const Top top = apart<false>(z, nullptr);
  store_part(take(absolute(max) == inf, max, max + log_1_plus<In>(top.others)), to, m);
}

// A class whose logit the others are measured from; its own term, exp(0) = 1, is kept apart. The true class serves
// while no difference overflows: then the loss is log1p of one sum. Else the largest logit does.
struct Pivot {
  double z[lanes];
  std::int64_t at[lanes];
};

// terms: exp(z - pivot). Returns their sum over all classes but the pivot's.
template <class T, template <class> class Layout>
F64 terms_from(const Layout<T>& z, const Pivot& pivot, F64* terms) {
  F64 from;
  I64 at;
  std::memcpy(&from, pivot.z, sizeof from);
  std::memcpy(&at, pivot.at, sizeof at);
  SumFor<T> others;
  z.each(at, [&](Index k, I64 is_pivot, auto can_be) {
    Difference x = difference<T>(z.get(k), from);
    x.high = take(x.high > 709.0, all(709.0), x.high);
    terms[k] = exponential_of<T>(x);
    if constexpr (can_be) others.add(zero_where(is_pivot, terms[k]));
    else others.add(terms[k]);
  });
  return z.sum(others);
}

// The largest logit of a row; a tie goes to class y.
template <class T>
void move_to_highest(const T* row, Index c, Index y, double& z, std::int64_t& at) {
  z = static_cast<double>(row[y]);
  at = y;
  for (Index k = 0; k < c; ++k) {
    if (static_cast<double>(row[k]) > z) {
      z = static_cast<double>(row[k]);
      at = k;
    }
  }
}

template <class In, class Out, template <class> class Layout>
void softmax_loss_rows(const In* from, const std::int32_t* labels, const double* scales, double divisor, Out* dz,
                       double* losses, Index m, Index c, F64* scratch) noexcept {
  const Layout<In> z(from, m, c, scratch);
  F64* const terms = scratch + Layout<In>::taken(c);
  Pivot pivot;
  double scale_of[lanes], true_z[lanes], loss[lanes], others_of[lanes], factor[lanes];
  Index y[lanes];
  for (int r = 0; r < lanes; ++r) {
    const Index i = std::min<Index>(r, m - 1);
    y[r] = labels[i] < 0 ? 0 : labels[i];
    true_z[r] = static_cast<double>(from[i * c + y[r]]);
    scale_of[r] = (scales == nullptr ? 1.0 : scales[i]) / divisor;
    pivot.z[r] = true_z[r];
    pivot.at[r] = y[r];
  }
  F64 others = terms_from(z, pivot, terms);
  if (any(~(others < 1e300))) {
    for (int r = 0; r < lanes; ++r) {
      if (others[r] < 1e300) continue;
      move_to_highest(from + std::min<Index>(r, m - 1) * c, c, y[r], pivot.z[r], pivot.at[r]);
    }
    others = terms_from(z, pivot, terms);
  }
  F64 pivot_z, label_z, scale_v;
  std::memcpy(&pivot_z, pivot.z, sizeof pivot_z);
  std::memcpy(&label_z, true_z, sizeof label_z);
  std::memcpy(&scale_v, scale_of, sizeof scale_v);
  const F64 total = 1.0 + others;
  store((pivot_z - label_z) + log_1_plus<In>(others), loss);
  for (Index i = 0; i < m; ++i) losses[i] = labels[i] < 0 ? 0.0 : loss[i];
  if (dz == nullptr) return;

  const F64 share = scale_v / total;
  z.write(dz, m, [&](Index k) { return terms[k] * share; });
  store(share, factor);
  store(others, others_of);
  for (Index i = 0; i < m; ++i) {
    Out* const row = dz + i * c;
    if (labels[i] < 0 || loss[i] != loss[i]) {
      std::fill_n(row, c, labels[i] < 0 ? Out{0} : static_cast<Out>(not_a_number));
      continue;
    }
    double but_label = others_of[i];
    if (pivot.at[i] != y[i]) {  // the pivot's 1 is among them, so nothing cancels
      but_label = 1.0 + (others_of[i] - std::exp(true_z[i] - pivot.z[i]));
      row[pivot.at[i]] = static_cast<Out>(factor[i]);
    }
    row[y[i]] = static_cast<Out>(0.0 - but_label * factor[i]);
  }
}

// Any targets: `shares` (m, c) is what each class counts for, class weights and smoothing within, 0 for a class
// without.
template <class In, class Out, template <class> class Layout>
void softmax_loss_of_shares_rows(const In* from, const double* shares, const double* scales, double divisor, Out* dz,
                                 double* losses, Index m, Index c, F64* scratch) noexcept {
  const Layout<In> z(from, m, c, scratch);
  F64* const terms = scratch + Layout<In>::taken(c);
  const auto share = [&] {
    if constexpr (Layout<In>::rows == 1) return Layout<double>(shares, m, c, nullptr, 0.0);
    else return Layout<double>(shares, m, c, scratch + 2 * c);
  }();
  const F64 max = highest(z);
  const F64 top = take(max == -inf, all(not_a_number), max);

  Compensated below, distance, weight, grown;
  F64 ties{}, unmasked{}, far{}, of_top{};
  for (Index k = 0; k < z.size(); ++k) {
    const F64 x = z.get(k), r = share.get(k);
    const I64 is_top = x == top, is_in = ~(x == -inf);
    const Difference d = difference<In>(x, top);
    const Exponential e = exponential<sizeof(In) == sizeof(double)>(take(is_top, F64{}, d.high));
    terms[k] = sizeof(In) == sizeof(float) ? e.e : take(is_top, e.e, fused(e.e, d.low, e.e));
    below.add(zero_where(is_top, terms[k]));
    ties += take(is_top, all(1.0), F64{});
    of_top += take(is_top, r, F64{});
    unmasked += take(is_in, all(1.0), F64{});
    far += take(is_in & ~(d.high >= -0.5), all(1.0), F64{});
    grown.add(take(is_in & ~is_top, e.minus_1 + (sizeof(In) == sizeof(float) ? F64{} : d.low * e.e), F64{}));
    weight.add(r);
    const I64 counts = (r != 0.0) & ~is_top;
    distance.add(take(counts, r * -d.high, F64{}));
    if constexpr (sizeof(In) == sizeof(double)) distance.add(take(counts, r * -d.low, F64{}));
  }
  const F64 one_less = z.sum(ties) - 1.0;
  F64 others = z.sum(below) + one_less;
  others = take((max == inf) & ((one_less > 0.0) | (z.sum(of_top) > 0.0)), all(not_a_number), others);
  const F64 total = 1.0 + others, a = z.sum(weight);
  const F64 loss = z.sum(distance) + a * log_1_plus<In>(others);
  store_part(loss, losses, m);
  if (dz == nullptr) return;

  F64 scale_v = all(1.0 / divisor);
  if (scales != nullptr) scale_v = load_part(scales, m, 0.0) / divisor;
  if constexpr (Layout<In>::rows == 1) scale_v = all(scale_v[0]);
  const F64 factor = scale_v / total, u = z.sum(unmasked), x_sum = z.sum(grown);
  const I64 is_near = z.sum(far) == 0.0, is_nan = loss != loss;
  z.write(dz, m, [&](Index k) {
    const F64 x = z.get(k), r = share.get(k);
    const F64 apart = fused(a, terms[k], -r * total);
    const F64 x_k = exponential(take(x == top, F64{}, difference<In>(x, top).high)).minus_1;
    const F64 close = fused(-r, u, a) + fused(a, x_k, -r * x_sum);
    const F64 g = take(is_near & ~(x == -inf), close, apart) * factor + 0.0;
    return take(is_nan, all(not_a_number), g);
  });
}

// Calls f<Layout>(i, m) on groups of m rows from row i: side by side where classes are few, else one by one.
template <class F>
void by_layout(Index n, Index c, F f) {
  if (c == 0) return;
  if (c <= most_abreast) {
    for (Index i = 0; i < n; i += lanes) f.template operator()<Abreast>(i, std::min<Index>(lanes, n - i));
  } else {
    for (Index i = 0; i < n; ++i) f.template operator()<Along>(i, Index{1});
  }
}

template <class In, class Out>
void softmax(const In* z, Out* out, Index n, Index c, double* scratch) noexcept {
  by_layout(n, c, [=]<template <class> class Layout>(Index i, Index m) {
    softmax_rows<In, Out, Layout>(z + i * c, out + i * c, m, c, reinterpret_cast<F64*>(scratch));
  });
}

template <class In, class Out>
void log_softmax(const In* z, Out* out, Index n, Index c, double* scratch) noexcept {
  by_layout(n, c, [=]<template <class> class Layout>(Index i, Index m) {
    log_softmax_rows<In, Out, Layout>(z + i * c, out + i * c, m, c, reinterpret_cast<F64*>(scratch));
  });
}

template <class In, class Out>
void logsumexp(const In* z, Out* out, Index n, Index c, double* scratch) noexcept {
  by_layout(n, c, [=]<template <class> class Layout>(Index i, Index m) {
    logsumexp_rows<In, Out, Layout>(z + i * c, out + i, m, c, reinterpret_cast<F64*>(scratch));
  });
}

template <class In, class Out>
void softmax_loss(const In* z, const std::int32_t* labels, const double* scales, double divisor, Out* dz, double* losses,
                  Index n, Index c, double* scratch) noexcept {
  by_layout(n, c, [=]<template <class> class Layout>(Index i, Index m) {
    softmax_loss_rows<In, Out, Layout>(z + i * c, labels + i, scales == nullptr ? nullptr : scales + i, divisor,
                                       dz == nullptr ? nullptr : dz + i * c, losses + i, m, c,
                                       reinterpret_cast<F64*>(scratch));
  });
}

template <class In, class Out>
void softmax_loss_of_shares(const In* z, const double* shares, const double* scales, double divisor, Out* dz,
                            double* losses, Index n, Index c, double* scratch) noexcept {
  by_layout(n, c, [=]<template <class> class Layout>(Index i, Index m) {
    softmax_loss_of_shares_rows<In, Out, Layout>(z + i * c, shares + i * c, scales == nullptr ? nullptr : scales + i,
                                                 divisor, dz == nullptr ? nullptr : dz + i * c, losses + i, m, c,
                                                 reinterpret_cast<F64*>(scratch));
  });
}

// f(vector) for each entry of z, the last ones padded.
template <class In, class Out, class F>
void by_entry(const In* z, Out* out, Index n, F f) {
  Index i = 0;
  for (; i + lanes <= n; i += lanes) store(f(load(z + i)), out + i);
  if (i < n) store_part(f(load_part(z + i, n - i, In{0})), out + i, n - i);
}

template <class In, class Out>
void sigmoid(const In* from, Out* out, Index n) noexcept {
  by_entry(from, out, n, [](F64 z) {
    const F64 e = exponential<sizeof(In) == sizeof(double)>(-absolute(z)).e;
    return take(z >= 0.0, all(1.0), e) / (1.0 + e);
  });
}

template <class In, class Out>
void log_sigmoid(const In* from, Out* out, Index n) noexcept {
  by_entry(from, out, n, [](F64 z) {
    const F64 e = exponential<sizeof(In) == sizeof(double)>(-absolute(z)).e;
    const F64 y = (take(z < 0.0, z, F64{}) - log1p_of_at_most_1(e)) + 0.0;
    return take(z == z, y, z);
  });
}

struct Entropy {
  F64 loss;
  F64 gradient;
};

// By symmetry a function of abs z: a is the share on the side z is away from, b the share on its own side. So the
// mirror (z, t) -> (-z, 1 - t) gives the same bits.
template <bool reaches_subnormals>
inline Entropy sigmoid_entropy(F64 z, F64 with, F64 without) {
  const I64 is_positive = z >= 0.0;
  const F64 a = take(is_positive, without, with), b = take(is_positive, with, without);
  const F64 x = absolute(z);
  const Exponential y = exponential<reaches_subnormals>(-x);
  // a |z| with 0 * inf taken as 0
  const F64 away = zero_where(a == 0.0, a * x);
  const F64 loss = away + (a + b) * log1p_of_at_most_1(y.e);
  // Near 0 the difference a - b e may cancel: its exact part a - b is subtracted first.
  const F64 top = take(x <= 0.5, fused(-b, y.minus_1, a - b), fused(-b, y.e, a));
  const F64 gradient = take(is_positive, top, -top) / (1.0 + y.e);
  const I64 is_known = with == with, is_number = z == z;
  return {zero_where(~is_known, take(is_number, loss, z)), zero_where(~is_known, take(is_number, gradient, z))};
}

template <class In, class Out>
void sigmoid_loss(const In* z, const double* targets, double smoothing, const double* positive, double all_positive,
                  const double* scales, double divisor, Out* dz, double* losses, Index n) noexcept {
  const F64 kept = all(1.0 - smoothing), spread = all(0.5 * smoothing), all_scales = all(1.0 / divisor);
  for (Index i = 0; i < n; i += lanes) {
    const Index m = std::min<Index>(lanes, n - i);
    const bool is_whole = m == lanes;
    const auto get = [=](const auto* from) {
      return is_whole ? load(from + i) : load_part(from + i, m, std::remove_cvref_t<decltype(*from)>{0});
    };
    const F64 t = get(targets);
    const F64 w = positive == nullptr ? all(all_positive) : get(positive);
    const F64 with = w * fused(t, kept, spread), without = fused(1.0 - t, kept, spread);
    const Entropy entropy = sigmoid_entropy<sizeof(In) == sizeof(double)>(get(z), with, without);
    if (is_whole) store(entropy.loss, losses + i);
    else store_part(entropy.loss, losses + i, m);
    if (dz == nullptr) continue;
    const F64 by = scales == nullptr ? all_scales : get(scales) / divisor;
    const F64 gradient = entropy.gradient * by + 0.0;
    if (is_whole) store(gradient, dz + i);
    else store_part(gradient, dz + i, m);
  }
}

template <class In, class Out>
constexpr LogitKernels<In, Out> from_logits = {
    softmax<In, Out>,
    log_softmax<In, Out>,
    logsumexp<In, Out>,
    softmax_loss<In, Out>,
    softmax_loss_of_shares<In, Out>,
    sigmoid<In, Out>,
    log_sigmoid<In, Out>,
    sigmoid_loss<In, Out>,
};

}  // namespace
}  // namespace fromlogits
