#include "kernels.h"

#include <cstring>
#include <random>

#include "check.h"

using namespace fromlogits;

namespace {

std::vector<float> numbers(std::size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, 3.0f);
  std::vector<float> out(n);
  for (float& x : out) x = normal(generator);
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<const Kernels*> sets() {
  std::vector<const Kernels*> out;
  for (const char* name : {"plain", "avx2"}) {
    if (const Kernels* set = kernels_named(name)) out.push_back(set);
  }
  return out;
}

}  // namespace

TEST(every_instruction_set_gives_the_same_bits) {
  for (const std::size_t size : {1u, 7u, 8u, 9u, 31u, 64u, 257u}) {
    const auto n = static_cast<Index>(size);
    std::vector<std::vector<float>> results;
    for (const Kernels* set : sets()) {
      std::vector<float> w = numbers(size, 1), g = numbers(size, 2), m = numbers(size, 3), v = numbers(size, 4);
      for (float& x : v) x *= x;
      set->adam({1e-3f, 0.9f, 0.999f, 0.1f, 0.001f, 1.5f, 1e-8f, 0.5f, 0.01f, 0.99f}, w.data(), g.data(), m.data(),
                v.data(), n);
      set->sgd({1e-3f, 0.9f, 0.5f, 0.01f}, w.data(), g.data(), m.data(), n);
      std::vector<float> all = w;
      for (int f = 0; f < 6; ++f) {
        std::vector<float> values = numbers(size, 5), slopes(size);
        set->activate(static_cast<Activation>(f), values.data(), slopes.data(), n);
        all.insert(all.end(), values.begin(), values.end());
        all.insert(all.end(), slopes.begin(), slopes.end());
      }
      all.push_back(static_cast<float>(set->sum_of_squares(g.data(), n)));
      results.push_back(all);
    }
    for (const auto& result : results) CHECK(same_bits(result, results.front()));
  }
}

TEST(slopes_are_the_activations_differences) {
  for (int f = 0; f < 6; ++f) {
    for (const float z : {-4.0f, -1.0f, -0.3f, 0.2f, 1.0f, 5.0f}) {
      const float h = 1.0f / 64;
      float at[3] = {z - h, z, z + h}, slopes[3];
      kernels().activate(static_cast<Activation>(f), at, slopes, 3);
      CHECK(std::abs((at[2] - at[0]) / (2 * h) - slopes[1]) < 3e-4f);
    }
  }
}

TEST(moments_without_a_gradient_settle_at_zero) {
  for (const Kernels* set : sets()) {
    float w = 1.0f, g = 0.0f, m = 1e-30f, v = 1e-30f;
    for (int step = 0; step < 40'000; ++step) {
      set->adam({1e-3f, 0.9f, 0.999f, 0.1f, 0.001f, 1.0f, 1e-8f, 1.0f, 0.0f, 1.0f}, &w, &g, &m, &v, 1);
    }
    CHECK(m == 0.0f && v == 0.0f && w == 1.0f);
    float velocity = 1e-30f;
    for (int step = 0; step < 1'000; ++step) set->sgd({1e-3f, 0.9f, 1.0f, 0.0f}, &w, &g, &velocity, 1);
    CHECK(velocity == 0.0f);
  }
}

TEST(a_diverged_activation_stays_nan) {
  for (int f = 0; f < 6; ++f) {
    float z = std::nanf(""), slope = 0;
    kernels().activate(static_cast<Activation>(f), &z, &slope, 1);
    CHECK(std::isnan(z));
  }
}

CHECK_MAIN
