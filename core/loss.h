// From logits, on any number of rows and threads: what the kernels do on a block, with targets and weights as people
// have them. Bits depend on no thread count.
#pragma once

#include <vector>

#include "exact_sum.h"
#include "kernels.h"
#include "threads.h"

namespace fromlogits {

template <class In, class Out>
const LogitKernels<In, Out>& logit_kernels() noexcept;

// What the rows of a softmax loss aim at: classes, or probabilities.
struct SoftmaxTargets {
  const std::int32_t* labels = nullptr;   // (n), in [0, c), or -1: the row is left out
  const float* floats = nullptr;          // (n, c) probabilities; labels, floats or doubles is set
  const double* doubles = nullptr;        // (n, c)
  const double* class_weights = nullptr;  // (c), or null
  double smoothing = 0.0;                 // this share is spread evenly over the unmasked classes
};

struct SigmoidTargets {
  const float* floats = nullptr;  // (n) in [0, 1]; NaN: unknown; floats or doubles is set
  const double* doubles = nullptr;
  double smoothing = 0.0;
  const double* positive = nullptr;  // (period): weight of target 1, repeated; or null: 1
  Index period = 1;
};

// Of targets: how many are known (not NaN), and which is the first that is known and outside [0, 1], or -1.
struct Shares {
  Index known = 0;
  Index first_outside = -1;
};
Shares check_shares(const float* x, Index n, Team& team);
Shares check_shares(const double* x, Index n, Team& team);

// The exact sum of the weighted losses, and how many of them are NaN.
struct LossSum {
  ExactSum sum;
  Index nans = 0;
};

// softmax, log_softmax (n, c), logsumexp (n)
enum class RowResult { softmax, log_softmax, logsumexp };
template <class In, class Out>
Index by_rows(RowResult what, const In* z, Out* out, Index n, Index c, Team& team);  // returns: rows of NaN

enum class EntryResult { sigmoid, log_sigmoid };
template <class In, class Out>
Index by_entries(EntryResult what, const In* z, Out* out, Index n, Team& team);  // returns: entries that are NaN

// Softmax cross-entropy of n rows, in nats.
//   weights  (n)     or null. Weight 0 leaves the row out: no loss, no gradient
//   dz       (n, c)  out  weights[i] / divisor * gradient of row i's loss; or null
//   losses   (n)     out  weights[i] * loss; or null
template <class In, class Out>
LossSum softmax_cross_entropy(const In* z, const SoftmaxTargets& targets, const double* weights, double divisor,
                              Out* dz, double* losses, Index n, Index c, Team& team);

// Sigmoid cross-entropy of n entries, in nats.
//   weights  (n / each)  or null; one for every `each` entries that follow another
template <class In, class Out>
LossSum sigmoid_cross_entropy(const In* z, const SigmoidTargets& targets, const double* weights, Index each,
                              double divisor, Out* dz, double* losses, Index n, Team& team);

}  // namespace fromlogits
