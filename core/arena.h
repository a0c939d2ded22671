// Aligned memory that is taken once and handed out as views; nothing is allocated inside a training step.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "views.h"

namespace fromlogits {

// An array on its own cache lines, zeroed when taken. Grows on request and then loses its content.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Index size) { reserve(size); }

  T* data() noexcept { return memory_.get(); }
  const T* data() const noexcept { return memory_.get(); }
  Index size() const noexcept { return size_; }

  // At least `size` entries; the content is kept only if it was large enough already.
  void reserve(Index size) {
    if (size <= size_) return;
    memory_.reset();
    size_ = 0;
    const auto bytes = static_cast<std::size_t>(size) * sizeof(T);
    memory_.reset(static_cast<T*>(::operator new(bytes, line)));
    std::memset(static_cast<void*>(memory_.get()), 0, bytes);
    size_ = size;
  }

  void fill_zero() noexcept { std::fill_n(memory_.get(), size_, T{}); }

 private:
  static constexpr std::align_val_t line{64};
  struct Free {
    void operator()(T* memory) const noexcept { ::operator delete(memory, line); }
  };
  std::unique_ptr<T, Free> memory_;
  Index size_ = 0;
};

}  // namespace fromlogits
