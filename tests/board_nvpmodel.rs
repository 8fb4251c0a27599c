//! nvpmodel.conf: what real files do is taken, what is broken is refused whole and where.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::nvpmodel::{Conf, Effect, Excerpt, Fault, Kind, Node, Oddity, Role, Value};
use fulcrum::limits;
use fulcrum::units::Kilohertz;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Two cores, a GPU that moved with the kernel, a mask, a memory cap, a limit of current; three modes, ids with gaps.
const WHOLE: &str = "\
# a board of ours
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
CORE_1 /sys/devices/system/cpu/cpu1/online

< PARAM TYPE=FILE NAME=TPC_POWER_GATING >
TPC_PG_MASK /sys/devices/gpu.0/tpc_pg_mask
TPC_PG_MASK_KNEXT /sys/devices/platform/gpu.0/tpc_pg_mask

< PARAM TYPE=CLOCK NAME=CPU >
FREQ_TABLE /sys/devices/system/cpu/cpu0/cpufreq/scaling_available_frequencies
MAX_FREQ /sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq
MIN_FREQ /sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq

< PARAM TYPE=CLOCK NAME=GPU >
MAX_FREQ /sys/devices/17000000.ga10b/devfreq_dev/max_freq
MAX_FREQ_KNEXT /sys/devices/platform/17000000.gpu/devfreq_dev/max_freq

< PARAM TYPE=CLOCK NAME=EMC >
MAX_FREQ /sys/kernel/nvpmodel_emc_cap/emc_iso_cap

< PARAM TYPE=HWMON NAME=LIMIT >
WARN /sys/bus/i2c/devices/1-0040/hwmon curr1_max

< POWER_MODEL ID=0 NAME=FAST >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 1
TPC_POWER_GATING TPC_PG_MASK 0
CPU MIN_FREQ 729600
CPU MAX_FREQ -1
GPU MAX_FREQ -1
EMC MAX_FREQ 0

< POWER_MODEL ID=2 NAME=15W >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 1
TPC_POWER_GATING TPC_PG_MASK 240
CPU MIN_FREQ 729600
CPU MAX_FREQ 1113600
GPU MAX_FREQ 420750000
EMC MAX_FREQ 3199000000
LIMIT WARN 3000

< POWER_MODEL ID=17 NAME=7W_AI >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 0
TPC_POWER_GATING TPC_PG_MASK 240
CPU MIN_FREQ 729600
CPU MAX_FREQ 960000
GPU MAX_FREQ 408000000
EMC MAX_FREQ 2133000000

< PM_CONFIG DEFAULT=2 >
";

fn oddities(conf: &Conf<'_>) -> Vec<(u32, Oddity)> {
    conf.warnings()
        .iter()
        .map(|warning| (warning.line, warning.what))
        .collect()
}

/// `WHOLE` with the first `old` replaced; `old` must be there.
fn with(old: &str, new: &str) -> String {
    assert!(WHOLE.contains(old), "{old}");
    WHOLE.replacen(old, new, 1)
}

#[test]
fn a_row_knows_where_its_value_goes() {
    let conf = Conf::parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(oddities(&conf), []);
    let rows = conf.mode(2).unwrap().rows();
    let node = |path| Node { path, file: None };
    let gpu = rows[5];
    assert_eq!(
        (gpu.param, gpu.kind, gpu.arg, gpu.line),
        ("GPU", Kind::Clock, "MAX_FREQ", 40)
    );
    assert_eq!((gpu.text, gpu.value), ("420750000", Value::Number(420_750_000)));
    assert_eq!((gpu.role, gpu.table), (Role::GpuMax, None));
    assert_eq!(
        gpu.target.plain,
        node("/sys/devices/17000000.ga10b/devfreq_dev/max_freq")
    );
    assert_eq!(
        gpu.target.knext,
        Some(node("/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq"))
    );
    let cpu = rows[4];
    assert_eq!(
        cpu.table.unwrap().plain,
        node("/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_frequencies")
    );
    assert_eq!((cpu.role, cpu.target.knext), (Role::CpuMax(0), None));
    let limit = rows[7];
    assert_eq!((limit.kind, limit.value), (Kind::Hwmon, Value::Number(3000)));
    assert_eq!(limit.target.plain.file, Some("curr1_max"));
    assert_eq!(conf.mode(0).unwrap().rows()[4].value, Value::Uncapped);
    assert_eq!(conf.params()[1].args[1].name, "TPC_PG_MASK_KNEXT");
}

#[test]
fn a_mode_is_reduced_to_cores_caps_masks_and_whether_it_needs_a_reboot() {
    let conf = Conf::parse(WHOLE.as_bytes()).unwrap();
    let found: Vec<_> = conf
        .modes()
        .iter()
        .map(|mode| (mode.id(), mode.name(), mode.effect(), conf.needs_reboot(mode)))
        .collect();
    let effect = |cores, cpu, gpu, emc, mask| Effect {
        cores_online: Some(cores),
        cpu: Option::map(cpu, Kilohertz),
        gpu: Option::map(gpu, Kilohertz),
        emc: Option::map(emc, Kilohertz),
        tpc_mask: Some(mask),
        fbp_mask: None,
    };
    assert_eq!(
        found,
        [
            (0, "FAST", effect(2, None, None, None, 0), true),
            (
                2,
                "15W",
                effect(2, Some(1_113_600), Some(420_750), Some(3_199_000), 240),
                false
            ),
            (
                17,
                "7W_AI",
                effect(1, Some(960_000), Some(408_000), Some(2_133_000), 240),
                false
            ),
        ]
    );
    assert_eq!(conf.default_id(), 2);
}

#[test]
fn a_mask_that_a_mode_leaves_alone_is_no_change_and_one_that_the_default_mode_leaves_alone_may_be() {
    let silent = with("TPC_POWER_GATING TPC_PG_MASK 0\n", "");
    let conf = Conf::parse(silent.as_bytes()).unwrap();
    assert!(!conf.needs_reboot(conf.mode(0).unwrap()));
    let silent = with("TPC_POWER_GATING TPC_PG_MASK 240\n", "");
    let conf = Conf::parse(silent.as_bytes()).unwrap();
    assert!(conf.needs_reboot(conf.mode(0).unwrap()));
}

#[test]
fn clusters_have_the_highest_cap_and_one_that_is_off_has_none() {
    let two = with(
        "< PARAM TYPE=CLOCK NAME=GPU >",
        "< PARAM TYPE=CLOCK NAME=OTHER >\nMAX_FREQ /sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq\n\
         < PARAM TYPE=CLOCK NAME=GPU >",
    );
    let cap = |text: &str, id| {
        Conf::parse(text.as_bytes())
            .unwrap()
            .mode(id)
            .unwrap()
            .effect()
            .cpu
    };
    let higher = two.replace("GPU MAX_FREQ 42", "OTHER MAX_FREQ 1200000\nGPU MAX_FREQ 42");
    assert_eq!(cap(&higher, 2), Some(Kilohertz(1_200_000)));
    let free = two.replace("GPU MAX_FREQ 42", "OTHER MAX_FREQ -1\nGPU MAX_FREQ 42");
    assert_eq!(cap(&free, 2), None);
    let off = two.replace("GPU MAX_FREQ 40", "OTHER MAX_FREQ -1\nGPU MAX_FREQ 40");
    assert_eq!(cap(&off, 17), Some(Kilohertz(960_000)), "cpu1 is off");
}

/// Each oddity of real files, and what is said to it.
#[test]
fn what_real_files_do_is_taken_and_said() {
    let odd = |text: String| oddities(&Conf::parse(text.as_bytes()).unwrap());
    assert_eq!(
        odd(with(
            "< PARAM TYPE=CLOCK NAME=EMC >",
            "<PARAM TYPE=CLOCK NAME=EMC>"
        )),
        [(19, Oddity::NoBlank)]
    );
    assert_eq!(
        odd(with("< PM_CONFIG", "\t< PM_CONFIG")),
        [(53, Oddity::Indented)]
    );
    assert_eq!(odd(WHOLE.replace('\n', "\r\n")), [(1, Oddity::CarriageReturn)]);
    assert_eq!(odd(WHOLE.replace('\n', "\r")), [(1, Oddity::CarriageReturn)]);
    assert_eq!(odd(WHOLE.replace(' ', "  ").replace('\n', " \t\n")), []);
    assert_eq!(odd(WHOLE.trim_end().to_owned()), []);
    let fan = format!("{WHOLE}< FAN_CONFIG DEFAULT=cool >\n< FAN_MODEL ID=0 NAME=q >\nany row\n");
    assert_eq!(odd(fan), [(54, Oddity::Skipped), (55, Oddity::Skipped)]);
    assert_eq!(odd(with("CPU_ONLINE CORE_0 1\n", "")), [], "cpu0 is on anyway");
    assert_eq!(
        odd(with("CPU_ONLINE CORE_1 0\n", "")),
        [(44, Oddity::CoresNotSet(1))]
    );
    assert_eq!(
        odd(with("CPU_ONLINE CORE_0 1", "CPU_ONLINE CORE_0 0")),
        [(26, Oddity::CoreZeroOff)]
    );
    assert_eq!(
        odd(with("CPU MAX_FREQ 960000", "CPU MAX_FREQ 700000")),
        [(48, Oddity::MinAboveMax)]
    );
    assert_eq!(
        odd(with("CPU MAX_FREQ 960000", "CPU MAX_FREQ 9223372036854775807")),
        [(49, Oddity::PrintedUncapped)]
    );
    assert_eq!(
        odd(with("EMC MAX_FREQ 2133000000", "EMC MAX_FREQ 2133000")),
        [(51, Oddity::SlowClock)]
    );
    assert_eq!(
        odd(with(
            "EMC MAX_FREQ 2133000000",
            "EMC MAX_FREQ 2133000000\nEMC MAX_FREQ 2133000000"
        )),
        [(52, Oddity::SaidTwice(51))]
    );
    assert_eq!(odd(with("NAME=7W_AI", "NAME=15W")), [(44, Oddity::SameName(2))]);
    assert_eq!(
        odd(with(
            "# a board of ours",
            "# < POWER_MODEL ID=9 NAME=OLD >\n< PARAM TYPE=FILE NAME=NONE >"
        )),
        [(1, Oddity::CommentedMode), (2, Oddity::EmptyParam)]
    );
}

#[test]
fn a_mode_alone_with_any_id_and_sections_in_any_order_of_modes_and_default_is_a_file() {
    let text =
        "< PM_CONFIG DEFAULT=17 >\n< PARAM TYPE=FILE NAME=A >\nB /sys/b\n< POWER_MODEL NAME=m ID=17 >\nA B x";
    let conf = Conf::parse(text.as_bytes()).unwrap();
    assert_eq!((conf.modes().len(), conf.default_id()), (1, 17));
    let effect = conf.modes()[0].effect();
    assert_eq!((effect.cores_online, effect.cpu), (None, None));
}

/// Every broken file, and the place that is wrong in it.
#[test]
fn a_broken_file_is_refused_with_line_and_column() {
    let long = "x".repeat(limits::CONF_LINE + 1);
    let word = "x".repeat(limits::CONF_WORD + 1);
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let params = many(limits::CONF_PARAMS + 1, &|n| {
        format!("< PARAM TYPE=FILE NAME=P{n} >\nA /a\n")
    });
    let args = many(limits::CONF_ARGS + 1, &|n| format!("A{n} /a\n"));
    let modes = many(limits::CONF_MODES, &|n| {
        format!("< POWER_MODEL ID={} NAME=m{n} >\nEMC MAX_FREQ 0\n", n + 100)
    });
    let rows = many(limits::CONF_ROWS + 1, &|_| "EMC MAX_FREQ 2133000000\n".to_owned());
    let table: &[(String, (u32, u32), Fault)] = &[
        // What is not text, or too much.
        (with("FAST", "FA\0ST"), (25, 27), Fault::Control('\0')),
        (with("board", "bo\u{1b}ard"), (1, 7), Fault::Control('\u{1b}')),
        (
            with("NAME=15W", "NAME=15\u{b5}W"),
            (34, 27),
            Fault::NotAscii('\u{b5}'),
        ),
        (format!("\u{feff}{WHOLE}"), (1, 1), Fault::NotAscii('\u{feff}')),
        (with("# a board", &long), (1, 4225), Fault::LineLimit),
        (
            WHOLE.repeat(limits::CONF_TEXT / WHOLE.len() + 1),
            (1, 1),
            Fault::TextLimit,
        ),
        (
            with("NAME=15W", &format!("NAME={word}")),
            (34, 25),
            Fault::WordLimit,
        ),
        (with("3000", &word), (42, 12), Fault::WordLimit),
        (params, (257, 24), Fault::ParamLimit),
        (
            with("CORE_0 /sys", &format!("{args}CORE_0 /sys")),
            (131, 1),
            Fault::ArgLimit,
        ),
        (
            with("< PM_CONFIG", &format!("{modes}< PM_CONFIG")),
            (175, 1),
            Fault::ModeLimit,
        ),
        (
            with("EMC MAX_FREQ 2133000000\n", &rows),
            (557, 1),
            Fault::RowLimit,
        ),
        // Lines that were cut or glued.
        (
            with("CPU_ONLINE CORE_1 0", "CPU_ONLINE CORE_1\n0"),
            (46, 18),
            Fault::Short { wanted: 3 },
        ),
        (
            with("CORE_1 /sys", "CORE_1\n/sys"),
            (4, 7),
            Fault::Short { wanted: 2 },
        ),
        (
            with(" curr1_max", "\ncurr1_max"),
            (23, 39),
            Fault::Short { wanted: 3 },
        ),
        (
            with("960000\nGPU", "960000 GPU"),
            (49, 21),
            Fault::Long { wanted: 3 },
        ),
        (
            with("cpu0/online", "cpu0/online # c"),
            (3, 44),
            Fault::Long { wanted: 2 },
        ),
        (
            with("EMC MAX_FREQ 0\n\n<", "EMC MAX_FREQ 0 <"),
            (32, 16),
            Fault::Glued,
        ),
        (
            with("EMC MAX_FREQ 0\n\n<", "EMC MAX_FREQ 0<"),
            (32, 15),
            Fault::Glued,
        ),
        (with(" >\nCPU_ONLINE", "\nCPU_ONLINE"), (25, 29), Fault::Open),
        (with("ID=0 NAME", "ID=0\nNAME"), (25, 19), Fault::Open),
        (
            with("< POWER_MODEL ID=0", "POWER_MODEL ID=0"),
            (25, 28),
            Fault::StrayEnd,
        ),
        (with("FAST >\n", "FAST > "), (25, 32), Fault::BehindHeader),
        (
            with("FAST >\n", "FAST > < POWER_MODEL ID=5 NAME=x >\n"),
            (25, 32),
            Fault::Glued,
        ),
        (with("FAST >\n", "FAST > a <\n"), (25, 34), Fault::Glued),
        (with("FAST >", "FAST <"), (25, 30), Fault::Glued),
        // The old grammar.
        (
            "< POWER_MODEL ID=0 NAME=MAXN >\n /sys/devices/system/cpu/cpu1/online 1\n".to_owned(),
            (2, 2),
            Fault::BarePath,
        ),
        ("/sys/x 1\n".to_owned(), (1, 1), Fault::BarePath),
        // Sections.
        ("CPU_ONLINE CORE_0 1\n".to_owned(), (1, 1), Fault::Outside),
        (format!("{WHOLE}EMC MAX_FREQ 0\n"), (54, 1), Fault::AfterConfig),
        (
            with("POWER_MODEL ID=2", "POWER_MODE ID=2"),
            (34, 3),
            Fault::Section,
        ),
        (format!("{WHOLE}<>"), (54, 2), Fault::Section),
        (
            with("ID=2 NAME", "ID=2 FOO=1 NAME"),
            (34, 20),
            Fault::Key("< POWER_MODEL ID=n NAME=x >"),
        ),
        (
            with("NAME=15W", "NAME=15W FAST"),
            (34, 29),
            Fault::Key("< POWER_MODEL ID=n NAME=x >"),
        ),
        (
            with("ID=2 NAME=15W", "ID=2"),
            (34, 19),
            Fault::NoKey("< POWER_MODEL ID=n NAME=x >"),
        ),
        (with("ID=2 NAME", "ID=2 ID=3 NAME"), (34, 20), Fault::KeyTwice),
        (with("TYPE=HWMON", "TYPE=HW"), (22, 14), Fault::Type),
        (with("NAME=15W", "NAME="), (34, 25), Fault::Name),
        (with("NAME=15W", "NAME=15*W"), (34, 27), Fault::Name),
        (with("NAME=LIMIT", "NAME=LI/MIT"), (22, 27), Fault::Name),
        (with("ID=2", "ID=-2"), (34, 18), Fault::Id),
        (with("ID=2", "ID=2147483648"), (34, 18), Fault::Id),
        (
            with("ID=17", "ID=2"),
            (44, 18),
            Fault::IdTwice { id: 2, first: 34 },
        ),
        (with("NAME=EMC", "NAME=GPU"), (19, 25), Fault::ParamTwice(15)),
        (with("CORE_1", "CORE_0"), (4, 1), Fault::ArgTwice),
        (with("cpu0/online", "../cpu0/online"), (3, 8), Fault::Path),
        (with("CORE_0 /sys", "CORE_0 sys"), (3, 8), Fault::Path),
        (with(" curr1_max", " ../curr1_max"), (23, 40), Fault::FileName),
        // Rows of modes.
        (with("EMC MAX_FREQ 0", "EMD MAX_FREQ 0"), (32, 1), Fault::NoParam),
        (with("EMC MAX_FREQ 0", "EMC MIN_FREQ 0"), (32, 5), Fault::NoArg),
        (
            with("EMC MAX_FREQ 0", "EMC MAX_FREQ 0\nEMC MAX_FREQ -1"),
            (33, 1),
            Fault::RowTwice(32),
        ),
        (
            with("< POWER_MODEL ID=2 NAME=15W >\n", ""),
            (36, 1),
            Fault::RowTwice(28),
        ),
        (
            with("CPU_ONLINE CORE_1 0", "CPU_ONLINE CORE_1 2"),
            (46, 19),
            Fault::Switch,
        ),
        (with("TPC_PG_MASK 240", "TPC_PG_MASK 0xf0"), (37, 30), Fault::Mask),
        (
            with("CPU MAX_FREQ 960000", "CPU MAX_FREQ max"),
            (49, 14),
            Fault::Frequency,
        ),
        (
            with("CPU MAX_FREQ 960000", "CPU MAX_FREQ -2"),
            (49, 14),
            Fault::Frequency,
        ),
        (
            with("CPU MAX_FREQ 960000", "CPU MAX_FREQ 960000000"),
            (49, 14),
            Fault::CpuRange,
        ),
        (
            with("EMC MAX_FREQ 2133000000", "EMC MAX_FREQ 213300000000"),
            (51, 14),
            Fault::ClockRange,
        ),
        (
            with("CPU MAX_FREQ 960000", "CPU MAX_FREQ 0"),
            (49, 14),
            Fault::ZeroCap,
        ),
        // The whole.
        (
            with(
                "< POWER_MODEL ID=0",
                "< POWER_MODEL ID=9 NAME=E >\n\n< POWER_MODEL ID=0",
            ),
            (25, 1),
            Fault::EmptyMode,
        ),
        (String::new(), (1, 1), Fault::NoMode),
        ("< PM_CONFIG DEFAULT=0 >\n#".to_owned(), (2, 2), Fault::NoMode),
        (with("< PM_CONFIG DEFAULT=2 >\n", ""), (53, 1), Fault::NoDefault),
        (
            format!("{WHOLE}< PM_CONFIG DEFAULT=2 >"),
            (54, 1),
            Fault::ConfigTwice(53),
        ),
        (with("DEFAULT=2", "DEFAULT=1"), (53, 21), Fault::DefaultUnknown(1)),
    ];
    for (text, at, fault) in table {
        let error = Conf::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            ((error.at.line, error.at.column), error.fault),
            (*at, *fault),
            "\n{}",
            Excerpt {
                text: text.as_bytes(),
                at: error.at
            }
        );
        let message = error.to_string();
        assert!(message.starts_with(&format!("{}:{}: ", at.0, at.1)), "{message}");
        assert!(message.contains("; "), "says what to do: {message}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    let mut text = WHOLE.as_bytes().to_vec();
    let at = WHOLE.find("FAST").unwrap();
    text[at] = 0xff;
    let error = Conf::parse(&text).unwrap_err();
    assert_eq!((error.at.line, error.at.column), (25, 25));
    assert_eq!(error.fault, Fault::NotUtf8(0xff));
}

/// The files that the fuzzer starts from, which have each oddity once.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/nvpmodel");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn of_the_committed_corpus_the_bad_files_are_refused_and_the_others_taken() {
    let files = corpus();
    assert!(files.len() >= 30, "the corpus was found");
    for (name, text) in files {
        match Conf::parse(&text) {
            Ok(conf) => {
                assert!(!name.starts_with("bad_"), "{name}");
                assert!(!conf.modes().is_empty(), "{name}");
            }
            Err(error) => assert!(name.starts_with("bad_"), "{name}:{error}"),
        }
    }
}

/// One byte of a good file replaced, put in or taken out, at every place: no mode goes without a word.
#[test]
fn one_damaged_byte_anywhere_never_loses_a_mode_without_a_word() {
    let whole = include_bytes!("../fuzz/corpus/nvpmodel/plain.conf");
    let modes = Conf::parse(whole).unwrap().modes().len();
    let (mut taken, mut refused) = (0, 0);
    let mut judge = |text: &[u8]| match Conf::parse(text) {
        Ok(conf) => {
            taken += 1;
            assert!(
                conf.modes().len() == modes || !conf.warnings().is_empty(),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        Err(_) => refused += 1,
    };
    for at in 0..whole.len() {
        let mut shorter = whole.to_vec();
        shorter.remove(at);
        judge(&shorter);
        for byte in *b"#<> \t\n\r\0A09=/_-\xff" {
            let mut text = whole.to_vec();
            text[at] = byte;
            judge(&text);
            let mut longer = whole.to_vec();
            longer.insert(at, byte);
            judge(&longer);
        }
    }
    assert!(taken > 0 && refused > taken, "{taken} taken, {refused} refused");
}

/// A mode as a generator wants it.
#[derive(Clone, Debug)]
struct Wanted {
    id: u32,
    name: String,
    on: [bool; 3],
    cpu: Option<u32>,
    gpu: Option<u32>,
    emc: Option<u32>,
    mask: u32,
}

/// How the text of the same file may differ.
#[derive(Clone, Debug)]
struct Dress {
    tight: bool,
    knext: bool,
    blank: &'static str,
    end: &'static str,
    comments: bool,
}

prop_compose! {
    fn wanted()(
        id in 0..2_000_000_000_u32, name in "[A-Za-z0-9_.()|]{1,24}", on in any::<[bool; 3]>(),
        cpu in prop::option::of(10_000..10_000_000_u32), gpu in prop::option::of(10_000..4_000_000_u32),
        emc in prop::option::of(10_000..4_000_000_u32), mask in any::<u32>(),
    ) -> Wanted {
        Wanted { id, name, on, cpu, gpu, emc, mask }
    }
}

prop_compose! {
    fn dress()(
        tight: bool, knext: bool, comments: bool,
        blank in prop::sample::select(vec![" ", "  ", "\t", " \t "]),
        end in prop::sample::select(vec!["\n", "\r\n", " \n", "\r"]),
    ) -> Dress {
        Dress { tight, knext, blank, end, comments }
    }
}

fn render(modes: &[Wanted], default: usize, dress: &Dress) -> String {
    let header = |text: &str| {
        if dress.tight {
            format!("<{text}>\n")
        } else {
            format!("< {text} >\n")
        }
    };
    let twin = |name: &str, path: &str| {
        if dress.knext {
            format!("{name}_KNEXT {path}\n")
        } else {
            String::new()
        }
    };
    let mut text = header("PARAM TYPE=FILE NAME=ONLINE");
    for core in 0..4 {
        let path = format!("/sys/devices/system/cpu/cpu{core}/online");
        write!(text, "C{core} {path}\n{}", twin(&format!("C{core}"), &path)).unwrap();
    }
    for (kind, name, arg, path) in [
        ("FILE", "GATING", "MASK", "/sys/devices/gpu.0/tpc_pg_mask"),
        (
            "CLOCK",
            "CPU",
            "MAX",
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
        ),
        ("CLOCK", "GPU", "MAX", "/sys/class/devfreq/gpu-gpc-0/max_freq"),
        ("CLOCK", "EMC", "MAX", "/sys/kernel/nvpmodel_clk_cap/emc"),
    ] {
        text.push_str(&header(&format!("PARAM TYPE={kind} NAME={name}")));
        write!(text, "{arg} {path}\n{}", twin(arg, path)).unwrap();
    }
    for mode in modes {
        text.push_str(&header(&format!("POWER_MODEL ID={} NAME={}", mode.id, mode.name)));
        text.push_str("ONLINE C0 1\n");
        for (index, on) in mode.on.iter().enumerate() {
            writeln!(text, "ONLINE C{} {}", index + 1, u8::from(*on)).unwrap();
        }
        let cap = |khz: Option<u32>, per_khz: u64| {
            khz.map_or("-1".to_owned(), |khz| (u64::from(khz) * per_khz).to_string())
        };
        writeln!(text, "GATING MASK {}", mode.mask).unwrap();
        writeln!(text, "CPU MAX {}", cap(mode.cpu, 1)).unwrap();
        writeln!(text, "GPU MAX {}", cap(mode.gpu, 1_000)).unwrap();
        writeln!(text, "EMC MAX {}", cap(mode.emc, 1_000)).unwrap();
    }
    text.push_str(&header(&format!("PM_CONFIG DEFAULT={}", modes[default].id)));
    if dress.comments {
        text = text.replace("<", "\n# a section\n<");
    }
    text.replace(' ', dress.blank).replace('\n', dress.end)
}

fn file() -> impl Strategy<Value = (Vec<Wanted>, usize, Dress)> {
    (
        prop::collection::vec(wanted(), 1..8),
        any::<prop::sample::Index>(),
        dress(),
    )
        .prop_map(|(mut modes, default, dress)| {
            modes.sort_by_key(|mode| mode.id);
            modes.dedup_by_key(|mode| mode.id);
            let default = default.index(modes.len());
            (modes, default, dress)
        })
}

proptest! {
    #[test]
    fn a_generated_file_comes_back_as_the_same_modes((modes, default, dress) in file()) {
        let text = render(&modes, default, &dress);
        let conf = Conf::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(conf.modes().len(), modes.len());
        for (found, wanted) in conf.modes().iter().zip(&modes) {
            prop_assert_eq!((found.id(), found.name()), (wanted.id, wanted.name.as_str()));
            let on = wanted.on.iter().filter(|on| **on).count() as u32;
            let effect = found.effect();
            prop_assert_eq!(effect.cores_online, Some(on + 1));
            prop_assert_eq!(effect.cpu, wanted.cpu.map(Kilohertz));
            // The tool prints no cap as a number that is also one of a clock, 2147.483647 MHz.
            prop_assert_eq!(effect.gpu, wanted.gpu.map(Kilohertz));
            prop_assert_eq!(effect.emc, wanted.emc.map(Kilohertz));
            prop_assert_eq!(effect.tpc_mask, Some(u64::from(wanted.mask)));
            prop_assert_eq!(conf.needs_reboot(found), wanted.mask != modes[default].mask);
            prop_assert!(found.rows().iter().all(|row| row.target.knext.is_some() == dress.knext));
        }
        prop_assert_eq!(conf.default_id(), modes[default].id);
    }

    #[test]
    fn one_damaged_byte_of_a_generated_file_never_loses_a_mode_without_a_word(
        (modes, default, _) in file(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let plain = Dress { tight: false, knext: false, blank: " ", end: "\n", comments: false };
        let mut text = render(&modes, default, &plain).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(conf) = Conf::parse(&text) {
            prop_assert!(conf.modes().len() == modes.len() || !conf.warnings().is_empty());
            let row_lost = conf.modes().iter().any(|mode| mode.rows().len() < 8);
            // A row that became a comment is a row that somebody switched off.
            prop_assert!(!row_lost || text[at] == b'#');
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused_at_a_place(text: Vec<u8>) {
        if let Err(error) = Conf::parse(&text) {
            prop_assert!(error.at.line > 0 && error.at.column > 0);
            let shown = Excerpt { text: &text, at: error.at }.to_string();
            prop_assert!(shown.is_ascii() && shown.lines().count() == 2, "{}", shown);
        }
    }

    #[test]
    fn any_lines_of_the_right_words_are_taken_or_refused_at_a_place(
        text in "((< ?PARAM|POWER_MODEL|PM_CONFIG|TYPE=|NAME=|ID=|DEFAULT=|FILE|CLOCK|HWMON|/a|[a-c0-2]|>|-1| |\n|\r|#){0,3} ?){0,40}",
    ) {
        if let Err(error) = Conf::parse(text.as_bytes()) {
            prop_assert!(error.at.line as usize <= text.matches(['\n', '\r']).count() + 1);
        }
    }
}

/// The samples that may not be kept here, where they are.
fn samples() -> Option<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/jetson/nvpmodel");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!(
            "\n*** SKIPPED: no samples of nvpmodel.conf in {} ***\n",
            folder.display()
        );
        return None;
    };
    let files = entries.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    Some(files.collect())
}

/// One mode of a board: id, name, cores, caps in kHz (0 is none), mask of texture processing clusters (-1 is not set).
type Fact = (u32, &'static str, u32, u32, u32, u32, i64);

/// Source: shared/design/jetson.md 2.4, and for the MLPerf templates their own text.
const FACTS: &[(&str, u32, &[Fact])] = &[
    (
        "agx_orin_p3701_jp5.from_verbose.conf",
        2,
        &[
            (0, "MAXN", 12, 0, 0, 0, 0),
            (1, "MODE_15W", 4, 1_113_600, 420_750, 2_133_000, 248),
            (2, "MODE_30W", 8, 1_728_000, 624_750, 0, 240),
            (3, "MODE_50W", 12, 1_497_600, 828_750, 0, 0),
        ],
    ),
    (
        "agx_orin_p3701_jp6.synthesized.conf",
        2,
        &[
            (0, "MAXN", 12, 0, 0, 0, 0),
            (1, "MODE_15W", 4, 1_113_600, 408_000, 2_133_000, 248),
            (2, "MODE_30W", 8, 1_728_000, 612_000, 0, 240),
            (3, "MODE_50W", 12, 1_497_600, 816_000, 0, 0),
        ],
    ),
    (
        "agx_orin_p3701_mlperf.template.conf",
        0,
        &[(0, "MAX_Q", 4, 1_190_400, 714_000, 2_133_000, 0)],
    ),
    ("agx_xavier_p2888_jp4.from_verbose.conf", 2, XAVIER),
    ("agx_xavier_p2888_jp5.synthesized.conf", 2, XAVIER),
    (
        "agx_xavier_p2888_mlperf.template.conf",
        8,
        &[
            (0, "MAXN", 8, 0, 0, 0, 0),
            (8, "MODE_MLPERF_V1_MAXQ", 2, 1_190_400, 675_750, 1_331_200, 0),
        ],
    ),
    (
        "nano_p3448_jp4.from_verbose.conf",
        0,
        &[
            (0, "MAXN", 4, 0, 0, 0, -1),
            (1, "5W", 2, 918_000, 640_000, 1_600_000, -1),
        ],
    ),
    (
        "orin_nano_8gb_super_p3767_0005_jp62.reconstructed.conf",
        1,
        &[
            (0, "15W", 6, 1_497_600, 612_000, 2_133_000, 240),
            (1, "25W", 6, 1_344_000, 918_000, 3_199_000, 240),
            (2, "MAXN_SUPER", 6, 0, 0, 0, 240),
            (3, "7W", 4, 960_000, 408_000, 2_133_000, 252),
        ],
    ),
    (
        "orin_nano_super_custom_locked.conf",
        3,
        &[(3, "RIMROCK_TOKENS", 6, 1_728_000, 1_020_000, 0, 240)],
    ),
    (
        "orin_nx_16gb_super_p3767_0000_jp62_mode40w.reconstructed.conf",
        4,
        &[(4, "40W", 8, 1_497_600, 1_173_000, 0, 240)],
    ),
    (
        "xavier_nx_p3668_mlperf.template.conf",
        8,
        &[
            (0, "MODE_15W_2CORE", 2, 1_907_200, 1_109_250, 1_600_000, 1),
            (8, "MODE_MLPERF_V1_MAXQ", 2, 1_190_400, 803_250, 1_600_000, 1),
        ],
    ),
];

const XAVIER: &[Fact] = &[
    (0, "MAXN", 8, 0, 0, 0, 0),
    (1, "MODE_10W", 2, 1_200_000, 520_000, 1_065_600, 5),
    (2, "MODE_15W", 4, 1_200_000, 670_000, 1_331_200, 0),
    (3, "MODE_30W_ALL", 8, 1_200_000, 900_000, 1_600_000, 0),
    (4, "MODE_30W_6CORE", 6, 1_450_000, 900_000, 1_600_000, 0),
    (5, "MODE_30W_4CORE", 4, 1_780_000, 900_000, 1_600_000, 0),
    (6, "MODE_30W_2CORE", 2, 2_100_000, 900_000, 1_600_000, 0),
];

#[test]
fn every_sample_of_a_real_board_has_the_modes_that_are_known_of_it() {
    let Some(samples) = samples() else { return };
    let mut seen = 0;
    for (name, text) in samples.iter().filter(|(name, _)| name.ends_with(".conf")) {
        let (_, default, facts) = FACTS
            .iter()
            .find(|(known, ..)| known == name)
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        let conf = Conf::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}:{error}"));
        assert_eq!(conf.default_id(), *default, "{name}");
        assert_eq!(conf.modes().len(), facts.len(), "{name}");
        let booted = facts.iter().find(|fact| fact.0 == *default).unwrap();
        for (mode, fact) in conf.modes().iter().zip(*facts) {
            let effect = mode.effect();
            let khz = |clock: Option<Kilohertz>| clock.map_or(0, |clock| clock.0);
            let found = (
                mode.id(),
                mode.name(),
                effect.cores_online.unwrap(),
                khz(effect.cpu),
                khz(effect.gpu),
                khz(effect.emc),
                effect.tpc_mask.map_or(-1, |mask| mask as i64),
            );
            assert_eq!(found, *fact, "{name}");
            assert_eq!(
                conf.needs_reboot(mode),
                fact.6 != booted.6,
                "{name} {}",
                mode.name()
            );
        }
        let fan = text.contains("FAN_CONFIG");
        assert_eq!(
            conf.warnings().len(),
            usize::from(fan),
            "{name}: {:?}",
            conf.warnings()
        );
        seen += 1;
    }
    assert_eq!(seen, FACTS.len());
}

/// What NVIDIA's own parser read of the same file: parameters, arguments, paths, modes and values, in its order.
#[test]
fn every_sample_is_read_as_the_tool_itself_prints_it() {
    let Some(samples) = samples() else { return };
    let mut seen = 0;
    for (name, printed) in samples.iter().filter(|(name, _)| name.ends_with(".txt")) {
        let stem = name.trim_end_matches(".nvpmodel-p-verbose.txt");
        let conf = format!("{stem}.from_verbose.conf");
        let (_, text) = samples.iter().find(|(other, _)| *other == conf).unwrap();
        let conf = Conf::parse(text.as_bytes()).unwrap();
        let mut ours = String::new();
        let default = conf.mode(conf.default_id()).unwrap();
        writeln!(ours, "PM_CONFIG: DEFAULT={}({})", default.name(), default.id()).unwrap();
        for param in conf.params() {
            let kind = match param.kind {
                Kind::File => "FILE",
                Kind::Clock => "CLOCK",
                Kind::Hwmon => "HWMON",
            };
            writeln!(ours, "PARAM TYPE={kind} NAME={}", param.name).unwrap();
            for arg in &param.args {
                writeln!(ours, "{} {}", arg.name, arg.node.path).unwrap();
            }
        }
        for mode in conf.modes() {
            writeln!(ours, "POWER_MODEL: ID={} NAME={}", mode.id(), mode.name()).unwrap();
            for row in mode.rows() {
                let value = match row.value {
                    Value::Uncapped => "2147483647".to_owned(),
                    Value::Number(number) => number.to_string(),
                    Value::Word => row.text.to_owned(),
                };
                writeln!(ours, "{} {} {value}", row.param, row.arg).unwrap();
            }
        }
        let theirs: Vec<&str> = printed
            .lines()
            .filter_map(|line| line.trim_end().strip_prefix("NVPM VERB: "))
            .skip_while(|line| !line.starts_with("PM_CONFIG"))
            .collect();
        assert_eq!(ours.lines().collect::<Vec<_>>(), theirs, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}
