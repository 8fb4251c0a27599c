// fulcrum.hpp owns a board, closes it exactly once, and leaves it as found. Runs under the address sanitizer and its
// leak check; the first argument is the root of a simulated Orin Nano's files.

#include "fulcrum.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

using fulcrum::Board;
using fulcrum::Status;

static_assert(!std::is_copy_constructible_v<Board> && !std::is_copy_assignable_v<Board>, "one owner");
static_assert(std::is_nothrow_move_constructible_v<Board> && std::is_nothrow_move_assignable_v<Board>, "movable");
static_assert(sizeof(Board) == sizeof(void *), "ownership costs nothing");

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                           \
    }                                                                         \
  } while (0)

namespace {

const char *root = nullptr;

uint32_t gpu_khz(const Board &board) {
  auto mode = fulcrum::sized<fulcrum_power_mode_t>();
  CHECK(board.mode_present(mode).ok());
  return mode.gpu_khz;
}

Status lower(Board &board) {
  auto mode = fulcrum::sized<fulcrum_power_mode_t>();
  mode.gpu_khz = 408000;
  if (const Status begun = board.mode_begin(); !begun.ok()) return begun;
  return board.mode_apply(mode);
}

void an_empty_board_answers_with_a_status() {
  Board board;
  CHECK(!board);
  CHECK(board.mode_begin().code() == FULCRUM_ERR_HANDLE);
  CHECK(board.sampler_stop().code() == FULCRUM_ERR_HANDLE);
  CHECK(board.close().ok());
}

void moving_hands_the_board_over_and_a_failed_open_keeps_it() {
  Board first;
  CHECK(first.open(root).ok());
  fulcrum_board_t *handle = first.get();
  Board second = std::move(first);
  CHECK(!first && second.get() == handle);  // NOLINT: what is left of the first is the question
  fulcrum_error_t error;
  CHECK(second.open("/no/such/folder", &error).code() == FULCRUM_ERR_NO_BOARD && error.text[0] != 0);
  CHECK(second.get() == handle);
  CHECK(second.open(root).ok());
}

void a_board_that_leaves_its_scope_is_as_it_was_found() {
  Board watcher;
  CHECK(watcher.open(root).ok());
  const uint32_t found = gpu_khz(watcher);
  {
    Board board;
    CHECK(board.open(root).ok());
    CHECK(lower(board).ok());
    CHECK(gpu_khz(watcher) == 408000);
  }
  CHECK(found != 408000 && gpu_khz(watcher) == found);
}

void closing_by_name_says_whether_it_worked_and_leaves_it_empty() {
  Board board;
  CHECK(board.open(root).ok());
  CHECK(lower(board).ok());
  fulcrum_error_t error;
  CHECK(board.close(&error).ok() && !board);
}

void a_board_is_described_and_sampled() {
  Board board;
  CHECK(board.open(root).ok());
  auto info = fulcrum::sized<fulcrum_board_info_t>();
  CHECK(board.info(info).ok() && std::strcmp(info.soc, "tegra234") == 0);
  auto sample = fulcrum::sized<fulcrum_sample_t>();
  CHECK(board.sampler_start().ok());
  Status polled = FULCRUM_EMPTY;
  while ((polled = board.sampler_poll(sample)).empty()) {
  }
  CHECK(polled.ok() && sample.at_ns > 0);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  root = argv[1];
  an_empty_board_answers_with_a_status();
  moving_hands_the_board_over_and_a_failed_open_keeps_it();
  a_board_that_leaves_its_scope_is_as_it_was_found();
  closing_by_name_says_whether_it_worked_and_leaves_it_empty();
  a_board_is_described_and_sampled();
  return 0;
}
