//! A [`Graph`] is built node by node; each operator leaves on a tape how its gradient is built.
//!
//! Reverse mode: a record on the tape turns the gradient of a node's output into those of its inputs, by
//! building more nodes with the same methods. What does not lead from a trained weight to the loss is never
//! recorded.

use super::super::model::NodeProto;
use super::error::{GradientError, Refusal};
use super::proto::{self, AttributeProto};
use super::value::{Data, Kind, Value, checked};
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What building returns.
pub(super) type Made<T = Value> = Result<T, Refusal>;

/// Pairs of an input and its gradient.
pub(super) type Parts = Vec<(Value, Value)>;

type Rule = Box<dyn FnOnce(&mut Graph, Vec<Option<Value>>) -> Made<Parts>>;

struct Record {
    outputs: Vec<Rc<str>>,
    scope: Scope,
    rule: Rule,
}

/// The node of the user's model that is being built or differentiated.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) op: String,
    pub(super) node: String,
}

/// An attribute to write.
pub(super) enum Setting<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Float(&'a str, f32),
    Text(&'a str, &'a str),
}

/// Content of a constant: equal ones are kept once.
type Content = (Kind, Rc<[i64]>, Vec<u8>);

/// A graph being built.
pub(super) struct Graph {
    pub(super) nodes: Vec<NodeProto>,
    /// Every tensor by its name.
    pub(super) values: HashMap<Rc<str>, Value>,
    constants: HashMap<Content, Value>,
    tape: Vec<Record>,
    /// Whether gradients are noted; off for the backward part and what follows it.
    pub(super) recording: bool,
    reserved: HashSet<String>,
    made: usize,
    pub(super) scope: Scope,
    /// Batch normalisation by the batch's own statistics.
    pub(super) batch_statistics: bool,
    /// Running statistics and what they become.
    pub(super) running: Vec<(Value, Value)>,
    /// Batch normalisations met.
    pub(super) batch_norms: usize,
    /// Dropouts met, each taken as an identity.
    pub(super) dropouts: usize,
}

impl Graph {
    /// `reserved` are names that no node's output gets.
    pub(super) fn new(reserved: HashSet<String>) -> Graph {
        Graph {
            nodes: Vec::new(),
            values: HashMap::new(),
            constants: HashMap::new(),
            tape: Vec::new(),
            recording: true,
            reserved,
            made: 0,
            scope: Scope::default(),
            batch_statistics: false,
            running: Vec::new(),
            batch_norms: 0,
            dropouts: 0,
        }
    }

    fn fresh(&mut self, kind: &str) -> Rc<str> {
        loop {
            let name = format!("{kind}_{}", self.made);
            self.made += 1;
            if !self.reserved.contains(&name) {
                return name.into();
            }
        }
    }

    /// A tensor that comes from outside: an input, a weight.
    pub(super) fn declare(&mut self, name: &str, kind: Kind, dims: Vec<i64>) -> Result<Value, String> {
        let value = Value {
            name: name.into(),
            kind,
            dims: checked(dims)?,
            known: None,
            requires: false,
        };
        self.values.insert(Rc::clone(&value.name), value.clone());
        Ok(value)
    }

    /// Takes a tensor with content in under its own name.
    pub(super) fn keep(&mut self, value: Value) {
        self.values.insert(Rc::clone(&value.name), value);
    }

    pub(super) fn constant(&mut self, kind: Kind, dims: Vec<i64>, data: Data) -> Result<Value, String> {
        let dims = checked(dims)?;
        let content = (kind, Rc::clone(&dims), data.bytes(kind));
        if let Some(value) = self.constants.get(&content) {
            return Ok(value.clone());
        }
        let value = Value {
            name: self.fresh("constant"),
            kind,
            dims,
            known: Some(Rc::new(data)),
            requires: false,
        };
        self.keep(value.clone());
        self.constants.insert(content, value.clone());
        Ok(value)
    }

    pub(super) fn number(&mut self, value: f32) -> Result<Value, String> {
        self.constant(Kind::F32, Vec::new(), Data::Floats(vec![value]))
    }

    /// A list of int64.
    pub(super) fn list(&mut self, values: &[i64]) -> Result<Value, String> {
        self.constant(Kind::I64, vec![values.len() as i64], Data::Ints(values.to_vec()))
    }

    /// Adds a node with one output for each of `outputs`; a name of "" among the inputs stands for one left
    /// out.
    pub(super) fn node(
        &mut self,
        kind: &str,
        inputs: &[&Value],
        outputs: Vec<(Kind, Vec<i64>)>,
        settings: &[Setting<'_>],
    ) -> Result<Vec<Value>, String> {
        let mut values = Vec::with_capacity(outputs.len());
        for (element, dims) in outputs {
            let name = self.fresh(kind);
            values.push(self.declare(&name, element, dims)?);
        }
        let names = |values: &[&Value]| values.iter().map(|value| value.name.to_string()).collect();
        let separator = if self.recording { "" } else { "/backward" };
        self.nodes.push(NodeProto {
            input: names(inputs),
            output: names(&values.iter().collect::<Vec<_>>()),
            name: Some(format!(
                "{}{separator}/{kind}_{}",
                self.scope.node,
                self.nodes.len()
            )),
            op_type: Some(kind.to_string()),
            attribute: settings.iter().map(encode).collect(),
            ..NodeProto::default()
        });
        Ok(values)
    }

    /// Adds a node with one output.
    pub(super) fn op(
        &mut self,
        kind: &str,
        inputs: &[&Value],
        element: Kind,
        dims: Vec<i64>,
        settings: &[Setting<'_>],
    ) -> Result<Value, String> {
        let mut made = self.node(kind, inputs, vec![(element, dims)], settings)?;
        made.pop().ok_or_else(|| "a node without an output".to_string())
    }

    /// Notes how the gradient of `output` becomes that of the node's inputs, if one of these is `wanted`.
    pub(super) fn record(
        &mut self,
        output: Value,
        wanted: bool,
        rule: impl FnOnce(&mut Graph, &Value) -> Made<Parts> + 'static,
    ) -> Value {
        let mut outputs = [output];
        self.record_all(&mut outputs, wanted, |graph, gradients| {
            let gradient = gradients.into_iter().flatten().next();
            gradient.map_or(Ok(Vec::new()), |gradient| rule(graph, &gradient))
        });
        let [output] = outputs;
        output
    }

    /// [`Graph::record`] for a node of several outputs; an output that the loss does not depend on has no
    /// gradient.
    pub(super) fn record_all(
        &mut self,
        outputs: &mut [Value],
        wanted: bool,
        rule: impl FnOnce(&mut Graph, Vec<Option<Value>>) -> Made<Parts> + 'static,
    ) {
        if self.recording && wanted {
            for output in outputs.iter_mut() {
                output.requires = true;
            }
            self.tape.push(Record {
                outputs: outputs.iter().map(|output| Rc::clone(&output.name)).collect(),
                scope: self.scope.clone(),
                rule: Box::new(rule),
            });
        }
    }

    /// Ends the forward part and builds the gradients of all that `of` depends on, by name.
    pub(super) fn backward(
        &mut self,
        of: &Value,
        gradient: Value,
    ) -> Result<HashMap<Rc<str>, Value>, GradientError> {
        self.recording = false;
        let mut gradients = HashMap::from([(Rc::clone(&of.name), gradient)]);
        for record in std::mem::take(&mut self.tape).into_iter().rev() {
            let known: Vec<Option<Value>> = record
                .outputs
                .iter()
                .map(|output| gradients.get(output).cloned())
                .collect();
            if known.iter().all(Option::is_none) {
                continue;
            }
            let Scope { op, node } = record.scope.clone();
            self.scope = record.scope;
            let parts = (record.rule)(self, known).map_err(|refusal| refusal.at(&op, &node))?;
            for (input, part) in parts {
                if !input.requires {
                    continue;
                }
                let sum = match gradients.get(&input.name) {
                    None => part,
                    Some(known) => {
                        let (known, dims) = (known.clone(), part.dims.to_vec());
                        self.op("Add", &[&known, &part], Kind::F32, dims, &[])
                            .map_err(|reason| Refusal::Reason(reason).at(&op, &node))?
                    }
                };
                gradients.insert(input.name, sum);
            }
        }
        Ok(gradients)
    }
}

/// An attribute as bytes.
pub(super) fn encode(setting: &Setting<'_>) -> Vec<u8> {
    let attribute = match setting {
        Setting::Int(name, value) => AttributeProto {
            name: Some((*name).to_string()),
            i: Some(*value),
            r#type: Some(proto::INT),
            ..AttributeProto::default()
        },
        Setting::Ints(name, values) => AttributeProto {
            name: Some((*name).to_string()),
            ints: values.to_vec(),
            r#type: Some(proto::INTS),
            ..AttributeProto::default()
        },
        Setting::Float(name, value) => AttributeProto {
            name: Some((*name).to_string()),
            f: Some(*value),
            r#type: Some(proto::FLOAT),
            ..AttributeProto::default()
        },
        Setting::Text(name, value) => AttributeProto {
            name: Some((*name).to_string()),
            s: Some(value.as_bytes().to_vec()),
            r#type: Some(proto::STRING),
            ..AttributeProto::default()
        },
    };
    attribute.encode_to_vec()
}
