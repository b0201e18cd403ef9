// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Opening a package for a CUDA device.
#include "CudaDevice.h"
#include "CudaSession.h"
#include "Upload.h"

#include "../VerifyProgram.h"

#include "mjolnir/format/FinishRun.h"

#include <future>

namespace mjolnir::runtime {

using namespace cuda;

CudaDevice::~CudaDevice() {
  if (!context_)
    return;
  {
    Scope scope(*driver_, context_);
    cublasLt_.reset();
    weights_.free();
    for (Module module : modules_)
      if (module)
        driver_->moduleUnload(module);
  }
  driver_->primaryContextRelease(handle_);
}

Status CudaDevice::open(const PackageView &package, const OpenOptions &options, std::unique_ptr<Device> &result) {
  auto device = std::make_unique<CudaDevice>();
  options.phases.begin("start the driver");
  if (Status status = device->retain())
    return status;
  if (Status status = device->chooseArchitecture(*package.program().target()))
    return status;
  Scope scope(*device->driver_, device->context_);
  if (Status status = device->openLibraries(package.program()))
    return status;
  if (Status status = device->load(package, options))
    return status;
  result = std::move(device);
  return Status::ok();
}

/// The verifier knows the names of libraries.
Status CudaDevice::openLibraries(const fb::Program &program) {
  if (!program.libraries() || program.libraries()->size() == 0)
    return Status::ok();
  if (Status status = CublasLt::open(cublasLt_))
    return status;
  int driver = 0;
  driver_->driverGetVersion(&driver);
  algorithms_.open(concat(name_, ", driver ", driver, ", cuBLASLt ", cublasLt_->version()));
  return Status::ok();
}

/// Images are loaded by a thread while weights travel: that is work of the driver on one core, this mostly the bus's.
Status CudaDevice::load(const PackageView &package, const OpenOptions &options) {
  const uint64_t bytes = package.program().weights_bytes();
  if (Status status = DeviceMemory::allocate(*driver_, bytes, "the package's weights", weights_))
    return status;
  Status loaded, uploaded;
  uint64_t loadNanoseconds = 0;
  auto loadCode = [&] {
    Scope scope(*driver_, context_);
    const uint64_t begin = nanoseconds();
    loaded = loadImages(package);
    if (!loaded)
      loaded = findKernels(package.program());
    if (!loaded)
      loaded = loadFinishKernel(package);
    loadNanoseconds = nanoseconds() - begin;
  };
  if (bytes == 0) {
    loadCode();
  } else {
    std::future<void> loader = std::async(std::launch::async, loadCode);
    options.phases.begin("upload the weights");
    uploaded = uploadWeights(package, options);
    options.phases.begin("wait for the kernels");
    loader.get();
  }
  options.phases.end();
  options.phases.add("load the kernels", loadNanoseconds);
  return loaded ? std::move(loaded) : std::move(uploaded);
}

Status CudaDevice::createSession(const Package &package, const SessionOptions &options,
                                 std::unique_ptr<Session> &session) const {
  return CudaSession::create(package, *this, options, session);
}

Status CudaDevice::retain() {
  if (Status status = Driver::get(driver_))
    return status;
  int devices = 0;
  if (Status status = driver_->check(driver_->deviceGetCount(&devices), "counting CUDA devices"))
    return status;
  if (devices == 0)
    return failure(MJ_ERROR_UNSUPPORTED, "the package is for a CUDA device, and the CUDA driver finds none");
  if (Status status = driver_->check(driver_->deviceGet(&handle_, 0), "opening CUDA device 0"))
    return status;
  char name[256] = {};
  driver_->deviceGetName(name, sizeof(name) - 1, handle_);
  name_ = name;
  const std::pair<int, int *> attributes[] = {{AttributeIntegrated, &isIntegrated_},
                                              {AttributeComputeCapabilityMajor, &major_},
                                              {AttributeComputeCapabilityMinor, &minor_},
                                              {AttributeMaxSharedMemoryPerBlockOptin, &maxSharedBytes_}};
  for (auto [attribute, value] : attributes)
    if (Status status = driver_->check(driver_->deviceGetAttribute(value, attribute, handle_), "asking device ",
                                       quote(name_), " for attribute ", attribute))
      return status;
  Context context = nullptr;
  if (Status status =
          driver_->check(driver_->primaryContextRetain(&context, handle_), "making a context on ", quote(name_)))
    return status;
  context_ = context;
  return Status::ok();
}

namespace {

/// Whether code for `architecture` runs on a device of `capability`: `sm_90a` on 9.0 alone; `sm_110f` on the family,
/// the same major and at least that minor; `sm_90` likewise on later minors of its major; `compute_75` is PTX, which
/// newer devices compile when they load it.
bool fits(std::string_view architecture, std::pair<int, int> capability) {
  const bool isPtx = architecture.substr(0, 8) == "compute_";
  const std::string_view digits = architecture.substr(isPtx ? 8 : 3);
  int number = 0;
  size_t count = 0;
  for (; count < digits.size() && digits[count] >= '0' && digits[count] <= '9'; ++count)
    number = number * 10 + (digits[count] - '0');
  const std::pair<int, int> wanted(number / 10, number % 10);
  const std::string_view suffix = digits.substr(count);
  if (isPtx)
    return suffix.empty()  ? capability >= wanted
           : suffix == "a" ? capability == wanted
                           : capability.first == wanted.first && capability >= wanted;
  return suffix == "a" ? capability == wanted : capability.first == wanted.first && capability >= wanted;
}

} // namespace

/// Machine code where it fits, else PTX, where there is some.
Status CudaDevice::chooseArchitecture(const fb::Target &target) {
  std::string code, ptx;
  bool codeFits = false, ptxFits = false;
  for (const flatbuffers::String *feature : *target.features()) {
    const std::string_view text = feature->string_view();
    const bool isPtx = text.substr(0, 8) == "compute_";
    std::string &names = isPtx ? ptx : code;
    names += (names.empty() ? "" : " or ") + std::string(text);
    (isPtx ? ptxFits : codeFits) |= fits(text, {major_, minor_});
  }
  usesPtx_ = hasMachineCodeAndPtx(target) && !codeFits;
  if (codeFits || ptxFits)
    return Status::ok();
  const std::string held = (code.empty() ? "" : "code for " + code) + (code.empty() || ptx.empty() ? "" : " and ") +
                           (ptx.empty() ? "" : "PTX of " + ptx);
  const int number = major_ * 10 + minor_;
  return failure(MJ_ERROR_UNSUPPORTED, "the package holds ", held, ", and the device ", quote(name_), " is sm_", number,
                 code.empty() || ptx.empty() ? "" : ", which neither fits", "; compile it with --target=cuda:sm_",
                 number, major_ >= 10 ? "f" : (major_ == 9 ? "a" : ""));
}

Status CudaDevice::loadImages(const PackageView &package) {
  const fb::Program &program = package.program();
  modules_.resize(program.images()->size());
  for (const fb::Kernel *kernel : *program.kernels()) {
    Module &module = modules_[imageOf(*kernel)];
    if (module)
      continue;
    std::string_view member = program.images()->Get(imageOf(*kernel))->member()->string_view();
    if (Status status = loadImage(member, package.bytes(*package.find(member)), module))
      return status;
  }
  return Status::ok();
}

Status CudaDevice::loadImage(std::string_view member, ByteSpan bytes, Module &module) const {
  // The driver reads an image to an end that only its contents tell: a terminated copy bounds what text it can see.
  std::string copy(reinterpret_cast<const char *>(bytes.data), bytes.size);
  char log[4096] = {};
  int options[] = {JitErrorLogBuffer, JitErrorLogBufferBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log))};
  Result result = driver_->moduleLoad(&module, copy.c_str(), 2, options, values);
  if (result == Success)
    return Status::ok();
  module = nullptr;
  Status status = driver_->check(result, "loading image ", quote(member), " on ", quote(name_));
  return failure(MJ_ERROR_MALFORMED, status.message(), log[0] ? ": " : "", log);
}

Status CudaDevice::findKernels(const fb::Program &program) {
  kernels_.reserve(program.kernels()->size());
  for (const fb::Kernel *source : *program.kernels()) {
    std::string name = quote(source->name()->string_view());
    CudaKernel kernel;
    kernel.threads = source->threads();
    kernel.sharedBytes = source->shared_bytes();
    if (kernel.sharedBytes > static_cast<unsigned>(maxSharedBytes_))
      return failure(MJ_ERROR_UNSUPPORTED, "kernel ", name, " needs ", kernel.sharedBytes,
                     " bytes of shared memory; a block has ", maxSharedBytes_, " on ", quote(name_));
    if (driver_->moduleGetFunction(&kernel.function, modules_[imageOf(*source)], source->symbol()->c_str()) != Success)
      return malformed("kernel ", name, ": image ",
                       quote(program.images()->Get(imageOf(*source))->member()->string_view()), " has no symbol ",
                       quote(source->symbol()->string_view()));
    // Beyond 48 KiB a kernel has to ask.
    if (kernel.sharedBytes > 48 * 1024)
      if (Status status = driver_->check(driver_->functionSetAttribute(kernel.function, FunctionMaxDynamicSharedSize,
                                                                       static_cast<int>(kernel.sharedBytes)),
                                         "giving kernel ", name, " ", kernel.sharedBytes, " bytes of shared memory"))
        return status;
    if (Status status = layOutTensorMaps(*source, kernel))
      return status;
    kernels_.push_back(std::move(kernel));
  }
  return Status::ok();
}

Status CudaDevice::loadFinishKernel(const PackageView &package) {
  const char *name = usesPtx_ ? format::FinishPortableImage : format::FinishImage;
  const ZipMember *member = package.find(name);
  if (!member)
    return Status::ok();
  modules_.push_back(nullptr);
  if (Status status = loadImage(name, package.bytes(*member), modules_.back()))
    return status;
  if (driver_->moduleGetFunction(&finishKernel_, modules_.back(), format::FinishSymbol) != Success)
    return malformed("image ", quote(name), " has no symbol ", quote(format::FinishSymbol));
  return Status::ok();
}

Status CudaDevice::layOutTensorMaps(const fb::Kernel &source, CudaKernel &kernel) const {
  if (!source.tensor_maps() || source.tensor_maps()->size() == 0)
    return Status::ok();
  const std::string name = quote(source.name()->string_view());
  if (major_ < 9)
    return failure(MJ_ERROR_UNSUPPORTED, "kernel ", name, " takes tensor maps, which devices have from sm_90 on; ",
                   quote(name_), " is sm_", major_ * 10 + minor_);
  if (!driver_->tensorMapEncodeTiled)
    return failure(MJ_ERROR_UNSUPPORTED, "kernel ", name, " takes tensor maps, and the CUDA driver is too old to make ",
                   "them: it has no cuTensorMapEncodeTiled; install one of CUDA 12 or newer");
  for (const fb::TensorMap *map : *source.tensor_maps())
    kernel.tensorMaps.emplace_back(*map);
  return Status::ok();
}

Status CudaDevice::uploadWeights(const PackageView &package, const OpenOptions &options) const {
  Scope scope(*driver_, context_);
  UploadSource source;
  source.bytes = {package.weights(), package.program().weights_bytes()};
  source.file = options.file;
  source.fileOffset = static_cast<uint64_t>(package.weights() - package.file().data);
  source.sharesMemory = isIntegrated_;
  return upload(*driver_, context_, source, weights_.pointer(), options.progress);
}

} // namespace mjolnir::runtime
