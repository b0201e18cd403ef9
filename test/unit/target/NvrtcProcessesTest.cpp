// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels compiled in other processes, by FakeNvrtc.cpp: results, errors and crashes, one after the other and at once.
#include "targets/cuda/NvrtcProcesses.h"

#include <gtest/gtest.h>
#include <thread>

using namespace mjolnir::cuda;

namespace {

const Nvrtc &nvrtc() {
  static llvm::Expected<const Nvrtc *> found = Nvrtc::get();
  if (!found)
    ADD_FAILURE() << llvm::toString(found.takeError());
  return **found;
}

CompileKernelRequest makeRequest(std::string source) {
  return {"one", std::move(source), {{"a.cuh", "first"}, {"b.cuh", "second"}}, "sm_90a"};
}

std::string codeOf(llvm::Expected<CompiledKernel> kernel) {
  if (!kernel)
    return "error: " + llvm::toString(kernel.takeError());
  return std::string(kernel->code.begin(), kernel->code.end());
}

TEST(NvrtcProcessesTest, GiveWhatNvrtcGives) {
  NvrtcProcesses processes(nvrtc());
  CompileKernelRequest request = makeRequest("body");
  llvm::Expected<CompiledKernel> kernel = processes.compile(request);
  ASSERT_TRUE(bool(kernel)) << llvm::toString(kernel.takeError());
  EXPECT_EQ(kernel->registers, 52);
  EXPECT_EQ(kernel->spillBytes, 16 + 24);
  EXPECT_EQ(kernel->stackBytes, 8);
  EXPECT_EQ(kernel->sharedBytes, 136);
  std::string code = codeOf(std::move(kernel));
  EXPECT_EQ(code, codeOf(nvrtc().compile(request)));
  EXPECT_NE(code.find("body + a.cuh: first + b.cuh: second"), std::string::npos) << code;
  EXPECT_NE(code.find("--gpu-architecture=sm_90a"), std::string::npos) << code;
  EXPECT_NE(code.find("--no-cache"), std::string::npos) << code; // a driver's cache says nothing of registers
}

TEST(NvrtcProcessesTest, PassErrorsOn) {
  NvrtcProcesses processes(nvrtc());
  EXPECT_EQ(codeOf(processes.compile(makeRequest("refuse"))),
            "error: NVRTC refuses kernel one for sm_90a:\nline 1: no");
}

TEST(NvrtcProcessesTest, OutliveCrashes) {
  NvrtcProcesses processes(nvrtc());
  for (int round = 0; round < 3; ++round) {
    std::string crash = codeOf(processes.compile(makeRequest("crash")));
    EXPECT_EQ(crash.find("error: NVRTC 13.9 crashed (Segmentation fault) on kernel one for sm_90a"), 0u) << crash;
    std::string end = codeOf(processes.compile(makeRequest("exit")));
    EXPECT_EQ(end.find("error: NVRTC 13.9 ended with exit code 3 on kernel one"), 0u) << end;
    EXPECT_EQ(codeOf(processes.compile(makeRequest("body"))).find("body"), 0u);
  }
}

TEST(NvrtcProcessesTest, ServeSeveralThreads) {
  NvrtcProcesses processes(nvrtc());
  std::vector<std::string> found(32);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < found.size(); ++i)
    threads.emplace_back([&, i] {
      std::string source = i % 5 == 0 ? "crash" : "body " + std::to_string(i) + std::string(i * 10000, 'x');
      found[i] = codeOf(processes.compile(makeRequest(source)));
    });
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].find(i % 5 == 0 ? "error: NVRTC 13.9 crashed" : "body " + std::to_string(i)), 0u) << i;
}

} // namespace
