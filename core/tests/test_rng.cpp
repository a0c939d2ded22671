#include "rng.h"

#include "check.h"

using fromlogits::philox;
using fromlogits::PhiloxBlock;

// Known answers of the generator's authors (Random123, kat_vectors).
TEST(philox_gives_the_known_answers) {
  CHECK((philox({0, 0, 0, 0}, 0, 0) ==
         PhiloxBlock{0x16554d9eca36314cu, 0xdb20fe9d672d0fdcu, 0xd7e772cee186176bu, 0x7e68b68aec7ba23bu}));
  const std::uint64_t ones = ~std::uint64_t{0};
  CHECK((philox({ones, ones, ones, ones}, ones, ones) ==
         PhiloxBlock{0x87b092c3013fe90bu, 0x438c3c67be8d0224u, 0x9cc7d7c69cd777b6u, 0xa09caebf594f0ba0u}));
}

TEST(neighbouring_counters_and_keys_share_no_word) {
  const PhiloxBlock here = philox({1, 2, 3, 4}, 5);
  for (const PhiloxBlock& other : {philox({2, 2, 3, 4}, 5), philox({1, 2, 3, 4}, 6)}) {
    for (std::size_t i = 0; i < 4; ++i) CHECK(here[i] != other[i]);
  }
}

CHECK_MAIN
