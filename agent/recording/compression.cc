#include "agent/recording/compression.h"

#include <lz4frame.h>
#include <zstd.h>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"

namespace agent::recording {
namespace {

// A block of either format cannot say more than this with one byte: lz4 255 a literal length byte,
// zstd a repeated 128 KiB block in 4 bytes.
constexpr uint64_t kLz4MostPerByte = 256;
constexpr uint64_t kZstdMostPerByte = 40'000;
constexpr uint64_t kFrameSlack = 256ull << 10;
constexpr int kZstdLevel =
    1;  // robots record while they drive: 1 costs a third of 3 and packs nearly as well

using Lz4Context = base::Handle<LZ4F_dctx, LZ4F_freeDecompressionContext>;
using ZstdContext = base::Handle<ZSTD_DCtx, ZSTD_freeDCtx>;

// One of each a thread: made anew for every chunk they would cost more than a small chunk's work.
Lz4Context MakeLz4Context() {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) return nullptr;
  return Lz4Context(raw);
}

absl::Status Damaged(std::string_view format, std::string_view why) {
  return absl::DataLossError(
      absl::StrFormat("%s data does not unpack (%s); the file is damaged", format, why));
}

absl::Status UnpackZstd(std::string_view bytes, Buffer& out) {
  thread_local const ZstdContext context(ZSTD_createDCtx());
  if (context == nullptr) return absl::ResourceExhaustedError("no memory for zstd");
  const size_t made =
      ZSTD_decompressDCtx(context.get(), out.bytes.get(), out.size, bytes.data(), bytes.size());
  if (ZSTD_isError(made)) return Damaged("zstd", ZSTD_getErrorName(made));
  if (made != out.size)
    return Damaged("zstd", absl::StrFormat("%d bytes where %d are stated", made, out.size));
  return absl::OkStatus();
}

absl::Status UnpackLz4(std::string_view bytes, Buffer& out) {
  thread_local const Lz4Context context = MakeLz4Context();
  if (context == nullptr) return absl::ResourceExhaustedError("no memory for lz4");
  LZ4F_resetDecompressionContext(context.get());
  LZ4F_decompressOptions_t options{};
  options.stableDst = 1;  // what was unpacked stays where later blocks refer to it
  size_t made = 0;
  size_t hint = 1;
  while (!bytes.empty() && hint != 0) {
    size_t taken = bytes.size();
    size_t room = out.size - made;
    hint = LZ4F_decompress(context.get(), out.bytes.get() + made, &room, bytes.data(), &taken,
                           &options);
    if (LZ4F_isError(hint)) return Damaged("lz4", LZ4F_getErrorName(hint));
    if (room == 0 && taken == 0) return Damaged("lz4", "more bytes than stated");
    made += room;
    bytes.remove_prefix(taken);
  }
  if (hint != 0) return Damaged("lz4", "it ends inside its frame");
  if (!bytes.empty()) return Damaged("lz4", "bytes follow its frame");
  if (made != out.size)
    return Damaged("lz4", absl::StrFormat("%d bytes where %d are stated", made, out.size));
  return absl::OkStatus();
}

uint64_t MostUnpacked(Compression compression, uint64_t packed) {
  switch (compression) {
    case Compression::kNone:
      return packed;
    case Compression::kLz4:
      return kFrameSlack + packed * kLz4MostPerByte;
    case Compression::kZstd:
      return kFrameSlack + packed * kZstdMostPerByte;
  }
  return 0;
}

}  // namespace

std::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
  }
  return "";
}

absl::StatusOr<Compression> ParseCompression(std::string_view name) {
  for (const Compression c : {Compression::kNone, Compression::kLz4, Compression::kZstd})
    if (name == CompressionName(c)) return c;
  return absl::InvalidArgumentError(
      absl::StrFormat("a chunk is compressed with \"%.32s\"; we read none, lz4 and zstd", name));
}

absl::StatusOr<std::string> Compress(Compression compression, std::string_view bytes) {
  std::string out;
  size_t made = bytes.size();
  switch (compression) {
    case Compression::kNone:
      out = std::string(bytes);
      break;
    case Compression::kLz4: {
      out.resize(LZ4F_compressFrameBound(bytes.size(), nullptr));
      made = LZ4F_compressFrame(out.data(), out.size(), bytes.data(), bytes.size(), nullptr);
      if (LZ4F_isError(made)) return absl::InternalError(LZ4F_getErrorName(made));
      break;
    }
    case Compression::kZstd: {
      out.resize(ZSTD_compressBound(bytes.size()));
      made = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kZstdLevel);
      if (ZSTD_isError(made)) return absl::InternalError(ZSTD_getErrorName(made));
      break;
    }
  }
  out.resize(made);
  return out;
}

void Buffer::Resize(size_t wanted) {
  if (bytes == nullptr || wanted > room) {
    bytes.reset();  // before there is more, so that both are never there at once
    bytes.reset(new char[wanted]);
    room = wanted;
  }
  size = wanted;
}

absl::Status DecompressInto(Compression compression, std::string_view bytes, uint64_t size,
                            uint64_t cap, Buffer& out) {
  if (size > cap)
    return absl::ResourceExhaustedError(
        absl::StrFormat("it would unpack to %d bytes, more than the %d allowed", size, cap));
  if (size > MostUnpacked(compression, bytes.size()))
    return absl::ResourceExhaustedError(absl::StrFormat(
        "it claims to unpack from %d bytes to %d, which the format cannot do", bytes.size(), size));
  if (compression == Compression::kNone && bytes.size() != size)
    return Damaged("uncompressed", "its two sizes differ");
  out.Resize(size);
  switch (compression) {
    case Compression::kNone:
      bytes.copy(out.bytes.get(), size);
      break;
    case Compression::kLz4:
      return UnpackLz4(bytes, out);
    case Compression::kZstd:
      return UnpackZstd(bytes, out);
  }
  return absl::OkStatus();
}

absl::StatusOr<Buffer> Decompress(Compression compression, std::string_view bytes, uint64_t size,
                                  uint64_t cap) {
  Buffer out;
  const absl::Status status = DecompressInto(compression, bytes, size, cap, out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace agent::recording
