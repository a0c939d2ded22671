#include "front.h"

#include <algorithm>

namespace fromlogits {

namespace {

// Entry (i, j) of panels with n rows.
constexpr Index place(Index i, Index j, Index n) { return (j / lane_count * n + i) * lane_count + j % lane_count; }

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

void embed(const Front& front, const Waves& waves, const float* vectors, const float* embedded, Index n, Span rows,
           float* inputs) noexcept {
  const Index numbers = Front::size(front.numbers);
  for (Index j = 0; j < numbers; ++j) {
    const Waves own = waves_of(waves, j);
    kernels().waves(own, embedded + j * n + rows.begin, rows.size, inputs + rows.begin * lane_count,
                    front.inputs_of(j) + 1, n * lane_count);
  }
  const float* of_category = vectors;
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
