// Probabilities, losses and gradients straight from logits, row by row. Float32 in and out, float64 inside, each
// result rounded once. Formulas: docs/maths/from-logits.md; Blanchard, Higham & Higham, IMA J. Numer. Anal. 41, 2021.
//   z        (c)  logits; -inf masks a class; NaN anywhere in a row makes its results NaN
//   scratch  (c)  doubles of the caller, overwritten
// All results are +0, never -0, where they vanish. c >= 1. Outputs may be the same memory as z.
#pragma once

#include "views.h"

namespace fromlogits {

void softmax_row(const float* z, float* probabilities, double* scratch, Index c) noexcept;
void log_softmax_row(const float* z, float* log_probabilities, Index c) noexcept;
float sigmoid(float z) noexcept;
float log_sigmoid(float z) noexcept;

// Softmax cross-entropy of class `label` in nats.
//   dz  (c)  out  weight * gradient, or null: only the loss is wanted
// The true class's gradient is minus the sum of the others, never p - 1. A masked true class gives inf.
double softmax_cross_entropy_row(const float* z, std::int32_t label, double weight, float* dz, double* scratch,
                                 Index c) noexcept;

// Sum over labels of the sigmoid cross-entropy with targets t in [0, 1]; NaN target: unknown, no loss, no gradient.
double sigmoid_cross_entropy_row(const float* z, const float* t, double weight, float* dz, Index c) noexcept;

}  // namespace fromlogits
