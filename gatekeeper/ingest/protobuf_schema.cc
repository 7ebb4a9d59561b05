#include "gatekeeper/ingest/protobuf_schema.h"

#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "google/protobuf/descriptor.pb.h"

namespace gatekeeper::ingest {
namespace {

using google::protobuf::FileDescriptorProto;

constexpr size_t kMostDescriptorBytes = 4 << 20;
constexpr int kMostProtoFiles = 1024;

// The first thing that libprotobuf finds wrong.
class FirstError : public google::protobuf::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    if (text_.empty()) text_ = absl::StrFormat("%s: %s: %s", file, element, message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool HasImports(const google::protobuf::DescriptorPool& pool, const FileDescriptorProto& file) {
  for (const std::string& name : file.dependency()) {
    if (pool.FindFileByName(name) == nullptr) return false;
  }
  return true;
}

// Files in whatever order: each as soon as its imports are there.
absl::Status AddFiles(const google::protobuf::FileDescriptorSet& set,
                      google::protobuf::DescriptorPool& pool) {
  std::vector<const FileDescriptorProto*> open;
  for (const FileDescriptorProto& file : set.file()) open.push_back(&file);
  while (!open.empty()) {
    std::vector<const FileDescriptorProto*> later;
    for (const FileDescriptorProto* file : open) {
      if (pool.FindFileByName(file->name()) != nullptr) continue;  // written twice
      if (!HasImports(pool, *file)) {
        later.push_back(file);
        continue;
      }
      FirstError error;
      if (pool.BuildFileCollectingErrors(*file, &error) == nullptr) {
        return absl::InvalidArgumentError("descriptor set: " + error.text());
      }
    }
    if (later.size() == open.size()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "descriptor set: %s imports a file that the set has not", later.front()->name()));
    }
    open = std::move(later);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProtobufSchema> ParseProtobufSchema(std::string_view type,
                                                   std::string_view descriptor_set) {
  if (descriptor_set.size() > kMostDescriptorBytes) {
    return absl::ResourceExhaustedError("descriptor set of more than 4 MiB");
  }
  google::protobuf::FileDescriptorSet set;
  if (!set.ParseFromArray(descriptor_set.data(), static_cast<int>(descriptor_set.size()))) {
    return absl::InvalidArgumentError("the schema is no FileDescriptorSet");
  }
  if (set.file_size() > kMostProtoFiles) {
    return absl::ResourceExhaustedError("descriptor set of more than 1,024 files");
  }
  ProtobufSchema schema;
  schema.pool = std::make_unique<google::protobuf::DescriptorPool>();
  if (const absl::Status added = AddFiles(set, *schema.pool); !added.ok()) return added;
  schema.type = schema.pool->FindMessageTypeByName(std::string(type));
  if (schema.type == nullptr) {
    return absl::InvalidArgumentError(absl::StrFormat("the descriptor set has no type %s", type));
  }
  return schema;
}

}  // namespace gatekeeper::ingest
