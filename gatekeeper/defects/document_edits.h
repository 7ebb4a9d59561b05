#pragma once

#include <functional>
#include <string>

#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::defects {

// Hears of every edit: where, what was done in words, and the whole document afterwards.
template <class Document>
using TakeEdit =
    std::function<void(const std::string& path, const std::string& what, const Document& edited)>;

// Every single edit of the rules that a person could make by mistake or malice: numbers scaled both
// ways or set to 0, shapes moved, parts and list elements removed, flags dropped, answers weakened.
// Found through the descriptors, so that it holds for any unit; which of them loosen anything is
// for bundle::EffectOf to say. Paths are those of bundle::Flatten. `fallback` tells which trigger
// answers more weakly than another.
void EditPolicy(const v1::ControlPolicy& policy, const v1::FallbackRules& fallback,
                const TakeEdit<v1::ControlPolicy>& take);
void EditFallback(const v1::FallbackRules& fallback, const TakeEdit<v1::FallbackRules>& take);

}  // namespace gatekeeper::defects
