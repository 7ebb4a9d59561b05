#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/json_text.h"
#include "gatekeeper/ingest/step_program.h"
#include "gatekeeper/ingest/wire_cursor.h"

namespace gatekeeper::ingest {
namespace {

class WireWriter {
 public:
  WireWriter(const TypeTree& tree, WireCursor& cursor) : tree_(tree), cursor_(cursor) {}

  JsonText& json() { return json_; }

  bool Root() { return Message(tree_.types[tree_.root], WrittenFields(tree_.types[tree_.root])); }

 private:
  bool Message(const MessageType& type, size_t fields) {
    json_.Open('{');
    for (size_t i = 0; i < fields; ++i) {
      const Field& field = type.fields[i];
      if (field.hidden) {
        if (!Skip(field)) return false;
        continue;
      }
      json_.Key(field.name);
      if (!Value(field) || json_.too_long()) return false;
    }
    json_.Close('}');
    return true;
  }

  // Padding: numbers, one or a fixed array of them.
  bool Skip(const Field& field) {
    const size_t size = SizeOf(field.kind);
    const char* from = nullptr;
    return cursor_.Take(cursor_.Alignment(size), uint64_t{size} * std::max(field.count, 1u), from);
  }

  bool Value(const Field& field) {
    switch (field.shape) {
      case Shape::kOne:
        return One(field);
      case Shape::kFixed:
        return Array(field, field.count);
      case Shape::kSequence:
        break;
    }
    uint32_t count = 0;
    const uint64_t least = field.kind == Kind::kMessage ? tree_.types[field.type].least_bytes
                           : SizeOf(field.kind) == 0    ? 4
                                                        : SizeOf(field.kind);
    return cursor_.TakeCount(field.count, least, count) && Array(field, count);
  }

  bool Array(const Field& field, uint32_t count) {
    const size_t size = SizeOf(field.kind);
    if (size == 1 && field.kind != Kind::kBool) {
      const char* from = nullptr;
      if (!cursor_.Take(1, count, from)) return false;
      Bytes(field.kind, {from, count});
      return true;
    }
    json_.Open('[');
    for (uint32_t i = 0; i < count; ++i) {
      if (!One(field) || json_.too_long()) return false;
    }
    json_.Close(']');
    return true;
  }

  void Bytes(Kind kind, std::string_view bytes) {
    if (kind == Kind::kCharacter) {
      json_.Text(bytes.substr(0, bytes.find('\0')));
    } else {
      json_.Bytes(bytes);
    }
  }

  bool One(const Field& field) {
    if (field.kind == Kind::kMessage) {
      const MessageType& type = tree_.types[field.type];
      return Message(type, type.fields.size());
    }
    if (field.kind == Kind::kString) {
      std::string_view text;
      if (!cursor_.TakeText(field.text_bound, text)) return false;
      json_.Text(text);
      return true;
    }
    const size_t size = SizeOf(field.kind);
    const char* from = nullptr;
    if (size == 0 || !cursor_.Take(cursor_.Alignment(size), size, from)) return false;
    if (field.kind == Kind::kBool) {
      json_.Bool(*from != 0);
    } else if (field.kind == Kind::kCharacter) {
      json_.Text({from, 1});
    } else {
      WithNumber(field.kind, [&](auto zero) { json_.Number(cursor_.Load<decltype(zero)>(from)); });
    }
    return true;
  }

  const TypeTree& tree_;
  WireCursor& cursor_;
  JsonText json_;
};

}  // namespace

absl::StatusOr<std::string> WireToJson(const TypeTree& tree, Wire wire, std::string_view message) {
  RETURN_IF_ERROR(CompileSteps(tree, Want(), wire).status());  // refuses what cannot be read
  ASSIGN_OR_RETURN(WireCursor cursor, WireCursor::Open(wire, message));
  WireWriter writer(tree, cursor);
  const bool whole = writer.Root();
  if (!whole && writer.json().too_long()) return std::move(writer.json()).Finish();
  if (!whole || cursor.left() > SpareBytes(tree, wire)) {
    return absl::DataLossError(absl::StrFormat(
        "the message's %d bytes are no %s: they end, go on or contradict themselves at byte %d",
        message.size(), tree.types[tree.root].name, message.size() - cursor.left()));
  }
  return std::move(writer.json()).Finish();
}

}  // namespace gatekeeper::ingest
