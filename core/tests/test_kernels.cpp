#include "kernels.h"

#include <array>
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "panels.h"

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
  for (const char* name : {"plain", "avx2", "avx512"}) {
    if (const Kernels* set = kernels_named(name)) out.push_back(set);
  }
  return out;
}

}  // namespace

namespace {

struct Columns {
  std::vector<float> frequencies, phases, mixtures, shifts, x, dout;

  Columns(Index n, Index f, Index m)
      : frequencies(numbers(static_cast<std::size_t>(f), 1)),
        phases(numbers(static_cast<std::size_t>(f), 2)),
        mixtures(numbers(static_cast<std::size_t>(m * f), 3)),
        shifts(numbers(static_cast<std::size_t>(m), 4)),
        x(numbers(static_cast<std::size_t>(n), 5)),
        dout(numbers(static_cast<std::size_t>(panel_size(n, m + 15)), 6)) {}

  Waves waves() const {
    return {frequencies.data(),
            phases.data(),
            mixtures.data(),
            shifts.data(),
            static_cast<Index>(frequencies.size()),
            static_cast<Index>(shifts.size())};
  }
};

// The mixtures, in panels from column 15 on, and the gradients by frequencies, phases, mixtures and shifts.
std::vector<std::vector<float>> mixed_and_gradients(const Kernels& set, Index n, Index f, Index m) {
  const Columns columns(n, f, m);
  std::vector<float> mixed(columns.dout.size()), df(columns.frequencies), dp(columns.phases), dw(columns.mixtures),
      ds(columns.shifts);
  set.waves(columns.waves(), columns.x.data(), n, mixed.data(), 15, n * 16);
  set.waves_gradient(columns.waves(), columns.x.data(), n, columns.dout.data(), 15, n * 16, df.data(), dp.data(),
                     dw.data(), ds.data());
  return {mixed, df, dp, dw, ds};
}

}  // namespace

TEST(waves_and_their_gradients_are_the_formulas) {
  const double turn = 6.283185307179586;
  for (const Kernels* set : sets()) {
    for (const auto& [n, f, m] : {std::array<Index, 3>{1, 1, 1}, {37, 16, 3}, {20, 5, 40}}) {
      const Columns by(n, f, m);
      const auto found = mixed_and_gradients(*set, n, f, m);
      const auto dout = [&](Index i, Index k) {
        return static_cast<double>(by.dout[static_cast<std::size_t>(((k + 15) / 16 * n + i) * 16 + (k + 15) % 16)]);
      };
      const auto in = [](const std::vector<float>& x, Index i) {
        return static_cast<double>(x[static_cast<std::size_t>(i)]);
      };
      const auto is_near = [](double a, double b) { return std::abs(a - b) < 1e-7 * (100.0 + std::abs(b)); };
      bool are_right = true;
      for (Index k = 0; k < m; ++k) {
        double shift = 0.0;
        for (Index i = 0; i < n; ++i) {
          double sum = in(by.shifts, k);
          for (Index j = 0; j < f; ++j) {
            sum +=
                in(by.mixtures, k * f + j) * std::cos(turn * (in(by.frequencies, j) * in(by.x, i) + in(by.phases, j)));
          }
          are_right &= is_near(in(found[0], ((k + 15) / 16 * n + i) * 16 + (k + 15) % 16), sum);
          shift += dout(i, k);
        }
        are_right &= is_near(in(found[4], k), shift);
      }
      for (Index j = 0; j < f; ++j) {
        double frequency = 0.0, phase = 0.0;
        std::vector<double> mixtures(static_cast<std::size_t>(m));
        for (Index i = 0; i < n; ++i) {
          const double angle = turn * (in(by.frequencies, j) * in(by.x, i) + in(by.phases, j));
          double by_cosine = 0.0;
          for (Index k = 0; k < m; ++k) {
            by_cosine += in(by.mixtures, k * f + j) * dout(i, k);
            mixtures[static_cast<std::size_t>(k)] += dout(i, k) * std::cos(angle);
          }
          phase -= turn * std::sin(angle) * by_cosine;
          frequency -= turn * std::sin(angle) * by_cosine * in(by.x, i);
        }
        are_right &= is_near(in(found[1], j), frequency) && is_near(in(found[2], j), phase);
        for (Index k = 0; k < m; ++k)
          are_right &= is_near(in(found[3], k * f + j), mixtures[static_cast<std::size_t>(k)]);
      }
      CHECK(are_right);
    }
  }
}

TEST(a_wave_is_the_cosine_rounded_however_many_turns) {
  const float phase = 0.0f, one = 1.0f, none = 0.0f;
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<float>(i) / 1237.0f);
  for (const float far : {1e3f, 12345.678f, 4194304.5f, 1e7f, 3e18f, -3e38f}) x.push_back(far);
  for (const Kernels* set : sets()) {
    const auto n = static_cast<Index>(x.size());
    std::vector<float> panel(static_cast<std::size_t>(n * 16));
    set->waves({&one, &phase, &one, &none, 1, 1}, x.data(), n, panel.data(), 0, n * 16);
    bool are_right = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double turns = static_cast<double>(x[i]);
      const double truth = std::cos(6.283185307179586 * (turns - std::nearbyint(turns)));
      are_right &= std::abs(static_cast<double>(panel[i * 16]) - truth) <= 0x1p-25 + 0x1p-32;
    }
    CHECK(are_right);
    const float infinite = INFINITY;
    set->waves({&one, &phase, &one, &none, 1, 1}, &infinite, 1, panel.data(), 0, 16);
    CHECK(std::isnan(panel[0]));
  }
}

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
      set->nesterov({1e-3f, 0.9f, 0.5f, 0.01f}, w.data(), g.data(), m.data(), n);
      std::vector<float> all = w;
      for (int f = 0; f < 7; ++f) {
        std::vector<float> values = numbers(size, 5), slopes(size);
        set->activate(static_cast<Activation>(f), values.data(), slopes.data(), n);
        all.insert(all.end(), values.begin(), values.end());
        all.insert(all.end(), slopes.begin(), slopes.end());
      }
      const Index units = 16, rows = n;
      std::vector<float> z = numbers(size * 16, 6), slopes(size * 16), slopes_a(size * 16);
      set->parametric_selu(numbers(static_cast<std::size_t>(units), 7).data(), z.data(), slopes.data(), slopes_a.data(),
                           rows);
      for (const auto& found : {z, slopes, slopes_a}) all.insert(all.end(), found.begin(), found.end());
      std::vector<double> sums(size, 0.5);
      set->add_row_products(z.data(), slopes.data(), n, sums.data());
      for (const double sum : sums) all.push_back(static_cast<float>(sum));
      double products[16];
      set->sum_products(z.data(), slopes.data(), n, products);
      for (const double product : products) all.push_back(static_cast<float>(product));
      all.push_back(static_cast<float>(set->sum_of_squares(g.data(), n)));
      for (const auto& found : mixed_and_gradients(*set, n, 11, 19)) all.insert(all.end(), found.begin(), found.end());
      results.push_back(all);
    }
    for (const auto& result : results) CHECK(same_bits(result, results.front()));
  }
}

TEST(activations_made_of_exponentials_are_rounded_once) {
  const auto is_rounded = [](float x, double truth) {
    const float least = std::fabs(x) < 0x1p-126f ? 0x1p-149f : std::nextafter(std::fabs(x), INFINITY) - std::fabs(x);
    return std::fabs(static_cast<double>(x) - truth) <= 0.5001 * static_cast<double>(least);
  };
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  std::vector<float> grid;
  for (int i = -2000; i <= 2000; ++i) {
    grid.push_back(static_cast<float>(i) / 23.0f);
    grid.push_back(static_cast<float>(i) * 1e-6f);
    grid.push_back(static_cast<float>(i) * 1e-20f);
  }
  for (const Kernels* set : sets()) {
    for (const Activation f : {Activation::tanh, Activation::silu, Activation::selu, Activation::sigmoid}) {
      std::vector<float> values = grid, slopes(grid.size());
      set->activate(f, values.data(), slopes.data(), static_cast<Index>(grid.size()));
      bool are_values = true, are_slopes = true;
      for (std::size_t i = 0; i < grid.size(); ++i) {
        const double z = static_cast<double>(grid[i]), cosh = std::cosh(z), at = 1.0 / (1.0 + std::exp(-z));
        const double value = f == Activation::tanh      ? std::tanh(z)
                             : f == Activation::silu    ? z * at
                             : f == Activation::sigmoid ? at
                                                        : scale * (z > 0.0 ? z : alpha * std::expm1(z));
        const double slope = f == Activation::tanh      ? 1.0 / (cosh * cosh)
                             : f == Activation::silu    ? at * (1.0 + z / (1.0 + std::exp(z)))
                             : f == Activation::sigmoid ? at / (1.0 + std::exp(z))
                                                        : scale * (z > 0.0 ? 1.0 : alpha * std::exp(z));
        are_values = are_values && is_rounded(values[i], value);
        are_slopes = are_slopes && is_rounded(slopes[i], slope);
      }
      CHECK(are_values);
      CHECK(are_slopes);
    }
  }
}

TEST(slopes_are_the_activations_differences) {
  for (int f = 0; f < 7; ++f) {
    for (const float z : {-4.0f, -1.0f, -0.3f, 0.2f, 1.0f, 5.0f}) {
      const float h = 1.0f / 64;
      float at[3] = {z - h, z, z + h}, slopes[3];
      kernels().activate(static_cast<Activation>(f), at, slopes, 3);
      CHECK(std::abs((at[2] - at[0]) / (2 * h) - slopes[1]) < 3e-4f);
    }
  }
}

TEST(parametric_selu_and_its_slopes_are_rounded_once) {
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  const std::vector<float> a = numbers(16, 8), start = numbers(16 * 100, 9);
  const auto is_near = [](float x, double truth) {
    return std::abs(static_cast<double>(x) - truth) <= 6e-8 * std::max(1.0, std::abs(truth));
  };
  for (const Kernels* set : sets()) {
    std::vector<float> out = start, slopes(out.size()), slopes_a(out.size());
    set->parametric_selu(a.data(), out.data(), slopes.data(), slopes_a.data(), 100);
    bool are_right = true;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double z = static_cast<double>(start[i]), by = static_cast<double>(a[i % 16]);
      const double bend = (z > 0.0 ? scale * z : scale * alpha * std::expm1(z)) - z;
      const double slope = z > 0.0 ? scale : scale * alpha * std::exp(z);
      are_right = are_right && is_near(out[i], z + by * bend) && is_near(slopes_a[i], bend) &&
                  is_near(slopes[i], 1.0 + by * (slope - 1.0));
    }
    CHECK(are_right);
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
  for (int f = 0; f < 7; ++f) {
    float z = std::nanf(""), slope = 0;
    kernels().activate(static_cast<Activation>(f), &z, &slope, 1);
    CHECK(std::isnan(z));
  }
}

namespace {

// One chain of multiply-adds; the plain set of x86-64 has none that fuse.
float chained(const Kernels& set, float a, float b, float c) {
#if defined(__x86_64__)
  if (std::strcmp(set.name, "plain") == 0) return a * b + c;
#endif
  return std::fma(a, b, c);
}

// (rows, columns) in panels, from a plain matrix; what lies beyond the last column is 0.
std::vector<float> in_panels(const std::vector<float>& matrix, Index rows, Index columns) {
  std::vector<float> out(static_cast<std::size_t>(panel_size(rows, columns)));
  for (Index i = 0; i < rows; ++i) {
    for (Index u = 0; u < columns; ++u) {
      out[static_cast<std::size_t>((u / 16 * rows + i) * 16 + u % 16)] =
          matrix[static_cast<std::size_t>(i * columns + u)];
    }
  }
  return out;
}

float at(const std::vector<float>& panels, Index rows, Index i, Index u) {
  return panels[static_cast<std::size_t>((u / 16 * rows + i) * 16 + u % 16)];
}

}  // namespace

TEST(an_entry_of_a_product_is_one_chain_of_multiply_adds_in_every_tile) {
  for (const Kernels* set : sets()) {
    for (const Index k : {1, 15, 16, 17, 50}) {
      for (const Index h : {1, 16, 17, 33, 80, 300}) {
        for (const Index rows : {1, 2, 3, 4, 5, 7, 8, 9, 17}) {
          const std::vector<float> x = numbers(static_cast<std::size_t>(rows * k), 1);
          const std::vector<float> w = numbers(static_cast<std::size_t>(k * h), 2);
          std::vector<float> bias = numbers(static_cast<std::size_t>(panels_of(h) * 16), 3);
          const std::vector<float> a = in_panels(x, rows, k), b = in_panels(w, k, h);
          std::vector<float> out(static_cast<std::size_t>(panel_size(rows, h))), bare(out);
          set->product(a.data(), rows * 16, rows, k, b.data(), k * 16, 16, panels_of(h), bias.data(), out.data(),
                       rows * 16);
          set->product(a.data(), rows * 16, rows, k, b.data(), k * 16, 16, panels_of(h), nullptr, bare.data(),
                       rows * 16);
          bool is_right = true;
          for (Index i = 0; i < rows; ++i) {
            for (Index u = 0; u < h; ++u) {
              float with = bias[static_cast<std::size_t>(u)], without = 0.0f;
              for (Index j = 0; j < k; ++j) {
                const float from = x[static_cast<std::size_t>(i * k + j)], by = w[static_cast<std::size_t>(j * h + u)];
                with = chained(*set, from, by, with);
                without = chained(*set, from, by, without);
              }
              is_right = is_right && at(out, rows, i, u) == with && at(bare, rows, i, u) == without;
            }
          }
          CHECK(is_right);
        }
      }
    }
  }
}

TEST(an_entry_of_a_weight_gradient_is_one_chain_over_the_batch) {
  for (const Kernels* set : sets()) {
    for (const Index n : {1, 3, 127, 128, 129, 300}) {
      for (const Index d : {1, 7, 16, 31, 64}) {
        for (const Index h : {5, 16, 40}) {
          const std::vector<float> x = numbers(static_cast<std::size_t>(n * d), 1);
          const std::vector<float> dout = numbers(static_cast<std::size_t>(n * h), 2);
          const std::vector<float> a = in_panels(x, n, d), b = in_panels(dout, n, h);
          const std::vector<float> first = in_panels(numbers(static_cast<std::size_t>(d * h), 3), d, h);
          std::vector<float> sums = first;
          set->weight_gradient(a.data(), n * 16, d, n, b.data(), n * 16, panels_of(h), sums.data(), d * 16);
          bool is_right = true;
          for (Index j = 0; j < d; ++j) {
            for (Index u = 0; u < h; ++u) {
              float sum = at(first, d, j, u);
              for (Index i = 0; i < n; ++i) {
                sum = chained(*set, x[static_cast<std::size_t>(i * d + j)], dout[static_cast<std::size_t>(i * h + u)],
                              sum);
              }
              is_right = is_right && at(sums, d, j, u) == sum;
            }
          }
          CHECK(is_right);
        }
      }
    }
  }
}

TEST(a_combination_of_rows_is_one_chain_in_their_order) {
  const Index n = 9;
  const std::vector<std::int32_t> which = {3, 0, 8, 3};
  const std::vector<float> factors = numbers(which.size(), 1);
  for (const Kernels* set : sets()) {
    for (const Index h : {3, 16, 48, 100, 256, 500}) {
      const std::vector<float> rows = numbers(static_cast<std::size_t>(n * h), 2), b = in_panels(rows, n, h);
      const std::vector<float> bias = numbers(static_cast<std::size_t>(panels_of(h) * 16), 3);
      std::vector<float> out(static_cast<std::size_t>(panels_of(h) * 16));
      for (const Index count : {0, 1, 4}) {
        set->combine(which.data(), factors.data(), count, b.data(), 16, n * 16, panels_of(h), bias.data(), out.data(),
                     16);
        bool is_right = true;
        for (Index u = 0; u < h; ++u) {
          float sum = bias[static_cast<std::size_t>(u)];
          for (Index i = 0; i < count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            sum = chained(*set, factors[k], rows[static_cast<std::size_t>(which[k] * h + u)], sum);
          }
          is_right = is_right && out[static_cast<std::size_t>(u)] == sum;
        }
        CHECK(is_right);
      }
    }
  }
}

TEST(rows_become_columns) {
  const std::vector<float> from = numbers(256, 1);
  for (const Kernels* set : sets()) {
    std::vector<float> to(256);
    set->transpose(from.data(), to.data());
    bool is_right = true;
    for (std::size_t i = 0; i < 256; ++i) is_right = is_right && to[i] == from[i % 16 * 16 + i / 16];
    CHECK(is_right);
  }
}

TEST(a_missed_step_is_a_step_with_a_gradient_of_zero) {
  for (const Kernels* set : sets()) {
    std::vector<float> w = numbers(37, 1), m = numbers(37, 2), v = numbers(37, 3), zero(37);
    for (float& x : v) x = x * x + 0.1f;
    std::vector<float> w2 = w, m2 = m, v2 = v, w3 = w, m3 = m;
    set->adam({1e-3f, 0.9f, 0.5f, 0.1f, 0.5f, 1.0f, 1e-8f, 1.0f, 0.0f, 0.99f}, w.data(), zero.data(), m.data(),
              v.data(), 37);
    // step size * beta1 / root of beta2; epsilon over it too
    set->adam_missed({1e-3f * 0.9f / std::sqrt(0.5f), 0.9f, 0.5f, 0.99f, 1e-8f / std::sqrt(0.5f)}, w2.data(), m2.data(),
                     v2.data(), 37);
    std::vector<float> w4 = w3, m4 = m3;
    set->sgd({1e-3f, 0.9f, 1.0f, 0.0f}, w3.data(), zero.data(), m3.data(), 37);
    set->sgd_missed({1e-3f * 0.9f, 0.9f, 1.0f, 1.0f, 0.0f}, w4.data(), m4.data(), 37);
    bool is_right = same_bits(m, m2) && same_bits(v, v2) && same_bits(m3, m4);
    for (std::size_t i = 0; i < 37; ++i) {
      is_right = is_right && std::abs(w[i] - w2[i]) <= 3e-7f * std::abs(w[i]) + 1e-9f;
      is_right = is_right && std::abs(w3[i] - w4[i]) <= 3e-7f * std::abs(w3[i]) + 1e-9f;
    }
    CHECK(is_right);
  }
}

CHECK_MAIN
