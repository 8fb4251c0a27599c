// fulcrum.hpp owns a runtime and closes it exactly once. A second close is an error of the address sanitizer, a missing
// one an error of its leak check; this program runs under both.

#include "fulcrum.hpp"

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

using fulcrum::Runtime;
using fulcrum::Status;

static_assert(!std::is_copy_constructible_v<Runtime> && !std::is_copy_assignable_v<Runtime>, "one owner");
static_assert(std::is_nothrow_move_constructible_v<Runtime> && std::is_nothrow_move_assignable_v<Runtime>, "movable");
static_assert(sizeof(Runtime) == sizeof(void *), "ownership costs nothing");
static_assert(fulcrum::sized<fulcrum_config_t>().size == sizeof(fulcrum_config_t), "the size is set");

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                           \
    }                                                                         \
  } while (0)

namespace {

void an_empty_runtime_answers_with_a_status() {
  Runtime rt;
  CHECK(!rt);
  CHECK(rt.start().code() == FULCRUM_ERR_HANDLE);
  CHECK(rt.submit(0, 1, 0).code() == FULCRUM_ERR_HANDLE);
  rt.close();
}

void moving_hands_the_runtime_over() {
  Runtime first;
  CHECK(first.open().ok());
  fulcrum_runtime_t *handle = first.get();
  Runtime second = std::move(first);
  CHECK(!first && second.get() == handle);  // NOLINT: what is left of the first is the question
  Runtime third;
  CHECK(third.open().ok());
  third = std::move(second);
  CHECK(!second && third.get() == handle);  // NOLINT
}

void opening_again_closes_the_old_one_and_a_failed_open_keeps_it() {
  Runtime rt;
  CHECK(rt.open().ok());
  CHECK(rt.open().ok());
  fulcrum_runtime_t *handle = rt.get();
  auto config = fulcrum::sized<fulcrum_config_t>();
  config.policy = 77;
  fulcrum_error_t error;
  CHECK(rt.open(&config, &error).code() == FULCRUM_ERR_TOO_NEW && error.code == FULCRUM_ERR_TOO_NEW);
  CHECK(rt.get() == handle);
}

void a_feed_is_owned_like_a_runtime() {
  static_assert(!std::is_copy_constructible_v<fulcrum::Feed> && !std::is_copy_assignable_v<fulcrum::Feed>, "one owner");
  fulcrum::Feed feed;
  const float sample[] = {1.0F, 2.0F};
  CHECK(!feed && feed.push(sample, 2, 0).code() == FULCRUM_ERR_HANDLE);
  auto config = fulcrum::sized<fulcrum_feed_config_t>();
  config.values = 2;
  config.capacity = 4;
  CHECK(feed.open(config).ok() && feed.open(config).ok());
  CHECK(feed.push(sample, 2, 7).ok());
  fulcrum::Feed moved = std::move(feed);
  CHECK(!feed);  // NOLINT: what is left is the question
  float values[2] = {};
  int64_t label = 0;
  CHECK(moved.draw(1, values, &label).ok() && label == 7 && values[1] == 2.0F);
  auto told = fulcrum::sized<fulcrum_feed_statistics_t>();
  CHECK(moved.statistics(told).ok() && told.taken == 1 && told.drawn == 1);
}

int32_t plus_one(void *, const fulcrum_request_t *requests, uint32_t count, uint64_t *answers) noexcept {
  for (uint32_t i = 0; i < count; ++i) answers[i] = requests[i].token + 1;
  return 0;
}

void a_started_runtime_stops_when_it_leaves_its_scope() {
  Runtime rt;
  CHECK(rt.open().ok());
  auto camera = fulcrum::sized<fulcrum_stream_t>();
  camera.name = "camera";
  camera.flags = FULCRUM_SPORADIC;
  camera.period_ns = camera.deadline_ns = 1'000'000'000;
  camera.cost_ns = 1'000'000;
  camera.run = plus_one;
  uint32_t stream = 99;
  CHECK(rt.stream_add(camera, stream).ok() && stream == 0);
  CHECK(rt.start().ok());
  uint64_t bound_ns = 0;
  CHECK(rt.bound(stream, bound_ns).ok() && bound_ns > camera.cost_ns);
  CHECK(rt.submit(stream, 41, 0).ok());
  fulcrum_completion_t completion;
  Status polled = FULCRUM_EMPTY;
  while ((polled = rt.poll(stream, completion)).empty()) {
  }
  CHECK(polled.ok() && completion.answer == 42 && completion.model_version == 0);
  uint32_t version = 7;
  CHECK(rt.revert(stream, version).code() == FULCRUM_ERR_NO_SWAP && version == 7);
  auto statistics = fulcrum::sized<fulcrum_stream_statistics_t>();
  CHECK(rt.stream_statistics(stream, statistics).ok() && statistics.requests == 1);
}

}  // namespace

int main() {
  an_empty_runtime_answers_with_a_status();
  a_feed_is_owned_like_a_runtime();
  moving_hands_the_runtime_over();
  opening_again_closes_the_old_one_and_a_failed_open_keeps_it();
  a_started_runtime_stops_when_it_leaves_its_scope();
  return 0;
}
