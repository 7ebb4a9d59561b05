#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "proto/fleet.pb.h"

namespace agent::lifecycle {

// Where the wanted unit stands on its way to being what the robot runs. States that only wait carry
// nothing: what is wanted stands beside them in Lifecycle.
struct NothingWanted {};
struct Offered {};       // a directive was taken in; is the unit already here, may it come here?
struct Admitted {};      // it has to be fetched: get its papers and verify them
struct VerifiedMeta {};  // the papers hold: is there room for its files?
struct Fetching {};      // get the files that are not here yet
struct Verified {};      // every file is here and hashes: build the slot
struct Staged {};        // the slot stands, verified as a whole; control may load it
struct Preflight {};     // control loads and warms it
struct Shadowing {};     // same inputs as the active unit, no actuation
struct Armed {};         // may go on trial as soon as the gatekeeper has been heard lately
struct Trying {};        // drives, on a lease
struct Committed {};     // control showed it running and the pointer committed
struct Returning {};     // it is committed already, but another one is on trial: end that trial
struct Reverting {};     // a directive names an earlier unit: commit it at once
struct RollingBack {     // it failed while it drove; the committed unit takes over again
  std::string reason;
};
struct RolledBack {  // control showed another unit running instead
  std::string reason;
};
struct SafeFallback {  // no unit drives: rules only
  std::string reason;
};
struct Refused {  // something is wrong with the unit or its moment; a new directive tries again
  std::string reason;
};

using State = std::variant<NothingWanted, Offered, Admitted, VerifiedMeta, Fetching, Verified,
                           Staged, Preflight, Shadowing, Armed, Trying, Committed, Returning,
                           Reverting, RollingBack, RolledBack, SafeFallback, Refused>;

// What is wanted and how far it got: all that the journal keeps of a lifecycle.
struct Lifecycle {
  gatekeeper::v1::DesiredState desired;  // generation 0: never heard a gatekeeper
  State state = NothingWanted{};
};

// "Offered"; also the name it is journalled under.
std::string_view NameOf(const State& state);
// Empty where the state carries no reason.
std::string ReasonOf(const State& state);
// kInvalidArgument: no such state.
absl::StatusOr<State> StateNamed(std::string_view name, const std::string& reason);
// As it is reported; Returning and Reverting are both ROLLING_BACK there.
gatekeeper::v1::LifecycleState ReportedAs(const State& state);

}  // namespace agent::lifecycle
