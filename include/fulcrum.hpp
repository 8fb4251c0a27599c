// SPDX-License-Identifier: MIT OR Apache-2.0
//
// fulcrum for C++17: who owns the runtime, the board, the feed and the parts of the ONNX engine, and nothing
// else. Everything is documented in fulcrum.h; each member here is the function of the same name. No exceptions, no allocation, no library
// code beside libfulcrum.

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
  Status revert(uint32_t stream, uint32_t &out_version) noexcept {
    return fulcrum_revert(get(), stream, &out_version);
  }
  Status bound(uint32_t stream, uint64_t &out_ns) const noexcept { return fulcrum_bound(get(), stream, &out_ns); }
  Status stream_statistics(uint32_t stream, fulcrum_stream_statistics_t &out) const noexcept {
    return fulcrum_stream_statistics(get(), stream, &out);
  }
  Status job_statistics(uint32_t job, fulcrum_job_statistics_t &out) const noexcept {
    return fulcrum_job_statistics(get(), job, &out);
  }
  Status checkpoint_statistics(uint32_t job, fulcrum_checkpoint_statistics_t &out) const noexcept {
    return fulcrum_checkpoint_statistics(get(), job, &out);
  }
  Status event_poll(fulcrum_event_t &out) noexcept { return fulcrum_event_poll(get(), &out); }
  Status events_lost(uint64_t &out_lost) const noexcept { return fulcrum_events_lost(get(), &out_lost); }
  Status warning_get(uint32_t index, fulcrum_error_t &out) const noexcept {
    return fulcrum_warning_get(get(), index, &out);
  }
  Status mode_changed() const noexcept { return fulcrum_mode_changed(get()); }
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

/// Owns a board and closes it exactly once, which puts back a mode that was not kept. Can be moved, not copied. An
/// empty one answers FULCRUM_ERR_HANDLE. Close it by name to learn whether that worked: a destructor cannot say.
class Board {
 public:
  /// Reads a board; whatever this object owned before is closed once that succeeded.
  Status open(const char *root = nullptr, fulcrum_error_t *error = nullptr) noexcept {
    fulcrum_board_t *opened = nullptr;
    const Status status = fulcrum_board_open(root, &opened, error);
    if (status.ok()) board_.reset(opened);
    return status;
  }
  /// Empty afterwards, unless the status is FULCRUM_ERR_BUSY or FULCRUM_ERR_CALLBACK.
  Status close(fulcrum_error_t *error = nullptr) noexcept {
    const Status status = fulcrum_board_close(get(), error);
    if (status.code() != FULCRUM_ERR_BUSY && status.code() != FULCRUM_ERR_CALLBACK) board_.release();
    return status;
  }

  Status info(fulcrum_board_info_t &out) const noexcept { return fulcrum_board_info(get(), &out); }
  Status knob_get(uint32_t which, fulcrum_knob_t &out, fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_knob_get(get(), which, &out, error);
  }
  Status knob_table(uint32_t which, uint32_t *values, uint32_t room, uint32_t &out_count,
                    fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_knob_table(get(), which, values, room, &out_count, error);
  }
  Status preset_count(uint32_t &out_count, fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_preset_count(get(), &out_count, error);
  }
  Status preset_get(uint32_t index, fulcrum_preset_t &out, fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_preset_get(get(), index, &out, error);
  }
  Status mode_count(uint64_t &out_count) const noexcept { return fulcrum_mode_count(get(), &out_count); }
  Status mode_at(uint64_t index, fulcrum_power_mode_t &out) const noexcept {
    return fulcrum_mode_at(get(), index, &out);
  }
  Status mode_index(const fulcrum_power_mode_t &mode, uint64_t &out_index,
                    fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_mode_index(get(), &mode, &out_index, error);
  }
  Status mode_present(fulcrum_power_mode_t &out, fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_mode_present(get(), &out, error);
  }
  Status mode_begin(const char *journal_dir = nullptr, fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_mode_begin(get(), journal_dir, error);
  }
  Status mode_apply(const fulcrum_power_mode_t &mode, uint32_t *out_limited = nullptr,
                    fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_mode_apply(get(), &mode, out_limited, error);
  }
  Status mode_apply_preset(uint32_t id, uint32_t *out_limited = nullptr, fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_mode_apply_preset(get(), id, out_limited, error);
  }
  Status mode_keep(fulcrum_error_t *error = nullptr) noexcept { return fulcrum_mode_keep(get(), error); }
  Status mode_restore(fulcrum_error_t *error = nullptr) noexcept { return fulcrum_mode_restore(get(), error); }
  Status mode_drift(uint32_t which, uint32_t &out_standing) const noexcept {
    return fulcrum_mode_drift(get(), which, &out_standing);
  }
  Status mode_recover(const char *journal_dir, uint32_t flags, fulcrum_recovery_t &out,
                      fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_mode_recover(get(), journal_dir, flags, &out, error);
  }
  Status sampler_start(uint64_t interval_ns = 0, fulcrum_error_t *error = nullptr) noexcept {
    return fulcrum_sampler_start(get(), interval_ns, error);
  }
  Status sampler_poll(fulcrum_sample_t &out) noexcept { return fulcrum_sampler_poll(get(), &out); }
  Status sampler_reset(uint64_t &out_begin_ns) noexcept { return fulcrum_sampler_reset(get(), &out_begin_ns); }
  Status sampler_blocked(uint64_t &out_ns) const noexcept { return fulcrum_sampler_blocked(get(), &out_ns); }
  Status sampler_stop() noexcept { return fulcrum_sampler_stop(get()); }

  /// The handle for functions of fulcrum.h; still owned here.
  fulcrum_board_t *get() const noexcept { return board_.get(); }
  explicit operator bool() const noexcept { return board_ != nullptr; }

 private:
  struct Close {
    void operator()(fulcrum_board_t *board) const noexcept { fulcrum_board_close(board, nullptr); }
  };
  std::unique_ptr<fulcrum_board_t, Close> board_;
};

/// Owns a feed and closes it exactly once. Can be moved, not copied. An empty one answers FULCRUM_ERR_HANDLE.
/// It outlives the runtime whose callback draws from it: declare it before.
class Feed {
 public:
  /// Makes a feed; whatever this object owned before is closed once that succeeded.
  Status open(const fulcrum_feed_config_t &config, fulcrum_error_t *error = nullptr) noexcept {
    fulcrum_feed_t *opened = nullptr;
    const Status status = fulcrum_feed_open(&config, &opened, error);
    if (status.ok()) feed_.reset(opened);
    return status;
  }
  Status push(const float *values, uint32_t count, int64_t label) noexcept {
    return fulcrum_feed_push(get(), values, count, label);
  }
  Status draw(uint32_t samples, float *values, int64_t *labels) noexcept {
    return fulcrum_feed_draw(get(), samples, values, labels);
  }
  Status statistics(fulcrum_feed_statistics_t &out) const noexcept { return fulcrum_feed_statistics(get(), &out); }
  void close() noexcept { feed_.reset(); }

  /// The handle for functions of fulcrum.h; still owned here.
  fulcrum_feed_t *get() const noexcept { return feed_.get(); }
  explicit operator bool() const noexcept { return feed_ != nullptr; }

 private:
  struct Close {
    void operator()(fulcrum_feed_t *feed) const noexcept { fulcrum_feed_close(feed); }
  };
  std::unique_ptr<fulcrum_feed_t, Close> feed_;
};

/// Owns an ONNX engine and closes it exactly once. Can be moved, not copied. An empty one answers FULCRUM_ERR_HANDLE.
class OnnxEngine {
 public:
  /// Opens ONNX Runtime; whatever this object owned before is closed once that succeeded.
  Status open(const fulcrum_onnx_engine_config_t *config = nullptr, fulcrum_error_t *error = nullptr) noexcept {
    fulcrum_onnx_engine_t *opened = nullptr;
    const Status status = fulcrum_onnx_engine_open(config, &opened, error);
    if (status.ok()) engine_.reset(opened);
    return status;
  }
  Status info(fulcrum_onnx_engine_info_t &out) const noexcept { return fulcrum_onnx_engine_info(get(), &out); }
  Status provider(uint32_t index, fulcrum_provider_report_t &out) const noexcept {
    return fulcrum_onnx_engine_provider(get(), index, &out);
  }
  void close() noexcept { engine_.reset(); }

  /// The handle for functions of fulcrum.h; still owned here.
  fulcrum_onnx_engine_t *get() const noexcept { return engine_.get(); }
  explicit operator bool() const noexcept { return engine_ != nullptr; }

 private:
  struct Close {
    void operator()(fulcrum_onnx_engine_t *engine) const noexcept { fulcrum_onnx_engine_close(engine); }
  };
  std::unique_ptr<fulcrum_onnx_engine_t, Close> engine_;
};

/// Owns an ONNX model and closes it exactly once. Can be moved, not copied. An empty one answers FULCRUM_ERR_HANDLE.
/// It outlives the runtime whose stream it serves: declare it before.
class OnnxModel {
 public:
  /// Loads a model; whatever this object owned before is closed once that succeeded.
  Status open(const OnnxEngine &engine, const fulcrum_onnx_model_config_t &config,
              fulcrum_error_t *error = nullptr) noexcept {
    fulcrum_onnx_model_t *opened = nullptr;
    const Status status = fulcrum_onnx_model_open(engine.get(), &config, &opened, error);
    if (status.ok()) model_.reset(opened);
    return status;
  }
  Status stream(fulcrum_stream_t &stream) noexcept { return fulcrum_onnx_model_stream(get(), &stream); }
  void close() noexcept { model_.reset(); }

  /// The handle for functions of fulcrum.h; still owned here.
  fulcrum_onnx_model_t *get() const noexcept { return model_.get(); }
  explicit operator bool() const noexcept { return model_ != nullptr; }

 private:
  struct Close {
    void operator()(fulcrum_onnx_model_t *model) const noexcept { fulcrum_onnx_model_close(model); }
  };
  std::unique_ptr<fulcrum_onnx_model_t, Close> model_;
};

/// Owns an ONNX trainer and closes it exactly once. Can be moved, not copied. An empty one answers
/// FULCRUM_ERR_HANDLE. It outlives the runtime whose job it runs: declare it before.
class OnnxTrainer {
 public:
  /// Loads a training graph; whatever this object owned before is closed once that succeeded. `model` takes the
  /// weights; nullptr: none does.
  Status open(const OnnxEngine &engine, const OnnxModel *model, const fulcrum_onnx_trainer_config_t &config,
              fulcrum_error_t *error = nullptr) noexcept {
    fulcrum_onnx_trainer_t *opened = nullptr;
    const Status status =
        fulcrum_onnx_trainer_open(engine.get(), model ? model->get() : nullptr, &config, &opened, error);
    if (status.ok()) trainer_.reset(opened);
    return status;
  }
  Status job(fulcrum_job_t &job) noexcept { return fulcrum_onnx_trainer_job(get(), &job); }
  Status rate(float lr) noexcept { return fulcrum_onnx_trainer_rate(get(), lr); }
  Status write(const char *path, fulcrum_error_t *error = nullptr) const noexcept {
    return fulcrum_onnx_trainer_write(get(), path, error);
  }
  void close() noexcept { trainer_.reset(); }

  /// The handle for functions of fulcrum.h; still owned here.
  fulcrum_onnx_trainer_t *get() const noexcept { return trainer_.get(); }
  explicit operator bool() const noexcept { return trainer_ != nullptr; }

 private:
  struct Close {
    void operator()(fulcrum_onnx_trainer_t *trainer) const noexcept { fulcrum_onnx_trainer_close(trainer); }
  };
  std::unique_ptr<fulcrum_onnx_trainer_t, Close> trainer_;
};

}  // namespace fulcrum

#endif  // FULCRUM_HPP
