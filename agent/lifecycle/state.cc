#include "agent/lifecycle/state.h"

#include <array>
#include <utility>

#include "absl/strings/str_format.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;

struct Row {
  std::string_view name;
  v1::LifecycleState reported;
};

// In the order of the variant.
constexpr std::array<Row, std::variant_size_v<State>> kRows = {{
    {"NothingWanted", v1::NOTHING_WANTED},
    {"Offered", v1::OFFERED},
    {"Admitted", v1::ADMITTED},
    {"VerifiedMeta", v1::VERIFIED_META},
    {"Fetching", v1::FETCHING},
    {"Verified", v1::VERIFIED},
    {"Staged", v1::STAGED},
    {"Preflight", v1::PREFLIGHT},
    {"Shadowing", v1::SHADOWING},
    {"Armed", v1::ARMED},
    {"Trying", v1::TRYING},
    {"Committed", v1::UNIT_COMMITTED},
    {"Returning", v1::ROLLING_BACK},
    {"Reverting", v1::ROLLING_BACK},
    {"RollingBack", v1::ROLLING_BACK},
    {"RolledBack", v1::ROLLED_BACK},
    {"SafeFallback", v1::SAFE_FALLBACK},
    {"Refused", v1::REFUSED},
}};

template <class S>
concept WithReason = requires(S s) {
  s.reason;
};

template <size_t... Index>
State Make(size_t wanted, std::index_sequence<Index...>) {
  State made;
  ((Index == wanted ? static_cast<void>(made.emplace<Index>()) : void()), ...);
  return made;
}

}  // namespace

std::string_view NameOf(const State& state) { return kRows[state.index()].name; }

std::string ReasonOf(const State& state) {
  return std::visit(
      []<class S>(const S& s) -> std::string {
        if constexpr (WithReason<S>) {
          return s.reason;
        } else {
          return "";
        }
      },
      state);
}

absl::StatusOr<State> StateNamed(std::string_view name, const std::string& reason) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name != name) continue;
    State state = Make(i, std::make_index_sequence<std::variant_size_v<State>>());
    std::visit(
        [&reason]<class S>(S& s) {
          if constexpr (WithReason<S>) s.reason = reason;
        },
        state);
    return state;
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("'%s' is not a lifecycle state", std::string(name)));
}

v1::LifecycleState ReportedAs(const State& state) { return kRows[state.index()].reported; }

}  // namespace agent::lifecycle
