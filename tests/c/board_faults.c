/* Sensors, writes that fail, limits of other parties: what a board of plain files cannot do runs on a mounted twin
 * alone, and says so. */

#include "board.h"

static void when_the_nth_write_fails_the_old_mode_is_back_and_the_errno_told(void) {
  char command[64];
  int refused = 0;
  for (int nth = 1;; ++nth) {
    const state found = all_files();
    fulcrum_board_t *board = board_opened();
    const fulcrum_power_mode_t low = low_mode();
    fulcrum_error_t error;
    fulcrum_status_t status;
    CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
    snprintf(command, sizeof command, "fault write nth=%d errno=EIO", nth);
    twin(command);
    status = fulcrum_mode_apply(board, &low, NULL, &error);
    twin("clear");
    if (status == FULCRUM_OK) {
      /* So many writes were not needed. */
      CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
      same_files(&found);
      break;
    }
    CHECK_STATUS(status, FULCRUM_ERR_REFUSED);
    CHECK(error.code == FULCRUM_ERR_REFUSED && error.os_errno == EIO);
    same_files(&found);
    /* The change has ended. */
    CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_ERR_PHASE);
    CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
    ++refused;
  }
  CHECK(refused >= 5);
}

static void a_restore_that_fails_says_so_and_is_tried_again(void) {
  const state found = all_files();
  fulcrum_board_t *board = board_lowered();
  fulcrum_error_t error;
  twin("fault write nth=2 always errno=EIO");
  CHECK_STATUS(fulcrum_mode_restore(board, &error), FULCRUM_ERR_UNRESTORED);
  CHECK(error.os_errno == EIO && strstr(error.text, "not put back") != NULL);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_ERR_PHASE);
  twin("clear");
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void closing_says_when_it_cannot_put_the_mode_back_and_the_next_program_can(void) {
  const state found = all_files();
  fulcrum_board_t *board = board_lowered();
  fulcrum_error_t error;
  twin("fault write nth=2 always errno=EIO");
  CHECK_STATUS(fulcrum_board_close(board, &error), FULCRUM_ERR_UNRESTORED);
  CHECK(error.code == FULCRUM_ERR_UNRESTORED);
  twin("clear");
  board = board_opened();
  CHECK(recovered(board, 0).what == FULCRUM_RECOVERY_CUT_OFF);
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_write_that_does_not_show_is_told_from_one_that_is_refused(void) {
  const state found = all_files();
  const fulcrum_power_mode_t only_gpu = asking(0, 0, 408000, 0);
  fulcrum_board_t *board = board_opened();
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  twin("fault write ends=max_freq always ignore");
  CHECK_STATUS(fulcrum_mode_apply(board, &only_gpu, NULL, NULL), FULCRUM_ERR_NOT_TAKEN);
  twin("clear");
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void what_another_party_limits_is_success_with_a_count(void) {
  const state found = all_files();
  const fulcrum_power_mode_t mode = asking(0, 1113600, 0, 0);
  fulcrum_board_t *board = board_opened();
  uint32_t limited = 0, standing = 0;
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  /* Firmware that holds one cluster lower than it is asked to be. */
  twin("fault write at=" CPU_CEILING " always value=960000");
  CHECK_STATUS(fulcrum_mode_apply(board, &mode, &limited, NULL), FULCRUM_OK);
  CHECK(limited == 1 && read_number(CPU_CEILING) == 960000);
  CHECK_STATUS(fulcrum_mode_drift(board, FULCRUM_KNOB_CPU, &standing), FULCRUM_OK);
  CHECK(standing == FULCRUM_DRIFT_LIMITED);
  twin("clear");
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
  same_files(&found);
}

/* Polls until there is a sample with power of the window that begins then; gives up after 20 s. */
static fulcrum_sample_t next_sample(fulcrum_board_t *board, uint64_t begin_ns) {
  fulcrum_sample_t sample;
  memset(&sample, 0, sizeof sample);
  sample.size = sizeof sample;
  for (int i = 0; i < 20000; ++i) {
    const fulcrum_status_t status = fulcrum_sampler_poll(board, &sample);
    if (status == FULCRUM_OK && sample.begin_ns >= begin_ns && sample.conversions > 0) return sample;
    CHECK(status == FULCRUM_OK || status == FULCRUM_EMPTY);
    if (status == FULCRUM_EMPTY) nap();
  }
  CHECK(!"a sample within 20 s");
  return sample;
}

static void the_sampler_tells_power_energy_and_temperature_and_a_reset_begins_anew(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_sample_t sample;
  uint64_t begin = 0, blocked = 7;
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), FULCRUM_ERR_PHASE);
  sample = next_sample(board, 0);
  CHECK(sample.power_mw > 1000 && sample.power_mw < 60000);
  CHECK(sample.mean_mw > 1000 && sample.max_mw >= sample.mean_mw && sample.energy_mj > 0);
  CHECK(sample.age_ns < UINT64_MAX && sample.at_ns > sample.begin_ns && sample.covered_ns > 0);
  CHECK(sample.temperature_mc > 20000 && sample.temperature_mc < 110000);
  CHECK((sample.flags & FULCRUM_SAMPLE_NO_TEMPERATURE) == 0);
  CHECK_STATUS(fulcrum_sampler_reset(board, &begin), FULCRUM_OK);
  CHECK(begin > sample.begin_ns);
  sample = next_sample(board, begin);
  CHECK(sample.begin_ns == begin && sample.conversions <= 2);
  CHECK_STATUS(fulcrum_sampler_blocked(board, &blocked), FULCRUM_OK);
  CHECK_STATUS(fulcrum_sampler_stop(board), FULCRUM_OK);
  CHECK_STATUS(fulcrum_sampler_stop(board), FULCRUM_OK);
  CHECK_STATUS(fulcrum_sampler_poll(board, &sample), FULCRUM_ERR_PHASE);
  /* Closing stops one that runs. */
  CHECK_STATUS(fulcrum_sampler_start(board, 5 * MS, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void over_current_events_mark_the_window(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_sample_t sample;
  uint64_t begin = 0;
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), FULCRUM_OK);
  sample = next_sample(board, 0);
  CHECK((sample.flags & FULCRUM_SAMPLE_MARKED) == 0);
  CHECK_STATUS(fulcrum_sampler_reset(board, &begin), FULCRUM_OK);
  next_sample(board, begin);
  twin("over-current 2 3");
  for (int i = 0; i < 20 && sample.overcurrent[1] == 0; ++i) sample = next_sample(board, begin);
  CHECK(sample.overcurrent[1] == 3 && (sample.flags & FULCRUM_SAMPLE_MARKED) != 0);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_sensor_that_blocks_blocks_neither_a_poll_nor_a_change(void) {
  const state found = all_files();
  fulcrum_board_t *board = board_opened();
  const fulcrum_power_mode_t low = low_mode();
  fulcrum_sample_t sample;
  uint64_t blocked = 0;
  sample.size = sizeof sample;
  CHECK_STATUS(fulcrum_sampler_start(board, 10 * MS, NULL), FULCRUM_OK);
  next_sample(board, 0);
  twin("fault read ends=curr1_input always block_ms=1500");
  for (int i = 0; i < 20000 && blocked < 100 * MS; ++i) {
    CHECK_STATUS(fulcrum_sampler_blocked(board, &blocked), FULCRUM_OK);
    nap();
  }
  CHECK(blocked >= 100 * MS);
  while (fulcrum_sampler_poll(board, &sample) == FULCRUM_OK) continue;
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &low, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  same_files(&found);
  twin("clear");
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

int main(int argc, char **argv) {
  if (!on_a_tree(argc, argv)) return 2;
  RUN(the_sampler_tells_power_energy_and_temperature_and_a_reset_begins_anew);
  if (!mounted) {
    printf("  SKIPPED: the tests with faults and blocking sensors need a mounted twin\n");
    return 0;
  }
  RUN(when_the_nth_write_fails_the_old_mode_is_back_and_the_errno_told);
  RUN(a_restore_that_fails_says_so_and_is_tried_again);
  RUN(closing_says_when_it_cannot_put_the_mode_back_and_the_next_program_can);
  RUN(a_write_that_does_not_show_is_told_from_one_that_is_refused);
  RUN(what_another_party_limits_is_success_with_a_count);
  RUN(over_current_events_mark_the_window);
  RUN(a_sensor_that_blocks_blocks_neither_a_poll_nor_a_change);
  return 0;
}
