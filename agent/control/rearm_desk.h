#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "proto/control.pb.h"

namespace agent::control {

// Where people's approvals come in while an emergency stop waits for re-arm: makes the challenge,
// judges what answers it, and keeps STATE/control/rearm/ for those who have to carry it by hand:
//   challenge.json    out: what to sign, while there is something to sign
//   approvals.jsonl   in: signed approvals, one a line; taken away when they are looked at
//   answer.json       out: what came of them
// One thread, between ticks: it reads and writes files. Nonces live in memory only: whatever ends
// this process, no approval that was signed for it is worth anything to the next.
class RearmDesk {
 public:
  // Approvals that lie there were signed for another life: the folder is emptied.
  RearmDesk(base::Files& files, const std::string& state_folder);

  // What waits. Two stops are the same when nobody who signed for one could mind the other.
  struct Stop {
    std::string incident;
    std::string unit;
    std::vector<std::string> roles;
    base::Nanos ttl{};
    bool operator==(const Stop&) const = default;
  };
  // Keeps a challenge for `stop` open: the one there is, or one with a new nonce when there is
  // none, it was for another stop, it has expired, or the robot has got a name since. True: it
  // changed.
  bool Open(const Stop& stop, base::Nanos now);
  // Nothing waits, or the nonce is used up. True: there was a challenge.
  bool Close();

  const ::gatekeeper::v1::RearmChallenge* challenge() const {
    return challenge_ ? &*challenge_ : nullptr;
  }
  base::Nanos made_at() const { return made_at_; }  // the challenge's nonce

  // The people who permit a restart, for the event log. kFailedPrecondition: there is no challenge,
  // or no robot's name or trust.json to judge by; else as agent::trust::VerifyRearm.
  absl::StatusOr<std::string> Judge(const std::vector<std::string>& approvals) const;

  // What somebody carried here, looked for once a second while a challenge is open.
  std::optional<std::vector<std::string>> TakeCarried(base::Nanos now);
  void Answer(const absl::Status& outcome);

  // Of the folder's files, since they were asked for last; OK when there was none.
  absl::Status TakeTrouble();

 private:
  std::string RobotName() const;
  void Note(const absl::Status& trouble) { trouble_.Update(trouble); }

  base::Files& files_;
  const std::string state_;
  const std::string folder_;
  Stop stop_;
  std::optional<::gatekeeper::v1::RearmChallenge> challenge_;
  base::Nanos made_at_{};
  base::Nanos look_at_{};
  absl::Status trouble_;
};

}  // namespace agent::control
