// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Opening a package.
#include "Package.h"

#include "mjolnir/format/Format.h"

namespace mjolnir::runtime {

DLDataType toDLDataType(fb::DType type) {
  // Codes that Debian 12's DLPack 0.6 does not name yet: bool is of DLPack 0.8, float8_e4m3fn of 1.1.
  constexpr uint8_t CodeBool = 6, CodeFloat8E4M3FN = 10;
  switch (type) {
  case fb::DType::f32:
    return {kDLFloat, 32, 1};
  case fb::DType::f16:
    return {kDLFloat, 16, 1};
  case fb::DType::bf16:
    return {kDLBfloat, 16, 1};
  case fb::DType::f8e4m3fn:
    return {CodeFloat8E4M3FN, 8, 1};
  case fb::DType::i8:
    return {kDLInt, 8, 1};
  case fb::DType::u8:
    return {kDLUInt, 8, 1};
  case fb::DType::i32:
    return {kDLInt, 32, 1};
  case fb::DType::i64:
    return {kDLInt, 64, 1};
  case fb::DType::u32:
    return {kDLUInt, 32, 1};
  case fb::DType::u64:
    return {kDLUInt, 64, 1};
  case fb::DType::boolean:
    return {CodeBool, 8, 1};
  }
  return {kDLOpaqueHandle, 0, 0}; // no verified program has another
}

Status Package::open(const char *path, std::unique_ptr<Package> &result, const Progress &progress) {
  auto package = std::make_unique<Package>();
  auto named = [&](const Status &status) {
    return failure(status.code(), "cannot load ", quote(path), ": ", status.message());
  };
  NvtxRange::initialize();
  package->phases_.begin("map and verify");
  if (Status status = package->file_.open(path))
    return status.code() == MJ_ERROR_MALFORMED ? named(status) : status;
  if (Status status = package->view_.parse(package->file_.bytes()))
    return named(status);
  if (Status status =
          Device::open(package->view_, {package->file_.descriptor(), progress, package->phases_}, package->device_))
    return named(status);
  package->phases_.end();
  package->describeBindings();
  result = std::move(package);
  return Status::ok();
}

void Package::describeBindings() {
  auto describe = [](const auto &list) {
    std::vector<Binding> bindings;
    for (const fb::Binding *source : list) {
      Binding binding;
      binding.name = source->name()->c_str();
      binding.dtype = toDLDataType(source->dtype());
      binding.elementBytes = format::elementBytes(source->dtype());
      binding.bytes = binding.elementBytes;
      for (uint64_t extent : *source->shape()) {
        binding.shape.push_back(static_cast<int64_t>(extent));
        binding.bytes *= extent;
      }
      bindings.push_back(std::move(binding));
    }
    return bindings;
  };
  for (const fb::Entry *entry : *program().entries())
    bindings_.push_back({describe(*entry->inputs()), describe(*entry->outputs())});
  if (program().states())
    states_ = describe(*program().states());
}

} // namespace mjolnir::runtime
