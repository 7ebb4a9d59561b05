#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/base/files.h"
#include "agent/control/two_slot_file.h"
#include "proto/control.pb.h"

namespace agent::control {

// What control must know after a power cut: which unit runs (STATE/control/pointer), whether an
// emergency stop waits for re-arm (latch) and which digests are refused or recalled (quarantine).
// Pointer and latch are two-slot files: changing them needs no disk space once they exist.
//
// Members change only when the disk has the new value; a Save that fails leaves the old one
// standing.
class ControlRecords {
 public:
  // Reads what is there. What cannot be read is answered in the safe direction and told in
  // findings(): no pointer means no unit, no readable latch means latched. Pointer and latch are
  // then written once, so that both files exist before the disk fills up.
  ControlRecords(base::Files& files, const std::string& folder);

  const ::gatekeeper::v1::Pointer& pointer() const { return pointer_; }
  const ::gatekeeper::v1::LatchRecord& latch() const { return latch_; }
  const ::gatekeeper::v1::QuarantineRecord& quarantine() const { return quarantine_; }
  const std::vector<absl::Status>& findings() const { return findings_; }  // of the start

  // The generation is set here.
  absl::Status SavePointer(::gatekeeper::v1::Pointer pointer);
  absl::Status SaveLatch(const ::gatekeeper::v1::LatchRecord& latch);
  absl::Status SaveQuarantine(const ::gatekeeper::v1::QuarantineRecord& quarantine);

 private:
  void LoadPointer();
  void LoadLatch();
  void LoadQuarantine();
  void Note(const absl::Status& finding) {
    if (!finding.ok()) findings_.push_back(finding);
  }

  base::Files& files_;
  TwoSlotFile pointer_file_;
  TwoSlotFile latch_file_;
  std::string quarantine_path_;
  ::gatekeeper::v1::Pointer pointer_;
  ::gatekeeper::v1::LatchRecord latch_;
  ::gatekeeper::v1::QuarantineRecord quarantine_;
  std::vector<absl::Status> findings_;
  bool start_writable_ = false;
};

// Bytes of a latch's cause; what goes beyond is cut, for the record must fit its slot.
inline constexpr size_t kMaxLatchCause = 180;

// Names in `latch` the triggers that hold the robot until a person acknowledges. What does not fit
// its slot is named by `flapping`, the stop that every unit knows and only a person clears.
void SetHeld(const std::vector<std::string>& triggers, ::gatekeeper::v1::LatchRecord& latch);

bool IsQuarantined(const ::gatekeeper::v1::QuarantineRecord& quarantine, const std::string& digest);
// The reason `digest` is refused for, empty if it is not.
std::string QuarantineReason(const ::gatekeeper::v1::QuarantineRecord& quarantine,
                             const std::string& digest);
// `quarantine` with `digest` in it; at most 64 digests are remembered, the newest ones.
::gatekeeper::v1::QuarantineRecord WithQuarantined(::gatekeeper::v1::QuarantineRecord quarantine,
                                                   const std::string& digest,
                                                   const std::string& reason);
::gatekeeper::v1::QuarantineRecord WithoutQuarantined(
    const ::gatekeeper::v1::QuarantineRecord& quarantine, const std::string& digest);

// Whether the gatekeeper holds the unit: it may drive where it is committed, but nothing falls back
// to it.
bool IsRecalled(const ::gatekeeper::v1::QuarantineRecord& quarantine, const std::string& digest);
// `quarantine` with what is recalled now in place of what was; at most 64 digests are remembered.
::gatekeeper::v1::QuarantineRecord WithRecalled(::gatekeeper::v1::QuarantineRecord quarantine,
                                                const ::gatekeeper::v1::Recall& recall);

}  // namespace agent::control
