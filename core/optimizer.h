// The parameter update, part by part, and the state it keeps.
#pragma once

#include <array>

#include "arena.h"
#include "kernels.h"

namespace fromlogits {

enum class Method : int { adam, adamw, sgd, nesterov };

struct OptimizerPlan {
  Method method = Method::adam;
  double momentum = 0.9;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double clip_norm = 0.0;  // 0: no clipping
};

// What the learning rate and the weight decay of an array are times. Rate 0: it never moves, whatever its decay.
struct Pace {
  double rate = 1.0;
  double decay = 0.0;
};

// Parameters without a gradient in some steps can be left alone in these and catch up later: what the steps would have
// done is done at once. The moments decay by beta^missed, and the weights drift as they would have, for the drift of a
// step is the same number times mean / root of square for all parameters. Exact but for the rounding, and for epsilon
// where it is not small against the root.
class Optimizer {
 public:
  // Forgets all state.
  //   waiting  of the parameters that catch up
  void start(const OptimizerPlan& plan, Index parameters, const Pace& waiting);

  // Gives the state's memory back; start() comes before the next step.
  void finish() noexcept { first_ = {}, second_ = {}; }

  // Begins the next step; until the next begin() every parameter gets one update() or none.
  //   penalty  what the weight decay of this step is times
  void begin(double learning_rate, double penalty) noexcept;

  // Of this step's gradients: the clipping's factor.
  void scale_gradients(double scale) noexcept;

  // parameters + at, gradient: `size` of them.
  void update(float* parameters, Index at, const float* gradient, Index size, const Pace& pace) const noexcept;

  // Does what the last `missed` steps, at most patience(), would have done without a gradient.
  void catch_up(float* parameters, Index at, Index size, Index missed) const noexcept;

  bool has_velocity() const noexcept { return plan_.method == Method::sgd || plan_.method == Method::nesterov; }
  Index patience() const noexcept { return patience_; }
  Index steps() const noexcept { return steps_; }
  const OptimizerPlan& plan() const noexcept { return plan_; }

  // (parameters): running mean of the gradient, or the velocity; running mean of its square, or null.
  float* first() noexcept { return first_.data(); }
  float* second() noexcept { return second_.data(); }

 private:
  double shrink_of(const Pace& pace) const noexcept;

  static constexpr Index most_missed = 256;

  OptimizerPlan plan_;
  mutable Buffer<float> first_, second_;
  Index steps_ = 0, patience_ = most_missed;
  // Of this step; what an array's pace changes of them is set in update().
  AdamStep adam_{};
  SgdStep sgd_{};
  double learning_rate_ = 0.0, correction1_ = 1.0, decay_ = 0.0;
  Pace waiting_;

  // [i]: of having missed the last i steps.
  std::array<double, most_missed + 1> drift_{}, shrinks_{}, epsilons_{}, decay1_{}, decay2_{};
};

}  // namespace fromlogits
