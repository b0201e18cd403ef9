// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements ObservedPackage.h.
#include "ObservedPackage.h"

#include "Arrays.h"

#include "mjolnir/Package/PackageWriter.h"

#include "llvm/Support/JSON.h"

using namespace mjolnir;
using namespace mjolnir::verify;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static llvm::Error toError(const runtime::Status &status) { return failure(status.message()); }

static size_t countOf(const std::vector<int64_t> &shape) {
  size_t count = 1;
  for (int64_t extent : shape)
    count *= size_t(extent);
  return count;
}

llvm::Expected<std::unique_ptr<ObservedPackage>> ObservedPackage::open(const std::string &path, uint32_t threads,
                                                                       uint32_t kvPages) {
  std::unique_ptr<ObservedPackage> observed(new ObservedPackage);
  observed->path_ = path;
  if (runtime::Status status = runtime::Package::open(path.c_str(), observed->package_))
    return toError(status);
  runtime::SessionOptions options;
  options.threads = threads;
  options.kvPages = kvPages;
  if (runtime::Status status =
          observed->package_->device().createSession(*observed->package_, options, observed->session_))
    return toError(status);
  if (!observed->session_->observe(nullptr))
    return failure("'" + path + "' runs on a device whose steps cannot be looked into; compile it for the host");
  if (llvm::Error error = observed->readDebugTables())
    return error;
  return observed;
}

llvm::Expected<size_t> ObservedPackage::findEntry(llvm::StringRef name) const {
  std::string known;
  for (size_t i = 0; i < package_->entryCount(); ++i) {
    if (package_->entry(i).name()->str() == name)
      return i;
    known += (i ? ", " : "") + package_->entry(i).name()->str();
  }
  return failure("'" + path_ + "' has no entry '" + name + "'; it has " + known);
}

/// debug.json comes from a file: what does not fit the program is refused.
llvm::Error ObservedPackage::readDebugTables() {
  taps_.resize(package_->entryCount());
  for (size_t i = 0; i < package_->entryCount(); ++i)
    taps_[i].resize(package_->entry(i).steps()->size());
  const runtime::ZipMember *member = package_->view().find(package::kDebugMember);
  if (!member)
    return llvm::Error::success();
  runtime::ByteSpan bytes = package_->view().bytes(*member);
  auto bad = [&] { return failure("'" + path_ + "': " + package::kDebugMember + " does not fit the program"); };
  auto parsed = llvm::json::parse({reinterpret_cast<const char *>(bytes.data), bytes.size});
  if (!parsed) {
    llvm::consumeError(parsed.takeError());
    return bad();
  }
  const llvm::json::Object *root = parsed->getAsObject();
  const llvm::json::Array *list = root ? root->getArray("stored") : nullptr;
  if (!list)
    return bad();
  for (const llvm::json::Value &element : *list) {
    const llvm::json::Object *row = element.getAsObject();
    if (!row)
      return bad();
    auto entry = row->getString("entry"), value = row->getString("value"), dtype = row->getString("dtype");
    auto step = row->getInteger("step"), operand = row->getInteger("operand");
    const llvm::json::Array *shape = row->getArray("shape");
    if (!entry || !value || !dtype || !step || !operand || !shape || *step < 0 || *operand < 0)
      return bad();
    llvm::Expected<size_t> index = findEntry(*entry);
    if (!index) {
      llvm::consumeError(index.takeError());
      return bad();
    }
    if (size_t(*step) >= taps_[*index].size())
      return bad();
    const fb::Launch *launch = package_->entry(*index).steps()->Get(uint32_t(*step))->kind_as_Launch();
    if (!launch || size_t(*operand) >= launch->operands()->size())
      return bad();
    Tap tap{uint32_t(*operand), value->str(), {}, {}};
    bool known = false;
    for (fb::DType type : fb::EnumValuesDType())
      if (*dtype == fb::EnumNameDType(type)) {
        tap.dtype = runtime::toDLDataType(type);
        known = true;
      }
    uint64_t size = 1;
    for (const llvm::json::Value &extent : *shape) {
      auto number = extent.getAsInteger();
      if (!number || *number < 0 || __builtin_mul_overflow(size, uint64_t(*number), &size))
        return bad();
      tap.shape.push_back(*number);
    }
    const fb::Operand *place = launch->operands()->Get(uint32_t(*operand));
    if (!known || place->space() == fb::Space::pool || size > place->bytes() ||
        size * tap.dtype.bits / 8 > place->bytes())
      return bad();
    taps_[*index][size_t(*step)].push_back(std::move(tap));
    hasNames_ = true;
  }
  return llvm::Error::success();
}

llvm::Error ObservedPackage::run(size_t entry, const Inputs &inputs, llvm::function_ref<void(Stored)> take) {
  const runtime::EntryBindings &bindings = package_->bindings(entry);
  std::vector<std::vector<uint64_t>> memory;
  std::vector<DLTensor> tensors;
  std::vector<const DLTensor *> in, out;
  size_t count = bindings.inputs.size() + bindings.outputs.size();
  memory.reserve(count);
  tensors.reserve(count);
  auto bind = [&](const runtime::Binding &binding, std::vector<const DLTensor *> &list) {
    memory.emplace_back(binding.bytes / sizeof(uint64_t) + 1);
    DLTensor tensor = {};
    tensor.data = memory.back().data();
    tensor.device = {kDLCPU, 0};
    tensor.ndim = int32_t(binding.shape.size());
    tensor.dtype = binding.dtype;
    tensor.shape = const_cast<int64_t *>(binding.shape.data());
    tensors.push_back(tensor);
    list.push_back(&tensors.back());
  };
  for (const runtime::Binding &binding : bindings.inputs) {
    auto found = inputs.find(binding.name);
    if (found == inputs.end())
      return failure("the input '" + llvm::Twine(binding.name) + "' " + describe(binding.dtype, binding.shape) +
                     " is missing; give --input=" + binding.name + "=@FILE.npy");
    if (found->second.size() != binding.bytes)
      return failure("the input '" + llvm::Twine(binding.name) + "' needs " + llvm::Twine(binding.bytes) +
                     " bytes of " + describe(binding.dtype, binding.shape));
    bind(binding, in);
    std::copy(found->second.begin(), found->second.end(), reinterpret_cast<char *>(memory.back().data()));
  }
  for (const runtime::Binding &binding : bindings.outputs)
    bind(binding, out);

  session_->observe([&](size_t step, void *const *operands) {
    for (const Tap &tap : taps_[entry][step])
      take({tap.name, tap.dtype, tap.shape, toFloats(operands[tap.operand], tap.dtype, countOf(tap.shape))});
  });
  runtime::Status status = session_->run(entry, in.data(), in.size(), out.data(), out.size());
  session_->observe(nullptr);
  if (status)
    return toError(status);
  for (size_t i = 0; i < out.size(); ++i) {
    const runtime::Binding &binding = bindings.outputs[i];
    take({std::string("output ") + binding.name, binding.dtype, binding.shape,
          toFloats(out[i]->data, binding.dtype, countOf(binding.shape))});
  }
  return llvm::Error::success();
}
