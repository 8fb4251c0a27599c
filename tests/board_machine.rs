//! A board behind its files, on a simulated Jetson that is mounted: real system calls, read back by a shell.
//!
//! Where nothing can be mounted (no /dev/fuse, no right to it) the tests say so and end: plain files have none of the rules
//! that they are about.
#![cfg(feature = "fuse")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::{Board, Knob, Machine, Root, Setting};
use fulcrum::power::{
    Change, ChangeError, Journal, ModeSpace, PowerMode, Recovery, preset, recover, restore,
};

use fulcrum::twin::faults::{Effect, Fault, Touch};
use fulcrum::twin::fuse::Mount;
use fulcrum::twin::tree::{Hotplug, Options, Tree};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const BOARDS: [&str; 3] = ["agx-orin", "orin-nano", "agx-xavier"];

/// A mounted board; gone when dropped.
struct Mounted {
    mount: Option<Mount>,
    folder: PathBuf,
}

impl Mounted {
    /// `None`, said loudly, where nothing can be mounted.
    fn new(board: &str, hotplug: Hotplug) -> Option<Mounted> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("fulcrum-machine-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = Options {
            hotplug,
            ..Options::default()
        };
        match Mount::new(Tree::open(board, options).unwrap(), &folder) {
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

    fn root(&self) -> Root {
        Root::new(&self.folder)
    }

    fn machine(&self) -> Machine {
        Machine::detect(self.root()).unwrap()
    }

    fn tree(&self) -> &Tree {
        self.mount.as_ref().unwrap().tree()
    }

    fn journal(&self) -> Journal {
        let root = self.root();
        Journal::lock(&root, &Journal::folder(&root)).unwrap()
    }

    /// What every writable file of the knobs says, to a shell: another reader than the code under test.
    fn seen_by_a_shell(&self) -> BTreeMap<String, String> {
        let script = "cd \"$1\" && grep . /dev/null sys/devices/system/cpu/cpu*/online \
            sys/devices/system/cpu/cpufreq/policy*/scaling_min_freq sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq \
            sys/class/devfreq/*/min_freq sys/class/devfreq/*/max_freq sys/class/devfreq/*/device/power/control \
            sys/kernel/nvpmodel_clk_cap/emc sys/kernel/nvpmodel_emc_cap/emc_iso_cap \
            sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked 2>/dev/null; true";
        let output = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&self.folder)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().count() > 8, "{text}");
        let pairs = text.lines().map(|line| line.split_once(':').unwrap());
        pairs
            .map(|(path, value)| (path.to_owned(), value.to_owned()))
            .collect()
    }

    /// Writes to knobs since the log was cleared.
    fn writes(&self) -> usize {
        self.tree().log().len()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.mount.take());
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// Cores, and the clocks of every cluster, GPU and memory, as the shell sees them.
fn check(seen: &BTreeMap<String, String>, mode: &PowerMode, what: &str) {
    let all = |end: &str| -> Vec<u64> {
        let of = seen.iter().filter(|(path, _)| path.ends_with(end));
        of.map(|(_, value)| value.parse().unwrap()).collect()
    };
    let online = seen
        .iter()
        .filter(|(path, value)| path.ends_with("/online") && *value == "1")
        .count();
    let first = usize::from(!seen.contains_key("sys/devices/system/cpu/cpu0/online"));
    assert_eq!(online + first, usize::from(mode.cores), "{what}: {seen:#?}");
    for ceiling in all("scaling_max_freq") {
        assert_eq!(ceiling, u64::from(mode.cpu.0), "{what}: {seen:#?}");
    }
    for floor in all("scaling_min_freq") {
        assert!(floor <= u64::from(mode.cpu.0), "{what}: {seen:#?}");
    }
    let gpu = seen
        .iter()
        .find(|(path, _)| path.contains("devfreq") && path.ends_with("max_freq"))
        .unwrap();
    assert_eq!(
        gpu.1.parse(),
        Ok(u64::from(mode.gpu.0) * 1_000),
        "{what}: {seen:#?}"
    );
    let emc = seen.iter().find(|(path, _)| path.contains("/nvpmodel_")).unwrap();
    assert_eq!(
        emc.1.parse(),
        Ok(u64::from(mode.emc.0) * 1_000),
        "{what}: {seen:#?}"
    );
    assert!(all("mrq_rate_locked").iter().all(|locked| *locked == 0), "{what}");
}

fn modes(machine: &Machine, count: usize, seed: u64) -> Vec<PowerMode> {
    let space = ModeSpace::of(machine.facts());
    // Weyl's sequence: spread over the space, another for each seed.
    let golden = 0x9E37_79B9_7F4A_7C15_u64;
    let at =
        |n: u64| ((u128::from(golden.wrapping_mul(n + 1_000 * seed)) * space.len() as u128) >> 64) as usize;
    (0..count as u64).map(|n| space.at(at(n)).unwrap()).collect()
}

#[test]
fn every_board_is_read_as_what_it_is() {
    for (board, cores, space) in [
        ("agx-orin", 12, 12 * 29 * 11 * 4),
        ("orin-nano", 6, 6 * 22 * 8 * 4),
        ("agx-xavier", 8, 8 * 29 * 14 * 9),
    ] {
        let Some(mounted) = Mounted::new(board, Hotplug::Vanish) else {
            return;
        };
        let machine = mounted.machine();
        assert_eq!(machine.facts().cores(), cores, "{board}");
        assert_eq!(ModeSpace::of(machine.facts()).len(), space, "{board}");
        assert!(
            Knob::ALL.iter().all(|knob| machine.absence(*knob).is_none()),
            "{board}"
        );
        let (presets, default) = preset::presets(&machine).unwrap();
        assert!(
            presets.len() > 2 && presets.iter().any(|it| it.id == default),
            "{board}"
        );
        let noted = preset::noted(&machine).unwrap();
        let present: Vec<u32> = presets
            .iter()
            .filter(|it| it.is_present(&machine).unwrap())
            .map(|it| it.id)
            .collect();
        assert!(
            present.contains(&noted),
            "{board}: noted {noted}, present {present:?}"
        );
        assert_eq!(mounted.writes(), 0, "reading wrote: {:?}", mounted.tree().log());
    }
}

#[test]
fn two_hundred_random_modes_are_set_as_a_shell_sees_them_and_restored() {
    for board in BOARDS {
        for hotplug in [Hotplug::Vanish, Hotplug::Keep] {
            let Some(mounted) = Mounted::new(board, hotplug) else {
                return;
            };
            let found = mounted.seen_by_a_shell();
            let mut most = 0;
            let mut machine = mounted.machine();
            for mode in modes(&machine, 100, 7) {
                mounted.tree().clear_log();
                let applied = Change::begin(&mut machine)
                    .unwrap()
                    .journaled(mounted.journal(), None)
                    .apply(mode)
                    .unwrap();
                assert_eq!(applied.limited(), [], "{board} {mode}");
                most = most.max(mounted.writes());
                let seen = mounted.seen_by_a_shell();
                match hotplug {
                    Hotplug::Vanish => check(&seen, &mode, &format!("{board} {mode}")),
                    // A cluster without a core keeps its folder and its old clock.
                    Hotplug::Keep => {
                        assert_eq!(PowerMode::present(applied.board()).unwrap().cores, mode.cores)
                    }
                }
                applied.restore().unwrap();
                assert_eq!(mounted.seen_by_a_shell(), found, "{board} {mode}");
            }
            assert!(most <= 40, "{board}: a switch took {most} writes");
            assert!(!Journal::folder(&mounted.root()).join("journal").exists());
        }
    }
}

#[test]
fn every_preset_is_set_as_a_shell_sees_it_and_restored_or_refused_for_its_masks_before_the_first_write() {
    for board in BOARDS {
        let Some(mounted) = Mounted::new(board, Hotplug::Vanish) else {
            return;
        };
        let found = mounted.seen_by_a_shell();
        let (presets, _) = preset::presets(&mounted.machine()).unwrap();
        let mut set = 0;
        for preset in presets {
            mounted.tree().clear_log();
            let mut machine = mounted.machine();
            let goals = match preset.goals() {
                Ok(goals) => goals,
                Err(refusal) => {
                    assert!(refusal.to_string().contains("needs a reboot"), "{refusal}");
                    assert_eq!(mounted.writes(), 0);
                    continue;
                }
            };
            let applied = Change::begin(&mut machine)
                .unwrap()
                .journaled(mounted.journal(), None)
                .apply_goals(&goals)
                .unwrap();
            let present = PowerMode::present(applied.board()).unwrap();
            check(
                &mounted.seen_by_a_shell(),
                &present,
                &format!("{board} {}", preset.name),
            );
            assert!(
                preset.is_present(applied.board()).unwrap(),
                "{board} {}",
                preset.name
            );
            applied.restore().unwrap();
            assert_eq!(mounted.seen_by_a_shell(), found, "{board} {}", preset.name);
            set += 1;
        }
        assert!(set >= 1, "{board}");
    }
}

/// Ten modes that differ in every knob, and every pair of them.
fn pairs(machine: &Machine) -> Vec<(PowerMode, PowerMode)> {
    let modes = modes(machine, 10, 3);
    let all = |from: &PowerMode| modes.iter().map(|to| (*from, *to)).collect::<Vec<_>>();
    modes
        .iter()
        .flat_map(all)
        .filter(|(from, to)| from != to)
        .collect()
}

/// Every setting's value.
fn values(machine: &Machine) -> Vec<(Setting, Option<u32>)> {
    let settings = machine.settings().iter();
    settings.map(|it| (*it, machine.get(*it).unwrap())).collect()
}

#[test]
fn whichever_write_fails_once_the_board_ends_in_the_old_mode() {
    let mut failures = 0;
    for board in BOARDS {
        let Some(mounted) = Mounted::new(board, Hotplug::Vanish) else {
            return;
        };
        let mut machine = mounted.machine();
        for (from, to) in pairs(&machine) {
            Change::begin(&mut machine)
                .unwrap()
                .apply(from)
                .unwrap()
                .keep()
                .unwrap();
            let old = values(&machine);
            for nth in 1.. {
                mounted.tree().faults().clear();
                let fault = Fault::new(Touch::Write, Effect::Errno(rustix::io::Errno::IO));
                mounted.tree().faults().add(fault.nth(nth));
                let journal = mounted.journal();
                let change = Change::begin(&mut machine).unwrap().journaled(journal, None);
                match change.apply(to) {
                    Ok(applied) => {
                        mounted.tree().faults().clear();
                        applied.restore().unwrap();
                        break;
                    }
                    Err(ChangeError::Failed { unrestored: None, .. }) => failures += 1,
                    Err(error) => panic!("{board} {from} to {to}, write {nth}: {error}"),
                }
                assert_eq!(values(&machine), old, "{board} {from} to {to}, write {nth}");
                let left = Journal::folder(&mounted.root()).join("journal");
                assert!(!left.exists(), "{board} {from} to {to}, write {nth}");
            }
        }
    }
    assert!(failures > 100, "{failures}");
}

#[test]
fn whichever_write_fails_for_good_the_failure_is_reported_and_the_next_start_repairs_it() {
    let mut repaired = 0;
    for board in BOARDS {
        let Some(mounted) = Mounted::new(board, Hotplug::Vanish) else {
            return;
        };
        let mut machine = mounted.machine();
        for (from, to) in pairs(&machine) {
            Change::begin(&mut machine)
                .unwrap()
                .apply(from)
                .unwrap()
                .keep()
                .unwrap();
            let old = values(&machine);
            for nth in 1.. {
                mounted.tree().faults().clear();
                let fault = Fault::new(Touch::Write, Effect::Errno(rustix::io::Errno::IO));
                mounted.tree().faults().add(fault.nth(nth).for_good());
                let change = Change::begin(&mut machine)
                    .unwrap()
                    .journaled(mounted.journal(), None);
                let unrestored = match change.apply(to) {
                    Ok(applied) => {
                        mounted.tree().faults().clear();
                        applied.restore().unwrap();
                        break;
                    }
                    Err(ChangeError::Failed { unrestored, .. }) => unrestored.is_some(),
                    Err(error) => panic!("{board} {from} to {to}, write {nth}: {error}"),
                };
                mounted.tree().faults().clear();
                if unrestored {
                    assert_ne!(values(&machine), old, "{board} {from} to {to}, write {nth}");
                    let recovery = recover(&mut machine, &mounted.journal()).unwrap();
                    assert!(
                        matches!(recovery, Recovery::Restored { held: false, .. }),
                        "{recovery:?}"
                    );
                    repaired += 1;
                }
                assert_eq!(values(&machine), old, "{board} {from} to {to}, write {nth}");
                assert!(matches!(
                    recover(&mut machine, &mounted.journal()),
                    Ok(Recovery::Nothing)
                ));
            }
        }
    }
    assert!(repaired > 100, "{repaired}");
}

#[test]
fn a_mode_that_is_held_is_restored_to_what_was_before_the_first_of_several() {
    let Some(mounted) = Mounted::new("agx-orin", Hotplug::Vanish) else {
        return;
    };
    let found = mounted.seen_by_a_shell();
    let mut machine = mounted.machine();
    for mode in modes(&machine, 3, 5) {
        let journal = mounted.journal();
        let held = match recover(&mut machine, &journal).unwrap() {
            Recovery::Held(record) => Some(record),
            _ => None,
        };
        let change = Change::begin(&mut machine).unwrap().journaled(journal, held);
        change.apply(mode).unwrap().keep().unwrap();
    }
    let recovery = restore(&mut machine, &mounted.journal()).unwrap();
    assert!(
        matches!(recovery, Recovery::Restored { held: true, .. }),
        "{recovery:?}"
    );
    assert_eq!(mounted.seen_by_a_shell(), found);
}

#[test]
fn after_a_reboot_nothing_is_put_back_and_that_is_said() {
    let Some(mounted) = Mounted::new("orin-nano", Hotplug::Vanish) else {
        return;
    };
    let mut machine = mounted.machine();
    let mode = modes(&machine, 1, 9)[0];
    let change = Change::begin(&mut machine)
        .unwrap()
        .journaled(mounted.journal(), None);
    change.apply(mode).unwrap().keep().unwrap();
    mounted.tree().reboot().unwrap();
    let found = mounted.seen_by_a_shell();
    let mut machine = mounted.machine();
    let recovery = restore(&mut machine, &mounted.journal()).unwrap();
    assert!(matches!(recovery, Recovery::OtherBoot), "{recovery:?}");
    assert_eq!(mounted.seen_by_a_shell(), found);
}

#[test]
fn a_change_that_is_cut_off_over_a_held_mode_goes_back_to_the_held_mode_and_a_restore_to_before_both() {
    let Some(mounted) = Mounted::new("agx-xavier", Hotplug::Vanish) else {
        return;
    };
    let found = mounted.seen_by_a_shell();
    let mut machine = mounted.machine();
    let modes = modes(&machine, 2, 8);
    let change = Change::begin(&mut machine)
        .unwrap()
        .journaled(mounted.journal(), None);
    change.apply(modes[0]).unwrap().keep().unwrap();
    let held = mounted.seen_by_a_shell();
    let journal = mounted.journal();
    let Recovery::Held(record) = recover(&mut machine, &journal).unwrap() else {
        panic!()
    };
    let change = Change::begin(&mut machine)
        .unwrap()
        .journaled(journal, Some(record));
    // As a kill leaves it: nothing is put back, and the journal is open.
    std::mem::forget(change.apply(modes[1]).unwrap());
    drop(machine);
    // The lock of a program that lives on; one that was killed has none.
    std::fs::remove_file(Journal::folder(&mounted.root()).join("lock")).unwrap();
    let mut machine = mounted.machine();
    let recovery = recover(&mut machine, &mounted.journal()).unwrap();
    assert!(
        matches!(
            recovery,
            Recovery::Restored {
                held: false,
                still_held: Some(_),
                ..
            }
        ),
        "{recovery:?}"
    );
    assert_eq!(mounted.seen_by_a_shell(), held);
    assert!(matches!(
        recover(&mut machine, &mounted.journal()),
        Ok(Recovery::Held(_))
    ));
    restore(&mut machine, &mounted.journal()).unwrap();
    assert_eq!(mounted.seen_by_a_shell(), found);
}

#[test]
fn a_setting_that_cannot_be_seen_any_more_is_not_said_to_be_restored() {
    let Some(mounted) = Mounted::new("orin-nano", Hotplug::Vanish) else {
        return;
    };
    let mut machine = mounted.machine();
    let change = Change::begin(&mut machine)
        .unwrap()
        .journaled(mounted.journal(), None);
    let lowest = machine_lowest_memory(&mounted);
    change
        .apply_knobs(&[(Knob::Emc, lowest)])
        .unwrap()
        .keep()
        .unwrap();
    // A container without debugfs does not see the table of memory clocks, and so no such knob.
    let rates = "sys/kernel/debug/bpmp/debug/emc/possible_rates";
    mounted.tree().faults().hide(rates, None).unwrap();
    let mut blind = mounted.machine();
    let refused = restore(&mut blind, &mounted.journal()).unwrap_err();
    assert!(refused.to_string().contains("emc-ceiling"), "{refused}");
    mounted.tree().faults().clear();
    let mut machine = mounted.machine();
    assert!(matches!(
        restore(&mut machine, &mounted.journal()),
        Ok(Recovery::Restored { .. })
    ));
}

fn machine_lowest_memory(mounted: &Mounted) -> u32 {
    mounted.machine().facts().values(Knob::Emc)[0]
}
