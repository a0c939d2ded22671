#include "threads.h"

#include <exception>

#include <sched.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fromlogits {

namespace {

using std::chrono::microseconds;

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // some ten nanoseconds, as x86's pause; yield is none
#endif
}

// Longer than the gap between two phases of a step, far shorter than a time slice, so that a thread that waits for one
// without a core gives its own back instead of burning it.
constexpr microseconds spinning{50};

// A wait that is longer than this, and than all that the caller did in the phase, twice over, is for a helper that has
// lost its core while it held a task: 4 ms are usual.
constexpr microseconds stall{100};

// So many times as long as a stall the caller then works alone, which bounds what stalls can cost to a ninth. On an
// idle machine a stall now and then is thus paid for at most four more times with two threads.
constexpr int alone_for = 8;

// Whether it came true while spinning. Pauses take 15 to 150 cycles by processor: the clock says when to stop.
template <class Condition>
bool spin_until(Condition is_true) noexcept {
  using Clock = std::chrono::steady_clock;
  Clock::time_point end{};
  for (;;) {
    for (int i = 0; i < 16; ++i) {
      if (is_true()) return true;
      relax();
    }
    const Clock::time_point now = Clock::now();
    if (end == Clock::time_point{}) end = now + spinning;
    if (now > end) return is_true();
  }
}

// To another core than the caller's, if this thread may use one: a scheduler that wakes a helper beside the caller,
// whose core looks idle at that moment, can leave both there, and then each waits for the other in every phase (an
// extra 50 us).
void leave_core(int core) noexcept {
#if defined(__linux__)
  cpu_set_t allowed;
  if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(static_cast<std::size_t>(core), &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
#endif
}

int current_core() noexcept {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

constexpr std::uint64_t pack(std::uint64_t begin, std::uint64_t end) { return begin << 32 | end; }

// Whoever owns a share takes its tasks from the front, others from the back: what they take stays the same as long as
// they are as much faster.
Index claim(std::atomic<std::uint64_t>& rest, bool is_own) noexcept {
  std::uint64_t seen = rest.load(std::memory_order_acquire);
  for (;;) {
    const std::uint64_t begin = seen >> 32, end = seen & 0xffffffffu;
    if (begin >= end) return -1;
    const std::uint64_t left = is_own ? pack(begin + 1, end) : pack(begin, end - 1);
    if (rest.compare_exchange_weak(seen, left, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return static_cast<Index>(is_own ? begin : end - 1);
    }
  }
}

}  // namespace

void Team::start() noexcept {
  try {
    shares_ = std::make_unique<Share[]>(static_cast<std::size_t>(threads_));
    helpers_.reserve(static_cast<std::size_t>(threads_ - 1));
    for (int member = 1; member < threads_; ++member) helpers_.emplace_back([this, member] { help(member); });
  } catch (const std::exception&) {
    threads_ = static_cast<int>(helpers_.size()) + 1;
  }
}

Team::~Team() {
  is_over_.store(true);
  for (std::size_t member = 1; member <= helpers_.size(); ++member) {
    shares_[member].is_asleep.store(0);
    shares_[member].is_asleep.notify_one();
  }
  for (std::thread& helper : helpers_) helper.join();
}

bool Team::is_still_alone() noexcept {
  if (Clock::now() < alone_until_) return true;
  alone_until_ = {};
  return false;
}

void Team::share(Index tasks, Call call, void* context) noexcept {
  if (helpers_.empty()) start();
  if (helpers_.empty()) {
    for (Index i = 0; i < tasks; ++i) call(context, i);
    return;
  }
  const Clock::time_point now = Clock::now();
  // Rounded up: of fewer tasks than threads the caller has the first.
  const auto first = [&](Index member) {
    return static_cast<std::uint64_t>((member * tasks + threads_ - 1) / threads_);
  };
  for (int member = threads_; member-- > 0;) {
    Share& share = shares_[static_cast<std::size_t>(member)];
    share.call = call;
    share.context = context;
    share.rest.store(pack(first(member), first(member + 1)), std::memory_order_release);
    // One that falls asleep at this very moment may be missed. It is woken for the next phase, and this one is done
    // without it: whatever a helper has not claimed, the caller does.
    if (share.is_asleep.load(std::memory_order_relaxed) != 0) {
      callers_core_.store(current_core(), std::memory_order_relaxed);
      share.is_asleep.store(0, std::memory_order_relaxed);
      share.is_asleep.notify_one();
    }
  }
  std::uint32_t done = 0;
  for (int member = 0; member < threads_; ++member)
    done += work(shares_[static_cast<std::size_t>(member)], member == 0);
  expected_ += 2 * (static_cast<std::uint32_t>(tasks) - done);
  await(now);
}

// Does what it can claim of a share; returns how many tasks.
std::uint32_t Team::work(Share& share, bool is_own) noexcept {
  std::uint32_t done = 0;
  for (Index task = claim(share.rest, is_own); task >= 0; task = claim(share.rest, is_own)) {
    share.call(share.context, task);
    ++done;
  }
  return done;
}

// Until helpers have done what they claimed.
void Team::await(Clock::time_point posted) noexcept {
  const auto is_done = [&] { return finished_.load(std::memory_order_acquire) == expected_; };
  for (int i = 0; i < 16; ++i) {
    if (is_done()) return;
    relax();
  }
  const Clock::time_point begin = Clock::now();
  if (!spin_until(is_done)) {
    std::uint32_t seen = finished_.fetch_or(1, std::memory_order_acq_rel) | 1;
    while (seen != (expected_ | 1)) {
      finished_.wait(seen, std::memory_order_acquire);
      seen = finished_.load(std::memory_order_acquire);
    }
    finished_.store(expected_, std::memory_order_relaxed);
  }
  const Clock::time_point end = Clock::now();
  if (end - begin > stall && end - begin > 2 * (begin - posted)) alone_until_ = end + alone_for * (end - begin);
}

void Team::help(int member) noexcept {
  Share& own = shares_[static_cast<std::size_t>(member)];
  const auto is_wanted = [&] {
    const std::uint64_t rest = own.rest.load(std::memory_order_acquire);
    return rest >> 32 < (rest & 0xffffffffu) || is_over_.load();
  };
  for (;;) {
    if (!spin_until(is_wanted)) {
      own.is_asleep.store(1);
      if (!is_wanted()) own.is_asleep.wait(1);
      own.is_asleep.store(0);
      const int core = callers_core_.load(std::memory_order_relaxed);
      if (core >= 0 && core == current_core()) leave_core(core);
    }
    if (is_over_.load()) return;
    for (int i = 0; i < threads_; ++i) {
      const int owner = member + i < threads_ ? member + i : member + i - threads_;
      const std::uint32_t done = work(shares_[static_cast<std::size_t>(owner)], i == 0);
      if (done != 0 && (finished_.fetch_add(2 * done, std::memory_order_acq_rel) & 1) != 0) finished_.notify_one();
    }
  }
}

struct KeptTeam::Kept {
  explicit Kept(int threads) : team(threads), wanted(threads) {}

  Team team;
  int wanted;  // it may have fewer threads
  pid_t process = getpid();
};

// Whoever takes it leaves nothing behind, so that no lock is held when a process forks. It is never deleted: at the end
// of the process its helpers sleep.
std::atomic<KeptTeam::Kept*> KeptTeam::kept{nullptr};

KeptTeam::KeptTeam(int threads) {
  if (threads < 2) {
    alone_.emplace(threads);
    return;
  }
  team_ = kept.exchange(nullptr, std::memory_order_acquire);
  if (team_ != nullptr && team_->process != getpid()) team_ = nullptr;  // its helpers stayed in the parent
  if (team_ != nullptr && team_->wanted != threads) {
    delete team_;
    team_ = nullptr;
  }
  if (team_ == nullptr) team_ = new Kept(threads);
}

KeptTeam::~KeptTeam() {
  Kept* none = nullptr;
  if (team_ != nullptr && !kept.compare_exchange_strong(none, team_, std::memory_order_release)) delete team_;
}

Team& KeptTeam::get() noexcept { return team_ != nullptr ? team_->team : *alone_; }

}  // namespace fromlogits
