// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// One streamer behind MLIR's remark engine that feeds the log, the terminal and a file.
#include "mjolnir/Report/RemarkLog.h"

#include "lib/Report/Names.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Remark/RemarkStreamer.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Regex.h"
#include <mutex>

using namespace mlir;
using namespace mjolnir;

bool RemarkOutput::isUsed() const {
  return log || !all.empty() || !passed.empty() || !missed.empty() || !failed.empty() || !analysis.empty();
}

static std::string messageOf(const remark::detail::Remark &remark) {
  std::string message;
  for (const remark::detail::Remark::Arg &argument : remark.getArgs()) {
    if (!message.empty())
      message += ", ";
    message += argument.key == "Remark" ? argument.val : argument.key + "=" + argument.val;
  }
  return message;
}

static llvm::StringRef kindOf(const remark::detail::Remark &remark) {
  switch (remark.getRemarkType()) {
  case llvm::remarks::Type::Passed:
    return "passed";
  case llvm::remarks::Type::Missed:
    return "missed";
  case llvm::remarks::Type::Failure:
    return "failed";
  default:
    return "analysis";
  }
}

namespace {

class Streamer : public remark::detail::MLIRRemarkStreamerBase {
public:
  Streamer(const RemarkOutput &output, std::unique_ptr<MLIRRemarkStreamerBase> file)
      : log(output.log), file(std::move(file)) {
    for (auto [kind, own] : {std::pair("passed", &output.passed),
                             {"missed", &output.missed},
                             {"failed", &output.failed},
                             {"analysis", &output.analysis}})
      for (const std::string *expression : {&output.all, own})
        if (!expression->empty())
          written[kind].emplace_back(wholeName(*expression));
  }

  static std::string wholeName(llvm::StringRef expression) { return ("^(" + expression + ")$").str(); }

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    // Passes may run on several entries at a time.
    std::lock_guard<std::mutex> lock(mutex);
    llvm::StringRef kind = kindOf(remark);
    if (log)
      keep({kind.str(), remark.getCombinedCategoryName().str(), remark.getRemarkName().str(),
            describePlace(remark.getLocation()), messageOf(remark)});
    bool isWritten = llvm::any_of(
        written[kind], [&](const llvm::Regex &regex) { return regex.match(remark.getCombinedCategoryName()); });
    if (!isWritten)
      return;
    if (file)
      file->streamOptimizationRemark(remark);
    else
      emitRemark(remark.getLocation(), remark.getMsg());
  }

  void finalize() override {
    if (file)
      file->finalize();
  }

private:
  void keep(RemarkRecord record) {
    std::string key =
        record.kind + '\0' + record.pass + '\0' + record.name + '\0' + record.where + '\0' + record.message;
    auto [found, isNew] = indices.try_emplace(key, log->size());
    if (isNew)
      log->push_back(std::move(record));
    else
      ++(*log)[found->second].count;
  }

  RemarkLog *log;
  std::unique_ptr<MLIRRemarkStreamerBase> file;
  llvm::StringMap<std::vector<llvm::Regex>> written;
  llvm::StringMap<size_t> indices;
  std::mutex mutex;
};

} // namespace

LogicalResult mjolnir::sendRemarks(MLIRContext &context, const RemarkOutput &output, std::string &error) {
  for (const std::string *expression : {&output.all, &output.passed, &output.missed, &output.failed, &output.analysis})
    if (std::string reason; !llvm::Regex(Streamer::wholeName(*expression)).isValid(reason)) {
      error = "'" + *expression + "' is no regular expression: " + reason;
      return failure();
    }
  std::unique_ptr<remark::detail::MLIRRemarkStreamerBase> file;
  if (output.format != RemarkOutput::Format::diagnostics) {
    auto made = remark::detail::LLVMRemarkStreamer::createToFile(
        output.file,
        output.format == RemarkOutput::Format::yaml ? llvm::remarks::Format::YAML : llvm::remarks::Format::Bitstream);
    if (failed(made)) {
      error = "cannot write remarks to '" + output.file + "'";
      return failure();
    }
    file = std::move(*made);
  }
  // The streamer filters: the log wants all.
  remark::RemarkCategories categories;
  categories.passed = categories.missed = categories.analysis = categories.failed = ".*";
  return remark::enableOptimizationRemarks(context, std::make_unique<Streamer>(output, std::move(file)),
                                           std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
}
