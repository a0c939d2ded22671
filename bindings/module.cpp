// The only file that knows Python: checks memory (rank, type, order, sizes), drops the interpreter lock, calls one
// function. Meaning is checked in Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "arena.h"
#include "json_numbers.h"
#include "kernels.h"
#include "loss.h"
#include "network.h"
#include "raw_rows.h"
#include "rng.h"

namespace nb = nanobind;
using namespace nb::literals;
using fromlogits::Index;

namespace {

template <class T>
using Vec = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Floats = Matrix<const float>;
using Bytes = Matrix<const std::uint8_t>;

// Without the interpreter lock. Up to Python 3.13 a thread that wants it back while the interpreter ends is unwound,
// which no destructor and no frame of nanobind survives: it sleeps until the process is over, as from 3.14 on.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (;;) pause();
    }
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

Index size(std::size_t n) { return static_cast<Index>(n); }

void require(bool is_true, const char* message) {
  if (!is_true) throw std::invalid_argument(message);
}

fromlogits::Rows rows_of(const Floats& x) {
  fromlogits::Rows rows;
  rows.floats = x.data(), rows.n = size(x.shape(0)), rows.d = size(x.shape(1));
  return rows;
}
fromlogits::Rows rows_of(const Bytes& x, float scale, float shift) {
  fromlogits::Rows rows;
  rows.bytes = x.data(), rows.scale = scale, rows.shift = shift, rows.n = size(x.shape(0)), rows.d = size(x.shape(1));
  return rows;
}
fromlogits::Rows rows_of(const Vec<const std::int64_t>& starts, const Vec<const std::int32_t>& columns,
                         const Vec<const float>& values, Index d) {
  require(starts.shape(0) > 0 && columns.shape(0) == values.shape(0),
          "starts must be (n + 1,), an index for each value");
  const Index n = size(starts.shape(0)) - 1;
  require(starts.data()[0] >= 0 && starts.data()[n] <= size(values.shape(0)), "starts must lie within the values");
  fromlogits::Rows rows;
  rows.starts = starts.data(), rows.columns = columns.data(), rows.values = values.data(), rows.n = n, rows.d = d;
  return rows;
}

template <class T>
const T* data_or_null(const std::optional<Vec<const T>>& x) {
  return x ? x->data() : nullptr;
}

// What rows count for, and a label that is set more than one that is not.
struct Weights {
  std::optional<nb::ndarray<const double, nb::c_contig, nb::device::cpu>> each;  // (n) or (n, outputs)
  std::optional<Vec<const double>> positive;                                     // (outputs)
};
// Of each step: its learning rate, what the weight decay is times, and the dropout.
struct Steps {
  Vec<const double> rates;
  std::optional<Vec<const double>> decays, dropouts;
};
// The ones of a 0/1 matrix of targets: starts (n + 1), columns.
using SparseTargets = std::optional<std::pair<Vec<const std::int64_t>, Vec<const std::int32_t>>>;
using EachWeight = decltype(Weights::each);
using PositiveWeights = decltype(Weights::positive);
using Decays = decltype(Steps::decays);
using Dropouts = decltype(Steps::dropouts);

class PyNetwork {
 public:
  PyNetwork(Index features, const fromlogits::Front& front, const std::vector<Index>& units,
            const std::vector<std::string>& activations, const std::string& head, bool by_rows)
      : network_(layers(front.is_embedding() ? front.inputs() : features, units, activations),
                 head == "softmax" ? fromlogits::Head::softmax : fromlogits::Head::sigmoid, by_rows, front),
        is_softmax_(head == "softmax") {}

  static fromlogits::Front front(Index features, const std::vector<Index>& numbers, Index frequencies, Index bins,
                                 Index mixtures, const std::vector<std::pair<Index, Index>>& categories, Index outputs,
                                 bool has_scaling) {
    require(features > 0, "widths must be positive");
    const bool is_embedding_numbers = frequencies > 0 || bins > 0;
    require(frequencies >= 0 && bins >= 0 && (frequencies == 0 || bins == 0), "numbers have frequencies or bins");
    require((numbers.empty() || is_embedding_numbers) && (!is_embedding_numbers || mixtures > 0),
            "numbers need frequencies or bins, and mixtures");
    require((categories.empty() || outputs > 0) && outputs >= 0 && outputs <= 4096, "categories need outputs");
    fromlogits::Front front{has_scaling, numbers, frequencies, mixtures, {}, outputs, {}, bins};
    std::vector<bool> is_other(static_cast<std::size_t>(features), true);
    const auto take = [&](Index feature) {
      require(feature >= 0 && feature < features && is_other[static_cast<std::size_t>(feature)],
              "each embedded feature must be one of the features, and there once");
      is_other[static_cast<std::size_t>(feature)] = false;
    };
    for (const Index number : numbers) take(number);
    for (const auto& [feature, values] : categories) {
      take(feature);
      require(values > 0, "a category must have values");
      front.categories.push_back({feature, values});
    }
    for (Index feature = 0; feature < features && front.is_embedding(); ++feature) {
      if (is_other[static_cast<std::size_t>(feature)]) front.others.push_back(feature);
    }
    return front;
  }

  void get(std::size_t array, Array<float> out) {
    const auto [rows, columns] = shape(array);
    require(size(out.size()) == rows * columns, "out must have the array's size");
    settle();
    network_.get(array, out.data());
  }

  void set(std::size_t array, Index first, Array<const float> values) {
    const auto [rows, columns] = shape(array);
    const Index some = size(values.size()) / columns;
    require(size(values.size()) == some * columns && first >= 0 && first <= rows && some <= rows - first,
            "values must be whole rows of the array");
    settle();
    network_.set(array, {first, some}, values.data());
  }

  void start(const std::string& optimizer, double momentum, double beta1, double beta2, double epsilon,
             double weight_decay, double clip_norm, double dropout, Index batch_size, std::uint64_t seed,
             double label_smoothing, const std::vector<double>& rates, const std::vector<double>& decays) {
    using fromlogits::Method;
    const Method method = optimizer == "sgd"        ? Method::sgd
                          : optimizer == "nesterov" ? Method::nesterov
                          : optimizer == "adamw"    ? Method::adamw
                                                    : Method::adam;
    batch_size_ = 0;  // if memory runs out below, train() refuses
    const std::size_t arrays = network_.arrays().size();
    require(rates.size() == arrays && decays.size() == arrays, "a rate and a decay for each array");
    std::vector<fromlogits::Pace> paces;
    for (std::size_t i = 0; i < arrays; ++i) paces.push_back({rates[i], decays[i]});
    network_.start({{method, momentum, beta1, beta2, epsilon, weight_decay, clip_norm},
                    dropout,
                    batch_size,
                    seed,
                    label_smoothing,
                    paces});
    batch_size_ = batch_size;
  }

  void finish() {
    settle();
    batch_size_ = 0;
    network_.finish();
  }

  double train(const fromlogits::Rows& rows, std::optional<Vec<const std::int32_t>> labels,
               std::optional<Floats> targets, const SparseTargets& sparse, Vec<const std::int64_t> order,
               const Steps& steps, double loss, const Weights& weights, int threads) {
    require(batch_size_ > 0, "start() comes before train()");
    check(rows);
    fromlogits::Targets wanted;
    require(int{labels.has_value()} + int{targets.has_value()} + int{sparse.has_value()} == 1, "one kind of target");
    if (labels) {
      require(is_softmax_ && size(labels->shape(0)) == rows.n, "labels must be (n,), for softmax");
      wanted.labels = labels->data();
    } else if (targets) {
      require(size(targets->shape(0)) == rows.n && size(targets->shape(1)) == network_.outputs(),
              "targets must be (n, outputs)");
      wanted.values = targets->data();
    } else {
      const auto& [starts, columns] = *sparse;
      require(!is_softmax_ && size(starts.shape(0)) == rows.n + 1, "sparse targets must have n rows, for sigmoid");
      require(starts.data()[0] >= 0 && starts.data()[rows.n] <= size(columns.shape(0)),
              "starts must lie within the columns");
      wanted.starts = starts.data(), wanted.columns = columns.data();
    }
    if (weights.each) {
      const Index by_entry = rows.n * network_.outputs();
      wanted.weights = weights.each->data();
      wanted.is_by_entry = weights.each->ndim() == 2;
      require(size(weights.each->shape(0)) == rows.n &&
                  size(weights.each->size()) == (wanted.is_by_entry ? by_entry : rows.n) &&
                  !(is_softmax_ && wanted.is_by_entry),
              "weights must be (n,), or (n, outputs) with sigmoid");
    }
    if (weights.positive) {
      require(!is_softmax_ && size(weights.positive->shape(0)) == network_.outputs(), "positive must be (outputs,)");
      wanted.positive = weights.positive->data();
    }
    const Index k = size(order.shape(0));
    const auto is_of_each = [&](const auto& x) { return size(x.shape(0)) == (k + batch_size_ - 1) / batch_size_; };
    require(is_of_each(steps.rates), "one learning rate for each batch");
    require(!steps.decays || is_of_each(*steps.decays), "one decay for each batch");
    require(!steps.dropouts || is_of_each(*steps.dropouts), "one dropout for each batch");
    network_.take(rows, wanted);
    const Unlocked unlocked;
    fromlogits::KeptTeam team(threads);
    return network_.train(rows, wanted, order.data(), k,
                          {steps.rates.data(), data_or_null(steps.decays), data_or_null(steps.dropouts)}, loss,
                          team.get());
  }

  void logits(const fromlogits::Rows& rows, const std::optional<Vec<const std::int64_t>>& which, Matrix<float> out,
              int threads) {
    check(rows);
    const Index n = which ? size(which->shape(0)) : rows.n;
    require(size(out.shape(0)) == n && size(out.shape(1)) == network_.outputs(), "out must be (n, outputs)");
    const Unlocked unlocked;
    fromlogits::KeptTeam team(threads);
    network_.settle(team.get());
    network_.logits(rows, which ? which->data() : nullptr, n, out.data(), team.get());
  }

  template <class In>
  bool logits_of_raw(const Matrix<const In>& x, const std::optional<Vec<const double>>& mean,
                     const std::optional<Vec<const double>>& inverse_spread, float scale, float shift,
                     const Vec<const double>& temperatures, const std::optional<Vec<const double>>& biases,
                     Matrix<float> out) {
    const Index n = size(x.shape(0)), d = network_.features();
    require(size(x.shape(1)) == d, "rows must be (n, features)");
    require(size(out.shape(0)) == n && size(out.shape(1)) == network_.outputs(), "out must be (n, outputs)");
    require(mean.has_value() == inverse_spread.has_value(), "mean and inverse_spread come together");
    require(!mean || (size(mean->shape(0)) == d && size(inverse_spread->shape(0)) == d),
            "mean and inverse_spread must be (features,)");
    require(size(temperatures.shape(0)) == (biases ? network_.outputs() : 1) &&
                (!biases || size(biases->shape(0)) == network_.outputs()),
            "temperatures must be (1,), or with biases (outputs,) like them");
    const fromlogits::Encoding encoding{data_or_null(mean), data_or_null(inverse_spread), scale, shift};
    const fromlogits::Calibration calibration{temperatures.data(), data_or_null(biases)};
    const Unlocked unlocked;
    fromlogits::Team alone(1);
    network_.settle(alone);
    return fromlogits::logits_of_raw(network_, encoding, x.data(), n, calibration, out.data());
  }

 private:
  std::pair<Index, Index> shape(std::size_t array) const {
    require(array < network_.arrays().size(), "there is no such array");
    return {network_.arrays()[array].rows, network_.arrays()[array].columns};
  }

  void check(const fromlogits::Rows& rows) const {
    require(rows.d == network_.features(), "rows must have the network's features");
    const fromlogits::Front& front = network_.front();
    require(rows.starts == nullptr || !(front.has_scaling || front.is_embedding()),
            "sparse rows need dense layers alone");
  }

  void settle() {
    fromlogits::Team alone(1);
    network_.settle(alone);
  }

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
    if (name == "sigmoid") return Activation::sigmoid;
    if (name == "parametric_selu") return Activation::parametric_selu;
    throw std::invalid_argument("unknown activation " + name);
  }

  fromlogits::Network network_;
  bool is_softmax_;
  Index batch_size_ = 0;
};

// The digits of an exact sum to base 2^32 as bytes, least first; what was not finite; how many losses are NaN.
std::tuple<nb::bytes, double, Index> python_sum(const fromlogits::LossSum& result) {
  std::vector<std::uint32_t> digits(fromlogits::ExactSum::size);
  for (std::size_t i = 0; i < digits.size(); ++i) digits[i] = static_cast<std::uint32_t>(result.sum.digits()[i]);
  return {nb::bytes(digits.data(), digits.size() * sizeof(digits[0])), result.sum.odd(), result.nans};
}

template <class In, class Out>
void add_logit_functions(nb::module_& m) {
  m.def(
      "by_rows",
      [](const std::string& what, Matrix<const In> z, nb::ndarray<Out, nb::c_contig, nb::device::cpu> out,
         int threads) {
        using fromlogits::RowResult;
        const Index n = size(z.shape(0)), c = size(z.shape(1));
        const RowResult result = what == "softmax"       ? RowResult::softmax
                                 : what == "log_softmax" ? RowResult::log_softmax
                                                         : RowResult::logsumexp;
        require(size(out.size()) == (result == RowResult::logsumexp ? n : n * c), "out must have the result's size");
        const Unlocked unlocked;
        fromlogits::KeptTeam team(threads);
        return fromlogits::by_rows(result, z.data(), out.data(), n, c, team.get());
      },
      "what"_a, "logits"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def(
      "by_entries",
      [](const std::string& what, Vec<const In> z, Vec<Out> out, int threads) {
        using fromlogits::EntryResult;
        require(out.shape(0) == z.shape(0), "out must have the size of the logits");
        const Unlocked unlocked;
        fromlogits::KeptTeam team(threads);
        return fromlogits::by_entries(what == "sigmoid" ? EntryResult::sigmoid : EntryResult::log_sigmoid, z.data(),
                                      out.data(), size(z.shape(0)), team.get());
      },
      "what"_a, "logits"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def(
      "softmax_cross_entropy",
      [](Matrix<const In> z, std::optional<Vec<const std::int32_t>> labels, std::optional<Matrix<const float>> floats,
         std::optional<Matrix<const double>> doubles, std::optional<Vec<const double>> class_weights, double smoothing,
         std::optional<Vec<const double>> weights, double divisor, std::optional<Matrix<Out>> dz,
         std::optional<Vec<double>> losses, int threads) {
        const Index n = size(z.shape(0)), c = size(z.shape(1));
        const auto fits = [&](const auto& x) { return !x || (size(x->shape(0)) == n && size(x->shape(1)) == c); };
        const auto has_length = [](const auto& x, Index length) { return !x || size(x->shape(0)) == length; };
        require(int{labels.has_value()} + int{floats.has_value()} + int{doubles.has_value()} == 1,
                "one kind of target");
        require(fits(floats) && fits(doubles) && fits(dz), "probabilities and dlogits must be (n, c)");
        require(has_length(labels, n) && has_length(weights, n) && has_length(losses, n),
                "labels, weights and losses must be (n,)");
        require(has_length(class_weights, c), "class_weights must be (c,)");
        const fromlogits::SoftmaxTargets targets{data_or_null(labels), floats ? floats->data() : nullptr,
                                                 doubles ? doubles->data() : nullptr, data_or_null(class_weights),
                                                 smoothing};
        const double* const by = data_or_null(weights);
        Out* const gradient = dz ? dz->data() : nullptr;
        double* const each = losses ? losses->data() : nullptr;
        fromlogits::LossSum result;
        {
          const Unlocked unlocked;
          fromlogits::KeptTeam team(threads);
          result = fromlogits::softmax_cross_entropy(z.data(), targets, by, divisor, gradient, each, n, c, team.get());
        }
        return python_sum(result);
      },
      "logits"_a.noconvert(), "labels"_a.noconvert().none(), "floats"_a.noconvert().none(),
      "doubles"_a.noconvert().none(), "class_weights"_a.noconvert().none(), "smoothing"_a,
      "weights"_a.noconvert().none(), "divisor"_a, "dlogits"_a.noconvert().none(), "losses"_a.noconvert().none(),
      "threads"_a);
  m.def(
      "sigmoid_cross_entropy",
      [](Vec<const In> z, std::optional<Vec<const float>> floats, std::optional<Vec<const double>> doubles,
         double smoothing, std::optional<Vec<const double>> positive, std::optional<Vec<const double>> weights,
         Index each, double divisor, std::optional<Vec<Out>> dz, std::optional<Vec<double>> losses, int threads) {
        const Index n = size(z.shape(0));
        const auto has_length = [](const auto& x, Index length) { return !x || size(x->shape(0)) == length; };
        require(floats.has_value() != doubles.has_value(), "one kind of target");
        require(has_length(floats, n) && has_length(doubles, n) && has_length(dz, n) && has_length(losses, n),
                "targets, dlogits and losses must be (n,)");
        require(each > 0 && (!weights || size(weights->shape(0)) * each == n), "weights must be (n / each,)");
        require(!positive || positive->shape(0) > 0, "positive must not be empty");
        const fromlogits::SigmoidTargets targets{data_or_null(floats), data_or_null(doubles), smoothing,
                                                 data_or_null(positive), positive ? size(positive->shape(0)) : 1};
        const double* const by = data_or_null(weights);
        Out* const gradient = dz ? dz->data() : nullptr;
        double* const out = losses ? losses->data() : nullptr;
        fromlogits::LossSum result;
        {
          const Unlocked unlocked;
          fromlogits::KeptTeam team(threads);
          result =
              fromlogits::sigmoid_cross_entropy(z.data(), targets, by, each, divisor, gradient, out, n, team.get());
        }
        return python_sum(result);
      },
      "logits"_a.noconvert(), "floats"_a.noconvert().none(), "doubles"_a.noconvert().none(), "smoothing"_a,
      "positive"_a.noconvert().none(), "weights"_a.noconvert().none(), "each"_a, "divisor"_a,
      "dlogits"_a.noconvert().none(), "losses"_a.noconvert().none(), "threads"_a);
}

template <class In>
void add_logits_of_raw(nb::class_<PyNetwork>& network) {
  network.def("logits_of_raw", &PyNetwork::logits_of_raw<In>, "rows"_a.noconvert(), "mean"_a.noconvert().none(),
              "inverse_spread"_a.noconvert().none(), "scale"_a, "shift"_a, "temperatures"_a.noconvert(),
              "biases"_a.noconvert().none(), "out"_a.noconvert());
}

// How many of them are known (not NaN), and the first one that is neither in [0, 1] nor NaN, or -1.
template <class T>
void add_check(nb::module_& m) {
  m.def(
      "check_probabilities",
      [](Vec<const T> x, int threads) {
        const Unlocked unlocked;
        fromlogits::KeptTeam team(threads);
        const fromlogits::Shares found = fromlogits::check_shares(x.data(), size(x.shape(0)), team.get());
        return std::pair<Index, Index>(found.known, found.first_outside);
      },
      "targets"_a.noconvert(), "threads"_a);
}

// Class numbers (n) as the losses take them; the first row outside [0, c), or -1.
Index class_numbers(Vec<const std::int64_t> from, Index c, Vec<std::int32_t> to) {
  const Index n = size(from.shape(0));
  require(size(to.shape(0)) == n, "to must be (n,)");
  const std::int64_t* const labels = from.data();
  bool is_inside = true;
  for (Index i = 0; i < n; ++i) {
    is_inside &= labels[i] >= 0 && labels[i] < c;
    to.data()[i] = static_cast<std::int32_t>(labels[i]);
  }
  if (is_inside) return -1;
  return std::find_if(labels, labels + n, [c](std::int64_t y) { return y < 0 || y >= c; }) - labels;
}

// To drop the interpreter lock for less would cost a thread that waits to have it back more than it gives the others.
constexpr std::size_t long_text = 65'536;

template <class Read>
auto read_text(const nb::bytes& text, const Read& read) {
  const std::string_view signs(text.c_str(), text.size());
  std::optional<Unlocked> unlocked;
  if (signs.size() > long_text) unlocked.emplace();
  return read(signs);
}

nb::bytes python_doubles(const std::vector<double>& values) {
  return nb::bytes(values.data(), values.size() * sizeof(double));
}

std::optional<nb::bytes> json_rows(const fromlogits::JsonRows& rows, const nb::bytes& text, Index most_rows) {
  const auto found = read_text(text, [&](std::string_view signs) { return rows.read(signs, most_rows); });
  if (!found) return std::nullopt;
  return python_doubles(*found);
}

std::optional<std::tuple<nb::bytes, Index, bool>> json_array(const nb::bytes& text, Index begin) {
  require(begin >= 0 && begin <= size(text.size()), "begin must lie within the text");
  const auto found = read_text(text, [begin](std::string_view signs) { return fromlogits::json_array(signs, begin); });
  if (!found) return std::nullopt;
  return std::tuple(python_doubles(found->values), found->end, found->is_integral);
}

// The exact sum of the values, each times its weight where there are any.
std::tuple<nb::bytes, double, Index> exact_sum(Vec<const double> x, std::optional<Vec<const double>> weights) {
  const Index n = size(x.shape(0));
  require(!weights || size(weights->shape(0)) == n, "one weight for each value");
  const double* const by = data_or_null(weights);
  fromlogits::LossSum result;
  {
    const Unlocked unlocked;
    for (Index i = 0; i < n; ++i) {
      if (by == nullptr) result.sum.add(x.data()[i]);
      else result.sum.add_product(x.data()[i], by[i]);
    }
    result.sum.settle();
  }
  return python_sum(result);
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a daemon thread that trains while the process ends still holds its network
  m.def("version", [] { return std::string(FROMLOGITS_VERSION); });
  m.def("isa", [] { return std::string(fromlogits::kernels().name); });
  m.def(
      "has_isa", [](const std::string& name) { return fromlogits::kernels_named(name.c_str()) != nullptr; }, "name"_a);
  m.def(
      "philox",
      [](std::uint64_t key, std::vector<std::uint64_t> counter) {
        require(counter.size() == 4, "a counter is four words");
        const auto block = fromlogits::philox({counter[0], counter[1], counter[2], counter[3]}, key);
        return std::vector<std::uint64_t>(block.begin(), block.end());
      },
      "key"_a, "counter"_a);

  add_logit_functions<float, float>(m);
  add_logit_functions<float, double>(m);
  add_logit_functions<double, double>(m);
  add_check<float>(m);
  add_check<double>(m);
  m.def("class_numbers", class_numbers, "labels"_a.noconvert(), "classes"_a, "out"_a.noconvert());
  m.def("exact_sum", exact_sum, "values"_a.noconvert(), "weights"_a.noconvert().none() = nb::none());
  m.attr("exact_sum_unit") = fromlogits::ExactSum::unit_exponent;

  m.def("json_array", json_array, "text"_a, "begin"_a);
  nb::class_<fromlogits::JsonRows>(m, "JsonRows")
      .def(
          "__init__",
          [](fromlogits::JsonRows* self, Index width, const std::vector<std::vector<std::string>>& spellings) {
            require(width > 0 && (spellings.empty() || size(spellings.size()) == width), "a width, spellings of each");
            new (self) fromlogits::JsonRows(width, spellings);
          },
          "width"_a, "spellings"_a)
      .def("read", json_rows, "text"_a, "most_rows"_a);

  nb::class_<PyNetwork> network(m, "Network");
  network
      .def(
          "__init__",
          [](PyNetwork* self, Index features, const std::vector<Index>& numbers, Index frequencies, Index bins,
             Index mixtures, const std::vector<std::pair<Index, Index>>& categories, Index outputs, bool has_scaling,
             const std::vector<Index>& units, const std::vector<std::string>& activations, const std::string& head,
             bool by_rows) {
            const fromlogits::Front front =
                PyNetwork::front(features, numbers, frequencies, bins, mixtures, categories, outputs, has_scaling);
            new (self) PyNetwork(features, front, units, activations, head, by_rows);
          },
          "features"_a, "numbers"_a, "frequencies"_a, "bins"_a, "mixtures"_a, "categories"_a, "outputs"_a,
          "has_scaling"_a, "units"_a, "activations"_a, "head"_a, "by_rows"_a)
      .def("get", &PyNetwork::get, "array"_a, "out"_a.noconvert())
      .def("set", &PyNetwork::set, "array"_a, "first"_a, "values"_a.noconvert())
      .def("finish", &PyNetwork::finish)
      .def("start", &PyNetwork::start, "optimizer"_a, "momentum"_a, "beta1"_a, "beta2"_a, "epsilon"_a, "weight_decay"_a,
           "clip_norm"_a, "dropout"_a, "batch_size"_a, "seed"_a, "label_smoothing"_a, "rates"_a, "decays"_a)
      .def(
          "train",
          [](PyNetwork& self, Floats features, std::optional<Vec<const std::int32_t>> labels,
             std::optional<Floats> targets, SparseTargets sparse, Vec<const std::int64_t> order,
             Vec<const double> rates, double loss, EachWeight weights, PositiveWeights positive, Decays decays,
             Dropouts dropouts, int threads) {
            return self.train(rows_of(features), labels, targets, sparse, order, {rates, decays, dropouts}, loss,
                              {weights, positive}, threads);
          },
          "features"_a.noconvert(), "labels"_a.noconvert().none(), "targets"_a.noconvert().none(),
          "sparse"_a.noconvert().none(), "order"_a.noconvert(), "rates"_a.noconvert(), "loss"_a,
          "weights"_a.noconvert().none(), "positive"_a.noconvert().none(), "decays"_a.noconvert().none(),
          "dropouts"_a.noconvert().none(), "threads"_a)
      .def(
          "train_bytes",
          [](PyNetwork& self, Bytes features, float scale, float shift, std::optional<Vec<const std::int32_t>> labels,
             std::optional<Floats> targets, SparseTargets sparse, Vec<const std::int64_t> order,
             Vec<const double> rates, double loss, EachWeight weights, PositiveWeights positive, Decays decays,
             Dropouts dropouts, int threads) {
            return self.train(rows_of(features, scale, shift), labels, targets, sparse, order,
                              {rates, decays, dropouts}, loss, {weights, positive}, threads);
          },
          "features"_a.noconvert(), "scale"_a, "shift"_a, "labels"_a.noconvert().none(), "targets"_a.noconvert().none(),
          "sparse"_a.noconvert().none(), "order"_a.noconvert(), "rates"_a.noconvert(), "loss"_a,
          "weights"_a.noconvert().none(), "positive"_a.noconvert().none(), "decays"_a.noconvert().none(),
          "dropouts"_a.noconvert().none(), "threads"_a)
      .def(
          "train_csr",
          [](PyNetwork& self, Vec<const std::int64_t> starts, Vec<const std::int32_t> columns, Vec<const float> values,
             Index inputs, std::optional<Vec<const std::int32_t>> labels, std::optional<Floats> targets,
             SparseTargets sparse, Vec<const std::int64_t> order, Vec<const double> rates, double loss,
             EachWeight weights, PositiveWeights positive, Decays decays, Dropouts dropouts, int threads) {
            return self.train(rows_of(starts, columns, values, inputs), labels, targets, sparse, order,
                              {rates, decays, dropouts}, loss, {weights, positive}, threads);
          },
          "starts"_a.noconvert(), "columns"_a.noconvert(), "values"_a.noconvert(), "inputs"_a,
          "labels"_a.noconvert().none(), "targets"_a.noconvert().none(), "sparse"_a.noconvert().none(),
          "order"_a.noconvert(), "rates"_a.noconvert(), "loss"_a, "weights"_a.noconvert().none(),
          "positive"_a.noconvert().none(), "decays"_a.noconvert().none(), "dropouts"_a.noconvert().none(), "threads"_a)
      .def(
          "logits",
          [](PyNetwork& self, Floats features, std::optional<Vec<const std::int64_t>> rows, Matrix<float> out,
             int threads) { self.logits(rows_of(features), rows, out, threads); },
          "features"_a.noconvert(), "rows"_a.noconvert().none(), "out"_a.noconvert(), "threads"_a)
      .def(
          "logits_bytes",
          [](PyNetwork& self, Bytes features, float scale, float shift, std::optional<Vec<const std::int64_t>> rows,
             Matrix<float> out, int threads) { self.logits(rows_of(features, scale, shift), rows, out, threads); },
          "features"_a.noconvert(), "scale"_a, "shift"_a, "rows"_a.noconvert().none(), "out"_a.noconvert(), "threads"_a)
      .def(
          "logits_csr",
          [](PyNetwork& self, Vec<const std::int64_t> starts, Vec<const std::int32_t> columns, Vec<const float> values,
             Index inputs, std::optional<Vec<const std::int64_t>> rows, Matrix<float> out,
             int threads) { self.logits(rows_of(starts, columns, values, inputs), rows, out, threads); },
          "starts"_a.noconvert(), "columns"_a.noconvert(), "values"_a.noconvert(), "inputs"_a,
          "rows"_a.noconvert().none(), "out"_a.noconvert(), "threads"_a);
  add_logits_of_raw<float>(network);
  add_logits_of_raw<double>(network);
  add_logits_of_raw<std::uint8_t>(network);
}
