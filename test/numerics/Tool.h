// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the numeric tests run as a user would: mjolnir-compile and mjolnir-run.
#ifndef MJOLNIR_TEST_NUMERICS_TOOL_H
#define MJOLNIR_TEST_NUMERICS_TOOL_H

#include <string>
#include <vector>

namespace mjolnir::numerics {

struct Ran {
  int code; // exit code; -1: ended by a signal
  std::string out, err;
};

/// Runs a program with arguments that are passed as they are.
Ran runProgram(const std::string &program, const std::vector<std::string> &arguments);

/// The whole of a file. Throws std::runtime_error that names it.
std::string readFile(const std::string &path);

/// A folder for this process's files, which goes away with it.
std::string temporaryFolder();

/// Compiles `checkpoint` with `arguments` to `package`. Throws std::runtime_error with what the compiler said.
void compile(const std::string &checkpoint, const std::string &package, const std::vector<std::string> &arguments);

/// The package of `checkpoint` compiled with `arguments`, in the build folder: made when there is none yet that is
/// newer than the compiler and the checkpoint. Processes that want the same one at a time wait for each other.
std::string compiledPackage(const std::string &checkpoint, const std::vector<std::string> &arguments);

} // namespace mjolnir::numerics

#endif // MJOLNIR_TEST_NUMERICS_TOOL_H
