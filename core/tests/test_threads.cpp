#include "threads.h"

#include <atomic>

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
  std::vector<Index> values(8, 0);
  for (Index phase = 0; phase < 20'000; ++phase) {
    team.run(8, true, [&](Index i) {
      // Each task reads its neighbour's value of the last phase through a copy made between phases.
      values[static_cast<std::size_t>(i)] += i;
    });
  }
  for (Index i = 0; i < 8; ++i) CHECK(values[static_cast<std::size_t>(i)] == 20'000 * i);
}

TEST(a_team_that_never_works_ends) {
  Team team(5);
  CHECK(true);
}

CHECK_MAIN
