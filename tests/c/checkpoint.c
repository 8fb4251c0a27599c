/* Checkpoints through the C ABI: the state of any job, by its save and load, on a real disk, through kill -9 too. */

#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTS = 3, BYTES = 4096 };

/* A state of three parts, each full of the number of steps: a mixture of two steps is seen. The runtime's thread has it
 * while it runs. */
struct learner {
  uint64_t words[PARTS][BYTES / 8];
  uint32_t parts, loaded;
  volatile int save_fails;
  int load_fails, grows;
};

static struct learner fresh(void) {
  struct learner learner;
  memset(&learner, 0, sizeof learner);
  learner.parts = PARTS;
  return learner;
}

/* The number all of the state agrees on. */
static uint64_t steps_of(const struct learner *learner) {
  for (uint32_t part = 0; part < PARTS; ++part)
    for (uint32_t i = 0; i < BYTES / 8; ++i) CHECK(learner->words[part][i] == learner->words[0][0]);
  return learner->words[0][0];
}

static int32_t train(void *user, uint32_t piece, float *loss) {
  struct learner *learner = (struct learner *)user;
  if (piece == 0) return FULCRUM_PIECE_RAN;
  for (uint32_t part = 0; part < PARTS; ++part)
    for (uint32_t i = 0; i < BYTES / 8; ++i) ++learner->words[part][i];
  *loss = 1;
  return FULCRUM_PIECE_STEPPED;
}

static int64_t save(void *user, uint32_t part, void *bytes, uint64_t capacity) {
  const struct learner *learner = (const struct learner *)user;
  const uint64_t size = learner->grows ? BYTES + 8 : BYTES;
  if (learner->save_fails) return -5;
  if (part >= learner->parts) return 0;
  if (capacity >= size) memcpy(bytes, learner->words[part % PARTS], BYTES);
  return (int64_t)size;
}

static int32_t load(void *user, uint32_t part, const void *bytes, uint64_t size) {
  struct learner *learner = (struct learner *)user;
  if (learner->load_fails) return 7;
  CHECK(part < PARTS && size == BYTES);
  memcpy(learner->words[part], bytes, BYTES);
  ++learner->loaded;
  return 0;
}

static void abort_nothing(void *user) { (void)user; }

static char root[64];

static const char *folder_of(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", root, name);
  return path;
}

static fulcrum_checkpoint_t kept_in(const char *folder) {
  fulcrum_checkpoint_t checkpoint;
  memset(&checkpoint, 0, sizeof checkpoint);
  checkpoint.size = sizeof checkpoint;
  checkpoint.every = 1;
  checkpoint.folder = folder;
  checkpoint.save_ns = MS;
  return checkpoint;
}

static fulcrum_job_t keeping(struct learner *learner, const fulcrum_checkpoint_t *checkpoint) {
  fulcrum_job_t job = good_job();
  job.run_piece = train;
  job.save = save;
  job.load = load;
  job.user = learner;
  job.checkpoint = checkpoint;
  return job;
}

static fulcrum_error_t error;

static void refuse(fulcrum_job_t job, fulcrum_status_t wanted) {
  fulcrum_runtime_t *rt = opened();
  uint32_t number = 99;
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, &error), wanted);
  CHECK(number == 99 && error.code == wanted && error.text[0] != 0);
  fulcrum_close(rt);
}

static fulcrum_runtime_t *trains(fulcrum_job_t job) {
  fulcrum_runtime_t *rt = opened();
  uint32_t number = 99;
  const fulcrum_status_t status = fulcrum_job_add(rt, &job, &number, &error);
  if (status != FULCRUM_OK) fprintf(stderr, "%s\n", error.text);
  CHECK_STATUS(status, FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  return rt;
}

static fulcrum_checkpoint_statistics_t counted(fulcrum_runtime_t *rt) {
  fulcrum_checkpoint_statistics_t counted;
  memset(&counted, 0, sizeof counted);
  counted.size = sizeof counted;
  CHECK_STATUS(fulcrum_checkpoint_statistics(rt, 0, &counted), FULCRUM_OK);
  return counted;
}

/* Trains until so many checkpoints are on disk; hands back what was counted after the stop. */
static fulcrum_checkpoint_statistics_t kept(fulcrum_job_t job, uint64_t checkpoints) {
  fulcrum_runtime_t *rt = trains(job);
  fulcrum_checkpoint_statistics_t last;
  for (int i = 0; i < 20000 && counted(rt).kept < checkpoints; ++i) nap();
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  last = counted(rt);
  CHECK(last.kept >= checkpoints);
  fulcrum_close(rt);
  return last;
}

static void what_was_kept_is_taken_up_when_the_job_is_added_again(void) {
  const fulcrum_checkpoint_t checkpoint = kept_in(folder_of("kept"));
  struct learner first = fresh(), second = fresh();
  fulcrum_checkpoint_statistics_t before, after;
  fulcrum_runtime_t *rt;
  before = kept(keeping(&first, &checkpoint), 3);
  CHECK(before.restored_steps == 0 && before.taken == before.kept && before.bytes > PARTS * BYTES);
  CHECK(before.failed == 0 && before.given_up == 0 && before.os_errno == 0);
  rt = trains(keeping(&second, &checkpoint));
  after = counted(rt);
  CHECK(after.restored_steps == before.newest_steps && after.restored_steps > 0 && second.loaded == PARTS);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  CHECK(steps_of(&second) >= before.newest_steps && counted(rt).newest_steps >= before.newest_steps);
  fulcrum_close(rt);
}

static void without_a_number_every_hundredth_step_is_kept_and_its_cost_measured(void) {
  fulcrum_checkpoint_t checkpoint = kept_in(folder_of("measured"));
  struct learner learner = fresh();
  checkpoint.every = 0;
  checkpoint.save_ns = 0;
  /* While the disk is slow a due checkpoint waits, so the second need not be of step 200. */
  CHECK(kept(keeping(&learner, &checkpoint), 1).newest_steps >= 100);
}

static void what_cannot_be_kept_is_refused_and_says_why(void) {
  fulcrum_checkpoint_t checkpoint = kept_in(folder_of("refused"));
  struct learner learner = fresh();
  fulcrum_job_t job = keeping(&learner, &checkpoint);
  job.save = NULL, refuse(job, FULCRUM_ERR_ARGUMENT);
  job = keeping(&learner, &checkpoint), job.load = NULL, refuse(job, FULCRUM_ERR_ARGUMENT);
  job = keeping(&learner, &checkpoint);
  checkpoint.size = 4, refuse(job, FULCRUM_ERR_SIZE);
  checkpoint = kept_in(NULL), refuse(job, FULCRUM_ERR_ARGUMENT);
  checkpoint = kept_in(""), refuse(job, FULCRUM_ERR_PATH);
  checkpoint = kept_in("/proc/fulcrum"), refuse(job, FULCRUM_ERR_CHECKPOINT);
  CHECK(error.os_errno == ENOENT && strstr(error.text, "/proc/fulcrum") != NULL);
  checkpoint = kept_in(folder_of("refused"));
  checkpoint.budget_bytes = BYTES, refuse(job, FULCRUM_ERR_CHECKPOINT_BUDGET);
  checkpoint.budget_bytes = 0;
  learner.save_fails = 1, refuse(job, FULCRUM_ERR_CHECKPOINT_STATE);
  learner.save_fails = 0, learner.parts = 0, refuse(job, FULCRUM_ERR_CHECKPOINT_STATE);
  /* Two pieces are the step's own. */
  learner.parts = 127, refuse(job, FULCRUM_ERR_CHECKPOINT_STATE);
  CHECK(strstr(error.text, "126") != NULL);
  /* A part is not given up for a request. */
  learner.parts = PARTS;
  job.abort = abort_nothing, job.abort_ns = MS / 2, refuse(job, FULCRUM_ERR_ARGUMENT);
}

static void a_checkpoint_of_another_job_and_one_that_is_damaged_are_refused(void) {
  fulcrum_checkpoint_t checkpoint = kept_in(folder_of("foreign"));
  struct learner learner = fresh(), other = fresh();
  fulcrum_job_t job = keeping(&other, &checkpoint);
  char path[160];
  kept(keeping(&learner, &checkpoint), 2);
  checkpoint.identity = 1, refuse(job, FULCRUM_ERR_CHECKPOINT_FOREIGN);
  checkpoint.identity = 0, other.grows = 1, refuse(job, FULCRUM_ERR_CHECKPOINT_FOREIGN);
  other.grows = 0, other.parts = 2, refuse(job, FULCRUM_ERR_CHECKPOINT_FOREIGN);
  CHECK(other.loaded == 0);
  other.parts = PARTS, other.load_fails = 1, refuse(job, FULCRUM_ERR_CHECKPOINT_STATE);
  other.load_fails = 0;
  for (int slot = 0; slot < 2; ++slot) {
    snprintf(path, sizeof path, "%s/checkpoint-%d", folder_of("foreign"), slot);
    CHECK(truncate(path, 100) == 0);
    if (slot == 0) continue;
    refuse(job, FULCRUM_ERR_CHECKPOINT_DAMAGED);
    CHECK(strstr(error.text, "checkpoint-0") != NULL);
  }
}

static void a_folder_is_of_one_job_and_free_again_when_its_runtime_is_closed(void) {
  const fulcrum_checkpoint_t checkpoint = kept_in(folder_of("busy"));
  struct learner learner = fresh(), other = fresh();
  fulcrum_runtime_t *rt = trains(keeping(&learner, &checkpoint));
  refuse(keeping(&other, &checkpoint), FULCRUM_ERR_CHECKPOINT_BUSY);
  fulcrum_close(rt);
  kept(keeping(&other, &checkpoint), 1);
}

static void a_save_that_fails_later_costs_the_checkpoint_and_nothing_else(void) {
  const fulcrum_checkpoint_t checkpoint = kept_in(folder_of("silent"));
  struct learner learner = fresh();
  fulcrum_runtime_t *rt = trains(keeping(&learner, &checkpoint));
  fulcrum_checkpoint_statistics_t last;
  for (int i = 0; i < 20000 && counted(rt).kept < 1; ++i) nap();
  learner.save_fails = 1;
  for (int i = 0; i < 20000 && counted(rt).given_up < 3; ++i) nap();
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  last = counted(rt);
  CHECK(last.given_up >= 3 && last.kept >= 1 && steps_of(&learner) > last.newest_steps);
  CHECK_STATUS(fulcrum_checkpoint_statistics(rt, 1, &last), FULCRUM_ERR_NO_JOB);
  CHECK_STATUS(fulcrum_checkpoint_statistics(rt, 0, NULL), FULCRUM_ERR_ARGUMENT);
  fulcrum_close(rt);
}

static void a_job_without_checkpoints_has_none_to_count(void) {
  fulcrum_checkpoint_statistics_t counted;
  struct learner learner = fresh();
  fulcrum_runtime_t *rt = trains(keeping(&learner, NULL));
  counted.size = sizeof counted;
  CHECK_STATUS(fulcrum_checkpoint_statistics(rt, 0, &counted), FULCRUM_ERR_NO_CHECKPOINTS);
  fulcrum_close(rt);
}

/* Child processes train on and are killed at whatever moment it is; each takes up a whole state, never an older one. */
static void killed_at_any_moment_a_whole_state_is_taken_up_and_never_an_older_one(void) {
  const fulcrum_checkpoint_t checkpoint = kept_in(folder_of("killed"));
  uint64_t newest = 0;
  for (int round = 0; round < 20; ++round) {
    struct learner learner = fresh();
    fulcrum_runtime_t *rt;
    int pipes[2], status;
    char started;
    pid_t child;
    CHECK(pipe(pipes) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      trains(keeping(&learner, &checkpoint));
      CHECK(write(pipes[1], "s", 1) == 1);
      for (;;) nap();
    }
    close(pipes[1]);
    CHECK(read(pipes[0], &started, 1) == 1);
    for (int i = 0; i < 30 + 37 * round % 101; ++i) nap();
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    close(pipes[0]);
    CHECK(WIFSIGNALED(status));
    rt = opened();
    {
      const fulcrum_job_t job = keeping(&learner, &checkpoint);
      uint32_t number = 99;
      CHECK_STATUS(fulcrum_job_add(rt, &job, &number, &error), FULCRUM_OK);
    }
    CHECK(steps_of(&learner) >= newest);
    newest = steps_of(&learner);
    fulcrum_close(rt);
  }
  CHECK(newest > 20);
}

int main(void) {
  char command[96];
  snprintf(root, sizeof root, "/tmp/fulcrum-checkpoint-%d", (int)getpid());
  CHECK(mkdir(root, 0700) == 0);
  RUN(killed_at_any_moment_a_whole_state_is_taken_up_and_never_an_older_one);
  RUN(what_was_kept_is_taken_up_when_the_job_is_added_again);
  RUN(without_a_number_every_hundredth_step_is_kept_and_its_cost_measured);
  RUN(what_cannot_be_kept_is_refused_and_says_why);
  RUN(a_checkpoint_of_another_job_and_one_that_is_damaged_are_refused);
  RUN(a_folder_is_of_one_job_and_free_again_when_its_runtime_is_closed);
  RUN(a_save_that_fails_later_costs_the_checkpoint_and_nothing_else);
  RUN(a_job_without_checkpoints_has_none_to_count);
  snprintf(command, sizeof command, "rm -r %s", root);
  return system(command);
}
