// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Loads ELF images without a file on disk: a copy in an anonymous file (memfd) that the dynamic loader opens by its
// name in /proc. The loader takes care of relocations, page protections and unwinding tables, and debuggers see the
// code.
#include "HostDevice.h"
#include "CpuFeatures.h"
#include "HostSession.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace mjolnir::runtime {
namespace {

/// What the dynamic loader would say less clearly, or not at all.
Status checkElf(const std::string &name, ByteSpan bytes) {
  Elf64_Ehdr header;
  if (bytes.size < sizeof(header))
    return malformed("image ", name, " is too small to be an ELF file");
  std::memcpy(&header, bytes.data, sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return malformed("image ", name, " is not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    return malformed("image ", name, " is not 64-bit little-endian ELF");
  if (header.e_type != ET_DYN)
    return malformed("image ", name, " is not a shared object (ELF type ", header.e_type, ")");
  if (header.e_machine != hostElfMachine())
    return failure(MJ_ERROR_UNSUPPORTED, "image ", name, " holds code for ELF machine ", header.e_machine,
                   "; this machine is ", hostElfMachine());
  return Status::ok();
}

int openMemoryFile() {
  // Linux 6.3 wants executable ones to say so; older kernels refuse the flag.
  int fd = memfd_create("mjolnir-image", MFD_CLOEXEC | MFD_EXEC);
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create("mjolnir-image", MFD_CLOEXEC);
  return fd;
}

bool writeAll(int fd, ByteSpan bytes) {
  for (uint64_t done = 0; done < bytes.size;) {
    ssize_t count = write(fd, bytes.data + done, bytes.size - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    done += static_cast<uint64_t>(count);
  }
  return true;
}

} // namespace

HostDevice::~HostDevice() {
  for (const Image &image : images_) {
    dlclose(image.handle);
    close(image.fd);
  }
}

Status HostDevice::loadImage(std::string_view memberName, ByteSpan bytes) {
  std::string name = quote(memberName);
  if (Status status = checkElf(name, bytes))
    return status;
  int fd = openMemoryFile();
  if (fd < 0)
    return failure(MJ_ERROR_IO, "cannot make an anonymous file for image ", name, ": ", describeErrno(errno));
  if (!writeAll(fd, bytes)) {
    int error = errno;
    close(fd);
    return failure(MJ_ERROR_IO, "cannot copy image ", name, " (", bytes.size,
                   " bytes) into memory: ", describeErrno(error));
  }
  // The loader knows objects by name: the descriptor stays open as long as the object is loaded, so that no other image
  // of this process gets the same name and is taken for this one.
  void *handle = dlopen(concat("/proc/self/fd/", fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    Status status =
        malformed("image ", name, " cannot be loaded: ", reason ? reason : "the dynamic loader gives no reason");
    close(fd);
    return status;
  }
  images_.push_back({handle, fd});
  return Status::ok();
}

Status HostDevice::open(const PackageView &package, std::unique_ptr<Device> &result) {
  auto device = std::make_unique<HostDevice>();
  if (Status status = device->load(package))
    return status;
  result = std::move(device);
  return Status::ok();
}

Status HostDevice::createSession(const Package &package, const SessionOptions &options,
                                 std::unique_ptr<Session> &session) const {
  return HostSession::create(package, *this, options, session);
}

Status HostDevice::load(const PackageView &package) {
  const fb::Program &program = package.program();
  if (Status status = checkHostTarget(*program.target()))
    return status;
  images_.reserve(program.images()->size());
  for (const fb::Image *image : *program.images()) {
    std::string_view member = image->member()->string_view();
    if (Status status = loadImage(member, package.bytes(*package.find(member))))
      return status;
  }
  kernels_.reserve(program.kernels()->size());
  for (const fb::Kernel *kernel : *program.kernels()) {
    void *symbol = dlsym(images_[kernel->image()].handle, kernel->symbol()->c_str());
    if (!symbol)
      return malformed("kernel ", quote(kernel->name()->string_view()), ": image ",
                       quote(program.images()->Get(kernel->image())->member()->string_view()), " has no symbol ",
                       quote(kernel->symbol()->string_view()));
    kernels_.push_back(reinterpret_cast<KernelFunction>(symbol));
  }
  return Status::ok();
}

} // namespace mjolnir::runtime
