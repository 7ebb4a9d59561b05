#include "gatekeeper/defects/document_edits.h"

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"

namespace gatekeeper::defects {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr double kStep_m = 0.2;        // a zone drawn anew a hand's breadth beside the old line
constexpr double kOutlineScale = 0.9;  // of the footprint
constexpr double kFactors[] = {1.01, 2, 3, 1 / 1.01, 0.5};

// Which answer comes just before another one in order of rank.
using Weaker = std::function<std::optional<std::string>(const std::string& name)>;

struct Answers {
  Weaker state;
  Weaker trigger;
};

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

// What names a document or a thing and rules nothing.
bool IsName(const std::string& field) {
  static const std::set<std::string> names = {"schema", "id", "version", "units", "formula"};
  return names.count(field) != 0;
}

std::string ElementName(const Message& element, int index) {
  for (const char* name : {"id", "signal"}) {
    const FieldDescriptor* field = element.GetDescriptor()->FindFieldByName(name);
    if (field != nullptr && !element.GetReflection()->GetString(element, field).empty())
      return element.GetReflection()->GetString(element, field);
  }
  return absl::StrCat(index);
}

// Walks one tree of messages without maps, edits it in place and takes every edit back.
class Editor {
 public:
  using Tell = std::function<void(const std::string& path, const std::string& what)>;
  Editor(const Answers& answers, Tell tell) : answers_(answers), tell_(std::move(tell)) {}

  void Visit(Message& node, const std::string& path) {
    for (int i = 0; i < node.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *node.GetDescriptor()->field(i);
      if (field.is_map() || IsName(field.name())) continue;
      const std::string here = Join(path, field.name());
      if (field.is_repeated()) {
        VisitList(node, field, here);
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        VisitPart(node, field, here);
      } else {
        VisitValue(node, field, here);
      }
    }
  }

 private:
  // `edit` changes `node`, which is as before when this returns.
  void Try(Message& node, const std::string& path, const std::string& what,
           const std::function<void()>& edit) {
    const std::unique_ptr<Message> kept(node.New());
    kept->CopyFrom(node);
    edit();
    tell_(path, what);
    node.CopyFrom(*kept);
  }

  void VisitList(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    const int size = r.FieldSize(node, &field);
    if (size == 0) return;
    if (field.message_type() == v1::Point::descriptor()) return EditPolygon(node, field, path);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) return EditNumbers(node, field, path);
    for (int i = 0; i < size; ++i) {
      const bool message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      const std::string name = message ? ElementName(r.GetRepeatedMessage(node, &field, i), i)
                                       : r.GetRepeatedString(node, &field, i);
      Try(node, message ? Join(path, name) : path, "removed " + name, [&] {
        for (int j = i; j + 1 < size; ++j) r.SwapElements(&node, &field, j, j + 1);
        r.RemoveLast(&node, &field);
      });
      if (message) Visit(*r.MutableRepeatedMessage(&node, &field, i), Join(path, name));
    }
  }

  void EditNumbers(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    const int size = r.FieldSize(node, &field);
    for (const double factor : kFactors) {
      Try(node, path, absl::StrCat("times ", factor), [&] {
        for (int i = 0; i < size; ++i)
          r.SetRepeatedDouble(&node, &field, i, factor * r.GetRepeatedDouble(node, &field, i));
      });
    }
    if (field.name() != "z_m" || size != 2) return;
    for (const double step : {kStep_m, -kStep_m}) {
      Try(node, path, step > 0 ? "grown" : "shrunk", [&] {
        r.SetRepeatedDouble(&node, &field, 0, r.GetRepeatedDouble(node, &field, 0) - step);
        r.SetRepeatedDouble(&node, &field, 1, r.GetRepeatedDouble(node, &field, 1) + step);
      });
    }
  }

  // Every corner moves along its line from the middle: by a length, or by a share of it.
  void EditPolygon(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    const int size = r.FieldSize(node, &field);
    double x = 0;
    double y = 0;
    for (int i = 0; i < size; ++i) {
      const auto& point = static_cast<const v1::Point&>(r.GetRepeatedMessage(node, &field, i));
      x += point.x() / size;
      y += point.y() / size;
    }
    const bool outline = node.GetDescriptor() == v1::Footprint::descriptor();
    for (const int sign : {1, -1}) {
      Try(node, path, sign > 0 ? "grown" : "shrunk", [&] {
        for (int i = 0; i < size; ++i) {
          auto& point = static_cast<v1::Point&>(*r.MutableRepeatedMessage(&node, &field, i));
          const double away = std::hypot(point.x() - x, point.y() - y);
          if (away == 0) continue;
          const double step = sign * (outline ? (1 - kOutlineScale) * away : kStep_m);
          // Documents stand on a grid of a micrometre, finer than any map.
          const auto on_grid = [](double value) { return std::round(value * 1e6) / 1e6; };
          point.set_x(on_grid(point.x() + (point.x() - x) / away * step));
          point.set_y(on_grid(point.y() + (point.y() - y) / away * step));
        }
      });
    }
  }

  void VisitPart(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    if (!r.HasField(node, &field)) return;
    Try(node, path, "removed", [&] { r.ClearField(&node, &field); });
    Message& part = *r.MutableMessage(&node, &field);
    if (part.GetDescriptor() != v1::Circle::descriptor()) return Visit(part, path);
    auto& circle = static_cast<v1::Circle&>(part);
    const bool outline = node.GetDescriptor() == v1::Footprint::descriptor();
    for (const int sign : {1, -1}) {
      Try(part, path, sign > 0 ? "grown" : "shrunk", [&] {
        circle.set_r(circle.r() + sign * (outline ? (1 - kOutlineScale) * circle.r() : kStep_m));
      });
    }
  }

  void VisitValue(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    if (field.has_presence() && r.HasField(node, &field))
      Try(node, path, "removed", [&] { r.ClearField(&node, &field); });
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return EditDouble(node, field, path);
      case FieldDescriptor::CPPTYPE_UINT32:
        return EditCount(node, field, path);
      case FieldDescriptor::CPPTYPE_BOOL:
        if (r.GetBool(node, &field))
          Try(node, path, "dropped", [&] { r.SetBool(&node, &field, false); });
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        return EditWord(node, field, path);
      default:
        return;
    }
  }

  void EditDouble(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    const double was = r.GetDouble(node, &field);
    if (was == 0) return;
    for (const double factor : kFactors) {
      Try(node, path, absl::StrCat("times ", factor),
          [&] { r.SetDouble(&node, &field, was * factor); });
    }
    Try(node, path, "set to 0", [&] { r.SetDouble(&node, &field, 0); });
  }

  void EditCount(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    const uint32_t was = r.GetUInt32(node, &field);
    if (was == 0) return;
    std::set<uint32_t> tried = {was};
    for (const uint32_t now : {was + 1, was - 1, was * 2, was / 2, 0U}) {
      if (!tried.insert(now).second) continue;
      Try(node, path, absl::StrCat("set to ", now), [&] { r.SetUInt32(&node, &field, now); });
    }
  }

  void EditWord(Message& node, const FieldDescriptor& field, const std::string& path) {
    const Reflection& r = *node.GetReflection();
    const std::string was = r.GetString(node, &field);
    const std::string& name = field.name();
    if (was.empty()) return;
    const auto set = [&](const std::string& what, const std::string& now) {
      Try(node, path, what, [&] { r.SetString(&node, &field, now); });
    };
    if (name == "latch" || name == "limits") set("dropped", "");
    if (name == "action" && was == "stop") set("weakened", "limit");
    std::optional<std::string> weaker;
    if (name == "to" || name == "then" || name == "else") weaker = answers_.state(was);
    if (name == "trigger" || name == "contact_trigger") weaker = answers_.trigger(was);
    if (weaker) set("weakened", *weaker);
  }

  const Answers& answers_;
  Tell tell_;
};

// The strongest of what is weaker; equal ranks by name, so that it is always the same one.
Weaker ByRank(std::map<std::string, uint32_t> ranks) {
  return [ranks = std::move(ranks)](const std::string& name) -> std::optional<std::string> {
    const auto own = ranks.find(name);
    if (own == ranks.end()) return std::nullopt;
    std::optional<std::string> best;
    for (const auto& [other, rank] : ranks) {
      if (rank < own->second && (!best || rank > ranks.at(*best))) best = other;
    }
    return best;
  };
}

Answers AnswersOf(const v1::FallbackRules& fallback) {
  std::map<std::string, uint32_t> states;
  for (const auto& [name, state] : fallback.states()) states[name] = state.rank();
  std::map<std::string, uint32_t> triggers;
  for (const v1::Trigger& trigger : fallback.triggers()) {
    const auto state = states.find(trigger.to());
    if (state != states.end()) triggers[trigger.id()] = state->second;
  }
  return {.state = ByRank(std::move(states)), .trigger = ByRank(std::move(triggers))};
}

// Elements of a map are taken one by one: reflection over a map has no order of its own. `tell`
// looks at the document through reflection, which believes the map only when it was asked for anew.
template <class Map>
void EditMap(const std::function<Map*()>& map, const std::string& path, Editor& editor,
             const Editor::Tell& tell) {
  std::set<std::string> names;
  for (const auto& entry : *map()) names.insert(entry.first);
  for (const std::string& name : names) {
    const auto kept = map()->at(name);
    map()->erase(name);
    tell(Join(path, name), "removed");
    (*map())[name] = kept;
    editor.Visit((*map())[name], Join(path, name));
  }
}

}  // namespace

void EditPolicy(const v1::ControlPolicy& policy, const v1::FallbackRules& fallback,
                const TakeEdit<v1::ControlPolicy>& take) {
  v1::ControlPolicy document = policy;
  const auto inputs = [&document] { return document.mutable_inputs(); };
  const auto joints = [&document] { return document.mutable_joints(); };
  const Editor::Tell tell = [&](const std::string& path, const std::string& what) {
    inputs();
    joints();
    take(path, what, document);
  };
  const Answers answers = AnswersOf(fallback);
  Editor editor(answers, tell);
  editor.Visit(document, "");
  EditMap<google::protobuf::Map<std::string, v1::InputRule>>(inputs, "inputs", editor, tell);
  EditMap<google::protobuf::Map<std::string, v1::JointLimit>>(joints, "joints", editor, tell);
}

void EditFallback(const v1::FallbackRules& fallback, const TakeEdit<v1::FallbackRules>& take) {
  v1::FallbackRules document = fallback;
  const auto states = [&document] { return document.mutable_states(); };
  const Editor::Tell tell = [&](const std::string& path, const std::string& what) {
    states();
    take(path, what, document);
  };
  const Answers answers = AnswersOf(fallback);
  Editor editor(answers, tell);
  editor.Visit(document, "");
  EditMap<google::protobuf::Map<std::string, v1::FallbackState>>(states, "states", editor, tell);
}

}  // namespace gatekeeper::defects
