#pragma once

#include <string>

namespace tests {

// A file of policies/nav, the demonstration's own documents.
std::string NavFile(const std::string& name);

// The spec of nav 1.0.0 without the line of `key`, its model named `model`.
std::string NavSpecWithout(const std::string& key, const std::string& model);

// `text` with its only occurrence of `from` replaced; aborts the test run when it is not there
// once.
std::string Edit(std::string text, const std::string& from, const std::string& to);

}  // namespace tests
