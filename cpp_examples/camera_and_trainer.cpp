// A camera at 100 Hz is answered on time while a job trains between the frames. Results come to a callback; links the
// shared library. The times are simulated by spinning; put your engine's calls in their place.

#include <fulcrum.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

namespace {

constexpr uint64_t ms = 1'000'000;
constexpr uint64_t frames = 100;
constexpr uint32_t pieces = 4;

// CLOCK_MONOTONIC is std::chrono::steady_clock's clock on Linux.
void sleep_until_ns(uint64_t moment) {
  std::this_thread::sleep_until(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(moment)));
}

void spin_ns(uint64_t span) {
  for (const uint64_t end = fulcrum_now_ns() + span; fulcrum_now_ns() < end;) continue;
}

// Everything the callbacks touch. They run on the dispatcher thread, one after the other, so only what another thread
// reads while they run must be atomic.
struct Robot {
  float weight = 0, gradient = 0;
  std::atomic<uint64_t> right{0}, wrong{0};

  // Inference: about 1 ms for a frame. The answer is a class, here the frame's number modulo 10.
  static int32_t classify(void *, const fulcrum_request_t *requests, uint32_t count, uint64_t *classes) noexcept {
    spin_ns(1 * ms);
    for (uint32_t i = 0; i < count; ++i) classes[i] = requests[i].token % 10;
    return 0;
  }

  static void answered(void *user, const fulcrum_completion_t *result) noexcept {
    auto &robot = *static_cast<Robot *>(user);
    const bool good = result->status == FULCRUM_OK && result->answer == result->token % 10;
    ++(good ? robot.right : robot.wrong);
  }

  // Training: one step in four pieces of about 2 ms. Fits a weight to 3; the last piece applies the gradient.
  static int32_t train(void *user, uint32_t piece, float *loss) noexcept {
    auto &robot = *static_cast<Robot *>(user);
    spin_ns(2 * ms);
    if (piece == 0) robot.gradient = 0;
    robot.gradient += 2 * (robot.weight - 3) / pieces;
    if (piece + 1 < pieces) return FULCRUM_PIECE_RAN;
    *loss = (robot.weight - 3) * (robot.weight - 3);
    robot.weight -= 0.1f * robot.gradient;
    return FULCRUM_PIECE_STEPPED;
  }
};

int failed(const char *what, fulcrum::Status status, const char *detail = nullptr) {
  std::fprintf(stderr, "%s: %s (%d)\n", what, detail ? detail : status.text(), status.code());
  return 1;
}

}  // namespace

int main() {
  Robot robot;  // outlives the runtime that calls back into it
  fulcrum::Runtime runtime;
  fulcrum_error_t error;

  auto config = fulcrum::sized<fulcrum_config_t>();
  config.late_ns = 3 * ms;  // how far a training piece may overrun before the bound is at risk
  if (const auto status = runtime.open(&config, &error); !status.ok()) return failed("open", status, error.text);

  // Announce the longest a thing takes, not the usual; the bound is only as honest as these numbers.
  auto camera_wants = fulcrum::sized<fulcrum_stream_t>();
  camera_wants.name = "camera";
  camera_wants.period_ns = 10 * ms;
  camera_wants.jitter_ns = ms / 2;
  camera_wants.deadline_ns = 10 * ms;
  camera_wants.cost_ns = 4 * ms;
  camera_wants.run = Robot::classify;
  camera_wants.completed = Robot::answered;
  camera_wants.user = &robot;
  uint32_t camera = 0;
  if (const auto status = runtime.stream_add(camera_wants, camera, &error); !status.ok())
    return failed("camera", status, error.text);

  const uint64_t piece_ns[pieces] = {4 * ms, 4 * ms, 4 * ms, 4 * ms};
  auto trainer_wants = fulcrum::sized<fulcrum_job_t>();
  trainer_wants.name = "trainer";
  trainer_wants.piece_ns = piece_ns;
  trainer_wants.piece_count = pieces;
  trainer_wants.run_piece = Robot::train;
  trainer_wants.user = &robot;
  uint32_t trainer = 0;
  if (const auto status = runtime.job_add(trainer_wants, trainer, &error); !status.ok())
    return failed("trainer", status, error.text);

  // Refused if the camera's deadline cannot be promised; the sentence then says which piece would fit.
  if (const auto status = runtime.start(&error); !status.ok()) return failed("start", status, error.text);

  uint64_t release = fulcrum_now_ns() + 10 * ms;
  for (uint64_t frame = 0; frame < frames; ++frame, release += 10 * ms) {
    sleep_until_ns(release);
    if (const auto status = runtime.submit(camera, frame, release); !status.ok()) failed("submit", status);
  }
  sleep_until_ns(release);
  if (const auto status = runtime.stop(); !status.ok()) return failed("stop", status);

  uint64_t bound = 0;
  auto seen = fulcrum::sized<fulcrum_stream_statistics_t>();
  auto learnt = fulcrum::sized<fulcrum_job_statistics_t>();
  if (const auto status = runtime.bound(camera, bound); !status.ok()) return failed("bound", status);
  if (const auto status = runtime.stream_statistics(camera, seen); !status.ok()) return failed("camera", status);
  if (const auto status = runtime.job_statistics(trainer, learnt); !status.ok()) return failed("trainer", status);
  using number = unsigned long long;
  std::printf("camera   %llu right, %llu wrong, %llu missed, %llu above the bound\n", number{robot.right},
              number{robot.wrong}, number{seen.misses}, number{seen.bound_violations});
  std::printf("latency  p50 %.2f  p99 %.2f  max %.2f  bound %.2f ms\n", seen.p50_ns / 1e6, seen.p99_ns / 1e6,
              seen.max_ns / 1e6, bound / 1e6);
  std::printf("trainer  %llu steps, loss %.3f to %.3f\n", number{learnt.steps}, learnt.first_loss, learnt.last_loss);

  // On a machine shared with others lateness is reported, not failed on; wrong results are wrong everywhere.
  return robot.wrong != 0 || robot.right == 0 || learnt.last_loss > learnt.first_loss;
}
