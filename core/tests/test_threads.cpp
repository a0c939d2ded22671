#include "threads.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

using namespace fromlogits;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

void work_for(milliseconds time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

// The thread that does each task of a phase with as many tasks as threads, where each does one because it waits for the
// others. A helper may miss a phase, so that a task waits a while and the phase is tried again.
std::vector<pid_t> threads_of(Team& team) {
  std::vector<pid_t> found(at(team.threads()));
  std::atomic<int> present{0};
  std::atomic<bool> have_met{false};
  while (!have_met) {
    team.run(team.threads(), true, [&](Index i) {
      found[at(i)] = gettid();
      if (++present == team.threads()) have_met = true;
      for (const auto end = Clock::now() + milliseconds(20); !have_met && Clock::now() < end;)
        std::this_thread::yield();
      --present;
    });
  }
  return found;
}

std::set<pid_t> members(Team& team) {
  const std::vector<pid_t> threads = threads_of(team);
  return {threads.begin(), threads.end()};
}

// How often each of the tasks was run is 1.
bool runs_each_once(Team& team, Index tasks) {
  std::vector<std::atomic<int>> runs(at(tasks));
  team.run(tasks, true, [&](Index i) { ++runs[at(i)]; });
  bool once = true;
  for (const auto& count : runs) once = once && count == 1;
  return once;
}

// Whether a helper took part in a phase in which the caller gave it time to.
bool is_helped(Team& team) {
  const pid_t caller = gettid();
  std::atomic<bool> is_there{false};
  team.run(2, true, [&](Index) {
    if (gettid() != caller) is_there = true;
    for (const auto end = Clock::now() + milliseconds(2); !is_there && Clock::now() < end;) std::this_thread::yield();
  });
  return is_there;
}

// Phases until one in which the caller and its helper computed for so long each; how long that one took.
Clock::duration compute(Team& team, milliseconds caller_time, milliseconds helper_time) {
  const pid_t caller = gettid();
  std::atomic<bool> is_there{false};
  Clock::time_point begin;
  while (!is_there) {
    begin = Clock::now();
    team.run(2, true, [&](Index) {
      if (gettid() != caller) {
        is_there = true;
        work_for(helper_time);
      } else {
        for (const auto end = Clock::now() + milliseconds(2); !is_there && Clock::now() < end;)
          std::this_thread::yield();
        work_for(caller_time);
      }
    });
  }
  return Clock::now() - begin;
}

}  // namespace

TEST(every_task_runs_exactly_once) {
  for (const int threads : {1, 2, 3, 7}) {
    Team team(threads);
    for (const Index tasks : {0, 1, 2, 3, 5, 64, 1000}) CHECK(runs_each_once(team, tasks));
  }
}

TEST(many_short_phases_stay_in_order) {
  for (const int threads : {2, 4}) {
    Team team(threads);
    std::vector<Index> values = {0, 1, 2, 3, 4, 5, 6, 7}, other(8);
    for (Index phase = 0; phase < 20'000; ++phase) {
      // Each task reads what its neighbour wrote in the phase before; there are now more tasks, now fewer.
      const std::vector<Index>& before = phase % 2 == 0 ? values : other;
      std::vector<Index>& after = phase % 2 == 0 ? other : values;
      const Index tasks = 1 + phase % 8;
      team.run(tasks, true, [&](Index task) {
        for (Index i = task; i < 8; i += tasks) after[at(i)] = before[at((i + 1) % 8)] + 1;
      });
    }
    for (Index i = 0; i < 8; ++i) CHECK(values[at(i)] == 20'000 + (i + 20'000) % 8);
  }
}

TEST(each_thread_begins_with_the_same_task_phase_after_phase) {
  Team team(2);
  const pid_t caller = gettid();
  int begun = 0;
  for (int phase = 0; phase < 100; ++phase) {
    Index first_of_caller = -1;
    std::atomic<Index> first_of_helper{-1};
    team.run(8, true, [&](Index i) {
      if (gettid() != caller) {
        if (first_of_helper < 0) first_of_helper = i;
      } else if (first_of_caller < 0) {
        first_of_caller = i;
        for (const auto end = Clock::now() + milliseconds(2); first_of_helper < 0 && Clock::now() < end;) {
          std::this_thread::yield();
        }
      }
    });
    begun += first_of_caller == 0 && first_of_helper == 4;
  }
  CHECK(begun > 50);  // not always: a helper may miss a phase, or still look for work of the last one
}

TEST(a_thread_that_is_held_up_keeps_nothing_but_the_task_it_has_started) {
  for (const int threads : {2, 4}) {
    Team team(threads);
    const pid_t caller = gettid();
    for (int phase = 0; phase < 100; ++phase) {
      std::atomic<int> done{0}, held{0};
      team.run(50, true, [&](Index) {
        if (gettid() != caller) {
          ++held;
          while (done + held < 50) std::this_thread::yield();
        }
        ++done;
      });
      CHECK(done == 50 && held < threads);  // one each
    }
  }
}

TEST(after_a_stall_the_caller_works_alone_for_a_while_and_then_with_its_helper_again) {
  Team team(2);
  compute(team, milliseconds(0), milliseconds(40));
  for (int phase = 0; phase < 10; ++phase) CHECK(!is_helped(team));
  while (!is_helped(team)) {  // for ever, if it never ended
  }
}

TEST(a_wait_shorter_than_the_callers_own_work_is_no_stall) {
  Team team(2);
  int undisturbed = 0, helped = 0;
  for (int i = 0; i < 10; ++i) {
    if (compute(team, milliseconds(4), milliseconds(7)) > milliseconds(10))
      continue;  // one has lost its core meanwhile
    ++undisturbed;
    helped += is_helped(team) || is_helped(team);
  }
  CHECK(2 * helped >= undisturbed);
}

TEST(helpers_without_work_sleep) {
  Team team(3);
  const std::vector<pid_t> threads = threads_of(team);
  for (std::size_t i = 1; i < threads.size(); ++i) {
    std::string state;
    while (state != "S") {  // a helper that went on burning its core would stay in R for ever
      std::ifstream file("/proc/self/task/" + std::to_string(threads[i]) + "/stat");
      std::string number, name;
      file >> number >> name >> state;
    }
  }
  CHECK(members(team) == std::set<pid_t>(threads.begin(), threads.end()));
}

TEST(a_team_that_was_never_used_or_is_asleep_ends_at_once) {
  for (int i = 0; i < 200; ++i) {
    Team unused(4);
    Team used(3);
    CHECK(runs_each_once(used, 3));
  }
}

TEST(a_team_has_at_most_64_threads) {
  CHECK(Team(1000).threads() == 64);
  CHECK(Team(5).threads() == 5);
}

TEST(a_kept_team_serves_again_and_a_second_caller_gets_its_own) {
  const Team* first = nullptr;
  {
    KeptTeam team(2);
    first = &team.get();
    KeptTeam other(2);
    CHECK(&other.get() != first && other.get().threads() == 2);
    CHECK(runs_each_once(team.get(), 100));
    CHECK(runs_each_once(other.get(), 100));
  }
  CHECK(KeptTeam(3).get().threads() == 3);
  KeptTeam team(2);
  CHECK(team.get().threads() == 2 && runs_each_once(team.get(), 100));
}

TEST(a_kept_team_keeps_its_threads_even_where_more_are_wanted_than_a_team_has) {
  for (const int wanted : {3, 100}) {
    const std::set<pid_t> first = members(KeptTeam(wanted).get());
    CHECK(static_cast<int>(first.size()) == KeptTeam(wanted).get().threads());
    CHECK(members(KeptTeam(wanted).get()) == first);
  }
}

TEST(a_call_of_one_thread_leaves_the_kept_team_as_it_is) {
  const std::set<pid_t> first = members(KeptTeam(2).get());
  CHECK(runs_each_once(KeptTeam(1).get(), 10));
  CHECK(members(KeptTeam(2).get()) == first);
}

TEST(several_callers_at_once_all_come_to_an_end) {
  constexpr Index callers = 5, calls = 50, phases = 40;
  std::vector<Index> sums(at(callers));
  std::vector<std::thread> threads;
  for (Index caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&sums, caller] {
      for (Index call = 0; call < calls; ++call) {
        KeptTeam team(2 + static_cast<int>(caller % 2));
        for (Index phase = 0; phase < phases; ++phase) {
          std::vector<Index> parts(7);
          team.get().run(7, true, [&](Index i) { parts[at(i)] = i; });
          sums[at(caller)] += std::accumulate(parts.begin(), parts.end(), Index{0});
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Index sum : sums) CHECK(sum == calls * phases * 21);
}

// The sanitizers' own locks do not survive a fork of several threads: the address sanitizer's child waits for ever for
// its allocator, the thread sanitizer refuses.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST(a_fork_starts_helpers_of_its_own_while_its_parent_goes_on) {
  const std::set<pid_t> parents = members(KeptTeam(3).get());
  std::atomic<bool> is_over{false};
  std::thread busy([&] {  // takes the kept team and gives it back all the time
    while (!is_over) runs_each_once(KeptTeam(3).get(), 10);
  });
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const std::set<pid_t> own = members(KeptTeam(3).get());
      bool is_right = own.size() == 3 && members(KeptTeam(3).get()) == own;
      for (const pid_t thread : own) is_right = is_right && parents.count(thread) == 0;
      _exit(is_right ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  is_over = true;
  busy.join();
  CHECK(members(KeptTeam(3).get()).size() == 3);
}
#endif

CHECK_MAIN
