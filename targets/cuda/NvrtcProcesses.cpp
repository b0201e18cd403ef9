// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Requests and results as strings and numbers over a socket between a process and its copy.
#include "targets/cuda/NvrtcProcesses.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mjolnir::cuda;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

static bool sendAll(int socket, const char *data, size_t size) {
  while (size > 0) {
    ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    data += sent;
    size -= sent;
  }
  return true;
}

static bool receiveAll(int socket, char *data, size_t size) {
  while (size > 0) {
    ssize_t received = recv(socket, data, size, 0);
    if (received < 0 && errno == EINTR)
      continue;
    if (received <= 0)
      return false;
    data += received;
    size -= received;
  }
  return true;
}

namespace {
/// Both ends are one program: numbers are as they lie in memory.
class Message {
public:
  void add(int64_t number) { bytes.append(reinterpret_cast<const char *>(&number), sizeof(number)); }
  void add(StringRef text) {
    add(int64_t(text.size()));
    bytes.append(text.begin(), text.end());
  }
  int64_t takeNumber() {
    int64_t number = 0;
    std::memcpy(&number, bytes.data() + place, sizeof(number));
    place += sizeof(number);
    return number;
  }
  StringRef takeText() {
    size_t size = takeNumber();
    place += size;
    return StringRef(bytes).substr(place - size, size);
  }

  bool sendTo(int socket) const {
    int64_t size = bytes.size();
    return sendAll(socket, reinterpret_cast<const char *>(&size), sizeof(size)) &&
           sendAll(socket, bytes.data(), bytes.size());
  }
  /// None where the other end is gone, or has said that nothing follows.
  static std::optional<Message> receiveFrom(int socket) {
    Message message;
    int64_t size = 0;
    if (!receiveAll(socket, reinterpret_cast<char *>(&size), sizeof(size)) || size == 0)
      return std::nullopt;
    message.bytes.resize(size);
    if (!receiveAll(socket, message.bytes.data(), size))
      return std::nullopt;
    return message;
  }

private:
  std::string bytes;
  size_t place = 0;
};
} // namespace

static Message writeRequest(const CompileKernelRequest &request) {
  Message message;
  message.add(request.name);
  message.add(request.source);
  message.add(request.architecture);
  message.add(int64_t(request.headers.size()));
  for (const DeviceHeader &header : request.headers) {
    message.add(StringRef(header.name));
    message.add(StringRef(header.text));
  }
  return message;
}

static Message writeResult(llvm::Expected<CompiledKernel> result) {
  Message message;
  message.add(int64_t(bool(result)));
  if (!result) {
    message.add(llvm::toString(result.takeError()));
    return message;
  }
  message.add(StringRef(result->code.data(), result->code.size()));
  for (int64_t number : {result->registers, result->spillBytes, result->stackBytes, result->sharedBytes})
    message.add(number);
  return message;
}

static llvm::Expected<CompiledKernel> readResult(Message &message) {
  bool isGood = message.takeNumber();
  StringRef text = message.takeText();
  if (!isGood)
    return llvm::createStringError(text);
  CompiledKernel kernel;
  kernel.code.assign(text.begin(), text.end());
  for (int64_t *number : {&kernel.registers, &kernel.spillBytes, &kernel.stackBytes, &kernel.sharedBytes})
    *number = message.takeNumber();
  return kernel;
}

//===----------------------------------------------------------------------===//
// Processes
//===----------------------------------------------------------------------===//

/// What the copy does: it compiles until it is told to end, or the other process is gone.
void NvrtcProcesses::serve(int socket) {
  // A crash is the parent's to report: no traces, no core files.
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    std::signal(signal, SIG_DFL);
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  while (std::optional<Message> message = Message::receiveFrom(socket)) {
    CompileKernelRequest request;
    request.name = message->takeText().str();
    request.source = message->takeText().str();
    request.architecture = message->takeText().str();
    std::vector<std::pair<std::string, std::string>> headers(message->takeNumber());
    for (auto &[name, text] : headers) {
      name = message->takeText().str();
      text = message->takeText().str();
      request.headers.push_back({name.c_str(), text.c_str()});
    }
    if (!writeResult(nvrtc.compile(request)).sendTo(socket))
      break;
  }
  _exit(0);
}

llvm::Expected<NvrtcProcesses::Process> NvrtcProcesses::take() {
  std::lock_guard<std::mutex> lock(mutex);
  if (!idle.empty()) {
    Process process = idle.back();
    idle.pop_back();
    return process;
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
    return llvm::createStringError(std::string("no socket for a process of NVRTC's: ") + std::strerror(errno));
  pid_t id = fork();
  if (id == 0) {
    close(ends[0]);
    serve(ends[1]);
  }
  close(ends[1]);
  if (id < 0) {
    close(ends[0]);
    return llvm::createStringError(std::string("no process for NVRTC: ") + std::strerror(errno));
  }
  return Process{id, ends[0]};
}

/// Waits for the end of a process.
static int waitForEnd(pid_t id) {
  int status = 0;
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

llvm::Expected<CompiledKernel> NvrtcProcesses::compile(const CompileKernelRequest &request) {
  llvm::Expected<Process> process = take();
  if (!process)
    return process.takeError();
  if (writeRequest(request).sendTo(process->socket))
    if (std::optional<Message> message = Message::receiveFrom(process->socket)) {
      std::lock_guard<std::mutex> lock(mutex);
      idle.push_back(*process);
      return readResult(*message);
    }
  close(process->socket);
  int status = waitForEnd(process->id);
  std::string reason = WIFSIGNALED(status) ? std::string("crashed (") + strsignal(WTERMSIG(status)) + ")"
                                           : "ended with exit code " + std::to_string(WEXITSTATUS(status));
  return llvm::createStringError("NVRTC " + nvrtc.version() + " " + reason + " on kernel " + request.name + " for " +
                                 request.architecture +
                                 ": --dump-kernels writes its source; another version of NVRTC, or another schedule "
                                 "(--tuning), may compile it");
}

NvrtcProcesses::~NvrtcProcesses() {
  // Said, not left to the closing of the socket: copies that were made later have it open, too.
  const int64_t nothing = 0;
  for (const Process &process : idle) {
    sendAll(process.socket, reinterpret_cast<const char *>(&nothing), sizeof(nothing));
    close(process.socket);
  }
  for (const Process &process : idle)
    waitForEnd(process.id);
}
