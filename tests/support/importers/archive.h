#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tests {

// A gzip file unpacked. At most 1 GiB.
absl::StatusOr<std::string> ReadGzip(const std::string& path);

// Calls back for every regular file of a ustar archive, in its order; macOS's "._" twins are passed
// over. The views point into `bytes`.
using TarCallback = std::function<absl::Status(std::string_view name, std::string_view content)>;
absl::Status ForEachTarFile(std::string_view bytes, const TarCallback& callback);

}  // namespace tests
