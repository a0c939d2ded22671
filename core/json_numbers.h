// Numbers out of JSON text (RFC 8259), straight into float64: what most bodies of a prediction server are made of.
// Whatever else such a text may hold is "not plain" and left to a reader that knows all of JSON and has the words for
// what is wrong; what is read here is what that one would have read, bit for bit:
//   - a number is the float64 nearest to it, ties to even; -0 is 0 and -0.0 is −0
//   - null is NaN
//   - not plain: an integer from 2^53 on, a number beyond float64 or below its smallest; anything but numbers and null
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "views.h"

namespace fromlogits {

// An array of values, flat, or of arrays of values, which may differ in length but not be empty.
struct JsonArray {
  std::vector<double> values;  // one behind the other
  Index end = 0;               // the place in the text behind its bracket
  bool is_integral = true;     // no value has a point or an exponent, or is null
};

// The array whose bracket is text[begin]; nothing where it is not plain.
std::optional<JsonArray> json_array(std::string_view text, Index begin);

// Reads {"rows": [row, ...]}, each row an array with as many values as there are columns, or each an object with the
// columns for keys, in any order; nothing more may be there. Several threads may use one.
class JsonRows {
 public:
  // width: columns, >= 1
  // spellings: of each column, how its name may be written between quotes; none of a name, or no columns: rows are
  //   arrays alone
  JsonRows(Index width, const std::vector<std::vector<std::string>>& spellings);

  // (n, width), row-major, 1 <= n <= most_rows; nothing where the text is not plain, or has more rows.
  std::optional<std::vector<double>> read(std::string_view text, Index most_rows) const;

  Index width() const noexcept { return width_; }

 private:
  using Places = std::map<std::string, Index, std::less<>>;  // spelling -> column

  Index width_;
  Places places_;
};

}  // namespace fromlogits
