#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "gatekeeper/bundle/static_checks.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/bundle/nav_documents.h"

// A defect put into the demonstration's documents, and what must be found.

namespace tests {

struct Fault {
  std::string name;
  std::string rule;
  std::vector<Change> edits;
  std::string says;          // part of the message
  std::string at = "";       // the line that is reported, by its text; empty: the last edit's
  std::string at_file = "";  // and its file, where that is not the edited one
};

inline void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

// Fails the test unless the checks name the defect's rule, file and line.
inline void ExpectFound(const Fault& fault) {
  Documents documents;
  int line = 0;
  for (const Change& edit : fault.edits) line = documents.Apply(edit);
  std::string file = fault.edits.back().file;
  if (!fault.at.empty()) {
    file = fault.at_file.empty() ? file : fault.at_file;
    line = documents.Line(file, fault.at);
  }

  const std::vector<gatekeeper::bundle::Diagnostic> found = CheckRules(documents.Rules());

  const auto wanted = std::find_if(
      found.begin(), found.end(), [&](const gatekeeper::bundle::Diagnostic& diagnostic) {
        return diagnostic.rule == fault.rule && diagnostic.file == file &&
               diagnostic.line == line && diagnostic.message.find(fault.says) != std::string::npos;
      });
  EXPECT_NE(wanted, found.end()) << "wanted " << file << ":" << line << " " << fault.rule << " '"
                                 << fault.says << "', found\n"
                                 << testing::PrintToString(Texts(found));
}

}  // namespace tests
