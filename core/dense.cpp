#include "dense.h"

#include <algorithm>

#include <cblas.h>

#include "rng.h"

namespace fromlogits {

namespace {

// Tiles small enough that two to four threads find work in a 256-unit layer, large enough for the library's own
// blocking (784x256, batch 128).
constexpr Index tile_rows = 128;
constexpr Index tile_units = 64;
constexpr Index tile_inputs = 512;

// Below about 2 Mflop a phase is over before a helper wakes.
constexpr Index worth_flops = 2'000'000;

constexpr Index tiles(Index size, Index tile) { return (size + tile - 1) / tile; }

struct Span {
  Index begin;
  Index size;
};
Span span(Index at, Index tile, Index size) { return {at * tile, std::min(tile, size - at * tile)}; }

int blas(Index size) { return static_cast<int>(size); }

// Sixteen units share one block of random bits; a row starts a block of its own.
void drop(const Dropout& dropout, Index h, Index row, Span units, float* out, float* slopes) noexcept {
  const Index blocks_per_row = tiles(h, 16);
  for (Index j = 0; j < units.size; j += 16) {
    const auto block = static_cast<std::uint64_t>(row * blocks_per_row + (units.begin + j) / 16);
    // + 1: NumPy's generator counts up before it draws.
    const PhiloxBlock bits = philox({block + 1, dropout.step, dropout.layer, dropout_stream}, dropout.seed);
    const Index lanes = std::min<Index>(16, units.size - j);
    for (Index k = 0; k < lanes; ++k) {
      const auto lane = static_cast<std::uint32_t>(bits[static_cast<std::size_t>(k / 4)] >> (16 * (k % 4))) & 0xffffu;
      const float factor = lane < dropout.threshold ? 0.0f : dropout.scale;
      out[j + k] *= factor;
      slopes[j + k] *= factor;
    }
  }
}

}  // namespace

void forward(const DenseLayer& layer, const float* w, const float* b, const float* x, float* out, float* slopes,
             const Dropout& dropout, Index n, Team& team) noexcept {
  const Index d = layer.d, h = layer.h;
  const Index across = tiles(h, tile_units);
  team.run(tiles(n, tile_rows) * across, 2 * n * d * h > worth_flops, [&](Index task) {
    const Span rows = span(task / across, tile_rows, n), units = span(task % across, tile_units, h);
    float* const corner = out + rows.begin * h + units.begin;
    for (Index i = 0; i < rows.size; ++i) std::copy_n(b + units.begin, units.size, corner + i * h);
    scipy_cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas(rows.size), blas(units.size), blas(d), 1.0f,
                      x + rows.begin * d, blas(d), w + units.begin * d, blas(d), 1.0f, corner, blas(h));
    if (slopes == nullptr && layer.activation == Activation::linear) return;
    float unwanted[tile_units];
    for (Index i = 0; i < rows.size; ++i) {
      float* const slope_row = slopes == nullptr ? unwanted : slopes + (rows.begin + i) * h + units.begin;
      kernels().activate(layer.activation, corner + i * h, slope_row, units.size);
      if (dropout.threshold != 0) drop(dropout, h, rows.begin + i, units, corner + i * h, slope_row);
    }
  });
}

void backward(const DenseLayer& layer, const float* w, const float* x, const float* slopes, float* dout, float* dw,
              float* db, float* dx, Index n, Team& team) noexcept {
  const Index d = layer.d, h = layer.h;
  if (slopes != nullptr) {
    team.run(tiles(n, tile_rows), n * h > worth_flops / 8, [&](Index task) {
      const Span rows = span(task, tile_rows, n);
      kernels().multiply(dout + rows.begin * h, slopes + rows.begin * h, rows.size * h);
    });
  }
  // Both products need dout alone, so their tiles form one phase.
  const Index dw_across = tiles(d, tile_inputs), dw_tasks = tiles(h, tile_units) * dw_across;
  const Index dx_across = tiles(d, tile_units), dx_tasks = dx == nullptr ? 0 : tiles(n, tile_rows) * dx_across;
  team.run(dw_tasks + dx_tasks, 2 * n * d * h > worth_flops, [&](Index task) {
    if (task < dw_tasks) {
      const Span units = span(task / dw_across, tile_units, h), inputs = span(task % dw_across, tile_inputs, d);
      if (inputs.begin == 0) kernels().sum_rows(dout + units.begin, n, h, db + units.begin, units.size);
      scipy_cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas(units.size), blas(inputs.size), blas(n), 1.0f,
                        dout + units.begin, blas(h), x + inputs.begin, blas(d), 0.0f,
                        dw + units.begin * d + inputs.begin, blas(d));
    } else {
      const Index tile = task - dw_tasks;
      const Span rows = span(tile / dx_across, tile_rows, n), inputs = span(tile % dx_across, tile_units, d);
      scipy_cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas(rows.size), blas(inputs.size), blas(h), 1.0f,
                        dout + rows.begin * h, blas(h), w + inputs.begin, blas(d), 0.0f,
                        dx + rows.begin * d + inputs.begin, blas(d));
    }
  });
}

void use_one_blas_thread() noexcept { scipy_openblas_set_num_threads(1); }

const char* blas_core() noexcept { return scipy_openblas_get_corename(); }

}  // namespace fromlogits
