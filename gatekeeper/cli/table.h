#pragma once

#include <string>
#include <vector>

namespace gatekeeper::cli {

// Left-aligned columns, two spaces apart, as wide as their widest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace gatekeeper::cli
