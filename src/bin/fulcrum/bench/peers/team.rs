//! [`Team`]: the processes of one arm, from the side of the one that measures.

use super::group::Group;
use super::load::Load;
use super::peer::Part;
use super::worker::{Order, Played, Told, Work};
use crate::bench::arm::PERIOD;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// From telling the start to the start: training is under way by then.
const AHEAD: Nanos = Nanos::from_millis(150);

/// One process.
struct Worker {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Worker {
    fn spawn(order: &Order) -> Result<Worker, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "worker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("this program could not be started again as a worker: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, told) = pipes.ok_or("a worker has no pipes")?;
        let mut worker = Worker {
            child,
            orders,
            told: BufReader::new(told),
        };
        writeln!(worker.orders, "{}", serde_json::to_string(order)?)?;
        Ok(worker)
    }

    fn hear(&mut self) -> Result<Told, Box<dyn Error>> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(Told::Failed(reason)) => Err(reason.into()),
            Ok(told) => Ok(told),
            Err(_) => Err(format!("a worker ended early: {}", self.child.wait()?).into()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended by itself is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an arm came to once.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeat {
    pub(super) played: Played,
    /// Share of the machine that other work took.
    pub(super) others: f64,
    pub(super) switches: u64,
}

/// An arm as it went, or why the machine refuses it.
pub(super) type Outcome = Result<Repeat, String>;

/// Has the work measured in a process of its own.
pub(super) fn weigh(order: &Order) -> Result<Work, Box<dyn Error>> {
    match Worker::spawn(order)?.hear()? {
        Told::Weighed(work) => Ok(work),
        other => Err(format!("a worker said {other:?} instead of what the work takes").into()),
    }
}

/// Runs the arm of `order`, a process for each of its parts.
pub(super) fn play(order: &Order) -> Result<Outcome, Box<dyn Error>> {
    // Declared first, so that they are removed after the processes in them have ended.
    let mut groups = Vec::new();
    let mut workers = Vec::new();
    let cost = Nanos(order.work.cost).as_secs_f64() / PERIOD.as_secs_f64();
    let left = (1_000.0 * (1.0 - cost)).max(50.0) as u64;
    for part in order.peer.parts() {
        let group = match order.peer.limit(*part, left) {
            None => None,
            Some(limit) => match Group::new(&format!("{part:?}").to_lowercase(), limit) {
                Ok(group) => Some(group),
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let order = Order {
            part: *part,
            group: group.as_ref().map(|group| group.path().to_path_buf()),
            ..order.clone()
        };
        groups.extend(group);
        workers.push(Worker::spawn(&order)?);
    }
    for worker in &mut workers {
        match worker.hear()? {
            Told::Ready => {}
            Told::Refused(reason) => return Ok(Err(reason)),
            other => return Err(format!("a worker said {other:?} before the start").into()),
        }
    }
    let start = Monotonic.now() + AHEAD;
    for worker in &mut workers {
        writeln!(worker.orders, "{}", start.0)?;
    }
    let processes: Vec<u32> = workers.iter().map(|worker| worker.child.id()).collect();
    let threads = order.peer.parts() == [Part::Both];
    Monotonic.sleep_until(start);
    let before = Load::now(&processes, threads)?;
    Monotonic.sleep_until(start + PERIOD.times(order.periods));
    let after = Load::now(&processes, threads)?;
    let mut repeat = Repeat {
        others: after.others_since(&before),
        switches: after.switches_since(&before),
        ..Repeat::default()
    };
    for worker in &mut workers {
        match worker.hear()? {
            Told::Played(played) => repeat.played.add(played),
            other => return Err(format!("a worker said {other:?} after its part").into()),
        }
    }
    drop(workers);
    drop(groups);
    Ok(Ok(repeat))
}

impl Played {
    /// The part of another process of the same arm.
    fn add(&mut self, other: Played) {
        self.latencies.extend(other.latencies);
        self.served += other.served;
        self.on_shared = self.on_shared.or(other.on_shared);
        self.steps += other.steps;
        self.time = self.time.max(other.time);
        self.bound = self.bound.or(other.bound);
        self.violations += other.violations;
        self.warnings.extend(other.warnings);
    }
}
