// One dense layer on a batch: forward, and its backward beside it. Matrix products come from OpenBLAS, one thread
// each; the work is cut into tiles by shape alone.
#pragma once

#include "kernels.h"
#include "threads.h"
#include "views.h"

namespace fromlogits {

// What a layer works on. w (h, d), b (h); row-major.
struct DenseLayer {
  Index d;
  Index h;
  Activation activation;
};

// Which units of a step are dropped: a function of (seed, step, layer, row of the batch, unit) alone.
struct Dropout {
  std::uint32_t threshold = 0;  // a unit is dropped when its 16 random bits are below; 0: no dropout
  float scale = 1.0f;           // of the kept ones: 1 / P(kept)
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint64_t layer = 0;
};

// out = dropout(activation(x wT + b)).
//   x       (n, d)  in
//   out     (n, h)  out
//   slopes  (n, h)  out  d out / d (x wT + b), entry by entry; null: not wanted, and then no dropout
void forward(const DenseLayer& layer, const float* w, const float* b, const float* x, float* out, float* slopes,
             const Dropout& dropout, Index n, Team& team) noexcept;

// Gradients of a scalar whose gradient by `out` is dout.
//   dout    (n, h)  in/out  multiplied by slopes (when not null) and so the gradient by x wT + b
//   x       (n, d)  in
//   dw      (h, d)  out
//   db      (h)     out
//   dx      (n, d)  out     null: not wanted (the first layer)
void backward(const DenseLayer& layer, const float* w, const float* x, const float* slopes, float* dout, float* dw,
              float* db, float* dx, Index n, Team& team) noexcept;

// The same bits for a row alone and among any others: products always have `logits_block` rows, padded.
inline constexpr Index logits_block = 32;

void use_one_blas_thread() noexcept;
const char* blas_core() noexcept;

}  // namespace fromlogits
