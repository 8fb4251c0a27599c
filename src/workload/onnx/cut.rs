//! The cut: where a training step is divided into segments, and the segments as models of their own.
//!
//! A segment is a run of nodes in the graph's own order, so running all segments one after the other over the same
//! buffers computes what the whole graph computes, bit for bit.

use super::OnnxError;
use super::model::{GraphProto, ModelProto, ValueInfoProto, decode};
use prost::Message;
use std::collections::{HashMap, HashSet};

/// A graph that can be cut.
pub(super) struct Cuttable {
    model: ModelProto,
    graph: GraphProto,
    name: String,
}

impl Cuttable {
    /// Reads `bytes` and checks that the nodes stand in an order in which they can run. Every node gets the name
    /// `n<index>`, by which the profile reports it.
    pub(super) fn new(name: &str, bytes: &[u8]) -> Result<Cuttable, OnnxError> {
        let (model, mut graph) = decode(name, bytes)?;
        let wrong = |reason: String| OnnxError::Decode {
            what: name.to_string(),
            reason,
        };
        let mut known: HashSet<&str> = HashSet::from([""]);
        known.extend(graph.input.iter().filter_map(|input| input.name.as_deref()));
        known.extend(
            graph
                .initializer
                .iter()
                .filter_map(|tensor| tensor.name.as_deref()),
        );
        for (index, node) in graph.node.iter().enumerate() {
            if let Some(input) = node.input.iter().find(|input| !known.contains(input.as_str())) {
                return Err(wrong(format!(
                    "node {index} reads `{input}` before anything has written it"
                )));
            }
            known.extend(node.output.iter().map(String::as_str));
        }
        if graph.node.is_empty() {
            return Err(wrong("it has no nodes".to_string()));
        }
        for (index, node) in graph.node.iter_mut().enumerate() {
            node.name = Some(format!("n{index}"));
        }
        Ok(Cuttable {
            model,
            graph,
            name: name.to_string(),
        })
    }

    /// Nodes in the graph.
    pub(super) fn nodes(&self) -> usize {
        self.graph.node.len()
    }

    /// The whole graph as a file.
    pub(super) fn whole(&self) -> Vec<u8> {
        self.with(self.graph.clone())
    }

    /// The segments that begin at node 0 and at each of `borders` (ascending), as files. `types` gives the type of a
    /// tensor that crosses a border, as far as known; the model's own value_info is asked first.
    pub(super) fn segments(&self, borders: &[usize]) -> Result<Vec<Vec<u8>>, OnnxError> {
        let mut types: HashMap<&str, &ValueInfoProto> = HashMap::new();
        for info in self
            .graph
            .value_info
            .iter()
            .chain(&self.graph.input)
            .chain(&self.graph.output)
        {
            types.insert(info.name.as_deref().unwrap_or_default(), info);
        }
        let constants: HashSet<&str> = self
            .graph
            .initializer
            .iter()
            .filter_map(|tensor| tensor.name.as_deref())
            .collect();
        let ends = borders.iter().copied().chain([self.nodes()]);
        let starts = [0].into_iter().chain(borders.iter().copied());
        starts
            .zip(ends)
            .map(|(start, end)| self.segment(start, end, &types, &constants))
            .collect()
    }

    fn segment(
        &self,
        start: usize,
        end: usize,
        types: &HashMap<&str, &ValueInfoProto>,
        constants: &HashSet<&str>,
    ) -> Result<Vec<u8>, OnnxError> {
        let nodes = self.graph.node.get(start..end).unwrap_or_default();
        let later = self.graph.node.get(end..).unwrap_or_default();
        let typed = |name: &str| {
            types
                .get(name)
                .map(|info| (*info).clone())
                .ok_or_else(|| OnnxError::NoTensor {
                    model: self.name.clone(),
                    name: name.to_string(),
                    role: "type (run ONNX shape inference on the model) for the tensor",
                })
        };
        let mut needed: HashSet<&str> = later
            .iter()
            .flat_map(|node| &node.input)
            .map(String::as_str)
            .collect();
        needed.extend(
            self.graph
                .output
                .iter()
                .filter_map(|output| output.name.as_deref()),
        );
        let (mut inputs, mut used, mut written) = (Vec::new(), HashSet::new(), HashSet::from([""]));
        for node in nodes {
            for input in &node.input {
                if constants.contains(input.as_str()) {
                    used.insert(input.as_str());
                } else if written.insert(input) {
                    inputs.push(typed(input)?);
                }
            }
            written.extend(node.output.iter().map(String::as_str));
        }
        let made = nodes
            .iter()
            .flat_map(|node| &node.output)
            .filter(|name| needed.contains(name.as_str()));
        let outputs = made.map(|name| typed(name)).collect::<Result<Vec<_>, _>>()?;
        let initializer = self.graph.initializer.iter();
        let initializer =
            initializer.filter(|tensor| used.contains(tensor.name.as_deref().unwrap_or_default()));
        Ok(self.with(GraphProto {
            node: nodes.to_vec(),
            name: Some(format!("nodes {start} to {end}")),
            initializer: initializer.cloned().collect(),
            input: inputs,
            output: outputs,
            ..GraphProto::default()
        }))
    }

    fn with(&self, graph: GraphProto) -> Vec<u8> {
        ModelProto {
            graph: Some(graph),
            ..self.model.clone()
        }
        .encode_to_vec()
    }
}

/// The borders of the cut with the fewest segments of at most `wanted`, chosen so that the longest segment is as short
/// as that number allows. `times` is the time of each node, in the unit of `wanted`. A node longer than `wanted` is a
/// segment of its own: it cannot be divided. At most `most` segments.
pub(super) fn borders(times: &[u64], wanted: u64, most: usize) -> Vec<usize> {
    let longest = times.iter().copied().max().unwrap_or(0);
    let count = fill(times, wanted.max(longest)).len().min(most.max(1) - 1);
    // The least capacity that needs no more segments, by bisection: fewer are never needed with less.
    let (mut low, mut high) = (
        longest,
        times.iter().fold(0_u64, |sum, time| sum.saturating_add(*time)),
    );
    while low < high {
        let middle = low + (high - low) / 2;
        if fill(times, middle).len() <= count {
            high = middle
        } else {
            low = middle + 1
        }
    }
    fill(times, low)
}

/// Borders made by filling each segment up to `capacity` before the next begins.
fn fill(times: &[u64], capacity: u64) -> Vec<usize> {
    let (mut borders, mut filled) = (Vec::new(), 0_u64);
    for (index, time) in times.iter().enumerate() {
        if index > 0 && filled.saturating_add(*time) > capacity {
            borders.push(index);
            filled = 0;
        }
        filled = filled.saturating_add(*time);
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lengths(times: &[u64], borders: &[usize]) -> Vec<u64> {
        let ends = borders.iter().copied().chain([times.len()]);
        let starts = [0].into_iter().chain(borders.iter().copied());
        starts
            .zip(ends)
            .map(|(start, end)| times[start..end].iter().sum())
            .collect()
    }

    #[test]
    fn a_step_is_cut_evenly() {
        assert_eq!(borders(&[1; 12], 4, 100), [4, 8]);
        assert_eq!(
            borders(&[1; 12], 5, 100),
            [4, 8],
            "three segments are needed, so they are made equal"
        );
        assert_eq!(borders(&[1; 12], 100, 100), [0_usize; 0]);
        assert_eq!(borders(&[1, 9, 1], 4, 100), [1, 2]);
        assert_eq!(borders(&[], 4, 100), [0_usize; 0]);
    }

    proptest! {
        #[test]
        fn no_segment_is_longer_than_wanted_unless_one_node_is(
            times in prop::collection::vec(0_u64..1_000, 1..200),
            wanted in 1_u64..5_000,
        ) {
            let longest = lengths(&times, &borders(&times, wanted, 1_000)).into_iter().max().unwrap();
            prop_assert!(longest <= wanted.max(times.iter().copied().max().unwrap()));
        }

        #[test]
        fn there_are_never_more_segments_than_allowed_and_none_is_empty(
            times in prop::collection::vec(0_u64..1_000, 1..200),
            wanted in 0_u64..5_000,
            most in 1_usize..20,
        ) {
            let made = borders(&times, wanted, most);
            prop_assert!(made.len() < most);
            prop_assert!(made.iter().all(|border| *border > 0 && *border < times.len()));
            prop_assert!(made.is_sorted_by(|left, right| left < right));
        }
    }
}
