// Bodies of the kernels from logits (kernels.h). Formulas: docs/maths/from-logits.md.
//
// One algorithm serves two layouts. With few classes, rows stand side by side, a row in each lane, and every sum over
// classes is lane by lane; with many, one row at a time stands along the lanes, and sums end across them. So a row's
// bits never depend on its neighbours.
#include <cmath>
#include <type_traits>

#include "elementary.h"
#include "kernels.h"

// Everything that a loop calls is part of it. Sanitizers take minutes to compile such functions, and need no speed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FROMLOGITS_FLATTEN
#else
#define FROMLOGITS_FLATTEN [[gnu::flatten]]
#endif

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

  // Rows beyond m repeat the last one. The last vector of a row ends with the row, and begins in the one before it.
  Abreast(const T* from, Index m, Index width, F64* scratch) : columns(scratch), c(width) {
    const T* row[lanes];
    for (int r = 0; r < lanes; ++r) row[r] = from + std::min<Index>(r, m - 1) * c;
    typename VectorOf<T>::type block[lanes]{};
    if (c < lanes) {
      for (int r = 0; r < lanes; ++r) {
        if (row[r] + lanes <= from + m * c) std::memcpy(&block[r], row[r], sizeof block[r]);
        else std::memcpy(&block[r], row[r], static_cast<std::size_t>(c) * sizeof(T));
      }
      transpose(block);
      for (Index j = 0; j < c; ++j) scratch[j] = widen(block[j]);
      return;
    }
    for (Index at = 0; at < c; at += lanes) {
      const Index k = std::min<Index>(at, c - lanes);
      for (int r = 0; r < lanes; ++r) std::memcpy(&block[r], row[r] + k, sizeof block[r]);
      transpose(block);
      for (Index j = at - k; j < lanes; ++j) scratch[k + j] = widen(block[j]);
    }
  }

  Index size() const { return c; }
  F64 get(Index k) const { return columns[k]; }
  static F64 sum(F64 x) { return x; }
  static F64 sum(const Compensated& x) { return x.high + x.low; }
  static F64 highest(F64 x) { return x; }

  // to (m, c) = f(k). The last columns first: a vector of them spills into the row after, which is written later.
  template <class Out, class F>
  void write(Out* to, Index m, F f) const {
    for (Index k = (c - 1) / lanes * lanes; k >= 0; k -= lanes) {
      typename VectorOf<Out>::type block[lanes]{};
      const Index width = std::min<Index>(lanes, c - k);
      for (int j = 0; j < width; ++j) block[j] = narrow<Out>(f(k + j));
      transpose(block);
      for (Index r = 0; r < m; ++r) {
        if (r * c + k + lanes <= m * c) {
          std::memcpy(to + r * c + k, &block[r], sizeof block[r]);
        } else {
          for (Index j = 0; j < width; ++j) to[r * c + k + j] = block[r][j];
        }
      }
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
inline double total(const SumFor<float>& x) { return total(x.high); }

// z - pivot, and what its rounding lost; not from 2^40 on, where exp is 0 or far too large and the low part may be too.
template <class T>
Difference difference(F64 z, F64 pivot) {
  const F64 high = z - pivot;
  if constexpr (sizeof(T) == sizeof(float)) return {high, F64{}};
  const F64 of_pivot = z - high;
  const F64 low = (z - (high + of_pivot)) + (of_pivot - pivot);
  return {high, take(absolute(high) < 0x1p40, low, F64{})};
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

// Below it, terms of doubles may be subnormal numbers, each rounded by itself.
constexpr double least_others = 0x1p-900;

// The sum of exp(z - max) over the other classes once more, of rows where it is that small: from terms of normal size,
// rounded once. Adding 128 to a difference of that size is exact.
template <class T, template <class> class Layout>
F64 small_others(const Layout<T>& z, F64 max, F64 others) {
  const I64 is_small = others < least_others;
  if (sizeof(T) == sizeof(float) || !any(is_small)) return others;
  SumFor<T> sum;
  for (Index k = 0; k < z.size(); ++k) {
    const F64 x = z.get(k);
    Difference d = difference<T>(x, max);
    d.high = at_most(0.0, d.high + 128.0);
    sum.add(zero_where(x == max, exponential<T>(d).e));
  }
  return take(is_small, z.sum(sum) * 0x1.42eb9f39afb0bp-185, others);  // exp(-128)
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
    const F64 e = exponential<T>(difference<T>(x, max)).e;
    below.add(zero_where(is_top, e));
    ties += take(is_top, all(1.0), F64{});
    if constexpr (keeps_terms) terms[k] = take(is_top, all(1.0), e);
  }
  ties = z.sum(ties) - 1.0;
  const F64 others = small_others<T>(z, max, z.sum(below) + ties);
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
    return (take(x == top.max, F64{}, d.high) - rest) + d.low;
  });
}

template <class In, class Out, template <class> class Layout>
void logsumexp_rows(const In* from, Out* to, Index m, Index c, F64* scratch) noexcept {
  const Layout<In> z(from, m, c, scratch);
  const F64 max = highest(z);
  const Top top = apart<false>(z, nullptr);
  store_part(take(absolute(max) == inf, max, max + log_1_plus<In>(top.others)), to, m);
}

// The class of each row whose logit the others are measured from; its own term, exp(0) = 1, is kept apart. The true
// class serves while the others' sum is below `most_others`: then the loss is log1p of one sum. Else the largest logit
// does. At the square root of the doubles' range, a small weight over the sum still keeps all its digits.
struct Pivot {
  F64 z;
  I64 at;
};
constexpr double most_others = 0x1p500;

// to = exp(x - pivot) for `count` vectors x = get(i). Returns the sum and what counted(i, to[i]) leaves of them.
template <class T, int count, class Get, class Counted>
inline SumFor<T> add_terms(Get get, F64 pivot, F64* to, SumFor<T> sum, Counted counted) {
  Difference x[count];
  Exponential e[count];
  each<count>([&](int i) {
    x[i] = difference<T>(get(i), pivot);
    x[i].high = at_most(709.0, x[i].high);
  });
  exponentials<T>(x, e);
  each<count>([&](int i) {
    to[i] = e[i].e;
    sum.add(counted(i, e[i].e));
  });
  return sum;
}

// A group of rows for the softmax loss: exp(z - pivot) of each entry, and the sums of all but the pivot's.
template <class T>
struct GroupAbreast {
  Abreast<T> z;
  F64* terms;

  static Index rows(Index) { return lanes; }
  GroupAbreast(const T* from, Index m, Index c, F64* scratch, const void*)
      : z(from, m, c, scratch), terms(scratch + c) {}

  FROMLOGITS_FLATTEN F64 others(const Pivot& pivot) const {
    const auto add = [&]<int count>(Index k, SumFor<T> sum) {
      const auto counted = [&](int i, F64 e) { return zero_where(pivot.at == k + i, e); };
      return add_terms<T, count>([&](int i) { return z.get(k + i); }, pivot.z, terms + k, sum, counted);
    };
    SumFor<T> sum;
    Index k = 0;
    for (; k + 4 <= z.c; k += 4) sum = add.template operator()<4>(k, sum);
    if (z.c - k == 3) sum = add.template operator()<3>(k, sum);
    else if (z.c - k == 2) sum = add.template operator()<2>(k, sum);
    else if (z.c - k == 1) sum = add.template operator()<1>(k, sum);
    return z.sum(sum);
  }

  F64 small_others(const Pivot& pivot, F64 others) const { return fromlogits::small_others<T>(z, pivot.z, others); }

  template <class Out>
  void write(Out* to, Index m, F64 share) const {
    z.write(to, m, [&](Index k) { return terms[k] * share; });
  }
};

template <class T>
struct GroupAlong {
  const T* from;
  Index m, c;
  F64* terms;
  const char* ahead;

  static Index rows(Index c) { return std::min<Index>(lanes, rows_in_group(c)); }
  // to: where the gradient will be written, for which the processor fetches memory while the terms are computed.
  GroupAlong(const T* z, Index rows, Index width, F64* scratch, const void* to)
      : from(z), m(rows), c(width), terms(scratch), ahead(static_cast<const char*>(to)) {}

  F64 others(const Pivot& pivot) const {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (rows(c) == lanes) {
        F64 sums[lanes]{};
        for (int r = 0; r < m; ++r) sums[r] = row_others(r, pivot.z[r], pivot.at[r]).high;
        return totals(sums);
      }
    }
    F64 sums{};
    for (int r = 0; r < m; ++r) sums[r] = total(row_others(r, pivot.z[r], pivot.at[r]));
    return sums;
  }

  F64 small_others(const Pivot& pivot, F64 others) const {
    if (sizeof(T) == sizeof(float) || !any(others < least_others)) return others;
    for (int r = 0; r < m; ++r) {
      const Along<T> z(from + r * c, 1, c, nullptr);
      others[r] = fromlogits::small_others<T>(z, all(pivot.z[r]), all(others[r]))[0];
    }
    return others;
  }

  template <class Out>
  void write(Out* to, Index, F64 share) const {
    for (Index r = 0; r < m; ++r) {
      const F64 by = all(share[r]);
      const F64* const row = terms + r * Along<T>(from, 1, c, nullptr).size();
      Along<T>(from, 1, c, nullptr).write(to + r * c, 1, [&](Index k) { return row[k] * by; });
    }
  }

 private:
  FROMLOGITS_FLATTEN SumFor<T> row_others(Index r, double pivot, Index at) const {
    const Along<T> z(from + r * c, 1, c, nullptr);
    F64* const to = terms + r * z.size();
    const Index special = at / lanes, whole = z.size() - 1;
    I64 lane;
    for (int j = 0; j < lanes; ++j) lane[j] = j;
    // Few classes: a mask everywhere costs less than a branch that nobody can predict.
    const bool is_short = c <= 256;
    const auto add = [&]<int count>(Index k, auto get, SumFor<T> sum) {
      if (is_short || (k <= special && special < k + count)) {
        const auto counted = [&](int i, F64 e) { return zero_where(lane + (k + i) * lanes == at, e); };
        return add_terms<T, count>(get, all(pivot), to + k, sum, counted);
      }
      return add_terms<T, count>(get, all(pivot), to + k, sum, [](int, F64 e) { return e; });
    };
    const auto in_row = [&](Index k) { return [&z, k](int i) { return load(z.row + (k + i) * lanes); }; };
    // The last vectors are two to five, the padded one among them: alone, it would be waited for.
    const auto add_last = [&]<int count>(SumFor<T> sum) {
      const Index k = whole + 1 - count;
      const auto get = [&z, k](int i) { return i == count - 1 ? z.last : load(z.row + (k + i) * lanes); };
      return add.template operator()<count>(k, get, sum);
    };
    SumFor<T> sum;
    Index k = 0;
    const char* const fetched = ahead == nullptr ? nullptr : ahead + r * c * static_cast<Index>(sizeof(T));
    for (; k + 5 <= whole; k += 4) {
      sum = add.template operator()<4>(k, in_row(k), sum);
      if (fetched != nullptr) {
        constexpr Index bytes = lanes * static_cast<Index>(sizeof(T));
        for (Index line = k * bytes; line < (k + 4) * bytes; line += 64) __builtin_prefetch(fetched + line, 1, 3);
      }
    }
    switch (whole - k) {
      case 0:
        return add_last.template operator()<1>(sum);
      case 1:
        return add_last.template operator()<2>(sum);
      case 2:
        return add_last.template operator()<3>(sum);
      case 3:
        return add_last.template operator()<4>(sum);
      default:
        return add_last.template operator()<5>(sum);
    }
  }
};

// The largest logit of a row; a tie goes to class y.
template <class T>
Index highest_class(const T* row, Index c, Index y) {
  Index at = y;
  for (Index k = 0; k < c; ++k) {
    if (row[k] > row[at]) at = k;
  }
  return at;
}

// Some rows on their way through the softmax loss. What one step writes as numbers another reads as vectors, and that
// is slow right after: so each step goes over all of the rows.
struct Chunk {
  static constexpr Index most = 64;
  static constexpr Index size = most + lanes;  // a vector may reach beyond the last row
  alignas(64) std::int64_t y[size];            // the class, 0 for rows that are left out
  alignas(64) double label_z[size];
  alignas(64) double scale[size];
  alignas(64) double distance[size];  // of the pivot's logit from the label's: 0 but for overflow, NaN, infinity
  alignas(64) double others[size];    // sum of exp(z - pivot) over the others
  alignas(64) double weight[size];    // of the row's targets in sum
};

template <class V>
inline V vector_at(const auto* from) {
  V x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

// The rows [at, at + m) of a chunk: `from`, `labels` and dz begin there.
template <class In, class Out, template <class> class Group>
FROMLOGITS_FLATTEN void softmax_loss_rows(const In* from, const std::int32_t* labels, Out* dz, Chunk& chunk, Index at,
                                          Index m, Index c, F64* scratch) noexcept {
  const Group<In> group(from, m, c, scratch, sizeof(In) == sizeof(Out) ? dz : nullptr);
  const F64 label_z = vector_at<F64>(chunk.label_z + at);
  Pivot pivot{label_z, vector_at<I64>(chunk.y + at)};
  F64 others = group.others(pivot);
  const bool is_far = any(~(others < most_others));
  if (is_far) {
    for (Index i = 0; i < m; ++i) {
      if (others[i] < most_others) continue;
      pivot.at[i] = highest_class(from + i * c, c, chunk.y[at + i]);
      pivot.z[i] = static_cast<double>(from[i * c + pivot.at[i]]);
    }
    others = group.others(pivot);
  }
  others = group.small_others(pivot, others);
  const F64 distance = pivot.z - label_z;
  store(distance, chunk.distance + at);
  store(others, chunk.others + at);
  if (dz == nullptr) return;

  const F64 share = vector_at<F64>(chunk.scale + at) / (1.0 + others);
  group.write(dz, m, share);
  double of_label[lanes];
  store(-others * share, of_label);
  for (Index i = 0; i < m; ++i) dz[i * c + chunk.y[at + i]] = rounded<Out>(of_label[i]);
  if (!is_far && !any(distance != 0.0)) return;
  for (Index i = 0; i < m; ++i) {
    Out* const row = dz + i * c;
    if (labels[i] < 0) continue;
    if (std::isnan(distance[i] + others[i])) {
      std::fill_n(row, c, static_cast<Out>(not_a_number));
    } else if (pivot.at[i] != chunk.y[at + i]) {  // its 1 is among the others of the label, so nothing cancels
      const double others_of_label = 1.0 + (others[i] - std::exp(label_z[i] - pivot.z[i]));
      row[pivot.at[i]] = rounded<Out>(share[i]);
      row[chunk.y[at + i]] = rounded<Out>(-others_of_label * share[i]);
    }
  }
}

template <class In>
FROMLOGITS_FLATTEN void losses_of(const Chunk& chunk, double* losses, Index n) {
  for (Index i = 0; i < n; i += lanes) {
    const F64 rest = log_1_plus<In>(vector_at<F64>(chunk.others + i));
    const F64 loss = fused(vector_at<F64>(chunk.weight + i), rest, vector_at<F64>(chunk.distance + i));
    if (n - i >= lanes) store(loss, losses + i);
    else store_part(loss, losses + i, n - i);
  }
}

template <class In, class Out, template <class> class Group>
void softmax_loss_in_groups(const In* z, const std::int32_t* labels, const double* scales, double divisor, Out* dz,
                            double* losses, Index n, Index c, double* scratch) noexcept {
  Chunk chunk{};
  std::fill_n(chunk.weight, Chunk::size, 1.0);
  const Index rows = Group<In>::rows(c);
  for (Index begin = 0; begin < n; begin += Chunk::most) {
    const Index size = std::min(n - begin, Chunk::most);
    bool is_whole = true;
    for (Index i = 0; i < size; ++i) {
      const Index row = begin + i;
      is_whole &= labels[row] >= 0;
      chunk.y[i] = std::max<Index>(labels[row], 0);
      chunk.label_z[i] = static_cast<double>(z[row * c + chunk.y[i]]);
      chunk.scale[i] = scales == nullptr ? 1.0 / divisor : scales[row] / divisor;
    }
    for (Index i = 0; i < size; i += rows) {
      const Index row = begin + i;
      softmax_loss_rows<In, Out, Group>(z + row * c, labels + row, dz == nullptr ? nullptr : dz + row * c, chunk, i,
                                        std::min(rows, size - i), c, reinterpret_cast<F64*>(scratch));
    }
    losses_of<In>(chunk, losses + begin, size);
    if (is_whole) continue;
    for (Index row = begin; row < begin + size; ++row) {
      if (labels[row] >= 0) continue;
      losses[row] = 0.0;
      if (dz != nullptr) std::fill_n(dz + row * c, c, Out{0});
    }
  }
}

// A long sum whose error stays that of a short one: runs of plain additions, and what adding those up rounds away. The
// runs are short for doubles, where each rounding of an addition is up to half a unit of the result.
template <class T>
struct LongSum {
  static constexpr int most = sizeof(T) == sizeof(double) ? 4 : 16;
  F64 run{};
  int length = 0;
  Compensated done;

  void add(F64 x) {
    run += x;
    if (++length < most) return;
    done.add(run);
    run = F64{};
    length = 0;
  }
  template <class Layout>
  F64 over(const Layout& z) {
    done.add(run);
    run = F64{};
    return z.sum(done);
  }
};

// Where all logits of a row stand within 1/2 of the largest, the gradient is the small difference of two products.
// Written with x = exp(z - max) - 1 over u unmasked classes, a - u r + a x - r sum(x), it begins with its exact part.
struct Near {
  I64 rows;
  F64 unmasked, grown;
};
template <class T, template <class> class Layout>
FROMLOGITS_FLATTEN Near near(const Layout<T>& z, F64 top) {
  F64 unmasked{}, far{};
  LongSum<T> grown;
  for (Index k = 0; k < z.size(); ++k) {
    const F64 x = z.get(k);
    const Difference d = difference<T>(x, top);
    const I64 is_in = ~(x == -inf);
    unmasked += take(is_in, all(1.0), F64{});
    far += take(is_in & ~(d.high >= -0.5), all(1.0), F64{});
    grown.add(take(is_in, exponential<T>(d).minus_1, F64{}));
  }
  return {z.sum(far) == 0.0, z.sum(unmasked), grown.over(z)};
}

// Any targets: `shares` (m, c) is what each class counts for, class weights and smoothing within, 0 for a class
// without. With a and e the sums of the shares and of the terms exp(z - max), the gradient of class k is
// (a e_k - r_k e) / e. Both products hold r_k e_k; left out of both, they are e_k times the other shares and r_k times
// the other terms. The largest share and term would lose the others in a subtraction: these are added up.
template <class In, class Out, template <class> class Layout>
FROMLOGITS_FLATTEN void softmax_loss_of_shares_rows(const In* from, const double* shares, Out* dz, Chunk& chunk,
                                                    Index at, Index m, Index c, F64* scratch) noexcept {
  constexpr bool is_double = sizeof(In) == sizeof(double);
  const Layout<In> z(from, m, c, scratch);
  F64* const terms = scratch + Layout<In>::taken(c);
  const auto share = [&] {
    if constexpr (Layout<In>::rows == 1) return Layout<double>(shares, m, c, nullptr, 0.0);
    else return Layout<double>(shares, m, c, scratch + 2 * c);
  }();
  const F64 max = highest(z), most = highest(share);
  const F64 top = take(max == -inf, all(not_a_number), max);

  LongSum<In> below, rest, distance;
  F64 ties{}, as_many{}, within = all(inf);
  I64 of_top{}, infinite{};
  const auto look = [&]<int count>(Index k) {
    Difference x[count];
    F64 r[count];
    I64 is_top[count];
    Exponential e[count];
    each<count>([&](int i) {
      const F64 z_k = z.get(k + i);
      r[i] = share.get(k + i);
      is_top[i] = z_k == top;
      x[i] = difference<In>(z_k, top);
      x[i].high = zero_where(is_top[i], x[i].high);
      within = take((x[i].high < within) & ~(z_k == -inf), x[i].high, within);
    });
    exponentials<In>(x, e);
    each<count>([&](int i) {
      terms[k + i] = e[i].e;
      below.add(zero_where(is_top[i], terms[k + i]));
      ties += take(is_top[i], all(1.0), F64{});
      of_top |= is_top[i] & (r[i] > 0.0);
      const I64 is_most = r[i] == most;
      rest.add(zero_where(is_most, r[i]));
      as_many += take(is_most, all(1.0), F64{});
      const F64 far = is_double ? fused(r[i], -x[i].high, r[i] * -x[i].low) : r[i] * -x[i].high;
      infinite |= (far == inf) & (r[i] > 0.0);
      distance.add(zero_where((r[i] == 0.0) | (far == inf), far));
    });
  };
  Index next = 0;
  for (; next + 4 <= z.size(); next += 4) look.template operator()<4>(next);
  for (; next < z.size(); ++next) look.template operator()<1>(next);

  // Per row, in every lane.
  const auto in_row = [&](I64 mask) { return z.sum(take(mask, all(1.0), F64{})) > 0.0; };
  const F64 tied = z.sum(ties) - 1.0, but_most = rest.over(z) + (z.sum(as_many) - 1.0) * most;
  F64 others = small_others<In>(z, top, below.over(z) + tied);
  others = take((max == inf) & ((tied > 0.0) | in_row(of_top)), all(not_a_number), others);
  const F64 e = 1.0 + others, a = but_most + most;
  const F64 far = take(in_row(infinite), all(inf), distance.over(z));
  if constexpr (Layout<In>::rows == 1) {
    chunk.distance[at] = far[0];
    chunk.others[at] = others[0];
    chunk.weight[at] = a[0];
  } else {
    store(far, chunk.distance + at);
    store(others, chunk.others + at);
    store(a, chunk.weight + at);
  }
  if (dz == nullptr) return;

  F64 scale = vector_at<F64>(chunk.scale + at);
  if constexpr (Layout<In>::rows == 1) scale = all(scale[0]);
  const F64 factor = take(far != far, far, scale / e);
  const auto apart = [&](Index k) {
    const F64 r = share.get(k), t = terms[k];
    const F64 other_shares = take(r == most, but_most, a - r);
    const F64 other_terms = take(z.get(k) == top, others, e - t);
    return fused(t, other_shares, -r * other_terms);
  };
  if (!any(z.highest(-within) <= 0.5)) {
    z.write(dz, m, [&](Index k) { return apart(k) * factor; });
    return;
  }
  const Near close = near(z, top);
  z.write(dz, m, [&](Index k) {
    const F64 x = z.get(k), r = share.get(k);
    const F64 x_k = exponential<In>(difference<In>(x, top)).minus_1;
    const F64 g = fused(-r, close.unmasked, a) + fused(a, x_k, -r * close.grown);
    return take(close.rows & ~(x == -inf), g, apart(k)) * factor;
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
void softmax_loss(const In* z, const std::int32_t* labels, const double* scales, double divisor, Out* dz,
                  double* losses, Index n, Index c, double* scratch) noexcept {
  if (c <= most_abreast) {
    softmax_loss_in_groups<In, Out, GroupAbreast>(z, labels, scales, divisor, dz, losses, n, c, scratch);
  } else {
    softmax_loss_in_groups<In, Out, GroupAlong>(z, labels, scales, divisor, dz, losses, n, c, scratch);
  }
}

template <class In, class Out, template <class> class Layout>
void softmax_loss_of_shares_in(const In* z, const double* shares, const double* scales, double divisor, Out* dz,
                               double* losses, Index n, Index c, double* scratch) noexcept {
  Chunk chunk{};
  const Index rows = Layout<In>::rows;
  for (Index begin = 0; begin < n; begin += Chunk::most) {
    const Index size = std::min(n - begin, Chunk::most);
    for (Index i = 0; i < size; ++i) chunk.scale[i] = (scales == nullptr ? 1.0 : scales[begin + i]) / divisor;
    for (Index i = 0; i < size; i += rows) {
      const Index entry = (begin + i) * c;
      softmax_loss_of_shares_rows<In, Out, Layout>(z + entry, shares + entry, dz == nullptr ? nullptr : dz + entry,
                                                   chunk, i, std::min(rows, size - i), c,
                                                   reinterpret_cast<F64*>(scratch));
    }
    losses_of<In>(chunk, losses + begin, size);
  }
}

template <class In, class Out>
void softmax_loss_of_shares(const In* z, const double* shares, const double* scales, double divisor, Out* dz,
                            double* losses, Index n, Index c, double* scratch) noexcept {
  if (c <= most_abreast) {
    softmax_loss_of_shares_in<In, Out, Abreast>(z, shares, scales, divisor, dz, losses, n, c, scratch);
  } else {
    softmax_loss_of_shares_in<In, Out, Along>(z, shares, scales, divisor, dz, losses, n, c, scratch);
  }
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
    const F64 e = exponential<In>({-absolute(z), F64{}}).e;
    return take(z >= 0.0, all(1.0), e) / (1.0 + e);
  });
}

template <class In, class Out>
void log_sigmoid(const In* from, Out* out, Index n) noexcept {
  by_entry(from, out, n, [](F64 z) {
    const F64 e = exponential<In>({-absolute(z), F64{}}).e;
    const F64 y = take(z < 0.0, z, F64{}) - log1p_of_at_most_1(e);
    return take(z == z, y, z);
  });
}

struct Entropy {
  F64 loss;
  F64 gradient;
};

// log(1 + e) and 1 / (1 + e) for e in [0, 1].
template <class T, int count>
inline void tails(const Exponential (&y)[count], F64 (&log1p)[count], F64 (&inverse)[count]) {
  if constexpr (sizeof(T) == sizeof(double)) {
    each<count>([&](int i) {
      log1p[i] = log1p_of_at_most_1(y[i].e);
      inverse[i] = 1.0 / (1.0 + y[i].e);
    });
  } else {  // one division for two
    F64 ratio[count];
    each<count>([&](int i) {
      const F64 above = 1.0 + y[i].e, beyond = 2.0 + y[i].e;
      const F64 both = 1.0 / (above * beyond);
      ratio[i] = y[i].e * (both * above);
      inverse[i] = both * beyond;
    });
    log1p_of_ratios(ratio, log1p);
  }
}

// By symmetry a function of abs z: a is the share on the side z is away from, b the share on its own side. So the
// mirror (z, t) -> (-z, 1 - t) gives the same bits.
template <class T, int count>
inline void sigmoid_entropies(const F64 (&z)[count], const F64 (&with)[count], const F64 (&without)[count],
                              Entropy (&to)[count]) {
  F64 a[count], b[count], log1p[count], inverse[count];
  Difference minus_x[count];
  Exponential y[count];
  const F64 sign = all(-0.0);
  each<count>([&](int i) {
    const I64 is_negative = bits(z[i]) < 0;  // -0 too, as its sign is taken below
    a[i] = take(is_negative, with[i], without[i]);
    b[i] = take(is_negative, without[i], with[i]);
    minus_x[i] = {value(bits(z[i]) | bits(sign)), F64{}};
  });
  exponentials<T>(minus_x, y);
  tails<T>(y, log1p, inverse);
  each<count>([&](int i) {
    const F64 away = zero_where(a[i] == 0.0, a[i] * absolute(z[i]));  // 0 * inf taken as 0
    const F64 loss = fused(a[i] + b[i], log1p[i], away);
    // Near 0 the difference a - b e may cancel: its exact part a - b is subtracted first.
    const F64 top = take(minus_x[i].high >= -0.5, fused(-b[i], y[i].minus_1, a[i] - b[i]), fused(-b[i], y[i].e, a[i]));
    const F64 gradient = value(bits(top) ^ (bits(z[i]) & bits(sign))) * inverse[i];
    const I64 is_unknown = ~(with[i] == with[i]);
    to[i].loss = zero_where(is_unknown, loss);
    to[i].gradient = zero_where(is_unknown, gradient);
  });
}

template <class In, class Out>
FROMLOGITS_FLATTEN void sigmoid_loss(const In* from, const float* floats, const double* doubles, double smoothing,
                                     const double* positive, double all_positive, const double* scales, double divisor,
                                     Out* dz, double* losses, Index n) noexcept {
  const F64 kept = all(1.0 - smoothing), spread = all(0.5 * smoothing), all_scales = all(1.0 / divisor);
  const bool is_plain = positive == nullptr && all_positive == 1.0 && smoothing == 0.0;
  const auto work = [=]<int count>(Index at, Index m) {
    F64 z[count], with[count], without[count];
    Entropy entropy[count];
    const auto get = [=](const auto* values, int i) {
      if constexpr (count > 1) return load(values + at + i * lanes);
      else return load_part(values + at, m, std::remove_cvref_t<decltype(*values)>{0});
    };
    each<count>([&](int i) {
      z[i] = get(from, i);
      const F64 t = floats != nullptr ? get(floats, i) : get(doubles, i);
      with[i] = t;
      without[i] = 1.0 - t;
      if (is_plain) return;
      const F64 w = positive == nullptr ? all(all_positive) : get(positive, i);
      with[i] = w * fused(t, kept, spread);
      without[i] = fused(without[i], kept, spread);
    });
    sigmoid_entropies<In>(z, with, without, entropy);
    each<count>([&](int i) {
      if constexpr (count > 1) store(entropy[i].loss, losses + at + i * lanes);
      else store_part(entropy[i].loss, losses + at, m);
    });
    if (dz == nullptr) return;
    each<count>([&](int i) {
      const F64 by = scales == nullptr ? all_scales : get(scales, i) / divisor;
      const F64 gradient = entropy[i].gradient * by;
      if constexpr (count > 1) store(gradient, dz + at + i * lanes);
      else store_part(gradient, dz + at, m);
    });
  };
  constexpr int most = 4;
  Index i = 0;
  for (; i + most * lanes <= n; i += most * lanes) work.template operator()<most>(i, most * lanes);
  for (; i < n; i += lanes) work.template operator()<1>(i, std::min<Index>(lanes, n - i));
}

// Error-free extraction: adding and subtracting a power of 2 that is large enough leaves the leading bits of each
// addend, whose sum is exact; what is left of them goes on. Source: Rump, Ogita & Oishi, SIAM J. Sci. Comput. 31(1),
// 2008, section 3.
FROMLOGITS_FLATTEN Parts split_sum(const double* x, Index n) noexcept {
  alignas(64) double rest[Parts::most_addends + lanes];
  F64 highest{};
  I64 odd{};
  Parts parts{};
  const Index whole = n / lanes * lanes, padded = whole == n ? n : whole + lanes;
  const auto look = [&](F64 y, Index i) {
    highest = take(y > highest, y, highest);
    odd |= ~(y < inf);
    store(y, rest + i);
  };
  for (Index i = 0; i < whole; i += lanes) look(load(x + i), i);
  if (whole < n) look(load_part(x + whole, n - whole, 0.0), whole);
  double largest = 0.0;
  for (int r = 0; r < lanes; ++r) largest = std::max(largest, highest[r]);
  if (any(odd) || largest > 0x1p900) {
    for (Index i = 0; i < n; ++i) parts.nans += x[i] != x[i];
    parts.size = -1;
    return parts;
  }
  if (largest == 0.0) return parts;
  // 2^k >= most_addends * largest; each round takes 53 - 12 bits.
  double grid = std::ldexp(1.0, std::ilogb(largest) + 1 + 12);
  while (parts.size < 8) {
    F64 sum{};
    I64 left{};
    for (Index i = 0; i < padded; i += lanes) {
      const F64 y = vector_at<F64>(rest + i);
      const F64 part = (y + grid) - grid;
      const F64 remainder = y - part;
      sum += part;
      left |= bits(remainder);
      store(remainder, rest + i);
    }
    parts.values[parts.size++] = total(sum);
    if (!any(left << 1)) return parts;
    grid *= 0x1p-41;
    if (grid < 0x1p-1000) break;
  }
  parts.size = -1;
  return parts;
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
