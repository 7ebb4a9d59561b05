#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

#include "gatekeeper/store/store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// A store in a file of its own, which somebody else may open too.

namespace tests {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    store_.reset();
    auto opened = gatekeeper::store::Store::Open(path_);
    ASSERT_OK(opened);
    store_ = *std::move(opened);
  }
  // What a power cut would leave: the files as they are while the database is still open.
  std::string AfterPowerCut() {
    const std::string copy = folder_ / ("cut-" + std::to_string(++cuts_));
    std::filesystem::create_directory(copy);
    for (const char* suffix : {"", "-wal"}) {
      if (std::filesystem::exists(path_ + suffix)) {
        std::filesystem::copy_file(path_ + suffix, copy + "/gatekeeper.db" + suffix);
      }
    }
    return copy + "/gatekeeper.db";
  }

  // Somebody with a database program of their own.
  void Tamper(const std::string& sql) {
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(other, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(other);
  }

  TempFolder folder_;
  std::string path_ = folder_ / "gatekeeper.db";
  std::unique_ptr<gatekeeper::store::Store> store_;
  int cuts_ = 0;
};

}  // namespace tests
