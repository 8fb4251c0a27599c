/* Any engine: weights go from a job to a stream through the gate, back by a revert; a piece ends when told to. */

#include "check.h"

/* An engine whose weights are one number. The runtime's thread has all of it but the flag. */
struct engine {
  float weights, step;
  float sets[FULCRUM_WEIGHT_SETS];
  uint32_t serving, told;
  int abort_now, aborted, pieces;
};

static int32_t answer_with_the_weights(void *user, const fulcrum_request_t *requests, uint32_t count,
                                       uint64_t *answers) {
  const struct engine *engine = (const struct engine *)user;
  (void)requests;
  for (uint32_t i = 0; i < count; ++i) answers[i] = (uint64_t)(1000 * engine->sets[engine->serving]);
  return 0;
}

static void serve(void *user, uint32_t set, uint32_t version) {
  struct engine *engine = (struct engine *)user;
  CHECK(set < FULCRUM_WEIGHT_SETS);
  engine->serving = set;
  engine->told = version;
}

static int32_t train(void *user, uint32_t piece, float *loss) {
  struct engine *engine = (struct engine *)user;
  nap();
  if (piece == 0) return FULCRUM_PIECE_RAN;
  engine->weights *= engine->step;
  *loss = engine->weights;
  return FULCRUM_PIECE_STEPPED;
}

static int32_t copy(void *user, uint32_t set, uint32_t part) {
  struct engine *engine = (struct engine *)user;
  CHECK(set < FULCRUM_WEIGHT_SETS && set != engine->serving && part < 2);
  if (part == 1) engine->sets[set] = engine->weights;
  return 0;
}

/* The smaller the number, the better. */
static int32_t judge(void *user, uint32_t set, uint32_t part, fulcrum_score_t *score) {
  const struct engine *engine = (const struct engine *)user;
  CHECK(set < FULCRUM_WEIGHT_SETS && part < 3);
  score->samples = part < 2 ? 10 : 0;
  score->loss = 10 * engine->sets[set];
  return 0;
}

static fulcrum_runtime_t *started_with(struct engine *engine) {
  fulcrum_runtime_t *rt = opened();
  fulcrum_stream_t stream = good_stream();
  fulcrum_job_t job = good_job();
  uint32_t number = 99;
  stream.apply = serve;
  stream.run = answer_with_the_weights;
  stream.user = job.user = engine;
  job.run_piece = train;
  job.fill = copy;
  job.eval = judge;
  job.fill_ns = job.eval_ns = MS;
  job.fill_count = 2;
  job.eval_count = 3;
  job.every = 1;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  return rt;
}

static fulcrum_job_statistics_t learnt(fulcrum_runtime_t *rt) {
  fulcrum_job_statistics_t statistics;
  memset(&statistics, 0, sizeof statistics);
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_job_statistics(rt, 0, &statistics), FULCRUM_OK);
  return statistics;
}

static fulcrum_completion_t asked(fulcrum_runtime_t *rt) {
  CHECK_STATUS(fulcrum_submit(rt, 0, 0, 0), FULCRUM_OK);
  const fulcrum_completion_t completion = next_completion(rt, 0);
  CHECK(completion.status == FULCRUM_OK);
  return completion;
}

static void better_weights_serve_and_a_revert_brings_the_ones_before_back(void) {
  struct engine engine;
  uint64_t answers[4096];
  uint32_t version = 0, again = 99;
  memset(&engine, 0, sizeof engine);
  engine.weights = engine.sets[0] = engine.sets[1] = engine.sets[2] = 1e6f;
  engine.step = 0.9f;
  memset(answers, 0, sizeof answers);
  fulcrum_runtime_t *rt = started_with(&engine);
  while (version < 5) {
    const fulcrum_completion_t completion = asked(rt);
    CHECK(completion.model_version >= version && completion.model_version < 4096 && completion.reserved == 0);
    version = completion.model_version;
    CHECK(answers[version] == 0 || answers[version] == completion.answer);
    answers[version] = completion.answer;
    CHECK(version > 0 || completion.answer == 1000000000);
  }
  CHECK_STATUS(fulcrum_revert(rt, 0, &version), FULCRUM_OK);
  CHECK(version >= 4);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK(learnt(rt).swaps >= 5 && learnt(rt).rejected == 0);
  /* There is one step back; the trainer may have gone on before the stop. */
  const fulcrum_status_t status = fulcrum_revert(rt, 0, &again);
  CHECK(status == FULCRUM_ERR_NO_VERSION || status == FULCRUM_OK);
  fulcrum_close(rt);
}

static void worse_weights_are_rejected_and_told(void) {
  struct engine engine;
  fulcrum_event_t event;
  uint64_t rejected = 0;
  memset(&engine, 0, sizeof engine);
  engine.weights = engine.sets[0] = engine.sets[1] = engine.sets[2] = 1.0f;
  engine.step = 1.5f;
  fulcrum_runtime_t *rt = started_with(&engine);
  for (int i = 0; i < 20000 && learnt(rt).rejected < 3; ++i) nap();
  const fulcrum_completion_t completion = asked(rt);
  CHECK(completion.model_version == 0 && completion.answer == 1000);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  while (fulcrum_event_poll(rt, &event) == FULCRUM_OK) {
    CHECK(event.kind != FULCRUM_EVENT_SWAPPED && event.kind != FULCRUM_EVENT_REVERTED);
    if (event.kind != FULCRUM_EVENT_REJECTED) continue;
    ++rejected;
    CHECK(event.index == 0 && event.value == rejected);
    CHECK(rejected > 1 || (event.loss > 0.499f && event.loss < 0.502f));
  }
  CHECK(rejected >= 3 && learnt(rt).rejected == rejected && learnt(rt).swaps == 0);
  CHECK(engine.told == 0);
  fulcrum_close(rt);
}

static void end_the_piece(void *user) {
  __atomic_store_n(&((struct engine *)user)->abort_now, 1, __ATOMIC_SEQ_CST);
}

/* 600 ms unless it is told to end. */
static int32_t train_for_long(void *user, uint32_t piece, float *loss) {
  struct engine *engine = (struct engine *)user;
  (void)piece;
  for (const uint64_t end = fulcrum_now_ns() + 600 * MS; fulcrum_now_ns() < end; nap()) {
    if (!__atomic_exchange_n(&engine->abort_now, 0, __ATOMIC_SEQ_CST)) continue;
    ++engine->aborted;
    return FULCRUM_PIECE_ABORTED;
  }
  ++engine->pieces;
  *loss = 1;
  return FULCRUM_PIECE_STEPPED;
}

static void a_piece_far_above_the_deadline_is_admitted_where_it_can_be_aborted_and_is(void) {
  const uint64_t length = 600 * MS;
  struct engine engine;
  fulcrum_runtime_t *rt = opened();
  const fulcrum_stream_t stream = good_stream();
  fulcrum_job_t job = good_job();
  uint32_t number = 99;
  uint64_t bound = 0;
  memset(&engine, 0, sizeof engine);
  job.piece_count = 1;
  job.piece_ns = &length;
  job.run_piece = train_for_long;
  job.abort = end_the_piece;
  job.abort_ns = 20 * MS;
  job.user = &engine;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_bound(rt, 0, &bound), FULCRUM_OK);
  CHECK(bound < length);
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 100; ++j) nap();
    asked(rt);
  }
  for (int i = 0; i < 20000 && learnt(rt).steps == 0; ++i) nap();
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK(engine.aborted > 0 && engine.pieces > 0);
  CHECK(learnt(rt).failures == 0);
  fulcrum_close(rt);
}

int main(void) {
  RUN(better_weights_serve_and_a_revert_brings_the_ones_before_back);
  RUN(worse_weights_are_rejected_and_told);
  RUN(a_piece_far_above_the_deadline_is_admitted_where_it_can_be_aborted_and_is);
  return 0;
}
