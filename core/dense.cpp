#include "dense.h"

#include <algorithm>

#include "rng.h"

namespace fromlogits {

namespace {

// A panel's row shares one block of random bits; a row of the batch starts a block of its own.
void drop(const Dropout& dropout, Index h, Index row, Index panel, float* factors) noexcept {
  const auto block = static_cast<std::uint64_t>(row * panels_of(h) + panel);
  // + 1: NumPy's generator counts up before it draws.
  const PhiloxBlock bits = philox({block + 1, dropout.step, dropout.layer, dropout_stream}, dropout.seed);
  for (Index k = 0; k < lane_count; ++k) {
    const auto lane = static_cast<std::uint32_t>(bits[static_cast<std::size_t>(k / 4)] >> (16 * (k % 4))) & 0xffffu;
    factors[k] = lane < dropout.threshold ? 0.0f : dropout.scale;
  }
}

}  // namespace

void activate(const DenseLayer& layer, const Weights& weights, float* out, const Slopes& slopes, const Dropout& dropout,
              Index n, Span rows, Span units) noexcept {
  if (slopes.z == nullptr && layer.activation == Activation::linear) return;
  const auto some_rows = [&](Index panel, float* z, const Slopes& to, Index count) {
    if (layer.activation == Activation::parametric_selu) {
      kernels().parametric_selu(weights.a + panel * lane_count, z, to.z, to.a, count);
    } else {
      kernels().activate(layer.activation, z, to.z, count * lane_count);
    }
  };
  for (Index p = units.begin; p < units.begin + units.size; ++p) {
    const Index at = (p * n + rows.begin) * lane_count;
    if (slopes.z == nullptr) {
      float unwanted[2][32 * lane_count];
      for (Index i = 0; i < rows.size; i += 32) {
        some_rows(p, out + at + i * lane_count, {unwanted[0], unwanted[1]}, std::min<Index>(32, rows.size - i));
      }
      continue;
    }
    float* const slopes_a = slopes.a == nullptr ? nullptr : slopes.a + at;
    some_rows(p, out + at, {slopes.z + at, slopes_a}, rows.size);
    if (dropout.threshold == 0) continue;
    for (Index i = 0; i < rows.size; i += 32) {
      alignas(64) float factors[32 * lane_count];
      const Index some = std::min<Index>(32, rows.size - i), first = i * lane_count;
      for (Index k = 0; k < some; ++k) drop(dropout, layer.h, rows.begin + i + k, p, factors + k * lane_count);
      for (float* const dropped : {out + at, slopes.z + at, slopes_a}) {
        if (dropped != nullptr) kernels().multiply(dropped + first, factors, some * lane_count);
      }
    }
  }
}

void forward(const DenseLayer& layer, const Weights& weights, const float* x, float* out, const Slopes& slopes,
             const Dropout& dropout, Index n, Span rows, Span units) noexcept {
  const Index panel = n * lane_count, begin = rows.begin * lane_count;
  kernels().product(x + begin, panel, rows.size, layer.d, weights.w + units.begin * weights.panel, weights.panel,
                    weights.row, units.size, weights.bias + units.begin * lane_count, out + units.begin * panel + begin,
                    panel);
  activate(layer, weights, out, slopes, dropout, n, rows, units);
}

void forward(const DenseLayer& layer, const Weights& weights, const Rows& x, const std::int64_t* order, float* out,
             const Slopes& slopes, const Dropout& dropout, Index n, Span rows, Span units) noexcept {
  const Index panel = n * lane_count;
  for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
    const Index row = order == nullptr ? i : order[i];
    const Index begin = x.starts[row], count = x.starts[row + 1] - begin;
    kernels().combine(x.columns + begin, x.values + begin, count, weights.w + units.begin * weights.panel, weights.row,
                      weights.panel, units.size, weights.bias + units.begin * lane_count,
                      out + units.begin * panel + i * lane_count, panel);
  }
  activate(layer, weights, out, slopes, dropout, n, rows, units);
}

void input_gradient(const DenseLayer& layer, const Weights& weights, const float* dout_turned,
                    const Slopes& slopes_below, double* da_below, float* dout_below, float* turned_below, Index n,
                    Span rows, Span below) noexcept {
  constexpr Index square = lane_count * lane_count;
  const Index panel = n * lane_count, turned_panel = panels_of(layer.h) * square;
  const Index first = rows.begin / lane_count, groups = tiles(rows.size, lane_count);
  constexpr Index most_groups = 4;
  for (Index g = 0; g < groups; g += most_groups) {
    const Index some = std::min(most_groups, groups - g);
    for (Index p = below.begin; p < below.begin + below.size; ++p) {
      // (inputs, rows): the weights' rows times dout turned.
      alignas(64) float turned[most_groups * square], upright[square];
      const Index inputs = std::min(lane_count, layer.d - p * lane_count);
      if (inputs < lane_count) std::fill_n(turned, some * square, 0.0f);
      kernels().product(weights.w + p * square, weights.panel, inputs, layer.h,
                        dout_turned + (first + g) * turned_panel, turned_panel, lane_count, some, nullptr, turned,
                        square);
      for (Index k = 0; k < some; ++k) {
        const Index row = rows.begin + (g + k) * lane_count;
        const Index count = std::min(lane_count, rows.begin + rows.size - row) * lane_count;
        const Index at = p * panel + row * lane_count;
        kernels().transpose(turned + k * square, upright);
        if (slopes_below.a != nullptr) {
          kernels().sum_products(upright, slopes_below.a + at, count / lane_count,
                                 da_below + ((first + g + k) * panels_of(layer.d) + p) * lane_count);
        }
        if (slopes_below.z != nullptr) kernels().multiply(upright, slopes_below.z + at, count);
        std::copy_n(upright, count, dout_below + at);
        if (turned_below == nullptr) continue;
        std::fill_n(upright + count, square - count, 0.0f);
        kernels().transpose(upright, turned_below + (first + g + k) * panels_of(layer.d) * square + p * square);
      }
    }
  }
}

void turn(const float* dout, float* turned, Index n, Index h, Span rows) noexcept {
  constexpr Index square = lane_count * lane_count;
  for (Index row = rows.begin; row < rows.begin + rows.size; row += lane_count) {
    const Index count = std::min(lane_count, rows.begin + rows.size - row);
    for (Index p = 0; p < panels_of(h); ++p) {
      const float* from = dout + (p * n + row) * lane_count;
      alignas(64) float whole[square];
      if (count < lane_count) {
        std::copy_n(from, count * lane_count, whole);
        std::fill_n(whole + count * lane_count, square - count * lane_count, 0.0f);
        from = whole;
      }
      kernels().transpose(from, turned + (row / lane_count * panels_of(h) + p) * square);
    }
  }
}

}  // namespace fromlogits
