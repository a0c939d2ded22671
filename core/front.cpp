#include "front.h"

#include <algorithm>

namespace fromlogits {

namespace {

// Entry (i, j) of panels with n rows.
constexpr Index place(Index i, Index j, Index n) { return (j / lane_count * n + i) * lane_count + j % lane_count; }

// The bin whose component is neither 0 for what lies left of it nor 1 for what lies right of it, and the component.
struct Inside {
  Index bin;
  double share;
};

Inside find(const Bins& bins, float x) noexcept {
  const float* const inner = bins.edges + 1;
  const Index bin = std::upper_bound(inner, inner + bins.b - 1, x) - inner;
  const float left = bins.edges[bin], right = bins.edges[bin + 1];
  if (x >= right) return {bin, 1.0};
  if (x <= left) return {bin, 0.0};
  const auto from = static_cast<double>(left);
  return {bin, (static_cast<double>(x) - from) / (static_cast<double>(right) - from)};
}

}  // namespace

void gather(const Front& front, const Rows& rows, Index row, Index i, Index n, float* embedded,
            float* inputs) noexcept {
  const auto feature = [&](Index j) {
    const Index at = row * rows.d + j;
    return rows.bytes == nullptr ? rows.floats[at] : static_cast<float>(rows.bytes[at]) * rows.scale + rows.shift;
  };
  Index column = 0;
  for (const Index number : front.numbers) {
    const float x = feature(number);
    inputs[place(i, front.inputs_of(column), n)] = x;
    embedded[column++ * n + i] = x;
  }
  for (const Category& category : front.categories) embedded[column++ * n + i] = feature(category.feature);
  Index input = front.made();
  for (const Index other : front.others) inputs[place(i, input++, n)] = feature(other);
}

Waves waves_of(const Waves& first, Index number) noexcept {
  const Index f = first.f, m = first.m;
  return {first.frequencies + number * f,
          first.phases + number * f,
          first.mixtures + number * m * f,
          first.shifts + number * m,
          f,
          m};
}

Bins bins_of(const Bins& first, Index number) noexcept {
  const Index b = first.b, m = first.m;
  return {first.edges + number * (b + 1), first.lines + number * b * 2 * m, b, m};
}

void draw_lines(const float* edges, const float* mixtures, const float* shifts, Index b, Index m,
                float* lines) noexcept {
  for (Index k = 0; k < m; ++k) {
    auto sum = static_cast<double>(shifts[k]);
    for (Index i = 0; i < b; ++i) {
      const float growth = edges[i] < edges[i + 1] ? mixtures[k * b + i] : 0.0f;
      lines[2 * i * m + k] = static_cast<float>(sum);
      lines[(2 * i + 1) * m + k] = growth;
      sum += static_cast<double>(growth);
    }
  }
}

void embed(const Front& front, const Embeddings& by, const float* embedded, Index n, Span rows,
           float* inputs) noexcept {
  const Index numbers = Front::size(front.numbers);
  for (Index j = 0; j < numbers && front.bins > 0; ++j) {
    const Bins own = bins_of(by.bins, j);
    const Index first = front.inputs_of(j) + 1;
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
      const auto [bin, share] = find(own, embedded[j * n + i]);
      const float* const line = own.lines + bin * 2 * own.m;
      for (Index m = 0; m < own.m; ++m) {
        const double y = static_cast<double>(line[m]) + share * static_cast<double>(line[own.m + m]);
        inputs[place(i, first + m, n)] = static_cast<float>(y);
      }
    }
  }
  for (Index j = 0; j < numbers && front.frequencies > 0; ++j) {
    const Waves own = waves_of(by.waves, j);
    kernels().waves(own, embedded + j * n + rows.begin, rows.size, inputs + rows.begin * lane_count,
                    front.inputs_of(j) + 1, n * lane_count);
  }
  const float* of_category = by.vectors;
  for (Index q = 0; q < Front::size(front.categories); ++q) {
    const Index values = front.categories[static_cast<std::size_t>(q)].values;
    const float* const codes = embedded + (numbers + q) * n;
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
      const bool has_vector = codes[i] >= 0.0f && codes[i] < static_cast<float>(values);
      const float* const from = of_category + (has_vector ? static_cast<Index>(codes[i]) * front.outputs : 0);
      for (Index e = 0; e < front.outputs; ++e) {
        inputs[place(i, front.vector_of(q) + e, n)] = has_vector ? from[e] : 0.0f;
      }
    }
    of_category += values * front.outputs;
  }
}

void line_gradient(const Front& front, Index number, const Bins& bins, const float* x, const float* dinputs, Index n,
                   double* sums, float* dmixtures, float* dshifts) noexcept {
  const Index first = front.inputs_of(number) + 1, m = bins.m;
  // Of each bin: the gradients of the rows in it, and the same times their share of it.
  std::fill_n(sums, bins.b * 2 * m, 0.0);
  for (Index i = 0; i < n; ++i) {
    const auto [bin, share] = find(bins, x[i]);
    double* const to = sums + bin * 2 * m;
    for (Index k = 0; k < m; ++k) {
      const auto dmixed = static_cast<double>(dinputs[place(i, first + k, n)]);
      to[k] += dmixed;
      to[m + k] += share * dmixed;
    }
  }
  for (Index k = 0; k < m; ++k) {
    double beyond = 0.0;  // of the rows in bins further right
    for (Index b = bins.b; b-- > 0;) {
      const bool has_width = bins.edges[b] < bins.edges[b + 1];
      dmixtures[k * bins.b + b] = has_width ? static_cast<float>(sums[(2 * b + 1) * m + k] + beyond) : 0.0f;
      beyond += sums[2 * b * m + k];
    }
    dshifts[k] = static_cast<float>(beyond);
  }
}

void vector_gradient(const Front& front, Index category, Span values, const float* codes, const float* dinputs, Index n,
                     float* sums) noexcept {
  std::fill_n(sums, values.size * front.outputs, 0.0f);
  const auto begin = static_cast<float>(values.begin), end = static_cast<float>(values.begin + values.size);
  for (Index i = 0; i < n; ++i) {
    if (!(codes[i] >= begin && codes[i] < end)) continue;
    float* const to = sums + (static_cast<Index>(codes[i]) - values.begin) * front.outputs;
    for (Index e = 0; e < front.outputs; ++e) to[e] += dinputs[place(i, front.vector_of(category) + e, n)];
  }
}

}  // namespace fromlogits
