#include "json_numbers.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>
#include <utility>

namespace fromlogits {

namespace {

constexpr std::uint64_t most_exact = (std::uint64_t{1} << 53) - 1;  // no other integer up to here is rounded to it
constexpr Index most_digits = 19;                                   // that a std::uint64_t holds, whatever they are
constexpr int most_exact_power = 22;
constexpr double powers[most_exact_power + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int most_exponent = 100'000;  // past it a number is out of range, however many digits it has

enum class Kind { none, integral, other };

class Scanner {
 public:
  Scanner(std::string_view text, Index begin) noexcept
      : begin_(text.data()), at_(text.data() + begin), end_(text.data() + text.size()) {}

  Index place() const noexcept { return at_ - begin_; }
  std::string_view rest() const noexcept { return {at_, static_cast<std::size_t>(end_ - at_)}; }

  // The sign that comes next, or 0 at the end.
  char next() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    return at_ == end_ ? '\0' : *at_;
  }
  bool take(char sign) noexcept {
    const bool is_there = next() == sign;
    at_ += is_there;
    return is_there;
  }
  bool is_done() noexcept {
    next();
    return at_ == end_;
  }

  Kind value(double& out) noexcept {
    if (next() != 'n') return number(out);
    if (!rest().starts_with("null")) return Kind::none;
    at_ += 4;
    out = std::numeric_limits<double>::quiet_NaN();
    return Kind::other;
  }

  // A text in quotes, as it is written; nothing where it has no end.
  std::optional<std::string_view> text() noexcept {
    if (!take('"')) return std::nullopt;
    const char* const first = at_;
    while (at_ != end_ && *at_ != '"') at_ += *at_ == '\\' && end_ - at_ > 1 ? 2 : 1;
    if (at_ == end_) return std::nullopt;
    return std::string_view(first, static_cast<std::size_t>(at_++ - first));
  }
  // This very text, written so.
  bool take_text(std::string_view written) noexcept {
    if (next() != '"') return false;
    const std::string_view behind = rest().substr(1);
    if (!behind.starts_with(written) || !behind.substr(written.size()).starts_with('"')) return false;
    at_ += written.size() + 2;
    return true;
  }

 private:
  static bool is_digit(char sign) noexcept { return sign >= '0' && sign <= '9'; }

  Kind number(double& out) noexcept {
    const char* const start = at_;
    const char* at = at_;
    const bool is_negative = at != end_ && *at == '-';
    at += is_negative;
    std::uint64_t digits = 0;  // wraps where there are too many, and is not used then
    const auto take_digits = [&]() noexcept {
      const char* const first = at;
      for (; at != end_ && is_digit(*at); ++at) digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
      return at - first;
    };
    const bool starts_with_zero = at != end_ && *at == '0';
    Index n_digits = take_digits();
    if (n_digits == 0 || (starts_with_zero && n_digits > 1)) return Kind::none;
    Index exponent = 0;
    Kind kind = Kind::integral;
    if (at != end_ && *at == '.') {
      kind = Kind::other;
      ++at;
      exponent = -take_digits();
      n_digits -= exponent;
      if (exponent == 0) return Kind::none;
    }
    if (at != end_ && (*at == 'e' || *at == 'E')) {
      kind = Kind::other;
      ++at;
      const bool is_small = at != end_ && *at == '-';
      at += at != end_ && (*at == '-' || *at == '+');
      if (at == end_ || !is_digit(*at)) return Kind::none;
      Index stated = 0;
      for (; at != end_ && is_digit(*at); ++at) stated = std::min<Index>(10 * stated + (*at - '0'), most_exponent);
      exponent += is_small ? -stated : stated;
    }
    at_ = at;
    // Both are exact, so their product or quotient is rounded once.
    if (n_digits <= most_digits && digits <= most_exact && -most_exact_power <= exponent &&
        exponent <= most_exact_power) {
      const double whole = static_cast<double>(digits);
      out = exponent < 0 ? whole / powers[-exponent] : whole * powers[exponent];
      if (is_negative && (kind == Kind::other || digits != 0)) out = -out;
      return kind;
    }
    return kind == Kind::other && rounded(start, at, out) ? kind : Kind::none;
  }

  static bool rounded([[maybe_unused]] const char* first, [[maybe_unused]] const char* last,
                      [[maybe_unused]] double& out) noexcept {
#if defined(__cpp_lib_to_chars)
    const auto [end, error] = std::from_chars(first, last, out);
    return error == std::errc() && end == last;
#else
    return false;  // a library without from_chars for float64: only what is exact above is plain
#endif
  }

  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace

std::optional<JsonArray> json_array(std::string_view text, Index begin) {
  JsonArray found;
  Scanner scan(text, begin);
  const auto read_flat = [&]() {
    do {
      double value;
      const Kind kind = scan.value(value);
      if (kind == Kind::none) return false;
      found.is_integral &= kind == Kind::integral;
      found.values.push_back(value);
    } while (scan.take(','));
    return scan.take(']');
  };
  if (!scan.take('[')) return std::nullopt;
  if (scan.next() == '[') {
    do {
      if (!scan.take('[') || !read_flat()) return std::nullopt;
    } while (scan.take(','));
    if (!scan.take(']')) return std::nullopt;
  } else if (!read_flat()) {
    return std::nullopt;
  }
  found.end = scan.place();
  return found;
}

JsonRows::JsonRows(Index width, const std::vector<std::vector<std::string>>& spellings) : width_(width) {
  for (std::size_t column = 0; column < spellings.size(); ++column)
    for (const std::string& spelling : spellings[column]) places_.emplace(spelling, static_cast<Index>(column));
}

std::optional<std::vector<double>> JsonRows::read(std::string_view text, Index most_rows) const {
  const auto width = static_cast<std::size_t>(width_);
  std::vector<double> values;
  Scanner scan(text, 0);

  const auto read_array = [&]() {
    for (std::size_t column = 0; column < width; ++column) {
      double value;
      if ((column > 0 && !scan.take(',')) || scan.value(value) == Kind::none) return false;
      values.push_back(value);
    }
    return scan.take(']');
  };

  std::vector<const Places::value_type*> keys;  // those of the last row, which the next mostly has in the same order
  std::vector<Index> row_of;                    // the last row with a value in this column
  const auto read_key = [&](std::size_t position) {
    const auto*& key = keys[position];
    if (key == nullptr || !scan.take_text(key->first)) {
      const std::optional<std::string_view> written = scan.text();
      const auto found = written ? places_.find(*written) : places_.end();
      key = found == places_.end() ? nullptr : &*found;
    }
    return key == nullptr ? Index{-1} : key->second;
  };
  const auto read_object = [&](Index row) {
    values.resize(values.size() + width);
    double* const out = values.data() + values.size() - width;
    for (std::size_t position = 0; position < width; ++position) {
      if (position > 0 && !scan.take(',')) return false;
      const Index column = read_key(position);
      if (column < 0 || std::exchange(row_of[static_cast<std::size_t>(column)], row) == row) return false;
      if (!scan.take(':') || scan.value(out[column]) == Kind::none) return false;
    }
    return scan.take('}');
  };

  if (!scan.take('{') || !scan.take_text("rows") || !scan.take(':') || !scan.take('[')) return std::nullopt;
  const bool are_objects = scan.next() == '{' && !places_.empty();
  if (are_objects) keys.resize(width), row_of.resize(width, -1);
  Index row = 0;
  do {
    if (row == most_rows || !scan.take(are_objects ? '{' : '[')) return std::nullopt;
    if (!(are_objects ? read_object(row) : read_array())) return std::nullopt;
    ++row;
  } while (scan.take(','));
  if (!scan.take(']') || !scan.take('}') || !scan.is_done()) return std::nullopt;
  return values;
}

}  // namespace fromlogits
