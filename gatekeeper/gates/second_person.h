#pragma once

#include "gatekeeper/bundle/rule_diff.h"

namespace gatekeeper::gates {

// Whether a change beyond the unit that drives today takes another person's word: it is looser, or
// it is one of the rules and nobody can say that it is not looser. A document's name and version
// are no rules, and neither is the model card: the other gates judge the model.
bool WantsSecondPerson(const bundle::RuleChange& change);

}  // namespace gatekeeper::gates
