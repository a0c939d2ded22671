// Made by core/tools/polynomials.py. Constant term first.
#pragma once

namespace fromlogits {

// (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2; exp(r) is off by at most 1.6e-17 of itself.
inline constexpr double exp_polynomial[] = {
    0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d68p-5,  0x1.11111111109b5p-7,  0x1.6c16c17889f3cp-10,
    0x1.a01a01a7c2f2cp-13, 0x1.a019b914881bap-16, 0x1.71de0db2eb873p-19, 0x1.28917c9f3a495p-22, 0x1.af389eea54156p-26,
};

// (log((1+s)/(1-s)) / s - 2) / s^2, in s^2 <= 0.0295; the logarithm is off by 4.5e-18 of itself.
inline constexpr double log_polynomial[] = {
    0x1.5555555555558p-1, 0x1.99999999952e2p-2, 0x1.2492492df14bcp-2, 0x1.c71c62e57c3c4p-3,
    0x1.7462b4ac441afp-3, 0x1.39fe604146b74p-3, 0x1.2b584c6b42d60p-3,
};

}  // namespace fromlogits
