// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The C++ wrapper: values, errors, moves.
#include "TestPackage.h"

#include "mjolnir/runtime.hpp"

#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

TEST(Wrapper, CarriesErrors) {
  auto package = Package::open("/nowhere/model.mjp");
  ASSERT_FALSE(package);
  EXPECT_EQ(package.error().code, MJ_ERROR_NOT_FOUND);
  EXPECT_EQ(package.error().message, "cannot open '/nowhere/model.mjp': No such file or directory");
}

TEST(Wrapper, DescribesAndRuns) {
  std::string path = temporaryPath("wrapper.mjp");
  if (auto error = writeTestPackage(path, testImage()))
    FAIL() << error.message();
  auto opened = Package::open(path);
  ASSERT_TRUE(opened) << opened.error().message;
  Package package = std::move(*opened);
  EXPECT_EQ(package.memberNames().size(), 4u);
  EXPECT_EQ(package.entryCount(), 4u);
  EXPECT_EQ(*package.findEntry("count"), static_cast<size_t>(Count));
  EXPECT_EQ(package.findEntry("x").error().code, MJ_ERROR_NOT_FOUND);
  EXPECT_STREQ(package.entry(Count)->name, "count");
  EXPECT_EQ(package.entry(9).error().code, MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(package.kv()->page_size, 4u);
  EXPECT_EQ(*package.member("notes.json"), "{\"note\": \"for tests\"}\n");
  EXPECT_FALSE(package.member("none"));

  auto created = Session::create(package, 2, 1);
  ASSERT_TRUE(created) << created.error().message;
  Session session = std::move(*created);
  float x = 3;
  std::vector<float> total(8);
  auto input = package.input(Count, 0), output = package.output(Count, 0);
  ASSERT_TRUE(input && output);
  std::vector<Tensor> inputs = {Tensor(&x, *input)}, outputs = {Tensor(total.data(), *output)};
  std::vector<Tensor> copies = inputs; // a tensor's shape moves with it
  inputs.clear();
  auto error = session.run(Count, copies, outputs);
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(total, std::vector<float>(8, 3));
  EXPECT_EQ(session.run(Count, {}, outputs)->code, MJ_ERROR_INVALID_ARGUMENT);
}

} // namespace
