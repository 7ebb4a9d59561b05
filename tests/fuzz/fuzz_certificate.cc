#include "absl/strings/escaping.h"
#include "agent/trust/certificate.h"
#include "tests/fuzz/target.h"

// The first byte: a request or a certificate, as PEM or as the DER bytes inside.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 32};

namespace {

namespace trust = agent::trust;

constexpr int64_t kNowMs = 1'790'000'000'000;

const trust::CertificateAuthority& Authority() {
  static const trust::CertificateAuthority authority = *trust::CertificateAuthority::Create(
      *trust::PrivateKey::Generate(), "Gatekeeper CA", 365, kNowMs);
  return authority;
}

std::string Pem(const char* label, std::string_view der) {
  std::string base64;
  absl::Base64Escape(absl::string_view(der.data(), der.size()), &base64);
  std::string pem = std::string("-----BEGIN ") + label + "-----\n";
  for (size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + "\n";
  return pem + "-----END " + label + "-----\n";
}

std::string Der(const std::string& pem) {
  const size_t begin = pem.find('\n') + 1;
  std::string base64 = pem.substr(begin, pem.find("-----END") - begin);
  std::erase(base64, '\n');
  std::string der;
  fuzz::Check(absl::Base64Unescape(base64, &der), "the seed is no PEM");
  return der;
}

trust::CertificateOrder Order(const std::string& csr) {
  trust::CertificateOrder order;
  order.csr_pem = csr;
  order.identity = {trust::Party::kRobot, "rover-1"};
  return order;
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string csr = *trust::MakeCsr(*trust::PrivateKey::Generate());
  const auto certificate = Authority().Issue(Order(csr), kNowMs);
  Check(certificate.ok(), "the seed is refused");
  return {"0" + csr, "1" + Der(csr), "2" + *certificate, "3" + Der(*certificate)};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::Text(data + 1, size - 1);
  const bool der = data[0] % 2 == 1;
  if (data[0] % 4 < 2) {
    const std::string csr = der ? Pem("CERTIFICATE REQUEST", text) : std::string(text);
    const auto issued = Authority().Issue(Order(csr), kNowMs);
    if (issued.ok()) {
      fuzz::Check(trust::CheckCertificate(*issued, Authority().Pem(), kNowMs).ok(),
                  "an issued certificate does not hold");
    }
    return 0;
  }
  const std::string pem = der ? Pem("CERTIFICATE", text) : std::string(text);
  trust::SpiffeId(pem).status().IgnoreError();
  trust::NotBeforeMs(pem).status().IgnoreError();
  trust::NotAfterMs(pem).status().IgnoreError();
  trust::CertificateDigest(pem).status().IgnoreError();
  trust::CheckCertificate(pem, Authority().Pem(), kNowMs).IgnoreError();
  trust::CheckCertificate(Authority().Pem(), pem, kNowMs).IgnoreError();
  return 0;
}
