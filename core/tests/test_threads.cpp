#include "threads.h"

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include <unistd.h>

#include "check.h"

using namespace fromlogits;

TEST(every_task_runs_exactly_once) {
  for (const int threads : {1, 2, 3, 7}) {
    Team team(threads);
    for (const Index tasks : {0, 1, 2, 3, 64, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      team.run(tasks, true, [&](Index i) { ++runs[static_cast<std::size_t>(i)]; });
      bool once = true;
      for (const auto& count : runs) once = once && count == 1;
      CHECK(once);
    }
  }
}

TEST(many_short_phases_stay_in_order) {
  Team team(4);
  std::vector<Index> values = {0, 1, 2, 3, 4, 5, 6, 7}, other(8);
  for (Index phase = 0; phase < 20'000; ++phase) {
    // Each task reads what its neighbour wrote in the phase before.
    const std::vector<Index>& before = phase % 2 == 0 ? values : other;
    std::vector<Index>& after = phase % 2 == 0 ? other : values;
    team.run(8, true,
             [&](Index i) { after[static_cast<std::size_t>(i)] = before[static_cast<std::size_t>((i + 1) % 8)] + 1; });
  }
  for (Index i = 0; i < 8; ++i) CHECK(values[static_cast<std::size_t>(i)] == 20'000 + (i + 20'000) % 8);
}

TEST(a_team_is_never_larger_than_the_matrix_library_allows) {
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
  }
  CHECK(&KeptTeam(2).get() == first);
  CHECK(KeptTeam(3).get().threads() == 3);
  KeptTeam team(2);
  std::atomic<int> runs{0};
  team.get().run(100, true, [&](Index) { ++runs; });
  CHECK(runs == 100);
}

// The threads of a team, each of which takes one task and waits for the others.
std::set<pid_t> threads_of(Team& team) {
  std::set<pid_t> found;
  std::mutex is_written;
  std::atomic<int> present{0};
  team.run(team.threads(), true, [&](Index) {
    {
      const std::lock_guard<std::mutex> lock(is_written);
      found.insert(gettid());
    }
    ++present;
    while (present != team.threads()) std::this_thread::yield();
  });
  return found;
}

TEST(a_kept_team_keeps_its_threads_even_where_more_are_wanted_than_a_team_has) {
  for (const int wanted : {3, 100}) {
    const std::set<pid_t> first = threads_of(KeptTeam(wanted).get());
    CHECK(static_cast<int>(first.size()) == KeptTeam(wanted).get().threads());
    CHECK(threads_of(KeptTeam(wanted).get()) == first);
  }
}

CHECK_MAIN
