#pragma once

#include <cstddef>
#include <string>

#include "proto/gates.pb.h"

namespace gatekeeper::gates {

inline constexpr size_t kMaxPoints = 1500;  // of one line; more are thinned out evenly

v1::Figure NewFigure(const std::string& id, const std::string& title, const char* x_label,
                     const char* y_label);
v1::Series& AddSeries(v1::Figure& figure, const std::string& name, v1::Series::Kind kind);
void AddMark(v1::Figure& figure, double x, double y, const std::string& text);

// Every n-th of `count` points, so that kMaxPoints are left at most.
size_t Stride(size_t count);

}  // namespace gatekeeper::gates
