// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How the code of runtime/llm reports failure inside the library: an exception that carries the status and the
// sentence. It never crosses the C API; CApi.cpp turns it into a status and the thread's last error.
#ifndef MJOLNIR_LLM_ERROR_H
#define MJOLNIR_LLM_ERROR_H

#include "mjolnir/runtime.h"

#include <stdexcept>
#include <string>

namespace mjolnir::llm {

class Error : public std::runtime_error {
public:
  Error(mj_status status, const std::string &message) : std::runtime_error(message), code(status) {}
  mj_status status() const { return code; }

private:
  mj_status code;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_ERROR_H
