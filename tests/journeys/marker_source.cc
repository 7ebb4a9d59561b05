#include "tests/journeys/marker_source.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"

namespace tests::journeys {
namespace {

namespace control = agent::control;
namespace runtime = agent::runtime;
namespace trust = agent::trust;

constexpr Nanos kLoadTakes = std::chrono::milliseconds(500);
constexpr size_t kTrustCap = 64 * 1024;

}  // namespace

uint64_t MarkerSource::Request(const std::string& digest, const std::string& slot_folder) {
  orders_.push_back({++last_ticket_, digest, slot_folder, clock_.Now() + kLoadTakes});
  return last_ticket_;
}

std::optional<control::SourceNews> MarkerSource::Poll() {
  if (!news_.empty()) {
    control::SourceNews first = std::move(news_.front());
    news_.pop_front();
    return first;
  }
  if (orders_.empty() || clock_.Now() < orders_.front().ready_at) return std::nullopt;
  const Order order = std::move(orders_.front());
  orders_.pop_front();
  absl::StatusOr<std::shared_ptr<const control::Crew>> crew = Load(order);
  if (!crew.ok()) return control::SourceNews{order.ticket, nullptr, crew.status()};
  return control::SourceNews{order.ticket, *std::move(crew), absl::OkStatus()};
}

absl::StatusOr<std::shared_ptr<const control::Crew>> MarkerSource::Load(const Order& order) {
  const agent::base::OsFiles files;
  ASSIGN_OR_RETURN(const std::string trust_json, files.Read(state_ + "/trust.json", kTrustCap));
  ASSIGN_OR_RETURN(const trust::TrustPolicy policy, trust::TrustPolicy::Parse(trust_json));
  ASSIGN_OR_RETURN(const trust::VerifiedUnit unit, trust::VerifyUnit(order.folder, policy));
  if (unit.digest().hex() != order.digest) {
    return absl::DataLossError(
        absl::StrFormat("slot %s holds unit %s", order.digest, unit.digest().hex()));
  }
  ASSIGN_OR_RETURN(const std::string card, unit.Read(trust::kCardFile));
  ASSIGN_OR_RETURN(const std::string limits, unit.Read(trust::kPolicyFile));
  ASSIGN_OR_RETURN(const std::string fallback, unit.Read(trust::kFallbackFile));
  ASSIGN_OR_RETURN(const std::string bytes, unit.Read(trust::kModelFile));
  ASSIGN_OR_RETURN(const auto rules, runtime::LoadRules(card, limits, fallback));
  ASSIGN_OR_RETURN(const agent::base::ModelSignature signature,
                   runtime::SignatureFor(rules->card, rules->policy));
  Worker worker{order.ticket, order.digest, std::make_shared<bool>(true)};
  ASSIGN_OR_RETURN(auto model, MakeMarkerModel(bytes, signature, order.digest, log_, worker.alive));
  workers_.push_back(std::move(worker));
  return control::MakeCrew(order.digest, rules, std::move(model));
}

void MarkerSource::End(Worker& worker) {
  if (!std::exchange(*worker.alive, false)) return;
  news_.push_back({worker.ticket, nullptr,
                   absl::UnavailableError(absl::StrFormat(
                       "worker of unit %s was killed by signal 9", worker.digest.substr(0, 12)))});
}

void MarkerSource::Kill(uint64_t ticket) {
  for (Worker& worker : workers_) {
    if (worker.ticket == ticket) End(worker);
  }
}

bool MarkerSource::KillWorkerOf(const std::string& digest) {
  bool found = false;
  for (Worker& worker : workers_) {
    // Models that were let go of have no worker any more: only the harness's flag is left.
    if (worker.digest != digest || !*worker.alive || worker.alive.use_count() == 1) continue;
    End(worker);
    found = true;
  }
  return found;
}

}  // namespace tests::journeys
