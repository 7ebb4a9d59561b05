#include "agent/trust/manifest.h"
#include "tests/fuzz/target.h"

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 64};

std::vector<std::string> fuzz::Seeds() {
  gatekeeper::v1::Manifest manifest;
  manifest.set_schema("manifest/1");
  manifest.set_name("nav");
  manifest.set_version("1.2.0-rc.1");
  manifest.add_hardware("diff-drive-2");
  manifest.set_commit(std::string(40, 'c'));
  manifest.set_spec_path("policies/nav/release-1.2.0.yaml");
  for (const char* path : {agent::trust::kCardFile, agent::trust::kModelFile,
                           agent::trust::kPolicyFile, agent::trust::kFallbackFile}) {
    gatekeeper::v1::UnitFile& file = *manifest.add_files();
    file.set_path(path);
    file.set_size(1234);
    file.set_sha256(std::string(64, '0'));
  }
  return {agent::trust::CanonicalManifest(manifest)};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::Text(data, size);
  const auto manifest = agent::trust::ParseManifest(bytes);
  if (!manifest.ok()) return 0;
  fuzz::Check(agent::trust::CanonicalManifest(*manifest) == bytes, "two texts of one manifest");
  return 0;
}
