#include "optimizer.h"

#include <algorithm>
#include <cmath>

namespace fromlogits {

namespace {

constexpr Index block = 16'384;             // four arrays of it stay in a second-level cache
constexpr Index worth_parameters = 50'000;  // below, waking a helper costs more than it saves

}  // namespace

void Optimizer::start(const OptimizerPlan& plan, const std::vector<Segment>& segments, Index parameters) {
  plan_ = plan;
  steps_ = 0.0;
  parameters_ = parameters;
  blocks_.clear();
  for (const Segment& segment : segments) {
    for (Index at = 0; at < segment.size; at += block) {
      blocks_.push_back({segment.begin + at, std::min(block, segment.size - at), segment.decays});
    }
  }
  squares_.assign(blocks_.size(), 0.0);
  first_.reserve(parameters);
  first_.fill_zero();
  if (plan.method != Method::sgd) {
    second_.reserve(parameters);
    second_.fill_zero();
  }
}

double Optimizer::clipping(const float* gradient, Team& team) noexcept {
  if (plan_.clip_norm <= 0.0) return 1.0;
  const auto blocks = static_cast<Index>(blocks_.size());
  team.run(blocks, parameters_ > worth_parameters, [&](Index i) {
    const Segment& part = blocks_[static_cast<std::size_t>(i)];
    squares_[static_cast<std::size_t>(i)] = kernels().sum_of_squares(gradient + part.begin, part.size);
  });
  double sum = 0.0;
  for (const double square : squares_) sum += square;
  const double norm = std::sqrt(sum);
  return norm > plan_.clip_norm ? plan_.clip_norm / norm : 1.0;
}

void Optimizer::step(float* parameters, const float* gradient, double learning_rate, Team& team) noexcept {
  steps_ += 1.0;
  const auto gradient_scale = static_cast<float>(clipping(gradient, team));
  const double decay = plan_.weight_decay;
  const double correction1 = 1.0 - std::pow(plan_.beta1, steps_), correction2 = 1.0 - std::pow(plan_.beta2, steps_);
  const bool is_decoupled = plan_.method == Method::adamw;
  const auto l2 = static_cast<float>(is_decoupled ? 0.0 : decay);
  const auto shrink = static_cast<float>(is_decoupled ? 1.0 - learning_rate * decay : 1.0);

  team.run(static_cast<Index>(blocks_.size()), parameters_ > worth_parameters, [&](Index i) {
    const Segment& part = blocks_[static_cast<std::size_t>(i)];
    float* const w = parameters + part.begin;
    const float* const g = gradient + part.begin;
    if (plan_.method == Method::sgd) {
      const SgdStep sgd{static_cast<float>(learning_rate), static_cast<float>(plan_.momentum), gradient_scale,
                        part.decays ? l2 : 0.0f};
      kernels().sgd(sgd, w, g, first_.data() + part.begin, part.size);
    } else {
      const AdamStep adam{static_cast<float>(learning_rate / correction1),
                          static_cast<float>(plan_.beta1),
                          static_cast<float>(plan_.beta2),
                          static_cast<float>(1.0 - plan_.beta1),
                          static_cast<float>(1.0 - plan_.beta2),
                          static_cast<float>(1.0 / std::sqrt(correction2)),
                          static_cast<float>(plan_.epsilon),
                          gradient_scale,
                          part.decays ? l2 : 0.0f,
                          part.decays ? shrink : 1.0f};
      kernels().adam(adam, w, g, first_.data() + part.begin, second_.data() + part.begin, part.size);
    }
  });
}

}  // namespace fromlogits
