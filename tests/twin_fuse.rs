//! The simulated tree through real system calls: mounted, and driven by a shell.
//!
//! Where nothing can be mounted the tests say so and use ordinary files for what those can show.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::twin::Mount;
use fulcrum::twin::faults::{Effect, Fault, Place, Touch};
use fulcrum::twin::fuse::MountError;
use fulcrum::twin::tree::{By, Hotplug, Options, Tree};
use fulcrum::units::Nanos;
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const BOARDS: [(&str, &str); 3] = [
    ("agx-orin", "agx_orin_jp6"),
    ("orin-nano", "orin_nano_jp6"),
    ("agx-xavier", "agx_xavier_jp5"),
];
const CPU: &str = "sys/devices/system/cpu";
const POLICY: &str = "sys/devices/system/cpu/cpufreq/policy0";

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fulcrum-fuse-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// A mounted board. Dropped in this order: first the mount, then its folder.
struct Mounted {
    mount: Mount,
    folder: Folder,
}

impl Mounted {
    fn tree(&self) -> &Tree {
        self.mount.tree()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.0.join(path)
    }

    /// Runs a script in the root of the tree.
    fn shell(&self, script: &str) -> Output {
        self.start(script).wait_with_output().unwrap()
    }

    fn start(&self, script: &str) -> Child {
        Command::new("sh")
            .args(["-c", script])
            .current_dir(&self.folder.0)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What a script prints; it must succeed.
    fn says(&self, script: &str) -> String {
        let output = self.shell(script);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// What a script complains about; it must fail.
    fn complains(&self, script: &str) -> String {
        let output = self.shell(script);
        assert!(!output.status.success(), "{script} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A mounted board, or nothing where no mount is possible; that is said out loud.
fn mounted(board: &str, options: Options) -> Option<Mounted> {
    let tree = Tree::open(board, options).unwrap();
    let folder = Folder::new();
    match Mount::new(tree, &folder.0) {
        Ok(mount) => Some(Mounted { mount, folder }),
        Err(error @ (MountError::Device(_) | MountError::Refused(..))) => {
            eprintln!("NOT TESTED THROUGH A MOUNT: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn nano() -> Option<Mounted> {
    mounted("orin-nano", Options::default())
}

#[test]
fn a_shell_reads_and_writes_the_knobs_of_every_board() {
    for (board, _) in BOARDS {
        let Some(twin) = mounted(board, Options::default()) else {
            // The plain tree can at least be read and written.
            let folder = Folder::new();
            Tree::open(board, Options::default())
                .unwrap()
                .write_plain(&folder.0)
                .unwrap();
            let max = folder.0.join(POLICY).join("scaling_max_freq");
            fs::write(&max, "960000\n").unwrap();
            assert_eq!(fs::read_to_string(&max).unwrap(), "960000\n");
            fs::remove_dir_all(&folder.0).unwrap();
            continue;
        };
        let max = format!("{POLICY}/scaling_max_freq");
        assert_eq!(
            twin.says(&format!(
                "echo 1200000 > {max}; cat {CPU}/cpu0/cpufreq/scaling_max_freq"
            ))
            .len(),
            7
        );
        assert_eq!(
            twin.says(&format!("printf 960000 > {max}; read x < {max}; echo $x")),
            "960000"
        );
        assert!(
            twin.complains(&format!("echo fast | tee {max}"))
                .contains("Invalid argument")
        );
        assert!(
            twin.complains(&format!("echo 1 > {POLICY}/related_cpus"))
                .contains("Permission denied")
        );
        assert!(
            twin.complains(&format!("echo 1 > {CPU}/new"))
                .contains("Permission denied")
        );
        assert!(
            twin.complains(&format!("mkdir {CPU}/new"))
                .contains("not permitted")
        );
        assert!(twin.complains(&format!("rm -f {max}")).contains("not permitted"));
        assert_eq!(
            twin.says("ls -A"),
            "etc\nproc\nrun\nsys\nvar",
            "the twin's own folder is not shown"
        );
        assert_eq!(twin.says(&format!("stat -c %s:%a {max}")), "4096:644");
        let device = twin.says("tr '\\0' '\\n' < proc/device-tree/compatible | tail -1");
        assert!(device.starts_with("nvidia,tegra"), "{device}");
    }
}

#[test]
fn a_cluster_that_goes_offline_takes_its_folder_from_who_has_it_cached_or_open() {
    let Some(twin) = nano() else { return };
    let max = twin.path(&format!("{CPU}/cpufreq/policy4/scaling_max_freq"));
    let open = OpenOptions::new().read(true).write(true).open(&max).unwrap();
    open.write_at(b"960000", 0).unwrap();
    assert_eq!(fs::read_to_string(&max).unwrap(), "960000\n");
    assert!(fs::metadata(&max).is_ok());
    twin.says(&format!("echo 0 > {CPU}/cpu4/online; echo 0 > {CPU}/cpu5/online"));
    let gone = |error: std::io::Error| error.raw_os_error();
    assert_eq!(fs::read(&max).map_err(gone), Err(Some(2)));
    assert_eq!(fs::metadata(&max).map_err(gone).err(), Some(Some(2)));
    assert_eq!(open.write_at(b"1", 0).map_err(gone), Err(Some(19)));
    assert_eq!(
        twin.says(&format!("ls {CPU}/cpufreq; ls {CPU}/cpu4")),
        "policy0\ncpuidle\nonline"
    );
    assert_eq!(twin.says(&format!("test -e {CPU}/cpu4/cpufreq || echo no")), "no");
    twin.says(&format!("echo 1 > {CPU}/cpu4/online"));
    assert_eq!(fs::read_to_string(&max).unwrap(), "960000\n");
    assert_eq!(
        open.write_at(b"1", 0).map_err(gone),
        Err(Some(19)),
        "opened before: dead for good"
    );

    let keep = Options {
        hotplug: Hotplug::Keep,
        ..Options::default()
    };
    let twin = mounted("orin-nano", keep).unwrap();
    twin.says(&format!("echo 0 > {CPU}/cpu4/online; echo 0 > {CPU}/cpu5/online"));
    let policy = format!("{CPU}/cpufreq/policy4");
    assert_eq!(twin.says(&format!("cat {policy}/affected_cpus")), "");
    assert!(
        twin.complains(&format!("echo 1 | tee {policy}/scaling_max_freq"))
            .contains("Invalid argument")
    );
}

#[test]
fn a_knob_is_opened_only_for_what_it_can_do_and_each_write_is_one_store() {
    let Some(twin) = nano() else { return };
    let open = |path: &str, read: bool, write: bool| {
        let options = OpenOptions::new().read(read).write(write).open(twin.path(path));
        options.map(|_| ()).map_err(|error| error.raw_os_error().unwrap())
    };
    let related = format!("{POLICY}/related_cpus");
    assert_eq!(open(&related, true, false), Ok(()));
    assert_eq!(open(&related, true, true), Err(13));
    assert_eq!(open(&format!("{POLICY}/scaling_max_freq"), true, true), Ok(()));

    let max = twin.path(&format!("{POLICY}/scaling_max_freq"));
    let mut file = OpenOptions::new().write(true).truncate(true).open(max).unwrap();
    for text in ["960000\n", "806400"] {
        file.write_all(text.as_bytes()).unwrap();
    }
    let log = twin.tree().log();
    let written: Vec<_> = log
        .iter()
        .map(|operation| (operation.text.as_str(), operation.by))
        .collect();
    // By the thread that wrote; this is not the test's process id.
    assert!(
        matches!(
            written[..],
            [("960000", By::Process(_)), ("806400", By::Process(_))]
        ),
        "{written:?}"
    );
    assert_eq!(twin.says("cat .twin/log | wc -l"), "2");
    assert!(
        twin.says("cat .twin/log")
            .ends_with("sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq \"806400\" ok")
    );
}

#[test]
fn a_user_without_rights_is_refused_by_the_permission_bits() {
    let Some(twin) = nano() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT TESTED: another user takes root to become");
        return;
    }
    let as_nobody = |script: &str| {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .current_dir(&twin.folder.0)
            .uid(65_534)
            .gid(65_534);
        command.output().unwrap().status.success()
    };
    assert!(as_nobody(&format!("cat {POLICY}/scaling_max_freq")));
    assert!(!as_nobody(&format!("echo 960000 > {POLICY}/scaling_max_freq")));
    assert!(!as_nobody(&format!("cat {POLICY}/cpuinfo_cur_freq")));
    assert!(!as_nobody("ls sys/kernel/debug/bpmp"));
    assert!(twin.tree().log().is_empty());
}

#[test]
fn the_disk_behaves_as_a_disk() {
    let Some(twin) = nano() else { return };
    let folder = twin.path("var/lib/fulcrum");
    fs::create_dir(folder.join("sub")).unwrap();
    let mut file = File::create(folder.join("journal.tmp")).unwrap();
    file.write_all(b"one two").unwrap();
    file.write_all(b" three").unwrap();
    file.sync_all().unwrap();
    fs::rename(folder.join("journal.tmp"), folder.join("sub/journal")).unwrap();
    File::open(&folder).unwrap().sync_all().unwrap();
    assert_eq!(fs::read(folder.join("sub/journal")).unwrap(), b"one two three");
    assert!(!folder.join("journal.tmp").exists());
    let taken = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(folder.join("sub/journal"));
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    OpenOptions::new()
        .append(true)
        .open(folder.join("sub/journal"))
        .unwrap()
        .write_all(b"!")
        .unwrap();
    assert_eq!(fs::metadata(folder.join("sub/journal")).unwrap().size(), 14);
    let mut open = File::open(folder.join("sub/journal")).unwrap();
    fs::remove_file(folder.join("sub/journal")).unwrap();
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert_eq!(
        text, "one two three!",
        "an unlinked file lives on for who has it open"
    );
    fs::remove_dir(folder.join("sub")).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(
        twin.says("echo x > var/lib/fulcrum/a; echo yy > var/lib/fulcrum/a; cat var/lib/fulcrum/a"),
        "yy"
    );
    twin.tree().reboot().unwrap();
    assert_eq!(twin.says("cat var/lib/fulcrum/a"), "yy", "and outlives a reboot");
    assert_eq!(
        twin.says("ls -l etc/nvpmodel.conf | sed 's/.*-> //'"),
        "nvpmodel/nvpmodel_p3767_0003_super.conf"
    );
}

#[test]
fn a_power_cut_takes_what_was_not_synced() {
    let Some(twin) = nano() else { return };
    let folder = twin.path("var/lib/fulcrum");
    let write = |name: &str, text: &str, sync: bool| {
        let mut file = File::create(folder.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        if sync {
            file.sync_all().unwrap();
        }
    };
    let sync_folder = || File::open(&folder).unwrap().sync_all().unwrap();
    let names = || twin.tree().list("var/lib/fulcrum").unwrap();
    write("kept", "all of it", true);
    write("empty", "not synced", false);
    sync_folder();
    write("lost", "synced, but its name was not", true);
    fs::rename(folder.join("kept"), folder.join("renamed")).unwrap();
    twin.tree().power_cut().unwrap();
    assert_eq!(names(), ["empty", "kept"], "the rename was not synced either");
    assert_eq!(twin.says("cat var/lib/fulcrum/kept"), "all of it");
    assert_eq!(twin.says("cat var/lib/fulcrum/empty"), "");
    write("kept.tmp", "more", true);
    fs::rename(folder.join("kept.tmp"), folder.join("kept")).unwrap();
    sync_folder();
    twin.tree().power_cut().unwrap();
    assert_eq!(twin.says("cat var/lib/fulcrum/kept"), "more");
    fs::remove_file(folder.join("kept")).unwrap();
    twin.tree().power_cut().unwrap();
    assert_eq!(
        twin.says("cat var/lib/fulcrum/kept"),
        "more",
        "nor was the removal synced"
    );
}

#[test]
fn a_fault_meets_the_nth_change_on_the_disk_as_well() {
    let Some(twin) = nano() else { return };
    let script = "cd var/lib/fulcrum && echo x > a && mv a b";
    // Create, write, rename.
    for (nth, error) in [(1, "cannot create a"), (2, "rror"), (3, "cannot move")] {
        let fault = Fault::new(Touch::Disk, Effect::Errno(Errno::NOSPC)).nth(nth);
        twin.tree().faults().add(fault);
        let text = twin.complains(script);
        assert!(text.contains(error), "{nth}: {text}");
        twin.tree().faults().clear();
        twin.says("rm -f var/lib/fulcrum/*");
    }
    twin.tree()
        .faults()
        .add(Fault::new(Touch::Disk, Effect::Short(2)).nth(2));
    let file = File::create(twin.path("var/lib/fulcrum/a")).unwrap();
    assert_eq!((&file).write(b"hello").unwrap(), 2);
    assert_eq!(twin.tree().faults().fired(), 4);
}

#[test]
fn the_writing_process_is_killed_before_or_after_the_nth_write() {
    let Some(twin) = nano() else { return };
    let (max, min) = (
        format!("{POLICY}/scaling_max_freq"),
        format!("{POLICY}/scaling_min_freq"),
    );
    let script = format!("echo 960000 > {max}; echo 806400 > {min}; echo 806400 > {max}; echo end");
    for (nth, effect, wanted) in [
        (1, Effect::KillBefore, ("1344000", "729600")),
        (1, Effect::KillAfter, ("960000", "729600")),
        (2, Effect::KillBefore, ("960000", "729600")),
        (2, Effect::KillAfter, ("960000", "806400")),
        (3, Effect::KillBefore, ("960000", "806400")),
        (3, Effect::KillAfter, ("806400", "806400")),
    ] {
        twin.tree().reboot().unwrap();
        twin.tree()
            .faults()
            .add(Fault::new(Touch::Write, effect.clone()).nth(nth));
        let output = twin.shell(&script);
        assert_eq!(output.status.signal(), Some(9), "{nth} {effect:?}");
        assert_eq!(output.stdout, b"", "it did not get to its end");
        twin.tree().faults().clear();
        let now = (twin.says(&format!("cat {max}")), twin.says(&format!("cat {min}")));
        assert_eq!((now.0.as_str(), now.1.as_str()), wanted, "{nth} {effect:?}");
    }
    // The same on the disk: created, never written.
    twin.tree()
        .faults()
        .add(Fault::new(Touch::Change, Effect::KillBefore).nth(2));
    assert_eq!(twin.shell("echo x > var/lib/fulcrum/j").status.signal(), Some(9));
    assert_eq!(twin.says("stat -c %s var/lib/fulcrum/j"), "0");
}

#[test]
fn the_process_that_serves_the_mount_is_never_killed() {
    let Some(twin) = nano() else { return };
    twin.tree()
        .faults()
        .add(Fault::new(Touch::Write, Effect::KillBefore));
    let error = fs::write(twin.path(&format!("{POLICY}/scaling_max_freq")), "960000").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::CANCELED.raw_os_error()));
}

#[test]
fn a_read_that_blocks_holds_up_nobody_else_and_not_the_end_of_the_mount() {
    let Some(twin) = nano() else { return };
    let rail = "sys/class/hwmon/hwmon1/curr1_input";
    let block = Effect::Block(Nanos::from_secs(600));
    twin.tree()
        .faults()
        .add(Fault::new(Touch::Read, block).at(Place::Suffix("curr1_input".into())));
    let mut blocked = twin.start(&format!("cat {rail}"));
    while twin.tree().faults().fired() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(twin.says(&format!("cat {POLICY}/scaling_max_freq")), "1344000");
    assert!(
        twin.says(&format!("cat {rail}")).parse::<u32>().is_ok(),
        "the same file, for another reader"
    );
    assert!(blocked.try_wait().unwrap().is_none());
    let folder = twin.folder.0.clone();
    drop(twin);
    blocked.wait().unwrap();
    assert!(!folder.exists(), "unmounted and removed");
}

#[test]
fn a_write_that_takes_its_time_holds_up_nobody_else() {
    let Some(twin) = mounted(
        "orin-nano",
        Options {
            latencies: true,
            ..Options::default()
        },
    ) else {
        return;
    };
    let block = Effect::Block(Nanos::from_secs(600));
    twin.tree()
        .faults()
        .add(Fault::new(Touch::Write, block).at(Place::Suffix("mrq_rate_locked".into())));
    let mut blocked = twin.start("echo 1 > sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked");
    while twin.tree().faults().fired() == 0 {
        std::thread::yield_now();
    }
    let max = format!("{POLICY}/scaling_max_freq");
    assert_eq!(twin.says(&format!("echo 960000 > {max}; cat {max}")), "960000");
    assert!(twin.tree().log()[0].took >= Nanos::from_micros(1_300));
    assert!(blocked.try_wait().unwrap().is_none());
    drop(twin);
    blocked.wait().unwrap();
}

#[test]
fn a_mount_ends_when_somebody_unmounts_it_or_is_dropped() {
    let Some(twin) = nano() else { return };
    let Mounted { mount, folder } = twin;
    let unmounter = mount.unmounter();
    let waits = std::thread::spawn(move || mount.wait());
    assert!(unmounter.unmount());
    waits.join().unwrap().unwrap();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);

    let Mounted { mount, folder } = nano().unwrap();
    let open = File::open(folder.0.join(POLICY).join("scaling_max_freq")).unwrap();
    drop(mount);
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().count(),
        0,
        "even with a file open"
    );
    drop(open);
}

#[test]
fn the_control_file_takes_commands_and_says_what_is_wrong() {
    let Some(twin) = nano() else { return };
    twin.says("printf 'load cpu=1 gpu=1\\nfault write errno=EBUSY\\n' > .twin/control");
    assert_eq!(
        twin.says("cat sys/class/devfreq/17000000.gpu/device/load"),
        "1000"
    );
    assert!(
        twin.complains(&format!("echo 1 | tee {CPU}/cpu1/online"))
            .contains("busy")
    );
    assert!(
        twin.complains("echo 'load cpu=2' | tee .twin/control")
            .contains("Invalid argument")
    );
    assert!(
        twin.says("cat .twin/error")
            .starts_with("\"cpu=2\" is not understood here")
    );
    twin.says("echo clear > .twin/control");
    assert_eq!(twin.says("cat .twin/error"), "");
    let boot = "proc/sys/kernel/random/boot_id";
    let first = twin.says(&format!("cat {boot}"));
    twin.says("echo reboot > .twin/control");
    assert_ne!(twin.says(&format!("cat {boot}")), first);
    // A folder that is hidden is gone although its name was cached.
    let gpu = "sys/class/devfreq/17000000.gpu";
    assert!(!twin.says(&format!("ls {gpu}")).is_empty());
    twin.says("echo 'hide sys/class/devfreq/17000000.gpu' > .twin/control");
    twin.complains(&format!("cat {gpu}/max_freq"));
    twin.complains(&format!("stat -L {gpu}"));
    twin.says("echo clear > .twin/control");
    twin.says(&format!("cat {gpu}/max_freq"));
}

#[test]
fn a_folder_that_is_missing_or_a_file_is_named() {
    let tree = || Tree::open("orin-nano", Options::default()).unwrap();
    let missing = Mount::new(tree(), Path::new("/no/such/folder")).unwrap_err();
    assert!(
        missing.to_string().contains("/no/such/folder does not exist"),
        "{missing}"
    );
    let file = Mount::new(tree(), Path::new("/proc/version")).unwrap_err();
    assert!(
        file.to_string().contains("/proc/version cannot be mounted on"),
        "{file}"
    );
}

/// Deliberate differences from the listed trees: end of the path, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("thermal_zone2/temp", "off on Orin: EAGAIN, listed as empty"),
    ("thermal_zone3/temp", "off on Orin: EAGAIN, listed as empty"),
    ("thermal_zone4/temp", "off on Orin: EAGAIN, listed as empty"),
    ("trans_stat", "a table of no interest"),
    (
        "emc/tables/regular/",
        "a table of no interest: the names are what is read",
    ),
];

/// What a value is to a reader.
fn kind(text: &str) -> &'static str {
    let words: Vec<&str> = text.split_whitespace().collect();
    let numbers = words.iter().filter(|word| word.parse::<f64>().is_ok()).count();
    match (words.len(), numbers) {
        (0, _) => "empty",
        (1, 1) => "number",
        (all, numbers) if all == numbers => "numbers",
        _ => "text",
    }
}

#[test]
fn every_listed_path_is_there_with_its_bits_and_a_value_of_its_kind() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/jetson/trees");
    if !data.is_dir() {
        eprintln!("NOT TESTED: {} is not at hand", data.display());
        return;
    }
    for (board, file) in BOARDS {
        let options = Options {
            hotplug: Hotplug::Keep,
            ..Options::default()
        };
        let tree = Tree::open(board, options).unwrap();
        let text = fs::read_to_string(data.join(format!("{file}.json"))).unwrap();
        let listed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let nodes = listed["nodes"].as_array().unwrap();
        assert!(nodes.len() > 200);
        for node in nodes {
            let path = node["path"].as_str().unwrap();
            let bits = u16::from_str_radix(node["mode"].as_str().unwrap(), 8).unwrap();
            assert_eq!(tree.permissions(path), Ok(bits), "{board}: {path}");
            if DIFFERENT.iter().any(|(end, _)| path.contains(end)) {
                continue;
            }
            let shown = String::from_utf8(tree.read(path).unwrap()).unwrap();
            let value = node["value"].as_str().unwrap();
            assert_eq!(
                kind(&shown),
                kind(value),
                "{board}: {path} shows {shown:?}, listed is {value:?}"
            );
            let newline = node["newline"].as_bool().unwrap_or(true);
            assert_eq!(shown.ends_with('\n'), newline, "{board}: {path}");
            let table = [
                "available",
                "related",
                "cpuinfo_m",
                "rule",
                "type",
                "label",
                "possible",
            ];
            if table.iter().any(|part| path.contains(part)) {
                assert_eq!(shown.trim_end(), value.trim_end(), "{board}: {path}");
            }
        }
        for link in listed["symlinks"].as_array().unwrap() {
            let (path, target) = (link["path"].as_str().unwrap(), link["target"].as_str().unwrap());
            let beside = Path::new("/").join(path).parent().unwrap().join(target);
            let (path, target) = (tree.list(path).ok(), tree.list(beside.to_str().unwrap()).ok());
            assert_eq!(path, target, "{board}: {link}");
        }
    }
}

#[test]
fn the_mount_says_the_same_as_the_tree() {
    let Some(twin) = mounted("agx-orin", Options::default()) else {
        return;
    };
    let mut seen = 0;
    let mut next = vec![String::new()];
    while let Some(folder) = next.pop() {
        let mut names: Vec<_> = fs::read_dir(twin.path(folder.trim_start_matches('/')))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    entry.file_type().unwrap(),
                )
            })
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let listed = twin.tree().list(&folder).unwrap();
        assert_eq!(
            names.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
            listed
        );
        for (name, kind) in names {
            let path = format!("{folder}/{name}");
            if kind.is_dir() {
                next.push(path);
            } else if kind.is_file() {
                seen += 1;
                let place = twin.path(path.trim_start_matches('/'));
                let bits = fs::metadata(&place).unwrap().permissions().mode() & 0o7777;
                assert_eq!(twin.tree().permissions(&path).map(u32::from), Ok(bits));
                let through = fs::read(&place).map_err(|error| error.raw_os_error());
                let direct = twin
                    .tree()
                    .read(&path)
                    .map_err(|errno| Some(errno.raw_os_error()));
                if !path.contains("hwmon") && !path.ends_with("temp") {
                    assert_eq!(through, direct, "{path}");
                }
            }
        }
    }
    assert!(seen > 300, "{seen}");
}
