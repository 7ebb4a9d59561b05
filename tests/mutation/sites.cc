#include "tests/mutation/sites.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tests/mutation/tokens.h"

namespace mutation {
namespace {

struct BinaryName {
  const char* type;  // in mutant.h
  const char* glue;  // the sign of the same precedence on both sides of it
  std::vector<const char*> others;
};

const std::map<std::string_view, BinaryName>& Binaries() {
  static const std::map<std::string_view, BinaryName> table = {
      {"<", {"Less", "<", {"<=", ">="}}},
      {"<=", {"LessEqual", "<", {"<", ">"}}},
      {">", {"Greater", "<", {">=", "<="}}},
      {">=", {"GreaterEqual", "<", {">", "<"}}},
      {"==", {"Equal", "==", {"!="}}},
      {"!=", {"Unequal", "==", {"=="}}},
      {"+", {"Plus", "+", {"-"}}},
      {"-", {"Minus", "+", {"+"}}},
      {"*", {"Times", "*", {"/"}}},
      {"/", {"Over", "*", {"*"}}},
      {"%", {"Rest", "*", {"*"}}},
      {"&", {"And", "&", {"|"}}},
      {"|", {"Or", "|", {"&"}}}};
  return table;
}

template <class... Words>
bool IsOneOf(std::string_view text, Words... words) {
  return ((text == words) || ...);
}

bool IsConstant(std::string_view name) {
  return name.size() > 1 && name[0] == 'k' && name[1] >= 'A' && name[1] <= 'Z';
}

class Finder {
 public:
  Finder(std::string_view source, int first_id)
      : source_(source), tokens_(Tokens(source)), next_id_(first_id) {}

  Sites Run() {
    MarkBodies();
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!inside_[i]) continue;
      BinaryAt(i);
      StatementAt(i);
      ReturnAt(i);
      ConditionAt(i);
      NumberAt(i);
      CallAt(i);
    }
    return std::move(sites_);
  }

 private:
  std::string_view At(size_t i) const { return i < tokens_.size() ? tokens_[i].text : ""; }
  std::string_view Before(size_t i) const { return i > 0 ? tokens_[i - 1].text : ""; }
  bool Opens(size_t i) const { return IsOneOf(At(i), "(", "[", "{"); }
  bool Closes(size_t i) const { return IsOneOf(At(i), ")", "]", "}"); }

  // Function bodies, less the statements that must be known when compiling.
  void MarkBodies() {
    inside_.assign(tokens_.size(), false);
    enclosing_.assign(tokens_.size(), 0);
    std::vector<size_t> open;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (Closes(i) && !open.empty()) open.pop_back();
      enclosing_[i] = open.empty() ? tokens_.size() : open.back();
      if (Opens(i)) open.push_back(i);
    }
    for (size_t i = 1; i < tokens_.size(); ++i) {
      if (At(i) != "{" || inside_[i]) continue;
      if (!IsOneOf(Before(i), ")", "const", "noexcept", "override", "}")) continue;
      std::fill(inside_.begin() + static_cast<long>(i),
                inside_.begin() + static_cast<long>(tokens_[i].partner), true);
    }
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const bool fixed =
          IsOneOf(At(i), "constexpr", "static", "static_assert", "using", "template", "default");
      if (!inside_[i] || (!fixed && At(i) != "case")) continue;
      while (i < tokens_.size() && At(i) != (fixed ? ";" : ":")) inside_[i++] = false;
    }
  }

  int Add(size_t token, const std::string& what) {
    sites_.mutants.push_back({.id = next_id_, .line = tokens_[token].line, .what = what});
    return next_id_++;
  }
  std::string Text(size_t first, size_t last) const {
    return std::string(
        source_.substr(tokens_[first].begin, tokens_[last].end - tokens_[first].begin));
  }
  void Wrap(size_t first, size_t last, const std::string& before, const std::string& behind) {
    sites_.edits.push_back({tokens_[first].begin, tokens_[last].end, before, behind});
  }

  void BinaryAt(size_t i) {
    const auto found = Binaries().find(At(i));
    if (found == Binaries().end() || !tokens_[i].spaced || tokens_[i].kind != Kind::kSign) return;
    if (Before(i) == "operator") return;
    const auto& [type, glue, others] = found->second;
    const int id = next_id_;
    for (const char* other : others) Add(i, "'" + std::string(At(i)) + "' becomes '" + other + "'");
    sites_.edits.push_back(
        {tokens_[i].begin, tokens_[i].end,
         std::string(glue) + " ::mutant::" + type + "{" + std::to_string(id) + "} " + glue, "",
         true});
  }

  bool BeginsStatement(size_t i) const { return IsOneOf(Before(i), ";", "{", "}"); }

  // The end of a statement that is an expression with an effect; 0 when it is something else.
  size_t EffectEnd(size_t i) const {
    size_t at = i;
    bool effect = false;
    while (IsOneOf(At(at), "*", "++", "--")) effect = effect || At(at++) != "*";
    if (at < tokens_.size() && tokens_[at].kind != Kind::kName) return 0;
    if (IsOneOf(At(at), "return", "if", "for", "while", "switch", "do", "else", "break", "continue",
                "delete", "case"))
      return 0;
    for (bool name = true; at < tokens_.size(); ++at) {
      if (tokens_[at].kind == Kind::kName && name) {
        name = false;
        continue;
      }
      if (IsOneOf(At(at), ".", "->", "::")) {
        name = true;
        continue;
      }
      if (At(at) == "(" || At(at) == "[") {
        effect = At(at) == "(";
        at = tokens_[at].partner;
        continue;
      }
      if (At(at) == "++" || At(at) == "--") {
        effect = true;
        continue;
      }
      break;
    }
    if (At(at) == ";") return effect ? at : 0;
    if (!IsOneOf(At(at), "=", "+=", "-=", "*=", "/=", "|=", "&=")) return 0;
    while (at < tokens_.size() && At(at) != ";") at = Opens(at) ? tokens_[at].partner + 1 : at + 1;
    return at;
  }

  void StatementAt(size_t i) {
    if (At(enclosing_[i]) != "{" || !BeginsStatement(i)) return;
    const size_t end = EffectEnd(i);
    if (end == 0) return;
    if (At(i) == "RETURN_IF_ERROR") {
      const int id = Add(i, "check left out");
      Wrap(i, end, "if (::mutant::Kept(" + std::to_string(id) + ")) ", "");
    } else if (At(i).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != std::string_view::npos) {
      const int id = Add(i, "statement left out");
      Wrap(i, end - 1, "::mutant::Kept(" + std::to_string(id) + ") ? void(", ") : void()");
    }
  }

  void ReturnAt(size_t i) {
    if (At(i) != "return" || IsOneOf(At(i + 1), ";", "{", "nullptr")) return;
    size_t end = i + 1;
    while (At(end) != ";") end = Opens(end) ? tokens_[end].partner + 1 : end + 1;
    const bool plain =
        end == i + 2 && tokens_[i + 1].kind == Kind::kName && !IsOneOf(At(i + 1), "true", "false");
    const bool number = end == i + 2 && tokens_[i + 1].kind == Kind::kNumber;
    if (plain || number || Text(i + 1, end - 1) == "absl::OkStatus()" ||
        Text(i + 1, end - 1) == "std::nullopt")
      return;
    const int id = Add(i, "another value returned");
    Wrap(i + 1, end - 1, "::mutant::Return(" + std::to_string(id) + ", ", ")");
  }

  // The atoms of every condition: what stands between the brackets of if and while, before a `?`
  // and beside every `&&` and `||`.
  void ConditionAt(size_t i) {
    if (IsOneOf(At(i), "&&", "||") && tokens_[i].spaced) {
      Atom(LeftEnd(i), i - 1);
      Atom(i + 1, RightEnd(i));
    }
    if (At(i) == "?" && tokens_[i].spaced) Atom(LeftEnd(i), i - 1);
    if (!IsOneOf(At(i), "if", "while") || At(i + 1) != "(") return;
    size_t first = i + 2;
    for (size_t at = first; at < tokens_[i + 1].partner; ++at) {
      if (Opens(at)) at = tokens_[at].partner;
      if (At(at) == "=") return;
      if (At(at) == ";") first = at + 1;
      if (IsOneOf(At(at), "&&", "||")) return;  // found by themselves
    }
    Atom(first, tokens_[i + 1].partner - 1);
  }

  size_t LeftEnd(size_t i) const {
    size_t at = i - 1;
    while (true) {
      if (Closes(at)) at = tokens_[at].partner;
      const std::string_view left = Before(at);
      if (IsOneOf(left, "&&", "||", "(", "[", "{", ",", ";", "?", ":", "return", "=",
                  "+=", "-=", "|=", "&=", "<<", ""))
        return at;
      --at;
    }
  }
  size_t RightEnd(size_t i) const {
    size_t at = i + 1;
    while (true) {
      if (Opens(at)) at = tokens_[at].partner;
      if (IsOneOf(At(at + 1), "&&", "||", ")", "]", "}", ",", ";", "?", ":", "")) return at;
      ++at;
    }
  }

  void Atom(size_t first, size_t last) {
    if (!atoms_.emplace(first, last).second || IsOneOf(At(first), "const", "auto")) return;
    const int id = Add(first, "'" + Text(first, last) + "' is always true");
    Add(first, "'" + Text(first, last) + "' is always false");
    Wrap(first, last, "::mutant::Condition(" + std::to_string(id) + ", ", ")");
  }

  void NumberAt(size_t i) {
    const Token& token = tokens_[i];
    const std::string_view left = Before(i);
    if (token.kind == Kind::kName) {
      if (!IsConstant(token.text) || IsOneOf(left, "::", ".", "->") ||
          IsOneOf(At(i + 1), "::", "(", "{"))
        return;
    } else if (token.kind != Kind::kNumber) {
      return;
    }
    const bool listed = At(enclosing_[i]) == "{" && IsOneOf(left, "{", ",", "=") &&
                        (left != "=" || (i >= 3 && At(i - 3) == "."));
    const bool negative =
        At(enclosing_[i]) == "{" && left == "-" && IsOneOf(Before(i - 1), "{", ",");
    if (listed || negative || At(enclosing_[i]) == "[") return;
    if ((left == "<" && !tokens_[i - 1].spaced) || (At(i + 1) == ">" && !tokens_[i + 1].spaced))
      return;
    const int id = Add(i, std::string(token.text) + " becomes one more");
    Add(i, std::string(token.text) + " becomes 0, or -1");
    Wrap(i, i, "::mutant::Number(" + std::to_string(id) + ", ", ")");
  }

  // Arguments of a call that are names or numbers are exchanged with their neighbour.
  void CallAt(size_t i) {
    if (tokens_[i].kind != Kind::kName || At(i + 1) != "(") return;
    if (IsOneOf(At(i), "if", "for", "while", "switch", "return", "sizeof", "decltype")) return;
    if (At(i).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string_view::npos) return;
    std::vector<std::pair<size_t, size_t>> arguments;  // 0, 0: not simple
    for (size_t at = i + 2; at < tokens_[i + 1].partner; ++at) {
      const size_t first = at;
      bool simple = true;
      for (; at < tokens_[i + 1].partner && At(at) != ","; ++at) {
        simple = simple && (tokens_[at].kind == Kind::kName || tokens_[at].kind == Kind::kNumber ||
                            IsOneOf(At(at), ".", "->", "::"));
        if (Opens(at)) at = tokens_[at].partner;
      }
      arguments.push_back(simple ? std::pair(first, at - 1) : std::pair<size_t, size_t>());
    }
    for (size_t a = 0; a + 1 < arguments.size(); ++a) {
      const auto [first, last] = arguments[a];
      const auto [next_first, next_last] = arguments[a + 1];
      if (first == 0 || next_first == 0) continue;
      const std::string mine = Text(first, last);
      const std::string other = Text(next_first, next_last);
      const std::string id =
          std::to_string(Add(i, "'" + mine + "' and '" + other + "' change places"));
      Wrap(first, last, "::mutant::Either(" + id + ", ", ", " + other + ")");
      Wrap(next_first, next_last, "::mutant::Either(" + id + ", ", ", " + mine + ")");
    }
  }

  std::string_view source_;
  std::vector<Token> tokens_;
  std::vector<bool> inside_;
  std::vector<size_t> enclosing_;
  std::set<std::pair<size_t, size_t>> atoms_;
  int next_id_;
  Sites sites_;
};

}  // namespace

Sites FindSites(std::string_view source, int first_id) { return Finder(source, first_id).Run(); }

std::string Apply(std::string_view source, std::vector<Edit> edits) {
  struct Insert {
    size_t at;
    bool opens;
    size_t length;  // of the edit it belongs to
    size_t number;  // the same range twice: the first one is the outer
    std::string text;
  };
  std::vector<Insert> inserts;
  std::map<size_t, Edit> replaced;
  for (const Edit& edit : edits) {
    if (edit.replaces) {
      replaced[edit.begin] = edit;
      continue;
    }
    inserts.push_back({edit.begin, true, edit.end - edit.begin, inserts.size(), edit.before});
    inserts.push_back({edit.end, false, edit.end - edit.begin, inserts.size(), edit.behind});
  }
  // Where several meet: what ends before what begins, inner ends first, outer beginnings first.
  std::sort(inserts.begin(), inserts.end(), [](const Insert& a, const Insert& b) {
    if (a.at != b.at) return a.at < b.at;
    if (a.opens != b.opens) return !a.opens;
    if (a.length != b.length) return a.opens == (a.length > b.length);
    return a.opens == (a.number < b.number);
  });
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at <= source.size();) {
    for (; next < inserts.size() && inserts[next].at == at; ++next) out += inserts[next].text;
    if (const auto found = replaced.find(at); found != replaced.end()) {
      out += found->second.before;
      at = found->second.end;
    } else if (at < source.size()) {
      out += source[at++];
    } else {
      break;
    }
  }
  return out;
}

}  // namespace mutation
