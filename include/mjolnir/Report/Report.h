// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a person or a program reads of a compile: one JSON document, and a page that shows it. docs/report.md has the
// fields.
#ifndef MJOLNIR_REPORT_REPORT_H
#define MJOLNIR_REPORT_REPORT_H

#include "mjolnir/Report/RemarkLog.h"
#include "mjolnir/Target/Target.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace mjolnir {

/// What the program itself does not say.
struct ReportFacts {
  std::string producer;      ///< "mjolnir 0.1.0"
  std::string model;         ///< what the model is called: the last part of its path
  std::string target;        ///< as in --target
  std::string package;       ///< file name of the package; empty where none was written
  uint64_t packageBytes = 0; ///< of the file
};

/// The version of the document's fields: it grows when one changes its meaning or disappears.
inline constexpr int kReportVersion = 1;

/// The report of a planned program: `module` is in phase plan or code.
llvm::json::Object buildReport(mlir::ModuleOp module, const Target &target, const RemarkLog &remarks,
                               const ReportFacts &facts);

/// The document, indented.
void printReportJson(const llvm::json::Object &report, llvm::raw_ostream &out);
/// The page: the document, styles and scripts in one file that needs nothing else.
void printReportHtml(const llvm::json::Object &report, llvm::raw_ostream &out);

} // namespace mjolnir

#endif // MJOLNIR_REPORT_REPORT_H
