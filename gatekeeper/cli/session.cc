#include "gatekeeper/cli/session.h"

#include <cstdio>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/certificate.h"
#include "gatekeeper/cli/utc_time.h"
#include "google/protobuf/util/json_util.h"

namespace gatekeeper::cli {
namespace {

constexpr size_t kMaxPem = 64 * 1024;
constexpr std::string_view kPrefix = "operator-";
constexpr std::string_view kSuffix = ".pem";

absl::StatusOr<std::string> OnlyOperator(const std::string& home) {
  agent::base::OsFiles files;
  auto names = files.List(home);
  if (!names.ok()) {
    return absl::NotFoundError(absl::StrFormat(
        "%s holds no operator's key; name the gatekeeper's home with --home (or GATEKEEPER_HOME), "
        "or make one with: gatekeeper init",
        home));
  }
  std::vector<std::string> found;
  for (const std::string& name : *names) {
    if (name.rfind(kPrefix, 0) != 0 || !name.ends_with(kSuffix)) continue;
    found.push_back(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return absl::NotFoundError(absl::StrFormat(
        "%s holds no operator's key; make one with: gatekeeper operator create NAME", home));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s holds the keys of several operators; say which one acts with --operator: %s", home,
      absl::StrJoin(found, ", ")));
}

absl::Status RequireValid(const std::string& certificate, const std::string& name) {
  ASSIGN_OR_RETURN(const int64_t until, agent::trust::NotAfterMs(certificate));
  if (agent::base::SystemClock().WallMs() <= until) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrFormat(
      "the certificate of operator %s ran out on %s UTC; issue a new one with: gatekeeper operator "
      "create %s",
      name, UtcTime(until), name));
}

}  // namespace

absl::StatusOr<std::unique_ptr<v1::Operator::Stub>> Connect(const Session& session) {
  std::string name = session.operator_name;
  if (name.empty()) {
    ASSIGN_OR_RETURN(name, OnlyOperator(session.home));
  }
  agent::base::OsFiles files;
  const std::string base = session.home + "/operator-" + name;
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, files.Read(session.home + "/ca.pem", kMaxPem));
  ASSIGN_OR_RETURN(options.pem_private_key, files.Read(base + ".key", kMaxPem));
  ASSIGN_OR_RETURN(options.pem_cert_chain, files.Read(base + ".pem", kMaxPem));
  RETURN_IF_ERROR(RequireValid(options.pem_cert_chain, name));
  return v1::Operator::NewStub(grpc::CreateChannel(session.server, grpc::SslCredentials(options)));
}

absl::Status FromRemote(const grpc::Status& status, const Session& session) {
  const std::string& text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return absl::OkStatus();
    case grpc::StatusCode::UNAVAILABLE:
      return absl::UnavailableError(
          absl::StrFormat("no gatekeeper answers at %s (%s); is `gatekeeper serve` running there? "
                          "Name another with "
                          "--server or GATEKEEPER_SERVER",
                          session.server, text));
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return absl::UnauthenticatedError(text);
    case grpc::StatusCode::DATA_LOSS:
      return absl::DataLossError(text);
    default:
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()), text);
  }
}

void PrintJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (google::protobuf::util::MessageToJsonString(message, &text, options).ok()) {
    std::fputs(text.c_str(), stdout);
  }
}

}  // namespace gatekeeper::cli
