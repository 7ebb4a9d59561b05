#include "tests/journeys/headquarters.h"

#include <utility>

#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/server/unit_upload.h"
#include "tests/agent/trust/unit_fixture.h"

namespace tests::journeys {
namespace {

namespace server = gatekeeper::server;
namespace store = gatekeeper::store;
using std::chrono::milliseconds;

constexpr char kCi[] = "operator/ci";
constexpr milliseconds kClockAtStart(10'000);  // a computer needs a moment before it serves
constexpr size_t kPart = 64;                   // bytes; small, so that every file has several parts

}  // namespace

Headquarters::Headquarters(std::string folder, const FakeClock& clock)
    : folder_(std::move(folder)), clock_(clock) {
  Open();
}

void Headquarters::Open() {
  began_ = clock_.Now();
  store_ = Must(store::Store::Open(folder_ + "/gatekeeper.db"));
  blobs_.emplace(Must(store::BlobFolder::Open(folder_ + "/blobs")));
  core_ = Must(server::FleetCore::Open(*store_, *blobs_, Now()));
}

void Headquarters::Restart() {
  core_.reset();
  blobs_.reset();
  store_.reset();
  Open();
}

server::Moment Headquarters::Now() const {
  const auto up = std::chrono::duration_cast<milliseconds>(clock_.Now() - began_);
  return {.ms = (kClockAtStart + up).count(), .wall_ms = clock_.WallMs()};
}

absl::Status Headquarters::Push(const SealedUnit& unit) {
  server::UnitUpload upload(*blobs_, TestTrust());
  v1::PushUnitRequest part;
  *part.mutable_papers() = unit.papers;
  RETURN_IF_ERROR(upload.Accept(part));
  for (const auto& [path, bytes] : unit.files) {
    const std::string sha256 = agent::trust::Sha256(bytes).hex();
    for (size_t at = 0; at < bytes.size(); at += kPart) {
      part.mutable_blob()->set_sha256(sha256);
      part.mutable_blob()->set_data(bytes.substr(at, kPart));
      RETURN_IF_ERROR(upload.Accept(part));
    }
  }
  return upload.Finish(*store_, kCi, Now()).status();
}

absl::Status Headquarters::Smuggle(const SealedUnit& unit) {
  for (const auto& [path, bytes] : unit.files) {
    const std::string sha256 = agent::trust::Sha256(bytes).hex();
    ASSIGN_OR_RETURN(const auto writer, blobs_->Write(sha256, bytes.size()));
    RETURN_IF_ERROR(writer->Append(bytes));
    RETURN_IF_ERROR(writer->Commit());
  }
  return store_->AddUnit({.digest = unit.digest,
                          .name = unit.manifest.name(),
                          .version = unit.manifest.version(),
                          .pushed_ms = clock_.WallMs(),
                          .papers = unit.papers});
}

absl::StatusOr<v1::UnitPapers> Headquarters::Papers(const std::string& digest) {
  ASSIGN_OR_RETURN(const store::Unit unit, store_->FindUnit(digest));
  return unit.papers;
}

absl::StatusOr<std::string> Headquarters::Blob(const std::string& sha256) const {
  ASSIGN_OR_RETURN(const auto reader, blobs_->Read(sha256));
  return reader->ReadAt(0, reader->size());
}

}  // namespace tests::journeys
