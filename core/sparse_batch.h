// A batch of sparse rows, column by column: which columns occur in it, and in which rows with which values.
#pragma once

#include "arena.h"
#include "views.h"

namespace fromlogits {

class SparseBatch {
 public:
  // Takes the memory for batches of rows with d columns and at most `entries` entries.
  void reserve(Index d, Index entries);

  // The rows order[0..n). Allocates nothing. Columns stand in the order in which they occur, rows ascending.
  void gather(const Rows& rows, const std::int64_t* order, Index n) noexcept;

  Index size() const noexcept { return size_; }
  Index column(Index i) const noexcept { return columns_.data()[i]; }

  // The i-th column's entries.
  Index count(Index i) const noexcept { return starts_.data()[i + 1] - starts_.data()[i]; }
  const std::int32_t* rows(Index i) const noexcept { return rows_.data() + starts_.data()[i]; }
  const float* values(Index i) const noexcept { return values_.data() + starts_.data()[i]; }

 private:
  Index size_ = 0;
  Buffer<std::int32_t> place_;    // (d) 1 + a column's number in the batch, 0: it does not occur; all 0 between batches
  Buffer<std::int32_t> columns_;  // (entries)
  Buffer<std::int64_t> starts_;   // (entries + 1)
  Buffer<std::int32_t> rows_;     // (entries)
  Buffer<float> values_;          // (entries)
};

}  // namespace fromlogits
