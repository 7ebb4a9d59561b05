#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "tests/gatekeeper/server/served_home.h"
#include "tests/support/status_matchers.h"

// A served home and an operator's channel to it.

namespace tests {

namespace v1 = ::gatekeeper::v1;

MATCHER_P2(Refused, code, message, "") {
  *result_listener << arg.error_code() << ": " << arg.error_message();
  return arg.error_code() == code &&
         testing::ExplainMatchResult(testing::HasSubstr(message), arg.error_message(),
                                     result_listener);
}
MATCHER(Granted, "") {
  *result_listener << arg.error_code() << ": " << arg.error_message();
  return arg.ok();
}

// A context whose call ends by itself: a test that waits for ever tells nothing.
struct Call : grpc::ClientContext {
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20)); }
};

class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(home_.Start());
    operator_channel_ = home_.ChannelAs({agent::trust::Party::kOperator, "mara"});
    operators_ = v1::Operator::NewStub(operator_channel_);
  }
  std::unique_ptr<v1::AgentLink::Stub> AgentAs(const std::string& robot) {
    return v1::AgentLink::NewStub(home_.ChannelAs({agent::trust::Party::kRobot, robot}));
  }
  std::string CreateRobot(const std::string& robot) {
    v1::Empty empty;
    v1::CreateFleetRequest fleet;
    fleet.set_name("north");
    Call fleet_call;
    (void)operators_->CreateFleet(&fleet_call, fleet, &empty);
    v1::CreateRobotRequest request;
    request.set_fleet("north");
    request.set_robot(robot);
    request.set_hardware("amr-v2");
    v1::CreateRobotReply reply;
    Call call;
    EXPECT_THAT(operators_->CreateRobot(&call, request, &reply), Granted());
    EXPECT_EQ(reply.ca_sha256(), Must(agent::trust::CertificateDigest(home_.ca_pem())).hex());
    return reply.token();
  }
  v1::UnitPapers Papers(const std::string& version) {
    v1::Manifest manifest = ManifestOf(UnitBytes());
    manifest.set_version(version);
    v1::UnitPapers papers;
    papers.set_manifest(agent::trust::CanonicalManifest(manifest));
    for (const auto& [name, bundle] : SealOf(manifest, home_.signers, home_.signers.Passed())) {
      (*papers.mutable_seal())[name] = bundle;
    }
    return papers;
  }
  grpc::Status Push(const v1::UnitPapers& papers, const std::map<std::string, std::string>& files,
                    v1::PushUnitReply* reply) {
    Call call;
    const auto writer = operators_->PushUnit(&call, reply);
    v1::PushUnitRequest part;
    *part.mutable_papers() = papers;
    bool open = writer->Write(part);
    for (const auto& [path, bytes] : files) {
      part.mutable_blob()->set_sha256(agent::trust::Sha256(UnitBytes().at(path)).hex());
      for (size_t at = 0; at < bytes.size() && open; at += 5) {
        part.mutable_blob()->set_data(bytes.substr(at, 5));
        open = writer->Write(part);
      }
    }
    writer->WritesDone();
    return writer->Finish();
  }

  ServedHome home_;
  std::shared_ptr<grpc::Channel> operator_channel_;
  std::unique_ptr<v1::Operator::Stub> operators_;
};

}  // namespace tests
