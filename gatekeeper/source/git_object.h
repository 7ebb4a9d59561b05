#pragma once

#include <git2.h>

#include <string>

#include "agent/base/handle.h"

namespace gatekeeper::source {

using Object = agent::base::Handle<git_object, git_object_free>;
using Entry = agent::base::Handle<git_tree_entry, git_tree_entry_free>;

// Why libgit2's last call failed.
inline std::string LastError() {
  const git_error* error = git_error_last();
  return error == nullptr ? "unknown error" : error->message;
}

}  // namespace gatekeeper::source
