#include "loss.h"

#include <limits>

#include "check.h"

using namespace fromlogits;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

double softmax_loss(std::vector<float> z, std::int32_t label, std::vector<float>* dz = nullptr) {
  std::vector<double> scratch(z.size());
  if (dz != nullptr) dz->resize(z.size());
  return softmax_cross_entropy_row(z.data(), label, 1.0, dz == nullptr ? nullptr : dz->data(), scratch.data(),
                                   static_cast<Index>(z.size()));
}

double sigmoid_loss(float z, float t, float* dz) { return sigmoid_cross_entropy_row(&z, &t, 1.0, dz, 1); }

bool close(double a, double b, double relative) { return std::abs(a - b) <= relative * std::abs(b); }

}  // namespace

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
  std::vector<double> scratch(4);
  softmax_row(z.data(), p.data(), scratch.data(), 4);
  log_softmax_row(z.data(), log_p.data(), 4);
  CHECK(close(p[0], 2.678636961770877e-33, 1e-7) && close(p[2], 1.3887943864771144e-11, 1e-7) && p[3] == 1.0f);
  CHECK(log_p[0] == -75.0f &&
        log_p[3] == static_cast<float>(-std::log1p(std::exp(-25.0) + std::exp(-50.0) + std::exp(-75.0))));
  CHECK(close(fromlogits::sigmoid(-100.0f), 3.783505853677006e-44, 1e-1) && fromlogits::sigmoid(0.0f) == 0.5f);
  CHECK(fromlogits::log_sigmoid(inf) == 0.0f && !std::signbit(fromlogits::log_sigmoid(inf)));
  CHECK(fromlogits::log_sigmoid(-inf) == -inf && close(fromlogits::log_sigmoid(10.0f), -4.5398898e-05, 1e-7));
}

CHECK_MAIN
