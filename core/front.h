// What stands before the dense layers: columns of numbers become mixtures of waves or piecewise linear functions,
// categories become vectors, and each input of the first dense layer may have a factor.
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
  Index frequencies = 0;            // of each; 0: no numbers are embedded by waves
  Index mixtures = 0;               // of each
  std::vector<Category> categories = {};
  Index outputs = 0;               // of a category's vector, at most 4096; 0: none is embedded
  std::vector<Index> others = {};  // the other features, ascending; only where some are embedded
  Index bins = 0;                  // of each number; 0: none is embedded by them. Not where frequencies are

  bool is_embedding() const noexcept { return frequencies > 0 || bins > 0 || outputs > 0; }
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

// The piecewise linear functions of a column of numbers, W c(x) + s. Bin b lies between the edges b and b + 1, and
// component b of c(x) is the share of it that lies left of x; of a bin without width 0.
struct Bins {
  const float* edges;  // (b + 1)  ascending
  const float* lines;  // (b, 2, m)  of each bin: W c + s at its left edge, and how much it grows to the right one
  Index b, m;
};

// The arrays of what is embedded.
struct Embeddings {
  Waves waves;           // of the first number; those of the others follow
  Bins bins;             // likewise
  const float* vectors;  // (all values, outputs)  of one category after the other
};

// The other inputs, of `rows`. What is not a code below `values` has no vector: zeros.
void embed(const Front& front, const Embeddings& by, const float* embedded, Index n, Span rows, float* inputs) noexcept;

// Of a number: the arrays that are its own.
Waves waves_of(const Waves& first, Index number) noexcept;
Bins bins_of(const Bins& first, Index number) noexcept;

// `lines` (b, 2, m) of edges (b + 1), mixtures (m, b) and shifts (m), summed in double from the first bin on and
// rounded once.
void draw_lines(const float* edges, const float* mixtures, const float* shifts, Index b, Index m,
                float* lines) noexcept;

// The gradients by a number's mixtures (m, b) and shifts (m), from those by its inputs: summed in double, rounded once.
//   x        (n)
//   dinputs  (n, made)
//   sums     (b, 2, m)  scratch
void line_gradient(const Front& front, Index number, const Bins& bins, const float* x, const float* dinputs, Index n,
                   double* sums, float* dmixtures, float* dshifts) noexcept;

// sums (values.size, outputs) = the gradient by the vectors of some values of a category, row after row.
//   codes    (n)
//   dinputs  (n, made)
void vector_gradient(const Front& front, Index category, Span values, const float* codes, const float* dinputs, Index n,
                     float* sums) noexcept;

}  // namespace fromlogits
