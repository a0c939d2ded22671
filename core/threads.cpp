#include "threads.h"

#include <exception>
#include <utility>

#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fromlogits {

namespace {

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// About 20 µs of pauses: longer than the gap between two phases of a step, far shorter than a time slice, so that
// a helper without a core of its own gives the core back instead of burning it.
constexpr int spins = 500;

}  // namespace

void Team::start() noexcept {
  try {
    helpers_.reserve(static_cast<std::size_t>(threads_ - 1));
    while (static_cast<int>(helpers_.size()) < threads_ - 1) helpers_.emplace_back([this] { help(); });
  } catch (const std::exception&) {
    threads_ = static_cast<int>(helpers_.size()) + 1;
  }
}

Team::~Team() {
  is_over_.store(true, std::memory_order_relaxed);
  posted_.fetch_add(1, std::memory_order_release);
  posted_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

Index Team::claim() noexcept {
  std::uint32_t left = unclaimed_.load(std::memory_order_acquire);
  while (left != 0) {
    if (unclaimed_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return static_cast<Index>(left) - 1;
    }
  }
  return -1;
}

void Team::share(Index tasks, Call call, void* context) noexcept {
  if (helpers_.empty()) start();
  call_ = call;
  context_ = context;
  unfinished_.store(static_cast<std::uint32_t>(tasks), std::memory_order_relaxed);
  unclaimed_.store(static_cast<std::uint32_t>(tasks), std::memory_order_release);
  posted_.fetch_add(1, std::memory_order_release);
  posted_.notify_all();
  for (Index task = claim(); task >= 0; task = claim()) {
    call(context, task);
    unfinished_.fetch_sub(1, std::memory_order_acq_rel);
  }
  for (int i = 0; unfinished_.load(std::memory_order_acquire) != 0; ++i) {
    if (i < spins) relax();
    else std::this_thread::yield();
  }
}

void Team::help() {
  std::uint32_t seen = 0;
  for (;;) {
    for (int i = 0; i < spins && posted_.load(std::memory_order_acquire) == seen; ++i) relax();
    posted_.wait(seen, std::memory_order_acquire);
    seen = posted_.load(std::memory_order_acquire);
    if (is_over_.load(std::memory_order_relaxed)) return;
    for (Index task = claim(); task >= 0; task = claim()) {
      call_(context_, task);
      unfinished_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }
}

namespace {

std::mutex is_taken;
Team* kept = nullptr;  // never deleted: at the end of the process its helpers sleep
int wanted = 0;        // threads of the kept one; it may have fewer
pid_t owner = 0;

}  // namespace

KeptTeam::KeptTeam(int threads) : kept_(is_taken, std::defer_lock) {
  if (threads < 2 || !kept_.try_lock()) {
    team_ = &own_.emplace(threads);
    return;
  }
  if (owner != getpid()) kept = nullptr;  // its helpers stayed in the parent
  if (kept == nullptr || wanted != threads) {
    delete std::exchange(kept, nullptr);
    kept = new Team(threads);
    wanted = threads;
    owner = getpid();
  }
  team_ = kept;
}

}  // namespace fromlogits
