#include "raw_rows.h"

#include <cstring>
#include <limits>

#include "check.h"

using namespace fromlogits;

namespace {

constexpr Index d = 21, c = 3;
constexpr double temperature = 1.37;
constexpr double temperatures[c] = {1.37, 0.61, 12.5};
constexpr double biases[c] = {0.1, -2.3, 1e-9};
constexpr Calibration shared{&temperature, nullptr};
constexpr Calibration of_units{temperatures, biases};

Network make() {
  Network network({{d, 18, Activation::relu}, {18, c, Activation::linear}}, Head::softmax);
  for (std::size_t i = 0; i < network.layers().size(); ++i) {
    const auto [inputs, units, activation] = network.layers()[i];
    std::vector<float> numbers;
    for (Index k = 0; k < units * (inputs + 1); ++k)
      numbers.push_back(static_cast<float>((k * 37) % 101) / 50.0f - 1.0f);
    network.set(2 * i, {0, units}, numbers.data());
    network.set(2 * i + 1, {0, units}, numbers.data() + units * inputs);
  }
  return network;
}

std::vector<double> means() {
  std::vector<double> out;
  for (Index j = 0; j < d; ++j) out.push_back(0.1 * static_cast<double>(j));
  return out;
}

std::vector<double> inverse_spreads() {
  std::vector<double> out;
  for (Index j = 0; j < d; ++j) out.push_back(1.0 / (3.0 + static_cast<double>(j)));
  return out;
}

template <class In>
std::vector<In> rows(Index n) {
  std::vector<In> out;
  for (Index i = 0; i < n * d; ++i)
    out.push_back(static_cast<In>(static_cast<double>((i * 29) % 256) / (sizeof(In) == 1 ? 1.0 : 7.0)));
  return out;
}

// Step by step: the encoded rows, the engine, the calibration.
template <class In>
std::vector<float> expected(const Network& network, const std::vector<In>& x, Index n, bool is_picture,
                            const Calibration& calibration) {
  const std::vector<double> mean = means(), inverse_spread = inverse_spreads();
  std::vector<float> encoded, out(static_cast<std::size_t>(n * c));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t j = i % static_cast<std::size_t>(d);
    const double centred = static_cast<double>(x[i]) - mean[j];
    const float product = static_cast<float>(x[i]) * 0.013f;
    encoded.push_back(is_picture ? product - 0.4f : static_cast<float>(centred * inverse_spread[j]));
  }
  Rows some;
  some.floats = encoded.data(), some.n = n, some.d = d;
  Team alone(1);
  network.logits(some, nullptr, n, out.data(), alone);
  for (Index i = 0; i < n * c; ++i) {
    float& z = out[static_cast<std::size_t>(i)];
    const double divided = static_cast<double>(z) / calibration.temperatures[calibration.biases == nullptr ? 0 : i % c];
    z = static_cast<float>(calibration.biases == nullptr ? divided : divided + calibration.biases[i % c]);
  }
  return out;
}

template <class In>
void check_all() {
  const Network network = make();
  const std::vector<double> mean = means(), inverse_spread = inverse_spreads();
  for (const bool is_picture : {false, true}) {
    Encoding encoding;
    if (is_picture) encoding.scale = 0.013f, encoding.shift = -0.4f;
    else encoding.mean = mean.data(), encoding.inverse_spread = inverse_spread.data();
    for (const Index n : {1, 2, 17, 64, 65}) {
      const std::vector<In> x = rows<In>(n);
      for (const Calibration& calibration : {shared, of_units}) {
        std::vector<float> out(static_cast<std::size_t>(n * c));
        CHECK(logits_of_raw(network, encoding, x.data(), n, calibration, out.data()));
        const std::vector<float> wanted = expected(network, x, n, is_picture, calibration);
        CHECK(std::memcmp(out.data(), wanted.data(), out.size() * sizeof(float)) == 0);
      }
    }
  }
}

}  // namespace

TEST(raw_rows_have_the_bits_of_encoder_engine_and_calibration_in_turn) {
  check_all<float>();
  check_all<double>();
  check_all<std::uint8_t>();
}

TEST(a_value_that_is_not_finite_or_too_large_for_a_float_is_told) {
  const Network network = make();
  const std::vector<double> mean = means(), inverse_spread = inverse_spreads();
  const Encoding encoding{mean.data(), inverse_spread.data(), 1.0f, 0.0f};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double odd : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity, 1e300}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{41}}) {
      std::vector<double> x = rows<double>(2);
      float out[2 * c];
      CHECK(logits_of_raw(network, encoding, x.data(), 2, shared, out));
      x[at] = odd;
      CHECK(!logits_of_raw(network, encoding, x.data(), 2, shared, out));
    }
  }
}

CHECK_MAIN
