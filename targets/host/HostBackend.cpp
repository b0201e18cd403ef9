// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The host as a target: which schedule each region gets, how weights are packed, kernels to one shared object.
#include "targets/host/HostBackend.h"

#include "mjolnir/Target/Target.h"
#include "targets/host/AttentionKernel.h"
#include "targets/host/HostTarget.h"
#include "targets/host/MatmulEncoding.h"
#include "targets/host/MatmulKernel.h"
#include "targets/host/ObjectCode.h"
#include "targets/host/RegionKernels.h"
#include "targets/host/RowPlan.h"
#include "targets/host/TensorKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

namespace {

bool isF32OrBf16(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF32() || element.isBF16();
}

bool isF8(Type type) { return isa<Float8E4M3FNType>(getElementTypeOrSelf(type)); }

template <typename Op> SmallVector<Op> opsOf(Block &body) { return llvm::to_vector(body.getOps<Op>()); }

class HostBackend : public Target {
public:
  explicit HostBackend(HostTarget cpu) : cpu(std::move(cpu)), profile(makeProfile(this->cpu)) {}

  TargetDescription describe() const override {
    return {"host", cpu.triple, std::vector<std::string>(cpu.requiredFeatures.begin(), cpu.requiredFeatures.end())};
  }

  const Profile &getProfile() const override { return profile; }

  FusionRules getFusionRules() const override {
    FusionRules rules;
    rules.quantizeEpilogue = true;
    return rules;
  }

  int64_t bufferAlignment() const override { return 64; }

  mj::EncodingAttr chooseEncoding(RankedTensorType weight, bool) const override {
    if (weight.getRank() != 2 || (!isF32OrBf16(weight) && !isF8(weight)))
      return {};
    return mj::EncodingAttr::get(weight.getContext(), StringAttr::get(weight.getContext(), encodingOf(weight).name()));
  }

  FailureOr<int64_t> storageBytes(RankedTensorType type) const override {
    if (!type.getEncoding())
      return denseBytes(type);
    std::optional<MatmulEncoding> encoding = getEncoding(type);
    if (!encoding)
      return failure();
    return encoding->packedBytes(type.getDimSize(0), type.getDimSize(1));
  }

  LogicalResult pack(RankedTensorType from, ArrayRef<char> source, RankedTensorType to,
                     MutableArrayRef<char> packed) const override {
    std::optional<MatmulEncoding> encoding = getEncoding(to);
    if (!encoding || from.getRank() != 2 || isF8(from) != isF8(to))
      return failure();
    packWeight(*encoding, encodingOf(from).element, source.data(), from.getDimSize(0), from.getDimSize(1),
               packed.data());
    return success();
  }

  FailureOr<mj::ScheduleAttr> chooseSchedule(mj::FusionOp fusion, bool oracle) const override {
    Block &body = fusion.getBody().front();
    if (!opsOf<mj::SampleOp>(body).empty())
      return schedule(fusion, kSampleSchedule);
    if (auto attentions = opsOf<mj::AttentionOp>(body); !attentions.empty())
      return chooseAttention(fusion, attentions.front(), oracle);
    if (auto matmuls = opsOf<mj::MatmulOp>(body); !matmuls.empty())
      return chooseMatmul(fusion, matmuls, oracle);
    if (Operation *op = getTensorOperation(body)) {
      if (std::string reason = whyNoTensorKernel(op, cpu, oracle); !reason.empty())
        return fusion.emitOpError("has no kernel on the host: ") << reason;
      return schedule(fusion, oracle ? kPlainTensorSchedule : kTensorSchedule);
    }
    return chooseRows(fusion);
  }

  SmallVector<mj::ScheduleAttr> listSchedules(mj::FusionOp fusion, mj::ScheduleAttr chosen) const override {
    SmallVector<mj::ScheduleAttr> schedules;
    if (chosen.getName().getValue() != kMatmulSchedule)
      return schedules;
    Builder builder(fusion.getContext());
    for (auto [panels, tileBlocks] : listMatmulLoops(getMatmulConfig(chosen, fusion.getBody().front()), cpu)) {
      NamedAttribute parameters[] = {builder.getNamedAttr("panels", builder.getI64IntegerAttr(panels)),
                                     builder.getNamedAttr("tile_blocks", builder.getI64IntegerAttr(tileBlocks))};
      schedules.push_back(
          mj::ScheduleAttr::get(fusion.getContext(), chosen.getName(), builder.getDictionaryAttr(parameters)));
    }
    return schedules;
  }

  int64_t countTiles(mj::ScheduleAttr schedule, Block &body) const override {
    StringRef name = schedule.getName().getValue();
    if (name == kMatmulSchedule)
      return matmulTiles(getMatmulConfig(schedule, body), cpu);
    if (name == kPlainMatmulSchedule)
      return countPlainMatmulTiles(body);
    if (name == kAttentionSchedule)
      return attentionTiles(getAttentionConfig(body), cpu);
    if (name == kPlainAttentionSchedule)
      return opsOf<mj::AttentionOp>(body).front().getBatch().getType().getTokens();
    if (name == kSampleSchedule)
      return cast<RankedTensorType>(opsOf<mj::SampleOp>(body).front().getLogits().getType()).getDimSize(0);
    if (name == kTensorSchedule || name == kPlainTensorSchedule)
      return countTensorTiles(body, cpu, name == kPlainTensorSchedule);
    return countRowTiles(body);
  }

  /// The epilogue of a matmul reads 16 columns of a row before it writes them. Not so the loops of row kernels, where
  /// LLVM would find at run time that what it reads and writes overlaps, and take its scalar version.
  bool mayOverwrite(mj::ScheduleAttr schedule, Block &body, unsigned argument, unsigned result) const override {
    return schedule.getName().getValue() == kMatmulSchedule && isElementwise(body, argument, result);
  }

  FailureOr<SmallVector<Image>> generateCode(ModuleOp module, const CodeOptions &options) const override {
    if (!options.dumpKernels.empty() || !options.loadKernels.empty())
      return module.emitError("kernels of the host have no source to dump or load: LLVM makes their code; "
                              "--dump-kernels and --load-kernels are for CUDA targets");
    // Entries that only pass on what they are given need no code.
    if (module.getOps<exec::KernelOp>().empty())
      return SmallVector<Image>();
    module.getContext()
        ->loadDialect<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect, math::MathDialect,
                      memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
    OwningOpRef<ModuleOp> kernels = ModuleOp::create(module.getLoc());
    for (auto kernel : module.getOps<exec::KernelOp>()) {
      KernelContext context{kernel, exec::getKernelOperands(kernel.getBody().front()), *kernels,
                            exec::getPagesOf(kernel), cpu};
      if (failed(emit(context)))
        return failure();
    }
    if (failed(verify(*kernels)))
      return failure();
    FailureOr<SmallVector<char, 0>> object = compileToSharedObject(*kernels, cpu);
    if (failed(object))
      return failure();
    SmallVector<Image> images;
    images.push_back({"kernels.so", std::move(*object)});
    return images;
  }

private:
  static mj::ScheduleAttr schedule(Operation *op, StringRef name) {
    return mj::ScheduleAttr::get(op->getContext(), StringAttr::get(op->getContext(), name), DictionaryAttr());
  }

  static MatmulEncoding encodingOf(RankedTensorType weight) {
    Type element = weight.getElementType();
    return MatmulEncoding{element.isBF16()  ? Element::BF16
                          : element.isF16() ? Element::F16
                          : isF8(element)   ? Element::F8
                                            : Element::F32};
  }

  static std::optional<MatmulEncoding> getEncoding(RankedTensorType type) {
    auto encoding = dyn_cast_or_null<mj::EncodingAttr>(type.getEncoding());
    return encoding ? MatmulEncoding::parse(encoding.getName().getValue()) : std::nullopt;
  }

  FailureOr<mj::ScheduleAttr> chooseAttention(mj::FusionOp fusion, mj::AttentionOp attention, bool oracle) const {
    mj::KvType kv = attention.getKv().getType();
    if (!llvm::hasSingleElement(fusion.getBody().front().without_terminator()))
      return fusion.emitOpError("holds attention and other operations; the host's kernels compute it alone");
    if (oracle)
      return schedule(fusion, kPlainAttentionSchedule);
    if (kv.getHeadDim() % 8 || kv.getHeadDim() > 256)
      return fusion.emitOpError("needs attention over heads of ")
             << kv.getHeadDim() << " elements; the host has kernels for multiples of 8 up to 256";
    if (!isF32OrBf16(attention.getQuery().getType()) || kv.getElementType().isF16())
      return fusion.emitOpError("needs attention of ")
             << attention.getQuery().getType() << " over a cache of " << kv.getElementType()
             << "; the host has kernels for f32 and bf16 over caches of f32, bf16 and f8E4M3FN";
    return schedule(fusion, kAttentionSchedule);
  }

  FailureOr<mj::ScheduleAttr> chooseMatmul(mj::FusionOp fusion, ArrayRef<mj::MatmulOp> matmuls, bool oracle) const {
    if (oracle)
      return schedule(fusion, kPlainMatmulSchedule);
    mj::MatmulOp first = matmuls.front();
    if (first.getX().getDefiningOp())
      return fusion.emitOpError("computes the input of a matmul; the host's kernels read it");
    auto weight = cast<RankedTensorType>(first.getWeight().getType());
    bool packed = getEncoding(weight).has_value();
    if (packed && (isF32OrBf16(first.getX().getType()) || isF8(first.getX().getType())))
      return schedule(fusion, kMatmulSchedule);
    if (matmuls.size() == 1 && llvm::range_size(fusion.getBody().front().without_terminator()) == 1)
      return schedule(fusion, kPlainMatmulSchedule);
    return fusion.emitOpError("holds a matmul of ")
           << first.getX().getType() << " and " << weight
           << " with an epilogue; the host fuses epilogues into matmuls with packed f32, bf16 or f8E4M3FN weights only";
  }

  /// host.rows walks the leading dimension, which all that the region computes must share.
  static FailureOr<mj::ScheduleAttr> chooseRows(mj::FusionOp fusion) {
    std::optional<int64_t> rows;
    for (Operation &op : fusion.getBody().front().without_terminator()) {
      if (isa<arith::ConstantOp>(op))
        continue;
      for (Type type : op.getResultTypes()) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (!tensor)
          continue;
        if (tensor.getRank() == 0)
          return fusion.emitOpError("computes ") << tensor << " ('" << op.getName()
                                                 << "'); the host's kernels work on tensors of at least one dimension";
        if (rows && *rows != tensor.getDimSize(0))
          return fusion.emitOpError("computes tensors of ")
                 << *rows << " and of " << tensor.getDimSize(0)
                 << " rows; a region works row by row over one number of rows";
        rows = tensor.getDimSize(0);
      }
      for (OpOperand &operand : op.getOpOperands())
        if (Operation *producer = operand.get().getDefiningOp();
            producer && !isa<arith::ConstantOp>(producer) && mj::readsWhole(operand))
          return fusion.emitOpError("reads all rows of what it computes row by row ('")
                 << producer->getName() << "', read by '" << op.getName() << "'); they need regions of their own";
    }
    if (int64_t bytes = RowPlan(fusion.getBody().front()).stackBytes(); bytes > kStackLimit)
      return fusion.emitOpError("needs ") << bytes << " bytes of buffers for one row; the host's kernels have "
                                          << kStackLimit << ": reduce over fewer elements, or in two steps";
    return schedule(fusion, kRowsSchedule);
  }

  LogicalResult emit(KernelContext &context) const {
    StringRef name = context.kernel.getSchedule().getName().getValue();
    if (name == kRowsSchedule)
      return emitRows(context);
    if (name == kMatmulSchedule)
      return emitRegionMatmul(context);
    if (name == kAttentionSchedule)
      return emitRegionAttention(context);
    if (name == kSampleSchedule)
      return emitRegionSample(context);
    if (name == kPlainMatmulSchedule)
      return emitPlainMatmul(context);
    if (name == kPlainAttentionSchedule)
      return emitPlainAttention(context);
    if (name == kTensorSchedule || name == kPlainTensorSchedule)
      return emitTensor(context, name == kPlainTensorSchedule);
    return context.kernel.emitOpError("has the schedule '") << name << "', which the host does not know";
  }

  /// Two cores of a server: what package builds and tests run on. Cycles are those of two multiply-adds a cycle at
  /// 3 GHz, bandwidth is that of one memory channel pair; both are predictions.
  static Profile makeProfile(const HostTarget &cpu) {
    Profile profile;
    profile.name = cpu.cpu;
    profile.product = "two cores of a server";
    profile.processors = 2;
    profile.cacheBytes = int64_t(32) << 20;
    profile.copyBandwidth = 30e9;
    profile.readBandwidth = 36e9;
    profile.launchSeconds = 2e-6;
    profile.flopsF32 = 2.0 * 2 * 2 * cpu.vectorLanes * 3e9;
    profile.flopsBf16 = profile.flopsF32 * (cpu.hasAvx512Bf16 ? 2 : 1);
    return profile;
  }

  HostTarget cpu;
  Profile profile;
};

} // namespace

void host::registerHostTarget() {
  registerTarget("host", "this machine's CPU; host:CPU another (host:x86-64-v3, host:znver4, host:aarch64)",
                 [](StringRef specification, std::string &error) -> std::unique_ptr<Target> {
                   llvm::raw_string_ostream errors(error);
                   FailureOr<HostTarget> cpu = HostTarget::parse(specification, errors);
                   if (failed(cpu))
                     return nullptr;
                   return std::make_unique<HostBackend>(std::move(*cpu));
                 });
}

void host::registerDialects(DialectRegistry &registry) { registerObjectCodeDialects(registry); }
