// The loops that run over plain arrays, once per instruction set.
#pragma once

#include "views.h"

namespace fromlogits {

enum class Activation : int { linear, relu, tanh, gelu, silu, selu, sigmoid, parametric_selu };

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

// Probabilities, losses and gradients straight from logits: float64 inside, each result rounded once, to Out. Double
// logits are to 4 units in the last place: differences and sums carry what they round away.
//   z        (n, c)  -inf masks a class; NaN anywhere in a row makes its results NaN
//   scratch          doubles of the caller, scratch_size(c) of them, on a cache line
// Results that vanish are +0, never -0. A row has the same bits alone and among any others. n >= 0, c >= 1.
template <class In, class Out>
struct LogitKernels {
  void (*softmax)(const In* z, Out* out, Index n, Index c, double* scratch) noexcept;
  void (*log_softmax)(const In* z, Out* out, Index n, Index c, double* scratch) noexcept;
  void (*logsumexp)(const In* z, Out* out, Index n, Index c, double* scratch) noexcept;  // out (n)

  // Softmax cross-entropy of class labels[i], in nats.
  //   labels  (n)     -1: the row is left out, loss and gradient 0
  //   scales  (n)     or null
  //   dz      (n, c)  out  scales[i] / divisor * gradient of the row's loss; null: only the losses are wanted
  //   losses  (n)     out  not scaled, not rounded
  // A masked true class gives inf, +inf at the class NaN. dz may be the memory of z.
  void (*softmax_loss)(const In* z, const std::int32_t* labels, const double* scales, double divisor, Out* dz,
                       double* losses, Index n, Index c, double* scratch) noexcept;

  // The same for any targets.
  //   shares  (n, c)  class weight times target probability; 0 for a class without part
  void (*softmax_loss_of_shares)(const In* z, const double* shares, const double* scales, double divisor, Out* dz,
                                 double* losses, Index n, Index c, double* scratch) noexcept;

  void (*sigmoid)(const In* z, Out* out, Index n) noexcept;
  void (*log_sigmoid)(const In* z, Out* out, Index n) noexcept;

  // Sigmoid cross-entropy of each entry, in nats.
  //   floats     (n)  targets in [0, 1]; NaN: unknown, loss and gradient 0. Moved towards 1/2 by `smoothing`
  //   doubles    (n)  the same; one of both is null
  //   positive   (n)  weight of the target's side, or null: all_positive for each
  //   scales     (n)  or null
  //   dz         (n)  out  scales[i] / divisor * gradient, or null; may be the memory of z
  //   losses     (n)  out  not scaled, not rounded
  void (*sigmoid_loss)(const In* z, const float* floats, const double* doubles, double smoothing,
                       const double* positive, double all_positive, const double* scales, double divisor, Out* dz,
                       double* losses, Index n) noexcept;
};

// Doubles with the exact sum of others.
struct Parts {
  static constexpr Index most_addends = 4096;
  double values[8];
  int size;        // of values; -1: some addend is not finite, or they differ too much in size; nothing is said
  Index nans = 0;  // of the addends
};

// Rows whose terms are kept side by side in the softmax loss, so that one row's sums and quotients are ready when
// another's terms are computed; all of them stay in the first cache.
constexpr Index rows_in_group(Index c) noexcept { return c <= 256 ? 8 : 1; }

// Doubles of scratch that the kernels above need for rows of c classes: whole cache lines, so that several can follow
// each other.
constexpr Index scratch_size(Index c) noexcept { return (rows_in_group(c) * (c + 8) + 16 * 64 + 7) / 8 * 8; }

// Steps in which a parameter had no gradient (optimizer.h).
struct MissedSteps {
  float drift, decay1, decay2, shrink, epsilon;
};

// The waves over a column of numbers x and their mixtures, W cos(2π (f x + p)) + s.
struct Waves {
  const float* frequencies;  // (f)  in turns for each unit of x
  const float* phases;       // (f)  in turns
  const float* mixtures;     // (m, f)
  const float* shifts;       // (m)
  Index f, m;
};

struct Counts {
  std::int32_t numbers, within;
};

struct Kernels {
  const char* name;

  // For each type of logits; `wide` keeps the float64 results of float logits.
  LogitKernels<float, float> narrow;
  LogitKernels<float, double> wide;
  LogitKernels<double, double> full;

  // The sum of at most Parts::most_addends doubles, all of them at least 0, as a few doubles.
  Parts (*split_sum)(const double* x, Index n) noexcept;

  // How many of n numbers are not NaN, and how many lie in [0, 1]; n <= 2^31.
  Counts (*count_floats)(const float* x, Index n) noexcept;
  Counts (*count_doubles)(const double* x, Index n) noexcept;

  // The rest gives the same bits with every set: no reordering, no contraction, only wider steps.

  // values[i] = f(values[i]); slopes[i] = f'(the old values[i]). Not of parametric_selu:
  void (*activate)(Activation f, float* values, float* slopes, Index n) noexcept;

  // z + a (selu(z) - z) of rows of 16 units, each with its a.
  //   a          (16)
  //   values     (n, 16)  z, and then the result
  //   slopes_a   (n, 16)  out  the result's slope in a; `slopes`: in z
  void (*parametric_selu)(const float* a, float* values, float* slopes, float* slopes_a, Index n) noexcept;

  // The mixtures of each x: columns [first, first + m) of `out`, in panels (panels.h). A number has the same bits alone
  // and among any others. Doubles inside, rounded once; a cosine is off by at most 2^-32.
  void (*waves)(const Waves& waves, const float* x, Index n, float* out, Index first, Index panel) noexcept;

  // The gradients by the arrays, each as large as its array, from those by the mixtures: summed in double, in the order
  // of the rows, rounded once.
  void (*waves_gradient)(const Waves& waves, const float* x, Index n, const float* dout, Index first, Index panel,
                         float* dfrequencies, float* dphases, float* dmixtures, float* dshifts) noexcept;

  // x[i] *= by[i].
  void (*multiply)(float* x, const float* by, Index n) noexcept;

  // out[i] += sum over j < 16 of x[i * 16 + j] * y[i * 16 + j], in double.
  void (*add_row_products)(const float* x, const float* y, Index n, double* out) noexcept;

  // A row of bytes as panels of one row: out[(i / 16) * panel + i % 16] = float(bytes[i]) * scale + shift.
  void (*widen)(const std::uint8_t* bytes, float scale, float shift, float* out, Index panel, Index n) noexcept;

  // Sum of squares in double, in a fixed order.
  double (*sum_of_squares)(const float* x, Index n) noexcept;

  // out[j] = sum over i of rows[i * 16 + j], in double, rounded once; j < 16.
  void (*sum_rows)(const float* rows, Index n, float* out) noexcept;

  // out[j] = sum over i of x[i * 16 + j] * y[i * 16 + j], in double, in the order of i; j < 16.
  void (*sum_products)(const float* x, const float* y, Index n, double* out) noexcept;

  // Adam: mean and square are the running moments of the gradient. Source: Kingma & Ba, ICLR 2015; decoupled decay:
  // Loshchilov & Hutter, ICLR 2019.
  void (*adam)(const AdamStep& step, float* parameters, const float* gradient, float* mean, float* square,
               Index n) noexcept;

  // What `missed` steps without a gradient do, in one: w = shrink * w - drift * mean / (root of square + epsilon), and
  // the moments decay.
  void (*adam_missed)(const MissedSteps& missed, float* parameters, float* mean, float* square, Index n) noexcept;
  void (*sgd_missed)(const MissedSteps& missed, float* parameters, float* velocity, Index n) noexcept;

  // v = momentum * v + g; parameter -= learning_rate * v.
  void (*sgd)(const SgdStep& step, float* parameters, const float* gradient, float* velocity, Index n) noexcept;

  // Nesterov's momentum: v = momentum * v + learning_rate * g; parameter -= momentum * v + learning_rate * g. The
  // parameters are those ahead, where the gradient is taken, and v is a step, which a new learning rate leaves as it
  // is. Source: Sutskever et al., ICML 2013; Bengio, Boulanger-Lewandowski & Pascanu, ICASSP 2013, section 3.5.
  void (*nesterov)(const SgdStep& step, float* parameters, const float* gradient, float* velocity, Index n) noexcept;

  // Products on panels (panels.h). Each entry is one chain of multiply-adds in the order of the inner dimension, fused
  // in all sets but the plain one of a processor without them: the same bits for every tile and batch, and with every
  // set that fuses.

  // out (rows, 16 panels) = a (rows, k) times b (k, 16 panels), plus the bias of each column (null: none).
  //   a, out  rows 16 floats apart, panels a_panel and out_panel
  //   b       rows b_row apart, panels b_panel
  void (*product)(const float* a, Index a_panel, Index rows, Index k, const float* b, Index b_panel, Index b_row,
                  Index panels, const float* bias, float* out, Index out_panel) noexcept;

  // sums (columns, 16 panels) += x (n, columns), turned, times dout (n, 16 panels); all rows 16 floats apart.
  void (*weight_gradient)(const float* x, Index x_panel, Index columns, Index n, const float* dout, Index dout_panel,
                          Index panels, float* sums, Index sums_panel) noexcept;

  // out (16 panels) = bias (null: none) + the sum over i < count of factors[i] times row which[i].
  //   rows  (., 16 panels)  `row` floats apart, panels `panel`
  void (*combine)(const std::int32_t* which, const float* factors, Index count, const float* rows, Index row,
                  Index panel, Index panels, const float* bias, float* out, Index out_panel) noexcept;

  // to[16 * j + i] = from[16 * i + j]; i, j < 16; not in place.
  void (*transpose)(const float* from, float* to) noexcept;
};

// The set in use: the best this machine has, or the one FROMLOGITS_ISA names ("avx512", "avx2", "plain").
const Kernels& kernels() noexcept;

// The named set, or null where this build or this machine lacks it.
const Kernels* kernels_named(const char* name) noexcept;

extern const Kernels plain_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#endif

}  // namespace fromlogits
