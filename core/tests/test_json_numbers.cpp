#include "json_numbers.h"

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include "check.h"

using namespace fromlogits;

namespace {

using Values = std::optional<std::vector<double>>;

const std::vector<std::vector<std::string>> names{{"a"}, {"gr\xc3\xbcn", "gr\\u00fcn"}, {"\\\""}};

Values read(const std::string& text, Index width = 3, Index most_rows = 4) {
  return JsonRows(width, width == 3 ? names : std::vector<std::vector<std::string>>{}).read(text, most_rows);
}

Values of_rows(const std::string& rows, Index width = 3) { return read("{\"rows\": " + rows + "}", width); }

std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }

// The one value; NaN where the text is not plain.
double number(const std::string& text) {
  const Values found = of_rows("[[" + text + "]]", 1);
  return found && found->size() == 1 ? (*found)[0] : std::numeric_limits<double>::quiet_NaN();
}

void check_rounded(const std::string& text) {
  const double expected = std::strtod(text.c_str(), nullptr);
  const double found = number(text);
  CHECK(bits(found) == bits(expected));
  if (bits(found) != bits(expected)) std::printf("  %s: %.17g, not %.17g\n", text.c_str(), found, expected);
}

TEST(numbers_are_rounded_correctly) {
  for (const char* text : {
           "0.1",
           "-0.5e0",
           "-0.0",
           "-0e5",
           "0.0000",
           "1e22",
           "1e23",
           "9007199254740991.0",
           "9007199254740993.0",
           "9007199254740992.5",
           "12345678901234567.890",
           "1.7976931348623157e308",
           "2.2250738585072014e-308",
           "2.2250738585072011e-308",
           "5e-324",
           "4.9406564584124654e-324",
           "123456789012345678901234567890.0",
           "0.30000000000000004",
           "8.5e-22",
           "1e-22",
           "1e-23",
           "3.5E+3",
           "3.5E-3",
           "184467440737095516160.0e-1",
           "0.000000000000000000000000000000000000000000000000123456789012345678",
           "6.631236846766476e-316",
           "1.00000000000000011102230246251565404236316680908203125",
           "1.00000000000000011102230246251565404236316680908203126",
           "1000000000000000000000000e-24",
       })
    check_rounded(text);
  std::mt19937_64 random(7);
  char text[64];
  for (int turn = 0; turn < 200'000; ++turn) {
    const double value = std::bit_cast<double>(random());
    if (!(value - value == 0)) continue;
    std::snprintf(text, sizeof text, "%.*e", static_cast<int>(random() % 22), value);
    if (std::strtod(text, nullptr) - std::strtod(text, nullptr) == 0) check_rounded(text);
    std::snprintf(text, sizeof text, "%.*f", 1 + static_cast<int>(random() % 18),
                  static_cast<double>(static_cast<std::int64_t>(random()) >> random() % 64) / 1e6);
    check_rounded(text);
  }
}

TEST(integers_below_2_to_the_53_are_exact) {
  CHECK(bits(number("-0")) == bits(0.0));
  CHECK(number("9007199254740991") == 9007199254740991.0);
  CHECK(number("-9007199254740991") == -9007199254740991.0);
  CHECK(number("9007199254740992.0") == 9007199254740992.0);
  for (const char* text : {"9007199254740992", "-9007199254740992", "9007199254740993", "10000000000000000",
                           "18446744073709551616", "100000000000000000000000000000000000000000000000000000000"})
    CHECK(std::isnan(number(text)));
}

TEST(what_is_no_number_of_json_is_not_plain) {
  for (const char* text : {"",       "-",
                           "+1",     "01",
                           "-01",    "00",
                           ".5",     "1.",
                           "1.e5",   "1e",
                           "1e+",    "1e-",
                           "1.5.2",  "0x10",
                           "1_0",    "NaN",
                           "nan",    "inf",
                           "-inf",   "nul",
                           "nulll",  "true",
                           "\"1\"",  "[1]",
                           "{}",     "1 2",
                           "--1",    "1e5.5",
                           "1,",     ",1",
                           "1e400",  "-1e400",
                           "1e-400", "1e999999999999999999999"})
    CHECK(!of_rows("[[" + std::string(text) + "]]", 1));
  CHECK(of_rows("[[null]]", 1) && std::isnan((*of_rows("[[null]]", 1))[0]));
}

TEST(rows_are_arrays_or_objects_in_any_order) {
  const std::vector<double> expected{1, 2.5, -3, 4, 5, 6};
  for (const char* rows : {
           "[[1,2.5,-3],[4,5,6]]",
           " [ [ 1 , 2.5,\t-3 ]\n,[4,5,6\r] ] ",
           R"([{"a":1,"grün":2.5,"\"":-3},{"a":4,"gr\u00fcn":5,"\"":6}])",
           R"([ { "a" : 1 , "grün" : 2.5 , "\"" : -3 } , { "\"" : 6 , "grün" : 5 , "a" : 4 } ])",
           R"([{"grün":2.5,"\"":-3,"a":1},{"grün":5,"a":4,"\"":6}])",
       }) {
    const Values found = of_rows(rows);
    CHECK(found && *found == expected);
  }
}

TEST(all_else_is_not_plain) {
  for (const char* rows : {
           "[]",
           "[[]]",
           "[[1,2]]",
           "[[1,2,3,4]]",
           "[[1,2,3],[4,5]]",
           "[[1,2,3],]",
           "[[1,2,3,]]",
           "[[1,2,3]",
           "[1,2,3]",
           "[[1,2,3],{\"a\":1}]",
           "null",
           "{}",
           "[{}]",
           "[[1,2,[3]]]",
           R"([{"a":1,"grün":2}])",
           R"([{"a":1,"grün":2,"\"":3,"b":4}])",
           R"([{"a":1,"grün":2,"a":3}])",
           R"([{"a":1,"grün":2,"gr\u00fcn":3}])",
           R"([{"a":1,"grün":2,"b":3}])",
           R"([{"a":1,"grün":2,"\"":"3"}])",
           R"([{"a":1,"grün":2,"\"":3},[1,2,3]])",
           R"([{"a":1,"grün":2,"\":3}])",
           R"([{"a":1,"grün" 2,"\"":3}])",
           R"([{"a":1,"grün":2,"\"":3,}])",
       })
    CHECK(!of_rows(rows));
  CHECK(!of_rows("[{\"a\": 1}]", 1));                                     // columns without names
  CHECK(!read("{\"rows\": [[1,2,3],[1,2,3],[1,2,3],[1,2,3],[1,2,3]]}"));  // too many
  CHECK(read("{\"rows\": [[1,2,3],[1,2,3],[1,2,3],[1,2,3]]}").has_value());
  for (const char* text : {"", "{", "[]", "{\"rows\"}", "{\"rows\":[[1,2,3]]", "{\"rows\":[[1,2,3]]} x", "\"rows\"",
                           "\0", "{\"row\":[[1,2,3]]}", "{\"rows\":[[1,2,3]],\"rows\":[[1,2,3]]}",
                           "\xef\xbb\xbf{\"rows\":[[1,2,3]]}", "{\"rows\":[[1,2,3]],\"more\":1}", "{rows:[[1,2,3]]}"})
    CHECK(!read(text));
  CHECK(!read(std::string("{\"rows\":[[1,2,3]]}\0", 19)));
}

TEST(a_text_that_is_cut_off_is_not_plain) {
  const std::string text = R"({"rows": [{"a": 1.5e3, "grün": null, "\"": -3}, {"a": 4, "gr\u00fcn": 5, "\"": 6}]})";
  CHECK(read(text).has_value());
  for (std::size_t length = 0; length < text.size(); ++length) {
    const std::vector<char> exactly(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK(!JsonRows(3, names).read({exactly.data(), exactly.size()}, 4));  // a sanitizer sees what is read past the end
    CHECK(!json_array({exactly.data(), exactly.size()}, 0));
  }
}

TEST(arrays_are_flat_or_of_flat_ones) {
  const auto found = json_array("x[1, 2.5,-3]y", 1);
  CHECK(found && found->values == (std::vector<double>{1, 2.5, -3}) && found->end == 12 && !found->is_integral);
  const auto nested = json_array(" [ [1] , [2,3] ] ", 0);
  CHECK(nested && nested->values == (std::vector<double>{1, 2, 3}) && nested->end == 16 && nested->is_integral);
  CHECK(json_array("[1,null]", 0) && !json_array("[1,null]", 0)->is_integral);
  for (const char* text :
       {"", "[", "[]", "[[]]", "[[1],2]", "[1,[2]]", "[[[1]]]", "[1", "[[1]", "[1,]", "[\"1\"]", "1"})
    CHECK(!json_array(text, 0));
}

}  // namespace

CHECK_MAIN
