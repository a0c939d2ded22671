// The parameter update on one flat arena, and the state it keeps.
#pragma once

#include <vector>

#include "arena.h"
#include "kernels.h"
#include "threads.h"

namespace fromlogits {

enum class Method : int { adam, adamw, sgd };

struct OptimizerPlan {
  Method method = Method::adam;
  double momentum = 0.9;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double clip_norm = 0.0;  // 0: no clipping
};

// A run of parameters that are treated alike.
struct Segment {
  Index begin;
  Index size;
  bool decays;  // weights do, biases don't
};

class Optimizer {
 public:
  // Forgets all state. `segments` cover [0, parameters) in order.
  void start(const OptimizerPlan& plan, const std::vector<Segment>& segments, Index parameters);

  // One step. Same bits for every team.
  void step(float* parameters, const float* gradient, double learning_rate, Team& team) noexcept;

 private:
  double clipping(const float* gradient, Team& team) noexcept;

  OptimizerPlan plan_;
  std::vector<Segment> blocks_;  // segments cut to at most `block` parameters
  Buffer<float> first_;          // running mean of the gradient, or the velocity
  Buffer<float> second_;         // running mean of its square
  std::vector<double> squares_;  // per block, for the norm
  Index parameters_ = 0;
  double steps_ = 0.0;
};

}  // namespace fromlogits
