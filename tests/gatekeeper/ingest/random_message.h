#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gatekeeper/ingest/recording_file.h"

namespace tests {

// What a path must read.
struct Expected {
  std::string path;
  bool present = true;
  double number = 0;
  int64_t integer = 0;
  std::string text = {};
  std::vector<double> numbers = {};
  std::vector<std::string> texts = {};
};

enum class Layout { kCdrLittle, kCdrBig, kRos1 };

// A random definition, a random message of it written by an encoder of its own, and every value
// that stands in it.
class RandomMessage {
 public:
  RandomMessage(uint64_t seed, Layout layout);

  gatekeeper::ingest::Topic topic() const;
  const std::string& bytes() const { return bytes_; }
  const std::vector<Expected>& expected() const { return expected_; }

 private:
  struct Field {
    std::string name;
    std::string type;     // a primitive, or the name of a type of ours
    bool nested = false;  // the latter
    int array = 0;        // 0 none, > 0 fixed, -1 sequence
  };
  struct Type {
    std::string name;
    std::vector<Field> fields;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  size_t MakeType(int depth);
  void WriteMessage(size_t type, const std::string& prefix);
  void WriteField(const Field& field, const std::string& path);
  void WriteOne(const Field& field, const std::string& path, Expected* array);
  void WritePrimitive(const std::string& type, const std::string& path, Expected* array);
  template <class T>
  void Put(T value);
  template <class T>
  void PutRandom(const std::string& path, Expected* array);
  size_t Find(const std::string& name) const;

  std::mt19937_64 random_;
  Layout layout_;
  std::vector<Type> types_;
  std::string bytes_;
  size_t header_ = 0;
  std::vector<Expected> expected_;
};

}  // namespace tests
