// The ONNX engine from C++: a network answers a camera on time and learns between two frames what it sees.
//
//   fulcrum train-graph net.onnx --loss cross-entropy --micro-batch 8 --out net
//   onnx_camera_and_trainer net/infer.onnx net/step.onnx net/weights.onnx
//
// The network of this example takes pictures of 8 x 8 values and knows three classes. Needs a libfulcrum built with
// `--features onnx`, and ONNX Runtime 1.17 or later where it can be found (see fulcrum_onnx_engine_config_t).

#include <fulcrum.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

namespace {

constexpr uint64_t ms = 1'000'000;
constexpr uint64_t period = 20 * ms;
constexpr uint32_t pixels = 64, classes = 3;

// CLOCK_MONOTONIC is std::chrono::steady_clock's clock on Linux.
void sleep_until_ns(uint64_t moment) {
  std::this_thread::sleep_until(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(moment)));
}

// What the camera sees in this frame: a bright stripe at the left, in the middle or at the right.
uint32_t see(uint64_t frame, float *picture) {
  const auto label = static_cast<uint32_t>(frame % classes);
  for (uint32_t i = 0; i < pixels; ++i) picture[i] = i * classes / pixels == label ? 1.0f : 0.1f;
  return label;
}

// Copies a request's frame to where the network reads it, on the dispatcher thread. A robot copies from a ring of
// frames, by the token; here the frame is made anew.
int32_t input(void *, const fulcrum_request_t *request, float *row, uint32_t) noexcept {
  see(request->token, row);
  return FULCRUM_OK;
}

int failed(const char *what, fulcrum::Status status, const char *detail = nullptr) {
  std::fprintf(stderr, "%s: %s (%d)\n", what, detail ? detail : status.text(), status.code());
  // What a test runner takes for "skipped": this libfulcrum has no ONNX engine.
  return status.code() == FULCRUM_ERR_NO_ONNX ? 77 : 1;
}

// How the weights answer that were exchanged twice at least.
struct Answers {
  uint32_t version = 0;
  int right = 0, all = 0;
};

void take(fulcrum::Runtime &runtime, uint32_t stream, Answers &answers) {
  for (fulcrum_completion_t result; runtime.poll(stream, result).ok();) {
    answers.version = result.model_version;
    if (result.model_version < 2) continue;
    answers.right += result.status == FULCRUM_OK && result.answer == result.token % classes;
    ++answers.all;
  }
}

}  // namespace

int main(int count, char **paths) {
  fulcrum_error_t error;

  // The engine: which providers are tried, in which order, is the only thing that differs on a Jetson.
  fulcrum::OnnxEngine engine;
  const fulcrum_option_t cached[] = {{"trt_engine_cache_enable", "1"}, {"trt_engine_cache_path", "engines"}};
  const fulcrum_provider_t wanted[] = {{FULCRUM_PROVIDER_TENSORRT, 2, cached},
                                       {FULCRUM_PROVIDER_CUDA, 0, nullptr}};
  auto machine = fulcrum::sized<fulcrum_onnx_engine_config_t>();
  machine.providers = wanted;
  machine.provider_count = 2;
  if (const auto status = engine.open(&machine, &error); !status.ok()) return failed("engine", status, error.text);
  auto provider = fulcrum::sized<fulcrum_provider_report_t>();
  const char *const names[] = {"processor", "CUDA", "TensorRT"};
  for (uint32_t i = 0; engine.provider(i, provider).ok(); ++i)
    std::printf("%-9s %s\n", names[provider.provider], provider.text);
  if (count != 4) {
    std::fprintf(stderr, "usage: %s infer.onnx step.onnx weights.onnx\n", paths[0]);
    return 2;
  }

  // The network that serves. Every size of minibatch is run once here, and measured.
  auto serves = fulcrum::sized<fulcrum_onnx_model_config_t>();
  serves.model = paths[1];
  serves.weights = paths[3];
  serves.input = input;
  serves.row = pixels;
  serves.outputs = classes;
  serves.flags = FULCRUM_ONNX_SWAPS;
  fulcrum::OnnxModel model;
  if (const auto status = model.open(engine, serves, &error); !status.ok())
    return failed("model", status, error.text);

  // Labelled frames on their way to training; every fourth is held out, to judge new weights by.
  auto ring = fulcrum::sized<fulcrum_feed_config_t>();
  ring.values = pixels;
  ring.capacity = 120;
  fulcrum::Feed feed;
  if (const auto status = feed.open(ring, &error); !status.ok()) return failed("feed", status, error.text);

  // The same network's training step, in pieces of 2 ms.
  auto learns = fulcrum::sized<fulcrum_onnx_trainer_config_t>();
  learns.step = paths[2];
  learns.weights = paths[3];
  learns.row = pixels;
  learns.feed = feed.get();
  learns.lr = 0.01f;
  learns.piece_ns = 2 * ms;
  fulcrum::OnnxTrainer trainer;
  if (const auto status = trainer.open(engine, &model, learns, &error); !status.ok())
    return failed("trainer", status, error.text);

  // From here on it is a stream and a job as any other; declared after what it calls, so stopped before.
  fulcrum::Runtime runtime;
  auto config = fulcrum::sized<fulcrum_config_t>();
  config.late_ns = 3 * ms;
  if (const auto status = runtime.open(&config, &error); !status.ok()) return failed("open", status, error.text);
  auto camera = fulcrum::sized<fulcrum_stream_t>();
  camera.name = "camera";
  camera.period_ns = period;
  camera.jitter_ns = ms / 2;
  camera.deadline_ns = period;
  if (const auto status = model.stream(camera); !status.ok()) return failed("model", status);
  camera.cost_ns += ms;  // the input callback, and what a machine shared with others takes now and then
  uint32_t stream = 0;
  if (const auto status = runtime.stream_add(camera, stream, &error); !status.ok())
    return failed("camera", status, error.text);
  auto job = fulcrum::sized<fulcrum_job_t>();
  job.name = "trainer";
  job.stream = stream;
  if (const auto status = trainer.job(job); !status.ok()) return failed("trainer", status);
  uint32_t number = 0;
  if (const auto status = runtime.job_add(job, number, &error); !status.ok())
    return failed("trainer", status, error.text);
  if (const auto status = runtime.start(&error); !status.ok()) return failed("start", status, error.text);

  // Frames come until 100 were answered by weights that were learnt here, and half a minute at most.
  Answers answers;
  uint64_t release = fulcrum_now_ns() + period;
  for (uint64_t frame = 0; frame < 1500 && answers.all < 100; ++frame, release += period) {
    float picture[pixels];
    const uint32_t label = see(frame, picture);
    sleep_until_ns(release);
    if (const auto status = runtime.submit(stream, frame, release); !status.ok()) failed("submit", status);
    // Where training is behind, it does without this frame.
    feed.push(picture, pixels, label).ignore();
    take(runtime, stream, answers);
  }
  if (const auto status = runtime.stop(); !status.ok()) return failed("stop", status);

  uint64_t bound = 0;
  auto seen = fulcrum::sized<fulcrum_stream_statistics_t>();
  auto did = fulcrum::sized<fulcrum_job_statistics_t>();
  if (const auto status = runtime.bound(stream, bound); !status.ok()) return failed("bound", status);
  if (const auto status = runtime.stream_statistics(stream, seen); !status.ok()) return failed("camera", status);
  if (const auto status = runtime.job_statistics(number, did); !status.ok()) return failed("trainer", status);
  using big = unsigned long long;
  std::printf("camera   %llu answered, %llu missed, %llu above the bound of %.2f ms\n", big{seen.requests},
              big{seen.misses}, big{seen.bound_violations}, bound / 1e6);
  std::printf("trainer  %llu steps of %u pieces, loss %.3f to %.3f; %llu sets of weights used, %llu rejected\n",
              big{did.steps}, job.piece_count, did.first_loss, did.last_loss, big{did.swaps}, big{did.rejected});
  std::printf("weights  from version 2 to %u: %d of %d answers right\n", answers.version, answers.right,
              answers.all);

  // On a machine shared with others lateness is reported, not failed on; wrong results are wrong everywhere.
  return answers.all < 100 || answers.right * 10 < answers.all * 8;
}
