// mutate OUT TABLE FILE...: writes every FILE with all its mutants in it to OUT/FILE, and one line
// a mutant to TABLE: id, file, line, what changes, the line of source; tabs between.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/mutation/sites.h"

namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find_first_not_of(' ');
    lines.push_back(first == std::string::npos ? "" : line.substr(first));
  }
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: mutate OUT TABLE FILE...\n";
    return 2;
  }
  std::ofstream table(argv[2]);
  int next_id = 1;
  for (int i = 3; i < argc; ++i) {
    const std::string path = argv[i];
    std::ifstream in(path);
    if (!in) {
      std::cerr << "mutate: cannot read " << path << "\n";
      return 2;
    }
    const std::string source{std::istreambuf_iterator<char>(in), {}};
    const mutation::Sites sites = mutation::FindSites(source, next_id);
    const std::vector<std::string> lines = Lines(source);
    for (const mutation::Mutant& mutant : sites.mutants) {
      std::string what = mutant.what;
      for (char& c : what) c = c == '\n' ? ' ' : c;
      table << mutant.id << '\t' << path << '\t' << mutant.line << '\t' << what << '\t'
            << lines[static_cast<size_t>(mutant.line - 1)] << '\n';
      next_id = mutant.id + 1;
    }
    const std::filesystem::path out = std::filesystem::path(argv[1]) / path;
    std::error_code ignored;
    std::filesystem::create_directories(out.parent_path(), ignored);
    std::ofstream(out) << "#include \"tests/mutation/mutant.h\"\n#line 1 \"" << path << "\"\n"
                       << mutation::Apply(source, sites.edits);
  }
  return table ? 0 : 1;
}
