#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gatekeeper::ingest {

// The message types that a ULog file defines (docs.px4.io, ULog file format, 'F': format
// definition): "name:type field;type[n] field;...". A type's size follows from its text.
class UlogFormats {
 public:
  // kDataLoss: no format text, or the type was defined before, otherwise.
  absl::Status Add(std::string_view text);

  struct Layout {
    std::string schema;         // the text of the type and of all types in it, one a line
    uint64_t stamp_offset = 0;  // of the field uint64_t timestamp
    uint64_t bytes = 0;         // of a whole message, padding at its end included
  };
  // kDataLoss: an unknown type, one that contains itself, more than 1 MiB of either kind, or no
  // timestamp.
  absl::StatusOr<Layout> LayoutOf(const std::string& type) const;

 private:
  struct Field {
    std::string type;
    uint64_t count = 1;
    std::string name;
  };
  struct Format {
    std::string text;
    std::vector<Field> fields;
  };
  static absl::StatusOr<Field> ParseField(std::string_view text);
  absl::StatusOr<uint64_t> SizeOf(const std::string& type, int depth,
                                  std::vector<std::string>& used) const;

  std::map<std::string, Format, std::less<>> formats_;
};

}  // namespace gatekeeper::ingest
