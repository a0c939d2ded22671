// A team of threads that works through phases: sets of tasks, each phase over before the next begins. Work is cut by
// shape alone, never by the number of threads, and every task writes its own memory, so the bits do not depend on who
// does what.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
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

  // Calls task(i) once for each i in [0, tasks), tasks < 2^31, and returns when all are done. Neighbouring tasks tend
  // to be done by one thread, and the same ones phase after phase.
  //   is_worth_it  false: the calling thread does it alone (waking helpers costs a few microseconds)
  // Tasks must not throw, and must not run others on the same team.
  template <class Task>
  void run(Index tasks, bool is_worth_it, Task&& task) {
    if (threads_ < 2 || tasks < 2 || !is_worth_it || is_alone()) {
      for (Index i = 0; i < tasks; ++i) task(i);
      return;
    }
    using Plain = std::remove_reference_t<Task>;
    share(tasks, [](void* context, Index i) { (*static_cast<Plain*>(context))(i); }, &task);
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Call = void (*)(void* context, Index task);

  // A phase is posted to each thread in turn, and tasks are few; more than this were never measured.
  static constexpr int most_threads = 64;
  // Two lines of 64 bytes: processors fetch them in pairs.
  static constexpr std::size_t line = 128;

  // What one thread does of a phase unless others are faster. On lines of its own: the caller writes it, its owner
  // spins on it, and nobody else comes near before all of their own is done.
  struct alignas(line) Share {
    std::atomic<std::uint64_t> rest{0};  // the tasks [begin, end) that nobody has claimed, as begin * 2^32 + end
    // Read only by who has claimed a task, and written only when every claimed task is done: a thread that comes late
    // finds nothing to claim and touches nothing.
    Call call = nullptr;
    void* context = nullptr;
    std::atomic<std::uint32_t> is_asleep{0};  // its owner; sleeps on this
  };

  bool is_alone() noexcept { return alone_until_ != Clock::time_point{} && is_still_alone(); }
  bool is_still_alone() noexcept;
  void share(Index tasks, Call call, void* context) noexcept;
  void start() noexcept;
  std::uint32_t work(Share& share, bool is_own) noexcept;
  void await(Clock::time_point posted) noexcept;
  void help(int member) noexcept;

  int threads_;
  std::unique_ptr<Share[]> shares_;
  std::vector<std::thread> helpers_;
  Clock::time_point alone_until_{};
  std::uint32_t expected_ = 0;  // of finished_, when the phase is over
  std::atomic<bool> is_over_{false};
  std::atomic<int> callers_core_{-1};  // when it last woke a helper

  // Twice the tasks that helpers have done, in all phases; odd when the caller sleeps on it.
  alignas(line) std::atomic<std::uint32_t> finished_{0};
};

// A team that is kept from call to call: starting threads costs as much as the loss of 50 000 logits. Where the kept
// one is busy with another caller, or this process is a fork, where its helpers are not, the call gets a new one.
class KeptTeam {
 public:
  explicit KeptTeam(int threads);
  ~KeptTeam();
  KeptTeam(const KeptTeam&) = delete;
  KeptTeam& operator=(const KeptTeam&) = delete;

  Team& get() noexcept;

 private:
  struct Kept;
  static std::atomic<Kept*> kept;

  std::optional<Team> alone_;
  Kept* team_ = nullptr;
};

}  // namespace fromlogits
