// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// plan-paged-kv: the KV cache becomes a pool of pages.
#include "passes/Passes.h"
#include "passes/SplitCache.h"
#include "passes/Weights.h"

#include "mjolnir/Target/Target.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include <map>

namespace mjolnir {
#define GEN_PASS_DEF_PLANPAGEDKV
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

constexpr llvm::StringLiteral kPoolName = "kv", kWindowPoolName = "kv_window";

/// Tokens a layer's readers look back, for each layer that something reads; 0: to the start.
using Windows = std::map<int64_t, int64_t>;

/// What pools keep: a window of all layers (0: whole sequences), or a window of those of `layers` that have one.
struct Division {
  int64_t window = 0;
  SmallVector<bool> layers; ///< which have the window; empty: one pool for all
};

struct PlanPagedKv : mjolnir::impl::PlanPagedKvBase<PlanPagedKv> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(plan()))
      signalPassFailure();
  }

  LogicalResult plan() {
    ModuleOp module = getOperation();
    FailureOr<mj::KvType> cache = findCache();
    if (failed(cache))
      return failure();
    if (!*cache)
      return success();
    if (auto pools = module.getOps<exec::KvPoolOp>(); !pools.empty())
      return (*pools.begin()).emitOpError("is there before plan-paged-kv");
    std::string error;
    std::unique_ptr<Target> chip = createTarget(target, error);
    if (!chip)
      return module.emitError(error);
    FailureOr<int64_t> tokens = getPageSize();
    if (failed(tokens))
      return failure();

    int64_t tokenBytes = 2 * cache->getHeads() * cache->getHeadDim() * denseBits(*cache) / 8;
    int64_t layerBytes = *tokens * tokenBytes;
    if (layerBytes % chip->bufferAlignment())
      return module.emitError() << "has pages of " << *tokens << " tokens, " << layerBytes
                                << " bytes a layer; layers begin at multiples of " << chip->bufferAlignment()
                                << " bytes on this target: choose a page-size that is a multiple of "
                                << chip->bufferAlignment() / std::gcd(chip->bufferAlignment(), tokenBytes);
    Division division = divideLayers(*cache, tokenBytes);
    SymbolTable symbols(module);
    if (division.layers.empty()) {
      createPool(symbols, kPoolName, *cache, *tokens, division.window);
      return success();
    }
    CacheSplit split(*cache, division.layers);
    auto whole = createPool(symbols, kPoolName, split.getType(CacheSplit::whole), *tokens, 0);
    auto window = createPool(symbols, kWindowPoolName, split.getType(CacheSplit::window), *tokens, division.window);
    for (func::FuncOp entry : getEntries(module))
      if (failed(split.apply(entry, {whole.getSymName(), window.getSymName()})))
        return failure();
    return success();
  }

  exec::KvPoolOp createPool(SymbolTable &symbols, StringRef name, mj::KvType cache, int64_t tokens, int64_t window) {
    ModuleOp module = getOperation();
    OpBuilder builder(getEntries(module).front());
    int64_t bits = denseBits(cache);
    int64_t bytes = cache.getLayers() * 2 * cache.getHeads() * tokens * cache.getHeadDim() * bits / 8;
    auto pool = exec::KvPoolOp::create(builder, module.getLoc(), name, cache.getElementType(), cache.getLayers(),
                                       cache.getHeads(), cache.getHeadDim(), tokens, bytes,
                                       window ? builder.getI64IntegerAttr(window) : IntegerAttr());
    symbols.insert(pool);
    if (auto remark = remark::analysis(module.getLoc(), remark::RemarkOpts::name("Pool").category("plan-paged-kv")))
      remark << llvm::formatv("@{0}: pages of {1} tokens, {2} bytes a page = {3} layers x K and V x {4} heads x {1} "
                              "tokens x {5} x {6} bits; {7} bytes a token",
                              pool.getSymName(), tokens, bytes, cache.getLayers(), cache.getHeads(), cache.getHeadDim(),
                              bits, bytes / tokens)
                    .str();
    return pool;
  }

  static int64_t denseBits(mj::KvType cache) { return cache.getElementType().getIntOrFloatBitWidth(); }

  /// The type of the cache that the entries share; null if none has one.
  FailureOr<mj::KvType> findCache() {
    mj::KvType cache;
    for (func::FuncOp entry : getEntries(getOperation()))
      for (Type type : entry.getArgumentTypes())
        if (auto kv = dyn_cast<mj::KvType>(type)) {
          if (cache && cache != kv)
            return entry.emitError() << "has a cache of type " << kv << ", another entry " << cache
                                     << "; entries of a package share one";
          cache = kv;
        }
    return cache;
  }

  /// What specialize-buckets made block tables for, else the option, else 16.
  FailureOr<int64_t> getPageSize() {
    int64_t stated = 0, asked = pageSize;
    if (auto attribute = getOperation()->getAttrOfType<IntegerAttr>(mj::kPageSizeAttr))
      stated = attribute.getInt();
    if (asked < 0)
      return getOperation().emitError("plan-paged-kv needs a positive page-size");
    if (stated && asked && asked != stated)
      return getOperation().emitError() << "has block tables for pages of " << stated << " tokens; page-size " << asked
                                        << " would need others";
    return stated ? stated : asked ? asked : 16;
  }

  /// A page holds all layers of its pool, so that one layer that reads to the start would keep the pages of all: where
  /// some have a window and others not, those that have one get a pool of their own, unless sequences never outgrow it.
  Division divideLayers(mj::KvType cache, int64_t tokenBytes) {
    Windows windows = readWindows();
    int64_t window = 0, windowed = 0;
    for (auto [layer, size] : windows) {
      windowed += size > 0;
      window = std::max(window, size);
    }
    if (!windowed)
      return {};
    int64_t layers = windows.size();
    Location loc = getOperation().getLoc();
    if (windowed == layers) {
      if (auto remark = remark::passed(loc, remark::RemarkOpts::name("Window").category("plan-paged-kv")))
        remark << llvm::formatv("the pool keeps the last {0} tokens of a sequence: all {1} layers that are read have a "
                                "window",
                                window, layers)
                      .str();
      return {window, {}};
    }
    auto model = getOperation()->getAttrOfType<DictionaryAttr>(mj::kModelAttr);
    auto context = model ? model.getAs<IntegerAttr>("max_context") : IntegerAttr();
    if (context && context.getInt() <= window) {
      if (auto remark = remark::missed(loc, remark::RemarkOpts::name("Window").category("plan-paged-kv")))
        remark << llvm::formatv(
                      "one pool for all layers: {0} of {1} have a window, but sequences of at most {2} tokens "
                      "do not outgrow its {3}",
                      windowed, layers, context.getInt(), window)
                      .str();
      return {};
    }
    if (auto remark = remark::passed(loc, remark::RemarkOpts::name("Window").category("plan-paged-kv")))
      remark << llvm::formatv(
                    "{0} of {1} layers have a pool of their own, which keeps the last {2} tokens of a sequence: "
                    "each token before them frees {3} bytes",
                    windowed, layers, window, windowed * tokenBytes)
                    .str();
    Division division{window, SmallVector<bool>(cache.getLayers(), false)};
    for (auto [layer, size] : windows)
      division.layers[layer] = size > 0;
    return division;
  }

  /// The windows of the layers that an attention of some entry reads; what one of them reads, all keep.
  Windows readWindows() {
    Windows windows;
    for (func::FuncOp entry : getEntries(getOperation()))
      entry.walk([&](mj::AttentionOp attention) {
        int64_t window = attention.getWindow().value_or(0);
        auto [found, isNew] = windows.try_emplace(attention.getLayer(), window);
        if (!isNew)
          found->second = found->second && window ? std::max(found->second, window) : 0;
      });
    return windows;
  }
};

} // namespace
