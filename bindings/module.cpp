// The only file that knows Python: checks memory (rank, type, order, sizes), drops the interpreter lock, calls one
// function. Meaning is checked in Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "arena.h"
#include "kernels.h"
#include "loss.h"
#include "network.h"
#include "rng.h"

namespace nb = nanobind;
using namespace nb::literals;
using fromlogits::Index;

namespace {

template <class T>
using Vec = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Floats = Matrix<const float>;
using Bytes = Matrix<const std::uint8_t>;

Index size(std::size_t n) { return static_cast<Index>(n); }

void require(bool is_true, const char* message) {
  if (!is_true) throw std::invalid_argument(message);
}

fromlogits::Rows rows_of(const Floats& x) {
  return {x.data(), nullptr, 1.0f, 0.0f, size(x.shape(0)), size(x.shape(1))};
}
fromlogits::Rows rows_of(const Bytes& x, float scale, float shift) {
  return {nullptr, x.data(), scale, shift, size(x.shape(0)), size(x.shape(1))};
}

class PyNetwork {
 public:
  PyNetwork(Index inputs, const std::vector<Index>& units, const std::vector<std::string>& activations,
            const std::string& head)
      : network_(layers(inputs, units, activations),
                 head == "softmax" ? fromlogits::Head::softmax : fromlogits::Head::sigmoid),
        is_softmax_(head == "softmax") {}

  void get(Vec<float> out) const {
    require(size(out.shape(0)) == network_.parameter_count(), "out must hold every parameter");
    std::copy_n(network_.parameters(), network_.parameter_count(), out.data());
  }

  void set(Vec<const float> values) {
    require(size(values.shape(0)) == network_.parameter_count(), "values must hold every parameter");
    std::copy_n(values.data(), network_.parameter_count(), network_.parameters());
  }

  void start(const std::string& optimizer, double momentum, double beta1, double beta2, double epsilon,
             double weight_decay, double clip_norm, double dropout, Index batch_size, std::uint64_t seed) {
    using fromlogits::Method;
    const Method method = optimizer == "sgd" ? Method::sgd : optimizer == "adamw" ? Method::adamw : Method::adam;
    batch_size_ = 0;  // if memory runs out below, train() refuses
    network_.start({{method, momentum, beta1, beta2, epsilon, weight_decay, clip_norm}, dropout, batch_size, seed});
    batch_size_ = batch_size;
  }

  double train(const fromlogits::Rows& rows, std::optional<Vec<const std::int32_t>> labels,
               std::optional<Floats> targets, Vec<const std::int64_t> order, Vec<const double> rates, double loss,
               int threads) {
    require(batch_size_ > 0, "start() comes before train()");
    require(rows.d == network_.inputs(), "features must be (n, inputs)");
    fromlogits::Targets wanted;
    if (is_softmax_) {
      require(labels && size(labels->shape(0)) == rows.n, "labels must be (n,)");
      wanted.labels = labels->data();
    } else {
      require(targets && size(targets->shape(0)) == rows.n && size(targets->shape(1)) == network_.outputs(),
              "targets must be (n, outputs)");
      wanted.values = targets->data();
    }
    const Index k = size(order.shape(0));
    require(size(rates.shape(0)) == (k + batch_size_ - 1) / batch_size_, "one learning rate for each batch");
    nb::gil_scoped_release unlocked;
    fromlogits::Team team(threads);
    return network_.train(rows, wanted, order.data(), k, rates.data(), loss, team);
  }

  void logits(const fromlogits::Rows& rows, Matrix<float> out, int threads) const {
    require(rows.d == network_.inputs(), "features must be (n, inputs)");
    require(size(out.shape(0)) == rows.n && size(out.shape(1)) == network_.outputs(), "out must be (n, outputs)");
    nb::gil_scoped_release unlocked;
    fromlogits::Team team(threads);
    network_.logits(rows, out.data(), team);
  }

 private:
  static std::vector<fromlogits::DenseLayer> layers(Index inputs, const std::vector<Index>& units,
                                                    const std::vector<std::string>& activations) {
    require(!units.empty() && units.size() == activations.size(), "one activation for each layer");
    std::vector<fromlogits::DenseLayer> out;
    for (std::size_t i = 0; i < units.size(); ++i) {
      require(inputs > 0 && units[i] > 0, "widths must be positive");
      out.push_back({inputs, units[i], activation(activations[i])});
      inputs = units[i];
    }
    return out;
  }

  static fromlogits::Activation activation(const std::string& name) {
    using fromlogits::Activation;
    if (name == "linear") return Activation::linear;
    if (name == "relu") return Activation::relu;
    if (name == "tanh") return Activation::tanh;
    if (name == "gelu") return Activation::gelu;
    if (name == "silu") return Activation::silu;
    if (name == "selu") return Activation::selu;
    throw std::invalid_argument("unknown activation " + name);
  }

  fromlogits::Network network_;
  bool is_softmax_;
  Index batch_size_ = 0;
};

// Losses (n,) in float64, before their rounding; the gradient of each row's own loss, times `weight`.
void softmax_cross_entropy(Floats logits, Vec<const std::int32_t> labels, double weight, Vec<double> losses,
                           std::optional<Matrix<float>> dlogits) {
  const Index n = size(logits.shape(0)), c = size(logits.shape(1));
  require(size(labels.shape(0)) == n && size(losses.shape(0)) == n, "labels and losses must be (n,)");
  require(!dlogits || (size(dlogits->shape(0)) == n && size(dlogits->shape(1)) == c), "dlogits must be (n, c)");
  float* const out = dlogits ? dlogits->data() : nullptr;
  nb::gil_scoped_release unlocked;
  fromlogits::Buffer<double> scratch(c);
  for (Index i = 0; i < n; ++i) {
    losses.data()[i] = fromlogits::softmax_cross_entropy_row(logits.data() + i * c, labels.data()[i], weight,
                                                             out == nullptr ? nullptr : out + i * c, scratch.data(), c);
  }
}

void sigmoid_cross_entropy(Floats logits, Floats targets, double weight, Vec<double> losses,
                           std::optional<Matrix<float>> dlogits) {
  const Index n = size(logits.shape(0)), c = size(logits.shape(1));
  require(size(targets.shape(0)) == n && size(targets.shape(1)) == c, "targets must be (n, c)");
  require(size(losses.shape(0)) == n, "losses must be (n,)");
  require(!dlogits || (size(dlogits->shape(0)) == n && size(dlogits->shape(1)) == c), "dlogits must be (n, c)");
  float* const out = dlogits ? dlogits->data() : nullptr;
  nb::gil_scoped_release unlocked;
  for (Index i = 0; i < n; ++i) {
    losses.data()[i] = fromlogits::sigmoid_cross_entropy_row(logits.data() + i * c, targets.data() + i * c, weight,
                                                             out == nullptr ? nullptr : out + i * c, c);
  }
}

template <class Row>
void by_row(Floats z, Matrix<float> out, Row row) {
  const Index n = size(z.shape(0)), c = size(z.shape(1));
  require(size(out.shape(0)) == n && size(out.shape(1)) == c, "out must have the shape of the logits");
  nb::gil_scoped_release unlocked;
  for (Index i = 0; i < n; ++i) row(z.data() + i * c, out.data() + i * c, c);
}

void softmax(Floats z, Matrix<float> out) {
  fromlogits::Buffer<double> scratch(size(z.shape(1)));
  by_row(z, out, [&](const float* in, float* to, Index c) { fromlogits::softmax_row(in, to, scratch.data(), c); });
}
void log_softmax(Floats z, Matrix<float> out) { by_row(z, out, fromlogits::log_softmax_row); }
void sigmoid(Floats z, Matrix<float> out) {
  by_row(z, out, [](const float* in, float* to, Index c) {
    for (Index k = 0; k < c; ++k) to[k] = fromlogits::sigmoid(in[k]);
  });
}
void log_sigmoid(Floats z, Matrix<float> out) {
  by_row(z, out, [](const float* in, float* to, Index c) {
    for (Index k = 0; k < c; ++k) to[k] = fromlogits::log_sigmoid(in[k]);
  });
}

}  // namespace

NB_MODULE(_core, m) {
  fromlogits::use_one_blas_thread();
  m.def("version", [] { return std::string(FROMLOGITS_VERSION); });
  m.def("isa", [] { return std::string(fromlogits::kernels().name); });
  m.def(
      "has_isa", [](const std::string& name) { return fromlogits::kernels_named(name.c_str()) != nullptr; }, "name"_a);
  m.def("blas_core", [] { return std::string(fromlogits::blas_core()); });
  m.def(
      "philox",
      [](std::uint64_t key, std::vector<std::uint64_t> counter) {
        require(counter.size() == 4, "a counter is four words");
        const auto block = fromlogits::philox({counter[0], counter[1], counter[2], counter[3]}, key);
        return std::vector<std::uint64_t>(block.begin(), block.end());
      },
      "key"_a, "counter"_a);

  m.def("softmax", softmax, "logits"_a.noconvert(), "out"_a.noconvert());
  m.def("log_softmax", log_softmax, "logits"_a.noconvert(), "out"_a.noconvert());
  m.def("sigmoid", sigmoid, "logits"_a.noconvert(), "out"_a.noconvert());
  m.def("log_sigmoid", log_sigmoid, "logits"_a.noconvert(), "out"_a.noconvert());
  m.def("softmax_cross_entropy", softmax_cross_entropy, "logits"_a.noconvert(), "labels"_a.noconvert(), "weight"_a,
        "losses"_a.noconvert(), "dlogits"_a.noconvert() = nb::none());
  m.def("sigmoid_cross_entropy", sigmoid_cross_entropy, "logits"_a.noconvert(), "targets"_a.noconvert(), "weight"_a,
        "losses"_a.noconvert(), "dlogits"_a.noconvert() = nb::none());

  nb::class_<PyNetwork>(m, "Network")
      .def(nb::init<Index, const std::vector<Index>&, const std::vector<std::string>&, const std::string&>(),
           "inputs"_a, "units"_a, "activations"_a, "head"_a)
      .def("get", &PyNetwork::get, "out"_a.noconvert())
      .def("set", &PyNetwork::set, "values"_a.noconvert())
      .def("start", &PyNetwork::start, "optimizer"_a, "momentum"_a, "beta1"_a, "beta2"_a, "epsilon"_a, "weight_decay"_a,
           "clip_norm"_a, "dropout"_a, "batch_size"_a, "seed"_a)
      .def(
          "train",
          [](PyNetwork& self, Floats features, std::optional<Vec<const std::int32_t>> labels,
             std::optional<Floats> targets, Vec<const std::int64_t> order, Vec<const double> rates, double loss,
             int threads) { return self.train(rows_of(features), labels, targets, order, rates, loss, threads); },
          "features"_a.noconvert(), "labels"_a.noconvert().none(), "targets"_a.noconvert().none(),
          "order"_a.noconvert(), "rates"_a.noconvert(), "loss"_a, "threads"_a)
      .def(
          "train_bytes",
          [](PyNetwork& self, Bytes features, float scale, float shift, std::optional<Vec<const std::int32_t>> labels,
             std::optional<Floats> targets, Vec<const std::int64_t> order, Vec<const double> rates, double loss,
             int threads) {
            return self.train(rows_of(features, scale, shift), labels, targets, order, rates, loss, threads);
          },
          "features"_a.noconvert(), "scale"_a, "shift"_a, "labels"_a.noconvert().none(), "targets"_a.noconvert().none(),
          "order"_a.noconvert(), "rates"_a.noconvert(), "loss"_a, "threads"_a)
      .def(
          "logits",
          [](const PyNetwork& self, Floats features, Matrix<float> out, int threads) {
            self.logits(rows_of(features), out, threads);
          },
          "features"_a.noconvert(), "out"_a.noconvert(), "threads"_a)
      .def(
          "logits_bytes",
          [](const PyNetwork& self, Bytes features, float scale, float shift, Matrix<float> out, int threads) {
            self.logits(rows_of(features, scale, shift), out, threads);
          },
          "features"_a.noconvert(), "scale"_a, "shift"_a, "out"_a.noconvert(), "threads"_a);
}
