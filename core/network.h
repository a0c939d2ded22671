// A network of dense layers that ends in logits, its training step and its prediction.
#pragma once

#include <vector>

#include "arena.h"
#include "dense.h"
#include "optimizer.h"
#include "threads.h"
#include "views.h"

namespace fromlogits {

enum class Head : int { softmax, sigmoid };

struct TrainingPlan {
  OptimizerPlan optimizer;
  double dropout = 0.0;
  Index batch_size = 32;
  std::uint64_t seed = 0;
};

// Targets of all rows; which one is set follows from the head.
struct Targets {
  const std::int32_t* labels = nullptr;  // (n), 0 <= label < c
  const float* values = nullptr;         // (n, c), in [0, 1]; NaN: unknown
};

class Network {
 public:
  // At least one layer; each layer's d is the previous one's h; the last one is linear.
  Network(std::vector<DenseLayer> layers, Head head);

  // Layer by layer, weights (h, d) then biases (h).
  float* parameters() noexcept { return parameters_.data(); }
  const float* parameters() const noexcept { return parameters_.data(); }
  Index parameter_count() const noexcept { return parameter_count_; }
  Index inputs() const noexcept { return layers_.front().d; }
  Index outputs() const noexcept { return layers_.back().h; }

  // Forgets the optimizer's state; the next step is step 0. Takes the memory that steps need.
  void start(const TrainingPlan& plan);

  // Takes steps on batches of order[0..k), the last one possibly smaller; rates has one learning rate a step.
  //   order    row numbers, 0 <= order[i] < rows.n, checked by the caller
  //   loss     so far; step by step the sum of each row's loss before its step, in nats, is added, so that the length
  //            of a span does not change the order of the sum
  //   returns  the loss after these steps
  // Needs start(). Allocates nothing.
  double train(const Rows& rows, const Targets& targets, const std::int64_t* order, Index k, const double* rates,
               double loss, Team& team) noexcept;

  // out (n, c) = logits of every row; a row has the same bits alone and among any others.
  void logits(const Rows& rows, float* out, Team& team) const;

 private:
  double step(const Rows& rows, const Targets& targets, const std::int64_t* order, Index n, double rate,
              Team& team) noexcept;
  double loss_and_gradient(const Targets& targets, const std::int64_t* order, Index n, Team& team) noexcept;

  std::vector<DenseLayer> layers_;
  Head head_;
  std::vector<Index> offsets_;  // of each layer's weights in the arena; its biases follow
  Index parameter_count_ = 0;
  Buffer<float> parameters_;
  Buffer<float> gradient_;

  TrainingPlan plan_;
  Optimizer optimizer_;
  std::uint64_t steps_ = 0;

  // One batch: the gathered input, then per layer its output, slopes and gradient by its output.
  Buffer<float> input_;
  std::vector<Buffer<float>> outputs_, slopes_, doutputs_;
  Buffer<std::int32_t> labels_;  // (batch) of the softmax head
  Buffer<float> targets_;        // (batch, c) of the sigmoid head
  Buffer<double> losses_;        // (batch)
  Buffer<double> head_memory_;   // softmax: scratch of each task; sigmoid: losses of each entry
};

}  // namespace fromlogits
