#pragma once

#include <string>

#include "proto/gates.pb.h"

namespace gatekeeper::report {

// One figure as an SVG element: axes with round numbers and units, series in colours that people
// with any colour vision tell apart, marks with their text, a legend where there are two series or
// more. What is not finite breaks a line and leaves a bar out. Colours follow the page's style
// sheet (see html.cc); no script, nothing from outside.
std::string SvgPlot(const v1::Figure& figure);

}  // namespace gatekeeper::report
