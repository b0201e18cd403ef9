// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The C API: argument checks, and the boundary that no exception crosses.
#include "Package.h"
#include "Session.h"

#include "mjolnir/format/Format.h"
#include "mjolnir/runtime.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>

using namespace mjolnir;
using namespace mjolnir::runtime;

struct mj_package {
  std::unique_ptr<Package> package;
};
struct mj_session {
  std::unique_ptr<Session> session;
};

namespace {

thread_local std::string LastError;

mj_status report(mj_status code, std::string_view message) {
  try {
    LastError = message;
  } catch (const std::bad_alloc &) {
    LastError.clear();
  }
  return code;
}

/// Runs `body`, which returns a Status, and turns what goes wrong into a code and mj_last_error.
template <typename Body> mj_status guard(Body body) {
  try {
    Status status = body();
    return status ? report(status.code(), status.message()) : MJ_OK;
  } catch (const std::bad_alloc &) {
    return report(MJ_ERROR_OUT_OF_MEMORY, "the process is out of memory");
  } catch (const std::exception &exception) {
    return report(MJ_ERROR_INTERNAL, exception.what());
  } catch (...) {
    return report(MJ_ERROR_INTERNAL, "an unknown exception");
  }
}

Status invalid(std::string_view what) { return failure(MJ_ERROR_INVALID_ARGUMENT, what); }

mj_binding_info describe(const Binding &binding) {
  return {binding.name, binding.dtype, static_cast<int32_t>(binding.shape.size()), binding.shape.data(), binding.bytes};
}

mj_status describeBinding(const mj_package *package, size_t entry, size_t index, bool isInput, mj_binding_info *info) {
  return guard([&]() -> Status {
    if (!package || !info)
      return invalid("a null pointer where a package and a place for its answer are needed");
    if (entry >= package->package->entryCount())
      return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no entry ", entry, "; the package has ",
                     package->package->entryCount());
    const EntryBindings &bindings = package->package->bindings(entry);
    const std::vector<Binding> &list = isInput ? bindings.inputs : bindings.outputs;
    if (index >= list.size())
      return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no ", isInput ? "input " : "output ", index, "; entry ",
                     quote(package->package->entry(entry).name()->string_view()), " has ", list.size());
    *info = describe(list[index]);
    return Status::ok();
  });
}

} // namespace

const char *mj_last_error(void) { return LastError.c_str(); }

mj_status mj_fail(mj_status status, const char *message) { return report(status, message ? message : ""); }

const char *mj_version(void) { return "0.1.0"; }

void mj_package_format(uint32_t *major, uint32_t *minor) {
  if (major)
    *major = format::VersionMajor;
  if (minor)
    *minor = format::VersionMinor;
}

mj_status mj_package_open(const char *path, mj_package **package) {
  return mj_package_open_with(path, nullptr, package);
}

mj_status mj_package_open_with(const char *path, const mj_package_options *options, mj_package **package) {
  return guard([&]() -> Status {
    if (!path || !package)
      return invalid("a null pointer where a path and a place for the package are needed");
    *package = nullptr;
    Progress progress;
    if (options) {
      if (options->struct_size < sizeof(*options))
        return failure(MJ_ERROR_INVALID_ARGUMENT, "mj_package_options.struct_size is ", options->struct_size,
                       "; set it to sizeof(mj_package_options), ", sizeof(*options));
      if (options->progress)
        progress = [call = options->progress, user = options->user](uint64_t done, uint64_t total) {
          call(user, done, total);
        };
    }
    auto handle = std::make_unique<mj_package>();
    if (Status status = Package::open(path, handle->package, progress))
      return status;
    *package = handle.release();
    return Status::ok();
  });
}

void mj_package_close(mj_package *package) { delete package; }

size_t mj_package_phases(const mj_package *package, const mj_phase **phases) {
  if (!package || !phases)
    return 0;
  *phases = package->package->phases().list().data();
  return package->package->phases().list().size();
}

mj_status mj_package_member(const mj_package *package, const char *name, const void **data, size_t *bytes) {
  return guard([&]() -> Status {
    if (!package || !name || !data || !bytes)
      return invalid("a null pointer where a package, a name and places for the member are needed");
    const PackageView &view = package->package->view();
    const ZipMember *member = view.find(name);
    if (!member)
      return failure(MJ_ERROR_NOT_FOUND, "the package has no member ", quote(name));
    *data = view.bytes(*member).data;
    *bytes = member->size;
    return Status::ok();
  });
}

size_t mj_package_member_count(const mj_package *package) {
  return package ? package->package->view().members().size() : 0;
}

const char *mj_package_member_name(const mj_package *package, size_t index) {
  if (!package || index >= package->package->view().members().size())
    return nullptr;
  return package->package->view().members()[index].name.c_str();
}

size_t mj_package_entry_count(const mj_package *package) { return package ? package->package->entryCount() : 0; }

mj_status mj_package_entry(const mj_package *package, size_t index, mj_entry_info *info) {
  return guard([&]() -> Status {
    if (!package || !info)
      return invalid("a null pointer where a package and a place for its answer are needed");
    if (index >= package->package->entryCount())
      return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no entry ", index, "; the package has ",
                     package->package->entryCount());
    const fb::Entry &entry = package->package->entry(index);
    *info = {entry.name()->c_str(),
             entry.kind() == fb::EntryKind::ragged ? MJ_ENTRY_RAGGED : MJ_ENTRY_PLAIN,
             entry.tokens(),
             entry.sequences(),
             entry.pages_per_sequence(),
             entry.inputs()->size(),
             entry.outputs()->size(),
             entry.arena_bytes()};
    return Status::ok();
  });
}

mj_status mj_package_find_entry(const mj_package *package, const char *name, size_t *index) {
  return guard([&]() -> Status {
    if (!package || !name || !index)
      return invalid("a null pointer where a package, a name and a place for the entry are needed");
    std::string names;
    for (size_t i = 0; i < package->package->entryCount(); ++i) {
      std::string_view candidate = package->package->entry(i).name()->string_view();
      if (candidate == name) {
        *index = i;
        return Status::ok();
      }
      names += (i ? ", " : "") + quote(candidate);
    }
    return failure(MJ_ERROR_NOT_FOUND, "the package has no entry ", quote(name), "; it has ", names);
  });
}

mj_status mj_entry_input(const mj_package *package, size_t entry, size_t input, mj_binding_info *info) {
  return describeBinding(package, entry, input, true, info);
}

mj_status mj_entry_output(const mj_package *package, size_t entry, size_t output, mj_binding_info *info) {
  return describeBinding(package, entry, output, false, info);
}

mj_status mj_package_kv(const mj_package *package, mj_kv_info *info) {
  return guard([&]() -> Status {
    if (!package || !info)
      return invalid("a null pointer where a package and a place for its answer are needed");
    const fb::Program &program = package->package->program();
    *info = {};
    info->pools = program.kv_pools()->size();
    bool keepsAll = false;
    for (const fb::KvPool *pool : *program.kv_pools()) {
      info->page_size = pool->page_size();
      info->bytes_per_page += pool->bytes_per_page();
      info->window = std::max(info->window, pool->window());
      keepsAll |= pool->window() == 0;
    }
    if (keepsAll)
      info->window = 0;
    if (const fb::LanguageModel *model = program.language_model()) {
      info->max_context = model->max_context();
      info->vocabulary = model->vocabulary();
    }
    return Status::ok();
  });
}

size_t mj_package_state_count(const mj_package *package) { return package ? package->package->states().size() : 0; }

mj_status mj_package_state(const mj_package *package, size_t state, mj_binding_info *info) {
  return guard([&]() -> Status {
    if (!package || !info)
      return invalid("a null pointer where a package and a place for its answer are needed");
    if (state >= package->package->states().size())
      return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no state ", state, "; the package has ",
                     package->package->states().size());
    *info = describe(package->package->states()[state]);
    return Status::ok();
  });
}

mj_status mj_session_create(const mj_package *package, const mj_session_options *options, mj_session **session) {
  return guard([&]() -> Status {
    if (!package || !session)
      return invalid("a null pointer where a package and a place for the session are needed");
    *session = nullptr;
    mj_session_options known = {};
    if (options) {
      // What older programs were compiled with ended before `flags`.
      constexpr size_t OldestSize = offsetof(mj_session_options, flags);
      if (options->struct_size < OldestSize)
        return failure(MJ_ERROR_INVALID_ARGUMENT, "mj_session_options.struct_size is ", options->struct_size,
                       "; set it to sizeof(mj_session_options), ", sizeof(known));
      std::memcpy(&known, options, std::min(options->struct_size, sizeof(known)));
    }
    constexpr uint32_t KnownFlags = MJ_SESSION_NO_GRAPHS | MJ_SESSION_NO_DEPENDENT_LAUNCHES | MJ_SESSION_EAGER_GRAPHS;
    if (known.flags & ~KnownFlags)
      return failure(MJ_ERROR_INVALID_ARGUMENT,
                     "mj_session_options.flags has bits that this runtime does not know: ", known.flags & ~KnownFlags);
    auto handle = std::make_unique<mj_session>();
    SessionOptions wanted;
    wanted.threads = known.threads;
    wanted.kvPages = known.kv_pages;
    wanted.kvWindowPages = known.kv_window_pages;
    wanted.useGraphs = !(known.flags & MJ_SESSION_NO_GRAPHS);
    wanted.useDependentLaunches = !(known.flags & MJ_SESSION_NO_DEPENDENT_LAUNCHES);
    wanted.eagerGraphs = known.flags & MJ_SESSION_EAGER_GRAPHS;
    if (Status status = package->package->device().createSession(*package->package, wanted, handle->session))
      return status;
    *session = handle.release();
    return Status::ok();
  });
}

void mj_session_destroy(mj_session *session) { delete session; }

size_t mj_session_phases(const mj_session *session, const mj_phase **phases) {
  if (!session || !phases)
    return 0;
  *phases = session->session->phases().list().data();
  return session->session->phases().list().size();
}

mj_status mj_package_kv_window(const mj_package *package, mj_kv_window_info *info) {
  return guard([&]() -> Status {
    if (!package || !info)
      return invalid("a null pointer where a package and a place for its answer are needed");
    *info = {};
    for (const fb::KvPool *pool : *package->package->program().kv_pools())
      if (pool->own_tables())
        *info = {pool->window(), pool->bytes_per_page()};
    return Status::ok();
  });
}

uint32_t mj_session_kv_window_pages(const mj_session *session) {
  return session ? session->session->kvWindowPages() : 0;
}

uint32_t mj_session_kv_pages(const mj_session *session) { return session ? session->session->kvPages() : 0; }

mj_status mj_session_run(mj_session *session, size_t entry, const DLTensor *const *inputs, size_t input_count,
                         const DLTensor *const *outputs, size_t output_count) {
  return guard([&]() -> Status {
    if (!session)
      return invalid("the session is null");
    return session->session->run(entry, inputs, input_count, outputs, output_count);
  });
}

mj_status mj_session_start(mj_session *session, size_t entry, const DLTensor *const *inputs, size_t input_count,
                           const DLTensor *const *outputs, size_t output_count, uint32_t flags) {
  return guard([&]() -> Status {
    if (!session)
      return invalid("the session is null");
    if (flags & ~uint32_t(MJ_RUN_CONTINUE))
      return failure(MJ_ERROR_INVALID_ARGUMENT, "the flags of a run have bits that this runtime does not know: ",
                     flags & ~uint32_t(MJ_RUN_CONTINUE));
    return session->session->start(entry, inputs, input_count, outputs, output_count, flags & MJ_RUN_CONTINUE);
  });
}

mj_status mj_session_wait(mj_session *session) {
  return guard([&]() -> Status {
    if (!session)
      return invalid("the session is null");
    return session->session->wait();
  });
}

uint32_t mj_session_under_way(const mj_session *session) { return session ? session->session->underWay() : 0; }

int mj_session_is_asynchronous(const mj_session *session) {
  return session && session->session->isAsynchronous() ? 1 : 0;
}

uint64_t mj_session_capture_nanoseconds(const mj_session *session) {
  return session ? session->session->captureNanoseconds() : 0;
}

mj_status mj_session_reset(mj_session *session) {
  return guard([&]() -> Status { return session ? session->session->reset() : invalid("the session is null"); });
}

mj_status mj_session_read_state(mj_session *session, size_t state, const DLTensor *tensor) {
  return guard([&]() -> Status {
    return session && tensor ? session->session->readState(state, *tensor)
                             : invalid("a null pointer where a session and a tensor are needed");
  });
}

mj_status mj_session_write_state(mj_session *session, size_t state, const DLTensor *tensor) {
  return guard([&]() -> Status {
    return session && tensor ? session->session->writeState(state, *tensor)
                             : invalid("a null pointer where a session and a tensor are needed");
  });
}

mj_status mj_session_set_profiling(mj_session *session, int what) {
  return guard([&]() -> Status {
    if (!session)
      return invalid("the session is null");
    if (what < MJ_PROFILE_OFF || what > MJ_PROFILE_RUNS)
      return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no profiling ", what, "; see mj_profiling");
    session->session->setProfiling(static_cast<mj_profiling>(what));
    return Status::ok();
  });
}

size_t mj_session_profile(const mj_session *session, const mj_step_profile **steps) {
  if (!session || !steps)
    return 0;
  return session->session->profile(steps);
}
