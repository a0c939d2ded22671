#include "loss.h"

#include <algorithm>
#include <atomic>

#include "arena.h"

namespace fromlogits {

template <>
const LogitKernels<float, float>& logit_kernels() noexcept {
  return kernels().narrow;
}
template <>
const LogitKernels<float, double>& logit_kernels() noexcept {
  return kernels().wide;
}
template <>
const LogitKernels<double, double>& logit_kernels() noexcept {
  return kernels().full;
}

namespace {

constexpr Index block_size = 4096;  // logits that are worked on at a time

// Rows of a block: whole groups of any instruction set, or one long row.
Index rows_in_block(Index c) noexcept {
  const Index rows = block_size / std::max<Index>(c, 1);
  return rows < 8 ? std::max<Index>(rows, 1) : rows / 8 * 8;
}

// Calls work(memory, begin, end) on blocks of [0, n), shared among the team; each helper has its own memory.
template <class Memory, class Make, class Work>
void in_blocks(Index n, Index block, Index cost, Team& team, std::vector<Memory>& memories, Make make, Work work) {
  const Index blocks = (n + block - 1) / block;
  // Below it, waking the helpers costs more than they save: some 30 microseconds of work.
  const bool is_worth_it = n * cost > 40'000;
  const Index helpers = is_worth_it ? std::min<Index>(blocks, team.threads()) : 1;
  for (Index i = 0; i < helpers; ++i) memories.push_back(make());
  std::atomic<Index> next{0};
  team.run(helpers, is_worth_it, [&](Index helper) {
    Memory& memory = memories[static_cast<std::size_t>(helper)];
    for (Index b = next++; b < blocks; b = next++) work(memory, b * block, std::min(n, (b + 1) * block));
  });
}

struct Memory {
  Buffer<double> scratch, shares, scales, positive, losses;
  Buffer<std::int32_t> labels;
  LossSum result;
};

LossSum merged(std::vector<Memory>& memories) {
  LossSum all;
  for (Memory& memory : memories) {
    memory.result.sum.settle();
    all.sum.merge(memory.result.sum);
    all.nans += memory.result.nans;
  }
  all.sum.settle();
  return all;
}

// Adds the losses of a block, weighted, to the sum, and hands them out where they are wanted.
void collect(const double* losses, const double* weights, double* out, Index n, LossSum& result) noexcept {
  if (weights == nullptr) {
    for (Index i = 0; i < n; i += Parts::most_addends) {
      const Index m = std::min(n - i, Parts::most_addends);
      const Parts parts = kernels().split_sum(losses + i, m);
      for (int k = 0; k < parts.size; ++k) result.sum.add(parts.values[k]);
      if (parts.size < 0) {
        for (Index k = i; k < i + m; ++k) result.sum.add(losses[k]);
        result.nans += parts.nans;
      }
    }
    if (out != nullptr) std::copy_n(losses, n, out);
    return;
  }
  for (Index i = 0; i < n; ++i) {
    result.nans += losses[i] != losses[i];
    result.sum.add_product(losses[i], weights[i]);
  }
  if (out != nullptr) {
    for (Index i = 0; i < n; ++i) out[i] = weights[i] == 0.0 ? 0.0 : weights[i] * losses[i];
  }
}

// What each class of one row counts for.
template <class In>
void shares_of(const In* z, const SoftmaxTargets& targets, Index row, Index c, double* out) noexcept {
  if (targets.labels != nullptr) {
    std::fill_n(out, c, 0.0);
    if (targets.labels[row] >= 0) out[targets.labels[row]] = 1.0;
  } else if (targets.floats != nullptr) {
    std::copy_n(targets.floats + row * c, c, out);
  } else {
    std::copy_n(targets.doubles + row * c, c, out);
  }
  if (targets.smoothing != 0.0) {
    Index unmasked = 0;
    for (Index k = 0; k < c; ++k) unmasked += !(z[k] == -std::numeric_limits<In>::infinity());
    const double each = targets.smoothing / static_cast<double>(unmasked), kept = 1.0 - targets.smoothing;
    for (Index k = 0; k < c; ++k) {
      out[k] = out[k] * kept + (z[k] == -std::numeric_limits<In>::infinity() ? 0.0 : each);
    }
  }
  if (targets.class_weights != nullptr) {
    for (Index k = 0; k < c; ++k) out[k] *= targets.class_weights[k];
  }
}

}  // namespace

template <class In, class Out>
Index by_rows(RowResult what, const In* z, Out* out, Index n, Index c, Team& team) {
  const LogitKernels<In, Out>& kernel = logit_kernels<In, Out>();
  const auto f = what == RowResult::softmax       ? kernel.softmax
                 : what == RowResult::log_softmax ? kernel.log_softmax
                                                  : kernel.logsumexp;
  const Index width = what == RowResult::logsumexp ? 1 : c;
  std::atomic<Index> nans{0};
  std::vector<Buffer<double>> memories;
  in_blocks(
      n, rows_in_block(c), c, team, memories, [&] { return Buffer<double>(scratch_size(c)); },
      [&](Buffer<double>& scratch, Index begin, Index end) {
        f(z + begin * c, out + begin * width, end - begin, c, scratch.data());
        Index found = 0;
        for (Index i = begin; i < end; ++i) found += width > 0 && out[i * width] != out[i * width];
        nans += found;
      });
  return nans;
}

template <class In, class Out>
Index by_entries(EntryResult what, const In* z, Out* out, Index n, Team& team) {
  const LogitKernels<In, Out>& kernel = logit_kernels<In, Out>();
  const auto f = what == EntryResult::sigmoid ? kernel.sigmoid : kernel.log_sigmoid;
  std::atomic<Index> nans{0};
  std::vector<Index> memories;
  in_blocks(
      n, block_size, 2, team, memories, [] { return Index{0}; },
      [&](Index&, Index begin, Index end) {
        f(z + begin, out + begin, end - begin);
        Index found = 0;
        for (Index i = begin; i < end; ++i) found += out[i] != out[i];
        nans += found;
      });
  return nans;
}

template <class In, class Out>
LossSum softmax_cross_entropy(const In* z, const SoftmaxTargets& targets, const double* weights, double divisor,
                              Out* dz, double* losses, Index n, Index c, Team& team) {
  if (c == 0) {  // every row is left out
    if (losses != nullptr) std::fill_n(losses, n, 0.0);
    return {};
  }
  const LogitKernels<In, Out>& kernel = logit_kernels<In, Out>();
  const bool is_hard = targets.labels != nullptr && targets.smoothing == 0.0;
  const bool is_weighted = weights != nullptr || (is_hard && targets.class_weights != nullptr);
  const Index block = rows_in_block(c);
  std::vector<Memory> memories;
  const auto make = [&] {
    Memory memory;
    memory.scratch.reserve(scratch_size(c));
    memory.losses.reserve(block);
    memory.labels.reserve(block);
    if (is_weighted) memory.scales.reserve(block);
    if (!is_hard) memory.shares.reserve(block * c);
    return memory;
  };
  in_blocks(n, block, c, team, memories, make, [&](Memory& memory, Index begin, Index end) {
    const Index m = end - begin;
    double* const scales = is_weighted ? memory.scales.data() : nullptr;
    std::int32_t* const labels = memory.labels.data();
    for (Index i = 0; i < m; ++i) {
      labels[i] = targets.labels == nullptr ? 0 : targets.labels[begin + i];
      if (!is_weighted) continue;
      scales[i] = weights == nullptr ? 1.0 : weights[begin + i];
      if (is_hard && targets.class_weights != nullptr && labels[i] >= 0) scales[i] *= targets.class_weights[labels[i]];
      if (scales[i] == 0.0) labels[i] = -1;
    }
    Out* const gradient = dz == nullptr ? nullptr : dz + begin * c;
    if (is_hard) {
      kernel.softmax_loss(z + begin * c, labels, scales, divisor, gradient, memory.losses.data(), m, c,
                          memory.scratch.data());
    } else {
      for (Index i = 0; i < m; ++i) {
        shares_of(z + (begin + i) * c, targets, begin + i, c, memory.shares.data() + i * c);
      }
      kernel.softmax_loss_of_shares(z + begin * c, memory.shares.data(), scales, divisor, gradient,
                                    memory.losses.data(), m, c, memory.scratch.data());
      for (Index i = 0; i < m; ++i) {
        if (labels[i] >= 0) continue;
        memory.losses.data()[i] = 0.0;
        if (gradient != nullptr) std::fill_n(gradient + i * c, c, Out{0});
      }
    }
    collect(memory.losses.data(), scales, losses == nullptr ? nullptr : losses + begin, m, memory.result);
  });
  return merged(memories);
}

template <class In, class Out>
LossSum sigmoid_cross_entropy(const In* z, const SigmoidTargets& targets, const double* weights, Index each,
                              double divisor, Out* dz, double* losses, Index n, Team& team) {
  const LogitKernels<In, Out>& kernel = logit_kernels<In, Out>();
  const Index block = block_size / 4;  // five arrays of doubles stay in the first cache
  std::vector<Memory> memories;
  const auto make = [&] {
    Memory memory;
    memory.losses.reserve(block);
    if (weights != nullptr) memory.scales.reserve(block), memory.shares.reserve(block);
    if (targets.positive != nullptr) memory.positive.reserve(block);
    return memory;
  };
  in_blocks(n, block, 3, team, memories, make, [&](Memory& memory, Index begin, Index end) {
    const Index m = end - begin;
    double* const scales = weights == nullptr ? nullptr : memory.scales.data();
    const float* floats = targets.floats == nullptr ? nullptr : targets.floats + begin;
    const double* doubles = targets.doubles == nullptr ? nullptr : targets.doubles + begin;
    if (scales != nullptr) {
      double* const t = memory.shares.data();
      for (Index i = 0; i < m; ++i) {
        scales[i] = weights[(begin + i) / each];
        t[i] = floats != nullptr ? static_cast<double>(floats[i]) : doubles[i];
        if (scales[i] == 0.0) t[i] = std::numeric_limits<double>::quiet_NaN();  // takes no part, whatever the logit
      }
      floats = nullptr;
      doubles = t;
    }
    const double* positive = nullptr;
    if (targets.positive != nullptr && targets.period > 1) {
      positive = memory.positive.data();
      for (Index i = 0; i < m; ++i) memory.positive.data()[i] = targets.positive[(begin + i) % targets.period];
    }
    const double all_positive = targets.positive == nullptr ? 1.0 : targets.positive[0];
    kernel.sigmoid_loss(z + begin, floats, doubles, targets.smoothing, positive, all_positive, scales, divisor,
                        dz == nullptr ? nullptr : dz + begin, memory.losses.data(), m);
    collect(memory.losses.data(), scales, losses == nullptr ? nullptr : losses + begin, m, memory.result);
  });
  return merged(memories);
}

namespace {

template <class T>
Shares check(const T* x, Index n, Counts (*count)(const T*, Index) noexcept, Team& team) {
  constexpr Index size = 16 * block_size;  // counting is as fast as memory: smaller blocks are not worth sharing
  std::atomic<Index> known{0}, first_outside{n};
  std::vector<Index> memories;
  in_blocks(
      n, size, 1, team, memories, [] { return Index{0}; },
      [&](Index&, Index begin, Index end) {
        const Counts counts = count(x + begin, end - begin);
        known += counts.numbers;
        if (counts.numbers == counts.within) return;
        const Index found = std::find_if(x + begin, x + end, [](T t) { return t < T{0} || t > T{1}; }) - x;
        Index before = first_outside;
        while (found < before && !first_outside.compare_exchange_weak(before, found)) {
        }
      });
  return {known, first_outside < n ? first_outside.load() : -1};
}

}  // namespace

Shares check_shares(const float* x, Index n, Team& team) { return check(x, n, kernels().count_floats, team); }
Shares check_shares(const double* x, Index n, Team& team) { return check(x, n, kernels().count_doubles, team); }

#define FROMLOGITS_INSTANTIATE(In, Out)                                                                          \
  template Index by_rows(RowResult, const In*, Out*, Index, Index, Team&);                                       \
  template Index by_entries(EntryResult, const In*, Out*, Index, Team&);                                         \
  template LossSum softmax_cross_entropy(const In*, const SoftmaxTargets&, const double*, double, Out*, double*, \
                                         Index, Index, Team&);                                                   \
  template LossSum sigmoid_cross_entropy(const In*, const SigmoidTargets&, const double*, Index, double, Out*,   \
                                         double*, Index, Team&);

FROMLOGITS_INSTANTIATE(float, float)
FROMLOGITS_INSTANTIATE(float, double)
FROMLOGITS_INSTANTIATE(double, double)

}  // namespace fromlogits
