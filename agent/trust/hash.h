#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"

struct evp_md_ctx_st;

namespace agent::trust {

using base::Digest;

// What files are read by: large enough that hashing, not reading, is what takes the time.
inline constexpr size_t kPieceBytes = size_t{256} << 10;

Digest Sha256(std::string_view bytes);

// For bytes that arrive in pieces. Use once: Update as often as wanted, then Finish.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;

  void Update(std::string_view bytes);
  Digest Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Reads in pieces, so the size of the file does not matter. Errors name the path; kNotFound when
// absent.
absl::StatusOr<Digest> Sha256File(const std::string& path);

// 128 random bits as 32 hex digits: enrolment tokens, certificate serials.
std::string RandomToken();

}  // namespace agent::trust
