#include <cstdint>

// The one symbol of ONNX Runtime, in a release that does not know the interface asked for.

namespace {

struct ApiBase {
  const void* (*get_api)(uint32_t version);
  const char* (*get_version_string)();
};

constexpr ApiBase kBase = {.get_api = [](uint32_t) -> const void* { return nullptr; },
                           .get_version_string = [] { return "1.14.1"; }};

}  // namespace

extern "C" const ApiBase* OrtGetApiBase() { return &kBase; }
