#pragma once

#include <string>

namespace tests {

// A file of policies/nav, the demonstration's own documents.
std::string NavFile(const std::string& name);

// `text` with its only occurrence of `from` replaced; aborts the test run when it is not there
// once.
std::string Edit(std::string text, const std::string& from, const std::string& to);

}  // namespace tests
