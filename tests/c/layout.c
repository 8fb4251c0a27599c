/* The header's structs have the layout the library was built with, to the byte; the Rust side asserts the same. */

#include "fulcrum.h"

#include <stddef.h>

#ifdef __cplusplus
#define PIN(condition, text) static_assert(condition, text)
#else
#define PIN(condition, text) _Static_assert(condition, text)
#endif

PIN(sizeof(fulcrum_error_t) == 256, "fulcrum_error_t is frozen");
PIN(offsetof(fulcrum_error_t, text) == 8, "fulcrum_error_t is frozen");
PIN(sizeof(fulcrum_request_t) == 16, "fulcrum_request_t is frozen");
PIN(sizeof(fulcrum_completion_t) == 56, "fulcrum_completion_t is frozen");
PIN(offsetof(fulcrum_completion_t, status) == 40, "fulcrum_completion_t is frozen");
PIN(sizeof(fulcrum_event_t) == 32, "fulcrum_event_t is frozen");
PIN(offsetof(fulcrum_event_t, loss) == 28, "fulcrum_event_t is frozen");

/* These may grow at their end; what the first release had stays where it is. */
PIN(sizeof(fulcrum_config_t) >= 40, "fulcrum_config_t, first release");
PIN(offsetof(fulcrum_config_t, cpu) == 32, "fulcrum_config_t, first release");
PIN(sizeof(fulcrum_stream_statistics_t) >= 96, "fulcrum_stream_statistics_t, first release");
PIN(offsetof(fulcrum_stream_statistics_t, max_ns) == 88, "fulcrum_stream_statistics_t, first release");
PIN(sizeof(fulcrum_job_statistics_t) >= 80, "fulcrum_job_statistics_t, first release");
PIN(offsetof(fulcrum_job_statistics_t, last_loss) == 76, "fulcrum_job_statistics_t, first release");
PIN(sizeof(fulcrum_feed_statistics_t) >= 80, "fulcrum_feed_statistics_t, first release");
PIN(offsetof(fulcrum_feed_statistics_t, longest_stall_ns) == 72, "fulcrum_feed_statistics_t, first release");
PIN(sizeof(fulcrum_feed_config_t) >= 48, "fulcrum_feed_config_t, first release");
PIN(offsetof(fulcrum_feed_config_t, seed) == 40, "fulcrum_feed_config_t, first release");
PIN(sizeof(fulcrum_board_info_t) >= 496, "fulcrum_board_info_t, first release");
PIN(offsetof(fulcrum_board_info_t, jetpack) == 480, "fulcrum_board_info_t, first release");
PIN(sizeof(fulcrum_knob_t) >= 28, "fulcrum_knob_t, first release");
PIN(offsetof(fulcrum_knob_t, writable) == 24, "fulcrum_knob_t, first release");
PIN(sizeof(fulcrum_preset_t) >= 160, "fulcrum_preset_t, first release");
PIN(offsetof(fulcrum_preset_t, name) == 28, "fulcrum_preset_t, first release");
PIN(sizeof(fulcrum_power_mode_t) >= 20, "fulcrum_power_mode_t, first release");
PIN(offsetof(fulcrum_power_mode_t, emc_khz) == 16, "fulcrum_power_mode_t, first release");
PIN(sizeof(fulcrum_recovery_t) >= 16, "fulcrum_recovery_t, first release");
PIN(offsetof(fulcrum_recovery_t, reserved) == 12, "fulcrum_recovery_t, first release");
PIN(sizeof(fulcrum_sample_t) >= 128, "fulcrum_sample_t, first release");
PIN(offsetof(fulcrum_sample_t, cooling) == 124, "fulcrum_sample_t, first release");
PIN(sizeof(fulcrum_score_t) == 16, "fulcrum_score_t is frozen");
PIN(offsetof(fulcrum_completion_t, model_version) == 48, "fulcrum_completion_t is frozen");
PIN(sizeof(fulcrum_onnx_engine_info_t) >= 40, "fulcrum_onnx_engine_info_t, first release");
PIN(offsetof(fulcrum_onnx_engine_info_t, version) == 8, "fulcrum_onnx_engine_info_t, first release");
PIN(sizeof(fulcrum_provider_report_t) >= 264, "fulcrum_provider_report_t, first release");
PIN(offsetof(fulcrum_provider_report_t, text) == 16, "fulcrum_provider_report_t, first release");
PIN(sizeof(fulcrum_checkpoint_statistics_t) >= 80, "fulcrum_checkpoint_statistics_t, first release");
PIN(offsetof(fulcrum_checkpoint_statistics_t, bytes) == 72, "fulcrum_checkpoint_statistics_t, first release");
#if UINTPTR_MAX == UINT64_MAX
PIN(sizeof(fulcrum_checkpoint_t) >= 40, "fulcrum_checkpoint_t, first release");
PIN(offsetof(fulcrum_checkpoint_t, save_ns) == 32, "fulcrum_checkpoint_t, first release");
PIN(offsetof(fulcrum_job_t, checkpoint) == 104, "fulcrum_job_t, first release of its second part");
PIN(sizeof(fulcrum_option_t) == 16, "fulcrum_option_t is frozen");
PIN(sizeof(fulcrum_provider_t) == 16, "fulcrum_provider_t is frozen");
PIN(sizeof(fulcrum_onnx_engine_config_t) >= 48, "fulcrum_onnx_engine_config_t, first release");
PIN(offsetof(fulcrum_onnx_engine_config_t, flags) == 44, "fulcrum_onnx_engine_config_t, first release");
PIN(sizeof(fulcrum_onnx_model_config_t) >= 72, "fulcrum_onnx_model_config_t, first release");
PIN(offsetof(fulcrum_onnx_model_config_t, memory_bytes) == 64, "fulcrum_onnx_model_config_t, first release");
PIN(sizeof(fulcrum_onnx_trainer_config_t) >= 96, "fulcrum_onnx_trainer_config_t, first release");
PIN(offsetof(fulcrum_onnx_trainer_config_t, judged) == 88, "fulcrum_onnx_trainer_config_t, first release");
PIN(sizeof(fulcrum_stream_t) >= 80, "fulcrum_stream_t, first release");
PIN(offsetof(fulcrum_stream_t, minibatch) == 48, "fulcrum_stream_t, first release");
PIN(offsetof(fulcrum_stream_t, user) == 72, "fulcrum_stream_t, first release");
PIN(sizeof(fulcrum_job_t) >= 40, "fulcrum_job_t, first release");
PIN(offsetof(fulcrum_job_t, user) == 32, "fulcrum_job_t, first release");
#endif
