//! `fulcrum mode set` killed before and after every change it makes to a file, cut off from power there, and run once at
//! the real paths inside a mount namespace of its own. On a simulated board that is mounted; where that cannot be, the tests
//! say so and end.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::twin::faults::{Effect, Fault, Touch};
use fulcrum::twin::fuse::Mount;
use fulcrum::twin::tree::{Options, Tree};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fulcrum");

/// A mounted board in a folder of its own.
struct Mounted {
    mount: Option<Mount>,
    folder: PathBuf,
}

impl Mounted {
    fn new(board: &str) -> Option<Mounted> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("fulcrum-killed-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        match Mount::new(Tree::open(board, Options::default()).unwrap(), &folder) {
            Ok(mount) => Some(Mounted {
                mount: Some(mount),
                folder,
            }),
            Err(error) => {
                eprintln!("*** NOT TESTED: no simulated board can be mounted here: {error} ***");
                let _ = std::fs::remove_dir(&folder);
                None
            }
        }
    }

    fn tree(&self) -> &Tree {
        self.mount.as_ref().unwrap().tree()
    }

    fn fulcrum(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .arg("--root")
            .arg(&self.folder)
            .output()
            .unwrap()
    }

    /// What the knobs' files say, to a shell.
    fn seen(&self) -> String {
        seen(&self.folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.mount.take());
        let _ = std::fs::remove_dir(&self.folder);
    }
}

fn seen(root: &Path) -> String {
    let script = "cd \"$1\" && grep . /dev/null sys/devices/system/cpu/cpu*/online \
        sys/devices/system/cpu/cpufreq/policy*/scaling_min_freq sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq \
        sys/class/devfreq/*/min_freq sys/class/devfreq/*/max_freq sys/class/devfreq/*/device/power/control \
        sys/kernel/nvpmodel_clk_cap/emc sys/kernel/nvpmodel_emc_cap/emc_iso_cap 2>/dev/null; true";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(root)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() > 8, "{text}");
    text
}

/// A mode far from where each board starts: fewer or more cores, other clocks.
const BOARDS: [(&str, &str); 3] = [
    ("agx-orin", "cores=5,cpu=1113600,gpu=408000,emc=2133000"),
    ("orin-nano", "cores=3,cpu=729600,gpu=306000,emc=2133000"),
    ("agx-xavier", "cores=7,cpu=1190400,gpu=318750,emc=1065600"),
];

#[test]
fn killed_before_or_after_any_change_of_a_file_the_next_start_restores_the_board() {
    let mut killed = 0;
    for (board, mode) in BOARDS {
        let Some(mounted) = Mounted::new(board) else {
            return;
        };
        let found = mounted.seen();
        for effect in [Effect::KillBefore, Effect::KillAfter] {
            for nth in 1.. {
                mounted.tree().faults().clear();
                let fault = Fault::new(Touch::Change, effect.clone()).nth(nth);
                mounted.tree().faults().add(fault);
                let before = mounted.tree().faults().fired();
                let set = mounted.fulcrum(&["mode", "set", mode]);
                let struck = mounted.tree().faults().fired() > before;
                mounted.tree().faults().clear();
                if set.status.success() {
                    assert!(!struck, "{board}: the program was to be killed at change {nth}");
                    break;
                }
                assert_eq!(set.status.code(), None, "{board}, change {nth}: {set:?}");
                killed += 1;
                // Whatever was left behind, the next start puts it back, or there was nothing to put back.
                let restore = mounted.fulcrum(&["mode", "restore"]);
                assert!(
                    restore.status.success(),
                    "{board}, {effect:?} change {nth}: {restore:?}"
                );
                assert_eq!(mounted.seen(), found, "{board}, {effect:?} change {nth}");
                assert!(!mounted.folder.join("var/lib/fulcrum/journal").exists());
            }
            assert!(mounted.fulcrum(&["mode", "restore"]).status.success());
            assert_eq!(mounted.seen(), found, "{board}");
        }
    }
    assert!(killed > 60, "{killed}");
}

#[test]
fn cut_off_from_power_at_any_change_the_board_starts_as_ever_and_that_is_said() {
    let (board, mode) = BOARDS[1];
    let Some(mounted) = Mounted::new(board) else {
        return;
    };
    let found = mounted.seen();
    for nth in (1..30).step_by(3) {
        let fault = Fault::new(Touch::Change, Effect::KillAfter).nth(nth);
        mounted.tree().faults().add(fault);
        let set = mounted.fulcrum(&["mode", "set", mode]);
        mounted.tree().faults().clear();
        mounted.tree().power_cut().unwrap();
        let restore = mounted.fulcrum(&["mode", "restore"]);
        assert!(restore.status.success(), "change {nth}: {restore:?}");
        assert_eq!(mounted.seen(), found, "change {nth}");
        let said = String::from_utf8_lossy(&restore.stdout).into_owned();
        assert!(said.contains("nothing to restore"), "change {nth}: {said}");
        if set.status.success() {
            return;
        }
    }
    panic!("a switch changes files fewer than 30 times");
}

#[test]
fn a_mode_is_set_and_restored_at_the_real_paths_inside_a_mount_namespace() {
    let allowed = Command::new("unshare")
        .args(["-m", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("*** NOT TESTED: no mount namespace may be made here ***");
        return;
    }
    for (board, mode) in BOARDS {
        let Some(mounted) = Mounted::new(board) else {
            return;
        };
        let found = mounted.seen();
        // The board's files in place of this machine's, for this shell and its children alone.
        let script = "set -e; mount --make-rprivate /; \
            for d in sys var/lib etc; do mount --bind \"$1/$d\" \"/$d\"; done; \
            \"$2\" mode set \"$3\" >/dev/null; cat /sys/devices/system/cpu/online; \
            cat /sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq; cat /sys/class/devfreq/*/max_freq; \
            test -e /var/lib/fulcrum/journal; \"$2\" mode restore >/dev/null; test ! -e /var/lib/fulcrum/journal";
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(&mounted.folder)
            .args([PROGRAM, mode])
            .output()
            .unwrap();
        let (said, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{board}: {said}{error}");
        let number = |knob: &str| -> u64 {
            let part = mode.split(',').find_map(|part| part.strip_prefix(knob));
            part.unwrap().parse().unwrap()
        };
        let expected = [
            format!("0-{}", number("cores=") - 1),
            number("cpu=").to_string(),
            (number("gpu=") * 1_000).to_string(),
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{board}");
        assert_eq!(mounted.seen(), found, "{board}");
    }
}
