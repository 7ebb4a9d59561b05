#pragma once

#include <string>

namespace gatekeeper::report {

// Where a report is read: what other files are called from there.
struct Place {
  std::string folder;  // the working folder, whole path; file names in the report are relative to
                       // it; empty: nobody knows
  std::string file;    // the report itself; empty: standard output
};

// A file as a code-scanning service wants it (RFC 3986): relative to the working folder where it
// lies below it, a file: URI otherwise. Escaped; neither "..", "." nor a doubled '/' is left.
std::string SourceUri(const std::string& path, const Place& place);

// The way from the report's folder to the file, escaped, for a link.
std::string LinkTo(const std::string& path, const Place& place);

}  // namespace gatekeeper::report
