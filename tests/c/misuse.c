/* Every mistake a caller can make that the library can see is answered with a status, and changes nothing. */

#include "check.h"

#define UNTOUCHED 0x5a5a5a5au

static void header_and_library_belong_together(void) {
  CHECK(fulcrum_version() == FULCRUM_VERSION);
}

static void every_status_has_a_text(void) {
  CHECK(strcmp(fulcrum_status_text(FULCRUM_OK), "done") == 0);
  CHECK(strstr(fulcrum_status_text(FULCRUM_ERR_FULL), "full") != NULL);
  CHECK(strcmp(fulcrum_status_text(-7), "unknown status") == 0);
}

static void null_is_refused_everywhere(void) {
  fulcrum_runtime_t *rt = opened();
  const fulcrum_stream_t stream = good_stream();
  const fulcrum_job_t job = good_job();
  uint32_t number = UNTOUCHED;
  CHECK_STATUS(fulcrum_open(NULL, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_stream_add(rt, NULL, &number, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_job_add(rt, NULL, &number, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_job_add(rt, &job, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK(number == UNTOUCHED);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_poll(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_bound(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_job_statistics(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_event_poll(rt, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_events_lost(rt, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_warning_get(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_revert(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  fulcrum_close(rt);
  fulcrum_close(NULL);
}

static void every_function_refuses(fulcrum_runtime_t *rt) {
  const fulcrum_stream_t stream = good_stream();
  const fulcrum_job_t job = good_job();
  fulcrum_stream_statistics_t of_stream;
  fulcrum_job_statistics_t of_job;
  fulcrum_completion_t completion;
  fulcrum_event_t event;
  fulcrum_error_t error;
  uint32_t number;
  uint64_t bound;
  of_stream.size = sizeof of_stream;
  of_job.size = sizeof of_job;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, &error), FULCRUM_ERR_HANDLE);
  CHECK(error.code == FULCRUM_ERR_HANDLE && error.os_errno == 0 && error.text[0] != 0);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_submit(rt, 0, 1, 0), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_poll(rt, 0, &completion), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_bound(rt, 0, &bound), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &of_stream), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_job_statistics(rt, 0, &of_job), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_event_poll(rt, &event), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_events_lost(rt, &bound), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_warning_get(rt, 0, &error), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_mode_changed(rt), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_revert(rt, 0, &number), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_ERR_HANDLE);
  fulcrum_close(rt);
}

static void what_is_no_handle_is_refused_by_every_function(void) {
  uint64_t something_else[4] = {0, 0, 0, 0};
  every_function_refuses(NULL);
  every_function_refuses((fulcrum_runtime_t *)something_else);
  every_function_refuses((fulcrum_runtime_t *)((char *)something_else + 1));
}

/* A config of a release that is two fields ahead of this library. */
struct newer_config {
  fulcrum_config_t known;
  uint64_t future[2];
};

static void a_config_may_be_newer_but_not_ask_for_the_unknown(void) {
  struct newer_config config;
  fulcrum_runtime_t *rt = NULL;
  memset(&config, 0, sizeof config);
  config.known.size = sizeof config;
  CHECK_STATUS(fulcrum_open(&config.known, &rt, NULL), FULCRUM_OK);
  fulcrum_close(rt);
  rt = NULL;
  config.future[1] = 1;
  CHECK_STATUS(fulcrum_open(&config.known, &rt, NULL), FULCRUM_ERR_TOO_NEW);
  config.known.size = sizeof config.known;
  config.known.flags = 1u << 31;
  CHECK_STATUS(fulcrum_open(&config.known, &rt, NULL), FULCRUM_ERR_TOO_NEW);
  config.known.flags = 0;
  config.known.policy = 77;
  CHECK_STATUS(fulcrum_open(&config.known, &rt, NULL), FULCRUM_ERR_TOO_NEW);
  config.known.policy = 0;
  config.known.priority = 100;
  CHECK_STATUS(fulcrum_open(&config.known, &rt, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK(rt == NULL);
}

static void a_size_nobody_set_is_refused(void) {
  const uint32_t wrong[] = {0, 1, 39, 4097, UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    fulcrum_runtime_t *rt = NULL, *open = opened();
    fulcrum_config_t config;
    fulcrum_stream_t stream = good_stream();
    fulcrum_job_t job = good_job();
    fulcrum_error_t error;
    uint32_t number = UNTOUCHED;
    memset(&config, 0, sizeof config);
    config.size = stream.size = job.size = wrong[i];
    CHECK_STATUS(fulcrum_open(&config, &rt, &error), FULCRUM_ERR_SIZE);
    CHECK(strstr(error.text, "fulcrum_config_t") != NULL);
    CHECK_STATUS(fulcrum_stream_add(open, &stream, &number, &error), FULCRUM_ERR_SIZE);
    CHECK(strstr(error.text, "fulcrum_stream_t") != NULL);
    CHECK_STATUS(fulcrum_job_add(open, &job, &number, &error), FULCRUM_ERR_SIZE);
    CHECK(rt == NULL && number == UNTOUCHED);
    fulcrum_close(open);
  }
}

static void refuse_stream(fulcrum_stream_t stream, fulcrum_status_t wanted) {
  fulcrum_runtime_t *rt = opened();
  fulcrum_error_t error;
  uint32_t number = UNTOUCHED;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, &error), wanted);
  CHECK(error.code == wanted && error.text[0] != 0);
  CHECK(number == UNTOUCHED);
  /* Nothing was added: the next one is the first. */
  stream = good_stream();
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK(number == 0);
  fulcrum_close(rt);
}

static int32_t run_no_piece(void *user, uint32_t piece, const fulcrum_request_t *requests, uint32_t count,
                            uint64_t *answers) {
  (void)user, (void)piece, (void)requests, (void)count, (void)answers;
  return 1;
}

static void a_stream_that_makes_no_sense_is_refused(void) {
  const uint64_t pieces[] = {2, 3, 0};
  char endless[FULCRUM_NAME_BYTES];
  fulcrum_stream_t stream;
  memset(endless, 'x', sizeof endless);
  stream = good_stream(), stream.period_ns = 0, refuse_stream(stream, FULCRUM_ERR_ZERO);
  stream = good_stream(), stream.deadline_ns = 0, refuse_stream(stream, FULCRUM_ERR_ZERO);
  stream = good_stream(), stream.cost_ns = 0, refuse_stream(stream, FULCRUM_ERR_ZERO);
  stream = good_stream(), stream.minibatch = 65, refuse_stream(stream, FULCRUM_ERR_MINIBATCH);
  stream = good_stream(), stream.jitter_ns = 1, refuse_stream(stream, FULCRUM_ERR_ARGUMENT);
  stream = good_stream(), stream.run = NULL, refuse_stream(stream, FULCRUM_ERR_ARGUMENT);
  stream = good_stream(), stream.piece_count = 2, refuse_stream(stream, FULCRUM_ERR_ARGUMENT);
  stream.piece_ns = pieces, refuse_stream(stream, FULCRUM_ERR_ARGUMENT);
  stream.run_piece = run_no_piece, stream.piece_count = 129, refuse_stream(stream, FULCRUM_ERR_PIECES);
  stream.piece_count = UINT32_MAX, refuse_stream(stream, FULCRUM_ERR_PIECES);
  stream.piece_count = 3, refuse_stream(stream, FULCRUM_ERR_COST);
  stream.piece_count = 2, stream.cost_ns = 4, refuse_stream(stream, FULCRUM_ERR_COST);
  stream = good_stream(), stream.flags = 2, refuse_stream(stream, FULCRUM_ERR_TOO_NEW);
  stream = good_stream(), stream.reserved = 1, refuse_stream(stream, FULCRUM_ERR_TOO_NEW);
  stream = good_stream(), stream.name = NULL, refuse_stream(stream, FULCRUM_ERR_NAME);
  stream = good_stream(), stream.name = "", refuse_stream(stream, FULCRUM_ERR_NAME);
  stream = good_stream(), stream.name = "\xff\xfe", refuse_stream(stream, FULCRUM_ERR_NAME);
  stream = good_stream(), stream.name = endless, refuse_stream(stream, FULCRUM_ERR_NAME);
}

static void refuse_job(fulcrum_job_t job, fulcrum_status_t wanted) {
  fulcrum_runtime_t *rt = opened();
  uint32_t number = UNTOUCHED;
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), wanted);
  CHECK(number == UNTOUCHED);
  fulcrum_close(rt);
}

static void a_job_that_makes_no_sense_is_refused(void) {
  const uint64_t no_length[2] = {MS, 0};
  fulcrum_job_t job;
  job = good_job(), job.piece_count = 0, refuse_job(job, FULCRUM_ERR_PIECES);
  job = good_job(), job.piece_count = 129, refuse_job(job, FULCRUM_ERR_PIECES);
  job = good_job(), job.piece_count = UINT32_MAX, refuse_job(job, FULCRUM_ERR_PIECES);
  job = good_job(), job.piece_ns = no_length, refuse_job(job, FULCRUM_ERR_PIECES);
  job = good_job(), job.piece_ns = NULL, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = good_job(), job.run_piece = NULL, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = good_job(), job.name = NULL, refuse_job(job, FULCRUM_ERR_NAME);
}

static void apply_nothing(void *user, uint32_t set, uint32_t version) {
  (void)user, (void)set, (void)version;
}

static void abort_nothing(void *user) { (void)user; }

static int32_t fill_nothing(void *user, uint32_t set, uint32_t part) {
  (void)user, (void)set, (void)part;
  return 0;
}

static int32_t judge_nothing(void *user, uint32_t set, uint32_t part, fulcrum_score_t *score) {
  (void)user, (void)set, (void)part, (void)score;
  return 0;
}

/* A job that hands its weights to stream 0. */
static fulcrum_job_t handing_over(void) {
  fulcrum_job_t job = good_job();
  job.fill = fill_nothing;
  job.fill_ns = MS;
  job.fill_count = 1;
  job.eval = judge_nothing;
  job.eval_ns = MS;
  job.eval_count = 2;
  return job;
}

static void functions_of_an_engine_come_with_their_numbers_and_none_without(void) {
  fulcrum_job_t job;
  job = good_job(), job.abort = abort_nothing, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = good_job(), job.abort_ns = MS, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.fill = NULL, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.fill_ns = 0, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.fill_count = 0, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.eval = NULL, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.eval_ns = 0, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.eval_count = 0, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.fill = NULL, job.fill_ns = 0, job.fill_count = 0;
  refuse_job(job, FULCRUM_ERR_ARGUMENT);
  job = handing_over(), job.metric = 3, refuse_job(job, FULCRUM_ERR_TOO_NEW);
  job = handing_over(), job.checkpoint = (const fulcrum_checkpoint_t *)1, refuse_job(job, FULCRUM_ERR_ARGUMENT);
  /* 2 pieces of the step, 1 of fill, twice 63 of eval. */
  job = handing_over(), job.eval_count = 63, refuse_job(job, FULCRUM_ERR_PIECES);
  job = handing_over(), job.eval_count = UINT32_MAX, refuse_job(job, FULCRUM_ERR_PIECES);
}

static void weights_go_to_a_stream_that_takes_them_and_from_one_job_only(void) {
  fulcrum_runtime_t *rt = opened();
  fulcrum_stream_t stream = good_stream();
  fulcrum_job_t job = handing_over(), bad;
  uint32_t number = UNTOUCHED;
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_NO_STREAM);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  stream.apply = apply_nothing;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_NO_SWAP);
  job.stream = 7;
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_NO_STREAM);
  job.stream = 1;
  /* What is refused takes nothing: the next one can still have the stream. */
  bad = job, bad.name = NULL;
  CHECK_STATUS(fulcrum_job_add(rt, &bad, &number, NULL), FULCRUM_ERR_NAME);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK(number == 0);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_NO_SWAP);
  CHECK_STATUS(fulcrum_revert(rt, 1, &number), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_revert(rt, 0, &number), FULCRUM_ERR_NO_SWAP);
  CHECK_STATUS(fulcrum_revert(rt, 1, &number), FULCRUM_ERR_NO_VERSION);
  CHECK_STATUS(fulcrum_revert(rt, 2, &number), FULCRUM_ERR_NO_STREAM);
  CHECK_STATUS(fulcrum_revert(rt, UINT32_MAX, &number), FULCRUM_ERR_NO_STREAM);
  CHECK(number == 0);
  fulcrum_close(rt);
}

static void there_is_room_for_8_streams_and_4_jobs(void) {
  fulcrum_runtime_t *rt = opened();
  const fulcrum_stream_t stream = good_stream();
  const fulcrum_job_t job = good_job();
  uint32_t number = UNTOUCHED;
  for (uint32_t i = 0; i < 8; ++i) {
    CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
    CHECK(number == i);
  }
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_ERR_STREAMS_FULL);
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
    CHECK(number == i);
  }
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_JOBS_FULL);
  fulcrum_close(rt);
}

static void a_call_in_the_wrong_phase_is_refused(void) {
  fulcrum_runtime_t *rt = opened();
  const fulcrum_stream_t stream = good_stream();
  const fulcrum_job_t job = good_job();
  fulcrum_stream_statistics_t statistics;
  fulcrum_completion_t completion;
  fulcrum_event_t event;
  fulcrum_error_t error;
  uint32_t number = UNTOUCHED;
  uint64_t bound = UNTOUCHED;
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  /* Not started yet. */
  CHECK_STATUS(fulcrum_submit(rt, 0, 1, 0), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_poll(rt, 0, &completion), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_bound(rt, 0, &bound), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_event_poll(rt, &event), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_warning_get(rt, 0, &error), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_ERR_PHASE);
  /* Started. */
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, &error), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, &error), FULCRUM_ERR_PHASE);
  CHECK(strstr(error.text, "before the start") != NULL);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_submit(rt, 0, 41, 0), FULCRUM_OK);
  CHECK(next_completion(rt, 0).answer == 42);
  /* Stopped. */
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK_STATUS(fulcrum_submit(rt, 0, 1, 0), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_poll(rt, 0, &completion), FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_stream_statistics(rt, 0, &statistics), FULCRUM_OK);
  CHECK(statistics.requests == 1 && statistics.untaken == 0);
  CHECK(number == 0 && bound == UNTOUCHED);
  fulcrum_close(rt);
}

static void a_number_that_no_stream_or_job_has_is_refused(void) {
  const uint32_t unknown[] = {1, 7, 8, UINT32_MAX};
  const fulcrum_stream_t stream = good_stream();
  fulcrum_runtime_t *rt = started(&stream);
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; ++i) {
    fulcrum_stream_statistics_t of_stream;
    fulcrum_job_statistics_t of_job;
    fulcrum_completion_t completion;
    uint64_t bound;
    of_stream.size = sizeof of_stream;
    of_job.size = sizeof of_job;
    CHECK_STATUS(fulcrum_submit(rt, unknown[i], 1, 0), FULCRUM_ERR_NO_STREAM);
    CHECK_STATUS(fulcrum_poll(rt, unknown[i], &completion), FULCRUM_ERR_NO_STREAM);
    CHECK_STATUS(fulcrum_bound(rt, unknown[i], &bound), FULCRUM_ERR_NO_STREAM);
    CHECK_STATUS(fulcrum_stream_statistics(rt, unknown[i], &of_stream), FULCRUM_ERR_NO_STREAM);
    CHECK_STATUS(fulcrum_job_statistics(rt, unknown[i], &of_job), FULCRUM_ERR_NO_JOB);
  }
  fulcrum_close(rt);
}

static void a_runtime_that_was_never_started_or_never_stopped_can_be_closed(void) {
  const fulcrum_stream_t stream = good_stream();
  fulcrum_close(opened());
  fulcrum_close(started(&stream));
}

#define MB 1000000u

/* A stream of 100 MB and a job of 50. */
static fulcrum_status_t started_within(uint64_t memory_bytes, uint32_t flags, fulcrum_error_t *error) {
  fulcrum_runtime_t *rt = NULL;
  fulcrum_config_t config;
  fulcrum_stream_t stream = good_stream();
  fulcrum_job_t job = good_job();
  uint32_t number;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.memory_bytes = memory_bytes;
  config.flags = flags;
  stream.memory_bytes = 100 * MB;
  job.memory_bytes = 50 * MB;
  CHECK_STATUS(fulcrum_open(&config, &rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  const fulcrum_status_t status = fulcrum_start(rt, error);
  fulcrum_close(rt);
  return status;
}

static void workloads_that_hold_more_memory_than_they_may_are_not_started(void) {
  fulcrum_error_t error;
  CHECK_STATUS(started_within(149 * MB, 0, &error), FULCRUM_ERR_MEMORY);
  CHECK(strstr(error.text, "hold 150 MB") != NULL && strstr(error.text, "hold 149 MB") != NULL);
  CHECK_STATUS(started_within(149 * MB, FULCRUM_START_UNFIT, NULL), FULCRUM_OK);
  CHECK_STATUS(started_within(150 * MB, 0, NULL), FULCRUM_OK);
  CHECK_STATUS(started_within(0, 0, NULL), FULCRUM_OK);
}

int main(void) {
  RUN(header_and_library_belong_together);
  RUN(every_status_has_a_text);
  RUN(null_is_refused_everywhere);
  RUN(what_is_no_handle_is_refused_by_every_function);
  RUN(a_config_may_be_newer_but_not_ask_for_the_unknown);
  RUN(a_size_nobody_set_is_refused);
  RUN(a_stream_that_makes_no_sense_is_refused);
  RUN(a_job_that_makes_no_sense_is_refused);
  RUN(functions_of_an_engine_come_with_their_numbers_and_none_without);
  RUN(weights_go_to_a_stream_that_takes_them_and_from_one_job_only);
  RUN(there_is_room_for_8_streams_and_4_jobs);
  RUN(a_call_in_the_wrong_phase_is_refused);
  RUN(a_number_that_no_stream_or_job_has_is_refused);
  RUN(workloads_that_hold_more_memory_than_they_may_are_not_started);
  RUN(a_runtime_that_was_never_started_or_never_stopped_can_be_closed);
  return 0;
}
