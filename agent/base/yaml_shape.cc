#include "agent/base/yaml_shape.h"

#include <sstream>

#include "absl/strings/str_format.h"
#include "yaml-cpp/anchor.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace agent::base {
namespace {

class Watch final : public YAML::EventHandler {
 public:
  // Ends the reading: after some errors the parser gives empty documents for ever.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw YAML::ParserException(mark, "more than one YAML document");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Look(mark, anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Look(mark, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string&) override {
    Look(mark, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Enter(mark, anchor);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Enter(mark, anchor);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void Enter(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (++depth_ > kMaxYamlDepth) throw YAML::ParserException(mark, "nested too deeply");
    Look(mark, anchor);
  }
  static void Look(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) throw YAML::ParserException(mark, "anchors and aliases are not used here");
  }
  int depth_ = 0;
  int documents_ = 0;
};

}  // namespace

absl::Status CheckYamlShape(const std::string& text, const std::string& file) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Watch watch;
    while (parser.HandleNextDocument(watch)) {
    }
    return absl::OkStatus();
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d:%d: %s", file, e.mark.line + 1, e.mark.column + 1, e.msg));
  }
}

}  // namespace agent::base
