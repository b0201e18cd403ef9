// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir_check_cases: runs the packages of a folder of cases (CaseFile.h) and compares what comes out with what is
// expected. Needs the runtime and a reader of JSON, no compiler: for machines that have a driver only.
#include "mjolnir/runtime.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>

using namespace mjolnir;

namespace {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file of F64 tensors. What does not fit is refused with a sentence.
class CaseFile {
public:
  explicit CaseFile(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::string contents((std::istreambuf_iterator<char>(file)), {});
    uint64_t length = 0;
    if (contents.size() < sizeof(length))
      throw Failure("'" + path + "' cannot be read");
    std::memcpy(&length, contents.data(), sizeof(length));
    if (length > contents.size() - sizeof(length))
      throw Failure("'" + path + "' is cut off");
    data = contents.substr(sizeof(length) + length);
    header = nlohmann::json::parse(contents.substr(sizeof(length), length));
    if (text("format") != "mjolnir-case-1")
      throw Failure("'" + path + "' has the format '" + text("format") + "', not mjolnir-case-1");
  }

  std::string text(const std::string &name) const { return header.at("__metadata__").at(name); }
  double number(const std::string &name) const { return std::stod(text(name)); }
  bool has(const std::string &name) const { return header.contains(name); }

  std::vector<double> tensor(const std::string &name, size_t count) const {
    if (!has(name))
      throw Failure("the case has no tensor '" + name + "'");
    const nlohmann::json &entry = header.at(name);
    uint64_t begin = entry.at("data_offsets").at(0), end = entry.at("data_offsets").at(1);
    if (entry.at("dtype") != "F64" || begin > end || end > data.size() || end - begin != count * sizeof(double))
      throw Failure("tensor '" + name + "' does not hold " + std::to_string(count) + " numbers");
    std::vector<double> numbers(count);
    std::memcpy(numbers.data(), data.data() + begin, end - begin);
    return numbers;
  }

private:
  nlohmann::json header;
  std::string data;
};

double fromHalf(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                               : std::ldexp(fraction, -24);
  return bits >> 15 ? -size : size;
}

/// Of a number that f16 holds.
uint16_t toHalf(double number) {
  uint16_t sign = std::signbit(number) ? 0x8000 : 0;
  double size = std::fabs(number);
  if (!(size <= 65504))
    return uint16_t(sign | 0x7c00 | (std::isnan(number) ? 0x200 : 0));
  int exponent = size > 0 ? std::max(std::ilogb(size), -14) : -14;
  auto fraction = uint16_t(std::ldexp(size, 10 - exponent));
  return uint16_t(sign | (fraction < 1024 ? fraction : ((exponent + 15) << 10) + fraction - 1024));
}

/// A tensor's memory. Numbers are exact in their type.
struct Buffer {
  explicit Buffer(const mj_binding_info &info) : info(info), words(info.bytes / 8 + 1, ~uint64_t(0)) {
    count = 1;
    for (int32_t i = 0; i < info.ndim; ++i)
      count *= size_t(info.shape[i]);
  }

  template <typename T> T *as() { return reinterpret_cast<T *>(words.data()); }
  void refuse() const {
    throw Failure(std::string("'") + info.name + "' has elements of a type that no case has: code " +
                  std::to_string(info.dtype.code) + ", " + std::to_string(info.dtype.bits) + " bits");
  }
  bool is(DLDataTypeCode code, int bits) const { return info.dtype.code == code && info.dtype.bits == bits; }

  void set(const std::vector<double> &numbers) {
    for (size_t i = 0; i < count; ++i) {
      float narrow = float(numbers[i]);
      uint32_t bits;
      std::memcpy(&bits, &narrow, sizeof(bits));
      if (is(kDLFloat, 32))
        as<float>()[i] = narrow;
      else if (is(kDLFloat, 16))
        as<uint16_t>()[i] = toHalf(numbers[i]);
      else if (is(kDLBfloat, 16))
        as<uint16_t>()[i] = uint16_t(bits >> 16);
      else if (is(kDLInt, 32))
        as<int32_t>()[i] = int32_t(numbers[i]);
      else if (is(kDLInt, 64))
        as<int64_t>()[i] = int64_t(numbers[i]);
      else
        refuse();
    }
  }
  std::vector<double> get() {
    std::vector<double> numbers(count);
    for (size_t i = 0; i < count; ++i) {
      if (is(kDLFloat, 32)) {
        numbers[i] = as<float>()[i];
      } else if (is(kDLFloat, 16)) {
        numbers[i] = fromHalf(as<uint16_t>()[i]);
      } else if (is(kDLBfloat, 16)) {
        uint32_t bits = uint32_t(as<uint16_t>()[i]) << 16;
        float wide;
        std::memcpy(&wide, &bits, sizeof(wide));
        numbers[i] = wide;
      } else if (is(kDLInt, 32)) {
        numbers[i] = as<int32_t>()[i];
      } else if (is(kDLInt, 64)) {
        numbers[i] = double(as<int64_t>()[i]);
      } else {
        refuse();
      }
    }
    return numbers;
  }

  mj_binding_info info;
  std::vector<uint64_t> words;
  size_t count;
};

template <typename T> T &&valueOf(Result<T> &&result) {
  if (!result)
    throw Failure(result.error().message);
  return *std::move(result);
}

struct Worst {
  double bound = 0, model = 0; ///< in units of what is allowed
};

/// Compares one output; throws where it is not what is expected.
void compare(const CaseFile &file, const std::string &step, Buffer &got, Worst &worst) {
  std::string name = got.info.name, place = "step " + step + ", output " + name;
  std::vector<double> numbers = got.get(), expected = file.tensor(step + ".output." + name, got.count);
  std::vector<double> bounds = file.tensor(step + ".bound." + name, got.count);
  bool hasModel = file.has(step + ".model." + name);
  std::vector<double> felt;
  if (hasModel)
    felt = file.tensor(step + ".felt." + name, got.count);
  double squares = 0, compared = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    double difference = std::fabs(numbers[i] - expected[i]), allowed = file.number("bound_factor") * bounds[i];
    if (hasModel && felt[i] != 0)
      squares += difference * difference, ++compared;
    if (std::isinf(bounds[i]))
      continue;
    if (!(difference <= allowed))
      throw Failure(place + ", element " + std::to_string(i) + ": " + std::to_string(numbers[i]) + " instead of " +
                    std::to_string(expected[i]) + ", at most " + std::to_string(allowed) + " off");
    if (difference > 0)
      worst.bound = std::max(worst.bound, difference / allowed);
  }
  if (compared == 0)
    return;
  double error = std::sqrt(squares / compared);
  double allowed = file.number("model_factor") * file.tensor(step + ".model." + name, 1).front();
  if (!(error <= allowed) && !std::isinf(allowed))
    throw Failure(place + ": root mean square error " + std::to_string(error) + ", at most " + std::to_string(allowed));
  if (error > 0)
    worst.model = std::max(worst.model, error / allowed);
}

void runCase(const std::string &stem, uint32_t flags, Worst &worst) {
  CaseFile file(stem + ".safetensors");
  Package package = valueOf(Package::open(stem + ".mjp"));
  mj_session_options options = {};
  options.struct_size = sizeof(options);
  options.threads = 2;
  // The pool of layers with a window, where there is one, is used like the other.
  options.kv_pages = options.kv_window_pages = uint32_t(file.number("kv_pages"));
  options.flags = flags;
  mj_session *handle = nullptr;
  if (mj_session_create(package.get(), &options, &handle))
    throw Failure(mj_last_error());
  std::unique_ptr<mj_session, void (*)(mj_session *)> session(handle, mj_session_destroy);
  for (uint64_t i = 0, steps = uint64_t(file.number("steps")); i < steps; ++i) {
    std::string step = std::to_string(i);
    size_t entry = valueOf(package.findEntry(file.text(step + ".entry")));
    mj_entry_info info = valueOf(package.entry(entry));
    std::vector<Buffer> in, out;
    std::vector<Tensor> tensors;
    std::vector<const DLTensor *> inputs, outputs;
    // Tensors point into buffers.
    in.reserve(info.inputs), out.reserve(info.outputs), tensors.reserve(info.inputs + info.outputs);
    for (size_t k = 0; k < info.inputs; ++k) {
      Buffer &buffer = in.emplace_back(valueOf(package.input(entry, k)));
      buffer.set(file.tensor(step + ".input." + buffer.info.name, buffer.count));
      inputs.push_back(tensors.emplace_back(buffer.words.data(), buffer.info).dl());
    }
    for (size_t k = 0; k < info.outputs; ++k) {
      Buffer &buffer = out.emplace_back(valueOf(package.output(entry, k)));
      outputs.push_back(tensors.emplace_back(buffer.words.data(), buffer.info).dl());
    }
    if (mj_session_run(session.get(), entry, inputs.data(), inputs.size(), outputs.data(), outputs.size()))
      throw Failure("step " + step + ": " + mj_last_error());
    for (Buffer &buffer : out)
      compare(file, step, buffer, worst);
  }
}

int complain(const std::string &message) {
  std::fprintf(stderr, "mjolnir_check_cases: %s\n", message.c_str());
  return 2;
}

} // namespace

int main(int argc, char **argv) {
  std::string folder;
  uint64_t part = 0, parts = 1;
  uint32_t flags = 0;
  for (int i = 1; i < argc; ++i) {
    unsigned long long a = 0, b = 0;
    if (std::sscanf(argv[i], "--part=%llu/%llu", &a, &b) == 2 && a < b)
      part = a, parts = b;
    else if (std::strcmp(argv[i], "--no-graphs") == 0)
      flags |= MJ_SESSION_NO_GRAPHS | MJ_SESSION_NO_DEPENDENT_LAUNCHES;
    else if (argv[i][0] != '-' && folder.empty())
      folder = argv[i];
    else
      return complain("usage: mjolnir_check_cases FOLDER [--part=I/N] [--no-graphs]\n"
                      "Runs the cases of FOLDER, or the I-th (from 0) of N parts of them; --no-graphs launches every "
                      "kernel by itself.\nExit codes: 0 all passed, 1 some failed, 2 there is nothing to run.");
  }
  std::vector<std::string> stems, refused;
  std::error_code error;
  for (std::filesystem::directory_iterator file(folder, error), end; file != end && !error; file.increment(error)) {
    std::string stem = (file->path().parent_path() / file->path().stem()).string();
    if (file->path().extension() == ".safetensors")
      stems.push_back(stem);
    else if (file->path().extension() == ".refused")
      refused.push_back(stem);
  }
  if (error || (stems.empty() && refused.empty()))
    return complain("'" + folder + "' holds no cases" + (error ? ": " + error.message() : ""));
  std::sort(stems.begin(), stems.end());
  size_t passed = 0;
  Worst worst;
  std::vector<std::string> failed;
  for (size_t i = part; i < stems.size(); i += parts) {
    std::string name = std::filesystem::path(stems[i]).filename().string(), message;
    // A case that takes the process with it is the last one named.
    std::printf("%s ", name.c_str());
    std::fflush(stdout);
    try {
      runCase(stems[i], flags, worst);
    } catch (const std::exception &failure) {
      message = failure.what();
    }
    std::printf("%s\n", message.empty() ? "passed" : ("FAILED: " + message).c_str());
    if (message.empty())
      ++passed;
    else
      failed.push_back(name);
  }
  std::printf("%zu passed, %zu failed, %zu refused by the compiler; worst error %.2f of its bound, %.2f of the model's "
              "gate\n",
              passed, failed.size(), refused.size(), worst.bound, worst.model);
  for (const std::string &name : failed)
    std::printf("failed: %s\n", name.c_str());
  return failed.empty() ? 0 : 1;
}
