#pragma once

#include <string>

#include "agent/base/execution_provider.h"

namespace agent::inference {

// What decides the bits of an answer. Outputs are compared exactly only within one key, and within
// a tolerance across two.
struct NumericsKey {
  std::string engine;   // "onnxruntime"
  std::string version;  // with the commit it was built from: "1.27.0 (8f0278c77d)"
  std::string sha256;   // of the library's file: builds of one version differ in kernels and flags
  base::ExecutionProvider provider = base::ExecutionProvider::kCpu;
  std::string optimisation;     // level of graph rewriting: "all"
  bool prepack = true;          // weights laid out anew for the kernels
  int threads = 1;              // within an operator
  std::string instruction_set;  // what the kernels choose by: "x86-64/avx2"

  // One line, the same for the same key: "onnxruntime 1.27.0 (8f0278c77d) sha256:... ep=cpu ...".
  std::string Text() const;
};

// The class of this computer's processor, as far as kernels differ by it.
std::string InstructionSet();

}  // namespace agent::inference
