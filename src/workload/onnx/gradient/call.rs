//! A [`Call`] is one node of the user's model: its operator, inputs and attributes, as a rule reads them.

use super::super::model::NodeProto;
use super::proto::AttributeProto;
use super::value::{Value, axis_of};
use prost::Message;
use std::collections::HashMap;

/// One node of the user's model.
pub(super) struct Call {
    pub(super) op: String,
    pub(super) node: String,
    /// In the node's order; `None` where one is left out.
    pub(super) inputs: Vec<Option<Value>>,
    /// Names of the outputs, "" where one is left out.
    pub(super) outputs: Vec<String>,
    attributes: HashMap<String, AttributeProto>,
}

impl Call {
    /// Reads the attributes of `node`.
    pub(super) fn new(node: &NodeProto, name: String, inputs: Vec<Option<Value>>) -> Result<Call, String> {
        let mut attributes = HashMap::new();
        for bytes in &node.attribute {
            let attribute = AttributeProto::decode(bytes.as_slice())
                .map_err(|error| format!("an attribute is not readable: {error}"))?;
            attributes.insert(attribute.name.clone().unwrap_or_default(), attribute);
        }
        Ok(Call {
            op: node.op_type.clone().unwrap_or_default(),
            node: name,
            inputs,
            outputs: node.output.clone(),
            attributes,
        })
    }

    /// An input that must be there.
    pub(super) fn input(&self, index: usize) -> Result<&Value, String> {
        self.optional(index)
            .ok_or_else(|| format!("input {index} is missing"))
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attributes.get(name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|it| it.i).unwrap_or(default)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).and_then(|it| it.f).unwrap_or(default)
    }

    pub(super) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|it| it.ints.clone())
    }

    pub(super) fn text(&self, name: &str, default: &str) -> String {
        let found = self.attribute(name).and_then(|it| it.s.as_ref());
        found.map_or(default.to_string(), |bytes| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    }

    /// Axes of input 0, counted from the front, ascending: from the attribute `axes`, or since some version
    /// from an input.
    pub(super) fn axes(&self, input: usize) -> Result<Option<Vec<usize>>, String> {
        let given = match self.optional(input) {
            Some(value) => Some(value.ints("the list of axes")?),
            None => self.ints("axes"),
        };
        let Some(given) = given else { return Ok(None) };
        let rank = self.input(0)?.rank();
        axes_of(&given, rank).map(Some)
    }
}

/// `given` axes of `rank`, counted from the front, ascending, each once.
pub(super) fn axes_of(given: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    let mut axes = given
        .iter()
        .map(|axis| axis_of(*axis, rank))
        .collect::<Result<Vec<usize>, String>>()?;
    axes.sort_unstable();
    if axes.is_sorted_by(|left, right| left < right) {
        Ok(axes)
    } else {
        Err(format!("the axes {given:?} name one twice"))
    }
}
