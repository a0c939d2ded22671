// What it costs to share work: the time of a phase beside that of its tasks, on an idle machine, beside a process that
// is tied to one of the cores, and where all threads have one core between them.
//   cmake -S . -B build/core -DFROMLOGITS_CORE_ONLY=ON && cmake --build build/core --target phases && build/core/phases
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threads.h"

namespace {

using fromlogits::Index;
using fromlogits::Team;
using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// A chain of multiplications: it takes as long on any thread, and no longer where the clock ran on without it.
std::uint64_t work(std::uint64_t x, int links) noexcept {
  for (int i = 0; i < links; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
  return x;
}

int links_of(double ns) {
  double fastest = 1e9;
  std::uint64_t x = 1;
  for (int i = 0; i < 100; ++i) {
    const auto start = Clock::now();
    x = work(x, 10'000);
    fastest = std::min(fastest, ns_since(start));
  }
  return static_cast<int>(ns / fastest * 10'000) + static_cast<int>(x & 1);
}

struct Result {
  std::uint64_t value;
  char line[120];  // each on cache lines of its own
};

double ns_per_phase(Team& team, Index tasks, int links, double seconds) {
  std::vector<Result> results(static_cast<std::size_t>(tasks));
  const auto start = Clock::now();
  int phases = 0;
  for (; phases % 16 != 0 || ns_since(start) < seconds * 1e9; ++phases) {
    team.run(tasks, true, [&](Index i) {
      std::uint64_t& value = results[static_cast<std::size_t>(i)].value;
      value = work(value, links);
    });
  }
  return ns_since(start) / phases;
}

void tie_to(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof(cores), &cores);
}

// A process that takes all it can get of a core.
class Neighbour {
 public:
  explicit Neighbour(int core) : process_(fork()) {
    if (process_ != 0) return;
    tie_to(core);
    for (std::atomic<int> i{0};;) {
      i.fetch_add(1, std::memory_order_relaxed);
    }
  }
  ~Neighbour() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

 private:
  pid_t process_;
};

void measure(const char* state, double seconds) {
  for (const double ns : {0.0, 1'000.0, 5'000.0, 100'000.0}) {
    const int links = links_of(ns);
    for (const Index tasks : {2, 8}) {
      for (const int threads : {1, 2, 4}) {
        Team team(threads);
        std::vector<double> took;
        for (int round = 0; round < 5; ++round) took.push_back(ns_per_phase(team, tasks, links, seconds));
        std::sort(took.begin(), took.end());
        const double alone = ns * static_cast<double>(tasks);
        std::printf("%-10s%8.0f%7td%9d%12.0f%10.0f%10.0f", state, ns, tasks, threads, took[2], took.front(),
                    took.back());
        if (ns > 0.0) std::printf("%10.2f", took[2] / alone);
        std::printf("\n");
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace

// phases [SECONDS of a round]
int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.1;
  std::printf("machine   task ns  tasks  threads    phase ns    lowest   highest  of 5; over the tasks alone\n");
  measure("idle", seconds);
  {
    const Neighbour neighbour(1);
    measure("busy", seconds);
  }
  tie_to(0);
  measure("one core", seconds);
}
