#include "network.h"

#include <cstring>
#include <random>

#include "check.h"
#include "kernels.h"

using namespace fromlogits;

namespace {

std::vector<float> numbers(Index n, unsigned seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> out(static_cast<std::size_t>(n));
  for (float& x : out) x = normal(generator);
  return out;
}

Network make(std::vector<Index> widths, Activation f, Head head) {
  std::vector<DenseLayer> layers;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    layers.push_back({widths[i - 1], widths[i], i + 1 == widths.size() ? Activation::linear : f});
  }
  Network network(layers, head);
  const std::vector<float> start = numbers(network.parameter_count(), 7, 0.1f);
  std::copy(start.begin(), start.end(), network.parameters());
  return network;
}

struct Rowset {
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  std::vector<float> targets;
  std::vector<std::int64_t> order;
};

Rowset rowset(Index n, Index d, Index c) {
  Rowset out{numbers(n * d, 1), {}, {}, {}};
  for (Index i = 0; i < n; ++i) {
    out.labels.push_back(static_cast<std::int32_t>((i * 7) % c));
    out.order.push_back((i * 11) % n);
    for (Index k = 0; k < c; ++k) out.targets.push_back((i + k) % 3 == 0 ? 1.0f : 0.0f);
  }
  return out;
}

std::vector<float> trained(int threads, Index batch, Head head, const std::vector<Index>& spans) {
  // Large enough that every phase of a step is shared out: gather, products, slopes, head, optimizer, norm.
  const Index n = 1501, d = 400, c = 12;  // 1501 and 11 share no factor: the order is a permutation
  Network network = make({d, 600, 70, c}, Activation::relu, head);
  const Rowset rows = rowset(n, d, c);
  network.start({{Method::adam, 0.9, 0.9, 0.999, 1e-8, 0.01, 0.5}, 0.25, batch, 3});
  Team team(threads);
  Index at = 0;
  for (const Index span : spans) {
    const Index k = std::min(span * batch, n - at);
    const std::vector<double> rates(static_cast<std::size_t>((k + batch - 1) / batch), 1e-2);
    network.train({rows.x.data(), nullptr, 1.0f, 0.0f, n, d}, {rows.labels.data(), rows.targets.data()},
                  rows.order.data() + at, k, rates.data(), 0.0, team);
    at += k;
  }
  return {network.parameters(), network.parameters() + network.parameter_count()};
}

}  // namespace

TEST(threads_and_spans_never_change_the_bits) {
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    const std::vector<float> one = trained(1, 512, head, {3});
    for (const auto& other : {trained(2, 512, head, {3}), trained(3, 512, head, {3}), trained(4, 512, head, {1, 1, 1}),
                              trained(2, 512, head, {2, 1})}) {
      CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0);
    }
  }
}

TEST(the_tasks_of_a_head_work_on_cache_lines_of_their_own) {
  const Index n = 130, d = 3;  // three tasks
  for (const Index c : {250, 257, 300, 1001}) {
    CHECK(scratch_size(c) * static_cast<Index>(sizeof(double)) % 64 == 0);
    Network network = make({d, c}, Activation::linear, Head::softmax);
    const Rowset rows = rowset(n, d, c);
    network.start({{Method::sgd, 0.0, 0.9, 0.999, 1e-8, 0.0, 0.0}, 0.0, n, 3});
    Team team(2);
    const double rate = 0.1;
    const double loss =
        network.train({rows.x.data(), nullptr, 1.0f, 0.0f, n, d}, {rows.labels.data(), rows.targets.data()},
                      rows.order.data(), n, &rate, 0.0, team);
    CHECK(std::abs(loss / static_cast<double>(n) - std::log(static_cast<double>(c))) < 0.5);
  }
}

TEST(a_step_goes_down_the_finite_difference_gradient) {
  const Index n = 12, d = 5, c = 3;
  for (const Activation f : {Activation::tanh, Activation::gelu, Activation::silu}) {  // no kinks to step across
    for (const Head head : {Head::softmax, Head::sigmoid}) {
      const Rowset rows = rowset(n, d, c);
      const Rows x{rows.x.data(), nullptr, 1.0f, 0.0f, n, d};
      const Targets targets{rows.labels.data(), rows.targets.data()};
      Team team(1);
      // With plain SGD at rate 1 the step is minus the gradient; at rate 0 training measures the loss.
      const auto loss = [&](Network& network) {
        network.start({{Method::sgd, 0.0, 0, 0, 0, 0.0, 0.0}, 0.0, n, 0});
        const double rate = 0.0;
        return network.train(x, targets, rows.order.data(), n, &rate, 0.0, team) / static_cast<double>(n);
      };
      Network network = make({d, 4, c}, f, head);
      Network stepped = make({d, 4, c}, f, head);
      stepped.start({{Method::sgd, 0.0, 0, 0, 0, 0.0, 0.0}, 0.0, n, 0});
      const double rate = 1.0;
      stepped.train(x, targets, rows.order.data(), n, &rate, 0.0, team);
      for (Index i = 0; i < network.parameter_count(); ++i) {
        const float kept = network.parameters()[i], h = 1.0f / 128;
        network.parameters()[i] = kept + h;
        const double up = loss(network);
        network.parameters()[i] = kept - h;
        const double down = loss(network);
        network.parameters()[i] = kept;
        const double gradient = static_cast<double>(kept) - static_cast<double>(stepped.parameters()[i]);
        CHECK(std::abs((up - down) / (2.0 * static_cast<double>(h)) - gradient) < 2e-4);
      }
    }
  }
}

TEST(a_row_has_the_same_logits_alone_and_among_others) {
  const Index n = 101, d = 37, c = 5;
  const Network network = make({d, 65, c}, Activation::gelu, Head::softmax);
  const std::vector<float> x = numbers(n * d, 2);
  std::vector<float> together(static_cast<std::size_t>(n * c)), alone(static_cast<std::size_t>(c));
  Team team(3), leader(1);
  network.logits({x.data(), nullptr, 1.0f, 0.0f, n, d}, together.data(), team);
  for (Index i = 0; i < n; ++i) {
    network.logits({x.data() + i * d, nullptr, 1.0f, 0.0f, 1, d}, alone.data(), leader);
    CHECK(std::memcmp(alone.data(), together.data() + i * c, sizeof(float) * static_cast<std::size_t>(c)) == 0);
  }
}

TEST(bytes_count_as_their_scaled_and_shifted_value) {
  const Index n = 3, d = 10, c = 2;
  const Network network = make({d, 4, c}, Activation::relu, Head::softmax);
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  for (Index i = 0; i < n * d; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(i * 8));
    floats.push_back(static_cast<float>(i * 8) * (1.0f / 255) - 0.5f);
  }
  std::vector<float> a(static_cast<std::size_t>(n * c)), b(a);
  Team team(1);
  network.logits({nullptr, bytes.data(), 1.0f / 255, -0.5f, n, d}, a.data(), team);
  network.logits({floats.data(), nullptr, 1.0f, 0.0f, n, d}, b.data(), team);
  CHECK(a == b);
}

CHECK_MAIN
