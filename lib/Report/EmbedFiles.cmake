# cmake -DFILES=a;b -DOUTPUT=x.inc -P EmbedFiles.cmake: a C++ function from a file's name to its bytes.
set(code "// Made from the files of lib/Report.\n#include \"llvm/ADT/StringSwitch.h\"\nnamespace mjolnir::assets {\n")
set(cases "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND code "static constexpr unsigned char ${identifier}[] = {${bytes}};\n")
  string(APPEND cases "      .Case(\"${name}\", llvm::StringRef(reinterpret_cast<const char *>(${identifier}), sizeof(${identifier})))\n")
endforeach()
string(APPEND code
  "static llvm::StringRef get(llvm::StringRef name) {\n  return llvm::StringSwitch<llvm::StringRef>(name)\n${cases}      .Default(\"\");\n}\n"
  "} // namespace mjolnir::assets\n")
file(WRITE ${OUTPUT} "${code}")
