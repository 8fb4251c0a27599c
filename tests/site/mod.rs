//! A simulated board in a folder, for tests of the program: mounted where that can be done, else as ordinary files.
#![allow(dead_code, reason = "each test file uses a part of it")]

use fulcrum::twin::fuse::Mount;
use fulcrum::twin::tree::{Options, Tree};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// The boards that can be simulated.
pub(crate) const BOARDS: [&str; 3] = ["agx-orin", "orin-nano", "agx-xavier"];

/// A simulated board in a folder of its own.
pub(crate) struct Site {
    pub(crate) board: &'static str,
    folder: PathBuf,
    mount: Option<Mount>,
}

impl Site {
    /// Mounts it, or says that it could not be and writes ordinary files.
    pub(crate) fn new(board: &'static str) -> Site {
        let (folder, tree) = made(board);
        match Mount::new(tree.clone(), &folder) {
            Ok(mount) => {
                eprintln!("{board}: mounted");
                Site {
                    board,
                    folder,
                    mount: Some(mount),
                }
            }
            Err(error) => {
                eprintln!("{board}: PLAIN FILES, since it cannot be mounted: {error}");
                tree.write_plain(&folder).unwrap();
                Site {
                    board,
                    folder,
                    mount: None,
                }
            }
        }
    }

    /// Ordinary files, in any case.
    pub(crate) fn plain(board: &'static str) -> Site {
        let (folder, tree) = made(board);
        tree.write_plain(&folder).unwrap();
        Site {
            board,
            folder,
            mount: None,
        }
    }

    /// The tree behind the mount, for faults and the log; `None`, loudly, with ordinary files.
    pub(crate) fn tree(&self) -> Option<&Tree> {
        if self.mount.is_none() {
            eprintln!("{}: SKIPPED what takes a mount", self.board);
        }
        self.mount.as_ref().map(Mount::tree)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.folder
    }

    /// Runs `fulcrum` with these words and `--root`.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
        command.args(words).arg("--root").arg(&self.folder);
        command
    }

    /// The JSON it prints; it must succeed.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let out = self.run(&[words, &["--json"]].concat());
        assert!(out.status.success(), "{words:?}: {}", said(&out));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    /// What it says on standard error and with which exit code; it must print nothing else.
    pub(crate) fn refused(&self, words: &[&str]) -> (i32, String) {
        let out = self.run(words);
        assert!(
            !out.status.success(),
            "{words:?} was not refused: {}",
            printed(&out)
        );
        assert!(out.stdout.is_empty(), "{words:?}: {}", printed(&out));
        (out.status.code().unwrap_or(-1), said(&out))
    }

    /// Every knob's file with what it holds, as a shell reads it.
    pub(crate) fn state(&self) -> String {
        let out = Command::new("sh")
            .current_dir(&self.folder)
            .arg("-c")
            .arg(
                "cpu=sys/devices/system/cpu; for file in $cpu/cpu*/online $cpu/cpufreq/policy*/scaling_m??_freq \
                 sys/class/devfreq/*/m??_freq sys/class/devfreq/*/device/power/control sys/kernel/nvpmodel_clk_cap/emc \
                 sys/kernel/nvpmodel_emc_cap/emc_iso_cap sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked; do \
                 if [ -e $file ]; then echo $file $(cat $file); fi; done",
            )
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", said(&out));
        printed(&out)
    }

    /// The number that the file whose name ends so holds, as a shell reads it.
    pub(crate) fn reads(&self, end: &str) -> Option<u64> {
        let state = self.state();
        let mut lines = state.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(file, _)| file.ends_with(end))
            .map(|(_, value)| value.parse().unwrap())
    }

    /// Cores that are online, as a shell counts them.
    pub(crate) fn cores_online(&self) -> usize {
        let state = self.state();
        let hotplug = state
            .lines()
            .filter(|line| line.ends_with("/online 1") && !line.contains("/cpu0/"));
        1 + hotplug.count()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Before its folder goes.
        self.mount = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn made(board: &str) -> (PathBuf, Tree) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("fulcrum-site-{board}-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    (folder, Tree::open(board, Options::default()).unwrap())
}

pub(crate) fn printed(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

pub(crate) fn said(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).unwrap()
}
