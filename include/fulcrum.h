/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * fulcrum keeps a robot's perception on time while it keeps learning.
 *
 * Rules that hold for every function:
 *   1. The object comes first; const means it does not change; inputs come before outputs.
 *   2. Outputs are written only on success, a fulcrum_error_t only on failure.
 *   3. Every pointer is checked, and NULL is refused with a status; closing NULL does nothing.
 *   4. Structs that say their size grow: set size to sizeof the struct and every other field to zero or a value.
 *      C: fulcrum_stream_t s = {.size = sizeof s};  C++: fulcrum_stream_t s{}; s.size = sizeof s;
 *   5. A bug in the library never unwinds into the caller: it is FULCRUM_ERR_BUG, and the handle can only be closed.
 *
 * Order of calls: fulcrum_open, then fulcrum_stream_add and fulcrum_job_add, then fulcrum_start; then fulcrum_submit
 * and fulcrum_poll from any thread; then fulcrum_stop, if results are still to be read, and fulcrum_close.
 *
 * Any engine plugs in by its functions: run answers a stream's requests and run_piece trains in pieces. The
 * rest is optional: abort gives a piece up for a request; fill and apply hand new weights from a job to a stream,
 * and eval has them judged first, so that worse ones never serve; save and load give a job's state away and take it
 * back, and with a folder (fulcrum_checkpoint_t) it is kept there, through crashes and power cuts. The example
 * cpp_examples/own_trainer.cpp has all of them.
 *
 * The ONNX engine is one such engine, where the library was built with it (feature onnx): fulcrum_onnx_model_open and
 * fulcrum_onnx_trainer_open prepare a model and its training graph, fulcrum_onnx_model_stream and
 * fulcrum_onnx_trainer_job fill in the stream and the job. See cpp_examples/onnx_camera_and_trainer.cpp.
 *
 * A board is apart from that: describe it, list what it offers, sample what it draws, and change its power mode as one
 * transaction. A mode that is not kept is put back by fulcrum_mode_restore, by fulcrum_board_close, and after a crash or
 * a power cut by fulcrum_mode_recover, which belongs at the start of every program that changes modes:
 *
 *   fulcrum_board_t *board = NULL;
 *   fulcrum_error_t error;
 *   fulcrum_recovery_t left = {.size = sizeof left};
 *   fulcrum_power_mode_t mode = {.size = sizeof mode, .cores = 4, .gpu_khz = 408000};   0: leave that knob alone
 *   if (fulcrum_board_open(NULL, &board, &error) == FULCRUM_OK &&
 *       fulcrum_mode_recover(board, NULL, 0, &left, &error) == FULCRUM_OK &&
 *       fulcrum_mode_begin(board, NULL, &error) == FULCRUM_OK &&
 *       fulcrum_mode_apply(board, &mode, NULL, &error) == FULCRUM_OK) {
 *     ...                                     the mode is in force; fulcrum_mode_keep(board, &error) would let it stay
 *   } else {
 *     fprintf(stderr, "%s\n", error.text);
 *   }
 *   fulcrum_board_close(board, &error);       puts the old mode back, and says so if it cannot
 *
 * Reading a board needs no rights; changing its mode needs the right to write its files, as root has.
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
 * The ready stream of the highest priority at each piece border, training when none is ready.
 */
#define FULCRUM_POLICY_PRIORITY 4

/**
 * The ready stream of the earliest deadline at each piece border, training when none is ready.
 */
#define FULCRUM_POLICY_EDF 5

/**
 * First come, first served, with four pieces of each job in the queue.
 */
#define FULCRUM_POLICY_IN_FLIGHT 6

/**
 * Training and inference take turns; a turn of training is 4 ms and the piece it is in.
 */
#define FULCRUM_POLICY_TIME_SLICE 7

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
 * Sets of weights that a job and its stream share, numbered from 0: in service, in service before, being
 * filled. All hold the first weights when they are registered.
 */
#define FULCRUM_WEIGHT_SETS 3

/**
 * Weights are compared by their mean loss: worse by so many thousandths of the loss in service.
 */
#define FULCRUM_METRIC_LOSS 0

/**
 * Weights are compared by their right answers: worse by so many thousandths of all samples.
 */
#define FULCRUM_METRIC_ACCURACY 1

/**
 * Weights are compared by both; the worse of the two counts.
 */
#define FULCRUM_METRIC_BOTH 2

/**
 * Stream flag: requests come at any time, but never two within period_ns. Without it they come each period_ns.
 */
#define FULCRUM_SPORADIC 1

/**
 * Overdue requests are run all the same, and counted as missed.
 */
#define FULCRUM_OVERDUE_RUN 0

/**
 * Overdue requests come back with the code FULCRUM_ERR_OVERDUE, and are counted as missed.
 */
#define FULCRUM_OVERDUE_SKIP 1

/**
 * As FULCRUM_OVERDUE_SKIP, and of those that wait only the newest minibatch is run.
 */
#define FULCRUM_OVERDUE_NEWEST 2

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
 * A piece was given up because the job's abort function was called; the same one is run again, as if it had
 * never started.
 */
#define FULCRUM_PIECE_ABORTED 3

/**
 * Feed policy: the newest samples are kept, and each is drawn as often as any other.
 */
#define FULCRUM_FEED_UNIFORM 0

/**
 * Feed policy: the newest samples are kept, and only the last `last` of them are drawn.
 */
#define FULCRUM_FEED_RECENT 1

/**
 * Feed policy: labels are classes, 0 to less than `classes`. Each has an equal share of the ring, in it a
 * uniform choice of all its samples so far, and each that has any is drawn as often as any other.
 */
#define FULCRUM_FEED_BALANCED 2

/**
 * Execution provider: the processor. It always comes last and never fails.
 */
#define FULCRUM_PROVIDER_CPU 0

/**
 * Execution provider: CUDA.
 */
#define FULCRUM_PROVIDER_CUDA 1

/**
 * Execution provider: TensorRT. Not for training: it wants convolution weights to be constants.
 */
#define FULCRUM_PROVIDER_TENSORRT 2

/**
 * Standing of a provider: it ran a model of one node.
 */
#define FULCRUM_PROVIDER_ACTIVE 0

/**
 * Standing of a provider: this build of ONNX Runtime does not have it.
 */
#define FULCRUM_PROVIDER_NOT_BUILT 1

/**
 * Standing of a provider: a library that it needs was not loaded.
 */
#define FULCRUM_PROVIDER_NOT_LOADED 2

/**
 * Standing of a provider: it refused its options or the device.
 */
#define FULCRUM_PROVIDER_REFUSED 3

/**
 * Engine flag: idle threads spin between two operators. They answer some microseconds sooner, and take their
 * processor from everything else.
 */
#define FULCRUM_ONNX_SPIN 1

/**
 * Flag of a model: its weights are inputs and may be exchanged, by a trainer made with it or through
 * fulcrum_onnx_model_apply.
 */
#define FULCRUM_ONNX_SWAPS 1

/**
 * Flag of a model or trainer with memory_bytes: that memory is locked, so that it never leaves for a disk.
 */
#define FULCRUM_ONNX_LOCK_MEMORY 2

/**
 * A minibatch ran: index is its stream, value its requests, span_ns the time from its start to its end.
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
 * The bound of a stream is another now, because of what was measured: index is its stream, span_ns its bound.
 */
#define FULCRUM_EVENT_BOUND_MOVED 8

/**
 * A job failed or overran so often that it no longer runs: index is its job.
 */
#define FULCRUM_EVENT_PARKED 9

/**
 * A piece runs for more than twice its length and has not ended: index is its job, value its place in the step, at_ns when
 * it started.
 */
#define FULCRUM_EVENT_HUNG 10

/**
 * A minibatch ran with newer weights than the one before: index is its stream, value their version.
 */
#define FULCRUM_EVENT_SWAPPED 11

/**
 * A minibatch ran with older weights than the one before, after a revert: index is its stream, value their
 * version.
 */
#define FULCRUM_EVENT_REVERTED 12

/**
 * New weights are not used: index is their job, value the version they would have had, loss by how much they
 * are worse than those in service, as a part: 0.05 is five per cent.
 */
#define FULCRUM_EVENT_REJECTED 13

/**
 * A piece of a cut minibatch ran: index is its stream, value its place in the minibatch, span_ns its time.
 */
#define FULCRUM_EVENT_MINIBATCH_PIECE 14

/**
 * CPU cores online, counted from core 0 up.
 */
#define FULCRUM_KNOB_CORES 1

/**
 * Ceiling of the CPU clusters' clock, kHz.
 */
#define FULCRUM_KNOB_CPU 2

/**
 * Ceiling of the GPU clock, kHz.
 */
#define FULCRUM_KNOB_GPU 3

/**
 * Ceiling of the memory (EMC) clock, kHz.
 */
#define FULCRUM_KNOB_EMC 4

/**
 * Preset flag: it cannot be set without a reboot. fulcrum_mode_apply_preset refuses it before the first write.
 */
#define FULCRUM_PRESET_NEEDS_REBOOT 1

/**
 * Preset flag: it is the default of the board's file.
 */
#define FULCRUM_PRESET_DEFAULT 2

/**
 * Standing of a knob: it is as asked.
 */
#define FULCRUM_DRIFT_OURS 1

/**
 * Standing of a knob: another party holds a clock below what was asked, as heat, firmware or a lower cap do.
 */
#define FULCRUM_DRIFT_LIMITED 2

/**
 * Standing of a knob: it could not be read.
 */
#define FULCRUM_DRIFT_UNREADABLE 3

/**
 * Standing of a knob: another program has written it.
 */
#define FULCRUM_DRIFT_TAKEN_OVER 4

/**
 * Recover flag: put back a mode that was kept on purpose, too.
 */
#define FULCRUM_RECOVER_HELD 1

/**
 * There was no journal: nothing was left.
 */
#define FULCRUM_RECOVERY_NOTHING 0

/**
 * A mode was kept on purpose; it was left alone.
 */
#define FULCRUM_RECOVERY_HELD 1

/**
 * A change that was cut off was put back.
 */
#define FULCRUM_RECOVERY_CUT_OFF 2

/**
 * A mode that was kept on purpose was put back.
 */
#define FULCRUM_RECOVERY_RELEASED 3

/**
 * The machine was started anew since, with its own settings; there was nothing to put back.
 */
#define FULCRUM_RECOVERY_OTHER_BOOT 4

/**
 * Sample flag: a second went by without a new conversion; power_mw is the last one's.
 */
#define FULCRUM_SAMPLE_STALE 1

/**
 * Sample flag: in a part of the window nothing was measured, gap_ns in all; no energy is made up for it.
 */
#define FULCRUM_SAMPLE_GAP 2

/**
 * Sample flag: something went on in the window that the mode does not explain: over-current events, active cooling,
 * readings that failed, counters that could not be read. Leave such a window out of a profile.
 */
#define FULCRUM_SAMPLE_MARKED 4

/**
 * Sample flag: no thermal zone could be read; temperature_mc is 0.
 */
#define FULCRUM_SAMPLE_NO_TEMPERATURE 8

/**
 * Bytes of a name, its terminating zero included.
 */
#define FULCRUM_NAME_BYTES 32

/**
 * Bytes of a path, its terminating zero included: PATH_MAX of Linux.
 */
#define FULCRUM_PATH_BYTES 4096

/**
 * A board: what it is and offers, the change of its power mode, and the thread that samples its sensors. Made by
 * fulcrum_board_open, freed by fulcrum_board_close.
 */
typedef struct fulcrum_board_t fulcrum_board_t;

/**
 * A feed: a bounded ring of labelled samples on their way to training. Made by fulcrum_feed_open, freed by
 * fulcrum_feed_close.
 */
typedef struct fulcrum_feed_t fulcrum_feed_t;

/**
 * An ONNX engine: ONNX Runtime, opened while the program runs, and what a model may use of the machine. Made by
 * fulcrum_onnx_engine_open, freed by fulcrum_onnx_engine_close. A program may have several, one that serves
 * with TensorRT and one that trains with CUDA for example; ONNX Runtime is there once.
 */
typedef struct fulcrum_onnx_engine_t fulcrum_onnx_engine_t;

/**
 * An ONNX model, prepared to serve a stream. Made by fulcrum_onnx_model_open, freed by fulcrum_onnx_model_close.
 * It is the `user` of its stream: it outlives the runtime, or is closed after fulcrum_stop.
 */
typedef struct fulcrum_onnx_model_t fulcrum_onnx_model_t;

/**
 * An ONNX trainer: a training graph, cut into pieces. Made by fulcrum_onnx_trainer_open, freed by
 * fulcrum_onnx_trainer_close. It is the `user` of its job: it outlives the runtime, or is closed after
 * fulcrum_stop.
 */
typedef struct fulcrum_onnx_trainer_t fulcrum_onnx_trainer_t;

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
   * SCHED_FIFO priority of the dispatcher thread, 1 to 99; 0 asks for none. Refused without the right to: a warning. Training
   * then leaves as much of each second free as the kernel keeps from real-time threads (kernel.sched_rt_runtime_us, 5 %
   * by default) and one per cent more, so that the kernel never stops the dispatcher; with -1 it leaves nothing free.
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
  /**
   * The most bytes that streams and jobs may hold together, by what each of them says of itself: admission
   * refuses more with FULCRUM_ERR_MEMORY (324). 0: nobody counts.
   */
  uint64_t memory_bytes;
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
  /**
   * The version of the weights its minibatch ran with: 0 for those the stream was added with. It goes back
   * only by fulcrum_revert.
   */
  uint32_t model_version;
  /**
   * 0.
   */
  uint32_t reserved;
} fulcrum_completion_t;

/**
 * Takes one result, on the dispatcher thread, right after its minibatch; its time counts as the minibatch's. It must
 * not throw, jump out, allocate, lock or touch files.
 */
typedef void (*fulcrum_completed_t)(void *user, const struct fulcrum_completion_t *completion);

/**
 * Runs one piece of a minibatch that is cut, on the dispatcher thread. Pieces are counted from 0, and between two of them
 * other work may run; the requests are the same for each. The last piece writes the answers. 0: done; else the minibatch
 * failed and is not gone on with. The rules of fulcrum_run_t hold.
 */
typedef int32_t (*fulcrum_run_minibatch_piece_t)(void *user,
                                                 uint32_t piece,
                                                 const struct fulcrum_request_t *requests,
                                                 uint32_t count,
                                                 uint64_t *answers);

/**
 * Has a stream use another set of weights from its next minibatch on: those of version `version`, in set
 * `set`. Called on the dispatcher thread right before that minibatch, whose cost it is part of; so it
 * exchanges a pointer or an index, and copies nothing. Before the first call set 0 serves, with version 0.
 * It must not throw, jump out, allocate, lock or touch files.
 */
typedef void (*fulcrum_apply_t)(void *user, uint32_t set, uint32_t version);

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
   * Runs a minibatch. Not NULL, unless piece_count is above 0.
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
  /**
   * Of a higher number goes first, under FULCRUM_POLICY_PRIORITY; 0 to 255. The other policies do not look at it.
   */
  uint32_t priority;
  /**
   * What becomes of requests that are past their deadline before they could start: FULCRUM_OVERDUE_RUN (0),
   * FULCRUM_OVERDUE_SKIP or FULCRUM_OVERDUE_NEWEST.
   */
  uint32_t overdue;
  /**
   * With FULCRUM_SPORADIC: requests that may come at once, if over a longer time they keep to period_ns; 1 to 64.
   * Default 1.
   */
  uint32_t burst;
  /**
   * Pieces that a minibatch is cut into, so that more urgent work may come between two; at most 128. 0: it is not cut.
   */
  uint32_t piece_count;
  /**
   * The longest each of the piece_count pieces takes, ns; their sum is at most cost_ns. Copied. NULL if it is not cut.
   */
  const uint64_t *piece_ns;
  /**
   * Runs a piece. Not NULL if piece_count is above 0.
   */
  fulcrum_run_minibatch_piece_t run_piece;
  /**
   * Takes new weights; NULL: the stream keeps those it has.
   */
  fulcrum_apply_t apply;
  /**
   * Bytes that what the callbacks run holds, its weights and buffers; admission sums them up, see
   * fulcrum_config_t. 0: not told.
   */
  uint64_t memory_bytes;
} fulcrum_stream_t;

/**
 * Runs one piece of the present step, on the dispatcher thread. Pieces are counted from 0. Returns
 * FULCRUM_PIECE_RAN; for the step's last piece it writes the loss and returns FULCRUM_PIECE_STEPPED; without
 * data FULCRUM_PIECE_DRY; given up by the job's abort function FULCRUM_PIECE_ABORTED. Any other number means
 * that it failed, and so does a loss that is not a number: the step then starts again from piece 0, and the
 * function goes back to the state of the last whole step. It must not throw, jump out, allocate, lock or
 * touch files.
 */
typedef int32_t (*fulcrum_run_piece_t)(void *user, uint32_t piece, float *loss);

/**
 * Ends the running piece as soon as it can, which then returns FULCRUM_PIECE_ABORTED and is run again.
 * Called from any thread, while pieces run on another, so it sets a flag and nothing more. A call that finds
 * no piece running may end the next one.
 */
typedef void (*fulcrum_abort_t)(void *user);

/**
 * Copies part `part`, counted from 0, of a job's present weights into set `set`, on the dispatcher thread.
 * Between two steps, one part a piece; nobody reads the set meanwhile. 0: done; FULCRUM_PIECE_ABORTED, if
 * the job has an abort function: given up, to be called again; else it failed, and the old weights stay. It
 * must not throw, jump out, allocate, lock or touch files.
 */
typedef int32_t (*fulcrum_fill_t)(void *user, uint32_t set, uint32_t part);

/**
 * What a set of weights is worth on some held-out samples. Its layout never changes.
 */
typedef struct fulcrum_score_t {
  /**
   * Sum of the samples' losses; 0 where only answers are judged.
   */
  double loss;
  /**
   * Samples that were answered rightly.
   */
  uint32_t right;
  /**
   * Samples judged; 0: there are no more.
   */
  uint32_t samples;
} fulcrum_score_t;

/**
 * Judges set `set` on part `part`, counted from 0, of samples that were never trained on, on the dispatcher
 * thread; one part a piece. Called for the new weights first, then for those in service with the same parts,
 * which must be the same samples. It writes the score; one of no samples says that there are no more.
 * Returns as fulcrum_fill_t, with the same rules.
 */
typedef int32_t (*fulcrum_eval_t)(void *user, uint32_t set, uint32_t part, struct fulcrum_score_t *score);

/**
 * Writes part `part`, counted from 0, of a job's state as it is after a whole step. Returns its bytes, 0
 * past the last part; more than `capacity`: nothing was written, and so many are needed; below 0: it failed.
 * The number of parts and their bytes never change; with a capacity of 0 only they are asked for. Called when
 * the job is added, and on the dispatcher thread between two steps, one part a piece; there it must not throw,
 * jump out, allocate, lock or touch files.
 */
typedef int64_t (*fulcrum_save_t)(void *user, uint32_t part, void *bytes, uint64_t capacity);

/**
 * Takes back a part of `size` bytes that fulcrum_save_t wrote, before the first step: all parts in order, or
 * none. 0: done; else it failed, and the job is not added.
 */
typedef int32_t (*fulcrum_load_t)(void *user, uint32_t part, const void *bytes, uint64_t size);

/**
 * How a job's state is kept: written into one of two slots in turn, on a thread of its own, so that after a
 * crash or a power cut at any moment the newest or the one before it loads.
 */
typedef struct fulcrum_checkpoint_t {
  /**
   * sizeof(fulcrum_checkpoint_t); set it before anything else.
   */
  uint32_t size;
  /**
   * Steps from one checkpoint to the next. Default 100.
   */
  uint32_t every;
  /**
   * The folder they are kept in, of this job alone; made if it is missing. Not NULL. Copied.
   */
  const char *folder;
  /**
   * What the state belongs to, a number of the caller's own: a checksum of the model or a version of the state's
   * layout. A checkpoint of another is refused.
   */
  uint64_t identity;
  /**
   * Bytes that may be written in any hour, to spare the flash; checkpoints beyond that are put off. 0: no limit.
   */
  uint64_t budget_bytes;
  /**
   * The longest that save takes for one part, ns. 0: it is measured when the job is added, and half as much again
   * is announced. A part is not given up for a request, so for a job with abort it is at most abort_ns.
   */
  uint64_t save_ns;
} fulcrum_checkpoint_t;

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
   * Handed to every callback. Used on the dispatcher thread until the runtime is stopped or closed, but by
   * abort, which any thread may call. May be NULL.
   */
  void *user;
  /**
   * How long it takes at most until a piece that was told to end has ended, ns: an upper value, part of
   * the bound. Above 0 with abort, else 0.
   */
  uint64_t abort_ns;
  /**
   * The longest that fill takes, ns. Above 0 with fill, else 0.
   */
  uint64_t fill_ns;
  /**
   * The longest that eval takes, ns. Above 0 with eval, else 0.
   */
  uint64_t eval_ns;
  /**
   * Ends the running piece; NULL: pieces run to their end.
   */
  fulcrum_abort_t abort;
  /**
   * Copies the job's weights for the stream below; NULL: it hands none over.
   */
  fulcrum_fill_t fill;
  /**
   * Judges weights before they serve; NULL: all that fill copied serve. Needs fill.
   */
  fulcrum_eval_t eval;
  /**
   * Writes the job's state; NULL: it cannot be saved.
   */
  fulcrum_save_t save;
  /**
   * Takes the job's state back; NULL: it cannot be loaded.
   */
  fulcrum_load_t load;
  /**
   * How the job's state is kept, with save and load: what is kept already is loaded when the job is added, and a copy
   * is taken every so many steps, each part a piece behind the others. NULL: it is not kept. Copied.
   */
  const struct fulcrum_checkpoint_t *checkpoint;
  /**
   * Parts that fill copies, each a piece. Above 0 with fill, else 0. All pieces, those of a step, of fill
   * and twice those of eval, are 128 at most.
   */
  uint32_t fill_count;
  /**
   * Parts that eval judges at most, each a piece, for each of the two sets. Above 0 with eval, else 0.
   */
  uint32_t eval_count;
  /**
   * With fill: the stream whose weights these are. It was added before, with an apply function; one job
   * has it.
   */
  uint32_t stream;
  /**
   * With fill: steps from one set of weights to the next. Default 4.
   */
  uint32_t every;
  /**
   * With eval: FULCRUM_METRIC_LOSS (0), FULCRUM_METRIC_ACCURACY or FULCRUM_METRIC_BOTH.
   */
  uint32_t metric;
  /**
   * With eval: how much worse than those in service new weights may be, in thousandths as the metric says.
   * Default 50.
   */
  uint32_t margin_permille;
  /**
   * Bytes that what the callbacks train holds, weights, optimiser and buffers; admission sums them up, see
   * fulcrum_config_t. 0: not told.
   */
  uint64_t memory_bytes;
} fulcrum_job_t;

/**
 * What became of a job's checkpoints.
 */
typedef struct fulcrum_checkpoint_statistics_t {
  /**
   * sizeof(fulcrum_checkpoint_statistics_t); set it before the call.
   */
  uint32_t size;
  /**
   * The operating system's number for the newest checkpoint that could not be written, or 0.
   */
  int32_t os_errno;
  /**
   * Steps of the checkpoint that was taken up when the job was added; 0: there was none.
   */
  uint64_t restored_steps;
  /**
   * Steps of the newest checkpoint on disk, those before a restart included.
   */
  uint64_t newest_steps;
  /**
   * Times the state was copied.
   */
  uint64_t taken;
  /**
   * Steps after which a checkpoint was due and had to wait: the disk is slow, or the budget used up.
   */
  uint64_t waited;
  /**
   * Times save failed for a part; the checkpoint before stands.
   */
  uint64_t given_up;
  /**
   * Checkpoints that are on disk for good.
   */
  uint64_t kept;
  /**
   * Checkpoints that the budget put off.
   */
  uint64_t put_off;
  /**
   * Checkpoints that could not be written; the one before stands.
   */
  uint64_t failed;
  /**
   * Bytes given to the disk.
   */
  uint64_t bytes;
} fulcrum_checkpoint_statistics_t;

/**
 * How a feed is made.
 */
typedef struct fulcrum_feed_config_t {
  /**
   * sizeof(fulcrum_feed_config_t); set it before anything else.
   */
  uint32_t size;
  /**
   * FULCRUM_FEED_UNIFORM (0), FULCRUM_FEED_RECENT or FULCRUM_FEED_BALANCED.
   */
  uint32_t policy;
  /**
   * Values of a sample, at least 1.
   */
  uint32_t values;
  /**
   * Samples that are kept to draw from, at least 1. With those that wait they have at most 2 GiB.
   */
  uint32_t capacity;
  /**
   * Samples that may wait between two draws; what comes beyond is turned away. Default 64.
   */
  uint32_t waiting;
  /**
   * With FULCRUM_FEED_RECENT: samples that are drawn, at least 1. Else 0.
   */
  uint32_t last;
  /**
   * With FULCRUM_FEED_BALANCED: classes, 1 to capacity. Else 0.
   */
  uint32_t classes;
  /**
   * Samples that must have come before the first draw. Default: as many as are drawn at once.
   */
  uint32_t least;
  /**
   * Times each sample that came may be drawn, on the average; then the feed is dry until new ones come. 0:
   * without limit.
   */
  uint32_t reuse;
  /**
   * Samples that one draw takes in at most; with the samples drawn it bounds how long the draw takes.
   * Default: all that wait.
   */
  uint32_t intake;
  /**
   * The draws follow from it.
   */
  uint64_t seed;
} fulcrum_feed_config_t;

/**
 * What came of a feed since it was opened.
 */
typedef struct fulcrum_feed_statistics_t {
  /**
   * sizeof(fulcrum_feed_statistics_t); set it before the call.
   */
  uint32_t size;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Samples taken in by a draw.
   */
  uint64_t taken;
  /**
   * Samples that were turned away because too many waited.
   */
  uint64_t turned_away;
  /**
   * Samples with a label that no class has; they are not taken in.
   */
  uint64_t refused;
  /**
   * Draws that had data.
   */
  uint64_t draws;
  /**
   * Samples drawn.
   */
  uint64_t drawn;
  /**
   * Draws that had none.
   */
  uint64_t dry;
  /**
   * Draws that had to be tried more than once.
   */
  uint64_t stalls;
  /**
   * The time of all stalls, from the first draw without data to the next one with, ns.
   */
  uint64_t stalled_ns;
  /**
   * The longest stall, ns.
   */
  uint64_t longest_stall_ns;
} fulcrum_feed_statistics_t;

/**
 * An option of a provider, as ONNX Runtime documents it. Its layout never changes.
 */
typedef struct fulcrum_option_t {
  /**
   * For example "trt_engine_cache_path", "trt_fp16_enable" or "device_id". Not NULL.
   */
  const char *key;
  /**
   * Its value, as a text. Not NULL.
   */
  const char *value;
} fulcrum_option_t;

/**
 * A provider that is asked for. Its layout never changes.
 */
typedef struct fulcrum_provider_t {
  /**
   * FULCRUM_PROVIDER_CUDA or FULCRUM_PROVIDER_TENSORRT.
   */
  uint32_t provider;
  /**
   * How many options.
   */
  uint32_t option_count;
  /**
   * The options; NULL if there are none.
   */
  const struct fulcrum_option_t *options;
} fulcrum_provider_t;

/**
 * How an engine is made. Zero means default in every field but `size`.
 */
typedef struct fulcrum_onnx_engine_config_t {
  /**
   * sizeof(fulcrum_onnx_engine_config_t); set it before anything else.
   */
  uint32_t size;
  /**
   * Threads of one piece, 1 to 32. Default 1: the dispatcher thread alone.
   */
  uint32_t threads;
  /**
   * File of ONNX Runtime, 1.17 or later. NULL: the environment variable FULCRUM_ORT_LIB if it is set, else the
   * loader's path (libonnxruntime.so.1), else `onnxruntime/` beside one of the three folders above the
   * program, else `target/onnxruntime/`.
   */
  const char *library;
  /**
   * The providers to try, in the order of preference. NULL: the processor alone.
   */
  const struct fulcrum_provider_t *providers;
  /**
   * How many providers.
   */
  uint32_t provider_count;
  /**
   * SCHED_FIFO priority of the threads beside the dispatcher, 1 to 99 and below the dispatcher's; 0 asks for
   * none.
   */
  uint32_t priority;
  /**
   * Processors of these threads, one each, from the beginning again if there are more threads. NULL: wherever
   * the system puts them.
   */
  const uint32_t *cpus;
  /**
   * How many processors.
   */
  uint32_t cpu_count;
  /**
   * FULCRUM_ONNX_SPIN or 0.
   */
  uint32_t flags;
} fulcrum_onnx_engine_config_t;

/**
 * What an engine is.
 */
typedef struct fulcrum_onnx_engine_info_t {
  /**
   * sizeof(fulcrum_onnx_engine_info_t); set it before the call.
   */
  uint32_t size;
  /**
   * Providers that fulcrum_onnx_engine_provider tells of: those asked for, and the processor.
   */
  uint32_t provider_count;
  /**
   * The version that ONNX Runtime gives itself. UTF-8, zero-terminated.
   */
  char version[FULCRUM_NAME_BYTES];
} fulcrum_onnx_engine_info_t;

/**
 * What became of a provider that was asked for.
 */
typedef struct fulcrum_provider_report_t {
  /**
   * sizeof(fulcrum_provider_report_t); set it before the call.
   */
  uint32_t size;
  /**
   * One of FULCRUM_PROVIDER_CPU, FULCRUM_PROVIDER_CUDA and FULCRUM_PROVIDER_TENSORRT.
   */
  uint32_t provider;
  /**
   * FULCRUM_PROVIDER_ACTIVE, or why it is not used: one of FULCRUM_PROVIDER_NOT_BUILT,
   * FULCRUM_PROVIDER_NOT_LOADED and FULCRUM_PROVIDER_REFUSED.
   */
  uint32_t standing;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * One sentence that says so, with ONNX Runtime's own reason. UTF-8, zero-terminated.
   */
  char text[FULCRUM_ERROR_BYTES];
} fulcrum_provider_report_t;

/**
 * Writes the input row of one request, on the dispatcher thread, right before its minibatch, as part of its cost.
 * 0: done; above 0: the minibatch fails with this number, FULCRUM_ERR_NO_DATA (502) for example. It must not
 * throw, jump out, allocate, lock or touch files.
 */
typedef int32_t (*fulcrum_onnx_input_t)(void *user,
                                        const struct fulcrum_request_t *request,
                                        float *row,
                                        uint32_t values);

/**
 * Makes the answer to one request of its output row, on the dispatcher thread, right after its minibatch, as part
 * of its cost. The row is gone after the call. It must not throw, jump out, allocate, lock or touch files.
 */
typedef uint64_t (*fulcrum_onnx_output_t)(void *user,
                                          const struct fulcrum_request_t *request,
                                          const float *row,
                                          uint32_t values);

/**
 * How a model is made.
 */
typedef struct fulcrum_onnx_model_config_t {
  /**
   * sizeof(fulcrum_onnx_model_config_t); set it before anything else.
   */
  uint32_t size;
  /**
   * The largest minibatch, 1 to 64; every size from 1 up is prepared. Default 1.
   */
  uint32_t minibatch;
  /**
   * File of the forward model: input `x` (float32, [N, ...] with N left open), output `logits` (float32,
   * [N, ...]); every other input is a weight. `fulcrum train-graph` writes it as infer.onnx. Not NULL.
   */
  const char *model;
  /**
   * File of the weights' first values, as `fulcrum train-graph` writes it; NULL: the model has them in itself.
   */
  const char *weights;
  /**
   * Writes a request's input row. Not NULL.
   */
  fulcrum_onnx_input_t input;
  /**
   * Makes the answer of a request's output row; NULL: the answer is the index of the largest output.
   */
  fulcrum_onnx_output_t output;
  /**
   * Handed to both. May be NULL.
   */
  void *user;
  /**
   * Values of an input row, at least 1.
   */
  uint32_t row;
  /**
   * Values of an output row, at least 1.
   */
  uint32_t outputs;
  /**
   * FULCRUM_ONNX_SWAPS, FULCRUM_ONNX_LOCK_MEMORY, or-ed.
   */
  uint32_t flags;
  /**
   * How much longer than measured fulcrum_onnx_model_stream says the model takes, in thousandths. Default 150.
   */
  uint32_t margin_permille;
  /**
   * The memory the model lives in, taken from the system at once; it is refused where that is not enough. A
   * trainer can then take none of it. 0: as much as it takes.
   */
  uint64_t memory_bytes;
} fulcrum_onnx_model_config_t;

/**
 * Fetches samples, on the dispatcher thread, in the first pieces of a step. `x` has room for `samples` rows; `y` for
 * as many labels, int64_t where they are classes and float where they are values, as the graph has it.
 * FULCRUM_OK (0): done; anything else: there is nothing to train on yet. It must not throw, jump out, allocate,
 * lock or touch files.
 */
typedef int32_t (*fulcrum_onnx_fetch_t)(void *user, uint32_t samples, float *x, void *y);

/**
 * How a trainer is made.
 */
typedef struct fulcrum_onnx_trainer_config_t {
  /**
   * sizeof(fulcrum_onnx_trainer_config_t); set it before anything else.
   */
  uint32_t size;
  /**
   * Values of a sample, at least 1.
   */
  uint32_t row;
  /**
   * File of the training graph, as `fulcrum train-graph` writes it: step.onnx. Not NULL.
   */
  const char *step;
  /**
   * File of the weights that training starts from, as `fulcrum train-graph` writes it. Not NULL.
   */
  const char *weights;
  /**
   * Where samples come from: the trainer draws its minibatches from it, and has some held out if weights are
   * handed over. Its number of values is `row`. It may be closed before the trainer is. NULL: there is fetch.
   */
  struct fulcrum_feed_t *feed;
  /**
   * Fetches samples instead; it may draw from the feed itself, to change what it drew. NULL: there is a feed, and
   * labels are classes.
   */
  fulcrum_onnx_fetch_t fetch;
  /**
   * Handed to fetch. May be NULL.
   */
  void *user;
  /**
   * The longest piece that is wanted, ns; the step is cut accordingly. 0: into one piece after the fetch.
   */
  uint64_t piece_ns;
  /**
   * The memory the trainer lives in, taken from the system at once; it is refused where that is not enough. 0: as
   * much as it takes.
   */
  uint64_t memory_bytes;
  /**
   * Learning rate, above 0; fulcrum_onnx_trainer_rate changes it.
   */
  float lr;
  /**
   * How much longer than measured fulcrum_onnx_trainer_job says each piece is, in thousandths. Default 150.
   */
  uint32_t margin_permille;
  /**
   * FULCRUM_ONNX_LOCK_MEMORY or 0.
   */
  uint32_t flags;
  /**
   * Samples fetched in one piece, where a whole minibatch takes too long. Default: all.
   */
  uint32_t fetch_rows;
  /**
   * With a model: every so many samples of the feed one is held out from training, to judge weights on; at
   * least 2. Default 4.
   */
  uint32_t held_out_every;
  /**
   * With a model: held-out samples that weights are judged on, the newest. Default 32.
   */
  uint32_t held_out;
  /**
   * With a model: samples judged in one piece, 1 to 64. Default 4.
   */
  uint32_t judged;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} fulcrum_onnx_trainer_config_t;

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
  /**
   * The shortest latency, exact, ns. The jitter of the answers is max_ns - min_ns.
   */
  uint64_t min_ns;
  /**
   * From release to hand-in, ns, what 99 % of all requests did not exceed: the sensor's own jitter.
   */
  uint64_t handed_in_p99_ns;
  /**
   * The longest of these, exact, ns; to stand beside the announced jitter_ns.
   */
  uint64_t handed_in_max_ns;
  /**
   * Requests that came back unrun, past their deadline, by their stream's rule; they count as misses too.
   */
  uint64_t skipped;
  /**
   * The bound that holds by what was measured, ns, to stand beside fulcrum_bound; 0 if there is none.
   */
  uint64_t present_bound_ns;
  /**
   * Times the bound moved.
   */
  uint64_t bound_moves;
  /**
   * Time since the start, until the stop, ns. The stream's share of the dispatcher is busy_ns / running_ns.
   */
  uint64_t running_ns;
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
  /**
   * Pieces given up for a request; they count neither as run nor as failed.
   */
  uint64_t aborted;
  /**
   * Time that these had had, ns.
   */
  uint64_t wasted_ns;
  /**
   * Pieces that ran for more than twice their announced length.
   */
  uint64_t hung;
  /**
   * Times a step was cut finer because its pieces overran.
   */
  uint64_t recuts;
  /**
   * 1 once the job is parked: it failed or overran so often that it is not run any more.
   */
  uint64_t parked;
  /**
   * Time since the start, until the stop, ns. The job's share of the dispatcher is busy_ns / running_ns.
   */
  uint64_t running_ns;
  /**
   * Sets of weights that were put into service.
   */
  uint64_t swaps;
  /**
   * Sets of weights that were worse than those in service, and not used.
   */
  uint64_t rejected;
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
   * A count, a place or a version; 0 where the kind has none.
   */
  uint32_t value;
  /**
   * The loss, or a part of it; 0 where the kind has none.
   */
  float loss;
} fulcrum_event_t;

/**
 * What a board is. Texts are UTF-8 and zero-terminated, empty where the board does not say; one that is too long is
 * cut.
 */
typedef struct fulcrum_board_info_t {
  /**
   * sizeof(fulcrum_board_info_t); set it before the call.
   */
  uint32_t size;
  /**
   * CPU cores present, online or not; at least 1.
   */
  uint32_t cores;
  /**
   * 1 for a board that says it is simulated, as a mounted twin does; else 0.
   */
  uint32_t simulated;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The best name there is: product, model or chip, as "Jetson Orin Nano 8GB Super (p3767-0005)". Never empty.
   */
  char name[128];
  /**
   * The maker's name for the whole, or a PC's product name.
   */
  char model[128];
  /**
   * The system on chip, as "tegra234"; on a PC the processor's name.
   */
  char soc[64];
  /**
   * The module and its part number; empty where the board is none of modules.
   */
  char module[64];
  /**
   * The kernel's release.
   */
  char kernel[64];
  /**
   * The release of Linux for Tegra, as "36.4.3".
   */
  char l4t[16];
  /**
   * The JetPack that the release belongs to, as "6.2".
   */
  char jetpack[16];
} fulcrum_board_info_t;

/**
 * A knob as it stands. Cores are a number, clocks are kHz.
 */
typedef struct fulcrum_knob_t {
  /**
   * sizeof(fulcrum_knob_t); set it before the call.
   */
  uint32_t size;
  /**
   * One of FULCRUM_KNOB_*.
   */
  uint32_t which;
  /**
   * What it is now; of several CPU clusters the highest.
   */
  uint32_t present;
  /**
   * The lowest value of its table.
   */
  uint32_t min;
  /**
   * The highest value of its table.
   */
  uint32_t max;
  /**
   * How many values its table has; at least 1.
   */
  uint32_t count;
  /**
   * 1 if this program may write all of its files now, else 0.
   */
  uint32_t writable;
} fulcrum_knob_t;

/**
 * A preset of the board.
 */
typedef struct fulcrum_preset_t {
  /**
   * sizeof(fulcrum_preset_t); set it before the call.
   */
  uint32_t size;
  /**
   * Its number in the file, for fulcrum_mode_apply_preset.
   */
  uint32_t id;
  /**
   * FULCRUM_PRESET_*, or-ed.
   */
  uint32_t flags;
  /**
   * CPU cores online; 0 if it sets none.
   */
  uint32_t cores;
  /**
   * The highest ceiling of its CPU clusters, floored to the board's table, kHz; 0 if it sets none or uncaps one.
   */
  uint32_t cpu_khz;
  /**
   * GPU clock ceiling, floored to the board's table, kHz; 0 if it sets none or uncaps it.
   */
  uint32_t gpu_khz;
  /**
   * Memory clock ceiling, floored to the board's table, kHz; 0 if it sets none or uncaps it.
   */
  uint32_t emc_khz;
  /**
   * Its name in the file, as "MAXN" or "15W": no promise of watts, and not always unique. UTF-8, zero-terminated.
   */
  char name[132];
} fulcrum_preset_t;

/**
 * A value for each knob. Where a mode is told, 0 says that the board lacks the knob; where one is asked for, that the
 * knob is to be left alone.
 */
typedef struct fulcrum_power_mode_t {
  /**
   * sizeof(fulcrum_power_mode_t); set it before anything else.
   */
  uint32_t size;
  /**
   * CPU cores online.
   */
  uint32_t cores;
  /**
   * CPU clock ceiling, kHz.
   */
  uint32_t cpu_khz;
  /**
   * GPU clock ceiling, kHz.
   */
  uint32_t gpu_khz;
  /**
   * Memory clock ceiling, kHz.
   */
  uint32_t emc_khz;
} fulcrum_power_mode_t;

/**
 * What an earlier change left, and what became of it.
 */
typedef struct fulcrum_recovery_t {
  /**
   * sizeof(fulcrum_recovery_t); set it before the call.
   */
  uint32_t size;
  /**
   * One of FULCRUM_RECOVERY_*.
   */
  uint32_t what;
  /**
   * How many settings the journal named.
   */
  uint32_t settings;
  /**
   * 0.
   */
  uint32_t reserved;
} fulcrum_recovery_t;

/**
 * What the sensors showed, and what the window came to so far. Power is the board's total, by the rule for its rails.
 */
typedef struct fulcrum_sample_t {
  /**
   * sizeof(fulcrum_sample_t); set it before the call.
   */
  uint32_t size;
  /**
   * FULCRUM_SAMPLE_*, or-ed.
   */
  uint32_t flags;
  /**
   * When it was read, ns on the clock of fulcrum_now_ns; the end of the window so far.
   */
  uint64_t at_ns;
  /**
   * How long ago the conversion of power_mw was read, ns, at the moment of the call; UINT64_MAX before the first.
   */
  uint64_t age_ns;
  /**
   * First moment of the window: the start of the sampler, or the last fulcrum_sampler_reset. ns.
   */
  uint64_t begin_ns;
  /**
   * The part of the window that conversions stand for, ns.
   */
  uint64_t covered_ns;
  /**
   * The part of the window in which nothing was measured for longer than two refreshes of the sensor, ns.
   */
  uint64_t gap_ns;
  /**
   * Energy of the covered time, mJ, rounded up.
   */
  uint64_t energy_mj;
  /**
   * Conversions counted in the window.
   */
  uint64_t conversions;
  /**
   * Conversions that no load explains, kept out of mean, highest and energy.
   */
  uint64_t outliers;
  /**
   * Readings that failed in the window.
   */
  uint64_t failed;
  /**
   * Over-current events in the window: under-voltage, average, instantaneous.
   */
  uint64_t overcurrent[3];
  /**
   * Power of the newest conversion, mW; 0 before the first.
   */
  uint32_t power_mw;
  /**
   * Mean power of the covered time, mW, rounded up; 0 before the first conversion.
   */
  uint32_t mean_mw;
  /**
   * Highest power of a conversion in the window, mW; 0 before the first.
   */
  uint32_t max_mw;
  /**
   * One step of the sensor, mW: smaller differences of means say nothing; 0 where it is not known.
   */
  uint32_t resolution_mw;
  /**
   * Temperature of the hottest zone, thousandths of a degree Celsius.
   */
  int32_t temperature_mc;
  /**
   * Most cooling devices that slowed the board down at once, in the window.
   */
  uint32_t cooling;
} fulcrum_sample_t;

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
 * The handle is NULL, or not an open one of the type that the call takes.
 */
#define FULCRUM_ERR_HANDLE 105

/**
 * A name is NULL, empty, not UTF-8, or does not end within FULCRUM_NAME_BYTES.
 */
#define FULCRUM_ERR_NAME 106

/**
 * A path is empty, or does not end within FULCRUM_PATH_BYTES.
 */
#define FULCRUM_ERR_PATH 107

/**
 * The folder shows no board: no CPU core, or a table of clocks that does not rise.
 */
#define FULCRUM_ERR_NO_BOARD 201

/**
 * A setting of the board could not be read; nothing was written. The errno is in the detail.
 */
#define FULCRUM_ERR_UNREADABLE 202

/**
 * The board has no such knob, or does not offer this value of it; nothing was written.
 */
#define FULCRUM_ERR_NOT_OFFERED 203

/**
 * The board refused a write or to be read back, and the old mode is back. The errno is in the detail.
 */
#define FULCRUM_ERR_REFUSED 204

/**
 * The board accepted a write and does not show it, and the old mode is back.
 */
#define FULCRUM_ERR_NOT_TAKEN 205

/**
 * The board accepted a ceiling and shows a higher one, and the old mode is back.
 */
#define FULCRUM_ERR_EXCEEDED 206

/**
 * The board is not in the mode it was found in: putting it back failed. The journal stays for the next attempt.
 */
#define FULCRUM_ERR_UNRESTORED 207

/**
 * The journal could not be read or written; the errno is in the detail. The board is in its old mode.
 */
#define FULCRUM_ERR_JOURNAL 208

/**
 * Another program, or another handle of this one, is changing this board's mode.
 */
#define FULCRUM_ERR_JOURNAL_BUSY 209

/**
 * The journal is damaged, so what the board was found in is not known. The detail says what to do.
 */
#define FULCRUM_ERR_JOURNAL_DAMAGED 210

/**
 * The journal is of another board.
 */
#define FULCRUM_ERR_JOURNAL_FOREIGN 211

/**
 * An earlier change was cut off and left the board between two modes; call fulcrum_mode_recover.
 */
#define FULCRUM_ERR_CUT_OFF 212

/**
 * The board has no nvpmodel.conf, or it cannot be read; the errno is in the detail.
 */
#define FULCRUM_ERR_NO_CONF 213

/**
 * The board's nvpmodel.conf is broken; the detail says where.
 */
#define FULCRUM_ERR_CONF 214

/**
 * The board's nvpmodel.conf has no preset of this id.
 */
#define FULCRUM_ERR_NO_PRESET 215

/**
 * The preset needs a reboot; nothing was written.
 */
#define FULCRUM_ERR_REBOOT 216

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
 * A stream or job announces another number of pieces than its workload has.
 */
#define FULCRUM_ERR_PIECES_DIFFER 306

/**
 * The burst of a stream is 0 or more than its queue holds.
 */
#define FULCRUM_ERR_BURST 307

/**
 * The pieces of a minibatch last longer together than it costs, or one has no length.
 */
#define FULCRUM_ERR_COST 308

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
 * The stream takes no new weights: it was added without an apply function, or another job hands its weights
 * to it.
 */
#define FULCRUM_ERR_NO_SWAP 314

/**
 * No version served before the present one, or it was reverted to already.
 */
#define FULCRUM_ERR_NO_VERSION 315

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
 * Admission: the streams and jobs hold more memory together than they may.
 */
#define FULCRUM_ERR_MEMORY 324

/**
 * The call does not belong to the handle's present phase; the detail says which it needs.
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
 * The stream's queue, or the way into the feed, is full. The request or the sample was not taken.
 */
#define FULCRUM_ERR_FULL 404

/**
 * The call waits, for the dispatcher thread or for a board, and was made on the dispatcher thread, from a callback.
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
 * A folder of checkpoints could not be made, read or written; the errno is in the detail.
 */
#define FULCRUM_ERR_CHECKPOINT 421

/**
 * Another program, or another job of this one, keeps its checkpoints in this folder.
 */
#define FULCRUM_ERR_CHECKPOINT_BUSY 422

/**
 * There are checkpoints and none is whole; move them away to start anew.
 */
#define FULCRUM_ERR_CHECKPOINT_DAMAGED 423

/**
 * The checkpoint is of another job, or of another layout of its state.
 */
#define FULCRUM_ERR_CHECKPOINT_FOREIGN 424

/**
 * The checkpoint was written by a later release, in a form that this one does not know.
 */
#define FULCRUM_ERR_CHECKPOINT_LATER 425

/**
 * A single checkpoint has more bytes than may be written in an hour.
 */
#define FULCRUM_ERR_CHECKPOINT_BUDGET 426

/**
 * The job does not tell its state or did not take it back, or it is too large or has too many parts. After a load
 * that failed the job's state is its own matter.
 */
#define FULCRUM_ERR_CHECKPOINT_STATE 427

/**
 * The job keeps no checkpoints.
 */
#define FULCRUM_ERR_NO_CHECKPOINTS 428

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

/**
 * The request was past its deadline before it could start, and its stream does not run such requests.
 */
#define FULCRUM_ERR_OVERDUE 506

/**
 * The piece was given up for a request and is run again. Never in a completion.
 */
#define FULCRUM_ERR_ABORTED 507

/**
 * The workload does not offer what it was asked for. Never in a completion.
 */
#define FULCRUM_ERR_NO_FUNCTION 508

/**
 * The library was built without the ONNX engine: build it with the feature `onnx`.
 */
#define FULCRUM_ERR_NO_ONNX 601

/**
 * ONNX Runtime was not found, or not loaded; the detail says where it was looked for.
 */
#define FULCRUM_ERR_ONNX_MISSING 602

/**
 * The ONNX Runtime that was found is older than 1.17.
 */
#define FULCRUM_ERR_ONNX_TOO_OLD 603

/**
 * ONNX Runtime refused something; its own words are in the detail.
 */
#define FULCRUM_ERR_ONNX_REFUSED 604

/**
 * A model or weights file could not be read or written; the errno is in the detail.
 */
#define FULCRUM_ERR_MODEL_FILE 605

/**
 * A file is no ONNX model, or lacks or has otherwise what it is needed for; the detail says which tensor.
 */
#define FULCRUM_ERR_MODEL 606

/**
 * A model or trainer needs more memory than it was given.
 */
#define FULCRUM_ERR_ONNX_MEMORY 607

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
 * @return FULCRUM_OK, FULCRUM_ERR_OVERLOAD (321), FULCRUM_ERR_LATE (322), FULCRUM_ERR_STARVED (323), FULCRUM_ERR_MEMORY (324),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_THREAD (402), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_start(struct fulcrum_runtime_t *rt,
                               struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_runtime_t: stops after the running piece. Once it returned FULCRUM_OK no callback runs any more, and a
 * checkpoint that was copied is on disk or has failed. Requests still waiting are not answered; results, statistics
 * and events can still be read. Stopping twice is fine.
 *
 * | allocates no | blocks until the running piece ends and a checkpoint is written | threads one at a time, no callback | real-time no |
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
 * METHOD fulcrum_runtime_t: says that the board's power mode changed: what was measured in the old one no longer counts,
 * and the next runs are told apart as first ones. Call it once the change is done.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @return FULCRUM_OK, FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_changed(const struct fulcrum_runtime_t *rt);

/**
 * METHOD fulcrum_runtime_t: goes back to the weights that served a stream before the present ones, from its
 * next minibatch on. One step back is kept; what was gone back from is dropped. The job trains on from where
 * it is.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @param stream  the stream's number
 * @param[out] out_version  the version that serves now
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_NO_SWAP (314),
 *         FULCRUM_ERR_NO_VERSION (315), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_revert(struct fulcrum_runtime_t *rt, uint32_t stream, uint32_t *out_version);

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
 *         FULCRUM_ERR_MINIBATCH (304), FULCRUM_ERR_PIECES (305), FULCRUM_ERR_BURST (307), FULCRUM_ERR_COST (308),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_stream_add(struct fulcrum_runtime_t *rt,
                                    const struct fulcrum_stream_t *stream,
                                    uint32_t *out_stream,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_runtime_t: adds a training job. Jobs are numbered from 0 in the order of adding. What the struct, its
 * name and its lengths hold is copied. With checkpoints save is called here, for each part's size and time, and load
 * if there is something to load.
 *
 * | allocates yes | blocks no; with checkpoints until the newest is read | threads one at a time, no callback | real-time no |
 * @param rt  a runtime that was not started yet
 * @param job  what the job asks for
 * @param[out] out_job  the job's number
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_NAME (106), FULCRUM_ERR_JOBS_FULL (302), FULCRUM_ERR_PIECES (305),
 *         FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_NO_SWAP (314), FULCRUM_ERR_PATH (107),
 *         FULCRUM_ERR_CHECKPOINT (421), FULCRUM_ERR_CHECKPOINT_BUSY (422), FULCRUM_ERR_CHECKPOINT_DAMAGED (423),
 *         FULCRUM_ERR_CHECKPOINT_FOREIGN (424), FULCRUM_ERR_CHECKPOINT_LATER (425),
 *         FULCRUM_ERR_CHECKPOINT_BUDGET (426), FULCRUM_ERR_CHECKPOINT_STATE (427), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_job_add(struct fulcrum_runtime_t *rt,
                                 const struct fulcrum_job_t *job,
                                 uint32_t *out_job,
                                 struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_runtime_t: tells what became of a job's checkpoints. Counters are read one by one while it goes on.
 * Works after the stop too, when what was copied last is on disk.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param rt  a runtime that was started
 * @param job  the job's number
 * @param[out] out  the statistics; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_ERR_NO_CHECKPOINTS (428), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_NO_JOB (312), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_checkpoint_statistics(const struct fulcrum_runtime_t *rt,
                                               uint32_t job,
                                               struct fulcrum_checkpoint_statistics_t *out);

/**
 * CONSTRUCTOR fulcrum_feed_t: makes a feed; all its memory is had here. It belongs to no runtime: a training
 * callback draws from it, and whoever has samples pushes.
 *
 * | allocates yes | blocks no | threads any | real-time no |
 * @param config  how it is made; not NULL
 * @param[out] out  the feed, to be closed with fulcrum_feed_close
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104)
 */
fulcrum_status_t fulcrum_feed_open(const struct fulcrum_feed_config_t *config,
                                   struct fulcrum_feed_t **out,
                                   struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_feed_t: copies a sample in.
 *
 * | allocates no | blocks no | threads one at a time, beside one that draws | real-time yes |
 * @param feed  an open feed
 * @param values  the sample; every value is finite
 * @param count  how many values, the feed's number of them
 * @param label  what it is; with FULCRUM_FEED_BALANCED its class
 * @return FULCRUM_OK, FULCRUM_ERR_FULL (404): the sample was not taken; FULCRUM_ERR_ARGUMENT (101),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_feed_push(struct fulcrum_feed_t *feed,
                                   const float *values,
                                   uint32_t count,
                                   int64_t label);

/**
 * METHOD fulcrum_feed_t: takes in what was pushed and draws samples, with replacement, into the caller's
 * memory. Meant for the callback of a training job, which returns FULCRUM_PIECE_DRY where this returns
 * FULCRUM_EMPTY. A large minibatch may be drawn in several calls, a piece each.
 *
 * | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
 * @param feed  an open feed
 * @param samples  how many, 1 to the feed's capacity
 * @param[out] values  room for `samples` times the feed's number of values, one sample after the other
 * @param[out] labels  room for `samples` labels
 * @return FULCRUM_OK, FULCRUM_EMPTY (1): not enough samples have come; FULCRUM_ERR_ARGUMENT (101),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_feed_draw(struct fulcrum_feed_t *feed,
                                   uint32_t samples,
                                   float *values,
                                   int64_t *labels);

/**
 * METHOD fulcrum_feed_t: tells what came of a feed. Counters are read one by one while it goes on.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param feed  an open feed
 * @param[out] out  the statistics; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_feed_statistics(const struct fulcrum_feed_t *feed,
                                         struct fulcrum_feed_statistics_t *out);

/**
 * DESTRUCTOR fulcrum_feed_t: frees the feed. Stop the runtime first whose callback draws from it. Closing
 * NULL does nothing. Closing twice, or while another thread uses the handle, is undefined.
 *
 * | allocates no | blocks no | threads one, and no other call | real-time no |
 * @param feed  the feed, or NULL
 * @return nothing
 */
void fulcrum_feed_close(struct fulcrum_feed_t *feed);

/**
 * CONSTRUCTOR fulcrum_onnx_engine_t: opens ONNX Runtime and tries the providers that are asked for with a model of
 * one node. One that does not work is no error: it is left out, and fulcrum_onnx_engine_provider says why.
 *
 * | allocates yes | blocks until the library is loaded and each provider was tried | threads any | real-time no |
 * @param config  how it is made; NULL: the default
 * @param[out] out  the engine, to be closed with fulcrum_onnx_engine_close
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NO_ONNX (601), FULCRUM_ERR_ONNX_MISSING (602), FULCRUM_ERR_ONNX_TOO_OLD (603),
 *         FULCRUM_ERR_ONNX_REFUSED (604), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_PATH (107)
 */
fulcrum_status_t fulcrum_onnx_engine_open(const struct fulcrum_onnx_engine_config_t *config,
                                          struct fulcrum_onnx_engine_t **out,
                                          struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_onnx_engine_t: tells the version of ONNX Runtime, and of how many providers
 * fulcrum_onnx_engine_provider tells.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param engine  an open engine
 * @param[out] out  what it is; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_engine_info(const struct fulcrum_onnx_engine_t *engine,
                                          struct fulcrum_onnx_engine_info_t *out);

/**
 * METHOD fulcrum_onnx_engine_t: tells what became of a provider. They are counted from 0 in the order asked for; the
 * processor is the last.
 *
 * | allocates no | blocks no | threads any | real-time no |
 * @param engine  an open engine
 * @param index  which provider
 * @param[out] out  what became of it; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_EMPTY (1): there is none of this number; FULCRUM_ERR_ARGUMENT (101),
 *         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_engine_provider(const struct fulcrum_onnx_engine_t *engine,
                                              uint32_t index,
                                              struct fulcrum_provider_report_t *out);

/**
 * DESTRUCTOR fulcrum_onnx_engine_t: frees the engine. Models and trainers that were made with it go on; ONNX Runtime
 * stays loaded until the program ends. Closing NULL does nothing. Closing twice, or while another thread uses
 * the handle, is undefined.
 *
 * | allocates no | blocks no | threads one, and no other call | real-time no |
 * @param engine  the engine, or NULL
 * @return nothing
 */
void fulcrum_onnx_engine_close(struct fulcrum_onnx_engine_t *engine);

/**
 * CONSTRUCTOR fulcrum_onnx_model_t: loads a model, runs every size of minibatch once, so that no later run has
 * anything to set up, and measures the largest. The callbacks are not called yet. Building an engine of TensorRT
 * happens here, and takes minutes without a cache.
 *
 * | allocates yes | blocks until the model is loaded and measured | threads any | real-time no |
 * @param engine  an open engine
 * @param config  how it is made; not NULL
 * @param[out] out  the model, to be closed with fulcrum_onnx_model_close
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_MODEL_FILE (605), FULCRUM_ERR_MODEL (606), FULCRUM_ERR_ONNX_REFUSED (604),
 *         FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103),
 *         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_PATH (107), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_model_open(const struct fulcrum_onnx_engine_t *engine,
                                         const struct fulcrum_onnx_model_config_t *config,
                                         struct fulcrum_onnx_model_t **out,
                                         struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_onnx_model_t: fills in what a stream needs to be served by this model: run, user, minibatch, cost_ns
 * (the measured upper time of the largest minibatch and the margin; add what the callbacks take), memory_bytes
 * and, with FULCRUM_ONNX_SWAPS, apply. All other fields stay as they are.
 *
 * | allocates no | blocks no | threads any | real-time no |
 * @param model  an open model
 * @param[in,out] stream  a struct whose size is that of this release or of a later one
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_model_stream(struct fulcrum_onnx_model_t *model,
                                           struct fulcrum_stream_t *stream);

/**
 * CALLBACK fulcrum_run_t: runs a minibatch on a model, its user.
 *
 * | allocates no, but ONNX Runtime some hundred bytes a node | blocks no | threads one at a time | real-time yes |
 * @param user  an open model
 * @param requests  the requests
 * @param count  how many, at most the model's minibatch
 * @param[out] answers  an answer for each
 * @return FULCRUM_OK, what the input callback returned, FULCRUM_ERR_UNPREPARED (501), FULCRUM_ERR_ONNX_REFUSED (604),
 *         FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
int32_t fulcrum_onnx_model_run(void *user,
                               const struct fulcrum_request_t *requests,
                               uint32_t count,
                               uint64_t *answers);

/**
 * CALLBACK fulcrum_apply_t: has a model, its user, run with another set of its weights from the next minibatch on.
 * Without FULCRUM_ONNX_SWAPS it does nothing.
 *
 * | allocates no | blocks no | threads one at a time | real-time yes |
 * @param user  an open model
 * @param set  the set, below FULCRUM_WEIGHT_SETS
 * @param version  of its weights
 * @return nothing
 */
void fulcrum_onnx_model_apply(void *user,
                              uint32_t set,
                              uint32_t version);

/**
 * DESTRUCTOR fulcrum_onnx_model_t: frees the model. Stop the runtime first that it serves; a trainer that was made
 * with it goes on. Closing NULL does nothing. Closing twice, or while another thread uses the handle, is
 * undefined.
 *
 * | allocates no | blocks no | threads one, and no other call | real-time no |
 * @param model  the model, or NULL
 * @return nothing
 */
void fulcrum_onnx_model_close(struct fulcrum_onnx_model_t *model);

/**
 * CONSTRUCTOR fulcrum_onnx_trainer_t: loads a training graph, measures its nodes, cuts it into pieces and runs each
 * several times, so that no later run has anything to set up. With a model its weights can be handed over to
 * that: samples are then held out from the feed, from now on until the trainer is closed. The fetch callback is
 * not called yet.
 *
 * | allocates yes | blocks until the graph is loaded, measured and cut | threads any | real-time no |
 * @param engine  an open engine
 * @param model  the model that takes the weights, with FULCRUM_ONNX_SWAPS; NULL: none does
 * @param config  how it is made; not NULL
 * @param[out] out  the trainer, to be closed with fulcrum_onnx_trainer_close
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_MODEL_FILE (605), FULCRUM_ERR_MODEL (606), FULCRUM_ERR_ONNX_REFUSED (604),
 *         FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103),
 *         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_PATH (107), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUSY (403): a sample was being pushed that very moment; FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_trainer_open(const struct fulcrum_onnx_engine_t *engine,
                                           const struct fulcrum_onnx_model_t *model,
                                           const struct fulcrum_onnx_trainer_config_t *config,
                                           struct fulcrum_onnx_trainer_t **out,
                                           struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_onnx_trainer_t: fills in what a job needs to run this trainer: piece_count, piece_ns (measured upper
 * times and the margin, in the trainer's own memory; add what a fetch callback takes to its own), run_piece, user,
 * memory_bytes, save, load and, with a model, fill and eval with their lengths and numbers. All other fields stay
 * as they are: with a model set stream; for a job whose pieces can be given up set abort to fulcrum_onnx_trainer_abort, and abort_ns; for one
 * whose state is kept set checkpoint.
 *
 * | allocates no | blocks no | threads any | real-time no |
 * @param trainer  an open trainer
 * @param[in,out] job  a struct whose size is that of this release or of a later one
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_trainer_job(struct fulcrum_onnx_trainer_t *trainer,
                                          struct fulcrum_job_t *job);

/**
 * METHOD fulcrum_onnx_trainer_t: changes the learning rate, from the next step that begins on. A checkpoint does not
 * keep it.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param trainer  an open trainer
 * @param lr  the learning rate, finite and above 0
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_trainer_rate(struct fulcrum_onnx_trainer_t *trainer,
                                           float lr);

/**
 * CALLBACK fulcrum_run_piece_t: runs a piece of a trainer, its user.
 *
 * | allocates no, but ONNX Runtime some hundred bytes a node | blocks no | threads one at a time | real-time yes |
 * @param user  an open trainer
 * @param piece  which piece, counted from 0
 * @param[out] loss  written with the step's last piece; not a number where the step came to nothing
 * @return FULCRUM_PIECE_RAN, FULCRUM_PIECE_STEPPED, FULCRUM_PIECE_DRY, FULCRUM_PIECE_ABORTED, or why it failed:
 *         FULCRUM_ERR_ONNX_REFUSED (604), FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101): also where it is not
 *         the next piece; FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
int32_t fulcrum_onnx_trainer_run_piece(void *user,
                                       uint32_t piece,
                                       float *loss);

/**
 * CALLBACK fulcrum_abort_t: ends the running piece of a trainer, its user, through ONNX Runtime's own flag for it,
 * which is looked at between two nodes.
 *
 * | allocates no | blocks no | threads any | real-time yes |
 * @param user  an open trainer
 * @return nothing
 */
void fulcrum_onnx_trainer_abort(void *user);

/**
 * CALLBACK fulcrum_fill_t: copies a part of the weights of a trainer, its user, into a set of its model. That nobody
 * reads the set meanwhile is the caller's to see to; the runtime does.
 *
 * | allocates no | blocks no | threads one at a time | real-time yes |
 * @param user  an open trainer, made with a model
 * @param set  the set, below FULCRUM_WEIGHT_SETS
 * @param part  which part, counted from 0
 * @return FULCRUM_OK, FULCRUM_PIECE_ABORTED, FULCRUM_ERR_ARGUMENT (101): no such set or part;
 *         FULCRUM_ERR_NO_FUNCTION (508), FULCRUM_ERR_ONNX_REFUSED (604), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
int32_t fulcrum_onnx_trainer_fill(void *user,
                                  uint32_t set,
                                  uint32_t part);

/**
 * CALLBACK fulcrum_eval_t: judges a set of weights of a trainer's model on a part of the held-out samples, by cross
 * entropy and by right answers.
 *
 * | allocates no | blocks no | threads one at a time | real-time yes |
 * @param user  an open trainer, made with a model
 * @param set  the set, below FULCRUM_WEIGHT_SETS
 * @param part  which part, counted from 0
 * @param[out] score  what it is worth
 * @return as fulcrum_onnx_trainer_fill
 */
int32_t fulcrum_onnx_trainer_eval(void *user,
                                  uint32_t set,
                                  uint32_t part,
                                  struct fulcrum_score_t *score);

/**
 * CALLBACK fulcrum_save_t: writes a part of the state of a trainer, its user: weights, optimiser, steps, and the position
 * of its feed. A trainer whose state lies in a device's memory does not.
 *
 * | allocates no | blocks no | threads one at a time | real-time yes |
 * @param user  an open trainer
 * @param part  which part, counted from 0
 * @param[out] bytes  room for the part
 * @param capacity  how much room
 * @return the part's bytes, 0 past the last; more than capacity: nothing was written; below 0: a status, negated
 */
int64_t fulcrum_onnx_trainer_save(void *user,
                                  uint32_t part,
                                  void *bytes,
                                  uint64_t capacity);

/**
 * CALLBACK fulcrum_load_t: takes back a part that fulcrum_onnx_trainer_save wrote for the same graph.
 *
 * | allocates no | blocks no | threads one at a time, before the first step | real-time no |
 * @param user  an open trainer
 * @param part  which part, counted from 0
 * @param bytes  the part
 * @param size  its bytes
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101): also where it is a part of another graph's state;
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
int32_t fulcrum_onnx_trainer_load(void *user, uint32_t part, const void *bytes, uint64_t size);

/**
 * METHOD fulcrum_onnx_trainer_t: writes the present weights to a file, in the form of those that training started
 * from. The file is written whole or not at all. For before the start and after the stop of the runtime.
 *
 * | allocates yes | blocks until the file is on disk | threads one at a time, no callback | real-time no |
 * @param trainer  an open trainer
 * @param path  the file; one that is there is replaced
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_MODEL_FILE (605), FULCRUM_ERR_PATH (107), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_onnx_trainer_write(const struct fulcrum_onnx_trainer_t *trainer,
                                            const char *path,
                                            struct fulcrum_error_t *error);

/**
 * DESTRUCTOR fulcrum_onnx_trainer_t: frees the trainer. Stop the runtime first that it trains in. Closing NULL does
 * nothing. Closing twice, or while another thread uses the handle, is undefined.
 *
 * | allocates no | blocks no | threads one, and no other call | real-time no |
 * @param trainer  the trainer, or NULL
 * @return nothing
 */
void fulcrum_onnx_trainer_close(struct fulcrum_onnx_trainer_t *trainer);

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
 * | allocates no | blocks no | threads any | real-time no: reads 14 KiB four times |
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

/**
 * CONSTRUCTOR fulcrum_board_t: reads what the board below a folder is and offers. Any Linux is a board, with what it
 * has. Writes nothing and needs no root rights.
 *
 * | allocates yes | blocks while files are read | threads any, no callback | real-time no |
 * @param root  the folder that its sys, proc and etc lie in, zero-terminated; NULL: "/", this machine
 * @param[out] out  the board, to be closed with fulcrum_board_close
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NO_BOARD (201), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PATH (107),
 *         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_board_open(const char *root,
                                    struct fulcrum_board_t **out,
                                    struct fulcrum_error_t *error);

/**
 * DESTRUCTOR fulcrum_board_t: puts back a mode that is applied and not kept, stops the sampler, and frees the handle.
 * Closing NULL does nothing. If it cannot put the mode back it says so and frees the handle all the same: the journal
 * stays, and fulcrum_mode_recover tries again, in this program or the next. After FULCRUM_ERR_BUSY and
 * FULCRUM_ERR_CALLBACK the handle is still open. Closing twice is undefined.
 *
 * | allocates yes | blocks while files are written, and up to 1 s for a sensor | threads one at a time, no callback |
 * | real-time no |
 * @param board  the board, or NULL
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_board_close(struct fulcrum_board_t *board,
                                     struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: describes the board, as it was found when it was opened.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param[out] out  the description; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_board_info(const struct fulcrum_board_t *board, struct fulcrum_board_info_t *out);

/**
 * METHOD fulcrum_board_t: tells how a knob stands. Needs no root rights.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param which  one of FULCRUM_KNOB_*
 * @param[out] out  the knob; its size field is set by the caller
 * @param[out] error  detail, written only on failure: why the board lacks the knob; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203) where the board has no such knob, FULCRUM_ERR_UNREADABLE (202),
 *         FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_knob_get(const struct fulcrum_board_t *board,
                                  uint32_t which,
                                  struct fulcrum_knob_t *out,
                                  struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: copies a knob's table, rising, as far as there is room, and tells how long it is.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param which  one of FULCRUM_KNOB_*
 * @param[out] values  room for the values: cores, or kHz; may be NULL if room is 0
 * @param room  how many values there is room for
 * @param[out] out_count  how many values the table has, which may be more than room
 * @param[out] error  detail, written only on failure: why the board lacks the knob; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203) where the board has no such knob, FULCRUM_ERR_ARGUMENT (101),
 *         FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_knob_table(const struct fulcrum_board_t *board,
                                    uint32_t which,
                                    uint32_t *values,
                                    uint32_t room,
                                    uint32_t *out_count,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: tells how many presets the board's nvpmodel.conf has. Reads the file anew.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param[out] out_count  the number
 * @param[out] error  detail, written only on failure: where the file is broken; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NO_CONF (213), FULCRUM_ERR_CONF (214), FULCRUM_ERR_ARGUMENT (101),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_preset_count(const struct fulcrum_board_t *board,
                                      uint32_t *out_count,
                                      struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: tells a preset by its place in the board's nvpmodel.conf. Reads the file anew, and the masks
 * that decide whether the preset needs a reboot. Needs no root rights.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param index  which preset, counted from 0 in the order of the file; not its id
 * @param[out] out  the preset; its size field is set by the caller
 * @param[out] error  detail, written only on failure: where the file is broken; may be NULL
 * @return FULCRUM_OK, FULCRUM_EMPTY (1) past the last one, FULCRUM_ERR_NO_CONF (213), FULCRUM_ERR_CONF (214),
 *         FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_preset_get(const struct fulcrum_board_t *board,
                                    uint32_t index,
                                    struct fulcrum_preset_t *out,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: tells how many power modes the board offers: every combination of its knobs' tables.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param[out] out_count  the number; at least 1
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_count(const struct fulcrum_board_t *board,
                                    uint64_t *out_count);

/**
 * METHOD fulcrum_board_t: tells a mode by its index. Modes rise: cores first, then CPU, GPU and memory clock, the last
 * changing fastest; so the last mode is the highest. An index means the same mode as long as the tables stay.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param index  which mode, counted from 0
 * @param[out] out  the mode; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_EMPTY (1) past the last one, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_at(const struct fulcrum_board_t *board,
                                 uint64_t index,
                                 struct fulcrum_power_mode_t *out);

/**
 * METHOD fulcrum_board_t: tells the index of a mode. Every value must be one of its knob's table; for a knob that the
 * board lacks it is what fulcrum_mode_at tells.
 *
 * | allocates yes | blocks no | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param mode  the mode
 * @param[out] out_index  its index
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103),
 *         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_index(const struct fulcrum_board_t *board,
                                    const struct fulcrum_power_mode_t *mode,
                                    uint64_t *out_index,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: tells the mode that the board is in now: cores online, and of several CPU clusters the
 * highest ceiling. Needs no root rights.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param[out] out  the mode; its size field is set by the caller
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_UNREADABLE (202), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_present(const struct fulcrum_board_t *board,
                                      struct fulcrum_power_mode_t *out,
                                      struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: begins a change of the power mode: locks the journal and reads what the board is in. Writes
 * none of the board's settings. It ends with fulcrum_mode_keep or fulcrum_mode_restore; a program that ends without
 * either has left a journal, and fulcrum_mode_recover of the next one puts the board back.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board on which no change has begun
 * @param journal_dir  the folder of the journal, zero-terminated, made if it is missing; NULL: var/lib/fulcrum below
 *                     the board's root. It must outlive a power cut.
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_CUT_OFF (212) if an earlier change was cut off, FULCRUM_ERR_UNREADABLE (202),
 *         FULCRUM_ERR_JOURNAL (208), FULCRUM_ERR_JOURNAL_BUSY (209), FULCRUM_ERR_JOURNAL_DAMAGED (210),
 *         FULCRUM_ERR_JOURNAL_FOREIGN (211), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_PATH (107),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_begin(struct fulcrum_board_t *board,
                                    const char *journal_dir,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: moves the knobs that the mode names to their values, in the order that is safe for the
 * board, and reads each write back. Only what differs is written, and before the first write the old values are on the
 * disk. A clock between two of the table comes to the lower one. A knob that another party holds lower, as the thermal
 * governor does, is success: the wish is in place, and out_limited counts it.
 *
 * After FULCRUM_ERR_ARGUMENT, TOO_NEW, SIZE and NOT_OFFERED nothing was written and the change can go on. After
 * FULCRUM_ERR_REFUSED, NOT_TAKEN, EXCEEDED and JOURNAL the old mode is back and the change has ended. After
 * FULCRUM_ERR_UNRESTORED it is not back: fulcrum_mode_restore tries again.
 *
 * | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
 * callback | real-time no |
 * @param board  a board on which a change has begun, and no mode is applied
 * @param mode  the mode; 0 in a field leaves that knob alone
 * @param[out] out_limited  how many settings another party limits; may be NULL
 * @param[out] error  detail, written only on failure: which setting, and why; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203), FULCRUM_ERR_REFUSED (204), FULCRUM_ERR_NOT_TAKEN (205),
 *         FULCRUM_ERR_EXCEEDED (206), FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_JOURNAL (208),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_apply(struct fulcrum_board_t *board,
                                    const struct fulcrum_power_mode_t *mode,
                                    uint32_t *out_limited,
                                    struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: as fulcrum_mode_apply, for a preset of the board's nvpmodel.conf. One that needs a reboot is
 * refused before the first write; after that refusal, and after FULCRUM_ERR_NO_CONF, CONF and NO_PRESET, the change
 * can go on. Engine clocks, current limits, fans and masks of the preset are never written.
 *
 * | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
 * callback | real-time no |
 * @param board  a board on which a change has begun, and no mode is applied
 * @param id  the preset's id in the file
 * @param[out] out_limited  how many settings another party limits; may be NULL
 * @param[out] error  detail, written only on failure: which setting or mask, and why; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_NO_CONF (213), FULCRUM_ERR_CONF (214), FULCRUM_ERR_NO_PRESET (215),
 *         FULCRUM_ERR_REBOOT (216), FULCRUM_ERR_REFUSED (204), FULCRUM_ERR_NOT_TAKEN (205),
 *         FULCRUM_ERR_EXCEEDED (206), FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_JOURNAL (208),
 *         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_apply_preset(struct fulcrum_board_t *board,
                                           uint32_t id,
                                           uint32_t *out_limited,
                                           struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: lets the applied mode stay, after the handle is closed and the program has ended. The
 * journal keeps what the board was found in until fulcrum_mode_recover with FULCRUM_RECOVER_HELD, or `fulcrum mode
 * restore`, puts it back; later changes keep that oldest state. If the journal cannot be written the old mode is put
 * back.
 *
 * | allocates yes | blocks until the journal is on the disk | threads one at a time, no callback | real-time no |
 * @param board  a board on which a mode is applied
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_JOURNAL (208), FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_keep(struct fulcrum_board_t *board,
                                   struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: ends the change and puts back every setting that it wrote, to the letter. A change that has
 * begun and applied nothing ends without a write. After FULCRUM_ERR_UNRESTORED it can be called again.
 *
 * | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
 * callback | real-time no |
 * @param board  a board on which a change has begun
 * @param[out] error  detail, written only on failure: how many settings failed, and why the first; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_restore(struct fulcrum_board_t *board,
                                      struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: tells how a knob stands to what was asked of it through this handle, by the mode that is
 * applied or else was kept. Of several settings of the knob the worst counts. It reports and fights nobody.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @param which  one of FULCRUM_KNOB_*
 * @param[out] out_standing  one of FULCRUM_DRIFT_*
 * @return FULCRUM_OK, FULCRUM_EMPTY (1) if nothing was asked of the knob, FULCRUM_ERR_ARGUMENT (101),
 *         FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_drift(const struct fulcrum_board_t *board,
                                    uint32_t which,
                                    uint32_t *out_standing);

/**
 * METHOD fulcrum_board_t: puts back what a change left that was cut off, as by kill -9 or a power cut; with
 * FULCRUM_RECOVER_HELD also a mode that was kept on purpose. Call it at the start of a program that changes modes. It
 * is no error if nothing was left.
 *
 * | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
 * callback | real-time no |
 * @param board  an open board on which no change has begun
 * @param journal_dir  the folder of the journal, as for fulcrum_mode_begin
 * @param flags  FULCRUM_RECOVER_HELD or 0
 * @param[out] out  what was left and what became of it; its size field is set by the caller
 * @param[out] error  detail, written only on failure: what to do by hand; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_JOURNAL (208), FULCRUM_ERR_JOURNAL_BUSY (209),
 *         FULCRUM_ERR_JOURNAL_DAMAGED (210), FULCRUM_ERR_JOURNAL_FOREIGN (211), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_PATH (107), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_mode_recover(struct fulcrum_board_t *board,
                                      const char *journal_dir,
                                      uint32_t flags,
                                      struct fulcrum_recovery_t *out,
                                      struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: starts the thread that reads the board's sensors, and its first window. A sensor may take as
 * long as a frame takes to come, or for ever; nobody but this thread waits for it. Needs no root rights.
 *
 * | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
 * @param board  an open board whose sampler does not run
 * @param interval_ns  time between two looks at the sensors, 1 ms at least; 0: 100 ms. A Jetson's sensors show a new
 *                     conversion every 430 ms; a faster reader sees repeats, which count once
 * @param[out] error  detail, written only on failure; may be NULL
 * @return FULCRUM_OK, FULCRUM_ERR_PHASE (401), FULCRUM_ERR_THREAD (402), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_sampler_start(struct fulcrum_board_t *board,
                                       uint64_t interval_ns,
                                       struct fulcrum_error_t *error);

/**
 * METHOD fulcrum_board_t: takes the oldest sample. There is one for each new conversion, and one a second at least
 * while the sensors answer; 64 wait, later ones are dropped, and the window counts them all the same. Waits for no
 * sensor and for no change of the mode.
 *
 * | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
 * @param board  a board whose sampler runs
 * @param[out] out  the sample; its size field is set by the caller
 * @return FULCRUM_OK, FULCRUM_EMPTY (1), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_PHASE (401),
 *         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_sampler_poll(struct fulcrum_board_t *board,
                                      struct fulcrum_sample_t *out);

/**
 * METHOD fulcrum_board_t: begins a new window: mean, highest, energy and counters start from nothing. Samples that
 * wait are of the window before, until begin_ns is the moment that this call tells.
 *
 * | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
 * @param board  a board whose sampler runs
 * @param[out] out_begin_ns  first moment of the new window, ns
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_sampler_reset(struct fulcrum_board_t *board,
                                       uint64_t *out_begin_ns);

/**
 * METHOD fulcrum_board_t: tells how long the sampler has waited for the sensors already. More than a second means that
 * one of them does not answer; then no samples come.
 *
 * | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
 * @param board  a board whose sampler runs
 * @param[out] out_ns  the time, ns; 0 between two readings
 * @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
 *         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_sampler_blocked(const struct fulcrum_board_t *board,
                                         uint64_t *out_ns);

/**
 * METHOD fulcrum_board_t: stops the sampler; samples that wait are gone. Stopping twice is fine. A thread that a
 * sensor holds for longer than a second is left to itself, and ends when the sensor lets go of it.
 *
 * | allocates no | blocks until a reading ends, 1 s at most | threads one at a time, no callback | real-time no |
 * @param board  an open board
 * @return FULCRUM_OK, FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
 *         FULCRUM_ERR_BUG (102)
 */
fulcrum_status_t fulcrum_sampler_stop(struct fulcrum_board_t *board);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FULCRUM_H */
