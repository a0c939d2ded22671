#include "loss.h"

#include <cmath>

namespace fromlogits {

namespace {

struct Top {
  double max;
  Index at;
};

// The largest logit. A tie goes to `preferred`, so that a true class among the largest is the one kept apart.
Top top(const float* z, Index c, Index preferred) noexcept {
  float max = z[preferred];
  Index at = preferred;
  for (Index k = 0; k < c; ++k) {
    if (z[k] > max) {
      max = z[k];
      at = k;
    }
  }
  return {max, at};
}

// exp(z_k - max) for each k, exactly 1 at the top; returns the sum over all but the top, in the order of k.
double shifted_exponentials(const float* z, Top top, double* terms, Index c) noexcept {
  double others = 0.0;
  for (Index k = 0; k < c; ++k) {
    terms[k] = std::exp(static_cast<double>(z[k]) - top.max);
    if (k != top.at) others += terms[k];
  }
  return others;
}

struct Entropy {
  double loss;
  double gradient;
};

Entropy sigmoid_cross_entropy(double z, double t) noexcept {
  if (std::isnan(t)) return {0.0, 0.0};
  const double x = std::abs(z);
  const double e = std::exp(-x);
  const double right = z > 0 && t != 1 ? (1 - t) * z : 0.0;  // 0 * inf counts as 0
  const double left = z < 0 && t != 0 ? t * -z : 0.0;
  const double loss = right + left + std::log1p(e);
  double gradient;
  if (x <= 0.5 && t > 0 && t < 1) {  // near the prediction the two terms nearly cancel: subtract the exact parts first
    const double m = std::expm1(-x);
    gradient = ((1 - 2 * t) + (z >= 0 ? -t * m : (1 - t) * m)) / (2 + m);
  } else {
    gradient = (z >= 0 ? (1 - t) - t * e : (1 - t) * e - t) / (1 + e);
  }
  if (std::isnan(z)) return {z, z};
  return {loss, gradient};
}

}  // namespace

void softmax_row(const float* z, float* probabilities, double* scratch, Index c) noexcept {
  const double others = shifted_exponentials(z, top(z, c, 0), scratch, c);
  for (Index k = 0; k < c; ++k) probabilities[k] = static_cast<float>(scratch[k] / (1 + others));
}

void log_softmax_row(const float* z, float* log_probabilities, Index c) noexcept {
  const Top highest = top(z, c, 0);
  double others = 0.0;
  for (Index k = 0; k < c; ++k) {
    if (k != highest.at) others += std::exp(static_cast<double>(z[k]) - highest.max);
  }
  const double rest = std::log1p(others);
  for (Index k = 0; k < c; ++k) {
    log_probabilities[k] = static_cast<float>((static_cast<double>(z[k]) - highest.max) - rest + 0.0);
  }
}

float sigmoid(float z) noexcept {
  const double e = std::exp(-std::abs(static_cast<double>(z)));
  return static_cast<float>((z >= 0 ? 1.0 : e) / (1 + e));
}

float log_sigmoid(float z) noexcept {
  const double x = z;
  return static_cast<float>((x < 0 ? x : 0.0) - std::log1p(std::exp(-std::abs(x))) + 0.0);
}

double softmax_cross_entropy_row(const float* z, std::int32_t label, double weight, float* dz, double* scratch,
                                 Index c) noexcept {
  const Top highest = top(z, c, label);
  const double others = shifted_exponentials(z, highest, scratch, c);
  const double loss = (highest.max - static_cast<double>(z[label])) + std::log1p(others);
  if (dz == nullptr) return loss;

  double not_label = 0.0;
  for (Index k = 0; k < c; ++k) {
    if (k != label) not_label += scratch[k];
  }
  const double total = 1 + others;
  for (Index k = 0; k < c; ++k) {
    const double gradient = k == label ? -not_label / total : scratch[k] / total;
    dz[k] = static_cast<float>(weight * gradient + 0.0);
  }
  return loss;
}

double sigmoid_cross_entropy_row(const float* z, const float* t, double weight, float* dz, Index c) noexcept {
  double loss = 0.0;
  for (Index k = 0; k < c; ++k) {
    const Entropy entropy = sigmoid_cross_entropy(z[k], t[k]);
    loss += entropy.loss;
    if (dz != nullptr) dz[k] = static_cast<float>(weight * entropy.gradient + 0.0);
  }
  return loss;
}

}  // namespace fromlogits
