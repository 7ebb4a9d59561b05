#include "agent/monitor/formula_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/base/status_macros.h"

namespace agent::monitor {
namespace {

constexpr std::array<std::string_view, 15> kSigns = {"->", "<=", ">=", "==", "!=", "<", ">", "+",
                                                     "-",  "*",  "(",  ")",  "[",  "]", ","};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool StartsName(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsInName(char c) { return StartsName(c) || IsDigit(c) || c == '.'; }

absl::StatusOr<Token> Number(std::string_view rest, size_t column) {
  Token token{.kind = Token::Kind::kNumber, .text = {}, .column = column};
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), token.number);
  if (error != std::errc{}) {  // too large, or too small; words for infinity are names here
    return WrongAt(column, "this is no number that a machine can hold");
  }
  token.text = rest.substr(0, static_cast<size_t>(end - rest.data()));
  return token;
}

absl::StatusOr<Token> Next(std::string_view rest, size_t column) {
  if (IsDigit(rest.front()) || rest.front() == '.') return Number(rest, column);
  if (StartsName(rest.front())) {
    const auto end = std::find_if_not(rest.begin(), rest.end(), IsInName);
    return Token{.kind = Token::Kind::kName,
                 .text = rest.substr(0, static_cast<size_t>(end - rest.begin())),
                 .column = column};
  }
  for (const std::string_view sign : kSigns) {
    if (rest.substr(0, sign.size()) == sign) {
      return Token{
          .kind = Token::Kind::kSign, .text = rest.substr(0, sign.size()), .column = column};
    }
  }
  const auto byte = static_cast<unsigned char>(rest.front());
  if (byte < '!' || byte > '~') {
    return WrongAt(column, "byte 0x%02x stands in no formula", byte);
  }
  return WrongAt(column, "'%c' stands in no formula", rest.front());
}

}  // namespace

absl::StatusOr<std::vector<Token>> Tokens(std::string_view text) {
  std::vector<Token> tokens;
  for (size_t at = 0; at < text.size();) {
    if (IsSpace(text[at])) {
      ++at;
      continue;
    }
    ASSIGN_OR_RETURN(Token token, Next(text.substr(at), at + 1));
    at += token.text.size();
    tokens.push_back(token);
  }
  tokens.push_back({.kind = Token::Kind::kEnd, .text = {}, .column = text.size() + 1});
  return tokens;
}

}  // namespace agent::monitor
