// One dense layer on a part of a batch: forward, and its backward beside it. Matrices lie in panels (panels.h); a call
// works on some rows of the batch and some panels of units, and writes memory that no other such call writes.
#pragma once

#include "kernels.h"
#include "panels.h"
#include "views.h"

namespace fromlogits {

struct DenseLayer {
  Index d;
  Index h;
  Activation activation;
};

// A layer's weights (d, h), input by input, and biases, all with 0 for the units beyond the last.
//   usually   panels of units: row 16, panel 16 * d
//   by rows   each input's weights side by side, for sparse inputs: row 16 * panels_of(h), panel 16
struct Weights {
  const float* w;
  Index row;
  Index panel;
  const float* bias;
  const float* a;  // (h) of parametric_selu
};

// Which units of a step are dropped: a function of (seed, step, layer, row of the batch, unit) alone.
struct Dropout {
  std::uint32_t threshold = 0;  // a unit is dropped when its 16 random bits are below; 0: no dropout
  float scale = 1.0f;           // of the kept ones: 1 / P(kept)
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint64_t layer = 0;
};

// (n, h) each, entry by entry; null: not wanted.
struct Slopes {
  float* z = nullptr;  // d out / d (x w + b); null: and then no dropout
  float* a = nullptr;  // d out / d a of parametric_selu; null wherever z is
};

// out = dropout(activation(x w + b)), for `rows` and the panels `units`.
//   x       (n, d)  in
//   out     (n, h)  out
//   slopes          out
void forward(const DenseLayer& layer, const Weights& weights, const float* x, float* out, const Slopes& slopes,
             const Dropout& dropout, Index n, Span rows, Span units) noexcept;

// The same for sparse inputs: row i of the batch is row order[i] of x, or row i where order is null.
void forward(const DenseLayer& layer, const Weights& weights, const Rows& x, const std::int64_t* order, float* out,
             const Slopes& slopes, const Dropout& dropout, Index n, Span rows, Span units) noexcept;

// out = dropout(activation(out)), for `rows` and the panels `units`; as forward() ends.
void activate(const DenseLayer& layer, const Weights& weights, float* out, const Slopes& slopes, const Dropout& dropout,
              Index n, Span rows, Span units) noexcept;

// The gradient by a layer's input, times the slopes of the layer below: that layer's dout.
//   dout_turned   of this layer's dout, see turn()
//   below         panels of the layer's inputs
//   slopes_below          of the layer below; null: 1. Those in its a may lie where dout_below does
//   da_below      (tiles(n, 16), 16 panels of d)  out: of each 16 rows the gradient by its a; only with slopes in a
//   dout_below    (n, d)  out
//   turned_below          out, or null: not wanted
//   rows          begins at a multiple of 16
void input_gradient(const DenseLayer& layer, const Weights& weights, const float* dout_turned,
                    const Slopes& slopes_below, double* da_below, float* dout_below, float* turned_below, Index n,
                    Span rows, Span below) noexcept;

// dout (n, h) turned: for each 16 rows, (h, 16), so that rows lie along the lanes. Rows beyond n are 0.
void turn(const float* dout, float* turned, Index n, Index h, Span rows) noexcept;

// Floats that it takes.
constexpr Index turned_size(Index n, Index h) noexcept {
  return tiles(n, lane_count) * lane_count * panels_of(h) * lane_count;
}

}  // namespace fromlogits
