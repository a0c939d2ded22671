#include "network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels.h"

namespace fromlogits {

namespace {

// Rows of a task: few enough that several threads find work in a batch, enough that the weights, which each task reads
// whole, are not read too often.
constexpr Index block_rows(Index n) { return n <= 64 ? 16 : 32; }
constexpr Index most_block_rows = 32;

constexpr Index unit_panels = 4;  // of a task that takes some units of a layer
constexpr Index input_rows = 64;  // of the weights that a task updates: with two panels, 8 KiB of gradient
constexpr Index update_panels = 2;
constexpr Index task_columns = 16;    // sparse columns of a task
constexpr Index task_factors = 256;   // factors of the inputs
constexpr Index task_vectors = 4096;  // floats of them

constexpr Index values_of_task(Index outputs) { return std::max<Index>(1, task_vectors / outputs); }
constexpr Index prediction_rows = 56;  // panels 7 * 512 bytes apart spread over a first-level cache, 4096 would not

// A phase below it is over before a helper has taken its part.
constexpr Index worth_flops = 400'000;

// With fewer blocks than this, layers that are worth it are shared out unit by unit.
constexpr Index enough_blocks = 8;
constexpr Index worth_layer_flops = 4'000'000;

// A first layer much wider below than above is shared out by its inputs, a quarter each: a core then meets the same
// weights and columns in every phase, and only a few sums move to another one (784-25-15-10, batch 32: 17.2 to 15.0 us
// with two threads, 26.2 to 24.0 with one, where the same loads serve more rows).
constexpr bool is_by_inputs(const DenseLayer& layer) { return layer.d >= 512 && layer.d >= 4 * layer.h; }
constexpr Index some_inputs(Index d) { return tiles(d, 4 * lane_count) * lane_count; }

// Some columns of a row, from a whole panel on.
void copy_row(const Rows& rows, Index row, Span columns, float* out, Index panel) noexcept {
  const Index at = row * rows.d + columns.begin;
  out += columns.begin / lane_count * panel;
  if (rows.bytes != nullptr) {
    kernels().widen(rows.bytes + at, rows.scale, rows.shift, out, panel, columns.size);
    return;
  }
  const float* from = rows.floats + at;
  Index left = columns.size;
  for (; left >= lane_count; left -= lane_count, from += lane_count, out += panel) {
    std::memcpy(out, from, lane_count * sizeof(float));  // in place; copy_n would be a call for each 64 bytes
  }
  std::copy_n(from, left, out);
}

void prefetch_row(const Rows& rows, Index row, Span columns) noexcept {
  const Index bytes = columns.size * (rows.bytes != nullptr ? 1 : 4), first = row * rows.d + columns.begin;
  const auto* const at =
      rows.bytes != nullptr ? rows.bytes + first : reinterpret_cast<const std::uint8_t*>(rows.floats + first);
  for (Index i = 0; i < bytes; i += 64) __builtin_prefetch(at + i, 0, 2);
}

// out = x times a factor for each column; out may be x. Some columns, from a whole panel on.
void scale_columns(const float* factors, const float* x, float* out, Index n, Span rows, Span columns) noexcept {
  for (Index c = columns.begin; c < columns.begin + columns.size; c += lane_count) {
    for (Index at = c * n + rows.begin * lane_count, i = 0; i < rows.size; ++i, at += lane_count) {
      for (Index k = 0; k < lane_count; ++k) out[at + k] = x[at + k] * factors[c + k];
    }
  }
}

// Cells of lane_count floats, (rows, columns), become (columns, rows) where they are: a copy would be as large as the
// largest arrays of a training. Each cycle of cells that take each other's place is gone round once.
void transpose_cells(float* cells, Index rows, Index columns) {
  std::vector<bool> is_done(static_cast<std::size_t>(rows * columns));
  for (Index start = 0; start < rows * columns; ++start) {
    if (is_done[static_cast<std::size_t>(start)]) continue;
    float carried[lane_count];
    std::copy_n(cells + start * lane_count, lane_count, carried);
    Index at = start;
    do {
      at = at % columns * rows + at / columns;
      std::swap_ranges(carried, carried + lane_count, cells + at * lane_count);
      is_done[static_cast<std::size_t>(at)] = true;
    } while (at != start);
  }
}

}  // namespace

struct Network::Batch {
  const Rows& rows;
  const Targets& targets;
  const std::int64_t* order;
  Index n;
  Index following;  // rows of the next batch, which come next in the order

  bool is_sparse() const noexcept { return rows.starts != nullptr; }
};

Network::Network(std::vector<DenseLayer> layers, Head head, bool by_rows, Front front)
    : layers_(std::move(layers)), head_(head), front_(std::move(front)), by_rows_(by_rows) {
  if (front_.frequencies > 0) {
    const Index k = Front::size(front_.numbers), f = front_.frequencies, m = front_.mixtures;
    for (const Index columns : {f, f, m * f, m}) add_array(k, columns, k * columns);
  } else if (front_.bins > 0) {
    const Index k = Front::size(front_.numbers), b = front_.bins, m = front_.mixtures;
    for (const Index columns : {b + 1, m * b, m}) add_array(k, columns, k * columns);
    lines_.reserve(k * b * 2 * m);
  }
  vectors_ = arrays_.size();
  if (front_.outputs > 0) {
    Index values = 0;
    for (const Category& category : front_.categories) values += category.values;
    add_array(values, front_.outputs, values * front_.outputs);
  }
  factors_ = arrays_.size();
  if (front_.has_scaling) add_array(inputs(), 1, panel_size(1, inputs()));
  for (const DenseLayer& layer : layers_) {
    of_layers_.push_back(arrays_.size());
    add_array(layer.h, layer.d, panel_size(layer.d, layer.h), true);
    add_array(layer.h, 1, panel_size(1, layer.h));
    if (layer.activation == Activation::parametric_selu) add_array(layer.h, 1, panel_size(1, layer.h));
  }
  parameters_.reserve(arena_size_);
  for (auto* const of_layers : {&outputs_, &slopes_, &douts_, &turned_}) of_layers->resize(layers_.size());
  da_.resize(layers_.size());
}

void Network::add_array(Index rows, Index columns, Index held, bool is_weights) {
  arrays_.push_back({rows, columns, arena_size_, is_weights});
  arena_size_ += tiles(held, lane_count) * lane_count;
}

// From a panel of units to the next, and from an input to the next.
std::pair<Index, Index> Network::strides(std::size_t weights) const noexcept {
  const auto [h, d, begin, is_weights] = arrays_[weights];
  if (weights == of_layers_[0] && by_rows_) return {lane_count, panels_of(h) * lane_count};
  return {d * lane_count, lane_count};
}

Weights Network::weights(std::size_t i) const noexcept {
  const DenseLayer& layer = layers_[i];
  const std::size_t of_layer = of_layers_[i];
  const float* const w = at(of_layer);
  const float* const bias = at(of_layer + 1);
  const float* const a = layer.activation == Activation::parametric_selu ? at(of_layer + 2) : nullptr;
  const auto [panel, row] = strides(of_layer);
  return {w, row, panel, bias, a};
}

void Network::get(std::size_t array, float* out) const noexcept {
  const auto [rows, columns, begin, is_weights] = arrays_[array];
  if (!is_weights) {
    std::copy_n(at(array), rows * columns, out);
    return;
  }
  const auto [panel, row] = strides(array);
  for (Index u = 0; u < rows; ++u) {
    const float* const w = at(array) + u / lane_count * panel + u % lane_count;
    for (Index j = 0; j < columns; ++j) *out++ = w[j * row];
  }
}

void Network::set(std::size_t array, Span rows, const float* from) noexcept {
  const Index columns = arrays_[array].columns;
  if (!arrays_[array].is_weights) {
    std::copy_n(from, rows.size * columns, at(array) + rows.begin * columns);
    for (Index j = 0; j < rows.size && front_.bins > 0 && array < vectors_; ++j) draw_lines_of(rows.begin + j);
    return;
  }
  const auto [panel, row] = strides(array);
  for (Index u = rows.begin; u < rows.begin + rows.size; ++u) {
    float* const w = at(array) + u / lane_count * panel + u % lane_count;
    for (Index j = 0; j < columns; ++j) w[j * row] = *from++;
  }
}

void Network::start(const TrainingPlan& plan) {
  plan_ = plan;
  if (plan.paces.empty()) {
    for (const Array& array : arrays_) plan_.paces.push_back({1.0, array.is_weights ? 1.0 : 0.0});
  }
  dropout_ = plan.dropout;
  const Index batch = plan.batch_size;
  const std::size_t last = layers_.size() - 1;
  input_.reserve(panel_size(batch, inputs()));
  if (front_.is_embedding()) {
    embedded_.reserve(front_.columns() * batch);
    dinputs_.reserve(panel_size(batch, front_.made()));
    if (vectors_ > 0) dnumbers_.reserve(arrays_[vectors_ - 1].at + arrays_[vectors_ - 1].rows * front_.mixtures);
    bin_sums_.reserve(lines_.size());
  }
  front_tasks_.clear();
  for (Index j = 0; j < Front::size(front_.numbers) && is_wanted(vectors_ - 1); ++j)
    front_tasks_.push_back({true, j, {}});
  for (Index q = 0; q < Front::size(front_.categories) && is_wanted(vectors_); ++q) {
    const Index values = front_.categories[static_cast<std::size_t>(q)].values, some = values_of_task(front_.outputs);
    for (Index part = 0; part < tiles(values, some); ++part)
      front_tasks_.push_back({false, q, part_of(values, some, part)});
  }
  if (front_.has_scaling) {
    scaled_.reserve(panel_size(batch, inputs()));
    factor_parts_.reserve(tiles(panels_of(layers_[0].h), update_panels) * inputs());
  }
  if (!front_.is_embedding() && is_by_inputs(layers_[0])) {
    sums_.reserve(tiles(inputs(), some_inputs(inputs())) * panel_size(batch, layers_[0].h));
  }
  for (std::size_t i = 0; i <= last; ++i) {
    const Index size = panel_size(batch, layers_[i].h);
    outputs_[i].reserve(size);
    if (i < last) slopes_[i].reserve(size);
    if (layers_[i].activation == Activation::parametric_selu)
      da_[i].reserve(tiles(batch, lane_count) * panel_size(1, layers_[i].h));
    douts_[i].reserve(size);
    if (i > 0 || front_.is_embedding()) turned_[i].reserve(turned_size(batch, layers_[i].h));
  }
  logits_.reserve(batch * outputs());
  losses_.reserve(batch);
  if (head_ == Head::softmax) {
    labels_.reserve(batch);
    head_memory_.reserve(tiles(batch, block_rows(1)) * scratch_size(outputs()));
  } else {
    targets_.reserve(batch * outputs());
    head_memory_.reserve(batch * outputs());
  }
  if (plan.optimizer.clip_norm > 0.0) {
    gradient_.reserve(arena_size_);
    squares_.reserve(most_tasks());
  }
  optimizer_.start(plan.optimizer, arena_size_, plan_.paces[of_layers_[0]]);
  is_settled_ = true;
  settled_.fill_zero();
}

void Network::finish() noexcept {
  optimizer_.finish();
  sparse_ = {};
  for (Buffer<float>* const buffer :
       {&gradient_, &input_, &embedded_, &dinputs_, &dnumbers_, &scaled_, &sums_, &logits_, &targets_})
    *buffer = {};
  for (Buffer<double>* const buffer :
       {&squares_, &losses_, &weights_, &positive_, &shares_, &head_memory_, &factor_parts_, &bin_sums_})
    *buffer = {};
  for (Buffer<std::int32_t>* const buffer : {&settled_, &labels_}) *buffer = {};
  for (auto* const of_layers : {&outputs_, &slopes_, &douts_, &turned_}) {
    for (Buffer<float>& buffer : *of_layers) buffer = {};
  }
  for (Buffer<double>& buffer : da_) buffer = {};
}

Index Network::most_tasks() const noexcept {
  Index tasks = tiles(inputs(), task_columns) + tiles(inputs(), task_factors) + static_cast<Index>(front_tasks_.size());
  for (const DenseLayer& layer : layers_)
    tasks += tiles(panels_of(layer.h), update_panels) * tiles(layer.d, input_rows);
  return tasks;
}

void Network::take(const Rows& rows, const Targets& targets) {
  const Index c = outputs();
  if (targets.weights != nullptr) weights_.reserve(plan_.batch_size * (head_ == Head::softmax ? 1 : c));
  if (targets.positive != nullptr) {
    positive_.reserve(most_block_rows * c);
    for (Index i = 0; i < most_block_rows; ++i) std::copy_n(targets.positive, c, positive_.data() + i * c);
  }
  if (is_of_shares(targets)) shares_.reserve(plan_.batch_size * c);
  const bool is_sparse = rows.starts != nullptr;
  if (is_sparse) settled_.reserve(inputs());
  if (is_sparse != by_rows_) lay_out(is_sparse);
  if (!is_sparse) return;
  Index most = 0;
  for (Index i = 0; i < rows.n; ++i) most = std::max<Index>(most, rows.starts[i + 1] - rows.starts[i]);
  sparse_.reserve(inputs(), most * plan_.batch_size);
}

void Network::lay_out(bool by_rows) {
  Team alone(1);
  settle(alone);
  const Index d = layers_[0].d, panels = panels_of(layers_[0].h);
  for (float* const array : {parameters_.data(), optimizer_.first(), optimizer_.second()}) {
    if (array != nullptr)
      transpose_cells(array + arrays_[of_layers_[0]].at, by_rows ? panels : d, by_rows ? d : panels);
  }
  by_rows_ = by_rows;
  if (by_rows) std::fill_n(settled_.data(), d, static_cast<std::int32_t>(optimizer_.steps()));
}

void Network::catch_up(Index column) noexcept {
  std::int32_t& settled = settled_.data()[column];
  const auto steps = static_cast<std::int32_t>(optimizer_.steps());
  if (settled == steps) return;
  const Index width = panels_of(layers_[0].h) * lane_count;
  optimizer_.catch_up(parameters_.data(), arrays_[of_layers_[0]].at + column * width, width, steps - settled);
  settled = steps;
}

void Network::settle(Team& team) noexcept {
  if (is_settled_) return;
  constexpr Index some = 64;
  team.run(tiles(inputs(), some), true, [&](Index task) {
    const Span part = part_of(inputs(), some, task);
    for (Index j = part.begin; j < part.begin + part.size; ++j) catch_up(j);
  });
  is_settled_ = true;
}

double Network::train(const Rows& rows, const Targets& targets, const std::int64_t* order, Index k, const Steps& steps,
                      double loss, Team& team) noexcept {
  for (Index at = 0, i = 0; at < k; at += plan_.batch_size, ++i) {
    const Span part = part_of(k, plan_.batch_size, i), next = part_of(k, plan_.batch_size, i + 1);
    const double decay = steps.decays == nullptr ? 1.0 : steps.decays[i];
    dropout_ = steps.dropouts == nullptr ? plan_.dropout : steps.dropouts[i];
    loss += step({rows, targets, order + at, part.size, std::max<Index>(0, next.size)}, steps.rates[i], decay, team);
  }
  return loss;
}

Dropout Network::dropout(std::size_t i) const noexcept {
  Dropout dropout;
  if (i + 1 < layers_.size()) dropout.threshold = static_cast<std::uint32_t>(std::lround(dropout_ * 65536.0));
  dropout.scale = static_cast<float>(65536.0 / (65536.0 - dropout.threshold));
  dropout.seed = plan_.seed;
  dropout.step = static_cast<std::uint64_t>(optimizer_.steps());
  dropout.layer = i;
  return dropout;
}

Slopes Network::slopes(std::size_t i) noexcept {
  if (layers_[i].activation == Activation::linear && dropout(i).threshold == 0) return {};
  // The slopes in a lie where the gradient by the output will: when it is written they have been read.
  return {slopes_[i].data(), layers_[i].activation == Activation::parametric_selu ? douts_[i].data() : nullptr};
}

bool Network::is_wanted(std::size_t array) const noexcept {
  return plan_.paces[array].rate > 0.0 || plan_.optimizer.clip_norm > 0.0;
}

double Network::step(const Batch& batch, double rate, double decay, Team& team) noexcept {
  const Index n = batch.n;
  const std::size_t last = layers_.size() - 1;
  if (batch.is_sparse()) {
    if (optimizer_.steps() % optimizer_.patience() == 0) settle(team);
    sparse_.gather(batch.rows, batch.order, n);
    const Index width = panels_of(layers_[0].h) * lane_count;
    team.run(tiles(sparse_.size(), task_columns), sparse_.size() * width > worth_flops / 16, [&](Index task) {
      const Span part = part_of(sparse_.size(), task_columns, task);
      for (Index i = part.begin; i < part.begin + part.size; ++i) catch_up(sparse_.column(i));
    });
    is_settled_ = false;
  }

  Index flops = 0, widest = 0;
  for (std::size_t i = 0; i <= last; ++i) {
    const Index inputs =
        i == 0 && batch.is_sparse() ? batch.rows.starts[batch.rows.n] / batch.rows.n + 1 : layers_[i].d;
    flops += 4 * n * inputs * layers_[i].h;
    widest = std::max(widest, 4 * n * inputs * layers_[i].h);
  }
  const Index block = block_rows(n), blocks = tiles(n, block);
  const bool is_worth_it = flops > worth_flops;
  const bool by_inputs = !batch.is_sparse() && !front_.is_embedding() && is_by_inputs(layers_[0]);
  if (by_inputs) {
    const Index some = some_inputs(inputs());
    team.run(tiles(inputs(), some), is_worth_it, [&](Index task) {
      const Span part = part_of(inputs(), some, task);
      gather(batch, {0, n}, part);
      scale(batch, {0, n}, part);
      sum_some(batch, task);
    });
  }
  const std::size_t first = by_inputs ? 1 : 0;
  const auto begin = [&](Span rows) {
    if (by_inputs) return add_up(batch, rows);
    gather(batch, rows, {0, inputs()});
    scale(batch, rows, {0, inputs()});
  };
  if (blocks >= enough_blocks || widest < worth_layer_flops) {
    team.run(blocks, is_worth_it, [&](Index task) {
      const Span rows = part_of(n, block, task);
      begin(rows);
      for (std::size_t i = first; i <= last; ++i) forward_part(batch, i, rows, {0, panels_of(layers_[i].h)});
      loss_and_gradient(batch, rows);
      for (std::size_t i = last; i > 0; --i) backward_part(batch, i, rows, {0, panels_of(layers_[i].d)});
      made_gradient(batch, rows, {0, panels_of(front_.made())});
    });
  } else {
    const auto by_units = [&](std::size_t layer, Index panels, auto&& part) {
      const Index across = tiles(panels, unit_panels), work = 2 * n * layers_[layer].d * layers_[layer].h;
      team.run(blocks * across, work > worth_flops, [&](Index task) {
        part(layer, part_of(n, block, task / across), part_of(panels, unit_panels, task % across));
      });
    };
    team.run(blocks, is_worth_it, [&](Index task) { begin(part_of(n, block, task)); });
    for (std::size_t i = first; i <= last; ++i) {
      by_units(i, panels_of(layers_[i].h),
               [&](std::size_t layer, Span rows, Span units) { forward_part(batch, layer, rows, units); });
    }
    team.run(blocks, n * outputs() > 4'000, [&](Index task) { loss_and_gradient(batch, part_of(n, block, task)); });
    for (std::size_t i = last; i > 0; --i) {
      by_units(i, panels_of(layers_[i].d),
               [&](std::size_t layer, Span rows, Span below) { backward_part(batch, layer, rows, below); });
    }
    by_units(0, panels_of(front_.made()), [&](std::size_t, Span rows, Span made) { made_gradient(batch, rows, made); });
  }
  double loss = 0.0;
  for (Index i = 0; i < n; ++i) loss += losses_.data()[i];

  optimizer_.begin(rate, decay);
  update(batch, team);
  return loss;
}

Embeddings Network::embeddings() const noexcept {
  Embeddings by{};
  const Index m = front_.mixtures;
  if (front_.frequencies > 0) by.waves = {at(0), at(1), at(2), at(3), front_.frequencies, m};
  if (front_.bins > 0) by.bins = {at(0), lines_.data(), front_.bins, m};
  if (front_.outputs > 0) by.vectors = at(vectors_);
  return by;
}

void Network::draw_lines_of(Index number) noexcept {
  const Index b = front_.bins, m = front_.mixtures;
  draw_lines(at(0) + number * (b + 1), at(1) + number * m * b, at(2) + number * m, b, m, lines_of(number));
}

void Network::gather(const Batch& batch, Span rows, Span columns) noexcept {
  if (batch.is_sparse()) return;
  if (front_.is_embedding()) {
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
      fromlogits::gather(front_, batch.rows, batch.order[i], i, batch.n, embedded_.data(), input_.data());
      if (i < batch.following) prefetch_row(batch.rows, batch.order[batch.n + i], {0, features()});
    }
    embed(front_, embeddings(), embedded_.data(), batch.n, rows, input_.data());
    return;
  }
  for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
    copy_row(batch.rows, batch.order[i], columns, input_.data() + i * lane_count, batch.n * lane_count);
    if (i < batch.following) prefetch_row(batch.rows, batch.order[batch.n + i], columns);
  }
}

void Network::scale(const Batch& batch, Span rows, Span columns) noexcept {
  if (!front_.has_scaling) return;
  scale_columns(at(factors_), input_.data(), scaled_.data(), batch.n, rows, columns);
}

void Network::sum_some(const Batch& batch, Index part) noexcept {
  const Span inputs = part_of(layers_[0].d, some_inputs(layers_[0].d), part);
  const Weights all = weights(0);
  const Index panel = batch.n * lane_count, panels = panels_of(layers_[0].h);
  kernels().product(entering() + inputs.begin * batch.n, panel, batch.n, inputs.size, all.w + inputs.begin * all.row,
                    all.panel, all.row, panels, part == 0 ? all.bias : nullptr, sums_.data() + part * panels * panel,
                    panel);
}

void Network::add_up(const Batch& batch, Span rows) noexcept {
  const Index panel = batch.n * lane_count, panels = panels_of(layers_[0].h), size = panels * panel;
  const Index parts = tiles(inputs(), some_inputs(inputs()));
  for (Index p = 0; p < panels; ++p) {
    const Index at = p * panel + rows.begin * lane_count, count = rows.size * lane_count;
    float* const out = outputs_[0].data() + at;
    const float* const from = sums_.data() + at;
    std::copy_n(from, count, out);
    for (Index part = 1; part < parts; ++part) {
      const float* const more = from + part * size;
      for (Index i = 0; i < count; ++i) out[i] += more[i];
    }
  }
  activate(layers_[0], weights(0), outputs_[0].data(), slopes(0), dropout(0), batch.n, rows, {0, panels});
}

void Network::forward_part(const Batch& batch, std::size_t i, Span rows, Span units) noexcept {
  float* const out = outputs_[i].data();
  if (i == 0 && batch.is_sparse()) {
    forward(layers_[i], weights(i), batch.rows, batch.order, out, slopes(i), dropout(i), batch.n, rows, units);
  } else {
    const float* const x = i == 0 ? entering() : outputs_[i - 1].data();
    forward(layers_[i], weights(i), x, out, slopes(i), dropout(i), batch.n, rows, units);
  }
}

void Network::backward_part(const Batch& batch, std::size_t i, Span rows, Span below) noexcept {
  input_gradient(layers_[i], weights(i), turned_[i].data(), slopes(i - 1), da_[i - 1].data(), douts_[i - 1].data(),
                 turned_[i - 1].data(), batch.n, rows, below);
}

void Network::made_gradient(const Batch& batch, Span rows, Span panels) noexcept {
  if (front_tasks_.empty()) return;
  input_gradient(layers_[0], weights(0), turned_[0].data(), {}, nullptr, dinputs_.data(), nullptr, batch.n, rows,
                 panels);
  if (!front_.has_scaling) return;
  scale_columns(at(factors_), dinputs_.data(), dinputs_.data(), batch.n, rows,
                {panels.begin * lane_count, panels.size * lane_count});
}

bool Network::is_of_shares(const Targets& targets) const noexcept {
  return head_ == Head::softmax && (targets.labels == nullptr || plan_.label_smoothing > 0.0);
}

void Network::gather_shares(const Targets& from, std::int64_t row, double* shares) const noexcept {
  const Index c = outputs();
  if (from.labels != nullptr) {
    std::fill_n(shares, c, 0.0);
    shares[from.labels[row]] = 1.0;
  } else {
    std::copy_n(from.values + row * c, c, shares);
  }
  if (plan_.label_smoothing == 0.0) return;
  const double kept = 1.0 - plan_.label_smoothing, spread = plan_.label_smoothing / static_cast<double>(c);
  for (Index k = 0; k < c; ++k) shares[k] = kept * shares[k] + spread;
}

void Network::gather_targets(const Batch& batch, Span rows) noexcept {
  const Targets& from = batch.targets;
  const Index c = outputs();
  for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
    const std::int64_t row = batch.order[i];
    if (head_ == Head::softmax) {
      labels_.data()[i] = from.labels == nullptr ? 0 : from.labels[row];  // 0: takes part
      if (is_of_shares(from)) gather_shares(from, row, shares_.data() + i * c);
    } else if (from.values != nullptr) {
      std::copy_n(from.values + row * c, c, targets_.data() + i * c);
    } else {
      float* const to = targets_.data() + i * c;
      std::fill_n(to, c, 0.0f);
      for (std::int64_t at = from.starts[row]; at < from.starts[row + 1]; ++at) {
        if (from.columns[at] < 0) {
          std::fill_n(to, c, std::numeric_limits<float>::quiet_NaN());
        } else {
          to[from.columns[at]] = 1.0f;
        }
      }
    }
  }
}

void Network::loss_and_gradient(const Batch& batch, Span rows) noexcept {
  const Index c = outputs(), panel = batch.n * lane_count, end = rows.begin + rows.size;
  const auto divisor = static_cast<double>(batch.n);
  const auto& head = kernels().narrow;
  const std::size_t last = layers_.size() - 1;
  float* const z = logits_.data() + rows.begin * c;
  for (Index i = rows.begin; i < end; ++i) {
    for (Index k = 0; k < c; k += lane_count) {
      std::copy_n(outputs_[last].data() + k / lane_count * panel + i * lane_count, std::min(lane_count, c - k),
                  logits_.data() + i * c + k);
    }
  }
  gather_targets(batch, rows);
  const double* const weights = batch.targets.weights;
  if (head_ == Head::softmax) {
    double* const scales = weights == nullptr ? nullptr : weights_.data() + rows.begin;
    double* const losses = losses_.data() + rows.begin;
    double* const scratch = head_memory_.data() + rows.begin / block_rows(1) * scratch_size(c);
    for (Index i = 0; scales != nullptr && i < rows.size; ++i) {
      scales[i] = weights[batch.order[rows.begin + i]];
      if (scales[i] == 0.0) labels_.data()[rows.begin + i] = -1;  // takes no part, whatever its logits
    }
    if (!is_of_shares(batch.targets)) {
      head.softmax_loss(z, labels_.data() + rows.begin, scales, divisor, z, losses, rows.size, c, scratch);
    } else {
      head.softmax_loss_of_shares(z, shares_.data() + rows.begin * c, scales, divisor, z, losses, rows.size, c,
                                  scratch);
      for (Index i = 0; i < rows.size; ++i) {
        if (labels_.data()[rows.begin + i] >= 0) continue;
        losses[i] = 0.0;
        std::fill_n(z + i * c, c, 0.0f);
      }
    }
    for (Index i = 0; scales != nullptr && i < rows.size; ++i) losses[i] *= scales[i];
  } else {
    float* const wanted = targets_.data() + rows.begin * c;
    double* const entries = head_memory_.data() + rows.begin * c;
    double* const scales = weights == nullptr ? nullptr : weights_.data() + rows.begin * c;
    for (Index i = 0; i < rows.size; ++i) {
      const std::int64_t row = batch.order[rows.begin + i];
      for (Index k = 0; scales != nullptr && k < c; ++k) {
        scales[i * c + k] = batch.targets.is_by_entry ? weights[row * c + k] : weights[row];
        if (scales[i * c + k] == 0.0) wanted[i * c + k] = std::numeric_limits<float>::quiet_NaN();
      }
    }
    const double* const positive = batch.targets.positive == nullptr ? nullptr : positive_.data();
    head.sigmoid_loss(z, wanted, nullptr, plan_.label_smoothing, positive, 1.0, scales, divisor, z, entries,
                      rows.size * c);
    for (Index i = 0; i < rows.size; ++i) {
      double& loss = losses_.data()[rows.begin + i] = 0.0;
      for (Index k = 0; k < c; ++k)
        loss += scales == nullptr ? entries[i * c + k] : scales[i * c + k] * entries[i * c + k];
    }
  }
  for (Index i = rows.begin; i < end; ++i) {
    for (Index k = 0; k < c; k += lane_count) {
      float* const to = douts_[last].data() + k / lane_count * panel + i * lane_count;
      const Index some = std::min(lane_count, c - k);
      std::copy_n(logits_.data() + i * c + k, some, to);
      std::fill_n(to + some, lane_count - some, 0.0f);
    }
  }
  if (turned_[last].data() != nullptr) turn(douts_[last].data(), turned_[last].data(), batch.n, c, rows);
}

void Network::update(const Batch& batch, Team& team) noexcept {
  const Index columns = batch.is_sparse() ? tiles(sparse_.size(), task_columns) : 0;
  const auto across = [&](std::size_t i) { return i == 0 && batch.is_sparse() ? 1 : tiles(layers_[i].d, input_rows); };
  const auto parts = [&](std::size_t i) { return tiles(panels_of(layers_[i].h), update_panels) * across(i); };
  Index tasks = columns, flops = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    tasks += parts(i);
    flops += layers_[i].h * (i == 0 && batch.is_sparse() ? sparse_.size() * 16 : layers_[i].d * (2 * batch.n + 16));
  }
  const Index of_front = tasks;
  tasks += static_cast<Index>(front_tasks_.size());
  flops += Front::size(front_.numbers) * front_.frequencies * batch.n * (36 + 4 * front_.mixtures);
  flops += Front::size(front_.numbers) * (batch.n * (40 + 8 * front_.mixtures) + front_.mixtures * front_.bins * 24);
  flops += front_.outputs * arrays_[vectors_].rows * 16;
  const auto run = [&](Stage stage) {
    team.run(tasks, flops > worth_flops, [&](Index task) {
      double squares = 0.0;
      if (task < columns) {
        squares = finish_columns(batch, part_of(sparse_.size(), task_columns, task), stage);
      } else if (task >= of_front) {
        const FrontTask& part = front_tasks_[static_cast<std::size_t>(task - of_front)];
        squares = part.is_number ? finish_number(batch, part.which, stage)
                                 : finish_vectors(batch, part.which, part.values, stage);
      } else {
        Index at = task - columns;
        std::size_t i = 0;
        for (; at >= parts(i); ++i) at -= parts(i);
        squares = finish_weights(batch, i, part_of(panels_of(layers_[i].h), update_panels, at / across(i)),
                                 part_of(layers_[i].d, input_rows, at % across(i)), stage);
      }
      if (stage == Stage::sum) squares_.data()[task] = squares;
    });
  };
  // The factors' gradient is the sum of what the tasks of the first layer found.
  const bool has_factors = front_.has_scaling && is_wanted(factors_);
  const Index more = has_factors ? tiles(inputs(), task_factors) : 0;
  const auto run_factors = [&](Stage stage) {
    team.run(more, inputs() > 8 * task_factors, [&](Index task) {
      const double squares = finish_factors(part_of(inputs(), task_factors, task), stage);
      if (stage == Stage::sum) squares_.data()[tasks + task] = squares;
    });
  };
  const double most = optimizer_.plan().clip_norm;
  if (most <= 0.0) {
    run(Stage::whole);
    return run_factors(Stage::whole);
  }
  run(Stage::sum);
  run_factors(Stage::sum);
  double squares = 0.0;
  for (Index task = 0; task < tasks + more; ++task) squares += squares_.data()[task];
  const double norm = std::sqrt(squares);
  optimizer_.scale_gradients(norm > most ? most / norm : 1.0);
  run(Stage::apply);
  run_factors(Stage::apply);
}

double Network::finish_weights(const Batch& batch, std::size_t i, Span units, Span inputs, Stage stage) noexcept {
  alignas(64) float memory[update_panels * input_rows * lane_count];
  const Index panel = batch.n * lane_count;
  const float* const dout = douts_[i].data() + units.begin * panel;
  const std::size_t of_weights = of_layers_[i];
  double squares = 0.0;
  if (i > 0 || !batch.is_sparse()) {
    const Index weights_panel = weights(i).panel;
    const Index begin = arrays_[of_weights].at + units.begin * weights_panel + inputs.begin * lane_count;
    float* const sums = stage == Stage::whole ? memory : gradient_.data() + begin;
    const Index sums_panel = stage == Stage::whole ? input_rows * lane_count : weights_panel;
    if (stage != Stage::apply) {
      const float* const x = (i == 0 ? input_ : outputs_[i - 1]).data() + inputs.begin * batch.n;
      for (Index p = 0; p < units.size; ++p) std::fill_n(sums + p * sums_panel, inputs.size * lane_count, 0.0f);
      kernels().weight_gradient(x, panel, inputs.size, batch.n, dout, panel, units.size, sums, sums_panel);
      if (i == 0 && front_.has_scaling) scale_gradient(units, inputs, sums, sums_panel);
    }
    for (Index p = 0; p < units.size; ++p) {
      const Index size = inputs.size * lane_count;
      squares += finish(of_weights, begin + p * weights_panel, sums + p * sums_panel, size, stage);
    }
  }
  if (inputs.begin > 0) return squares;
  const auto finish_units = [&](std::size_t array, auto&& sum) {
    for (Index p = units.begin; p < units.begin + units.size && is_wanted(array); ++p) {
      const Index begin = arrays_[array].at + p * lane_count;
      float* const sums = stage == Stage::whole ? memory : gradient_.data() + begin;
      if (stage != Stage::apply) sum(p, sums);
      squares += finish(array, begin, sums, lane_count, stage);
    }
  };
  finish_units(of_weights + 1,
               [&](Index p, float* sums) { kernels().sum_rows(douts_[i].data() + p * panel, batch.n, sums); });
  if (layers_[i].activation == Activation::parametric_selu) {
    finish_units(of_weights + 2, [&](Index p, float* sums) {
      double totals[lane_count] = {};
      for (Index group = 0; group < tiles(batch.n, lane_count); ++group) {
        const double* const some = da_[i].data() + (group * panels_of(layers_[i].h) + p) * lane_count;
        for (Index k = 0; k < lane_count; ++k) totals[k] += some[k];
      }
      for (Index k = 0; k < lane_count; ++k) sums[k] = static_cast<float>(totals[k]);
    });
  }
  return squares;
}

void Network::scale_gradient(Span units, Span inputs, float* sums, Index sums_panel) noexcept {
  const float* const factors = at(factors_) + inputs.begin;
  const Weights all = weights(0);
  double* const parts = factor_parts_.data() + units.begin / update_panels * layers_[0].d + inputs.begin;
  std::fill_n(parts, inputs.size, 0.0);
  for (Index p = 0; p < units.size; ++p) {
    float* const rows = sums + p * sums_panel;
    const float* const w = all.w + (units.begin + p) * all.panel + inputs.begin * lane_count;
    if (is_wanted(factors_)) kernels().add_row_products(w, rows, inputs.size, parts);
    for (Index j = 0; j < inputs.size; ++j) {
      for (Index k = 0; k < lane_count; ++k) rows[j * lane_count + k] *= factors[j];
    }
  }
}

double Network::finish_number(const Batch& batch, Index number, Stage stage) noexcept {
  float* const gradient = (stage == Stage::whole ? dnumbers_ : gradient_).data();
  const auto begin = [&](std::size_t i) { return arrays_[i].at + number * arrays_[i].columns; };
  const float* const x = embedded_.data() + number * batch.n;
  const bool has_bins = front_.bins > 0;
  if (stage != Stage::apply && has_bins) {
    line_gradient(front_, number, bins_of(embeddings().bins, number), x, dinputs_.data(), batch.n,
                  bin_sums_.data() + (lines_of(number) - lines_.data()), gradient + begin(1), gradient + begin(2));
  } else if (stage != Stage::apply) {
    kernels().waves_gradient(waves_of(embeddings().waves, number), x, batch.n, dinputs_.data(),
                             front_.inputs_of(number) + 1, batch.n * lane_count, gradient + begin(0),
                             gradient + begin(1), gradient + begin(2), gradient + begin(3));
  }
  double squares = 0.0;
  for (std::size_t i = has_bins ? 1 : 0; i < vectors_; ++i) {
    squares += finish(i, begin(i), gradient + begin(i), arrays_[i].columns, stage);
  }
  if (has_bins && stage != Stage::sum) draw_lines_of(number);
  return squares;
}

double Network::finish_vectors(const Batch& batch, Index category, Span values, Stage stage) noexcept {
  float memory[task_vectors];
  Index begin = arrays_[vectors_].at + values.begin * front_.outputs;
  for (Index q = 0; q < category; ++q) begin += front_.categories[static_cast<std::size_t>(q)].values * front_.outputs;
  float* const sums = stage == Stage::whole ? memory : gradient_.data() + begin;
  if (stage != Stage::apply) {
    const float* const codes = embedded_.data() + (Front::size(front_.numbers) + category) * batch.n;
    vector_gradient(front_, category, values, codes, dinputs_.data(), batch.n, sums);
  }
  return finish(vectors_, begin, sums, values.size * front_.outputs, stage);
}

double Network::finish_factors(Span inputs, Stage stage) noexcept {
  float memory[task_factors];
  const Index begin = arrays_[factors_].at + inputs.begin, all = tiles(panels_of(layers_[0].h), update_panels);
  float* const sums = stage == Stage::whole ? memory : gradient_.data() + begin;
  for (Index j = 0; j < inputs.size && stage != Stage::apply; ++j) {
    double sum = 0.0;
    for (Index tile = 0; tile < all; ++tile) sum += factor_parts_.data()[tile * layers_[0].d + inputs.begin + j];
    sums[j] = static_cast<float>(sum);
  }
  return finish(factors_, begin, sums, inputs.size, stage);
}

double Network::finish_columns(const Batch& batch, Span columns, Stage stage) noexcept {
  constexpr Index some = 16;  // panels
  alignas(64) float memory[some * lane_count];
  const Index panels = panels_of(layers_[0].h), panel = batch.n * lane_count;
  double squares = 0.0;
  for (Index i = columns.begin; i < columns.begin + columns.size; ++i) {
    const Index column = sparse_.column(i);
    for (Index p = 0; p < panels; p += some) {
      const Index count = std::min(some, panels - p);
      const Index begin = arrays_[of_layers_[0]].at + (column * panels + p) * lane_count;
      float* const sums = stage == Stage::whole ? memory : gradient_.data() + begin;
      if (stage != Stage::apply) {
        kernels().combine(sparse_.rows(i), sparse_.values(i), sparse_.count(i), douts_[0].data() + p * panel,
                          lane_count, panel, count, nullptr, sums, lane_count);
      }
      squares += finish(of_layers_[0], begin, sums, count * lane_count, stage);
    }
    settled_.data()[column] = static_cast<std::int32_t>(optimizer_.steps());
  }
  return squares;
}

double Network::finish(std::size_t array, Index at, const float* gradient, Index size, Stage stage) noexcept {
  if (stage == Stage::sum) return kernels().sum_of_squares(gradient, size);
  optimizer_.update(parameters_.data(), at, gradient, size, plan_.paces[array]);
  return 0.0;
}

void Network::logits(const Rows& rows, const std::int64_t* which, Index n, float* out, Team& team) const {
  const Index c = outputs(), d = inputs(), block = std::min(prediction_rows, n);
  const bool is_sparse = rows.starts != nullptr;
  Index widest = 1, flops = 0;
  for (const DenseLayer& layer : layers_) {
    widest = std::max(widest, panels_of(layer.h));
    flops += 2 * layer.h * layer.d;
  }
  // A task owns its memory, taken here: tasks never allocate.
  const Index blocks = tiles(n, prediction_rows), tasks = std::min<Index>(blocks, team.threads());
  const Index embedded_size = tiles(front_.columns() * block, lane_count) * lane_count;
  const Index x_size = is_sparse ? 0 : panel_size(block, d) + embedded_size, y_size = widest * lane_count * block;
  Buffer<float> memory(tasks * (x_size + 2 * y_size));
  team.run(tasks, flops * n > worth_flops, [&](Index task) {
    float* const embedded = memory.data() + task * (x_size + 2 * y_size);
    float* const input = embedded + embedded_size;
    float* y = embedded + x_size;
    float* spare = y + y_size;
    for (Index number = task; number < blocks; number += tasks) {
      const Span part = part_of(n, prediction_rows, number);
      const auto row = [&](Index i) { return which == nullptr ? part.begin + i : which[part.begin + i]; };
      const Index m = part.size;
      const float* x = input;
      if (m == 1 && rows.floats != nullptr && !front_.has_scaling && !front_.is_embedding()) {
        x = rows.floats + row(0) * d;  // one row is a panel row already
      } else if (!is_sparse) {
        for (Index i = 0; i < m; ++i) {
          if (front_.is_embedding()) fromlogits::gather(front_, rows, row(i), i, m, embedded, input);
          else copy_row(rows, row(i), {0, d}, input + i * lane_count, m * lane_count);
        }
        if (front_.is_embedding()) embed(front_, embeddings(), embedded, m, {0, m}, input);
        if (front_.has_scaling) scale_columns(at(factors_), input, input, m, {0, m}, {0, d});
      }
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        const Span all_units{0, panels_of(layers_[i].h)};
        if (i == 0 && is_sparse) {
          Rows some = rows;
          if (which == nullptr) some.starts += part.begin;
          forward(layers_[i], weights(i), some, which == nullptr ? nullptr : which + part.begin, y, {}, Dropout{}, m,
                  {0, m}, all_units);
        } else {
          forward(layers_[i], weights(i), x, y, {}, Dropout{}, m, {0, m}, all_units);
        }
        x = y;
        std::swap(y, spare);
      }
      for (Index i = 0; i < m; ++i) {
        float* const to = out + (part.begin + i) * c;
        for (Index k = 0; k < c; k += lane_count) {
          std::copy_n(x + k / lane_count * m * lane_count + i * lane_count, std::min(lane_count, c - k), to + k);
        }
      }
    }
  });
}

}  // namespace fromlogits
