#include "agent/recording/zstd_file.h"

#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"

namespace agent::recording {
namespace {

using ZstdStream = base::Handle<ZSTD_DCtx, ZSTD_freeDCtx>;

constexpr int kWindowLog = 27;  // 128 MiB: what zstd itself refuses to exceed unasked

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return absl::ErrnoToStatus(errno, "writing the unpacked recording");
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

class Unpacking {
 public:
  Unpacking(int to, uint64_t cap) : to_(to), cap_(cap), room_(ZSTD_DStreamOutSize(), '\0') {
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kWindowLog);
  }

  absl::Status Add(std::string_view packed) {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    bool full = false;
    while (in.pos < in.size || full) {
      ZSTD_outBuffer out{room_.data(), room_.size(), 0};
      left_ = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(left_))
        return absl::DataLossError(absl::StrFormat("zstd data does not unpack (%s) after %d bytes",
                                                   ZSTD_getErrorName(left_), written_));
      full = out.pos == out.size && left_ != 0;
      if (out.pos > cap_ - written_)
        return absl::ResourceExhaustedError(
            absl::StrFormat("it would unpack to more than the %d bytes allowed", cap_));
      RETURN_IF_ERROR(WriteAll(to_, std::string_view(room_).substr(0, out.pos)));
      written_ += out.pos;
    }
    return absl::OkStatus();
  }

  bool whole() const { return left_ == 0; }
  uint64_t written() const { return written_; }

 private:
  int to_;
  uint64_t cap_;
  std::string room_;
  ZstdStream stream_{ZSTD_createDCtx()};
  size_t left_ = 1;  // 0: a frame has just ended
  uint64_t written_ = 0;
};

}  // namespace

absl::StatusOr<uint64_t> UnpackZstdFile(int from, int to, uint64_t cap) {
  Unpacking unpacking(to, cap);
  std::string packed(ZSTD_DStreamInSize(), '\0');
  for (off_t at = 0;;) {
    const ssize_t got = pread(from, packed.data(), packed.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, "reading the packed recording");
    if (got == 0) break;
    RETURN_IF_ERROR(unpacking.Add(std::string_view(packed).substr(0, static_cast<size_t>(got))));
    at += got;
  }
  if (!unpacking.whole())
    return absl::DataLossError(absl::StrFormat(
        "zstd data ends inside its frame; %d bytes could be unpacked", unpacking.written()));
  return unpacking.written();
}

absl::StatusOr<Buffer> UnpackZstdFrame(std::string_view frame, uint64_t cap) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
    return absl::DataLossError("a zstd frame does not say how large it is unpacked");
  return Decompress(Compression::kZstd, frame, size, cap);
}

}  // namespace agent::recording
