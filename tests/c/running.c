/* What a running runtime promises to C: nothing blocks, nothing is lost unnoticed, failures are told. */

#include "check.h"

#include <pthread.h>
#include <signal.h>

/* A run callback that waits until the test lets it go on. */
struct latch {
  int entered;
  int open;
};

static int32_t wait_for_latch(void *user, const fulcrum_request_t *requests, uint32_t count, uint64_t *answers) {
  struct latch *latch = (struct latch *)user;
  __atomic_store_n(&latch->entered, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&latch->open, __ATOMIC_SEQ_CST)) nap();
  return answer_token_plus_one(user, requests, count, answers);
}

static void every_request_is_answered_in_order_with_its_times(void) {
  const fulcrum_stream_t stream = good_stream();
  fulcrum_runtime_t *rt = started(&stream);
  for (uint64_t token = 0; token < 50; ++token) {
    const uint64_t release = fulcrum_now_ns();
    CHECK_STATUS(fulcrum_submit(rt, 0, token, release), FULCRUM_OK);
    const fulcrum_completion_t completion = next_completion(rt, 0);
    CHECK(completion.status == FULCRUM_OK && completion.code == 0);
    CHECK(completion.token == token && completion.answer == token + 1);
    CHECK(completion.release_ns == release && release <= completion.start_ns);
    CHECK(completion.start_ns <= completion.end_ns && completion.end_ns <= fulcrum_now_ns());
  }
  fulcrum_close(rt);
}

static void polling_an_empty_stream_is_no_error_and_writes_nothing(void) {
  const fulcrum_stream_t stream = good_stream();
  fulcrum_runtime_t *rt = started(&stream);
  fulcrum_completion_t completion;
  memset(&completion, 0x5a, sizeof completion);
  CHECK_STATUS(fulcrum_poll(rt, 0, &completion), FULCRUM_EMPTY);
  CHECK(completion.token == 0x5a5a5a5a5a5a5a5a);
  fulcrum_close(rt);
}

static void a_full_queue_refuses_and_never_waits(void) {
  struct latch latch = {0, 0};
  fulcrum_stream_t stream = good_stream();
  fulcrum_stream_statistics_t statistics;
  uint64_t taken = 0;
  stream.run = wait_for_latch;
  stream.user = &latch;
  fulcrum_runtime_t *rt = started(&stream);
  fulcrum_status_t status = FULCRUM_OK;
  CHECK_STATUS(fulcrum_submit(rt, 0, taken++, 0), FULCRUM_OK);
  while (!__atomic_load_n(&latch.entered, __ATOMIC_SEQ_CST)) nap();
  /* The dispatcher is held, so what is handed in can only pile up. */
  while (taken < 10000 && (status = fulcrum_submit(rt, 0, taken, 0)) == FULCRUM_OK) ++taken;
  CHECK_STATUS(status, FULCRUM_ERR_FULL);
  CHECK(taken >= 64 && taken <= 129);
  __atomic_store_n(&latch.open, 1, __ATOMIC_SEQ_CST);
  for (uint64_t token = 0; token < taken; ++token) CHECK(next_completion(rt, 0).token == token);
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_OK);
  CHECK(statistics.requests == taken && statistics.untaken == 0);
  fulcrum_close(rt);
}

struct caller {
  fulcrum_runtime_t *rt;
  uint64_t taken, busy, full;
};

static void *hand_in(void *user) {
  struct caller *caller = (struct caller *)user;
  for (uint64_t i = 0; i < 20000; ++i) {
    switch (fulcrum_submit(caller->rt, 0, 1, 0)) {
      case FULCRUM_OK: ++caller->taken; break;
      case FULCRUM_ERR_BUSY: ++caller->busy; break;
      case FULCRUM_ERR_FULL: ++caller->full; break;
      default: CHECK(!"submit answers taken, busy or full");
    }
  }
  return NULL;
}

static void two_threads_on_one_stream(void) {
  fulcrum_stream_t stream = good_stream();
  fulcrum_stream_statistics_t statistics;
  struct caller callers[2];
  pthread_t threads[2];
  stream.minibatch = 64;
  stream.period_ns = MS;
  stream.deadline_ns = 10000 * (uint64_t)MS;
  fulcrum_runtime_t *rt = started(&stream);
  for (int i = 0; i < 2; ++i) {
    memset(&callers[i], 0, sizeof callers[i]);
    callers[i].rt = rt;
    CHECK(pthread_create(&threads[i], NULL, hand_in, &callers[i]) == 0);
  }
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  const uint64_t taken = callers[0].taken + callers[1].taken;
  CHECK(taken > 0);
  memset(&statistics, 0, sizeof statistics);
  statistics.size = sizeof statistics;
  for (int i = 0; i < 20000 && statistics.requests < taken; ++i, nap()) {
    CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_OK);
  }
  CHECK(statistics.requests == taken);
  fulcrum_close(rt);
}

static void of_two_threads_on_one_stream_each_request_is_taken_or_refused(void) {
  for (int round = 0; round < 8; ++round) two_threads_on_one_stream();
}

static int32_t fail_with_minus_5(void *user, const fulcrum_request_t *requests, uint32_t count, uint64_t *answers) {
  (void)user, (void)requests;
  for (uint32_t i = 0; i < count; ++i) answers[i] = 99;
  return -5;
}

static void a_callbacks_error_comes_back_with_its_number(void) {
  fulcrum_stream_t stream = good_stream();
  fulcrum_stream_statistics_t statistics;
  fulcrum_event_t event;
  int failures = 0;
  stream.run = fail_with_minus_5;
  fulcrum_runtime_t *rt = started(&stream);
  CHECK_STATUS(fulcrum_submit(rt, 0, 7, 0), FULCRUM_OK);
  const fulcrum_completion_t completion = next_completion(rt, 0);
  CHECK(completion.token == 7 && completion.answer == 0);
  CHECK(completion.status == FULCRUM_ERR_FAILED && completion.code == -5);
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_OK);
  CHECK(statistics.failed == 1 && statistics.requests == 1);
  while (fulcrum_event_poll(rt, &event) == FULCRUM_OK) failures += event.kind == FULCRUM_EVENT_STREAM_FAILED;
  CHECK(failures == 1);
  fulcrum_close(rt);
}

/* What a job's callback answers, one after the other; the last one for ever. */
struct script {
  const int32_t *answers;
  uint32_t length, next;
  float loss;
};

static int32_t follow_script(void *user, uint32_t piece, float *loss) {
  struct script *script = (struct script *)user;
  (void)piece;
  const int32_t answer = script->answers[script->next];
  if (script->next + 1 < script->length) ++script->next;
  if (answer == FULCRUM_PIECE_STEPPED) *loss = script->loss;
  return answer;
}

/* Runs a job on its own until its statistics have what is waited for. */
static fulcrum_job_statistics_t run_script(struct script *script, uint64_t steps, uint64_t failures) {
  fulcrum_runtime_t *rt = opened();
  fulcrum_job_t job = good_job();
  fulcrum_job_statistics_t statistics;
  uint32_t number;
  job.run_piece = follow_script;
  job.user = script;
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  memset(&statistics, 0, sizeof statistics);
  statistics.size = sizeof statistics;
  for (int i = 0; i < 20000 && (statistics.steps < steps || statistics.failures < failures); ++i, nap()) {
    CHECK_STATUS(fulcrum_job_statistics(rt, 0, &statistics), FULCRUM_OK);
  }
  fulcrum_close(rt);
  return statistics;
}

static void a_job_steps_and_tells_its_loss(void) {
  const int32_t answers[] = {FULCRUM_PIECE_RAN, FULCRUM_PIECE_STEPPED, FULCRUM_PIECE_DRY};
  struct script script = {answers, 3, 0, 0.5f};
  const fulcrum_job_statistics_t statistics = run_script(&script, 1, 0);
  CHECK(statistics.steps == 1 && statistics.failures == 0);
  CHECK(statistics.first_loss == 0.5f && statistics.last_loss == 0.5f);
}

static void a_loss_that_is_not_a_number_and_an_unknown_answer_are_failures(void) {
  const int32_t answers[] = {FULCRUM_PIECE_RAN, FULCRUM_PIECE_STEPPED, -3, 17, FULCRUM_PIECE_DRY};
  struct script script = {answers, 5, 0, (float)strtod("nan", NULL)};
  const fulcrum_job_statistics_t statistics = run_script(&script, 0, 3);
  CHECK(statistics.steps == 0 && statistics.failures == 3);
}

static void a_job_that_always_fails_is_not_run_for_ever(void) {
  const int32_t answers[] = {-1};
  struct script script = {answers, 1, 0, 0};
  const fulcrum_job_statistics_t statistics = run_script(&script, 0, 8);
  CHECK(statistics.failures == 8 && statistics.parked == 1);
  CHECK(statistics.busy_ns > 0 && statistics.running_ns > statistics.busy_ns);
}

/* What a cut minibatch was asked to run, and where it fails. */
struct cut {
  int runs[3];
  int fails_at;
};

static int32_t run_a_piece(void *user, uint32_t piece, const fulcrum_request_t *requests, uint32_t count,
                           uint64_t *answers) {
  struct cut *cut = (struct cut *)user;
  CHECK(piece < 3 && count == 1);
  ++cut->runs[piece];
  if ((int)piece == cut->fails_at) return 17;
  if (piece == 2) answers[0] = requests[0].token + 3;
  return 0;
}

static void a_minibatch_that_is_cut_runs_piece_by_piece_and_is_answered_by_its_last(void) {
  const uint64_t lengths[3] = {MS, MS, MS};
  struct cut cut = {{0, 0, 0}, -1};
  fulcrum_stream_t stream = good_stream();
  fulcrum_stream_statistics_t statistics;
  fulcrum_event_t event;
  stream.run = NULL;
  stream.piece_count = 3;
  stream.piece_ns = lengths;
  stream.run_piece = run_a_piece;
  stream.user = &cut;
  fulcrum_runtime_t *rt = started(&stream);
  CHECK_STATUS(fulcrum_mode_changed(rt), FULCRUM_OK);
  CHECK_STATUS(fulcrum_submit(rt, 0, 5, fulcrum_now_ns()), FULCRUM_OK);
  fulcrum_completion_t completion = next_completion(rt, 0);
  CHECK(completion.status == FULCRUM_OK && completion.answer == 8);
  CHECK(completion.start_ns < completion.end_ns);
  cut.fails_at = 1;
  CHECK_STATUS(fulcrum_submit(rt, 0, 6, fulcrum_now_ns()), FULCRUM_OK);
  completion = next_completion(rt, 0);
  CHECK(completion.status != FULCRUM_OK && completion.code == 17);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK(cut.runs[0] == 2 && cut.runs[1] == 2 && cut.runs[2] == 1);
  int pieces = 0, minibatches = 0;
  while (fulcrum_event_poll(rt, &event) == FULCRUM_OK) {
    pieces += event.kind == FULCRUM_EVENT_MINIBATCH_PIECE;
    minibatches += event.kind == FULCRUM_EVENT_MINIBATCH;
  }
  CHECK(pieces == 5 && minibatches == 2);
  memset(&statistics, 0, sizeof statistics);
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_OK);
  CHECK(statistics.requests == 2 && statistics.failed == 1);
  CHECK(statistics.min_ns > 0 && statistics.min_ns <= statistics.max_ns);
  CHECK(statistics.handed_in_max_ns > 0 && statistics.present_bound_ns > 0);
  CHECK(statistics.busy_ns < statistics.running_ns);
  fulcrum_close(rt);
}

static void admission_refuses_and_says_which_piece_would_fit(void) {
  const uint64_t long_piece[1] = {85 * MS};
  fulcrum_runtime_t *rt = opened();
  const fulcrum_stream_t stream = good_stream();
  fulcrum_job_t job = good_job();
  fulcrum_error_t error;
  uint32_t number;
  job.piece_count = 1;
  job.piece_ns = long_piece;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, &error), FULCRUM_ERR_LATE);
  CHECK(error.code == FULCRUM_ERR_LATE && error.os_errno == 0);
  CHECK(strstr(error.text, "training pieces of at most 79.3") != NULL);
  /* What is left is to close. */
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_submit(rt, 0, 1, 0), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_ERR_PHASE);
  fulcrum_close(rt);
}

static void what_does_not_fit_starts_if_told_to_and_overload_has_no_bound(void) {
  fulcrum_runtime_t *rt = NULL;
  fulcrum_stream_t stream = good_stream();
  fulcrum_config_t config;
  uint32_t number;
  uint64_t bound = 0;
  stream.cost_ns = 2 * stream.period_ns;
  CHECK_STATUS(fulcrum_open(NULL, &rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_ERR_OVERLOAD);
  fulcrum_close(rt);
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.flags = FULCRUM_START_UNFIT;
  CHECK_STATUS(fulcrum_open(&config, &rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_bound(rt, 0, &bound), FULCRUM_ERR_NO_BOUND);
  CHECK(bound == 0);
  fulcrum_close(rt);
}

struct seen {
  fulcrum_runtime_t *rt;
  fulcrum_completion_t last;
  fulcrum_status_t stop, start;
  int count;
};

static void note(void *user, const fulcrum_completion_t *completion) {
  struct seen *seen = (struct seen *)user;
  seen->last = *completion;
  /* These would wait for the thread they are made on. */
  seen->stop = fulcrum_stop(seen->rt);
  seen->start = fulcrum_start(seen->rt, NULL);
  fulcrum_close(seen->rt);
  __atomic_store_n(&seen->count, seen->count + 1, __ATOMIC_SEQ_CST);
}

static void results_go_to_the_completion_callback_which_cannot_stop_the_runtime(void) {
  struct seen seen;
  fulcrum_stream_t stream = good_stream();
  fulcrum_stream_statistics_t statistics;
  memset(&seen, 0, sizeof seen);
  stream.run = answer_token_plus_one;
  stream.completed = note;
  stream.user = &seen;
  fulcrum_runtime_t *rt = seen.rt = opened();
  uint32_t number;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_submit(rt, 0, 5, 0), FULCRUM_OK);
  for (int i = 0; i < 20000 && !__atomic_load_n(&seen.count, __ATOMIC_SEQ_CST); ++i) nap();
  CHECK_STATUS(fulcrum_poll(rt, 0, &seen.last), FULCRUM_ERR_NOT_POLLED);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK(seen.count == 1 && seen.last.token == 5 && seen.last.answer == 6);
  CHECK(seen.stop == FULCRUM_ERR_CALLBACK && seen.start == FULCRUM_ERR_CALLBACK);
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_OK);
  CHECK(statistics.requests == 1 && statistics.untaken == 0);
  fulcrum_close(rt);
}

static void what_the_system_refuses_is_a_warning(void) {
  fulcrum_runtime_t *rt = NULL;
  fulcrum_config_t config;
  fulcrum_error_t warning;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.flags = FULCRUM_PIN_CPU;
  config.cpu = 100000;
  CHECK_STATUS(fulcrum_open(&config, &rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_warning_get(rt, 0, &warning), FULCRUM_OK);
  CHECK(warning.code == FULCRUM_WARN_CPU && warning.os_errno != 0);
  CHECK(strstr(warning.text, "100000") != NULL);
  CHECK_STATUS(fulcrum_warning_get(rt, 1, &warning), FULCRUM_EMPTY);
  fulcrum_close(rt);
}

static void statistics_fill_a_newer_struct_with_zeros(void) {
  struct {
    fulcrum_stream_statistics_t known;
    uint64_t future[2];
  } statistics;
  const fulcrum_stream_t stream = good_stream();
  fulcrum_runtime_t *rt = started(&stream);
  memset(&statistics, 0x5a, sizeof statistics);
  statistics.known.size = sizeof statistics;
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics.known), FULCRUM_OK);
  CHECK(statistics.known.size == sizeof statistics && statistics.known.requests == 0);
  CHECK(statistics.future[0] == 0 && statistics.future[1] == 0);
  fulcrum_close(rt);
}

static void no_signals_disposition_is_changed(void) {
  struct sigaction before[32], after;
  memset(before, 0, sizeof before);
  for (int number = 1; number < 32; ++number) CHECK(sigaction(number, NULL, &before[number]) == 0);
  const fulcrum_stream_t stream = good_stream();
  fulcrum_runtime_t *rt = started(&stream);
  for (int number = 1; number < 32; ++number) {
    CHECK(sigaction(number, NULL, &after) == 0);
    CHECK(after.sa_handler == before[number].sa_handler);
  }
  fulcrum_close(rt);
}

int main(void) {
  RUN(every_request_is_answered_in_order_with_its_times);
  RUN(polling_an_empty_stream_is_no_error_and_writes_nothing);
  RUN(a_full_queue_refuses_and_never_waits);
  RUN(of_two_threads_on_one_stream_each_request_is_taken_or_refused);
  RUN(a_callbacks_error_comes_back_with_its_number);
  RUN(a_job_steps_and_tells_its_loss);
  RUN(a_loss_that_is_not_a_number_and_an_unknown_answer_are_failures);
  RUN(a_job_that_always_fails_is_not_run_for_ever);
  RUN(a_minibatch_that_is_cut_runs_piece_by_piece_and_is_answered_by_its_last);
  RUN(admission_refuses_and_says_which_piece_would_fit);
  RUN(what_does_not_fit_starts_if_told_to_and_overload_has_no_bound);
  RUN(results_go_to_the_completion_callback_which_cannot_stop_the_runtime);
  RUN(what_the_system_refuses_is_a_warning);
  RUN(statistics_fill_a_newer_struct_with_zeros);
  RUN(no_signals_disposition_is_changed);
  return 0;
}
