//! A [`Feed`] is the trainer's end: it takes samples in, draws minibatches and measures how long it had none.

use super::handover::{Puller, Pusher, handover};
use super::position::Position;
use super::replay::{Policy, Replay};
use crate::schedule::statistics::Counter;
use crate::units::Nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How a feed is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Values of a sample.
    pub row: usize,
    /// Samples that are kept to draw from.
    pub capacity: usize,
    /// Samples that may wait between two fetches; what comes beyond is turned away.
    pub waiting: usize,
    /// Which samples are kept and drawn.
    pub policy: Policy,
    /// Samples that must have come before the first draw; at least as many as are drawn at once.
    pub least: usize,
    /// Times each sample that came may be drawn, on the average; 0: without limit. With a limit the feed runs
    /// dry where the source is slower than training.
    pub reuse: u32,
    /// Samples that one fetch takes in at most: with the minibatch it bounds the length of the piece.
    pub intake: usize,
    /// The draws follow from it.
    pub seed: u64,
}

/// What came of a feed. Readable from any thread while it goes on.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Samples taken in.
    pub taken: Counter,
    /// Samples with a label that no class has.
    pub refused: Counter,
    /// Minibatches, or parts of one, that were drawn.
    pub fetches: Counter,
    /// Samples drawn.
    pub drawn: Counter,
    /// Times it was asked and was dry.
    pub dry: Counter,
    /// Minibatches that had to be waited for.
    pub stalls: Counter,
    /// The time of all stalls, from the first time a minibatch was wanted to having it, ns.
    pub stalled: Counter,
    longest: AtomicU64,
}

impl Statistics {
    /// The longest stall.
    pub fn longest_stall(&self) -> Nanos {
        Nanos(self.longest.load(Relaxed))
    }
}

/// The trainer's end of a feed. It neither allocates nor locks.
#[derive(Debug)]
pub struct Feed {
    puller: Puller,
    replay: Replay,
    least: usize,
    reuse: u32,
    intake: usize,
    /// Since when a minibatch is wanted that is not there.
    wanted: Option<Nanos>,
    position: Arc<Position>,
    statistics: Arc<Statistics>,
}

impl Feed {
    /// Both ends of a feed. All allocation happens here.
    pub fn new(config: Config) -> (Pusher, Feed) {
        let (pusher, puller) = handover(config.row, config.waiting.max(1));
        let position = Arc::<Position>::default();
        position.random().store(config.seed, Relaxed);
        let feed = Feed {
            puller,
            replay: Replay::with(config.row, config.capacity, config.policy, config.seed),
            least: config.least.max(1),
            reuse: config.reuse,
            intake: config.intake.max(1),
            wanted: None,
            position,
            statistics: Arc::default(),
        };
        (pusher, feed)
    }

    /// How far it has come, for a checkpoint to keep. Which samples the ring holds is not kept: it fills
    /// anew.
    pub fn position(&self) -> &Arc<Position> {
        &self.position
    }

    /// What came of it.
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.statistics
    }

    /// Samples to draw from.
    pub fn held(&self) -> usize {
        self.replay.len()
    }

    /// Takes in what waits and draws as many samples as `labels` has places, at the moment `now`. Returns
    /// false and writes nothing while it is dry. A minibatch may be fetched in several calls, a part each.
    pub fn fetch(&mut self, values: &mut [f32], labels: &mut [i64], now: Nanos) -> bool {
        let before = self.replay.refused();
        let came = self.replay.refill_at_most(&mut self.puller, self.intake) as u64;
        let refused = self.replay.refused() - before;
        self.statistics.taken.add(came - refused);
        self.statistics.refused.add(refused);
        let wanted = labels.len() as u64;
        let drawn = self.may_draw(wanted) && self.draw(values, labels);
        let statistics = &self.statistics;
        if !drawn {
            statistics.dry.add(1);
            self.wanted.get_or_insert(now);
            return false;
        }
        statistics.fetches.add(1);
        statistics.drawn.add(wanted);
        self.position.drawn().fetch_add(wanted, Relaxed);
        if let Some(wanted) = self.wanted.take() {
            let stall = now - wanted;
            statistics.stalls.add(1);
            statistics.stalled.add(stall.0);
            statistics.longest.fetch_max(stall.0, Relaxed);
        }
        true
    }

    fn may_draw(&self, wanted: u64) -> bool {
        let (taken, drawn) = (self.statistics.taken.get(), self.statistics.drawn.get());
        let limit = taken.saturating_mul(u64::from(self.reuse));
        self.replay.came() >= self.least as u64 && (self.reuse == 0 || drawn + wanted <= limit)
    }

    /// The random numbers go on where the position says, which may be one that was kept.
    fn draw(&mut self, values: &mut [f32], labels: &mut [i64]) -> bool {
        self.replay.set_random(self.position.random().load(Relaxed));
        let drawn = self.replay.draw(values, labels);
        self.position.random().store(self.replay.random(), Relaxed);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config {
        row: 2,
        capacity: 4,
        waiting: 8,
        policy: Policy::Uniform,
        least: 3,
        reuse: 0,
        intake: 2,
        seed: 9,
    };

    fn feed(config: Config, samples: u64) -> (Pusher, Feed) {
        let (mut pusher, feed) = Feed::new(config);
        (0..samples).for_each(|number| pusher.push(&[number as f32; 2], number).unwrap());
        (pusher, feed)
    }

    fn fetch(feed: &mut Feed, now: u64) -> bool {
        feed.fetch(&mut [0.0; 2], &mut [0], Nanos(now))
    }

    #[test]
    fn a_stall_lasts_from_the_first_time_a_minibatch_was_wanted_to_having_it() {
        let (mut pusher, mut feed) = feed(CONFIG, 2);
        for now in [100, 150, 190] {
            assert!(!fetch(&mut feed, now));
        }
        pusher.push(&[2.0; 2], 2).unwrap();
        assert!(fetch(&mut feed, 200));
        assert!(fetch(&mut feed, 900));
        let statistics = feed.statistics();
        assert_eq!((statistics.dry.get(), statistics.stalls.get()), (3, 1));
        assert_eq!(
            (statistics.stalled.get(), statistics.longest_stall()),
            (100, Nanos(100))
        );
        assert_eq!(
            (
                statistics.fetches.get(),
                statistics.drawn.get(),
                statistics.taken.get()
            ),
            (2, 2, 3)
        );
    }

    #[test]
    fn a_fetch_takes_in_a_bounded_number_of_samples() {
        let (_pusher, mut feed) = feed(CONFIG, 8);
        for taken in [2, 4, 6, 8, 8] {
            fetch(&mut feed, 0);
            assert_eq!(feed.statistics().taken.get(), taken);
        }
    }

    #[test]
    fn with_a_limit_on_reuse_the_feed_runs_dry_until_new_samples_come() {
        let (mut pusher, mut feed) = feed(
            Config {
                reuse: 2,
                intake: 8,
                ..CONFIG
            },
            3,
        );
        assert_eq!((0..10).filter(|now| fetch(&mut feed, *now)).count(), 6);
        pusher.push(&[3.0; 2], 3).unwrap();
        assert_eq!((10..20).filter(|now| fetch(&mut feed, *now)).count(), 2);
    }

    #[test]
    fn a_feed_that_takes_a_position_up_draws_as_the_one_that_kept_it() {
        let draws = |feed: &mut Feed| {
            let draw = |now| {
                let (mut values, mut label) = ([0.0; 2], [0]);
                assert!(feed.fetch(&mut values, &mut label, Nanos(now)));
                label
            };
            (0..50).map(draw).collect::<Vec<_>>()
        };
        let config = Config { intake: 8, ..CONFIG };
        let (_one, mut first) = feed(config, 4);
        draws(&mut first);
        let kept = [0, 1, 2].map(|place| first.position().value(place));
        let (_two, mut second) = feed(Config { seed: 1, ..config }, 4);
        second.position().restore(kept);
        assert_eq!(draws(&mut second), draws(&mut first));
        assert_eq!(second.position().value(1), 100);
    }

    #[test]
    fn no_sample_is_torn_between_two_threads_and_none_is_lost_that_was_taken() {
        let samples = if cfg!(miri) { 100 } else { 20_000 };
        let row = 33;
        let (mut pusher, mut feed) = Feed::new(Config {
            row,
            capacity: 7,
            waiting: 5,
            policy: Policy::Recent(3),
            ..CONFIG
        });
        let pushing = std::thread::spawn(move || {
            let mut values = vec![0.0; row];
            for number in 0..samples {
                values.fill(number as f32);
                while pusher.push(&values, number).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        let (mut values, mut labels) = (vec![0.0; 2 * row], [0; 2]);
        let mut newest = 0;
        while feed.statistics().taken.get() < samples {
            if !feed.fetch(&mut values, &mut labels, Nanos(0)) {
                std::thread::yield_now();
            }
            for (sample, label) in values.chunks(row).zip(labels) {
                assert!(
                    sample.iter().all(|value| *value == label as f32),
                    "{label}: {sample:?}"
                );
                newest = newest.max(label);
            }
        }
        pushing.join().unwrap();
        assert!(newest as u64 + 3 >= samples, "{newest}");
        assert_eq!(feed.held(), 7);
    }
}
