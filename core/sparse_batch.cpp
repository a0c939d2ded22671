#include "sparse_batch.h"

namespace fromlogits {

void SparseBatch::reserve(Index d, Index entries) {
  place_.reserve(d);
  columns_.reserve(entries);
  starts_.reserve(entries + 2);
  rows_.reserve(entries);
  values_.reserve(entries);
}

void SparseBatch::gather(const Rows& rows, const std::int64_t* order, Index n) noexcept {
  std::int32_t* const place = place_.data();
  std::int64_t* const starts = starts_.data();
  size_ = 0;
  // Counts, shifted by two: after the sums below starts[i + 1] is where column i begins, and moves to its end.
  starts[0] = starts[1] = 0;
  for (Index i = 0; i < n; ++i) {
    for (std::int64_t k = rows.starts[order[i]]; k < rows.starts[order[i] + 1]; ++k) {
      std::int32_t& at = place[rows.columns[k]];
      if (at == 0) {
        columns_.data()[size_++] = rows.columns[k];
        at = static_cast<std::int32_t>(size_);
        starts[size_ + 1] = 0;
      }
      ++starts[at + 1];
    }
  }
  for (Index i = 0; i < size_; ++i) starts[i + 2] += starts[i + 1];
  for (Index i = 0; i < n; ++i) {
    for (std::int64_t k = rows.starts[order[i]]; k < rows.starts[order[i] + 1]; ++k) {
      const std::int64_t at = starts[place[rows.columns[k]]]++;
      rows_.data()[at] = static_cast<std::int32_t>(i);
      values_.data()[at] = rows.values[k];
    }
  }
  for (Index i = 0; i < size_; ++i) place[columns_.data()[i]] = 0;
}

}  // namespace fromlogits
