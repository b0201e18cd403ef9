// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the report calls things.
#include "lib/Report/Names.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mjolnir;

std::vector<std::string> mjolnir::namesOf(Location location) {
  std::vector<std::string> names;
  location->walk([&](Location part) {
    if (auto named = dyn_cast<NameLoc>(part))
      if (std::string name = named.getName().str(); !llvm::is_contained(names, name))
        names.push_back(std::move(name));
    return WalkResult::advance();
  });
  return names;
}

std::string mjolnir::describePlace(Location location) {
  if (std::vector<std::string> names = namesOf(location); !names.empty())
    return names.front();
  auto line = location->findInstanceOf<FileLineColLoc>();
  if (!line)
    return "";
  // Equal inputs give equal reports wherever they lie.
  return (llvm::sys::path::filename(line.getFilename()) + ":" + std::to_string(line.getLine()) + ":" +
          std::to_string(line.getColumn()))
      .str();
}

std::string mjolnir::typeName(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

std::string mjolnir::elementName(Type type) { return typeName(getElementTypeOrSelf(type)); }
