#pragma once

#include <cstdio>
#include <string>

#include "gatekeeper/cli/verbs.h"
#include "gtest/gtest.h"

namespace tests {

struct Printed {
  int code = 0;
  std::string out;
  std::string err;
};

// The program with what was added to `app`, as a person types it.
inline Printed Typed(CLI::App& app, const gatekeeper::cli::Session& session,
                     const std::string& arguments) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  app.parse(arguments);
  std::fflush(stdout);
  return {.code = session.exit_code,
          .out = testing::internal::GetCapturedStdout(),
          .err = testing::internal::GetCapturedStderr()};
}

}  // namespace tests
