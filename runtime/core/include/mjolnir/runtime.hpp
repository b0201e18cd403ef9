// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The runtime's C API for C++17: handles that release themselves, results that are a value or an error. Header-only;
// throws nothing of its own and needs no exceptions.
//
//   auto package = mjolnir::Package::open("model.mjp");
//   if (!package) { std::cerr << package.error().message << '\n'; return 1; }
//   auto session = mjolnir::Session::create(*package);
#ifndef MJOLNIR_RUNTIME_HPP
#define MJOLNIR_RUNTIME_HPP

#include "mjolnir/runtime.h"

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mjolnir {

struct Error {
  mj_status code = MJ_OK;
  std::string message;
};

/// A value or the error that kept it from being made. True when there is a value.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T &operator*() & { return *get(); }
  const T &operator*() const & { return *const_cast<Result *>(this)->get(); }
  T &&operator*() && { return std::move(*get()); }
  T *operator->() { return get(); }
  const T *operator->() const { return const_cast<Result *>(this)->get(); }
  /// Only when there is no value.
  const Error &error() const {
    assert(state_.index() == 1 && "this result is a value");
    return *std::get_if<1>(&state_);
  }

private:
  T *get() {
    assert(state_.index() == 0 && "this result is an error");
    return std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

namespace detail {
inline Error lastError(mj_status code) { return {code, mj_last_error()}; }
} // namespace detail

/// A tensor in someone else's memory, dense and row-major: what a DLTensor says, with storage for the shape.
class Tensor {
public:
  /// `data` holds as many elements of `dtype` as `shape` makes and outlives the tensor.
  Tensor(void *data, DLDataType dtype, std::vector<int64_t> shape) : shape_(std::move(shape)) {
    tensor_.data = data;
    tensor_.device = {kDLCPU, 0};
    tensor_.ndim = static_cast<int32_t>(shape_.size());
    tensor_.dtype = dtype;
    tensor_.shape = shape_.data();
    tensor_.strides = nullptr;
    tensor_.byte_offset = 0;
  }
  /// Of the dtype and shape of an entry's input or output.
  Tensor(void *data, const mj_binding_info &binding)
      : Tensor(data, binding.dtype, std::vector<int64_t>(binding.shape, binding.shape + binding.ndim)) {}

  Tensor(const Tensor &other) : Tensor(other.tensor_.data, other.tensor_.dtype, other.shape_) {}
  Tensor &operator=(const Tensor &other) {
    shape_ = other.shape_;
    tensor_ = other.tensor_;
    tensor_.shape = shape_.data();
    return *this;
  }

  const DLTensor *dl() const { return &tensor_; }

private:
  DLTensor tensor_ = {};
  std::vector<int64_t> shape_;
};

/// A loaded package. Sessions made from it must be gone before it is.
class Package {
public:
  static Result<Package> open(const std::string &path) {
    mj_package *handle = nullptr;
    if (mj_status code = mj_package_open(path.c_str(), &handle))
      return detail::lastError(code);
    return Package(handle);
  }

  mj_package *get() const { return handle_.get(); }

  size_t entryCount() const { return mj_package_entry_count(get()); }
  Result<size_t> findEntry(const std::string &name) const {
    size_t entry = 0;
    if (mj_status code = mj_package_find_entry(get(), name.c_str(), &entry))
      return detail::lastError(code);
    return entry;
  }
  Result<mj_entry_info> entry(size_t index) const {
    mj_entry_info info;
    if (mj_status code = mj_package_entry(get(), index, &info))
      return detail::lastError(code);
    return info;
  }
  Result<mj_binding_info> input(size_t entry, size_t index) const {
    mj_binding_info info;
    if (mj_status code = mj_entry_input(get(), entry, index, &info))
      return detail::lastError(code);
    return info;
  }
  Result<mj_binding_info> output(size_t entry, size_t index) const {
    mj_binding_info info;
    if (mj_status code = mj_entry_output(get(), entry, index, &info))
      return detail::lastError(code);
    return info;
  }
  Result<mj_kv_info> kv() const {
    mj_kv_info info;
    if (mj_status code = mj_package_kv(get(), &info))
      return detail::lastError(code);
    return info;
  }
  Result<mj_kv_window_info> kvWindow() const {
    mj_kv_window_info info;
    if (mj_status code = mj_package_kv_window(get(), &info))
      return detail::lastError(code);
    return info;
  }
  std::vector<std::string> memberNames() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < mj_package_member_count(get()); ++i)
      names.push_back(mj_package_member_name(get(), i));
    return names;
  }
  /// The bytes of a member; they live with the package.
  Result<std::string_view> member(const std::string &name) const {
    const void *data = nullptr;
    size_t bytes = 0;
    if (mj_status code = mj_package_member(get(), name.c_str(), &data, &bytes))
      return detail::lastError(code);
    return std::string_view(static_cast<const char *>(data), bytes);
  }

private:
  explicit Package(mj_package *handle) : handle_(handle) {}
  struct Close {
    void operator()(mj_package *handle) const { mj_package_close(handle); }
  };
  std::unique_ptr<mj_package, Close> handle_;
};

/// Memory and threads that run entries of a package. One thread at a time.
class Session {
public:
  /// `threads` 0: one for each core; `kvPages` 0: enough for one sequence of the longest context; `kvWindowPages`, of
  /// the pool of layers with a window, 0: what the sequences of a step use.
  static Result<Session> create(const Package &package, uint32_t threads = 0, uint32_t kvPages = 0,
                                uint32_t kvWindowPages = 0) {
    mj_session_options options = {};
    options.struct_size = sizeof(options);
    options.threads = threads;
    options.kv_pages = kvPages;
    options.kv_window_pages = kvWindowPages;
    mj_session *handle = nullptr;
    if (mj_status code = mj_session_create(package.get(), &options, &handle))
      return detail::lastError(code);
    return Session(handle);
  }

  mj_session *get() const { return handle_.get(); }
  uint32_t kvPages() const { return mj_session_kv_pages(get()); }
  uint32_t kvWindowPages() const { return mj_session_kv_window_pages(get()); }

  /// Runs an entry on tensors in the entry's order; an output may be null. Empty on success. Allocates nothing.
  std::optional<Error> run(size_t entry, const DLTensor *const *inputs, size_t inputCount,
                           const DLTensor *const *outputs, size_t outputCount) {
    if (mj_status code = mj_session_run(get(), entry, inputs, inputCount, outputs, outputCount))
      return detail::lastError(code);
    return std::nullopt;
  }
  /// The same, for convenience; makes two small lists.
  std::optional<Error> run(size_t entry, const std::vector<Tensor> &inputs, const std::vector<Tensor> &outputs) {
    std::vector<const DLTensor *> in, out;
    for (const Tensor &tensor : inputs)
      in.push_back(tensor.dl());
    for (const Tensor &tensor : outputs)
      out.push_back(tensor.dl());
    return run(entry, in.data(), in.size(), out.data(), out.size());
  }

  /// Starts a run, and waits for the first that was started; as mj_session_start and mj_session_wait.
  std::optional<Error> start(size_t entry, const DLTensor *const *inputs, size_t inputCount,
                             const DLTensor *const *outputs, size_t outputCount, uint32_t flags = 0) {
    if (mj_status code = mj_session_start(get(), entry, inputs, inputCount, outputs, outputCount, flags))
      return detail::lastError(code);
    return std::nullopt;
  }
  std::optional<Error> wait() {
    if (mj_status code = mj_session_wait(get()))
      return detail::lastError(code);
    return std::nullopt;
  }

  /// As mj_session_reset: all states become zeros.
  std::optional<Error> reset() {
    if (mj_status code = mj_session_reset(get()))
      return detail::lastError(code);
    return std::nullopt;
  }

  void setProfiling(bool on) { (void)mj_session_set_profiling(get(), on ? MJ_PROFILE_STEPS : MJ_PROFILE_OFF); }
  /// The steps of the last run; valid until the next.
  std::pair<const mj_step_profile *, size_t> profile() const {
    const mj_step_profile *steps = nullptr;
    size_t count = mj_session_profile(get(), &steps);
    return {steps, count};
  }

private:
  explicit Session(mj_session *handle) : handle_(handle) {}
  struct Destroy {
    void operator()(mj_session *handle) const { mj_session_destroy(handle); }
  };
  std::unique_ptr<mj_session, Destroy> handle_;
};

} // namespace mjolnir

#endif // MJOLNIR_RUNTIME_HPP
