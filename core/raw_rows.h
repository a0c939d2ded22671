// From rows as a user holds them to logits: encoded, through the network, calibrated. The bits are those of the encoder
// in Python (data/encoders.py), the engine and the calibration (decisions/calibration.py) one after another.
#pragma once

#include "network.h"
#include "views.h"

namespace fromlogits {

// What a value x becomes before it enters the network.
struct Encoding {
  const double* mean = nullptr;            // (d), or null: a picture
  const double* inverse_spread = nullptr;  // (d): (x - mean) * inverse_spread, in double and rounded once
  float scale = 1.0f;                      // of a picture: x rounded, times scale, plus shift, in float
  float shift = 0.0f;
};

// What becomes of a unit's logit z: z / temperature + bias, in double and rounded once.
struct Calibration {
  const double* temperatures = nullptr;  // (1), of all units, or (c)
  const double* biases = nullptr;        // (c), with as many temperatures; or null: none is added
};

// out (n, c) = logits of a few raw rows x (n, d) of float, double or std::uint8_t, by the calling thread alone.
//   returns  false where an encoded value is not finite; out means nothing then
// Needs settle().
template <class In>
bool logits_of_raw(const Network& network, const Encoding& encoding, const In* x, Index n,
                   const Calibration& calibration, float* out);

}  // namespace fromlogits
