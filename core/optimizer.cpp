#include "optimizer.h"

#include <algorithm>
#include <cmath>

namespace fromlogits {

void Optimizer::start(const OptimizerPlan& plan, Index parameters, const Pace& waiting) {
  plan_ = plan;
  waiting_ = waiting;
  steps_ = 0;
  const bool has_second = !has_velocity();
  first_.reserve(parameters);
  first_.fill_zero();
  if (has_second) {
    second_.reserve(parameters);
    second_.fill_zero();
  }
  // Where the mean decays more slowly than the root, the drift of a step grows until epsilon bounds it: no waiting.
  patience_ = !has_second || plan.beta1 * plan.beta1 <= plan.beta2 ? most_missed : 1;
  drift_.fill(0.0);
  shrinks_.fill(1.0);
  epsilons_.fill(plan.epsilon);
  for (Index i = 0; i <= most_missed; ++i) {
    const auto missed = static_cast<double>(i);
    decay1_[static_cast<std::size_t>(i)] = std::pow(has_second ? plan.beta1 : plan.momentum, missed);
    decay2_[static_cast<std::size_t>(i)] = std::pow(has_second ? plan.beta2 : 1.0, missed);
  }
}

void Optimizer::begin(double learning_rate, double penalty) noexcept {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double correction1 = 1.0 - std::pow(plan_.beta1, t), correction2 = 1.0 - std::pow(plan_.beta2, t);
  learning_rate_ = learning_rate;
  correction1_ = correction1;
  decay_ = plan_.weight_decay * penalty;
  sgd_ = {0.0f, static_cast<float>(plan_.momentum), 1.0f, 0.0f};
  adam_ = {0.0f,
           static_cast<float>(plan_.beta1),
           static_cast<float>(plan_.beta2),
           static_cast<float>(1.0 - plan_.beta1),
           static_cast<float>(1.0 - plan_.beta2),
           static_cast<float>(1.0 / std::sqrt(correction2)),
           static_cast<float>(plan_.epsilon),
           1.0f,
           0.0f,
           1.0f};

  const double shrink = shrink_of(waiting_);
  // Whoever had missed i steps has missed i + 1 when this one passes it by: the i-th term of its drift comes to it.
  const double size = plan_.method == Method::sgd        ? learning_rate
                      : plan_.method == Method::nesterov ? plan_.momentum
                                                         : learning_rate / correction1 * std::sqrt(correction2);
  for (Index i = most_missed; i > 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    drift_[at] = drift_[at - 1] * shrink + size * decay1_[at] / std::sqrt(decay2_[at]);
    shrinks_[at] = shrinks_[at - 1] * shrink;
    epsilons_[at] = epsilons_[at - 1];
  }
  // Epsilon stands beside root * correction: divided by the correction of the first step missed, it stands beside the
  // root. (Of the later ones' terms epsilon is a part too small to matter.)
  if (!has_velocity()) epsilons_[1] = plan_.epsilon * std::sqrt(correction2 / plan_.beta2);
}

void Optimizer::scale_gradients(double scale) noexcept {
  sgd_.gradient_scale = adam_.gradient_scale = static_cast<float>(scale);
}

double Optimizer::shrink_of(const Pace& pace) const noexcept {
  return plan_.method == Method::adamw ? 1.0 - learning_rate_ * decay_ * pace.decay : 1.0;
}

void Optimizer::update(float* parameters, Index at, const float* gradient, Index size,
                       const Pace& pace) const noexcept {
  if (pace.rate == 0.0) return;
  const double rate = learning_rate_ * pace.rate;
  const auto l2 = static_cast<float>(plan_.method == Method::adamw ? 0.0 : decay_ * pace.decay);
  if (has_velocity()) {
    SgdStep step = sgd_;
    step.learning_rate = static_cast<float>(rate);
    step.l2 = l2;
    const auto move = plan_.method == Method::sgd ? kernels().sgd : kernels().nesterov;
    move(step, parameters + at, gradient, first_.data() + at, size);
    return;
  }
  AdamStep step = adam_;
  step.step_size = static_cast<float>(rate / correction1_);
  step.l2 = l2;
  step.shrink = static_cast<float>(shrink_of(pace));
  kernels().adam(step, parameters + at, gradient, first_.data() + at, second_.data() + at, size);
}

void Optimizer::catch_up(float* parameters, Index at, Index size, Index missed) const noexcept {
  const auto i = static_cast<std::size_t>(missed);
  // Nesterov's velocity is in steps, which have the rate in them.
  const double rate = plan_.method == Method::nesterov ? 1.0 : waiting_.rate;
  const MissedSteps steps{static_cast<float>(drift_[i] * rate), static_cast<float>(decay1_[i]),
                          static_cast<float>(decay2_[i]), static_cast<float>(shrinks_[i]),
                          static_cast<float>(epsilons_[i])};
  if (has_velocity()) {
    kernels().sgd_missed(steps, parameters + at, first_.data() + at, size);
  } else {
    kernels().adam_missed(steps, parameters + at, first_.data() + at, second_.data() + at, size);
  }
}

}  // namespace fromlogits
