// A team of threads for the length of one call. Work is cut by shape alone, never by the number of threads, and
// every task writes its own memory, so the bits do not depend on who does what.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "views.h"

namespace fromlogits {

class Team {
 public:
  // The calling thread and up to `threads` - 1 helpers, which start with the first work that is worth sharing. A
  // helper that the machine refuses is done without.
  explicit Team(int threads) : threads_(threads < most_threads ? threads : most_threads) {}
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const noexcept { return threads_; }

  // Calls task(i) once for each i in [0, tasks), on whichever thread is free, and returns when all are done.
  //   is_worth_it  false: the calling thread does it alone (waking helpers costs a few microseconds)
  // Tasks must not throw.
  template <class Task>
  void run(Index tasks, bool is_worth_it, Task&& task) {
    if (threads_ < 2 || tasks < 2 || !is_worth_it) {
      for (Index i = 0; i < tasks; ++i) task(i);
      return;
    }
    using Plain = std::remove_reference_t<Task>;
    share(tasks, [](void* context, Index i) { (*static_cast<Plain*>(context))(i); }, &task);
  }

 private:
  // OpenBLAS has memory for so many callers at a time, and ends the process when there are more.
  static constexpr int most_threads = 64;

  using Call = void (*)(void* context, Index task);

  void share(Index tasks, Call call, void* context) noexcept;
  void start() noexcept;
  Index claim() noexcept;
  void help();

  // A helper reads call_ and context_ only after it claimed a task, and they change only when every claimed task
  // is done: a helper that wakes late finds nothing to claim and touches nothing.
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::atomic<std::uint32_t> unclaimed_{0};
  std::atomic<std::uint32_t> posted_{0};  // counts postings; helpers sleep on it
  std::atomic<std::uint32_t> unfinished_{0};
  std::atomic<bool> is_over_{false};
  int threads_;
  std::vector<std::thread> helpers_;
};

// A team that is kept from call to call: starting threads costs as much as the loss of 50 000 logits. Where the kept
// one is busy with another caller, or this process is a fork that has no helpers, the call gets a team of its own.
class KeptTeam {
 public:
  explicit KeptTeam(int threads);
  KeptTeam(const KeptTeam&) = delete;
  KeptTeam& operator=(const KeptTeam&) = delete;

  Team& get() noexcept { return *team_; }

 private:
  std::unique_lock<std::mutex> kept_;  // held while the kept one is in use
  std::optional<Team> own_;
  Team* team_;
};

}  // namespace fromlogits
