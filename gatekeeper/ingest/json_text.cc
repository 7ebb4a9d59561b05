#include "gatekeeper/ingest/json_text.h"

#include <charconv>
#include <cmath>

#include "agent/base/digest.h"
#include "agent/trust/hash.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::ingest {
namespace {

template <class Real>
void Append(Real value, std::string& text) {
  if (!std::isfinite(value)) {
    text += "null";
    return;
  }
  char digits[64];
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void JsonText::Key(std::string_view name) {
  Begin();
  text_ += Quoted(name);
  text_ += ':';
  fresh_ = true;
}

void JsonText::Text(std::string_view value) {
  Begin();
  text_ += Quoted(value);
}

void JsonText::Bytes(std::string_view value) {
  Open('{');
  Key("bytes");
  Number(value.size());
  Key("sha256");
  Text(agent::trust::Sha256(value).hex());
  Close('}');
}

void JsonText::PutReal(double value) { Append(value, text_); }
void JsonText::PutReal(float value) { Append(value, text_); }

absl::StatusOr<std::string> JsonText::Finish() && {
  if (too_long()) {
    return absl::ResourceExhaustedError("the message is longer than 64 MiB as JSON");
  }
  return std::move(text_);
}

}  // namespace gatekeeper::ingest
