#include "gatekeeper/report/text.h"
#include "google/protobuf/util/json_util.h"

namespace gatekeeper::report {

std::string JsonReport(const v1::GateReport& report) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;  // a reader must not guess whether 0 or absent
  options.preserve_proto_field_names = true;     // as in every other JSON of this project
  std::string json;
  // Cannot fail: the message has no Any and, having been cleaned, no invalid UTF-8.
  if (!google::protobuf::util::MessageToJsonString(report, &json, options).ok()) return {};
  return json;
}

}  // namespace gatekeeper::report
