// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes the package fuzzer's seeds into a folder: package_fuzzer_seeds FOLDER
#include "MalformedCases.h"

#include <cstdio>

using namespace mjolnir::test;

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  std::string folder = std::string(argv[1]) + "/";
  auto write = [&](const std::string &name, char form, const std::string &bytes) {
    writeFile(folder + name, std::string(1, form) + bytes);
  };
  Members good = makeMembers(makeProgram(), testImage());
  write("good-file", 0, zipMembers(good));
  write("good-program", 1, good[0].second);
  write("good-calls", 1, makeMembers(makeCallProgram(), testImage())[0].second);
  write("good-maps", 1, makeMembers(makeMapProgram(), testImage())[0].second);
  // A batch of two sequences, 3 and 2 tokens, 3 of padding; each value is a byte, two more than it says.
  write("ragged", 2,
        std::string("\7\1\3\3\3\17\17"
                    "\3\4\5\12\13\2\2\2"
                    "\2\3\4\2\3\2\2\2"
                    "\2\5\7"
                    "\5\4"
                    "\4\2\2\2\2\2\2\2"
                    "\12\13\14\2\3\1\1\1"
                    "\4\6",
                    7 + 8 + 8 + 3 + 2 + 8 + 8 + 2));
  for (const MalformedCase &malformed : makeMalformedFiles(testImage()))
    write("file-" + malformed.name, 0, malformed.bytes);
  for (const MalformedCase &malformed : makeMalformedPrograms(testImage()))
    write("program-" + malformed.name, 1, malformed.program);
  return 0;
}
