// The loops that run over plain arrays, once per instruction set. Every set gives the same bits: no reordering, no
// contraction, only wider steps.
#pragma once

#include "views.h"

namespace fromlogits {

enum class Activation : int { linear, relu, tanh, gelu, silu, selu };

// Numbers of one optimizer step, rounded to float once by the caller.
struct AdamStep {
  float step_size;  // learning rate / (1 - beta1^t)
  float beta1, beta2;
  float rest1, rest2;     // 1 - beta, rounded from double: 1 - 0.999f is 1.3e-5 off
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float epsilon;
  float gradient_scale;  // of gradient clipping; 1 without
  float l2;              // added to the gradient: l2 * parameter
  float shrink;          // parameter *= shrink before the step (decoupled decay); 1 without
};
struct SgdStep {
  float learning_rate, momentum, gradient_scale, l2;
};

struct Kernels {
  const char* name;

  // values[i] = f(values[i]); slopes[i] = f'(the old values[i]).
  void (*activate)(Activation f, float* values, float* slopes, Index n) noexcept;

  // x[i] *= by[i].
  void (*multiply)(float* x, const float* by, Index n) noexcept;

  // out[i] = float(bytes[i]) * scale + shift.
  void (*widen)(const std::uint8_t* bytes, float scale, float shift, float* out, Index n) noexcept;

  // Sum of squares in double, in a fixed order.
  double (*sum_of_squares)(const float* x, Index n) noexcept;

  // out[j] = sum over i of rows[i * stride + j], in double, rounded once; width <= 64.
  void (*sum_rows)(const float* rows, Index n, Index stride, float* out, Index width) noexcept;

  // Adam: mean and square are the running moments of the gradient. Source: Kingma & Ba, ICLR 2015; decoupled decay:
  // Loshchilov & Hutter, ICLR 2019.
  void (*adam)(const AdamStep& step, float* parameters, const float* gradient, float* mean, float* square,
               Index n) noexcept;

  // v = momentum * v + g; parameter -= learning_rate * v.
  void (*sgd)(const SgdStep& step, float* parameters, const float* gradient, float* velocity, Index n) noexcept;
};

// The set in use: the best this machine has, or the one FROMLOGITS_ISA names ("avx2", "plain").
const Kernels& kernels() noexcept;

// The named set, or null where this build or this machine lacks it.
const Kernels* kernels_named(const char* name) noexcept;

extern const Kernels plain_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels;
#endif

}  // namespace fromlogits
