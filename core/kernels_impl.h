// Bodies of kernels.h. Included by one source per instruction set, which defines FROMLOGITS_TARGET, the table's name,
// and FROMLOGITS_TARGET_NAME. The loops are written so that the compiler vectorises them for that set.
#include <cmath>

#include "kernels.h"
#include "logits_impl.h"
#include "products_impl.h"

namespace fromlogits {
namespace {

struct Activated {
  F64 value, slope;
};

// Doubles inside, each result rounded once.
template <class F>
inline void by_lanes(float* values, float* slopes, Index n, F f) {
  for (; n >= lanes; n -= lanes, values += lanes, slopes += lanes) {
    const Activated at = f(load(values));
    store(at.value, values);
    store(at.slope, slopes);
  }
  if (n == 0) return;
  const Activated at = f(load_part(values, n, 0.0f));
  store_part(at.value, values, n);
  store_part(at.slope, slopes, n);
}

// exp(x) and exp(x) - 1 of x <= 0, each to 2^-50 of itself. Nothing is fused, so that every instruction set gives the
// same bits. x = n log(2) + r with |r| <= log(2) / 2, and exp(x) = 2^n (1 + r + r^2 P(r)).
inline Exponential decay(F64 x) {
  constexpr double shifter = 0x1.8p52 + 1023.0;  // adding it leaves the nearest integer, biased, in the low bits
  x = at_least(-700.0, x);
  const F64 shifted = x * 0x1.71547652b82fep0 + shifter, n = shifted - shifter;
  const F64 r = (x - n * log2_high) - n * log2_low;
  F64 p = all(exp_polynomial[std::size(exp_polynomial) - 1]);
  for (std::size_t k = std::size(exp_polynomial) - 1; k-- > 0;) p = p * r + exp_polynomial[k];
  const F64 grown = r + r * r * p, scale = value(bits(shifted) << 52);
  return {scale * grown + scale, scale * grown + (scale - 1.0)};
}

// Source: Klambauer et al., NeurIPS 2017.
inline Activated selu(F64 z) {
  constexpr double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  const auto [e, m] = decay(at_most(0.0, z));
  const I64 is_positive = z > 0.0;
  return {take(is_positive, scale * z, scale * alpha * m), take(is_positive, all(scale), scale * alpha * e)};
}

void activate(Activation f, float* values, float* slopes, Index n) noexcept {
  switch (f) {
    case Activation::linear:
      for (Index i = 0; i < n; ++i) slopes[i] = 1.0f;
      return;
    case Activation::relu:
      for (Index i = 0; i < n; ++i) {
        const float z = values[i];
        slopes[i] = z > 0.0f ? 1.0f : 0.0f;
        values[i] = z < 0.0f ? 0.0f : z;  // NaN stays NaN, so that a diverged network is noticed
      }
      return;
    case Activation::tanh:
      // From m = exp(-2|z|) - 1 both are free of cancellation: tanh|z| = -m/(2+m), tanh' = 4(1+m)/(2+m)^2.
      return by_lanes(values, slopes, n, [](F64 z) -> Activated {
        const auto [e, m] = decay(-2.0 * absolute(z));
        const F64 part = 1.0 / (2.0 + m);
        return {value(bits(-m * part) | (bits(z) & bits(all(-0.0)))), 4.0 * e * part * part};
      });
    case Activation::gelu:  // z * Phi(z), exact; Phi by erfc so that the negative tail keeps its digits
      for (Index i = 0; i < n; ++i) {
        const float z = values[i];
        const float cumulative = 0.5f * std::erfc(-0.70710678118654752f * z);
        const float density = 0.39894228040143268f * std::exp(-0.5f * z * z);
        slopes[i] = cumulative + z * density;
        values[i] = z * cumulative;
      }
      return;
    case Activation::silu:  // z * sigmoid(z)
      return by_lanes(values, slopes, n, [](F64 z) -> Activated {
        const F64 e = decay(-absolute(z)).e, high = 1.0 / (1.0 + e), low = e * high;
        const I64 is_positive = z >= 0.0;
        const F64 at = take(is_positive, high, low), against = take(is_positive, low, high);
        return {z * at, at * (1.0 + z * against)};
      });
    case Activation::sigmoid:
      return by_lanes(values, slopes, n, [](F64 z) -> Activated {
        const F64 e = decay(-absolute(z)).e, high = 1.0 / (1.0 + e), low = e * high;
        return {take(z >= 0.0, high, low), high * low};
      });
    case Activation::selu:
      return by_lanes(values, slopes, n, selu);
    case Activation::parametric_selu:
      return;  // a kernel of its own
  }
}

void parametric_selu(const float* a, float* values, float* slopes, float* slopes_a, Index n) noexcept {
  for (Index k = 0; k < lane_count; k += lanes) {
    const F64 blend = load(a + k);
    for (Index at = k; at < n * lane_count; at += lane_count) {
      const F64 z = load(values + at);
      const Activated whole = selu(z);
      const F64 bend = whole.value - z;
      store(z + blend * bend, values + at);
      store(1.0 + blend * (whole.slope - 1.0), slopes + at);
      store(bend, slopes_a + at);
    }
  }
}

struct Wave {
  F64 cosine, sine;
};

// cos and sin of so many turns, off by at most 2^-32. The nearest whole number is taken away, which is exact; beyond
// 2^51 turns, where there is nothing left of an angle, they stay in [-1, 1]. Nothing is fused.
inline Wave wave(F64 turns) {
  constexpr double shifter = 0x1.8p52;  // adding it leaves the nearest whole number
  const F64 r = at_least(-0.5, at_most(0.5, turns - ((turns + shifter) - shifter))), z = r * r;
  const auto series = [&](const auto& coefficients) {
    F64 sum = all(coefficients[std::size(coefficients) - 1]);
    for (std::size_t k = std::size(coefficients) - 1; k-- > 0;) sum = sum * z + coefficients[k];
    return sum;
  };
  return {series(cosine_polynomial), r * series(sine_polynomial)};
}

constexpr Index mixtures_abreast = 16;  // so many sums at a time; the waves are made anew for the next ones

void waves(const Waves& by, const float* x, Index n, float* out, Index first, Index panel) noexcept {
  for (Index k = 0; k < by.m; k += mixtures_abreast) {
    const Index count = std::min(mixtures_abreast, by.m - k);
    for (Index i = 0; i < n; i += lanes) {
      const Index rows = std::min<Index>(lanes, n - i);
      const F64 at = load_part(x + i, rows, 0.0f);
      F64 sums[mixtures_abreast];
      for (Index m = 0; m < count; ++m) sums[m] = all(static_cast<double>(by.shifts[k + m]));
      for (Index f = 0; f < by.f; ++f) {
        const F64 cosine = wave(at * static_cast<double>(by.frequencies[f]) + static_cast<double>(by.phases[f])).cosine;
        for (Index m = 0; m < count; ++m) sums[m] += cosine * static_cast<double>(by.mixtures[(k + m) * by.f + f]);
      }
      for (Index m = 0; m < count; ++m) {
        float mixed[lanes];
        store(sums[m], mixed);
        const Index column = first + k + m;
        float* const to = out + column / lane_count * panel + column % lane_count + i * lane_count;
        for (Index r = 0; r < rows; ++r) to[r * lane_count] = mixed[r];
      }
    }
  }
}

void waves_gradient(const Waves& by, const float* x, Index n, const float* dout, Index first, Index panel,
                    float* dfrequencies, float* dphases, float* dmixtures, float* dshifts) noexcept {
  const auto of_mixture = [&](Index m) { return dout + (first + m) / lane_count * panel + (first + m) % lane_count; };
  for (Index m = 0; m < by.m; ++m) {
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) sum += static_cast<double>(of_mixture(m)[i * lane_count]);
    dshifts[m] = static_cast<float>(sum);
  }
  for (Index f = 0; f < by.f; f += lanes) {
    const Index some = std::min<Index>(lanes, by.f - f);
    const F64 frequency = load_part(by.frequencies + f, some, 0.0f), phase = load_part(by.phases + f, some, 0.0f);
    F64 by_frequency{}, by_phase{};
    for (Index k = 0; k < by.m; k += mixtures_abreast) {
      const Index count = std::min(mixtures_abreast, by.m - k);
      F64 weights[mixtures_abreast], by_weights[mixtures_abreast];
      const float* from[mixtures_abreast];
      for (Index m = 0; m < count; ++m) {
        weights[m] = load_part(by.mixtures + (k + m) * by.f + f, some, 0.0f);
        by_weights[m] = F64{};
        from[m] = of_mixture(k + m);
      }
      for (Index i = 0; i < n; ++i) {
        const auto at = static_cast<double>(x[i]);
        const Wave here = wave(frequency * at + phase);
        F64 by_cosine{};
        for (Index m = 0; m < count; ++m) {
          const auto dmixed = static_cast<double>(from[m][i * lane_count]);
          by_cosine += weights[m] * dmixed;
          by_weights[m] += here.cosine * dmixed;
        }
        const F64 by_turns = here.sine * by_cosine;
        by_phase += by_turns;
        by_frequency += by_turns * at;
      }
      for (Index m = 0; m < count; ++m) store_part(by_weights[m], dmixtures + (k + m) * by.f + f, some);
    }
    constexpr double slope = -6.283185307179586;  // of the cosine: times the sine
    store_part(by_phase * slope, dphases + f, some);
    store_part(by_frequency * slope, dfrequencies + f, some);
  }
}

template <class T>
Counts count(const T* x, Index n) noexcept {
  std::int32_t numbers = 0, within = 0;
  for (Index i = 0; i < n; ++i) {
    numbers += x[i] == x[i];
    within += (x[i] >= T{0}) & (x[i] <= T{1});
  }
  return {numbers, within};
}

void multiply(float* x, const float* by, Index n) noexcept {
  for (Index i = 0; i < n; ++i) x[i] *= by[i];
}

void add_row_products(const float* x, const float* y, Index n, double* out) noexcept {
  for (Index i = 0; i < n; ++i, x += lane_count, y += lane_count) {
    double sums[lane_count];
    for (Index j = 0; j < lane_count; ++j) sums[j] = static_cast<double>(x[j]) * static_cast<double>(y[j]);
    for (Index half = lane_count / 2; half > 0; half /= 2) {
      for (Index j = 0; j < half; ++j) sums[j] += sums[j + half];
    }
    out[i] += sums[0];
  }
}

void widen(const std::uint8_t* bytes, float scale, float shift, float* out, Index panel, Index n) noexcept {
  for (; n >= lane_count; n -= lane_count, bytes += lane_count, out += panel) {
    for (Index i = 0; i < lane_count; ++i) out[i] = static_cast<float>(bytes[i]) * scale + shift;
  }
  for (Index i = 0; i < n; ++i) out[i] = static_cast<float>(bytes[i]) * scale + shift;
}

double sum_of_squares(const float* x, Index n) noexcept {
  constexpr Index abreast = 16;  // their sums are independent, so the loop vectorises and the order stays fixed
  double sums[abreast] = {};
  Index i = 0;
  for (; i + abreast <= n; i += abreast) {
    for (Index k = 0; k < abreast; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  }
  for (Index k = 0; i + k < n; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

void sum_rows(const float* rows, Index n, float* out) noexcept {
  double sums[lane_count] = {};
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < lane_count; ++j) sums[j] += static_cast<double>(rows[i * lane_count + j]);
  }
  for (Index j = 0; j < lane_count; ++j) out[j] = static_cast<float>(sums[j]);
}

void sum_products(const float* x, const float* y, Index n, double* out) noexcept {
  double sums[lane_count] = {};
  for (Index i = 0; i < n * lane_count; i += lane_count) {
    for (Index j = 0; j < lane_count; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
  }
  std::copy_n(sums, lane_count, out);
}

// A moment whose gradient has become 0 decays into the subnormal numbers and sticks there, and they are slow (twice
// the time of a step on 784-25-15-10). Below the normal ones a moment moves no parameter: it becomes 0.
inline float settled(float x) { return std::fabs(x) < 1.17549435e-38f ? 0.0f : x; }

void adam(const AdamStep& s, float* parameters, const float* gradient, float* mean, float* square, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    const float g = gradient[i] * s.gradient_scale + s.l2 * parameters[i];
    mean[i] = settled(s.beta1 * mean[i] + s.rest1 * g);
    square[i] = settled(s.beta2 * square[i] + s.rest2 * (g * g));
    const float root = std::sqrt(square[i]) * s.root_correction + s.epsilon;
    parameters[i] = parameters[i] * s.shrink - s.step_size * (mean[i] / root);
  }
}

void sgd(const SgdStep& s, float* parameters, const float* gradient, float* velocity, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    const float v = s.momentum * velocity[i] + (gradient[i] * s.gradient_scale + s.l2 * parameters[i]);
    velocity[i] = settled(v);
    parameters[i] -= s.learning_rate * velocity[i];
  }
}

void nesterov(const SgdStep& s, float* parameters, const float* gradient, float* velocity, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    const float step = s.learning_rate * (gradient[i] * s.gradient_scale + s.l2 * parameters[i]);
    velocity[i] = settled(s.momentum * velocity[i] + step);
    parameters[i] -= s.momentum * velocity[i] + step;
  }
}

void adam_missed(const MissedSteps& s, float* parameters, float* mean, float* square, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    parameters[i] = parameters[i] * s.shrink - s.drift * (mean[i] / (std::sqrt(square[i]) + s.epsilon));
    mean[i] = settled(mean[i] * s.decay1);
    square[i] = settled(square[i] * s.decay2);
  }
}

void sgd_missed(const MissedSteps& s, float* parameters, float* velocity, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    parameters[i] -= s.drift * velocity[i];
    velocity[i] = settled(velocity[i] * s.decay1);
  }
}

}  // namespace

const Kernels FROMLOGITS_TARGET = {FROMLOGITS_TARGET_NAME,
                                   from_logits<float, float>,
                                   from_logits<float, double>,
                                   from_logits<double, double>,
                                   split_sum,
                                   count<float>,
                                   count<double>,
                                   activate,
                                   parametric_selu,
                                   waves,
                                   waves_gradient,
                                   multiply,
                                   add_row_products,
                                   widen,
                                   sum_of_squares,
                                   sum_rows,
                                   sum_products,
                                   adam,
                                   adam_missed,
                                   sgd_missed,
                                   sgd,
                                   nesterov,
                                   product,
                                   weight_gradient,
                                   combine,
                                   transpose};

}  // namespace fromlogits
