/* What the C tests share: a check that says where it failed, and streams and jobs that are right until a test bends
 * them. Compiles as C11 and as C++17. */

#ifndef CHECK_H
#define CHECK_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "fulcrum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS 1000000u

/* Fails the program with the place and both numbers. */
#define CHECK_STATUS(call, wanted)                                                                              \
  do {                                                                                                          \
    const fulcrum_status_t got_ = (call);                                                                       \
    if (got_ != (wanted)) {                                                                                     \
      fprintf(stderr, "%s:%d: %s is %d (%s), not %d\n", __FILE__, __LINE__, #call, (int)got_,                   \
              fulcrum_status_text(got_), (int)(wanted));                                                        \
      exit(1);                                                                                                  \
    }                                                                                                           \
  } while (0)

#define CHECK(condition)                                                                                        \
  do {                                                                                                          \
    if (!(condition)) {                                                                                         \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                   \
      exit(1);                                                                                                  \
    }                                                                                                           \
  } while (0)

#define RUN(test)                                                                                               \
  do {                                                                                                          \
    printf("  %s\n", #test);                                                                                    \
    fflush(stdout);                                                                                             \
    test();                                                                                                     \
  } while (0)

static inline int32_t answer_token_plus_one(void *user, const fulcrum_request_t *requests, uint32_t count,
                                            uint64_t *answers) {
  (void)user;
  for (uint32_t i = 0; i < count; ++i) answers[i] = requests[i].token + 1;
  return 0;
}

static inline int32_t never_any_data(void *user, uint32_t piece, float *loss) {
  (void)user;
  (void)piece;
  (void)loss;
  return FULCRUM_PIECE_DRY;
}

/* A sporadic stream with room for every delay a busy machine can make. */
static inline fulcrum_stream_t good_stream(void) {
  fulcrum_stream_t stream;
  memset(&stream, 0, sizeof stream);
  stream.size = sizeof stream;
  stream.flags = FULCRUM_SPORADIC;
  stream.name = "camera";
  stream.period_ns = 100 * MS;
  stream.deadline_ns = 90 * MS;
  stream.cost_ns = 10 * MS;
  stream.run = answer_token_plus_one;
  return stream;
}

static const uint64_t TWO_PIECES[2] = {MS, MS};

static inline fulcrum_job_t good_job(void) {
  fulcrum_job_t job;
  memset(&job, 0, sizeof job);
  job.size = sizeof job;
  job.piece_count = 2;
  job.name = "trainer";
  job.piece_ns = TWO_PIECES;
  job.run_piece = never_any_data;
  return job;
}

static inline fulcrum_runtime_t *opened(void) {
  fulcrum_runtime_t *rt = NULL;
  CHECK_STATUS(fulcrum_open(NULL, &rt, NULL), FULCRUM_OK);
  CHECK(rt != NULL);
  return rt;
}

/* A started runtime with this one stream. */
static inline fulcrum_runtime_t *started(const fulcrum_stream_t *stream) {
  fulcrum_runtime_t *rt = opened();
  uint32_t number = 99;
  CHECK_STATUS(fulcrum_stream_add(rt, stream, &number, NULL), FULCRUM_OK);
  CHECK(number == 0);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  return rt;
}

static inline void nap(void) {
  const struct timespec millisecond = {0, 1000000};
  nanosleep(&millisecond, NULL);
}

/* Polls until there is a result; gives up after 20 s, which only a hung dispatcher needs. */
static inline fulcrum_completion_t next_completion(fulcrum_runtime_t *rt, uint32_t stream) {
  fulcrum_completion_t completion;
  memset(&completion, 0, sizeof completion);
  for (int i = 0; i < 20000; ++i) {
    const fulcrum_status_t status = fulcrum_poll(rt, stream, &completion);
    if (status == FULCRUM_OK) return completion;
    CHECK_STATUS(status, FULCRUM_EMPTY);
    nap();
  }
  CHECK(!"a result within 20 s");
  return completion;
}

#endif
