#pragma once

#include <string>

#include "proto/gates.pb.h"

namespace gatekeeper::report {

// What the paths of some files are from.
struct Root {
  std::string path;  // a folder, as the working folder sees it; empty: the working folder itself
  bool elsewhere = false;  // no folder here: `path` names a repository by URL, and the commit
};

// Where a report is read: what other files are called from there.
struct Place {
  std::string folder;  // the working folder, whole path; file names in the report are relative to
                       // it; empty: nobody knows
  std::string file;    // the report itself; empty: standard output
  Root unit;           // its own files: the documents of its policy, model, manifest
  Root policy;         // suite, waivers and corpus
  Root scenarios;
};

// A file of a report and what its name is from.
struct SourceFile {
  std::string path;
  const Root* root = nullptr;
};
// Of a finding: the file that it names, or else its scenario's; an empty path where it has neither.
SourceFile FileOf(const v1::GateReport& report, const v1::GateResult& gate,
                  const v1::Finding& finding, const Place& place);

// The file as a code-scanning service wants it (RFC 3986): relative to the working folder where it
// lies below it, a file: URI otherwise, and relative to nothing on this disk where it lies in a
// repository that is elsewhere. Escaped; neither "..", "." nor a doubled '/' is left.
std::string SourceUri(const SourceFile& file, const Place& place);

// The same as plain text; empty for what does not lie below the working folder.
std::string PathInCheckout(const SourceFile& file, const Place& place);

// A folder as a base of others (SARIF 2.1.0, 3.14.14): an absolute URI that ends in '/'.
std::string FolderUri(const std::string& folder);

// The way from the report's folder to the file, escaped, for a link.
std::string LinkTo(const std::string& path, const Place& place);

}  // namespace gatekeeper::report
