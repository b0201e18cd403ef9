// What the definitions of mj operations share.
#ifndef MJOLNIR_DIALECT_MJ_MJOPBASE
#define MJOLNIR_DIALECT_MJ_MJOPBASE

include "mjolnir/Dialect/Mj/MjBase.td"
include "mjolnir/Dialect/Mj/MjInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Mj_Op<string opMnemonic, list<Trait> traits = []> : Op<Mj_Dialect, opMnemonic, traits>;

// A tensor op without effects whose results have the leading dimension of one operand, or static shapes.
class Mj_TensorOp<string opMnemonic, list<Trait> traits = []>
    : Mj_Op<opMnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<LeadingDimOpInterface>], traits)> {
  let hasVerifier = 1;
}

def Mj_FloatTensor : RankedTensorOf<[F32, F16, BF16, F8E4M3FN]>;
def Mj_WideTensor : RankedTensorOf<[F32, F16, BF16]>;
def Mj_F8Tensor : RankedTensorOf<[F8E4M3FN]>;
def Mj_IndexTensor : TensorRankOf<[I32], [1]>;

#endif
