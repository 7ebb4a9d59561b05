#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "nlohmann/json.hpp"

// Questions about JSON from outside, for the .cc files of agent/trust.

namespace agent::trust {

// Is it an object with exactly these fields?
inline bool HasFields(const nlohmann::json& value, std::initializer_list<const char*> fields) {
  return value.is_object() && value.size() == fields.size() &&
         std::all_of(fields.begin(), fields.end(),
                     [&value](const char* field) { return value.contains(field); });
}

inline bool IsText(const nlohmann::json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

// The value at `pointer` ("/predicate/verifier/id"), or null when there is none.
inline const nlohmann::json& At(const nlohmann::json& value, const char* pointer) {
  static const nlohmann::json none;
  const nlohmann::json::json_pointer path(pointer);
  return value.contains(path) ? value.at(path) : none;
}

}  // namespace agent::trust
