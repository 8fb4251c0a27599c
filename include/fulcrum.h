/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * fulcrum keeps a robot's perception on time while it keeps learning.
 *
 * Rules that hold for every function:
 *   1. The object comes first; const means it does not change; inputs come before outputs.
 *   2. Outputs are written only on success, a fulcrum_error_t only on failure.
 *   3. Every pointer is checked, and NULL is refused with a status; fulcrum_close(NULL) does nothing.
 *   4. Structs that say their size grow: set size to sizeof the struct and every other field to zero or a value.
 *      C: fulcrum_stream_t s = {.size = sizeof s};  C++: fulcrum_stream_t s{}; s.size = sizeof s;
 *   5. A bug in the library never unwinds into the caller: it is FULCRUM_ERR_BUG, and the handle can only be closed.
 *
 * Order of calls: fulcrum_open, then fulcrum_stream_add and fulcrum_job_add, then fulcrum_start; then fulcrum_submit
 * and fulcrum_poll from any thread; then fulcrum_stop, if results are still to be read, and fulcrum_close.
 *
 * The row under each function says what it costs: whether it allocates, whether it blocks and until when, which threads
 * may call it, and whether it belongs into a real-time loop. All times are nanoseconds on CLOCK_MONOTONIC.
 */

#ifndef FULCRUM_H
#define FULCRUM_H

/* Generated from src/ffi by cbindgen; do not edit. FULCRUM_BLESS=1 cargo test --test header renews it. */

#include <stddef.h>
#include <stdint.h>

/**
 * Version of this header: major * 10000 + minor * 100 + patch.
 */
#define FULCRUM_VERSION 100

/**
 * Bytes of an error's text, its terminating zero included.
 */
#define FULCRUM_ERROR_BYTES 248

/**
 * The default policy, which is FULCRUM_POLICY_SLACK.
 */
#define FULCRUM_POLICY_DEFAULT 0

/**
 * First come, first served: what a hardware queue does. For comparison.
 */
#define FULCRUM_POLICY_FCFS 1

/**
 * The published managed interleaving: a minibatch, then as many whole training steps as fit into the cycle.
 */
#define FULCRUM_POLICY_FULCRUM 2

/**
 * Earliest deadline first; a training piece runs only where it delays no promised answer.
 */
#define FULCRUM_POLICY_SLACK 3

/**
 * Config flag: start although admission says no. Bounds are printed and checked all the same.
 */
#define FULCRUM_START_UNFIT 1

/**
 * Config flag: lock the process's memory, present and future. Refused without the right to: a warning, not an error.
 */
#define FULCRUM_LOCK_MEMORY 2

/**
 * Config flag: run the dispatcher on processor `cpu` only.
 */
#define FULCRUM_PIN_CPU 4

/**
 * Stream flag: requests come at any time, but never two within period_ns. Without it they come each period_ns.
 */
#define FULCRUM_SPORADIC 1

/**
 * A piece ran; the next one of this step may follow.
 */
#define FULCRUM_PIECE_RAN 0

/**
 * A piece ran and was the step's last; its loss was written.
 */
#define FULCRUM_PIECE_STEPPED 1

/**
 * There is nothing to train on yet; the same piece is asked for again a little later.
 */
#define FULCRUM_PIECE_DRY 2

/**
 * A minibatch ran: index is its stream, value its requests, span_ns its time.
 */
#define FULCRUM_EVENT_MINIBATCH 1

/**
 * A piece ran: index is its job, value its place in the step, span_ns its time.
 */
#define FULCRUM_EVENT_PIECE 2

/**
 * A training step ended: index is its job, loss its loss.
 */
#define FULCRUM_EVENT_STEP 3

/**
 * A request ended after its deadline: index is its stream, span_ns by how much.
 */
#define FULCRUM_EVENT_MISSED 4

/**
 * A request took longer than the bound: index is its stream, span_ns its latency.
 */
#define FULCRUM_EVENT_BOUND_BROKEN 5

/**
 * A minibatch failed: index is its stream.
 */
#define FULCRUM_EVENT_STREAM_FAILED 6

/**
 * A piece failed: index is its job.
 */
#define FULCRUM_EVENT_JOB_FAILED 7

/**
 * Bytes of a name, its terminating zero included.
 */
#define FULCRUM_NAME_BYTES 32

/**
 * A runtime: streams, jobs and the dispatcher thread that runs them. Made by fulcrum_open, freed by fulcrum_close.
 */
typedef struct fulcrum_runtime_t fulcrum_runtime_t;

/**
 * What a call returns. A plain integer: C may hold values this library never made.
 */
typedef int32_t fulcrum_status_t;

/**
 * How a runtime is made. Zero means default in every field but `size`.
 */
typedef struct fulcrum_config_t {
  /**
   * sizeof(fulcrum_config_t); set it before anything else.
   */
  uint32_t size;
  /**
   * One of FULCRUM_POLICY_*.
   */
  uint32_t policy;
  /**
   * Time from a decision to the first instruction of the work, the wake-up included, ns. Part of every bound.
   * Default 200000: generous on a system without real-time priorities.
   */
  uint64_t switch_ns;
  /**
   * How far a training piece may overrun its announced length, ns. Part of every bound. Default 500000.
   */
  uint64_t late_ns;
  /**
   * FULCRUM_START_UNFIT, FULCRUM_LOCK_MEMORY, FULCRUM_PIN_CPU, or-ed.
   */
  uint32_t flags;
  /**
   * SCHED_FIFO priority of the dispatcher thread, 1 to 99; 0 asks for none. Refused without the right to: a warning.
   */
  uint32_t priority;
  /**
   * Processor for FULCRUM_PIN_CPU, counted from 0; else 0.
   */
  uint32_t cpu;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} fulcrum_config_t;

/**
 * Detail of a failed call. Lies in the caller's room, so that no other call overwrites it and nothing is to be freed.
 * Its layout never changes; it need not be initialised.
 */
typedef struct fulcrum_error_t {
  /**
   * The status the call returned.
   */
  fulcrum_status_t code;
  /**
   * The operating system's errno, or 0.
   */
  int32_t os_errno;
  /**
   * One English sentence that says what is wrong and, where it is known, what would do. UTF-8, zero-terminated.
   */
  char text[FULCRUM_ERROR_BYTES];
} fulcrum_error_t;

/**
 * One request of an inference stream. Its layout never changes.
 */
typedef struct fulcrum_request_t {
  /**
   * The caller's own word for this request.
   */
  uint64_t token;
  /**
   * When the request was due, ns on the clock of fulcrum_now_ns. Latency counts from here.
   */
  uint64_t release_ns;
} fulcrum_request_t;

/**
 * Runs one minibatch, on the dispatcher thread. Writes one answer for each request; an answer is 64 bits of the
 * caller's own meaning. It must not throw, jump out, allocate, lock or touch files. 0: done; else the minibatch
 * failed, and the number comes back in the completions' code.
 */
typedef int32_t (*fulcrum_run_t)(void *user,
                                 const struct fulcrum_request_t *requests,
                                 uint32_t count,
                                 uint64_t *answers);

/**
 * What became of one request. Its layout never changes.
 */
typedef struct fulcrum_completion_t {
  /**
   * The caller's own word for the request.
   */
  uint64_t token;
  /**
   * When the request was due, ns on the clock of fulcrum_now_ns.
   */
  uint64_t release_ns;
  /**
   * When its minibatch started.
   */
  uint64_t start_ns;
  /**
   * When its minibatch ended. Latency is end_ns - release_ns.
   */
  uint64_t end_ns;
  /**
   * The answer of the run callback; 0 where status is not FULCRUM_OK.
   */
  uint64_t answer;
  /**
   * FULCRUM_OK, or why there is no answer: one of 5xx.
   */
  fulcrum_status_t status;
  /**
   * With FULCRUM_ERR_FAILED (503) what the run callback returned; else 0.
   */
  int32_t code;
} fulcrum_completion_t;

/**
 * Takes one result, on the dispatcher thread, right after its minibatch; its time counts as the minibatch's. It must
 * not throw, jump out, allocate, lock or touch files.
 */
typedef void (*fulcrum_completed_t)(void *user, const struct fulcrum_completion_t *completion);

/**
 * What a stream asks for.
 */
typedef struct fulcrum_stream_t {
  /**
   * sizeof(fulcrum_stream_t); set it before anything else.
   */
  uint32_t size;
  /**
   * FULCRUM_SPORADIC or 0.
   */
  uint32_t flags;
  /**
   * For people and traces: UTF-8, at most 31 bytes and a zero. Copied.
   */
  const char *name;
  /**
   * Time between two requests, ns; with FULCRUM_SPORADIC the least time. Above 0.
   */
  uint64_t period_ns;
  /**
   * How long after its release a request may be handed in, ns. Part of the bound. 0 with FULCRUM_SPORADIC.
   */
  uint64_t jitter_ns;
  /**
   * Latest completion, counted from the release, ns. Above 0.
   */
  uint64_t deadline_ns;
  /**
   * The longest one minibatch takes, ns: an upper quantile or a maximum, never a mean. Above 0.
   */
  uint64_t cost_ns;
  /**
   * Requests in one minibatch, 1 to 64. Default 1.
   */
  uint32_t minibatch;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * Runs a minibatch. Not NULL.
   */
  fulcrum_run_t run;
  /**
   * Takes each result as it comes; NULL: results wait for fulcrum_poll.
   */
  fulcrum_completed_t completed;
  /**
   * Handed to both callbacks. Used on the dispatcher thread until the runtime is stopped or closed. May be NULL.
   */
  void *user;
} fulcrum_stream_t;

/**
 * Runs one piece of the present step, on the dispatcher thread. Pieces are counted from 0. Returns FULCRUM_PIECE_RAN;
 * for the step's last piece it writes the loss and returns FULCRUM_PIECE_STEPPED; without data FULCRUM_PIECE_DRY. Any
 * other number means that it failed, and so does a loss that is not a number: the step then starts again from piece 0,
 * and the function goes back to the state of the last whole step. It must not throw, jump out, allocate, lock or touch
 * files.
 */
typedef int32_t (*fulcrum_run_piece_t)(void *user, uint32_t piece, float *loss);

/**
 * What a training job asks for: one step after the other, each cut into pieces that run in order.
 */
typedef struct fulcrum_job_t {
  /**
   * sizeof(fulcrum_job_t); set it before anything else.
   */
  uint32_t size;
  /**
   * Pieces in one step, 1 to 128.
   */
  uint32_t piece_count;
  /**
   * For people and traces: UTF-8, at most 31 bytes and a zero. Copied.
   */
  const char *name;
  /**
   * The longest each of the piece_count pieces takes, ns: upper quantiles or maxima, never means. Above 0. Copied.
   */
  const uint64_t *piece_ns;
  /**
   * Runs a piece. Not NULL.
   */
  fulcrum_run_piece_t run_piece;
  /**
   * Handed to the callback. Used on the dispatcher thread until the runtime is stopped or closed. May be NULL.
   */
  void *user;
} fulcrum_job_t;

/**
 * What became of a stream's requests since the start.
 */
typedef struct fulcrum_stream_statistics_t {
  /**
   * sizeof(fulcrum_stream_statistics_t); set it before the call.
   */
  uint32_t size;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Requests that ended, failed ones included.
   */
  uint64_t requests;
  /**
   * Requests that ended after their deadline.
   */
  uint64_t misses;
  /**
   * Requests that took longer than the bound.
   */
  uint64_t bound_violations;
  /**
   * Requests whose minibatch failed.
   */
  uint64_t failed;
  /**
   * Requests that did not arrive as announced (too early, handed in too late): the arrivals broke the promise.
   */
  uint64_t off_schedule;
  /**
   * Results that nobody polled in time; 0 with a completion callback.
   */
  uint64_t untaken;
  /**
   * Time the dispatcher spent on this stream, ns.
   */
  uint64_t busy_ns;
  /**
   * Latency that half of all requests did not exceed, ns. Quantiles are at most 0.8 % too high, never too low.
   */
  uint64_t p50_ns;
  /**
   * Latency that 99 % of all requests did not exceed, ns.
   */
  uint64_t p99_ns;
  /**
   * Latency that 99.9 % of all requests did not exceed, ns.
   */
  uint64_t p999_ns;
  /**
   * The longest latency, exact, ns.
   */
  uint64_t max_ns;
} fulcrum_stream_statistics_t;

/**
 * What became of a training job since the start.
 */
typedef struct fulcrum_job_statistics_t {
  /**
   * sizeof(fulcrum_job_statistics_t); set it before the call.
   */
  uint32_t size;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Steps ended.
   */
  uint64_t steps;
  /**
   * Pieces run.
   */
  uint64_t pieces;
  /**
   * Pieces that took longer than announced and allowed for.
   */
  uint64_t overruns;
  /**
   * Pieces that failed. After 8 in a row, with no step between, the job is not run any more.
   */
  uint64_t failures;
  /**
   * Times the job was asked and had no data.
   */
  uint64_t dry;
  /**
   * Time the dispatcher spent on this job, ns.
   */
  uint64_t busy_ns;
  /**
   * Time that 99 % of all pieces did not exceed, ns. At most 0.8 % too high, never too low.
   */
  uint64_t piece_p99_ns;
  /**
   * The longest piece, exact, ns.
   */
  uint64_t piece_max_ns;
  /**
   * Loss of the first step; 0 before it.
   */
  float first_loss;
  /**
   * Loss of the newest step; 0 before the first.
   */
  float last_loss;
} fulcrum_job_statistics_t;

/**
 * One thing that happened on the dispatcher. Its layout never changes; a later release may make other kinds.
 */
typedef struct fulcrum_event_t {
  /**
   * One of FULCRUM_EVENT_*, which says what the other fields mean. Skip those you do not know.
   */
  uint32_t kind;
  /**
   * Number of the stream or job.
   */
  uint32_t index;
  /**
   * When it ended, ns on the clock of fulcrum_now_ns.
   */
  uint64_t at_ns;
  /**
   * A length of time, ns; 0 where the kind has none.
   */
  uint64_t span_ns;
  /**
   * A count; 0 where the kind has none.
   */
  uint32_t value;
  /**
   * The loss; 0 where the kind has none.
   */
  float loss;
} fulcrum_event_t;

/**
 * The call did what it promises.
 */
#define FULCRUM_OK 0

/**
 * There was nothing to take. Not an error; nothing was written.
 */
#define FULCRUM_EMPTY 1

/**
 * An argument is NULL, misaligned or outside its range.
 */
#define FULCRUM_ERR_ARGUMENT 101

/**
 * This library has a bug: it panicked. The handle can only be closed.
 */
#define FULCRUM_ERR_BUG 102

/**
 * A struct or flag asks for something this release of the library does not know.
 */
#define FULCRUM_ERR_TOO_NEW 103

/**
 * A struct's size field is below its first release or above 4096.
 */
#define FULCRUM_ERR_SIZE 104

/**
 * The handle is NULL, or not one that fulcrum_open made and fulcrum_close has not seen.
 */
#define FULCRUM_ERR_HANDLE 105

/**
 * A name is NULL, empty, not UTF-8, or does not end within FULCRUM_NAME_BYTES.
 */
#define FULCRUM_ERR_NAME 106

/**
 * All places for streams are taken.
 */
#define FULCRUM_ERR_STREAMS_FULL 301

/**
 * All places for jobs are taken.
 */
#define FULCRUM_ERR_JOBS_FULL 302

/**
 * The period, the deadline or the cost of a stream is zero.
 */
#define FULCRUM_ERR_ZERO 303

/**
 * The minibatch is larger than the largest there is.
 */
#define FULCRUM_ERR_MINIBATCH 304

/**
 * A step has no piece, too many pieces, or a piece of no length.
 */
#define FULCRUM_ERR_PIECES 305

/**
 * A job announces another number of pieces than its workload has.
 */
#define FULCRUM_ERR_PIECES_DIFFER 306

/**
 * No stream has this number.
 */
#define FULCRUM_ERR_NO_STREAM 311

/**
 * No job has this number.
 */
#define FULCRUM_ERR_NO_JOB 312

/**
 * No latency can be promised to this stream.
 */
#define FULCRUM_ERR_NO_BOUND 313

/**
 * Admission: the inference streams alone need more than the accelerator has.
 */
#define FULCRUM_ERR_OVERLOAD 321

/**
 * Admission: a stream's bound is above its deadline.
 */
#define FULCRUM_ERR_LATE 322

/**
 * Admission: a job's longest piece fits into no gap between releases, so it would never run.
 */
#define FULCRUM_ERR_STARVED 323

/**
 * The call does not belong to the runtime's present phase: open, started or stopped.
 */
#define FULCRUM_ERR_PHASE 401

/**
 * The operating system made no thread; the errno is in the detail.
 */
#define FULCRUM_ERR_THREAD 402

/**
 * Another thread is inside the same call this very moment. Nothing was done; call again.
 */
#define FULCRUM_ERR_BUSY 403

/**
 * The stream's queue is full. The request was not taken.
 */
#define FULCRUM_ERR_FULL 404

/**
 * The call waits for the dispatcher thread and was made on it, from a callback.
 */
#define FULCRUM_ERR_CALLBACK 405

/**
 * The stream hands its results to a completion callback, so there is nothing to poll.
 */
#define FULCRUM_ERR_NOT_POLLED 406

/**
 * Warning: the operating system refused a real-time priority.
 */
#define FULCRUM_WARN_PRIORITY 411

/**
 * Warning: the operating system refused to pin the dispatcher to a processor.
 */
#define FULCRUM_WARN_CPU 412

/**
 * Warning: the operating system refused to lock memory.
 */
#define FULCRUM_WARN_LOCK_MEMORY 413

/**
 * The minibatch has a size the workload was not prepared for.
 */
#define FULCRUM_ERR_UNPREPARED 501

/**
 * A request came without its data.
 */
#define FULCRUM_ERR_NO_DATA 502

/**
 * The workload's own code failed; its code stands beside this one.
 */
#define FULCRUM_ERR_FAILED 503

/**
 * The loss is not a number.
 */
#define FULCRUM_ERR_NOT_A_NUMBER 504

/**
 * The workload's own code panicked.
 */
#define FULCRUM_ERR_PANICKED 505

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * FUNCTION: returns the version of the library, in the form of FULCRUM_VERSION. Header and library belong together if
 * both have the same major and minor number: fulcrum_version() / 100 == FULCRUM_VERSION / 100.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @return major * 10000 + minor * 100 + patch
 */
uint32_t fulcrum_version(void);

/**
 * FUNCTION: returns one English sentence for a status. The text is static: never free it, never write to it.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param status  any integer
 * @return the sentence, never NULL; "unknown status" for a number that is no status
 */
const char *fulcrum_status_text(fulcrum_status_t status);

/**
 * CONSTRUCTOR fulcrum_runtime_t: makes an empty runtime. Nothing runs yet; no thread, signal handler, file or global
 * state is made.
 *
 * | allocates yes | blocks no | threads any | real-time no |
 * @param config  how it is made; NULL: the default
 * @param[out] out  the runtime, to be closed with fulcrum_close
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104)
 */
fulcrum_status_t fulcrum_open(const struct fulcrum_config_t *config,
                              struct fulcrum_runtime_t **out,
                              struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_runtime_t: checks that everything fits, then starts the dispatcher thread. If it returns FULCRUM_OK,
 * every stream has the bound that fulcrum_bound tells. After a refusal the runtime can only be closed.
 *
 * | allocates yes | blocks until the thread runs | threads one at a time, no callback | real-time no |
 * @param rt  a runtime that was not started yet
 * @param[out] error  detail, written only on failure: the sentence names the stream, its bound, its deadline and the
 *                    largest training piece that would fit; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_OVERLOAD (321), FULCRUM_ERR_LATE (322), FULCRUM_ERR_STARVED (323),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_THREAD (402), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_start(struct fulcrum_runtime_t *rt,
                               struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_runtime_t: stops after the running piece. Once it returned FULCRUM_OK no callback runs any more.
 * Requests still waiting are not answered; results, statistics and events can still be read. Stopping twice is fine.
 *
 * | allocates no | blocks until the running piece ends | threads one at a time, no callback | real-time no |
 * @param rt  a started runtime
 * @return FULCRUM_OK, FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_stop(struct fulcrum_runtime_t *rt);

/**
 * DESTRUCTOR fulcrum_runtime_t: stops the runtime, if it runs, and frees it. Closing NULL does nothing, and so does
 * closing from a callback. Closing twice, or while another thread uses the handle, is undefined.
 *
 * | allocates no | blocks until the running piece ends | threads one, and no other call | real-time no |
 * @param rt  the runtime, or NULL
 */
void fulcrum_close(struct fulcrum_runtime_t *rt);

/**
 * METHOD fulcrum_runtime_t: adds an inference stream. Streams are numbered from 0 in the order of adding. What the
 * struct and its name hold is copied.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param rt  a runtime that was not started yet
 * @param stream  what the stream asks for
 * @param[out] out_stream  the stream's number
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_NAME (106), FULCRUM_ERR_STREAMS_FULL (301), FULCRUM_ERR_ZERO (303),
 *         FULCRUM_ERR_MINIBATCH (304), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_stream_add(struct fulcrum_runtime_t *rt,
                                    const struct fulcrum_stream_t *stream,
                                    uint32_t *out_stream,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_runtime_t: adds a training job. Jobs are numbered from 0 in the order of adding. What the struct, its
 * name and its lengths hold is copied.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param rt  a runtime that was not started yet
 * @param job  what the job asks for
 * @param[out] out_job  the job's number
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_NAME (106), FULCRUM_ERR_JOBS_FULL (302), FULCRUM_ERR_PIECES (305), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_job_add(struct fulcrum_runtime_t *rt,
                                 const struct fulcrum_job_t *job,
                                 uint32_t *out_job,
                                 struct fulcrum_error_t *error);

/**
 * FUNCTION: returns the present moment on CLOCK_MONOTONIC, the clock of every moment in this header, ns.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @return nanoseconds since some moment in the past; never goes back
 */
uint64_t fulcrum_now_ns(void);

/**
 * METHOD fulcrum_runtime_t: hands a request in and wakes the dispatcher. Of two threads that hand in to the same
 * stream at the same moment one gets FULCRUM_ERR_BUSY; neither waits.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a started runtime
 * @param stream  the stream's number
 * @param token  comes back with the result
 * @param release_ns  when the request was due, ns on the clock of fulcrum_now_ns; 0: now
 * @return FULCRUM_OK, FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_FULL (404), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_submit(struct fulcrum_runtime_t *rt,
                                uint32_t stream,
                                uint64_t token,
                                uint64_t release_ns);

/**
 * METHOD fulcrum_runtime_t: takes the oldest result of a stream. 128 results wait; later ones are dropped and counted
 * as untaken. Results that wait can still be taken after the stop.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @param stream  the stream's number
 * @param[out] out  the result
 * @return FULCRUM_OK, FULCRUM_EMPTY (1), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_NO_STREAM (311),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_NOT_POLLED (406), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_poll(struct fulcrum_runtime_t *rt,
                              uint32_t stream,
                              struct fulcrum_completion_t *out);

/**
 * METHOD fulcrum_runtime_t: tells the worst-case latency promised to a stream, from release to completion. It holds as
 * long as arrivals, costs and pieces keep what was announced; every measured latency is checked against it.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @param stream  the stream's number
 * @param[out] out_ns  the bound, ns
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_NO_BOUND (313),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_bound(const struct fulcrum_runtime_t *rt,
                               uint32_t stream,
                               uint64_t *out_ns);

/**
 * METHOD fulcrum_runtime_t: tells what became of a stream's requests. Counters are read one by one while the
 * dispatcher goes on, so they may differ by the request that is just ending. Works after the stop too.
 *
 * | allocates no | blocks no | threads any | real-time no: reads 14 KiB three times |
 * @param rt  a runtime that was started
 * @param stream  the stream's number
 * @param[out] out  the statistics; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_NO_STREAM (311),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_stream_statistics(const struct fulcrum_runtime_t *rt,
                                           uint32_t stream,
                                           struct fulcrum_stream_statistics_t *out);

/**
 * METHOD fulcrum_runtime_t: tells what became of a training job. Counters are read one by one while the dispatcher
 * goes on, so they may differ by the piece that is just ending. Works after the stop too.
 *
 * | allocates no | blocks no | threads any | real-time no: reads 14 KiB |
 * @param rt  a runtime that was started
 * @param job  the job's number
 * @param[out] out  the statistics; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_NO_JOB (312),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_job_statistics(const struct fulcrum_runtime_t *rt,
                                        uint32_t job,
                                        struct fulcrum_job_statistics_t *out);

/**
 * METHOD fulcrum_runtime_t: takes the oldest event. 8192 events wait; later ones are dropped and counted as lost.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @param[out] out  the event
 * @return FULCRUM_OK, FULCRUM_EMPTY (1), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_event_poll(struct fulcrum_runtime_t *rt,
                                    struct fulcrum_event_t *out);

/**
 * METHOD fulcrum_runtime_t: tells how many events were lost since the start because nobody took the older ones.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @param[out] out_lost  the number
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_events_lost(const struct fulcrum_runtime_t *rt,
                                     uint64_t *out_lost);

/**
 * METHOD fulcrum_runtime_t: tells what the operating system refused at the start. The runtime goes on without it; the
 * sentence says what the user must grant.
 *
 * | allocates no | blocks no | threads any | real-time no |
 * @param rt  a runtime that was started
 * @param index  which warning, counted from 0
 * @param[out] out  code FULCRUM_WARN_* (411 to 413), the errno and the sentence
 * @return FULCRUM_OK, FULCRUM_EMPTY (1) past the last one, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_warning_get(const struct fulcrum_runtime_t *rt,
                                     uint32_t index,
                                     struct fulcrum_error_t *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FULCRUM_H */
