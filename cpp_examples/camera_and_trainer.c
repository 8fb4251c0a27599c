/* A camera at 100 Hz is answered on time while a job trains between the frames. Polls its results; links the static
 * library. The times are simulated by spinning; put your engine's calls in their place. */

#define _POSIX_C_SOURCE 200809L
#include <fulcrum.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MS UINT64_C(1000000)
#define FRAMES 100
#define PIECES 4

/* Both callbacks run on the dispatcher thread, one after the other, so what they share needs no lock. */
struct model {
  float weight, gradient;
};

static void spin_ns(uint64_t span) {
  for (const uint64_t end = fulcrum_now_ns() + span; fulcrum_now_ns() < end;) continue;
}

/* Inference: about 1 ms for a frame. The answer is a class, here the frame's number modulo 10. */
static int32_t classify(void *user, const fulcrum_request_t *frames, uint32_t count, uint64_t *classes) {
  (void)user;
  spin_ns(1 * MS);
  for (uint32_t i = 0; i < count; ++i) classes[i] = frames[i].token % 10;
  return 0;
}

/* Training: one step in four pieces of about 2 ms. Fits a weight to 3; the last piece applies the gradient. */
static int32_t train(void *user, uint32_t piece, float *loss) {
  struct model *model = user;
  spin_ns(2 * MS);
  if (piece == 0) model->gradient = 0;
  model->gradient += 2 * (model->weight - 3) / PIECES;
  if (piece + 1 < PIECES) return FULCRUM_PIECE_RAN;
  *loss = (model->weight - 3) * (model->weight - 3);
  model->weight -= 0.1f * model->gradient;
  return FULCRUM_PIECE_STEPPED;
}

static void sleep_until_ns(uint64_t moment) {
  const struct timespec until = {.tv_sec = (time_t)(moment / 1000000000), .tv_nsec = (long)(moment % 1000000000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) continue;
}

static int failed(const char *what, fulcrum_status_t status, const fulcrum_error_t *error) {
  fprintf(stderr, "%s: %s (%" PRId32 ")\n", what, error ? error->text : fulcrum_status_text(status), status);
  return 1;
}

/* Takes every result that waits; returns how many of them were wrong. */
static int take_results(fulcrum_runtime_t *rt, uint32_t stream) {
  int wrong = 0;
  for (fulcrum_completion_t result; fulcrum_poll(rt, stream, &result) == FULCRUM_OK;)
    wrong += result.status != FULCRUM_OK || result.answer != result.token % 10;
  return wrong;
}

static int run(fulcrum_runtime_t *rt) {
  struct model model = {0};
  fulcrum_error_t error;
  fulcrum_status_t status;
  uint32_t camera, trainer;

  /* Announce the longest a thing takes, not the usual; the bound is only as honest as these numbers. */
  const fulcrum_stream_t camera_wants = {.size = sizeof camera_wants, .name = "camera", .run = classify,
      .period_ns = 10 * MS, .jitter_ns = MS / 2, .deadline_ns = 10 * MS, .cost_ns = 4 * MS};
  if ((status = fulcrum_stream_add(rt, &camera_wants, &camera, &error))) return failed("camera", status, &error);

  const uint64_t piece_ns[PIECES] = {4 * MS, 4 * MS, 4 * MS, 4 * MS};
  const fulcrum_job_t trainer_wants = {.size = sizeof trainer_wants, .name = "trainer", .run_piece = train,
      .piece_ns = piece_ns, .piece_count = PIECES, .user = &model};
  if ((status = fulcrum_job_add(rt, &trainer_wants, &trainer, &error))) return failed("trainer", status, &error);

  /* Refused if the camera's deadline cannot be promised; the sentence then says which piece would fit. */
  if ((status = fulcrum_start(rt, &error))) return failed("start", status, &error);

  int wrong = 0;
  uint64_t release = fulcrum_now_ns() + 10 * MS;
  for (uint64_t frame = 0; frame < FRAMES; ++frame, release += 10 * MS) {
    sleep_until_ns(release);
    if ((status = fulcrum_submit(rt, camera, frame, release))) failed("submit", status, NULL);
    wrong += take_results(rt, camera);
  }
  sleep_until_ns(release);
  if ((status = fulcrum_stop(rt))) return failed("stop", status, NULL);
  wrong += take_results(rt, camera);

  uint64_t bound;
  fulcrum_stream_statistics_t seen = {.size = sizeof seen};
  fulcrum_job_statistics_t learnt = {.size = sizeof learnt};
  if ((status = fulcrum_bound(rt, camera, &bound))) return failed("bound", status, NULL);
  if ((status = fulcrum_stream_statistics(rt, camera, &seen))) return failed("statistics", status, NULL);
  if ((status = fulcrum_job_statistics(rt, trainer, &learnt))) return failed("statistics", status, NULL);
  printf("camera   %" PRIu64 " answered, %d wrong, %" PRIu64 " missed, %" PRIu64 " above the bound\n", seen.requests,
         wrong, seen.misses, seen.bound_violations);
  printf("latency  p50 %.2f  p99 %.2f  max %.2f  bound %.2f ms\n", seen.p50_ns / 1e6, seen.p99_ns / 1e6,
         seen.max_ns / 1e6, bound / 1e6);
  printf("trainer  %" PRIu64 " steps, loss %.3f to %.3f\n", learnt.steps, learnt.first_loss, learnt.last_loss);

  /* On a machine shared with others lateness is reported, not failed on; wrong results are wrong everywhere. */
  return wrong != 0 || seen.requests == 0 || seen.failed != 0 || learnt.last_loss > learnt.first_loss;
}

int main(void) {
  fulcrum_runtime_t *rt = NULL;
  fulcrum_error_t error;
  /* A training piece may overrun its announced length by 3 ms before the bound is at risk. */
  const fulcrum_config_t config = {.size = sizeof config, .late_ns = 3 * MS};
  const fulcrum_status_t status = fulcrum_open(&config, &rt, &error);
  if (status) return failed("open", status, &error);
  const int outcome = run(rt);
  fulcrum_close(rt);
  return outcome;
}
