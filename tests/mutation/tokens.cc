#include "tests/mutation/tokens.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace mutation {
namespace {

bool IsName(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool IsBlank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

class Reader {
 public:
  explicit Reader(std::string_view source) : source_(source) {}

  std::vector<Token> Run() {
    while (at_ < source_.size()) {
      if (!SkipBlank()) Take();
    }
    Match();
    return std::move(tokens_);
  }

 private:
  char Here(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  void Step(size_t to) {
    for (; at_ < to && at_ < source_.size(); ++at_) line_ += source_[at_] == '\n' ? 1 : 0;
  }

  // Blanks, comments and preprocessor lines.
  bool SkipBlank() {
    if (IsBlank(Here())) {
      Step(at_ + 1);
      return true;
    }
    if (Here() == '/' && Here(1) == '/') return SkipTo("\n");
    if (Here() == '/' && Here(1) == '*') return SkipTo("*/");
    if (Here() != '#') return false;
    size_t end = at_;
    do {
      end = std::min(source_.find('\n', end + 1), source_.size());
    } while (end < source_.size() && source_[end - 1] == '\\');
    Step(end);
    return true;
  }

  bool SkipTo(std::string_view mark) {
    const size_t found = source_.find(mark, at_ + 2);
    Step(found == std::string_view::npos ? source_.size() : found + mark.size());
    return true;
  }

  void Take() {
    const size_t begin = at_;
    const int line = line_;
    Kind kind = Kind::kSign;
    if (Here() == '"' || Here() == '\'') {
      kind = Kind::kText;
      Step(Quoted());
    } else if (IsDigit(Here())) {
      kind = Kind::kNumber;
      while (IsName(Here()) || Here() == '.' || Here() == '\'' ||
             ((Here() == '-' || Here() == '+') &&
              (source_[at_ - 1] == 'e' || source_[at_ - 1] == 'E'))) {
        Step(at_ + 1);
      }
    } else if (IsName(Here())) {
      kind = Kind::kName;
      while (IsName(Here())) Step(at_ + 1);
    } else {
      Step(at_ + SignLength());
    }
    const bool spaced = begin > 0 && IsBlank(source_[begin - 1]) && IsBlank(Here());
    tokens_.push_back({.kind = kind,
                       .text = source_.substr(begin, at_ - begin),
                       .begin = begin,
                       .end = at_,
                       .line = line,
                       .partner = 0,
                       .spaced = spaced});
  }

  size_t Quoted() const {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != source_[at_])
      end += source_[end] == '\\' ? 2 : 1;
    return end + 1;
  }

  size_t SignLength() const {
    static constexpr std::array<std::string_view, 24> kSigns = {
        "<=>", "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==",
        "!=",  "&&",  "||",  "+=",  "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::"};
    for (std::string_view sign : kSigns) {
      if (source_.substr(at_, sign.size()) == sign) return sign.size();
    }
    return 1;
  }

  void Match() {
    std::vector<size_t> open;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const std::string_view text = tokens_[i].text;
      if (tokens_[i].kind != Kind::kSign) continue;
      if (text == "(" || text == "[" || text == "{") open.push_back(i);
      if ((text == ")" || text == "]" || text == "}") && !open.empty()) {
        tokens_[i].partner = open.back();
        tokens_[open.back()].partner = i;
        open.pop_back();
      }
    }
  }

  std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokens(std::string_view source) { return Reader(source).Run(); }

}  // namespace mutation
