// Forty lines instead of a framework: a test is a function, a check prints where it failed, main returns 1.
#pragma once

#include <cmath>
#include <cstdio>
#include <vector>

namespace check {

inline int failures = 0;
inline int checks = 0;

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Register {
  Register(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

inline void that(bool is_true, const char* text, const char* file, int line) {
  ++checks;
  if (is_true) return;
  ++failures;
  std::printf("%s:%d: not so: %s\n", file, line, text);
}

inline int run() {
  for (const Test& test : tests()) {
    const int before = failures;
    test.body();
    std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", test.name);
  }
  std::printf("%d checks, %d failed\n", checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}

}  // namespace check

#define TEST(name)                                       \
  static void name();                                    \
  static const check::Register name##_test{#name, name}; \
  static void name()
#define CHECK(condition) check::that(condition, #condition, __FILE__, __LINE__)
#define CHECK_MAIN \
  int main() { return check::run(); }
