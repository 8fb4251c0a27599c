//! A [`Checkpoint`] is what is kept of a training job, and [`State`] is a job that it can be kept of.

use super::CheckpointError;
use crate::workload::WorkloadError;
use core::fmt;

/// Which graph a state belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The graph's name, for people.
    pub name: String,
    /// CRC-32 (IEEE) of the graph's file. It tells mix-ups from each other, not forgeries.
    pub crc: u32,
    /// Bytes of the graph's file.
    pub bytes: u64,
}

impl Identity {
    /// Of the graph in the bytes of this file.
    pub fn of(name: &str, graph: &[u8]) -> Identity {
        Identity {
            name: name.to_string(),
            crc: crc32fast::hash(graph),
            bytes: graph.len() as u64,
        }
    }

    /// Whether it is the same graph; a file may have been renamed.
    pub fn is_of(&self, other: &Identity) -> bool {
        (self.crc, self.bytes) == (other.crc, other.bytes)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` ({} bytes, crc32 {:08x})",
            self.name, self.bytes, self.crc
        )
    }
}

/// Element type of a tensor. The numbers are those of ONNX's TensorProto.DataType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Element {
    /// IEEE 754 binary32.
    F32 = 1,
    /// A byte: a part of a state that only the job itself can read.
    U8 = 2,
    /// Signed 64-bit integer.
    I64 = 7,
}

impl Element {
    /// The element type of this number, if it is one.
    pub fn of(number: u32) -> Option<Element> {
        [Element::F32, Element::U8, Element::I64]
            .into_iter()
            .find(|element| *element as u32 == number)
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> u64 {
        match self {
            Element::F32 => 4,
            Element::U8 => 1,
            Element::I64 => 8,
        }
    }
}

/// Name, element type and dimensions of a state tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name, another for each tensor of a state.
    pub name: String,
    /// Its element type.
    pub element: Element,
    /// Its dimensions; none for a scalar.
    pub dims: Vec<u64>,
}

impl Shape {
    /// Bytes of its values; `None` where that is more than a 64-bit number holds.
    pub fn bytes(&self) -> Option<u64> {
        let mut dims = self.dims.iter();
        dims.try_fold(self.element.bytes(), |bytes, dim| bytes.checked_mul(*dim))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {:?} {:?}", self.name, self.element, self.dims)
    }
}

/// A tensor as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub shape: Shape,
    /// Its values, little-endian, row by row; as many bytes as the shape says.
    pub values: Vec<u8>,
}

impl Kept {
    /// The values of a float32 tensor; none of another one.
    pub fn f32(&self) -> impl Iterator<Item = f32> {
        let values: &[u8] = match self.shape.element {
            Element::F32 => &self.values,
            Element::U8 | Element::I64 => &[],
        };
        values.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it))
    }
}

/// All that is kept of a training job: weights, optimiser state, counters, the feed's position among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which graph it is of.
    pub identity: Identity,
    /// Its number in its folder, counted from 1; the higher one is the newer.
    pub sequence: u64,
    /// Counters by name: steps, the position of the feed.
    pub counters: Vec<(String, u64)>,
    /// The state, weights and optimiser alike.
    pub tensors: Vec<Kept>,
}

impl Checkpoint {
    /// The counter of this name; 0 where none was kept.
    pub fn counter(&self, name: &str) -> u64 {
        let found = self.counters.iter().find(|(known, _)| known == name);
        found.map_or(0, |(_, value)| *value)
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Kept> {
        self.tensors.iter().find(|kept| kept.shape.name == name)
    }

    /// Whether it can become the state of a job of this graph with these tensors: the same graph, every
    /// tensor there, of the same type and shape, and none besides. A [`State`] asks this before it changes
    /// anything.
    pub fn fits(&self, identity: &Identity, shapes: &[Shape]) -> Result<(), CheckpointError> {
        if !self.identity.is_of(identity) {
            return Err(CheckpointError::Foreign {
                found: self.identity.clone(),
                wanted: identity.clone(),
            });
        }
        for shape in shapes {
            let found = self.tensor(&shape.name).map(|kept| &kept.shape);
            if found != Some(shape) {
                return Err(CheckpointError::Tensor {
                    wanted: shape.clone(),
                    found: found.cloned(),
                });
            }
        }
        match self.tensors.iter().find(|kept| !shapes.contains(&kept.shape)) {
            None => Ok(()),
            Some(kept) => Err(CheckpointError::Surplus(kept.shape.clone())),
        }
    }
}

/// A training job whose state can be kept and taken up again. `copy` and `count` are called on the dispatcher
/// thread, between two steps, and neither allocate nor lock; the others at registration.
pub trait State {
    /// Which graph the state is of.
    fn identity(&self) -> Identity;

    /// Whether its values can be copied and restored; asked at registration. The default: yes.
    fn keepable(&self) -> Result<(), CheckpointError> {
        Ok(())
    }

    /// Its tensors, always in the same order.
    fn shapes(&self) -> Vec<Shape>;

    /// Whether a tensor can only be copied as a whole: then each is one part, however long. The default: no.
    fn whole(&self) -> bool {
        false
    }

    /// Copies the bytes of tensor `tensor` from byte `from` on into `into`, little-endian. `from` is a
    /// multiple of 8, and the bytes asked for are there. After an error the snapshot is given up.
    fn copy(&self, tensor: usize, from: usize, into: &mut [u8]) -> Result<(), WorkloadError>;

    /// The names of its counters, always in the same order.
    fn counters(&self) -> Vec<String>;

    /// The present value of counter `counter`.
    fn count(&self, counter: usize) -> u64;

    /// Makes `checkpoint` the present state, all of it or, after an error, nothing of it.
    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError>;
}
