#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gatekeeper::server {

struct ServeOptions {
  std::string home;                       // holds the keys, gatekeeper.db and blobs/
  std::string listen = "127.0.0.1:7443";  // robots and operators, mutual TLS; port 0: any free
  std::string enrol_listen = "127.0.0.1:7444";  // enrolment, server-side TLS only
};

struct BoundPorts {
  int port = 0;
  int enrol_port = 0;
};

// Runs the gatekeeper until `stop`; `ready` is called once, when both ports answer. Reads
// HOME/{ca.key,ca.pem,server.key,server.pem,trust.json}. kNotFound: a key file is missing.
// kAlreadyExists: another gatekeeper holds this home, or a port is in use. Losing the process at
// any moment loses nothing that was answered.
absl::Status RunServer(const ServeOptions& options,
                       const std::function<void(const BoundPorts&)>& ready, std::stop_token stop);

}  // namespace gatekeeper::server
