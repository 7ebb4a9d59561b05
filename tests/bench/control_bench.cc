// The durable pointer beside the one write and sync that it cannot do without.

#include <fcntl.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/unique_fd.h"
#include "agent/control/two_slot_file.h"
#include "tests/bench/measure.h"
#include "tests/support/temp_folder.h"

namespace {

using agent::control::kSlotBytes;
using bench::Bench;
using bench::Must;
using bench::Timings;

constexpr bench::Rounds kDisk{.rounds = 500, .stopwatch = bench::Stopwatch::kWall};

// A file of two slots that is there already, as the pointer is.
agent::base::UniqueFd MakePlainFile(const std::string& path) {
  agent::base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT, 0600));
  const std::string zeros(2 * kSlotBytes, '\0');
  if (write(fd.get(), zeros.data(), zeros.size()) != static_cast<ssize_t>(zeros.size()) ||
      fsync(fd.get()) != 0) {
    bench::GiveUp(path + " cannot be written");
  }
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("control", argc, argv);
  const tests::TempFolder folder;
  const agent::base::UniqueFd plain = MakePlainFile(folder / "plain");
  agent::base::OsFiles files;
  agent::control::TwoSlotFile pointer(files, folder / "pointer");
  const std::string payload(200, 'p');  // two digests and a few numbers
  Must(pointer.Store(payload));

  uint64_t turn = 0;
  const std::string slot(kSlotBytes, 's');
  const std::vector<Timings> timings =
      bench.Interleave(kDisk, {[&] {
                                 const auto offset = static_cast<off_t>(++turn % 2 * kSlotBytes);
                                 if (pwrite(plain.get(), slot.data(), slot.size(), offset) !=
                                         static_cast<ssize_t>(slot.size()) ||
                                     fdatasync(plain.get()) != 0) {
                                   bench::GiveUp("the plain file cannot be written");
                                 }
                               },
                               [&] { Must(pointer.Store(payload)); }});

  bench.Print("pointer_write/bare_p50", timings[0].p50_ns() * 1e-3, "us");
  bench.Print("pointer_write/p50", timings[1].p50_ns() / timings[0].p50_ns(), "x bare", "<= 1.5 x");
  bench.Print("pointer_write/p99", timings[1].p99_ns() / timings[0].p99_ns(), "x bare");
  return 0;
}
