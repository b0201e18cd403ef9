# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
#
# Writes OUTPUT, which defines getDeviceHeaders(), from the headers in FOLDER.
file(GLOB headers "${FOLDER}/*.cuh")
list(SORT headers)
set(text "// Generated from targets/cuda/device.\n#include \"targets/cuda/DeviceHeaders.h\"\n\n")
string(APPEND text "static const mjolnir::cuda::DeviceHeader headers[] = {\n")
foreach(header IN LISTS headers)
  get_filename_component(name "${header}" NAME)
  file(READ "${header}" contents)
  string(APPEND text "{\"${name}\", R\"cuda(${contents})cuda\"},\n")
endforeach()
string(APPEND text "};\n\nllvm::ArrayRef<mjolnir::cuda::DeviceHeader> mjolnir::cuda::getDeviceHeaders() { return headers; }\n")
file(WRITE "${OUTPUT}" "${text}")
