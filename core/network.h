// A network of dense layers that ends in logits, with what may stand before them: its training step and prediction.
//
// A step has two phases. In the first, each task takes some rows of the batch through the whole network and back to
// the gradients of every layer's outputs. In the second, each task sums the gradient of some weights over the batch
// and updates them at once, so that no gradient goes through memory. Where a batch has too few rows to share, the
// first phase goes layer by layer; where the first layer has many inputs for its units, another phase in front sums it
// up input by input. How the work is cut follows from shapes alone, and changes no bits: every sum has
// a fixed order (kernels.h).
#pragma once

#include <utility>
#include <vector>

#include "arena.h"
#include "dense.h"
#include "front.h"
#include "optimizer.h"
#include "sparse_batch.h"
#include "threads.h"
#include "views.h"

namespace fromlogits {

enum class Head : int { softmax, sigmoid };

// An array of parameters as it is seen from outside: (rows, columns), row-major.
struct Array {
  Index rows;
  Index columns;
  Index at;         // of its first number in the arena
  bool is_weights;  // of a dense layer: they lie in panels there, as dense.h says, the rows being units
};

struct TrainingPlan {
  OptimizerPlan optimizer;
  double dropout = 0.0;
  Index batch_size = 32;
  std::uint64_t seed = 0;
  double label_smoothing = 0.0;  // share of each target that is spread over all classes, or towards 1/2
  std::vector<Pace> paces = {};  // of each array; empty: rate 1, and the weights of dense layers decay
};

// Targets of all rows, and what they count for. The softmax head takes labels or else values, the sigmoid head values
// or else starts and columns.
struct Targets {
  const std::int32_t* labels = nullptr;   // (n), 0 <= label < c
  const float* values = nullptr;          // (n, c), in [0, 1]; softmax: rows sum to 1; sigmoid: NaN: unknown
  const std::int64_t* starts = nullptr;   // (n + 1): row i is 1 in columns[starts[i]..starts[i + 1]), 0 elsewhere
  const std::int32_t* columns = nullptr;  // 0 <= column < c; or -1 alone in its row, all of which is unknown
  const double* weights = nullptr;        // (n), or (n, c) of the sigmoid head, or null: 1. What weighs 0 takes no part
  bool is_by_entry = false;               // (n, c)
  const double* positive = nullptr;       // (c) of the sigmoid head: weight of target 1; or null: 1
};

// One number for each step.
struct Steps {
  const double* rates;
  const double* decays = nullptr;    // what the weight decay is times; or null: 1
  const double* dropouts = nullptr;  // or null: the plan's
};

class Network {
 public:
  // At least one layer; each layer's d is the previous one's h; the last one is linear.
  //   by_rows  the first layer's weights lie feature by feature, as sparse rows read them; any rows are taken either
  //            way, and to the same bits
  // Sparse rows are taken by networks without a front alone.
  Network(std::vector<DenseLayer> layers, Head head, bool by_rows = false, Front front = {});

  // Where numbers are embedded, of k of them: frequencies (k, f), phases (k, f), mixtures (k, m f), shifts (k, m); or
  // edges (k, b + 1), which never move, mixtures (k, m b), shifts (k, m).
  // Where categories are: vectors (all values, outputs). Where inputs are scaled: factors (d, 1). Then of each dense
  // layer: weights (h, d), biases (h, 1), of parametric_selu its a (h, 1).
  const std::vector<Array>& arrays() const noexcept { return arrays_; }

  // Some rows of one of them. get() needs settle(), and so does set(), or what waits would be done to the new ones.
  void get(std::size_t array, float* out) const noexcept;
  void set(std::size_t array, Span rows, const float* from) noexcept;
  const std::vector<DenseLayer>& layers() const noexcept { return layers_; }
  const Front& front() const noexcept { return front_; }
  Index inputs() const noexcept { return layers_.front().d; }  // of the first dense layer
  Index features() const noexcept { return front_.is_embedding() ? front_.features() : inputs(); }
  Index outputs() const noexcept { return layers_.back().h; }

  // Forgets the optimizer's state; the next step is step 0. Takes the memory that steps need.
  void start(const TrainingPlan& plan);

  // Gives it back; start() comes before the next step. Needs settle().
  void finish() noexcept;

  // Takes the memory that steps on these rows and targets need besides; parameters that waited for their feature catch
  // up where the kind of rows changes.
  void take(const Rows& rows, const Targets& targets);

  // Takes steps on batches of order[0..k), the last one possibly smaller.
  //   order    row numbers, 0 <= order[i] < rows.n, checked by the caller
  //   loss     so far; step by step the sum of each row's weighted loss before its step, in nats, is added, so that the
  //            length of a span does not change the order of the sum
  //   returns  the loss after these steps
  // Needs start() and take(). Allocates nothing.
  double train(const Rows& rows, const Targets& targets, const std::int64_t* order, Index k, const Steps& steps,
               double loss, Team& team) noexcept;

  // Lets the parameters catch up that waited for their feature, before they are read.
  void settle(Team& team) noexcept;

  // out (n, c) = logits of the rows which[i], or of every row where which is null; a row has the same bits alone and
  // among any others. Needs settle().
  void logits(const Rows& rows, const std::int64_t* which, Index n, float* out, Team& team) const;

 private:
  struct Batch;
  // Of an update: all at once; or, where the norm has to be known in between, the gradient, and then the rest.
  enum class Stage { whole, sum, apply };
  // Of the update of what is embedded: the arrays of a number, or some vectors of a category.
  struct FrontTask {
    bool is_number;
    Index which;
    Span values;
  };

  Weights weights(std::size_t layer) const noexcept;
  std::pair<Index, Index> strides(std::size_t weights) const noexcept;
  const float* entering() const noexcept { return (front_.has_scaling ? scaled_ : input_).data(); }
  void add_array(Index rows, Index columns, Index held, bool is_weights = false);
  float* at(std::size_t array) noexcept { return parameters_.data() + arrays_[array].at; }
  const float* at(std::size_t array) const noexcept { return parameters_.data() + arrays_[array].at; }
  bool is_wanted(std::size_t array) const noexcept;
  Dropout dropout(std::size_t layer) const noexcept;
  Slopes slopes(std::size_t layer) noexcept;
  void lay_out(bool by_rows);
  Index most_tasks() const noexcept;

  double step(const Batch& batch, double rate, double decay, Team& team) noexcept;
  Embeddings embeddings() const noexcept;
  float* lines_of(Index number) noexcept { return lines_.data() + number * front_.bins * 2 * front_.mixtures; }
  void draw_lines_of(Index number) noexcept;
  void gather(const Batch& batch, Span rows, Span columns) noexcept;
  void scale(const Batch& batch, Span rows, Span columns) noexcept;
  bool is_of_shares(const Targets& targets) const noexcept;
  void gather_shares(const Targets& from, std::int64_t row, double* shares) const noexcept;
  void gather_targets(const Batch& batch, Span rows) noexcept;
  void sum_some(const Batch& batch, Index part) noexcept;
  void add_up(const Batch& batch, Span rows) noexcept;
  void forward_part(const Batch& batch, std::size_t layer, Span rows, Span units) noexcept;
  void backward_part(const Batch& batch, std::size_t layer, Span rows, Span below) noexcept;
  void made_gradient(const Batch& batch, Span rows, Span panels) noexcept;
  void loss_and_gradient(const Batch& batch, Span rows) noexcept;
  void update(const Batch& batch, Team& team) noexcept;
  double finish_weights(const Batch& batch, std::size_t layer, Span units, Span inputs, Stage stage) noexcept;
  double finish_columns(const Batch& batch, Span columns, Stage stage) noexcept;
  void scale_gradient(Span units, Span inputs, float* sums, Index sums_panel) noexcept;
  double finish_number(const Batch& batch, Index number, Stage stage) noexcept;
  double finish_vectors(const Batch& batch, Index category, Span values, Stage stage) noexcept;
  double finish_factors(Span inputs, Stage stage) noexcept;
  double finish(std::size_t array, Index at, const float* gradient, Index size, Stage stage) noexcept;
  void catch_up(Index column) noexcept;

  std::vector<DenseLayer> layers_;
  Head head_;
  Front front_;
  std::vector<Array> arrays_;
  // Among the arrays: the numbers' are those before vectors_, and their last one the shifts.
  std::size_t vectors_ = 0, factors_ = 0;
  std::vector<std::size_t> of_layers_;  // the weights of each layer among the arrays; its other arrays follow
  Index arena_size_ = 0;
  Buffer<float> parameters_;
  Buffer<float> lines_;  // of each number's bins, as its parameters are (front.h)
  bool by_rows_;         // the first layer's weights

  TrainingPlan plan_;
  std::vector<FrontTask> front_tasks_;  // of what learns
  double dropout_ = 0.0;                // of this step
  Optimizer optimizer_;
  Buffer<float> gradient_;  // as the parameters; only where the norm has to be known before the update
  Buffer<double> squares_;  // of each task's part of it
  SparseBatch sparse_;
  Buffer<std::int32_t> settled_;  // (d) the steps that a sparse input's weights have taken part in
  bool is_settled_ = true;

  // One batch: the gathered input, then per layer its output, slopes, and gradient by its output, upright and turned.
  Buffer<float> input_;
  Buffer<float> embedded_;       // (features that are embedded, batch)
  Buffer<float> dinputs_;        // (batch, made): the gradient by the inputs that are made
  Buffer<float> dnumbers_;       // as the numbers' arrays: the gradient by them
  Buffer<double> bin_sums_;      // as lines_
  Buffer<float> scaled_;         // only with scaling
  Buffer<double> factor_parts_;  // (tiles of units, d) of the gradient by the factors
  Buffer<float> sums_;           // of the first layer where it is shared out by its inputs: over each part of them
  std::vector<Buffer<float>> outputs_, slopes_, douts_, turned_;
  std::vector<Buffer<double>> da_;  // of each 16 rows the gradient by a layer's a
  Buffer<float> logits_;            // (batch, c), and then their gradient
  Buffer<std::int32_t> labels_;     // (batch) of the softmax head
  Buffer<float> targets_;           // (batch, c) of the sigmoid head
  Buffer<double> shares_;           // (batch, c) of the softmax head; only with values or smoothing
  Buffer<double> losses_;           // (batch)
  Buffer<double> weights_;          // softmax: (batch); sigmoid: (batch, c); only with weights
  Buffer<double> positive_;         // (rows of a task, c), each row the same
  Buffer<double> head_memory_;      // softmax: scratch of each block; sigmoid: losses of each entry
};

}  // namespace fromlogits
