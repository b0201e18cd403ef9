// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The two ways to show a package.
#ifndef MJOLNIR_INSPECT_PACKAGEREPORT_H
#define MJOLNIR_INSPECT_PACKAGEREPORT_H

#include "PackageView.h"

#include "mjolnir/format/KvPlan.h"

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

namespace mjolnir::inspect {

/// Everything, for programs. Sizes and offsets are bytes.
nlohmann::ordered_json toJson(const runtime::PackageView &package);

/// A plan of the KV cache and what it was made of.
nlohmann::ordered_json toJson(const format::KvDemand &demand, const format::KvPlan &plan);

/// A page for people. `stepsOf`: the entry whose steps are listed, "" for none, "*" for all.
void printText(const runtime::PackageView &package, const std::string &stepsOf, std::ostream &out);

} // namespace mjolnir::inspect

#endif // MJOLNIR_INSPECT_PACKAGEREPORT_H
