//! The cut: where a training step is divided into segments, and the segments as models of their own.
//!
//! A segment is a run of nodes in the graph's own order, so running all segments one after the other over the
//! same buffers computes what the whole graph computes, bit for bit.

use super::OnnxError;
use super::borders::Kept;
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
    /// Reads `bytes` and checks that the nodes stand in an order in which they can run. Every node gets the
    /// name `n<index>`, by which the profile reports it.
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

    /// Every tensor that a border may have to keep, by the nodes it lies between. The step's own inputs and
    /// outputs have memory anyway. A tensor whose size the model does not tell counts nothing.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let mut bytes: HashMap<&str, u64> = HashMap::new();
        for info in &self.graph.value_info {
            let size = info.tensor_bytes().unwrap_or(0);
            bytes.insert(info.name.as_deref().unwrap_or_default(), size);
        }
        let outputs = self.graph.output.iter().filter_map(|it| it.name.as_deref());
        let outputs: HashSet<&str> = outputs.collect();
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (index, node) in self.graph.node.iter().enumerate() {
            last.extend(node.input.iter().map(|input| (input.as_str(), index)));
        }
        let mut kept = Vec::new();
        for (made, node) in self.graph.node.iter().enumerate() {
            for name in node.output.iter().map(String::as_str) {
                let read = last.get(name).filter(|_| !outputs.contains(name));
                if let (Some(last), Some(bytes)) = (read, bytes.get(name)) {
                    let (last, bytes) = (*last, *bytes);
                    kept.push(Kept { made, last, bytes });
                }
            }
        }
        kept
    }

    /// The segments that begin at node 0 and at each of `borders` (ascending), as files. `types` gives the
    /// type of a tensor that crosses a border, as far as known; the model's own value_info is asked first.
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

#[cfg(test)]
mod tests {
    use super::super::borders::borders;
    use super::super::sharing::share;
    use super::*;

    const STEP: &[u8] = include_bytes!("../../../tests/fixtures/shapes_step.onnx");

    /// Bytes that the borders keep, each tensor on its own, and in shared memory.
    fn bytes(kept: &[Kept], borders: &[usize]) -> (u64, u64) {
        let segment = |node: usize| borders.iter().filter(|border| **border <= node).count();
        let across = kept.iter().filter(|it| segment(it.made) < segment(it.last));
        let by_segment: Vec<Kept> = across
            .map(|it| Kept {
                made: segment(it.made),
                last: segment(it.last),
                bytes: it.bytes,
            })
            .collect();
        let sum = by_segment.iter().map(|it| it.bytes).sum();
        (sum, share(&by_segment).bytes.iter().sum())
    }

    #[test]
    fn a_real_step_keeps_less_when_borders_are_chosen_for_it_and_less_again_when_memory_is_shared() {
        let graph = Cuttable::new("shapes_step", STEP).unwrap();
        let kept = graph.kept();
        assert!(kept.len() > 50 && kept.iter().any(|it| it.bytes > 1_000_000));
        // A node takes as long as what it makes is large; nodes of a step are much alike in that.
        let mut times = vec![1; graph.nodes()];
        for tensor in &kept {
            times[tensor.made] += tensor.bytes / 1_000;
        }
        let step: u64 = times.iter().sum();
        let mut sums = [0, 0, 0];
        for part in [2, 4, 8, 12, 16] {
            let even = borders(&times, step / part, 1_000, &[]);
            let chosen = borders(&times, step / part, 1_000, &kept);
            assert_eq!(even.len(), chosen.len());
            let (even, chosen) = (bytes(&kept, &even), bytes(&kept, &chosen));
            assert!(
                chosen.0 <= even.0 && chosen.1 <= chosen.0,
                "1/{part}: {even:?} {chosen:?}"
            );
            for (sum, it) in sums.iter_mut().zip([even.0, chosen.0, chosen.1]) {
                *sum += it;
            }
        }
        assert!(sums[0] > sums[1] && sums[1] > sums[2], "{sums:?}");
    }
}
