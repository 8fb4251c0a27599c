//! [`Segments`]: a step cut one way, bound to its memory, each piece measured.

use super::OnnxError;
use super::binding::Binding;
use super::borders::borders;
use super::cut::Cuttable;
use super::engine::Ready;
use super::library::Library;
use super::memory::StepMemory;
use super::node_times::{self, NodeTimes};
use super::run_options::RunOptions;
use super::session::{Session, SessionOptions};
use super::threads::Refusals;
use crate::limits;
use crate::units::Nanos;
use crate::workload::Pieces;
use std::sync::Arc;

/// Runs of each segment when it is measured; the second longest counts, so that one interruption does not.
const MEASURED: usize = 12;

/// Cuts that are tried at most until no segment is longer than wanted.
const ROUNDS: usize = 6;

/// A step cut one way.
pub(super) struct Segments {
    sessions: Vec<Arc<Session>>,
    /// `[segment][copy]`: each segment reading copy 0 and writing copy 1, and the other way round.
    bindings: Vec<[Binding; 2]>,
    /// Upper length of each piece; the fetch, or its parts, come first.
    pub(super) lengths: Pieces,
    /// Memory of what crosses its borders.
    pub(super) buffer_bytes: usize,
}

impl Segments {
    /// Segments without the fetch.
    pub(super) fn count(&self) -> usize {
        self.bindings.len()
    }

    /// The segment's run that reads the state's copy `from`.
    pub(super) fn binding(&mut self, segment: usize, from: usize) -> Option<&mut Binding> {
        self.bindings.get_mut(segment)?.get_mut(from)
    }

    /// Runs a whole step from the state's copy 0 into copy 1.
    pub(super) fn run(&mut self, memory: &mut StepMemory) -> Result<(), OnnxError> {
        for [binding, _] in &mut self.bindings {
            binding.run()?;
        }
        memory.is_finite(1).map(|_| ())
    }

    /// What the system refused to the engine's threads.
    pub(super) fn refusals(&self) -> Refusals {
        let refusals = self.sessions.iter().map(|session| session.refusals());
        refusals.fold(Refusals::default(), |sum, it| Refusals {
            priority: (sum.priority.0 + it.priority.0, sum.priority.1.max(it.priority.1)),
            cpu: (sum.cpu.0 + it.cpu.0, sum.cpu.1.max(it.cpu.1)),
        })
    }

    pub(super) fn longest(&self) -> Nanos {
        let segments = self.lengths.iter().rev().take(self.count());
        segments.copied().max().unwrap_or(Nanos::ZERO)
    }

    /// Announces the fetch with these lengths of its parts, in place of those before.
    pub(super) fn announce(&mut self, fetch: &[Nanos]) {
        let before = self.lengths.len() - self.count();
        let segments = self.lengths.iter().skip(before);
        // At most limits::PIECES, by the room that cuts and fetches are given.
        self.lengths = fetch
            .iter()
            .chain(segments)
            .copied()
            .take(limits::PIECES)
            .collect();
    }
}

/// What a step is cut with, at registration.
pub(super) struct Cutter<'a> {
    pub(super) library: &'a Library,
    pub(super) name: &'a str,
    pub(super) engine: &'a Arc<Ready>,
    pub(super) graph: Cuttable,
    /// Of every segment.
    pub(super) options: Arc<RunOptions>,
    /// Segments that a step has room for.
    pub(super) room: usize,
}

impl Cutter<'_> {
    fn options(&self) -> SessionOptions<'_> {
        SessionOptions {
            optimise: false,
            engine: self.engine,
            profile: None,
        }
    }

    /// Loads the whole graph.
    pub(super) fn load(&self) -> Result<Arc<Session>, OnnxError> {
        Session::new(self.library, self.name, &self.graph.whole(), self.options()).map(Arc::new)
    }

    /// The time of each node, and where it runs.
    pub(super) fn node_times(&self, memory: &mut StepMemory) -> Result<NodeTimes, OnnxError> {
        let (whole, nodes) = (self.graph.whole(), self.graph.nodes());
        node_times::measure(
            self.library,
            self.options(),
            self.name,
            &whole,
            nodes,
            |session| {
                memory.cross(std::slice::from_ref(session))?;
                Binding::new(session, |name| memory.find(name, 0))
            },
        )
    }

    /// Cuts at most [`ROUNDS`] times, until the longest segment is as short as wanted, and returns the cut whose longest
    /// is the shortest. What the segments of one cut were measured to take corrects the times of their nodes for the
    /// next: a node takes longer where its inputs lie across a border, and on a device the profile tells little.
    pub(super) fn cut(
        &self,
        memory: &mut StepMemory,
        times: &[u64],
        wanted: Nanos,
    ) -> Result<Segments, OnnxError> {
        let kept = self.graph.kept();
        let mut times = times.to_vec();
        let mut best: Option<Segments> = None;
        let mut round = 1;
        loop {
            let cut = borders(&times, wanted.0, self.room, &kept);
            let files = self.graph.segments(&cut)?;
            let sessions = files.iter().enumerate().map(|(index, file)| {
                Session::new(self.library, &format!("segment {index}"), file, self.options()).map(Arc::new)
            });
            let made = self.bind(memory, sessions.collect::<Result<_, _>>()?)?;
            let whole_nodes = corrected(&mut times, &cut, &made.lengths, wanted);
            let better = best
                .take()
                .filter(|best| best.longest() <= made.longest())
                .unwrap_or(made);
            if better.longest() <= wanted || whole_nodes || round == ROUNDS {
                return Ok(better);
            }
            best = Some(better);
            round += 1;
        }
    }

    /// A cut of pieces half as long as `wanted`, or shorter still if that makes no more than `count` of them; `None` if
    /// nothing does.
    pub(super) fn finer(
        &self,
        memory: &mut StepMemory,
        times: &[u64],
        wanted: Nanos,
        count: usize,
    ) -> Result<Option<Segments>, OnnxError> {
        // Measured times are not the profile's, so half of one may be above all of the other.
        for round in 1..=ROUNDS {
            let made = self.cut(memory, times, Nanos(wanted.0 >> round))?;
            if made.count() > count {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    /// Binds `sessions`, the segments in their order, to `memory`, runs and measures them.
    pub(super) fn bind(
        &self,
        memory: &mut StepMemory,
        sessions: Vec<Arc<Session>>,
    ) -> Result<Segments, OnnxError> {
        let buffer_bytes = memory.cross(&sessions)?;
        let both = |session: &Arc<Session>| -> Result<[Binding; 2], OnnxError> {
            let mut both = [
                Binding::new(session, |name| memory.find(name, 0))?,
                Binding::new(session, |name| memory.find(name, 1))?,
            ];
            for binding in &mut both {
                binding.set_options(Arc::clone(&self.options));
            }
            Ok(both)
        };
        let mut made = Segments {
            bindings: sessions.iter().map(both).collect::<Result<_, _>>()?,
            sessions,
            lengths: Pieces::new(),
            buffer_bytes,
        };
        made.lengths = self.measure(&mut made, memory)?;
        Ok(made)
    }

    /// Runs whole steps over whatever is in `x` and notes the upper length of each piece. The runs write the
    /// idle copy, so the state, in copy 0, stays as it is.
    fn measure(&self, segments: &mut Segments, memory: &mut StepMemory) -> Result<Pieces, OnnxError> {
        // Labels of zero are in range for any number of classes.
        memory.y.clear();
        memory.send()?;
        let count = segments.count();
        let mut times = vec![Vec::new(); count];
        for run in 0..=MEASURED {
            for (index, times) in times.iter_mut().enumerate() {
                let Some(binding) = segments.binding(index, 0) else {
                    continue;
                };
                let start = self.engine.now();
                binding.run()?;
                if index + 1 == count {
                    std::hint::black_box(memory.is_finite(1)?);
                }
                // The first run makes ONNX Runtime's own buffers.
                if run > 0 {
                    times.push(self.engine.now() - start);
                }
            }
        }
        let mut lengths = Pieces::new();
        // Below limits::PIECES: the borders are chosen so.
        for mut times in times {
            times.sort_unstable();
            let _ = lengths.push(times.iter().rev().nth(1).copied().unwrap_or(Nanos::ZERO));
        }
        Ok(lengths)
    }
}

/// Makes the `times` of the nodes in each segment between two of `borders` add up to what the segment took. Returns
/// whether every segment that took longer than `wanted` is one node, so that no cut is shorter.
fn corrected(times: &mut [u64], borders: &[usize], took: &[Nanos], wanted: Nanos) -> bool {
    let ends = borders.iter().copied().chain([times.len()]);
    let starts = [0].into_iter().chain(borders.iter().copied());
    let ranges: Vec<(usize, usize)> = starts.zip(ends).collect();
    let mut whole_nodes = true;
    for ((start, end), took) in ranges.into_iter().zip(took) {
        let nodes = times.get_mut(start..end).unwrap_or_default();
        whole_nodes &= *took <= wanted || nodes.len() < 2;
        // A node that the profile does not mention takes a little.
        let sum: u128 = nodes.iter().map(|time| u128::from((*time).max(1))).sum();
        for time in nodes {
            *time = (u128::from((*time).max(1)) * u128::from(took.0)).div_ceil(sum) as u64;
        }
    }
    whole_nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nodes_take_what_their_segment_took() {
        let mut times = [10, 30, 0, 0, 7];
        let took = [Nanos(80), Nanos(10), Nanos(70)];
        assert!(!corrected(&mut times, &[2, 4], &took, Nanos(79)));
        assert_eq!(times, [20, 60, 5, 5, 70]);
        assert!(
            corrected(&mut times, &[2, 4], &took, Nanos(80)),
            "the last segment is too long, but one node"
        );
    }

    proptest! {
        #[test]
        fn a_corrected_segment_is_as_long_as_it_was_measured_to_within_a_unit_a_node(
            times in prop::collection::vec(0_u64..1_000_000, 2..50),
            middle in 0_usize..48,
            took in (0_u64..10_000_000, 0_u64..10_000_000),
        ) {
            let border = 1 + middle % (times.len() - 1);
            let mut made = times.clone();
            corrected(&mut made, &[border], &[Nanos(took.0), Nanos(took.1)], Nanos(1));
            for (nodes, took) in [(&made[..border], took.0), (&made[border..], took.1)] {
                let sum: u64 = nodes.iter().sum();
                prop_assert!(sum >= took && sum - took <= nodes.len() as u64);
            }
        }
    }
}
