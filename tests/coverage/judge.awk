# Reads an lcov report; prints what of the assured files no test ran, and fails when there is any.
function trimmed(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
function source(file, line,    text) {
  if (!(file in loaded)) {
    loaded[file] = 1
    while ((getline text < file) > 0) lines[file, ++count[file]] = text
  }
  return trimmed(lines[file, line])
}
function miss(line, what,    text) {
  if ((file, line, what) in told) return
  told[file, line, what] = 1
  text = source(file, line)
  if ((file, text) in excused) { used[file, text] = 1; return }
  printf "%s:%d: %s: %s\n", file, line, what, text
  ++missed
}
BEGIN {
  while ((getline row < assured) > 0) if (row !~ /^(#|$)/) { wanted[row] = 1; ++files }
  while ((getline row < exceptions) > 0) if (row !~ /^(#|$)/) { split(row, part, "\t"); excused[part[1], part[2]] = 1 }
}
/^SF:/ {
  file = substr($0, 4)
  if (index(file, root) == 1) file = substr(file, length(root) + 1)
  sub(/^build\/coverage\/\.\.\/\.\.\//, "", file)
  inside = file in wanted
  if (inside) seen[file] = 1
}
inside && /^DA:/ { split(substr($0, 4), part, ","); ++all_lines; if (part[2] == 0) miss(part[1], "line not run") }
inside && /^BRDA:/ {
  split(substr($0, 6), part, ",")
  ++all_branches
  if (part[4] == "-" || part[4] == 0) miss(part[1], part[3] % 2 == 0 ? "never true" : "never false")
}
END {
  for (name in wanted) if (!(name in seen)) { printf "%s: in no test program\n", name; ++missed }
  for (pair in excused) if (!(pair in used)) {
    split(pair, part, SUBSEP); printf "%s: excused, but run: %s\n", part[1], part[2]; ++missed
  }
  printf "coverage: %d lines and %d branches of %d assured files, %d not run\n", all_lines, all_branches, files, missed
  exit missed > 0
}
