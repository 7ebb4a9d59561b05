#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "agent/base/clock.h"
#include "agent/trust/certificate.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "proto/fleet.grpc.pb.h"
#include "tests/agent/lifecycle/fake_links.h"

namespace tests {

constexpr std::chrono::seconds kPatience(30);  // an upper bound for broken tests, not a wait

// A certificate authority and what it issues, made once a process.
struct TestAuthority {
  explicit TestAuthority(const std::string& name) {
    const int64_t now = agent::base::SystemClock().WallMs();
    authority.emplace(agent::trust::CertificateAuthority::Create(
                          agent::trust::PrivateKey::Generate().value(), name, 365, now)
                          .value());
    server_certificate = authority
                             ->Issue({.csr_pem = agent::trust::MakeCsr(server_key).value(),
                                      .identity = {agent::trust::Party::kServer, ""}},
                                     now)
                             .value();
  }
  std::string Fingerprint() const {
    return agent::trust::CertificateDigest(authority->Pem()).value().hex();
  }
  std::string IssueRobot(const std::string& csr_pem, const std::string& robot) const {
    return authority
        ->Issue({.csr_pem = csr_pem, .identity = {agent::trust::Party::kRobot, robot}},
                agent::base::SystemClock().WallMs())
        .value();
  }

  std::optional<agent::trust::CertificateAuthority> authority;
  agent::trust::PrivateKey server_key = agent::trust::PrivateKey::Generate().value();
  std::string server_certificate;
};

inline const TestAuthority& OurAuthority() {
  static const TestAuthority ours("ours");
  return ours;
}

// A gatekeeper's two ports on loopback, with real TLS, around a FakeGatekeeper.
class TestGatekeeper final : public v1::AgentLink::Service, public v1::Enrolment::Service {
 public:
  explicit TestGatekeeper(const TestAuthority& authority = OurAuthority()) : authority_(authority) {
    Start();
  }
  ~TestGatekeeper() override { Stop(); }

  // On the same ports as before, when there were some.
  void Start() {
    agents_ = Listen(static_cast<v1::AgentLink::Service*>(this),
                     GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, agents_port_);
    enrolment_ = Listen(static_cast<v1::Enrolment::Service*>(this),
                        GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE, enrolment_port_);
  }
  void Stop() {
    held.store(false);
    const auto now = std::chrono::system_clock::now();
    if (agents_) agents_->Shutdown(now);
    if (enrolment_) enrolment_->Shutdown(now);
    agents_.reset();
    enrolment_.reset();
  }
  std::string agents() const { return "127.0.0.1:" + std::to_string(agents_port_); }
  std::string enrolment() const { return "127.0.0.1:" + std::to_string(enrolment_port_); }

  // Looks at the fake under its lock.
  template <class Look>
  auto With(Look look) {
    const std::lock_guard lock(mutex_);
    return look(fake_);
  }
  // Until `done` holds of what the agent has told.
  bool Await(const std::function<bool(FakeGatekeeper&)>& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return done(fake_); });
  }

  std::set<std::string> tokens;
  std::atomic<int> enrolments = 0;
  std::atomic<int> streams = 0;
  std::atomic<int> renewals = 0;
  std::atomic<bool> held = false;  // blobs stop after their first piece
  std::atomic<int> cancelled_blobs = 0;

 private:
  template <class Service>
  std::unique_ptr<grpc::Server> Listen(Service* service,
                                       grpc_ssl_client_certificate_request_type type, int& port) {
    grpc::SslServerCredentialsOptions tls(type);
    tls.pem_root_certs = authority_.authority->Pem();
    tls.pem_key_cert_pairs = {
        {authority_.server_key.Pem(), authority_.server_certificate + authority_.authority->Pem()}};
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::SslServerCredentials(tls),
                             &port);
    builder.RegisterService(service);
    return builder.BuildAndStart();
  }

  grpc::Status Connect(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::ServerMessage, v1::AgentMessage>* stream) override {
    ++streams;
    With([](FakeGatekeeper& fake) { fake.TakeAnswers(), fake.Tell(); });
    v1::AgentMessage message;
    while (stream->Read(&message)) {
      std::vector<v1::ServerMessage> answers;
      {
        const std::lock_guard lock(mutex_);
        const absl::Status taken = fake_.Send(message);
        if (taken.ok()) answers = fake_.TakeAnswers();
      }
      changed_.notify_all();
      for (const v1::ServerMessage& answer : answers) stream->Write(answer);
    }
    return grpc::Status::OK;
  }
  grpc::Status GetUnit(grpc::ServerContext*, const v1::GetUnitRequest* request,
                       v1::UnitPapers* papers) override {
    const auto found = With([&](FakeGatekeeper& fake) { return fake.GetUnit(request->digest()); });
    if (!found.ok()) return {grpc::StatusCode::NOT_FOUND, std::string(found.status().message())};
    *papers = *found;
    return grpc::Status::OK;
  }
  grpc::Status FetchBlob(grpc::ServerContext* context, const v1::FetchBlobRequest* request,
                         grpc::ServerWriter<v1::BlobChunk>* writer) override {
    std::vector<std::string> pieces;
    const absl::Status status = With([&](FakeGatekeeper& fake) {
      return fake.FetchBlob(request->sha256(), request->offset(), [&](std::string_view piece) {
        pieces.emplace_back(piece);
        return absl::OkStatus();
      });
    });
    if (!status.ok()) return {grpc::StatusCode::UNAVAILABLE, "broke"};
    changed_.notify_all();
    for (const std::string& piece : pieces) {
      v1::BlobChunk chunk;
      chunk.set_data(piece);
      writer->Write(chunk);
      while (held && !context->IsCancelled()) std::this_thread::yield();
    }
    if (context->IsCancelled()) ++cancelled_blobs;
    changed_.notify_all();
    return grpc::Status::OK;
  }
  grpc::Status Renew(grpc::ServerContext*, const v1::RenewRequest* request,
                     v1::EnrolReply* reply) override {
    ++renewals;
    Fill(request->csr_pem(), "r1", *reply);
    changed_.notify_all();
    return grpc::Status::OK;
  }
  grpc::Status Enrol(grpc::ServerContext*, const v1::EnrolRequest* request,
                     v1::EnrolReply* reply) override {
    ++enrolments;
    if (tokens.erase(request->token()) == 0) {
      return {grpc::StatusCode::PERMISSION_DENIED, "the token is unknown or used"};
    }
    Fill(request->csr_pem(), request->robot(), *reply);
    return grpc::Status::OK;
  }
  void Fill(const std::string& csr_pem, const std::string& robot, v1::EnrolReply& reply) {
    reply.set_certificate_pem(authority_.IssueRobot(csr_pem, robot));
    reply.set_ca_pem(authority_.authority->Pem());
    reply.set_trust_json(TestTrust().ToJson());
  }

  const TestAuthority& authority_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Fuse fuse_;
  FakeGatekeeper fake_{fuse_};
  int agents_port_ = 0;
  int enrolment_port_ = 0;
  std::unique_ptr<grpc::Server> agents_;
  std::unique_ptr<grpc::Server> enrolment_;
};

}  // namespace tests
