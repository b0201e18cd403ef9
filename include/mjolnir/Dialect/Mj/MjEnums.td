// Enumerations of the mj dialect.
#ifndef MJOLNIR_DIALECT_MJ_MJENUMS
#define MJOLNIR_DIALECT_MJ_MJENUMS

include "mlir/IR/EnumAttr.td"
include "mjolnir/Dialect/Mj/MjBase.td"

def Mj_BatchField : I32EnumAttr<"BatchField", "a field of a ragged batch", [
    I32EnumAttrCase<"tokens", 0>, I32EnumAttrCase<"positions", 1>, I32EnumAttrCase<"sequence_offsets", 2>,
    I32EnumAttrCase<"context_lengths", 3>, I32EnumAttrCase<"block_tables", 4>, I32EnumAttrCase<"slots", 5>,
    I32EnumAttrCase<"logit_rows", 6>]> {
  let cppNamespace = "::mjolnir::mj";
}

def Mj_NormKind : I32EnumAttr<"NormKind", "what a norm divides by", [
    I32EnumAttrCase<"rms", 0>, I32EnumAttrCase<"layer", 1>]> {
  let cppNamespace = "::mjolnir::mj";
}

def Mj_RopePairs : I32EnumAttr<"RopePairs", "which elements a rotary embedding rotates together", [
    I32EnumAttrCase<"half", 0>, I32EnumAttrCase<"interleaved", 1>]> {
  let cppNamespace = "::mjolnir::mj";
}

def Mj_ReduceKind : I32EnumAttr<"ReduceKind", "how a reduction combines elements", [
    I32EnumAttrCase<"sum", 0>, I32EnumAttrCase<"mean", 1>, I32EnumAttrCase<"max", 2>, I32EnumAttrCase<"min", 3>]> {
  let cppNamespace = "::mjolnir::mj";
}

#endif
