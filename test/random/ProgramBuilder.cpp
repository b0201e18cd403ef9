// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements ProgramBuilder.h and the choice between the kinds of programs.
#include "test/random/ProgramBuilder.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

Program differential::generate(MLIRContext &context, uint64_t seed) {
  context.loadDialect<mj::MjDialect, arith::ArithDialect, math::MathDialect, func::FuncDialect>();
  Program program;
  program.seed = seed;
  // One program in eight is a language model.
  if (Random(seed).below(8) == 0) {
    generateLanguageModel(context, program);
  } else {
    ProgramBuilder build(context, program, "main");
    generatePlain(build);
  }
  return program;
}

ProgramBuilder::ProgramBuilder(MLIRContext &context, Program &program, StringRef name)
    : program(program), random(program.seed ^ 0x6d6a6f6c6e6972), builder(&context), loc(builder.getUnknownLoc()) {
  program.module = ModuleOp::create(loc);
  (*program.module)->setAttr(mj::kPhaseAttr, builder.getStringAttr("input"));
  builder.setInsertionPointToEnd(program.module->getBody());
  entry = func::FuncOp::create(builder, loc, name, builder.getFunctionType({}, {}));
  entry->setAttr(mj::kEntryAttr, builder.getUnitAttr());
  body = entry.addEntryBlock();
  builder.setInsertionPointToEnd(body);
}

std::vector<double> ProgramBuilder::numbers(Type element, int64_t count, double scale, double offset) {
  std::vector<double> result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(roundTo(element, offset + scale * random.normal()));
  return result;
}

Value ProgramBuilder::argumentOf(Type type, StringRef name) {
  argumentNames.push_back(name.str());
  return body->addArgument(type, loc);
}

Value ProgramBuilder::argument(ArrayRef<int64_t> shape, Type element, double scale) {
  Array array(shape);
  array.values = numbers(element, array.size(), scale, 0);
  program.inputs.push_back(std::move(array));
  return withScale(argumentOf(RankedTensorType::get(shape, element), "x" + std::to_string(argumentNames.size())),
                   scale);
}

Value ProgramBuilder::indices(int64_t count, int64_t limit) {
  Array array(ArrayRef<int64_t>{count});
  for (double &value : array.values)
    value = double(random.below(limit));
  program.inputs.push_back(std::move(array));
  return argumentOf(RankedTensorType::get({count}, builder.getI32Type()), "i" + std::to_string(argumentNames.size()));
}

Value ProgramBuilder::weight(ArrayRef<int64_t> shape, Type element, double scale, double offset) {
  auto type = RankedTensorType::get(shape, element);
  std::string name = "w" + std::to_string(program.weights.size());
  program.weights[name] = {type, numbers(element, type.getNumElements(), scale, offset)};
  OpBuilder before(entry);
  mj::WeightOp::create(before, loc, name, type, name);
  return withScale(mj::GetWeightOp::create(builder, loc, type, name), std::sqrt(scale * scale + offset * offset));
}

Value ProgramBuilder::weightF32(ArrayRef<int64_t> shape, Type element, double scale, double offset) {
  Value stored = weight(shape, element, scale, offset);
  return withScale(convert(stored, f32()), this->scale(stored));
}

Type ProgramBuilder::storedType() { return random.pick<Type>({f32(), bf16(), f16(), bf16()}); }

Value ProgramBuilder::constantLike(Value like, double number) {
  auto type = typeOf(like);
  auto value = FloatAttr::get(type.getElementType(), roundTo(type.getElementType(), number));
  if (type.hasStaticShape() && random.chance(0.5))
    return withScale(arith::ConstantOp::create(builder, loc, SplatElementsAttr::get(type, value)), std::abs(number));
  auto scalar = RankedTensorType::get({}, type.getElementType());
  Value one = arith::ConstantOp::create(builder, loc, SplatElementsAttr::get(scalar, value));
  return withScale(make<mj::BroadcastOp>(type, one, like), std::abs(number));
}

Value ProgramBuilder::broadcast(Value source, Value like) {
  auto type = RankedTensorType::get(shapeOf(like), typeOf(source).getElementType());
  if (source.getType() == type)
    return source;
  return withScale(make<mj::BroadcastOp>(type, source, like), scale(source));
}

Value ProgramBuilder::reshape(Value x, ArrayRef<int64_t> shape) {
  return withScale(make<mj::ReshapeOp>(typeOf(x).clone(shape), x), scale(x));
}

Value ProgramBuilder::convert(Value x, Type element) {
  auto type = typeOf(x);
  if (type.getElementType() == element)
    return x;
  Value result = x;
  if (type.getElementTypeBitWidth() < 32)
    result = make<arith::ExtFOp>(type.clone(f32()), result);
  if (!element.isF32())
    result = make<arith::TruncFOp>(type.clone(element), result);
  return withScale(result, scale(x));
}

Value ProgramBuilder::matmul(Value x, int64_t columns, Type weightType, bool transposed) {
  int64_t inner = shapeOf(x)[1];
  SmallVector<int64_t> shape{columns, inner};
  if (!transposed)
    std::swap(shape[0], shape[1]);
  Value w = weight(shape, weightType, 1 / std::sqrt(double(inner)));
  Value y = mj::MatmulOp::create(builder, loc, tensor({shapeOf(x)[0], columns}), x, w, transposed);
  return withScale(y, scale(x));
}

Value ProgramBuilder::norm(mj::NormKind kind, Value x, Value weight, Value bias, double eps) {
  Value y = mj::NormOp::create(builder, loc, x.getType(), kind, x, weight, bias, llvm::APFloat(float(eps)));
  return withScale(y, 1 + (bias ? scale(bias) : 0));
}

Value ProgramBuilder::silu(Value x) {
  Value exponential = math<math::ExpOp>(math<arith::NegFOp>(x));
  Value denominator = random.chance(0.5) ? add(constantLike(x, 1), exponential) : add(exponential, constantLike(x, 1));
  Value y = random.chance(0.5) ? div(x, denominator) : mul(x, div(constantLike(x, 1), denominator));
  return withScale(y, scale(x));
}

Value ProgramBuilder::gelu(Value x) {
  Value half = mul(constantLike(x, 0.5), x), inner;
  if (random.chance(0.5)) {
    inner = math<math::ErfOp>(mul(x, constantLike(x, 0.70710678118654752)));
  } else {
    Value cube = random.chance(0.5) ? mul(mul(x, x), x) : arith<math::PowFOp>(x, constantLike(x, 3));
    inner = add(x, mul(constantLike(x, 0.044715), cube));
    inner = math<math::TanhOp>(mul(inner, constantLike(x, 0.79788456080286536)));
  }
  return withScale(mul(half, add(inner, constantLike(x, 1))), scale(x));
}

Value ProgramBuilder::ropeTable(int64_t positions, int64_t headDim) {
  return mj::RopeTableOp::create(builder, loc, tensor({positions, headDim / 2, 2}), llvm::APFloat(10000.0),
                                 DenseF64ArrayAttr(), llvm::APFloat(1.0));
}

Value ProgramBuilder::tame(Value x, double most) {
  double size = scale(x);
  if (size <= most)
    return x;
  return withScale(mul(x, constantLike(x, 1 / size)), 1);
}

void ProgramBuilder::finish(ValueRange results, ArrayRef<std::string> names) {
  func::ReturnOp::create(builder, loc, results);
  entry.setFunctionType(builder.getFunctionType(body->getArgumentTypes(), results.getTypes()));
  for (auto [index, name] : llvm::enumerate(argumentNames))
    entry.setArgAttr(index, "mj.name", builder.getStringAttr(name));
  for (size_t index = 0; index < results.size(); ++index)
    entry.setResultAttr(index, "mj.name",
                        builder.getStringAttr(names.empty() ? "y" + std::to_string(index) : names[index]));
}
