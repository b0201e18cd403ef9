// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements ObservedPackage.h.
#include "ObservedPackage.h"

#include "Arrays.h"

#include "mjolnir/Package/PackageWriter.h"

#include "llvm/Support/JSON.h"

#include <cmath>
#include <cstring>

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
                                                                       uint32_t kvPages, uint32_t kvWindowPages) {
  std::unique_ptr<ObservedPackage> observed(new ObservedPackage);
  observed->path_ = path;
  if (runtime::Status status = runtime::Package::open(path.c_str(), observed->package_))
    return toError(status);
  runtime::SessionOptions options;
  options.threads = threads;
  options.kvPages = kvPages;
  options.kvWindowPages = kvWindowPages;
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
    Tap tap{uint32_t(*operand), value->str(), {}, {}, row->getNumber("scale").value_or(0)};
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

static bool isF8(DLDataType type) { return type.code == runtime::toDLDataType(fb::DType::f8e4m3fn).code; }

/// Marks what has the largest code of f8E4M3FN, 448.
static std::vector<bool> findLimits(const std::vector<float> &codes) {
  std::vector<bool> atLimit(codes.size());
  for (size_t i = 0; i < codes.size(); ++i)
    atLimit[i] = std::fabs(codes[i]) >= 448;
  return atLimit;
}

Stored ObservedPackage::read(const Tap &tap, const void *memory) const {
  Stored stored{tap.name, tap.dtype, tap.shape, toFloats(memory, tap.dtype, countOf(tap.shape))};
  if (isF8(tap.dtype))
    stored.atLimit = findLimits(stored.elements);
  if (tap.scale != 0)
    for (float &element : stored.elements)
      element = float(element * tap.scale);
  return stored;
}

/// A product of rows and one weight: which is which follows from where things lie, since a launch of an oracle is one
/// operation. The rows are what an earlier launch of the entry stored there, or an input.
void ObservedPackage::takeProduct(size_t entry, size_t step, void *const *operands, const Observer &observer) const {
  const fb::Entry &program = package_->entry(entry);
  const fb::Launch &launch = *program.steps()->Get(uint32_t(step))->kind_as_Launch();
  const Tap *result = nullptr;
  for (const Tap &tap : taps_[entry][step])
    if (llvm::StringRef(tap.name).contains(":matmul"))
      result = &tap;
  if (!result || result->shape.size() != 2)
    return;
  const fb::Operand *weight = nullptr, *rows = nullptr;
  uint32_t place = 0;
  for (uint32_t i = 0; i < launch.operands()->size(); ++i) {
    const fb::Operand *operand = launch.operands()->Get(i);
    if (operand->space() == fb::Space::weight)
      weight = weight ? nullptr : operand;
    else if (i != result->operand && !rows)
      rows = operand, place = i;
  }
  if (!weight || !rows)
    return;
  const Tap *origin = nullptr;
  for (size_t before = 0; before < step; ++before)
    for (const Tap &tap : taps_[entry][before]) {
      const fb::Operand &stored =
          *program.steps()->Get(uint32_t(before))->kind_as_Launch()->operands()->Get(tap.operand);
      if (stored.space() == rows->space() && stored.index() == rows->index() && stored.offset() == rows->offset())
        origin = &tap;
    }
  Tap tap{place, "", {}, {}, 0};
  if (origin)
    tap.dtype = origin->dtype, tap.scale = origin->scale;
  else if (rows->space() == fb::Space::input)
    tap.dtype = package_->bindings(entry).inputs[rows->index()].dtype;
  else
    return;
  int64_t count = int64_t(rows->bytes() * 8 / tap.dtype.bits), height = result->shape.front();
  tap.shape = {height, height ? count / height : 0};
  observer.multiplied(package_->program().weights()->Get(weight->index())->name()->c_str(), read(tap, operands[place]));
}

/// What the run appended to the layers that `launch` is given: the rows of its slots. Pages hold [layers][K, V][heads]
/// [page size][head dim]; scales are a weight of the launch, one a head for keys, then for values. Pools count their
/// layers for themselves: a layer's number is how many the run used before it.
void ObservedPackage::takeCache(const Inputs &inputs, const fb::Launch &launch, void *const *operands,
                                TakenLayers &isTaken, const Observer &observer) const {
  for (const fb::Operand *operand : *launch.operands())
    if (operand->space() == fb::Space::pool)
      takeCache(inputs, launch, operands, operand->index(), isTaken, observer);
}

void ObservedPackage::takeCache(const Inputs &inputs, const fb::Launch &launch, void *const *operands, uint32_t index,
                                TakenLayers &isTaken, const Observer &observer) const {
  const fb::KvPool &pool = *package_->program().kv_pools()->Get(index);
  auto found = inputs.find(pool.own_tables() ? "window_slots" : "slots");
  if (found == inputs.end())
    return;
  DLDataType dtype = runtime::toDLDataType(pool.dtype());
  int64_t heads = pool.heads(), size = pool.head_dim(), pageSize = pool.page_size(), element = dtype.bits / 8;
  std::vector<int32_t> slots(found->second.size() / sizeof(int32_t));
  std::memcpy(slots.data(), found->second.data(), found->second.size());
  llvm::erase_if(slots, [](int32_t slot) { return slot < 0; });
  const float *scales = nullptr;
  for (uint32_t i = 0; i < launch.operands()->size(); ++i) {
    const fb::Operand &operand = *launch.operands()->Get(i);
    if (operand.space() == fb::Space::weight &&
        llvm::StringRef(package_->program().weights()->Get(operand.index())->name()->c_str()).ends_with("kv_scales"))
      scales = static_cast<const float *>(operands[i]);
  }
  for (uint32_t i = 0; i < launch.operands()->size(); ++i) {
    const fb::Operand &operand = *launch.operands()->Get(i);
    if (operand.space() != fb::Space::pool || operand.index() != index ||
        !isTaken.insert({index, operand.offset()}).second)
      continue;
    size_t layer = isTaken.size() - 1;
    for (int64_t which = 0; which < 2; ++which) {
      Stored stored{"layer " + std::to_string(layer) + (which ? " cached values" : " cached keys"),
                    dtype,
                    {int64_t(slots.size()), heads, size},
                    {}};
      stored.isCache = true;
      for (int32_t slot : slots)
        for (int64_t head = 0; head < heads; ++head) {
          const char *row = static_cast<const char *>(operands[i]) + slot / pageSize * int64_t(pool.bytes_per_page()) +
                            ((which * heads + head) * pageSize + slot % pageSize) * size * element;
          std::vector<float> numbers = toFloats(row, dtype, size_t(size));
          if (isF8(dtype))
            llvm::append_range(stored.atLimit, findLimits(numbers));
          for (float number : numbers)
            stored.elements.push_back(scales ? number * scales[which * heads + head] : number);
        }
      observer.stored(std::move(stored));
    }
  }
}

llvm::Error ObservedPackage::run(size_t entry, const Inputs &inputs, Observer observer) {
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

  TakenLayers isTaken;
  session_->observe([&](size_t step, void *const *operands) {
    const fb::Launch *launch = package_->entry(entry).steps()->Get(uint32_t(step))->kind_as_Launch();
    if (launch && observer.multiplied)
      takeProduct(entry, step, operands, observer);
    if (launch)
      takeCache(inputs, *launch, operands, isTaken, observer);
    for (const Tap &tap : taps_[entry][step])
      observer.stored(read(tap, operands[tap.operand]));
  });
  runtime::Status status = session_->run(entry, in.data(), in.size(), out.data(), out.size());
  session_->observe(nullptr);
  if (status)
    return toError(status);
  for (size_t i = 0; i < out.size(); ++i) {
    const runtime::Binding &binding = bindings.outputs[i];
    observer.stored({std::string("output ") + binding.name, binding.dtype, binding.shape,
                     toFloats(out[i]->data, binding.dtype, countOf(binding.shape))});
  }
  return llvm::Error::success();
}
