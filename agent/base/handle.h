#pragma once

#include <memory>

namespace agent::base {

// Owns a foreign handle; wrap it where it is created: `using PKey = Handle<EVP_PKEY,
// EVP_PKEY_free>;`
template <auto Free>
struct FreeWith {
  void operator()(auto* p) const noexcept { Free(p); }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, FreeWith<Free>>;

}  // namespace agent::base
