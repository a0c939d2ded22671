#include "network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <tuple>

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

// Array by array.
void set(Network& network, const float* from) {
  for (std::size_t i = 0; i < network.arrays().size(); ++i) {
    const Array& array = network.arrays()[i];
    network.set(i, {0, array.rows}, from);
    from += array.rows * array.columns;
  }
}

Index parameter_count(const Network& network) {
  Index count = 0;
  for (const Array& array : network.arrays()) count += array.rows * array.columns;
  return count;
}

Network make(std::vector<Index> widths, Activation f, Head head, bool by_rows = false, const Front& front = {}) {
  std::vector<DenseLayer> layers;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    layers.push_back({widths[i - 1], widths[i], i + 1 == widths.size() ? Activation::linear : f});
  }
  Network network(layers, head, by_rows, front);
  set(network, numbers(parameter_count(network), 7, 0.1f).data());
  return network;
}

std::vector<float> parameters(const Network& network) {
  std::vector<float> out(static_cast<std::size_t>(parameter_count(network)));
  float* to = out.data();
  for (std::size_t i = 0; i < network.arrays().size(); ++i) {
    network.get(i, to);
    to += network.arrays()[i].rows * network.arrays()[i].columns;
  }
  return out;
}

Rows floats(const std::vector<float>& x, Index n, Index d) {
  Rows rows;
  rows.floats = x.data(), rows.n = n, rows.d = d;
  return rows;
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

// Large enough that every phase of a step is shared out: gather, products, slopes, head, optimizer, norm.
const std::vector<Index> wide = {400, 600, 70, 12};
// And one whose first layer is shared out by its inputs.
const std::vector<Index> narrow = {600, 70, 12};

std::vector<float> trained(const std::vector<Index>& widths, int threads, Index batch, Head head,
                           const std::vector<Index>& spans, const Front& front = {}, Activation f = Activation::relu,
                           double clip_norm = 0.5) {
  const Index n = 1501, d = widths.front(), c = widths.back();  // 1501 and 11 share no factor: a permutation
  Network network = make(widths, f, head, false, front);
  const Rowset rows = rowset(n, d, c);
  network.start({{Method::adam, 0.9, 0.9, 0.999, 1e-8, 0.01, clip_norm}, 0.25, batch, 3});
  Team team(threads);
  Index at = 0;
  for (const Index span : spans) {
    const Index k = std::min(span * batch, n - at);
    const std::vector<double> rates(static_cast<std::size_t>((k + batch - 1) / batch), 1e-2);
    network.train(floats(rows.x, n, d), {rows.labels.data(), rows.targets.data()}, rows.order.data() + at, k,
                  {rates.data()}, 0.0, team);
    at += k;
  }
  return parameters(network);
}

}  // namespace

TEST(threads_and_spans_never_change_the_bits) {
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    for (const auto& widths : {wide, narrow}) {
      for (const Index batch : {64, 512}) {
        const std::vector<float> one = trained(widths, 1, batch, head, {3});
        for (const auto& other :
             {trained(widths, 2, batch, head, {3}), trained(widths, 3, batch, head, {3}),
              trained(widths, 4, batch, head, {1, 1, 1}), trained(widths, 2, batch, head, {2, 1})}) {
          CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST(threads_never_change_the_bits_of_scaling_and_slopes) {
  for (const auto& widths : {wide, narrow}) {
    for (const double clip_norm : {0.0, 0.5}) {
      for (const Index batch : {64, 512}) {
        const auto with = [&](int threads, const std::vector<Index>& spans) {
          return trained(widths, threads, batch, Head::softmax, spans, {true}, Activation::parametric_selu, clip_norm);
        };
        const std::vector<float> one = with(1, {3});
        CHECK(one == with(3, {3}));
        CHECK(one == with(2, {1, 2}));
      }
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
    const double loss = network.train(floats(rows.x, n, d), {rows.labels.data(), rows.targets.data()},
                                      rows.order.data(), n, {&rate}, 0.0, team);
    CHECK(std::abs(loss / static_cast<double>(n) - std::log(static_cast<double>(c))) < 0.5);
  }
}

namespace {

// The largest difference between a gradient and the finite differences of the loss; the first numbers, which are
// constants, have none.
double apart_from_finite_differences(const std::function<Network()>& make_one, const Rowset& rows, Index n, Index d,
                                     double dropout, double smoothing, std::size_t constants = 0) {
  const Rows x = floats(rows.x, n, d);
  const Targets targets{rows.labels.data(), rows.targets.data()};
  const TrainingPlan plan{{Method::sgd, 0.0, 0, 0, 0, 0.0, 0.0}, dropout, n, 0, smoothing};
  Team team(1);
  // With plain SGD at rate 1 the step is minus the gradient; at rate 0 training measures the loss.
  const auto train = [&](Network& network, double rate) {
    network.start(plan);
    network.take(x, targets);
    return network.train(x, targets, rows.order.data(), n, {&rate}, 0.0, team) / static_cast<double>(n);
  };
  Network network = make_one(), stepped = make_one();
  train(stepped, 1.0);
  std::vector<float> at = parameters(network);
  const std::vector<float> after = parameters(stepped);
  double most = 0.0;
  for (std::size_t i = 0; i < constants; ++i) CHECK(at[i] == after[i]);
  for (std::size_t i = constants; i < at.size(); ++i) {
    const float kept = at[i], h = 1.0f / 128;
    const auto loss_at = [&](float value) {
      at[i] = value;
      set(network, at.data());
      return train(network, 0.0);
    };
    const double up = loss_at(kept + h), down = loss_at(kept - h);
    at[i] = kept;
    const double gradient = static_cast<double>(kept) - static_cast<double>(after[i]);
    most = std::max(most, std::abs((up - down) / (2.0 * static_cast<double>(h)) - gradient));
  }
  return most;
}

}  // namespace

TEST(a_step_goes_down_the_finite_difference_gradient) {
  const Index n = 12, d = 5, c = 3;
  const Rowset rows = rowset(n, d, c);
  for (const Activation f : {Activation::tanh, Activation::gelu, Activation::silu}) {  // no kinks to step across
    for (const Head head : {Head::softmax, Head::sigmoid}) {
      CHECK(apart_from_finite_differences([&] { return make({d, 4, c}, f, head); }, rows, n, d, 0.0, 0.0) < 2e-4);
    }
  }
}

TEST(scaling_slopes_dropout_and_smoothing_have_the_finite_difference_gradient) {
  const Index c = 3;
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    for (const auto& [n, d, hidden] : {std::tuple{12, 5, 4}, {40, 19, 37}}) {
      const Rowset rows = rowset(n, d, c);
      for (const Activation f : {Activation::tanh, Activation::parametric_selu}) {
        const auto one = [&] { return make({d, hidden, 4, c}, f, head, false, {true}); };
        CHECK(apart_from_finite_differences(one, rows, n, d, 0.25, 0.1) < 2e-4);
      }
      const auto linear = [&] { return make({d, c}, Activation::linear, head, false, {true}); };
      CHECK(apart_from_finite_differences(linear, rows, n, d, 0.0, 0.1) < 2e-4);
    }
  }
}

namespace {

// Of `features`: two numbers, two categories, and the others.
Front everything(Index features, bool has_scaling = true) {
  Front front{has_scaling, {4, 1}, 5, 3, {{0, 3}, {6, 600}}, 10, {}};
  for (Index j = 0; j < features; ++j) {
    if (j != 4 && j != 1 && j != 0 && j != 6) front.others.push_back(j);
  }
  return front;
}

// Codes of the categories, -1 and such as lie beyond the values among them.
Rowset with_codes(Rowset rows, Index d) {
  for (std::size_t i = 0; i < rows.order.size(); ++i) {
    float* const row = rows.x.data() + i * static_cast<std::size_t>(d);
    row[0] = static_cast<float>(i % 4) - 1.0f;
    row[6] = static_cast<float>((i * 37) % 602) - 1.0f;
  }
  return rows;
}

Network make_everything(Index features, std::vector<Index> rest, Head head,
                        Activation f = Activation::parametric_selu) {
  const Front front = everything(features);
  rest.insert(rest.begin(), front.inputs());
  return make(rest, f, head, false, front);
}

// The same with bins for the waves, between edges of which two are the same.
Network make_with_bins(Index features, std::vector<Index> rest, Head head, Activation f = Activation::parametric_selu) {
  Front front = everything(features);
  front.frequencies = 0, front.bins = 7;
  rest.insert(rest.begin(), front.inputs());
  Network network = make(rest, f, head, false, front);
  const std::vector<float> edges = {-1.5f, -1.0f, -0.25f, -0.25f, 0.0f, 0.75f, 2.0f, 2.0f,
                                    -2.0f, -0.5f, 0.0f,   0.25f,  0.5f, 1.0f,  1.0f, 1.5f};
  network.set(0, {0, 2}, edges.data());
  return network;
}

}  // namespace

TEST(bins_and_vectors_have_the_finite_difference_gradient) {
  const Index n = 40, d = 9, c = 3;
  const Rowset rows = with_codes(rowset(n, d, c), d);
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    const auto deep = [&] { return make_with_bins(d, {17, 4, c}, head); };
    CHECK(apart_from_finite_differences(deep, rows, n, d, 0.25, 0.1, 16) < 2e-4);
    const auto linear = [&] { return make_with_bins(d, {c}, head); };
    CHECK(apart_from_finite_differences(linear, rows, n, d, 0.0, 0.0, 16) < 2e-4);
  }
}

TEST(piecewise_linear_functions_and_their_gradients_are_the_formulas) {
  const Index b = 5, m = 19, n = 12;
  const std::vector<float> edges = {-1.0f, 0.0f, 0.0f, 0.5f, 2.0f, 2.0f};
  const std::vector<float> x = {-9.0f, -1.0f, -0.5f, 0.0f, 0.25f, 0.5f, 0.3f, 1.7f, 2.0f, 2.25f, 1e30f, -1e30f};
  const std::vector<float> mixtures = numbers(m * b, 1), shifts = numbers(m, 2);
  std::vector<float> lines(static_cast<std::size_t>(b * 2 * m));
  draw_lines(edges.data(), mixtures.data(), shifts.data(), b, m, lines.data());
  Front front;
  front.numbers = {0}, front.bins = b, front.mixtures = m;
  const Bins bins{edges.data(), lines.data(), b, m};
  std::vector<float> inputs(static_cast<std::size_t>(panel_size(n, 1 + m)));
  embed(front, {{}, bins, nullptr}, x.data(), n, {0, n}, inputs.data());

  const std::vector<float> dinputs = numbers(panel_size(n, 1 + m), 3);
  std::vector<float> dmixtures(mixtures.size()), dshifts(shifts.size());
  std::vector<double> sums(lines.size());
  line_gradient(front, 0, bins, x.data(), dinputs.data(), n, sums.data(), dmixtures.data(), dshifts.data());

  const auto component = [&](Index i, Index bin) {
    const auto at = static_cast<double>(x[static_cast<std::size_t>(i)]);
    const auto left = static_cast<double>(edges[static_cast<std::size_t>(bin)]);
    const auto right = static_cast<double>(edges[static_cast<std::size_t>(bin + 1)]);
    return left == right ? 0.0 : std::min(1.0, std::max(0.0, (at - left) / (right - left)));
  };
  const auto entry = [&](Index i, Index column) {
    return static_cast<std::size_t>((column / 16 * n + i) * 16 + column % 16);
  };
  for (Index k = 0; k < m; ++k) {
    for (Index i = 0; i < n; ++i) {
      auto sum = static_cast<double>(shifts[static_cast<std::size_t>(k)]);
      for (Index bin = 0; bin < b; ++bin)
        sum += component(i, bin) * static_cast<double>(mixtures[static_cast<std::size_t>(k * b + bin)]);
      // Two roundings to float32 of numbers below 8.
      CHECK(std::abs(static_cast<double>(inputs[entry(i, 1 + k)]) - sum) < 1e-6);
    }
    for (Index bin = 0; bin <= b; ++bin) {
      double sum = 0.0;
      for (Index i = 0; i < n; ++i)
        sum += (bin < b ? component(i, bin) : 1.0) * static_cast<double>(dinputs[entry(i, 1 + k)]);
      const float found =
          bin < b ? dmixtures[static_cast<std::size_t>(k * b + bin)] : dshifts[static_cast<std::size_t>(k)];
      CHECK(std::abs(static_cast<double>(found) - sum) < 1e-6);
    }
  }
}

TEST(waves_and_vectors_have_the_finite_difference_gradient) {
  const Index n = 40, d = 9, c = 3;
  const Rowset rows = with_codes(rowset(n, d, c), d);
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    const auto deep = [&] { return make_everything(d, {17, 4, c}, head); };
    CHECK(apart_from_finite_differences(deep, rows, n, d, 0.25, 0.1) < 2e-4);
    const auto linear = [&] { return make_everything(d, {c}, head); };
    CHECK(apart_from_finite_differences(linear, rows, n, d, 0.0, 0.0) < 2e-4);
  }
}

TEST(threads_and_spans_never_change_the_bits_of_what_is_embedded) {
  const Index n = 1501, d = 400, c = 12;
  const Rowset rows = with_codes(rowset(n, d, c), d);
  for (const auto& [clip_norm, has_bins] : {std::pair{0.0, false}, {0.5, false}, {0.0, true}, {0.5, true}}) {
    for (const Index batch : {64, 512}) {
      const auto end = [&, norm = clip_norm, bins = has_bins](int threads, const std::vector<Index>& spans) {
        Network network =
            (bins ? make_with_bins : make_everything)(d, {600, 70, c}, Head::softmax, Activation::parametric_selu);
        network.start({{Method::adam, 0.9, 0.9, 0.999, 1e-8, 0.01, norm}, 0.25, batch, 3});
        Team team(threads);
        Index at = 0;
        for (const Index span : spans) {
          const Index k = std::min(span * batch, n - at);
          const std::vector<double> rates(static_cast<std::size_t>((k + batch - 1) / batch), 1e-2);
          network.train(floats(rows.x, n, d), {rows.labels.data()}, rows.order.data() + at, k, {rates.data()}, 0.0,
                        team);
          at += k;
        }
        return parameters(network);
      };
      const std::vector<float> one = end(1, {3});
      CHECK(one == end(2, {3}));
      CHECK(one == end(4, {1, 2}));
    }
  }
}

TEST(a_row_that_is_embedded_has_the_same_logits_alone_and_among_others) {
  const Index n = 101, d = 9, c = 5;
  const Rowset rows = with_codes(rowset(n, d, c), d);
  for (const auto& make_one : {make_everything, make_with_bins}) {
    const Network network = make_one(d, {65, c}, Head::softmax, Activation::parametric_selu);
    std::vector<float> together(static_cast<std::size_t>(n * c)), alone(static_cast<std::size_t>(c));
    Team team(3), leader(1);
    network.logits(floats(rows.x, n, d), nullptr, n, together.data(), team);
    for (std::int64_t i = 0; i < n; ++i) {
      network.logits(floats(rows.x, n, d), &i, 1, alone.data(), leader);
      CHECK(std::memcmp(alone.data(), together.data() + i * c, sizeof(float) * static_cast<std::size_t>(c)) == 0);
    }
  }
}

TEST(the_inputs_are_numbers_with_their_mixtures_then_vectors_then_the_others) {
  const Index n = 70, d = 9, c = 5;
  const Rowset rows = with_codes(rowset(n, d, c), d);
  const Front front = everything(d, false);
  const Index inputs = front.inputs();
  CHECK(inputs == 2 * 4 + 2 * 10 + 5);
  Network network = make({inputs, 33, c}, Activation::gelu, Head::softmax, false, front);
  Network plain = make({inputs, 33, c}, Activation::gelu, Head::softmax);
  std::vector<float> all = parameters(network);
  const std::vector<float> of_plain = parameters(plain);
  std::copy(of_plain.begin(), of_plain.end(), all.end() - static_cast<std::ptrdiff_t>(of_plain.size()));
  set(network, all.data());
  const float *const frequencies = all.data(), *const phases = frequencies + 10, *const mixtures = phases + 10,
                     *const shifts = mixtures + 30, *const vectors = shifts + 6;
  std::vector<float> made;
  for (Index i = 0; i < n; ++i) {
    const float* const row = rows.x.data() + i * d;
    for (Index j = 0; j < 2; ++j) {
      const float x = row[j == 0 ? 4 : 1];
      made.push_back(x);
      for (Index m = 0; m < 3; ++m) {
        double sum = static_cast<double>(shifts[j * 3 + m]);
        for (Index f = 0; f < 5; ++f) {
          const double turns = static_cast<double>(frequencies[j * 5 + f]) * static_cast<double>(x) +
                               static_cast<double>(phases[j * 5 + f]);
          sum += static_cast<double>(mixtures[(j * 3 + m) * 5 + f]) * std::cos(6.283185307179586 * turns);
        }
        made.push_back(static_cast<float>(sum));
      }
    }
    const auto push_vector = [&](float code, Index first, Index values) {
      const bool has = code >= 0.0f && code < static_cast<float>(values);
      for (Index e = 0; e < 10; ++e) made.push_back(has ? vectors[(first + static_cast<Index>(code)) * 10 + e] : 0.0f);
    };
    push_vector(row[0], 0, 3);
    push_vector(row[6], 3, 600);
    for (const Index other : {2, 3, 5, 7, 8}) made.push_back(row[other]);
  }
  std::vector<float> a(static_cast<std::size_t>(n * c)), b(a);
  Team team(1);
  network.logits(floats(rows.x, n, d), nullptr, n, a.data(), team);
  plain.logits(floats(made, n, inputs), nullptr, n, b.data(), team);
  float apart = 0.0f;
  for (std::size_t i = 0; i < a.size(); ++i) apart = std::max(apart, std::fabs(a[i] - b[i]));
  CHECK(apart < 1e-6f);  // a cosine that is off by 2^-32 now and then rounds a mixture to its neighbour
}

namespace {

std::vector<float> stepped(const Front& front, const TrainingPlan& plan, const Steps& steps, Index count,
                           Activation f = Activation::parametric_selu) {
  const Index n = 60, d = 20, c = 3;
  const Rowset rows = rowset(n, d, c);
  Network network = make({d, 33, 20, c}, f, Head::softmax, false, front);
  Team team(1);
  network.start(plan);
  network.take(floats(rows.x, n, d), {rows.labels.data()});
  network.train(floats(rows.x, n, d), {rows.labels.data()}, rows.order.data(), count * plan.batch_size, steps, 0.0,
                team);
  return parameters(network);
}

}  // namespace

TEST(an_array_moves_at_its_own_pace) {
  const double rate = 0.1;
  const std::size_t arrays = 9;  // factors; weights, biases, slopes; the same; weights, biases
  for (const Method method : {Method::adam, Method::adamw, Method::sgd, Method::nesterov}) {
    const auto moved = [&](const std::vector<Pace>& paces) {
      TrainingPlan plan{{method, 0.9, 0.9, 0.999, 1e-8, 0.5, 0.0}, 0.0, 20, 3};
      plan.paces = paces;
      std::vector<float> before = stepped({true}, plan, {&rate}, 0), after = stepped({true}, plan, {&rate}, 1);
      for (std::size_t i = 0; i < before.size(); ++i) after[i] -= before[i];
      return after;
    };
    const float shrink = method == Method::nesterov ? 0.19f : 0.1f;  // Nesterov's first step is 1.9 gradients long
    const std::vector<float> whole = moved(std::vector<Pace>(arrays, {1.0, 0.0}));
    for (std::size_t own = 0; own < arrays; ++own) {
      std::vector<Pace> paces(arrays, {1.0, 0.0});
      paces[own] = {0.5, 0.0};
      const std::vector<float> half = moved(paces);
      paces[own] = {0.0, 3.0};
      const std::vector<float> none = moved(paces);
      paces[own] = {1.0, 2.0};
      const std::vector<float> decayed = moved(paces);
      const Network network = make({20, 33, 20, 3}, Activation::parametric_selu, Head::softmax, false, {true});
      const std::vector<float> before = parameters(network);
      std::size_t i = 0;
      for (std::size_t array = 0; array < arrays; ++array) {
        const auto size = static_cast<std::size_t>(network.arrays()[array].rows * network.arrays()[array].columns);
        for (const std::size_t end = i + size; i < end; ++i) {
          CHECK(std::abs(half[i] - (array == own ? 0.5f : 1.0f) * whole[i]) < 1e-6f);
          CHECK(none[i] == (array == own ? 0.0f : whole[i]));
          // 0.5 * 2 of the parameter, added to the gradient or taken away beside it; Adam's first step is its sign.
          if (array != own) CHECK(decayed[i] == whole[i]);
          else if (method != Method::adam) CHECK(std::abs(decayed[i] - whole[i] + shrink * before[i]) < 1e-6f);
        }
      }
      CHECK(i == whole.size());
    }
  }
}

TEST(a_step_has_its_own_dropout_and_decay) {
  const std::vector<double> rates(3, 0.01), dropouts(3, 0.25), none(3, 0.0), halves(3, 0.5), doubled(3, 2.0);
  for (const Activation f : {Activation::linear, Activation::parametric_selu}) {
    const auto end = [&](double weight_decay, double dropout, const double* decays, const double* shares) {
      const TrainingPlan plan{{Method::adamw, 0.9, 0.9, 0.999, 1e-8, weight_decay, 0.0}, dropout, 20, 3};
      return stepped({}, plan, {rates.data(), decays, shares}, 3, f);
    };
    CHECK(end(0.1, 0.0, nullptr, dropouts.data()) == end(0.1, 0.25, nullptr, nullptr));
    CHECK(end(0.1, 0.25, nullptr, none.data()) == end(0.1, 0.0, nullptr, nullptr));
    CHECK(end(0.1, 0.25, nullptr, halves.data()) != end(0.1, 0.25, nullptr, nullptr));
    CHECK(end(0.1, 0.25, doubled.data(), nullptr) == end(0.2, 0.25, nullptr, nullptr));
  }
}

TEST(a_clipped_step_has_the_length_that_it_is_clipped_to) {
  const double rate = 1.0, most = 1e-3;
  const TrainingPlan plan{{Method::sgd, 0.0, 0.9, 0.999, 1e-8, 0.0, most}, 0.1, 20, 3};
  const std::vector<float> before = stepped({true}, plan, {&rate}, 0), after = stepped({true}, plan, {&rate}, 1);
  double squares = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    squares += std::pow(static_cast<double>(after[i]) - static_cast<double>(before[i]), 2.0);
  }
  CHECK(std::abs(std::sqrt(squares) / most - 1.0) < 1e-4);
}

TEST(scaled_inputs_give_the_logits_of_scaled_rows) {
  const Index n = 70, d = 37, c = 5;
  Network scaling = make({d, 65, c}, Activation::gelu, Head::softmax, false, {true});
  const Network plain = make({d, 65, c}, Activation::gelu, Head::softmax);
  const std::vector<float> factors = numbers(d, 9), of_plain = parameters(plain);
  std::vector<float> all = factors, x = numbers(n * d, 2), scaled = x;
  all.insert(all.end(), of_plain.begin(), of_plain.end());
  set(scaling, all.data());
  for (std::size_t i = 0; i < x.size(); ++i) scaled[i] *= factors[i % static_cast<std::size_t>(d)];
  std::vector<float> a(static_cast<std::size_t>(n * c)), b(a);
  Team team(1);
  scaling.logits(floats(x, n, d), nullptr, n, a.data(), team);
  plain.logits(floats(scaled, n, d), nullptr, n, b.data(), team);
  CHECK(a == b);
}

TEST(smoothed_labels_are_the_targets_that_they_stand_for) {
  const Index n = 90, d = 20, c = 4;  // 0.125 / 4 and 1 - 0.125 are exact
  const Rowset rows = rowset(n, d, c);
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    std::vector<float> smoothed = rows.targets;
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < c; ++k) {
        const auto at = static_cast<std::size_t>(i * c + k);
        const bool is_label = rows.labels[static_cast<std::size_t>(i)] == k;
        if (head == Head::softmax) smoothed[at] = 0.875f * (is_label ? 1.0f : 0.0f) + 0.03125f;
        else smoothed[at] = 0.875f * smoothed[at] + 0.0625f;
      }
    }
    const auto end = [&](const Targets& targets, double smoothing) {
      Network network = make({d, 16, c}, Activation::tanh, head);
      network.start({{}, 0.0, 30, 3, smoothing});
      network.take(floats(rows.x, n, d), targets);
      Team team(1);
      const std::vector<double> rates(3, 1e-2);
      const double loss = network.train(floats(rows.x, n, d), targets, rows.order.data(), n, {rates.data()}, 0.0, team);
      return std::pair{loss, parameters(network)};
    };
    const Targets hard{head == Head::softmax ? rows.labels.data() : nullptr, rows.targets.data()};
    Targets soft;
    soft.values = smoothed.data();
    CHECK(end(hard, 0.125) == end(soft, 0.0));
    CHECK(end(hard, 0.0) != end(soft, 0.0));
  }
}

TEST(a_row_has_the_same_logits_alone_and_among_others) {
  const Index n = 101, d = 37, c = 5;
  for (const bool has_scaling : {false, true}) {
    const Network network = make({d, 65, c}, has_scaling ? Activation::parametric_selu : Activation::gelu,
                                 Head::softmax, false, {has_scaling});
    const std::vector<float> x = numbers(n * d, 2);
    std::vector<float> together(static_cast<std::size_t>(n * c)), alone(static_cast<std::size_t>(c));
    Team team(3), leader(1);
    network.logits(floats(x, n, d), nullptr, n, together.data(), team);
    for (std::int64_t i = 0; i < n; ++i) {
      network.logits(floats(x, n, d), &i, 1, alone.data(), leader);
      CHECK(std::memcmp(alone.data(), together.data() + i * c, sizeof(float) * static_cast<std::size_t>(c)) == 0);
    }
  }
}

TEST(bytes_count_as_their_scaled_and_shifted_value) {
  const Index n = 3, d = 10, c = 2;
  const Network network = make({d, 4, c}, Activation::relu, Head::softmax);
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;
  for (Index i = 0; i < n * d; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(i * 8));
    values.push_back(static_cast<float>(i * 8) * (1.0f / 255) - 0.5f);
  }
  std::vector<float> a(static_cast<std::size_t>(n * c)), b(a);
  Team team(1);
  Rows rows;
  rows.bytes = bytes.data(), rows.scale = 1.0f / 255, rows.shift = -0.5f, rows.n = n, rows.d = d;
  network.logits(rows, nullptr, n, a.data(), team);
  network.logits(floats(values, n, d), nullptr, n, b.data(), team);
  CHECK(a == b);
}

namespace {

// Some of the entries are 0; `sparse` holds the others.
struct Sparse {
  std::vector<float> dense;
  std::vector<std::int64_t> starts{0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;

  Sparse(Index n, Index d) : dense(numbers(n * d, 1)) {
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < d; ++j) {
        // Column j occurs in every (j + 1)-th row; row 3 is empty, and so is the last column.
        float& x = dense[static_cast<std::size_t>(i * d + j)];
        if (i == 3 || j == d - 1 || i % (j + 1) != 0) {
          x = 0.0f;
          continue;
        }
        columns.push_back(static_cast<std::int32_t>(j));
        values.push_back(x);
      }
      starts.push_back(static_cast<std::int64_t>(values.size()));
    }
  }

  Rows rows(Index n, Index d) const {
    Rows out;
    out.starts = starts.data(), out.columns = columns.data(), out.values = values.data(), out.n = n, out.d = d;
    return out;
  }
};

std::vector<float> trained_on(const Rows& x, const OptimizerPlan& optimizer, int threads, Index span, Index epochs,
                              bool by_rows = false) {
  const Index c = 5, batch = 8;
  // Without hidden layers: a kink or a chain of layers would magnify what the last bits differ by.
  Network network = make({x.d, c}, Activation::linear, Head::softmax, by_rows);
  const Rowset rows = rowset(x.n, 1, c);
  network.start({optimizer, 0.0, batch, 3});
  network.take(x, {});
  Team team(threads);
  for (Index epoch = 0; epoch < epochs; ++epoch) {
    for (Index at = 0; at < x.n; at += span) {
      const Index k = std::min(span, x.n - at);
      const std::vector<double> rates(static_cast<std::size_t>((k + batch - 1) / batch), 1e-2);
      network.train(x, {rows.labels.data(), nullptr}, rows.order.data() + at, k, {rates.data()}, 0.0, team);
    }
  }
  network.settle(team);
  return parameters(network);
}

}  // namespace

TEST(weights_of_one_are_no_weights_and_threads_change_no_bits) {
  const Index n = 300, d = 400, c = 12, batch = 100;
  const Rowset rows = rowset(n, d, c);
  const std::vector<double> ones(static_cast<std::size_t>(n * c), 1.0);
  std::vector<double> weights(ones), positive(static_cast<std::size_t>(c), 1.0);
  for (Index i = 0; i < n * c; ++i) weights[static_cast<std::size_t>(i)] = static_cast<double>(i % 5);
  const auto trained = [&](Head head, const double* by, bool is_by_entry, int threads) {
    Network network = make({d, 600, 70, c}, Activation::relu, head);
    network.start({{Method::adam, 0.9, 0.9, 0.999, 1e-8, 0.01, 0.5}, 0.25, batch, 3});
    const double* const of_ones = head == Head::sigmoid && by != nullptr ? positive.data() : nullptr;
    const Targets targets{rows.labels.data(), rows.targets.data(), nullptr, nullptr, by, is_by_entry, of_ones};
    const std::vector<double> rates(3, 1e-2);
    network.take(floats(rows.x, n, d), targets);
    Team team(threads);
    network.train(floats(rows.x, n, d), targets, rows.order.data(), n, {rates.data()}, 0.0, team);
    return parameters(network);
  };
  for (const Head head : {Head::softmax, Head::sigmoid}) {
    for (const bool is_by_entry : {false, head == Head::sigmoid}) {
      std::fill(positive.begin(), positive.end(), 1.0);
      CHECK(trained(head, ones.data(), is_by_entry, 1) == trained(head, nullptr, false, 1));
      for (std::size_t k = 0; k < positive.size(); ++k) positive[k] = 1.0 + static_cast<double>(k);
      const std::vector<float> one = trained(head, weights.data(), is_by_entry, 1);
      CHECK(one == trained(head, weights.data(), is_by_entry, 3));
      CHECK(one != trained(head, nullptr, false, 1));
    }
  }
}

TEST(sparse_rows_are_the_dense_ones_without_their_zeros) {
  const Index n = 120, d = 60;
  const Sparse sparse(n, d);
  for (const OptimizerPlan& plan : {OptimizerPlan{Method::adam, 0.9, 0.9, 0.999, 1e-8, 0.0, 0.0},
                                    OptimizerPlan{Method::adamw, 0.9, 0.9, 0.999, 1e-8, 0.1, 0.5},
                                    OptimizerPlan{Method::adam, 0.9, 0.9, 0.7, 1e-8, 0.0, 0.0},
                                    OptimizerPlan{Method::sgd, 0.9, 0.9, 0.999, 1e-8, 0.0, 0.0},
                                    OptimizerPlan{Method::nesterov, 0.9, 0.9, 0.999, 1e-8, 0.0, 0.0}}) {
    // 300 steps: some columns miss more of them than may be missed at a time.
    const std::vector<float> dense = trained_on(floats(sparse.dense, n, d), plan, 1, n, 20);
    const std::vector<float> one = trained_on(sparse.rows(n, d), plan, 1, n, 20);
    float moved = 0.0f, apart = 0.0f;
    for (std::size_t i = 0; i < one.size(); ++i) apart = std::max(apart, std::fabs(one[i] - dense[i]));
    const std::vector<float> first = trained_on(sparse.rows(n, d), plan, 1, n, 0);
    for (std::size_t i = 0; i < one.size(); ++i) moved = std::max(moved, std::fabs(one[i] - first[i]));
    CHECK(apart < 1e-5f * moved);
    CHECK(one == trained_on(sparse.rows(n, d), plan, 3, 24, 20));
    CHECK(one == trained_on(sparse.rows(n, d), plan, 1, n, 20, true));
    CHECK(dense == trained_on(floats(sparse.dense, n, d), plan, 1, n, 20, true));
  }
}

TEST(sparse_and_dense_rows_have_the_same_logits) {
  const Index n = 70, d = 33, c = 5;
  const Sparse sparse(n, d);
  std::vector<float> first;
  for (const auto& [is_made_by_rows, is_taken] :
       {std::pair{false, false}, {false, true}, {true, false}, {true, true}}) {
    Network network = make({d, 300, c}, Activation::relu, Head::softmax, is_made_by_rows);
    network.start({{}, 0.0, 8, 3});
    if (is_taken) network.take(sparse.rows(n, d), {});
    std::vector<float> a(static_cast<std::size_t>(n * c)), b(a);
    if (first.empty()) first = parameters(network);
    CHECK(parameters(network) == first);
    Team team(2);
    network.logits(floats(sparse.dense, n, d), nullptr, n, a.data(), team);
    network.logits(sparse.rows(n, d), nullptr, n, b.data(), team);
    CHECK(a == b);
  }
}

namespace {

std::vector<float> trained_for(const Targets& targets, Head head, int threads) {
  const Index n = 90, d = 20, c = 7;
  Network network = make({d, 40, c}, Activation::relu, head);
  const Rowset rows = rowset(n, d, c);
  network.start({{}, 0.2, 16, 3});
  network.take(floats(rows.x, n, d), targets);
  Team team(threads);
  const std::vector<double> rates(6, 1e-2);
  network.train(floats(rows.x, n, d), targets, rows.order.data(), n, {rates.data()}, 0.0, team);
  return parameters(network);
}

}  // namespace

TEST(the_ones_of_a_target_matrix_give_the_bits_of_all_of_it) {
  const Index n = 90, c = 7;
  std::vector<float> dense = rowset(n, 20, c).targets;
  std::fill_n(dense.data() + 5 * c, c, std::numeric_limits<float>::quiet_NaN());
  std::vector<std::int64_t> starts{0};
  std::vector<std::int32_t> columns;
  for (Index i = 0; i < n; ++i) {
    if (i == 5) columns.push_back(-1);
    for (Index k = 0; k < c; ++k) {
      if (dense[static_cast<std::size_t>(i * c + k)] == 1.0f) columns.push_back(static_cast<std::int32_t>(k));
    }
    starts.push_back(static_cast<std::int64_t>(columns.size()));
  }
  Targets all, ones;
  all.values = dense.data();
  ones.starts = starts.data(), ones.columns = columns.data();
  const std::vector<float> expected = trained_for(all, Head::sigmoid, 1);
  for (const int threads : {1, 3}) CHECK(trained_for(ones, Head::sigmoid, threads) == expected);
}

TEST(a_certain_probability_is_a_class) {
  const Index n = 90, c = 7;
  const Rowset rows = rowset(n, 20, c);
  std::vector<float> certain(static_cast<std::size_t>(n * c), 0.0f);
  for (Index i = 0; i < n; ++i)
    certain[static_cast<std::size_t>(i * c + rows.labels[static_cast<std::size_t>(i)])] = 1.0f;
  Targets classes, shares;
  classes.labels = rows.labels.data();
  shares.values = certain.data();
  const std::vector<float> a = trained_for(classes, Head::softmax, 2), b = trained_for(shares, Head::softmax, 2);
  CHECK(b == trained_for(shares, Head::softmax, 1));
  // Adam's first steps go by the sign of a gradient, here of some that are rounded once differently.
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::fabs(a[i] - b[i]) < 1e-5f);
}

CHECK_MAIN
