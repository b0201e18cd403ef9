// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Test packages opened through the C API, and the environment of what opens them.
#ifndef MJOLNIR_TEST_TESTSESSION_H
#define MJOLNIR_TEST_TESTSESSION_H

#include "TestPackage.h"

#include "mjolnir/runtime.h"
#include "gtest/gtest.h"

#include <cstdlib>
#include <string>

namespace mjolnir::test {

/// An environment variable for a scope; what it was before comes back.
class Setting {
public:
  Setting(const char *name, const std::string &value)
      : name(name), wasSet(getenv(name) != nullptr), before(wasSet ? getenv(name) : "") {
    setenv(name, value.c_str(), 1);
  }
  ~Setting() { wasSet ? setenv(name, before.c_str(), 1) : unsetenv(name); }

private:
  const char *name;
  const bool wasSet;
  const std::string before;
};

/// A package and a session of it, as the C API gives them; closed with it.
struct Handles {
  mj_package *package = nullptr;
  mj_session *session = nullptr;
  ~Handles() {
    mj_session_destroy(session);
    mj_package_close(package);
  }
};

/// Writes the program as a package and opens it.
inline mj_status openPackage(Handles &handles, fb::ProgramT program) {
  std::string path = temporaryPath("opened.mjp");
  if (auto error = writeTestPackage(path, testImage(), std::move(program)))
    ADD_FAILURE() << error.message();
  return mj_package_open(path.c_str(), &handles.package);
}

/// The same, and a session of four KV pages.
inline void openSession(Handles &handles, fb::ProgramT program, uint32_t flags = 0) {
  ASSERT_EQ(openPackage(handles, std::move(program)), MJ_OK) << mj_last_error();
  mj_session_options options = {sizeof(options), 0, 4, flags, 0};
  ASSERT_EQ(mj_session_create(handles.package, &options, &handles.session), MJ_OK) << mj_last_error();
}

} // namespace mjolnir::test

#endif // MJOLNIR_TEST_TESTSESSION_H
