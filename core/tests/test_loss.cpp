#include "loss.h"

#include <algorithm>
#include <limits>

#include "arena.h"
#include "check.h"

using namespace fromlogits;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Each test runs with every instruction set of this machine.
std::vector<const Kernels*> sets() {
  std::vector<const Kernels*> found;
  for (const char* name : {"plain", "avx2", "avx512"}) {
    if (const Kernels* set = kernels_named(name)) found.push_back(set);
  }
  return found;
}
const Kernels* set = nullptr;

const LogitKernels<float, float>& from(float) { return set->narrow; }
const LogitKernels<double, double>& from(double) { return set->full; }

template <class T>
double softmax_loss_of(std::vector<T> z, std::int32_t label, std::vector<T>* dz = nullptr, double scale = 1.0) {
  const auto c = static_cast<Index>(z.size());
  Buffer<double> scratch(scratch_size(c));
  if (dz != nullptr) dz->resize(z.size());
  double loss = 0.0;
  from(T{}).softmax_loss(z.data(), &label, &scale, 1.0, dz == nullptr ? nullptr : dz->data(), &loss, 1, c,
                         scratch.data());
  return loss;
}
double softmax_loss(std::vector<float> z, std::int32_t label, std::vector<float>* dz = nullptr, double scale = 1.0) {
  return softmax_loss_of(std::move(z), label, dz, scale);
}

double sigmoid_loss(float z, float t, float* dz) {
  double loss = 0.0;
  set->narrow.sigmoid_loss(&z, &t, nullptr, 0.0, nullptr, 1.0, nullptr, 1.0, dz, &loss, 1);
  return loss;
}

bool close(double a, double b, double relative) { return std::abs(a - b) <= relative * std::abs(b); }

float one(void (*f)(const float*, float*, Index) noexcept, float z) {
  float y = 0.0f;
  f(&z, &y, 1);
  return y;
}

// n rows of c classes that spread over `spread`, and their classes.
struct Case {
  std::vector<float> z;
  std::vector<std::int32_t> labels;
  Case(Index n, Index c, float spread) : z(static_cast<std::size_t>(n * c)), labels(static_cast<std::size_t>(n)) {
    std::uint32_t state = 12345;
    const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
    for (float& x : z) x = spread * (static_cast<float>(next()) / 16777216.0f - 0.5f);
    for (std::int32_t& y : labels) y = static_cast<std::int32_t>(next() % static_cast<std::uint32_t>(c));
  }
};

}  // namespace

#undef TEST
#define TEST(name)                                       \
  static void name##_with();                             \
  static void name() {                                   \
    for (const Kernels* one_set : sets()) {              \
      set = one_set;                                     \
      name##_with();                                     \
    }                                                    \
  }                                                      \
  static const check::Register name##_test{#name, name}; \
  static void name##_with()

TEST(equal_logits_cost_log_c_wherever_they_stand) {
  for (const float offset : {0.0f, 1e4f, -1e6f, 1e8f, 3e38f}) {
    CHECK(close(softmax_loss({offset, offset, offset, offset}, 2), std::log(4.0), 1e-15));
  }
}

TEST(a_confident_right_answer_keeps_its_loss_and_gradient) {
  // The true class leads by 100 nats: the loss is 2 exp(-100) to all digits, where every peer returns 0.
  std::vector<float> dz;
  const double loss = softmax_loss({100.0f, 0.0f, 0.0f}, 0, &dz);
  const double tiny = 2.0 * std::exp(-100.0);
  CHECK(close(loss, tiny, 1e-15));
  CHECK(dz[0] == static_cast<float>(-tiny) && dz[1] == static_cast<float>(tiny / 2) && dz[2] == dz[1]);
}

TEST(the_softmax_gradient_is_probability_minus_one_hot) {
  std::vector<float> dz;
  softmax_loss({1.0f, 2.0f, 3.0f}, 0, &dz);
  CHECK(close(dz[0], -0.90996942, 1e-7) && close(dz[1], 0.24472847, 1e-7) && close(dz[2], 0.66524096, 1e-7));
}

TEST(masked_classes_take_no_part) {
  std::vector<float> dz;
  CHECK(close(softmax_loss({1e8f, -inf, 1e8f}, 0, &dz), std::log(2.0), 1e-15));
  CHECK(dz[0] == -0.5f && dz[1] == 0.0f && dz[2] == 0.5f && !std::signbit(dz[1]));
  CHECK(softmax_loss({0.0f, -inf}, 1) == inf);
  CHECK(std::isnan(softmax_loss({-inf, -inf}, 0)) && std::isnan(softmax_loss({inf, 0.0f}, 0)));
  CHECK(std::isnan(softmax_loss({0.0f, not_a_number}, 0)) && std::isnan(softmax_loss({not_a_number, 0.0f}, 1)));
}

TEST(certainty_costs_plus_zero) {
  const double loss = softmax_loss({5.0f, -inf}, 0);
  CHECK(loss == 0.0 && !std::signbit(loss));
  CHECK(softmax_loss({7.0f}, 0) == 0.0);
}

TEST(doubles_whose_difference_is_inexact_by_more_than_one_keep_their_loss) {
  for (const double low : {1.0, 1.5, 2.0, 2.5, 3.0, 100.0}) {
    for (const double high : {0x1p54, 0x1p55, 0x1p56, 0x1p60}) {
      for (const std::size_t c : {2u, 9u, 50u}) {  // one class, a vector of classes, a row along the vectors
        std::vector<double> z(c, 0.0), dz;
        z[0] = high;
        z[1] = low;
        CHECK(softmax_loss_of(z, 1, &dz) == high - low && dz[0] == 1.0 && dz[1] == -1.0);
      }
    }
  }
}

TEST(a_small_weight_of_a_far_row_scales_its_gradient_and_no_more) {
  for (const double lead : {300.0, 400.0, 690.0, 708.0, 720.0, 1e5}) {
    std::vector<double> dz, wide;
    softmax_loss_of<double>({lead, 0.0, lead - 1.0}, 1, &dz);
    softmax_loss_of<double>({lead, 0.0, lead - 1.0}, 1, &wide, 0x1p-200);
    for (std::size_t k = 0; k < 3; ++k) CHECK(wide[k] == dz[k] * 0x1p-200);
    std::vector<float> narrow;
    softmax_loss({static_cast<float>(lead), 0.0f, 0.0f}, 1, &narrow, 0x1p-100);
    CHECK(narrow[0] == 0x1p-100f && narrow[1] == -0x1p-100f);
  }
}

TEST(the_sigmoid_loss_keeps_both_tails) {
  float dz = 0;
  for (const float z : {20.0f, 60.0f, 100.0f}) {
    const double tiny = std::log1p(std::exp(-static_cast<double>(z)));
    CHECK(close(sigmoid_loss(z, 1.0f, &dz), tiny, 1e-15) && dz < 0.0f);
    CHECK(close(sigmoid_loss(-z, 0.0f, &dz), tiny, 1e-15) && dz > 0.0f);
    CHECK(close(sigmoid_loss(z, 0.0f, &dz), z + tiny, 1e-15) && dz == 1.0f);
  }
}

TEST(infinite_logits_have_their_limits) {
  float dz = 0;
  CHECK(sigmoid_loss(inf, 1.0f, &dz) == 0.0 && dz == 0.0f);
  CHECK(sigmoid_loss(-inf, 0.0f, &dz) == 0.0 && dz == 0.0f);
  CHECK(sigmoid_loss(inf, 0.0f, &dz) == inf && dz == 1.0f);
  CHECK(sigmoid_loss(-inf, 0.25f, &dz) == inf && dz == -0.25f);
  CHECK(std::isnan(sigmoid_loss(not_a_number, 0.0f, &dz)) && std::isnan(dz));
}

TEST(an_unknown_label_costs_nothing) {
  float dz = 1;
  CHECK(sigmoid_loss(3.0f, not_a_number, &dz) == 0.0 && dz == 0.0f);
}

TEST(near_the_prediction_the_soft_target_gradient_keeps_its_digits) {
  // z = 1e-6, t = 1/2: the gradient is tanh(z / 2) / 2.
  float dz = 0;
  sigmoid_loss(1e-6f, 0.5f, &dz);
  CHECK(close(dz, 0.5 * std::tanh(0.5 * static_cast<double>(1e-6f)), 1e-7));
}

TEST(probabilities_and_their_logarithms_agree) {
  const std::vector<float> z = {-25.0f, 0.0f, 25.0f, 50.0f};
  std::vector<float> p(4), log_p(4);
  Buffer<double> scratch(scratch_size(4));
  set->narrow.softmax(z.data(), p.data(), 1, 4, scratch.data());
  set->narrow.log_softmax(z.data(), log_p.data(), 1, 4, scratch.data());
  CHECK(close(p[0], 2.678636961770877e-33, 1e-7) && close(p[2], 1.3887943864771144e-11, 1e-7) && p[3] == 1.0f);
  CHECK(log_p[0] == -75.0f &&
        log_p[3] == static_cast<float>(-std::log1p(std::exp(-25.0) + std::exp(-50.0) + std::exp(-75.0))));
  const auto sigmoid = set->narrow.sigmoid, log_sigmoid = set->narrow.log_sigmoid;
  CHECK(close(one(sigmoid, -100.0f), 3.783505853677006e-44, 1e-1) && one(sigmoid, 0.0f) == 0.5f);
  CHECK(one(log_sigmoid, inf) == 0.0f && !std::signbit(one(log_sigmoid, inf)));
  CHECK(one(log_sigmoid, -inf) == -inf && close(one(log_sigmoid, 10.0f), -4.5398898e-05, 1e-7));
}

TEST(what_rounds_to_zero_is_plus_zero) {
  std::vector<float> dz;
  softmax_loss({200.0f, 0.0f}, 0, &dz);
  CHECK(dz[0] == 0.0f && !std::signbit(dz[0]));
  float d = 1.0f;
  sigmoid_loss(120.0f, 1.0f, &d);
  CHECK(d == 0.0f && !std::signbit(d));
  CHECK(!std::signbit(one(set->narrow.log_sigmoid, 200.0f)));
}

TEST(a_row_has_the_same_bits_alone_and_among_others_and_in_place) {
  for (const Index c : {1, 2, 3, 7, 8, 9, 10, 31, 40, 41, 64, 100, 256, 257, 1000}) {
    for (const Index n : {1, 2, 7, 8, 9, 63, 64, 65, 130}) {
      const Case many(n, c, 60.0f);
      Buffer<double> scratch(scratch_size(c));
      std::vector<double> losses(static_cast<std::size_t>(n));
      std::vector<float> together(many.z.size()), in_place = many.z, alone(static_cast<std::size_t>(c));
      const auto f = set->narrow.softmax_loss;
      f(many.z.data(), many.labels.data(), nullptr, 3.0, together.data(), losses.data(), n, c, scratch.data());
      f(in_place.data(), many.labels.data(), nullptr, 3.0, in_place.data(), losses.data(), n, c, scratch.data());
      CHECK(in_place == together);
      bool are_same = true;
      for (Index i = 0; i < n; ++i) {
        double loss = 0.0;
        f(many.z.data() + i * c, many.labels.data() + i, nullptr, 3.0, alone.data(), &loss, 1, c, scratch.data());
        are_same &= loss == losses[static_cast<std::size_t>(i)];
        are_same &= std::equal(alone.begin(), alone.end(), together.begin() + i * c);
      }
      CHECK(are_same);
    }
  }
}

TEST(the_parts_of_a_sum_have_its_exact_value) {
  // Integers times powers of 2, so that the exact sum is known.
  for (const Index n : {1, 2, 7, 8, 9, 100, 4095, 4096}) {
    std::vector<double> x(static_cast<std::size_t>(n));
    ExactSum one_by_one, by_parts;
    for (Index i = 0; i < n; ++i) {
      x[static_cast<std::size_t>(i)] =
          std::ldexp(1.0 + std::ldexp(static_cast<double>(i), -52), static_cast<int>(i % 90) - 60);
      one_by_one.add(x[static_cast<std::size_t>(i)]);
    }
    const Parts parts = set->split_sum(x.data(), n);
    CHECK(parts.size > 0 && parts.nans == 0);
    for (int k = 0; k < parts.size; ++k) by_parts.add(parts.values[k]);
    one_by_one.settle();
    by_parts.settle();
    CHECK(std::equal(one_by_one.digits(), one_by_one.digits() + ExactSum::size, by_parts.digits()));
  }
  const double odd[] = {1.0, static_cast<double>(not_a_number), static_cast<double>(inf)};
  const Parts parts = set->split_sum(odd, 3);
  CHECK(parts.size == -1 && parts.nans == 1);
  const double nothing[] = {0.0, 0.0};
  CHECK(set->split_sum(nothing, 2).size == 0);
}

TEST(threads_change_no_bit) {
  for (const Index c : {3, 50, 3000}) {
    const Case many(400, c, 40.0f);
    SoftmaxTargets targets;
    targets.labels = many.labels.data();
    std::vector<std::vector<float>> gradients;
    std::vector<ExactSum> sums;
    for (const int threads : {1, 2, 3}) {
      Team team(threads);
      gradients.emplace_back(many.z.size());
      sums.push_back(softmax_cross_entropy<float, float>(many.z.data(), targets, nullptr, 400.0,
                                                         gradients.back().data(), nullptr, 400, c, team)
                         .sum);
    }
    CHECK(gradients[0] == gradients[1] && gradients[0] == gradients[2]);
    CHECK(std::equal(sums[0].digits(), sums[0].digits() + ExactSum::size, sums[2].digits()));
  }
}

TEST(rows_without_classes_are_left_out_and_touch_nothing) {
  const std::vector<std::int32_t> labels = {-1, -1};
  SoftmaxTargets targets;
  targets.labels = labels.data();
  std::vector<double> losses(2, 7.0);
  float dz = 7.0f;
  Team team(1);
  const LossSum sum =
      softmax_cross_entropy<float, float>(nullptr, targets, nullptr, 1.0, &dz, losses.data(), 2, 0, team);
  CHECK(losses == std::vector<double>(2, 0.0) && dz == 7.0f && sum.nans == 0 && sum.sum.odd() == 0.0);
}

CHECK_MAIN
