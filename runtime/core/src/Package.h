// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// An open package: the mapped file, its verified program, its code on the device, and the descriptions that the C API
// hands out. Immutable once open, so threads share it freely.
#ifndef MJOLNIR_RUNTIME_PACKAGE_H
#define MJOLNIR_RUNTIME_PACKAGE_H

#include "Device.h"
#include "MappedFile.h"
#include "PackageView.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace mjolnir::runtime {

/// An input or output of an entry, or a state, in DLPack's terms.
struct Binding {
  const char *name = nullptr;
  DLDataType dtype = {};
  uint64_t elementBytes = 0;
  uint64_t bytes = 0;
  std::vector<int64_t> shape;
};

struct EntryBindings {
  std::vector<Binding> inputs, outputs;
};

class Package {
public:
  static Status open(const char *path, std::unique_ptr<Package> &package, const Progress &progress = {});

  const PackageView &view() const { return view_; }
  const fb::Program &program() const { return view_.program(); }
  const Device &device() const { return *device_; }
  const Phases &phases() const { return phases_; }
  const EntryBindings &bindings(size_t entry) const { return bindings_[entry]; }
  const std::vector<Binding> &states() const { return states_; }
  size_t entryCount() const { return bindings_.size(); }
  const fb::Entry &entry(size_t index) const { return *program().entries()->Get(static_cast<uint32_t>(index)); }

private:
  void describeBindings();

  MappedFile file_;
  PackageView view_;
  std::unique_ptr<Device> device_;
  std::vector<EntryBindings> bindings_;
  std::vector<Binding> states_;
  Phases phases_;
};

/// DLPack's name for a dtype of a verified program.
DLDataType toDLDataType(fb::DType type);

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_PACKAGE_H
