// Interfaces of the mj dialect.
#ifndef MJOLNIR_DIALECT_MJ_MJINTERFACES
#define MJOLNIR_DIALECT_MJ_MJINTERFACES

include "mlir/IR/OpBase.td"

def LeadingDimOpInterface : OpInterface<"LeadingDimOpInterface"> {
  let cppNamespace = "::mjolnir::mj";
  let description = [{
    An op whose tensor results share their leading dimension (token rows or sequences) with one of its operands. It is how
    `specialize-buckets` gives symbolic programs static shapes: the source's leading size becomes the results'.
  }];
  let methods = [InterfaceMethod<
    "The operand whose leading dimension the results have; null where rows are mixed or moved: then shapes are static.",
    "::mlir::Value", "getLeadingDimSource", (ins)>];
}

#endif
