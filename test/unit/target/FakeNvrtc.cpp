// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A library with NVRTC's functions whose compiler does what a source says in a word: "crash", "exit" and "refuse";
// any other source becomes its own code.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

struct Program {
  std::string source, log;
};

static int give(const std::string &text, char *to) {
  std::memcpy(to, text.data(), text.size());
  return 0;
}

extern "C" {
int nvrtcVersion(int *major, int *minor) {
  *major = 13, *minor = 9;
  return 0;
}
int nvrtcCreateProgram(Program **program, const char *source, const char *, int headers, const char *const *texts,
                       const char *const *names) {
  *program = new Program{source, ""};
  for (int i = 0; i < headers; ++i)
    (*program)->source += std::string(" + ") + names[i] + ": " + texts[i];
  return 0;
}
int nvrtcDestroyProgram(Program **program) {
  delete *program;
  return 0;
}
int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
  if (program->source.rfind("crash", 0) == 0)
    raise(SIGSEGV);
  if (program->source.rfind("exit", 0) == 0)
    _Exit(3);
  if (program->source.rfind("refuse", 0) == 0) {
    program->log = "line 1: no";
    return 6;
  }
  program->log = "Function properties for 'one'\nfunction 'one'\n8 bytes stack frame, 16 bytes spill stores, 24 bytes "
                 "spill loads\nUsed 52 registers, 136 bytes smem\n";
  for (int i = 0; i < count; ++i)
    program->source += std::string(" ") + options[i];
  return 0;
}
int nvrtcGetProgramLogSize(Program *program, size_t *size) {
  *size = program->log.size();
  return 0;
}
int nvrtcGetProgramLog(Program *program, char *log) { return give(program->log, log); }
int nvrtcGetCUBINSize(Program *program, size_t *size) {
  *size = program->source.size();
  return 0;
}
int nvrtcGetCUBIN(Program *program, char *code) { return give(program->source, code); }
int nvrtcGetPTXSize(Program *program, size_t *size) { return nvrtcGetCUBINSize(program, size); }
int nvrtcGetPTX(Program *program, char *code) { return give(program->source, code); }
}
