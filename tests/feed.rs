//! The feed between its sources and a job: a file read by a thread of its own, a job that waits where nothing
//! comes, and what a fetch costs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod counting;

use counting::calls;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{JobSpec, name};
use fulcrum::units::Nanos;
use fulcrum::workload::Progress;
use fulcrum::workload::callback::JobCallback;
use fulcrum::workload::feed::{self, Config, Feed, Feeder, Policy, SampleError, Samples};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const ROW: usize = 3;

const CONFIG: Config = Config {
    row: ROW,
    capacity: 16,
    waiting: 4,
    policy: Policy::Uniform,
    least: 4,
    reuse: 0,
    intake: 4,
    seed: 1,
};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Scratch {
        let path = std::env::temp_dir().join(format!("fulcrum-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file of so many samples; the values of each follow from its label, its number.
fn file(samples: i64) -> Vec<u8> {
    let samples: Vec<_> = (0..samples)
        .map(|label| (label, vec![label as f32 * 0.5; ROW]))
        .collect();
    let mut bytes = Vec::new();
    feed::write(&mut bytes, ROW, &samples).unwrap();
    bytes
}

/// The next labels that come out of the feed's way, in order, drawn one at a time as the only one there is.
fn next_labels(feed: &mut Feed, count: u64) -> Vec<i64> {
    let (mut values, mut label, mut labels) = ([0.0; ROW], [0], Vec::new());
    while (labels.len() as u64) < count {
        let before = feed.statistics().taken.get();
        let drawn = feed.fetch(&mut values, &mut label, Nanos::ZERO);
        if feed.statistics().taken.get() > before {
            assert!(drawn && values == [label[0] as f32 * 0.5; ROW]);
            labels.push(label[0]);
        } else {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
    labels
}

/// Takes one sample in and draws it.
fn one_by_one() -> Config {
    Config {
        capacity: 1,
        least: 1,
        intake: 1,
        ..CONFIG
    }
}

#[test]
fn a_file_of_samples_comes_in_its_order_over_and_over_and_goes_on_where_a_position_says() {
    let scratch = Scratch::new("samples-order", &file(10));
    let (pusher, mut feed) = Feed::new(one_by_one());
    feed.position().restore([7, 0, 1]);
    let samples = Samples::open(&scratch.0, ROW).unwrap();
    assert_eq!((samples.count(), samples.row()), (10, ROW));
    let mut feeder = Feeder::start(samples, pusher, Arc::clone(feed.position())).unwrap();
    assert_eq!(
        next_labels(&mut feed, 15),
        [7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    );
    feeder.stop().unwrap();
    // What waits on the way was handed over already.
    let handed_over = (feed.position().value(0) + 10 - 2) % 10;
    assert!(handed_over <= 1 + CONFIG.waiting as u64, "{handed_over}");
}

#[test]
fn samples_that_no_training_survives_are_passed_over_and_a_file_of_nothing_else_ends_the_feeder() {
    let mut samples = vec![(0, vec![0.0; ROW]), (1, vec![f32::NAN; ROW]), (2, vec![1.0; ROW])];
    let mut bytes = Vec::new();
    feed::write(&mut bytes, ROW, &samples).unwrap();
    let scratch = Scratch::new("samples-odd", &bytes);
    let (pusher, mut feed) = Feed::new(one_by_one());
    let open = || Samples::open(&scratch.0, ROW).unwrap();
    let feeder = Feeder::start(open(), pusher, Arc::clone(feed.position())).unwrap();
    assert_eq!(next_labels(&mut feed, 5), [0, 2, 0, 2, 0]);
    assert!(feeder.unusable() >= 2);
    drop(feeder);
    samples
        .iter_mut()
        .for_each(|(_, values)| values[1] = f32::INFINITY);
    bytes.clear();
    feed::write(&mut bytes, ROW, &samples).unwrap();
    std::fs::write(&scratch.0, &bytes).unwrap();
    let (pusher, feed) = Feed::new(CONFIG);
    let mut feeder = Feeder::start(open(), pusher, Arc::clone(feed.position())).unwrap();
    while !feeder.has_ended() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let said = feeder.stop().unwrap_err().to_string();
    assert!(said.contains("samples-odd") && said.contains("finite"), "{said}");
}

#[test]
fn a_file_that_is_not_whole_or_of_other_rows_is_refused_with_its_name() {
    let whole = file(4);
    let refused = |bytes: &[u8]| {
        let scratch = Scratch::new("samples-refused", bytes);
        let error = Samples::open(&scratch.0, ROW).unwrap_err();
        assert!(error.to_string().contains("samples-refused"), "{error}");
        error
    };
    for cut in 0..whole.len() {
        assert!(
            matches!(refused(&whole[..cut]), SampleError::Wrong(..)),
            "cut at {cut}"
        );
    }
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        refused(&bytes)
    };
    assert!(matches!(changed(0, b'F'), SampleError::Wrong(..)));
    assert!(changed(8, 2).to_string().contains("form is 2"));
    assert!(matches!(
        changed(12, 4),
        SampleError::Row {
            found: 4,
            wanted: 3,
            ..
        }
    ));
    assert!(matches!(changed(16, 0), SampleError::Wrong(..)));
    assert!(
        matches!(changed(23, 0xff), SampleError::Wrong(..)),
        "more than any file holds"
    );
    assert!(feed::write(&mut Vec::new(), 2, &[(0, vec![1.0])]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_of_samples_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        head in any::<bool>(),
    ) {
        let bytes = if head { [&file(1)[..24], &bytes].concat() } else { bytes };
        let scratch = Scratch::new("samples-any", &bytes);
        if let Ok(mut samples) = Samples::open(&scratch.0, ROW) {
            for number in [0, 1, u64::MAX] {
                prop_assert!(samples.read(number, &mut [0.0; ROW]).is_ok());
            }
        }
    }
}

#[test]
fn without_data_a_job_waits_and_says_so_and_goes_on_when_some_comes() {
    let (mut pusher, mut feed) = Feed::new(CONFIG);
    let statistics = Arc::clone(feed.statistics());
    let mut values = [0.0; 4 * ROW];
    let run = move |piece| {
        if piece == 1 {
            return Ok(Progress::Stepped { loss: 1.0 });
        }
        let fetched = feed.fetch(&mut values, &mut [0; 4], Monotonic.now());
        Ok(if fetched { Progress::Ran } else { Progress::Dry })
    };
    let mut builder = Builder::new(Options::default());
    let spec = JobSpec {
        name: name("learner"),
        pieces: [Nanos::from_millis(1); 2].into_iter().collect(),
        abort: None,
    };
    builder
        .job(spec, Box::new(JobCallback { pieces: 2, run }))
        .unwrap();
    let mut runtime = builder.start().unwrap();
    let job = Arc::clone(runtime.job(0).unwrap());
    while job.dry.get() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(job.steps.get(), 0);
    for number in 0..4 {
        pusher.push(&[number as f32; ROW], number).unwrap();
    }
    while job.steps.get() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime.stop();
    assert_eq!((statistics.stalls.get(), statistics.taken.get()), (1, 4));
    assert_eq!(statistics.dry.get(), job.dry.get());
    // Asked three times with a pause of 5 ms between.
    assert!(statistics.longest_stall() >= Nanos::from_millis(10));
    assert_eq!(statistics.stalled.get(), statistics.longest_stall().0);
}

#[test]
fn a_fetch_makes_no_allocation_under_any_policy() {
    for policy in [Policy::Uniform, Policy::Recent(5), Policy::Balanced(3)] {
        let (mut pusher, mut feed) = Feed::new(Config { policy, ..CONFIG });
        let (mut values, mut labels) = ([0.0; 4 * ROW], [0; 4]);
        let before = calls();
        for number in 0..200 {
            let _ = pusher.push(&[number as f32; ROW], number % 4);
            feed.fetch(&mut values, &mut labels, Nanos(number));
        }
        assert_eq!(calls() - before, 0, "{policy:?}");
        assert!(feed.statistics().fetches.get() > 100);
    }
}
