// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tensors that an entry can be run on.
#include "Bench.h"

#include "RaggedForm.h"

#include <algorithm>
#include <cstring>

namespace mjolnir::bench {
namespace {

/// Small numbers of either sign in the elements of a float's binding, zeros in any other.
void fillPlain(const runtime::Binding &binding, uint64_t *words) {
  auto *bytes = reinterpret_cast<uint8_t *>(words);
  size_t count = binding.bytes / binding.elementBytes;
  for (size_t i = 0; i < count; ++i) {
    float value = float(int(i * 7919 % 257) - 128) / 128;
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    if (binding.dtype.code == kDLFloat && binding.dtype.bits == 32)
      std::memcpy(bytes + 4 * i, &bits, 4);
    else if (binding.dtype.code == kDLBfloat && binding.dtype.bits == 16)
      std::memcpy(bytes + 2 * i, reinterpret_cast<const uint8_t *>(&bits) + 2, 2);
  }
}

} // namespace

const DLTensor *Inputs::add(const runtime::Binding &binding) {
  buffers_.emplace_back(binding.bytes / sizeof(uint64_t) + 1);
  shapes_.push_back(binding.shape);
  auto tensor = std::make_unique<DLTensor>();
  tensor->data = buffers_.back().data();
  tensor->device = {kDLCPU, 0};
  tensor->ndim = int32_t(binding.shape.size());
  tensor->dtype = binding.dtype;
  tensor->shape = shapes_.back().data();
  tensor->strides = nullptr;
  tensor->byte_offset = 0;
  tensors_.push_back(std::move(tensor));
  return tensors_.back().get();
}

Inputs::Inputs(const runtime::Package &package, size_t entry, uint32_t context, uint32_t firstPage,
               uint64_t largestOutput, const Sampling &sampling) {
  const runtime::EntryBindings &bindings = package.bindings(entry);
  for (const runtime::Binding &binding : bindings.inputs) {
    in_.push_back(add(binding));
    fillPlain(binding, buffers_.back().data());
  }
  for (const runtime::Binding &binding : bindings.outputs)
    out_.push_back(binding.bytes <= largestOutput ? add(binding) : nullptr);
  if (package.entry(entry).kind() == fb::EntryKind::ragged)
    fillRagged(package, entry, context, firstPage, sampling);
}

void Inputs::fillRagged(const runtime::Package &package, size_t entry, uint32_t context, uint32_t firstPage,
                        const Sampling &sampling) {
  const fb::Entry &source = package.entry(entry);
  if (!package.program().kv_pools() || package.program().kv_pools()->size() == 0)
    throw std::runtime_error("entry '" + source.name()->str() +
                             "' is a language model's without a KV cache, of which no step can be made");
  const uint32_t pageSize = package.program().kv_pools()->Get(0)->page_size();
  const uint32_t limit = package.program().language_model()->max_context();
  const uint32_t vocabulary = package.program().language_model()->vocabulary();
  auto integers = [&](const char *name) {
    for (size_t i = 0; i < in_.size(); ++i)
      if (std::strcmp(package.bindings(entry).inputs[i].name, name) == 0)
        return reinterpret_cast<int32_t *>(buffers_[i].data());
    throw std::runtime_error(std::string("the entry has no input ") + name);
  };
  const bool isDecode = source.tokens() == source.sequences();
  const uint32_t sequences = isDecode ? source.sequences() : 1, rows = isDecode ? 1 : source.tokens();
  const uint32_t before = isDecode ? context : 0;
  context_ = before + rows;
  sequences_ = sequences;
  const uint32_t pagesEach = (context_ + pageSize - 1) / pageSize;
  if ((limit && context_ > limit) || pagesEach > source.pages_per_sequence())
    throw std::runtime_error("a step of entry '" + source.name()->str() + "' at a context of " +
                             std::to_string(before) + " makes " + std::to_string(context_) +
                             " tokens; a sequence may hold " +
                             std::to_string(limit ? std::min(limit, source.pages_per_sequence() * pageSize)
                                                  : source.pages_per_sequence() * pageSize));
  pages_ = sequences * pagesEach;
  kv_.first = firstPage, kv_.size = pageSize, kv_.each = pagesEach;
  auto bits = [](float value) {
    int32_t result;
    std::memcpy(&result, &value, sizeof(result));
    return result;
  };
  std::fill_n(integers("temperature"), source.sequences(), bits(sampling.temperature));
  std::fill_n(integers("top_p"), source.sequences(), bits(sampling.topP));
  std::fill_n(integers("top_k"), source.sequences(), int32_t(sampling.topK));
  std::fill_n(integers("slots"), source.tokens(), -1);
  std::fill_n(integers("sequence_offsets"), source.sequences() + 1, int32_t(sequences * rows));
  for (uint32_t b = 0; b < sequences; ++b) {
    integers("sequence_offsets")[b] = int32_t(b * rows);
    integers("context_lengths")[b] = int32_t(context_);
    integers("logit_rows")[b] = int32_t(b * rows + rows - 1);
    for (uint32_t k = 0; k < pagesEach; ++k)
      integers("block_tables")[b * source.pages_per_sequence() + k] = int32_t(kv_.pageOf(b, k * pageSize));
    for (uint32_t r = 0; r < rows; ++r) {
      uint32_t position = before + r, row = b * rows + r;
      // Other tokens at other positions, so that what is cached differs.
      integers("tokens")[row] = int32_t((uint64_t(row) * 7919 + uint64_t(position) * 104729) % vocabulary);
      integers("positions")[row] = int32_t(position);
      integers("slots")[row] = kv_.slotOf(b, position);
    }
  }
  for (uint32_t b = sequences; b < source.sequences(); ++b)
    integers("context_lengths")[b] = integers("logit_rows")[b] = 0;
  // Layers with a window use the pages that the others do, where they have a pool of their own.
  for (const fb::KvPool *pool : *package.program().kv_pools())
    if (pool->own_tables()) {
      std::copy_n(integers("slots"), source.tokens(), integers("window_slots"));
      std::copy_n(integers("block_tables"), source.sequences() * source.pages_per_sequence(),
                  integers("window_block_tables"));
      growing_.windowSlots = integers("window_slots");
    }
  if (isDecode) {
    growing_.positions = integers("positions"), growing_.lengths = integers("context_lengths");
    growing_.slots = integers("slots");
  }
}

void Inputs::grow(uint32_t i, uint32_t runs) {
  const uint32_t span = std::min(runs, context_), position = context_ - span + i % span;
  for (uint32_t b = 0; b < sequences_; ++b) {
    growing_.positions[b] = int32_t(position);
    growing_.lengths[b] = int32_t(position + 1);
    growing_.slots[b] = kv_.slotOf(b, position);
    if (growing_.windowSlots)
      growing_.windowSlots[b] = growing_.slots[b];
  }
}

} // namespace mjolnir::bench
