// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The report as a page. Its parts are files beside this one, which the build embeds.
#include "mjolnir/Report/Report.h"

#include "lib/Report/Assets.inc"

using namespace mjolnir;

/// The document for an element of a page: what could end the element is escaped.
static std::string jsonForHtml(const llvm::json::Object &report) {
  std::string text, escaped;
  llvm::raw_string_ostream(text) << llvm::json::Value(llvm::json::Object(report));
  escaped.reserve(text.size());
  for (char c : text)
    if (c == '<')
      escaped += "\\u003c";
    else
      escaped += c;
  return escaped;
}

void mjolnir::printReportHtml(const llvm::json::Object &report, llvm::raw_ostream &out) {
  llvm::StringRef page = assets::get("report.html");
  while (!page.empty()) {
    auto [text, rest] = page.split("{{");
    out << text;
    if (rest.empty())
      break;
    auto [name, after] = rest.split("}}");
    if (name == "json")
      out << jsonForHtml(report);
    else
      out << assets::get(name);
    page = after;
  }
}
