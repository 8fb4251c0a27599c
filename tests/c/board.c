/* A board is described, listed, changed and sampled from C, and left as it was found: its files say so, read here with
 * fopen. Runs on the simulated files of an Orin Nano, plain or mounted; see board.h. */

#include "board.h"

#include <signal.h>

static void a_board_says_who_it_is(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_board_info_t info;
  info.size = sizeof info;
  CHECK_STATUS(fulcrum_board_info(board, &info), FULCRUM_OK);
  CHECK(info.cores == 6 && info.simulated == (uint32_t)mounted);
  CHECK(strcmp(info.name, "Jetson Orin Nano 8GB Super (p3767-0005)") == 0);
  CHECK(strstr(info.model, "Orin Nano") != NULL && strstr(info.module, "p3767-0005") != NULL);
  CHECK(strcmp(info.soc, "tegra234") == 0 && strstr(info.kernel, "tegra") != NULL);
  CHECK(strcmp(info.l4t, "36.5.0") == 0 && strcmp(info.jetpack, "6.2.2") == 0);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void this_machine_is_a_board_too(void) {
  fulcrum_board_t *board = NULL;
  fulcrum_board_info_t info;
  info.size = sizeof info;
  CHECK_STATUS(fulcrum_board_open(NULL, &board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_info(board, &info), FULCRUM_OK);
  CHECK(info.cores > 0 && info.name[0] != 0);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void every_knob_has_a_table_that_rises_from_its_lowest_to_its_highest(void) {
  const uint32_t present_values[] = {0, 6, 1344000, 918000, 3199000};
  fulcrum_board_t *board = board_opened();
  for (uint32_t which = FULCRUM_KNOB_CORES; which <= FULCRUM_KNOB_EMC; ++which) {
    fulcrum_knob_t knob;
    uint32_t values[64], first[2] = {7, 7}, count = 0;
    knob.size = sizeof knob;
    CHECK_STATUS(fulcrum_knob_get(board, which, &knob, NULL), FULCRUM_OK);
    CHECK_STATUS(fulcrum_knob_table(board, which, values, 64, &count, NULL), FULCRUM_OK);
    CHECK(knob.which == which && knob.count == count && count > 1 && count <= 64);
    CHECK(knob.present == present_values[which] && knob.writable == 1);
    CHECK(knob.min == values[0] && knob.max == values[count - 1]);
    for (uint32_t i = 1; i < count; ++i) CHECK(values[i - 1] < values[i]);
    /* Less room: what fits, and how many there are. */
    CHECK_STATUS(fulcrum_knob_table(board, which, first, 1, &count, NULL), FULCRUM_OK);
    CHECK(first[0] == values[0] && first[1] == 7 && count == knob.count);
    CHECK_STATUS(fulcrum_knob_table(board, which, NULL, 0, &count, NULL), FULCRUM_OK);
    CHECK(count == knob.count);
  }
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void every_index_is_a_mode_and_every_mode_has_its_index(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_power_mode_t mode = asking(0, 0, 0, 0);
  fulcrum_error_t error;
  uint64_t count = 0, index = 0;
  CHECK_STATUS(fulcrum_mode_count(board, &count), FULCRUM_OK);
  CHECK(count > 1000);
  for (uint64_t i = 0; i < count; i += 97) {
    CHECK_STATUS(fulcrum_mode_at(board, i, &mode), FULCRUM_OK);
    CHECK_STATUS(fulcrum_mode_index(board, &mode, &index, NULL), FULCRUM_OK);
    CHECK(index == i);
  }
  CHECK_STATUS(fulcrum_mode_at(board, count - 1, &mode), FULCRUM_OK);
  CHECK(mode.cores == 6 && mode.cpu_khz == 1728000 && mode.gpu_khz == 1020000 && mode.emc_khz == 3199000);
  mode.size = sizeof mode;
  CHECK_STATUS(fulcrum_mode_at(board, count, &mode), FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_mode_at(board, UINT64_MAX, &mode), FULCRUM_EMPTY);
  CHECK(mode.cores == 6);
  mode.gpu_khz += 1;
  CHECK_STATUS(fulcrum_mode_index(board, &mode, &index, &error), FULCRUM_ERR_NOT_OFFERED);
  CHECK(strstr(error.text, "gpu=1020001") != NULL);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static fulcrum_preset_t preset(fulcrum_board_t *board, uint32_t index) {
  fulcrum_preset_t found;
  found.size = sizeof found;
  CHECK_STATUS(fulcrum_preset_get(board, index, &found, NULL), FULCRUM_OK);
  return found;
}

static void presets_are_those_of_the_boards_own_file(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_preset_t found;
  uint32_t count = 0;
  CHECK_STATUS(fulcrum_preset_count(board, &count, NULL), FULCRUM_OK);
  CHECK(count == 4);
  found = preset(board, 0);
  CHECK(found.id == 0 && strcmp(found.name, "15W") == 0 && found.flags == 0);
  CHECK(found.cores == 6 && found.cpu_khz == 1497600 && found.gpu_khz == 612000 && found.emc_khz == 2133000);
  found = preset(board, 1);
  CHECK(strcmp(found.name, "25W") == 0 && found.flags == FULCRUM_PRESET_DEFAULT);
  /* No caps. */
  found = preset(board, 2);
  CHECK(found.cores == 6 && found.cpu_khz == 0 && found.gpu_khz == 0 && found.emc_khz == 0);
  found = preset(board, 3);
  CHECK(found.cores == 4 && found.flags == FULCRUM_PRESET_NEEDS_REBOOT);
  CHECK_STATUS(fulcrum_preset_get(board, 4, &found, NULL), FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_mode_is_in_the_files_and_after_restore_every_file_is_as_before(void) {
  const state found = all_files();
  fulcrum_board_t *board = board_opened();
  const fulcrum_power_mode_t low = low_mode();
  fulcrum_power_mode_t now;
  uint32_t limited = 7;
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  same_files(&found);
  CHECK_STATUS(fulcrum_mode_apply(board, &low, &limited, NULL), FULCRUM_OK);
  CHECK(limited == 0);
  CHECK(read_number(CPU "cpu3/online") == 1 && read_number(CPU "cpu4/online") == 0);
  CHECK(read_number(CPU "cpu5/online") == 0 && read_number(CPU_CEILING) == 960000);
  CHECK(read_number(GPU_CEILING) == 408000000 && read_number(EMC_CEILING) == 2133000000);
  now = present(board);
  CHECK(now.cores == 4 && now.cpu_khz == 960000 && now.gpu_khz == 408000 && now.emc_khz == 2133000);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  same_files(&found);
  /* And again, on the same handle. */
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &low, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_knob_that_is_0_is_left_alone_and_a_clock_between_two_comes_to_the_lower_one(void) {
  const fulcrum_power_mode_t only_gpu = asking(0, 0, 500000, 0), nothing = asking(0, 0, 0, 0);
  const state found = all_files();
  fulcrum_board_t *board = board_opened();
  state now;
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &only_gpu, NULL, NULL), FULCRUM_OK);
  CHECK(read_number(GPU_CEILING) == 408000000);
  now = all_files();
  for (size_t i = 0; i < FILE_COUNT; ++i) {
    CHECK(strcmp(FILES[i], GPU_CEILING) == 0 || strcmp(now.text[i], found.text[i]) == 0);
  }
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &nothing, NULL, NULL), FULCRUM_OK);
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_preset_is_applied_by_its_id_and_one_that_needs_a_reboot_is_refused_before_the_first_write(void) {
  const state found = all_files();
  fulcrum_board_t *board = board_opened();
  fulcrum_power_mode_t now;
  fulcrum_error_t error;
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 3, NULL, &error), FULCRUM_ERR_REBOOT);
  CHECK(strstr(error.text, "7W") != NULL && strstr(error.text, "reboot") != NULL);
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 9, NULL, &error), FULCRUM_ERR_NO_PRESET);
  CHECK(strstr(error.text, "2 MAXN_SUPER") != NULL);
  same_files(&found);
  /* Neither refusal has ended the change. */
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 0, NULL, NULL), FULCRUM_OK);
  now = present(board);
  CHECK(now.cores == 6 && now.cpu_khz == 1497600 && now.gpu_khz == 612000 && now.emc_khz == 2133000);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void closing_puts_back_a_mode_that_is_not_kept(void) {
  const state found = all_files();
  CHECK_STATUS(fulcrum_board_close(board_lowered(), NULL), FULCRUM_OK);
  same_files(&found);
}

static void a_mode_that_is_kept_outlives_the_handle_until_it_is_released(void) {
  const fulcrum_power_mode_t lower = asking(0, 729600, 0, 0);
  const state found = all_files();
  fulcrum_board_t *board = board_lowered();
  fulcrum_recovery_t recovery;
  CHECK_STATUS(fulcrum_mode_keep(board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
  board = board_opened();
  CHECK(present(board).cpu_khz == 960000);
  /* A second change: what is held goes back to before the first. */
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &lower, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_keep(board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
  board = board_opened();
  recovery = recovered(board, 0);
  CHECK(recovery.what == FULCRUM_RECOVERY_HELD && recovery.settings > 0);
  CHECK(present(board).cpu_khz == 729600);
  recovery = recovered(board, FULCRUM_RECOVER_HELD);
  CHECK(recovery.what == FULCRUM_RECOVERY_RELEASED && recovery.settings > 0);
  same_files(&found);
  CHECK(recovered(board, FULCRUM_RECOVER_HELD).what == FULCRUM_RECOVERY_NOTHING);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_change_whose_program_was_killed_is_put_back_by_the_next_one(void) {
  const state found = all_files();
  fulcrum_board_t *board;
  fulcrum_error_t error;
  const pid_t child = fork();
  int status = 0;
  CHECK(child >= 0);
  if (child == 0) {
    board_lowered();
    raise(SIGKILL);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  CHECK(read_number(CPU_CEILING) == 960000);
  board = board_opened();
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, &error), FULCRUM_ERR_CUT_OFF);
  CHECK(strstr(error.text, "fulcrum_mode_recover") != NULL);
  CHECK(recovered(board, 0).what == FULCRUM_RECOVERY_CUT_OFF);
  same_files(&found);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void while_one_changes_the_mode_a_second_handle_is_turned_away(void) {
  fulcrum_board_t *first = board_lowered(), *second = board_opened();
  fulcrum_recovery_t recovery;
  fulcrum_error_t error;
  recovery.size = sizeof recovery;
  CHECK_STATUS(fulcrum_mode_begin(second, NULL, &error), FULCRUM_ERR_JOURNAL_BUSY);
  CHECK(error.text[0] != 0);
  CHECK_STATUS(fulcrum_mode_recover(second, NULL, 0, &recovery, NULL), FULCRUM_ERR_JOURNAL_BUSY);
  /* Reading goes on. */
  CHECK(present(second).cores == 4);
  CHECK_STATUS(fulcrum_mode_restore(first, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_begin(second, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(first, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(second, NULL), FULCRUM_OK);
}

static uint32_t standing(fulcrum_board_t *board, uint32_t which) {
  uint32_t found = 0;
  CHECK_STATUS(fulcrum_mode_drift(board, which, &found), FULCRUM_OK);
  return found;
}

static void what_another_program_does_to_our_mode_is_told_per_knob(void) {
  fulcrum_board_t *board = board_opened();
  const fulcrum_power_mode_t mode = asking(0, 1344000, 612000, 0);
  uint32_t found = 7;
  CHECK_STATUS(fulcrum_mode_drift(board, FULCRUM_KNOB_GPU, &found), FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &mode, NULL, NULL), FULCRUM_OK);
  CHECK(standing(board, FULCRUM_KNOB_GPU) == FULCRUM_DRIFT_OURS);
  /* The CPU was there already, and is watched; of the memory nothing was asked. */
  CHECK(standing(board, FULCRUM_KNOB_CPU) == FULCRUM_DRIFT_OURS);
  CHECK_STATUS(fulcrum_mode_drift(board, FULCRUM_KNOB_EMC, &found), FULCRUM_EMPTY);
  CHECK(found == 7);
  write_text(GPU_CEILING, "1020000000\n");
  CHECK(standing(board, FULCRUM_KNOB_GPU) == FULCRUM_DRIFT_TAKEN_OVER);
  write_text(GPU_CEILING, "408000000\n");
  CHECK(standing(board, FULCRUM_KNOB_GPU) == FULCRUM_DRIFT_LIMITED);
  write_text(GPU_CEILING, "612000000\n");
  /* A mode that was kept is watched on. */
  CHECK_STATUS(fulcrum_mode_keep(board, NULL), FULCRUM_OK);
  CHECK(standing(board, FULCRUM_KNOB_GPU) == FULCRUM_DRIFT_OURS);
  CHECK(recovered(board, FULCRUM_RECOVER_HELD).what == FULCRUM_RECOVERY_RELEASED);
  CHECK_STATUS(fulcrum_mode_drift(board, FULCRUM_KNOB_GPU, &found), FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

int main(int argc, char **argv) {
  if (!on_a_tree(argc, argv)) return 2;
  RUN(a_board_says_who_it_is);
  RUN(this_machine_is_a_board_too);
  RUN(every_knob_has_a_table_that_rises_from_its_lowest_to_its_highest);
  RUN(every_index_is_a_mode_and_every_mode_has_its_index);
  RUN(presets_are_those_of_the_boards_own_file);
  RUN(a_mode_is_in_the_files_and_after_restore_every_file_is_as_before);
  RUN(a_knob_that_is_0_is_left_alone_and_a_clock_between_two_comes_to_the_lower_one);
  RUN(a_preset_is_applied_by_its_id_and_one_that_needs_a_reboot_is_refused_before_the_first_write);
  RUN(closing_puts_back_a_mode_that_is_not_kept);
  RUN(a_mode_that_is_kept_outlives_the_handle_until_it_is_released);
  RUN(a_change_whose_program_was_killed_is_put_back_by_the_next_one);
  RUN(while_one_changes_the_mode_a_second_handle_is_turned_away);
  RUN(what_another_program_does_to_our_mode_is_told_per_knob);
  return 0;
}
