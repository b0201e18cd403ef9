// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// CPU features as the kernel reports them: /proc/cpuinfo holds what the CPU has and the kernel has enabled, which is
// what code may use. LLVM and the kernel spell some names differently; the tables hold every name that LLVM may put in
// a package.
#include "CpuFeatures.h"

#include <cstdio>
#include <cstring>
#include <elf.h>
#include <memory>
#include <sched.h>
#include <string_view>
#include <unistd.h>
#include <unordered_set>

namespace mjolnir::runtime {
namespace {

struct Feature {
  std::string_view llvm;
  std::string_view kernel;
};

#if defined(__x86_64__)
constexpr std::string_view HostArchitecture = "x86_64";
constexpr std::string_view FlagsLine = "flags";
constexpr Feature KnownFeatures[] = {
    {"64bit", "lm"},
    {"adx", "adx"},
    {"aes", "aes"},
    {"amx-bf16", "amx_bf16"},
    {"amx-complex", "amx_complex"},
    {"amx-fp16", "amx_fp16"},
    {"amx-int8", "amx_int8"},
    {"amx-tile", "amx_tile"},
    {"avx", "avx"},
    {"avx2", "avx2"},
    {"avx512bf16", "avx512_bf16"},
    {"avx512bitalg", "avx512_bitalg"},
    {"avx512bw", "avx512bw"},
    {"avx512cd", "avx512cd"},
    {"avx512dq", "avx512dq"},
    {"avx512f", "avx512f"},
    {"avx512fp16", "avx512_fp16"},
    {"avx512ifma", "avx512ifma"},
    {"avx512vbmi", "avx512vbmi"},
    {"avx512vbmi2", "avx512_vbmi2"},
    {"avx512vl", "avx512vl"},
    {"avx512vnni", "avx512_vnni"},
    {"avx512vp2intersect", "avx512_vp2intersect"},
    {"avx512vpopcntdq", "avx512_vpopcntdq"},
    {"avxifma", "avx_ifma"},
    {"avxneconvert", "avx_ne_convert"},
    {"avxvnni", "avx_vnni"},
    {"avxvnniint16", "avx_vnni_int16"},
    {"avxvnniint8", "avx_vnni_int8"},
    {"bmi", "bmi1"},
    {"bmi2", "bmi2"},
    {"cldemote", "cldemote"},
    {"clflushopt", "clflushopt"},
    {"clwb", "clwb"},
    {"clzero", "clzero"},
    {"cmov", "cmov"},
    {"crc32", "sse4_2"},
    {"cx16", "cx16"},
    {"cx8", "cx8"},
    {"f16c", "f16c"},
    {"fma", "fma"},
    {"fma4", "fma4"},
    {"fsgsbase", "fsgsbase"},
    {"fxsr", "fxsr"},
    {"gfni", "gfni"},
    {"invpcid", "invpcid"},
    {"lzcnt", "abm"},
    {"mmx", "mmx"},
    {"movbe", "movbe"},
    {"movdir64b", "movdir64b"},
    {"movdiri", "movdiri"},
    {"mwaitx", "mwaitx"},
    {"pclmul", "pclmulqdq"},
    {"pku", "pku"},
    {"popcnt", "popcnt"},
    {"prfchw", "3dnowprefetch"},
    {"ptwrite", "ptwrite"},
    {"rdpid", "rdpid"},
    {"rdpru", "rdpru"},
    {"rdrnd", "rdrand"},
    {"rdseed", "rdseed"},
    {"rtm", "rtm"},
    {"sahf", "lahf_lm"},
    {"serialize", "serialize"},
    {"sha", "sha_ni"},
    {"sha512", "sha512"},
    {"shstk", "user_shstk"},
    {"sm3", "sm3"},
    {"sm4", "sm4"},
    {"sse", "sse"},
    {"sse2", "sse2"},
    {"sse3", "pni"},
    {"sse4.1", "sse4_1"},
    {"sse4.2", "sse4_2"},
    {"sse4a", "sse4a"},
    {"ssse3", "ssse3"},
    {"tbm", "tbm"},
    {"vaes", "vaes"},
    {"vpclmulqdq", "vpclmulqdq"},
    {"waitpkg", "waitpkg"},
    {"wbnoinvd", "wbnoinvd"},
    {"x87", "fpu"},
    {"xop", "xop"},
    {"xsave", "xsave"},
    {"xsavec", "xsavec"},
    {"xsaveopt", "xsaveopt"},
    {"xsaves", "xsaves"},
};
#elif defined(__aarch64__)
constexpr std::string_view HostArchitecture = "aarch64";
constexpr std::string_view FlagsLine = "Features";
constexpr Feature KnownFeatures[] = {
    {"aes", "aes"},
    {"bf16", "bf16"},
    {"complxnum", "fcma"},
    {"crc", "crc32"},
    {"dotprod", "asimddp"},
    {"f32mm", "svef32mm"},
    {"f64mm", "svef64mm"},
    {"flagm", "flagm"},
    {"fp-armv8", "fp"},
    {"fp16fml", "asimdfhm"},
    {"fullfp16", "fphp"},
    {"i8mm", "i8mm"},
    {"jsconv", "jscvt"},
    {"lse", "atomics"},
    {"neon", "asimd"},
    {"rcpc", "lrcpc"},
    {"rdm", "asimdrdm"},
    {"sha2", "sha2"},
    {"sha3", "sha3"},
    {"sm4", "sm4"},
    {"sve", "sve"},
    {"sve2", "sve2"},
    {"sve2-bitperm", "svebitperm"},
};
#else
#error "the device host knows x86-64 and aarch64"
#endif

struct CloseFile {
  void operator()(FILE *file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

/// The names in the first line of /proc/cpuinfo that starts with `key`; they point into `storage`. Empty when
/// unreadable.
std::unordered_set<std::string_view> readKernelFlags(std::string_view key, std::string &storage) {
  std::unordered_set<std::string_view> flags;
  File file(fopen("/proc/cpuinfo", "re"));
  if (!file)
    return flags;
  char *line = nullptr;
  size_t capacity = 0;
  while (getline(&line, &capacity, file.get()) > 0)
    if (strncmp(line, key.data(), key.size()) == 0 && strchr(" \t:", line[key.size()])) {
      storage = line;
      break;
    }
  free(line);
  size_t at = storage.find(':');
  while (at != std::string::npos && (at = storage.find_first_not_of(" \t\n", at + 1)) != std::string::npos) {
    size_t end = std::min(storage.find_first_of(" \t\n", at), storage.size());
    flags.insert(std::string_view(storage).substr(at, end - at));
    at = end;
  }
  return flags;
}

/// LLVM spells one architecture in several ways.
std::string_view canonicalArchitecture(std::string_view name) {
  if (name == "amd64" || name == "x86-64")
    return "x86_64";
  if (name == "arm64")
    return "aarch64";
  return name;
}

} // namespace

Status checkHostTarget(const fb::Target &target) {
  std::string_view triple = target.triple()->string_view();
  std::string_view architecture = triple.substr(0, triple.find('-'));
  if (canonicalArchitecture(architecture) != HostArchitecture)
    return failure(MJ_ERROR_UNSUPPORTED, "the package holds code for ", quote(triple), "; this machine is ",
                   HostArchitecture);
  if (triple.find("linux") == std::string_view::npos)
    return failure(MJ_ERROR_UNSUPPORTED, "the package holds code for ", quote(triple), "; this machine runs Linux");
  if (!target.features() || target.features()->size() == 0)
    return Status::ok();

  std::string storage;
  auto flags = readKernelFlags(FlagsLine, storage);
  if (flags.empty())
    return failure(MJ_ERROR_UNSUPPORTED,
                   "the package needs CPU features, but /proc/cpuinfo, which lists what this machine "
                   "has, cannot be read");
  std::string missing;
  for (const flatbuffers::String *feature : *target.features()) {
    std::string_view name = feature->string_view();
    const Feature *known = nullptr;
    for (const Feature &candidate : KnownFeatures)
      if (candidate.llvm == name)
        known = &candidate;
    if (!known)
      return failure(MJ_ERROR_UNSUPPORTED, "the package needs the CPU feature ", quote(name),
                     ", which this runtime does not know");
    if (!flags.count(known->kernel))
      missing += (missing.empty() ? "" : ", ") + quote(name);
  }
  if (!missing.empty())
    return failure(MJ_ERROR_UNSUPPORTED, "the package needs CPU features that this machine lacks: ", missing,
                   "; compile it for this machine or for an older one");
  return Status::ok();
}

uint16_t hostElfMachine() {
#if defined(__x86_64__)
  return EM_X86_64;
#else
  return EM_AARCH64;
#endif
}

unsigned usableCores() {
  unsigned cores = 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    cores = static_cast<unsigned>(CPU_COUNT(&set));
  else if (long online = sysconf(_SC_NPROCESSORS_ONLN); online > 0) // more cores than the set has room for
    cores = static_cast<unsigned>(online);
  // Control group v2, as a container sees it: "max 100000", or microseconds of CPU time in a period.
  if (File file{fopen("/sys/fs/cgroup/cpu.max", "re")}) {
    unsigned long long quota = 0, period = 0;
    if (fscanf(file.get(), "%llu %llu", &quota, &period) == 2 && quota > 0 && period > 0) {
      unsigned long long share = (quota + period - 1) / period;
      if (share < cores)
        cores = static_cast<unsigned>(share);
    }
  }
  return cores > 0 ? cores : 1;
}

} // namespace mjolnir::runtime
