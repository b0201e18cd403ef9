// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Device `cuda`: a package's kernels as functions of the driver, its weights in the device's memory, once for all
// sessions.
#ifndef MJOLNIR_RUNTIME_CUDA_CUDADEVICE_H
#define MJOLNIR_RUNTIME_CUDA_CUDADEVICE_H

#include "../Device.h"
#include "AlgorithmStore.h"
#include "CublasLt.h"
#include "DeviceMemory.h"
#include "LaunchParameters.h"

#include <vector>

namespace mjolnir::runtime {

/// A kernel, ready to launch.
struct CudaKernel {
  cuda::Function function = nullptr;
  unsigned threads = 0, sharedBytes = 0;
  std::vector<cuda::TensorMapLayout> tensorMaps;
};

class CudaDevice final : public Device {
public:
  CudaDevice() = default;
  ~CudaDevice() override;
  CudaDevice(const CudaDevice &) = delete;
  CudaDevice &operator=(const CudaDevice &) = delete;

  /// Takes the first device that the driver shows (CUDA_VISIBLE_DEVICES chooses), loads the images, uploads the
  /// weights.
  static Status open(const PackageView &package, const OpenOptions &options, std::unique_ptr<Device> &device);
  Status createSession(const Package &package, const SessionOptions &options,
                       std::unique_ptr<Session> &session) const override;

  const cuda::Driver &driver() const { return *driver_; }
  cuda::Context context() const { return context_; }
  const CudaKernel &kernel(uint32_t index) const { return kernels_[index]; }
  /// The kernel that format::FinishImage describes; null where the package has none.
  cuda::Function finishKernel() const { return finishKernel_; }
  const uint8_t *weights() const { return weights_.data(); }
  /// Null where the package calls no library.
  const cuda::CublasLt *cublasLt() const { return cublasLt_.get(); }
  cuda::AlgorithmStore &algorithms() const { return algorithms_; }

private:
  Status retain();
  Status chooseArchitecture(const fb::Target &target);
  uint32_t imageOf(const fb::Kernel &kernel) const { return usesPtx_ ? kernel.portable_image() : kernel.image(); }
  Status loadImages(const PackageView &package);
  Status loadImage(std::string_view name, ByteSpan bytes, cuda::Module &module) const;
  Status findKernels(const fb::Program &program);
  Status loadFinishKernel(const PackageView &package);
  Status layOutTensorMaps(const fb::Kernel &source, CudaKernel &kernel) const;
  Status openLibraries(const fb::Program &program);
  Status load(const PackageView &package, const OpenOptions &options);
  Status uploadWeights(const PackageView &package, const OpenOptions &options) const;

  const cuda::Driver *driver_ = nullptr;
  cuda::DeviceHandle handle_ = 0;
  cuda::Context context_ = nullptr;
  std::string name_;
  int major_ = 0, minor_ = 0, maxSharedBytes_ = 0, isIntegrated_ = 0;
  bool usesPtx_ = false;              // of a package that has machine code too
  std::vector<cuda::Module> modules_; // by image, then the runtime's own; null: not needed here
  std::vector<CudaKernel> kernels_;
  cuda::Function finishKernel_ = nullptr;
  cuda::DeviceMemory weights_;
  std::unique_ptr<cuda::CublasLt> cublasLt_;
  mutable cuda::AlgorithmStore algorithms_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_CUDA_CUDADEVICE_H
