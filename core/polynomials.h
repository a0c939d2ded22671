// Made by core/tools/polynomials.py. Constant term first.
#pragma once

namespace fromlogits {

// (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2; exp(r) is off by at most 1.6e-17 of itself.
inline constexpr double exp_polynomial[] = {
    0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d68p-5,  0x1.11111111109b5p-7,  0x1.6c16c17889f3cp-10,
    0x1.a01a01a7c2f2cp-13, 0x1.a019b914881bap-16, 0x1.71de0db2eb873p-19, 0x1.28917c9f3a495p-22, 0x1.af389eea54156p-26,
};

// (2^r - 1) / r for |r| <= 1/32; 2^r is off by at most 1.5e-17 of itself.
inline constexpr double power_polynomial[] = {
    0x1.62e42fefa39f3p-1, 0x1.ebfbdff82c590p-3,  0x1.c6b08d6f2a284p-5,
    0x1.3b2ab6fb41212p-7, 0x1.5d897e528c1cbp-10, 0x1.430a1d090daa3p-13,
};

// 2^(j/16)
inline constexpr double sixteenth_powers[] = {
    0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
    0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
    0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
};

// What their rounding took away, as a share of them.
inline constexpr double sixteenth_roundings[] = {
    0x0.0p+0,
    0x1.79aa65d837b6dp-54,
    -0x1.01b15eaa59348p-55,
    0x1.68efde3a8a894p-54,
    0x1.34d754db0abb6p-55,
    0x1.59f48a72a4c6dp-55,
    0x1.690cebb7aafb0p-56,
    0x1.063e1e21c5409p-54,
    -0x1.3b3efbf5e2228p-54,
    -0x1.b32dcb94da51dp-56,
    0x1.db72fc1f0eab4p-55,
    0x1.1affc2b91ce27p-56,
    0x1.c1a7792cb3387p-55,
    0x1.36eae30af0cb3p-56,
    0x1.4a385a63d07a7p-56,
    -0x1.ff7128fd391f0p-55,
};

// (log((1+s)/(1-s)) / s - 2) / s^2, in s^2 <= 0.0294; the logarithm is off by 4.5e-18 of itself.
inline constexpr double log_polynomial[] = {
    0x1.5555555555558p-1, 0x1.99999999952e2p-2, 0x1.2492492df14bcp-2, 0x1.c71c62e57c3c4p-3,
    0x1.7462b4ac441afp-3, 0x1.39fe604146b74p-3, 0x1.2b584c6b42d60p-3,
};

// (log((1+s)/(1-s)) / s - 2) / s^2, in s^2 <= 0.111; the logarithm is off by 2.1e-18 of itself.
inline constexpr double log1p_polynomial[] = {
    0x1.5555555555555p-1, 0x1.9999999999944p-2, 0x1.2492492499d46p-2, 0x1.c71c71bedea50p-3,
    0x1.745d19937c37fp-3, 0x1.3b13515f481d9p-3, 0x1.111abdcc0bc30p-3, 0x1.e0a2d526b5aa6p-4,
    0x1.bc37f2f621e22p-4, 0x1.32e0c573ae320p-4, 0x1.401d4aa549388p-3,
};

// cos(2 pi r) in r^2 for |r| <= 1/2; off by at most 1.2e-10.
inline constexpr double cosine_polynomial[] = {
    0x1.ffffffff02451p-1, -0x1.3bd3cc8c07a37p+4, 0x1.03c1ef342a291p+6, -0x1.55d39e1709214p+6,
    0x1.e1efdf30d66c1p+5, -0x1.a6795de52be21p+4, 0x1.f3338f947d54cp+2, -0x1.73f6fa060ee66p+0,
};

// sin(2 pi r) / r in r^2 for |r| <= 1/2; off by at most 4.3e-11.
inline constexpr double sine_polynomial[] = {
    0x1.921fb54436ef2p+2, -0x1.4abbce5f631fdp+5, 0x1.466bc5fa64d2dp+6, -0x1.32d2bd3e50caep+6,
    0x1.5076469d2b7eep+5, -0x1.e2c50a1ef0414p+3, 0x1.e4010ec353a95p+1, -0x1.3dd139b0e43eap-1,
};

}  // namespace fromlogits
