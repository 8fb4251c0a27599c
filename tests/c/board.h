/* What the C tests of boards share: the tree they run on, its files read and written without the library, and structs
 * with their size set. The program's first argument is the tree's root, the second says "plain" or "mounted". */

#ifndef BOARD_H
#define BOARD_H

#include "check.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *root;
static int mounted;

#define CPU "sys/devices/system/cpu/"
#define CPU_CEILING CPU "cpufreq/policy0/scaling_max_freq"
#define GPU "sys/class/devfreq/17000000.gpu/"
#define GPU_CEILING GPU "max_freq"
#define EMC_CEILING "sys/kernel/nvpmodel_clk_cap/emc"

/* Every file of an Orin Nano's knobs. */
static const char *const FILES[] = {
    CPU "cpu1/online",
    CPU "cpu2/online",
    CPU "cpu3/online",
    CPU "cpu4/online",
    CPU "cpu5/online",
    CPU_CEILING,
    CPU "cpufreq/policy0/scaling_min_freq",
    CPU "cpufreq/policy4/scaling_max_freq",
    CPU "cpufreq/policy4/scaling_min_freq",
    GPU_CEILING,
    GPU "min_freq",
    GPU "device/power/control",
    EMC_CEILING,
};
#define FILE_COUNT (sizeof FILES / sizeof *FILES)

typedef struct state {
  char text[FILE_COUNT][32];
} state;

static inline const char *below(const char *path) {
  static char whole[4096];
  snprintf(whole, sizeof whole, "%s/%s", root, path);
  return whole;
}

/* The file's first line; "absent" if it is not there, as the clocks of a cluster whose cores are all offline. */
static inline void read_text(const char *path, char text[32]) {
  FILE *file = fopen(below(path), "r");
  strcpy(text, "absent");
  if (file == NULL) {
    CHECK(errno == ENOENT);
    return;
  }
  CHECK(fgets(text, 32, file) != NULL);
  text[strcspn(text, "\n")] = 0;
  fclose(file);
}

static inline unsigned long read_number(const char *path) {
  char text[32];
  read_text(path, text);
  return strtoul(text, NULL, 10);
}

static inline void write_text(const char *path, const char *text) {
  FILE *file = fopen(below(path), "w");
  CHECK(file != NULL);
  CHECK(fputs(text, file) >= 0);
  CHECK(fclose(file) == 0);
}

/* One command to the mounted twin: a fault, heat, another program. */
static inline void twin(const char *command) {
  CHECK(mounted);
  write_text(".twin/control", command);
}

static inline state all_files(void) {
  state now;
  memset(&now, 0, sizeof now);
  for (size_t i = 0; i < FILE_COUNT; ++i) read_text(FILES[i], now.text[i]);
  return now;
}

static inline void same_files(const state *found) {
  const state now = all_files();
  for (size_t i = 0; i < FILE_COUNT; ++i) {
    if (strcmp(found->text[i], now.text[i]) != 0) {
      fprintf(stderr, "%s was %s and is %s\n", FILES[i], found->text[i], now.text[i]);
      exit(1);
    }
  }
}

static inline fulcrum_board_t *board_opened(void) {
  fulcrum_board_t *board = NULL;
  CHECK_STATUS(fulcrum_board_open(root, &board, NULL), FULCRUM_OK);
  CHECK(board != NULL);
  return board;
}

static inline fulcrum_power_mode_t asking(uint32_t cores, uint32_t cpu_khz, uint32_t gpu_khz, uint32_t emc_khz) {
  fulcrum_power_mode_t mode;
  mode.size = sizeof mode;
  mode.cores = cores;
  mode.cpu_khz = cpu_khz;
  mode.gpu_khz = gpu_khz;
  mode.emc_khz = emc_khz;
  return mode;
}

/* A mode that differs from the present one in every knob, and takes the second cluster offline. */
static inline fulcrum_power_mode_t low_mode(void) {
  return asking(4, 960000, 408000, 2133000);
}

static inline fulcrum_power_mode_t present(fulcrum_board_t *board) {
  fulcrum_power_mode_t mode;
  memset(&mode, 0, sizeof mode);
  mode.size = sizeof mode;
  CHECK_STATUS(fulcrum_mode_present(board, &mode, NULL), FULCRUM_OK);
  return mode;
}

/* A board in a lower mode that is not kept. */
static inline fulcrum_board_t *board_lowered(void) {
  fulcrum_board_t *board = board_opened();
  const fulcrum_power_mode_t low = low_mode();
  CHECK_STATUS(fulcrum_mode_begin(board, NULL, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_mode_apply(board, &low, NULL, NULL), FULCRUM_OK);
  return board;
}

static inline fulcrum_recovery_t recovered(fulcrum_board_t *board, uint32_t flags) {
  fulcrum_recovery_t recovery;
  memset(&recovery, 0, sizeof recovery);
  recovery.size = sizeof recovery;
  CHECK_STATUS(fulcrum_mode_recover(board, NULL, flags, &recovery, NULL), FULCRUM_OK);
  return recovery;
}

static inline int on_a_tree(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s ROOT plain|mounted\n", argv[0]);
    return 0;
  }
  root = argv[1];
  mounted = strcmp(argv[2], "mounted") == 0;
  return 1;
}

#endif
