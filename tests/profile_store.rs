//! Profiles in files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::power::PowerMode;
use fulcrum::profile::{Kind, Profile, RawRow, Row};
use fulcrum::units::{Kilohertz, Milliwatts, Nanos};
use proptest::prelude::*;
use std::path::PathBuf;

/// A fresh folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fulcrum-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

prop_compose! {
    fn rows()(
        cores in 1_u8.., clocks in prop::array::uniform3(1_u32..), inference: bool, minibatch in 1_u32..,
        time in 1_u64..3_600_000_000_000, power in prop::option::of(1_u32..1_000_000), name in "[a-z0-9 _.-]{1,32}",
    ) -> Row {
        let [cpu, gpu, emc] = clocks.map(Kilohertz);
        let kind = if inference { Kind::Inference } else { Kind::Training };
        let mode = PowerMode { cores, cpu, gpu, emc };
        let (workload, time, power) = (name.into(), Nanos(time), power.map(Milliwatts));
        Row::check(RawRow { mode, workload, kind, minibatch, time, power }).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn what_is_written_is_read_back_exactly(rows in prop::collection::vec(rows(), 1..50)) {
        let path = folder("round").join("profile.csv");
        let profile = Profile { board: "agx-orin".into(), rows };
        profile.write(&path).unwrap();
        prop_assert_eq!(Profile::read(&path).unwrap(), profile);
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
    let folder = folder("fails");
    let path = folder.join("profile.csv");
    std::fs::create_dir(&path).unwrap();
    let profile = Profile {
        board: "b".into(),
        rows: Vec::new(),
    };
    let error = profile.write(&path).unwrap_err();
    assert!(
        error.to_string().starts_with(&path.display().to_string()),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_missing_file_is_named() {
    let error = Profile::read("/nowhere/profile.csv".as_ref()).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/profile.csv: "), "{error}");
}
