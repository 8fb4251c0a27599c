//! The [`Writer`] is the file side of a checkpoint: it brings snapshots to disk, one bounded part a call.

use super::budget::Budget;
use super::content::{Identity, Shape, State};
use super::disk::LARGEST;
use super::slots::Slots;
use super::snapshot::{Image, Snapshot};
use super::{CheckpointError, STEPS, Statistics, form};
use crate::units::Nanos;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// How a job's checkpoints are taken and written.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of a part: what one piece of the schedule copies, and what one call writes. Rounded up to a
    /// multiple of 8.
    pub part: usize,
    /// What may be written in an hour; `None`: as much as comes.
    pub budget: Option<Budget>,
}

impl Default for Config {
    /// Parts of 256 KiB, which is some 0.1 ms of copying on the slowest board; no budget.
    fn default() -> Config {
        Config {
            part: 256 * 1024,
            budget: None,
        }
    }
}

/// What a call of [`Writer::write_part`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is nothing to write.
    Idle,
    /// A part is written; there is more.
    Wrote,
    /// The checkpoint of this number is on disk for good.
    Kept {
        /// Its number.
        sequence: u64,
        /// Bytes of its file.
        bytes: u64,
    },
    /// The next checkpoint would exceed the write budget: none is taken before this moment.
    PutOff {
        /// First moment at which it does not.
        until: Nanos,
    },
}

/// Where the writer stands with a file of `bytes`.
enum Stage {
    Idle,
    Values {
        bytes: u64,
        /// Bytes of the values that are written.
        at: usize,
        /// Of what is written.
        crc: crc32fast::Hasher,
    },
    Sync {
        bytes: u64,
    },
    Place {
        bytes: u64,
    },
    Settle {
        bytes: u64,
    },
}

/// Writes snapshots into slots. Whoever calls it is not the dispatcher.
pub struct Writer {
    slots: Slots,
    identity: Identity,
    counters: Vec<String>,
    shapes: Vec<Shape>,
    part: usize,
    budget: Option<Budget>,
    full: rtrb::Consumer<Image>,
    spare: rtrb::Producer<Image>,
    stage: Stage,
    /// The image, from the moment it is taken until the budget allows another checkpoint.
    image: Option<Image>,
    putting_off: bool,
    statistics: Arc<Statistics>,
}

/// Both ends of the checkpoints of `state`, which are written into `slots`. All allocation of the
/// dispatcher's end happens here: one image, as large as the state.
pub fn channel(
    state: &impl State,
    slots: Slots,
    config: Config,
) -> Result<(Snapshot, Writer), CheckpointError> {
    state.keepable()?;
    let (shapes, counters) = (state.shapes(), state.counters());
    let image = Image::new(&shapes, counters.len())?;
    let part = config.part.clamp(8, isize::MAX as usize / 2).next_multiple_of(8);
    let (full, take) = rtrb::RingBuffer::new(1);
    let (give, spare) = rtrb::RingBuffer::new(1);
    let statistics = Arc::<Statistics>::default();
    let snapshot = Snapshot::new(
        &shapes,
        (!state.whole()).then_some(part),
        (full, spare),
        Arc::clone(&statistics),
    )?;
    let mut writer = Writer {
        slots,
        identity: state.identity(),
        counters,
        shapes,
        part,
        budget: config.budget,
        full: take,
        spare: give,
        stage: Stage::Idle,
        image: None,
        putting_off: false,
        statistics,
    };
    let bytes = writer.file_bytes(&image);
    if bytes > LARGEST {
        return Err(CheckpointError::TooLarge);
    }
    if let Some(budget) = &writer.budget
        && budget.limit() < bytes
    {
        return Err(CheckpointError::Budget {
            checkpoint: bytes,
            budget: budget.limit(),
        });
    }
    // The ring is empty and has room for the one image there is.
    let _ = writer.spare.push(image);
    Ok((snapshot, writer))
}

impl Writer {
    fn head(&self, counts: &[u64], values: usize) -> Vec<u8> {
        let counters: Vec<_> = self
            .counters
            .iter()
            .map(String::as_str)
            .zip(counts.iter().copied())
            .collect();
        form::head(
            &self.identity,
            self.slots.coming(),
            counters.into_iter(),
            self.shapes.iter(),
            values,
        )
    }

    fn file_bytes(&self, image: &Image) -> u64 {
        let values = image.values.len();
        (self.head(&image.counts, values).len() + values + form::TAIL) as u64
    }

    /// Steps of the image at hand.
    fn steps(&self) -> u64 {
        let counter = self.counters.iter().position(|name| name == STEPS);
        let image = self.image.as_ref();
        let counted = counter
            .zip(image)
            .and_then(|(counter, image)| image.counts.get(counter));
        counted.copied().unwrap_or(0)
    }

    /// What becomes of the checkpoints.
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.statistics
    }

    /// Does the next bounded part of the work, at the moment `now`: a part of the file, a sync, a rename.
    /// After an error the attempt is given up, the checkpoint before stands, and the next snapshot is a new
    /// attempt.
    pub fn write_part(&mut self, now: Nanos) -> Result<Status, CheckpointError> {
        let outcome = self.go_on(now);
        if let Err(error) = &outcome {
            self.stage = Stage::Idle;
            self.statistics.errno.store(error.errno(), Relaxed);
            self.statistics.failed.add(1);
        }
        outcome
    }

    fn go_on(&mut self, now: Nanos) -> Result<Status, CheckpointError> {
        match &mut self.stage {
            Stage::Idle => return self.look(now),
            Stage::Values { bytes, at, crc } => {
                let values = self.image.as_ref().map_or(&[][..], |image| &image.values);
                let rest = values.get(*at..).unwrap_or_default();
                let part = rest.get(..self.part).unwrap_or(rest);
                crc.update(part);
                self.slots.write(part)?;
                *at += part.len();
                if *at == values.len() {
                    let bytes = *bytes;
                    self.slots.write(&form::tail(crc.clone()))?;
                    self.stage = Stage::Sync { bytes };
                }
            }
            Stage::Sync { bytes } => {
                self.slots.sync()?;
                self.stage = Stage::Place { bytes: *bytes };
            }
            Stage::Place { bytes } => {
                self.slots.place()?;
                self.stage = Stage::Settle { bytes: *bytes };
            }
            Stage::Settle { bytes } => {
                let (sequence, bytes) = (self.slots.coming(), *bytes);
                self.slots.settle()?;
                self.stage = Stage::Idle;
                self.statistics.newest_steps.store(self.steps(), Relaxed);
                self.statistics.kept.add(1);
                return Ok(Status::Kept { sequence, bytes });
            }
        }
        Ok(Status::Wrote)
    }

    /// Hands the image back where the budget allows another checkpoint, and begins with a snapshot that
    /// waits.
    fn look(&mut self, now: Nanos) -> Result<Status, CheckpointError> {
        if let Some(image) = self.image.take() {
            let bytes = self.file_bytes(&image);
            let budget = self.budget.as_mut();
            let until = budget.map_or(now, |budget| budget.allows_at(now, bytes));
            if until > now {
                self.image = Some(image);
                let again = std::mem::replace(&mut self.putting_off, true);
                self.statistics.put_off.add(u64::from(!again));
                return Ok(Status::PutOff { until });
            }
            self.putting_off = false;
            // There is one image and room for it.
            let _ = self.spare.push(image);
        }
        let Ok(image) = self.full.pop() else {
            return Ok(Status::Idle);
        };
        let bytes = self.file_bytes(&image);
        if let Some(budget) = &mut self.budget {
            budget.charge(now, bytes);
        }
        self.statistics.bytes.add(bytes);
        let head = self.head(&image.counts, image.values.len());
        self.image = Some(image);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head);
        self.slots.begin()?;
        self.slots.write(&head)?;
        self.stage = Stage::Values { bytes, at: 0, crc };
        Ok(Status::Wrote)
    }

    /// Writes on until nothing waits, or the budget is used up; says what the newest checkpoint came to, if
    /// there was one.
    pub fn write_all(&mut self, now: Nanos) -> Result<Option<Status>, CheckpointError> {
        let mut newest = None;
        loop {
            match self.write_part(now)? {
                Status::Wrote => {}
                kept @ Status::Kept { .. } => newest = Some(kept),
                Status::Idle | Status::PutOff { .. } => return Ok(newest),
            }
        }
    }
}
