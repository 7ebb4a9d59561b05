// What believing a unit costs beside the hashes and signature checks that nobody can avoid.

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <random>

#include "agent/base/unique_fd.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/bench/measure.h"
#include "tests/support/temp_folder.h"

namespace {

namespace trust = agent::trust;
using bench::Bench;
using bench::Timings;

constexpr bench::Rounds kLong{.rounds = 15, .stopwatch = bench::Stopwatch::kThreadCpu};
constexpr bench::Rounds kShort{.rounds = 200, .settle = 2, .timed = 10};

void BareSha256(std::string_view bytes) {
  unsigned char digest[32];
  if (EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr) != 1) {
    bench::GiveUp("SHA-256 failed");
  }
  bench::DoNotOptimize(digest);
}

void BareReadAndSha256(const std::string& path) {
  static char piece[1 << 16];
  const agent::base::UniqueFd fd(open(path.c_str(), O_RDONLY));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
  ssize_t n = 0;
  while ((n = read(fd.get(), piece, sizeof(piece))) > 0) {
    EVP_DigestUpdate(context, piece, static_cast<size_t>(n));
  }
  unsigned char digest[32];
  EVP_DigestFinal_ex(context, digest, nullptr);
  EVP_MD_CTX_free(context);
  if (n < 0) bench::GiveUp(path + " cannot be read");
  bench::DoNotOptimize(digest);
}

std::string RandomBytes(size_t size) {
  std::minstd_rand random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
  return bytes;
}

void MeasureUnit(Bench& bench, const tests::Signers& signers) {
  const tests::TempFolder folder;
  auto files = tests::UnitBytes();
  std::string& model = files[trust::kModelFile];
  model = RandomBytes(static_cast<size_t>(bench.Sized(50'000'000, 100'000)));
  const auto manifest = tests::ManifestOf(files);
  tests::WriteUnit(folder.path(), files, manifest);
  tests::WriteSeal(folder.path(), tests::SealOf(manifest, signers, signers.Passed()));

  const std::vector<Timings> timings = bench.Interleave(
      kLong, {[&] { BareSha256(model); }, [&] { BareReadAndSha256(folder / trust::kModelFile); },
              [&] { bench::Must(trust::VerifyUnit(folder.path(), signers.trust)); }});

  const double verify_ns = timings[2].p50_ns();
  bench.Print("verify_unit_50mb/bare_sha256",
              static_cast<double>(model.size()) * 1e3 / timings[0].p50_ns(), "MB/s");
  bench.Print("verify_unit_50mb/beside_sha256", timings[0].p50_ns() / verify_ns,
              "x rate of SHA256 in memory");
  bench.Print("verify_unit_50mb/beside_read_and_sha256", timings[1].p50_ns() / verify_ns,
              "x rate of read and SHA256", ">= 0.8 x");
}

void MeasureSignature(Bench& bench, const tests::Signers& signers) {
  const std::string bytes = RandomBytes(1000);
  const trust::PublicKey& key = signers.build.public_key();
  const std::string signature = bench::Must(signers.build.Sign(bytes));
  BIO* pem = BIO_new_mem_buf(key.Pem().data(), static_cast<int>(key.Pem().size()));
  EVP_PKEY* bare_key = PEM_read_bio_PUBKEY(pem, nullptr, nullptr, nullptr);
  const auto manifest = tests::ManifestOf(tests::UnitBytes());
  const std::string manifest_bytes = trust::CanonicalManifest(manifest);
  const auto seal = tests::SealOf(manifest, signers, signers.Passed());
  const trust::Digest digest = trust::Sha256(manifest_bytes);

  const std::vector<Timings> timings = bench.Interleave(
      kShort,
      {[&] {
         EVP_MD_CTX* context = EVP_MD_CTX_new();
         EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, bare_key);
         const int good = EVP_DigestVerify(
             context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
         EVP_MD_CTX_free(context);
         if (good != 1) bench::GiveUp("OpenSSL refuses the signature");
       },
       [&] {
         if (!key.Verify(bytes, signature)) bench::GiveUp("a good signature was refused");
       },
       [&] { bench::Must(trust::VerifyPapers(manifest_bytes, seal, digest, signers.trust)); }});
  EVP_PKEY_free(bare_key);
  BIO_free(pem);

  bench.Print("verify_p256/bare_p50", timings[0].p50_ns() * 1e-3, "us");
  bench.PrintAdded("verify_p256", timings[1], timings[0], {});
  // Two signatures are checked for a unit's papers.
  bench.Print("verify_papers/p50", timings[2].p50_ns() / (2 * timings[0].p50_ns()),
              "x two bare verifications");
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("trust", argc, argv);
  const tests::Signers signers;
  MeasureUnit(bench, signers);
  MeasureSignature(bench, signers);
  return 0;
}
