// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From MLIR to a shared object: what may be in a kernel, what is refused, and that the bytes are reproducible.
#include "targets/host/ObjectCode.h"
#include "test/unit/host/KernelRunner.h"

#include "mlir/Parser/Parser.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mjolnir::host;
using namespace mjolnir::host::testing;

namespace {

class ObjectCodeTest : public ::testing::Test {
protected:
  ObjectCodeTest() : context(KernelModule::registry()), target(*HostTarget::parse("host")) {
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic &diagnostic) {
      message += diagnostic.str() + "\n";
      return mlir::success();
    });
  }
  mlir::FailureOr<mlir::SmallVector<char, 0>> compile(llvm::StringRef text) {
    message.clear();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return mlir::failure();
    return compileToSharedObject(*module, target);
  }
  std::unique_ptr<KernelLibrary> load(llvm::StringRef text) {
    auto image = compile(text);
    EXPECT_TRUE(mlir::succeeded(image)) << message;
    return mlir::failed(image) ? nullptr : KernelLibrary::load(*image);
  }
  void refuses(llvm::StringRef text, llvm::StringRef sentence) {
    EXPECT_TRUE(mlir::failed(compile(text)));
    EXPECT_NE(message.find(sentence.str()), std::string::npos) << message;
  }

  mlir::MLIRContext context;
  HostTarget target;
  std::string message;
};

constexpr llvm::StringLiteral kScale = R"(
  func.func @scale(%x: memref<100xf32>, %y: memref<100xf32>, %tile: index) attributes {mjolnir.optimize} {
    %c10 = arith.constant 10 : index
    %c1 = arith.constant 1 : index
    %from = arith.muli %tile, %c10 : index
    %to = arith.addi %from, %c10 : index
    scf.for %i = %from to %to step %c1 {
      %v = memref.load %x[%i] : memref<100xf32>
      %r = func.call @twice(%v) : (f32) -> f32
      memref.store %r, %y[%i] : memref<100xf32>
    }
    return
  }
  func.func private @twice(%v: f32) -> f32 {
    %r = arith.addf %v, %v : f32
    return %r : f32
  }
  func.func @clear(%y: memref<100xf32>, %tile: index) attributes {mjolnir.optimize} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c100 = arith.constant 100 : index
    %zero = arith.constant 0.0 : f32
    scf.for %i = %c0 to %c100 step %c1 {
      memref.store %zero, %y[%i] : memref<100xf32>
    }
    return
  }
  func.func @copy(%x: memref<100xf32>, %y: memref<100xf32>, %tile: index) attributes {mjolnir.optimize} {
    memref.copy %x, %y : memref<100xf32> to memref<100xf32>
    return
  }
)";

TEST_F(ObjectCodeTest, RunsTilesWithHelpersAndWithoutALibrary) {
  auto library = load(kScale);
  ASSERT_TRUE(library);
  Buffer x(Element::F32, 100), y(Element::F32, 100);
  x.fill(1);
  launch(library->symbol("scale"), {x.data(), y.data()}, 10, 2);
  for (int64_t index = 0; index < 100; ++index)
    ASSERT_EQ(y.get(index), 2 * x.get(index));
  launch(library->symbol("copy"), {x.data(), y.data()}, 1);
  EXPECT_EQ(std::memcmp(x.data(), y.data(), 400), 0);
  launch(library->symbol("clear"), {y.data()}, 1);
  EXPECT_EQ(y.get(0), 0.0f);
  EXPECT_EQ(y.get(99), 0.0f);
  EXPECT_TRUE(y.guardIntact());
  EXPECT_EQ(library->symbol("twice"), nullptr);
  EXPECT_EQ(library->symbol("scale.body"), nullptr);
}

TEST_F(ObjectCodeTest, EqualInputsGiveEqualBytes) {
  auto first = compile(kScale), second = compile(kScale);
  context.disableMultithreading();
  auto sequential = compile(kScale);
  ASSERT_TRUE(mlir::succeeded(first) && mlir::succeeded(second) && mlir::succeeded(sequential));
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(*first, *sequential);
  llvm::StringRef bytes(first->data(), first->size());
  EXPECT_FALSE(bytes.contains("/tmp")) << "a path of this machine is in the object";
}

TEST_F(ObjectCodeTest, LowersLinalgOnTensors) {
  auto library = load(R"(
    #id = affine_map<(i, j) -> (i, j)>
    #row = affine_map<(i, j) -> (i)>
    func.func @softmax_sum(%x: memref<4x100xbf16>, %y: memref<4xf32>, %tile: index) attributes {mjolnir.optimize} {
      %input = bufferization.to_tensor %x restrict : memref<4x100xbf16> to tensor<4x100xbf16>
      %output = bufferization.to_tensor %y restrict writable : memref<4xf32> to tensor<4xf32>
      %zero = arith.constant 0.0 : f32
      %init = linalg.fill ins(%zero : f32) outs(%output : tensor<4xf32>) -> tensor<4xf32>
      %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
          ins(%input : tensor<4x100xbf16>) outs(%init : tensor<4xf32>) {
      ^bb0(%a: bf16, %s: f32):
        %wide = arith.extf %a : bf16 to f32
        %e = math.exp %wide : f32
        %r = arith.addf %s, %e : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      bufferization.materialize_in_destination %sum in restrict writable %y : (tensor<4xf32>, memref<4xf32>) -> ()
      return
    })");
  ASSERT_TRUE(library);
  Buffer x(Element::BF16, 400), y(Element::F32, 4);
  x.fill(9, 3.0f);
  launch(library->symbol("softmax_sum"), {x.data(), y.data()}, 1);
  for (int64_t row = 0; row < 4; ++row) {
    double sum = 0;
    for (int64_t col = 0; col < 100; ++col)
      sum += std::exp(double(x.get(row * 100 + col)));
    EXPECT_NEAR(y.get(row), sum, sum * 1e-5);
  }
}

/// A kernel that applies `body`, from %v to %r, to 64 numbers, `lanes` at a time.
std::string pointwise(llvm::StringRef from, llvm::StringRef to, llvm::StringRef body, int lanes, bool optimize) {
  auto type = [&](llvm::StringRef element) {
    return lanes == 1 ? element.str() : "vector<" + std::to_string(lanes) + "x" + element.str() + ">";
  };
  std::string text = "func.func @f(%x: memref<64x" + from.str() + ">, %y: memref<64x" + to.str() + ">, %tile: index) ";
  text += optimize ? "attributes {mjolnir.optimize} " : "";
  text += "{ %c0 = arith.constant 0 : index\n %c64 = arith.constant 64 : index\n %step = arith.constant " +
          std::to_string(lanes) + " : index\n scf.for %i = %c0 to %c64 step %step {\n";
  bool vector = lanes > 1;
  text += std::string("%v = ") + (vector ? "vector" : "memref") + ".load %x[%i] : memref<64x" + from.str() + ">" +
          (vector ? ", " + type(from) : "") + "\n";
  std::string filled = body.str();
  auto replace = [&](llvm::StringRef name, const std::string &with) {
    for (size_t at; (at = filled.find(name.str())) != std::string::npos;)
      filled.replace(at, name.size(), with);
  };
  replace("FROM", type(from));
  replace("TO", type(to));
  text += filled + "\n";
  text += std::string(vector ? "vector" : "memref") + ".store %r, %y[%i] : memref<64x" + to.str() + ">" +
          (vector ? ", " + type(to) : "") + "\n } return }";
  return text;
}

TEST_F(ObjectCodeTest, MathNeedsNoLibrary) {
  struct Function {
    const char *op;
    double (*reference)(double);
    float least, most;
    double tolerance;
  };
  const Function functions[] = {{"exp", std::exp, -20, 20, 3e-7},    {"exp2", std::exp2, -20, 20, 2e-6},
                                {"log", std::log, 0.01f, 100, 1e-6}, {"tanh", std::tanh, -6, 6, 1e-6},
                                {"erf", std::erf, -3, 3, 1e-6},      {"sin", std::sin, -10, 10, 2e-6},
                                {"cos", std::cos, -10, 10, 2e-6},    {"sqrt", std::sqrt, 0, 50, 1e-7},
                                {"floor", std::floor, -9, 9, 0},     {"absf", std::fabs, -9, 9, 0}};
  for (const Function &function : functions)
    for (int lanes : {1, 16}) {
      auto library =
          load(pointwise("f32", "f32", std::string("%r = math.") + function.op + " %v : FROM", lanes, lanes == 1));
      ASSERT_TRUE(library) << function.op;
      Buffer x(Element::F32, 64), y(Element::F32, 64);
      for (int index = 0; index < 64; ++index)
        x.set(index, function.least + (function.most - function.least) * index / 63);
      launch(library->symbol("f"), {x.data(), y.data()}, 1);
      for (int index = 0; index < 64; ++index) {
        double expected = function.reference(x.get(index));
        EXPECT_NEAR(y.get(index), expected, function.tolerance * std::max(1.0, std::fabs(expected)))
            << function.op << " of " << x.get(index);
      }
    }
  for (const char *op : {"rsqrt", "log1p", "expm1", "atan", "round", "ceil", "log2", "sinh", "tan"})
    EXPECT_TRUE(load(pointwise("f32", "f32", std::string("%r = math.") + op + " %v : FROM", 1, true))) << op;
  EXPECT_TRUE(load(pointwise("f32", "f32", "%r = math.powf %v, %v : FROM", 8, false)));
}

TEST_F(ObjectCodeTest, Bf16RoundsToEvenAndKeepsNan) {
  const uint32_t bits[8] = {0x3f808000, 0x3f818000, 0x3f808001, 0x7fffffff,
                            0xff800001, 0x7f7fffff, 0x80000000, 0x00018000};
  const uint16_t rounded[8] = {0x3f80, 0x3f82, 0x3f81, 0x7fff, 0xffc0, 0x7f80, 0x8000, 0x0002};
  for (int lanes : {1, 16}) {
    auto narrow = load(pointwise("f32", "bf16", "%r = arith.truncf %v : FROM to TO", lanes, lanes == 1));
    auto wide = load(pointwise("bf16", "f32", "%r = arith.extf %v : FROM to TO", lanes, lanes == 1));
    ASSERT_TRUE(narrow && wide);
    Buffer x(Element::F32, 64), y(Element::BF16, 64), z(Element::F32, 64);
    x.fill(1);
    std::memcpy(x.data(), bits, sizeof(bits));
    launch(narrow->symbol("f"), {x.data(), y.data()}, 1);
    EXPECT_EQ(std::memcmp(y.data(), rounded, sizeof(rounded)), 0);
    launch(wide->symbol("f"), {y.data(), z.data()}, 1);
    for (int index = 0; index < 64; ++index)
      EXPECT_EQ(static_cast<uint32_t *>(z.data())[index], uint32_t(static_cast<uint16_t *>(y.data())[index]) << 16);
  }
}

TEST_F(ObjectCodeTest, NarrowArithmeticIsDoneInF32) {
  auto library =
      load(pointwise("bf16", "bf16", "%s = arith.mulf %v, %v : FROM\n%r = arith.addf %s, %v : FROM", 16, false));
  ASSERT_TRUE(library);
  Buffer x(Element::BF16, 64), y(Element::BF16, 64);
  x.fill(1);
  launch(library->symbol("f"), {x.data(), y.data()}, 1);
  for (int index = 0; index < 64; ++index) {
    float product = mjolnir::widenBf16(mjolnir::narrowToBf16(x.get(index) * x.get(index)));
    EXPECT_EQ(y.get(index), mjolnir::widenBf16(mjolnir::narrowToBf16(product + x.get(index))));
  }
}

TEST_F(ObjectCodeTest, RefusesWhatIsNotAKernel) {
  refuses("module {}", "there is no kernel to compile");
  refuses("func.func @f(%x: memref<?xf32>, %tile: index) { return }", "static shape");
  refuses("func.func @f(%x: f32, %tile: index) { return }", "static shape");
  refuses("func.func @f(%x: memref<4xf32>) { return }", "last argument of type index");
  refuses("func.func @f(%tile: index) -> index { return %tile : index }", "no results");
  refuses(R"(func.func private @missing()
             func.func @f(%tile: index) { call @missing() : () -> () return })",
          "'missing', which has no body");
  refuses(R"(func.func @g(%tile: index) { return }
             func.func @f(%tile: index) { call @g(%tile) : (index) -> () return })",
          "may not call another kernel");
  refuses(R"(func.func @f(%x: memref<1xf32>, %tile: index) {
               %c0 = arith.constant 0 : index
               %big = memref.alloc() : memref<1000000xf32>
               %v = memref.load %big[%tile] : memref<1000000xf32>
               memref.store %v, %x[%c0] : memref<1xf32>
               return })",
          "may not allocate memory");
}

TEST_F(ObjectCodeTest, RefusesAnUndefinedSymbol) {
  // f128 arithmetic is a call into the compiler's runtime on every CPU.
  refuses(R"(func.func @f(%x: memref<2xf64>, %tile: index) {
               %c0 = arith.constant 0 : index
               %v = memref.load %x[%c0] : memref<2xf64>
               %w = arith.extf %v : f64 to f128
               %p = arith.mulf %w, %w : f128
               %r = arith.truncf %p : f128 to f64
               memref.store %r, %x[%c0] : memref<2xf64>
               return })",
          "undefined symbol: __multf3");
}

TEST_F(ObjectCodeTest, WritesAssembly) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(kScale, &context);
  auto text = compileToAssembly(*module, target);
  ASSERT_TRUE(mlir::succeeded(text));
  EXPECT_NE(text->find("\nscale:"), std::string::npos);
}

} // namespace
