// Lists a board's presets, lowers its power mode as one transaction, samples what it draws for a second, and leaves it
// as found. Links the shared library.
//
//   power_mode /        this machine; changing its mode needs root
//   power_mode DIR      the board below a folder, as `fulcrum twin plain DIR --board orin-nano` makes one

#include <fulcrum.hpp>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

using fulcrum::sized;

int failed(const char *what, fulcrum::Status status, const char *detail = nullptr) {
  std::fprintf(stderr, "%s: %s (%d)\n", what, detail ? detail : status.text(), status.code());
  return 1;
}

void list_presets(const fulcrum::Board &board) {
  fulcrum_error_t error;
  uint32_t count = 0;
  // A board without an nvpmodel.conf has modes all the same, only no names for them.
  if (!board.preset_count(count, &error).ok()) {
    std::printf("presets  none: %s\n", error.text);
    return;
  }
  for (uint32_t i = 0; i < count; ++i) {
    auto preset = sized<fulcrum_preset_t>();
    if (!board.preset_get(i, preset).ok()) continue;
    std::printf("preset   %2u %-12s cores %2u  cpu %7u  gpu %7u  emc %7u kHz%s\n", preset.id, preset.name, preset.cores,
                preset.cpu_khz, preset.gpu_khz, preset.emc_khz,
                preset.flags & FULCRUM_PRESET_NEEDS_REBOOT ? "  needs a reboot" : "");
  }
}

// The middle of a knob's table; 0, which leaves it alone, where the board lacks the knob.
uint32_t middle(const fulcrum::Board &board, uint32_t knob) {
  uint32_t count = 0;
  if (!board.knob_table(knob, nullptr, 0, count).ok()) return 0;
  std::vector<uint32_t> values(count);
  return board.knob_table(knob, values.data(), count, count).ok() ? values[count / 2] : 0;
}

void print(const char *what, const fulcrum_power_mode_t &mode) {
  std::printf("%-8s cores %u  cpu %u  gpu %u  emc %u kHz\n", what, mode.cores, mode.cpu_khz, mode.gpu_khz,
              mode.emc_khz);
}

// What the board draws for a second. Polling waits for no sensor, so a control loop may do it too.
int sample_a_second(fulcrum::Board &board) {
  fulcrum_error_t error;
  if (const auto status = board.sampler_start(0, &error); !status.ok()) return failed("sampler", status, error.text);
  auto sample = sized<fulcrum_sample_t>();
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    // Of the first conversion a part lies before the window, so it is in no mean.
    if (!board.sampler_poll(sample).ok() || sample.conversions == 0) continue;
    std::printf("sample   %5u mW, %3u ms old, mean %5u mW, %4.1f C%s\n", sample.power_mw,
                static_cast<unsigned>(sample.age_ns / 1000000), sample.mean_mw, sample.temperature_mc / 1e3,
                sample.flags & FULCRUM_SAMPLE_MARKED ? ", marked: do not believe this window" : "");
  }
  board.sampler_stop().ignore();
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s ROOT, which is / for this machine\n", argv[0]);
    return 2;
  }
  fulcrum::Board board;
  fulcrum_error_t error;
  if (const auto status = board.open(argv[1], &error); !status.ok()) return failed("open", status, error.text);
  auto info = sized<fulcrum_board_info_t>();
  if (const auto status = board.info(info); !status.ok()) return failed("info", status);
  std::printf("board    %s, %s, JetPack %s\n", info.name, info.soc, info.jetpack[0] ? info.jetpack : "none");
  list_presets(board);

  // What a program that was killed has left comes first.
  auto left = sized<fulcrum_recovery_t>();
  if (const auto status = board.mode_recover(nullptr, 0, left, &error); !status.ok())
    return failed("recover", status, error.text);
  if (left.what == FULCRUM_RECOVERY_CUT_OFF) std::printf("recover  %u settings put back\n", left.settings);

  auto found = sized<fulcrum_power_mode_t>(), mode = sized<fulcrum_power_mode_t>();
  if (const auto status = board.mode_present(found, &error); !status.ok()) return failed("mode", status, error.text);
  print("found", found);
  mode.cpu_khz = middle(board, FULCRUM_KNOB_CPU);
  mode.gpu_khz = middle(board, FULCRUM_KNOB_GPU);

  // From here on every return puts the old mode back: the board's destructor does.
  uint32_t limited = 0;
  if (const auto status = board.mode_begin(nullptr, &error); !status.ok()) return failed("begin", status, error.text);
  if (const auto status = board.mode_apply(mode, &limited, &error); !status.ok())
    return failed("apply", status, error.text);
  auto now = sized<fulcrum_power_mode_t>();
  if (const auto status = board.mode_present(now, &error); !status.ok()) return failed("mode", status, error.text);
  print("now", now);
  if (limited > 0) std::printf("limited  %u settings, by heat or firmware\n", limited);
  if (sample_a_second(board) != 0) return 1;

  if (const auto status = board.mode_restore(&error); !status.ok()) return failed("restore", status, error.text);
  if (const auto status = board.mode_present(now, &error); !status.ok()) return failed("mode", status, error.text);
  print("restored", now);
  const bool as_found = now.cores == found.cores && now.cpu_khz == found.cpu_khz && now.gpu_khz == found.gpu_khz &&
                        now.emc_khz == found.emc_khz;
  if (const auto status = board.close(&error); !status.ok()) return failed("close", status, error.text);
  return as_found ? 0 : 1;
}
