#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "agent/base/handle.h"

// Only for the .cc files of agent/trust: no other folder sees OpenSSL.

namespace agent::trust {

inline void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }

using Bio = base::Handle<BIO, BIO_free_all>;
using PKey = base::Handle<EVP_PKEY, EVP_PKEY_free>;
using MdCtx = base::Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using Certificate = base::Handle<X509, X509_free>;
using Request = base::Handle<X509_REQ, X509_REQ_free>;
using Extension = base::Handle<X509_EXTENSION, X509_EXTENSION_free>;
using BigNumber = base::Handle<BIGNUM, BN_free>;
using Names = base::Handle<GENERAL_NAMES, FreeNames>;
using Store = base::Handle<X509_STORE, X509_STORE_free>;
using StoreContext = base::Handle<X509_STORE_CTX, X509_STORE_CTX_free>;

// A read-only BIO over `bytes`, which must outlive it.
Bio ReadFrom(std::string_view bytes);
// What was written into a memory BIO.
std::string Written(BIO* bio);
// OpenSSL's newest reason in words; empties its error queue.
std::string OpenSslReason();
// A call that only fails when memory, randomness or the library is broken.
absl::Status OpenSslBroken(const char* doing);
// For PEM readers: answers "no passphrase" instead of asking the terminal.
int NoPassphrase(char* buffer, int size, int writing, void* context);

}  // namespace agent::trust
