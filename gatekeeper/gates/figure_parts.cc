#include "gatekeeper/gates/figure_parts.h"

#include <algorithm>

namespace gatekeeper::gates {

v1::Figure NewFigure(const std::string& id, const std::string& title, const char* x_label,
                     const char* y_label) {
  v1::Figure figure;
  figure.set_id(id);
  figure.set_title(title);
  figure.set_x_label(x_label);
  figure.set_y_label(y_label);
  return figure;
}

v1::Series& AddSeries(v1::Figure& figure, const std::string& name, v1::Series::Kind kind) {
  v1::Series& series = *figure.add_series();
  series.set_name(name);
  series.set_kind(kind);
  return series;
}

void AddMark(v1::Figure& figure, double x, double y, const std::string& text) {
  v1::Mark& mark = *figure.add_marks();
  mark.set_x(x);
  mark.set_y(y);
  mark.set_text(text);
}

size_t Stride(size_t count) { return std::max<size_t>(1, (count + kMaxPoints - 1) / kMaxPoints); }

}  // namespace gatekeeper::gates
