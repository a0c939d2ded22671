// How matrices lie in the engine's memory: panels of 16 columns, each panel all rows, 64 bytes a row. Entry (i, u) is
//   data[(u / 16) * panel + i * 16 + u % 16]      panel = rows * 16
// so that a product reads and writes whole cache lines in the order in which they lie. Columns beyond the last are
// held as 0. Weights have the inputs as rows and the units as columns; activations the examples and the units.
#pragma once

#include "views.h"

namespace fromlogits {

inline constexpr Index lane_count = 16;

constexpr Index tiles(Index size, Index tile) noexcept { return (size + tile - 1) / tile; }

constexpr Index panels_of(Index columns) noexcept { return tiles(columns, lane_count); }

// Floats that hold (rows, columns).
constexpr Index panel_size(Index rows, Index columns) noexcept { return panels_of(columns) * lane_count * rows; }

}  // namespace fromlogits
