// What stands before the dense layers: columns of numbers become waves and mixtures of them, categories become vectors,
// and each input of the first dense layer may have a factor.
//
// The inputs of the first dense layer are, in this order: of each number itself and its mixtures; the vector of each
// category; the other features.
#pragma once

#include <vector>

#include "kernels.h"
#include "panels.h"
#include "views.h"

namespace fromlogits {

struct Category {
  Index feature;
  Index values;
};

struct Front {
  bool has_scaling = false;         // each input of the first dense layer times a factor of its own
  std::vector<Index> numbers = {};  // features that are embedded as numbers
  Index frequencies = 0;            // of each; 0: no numbers are embedded
  Index mixtures = 0;               // of each
  std::vector<Category> categories = {};
  Index outputs = 0;               // of a category's vector, at most 4096; 0: none is embedded
  std::vector<Index> others = {};  // the other features, ascending; only where some are embedded

  bool is_embedding() const noexcept { return frequencies > 0 || outputs > 0; }
  Index columns() const noexcept { return size(numbers) + size(categories); }

  // Inputs of the first dense layer that are made, the first ones; where those of a number or a category begin.
  Index made() const noexcept { return vector_of(size(categories)); }
  Index inputs_of(Index number) const noexcept { return number * (1 + mixtures); }
  Index vector_of(Index category) const noexcept { return inputs_of(size(numbers)) + category * outputs; }
  Index inputs() const noexcept { return made() + size(others); }
  Index features() const noexcept { return columns() + size(others); }

  static Index size(const auto& list) noexcept { return static_cast<Index>(list.size()); }
};

// Row i of n: its embedded features, into column after column of `embedded` (columns, n), numbers first; and into the
// panels of `inputs` (n, inputs) those features that are inputs themselves.
void gather(const Front& front, const Rows& rows, Index row, Index i, Index n, float* embedded, float* inputs) noexcept;

// The other inputs, of `rows`.
//   waves    of the first number; those of the others follow
//   vectors  (all values, outputs)  of one category after the other. What is not a code below `values` has none: zeros
void embed(const Front& front, const Waves& waves, const float* vectors, const float* embedded, Index n, Span rows,
           float* inputs) noexcept;

// Of a number: the arrays that are its own.
Waves waves_of(const Waves& first, Index number) noexcept;

// sums (values.size, outputs) = the gradient by the vectors of some values of a category, row after row.
//   codes    (n)
//   dinputs  (n, made)
void vector_gradient(const Front& front, Index category, Span values, const float* codes, const float* dinputs, Index n,
                     float* sums) noexcept;

}  // namespace fromlogits
