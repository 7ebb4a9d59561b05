#include "tests/e2e/pointer_witness.h"

#include <algorithm>
#include <utility>

#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/control/two_slot_file.h"
#include "agent/trust/trust_policy.h"
#include "agent/trust/unit.h"
#include "tests/e2e/process.h"

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;

constexpr size_t kMaxTrust = 1 << 16;

std::set<std::string> NamedBy(const v1::Pointer& pointer) {
  std::set<std::string> names = {pointer.committed_digest(), pointer.last_good_digest()};
  if (pointer.phase() == v1::ON_TRIAL) names.insert(pointer.trial_digest());
  names.erase("");
  return names;
}

absl::Status VerifySlot(const std::string& state, const std::string& digest) {
  const agent::base::OsFiles files;
  ASSIGN_OR_RETURN(const std::string bytes, files.Read(state + "/trust.json", kMaxTrust));
  ASSIGN_OR_RETURN(const auto trust, agent::trust::TrustPolicy::Parse(bytes));
  ASSIGN_OR_RETURN(const auto unit, agent::trust::VerifyUnit(state + "/slots/" + digest, trust));
  if (unit.digest().hex() == digest) return absl::OkStatus();
  return absl::DataLossError("slot " + digest + " holds unit " + unit.digest().hex());
}

}  // namespace

PointerWitness::PointerWitness(std::string state_folder)
    : state_(std::move(state_folder)),
      thread_([this](const std::stop_token& stop) { Watch(stop); }) {}

v1::Pointer PointerWitness::Now() const {
  agent::base::OsFiles files;
  v1::Pointer pointer;
  agent::control::TwoSlotFile file(files, state_ + "/control/pointer");
  const auto record = file.Load();
  if (record.ok() && record->has_value()) pointer.ParseFromString((*record)->payload);
  return pointer;
}

void PointerWitness::Watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const agent::base::SystemClock clock;
    const Nanos before = clock.Now();
    std::this_thread::sleep_for(kLook);
    const Nanos late = clock.Now() - before - kLook;
    {
      const std::lock_guard lock(mutex_);
      worst_delay_ = std::max(worst_delay_, late);
    }
    Look();
  }
}

void PointerWitness::Look() {
  for (const std::string& digest : NamedBy(Now())) {
    if (verified_.contains(digest)) continue;  // only this thread changes it
    const absl::Status sound = VerifySlot(state_, digest);
    // Between the two looks the pointer may have moved on, and the slot may be gone for good.
    if (!sound.ok() && !NamedBy(Now()).contains(digest)) continue;
    const std::lock_guard lock(mutex_);
    verified_.insert(digest);
    if (!sound.ok())
      complaint_ += "the pointer names " + digest + ": " + std::string(sound.message()) + "\n";
  }
}

size_t PointerWitness::verified() const {
  const std::lock_guard lock(mutex_);
  return verified_.size();
}

std::string PointerWitness::complaint() const {
  const std::lock_guard lock(mutex_);
  return complaint_;
}

Nanos PointerWitness::worst_delay() const {
  const std::lock_guard lock(mutex_);
  return worst_delay_;
}

void PointerWitness::Forget() {
  const std::lock_guard lock(mutex_);
  worst_delay_ = {};
}

}  // namespace tests
