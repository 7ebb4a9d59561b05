#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/policy.h"
#include "agent/runtime/resample.h"
#include "agent/runtime/self_report.h"
#include "proto/unit.pb.h"

namespace agent::runtime {

// The tensors that a card needs: for each tensor the blocks in the order they stand. Shape [1,
// elements]; a tensor that one image alone fills is [1, channels, height, width]. Output tensors
// reach up to the highest index bound. kInvalidArgument with the document path in brackets.
absl::StatusOr<base::ModelSignature> SignatureFor(const gatekeeper::v1::ModelCard& card,
                                                  const Policy& policy);

// Fills a model's inputs from the board and reads its outputs as a command of the policy.
class Binding {
 public:
  // Errors begin with the card's path in brackets: every tensor filled exactly, every command field
  // bound once, every channel a required input of the policy, confidence and uncertainty bound when
  // the policy judges them, and able to reach where it doubts them.
  static absl::StatusOr<Binding> Compile(const gatekeeper::v1::ModelCard& card,
                                         const Policy& policy,
                                         const base::ModelSignature& signature);

  // The model's buffers have the sizes of the signature that this was compiled for: asked before
  // Fill writes, and before Read reads.
  bool InputsFit(base::Model& model) const;
  bool OutputsFit(const base::Model& model) const;

  // False when a channel has no value yet, or a value does not fit (number of joints). One thread.
  bool Fill(const InputBoard& board, base::Model& model) const;

  // `raw` gets the policy's fields in order.
  // False when any number is not finite; nothing may then be used.
  bool Read(const base::Model& model, std::vector<double>& raw, SelfReport& report) const;

 private:
  struct Block {
    size_t tensor = 0;
    size_t begin = 0;
    size_t size = 0;
    ChannelKind source = ChannelKind::kSignal;
    std::string channel;                      // of a signal, its name
    std::vector<size_t> fields;               // positions in the channel's table of fields
    mutable std::optional<ScanSectors> scan;  // remembers the last scan's angles
    std::optional<ImageGrid> image;
    Conversion conversion;
  };
  struct Element {
    size_t tensor = 0;
    size_t index = 0;
    size_t field = 0;  // from the number of command fields on: confidence, uncertainty
    Conversion conversion;
  };
  bool FillBlock(const Block& block, const InputBoard& board, std::span<float> target) const;
  friend class BindingCompiler;  // the one maker
  Binding() = default;

  std::vector<Block> blocks_;
  std::vector<Element> elements_;
  std::vector<size_t> input_sizes_;
  std::vector<size_t> output_sizes_;
  size_t fields_ = 0;
};

}  // namespace agent::runtime
