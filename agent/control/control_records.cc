#include "agent/control/control_records.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/digest.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/fallback.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int kMaxQuarantined = 64;
constexpr size_t kMaxReason = 300;  // bytes: each of the two lists stays under 24 KiB
constexpr size_t kCrcTextBytes = 8;
constexpr size_t kQuarantineCap = 64 * 1024;
constexpr char kUnreadableLatch[] = "latch_unreadable";

std::string CrcText(std::string_view bytes) {
  return absl::StrFormat("%08x", crc32(0, reinterpret_cast<const Bytef*>(bytes.data()),
                                       static_cast<uInt>(bytes.size())));
}

template <class Units>
bool Names(const Units& units, const std::string& digest) {
  return std::ranges::any_of(units, [&](const auto& unit) { return unit.digest() == digest; });
}

bool MakesSense(const v1::Pointer& pointer) {
  const bool committed = !pointer.committed_digest().empty();
  switch (pointer.phase()) {
    case v1::EMPTY:
      return !committed;
    case v1::COMMITTED:
      return committed;
    case v1::ON_TRIAL:
      return !pointer.trial_digest().empty();
    default:
      return false;
  }
}

}  // namespace

ControlRecords::ControlRecords(base::Files& files, const std::string& folder)
    : files_(files),
      pointer_file_(files, folder + "/pointer"),
      latch_file_(files, folder + "/latch"),
      quarantine_path_(folder + "/quarantine") {
  Note(files_.MakeFolders(folder));
  LoadPointer();
  LoadLatch();
  LoadQuarantine();
  if (start_writable_) Note(SavePointer(pointer_));
  Note(SaveLatch(latch_));
}

void ControlRecords::LoadPointer() {
  pointer_.set_phase(v1::EMPTY);
  const absl::StatusOr<std::optional<SlotRecord>> record = pointer_file_.Load();
  Note(record.status());
  // A file that could not be read at all may hold a good pointer: it is left as it is.
  start_writable_ = record.ok() || absl::IsDataLoss(record.status());
  if (!record.ok() || !record->has_value()) return;
  v1::Pointer found;
  if (!found.ParseFromString((*record)->payload) || !MakesSense(found)) {
    Note(absl::DataLossError("pointer: the record is intact but makes no sense"));
    return;
  }
  pointer_ = std::move(found);
}

void ControlRecords::LoadLatch() {
  const absl::StatusOr<std::optional<SlotRecord>> record = latch_file_.Load();
  if (record.ok() && !record->has_value()) return;
  v1::LatchRecord found;
  if (record.ok() && found.ParseFromString((*record)->payload)) {
    latch_ = std::move(found);
    return;
  }
  // It may have been set: standing still until somebody looked is the safe reading.
  latch_.set_latched(true);
  latch_.set_cause(kUnreadableLatch);
  Note(record.ok() ? absl::DataLossError("latch: the record makes no sense") : record.status());
}

void ControlRecords::LoadQuarantine() {
  const absl::StatusOr<std::string> bytes = files_.Read(quarantine_path_, kQuarantineCap);
  if (absl::IsNotFound(bytes.status())) return;
  if (!bytes.ok()) {
    Note(bytes.status());
    return;
  }
  const size_t length = bytes->size() - std::min(bytes->size(), kCrcTextBytes);
  const std::string_view payload = std::string_view(*bytes).substr(0, length);
  v1::QuarantineRecord found;
  const bool whole = CrcText(payload) == bytes->substr(length) &&
                     found.ParseFromArray(payload.data(), static_cast<int>(length));
  if (!whole) {
    Note(absl::DataLossError("quarantine: damaged; earlier refusals are forgotten"));
    return;
  }
  quarantine_ = std::move(found);
}

absl::Status ControlRecords::SavePointer(v1::Pointer pointer) {
  pointer.set_generation(pointer_file_.generation() + 1);
  RETURN_IF_ERROR(pointer_file_.Store(pointer.SerializeAsString()));
  pointer_ = std::move(pointer);
  return absl::OkStatus();
}

absl::Status ControlRecords::SaveLatch(const v1::LatchRecord& latch) {
  RETURN_IF_ERROR(latch_file_.Store(latch.SerializeAsString()));
  latch_ = latch;
  return absl::OkStatus();
}

absl::Status ControlRecords::SaveQuarantine(const v1::QuarantineRecord& quarantine) {
  const std::string payload = quarantine.SerializeAsString();
  RETURN_IF_ERROR(files_.WriteDurably(quarantine_path_, payload + CrcText(payload), 0600));
  quarantine_ = quarantine;
  return absl::OkStatus();
}

void SetHeld(const std::vector<std::string>& triggers, v1::LatchRecord& latch) {
  // With the longest cause, a unit and every number at its longest the record still fits its slot.
  constexpr size_t kRoom = 200;
  constexpr size_t kPerName = 3;  // its tag and length
  size_t used = 0;
  latch.clear_held();
  for (const std::string& trigger : triggers) {
    used += trigger.size() + kPerName;
    if (used > kRoom) {
      latch.add_held(std::string(runtime::kFlapping));
      return;
    }
    latch.add_held(trigger);
  }
}

bool IsQuarantined(const v1::QuarantineRecord& quarantine, const std::string& digest) {
  return Names(quarantine.units(), digest);
}

std::string QuarantineReason(const v1::QuarantineRecord& quarantine, const std::string& digest) {
  for (const v1::Quarantined& unit : quarantine.units()) {
    if (unit.digest() == digest) return unit.reason().empty() ? "quarantined" : unit.reason();
  }
  return "";
}

v1::QuarantineRecord WithQuarantined(v1::QuarantineRecord quarantine, const std::string& digest,
                                     const std::string& reason) {
  if (IsQuarantined(quarantine, digest)) return quarantine;
  if (quarantine.units_size() >= kMaxQuarantined) quarantine.mutable_units()->DeleteSubrange(0, 1);
  v1::Quarantined& unit = *quarantine.add_units();
  unit.set_digest(digest);
  unit.set_reason(reason.substr(0, kMaxReason));
  return quarantine;
}

v1::QuarantineRecord WithoutQuarantined(const v1::QuarantineRecord& quarantine,
                                        const std::string& digest) {
  v1::QuarantineRecord rest;
  rest.set_release_seq(quarantine.release_seq());
  *rest.mutable_recalled() = quarantine.recalled();
  for (const v1::Quarantined& unit : quarantine.units()) {
    if (unit.digest() != digest) *rest.add_units() = unit;
  }
  return rest;
}

bool IsRecalled(const v1::QuarantineRecord& quarantine, const std::string& digest) {
  return Names(quarantine.recalled(), digest);
}

v1::QuarantineRecord WithRecalled(v1::QuarantineRecord quarantine, const v1::Recall& recall) {
  quarantine.clear_recalled();
  for (const v1::Quarantined& unit : recall.units()) {
    if (quarantine.recalled_size() >= kMaxQuarantined) break;
    if (!base::Digest::Parse(unit.digest()).ok()) continue;
    v1::Quarantined& recalled = *quarantine.add_recalled();
    recalled.set_digest(unit.digest());
    recalled.set_reason(unit.reason().substr(0, kMaxReason));
  }
  return quarantine;
}

}  // namespace agent::control
