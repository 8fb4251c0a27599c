//! The log of decisions: replayed, written, read back, refused.

use super::*;

/// The log of a random task set whose streams skip what is overdue, in a world where pieces fail.
fn random_log(seed: u64) -> (Schedule, std::vec::Vec<log::Entry>) {
    let mut set = TaskSet::random(seed);
    for (stream, overdue) in set
        .streams
        .iter_mut()
        .zip([Overdue::Skip, Overdue::Newest, Overdue::Run])
    {
        stream.overdue = overdue;
    }
    let mut start = set.schedule().unwrap();
    start.set_rest(u32::try_from(seed % 3).unwrap() * 60);
    let longest = set.streams.iter().map(|it| it.arrival.period()).max().unwrap();
    let world = World {
        length: longest.times(20),
        seed,
        quickest: 300,
        eager: 500,
        failing: 20,
        overrunning: 50,
    };
    let mut entries = std::vec::Vec::new();
    simulator::run_logged(&mut start.clone(), &world, |entry| entries.push(entry));
    (start, entries)
}

fn differences(schedule: Schedule, entries: &[log::Entry]) -> std::vec::Vec<log::Difference> {
    log::replay(schedule, entries).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 300 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_decisions_of_any_run_are_taken_again_bit_for_bit_also_from_the_file(seed in any::<u64>()) {
        let (start, entries) = random_log(seed);
        prop_assert_eq!(differences(start.clone(), &entries), []);
        let mut file = std::vec::Vec::new();
        log::text::write(&mut file, &start, &entries, 0).unwrap();
        let (start, read) = log::text::read(core::str::from_utf8(&file).unwrap()).unwrap();
        prop_assert_eq!(&read, &entries);
        prop_assert_eq!(differences(start, &read), []);
    }
}

#[test]
fn a_changed_decision_and_an_input_that_cannot_be_are_found_at_their_place() {
    let start = schedule(Policy::Slack, &[camera(30, 5, 1)], &[training(&[10])]);
    let mut entries = std::vec::Vec::new();
    let world = World {
        length: Nanos(300 * MS),
        seed: 1,
        quickest: 1_000,
        eager: 1_000,
        failing: 0,
        overrunning: 0,
    };
    simulator::run_logged(&mut start.clone(), &world, |entry| entries.push(entry));
    let place = entries
        .iter()
        .position(|entry| matches!(entry, log::Entry::Piece { .. }))
        .unwrap();
    let at = entries[place].at();
    let mut changed = entries.clone();
    changed[place] = log::Entry::Idle { until: at, at };
    let found = differences(start.clone(), &changed);
    assert_eq!(
        (found[0].entry, found[0].recorded, found[0].taken),
        (place, changed[place], Some(entries[place]))
    );
    for input in [
        log::Entry::Arrived {
            stream: 1,
            release: at,
            at,
        },
        log::Entry::Ended {
            job: 1,
            ended: Ended::Ran,
            start: at,
            end: at,
        },
        log::Entry::GivenUp { stream: 1, at },
    ] {
        let found = differences(start.clone(), &[input])[0];
        assert_eq!((found.taken, found.recorded.at()), (None, at), "{input:?}");
    }
    // Where the camera's next frame is near, `edf` starts a piece and `slack` waits.
    let otherwise = differences(start.under(Policy::Edf), &entries);
    assert!(otherwise.iter().any(|it| {
        matches!(it.recorded, log::Entry::Idle { .. }) && matches!(it.taken, Some(log::Entry::Piece { .. }))
    }));
}

#[test]
fn a_log_that_is_foreign_broken_or_cut_off_is_refused_with_its_line() {
    let start = schedule(Policy::IN_FLIGHT, &[camera(30, 5, 1)], &[training(&[10, 4])]);
    let at = Nanos(5);
    let entries = [
        log::Entry::Arrived {
            stream: 0,
            release: at,
            at,
        },
        log::Entry::Piece { job: 0, piece: 0, at },
    ];
    let mut file = std::vec::Vec::new();
    log::text::write(&mut file, &start, &entries, 0).unwrap();
    let text = std::string::String::from_utf8(file).unwrap();
    let refused = |text: &str| log::text::read(text).unwrap_err().to_string();
    for (from, to, told) in [
        (
            "fulcrum-decisions 2",
            "fulcrum-decisions 1",
            "1: this is not a log",
        ),
        ("in-flight", "best", "2: \"best\" is not a policy"),
        ("deadline", "cost", "3: \"cost\" is not deadline"),
        ("minibatch 1", "minibatch 0", "3: a minibatch of 0"),
        (
            "periodic",
            "daily",
            "3: \"daily\" is not periodic, sporadic or bursty",
        ),
        ("job 10000000", "job x", "4: \"x\" is not a time"),
        ("job 10000000 4000000", "job", "4: a step of 0 pieces"),
        ("arrived 0", "arrived 1", "5: \"1\" is not a stream of this log"),
        (
            "arrived 0 5 5",
            "arrived 0 5",
            "5: the line ends where a time in nanoseconds is needed",
        ),
        ("piece 0 0 5", "piece 0 0 5 9", "6: \"9\" stands after the end"),
        ("piece 0 0 5", "dance", "6: \"dance\" is not stream, job"),
        ("end 2", "end 3", "7: the log counts 3 entries but has 2"),
        ("lost 0", "lost 4", "7: 4 entries were lost"),
        ("end 2 lost 0\n", "", "7: the log ends here"),
    ] {
        assert!(text.contains(from), "{from}");
        let refusal = refused(&text.replacen(from, to, 1));
        assert!(refusal.starts_with(told), "{refusal}");
    }
    let many = std::format!("job{}", " 1".repeat(limits::PIECES + 1));
    assert!(refused(&text.replacen("job 10000000 4000000", &many, 1)).starts_with("4: a step of 129 pieces"));
    for end in (0..text.len() - 1).step_by(if cfg!(miri) { 97 } else { 1 }) {
        log::text::read(&text[..end]).unwrap_err();
    }
}

#[test]
fn a_log_that_cannot_be_written_whole_says_so_and_one_with_all_kinds_of_entries_reads_back() {
    let sporadic = StreamSpec {
        arrival: Arrival::Sporadic {
            period: Nanos(30 * MS),
        },
        ..camera(30, 5, 1)
    };
    let slice = Policy::TimeSlice(Nanos(4_321));
    let start = schedule(slice, &[camera(30, 5, 1), sporadic], &[training(&[10])]);
    let at = Nanos(7);
    let ended = [Ended::Ran, Ended::Stepped, Ended::Dry, Ended::Failed].map(|ended| log::Entry::Ended {
        job: 0,
        ended,
        start: at,
        end: at,
    });
    let mut entries = ended.to_vec();
    entries.push(log::Entry::Skipped { stream: 1, at });
    let mut file = std::vec::Vec::new();
    log::text::write(&mut file, &start, &entries, 0).unwrap();
    let (read, read_entries) = log::text::read(core::str::from_utf8(&file).unwrap()).unwrap();
    assert_eq!(
        (read.policy(), read.started(), read_entries),
        (slice, start.started(), entries.clone())
    );
    for room in (0..file.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
        let mut place = vec![0; room];
        assert!(log::text::write(&mut place.as_mut_slice(), &start, &entries, 0).is_err());
    }
}
