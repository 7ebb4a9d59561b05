#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "agent/base/digest.h"
#include "agent/recording/observation_reader.h"
#include "proto/robot.pb.h"

namespace gatekeeper::gates {

// What a training sample or a recorded one is recognised by, whatever file it lies in.
struct Fingerprint {
  agent::base::Digest content;    // SHA-256: see below
  std::optional<uint64_t> dhash;  // of images with some contrast
};

// SHA-256 over the ranges as little-endian float32; nothing for a scan that saw less than 8
// different distances, as a covered laser's look all alike.
std::optional<Fingerprint> FingerprintOf(const v1::LaserScan& scan);

// SHA-256 over width and height as little-endian uint32 and the pixels. `dhash`: the image in grey
// is averaged over 9 x 8 cells; each of the 64 bits tells whether a cell is darker than the next
// one in its row (Krawetz, "Kind of Like That", 2013), first cell in the highest bit. Integers
// only, so equal everywhere. Nothing for an image without data or of one colour; no dhash below a
// contrast of 8 of 255, where noise would decide.
std::optional<Fingerprint> FingerprintOf(const v1::Image& image);

// "<64 hex>" or "<64 hex> dhash:<16 hex>".
std::string ToText(const Fingerprint& fingerprint);

// Every scan and image of a recording (channels as in a scenario), or the one image of a *.jpg or
// *.jpeg file; repeats in a row are told once. An error of the callback ends the reading.
using FingerprintCallback =
    std::function<absl::Status(const Fingerprint&, int64_t log_time_ns, const char* what)>;
absl::Status ForEachFingerprint(const std::string& file,
                                const agent::recording::ChannelMap& channels,
                                const FingerprintCallback& callback);

}  // namespace gatekeeper::gates
