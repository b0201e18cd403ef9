// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Weights in f8E4M3FN: what mj.channel_scale and mj.quantize_channels compute when a package is written.
#ifndef MJOLNIR_LIB_PIPELINE_QUANTIZEWEIGHTS_H
#define MJOLNIR_LIB_PIPELINE_QUANTIZEWEIGHTS_H

#include "lib/Pipeline/Prepare.h"

namespace mjolnir {

/// The scales of a weight given row-major in its own element type (f32, f16 or bf16): f32, one a row or one in all. A
/// diagnostic on `op` if the weight holds a NaN or an infinity, which no scale brings into range.
llvm::FailureOr<TensorBytes> computeChannelScale(mj::ChannelScaleOp op, llvm::ArrayRef<char> weight);

/// The weight's codes, row-major; the same diagnostic.
llvm::FailureOr<TensorBytes> quantizeChannels(mj::QuantizeChannelsOp op, llvm::ArrayRef<char> weight,
                                              llvm::ArrayRef<char> scales);

/// A diagnostic on `op` if it packs f8E4M3FN of which an element is NaN: kernels over packed weights rely on numbers.
llvm::LogicalResult checkCodes(mj::PackOp op, llvm::ArrayRef<char> source);

} // namespace mjolnir

#endif // MJOLNIR_LIB_PIPELINE_QUANTIZEWEIGHTS_H
