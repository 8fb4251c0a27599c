// SPDX-License-Identifier: MIT OR Apache-2.0
//
// fulcrum for C++17: who owns the runtime, and nothing else. Everything is documented in fulcrum.h; each member here is
// the function of the same name. No exceptions, no allocation, no library code beside libfulcrum.

#ifndef FULCRUM_HPP
#define FULCRUM_HPP

#include "fulcrum.h"

#include <memory>

namespace fulcrum {

/// What a call returned. The compiler warns where nobody looks at it.
class [[nodiscard]] Status {
 public:
  constexpr Status(fulcrum_status_t code) noexcept : code_(code) {}

  /// Whether the call did what it promises. FULCRUM_EMPTY is not an error, but it is not "done" either.
  constexpr bool ok() const noexcept { return code_ == FULCRUM_OK; }
  constexpr bool empty() const noexcept { return code_ == FULCRUM_EMPTY; }
  constexpr fulcrum_status_t code() const noexcept { return code_; }
  const char *text() const noexcept { return fulcrum_status_text(code_); }

  /// For calls whose failure changes nothing.
  constexpr void ignore() const noexcept {}

 private:
  fulcrum_status_t code_;
};

/// A struct of fulcrum.h with its size set and everything else zero, which means default.
template <class Struct>
constexpr Struct sized() noexcept {
  Struct made{};
  made.size = sizeof(Struct);
  return made;
}

/// Owns a runtime and closes it exactly once. Can be moved, not copied. An empty one answers FULCRUM_ERR_HANDLE.
class Runtime {
 public:
  /// Makes a runtime; whatever this object owned before is closed once that succeeded.
  Status open(const fulcrum_config_t *config = nullptr, fulcrum_error_t *error = nullptr) noexcept {
    fulcrum_runtime_t *opened = nullptr;
    const Status status = fulcrum_open(config, &opened, error);
    if (status.ok()) rt_.reset(opened);
    return status;
  }

  Status stream_add(const fulcrum_stream_t &stream, uint32_t &out_stream, fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_stream_add(get(), &stream, &out_stream, error);
  }
  Status job_add(const fulcrum_job_t &job, uint32_t &out_job, fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_job_add(get(), &job, &out_job, error);
  }
  Status start(fulcrum_error_t *error = nullptr) noexcept { return fulcrum_start(get(), error); }
  Status submit(uint32_t stream, uint64_t token, uint64_t release_ns) noexcept {
    return fulcrum_submit(get(), stream, token, release_ns);
  }
  Status poll(uint32_t stream, fulcrum_completion_t &out) noexcept { return fulcrum_poll(get(), stream, &out); }
  Status bound(uint32_t stream, uint64_t &out_ns) const noexcept { return fulcrum_bound(get(), stream, &out_ns); }
  Status stream_statistics(uint32_t stream, fulcrum_stream_statistics_t &out) const noexcept {
    return fulcrum_stream_statistics(get(), stream, &out);
  }
  Status job_statistics(uint32_t job, fulcrum_job_statistics_t &out) const noexcept {
    return fulcrum_job_statistics(get(), job, &out);
  }
  Status event_poll(fulcrum_event_t &out) noexcept { return fulcrum_event_poll(get(), &out); }
  Status events_lost(uint64_t &out_lost) const noexcept { return fulcrum_events_lost(get(), &out_lost); }
  Status warning_get(uint32_t index, fulcrum_error_t &out) const noexcept {
    return fulcrum_warning_get(get(), index, &out);
  }
  Status stop() noexcept { return fulcrum_stop(get()); }
  void close() noexcept { rt_.reset(); }

  /// The handle for functions of fulcrum.h; still owned here.
  fulcrum_runtime_t *get() const noexcept { return rt_.get(); }
  explicit operator bool() const noexcept { return rt_ != nullptr; }

 private:
  struct Close {
    void operator()(fulcrum_runtime_t *rt) const noexcept { fulcrum_close(rt); }
  };
  std::unique_ptr<fulcrum_runtime_t, Close> rt_;
};

}  // namespace fulcrum

#endif  // FULCRUM_HPP
