#include "agent/base/strict_json.h"
#include "tests/fuzz/target.h"

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 8'192, .per_input_byte = 96};

std::vector<std::string> fuzz::Seeds() {
  return {R"({"a":[1,-2,3.5e-7,true,false,null,"\u00e9\n"],"b":{"c":{}}})", "[]", "0",
          R"([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]])",
          R"({"keys":[{"class":"build","name":"build","pem":"x"}],"schema":"trust/1"})"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = agent::base::ParseStrictJson(fuzz::Text(data, size), "input");
  if (!parsed.ok()) return 0;
  // What is taken has one canonical text, which is taken too and means the same.
  const std::string canonical = agent::base::CanonicalJson(*parsed);
  const auto again = agent::base::ParseStrictJson(canonical, "canonical");
  fuzz::Check(again.ok(), "canonical JSON is refused");
  fuzz::Check(agent::base::CanonicalJson(*again) == canonical,
              "canonical JSON is not a fixed point");
  return 0;
}
