#include "network.h"

#include <algorithm>
#include <cmath>

#include "kernels.h"

namespace fromlogits {

namespace {

constexpr Index head_rows = 64;  // rows of a task in gather and head

Index tiles(Index size, Index tile) { return (size + tile - 1) / tile; }

void copy_row(const Rows& rows, Index row, float* out) noexcept {
  if (rows.bytes != nullptr) {
    kernels().widen(rows.bytes + row * rows.d, rows.scale, rows.shift, out, rows.d);
  } else {
    std::copy_n(rows.floats + row * rows.d, rows.d, out);
  }
}

}  // namespace

Network::Network(std::vector<DenseLayer> layers, Head head) : layers_(std::move(layers)), head_(head) {
  for (const DenseLayer& layer : layers_) {
    offsets_.push_back(parameter_count_);
    parameter_count_ += layer.h * layer.d + layer.h;
  }
  parameters_.reserve(parameter_count_);
  outputs_.resize(layers_.size());
  slopes_.resize(layers_.size());
  doutputs_.resize(layers_.size());
}

void Network::start(const TrainingPlan& plan) {
  plan_ = plan;
  steps_ = 0;
  std::vector<Segment> segments;
  const Index batch = plan.batch_size;
  gradient_.reserve(parameter_count_);
  input_.reserve(batch * inputs());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const DenseLayer& layer = layers_[i];
    segments.push_back({offsets_[i], layer.h * layer.d, true});
    segments.push_back({offsets_[i] + layer.h * layer.d, layer.h, false});
    outputs_[i].reserve(batch * layer.h);
    slopes_[i].reserve(batch * layer.h);
    doutputs_[i].reserve(batch * layer.h);
  }
  losses_.reserve(batch);
  if (head_ == Head::softmax) {
    labels_.reserve(batch);
    head_memory_.reserve(tiles(batch, head_rows) * scratch_size(outputs()));
  } else {
    targets_.reserve(batch * outputs());
    head_memory_.reserve(batch * outputs());
  }
  optimizer_.start(plan.optimizer, segments, parameter_count_);
}

double Network::train(const Rows& rows, const Targets& targets, const std::int64_t* order, Index k, const double* rates,
                      double loss, Team& team) noexcept {
  for (Index at = 0, i = 0; at < k; at += plan_.batch_size, ++i) {
    loss += step(rows, targets, order + at, std::min(plan_.batch_size, k - at), rates[i], team);
  }
  return loss;
}

double Network::step(const Rows& rows, const Targets& targets, const std::int64_t* order, Index n, double rate,
                     Team& team) noexcept {
  const Index d = inputs();
  team.run(tiles(n, head_rows), n * d > 100'000, [&](Index task) {
    for (Index i = task * head_rows; i < std::min(n, (task + 1) * head_rows); ++i) {
      copy_row(rows, order[i], input_.data() + i * d);
    }
  });

  Dropout dropout;
  const std::size_t last = layers_.size() - 1;
  const float* x = input_.data();
  for (std::size_t i = 0; i <= last; ++i) {
    const DenseLayer& layer = layers_[i];
    dropout.threshold = i < last ? static_cast<std::uint32_t>(std::lround(plan_.dropout * 65536.0)) : 0;
    dropout.scale = static_cast<float>(65536.0 / (65536.0 - dropout.threshold));
    dropout.seed = plan_.seed;
    dropout.step = steps_;
    dropout.layer = i;
    const bool is_plain = layer.activation == Activation::linear && dropout.threshold == 0;
    const float* const w = parameters_.data() + offsets_[i];
    forward(layer, w, w + layer.h * layer.d, x, outputs_[i].data(), is_plain ? nullptr : slopes_[i].data(), dropout, n,
            team);
    x = outputs_[i].data();
  }

  const double loss = loss_and_gradient(targets, order, n, team);

  for (std::size_t i = last + 1; i-- > 0;) {
    const DenseLayer& layer = layers_[i];
    const bool is_plain = layer.activation == Activation::linear && (i == last || plan_.dropout * 65536.0 < 0.5);
    float* const dw = gradient_.data() + offsets_[i];
    backward(layer, parameters_.data() + offsets_[i], i == 0 ? input_.data() : outputs_[i - 1].data(),
             is_plain ? nullptr : slopes_[i].data(), doutputs_[i].data(), dw, dw + layer.h * layer.d,
             i == 0 ? nullptr : doutputs_[i - 1].data(), n, team);
  }

  optimizer_.step(parameters_.data(), gradient_.data(), rate, team);
  ++steps_;
  return loss;
}

double Network::loss_and_gradient(const Targets& targets, const std::int64_t* order, Index n, Team& team) noexcept {
  const Index c = outputs();
  const auto divisor = static_cast<double>(n);
  const auto& head = kernels().narrow;
  double* const losses = losses_.data();
  team.run(tiles(n, head_rows), n * c > 8'000, [&](Index task) {
    const Index begin = task * head_rows, m = std::min(n - begin, head_rows);
    const float* const z = outputs_.back().data() + begin * c;
    float* const dz = doutputs_.back().data() + begin * c;
    if (head_ == Head::softmax) {
      std::int32_t* const labels = labels_.data() + begin;
      for (Index i = 0; i < m; ++i) labels[i] = targets.labels[order[begin + i]];
      head.softmax_loss(z, labels, nullptr, divisor, dz, losses + begin, m, c,
                        head_memory_.data() + task * scratch_size(c));
      return;
    }
    float* const wanted = targets_.data() + begin * c;
    double* const entries = head_memory_.data() + begin * c;
    for (Index i = 0; i < m; ++i) std::copy_n(targets.values + order[begin + i] * c, c, wanted + i * c);
    head.sigmoid_loss(z, wanted, nullptr, 0.0, nullptr, 1.0, nullptr, divisor, dz, entries, m * c);
    for (Index i = 0; i < m; ++i) {
      losses[begin + i] = 0.0;
      for (Index k = 0; k < c; ++k) losses[begin + i] += entries[i * c + k];
    }
  });
  double loss = 0.0;
  for (Index i = 0; i < n; ++i) loss += losses[i];
  return loss;
}

void Network::logits(const Rows& rows, float* out, Team& team) const {
  const Index c = outputs(), d = inputs(), block = logits_block;
  Index widest = c, flops = 0;
  for (const DenseLayer& layer : layers_) {
    widest = std::max(widest, layer.h);
    flops += 2 * layer.h * layer.d;
  }
  // A task owns its memory, taken here: tasks never allocate. Whole blocks of floats are read where they are.
  const Index blocks = tiles(rows.n, block), tasks = std::min<Index>(blocks, team.threads());
  const Index each = block * (d + 2 * widest);
  Buffer<float> memory(tasks * each);
  team.run(tasks, flops * rows.n > 4'000'000, [&](Index task) {
    Team alone(1);
    float* const input = memory.data() + task * each;
    float* y = input + block * d;
    float* spare = y + block * widest;
    for (Index at = task; at < blocks; at += tasks) {
      const Index begin = at * block, n = std::min(block, rows.n - begin);
      const float* x = input;
      if (rows.floats != nullptr && n == block) {
        x = rows.floats + begin * d;
      } else {
        for (Index i = 0; i < n; ++i) copy_row(rows, begin + i, input + i * d);
        std::fill_n(input + n * d, (block - n) * d, 0.0f);
      }
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        const float* const w = parameters_.data() + offsets_[i];
        forward(layers_[i], w, w + layers_[i].h * layers_[i].d, x, y, nullptr, Dropout{}, block, alone);
        x = y;
        std::swap(y, spare);
      }
      std::copy_n(x, n * c, out + begin * c);
    }
  });
}

}  // namespace fromlogits
