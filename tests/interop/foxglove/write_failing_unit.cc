// write_failing_unit FOLDER: writes a unit that steers away from its goals, recorded drives to
// them, and the suite that refuses it.

#include <string>

#include "absl/strings/str_format.h"
#include "tests/gatekeeper/gates/drive_fixture.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  tests::WriteUnit(folder + "/unit", tests::LinearOnnx(-0.5F, 0), tests::PolicyYaml());
  for (int i = 0; i < 6; ++i)
    tests::RecordScenario(folder + "/scenarios", absl::StrFormat("drive%d", i), {.number = i});
  tests::WriteSuite(folder, tests::SuiteYaml());
  return 0;
}
