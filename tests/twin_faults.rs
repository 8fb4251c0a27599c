//! What goes wrong in a simulated tree: faults on demand, other programs, latencies, reboots.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod tree;

use fulcrum::twin::faults::{Effect, Fault, Place, Touch};
use fulcrum::twin::tree::{Adversary, AdversaryError, By, Tree};
use fulcrum::units::Nanos;
use rustix::io::Errno;
use tree::{BOARDS, CPU, EMC, POLICY, STILL, gpu, open, put};

#[test]
fn cooling_lowers_what_reads_back_and_leaves_our_request() {
    let tree = open("agx-orin");
    let (cpu, gpu) = (
        format!("{POLICY}/scaling_max_freq"),
        format!("{}/max_freq", gpu(&tree)),
    );
    tree.adversary(Adversary::Cooling(true)).unwrap();
    assert_eq!(put(&tree, &cpu, "2035200").unwrap(), "1100800");
    assert_eq!(tree.text(&gpu).unwrap(), "650250000");
    let zone: i64 = tree
        .text("sys/class/thermal/thermal_zone8/temp")
        .unwrap()
        .parse()
        .unwrap();
    assert!(zone >= 99_000);
    tree.adversary(Adversary::Cooling(false)).unwrap();
    assert_eq!(tree.text(&cpu).unwrap(), "2035200");
    assert_eq!(tree.text(&gpu).unwrap(), "1300500000");
}

#[test]
fn other_programs_write_the_same_knobs_and_the_log_names_them() {
    let tree = open("orin-nano");
    tree.adversary(Adversary::Nvpmodel(0)).unwrap();
    assert_eq!(
        tree.text(&format!("{POLICY}/scaling_max_freq")).unwrap(),
        "1497600"
    );
    assert_eq!(tree.text("var/lib/nvpmodel/status").unwrap(), "pmode:0000");
    assert!(
        tree.log()
            .iter()
            .all(|operation| operation.by == By::Other("nvpmodel"))
    );
    assert_eq!(
        tree.adversary(Adversary::Nvpmodel(9)),
        Err(AdversaryError::NoSuchMode(9))
    );

    let before = tree.text(&format!("{POLICY}/scaling_min_freq")).unwrap();
    tree.adversary(Adversary::JetsonClocks).unwrap();
    assert_eq!(
        tree.text(&format!("{POLICY}/scaling_min_freq")).unwrap(),
        "1497600"
    );
    assert_eq!(tree.text(&format!("{EMC}/mrq_rate_locked")).unwrap(), "1");
    assert_eq!(tree.text(&format!("{EMC}/rate")).unwrap(), "2133000000");
    tree.adversary(Adversary::JetsonClocksRestore { leaves_lock: true })
        .unwrap();
    assert_eq!(tree.text(&format!("{POLICY}/scaling_min_freq")).unwrap(), before);
    assert_eq!(
        tree.text(&format!("{EMC}/mrq_rate_locked")).unwrap(),
        "1",
        "as was seen"
    );
    tree.adversary(Adversary::Fan(200)).unwrap();
    assert_eq!(tree.text("sys/class/hwmon/hwmon0/pwm1").unwrap(), "200");
}

#[test]
fn every_preset_of_every_board_can_be_set_by_its_own_tool_and_reads_back() {
    for board in BOARDS {
        let tree = open(board);
        let conf = tree.text("etc/nvpmodel.conf").unwrap();
        let ids: Vec<u32> = conf
            .lines()
            .filter_map(|line| line.strip_prefix("< POWER_MODEL ID="))
            .map(|rest| rest.split(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(ids.len() >= 4, "{board}");
        for id in ids {
            tree.adversary(Adversary::Nvpmodel(id)).unwrap();
            for operation in tree.log() {
                assert_eq!(operation.result, Ok(()), "{board} mode {id}: {operation}");
            }
            tree.clear_log();
        }
    }
}

#[test]
fn a_reboot_keeps_var_lib_and_gives_another_identity() {
    let tree = open("orin-nano");
    let id = "proc/sys/kernel/random/boot_id";
    let first = tree.text(id).unwrap();
    assert_eq!(first.len(), 36);
    assert_eq!(
        open("orin-nano").text(id).unwrap(),
        first,
        "equal seeds, equal identities"
    );
    tree.write("etc/nv_tegra_release", "gone").unwrap();
    tree.write(&format!("{POLICY}/scaling_max_freq"), "960000")
        .unwrap();
    tree.write(&format!("{CPU}/cpu5/online"), "0").unwrap();
    tree.write(&format!("{EMC}/mrq_rate_locked"), "1").unwrap();
    tree.write("var/lib/nvpmodel/status", "pmode:0002\n").unwrap();
    tree.reboot().unwrap();
    assert_ne!(tree.text(id).unwrap(), first);
    assert!(tree.text("etc/nv_tegra_release").unwrap().starts_with("# R36"));
    assert_eq!(tree.text(&format!("{CPU}/online")).unwrap(), "0-5");
    assert_eq!(tree.text(&format!("{EMC}/mrq_rate_locked")).unwrap(), "0");
    assert_eq!(tree.text("var/lib/nvpmodel/status").unwrap(), "pmode:0002");
    assert_eq!(
        tree.text(&format!("{POLICY}/scaling_max_freq")).unwrap(),
        "1728000",
        "the noted mode"
    );
}

#[test]
fn faults_strike_writes_and_reads_as_they_say() {
    let tree = open("orin-nano");
    let max = format!("{POLICY}/scaling_max_freq");
    let at = || Place::Path(format!("/{CPU}/cpu0/cpufreq/scaling_max_freq"));
    let strike = |touch, effect| tree.faults().add(Fault::new(touch, effect).at(at()));
    let read = |tree: &Tree| tree.text(&max).unwrap();

    strike(Touch::Write, Effect::Errno(Errno::IO));
    assert_eq!(tree.write(&max, "960000"), Err(Errno::IO));
    assert_eq!(read(&tree), "1344000");
    strike(Touch::Write, Effect::Ignore);
    assert_eq!(tree.write(&max, "960000"), Ok(6));
    assert_eq!(read(&tree), "1344000");
    strike(Touch::Write, Effect::Value("806400".into()));
    assert_eq!(tree.write(&max, "960000"), Ok(6));
    assert_eq!(read(&tree), "806400");
    strike(Touch::Write, Effect::Short(3));
    assert_eq!(tree.write(&max, "960000"), Ok(3));
    assert_eq!(read(&tree), "115200", "the kernel saw 960");
    strike(Touch::Read, Effect::Value("soup".into()));
    assert_eq!(read(&tree), "soup");
    strike(Touch::Read, Effect::Short(2));
    assert_eq!(tree.read(&max).unwrap(), b"11");
    strike(Touch::Read, Effect::Errno(Errno::TIMEDOUT));
    assert_eq!(tree.read(&max), Err(Errno::TIMEDOUT));
    strike(Touch::Write, Effect::Vanish);
    assert_eq!(tree.write(&max, "1344000"), Err(Errno::NODEV));
    assert_eq!(tree.write(&max, "1344000"), Err(Errno::NOENT));
    assert_eq!(tree.faults().fired(), 8);
    tree.faults().clear();
    assert_eq!(tree.write(&max, "1344000"), Ok(7));
    assert_eq!(read(&tree), "1344000");
}

#[test]
fn the_nth_write_anywhere_fails_once_or_for_good_and_the_log_keeps_the_order() {
    let (max, min) = (
        format!("{POLICY}/scaling_max_freq"),
        format!("{POLICY}/scaling_min_freq"),
    );
    for lasting in [false, true] {
        let tree = open("orin-nano");
        let fault = Fault::new(Touch::Write, Effect::Errno(Errno::IO)).nth(2);
        tree.faults().add(if lasting { fault.for_good() } else { fault });
        let outcomes = [(&max, "960000"), (&min, "960000"), (&min, "806400")]
            .map(|(path, text)| tree.write(path, format!("{text}\n")).is_ok());
        assert_eq!(outcomes, [true, false, !lasting]);
        let log: Vec<_> = tree
            .log()
            .iter()
            .map(|op| (op.path.clone(), op.text.clone(), op.result.is_ok()))
            .collect();
        let wanted = [
            (&max, "960000", true),
            (&min, "960000", false),
            (&min, "806400", !lasting),
        ];
        assert_eq!(
            log,
            wanted.map(|(path, text, ok)| (path.clone(), text.to_owned(), ok))
        );
    }
}

#[test]
fn a_node_can_come_late() {
    let tree = open("orin-nano");
    let gpu = gpu(&tree);
    tree.faults().hide(&gpu, Some(Nanos::from_millis(300))).unwrap();
    assert!(!tree.exists(&gpu) && !tree.exists(&format!("{gpu}/max_freq")));
    tree.advance(Nanos::from_millis(299));
    assert!(!tree.exists(&gpu));
    tree.advance(Nanos::from_millis(1));
    assert!(tree.exists(&format!("{gpu}/max_freq")));
    assert_eq!(tree.faults().hide("no/such", None), Err(Errno::NOENT));
}

#[test]
fn latencies_are_logged_and_their_sum_is_what_a_switch_takes() {
    let tree = open("orin-nano");
    tree.write(&format!("{POLICY}/scaling_max_freq"), "960000")
        .unwrap();
    tree.latencies(true);
    tree.write(&format!("{POLICY}/scaling_max_freq"), "1344000")
        .unwrap();
    tree.write(&format!("{}/max_freq", gpu(&tree)), "918000000")
        .unwrap();
    tree.write(&format!("{EMC}/rate"), "2133000000").unwrap();
    let took: Vec<u64> = tree
        .log()
        .iter()
        .map(|operation| operation.took.0 / 1_000)
        .collect();
    assert_eq!(took[0], 0);
    for (took, range) in took[1..].iter().zip([1_300..2_300, 2_400..3_500, 8_200..11_500]) {
        assert!(range.contains(took), "{took} us in {range:?}");
    }
}

#[test]
fn commands_say_what_is_wrong_with_them() {
    let tree = open("orin-nano");
    for line in [
        "",
        "load cpu=0.5 gpu=1",
        "heat on",
        "heat off",
        "latencies off",
        "over-current 1 3",
        "adversary nvpmodel 0",
        "adversary jetson_clocks",
        "adversary jetson_clocks restore-locked",
        "adversary fan 10",
        "fault write ends=scaling_max_freq nth=3 always errno=EIO",
        "fault read at=/sys/class/thermal/thermal_zone0/temp block_ms=5",
        "fault change kill=before",
        "hide sys/kernel/debug ms=20",
        "clear",
        "clear-log",
        "reboot",
        "power-cut",
    ] {
        assert_eq!(tree.command(line), Ok(()), "{line}");
    }
    for (line, says) in [
        ("jump", "\"jump\" is no command"),
        ("load cpu=2", "\"cpu=2\" is not understood"),
        ("load cpu=NaN", "\"cpu=NaN\""),
        ("heat", "on or off is missing"),
        ("adversary nvpmodel", "the mode's id is missing"),
        ("adversary nvpmodel 77", "no mode with the id 77"),
        ("fault write", "what goes wrong is missing"),
        ("fault write errno=EWHAT", "\"EWHAT\""),
        ("fault write nth=x ignore", "\"x\""),
        ("hide no/such/path", "no/such/path: "),
        ("over-current 7 1", "\"7\""),
    ] {
        let error = tree.command(line).unwrap_err().to_string();
        assert!(error.contains(says), "{line}: {error}");
    }
    let unknown = Tree::open("nano", STILL).unwrap_err().to_string();
    assert!(unknown.contains("agx-orin, orin-nano, agx-xavier"), "{unknown}");
}
