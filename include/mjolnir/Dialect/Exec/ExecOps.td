// The exec dialect: a planned program of launches over buffers.
#ifndef MJOLNIR_DIALECT_EXEC_EXECOPS
#define MJOLNIR_DIALECT_EXEC_EXECOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mjolnir/Dialect/Mj/MjBase.td"

def Exec_Dialect : Dialect {
  let name = "exec";
  let cppNamespace = "::mjolnir::exec";
  let summary = "Planned programs: buffers, launches, paged KV pools";
  let description = [{
    What the runtime replays, the same for every target: straight-line entries that launch kernels over buffers whose places
    are attributes. `exec.arena_buffer` gets its offset from `plan-memory`; how many pages a pool has is decided at load.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mjolnir::mj::MjDialect"];
}

class Exec_Op<string opMnemonic, list<Trait> traits = []> : Op<Exec_Dialect, opMnemonic, traits>;

def Exec_BufferType : TypeDef<Exec_Dialect, "Buffer"> {
  let builderCall = "::mjolnir::exec::BufferType::get($_builder.getContext())";
  let mnemonic = "buffer";
  let summary = "bytes at a place that the plan knows";
}

def Exec_BindingAttr : AttrDef<Exec_Dialect, "Binding"> {
  let mnemonic = "binding";
  let summary = "an input or output of an entry: its name and its type";
  let description = [{ `#exec.binding<"tokens", tensor<4xi32>>`: the caller's memory, dense and row-major. }];
  let parameters = (ins "::mlir::StringAttr":$name, "::mlir::TypeAttr":$type);
  let assemblyFormat = "`<` $name `,` $type `>`";
  let genVerifyDecl = 1;
}
def I8ElementsAttr : ElementsAttrBase<CPred<"::llvm::isa<::mlir::DenseIntElementsAttr>($_self) && "
    "::llvm::cast<::mlir::DenseIntElementsAttr>($_self).getElementType().isInteger(8)">, "bytes"> {
  let storageType = "::mlir::DenseIntElementsAttr";
  let returnType = "::mlir::DenseIntElementsAttr";
}

def Exec_BindingArrayAttr : TypedArrayAttrBase<Exec_BindingAttr, "bindings">;

def Exec_Access : I32EnumAttr<"Access", "what a kernel does with an operand", [
    I32EnumAttrCase<"read", 0>, I32EnumAttrCase<"write", 1>, I32EnumAttrCase<"read_write", 2>]> {
  let cppNamespace = "::mjolnir::exec";
  let genSpecializedAttr = 0;
}
def Exec_AccessAttr : EnumAttr<Exec_Dialect, Exec_Access, "access"> { let assemblyFormat = "`<` $value `>`"; }
def Exec_AccessArrayAttr : TypedArrayAttrBase<Exec_AccessAttr, "accesses">;

def Exec_InPlaceAttr : AttrDef<Exec_Dialect, "InPlace"> {
  let mnemonic = "in_place";
  let summary = "an operand that may be written over one that is read";
  let description = [{
    `#exec.in_place<3 over 0>`: the kernel writes an element of operand 3 only after the last read of the same element of
    operand 0, and no other tile reads it: the two may be one buffer, of which nothing else of the launch is a part.
  }];
  let parameters = (ins "unsigned":$written, "unsigned":$read);
  let assemblyFormat = "`<` $written `over` $read `>`";
}
def Exec_InPlaceArrayAttr : TypedArrayAttrBase<Exec_InPlaceAttr, "pairs of operands">;

def Exec_LibraryMatmulAttr : AttrDef<Exec_Dialect, "LibraryMatmul"> {
  let mnemonic = "library_matmul";
  let summary = "a kernel that a library computes: one matrix product with its epilogue";
  let description = [{
    `#exec.library_matmul<library = "cublaslt", x = 0, weight = 1, result = 3, residual = 2, transpose_weight = true>`: launches
    of the kernel are calls of the library. Numbers count operands of the launch:

        result = activation(alpha * weight_scale * x * weight + bias + residual)

    summed and computed in f32, rounded once, where `weight` is [K, N], or [N, K] with `transpose_weight`; `weight_scale` is
    one f32, `bias` a vector of N, `residual` of the result's type; `activation` is "relu" or "gelu_tanh". The scratch of
    the kernel is the library's workspace.
  }];
  let parameters = (ins "::mlir::StringAttr":$library, "int64_t":$x, "int64_t":$weight, "int64_t":$result,
                        DefaultValuedParameter<"int64_t", "-1">:$weight_scale, DefaultValuedParameter<"int64_t", "-1">:$bias,
                        DefaultValuedParameter<"int64_t", "-1">:$residual,
                        DefaultValuedParameter<"bool", "false">:$transpose_weight,
                        OptionalParameter<"::mlir::StringAttr">:$activation, OptionalParameter<"::mlir::FloatAttr">:$alpha);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The operands that the call reads, those that there are.
    ::llvm::SmallVector<int64_t> getReadOperands() const;
  }];
}

def Exec_TensorMapAttr : AttrDef<Exec_Dialect, "TensorMap"> {
  let mnemonic = "tensor_map";
  let summary = "how bulk tensor copies of a kernel see one of its operands";
  let description = [{
    `#exec.tensor_map<operand = 1, rows = 3072, columns = 1024, box_rows = 128, box_columns = 64>`: the first rows x columns
    elements of operand 1, a tensor argument or a result of the body, are a dense matrix, row-major, of which a copy moves
    a box at a time. In shared memory a row of a box is swizzled within 128 bytes, which it may not exceed; elements of a box
    beyond the matrix are read as zeros and not written. Rows are a multiple of 16 bytes apart, a row of a box is one long.
    Elements are f32, f16, bf16, f8E4M3FN or i8.
  }];
  let parameters = (ins "int64_t":$operand, "int64_t":$rows, "int64_t":$columns, "int64_t":$box_rows, "int64_t":$box_columns);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}
def Exec_TensorMapArrayAttr : TypedArrayAttrBase<Exec_TensorMapAttr, "tensor maps">;

def Exec_KvPoolOp : Exec_Op<"kv_pool", [Symbol]> {
  let summary = "paged memory of the KV cache";
  let description = [{
    A page holds `page_size` tokens of all layers: `[layers][K, V][heads][page_size][head_dim]` elements. `bytes_per_page` is
    stated so that plans can be read and checked. The number of pages is left to the load.

    With `window` W no row reads further back than the last W tokens, its own included: what lies before may be
    overwritten.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$element_type, I64Attr:$layers, I64Attr:$heads, I64Attr:$head_dim,
                       I64Attr:$page_size, I64Attr:$bytes_per_page, OptionalAttr<I64Attr>:$window);
  let assemblyFormat = [{
    $sym_name `:` $element_type `layers` $layers `heads` $heads `head_dim` $head_dim `page_size` $page_size
    `bytes_per_page` $bytes_per_page (`window` $window^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Bytes from one layer of a page to the next.
    int64_t getLayerBytes();
  }];
}

def Exec_StateOp : Exec_Op<"state", [Symbol]> {
  let summary = "a tensor that a session keeps between runs";
  let description = [{
    Zeros when the session is made; then what the last launch or copy of a run left there. All entries see the same one.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Exec_ImageOp : Exec_Op<"image", [Symbol]> {
  let summary = "compiled kernels";
  let description = [{ The bytes of a member of the package that holds kernels: for the host an ELF shared object. }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$member, I8ElementsAttr:$data);
  let assemblyFormat = "$sym_name `member` $member attr-dict `:` $data";
}

def Exec_KernelOp : Exec_Op<"kernel", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "a kernel: a region, its schedule, its number of tiles";
  let description = [{
    The body is that of the `mj.fusion` it came from, layers counted from zero: which layer is meant is the offset of the pool
    operand of each launch. Operands of a launch are the body's arguments, each batch, sampling and cache argument replaced by
    the buffers it stands for, then one buffer for each tensor result; `accesses` says what happens to each. With
    `scratch` there is one more, of that many bytes, for what a launch keeps between its tiles: the partial results of a
    split decode. `in_place` names results that may lie where an operand lies that nothing reads afterwards. `early` names
    operands of which a dependent launch reads before it waits for the launch before it: what no step of the entry writes,
    and of a cache what earlier runs left there. With `library` launches are calls of a library's function instead, and
    no code is generated; such a launch is not dependent, nor is one right behind it. `tensor_maps`, which code generation
    writes, are further parameters of a CUDA kernel, behind the addresses of its operands: one tensor map by value each.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Mj_ScheduleAttr:$schedule, I64Attr:$tiles, Exec_AccessArrayAttr:$accesses,
                       OptionalAttr<Exec_InPlaceArrayAttr>:$in_place, OptionalAttr<I64Attr>:$scratch,
                       OptionalAttr<DenseI64ArrayAttr>:$early, OptionalAttr<StrAttr>:$ops,
                       OptionalAttr<Exec_LibraryMatmulAttr>:$library, OptionalAttr<Exec_TensorMapArrayAttr>:$tensor_maps);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `schedule` $schedule `tiles` $tiles `accesses` $accesses (`in_place` $in_place^)? (`scratch` $scratch^)?
    (`early` $early^)? (`library` $library^)? (`tensor_maps` $tensor_maps^)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Exec_ReturnOp : Exec_Op<"return", [Pure, Terminator, ReturnLike, HasParent<"KernelOp">]> {
  let summary = "the results of a kernel's body";
  let arguments = (ins Variadic<AnyType>:$results);
  let assemblyFormat = "($results^ `:` type($results))? attr-dict";
}

def Exec_EntryOp : Exec_Op<"entry", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "an entry point: launches in order over buffers";
  let description = [{
    Block arguments are the inputs, then the outputs. `ragged` entries carry their bucket: token rows, sequences, pages a
    sequence. `arena_bytes` and the offsets of arena buffers come from `plan-memory`.

    Launches and copies are the steps of an entry, numbered in order from 0. A step starts when all before it are
    complete; one that says `after [i, ...]`, when those steps are (none: at once), so that steps without a path between
    them may overlap. Where the steps run as one stream, a launch that is `dependent` may start before the one before it,
    a launch, is complete: its kernel waits for that before it touches anything but its `early` operands. `graph`: a device that can
    capture the entry replays it as one graph. A device that runs step after step does right by all of these.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Exec_BindingArrayAttr:$inputs, Exec_BindingArrayAttr:$outputs,
                       OptionalAttr<DenseI64ArrayAttr>:$ragged, OptionalAttr<I64Attr>:$arena_bytes,
                       OptionalAttr<I64Attr>:$arena_alignment, UnitAttr:$graph);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`ragged` $ragged^)? (`arena` $arena_bytes^)? (`align` $arena_alignment^)? (`graph` $graph^)?
    `inputs` $inputs `outputs` $outputs attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Exec_ArenaBufferOp : Exec_Op<"arena_buffer", [HasParent<"EntryOp">]> {
  let summary = "memory that lives within one run of an entry";
  let arguments = (ins I64Attr:$bytes, OptionalAttr<I64Attr>:$offset);
  let results = (outs Exec_BufferType:$result);
  let assemblyFormat = "$bytes (`at` $offset^)? attr-dict";
  let hasVerifier = 1;
}

def Exec_WeightBufferOp : Exec_Op<"weight_buffer", [
    Pure, HasParent<"EntryOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight of the package: an `mj.weight` or `mj.prepare`";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Exec_BufferType:$result);
  let assemblyFormat = "$weight attr-dict";
}

def Exec_PoolBufferOp : Exec_Op<"pool_buffer", [
    Pure, HasParent<"EntryOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one layer of a KV pool";
  let description = [{ `offset` is the byte offset of the layer within every page. }];
  let arguments = (ins FlatSymbolRefAttr:$pool, I64Attr:$offset);
  let results = (outs Exec_BufferType:$result);
  let assemblyFormat = "$pool `at` $offset attr-dict";
}

def Exec_StateBufferOp : Exec_Op<"state_buffer", [
    Pure, HasParent<"EntryOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the memory of an exec.state";
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs Exec_BufferType:$result);
  let assemblyFormat = "$state attr-dict";
}

def Exec_PartOp : Exec_Op<"part", [Pure, HasParent<"EntryOp">]> {
  let summary = "some bytes of an output";
  let description = [{
    `bytes` bytes of an output of the entry, from `offset` on: where one of the tensors that are concatenated there goes.
    Offsets are multiples of 64, as those of everything that kernels write.
  }];
  let arguments = (ins Exec_BufferType:$buffer, I64Attr:$offset, I64Attr:$bytes);
  let results = (outs Exec_BufferType:$result);
  let assemblyFormat = "$buffer `at` $offset `bytes` $bytes attr-dict";
  let hasVerifier = 1;
}

def Exec_LaunchOp : Exec_Op<"launch", [HasParent<"EntryOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel's tiles over buffers";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Exec_BufferType>:$operands,
                       OptionalAttr<DenseI64ArrayAttr>:$after, UnitAttr:$dependent);
  let assemblyFormat = "$kernel `(` $operands `)` (`after` $after^)? (`dependent` $dependent^)? attr-dict";
  let builders = [OpBuilder<(ins "::llvm::StringRef":$kernel, "::mlir::ValueRange":$operands), [{
    build($_builder, $_state, kernel, operands, ::mlir::DenseI64ArrayAttr(), false);
  }]>];
}

def Exec_CopyOp : Exec_Op<"copy", [HasParent<"EntryOp">]> {
  let summary = "copies bytes from one buffer to another";
  let arguments = (ins Exec_BufferType:$source, Exec_BufferType:$destination, I64Attr:$bytes,
                       OptionalAttr<DenseI64ArrayAttr>:$after);
  let assemblyFormat = "$source `to` $destination `bytes` $bytes (`after` $after^)? attr-dict";
  let builders = [OpBuilder<(ins "::mlir::Value":$source, "::mlir::Value":$destination, "int64_t":$bytes), [{
    build($_builder, $_state, source, destination, bytes, ::mlir::DenseI64ArrayAttr());
  }]>];
  let hasVerifier = 1;
}

#endif
