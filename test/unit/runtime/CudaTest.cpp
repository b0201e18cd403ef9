// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Device cuda against a stand-in for the driver: uploading, capturing, replaying, tensors on the device, and what goes
// wrong. What kernels compute on a real device is the business of other tests.
#include "TestSession.h"

#include "mjolnir/format/FinishRun.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

fb::ProgramT makeCudaProgram(const char *architecture = "sm_90a") {
  fb::ProgramT program = makeProgram();
  program.target->kind = "cuda";
  program.target->triple.clear();
  program.target->features = {architecture};
  for (auto &kernel : program.kernels)
    kernel->threads = 32;
  return program;
}

/// A dense f32 tensor over `data`.
struct Floats {
  std::vector<int64_t> shape;
  DLTensor tensor;
  Floats(std::vector<float> &data, std::vector<int64_t> extents, DLDeviceType device = kDLCPU)
      : shape(std::move(extents)),
        tensor{data.data(), {device, 0}, int32_t(shape.size()), {kDLFloat, 32, 1}, shape.data(), nullptr, 0} {}
};

/// Runs `affine` on new numbers and checks them; tensors lie on `device`.
void checkAffine(mj_session *session, float scale, DLDeviceType device = kDLCPU) {
  std::vector<float> a(256), b(256), y(256), sum(256);
  for (int i = 0; i < 256; ++i)
    a[i] = scale * float(i), b[i] = scale * float(1000 - 3 * i);
  Floats at(a, {4, 64}, device), bt(b, {4, 64}, device), yt(y, {4, 64}, device), sumt(sum, {4, 64}, device);
  const DLTensor *inputs[] = {&at.tensor, &bt.tensor}, *outputs[] = {&yt.tensor, &sumt.tensor};
  ASSERT_EQ(mj_session_run(session, Affine, inputs, 2, outputs, 2), MJ_OK) << mj_last_error();
  for (int i = 0; i < 256; ++i) {
    ASSERT_EQ(sum[i], a[i] + b[i]) << i;
    ASSERT_EQ(y[i], (a[i] + b[i]) * float(i % 64 + 1)) << i;
  }
}

TEST(Cuda, ComputesWithAndWithoutGraphs) {
  for (uint32_t flags : {0, int(MJ_SESSION_NO_GRAPHS), int(MJ_SESSION_NO_DEPENDENT_LAUNCHES)}) {
    Handles handles;
    openSession(handles, makeCudaProgram(), flags);
    for (float scale : {1.0f, 2.0f, 3.0f})
      checkAffine(handles.session, scale);
  }
}

TEST(Cuda, ReadsAndWritesTensorsOnTheDevice) {
  Handles handles;
  openSession(handles, makeCudaProgram());
  // Other addresses each time, then the CPU's again.
  for (float scale : {1.0f, 2.0f})
    checkAffine(handles.session, scale, kDLCUDA);
  checkAffine(handles.session, 3.0f);
}

// Kernels read and write 16 bytes at once; the CPU's memory, which is copied, may lie as it likes.
TEST(Cuda, RefusesTensorsOnTheDeviceThatKernelsCannotUse) {
  Handles handles;
  openSession(handles, makeCudaProgram());
  std::vector<float> a(260, 1.0f), y(260);
  auto run = [&](DLDeviceType device, size_t inputElements, size_t outputElements) {
    Floats at(a, {4, 64}, device), yt(y, {4, 64}, device);
    at.tensor.byte_offset = inputElements * sizeof(float);
    yt.tensor.byte_offset = outputElements * sizeof(float);
    const DLTensor *inputs[] = {&at.tensor, &at.tensor}, *outputs[] = {&yt.tensor, nullptr};
    return mj_session_run(handles.session, Affine, inputs, 2, outputs, 2);
  };
  ASSERT_EQ(reinterpret_cast<uintptr_t>(a.data()) % 16 + reinterpret_cast<uintptr_t>(y.data()) % 16, 0u);
  EXPECT_EQ(run(kDLCUDA, 1, 0), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(mj_last_error()),
            "input 'a': the tensor's address on the device is a multiple of 4 bytes and no more; kernels want 16: give "
            "the tensor memory of its own, or byte_offset another value");
  EXPECT_EQ(run(kDLCUDA, 0, 2), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(mj_last_error()).find("output 'y': the tensor's address on the device is a multiple of 8 "), 0u)
      << mj_last_error();
  ASSERT_EQ(run(kDLCUDA, 4, 4), MJ_OK) << mj_last_error();
  EXPECT_EQ(y[4 + 63], 2.0f * 64);
  ASSERT_EQ(run(kDLCPU, 3, 1), MJ_OK) << mj_last_error();
  EXPECT_EQ(y[1 + 63], 2.0f * 64);
}

TEST(Cuda, KeepsStateInThePool) {
  Handles handles;
  openSession(handles, makeCudaProgram());
  std::vector<float> x = {1.5f}, total(8);
  Floats xt(x, {1}), totalt(total, {8});
  const DLTensor *inputs[] = {&xt.tensor}, *outputs[] = {&totalt.tensor};
  for (int run = 1; run <= 3; ++run) {
    ASSERT_EQ(mj_session_run(handles.session, Count, inputs, 1, outputs, 1), MJ_OK) << mj_last_error();
    for (float counter : total)
      ASSERT_EQ(counter, 1.5f * float(run)); // a pool starts as zeros
  }
}

/// Opens the program with the kernel that brings outputs back, as the compiler gives packages one.
mj_status openBringing(Handles &handles, const std::string &image, fb::ProgramT program = makeCudaProgram()) {
  program.images.push_back(std::make_unique<fb::ImageT>());
  program.images.back()->member = format::FinishImage;
  std::string path = temporaryPath("bringing.mjp");
  if (auto error = writeTestPackage(path, testImage(), std::move(program), image))
    ADD_FAILURE() << error.message();
  return mj_package_open(path.c_str(), &handles.package);
}

// By a kernel of the package's, or by the driver where the package has none; what stays on the device by neither.
TEST(Cuda, BringsOutputsBack) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(driver) << dlerror();
  auto *calls = reinterpret_cast<const char *(*)()>(dlsym(driver, "fakeCudaCalls"));
  ASSERT_TRUE(calls);
  struct Case {
    bool hasKernel;
    DLDeviceType device;
    const char *launches, *copies; // when the graph is made: of the program two and one; one of the inputs
  };
  for (const Case &what : {Case{false, kDLCPU, "cuLaunchKernelEx 2", "cuMemcpyAsync 4"},
                           Case{true, kDLCPU, "cuLaunchKernelEx 4", "cuMemcpyAsync 2"},
                           Case{false, kDLCUDA, "cuLaunchKernelEx 2", "cuMemcpyAsync 1"},
                           Case{true, kDLCUDA, "cuLaunchKernelEx 2", "cuMemcpyAsync 1"}}) {
    Handles handles;
    if (what.hasKernel) {
      ASSERT_EQ(openBringing(handles, testImage()), MJ_OK) << mj_last_error();
      ASSERT_EQ(mj_session_create(handles.package, nullptr, &handles.session), MJ_OK) << mj_last_error();
    } else {
      openSession(handles, makeCudaProgram());
    }
    calls();
    checkAffine(handles.session, 1.0f, what.device);
    const std::string made = calls();
    EXPECT_NE(made.find(what.launches), std::string::npos) << made;
    EXPECT_NE(made.find(what.copies), std::string::npos) << made;
    checkAffine(handles.session, 2.0f, what.device);
  }
  Handles handles;
  EXPECT_EQ(openBringing(handles, "this is no image at all, though it is long enough to hold the header of one: 64 B"),
            MJ_ERROR_MALFORMED);
  EXPECT_NE(std::string(mj_last_error()).find("loading image 'runtime/finish_run.cubin' on 'Fake'"), std::string::npos)
      << mj_last_error();
}

TEST(Cuda, UnwantedOutputsNeedNoMemory) {
  Handles handles;
  openSession(handles, makeCudaProgram());
  std::vector<float> a(256, 1.0f), b(256, 2.0f), sum(256);
  Floats at(a, {4, 64}), bt(b, {4, 64}), sumt(sum, {4, 64});
  const DLTensor *inputs[] = {&at.tensor, &bt.tensor}, *outputs[] = {nullptr, &sumt.tensor};
  ASSERT_EQ(mj_session_run(handles.session, Affine, inputs, 2, outputs, 2), MJ_OK) << mj_last_error();
  EXPECT_EQ(sum, std::vector<float>(256, 3.0f));
}

TEST(Cuda, ProfilesEachStep) {
  Handles handles;
  openSession(handles, makeCudaProgram());
  ASSERT_EQ(mj_session_set_profiling(handles.session, 1), MJ_OK);
  checkAffine(handles.session, 1.0f);
  const mj_step_profile *steps = nullptr;
  size_t count = mj_session_profile(handles.session, &steps);
  ASSERT_GE(count, 2u);
  uint64_t milliseconds = 0;
  for (size_t i = 0; i < count; ++i)
    milliseconds += steps[i].nanoseconds / 1000000;
  EXPECT_GE(milliseconds, 2u); // the fake driver's launches take one each
}

struct Refusal {
  mj_status code;
  const char *sentence;
};

void expectRefused(fb::ProgramT program, Refusal refusal) {
  Handles handles;
  EXPECT_EQ(openPackage(handles, std::move(program)), refusal.code);
  EXPECT_NE(std::string(mj_last_error()).find(refusal.sentence), std::string::npos) << mj_last_error();
}

TEST(Cuda, RunsOnTheArchitectureThatAnImageIsFor) {
  const std::pair<const char *, const char *> runs[] = {
      {"90", "sm_90a"}, {"110", "sm_110f"}, {"111", "sm_110f"}, {"121", "sm_120f"}, {"120", "compute_75"}};
  for (auto [capability, architecture] : runs) {
    Setting setting("FAKE_CUDA_CAPABILITY", capability);
    Handles handles;
    EXPECT_EQ(openPackage(handles, makeCudaProgram(architecture)), MJ_OK) << mj_last_error();
  }
  const std::pair<const char *, const char *> refused[] = {
      {"100", "sm_90a"}, {"120", "sm_110f"}, {"110", "sm_120f"}, {"70", "compute_75"}};
  for (auto [capability, architecture] : refused) {
    Setting setting("FAKE_CUDA_CAPABILITY", capability);
    const bool isPtx = std::string(architecture).find("compute_") == 0;
    std::string both = std::string("the package holds ") + (isPtx ? "PTX of " : "code for ") + architecture +
                       ", and the device 'Fake' is sm_" + capability;
    expectRefused(makeCudaProgram(architecture), {MJ_ERROR_UNSUPPORTED, both.c_str()});
  }
}

// The machine code where it fits, the PTX where that does, and an error that names both where neither does. What is not
// needed is not loaded: here it is nothing that could be.
TEST(Cuda, PortablePackagesRunFromPtxWhereMachineCodeDoesNotFit) {
  auto openPortable = [](const char *capability, const std::string &code, const std::string &ptx, Handles &handles) {
    Setting setting("FAKE_CUDA_CAPABILITY", capability);
    fb::ProgramT program = makeCudaProgram("sm_90a");
    program.target->features.push_back("compute_90");
    program.images.push_back(std::make_unique<fb::ImageT>());
    program.images.back()->member = "kernels.ptx";
    for (auto &kernel : program.kernels)
      kernel->portable_image = 1;
    std::string path = temporaryPath("portable.mjp");
    if (auto error = writeTestPackage(path, code, std::move(program), ptx))
      ADD_FAILURE() << error.message();
    return mj_package_open(path.c_str(), &handles.package);
  };
  const std::string nothing = "this is no image at all, though it is long enough to hold the header of one: 64 bytes";
  for (const char *capability : {"90", "100", "120"}) {
    Handles handles;
    const bool hasCode = capability == std::string("90");
    ASSERT_EQ(openPortable(capability, hasCode ? testImage() : nothing, hasCode ? nothing : testImage(), handles),
              MJ_OK)
        << mj_last_error();
    ASSERT_EQ(mj_session_create(handles.package, nullptr, &handles.session), MJ_OK) << mj_last_error();
    checkAffine(handles.session, 1.0f);
  }
  Handles handles;
  EXPECT_EQ(openPortable("89", testImage(), testImage(), handles), MJ_ERROR_UNSUPPORTED);
  EXPECT_NE(std::string(mj_last_error())
                .find("the package holds code for sm_90a and PTX of compute_90, and the device 'Fake' is sm_89, which "
                      "neither fits; compile it with --target=cuda:sm_89"),
            std::string::npos)
      << mj_last_error();
}

TEST(Cuda, SaysWhatTheDriverRefuses) {
  {
    Setting setting("FAKE_CUDA_FAIL", "cuModuleLoadDataEx");
    expectRefused(makeCudaProgram(),
                  {MJ_ERROR_MALFORMED, "loading image 'kernels.so' on 'Fake': CUDA_ERROR_NOT_SUPPORTED (801)"});
  }
  {
    fb::ProgramT program = makeCudaProgram();
    program.kernels[0]->symbol = "nothing";
    expectRefused(std::move(program), {MJ_ERROR_MALFORMED, "image 'kernels.so' has no symbol 'nothing'"});
  }
  {
    fb::ProgramT program = makeCudaProgram();
    program.kernels[0]->shared_bytes = 200 * 1024;
    expectRefused(std::move(program),
                  {MJ_ERROR_UNSUPPORTED, "needs 204800 bytes of shared memory; a block has 102400"});
  }
  Handles handles;
  openSession(handles, makeCudaProgram());
  Setting setting("FAKE_CUDA_FAIL", "cuGraphLaunch");
  std::vector<float> x = {1.0f};
  Floats xt(x, {1});
  const DLTensor *inputs[] = {&xt.tensor}, *outputs[] = {nullptr};
  EXPECT_EQ(mj_session_run(handles.session, Count, inputs, 1, outputs, 1), MJ_ERROR_INTERNAL);
  EXPECT_NE(std::string(mj_last_error()).find("entry 'count': replaying the graph: CUDA_ERROR_NOT_SUPPORTED (801)"),
            std::string::npos)
      << mj_last_error();
}

TEST(Cuda, OutOfMemorySaysWhatWantedHowMuch) {
  {
    Setting setting("FAKE_CUDA_MEMORY", "100");
    expectRefused(makeCudaProgram(), {MJ_ERROR_OUT_OF_MEMORY, "the package's weights needs "});
  }
  Handles handles;
  ASSERT_EQ(openPackage(handles, makeCudaProgram()), MJ_OK) << mj_last_error();
  mj_session_options options = {sizeof(options), 0, 1 << 20, 0, 0};
  Setting setting("FAKE_CUDA_MEMORY", "100000");
  EXPECT_EQ(mj_session_create(handles.package, &options, &handles.session), MJ_ERROR_OUT_OF_MEMORY);
  EXPECT_NE(
      std::string(mj_last_error()).find("KV pool 'kv' of 1048576 pages needs 268435456 bytes on the device, of which "),
      std::string::npos)
      << mj_last_error();
}

/// Kilobytes of `path` that this process has in its memory.
size_t residentKilobytes(const std::string &path) {
  std::ifstream maps("/proc/self/smaps");
  size_t sum = 0;
  bool isFile = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' '))
      isFile = line.size() >= path.size() && line.compare(line.size() - path.size(), path.size(), path) == 0;
    else if (isFile && line.compare(0, 4, "Rss:") == 0)
      sum += strtoull(line.c_str() + 4, nullptr, 10);
  }
  return sum;
}

/// Kilobytes of `path` that the system keeps.
size_t cachedKilobytes(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY);
  struct stat info = {};
  fstat(file, &info);
  void *data = mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_SHARED, file, 0);
  std::vector<unsigned char> pages((size_t(info.st_size) + 4095) / 4096);
  EXPECT_EQ(mincore(data, size_t(info.st_size), pages.data()), 0);
  munmap(data, size_t(info.st_size));
  close(file);
  return size_t(std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; })) * 4;
}

TEST(Cuda, UploadsOnceAndGivesTheFileBack) {
  std::string path = temporaryPath("big.mjp");
  fb::ProgramT program = makeCudaProgram();
  fb::ProgramT big = makeBigProgram();
  big.target = std::move(program.target);
  for (auto &kernel : big.kernels)
    kernel->threads = 32;
  if (auto error = writeTestPackage(path, testImage(), std::move(big)))
    FAIL() << error.message();
  int file = open(path.c_str(), O_RDONLY); // what is not on disk yet cannot leave memory
  fsync(file);
  close(file);
  struct statfs system = {};
  statfs(path.c_str(), &system);
  constexpr decltype(system.f_type) Tmpfs = 0x01021994;
  for (const char *integrated : {"0", "1"}) {
    Setting setting("FAKE_CUDA_INTEGRATED", integrated);
    Handles handles;
    std::vector<std::pair<uint64_t, uint64_t>> calls;
    mj_package_options options = {};
    options.struct_size = sizeof(options);
    options.user = &calls;
    options.progress = [](void *user, uint64_t done, uint64_t total) {
      static_cast<std::vector<std::pair<uint64_t, uint64_t>> *>(user)->push_back({done, total});
    };
    ASSERT_EQ(mj_package_open_with(path.c_str(), &options, &handles.package), MJ_OK) << mj_last_error();
    ASSERT_FALSE(calls.empty());
    for (size_t i = 1; i < calls.size(); ++i)
      EXPECT_GE(calls[i].first, calls[i - 1].first);
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i].second, calls.back().second);
      EXPECT_EQ(calls[i].first == calls[i].second, i + 1 == calls.size());
    }
    EXPECT_GE(calls.back().second, BigWeightBytes);
    EXPECT_LT(residentKilobytes(path), 1024u);
    if (integrated[0] == '1' && system.f_type != Tmpfs)
      EXPECT_LT(cachedKilobytes(path), 1024u);
    const mj_phase *phases = nullptr;
    size_t count = mj_package_phases(handles.package, &phases);
    std::string names;
    for (size_t i = 0; i < count; ++i)
      names += std::string(i ? ", " : "") + phases[i].name;
    EXPECT_EQ(names, "map and verify, start the driver, upload the weights, wait for the kernels, load the kernels");

    ASSERT_EQ(mj_session_create(handles.package, nullptr, &handles.session), MJ_OK) << mj_last_error();
    std::string bytes(BigWeightBytes, 0);
    int64_t extent = BigWeightBytes;
    DLTensor tensor = {bytes.data(), {kDLCPU, 0}, 1, {kDLUInt, 8, 1}, &extent, nullptr, 0};
    const DLTensor *outputs[] = {&tensor};
    ASSERT_EQ(mj_session_run(handles.session, Peek, nullptr, 0, outputs, 1), MJ_OK) << mj_last_error();
    EXPECT_TRUE(bytes == weightBytes(BigWeight));
  }
  Setting setting("FAKE_CUDA_FAIL", "cuMemcpyAsync");
  Handles handles;
  EXPECT_EQ(mj_package_open(path.c_str(), &handles.package), MJ_ERROR_INTERNAL);
  EXPECT_NE(std::string(mj_last_error()).find("uploading the weights: CUDA_ERROR_NOT_SUPPORTED (801)"),
            std::string::npos)
      << mj_last_error();
}

TEST(Cuda, RefusesFlagsThatItDoesNotKnow) {
  Handles handles;
  ASSERT_EQ(openPackage(handles, makeCudaProgram()), MJ_OK) << mj_last_error();
  mj_session_options options = {sizeof(options), 0, 0, 1u << 30, 0};
  EXPECT_EQ(mj_session_create(handles.package, &options, &handles.session), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(mj_last_error()).find("flags has bits that this runtime does not know"), std::string::npos);
}

// In a process of its own: a profiler's library is looked for once.
TEST(CudaDeathTest, ProfilersSeeRanges) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::string log = temporaryPath("ranges.txt");
  Setting library("NVTX_INJECTION64_PATH", MJOLNIR_FAKE_PROFILER), name("FAKE_PROFILER_LOG", log.c_str());
  EXPECT_EXIT(
      {
        {
          Handles handles;
          openSession(handles, makeCudaProgram());
          checkAffine(handles.session, 1.0f);
        }
        std::ifstream file(getenv("FAKE_PROFILER_LOG"));
        std::cerr << file.rdbuf();
        exit(testing::Test::HasFailure());
      },
      testing::ExitedWithCode(0),
      "map and verify\nstart the driver\nupload the weights\nwait for the kernels\nallocate memory\ncapture graphs\n"
      "affine\n  capture\n    .*\nwait\n");
}

TEST(Cuda, WithoutADeviceSaysSo) {
  Setting setting("FAKE_CUDA_DEVICES", "0");
  expectRefused(makeCudaProgram(), {MJ_ERROR_UNSUPPORTED, "the CUDA driver finds none"});
}

} // namespace
