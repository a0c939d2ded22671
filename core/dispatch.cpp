// Which instruction set runs: one table, chosen once.
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "kernels.h"

namespace fromlogits {

const Kernels* kernels_named(const char* name) noexcept {
  if (std::strcmp(name, "plain") == 0) return &plain_kernels;
#if defined(__x86_64__)
  if (std::strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
    return &avx512_kernels;
  }
  if (std::strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return &avx2_kernels;
  }
#endif
  return nullptr;
}

const Kernels& kernels() noexcept {
  static const Kernels& chosen = []() -> const Kernels& {
    if (const char* wanted = std::getenv("FROMLOGITS_ISA")) {  // an unknown name is refused in Python
      if (const Kernels* named = kernels_named(wanted)) return *named;
    }
    for (const char* name : {"avx512", "avx2"}) {
      if (const Kernels* best = kernels_named(name)) return *best;
    }
    return plain_kernels;
  }();
  return chosen;
}

}  // namespace fromlogits
