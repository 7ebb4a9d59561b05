#include "agent/daemon/orders_link.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/base/status_macros.h"
#include "agent/daemon/channel.h"
#include "agent/trust/certificate.h"
#include "spdlog/spdlog.h"

namespace agent::daemon {
namespace {

namespace v1 = ::gatekeeper::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kConnectPatience(5);
constexpr milliseconds kStopLatency(100);  // how long a stop may go unnoticed while connecting
constexpr seconds kSteadyAfter(5);         // a stream that lived this long was no false start
constexpr seconds kRenewDeadline(10);
constexpr seconds kRenewAgainAfter(30);
constexpr seconds kLongestLook(3600);  // the wall clock may be set while we wait

}  // namespace

OrdersLink::OrdersLink(std::string address, CredentialStore& credentials, const base::Clock& clock,
                       Mailbox& mailbox)
    : address_(std::move(address)), store_(credentials), clock_(clock), mailbox_(mailbox) {
  thread_ = std::thread([this] { Run(); });
}

OrdersLink::~OrdersLink() {
  std::shared_ptr<OrdersStream> stream;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stream = stream_;
  }
  if (stream) stream->Cancel();
  changed_.notify_all();
  thread_.join();
}

absl::Status OrdersLink::Send(const v1::AgentMessage& message) {
  std::shared_ptr<OrdersStream> stream;
  {
    const std::lock_guard lock(mutex_);
    stream = stream_;
  }
  if (!stream) return absl::UnavailableError("no connection to the gatekeeper");
  return stream->Send(message);
}

void OrdersLink::Reconnect(const std::string& why) {
  std::shared_ptr<OrdersStream> stream;
  {
    const std::lock_guard lock(mutex_);
    if (stream_) given_up_ = why;
    stream = stream_;
  }
  if (stream) stream->Cancel();
}

void OrdersLink::Run() {
  Backoff backoff;
  while (true) {
    const Nanos begun = clock_.Now();
    std::string why;
    const bool was_open = Connect(why);
    mailbox_.Post(LinkClosed{why});
    if (was_open && clock_.Now() - begun > kSteadyAfter) backoff.Reset();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, backoff.Next(), [this] { return stopping_; })) return;
  }
}

bool OrdersLink::Connect(std::string& why) {
  const absl::StatusOr<Credentials> credentials = store_.Load(clock_.WallMs());
  if (!credentials.ok()) {
    why = std::string(credentials.status().message());
    return false;
  }
  const auto channel = OpenChannel(address_, *credentials);
  const auto stub = v1::AgentLink::NewStub(channel);
  const bool connected = WaitForChannel(*channel);
  const auto stream = std::make_shared<OrdersStream>(OrdersStream::Callbacks{
      .on_message =
          [this](v1::ServerMessage message) { mailbox_.Post(ServerSaid{std::move(message)}); },
      .on_done =
          [this](const grpc::Status& status) {
            const std::lock_guard lock(mutex_);
            ended_ = status;
            changed_.notify_all();
          }});
  // Also when it can not connect: the call's failure says why.
  stream->Start(*stub);
  bool go_on = false;
  {
    const std::lock_guard lock(mutex_);
    go_on = connected && !stopping_;
    if (go_on) stream_ = stream;
  }
  if (go_on) mailbox_.Post(LinkOpened{});
  if (!go_on && connected) stream->Cancel();
  const grpc::Status status = AwaitEnd(*stub);
  const std::lock_guard lock(mutex_);
  stream_.reset();
  why = std::exchange(given_up_, "");
  if (why.empty()) why = std::string(FromGrpc(status, address_).message());
  if (why.empty()) why = "gatekeeper " + address_ + " ended the stream";
  return connected;
}

bool OrdersLink::WaitForChannel(grpc::Channel& channel) {
  const auto deadline = std::chrono::steady_clock::now() + kConnectPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (channel.WaitForConnected(std::chrono::system_clock::now() + kStopLatency)) return true;
    if (channel.GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) return false;
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
  }
  return false;
}

grpc::Status OrdersLink::AwaitEnd(v1::AgentLink::Stub& stub) {
  const auto over = [this] { return ended_.has_value(); };
  std::unique_lock lock(mutex_);
  while (true) {
    const int64_t wall_ms = clock_.WallMs();
    const int64_t due_ms = std::max(store_.RenewAtMs().value_or(wall_ms), renew_not_before_ms_);
    const auto wait =
        std::min(milliseconds(std::max<int64_t>(due_ms - wall_ms, 0)), milliseconds(kLongestLook));
    if (changed_.wait_for(lock, wait, over)) return *std::exchange(ended_, std::nullopt);
    if (clock_.WallMs() < due_ms) continue;
    lock.unlock();
    const absl::Status renewed = Renew(stub);
    if (renewed.ok()) {
      spdlog::info("certificate renewed");
      Reconnect("connecting again with the renewed certificate");
    } else {
      spdlog::warn("the certificate could not be renewed: {}", std::string(renewed.message()));
    }
    renew_not_before_ms_ = clock_.WallMs() + milliseconds(kRenewAgainAfter).count();
    lock.lock();
  }
}

absl::Status OrdersLink::Renew(v1::AgentLink::Stub& stub) {
  ASSIGN_OR_RETURN(const trust::PrivateKey key, store_.Key());
  v1::RenewRequest request;
  ASSIGN_OR_RETURN(*request.mutable_csr_pem(), trust::MakeCsr(key));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kRenewDeadline);
  v1::EnrolReply reply;
  RETURN_IF_ERROR(FromGrpc(stub.Renew(&context, request, &reply), address_));
  // The authority is the one that was pinned; a renewal can not bring another.
  ASSIGN_OR_RETURN(const std::string ca_pem, store_.CaPem());
  return store_.Keep(reply, ca_pem, clock_.WallMs());
}

}  // namespace agent::daemon
