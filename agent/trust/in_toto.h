#pragma once

#include <string>
#include <utility>

#include "nlohmann/json.hpp"

// The outer shape of every statement here, for the .cc files of agent/trust.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md

namespace agent::trust {

inline constexpr char kStatementType[] = "https://in-toto.io/Statement/v1";

inline nlohmann::json Subject(const std::string& name, const std::string& sha256) {
  return nlohmann::json::array({nlohmann::json{{"name", name}, {"digest", {{"sha256", sha256}}}}});
}

inline nlohmann::json Statement(const char* predicate_type, nlohmann::json subject,
                                nlohmann::json predicate) {
  return {{"_type", kStatementType},
          {"subject", std::move(subject)},
          {"predicateType", predicate_type},
          {"predicate", std::move(predicate)}};
}

}  // namespace agent::trust
