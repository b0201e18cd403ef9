// The mj dialect, its types and attributes.
#ifndef MJOLNIR_DIALECT_MJ_MJBASE
#define MJOLNIR_DIALECT_MJ_MJBASE

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Mj_Dialect : Dialect {
  let name = "mj";
  let cppNamespace = "::mjolnir::mj";
  let summary = "Models as tensor programs with value semantics";
  let description = [{
    A model between the importer and the memory plan. Values are tensors; nothing here knows a chip, an address or a page's
    place. Pointwise arithmetic is upstream `arith` and `math` on tensors; `mj` holds what they lack. Weights are symbols
    (`mj.weight`) that name tensors of a checkpoint, never their bytes. The KV cache is a value: `mj.kv_append` returns the
    next one, so that the order of reads and writes is data flow.

    Token tensors have T rows (`tensor<?x...>` until `specialize-buckets`), sequence tensors B rows.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::func::FuncDialect"];
}

class Mj_Type<string name, string typeMnemonic, list<Trait> traits = []> : TypeDef<Mj_Dialect, name, traits> {
  let mnemonic = typeMnemonic;
}

def Mj_BatchType : Mj_Type<"Batch", "batch"> {
  let summary = "the ragged batch of one step";
  let description = [{
    `!mj.batch<T x B x P>`: T token rows of up to B sequences, each with at most P pages of KV cache. Sizes are `?` until
    `specialize-buckets` fixes them. Its fields, read by `mj.batch_field` and by the ops that take a batch:

    | field | type | meaning |
    |---|---|---|
    | `tokens` | `tensor<Txi32>` | token ids |
    | `positions` | `tensor<Txi32>` | position of each token in its sequence |
    | `sequence_offsets` | `tensor<(B+1)xi32>` | rows of sequence i are `[offsets[i], offsets[i+1])`; later rows are padding |
    | `context_lengths` | `tensor<Bxi32>` | tokens of each sequence in the cache after this step |
    | `block_tables` | `tensor<BxPxi32>` | page of each `page size` tokens |
    | `slots` | `tensor<Txi32>` | where the row's K and V go: page * page size + offset; -1 for padding |
    | `logit_rows` | `tensor<Bxi32>` | the row whose logits are wanted for each sequence |
  }];
  let parameters = (ins "int64_t":$tokens, "int64_t":$sequences, "int64_t":$pages);
  let assemblyFormat = "`<` custom<Dim>($tokens) `x` custom<Dim>($sequences) `x` custom<Dim>($pages) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool isStatic() const;
  }];
}

def Mj_KvType : Mj_Type<"Kv", "kv"> {
  let summary = "the KV cache of all layers, as a value";
  let description = [{
    `!mj.kv<layers x heads x head_dim x element>`: keys and values of every layer for all sequences of a session. Only the
    plan turns it into paged memory.
  }];
  let parameters = (ins "int64_t":$layers, "int64_t":$heads, "int64_t":$headDim, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` custom<Dim>($layers) `x` custom<Dim>($heads) `x` custom<Dim>($headDim) `x` $elementType `>`";
  let genVerifyDecl = 1;
}

def Mj_SamplingType : Mj_Type<"Sampling", "sampling"> {
  let summary = "sampling parameters of each sequence";
  let description = [{
    `!mj.sampling<B>`: temperature `f32`, top_k `i32`, top_p `f32` and seed `i64` for each of B sequences.
  }];
  let parameters = (ins "int64_t":$sequences);
  let assemblyFormat = "`<` custom<Dim>($sequences) `>`";
  let genVerifyDecl = 1;
}

class Mj_Attr<string name, string attrMnemonic> : AttrDef<Mj_Dialect, name> { let mnemonic = attrMnemonic; }

def Mj_EncodingAttr : Mj_Attr<"Encoding", "encoding"> {
  let summary = "how a weight's elements are stored";
  let description = [{
    The encoding of a weight's tensor type: `tensor<2048x1024xbf16, #mj.encoding<"rows16">>`. The shape stays the logical one;
    the name is the target's. No encoding is row-major.
  }];
  let parameters = (ins "::mlir::StringAttr":$name);
  let assemblyFormat = "`<` $name `>`";
}

def Mj_ScheduleAttr : Mj_Attr<"Schedule", "schedule"> {
  let summary = "how a region becomes a kernel";
  let description = [{
    The name of a schedule of the target and its parameters: `#mj.schedule<"host.matmul", {rows = 6 : i64}>`.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, OptionalParameter<"::mlir::DictionaryAttr">:$parameters);
  let assemblyFormat = "`<` $name (`,` $parameters^)? `>`";
}

#endif
