// An engine of one's own, with no model format and no library: a logistic model that learns which side of a
// line a point lies on, in pieces between the requests it answers. Its weights serve once they are no worse
// on points it has never been trained on; a request that cannot wait ends a training piece; and one call goes
// back to the weights before.
// With a folder, `own_trainer FOLDER`, its state is kept there, and the next run takes up where this one was.

#include <fulcrum.hpp>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

namespace {

constexpr uint64_t ms = 1'000'000;
constexpr uint32_t pieces = 4, points_a_piece = 64;
constexpr uint32_t judged_parts = 4, points_a_part = 32;

// CLOCK_MONOTONIC is std::chrono::steady_clock's clock on Linux.
void sleep_until_ns(uint64_t moment) {
  std::this_thread::sleep_until(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(moment)));
}

void spin_ns(uint64_t span) {
  for (const uint64_t end = fulcrum_now_ns() + span; fulcrum_now_ns() < end;) continue;
}

// A point of the plane and its side; both follow from its number.
struct Point {
  float x, y;
  bool above;

  explicit Point(uint64_t number) {
    uint64_t bits = (number + 1) * 0x9e3779b97f4a7c15u;
    bits ^= bits >> 29;
    bits *= 0xbf58476d1ce4e5b9u;
    x = static_cast<float>(bits >> 40) / (1 << 23) - 1;
    y = static_cast<float>(bits >> 8 & 0xffffff) / (1 << 23) - 1;
    above = y > 0.5f * x + 0.2f;
  }
};

struct Weights {
  float x = 0, y = 0, bias = 0;

  float probability(const Point &point) const {
    return 1 / (1 + std::exp(-(x * point.x + y * point.y + bias)));
  }
};

// Everything the callbacks touch. They run on the dispatcher thread, one after the other; the flag alone is
// set by others.
struct Engine {
  Weights weights, gradient;
  uint64_t next_point = 0;
  Weights sets[FULCRUM_WEIGHT_SETS];  // in service, in service before, being filled
  const Weights *serving = &sets[0];
  std::atomic<bool> end_piece{false};
  uint64_t given_up = 0;

  // Inference: the side of each point.
  static int32_t run(void *user, const fulcrum_request_t *points, uint32_t count, uint64_t *sides) noexcept {
    const Weights &weights = *static_cast<Engine *>(user)->serving;
    for (uint32_t i = 0; i < count; ++i) sides[i] = weights.probability(Point(points[i].token)) > 0.5f;
    return 0;
  }

  // New weights serve: a pointer changes, nothing is copied.
  static void apply(void *user, uint32_t set, uint32_t) noexcept {
    auto &engine = *static_cast<Engine *>(user);
    engine.serving = &engine.sets[set];
  }

  // Training: the gradient of 256 points in four pieces of about 13 ms. A piece that is given up has changed
  // nothing.
  static int32_t run_piece(void *user, uint32_t piece, float *loss) noexcept {
    auto &engine = *static_cast<Engine *>(user);
    Weights sum = piece == 0 ? Weights() : engine.gradient;
    double losses = 0;
    for (uint32_t i = 0; i < points_a_piece; ++i) {
      if (engine.end_piece.exchange(false)) {
        ++engine.given_up;
        return FULCRUM_PIECE_ABORTED;
      }
      spin_ns(ms / 5);  // stands for the work of a larger model
      // Every other point is trained on; those between are held out, to judge by.
      const Point point(2 * (engine.next_point + i));
      const float probability = engine.weights.probability(point);
      const float error = probability - (point.above ? 1.0f : 0.0f);
      sum.x += error * point.x, sum.y += error * point.y, sum.bias += error;
      losses -= std::log(point.above ? probability : 1 - probability);
    }
    engine.next_point += points_a_piece;
    engine.gradient = sum;
    if (piece + 1 < pieces) return FULCRUM_PIECE_RAN;
    constexpr float rate = 4.0f / (pieces * points_a_piece);
    engine.weights.x -= rate * sum.x;
    engine.weights.y -= rate * sum.y;
    engine.weights.bias -= rate * sum.bias;
    *loss = static_cast<float>(losses / points_a_piece);
    return FULCRUM_PIECE_STEPPED;
  }

  static void abort(void *user) noexcept { static_cast<Engine *>(user)->end_piece = true; }

  static int32_t fill(void *user, uint32_t set, uint32_t) noexcept {
    auto &engine = *static_cast<Engine *>(user);
    engine.sets[set] = engine.weights;
    return 0;
  }

  // All that training is made of, in one part.
  struct State {
    Weights weights;
    uint64_t next_point;
  };

  static int64_t save(void *user, uint32_t part, void *bytes, uint64_t capacity) noexcept {
    const auto &engine = *static_cast<Engine *>(user);
    if (part > 0) return 0;
    const State state{engine.weights, engine.next_point};
    if (capacity >= sizeof state) std::memcpy(bytes, &state, sizeof state);
    return sizeof state;
  }

  static int32_t load(void *user, uint32_t, const void *bytes, uint64_t size) noexcept {
    auto &engine = *static_cast<Engine *>(user);
    State state;
    if (size != sizeof state) return 1;
    std::memcpy(&state, bytes, sizeof state);
    engine.weights = state.weights;
    engine.next_point = state.next_point;
    return 0;
  }

  static int32_t eval(void *user, uint32_t set, uint32_t part, fulcrum_score_t *score) noexcept {
    const auto &weights = static_cast<Engine *>(user)->sets[set];
    for (uint32_t i = 0; i < points_a_part; ++i) {
      const Point point(2 * uint64_t{part * points_a_part + i} + 1);
      const float probability = weights.probability(point);
      score->loss -= std::log(point.above ? probability : 1 - probability);
      score->right += (probability > 0.5f) == point.above;
      ++score->samples;
    }
    return 0;
  }
};

int failed(const char *what, fulcrum::Status status, const char *detail = nullptr) {
  std::fprintf(stderr, "%s: %s (%d)\n", what, detail ? detail : status.text(), status.code());
  return 1;
}

// How the weights answered that were exchanged three times at least.
struct Answers {
  uint32_t version = 0;
  int right = 0, all = 0;
};

// Takes the results that wait.
void take(fulcrum::Runtime &runtime, uint32_t stream, Answers &answers) {
  for (fulcrum_completion_t result; runtime.poll(stream, result).code() == FULCRUM_OK;) {
    answers.version = result.model_version;
    if (result.model_version < 3) continue;
    answers.right += result.status == FULCRUM_OK && (result.answer != 0) == Point(result.token).above;
    ++answers.all;
  }
}

}  // namespace

int main(int count, char **arguments) {
  Engine engine;  // outlives the runtime that calls back into it
  fulcrum::Runtime runtime;
  fulcrum_error_t error;
  auto config = fulcrum::sized<fulcrum_config_t>();
  config.late_ns = 3 * ms;
  if (const auto status = runtime.open(&config, &error); !status.ok())
    return failed("open", status, error.text);

  auto points = fulcrum::sized<fulcrum_stream_t>();
  points.name = "points";
  points.period_ns = 25 * ms;
  points.jitter_ns = ms / 2;
  points.deadline_ns = 12 * ms;
  points.cost_ns = 3 * ms;
  points.run = Engine::run;
  points.apply = Engine::apply;
  points.user = &engine;
  uint32_t stream = 0;
  if (const auto status = runtime.stream_add(points, stream, &error); !status.ok())
    return failed("points", status, error.text);

  // A piece is longer than the deadline: only because it can be given up does the whole fit.
  const uint64_t piece_ns[pieces] = {20 * ms, 20 * ms, 20 * ms, 20 * ms};
  auto learner = fulcrum::sized<fulcrum_job_t>();
  learner.name = "learner";
  learner.piece_ns = piece_ns;
  learner.piece_count = pieces;
  learner.run_piece = Engine::run_piece;
  learner.abort = Engine::abort;
  learner.abort_ns = 2 * ms;
  learner.fill = Engine::fill;
  learner.fill_ns = ms;
  learner.fill_count = 1;
  learner.eval = Engine::eval;
  learner.eval_ns = ms;
  learner.eval_count = judged_parts;
  learner.stream = stream;
  learner.every = 2;
  learner.metric = FULCRUM_METRIC_BOTH;
  learner.save = Engine::save;
  learner.load = Engine::load;
  learner.user = &engine;
  auto kept = fulcrum::sized<fulcrum_checkpoint_t>();
  if (count > 1) {
    kept.folder = arguments[1];
    kept.every = 5;
    kept.identity = 1;  // another number once the layout of State is another
    learner.checkpoint = &kept;
  }
  uint32_t job = 0;
  if (const auto status = runtime.job_add(learner, job, &error); !status.ok())
    return failed("learner", status, error.text);
  if (const auto status = runtime.start(&error); !status.ok()) return failed("start", status, error.text);

  // Points come until 40 were answered by such weights, and half a minute at most.
  Answers answers;
  uint64_t release = fulcrum_now_ns() + 25 * ms, number = 1'000'000;
  const auto ask = [&] {
    sleep_until_ns(release);
    if (const auto status = runtime.submit(stream, number++, release); !status.ok()) failed("submit", status);
    release += 25 * ms;
    take(runtime, stream, answers);
  };
  for (int i = 0; i < 1200 && answers.all < 40; ++i) ask();
  const Answers learnt = answers;

  // One call, from any thread: the next answer comes from the weights before.
  uint32_t before = 0;
  if (const auto status = runtime.revert(stream, before); !status.ok()) return failed("revert", status);
  if (const auto status = runtime.stop(); !status.ok()) return failed("stop", status);

  uint64_t bound = 0;
  auto seen = fulcrum::sized<fulcrum_stream_statistics_t>();
  auto did = fulcrum::sized<fulcrum_job_statistics_t>();
  if (const auto status = runtime.bound(stream, bound); !status.ok()) return failed("bound", status);
  if (const auto status = runtime.stream_statistics(stream, seen); !status.ok())
    return failed("points", status);
  if (const auto status = runtime.job_statistics(job, did); !status.ok()) return failed("learner", status);
  using big = unsigned long long;
  auto written = fulcrum::sized<fulcrum_checkpoint_statistics_t>();
  if (count > 1 && runtime.checkpoint_statistics(job, written).ok())
    std::printf("kept     in %s: taken up at step %llu, on disk step %llu\n", arguments[1],
                big{written.restored_steps}, big{written.newest_steps});
  std::printf("points   %llu answered, %llu missed, %llu above the bound of %.2f ms\n", big{seen.requests},
              big{seen.misses}, big{seen.bound_violations}, bound / 1e6);
  std::printf("learner  %llu steps, loss %.3f to %.3f, %llu pieces given up for a point\n", big{did.steps},
              did.first_loss, did.last_loss, big{engine.given_up});
  std::printf("weights  %llu swapped, %llu rejected; from version 3 to %u %d of %d answers right; back to %u\n",
              big{did.swaps}, big{did.rejected}, learnt.version, learnt.right, learnt.all, before);

  // On a machine shared with others lateness is reported, not failed on; wrong results are wrong everywhere.
  return learnt.all < 40 || learnt.right * 10 < learnt.all * 8 || before >= did.swaps + did.rejected;
}
