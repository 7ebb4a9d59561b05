#pragma once

#include <sys/stat.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/trust/certificate.h"
#include "gatekeeper/server/serve.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "proto/fleet.grpc.pb.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/temp_folder.h"

namespace tests {

// A gatekeeper's home with real keys, its server on free ports of loopback, and clients with real
// certificates.
class ServedHome {
 public:
  ServedHome() {
    const int64_t now = agent::base::SystemClock().WallMs();
    WriteKey("ca.key", ca_key_);
    WriteFile(path("ca.pem"), authority_.Pem());
    const auto server_key = Must(agent::trust::PrivateKey::Generate());
    WriteKey("server.key", server_key);
    WriteFile(path("server.pem"), Certificate(server_key, {agent::trust::Party::kServer, ""}, now));
    WriteFile(path("trust.json"), signers.trust.ToJson());
  }
  ~ServedHome() { Stop(); }

  absl::Status Start() {
    std::promise<gatekeeper::server::BoundPorts> ready;
    auto bound = ready.get_future();
    result_ = {};
    thread_ = std::jthread([this, &ready](std::stop_token stop) {
      bool said = false;
      result_ = gatekeeper::server::RunServer(
          {.home = folder.path(), .listen = "127.0.0.1:0", .enrol_listen = "127.0.0.1:0"},
          [&](const gatekeeper::server::BoundPorts& ports) {
            said = true;
            ready.set_value(ports);
          },
          stop);
      if (!said) ready.set_value({});
    });
    ports = bound.get();
    if (ports.port == 0) thread_.join();
    return result_;
  }
  void Stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  std::string path(const std::string& name) const { return folder / name; }
  std::string Address(int port) const { return "127.0.0.1:" + std::to_string(port); }

  std::string Certificate(const agent::trust::PrivateKey& key, agent::trust::Identity identity,
                          int64_t wall_ms) const {
    return Must(authority_.Issue(
        {.csr_pem = Must(agent::trust::MakeCsr(key)), .identity = std::move(identity)}, wall_ms));
  }
  // A channel whose owner shows a certificate for `identity`, issued at `wall_ms` for a day.
  std::shared_ptr<grpc::Channel> ChannelAs(agent::trust::Identity identity,
                                           int64_t wall_ms = 0) const {
    const auto key = Must(agent::trust::PrivateKey::Generate());
    if (wall_ms == 0) wall_ms = agent::base::SystemClock().WallMs();
    return Channel(ports.port, {.pem_root_certs = authority_.Pem(),
                                .pem_private_key = key.Pem(),
                                .pem_cert_chain = Certificate(key, std::move(identity), wall_ms)});
  }
  std::shared_ptr<grpc::Channel> Channel(int port, const grpc::SslCredentialsOptions& tls) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(Address(port), grpc::SslCredentials(tls), arguments);
  }
  const std::string& ca_pem() const { return authority_.Pem(); }

  TempFolder folder;
  Signers signers;
  gatekeeper::server::BoundPorts ports;

 private:
  void WriteKey(const std::string& name, const agent::trust::PrivateKey& key) const {
    WriteFile(path(name), key.Pem());
    if (chmod(path(name).c_str(), 0600) != 0) std::abort();
  }

  agent::trust::PrivateKey ca_key_ = Must(agent::trust::PrivateKey::Generate());
  agent::trust::CertificateAuthority authority_ = Must(agent::trust::CertificateAuthority::Create(
      ca_key_, "test", 30, agent::base::SystemClock().WallMs()));
  absl::Status result_;
  std::jthread thread_;
};

}  // namespace tests
