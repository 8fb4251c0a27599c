/* Every mistake with a board that the library can see is answered with a status, and changes nothing. */

#include "board.h"

#include <sys/stat.h>

#define UNTOUCHED 0x5a5a5a5au

static void null_is_refused_everywhere(void) {
  fulcrum_board_t *board = board_opened();
  uint32_t values[64], number = UNTOUCHED;
  uint64_t wide = UNTOUCHED;
  CHECK_STATUS(fulcrum_board_open(root, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_board_info(board, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_knob_get(board, FULCRUM_KNOB_GPU, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_knob_table(board, FULCRUM_KNOB_GPU, values, 64, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_knob_table(board, FULCRUM_KNOB_GPU, NULL, 1, &number, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_preset_count(board, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_preset_get(board, 0, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_count(board, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_at(board, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_index(board, NULL, &wide, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_present(board, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_recover(board, NULL, 0, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_drift(board, FULCRUM_KNOB_GPU, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, NULL, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_sampler_poll(board, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_sampler_reset(board, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_sampler_blocked(board, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK(number == UNTOUCHED && wide == UNTOUCHED);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void every_function_refuses(fulcrum_board_t *board, fulcrum_status_t wanted) {
  const fulcrum_power_mode_t low = low_mode();
  fulcrum_board_info_t info;
  fulcrum_knob_t knob;
  fulcrum_preset_t preset;
  fulcrum_power_mode_t mode;
  fulcrum_recovery_t recovery;
  uint32_t values[64], number = UNTOUCHED;
  uint64_t wide = UNTOUCHED;
  info.size = sizeof info, knob.size = sizeof knob, preset.size = sizeof preset, mode.size = sizeof mode;
  recovery.size = sizeof recovery;
  CHECK_STATUS(fulcrum_board_info(board, &info), wanted);
  CHECK_STATUS(fulcrum_knob_get(board, FULCRUM_KNOB_GPU, &knob, NULL), wanted);
  CHECK_STATUS(fulcrum_knob_table(board, FULCRUM_KNOB_GPU, values, 64, &number, NULL), wanted);
  CHECK_STATUS(fulcrum_preset_count(board, &number, NULL), wanted);
  CHECK_STATUS(fulcrum_preset_get(board, 0, &preset, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_count(board, &wide), wanted);
  CHECK_STATUS(fulcrum_mode_at(board, 0, &mode), wanted);
  CHECK_STATUS(fulcrum_mode_index(board, &low, &wide, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_present(board, &mode, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_apply(board, &low, &number, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 0, &number, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_keep(board, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_recover(board, NULL, 0, &recovery, NULL), wanted);
  CHECK_STATUS(fulcrum_mode_drift(board, FULCRUM_KNOB_GPU, &number), wanted);
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), wanted);
  CHECK_STATUS(fulcrum_sampler_stop(board), wanted);
  CHECK(number == UNTOUCHED && wide == UNTOUCHED);
}

static void polls_refuse(fulcrum_board_t *board, fulcrum_status_t wanted) {
  fulcrum_sample_t sample;
  uint64_t wide = UNTOUCHED;
  sample.size = sizeof sample;
  CHECK_STATUS(fulcrum_sampler_poll(board, &sample), wanted);
  CHECK_STATUS(fulcrum_sampler_reset(board, &wide), wanted);
  CHECK_STATUS(fulcrum_sampler_blocked(board, &wide), wanted);
  CHECK(wide == UNTOUCHED);
}

static void what_is_no_board_is_refused_by_every_function_and_closing_null_does_nothing(void) {
  uint64_t something_else[4] = {0, 0, 0, 0};
  fulcrum_runtime_t *rt = opened();
  fulcrum_board_t *board = board_opened();
  fulcrum_board_t *wrong[3];
  wrong[0] = (fulcrum_board_t *)something_else;
  wrong[1] = (fulcrum_board_t *)((char *)something_else + 1);
  wrong[2] = (fulcrum_board_t *)rt;
  every_function_refuses(NULL, FULCRUM_ERR_HANDLE);
  polls_refuse(NULL, FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_board_close(NULL, NULL), FULCRUM_OK);
  for (size_t i = 0; i < 3; ++i) {
    every_function_refuses(wrong[i], FULCRUM_ERR_HANDLE);
    polls_refuse(wrong[i], FULCRUM_ERR_HANDLE);
    CHECK_STATUS(fulcrum_board_close(wrong[i], NULL), FULCRUM_ERR_HANDLE);
  }
  /* Nor is a board a runtime. */
  CHECK_STATUS(fulcrum_stop((fulcrum_runtime_t *)board), FULCRUM_ERR_HANDLE);
  fulcrum_close((fulcrum_runtime_t *)board);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
  fulcrum_close(rt);
}

static void a_folder_that_shows_no_board_is_refused(void) {
  static char endless[FULCRUM_PATH_BYTES];
  fulcrum_board_t *board = NULL;
  fulcrum_error_t error;
  CHECK_STATUS(fulcrum_board_open(below("no/such/folder"), &board, &error), FULCRUM_ERR_NO_BOARD);
  CHECK(error.code == FULCRUM_ERR_NO_BOARD && strstr(error.text, "root folder") != NULL);
  memset(endless, 'x', sizeof endless);
  CHECK_STATUS(fulcrum_board_open(endless, &board, &error), FULCRUM_ERR_PATH);
  CHECK_STATUS(fulcrum_board_open("", &board, &error), FULCRUM_ERR_PATH);
  CHECK(board == NULL);
}

static void a_size_nobody_set_is_refused(void) {
  const uint32_t wrong[] = {0, 4, 15, 4097, UINT32_MAX};
  fulcrum_board_t *board = board_opened();
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), FULCRUM_OK);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    fulcrum_board_info_t info;
    fulcrum_knob_t knob;
    fulcrum_preset_t preset;
    fulcrum_power_mode_t mode = low_mode();
    fulcrum_recovery_t recovery;
    fulcrum_sample_t sample;
    fulcrum_error_t error;
    info.size = knob.size = preset.size = mode.size = recovery.size = sample.size = wrong[i];
    CHECK_STATUS(fulcrum_board_info(board, &info), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_knob_get(board, FULCRUM_KNOB_CPU, &knob, &error), FULCRUM_ERR_SIZE);
    CHECK(strstr(error.text, "fulcrum_knob_t") != NULL);
    CHECK_STATUS(fulcrum_preset_get(board, 0, &preset, NULL), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_mode_at(board, 0, &mode), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_mode_present(board, &mode, NULL), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_mode_recover(board, NULL, 0, &recovery, NULL), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_sampler_poll(board, &sample), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
    CHECK_STATUS(fulcrum_mode_apply(board, &mode, NULL, NULL), FULCRUM_ERR_SIZE);
    CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  }
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void an_unknown_knob_or_flag_is_refused(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_recovery_t recovery;
  fulcrum_knob_t knob;
  uint32_t number = UNTOUCHED;
  recovery.size = sizeof recovery, knob.size = sizeof knob;
  CHECK_STATUS(fulcrum_knob_get(board, 0, &knob, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_knob_get(board, 5, &knob, NULL), FULCRUM_ERR_TOO_NEW);
  CHECK_STATUS(fulcrum_knob_table(board, 5, NULL, 0, &number, NULL), FULCRUM_ERR_TOO_NEW);
  CHECK_STATUS(fulcrum_mode_drift(board, 5, &number), FULCRUM_ERR_TOO_NEW);
  CHECK_STATUS(fulcrum_mode_recover(board, NULL, 2, &recovery, NULL), FULCRUM_ERR_TOO_NEW);
  CHECK(number == UNTOUCHED);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_call_in_the_wrong_phase_is_refused(void) {
  const state found = all_files();
  const fulcrum_power_mode_t low = low_mode();
  fulcrum_board_t *board = board_opened();
  fulcrum_recovery_t recovery;
  fulcrum_error_t error;
  recovery.size = sizeof recovery;
  /* Not begun. */
  CHECK_STATUS(fulcrum_mode_apply(board, &low, NULL, &error), FULCRUM_ERR_PHASE);
  CHECK(strstr(error.text, "fulcrum_mode_begin") != NULL);
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 0, NULL, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_keep(board, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_ERR_PHASE);
  polls_refuse(board, FULCRUM_ERR_PHASE);
  /* Begun. */
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_recover(board, NULL, 0, &recovery, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_keep(board, NULL), FULCRUM_ERR_PHASE);
  /* Applied. */
  CHECK_STATUS(fulcrum_mode_apply(board, &low, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &low, NULL, &error), FULCRUM_ERR_PHASE);
  CHECK(strstr(error.text, "keep or restore") != NULL);
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 0, NULL, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_recover(board, NULL, 0, &recovery, NULL), FULCRUM_ERR_PHASE);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_ERR_PHASE);
  same_files(&found);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_value_that_is_not_on_offer_is_refused_before_the_first_write(void) {
  const state found = all_files();
  fulcrum_power_mode_t wrong[4];
  fulcrum_board_t *board = board_opened();
  fulcrum_error_t error;
  wrong[0] = asking(7, 960000, 0, 0);
  wrong[1] = asking(300, 0, 0, 0);
  wrong[2] = asking(0, 1, 0, 0);
  wrong[3] = asking(4, 960000, 408000, 1);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  for (size_t i = 0; i < 4; ++i) {
    CHECK_STATUS(fulcrum_mode_apply(board, &wrong[i], NULL, &error), FULCRUM_ERR_NOT_OFFERED);
    CHECK(strstr(error.text, "table") != NULL);
    same_files(&found);
  }
  CHECK_STATUS(fulcrum_mode_restore(board, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

static void a_journal_that_cannot_be_used_is_refused_before_the_first_write(void) {
  const state found = all_files();
  fulcrum_board_t *board = board_opened();
  static char endless[FULCRUM_PATH_BYTES];
  fulcrum_error_t error;
  char folder[4096];
  memset(endless, 'x', sizeof endless);
  CHECK_STATUS(fulcrum_mode_begin(board, "", NULL), FULCRUM_ERR_PATH);
  CHECK_STATUS(fulcrum_mode_begin(board, endless, NULL), FULCRUM_ERR_PATH);
  /* A file where the folder should be. */
  snprintf(folder, sizeof folder, "%s/etc/nvpmodel.conf/journal", root);
  CHECK_STATUS(fulcrum_mode_begin(board, folder, &error), FULCRUM_ERR_JOURNAL);
  CHECK(error.os_errno == ENOTDIR && strstr(error.text, "nvpmodel.conf/journal") != NULL);
  /* Nobody knows what a damaged one wanted to put back. */
  write_text("var/lib/fulcrum/journal", "fulcrum-journal 1\nboot");
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, &error), FULCRUM_ERR_JOURNAL_DAMAGED);
  CHECK(strstr(error.text, "by hand") != NULL);
  CHECK(remove(below("var/lib/fulcrum/journal")) == 0);
  /* A folder of one's own. */
  snprintf(folder, sizeof folder, "%s/var/lib/fulcrum/own", root);
  CHECK_STATUS(fulcrum_mode_begin(board, folder, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
  same_files(&found);
}

static void a_broken_file_of_presets_is_refused_with_its_line_and_a_missing_one_by_name(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_preset_t preset;
  fulcrum_error_t error;
  char conf[4096], aside[4096];
  uint32_t count = UNTOUCHED;
  FILE *file;
  preset.size = sizeof preset;
  snprintf(conf, sizeof conf, "%s/etc/nvpmodel.conf", root);
  snprintf(aside, sizeof aside, "%s/etc/aside", root);
  CHECK(rename(conf, aside) == 0);
  CHECK_STATUS(fulcrum_preset_count(board, &count, &error), FULCRUM_ERR_NO_CONF);
  CHECK(error.os_errno == ENOENT && strstr(error.text, "nvpmodel.conf") != NULL);
  file = fopen(conf, "w");
  CHECK(file != NULL && fputs("< POWER_MODEL ID=0 NAME=A >\nNO_SUCH_PARAMETER A 1\n", file) >= 0);
  CHECK(fclose(file) == 0);
  CHECK_STATUS(fulcrum_preset_count(board, &count, NULL), FULCRUM_ERR_CONF);
  CHECK_STATUS(fulcrum_preset_get(board, 0, &preset, &error), FULCRUM_ERR_CONF);
  CHECK(strstr(error.text, "nvpmodel.conf:2:") != NULL);
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply_preset(board, 0, NULL, NULL), FULCRUM_ERR_CONF);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
  CHECK(remove(conf) == 0 && rename(aside, conf) == 0 && count == UNTOUCHED);
}

/* On the dispatcher thread: everything but the polls is turned away, and closing too. */
static int32_t use_the_board(void *user, const fulcrum_request_t *requests, uint32_t count, uint64_t *answers) {
  fulcrum_board_t *board = (fulcrum_board_t *)user;
  fulcrum_board_t *another = NULL;
  fulcrum_sample_t sample;
  uint64_t begin = 0;
  (void)requests;
  every_function_refuses(board, FULCRUM_ERR_CALLBACK);
  CHECK_STATUS(fulcrum_board_open(root, &another, NULL), FULCRUM_ERR_CALLBACK);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_ERR_CALLBACK);
  sample.size = sizeof sample;
  CHECK(fulcrum_sampler_poll(board, &sample) <= FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_sampler_reset(board, &begin), FULCRUM_OK);
  for (uint32_t i = 0; i < count; ++i) answers[i] = 1;
  return 0;
}

static void no_file_of_a_board_is_touched_on_the_dispatcher_thread(void) {
  fulcrum_board_t *board = board_opened();
  fulcrum_stream_t stream = good_stream();
  fulcrum_runtime_t *rt;
  CHECK_STATUS(fulcrum_sampler_start(board, 0, NULL), FULCRUM_OK);
  stream.run = use_the_board;
  stream.user = board;
  rt = started(&stream);
  CHECK_STATUS(fulcrum_submit(rt, 0, 1, 0), FULCRUM_OK);
  CHECK(next_completion(rt, 0).answer == 1);
  fulcrum_close(rt);
  CHECK_STATUS(fulcrum_board_close(board, NULL), FULCRUM_OK);
}

int main(int argc, char **argv) {
  if (!on_a_tree(argc, argv)) return 2;
  RUN(null_is_refused_everywhere);
  RUN(what_is_no_board_is_refused_by_every_function_and_closing_null_does_nothing);
  RUN(a_folder_that_shows_no_board_is_refused);
  RUN(a_size_nobody_set_is_refused);
  RUN(an_unknown_knob_or_flag_is_refused);
  RUN(a_call_in_the_wrong_phase_is_refused);
  RUN(a_value_that_is_not_on_offer_is_refused_before_the_first_write);
  RUN(a_journal_that_cannot_be_used_is_refused_before_the_first_write);
  RUN(a_broken_file_of_presets_is_refused_with_its_line_and_a_missing_one_by_name);
  RUN(no_file_of_a_board_is_touched_on_the_dispatcher_thread);
  return 0;
}
