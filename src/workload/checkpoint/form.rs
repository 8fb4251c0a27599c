//! The form of a checkpoint's file. Numbers are little-endian; every item begins at a multiple of 8, padded
//! with zeros, so that there is one way to write a checkpoint.
//!
//! ```text
//!  0   8  "fulckpt\n"
//!  8   4  form, 1
//! 12   4  counters
//! 16   4  tensors
//! 20   4  bytes of the graph's name
//! 24   8  sequence
//! 32   8  bytes of the whole file
//! 40   8  bytes of the graph's file
//! 48   4  crc32 of the graph's file
//! 52   4  zero
//! 56      the graph's name, padded
//!         for each counter:  4 bytes of its name, 4 zero, 8 value, name padded
//!         for each tensor:   4 bytes of its name, 4 element, 4 dimensions, 4 zero, 8 a dimension, name padded
//!         for each tensor:   its values, padded
//!      4  zero
//!      4  crc32 of all before
//! ```

use super::content::{Checkpoint, Element, Identity, Kept, Shape};
use core::fmt;
use std::collections::HashSet;

const MAGIC: &[u8; 8] = b"fulckpt\n";

/// The form that is written.
const FORM: u32 = 1;

/// Bytes behind the values.
pub(super) const TAIL: usize = 8;

/// Where and why bytes are not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Offset in the file.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
    /// The form, where that alone is not known: everything else about the file may be right.
    pub later_form: Option<u32>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Bytes up to the next multiple of 8.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// Everything before the values. `values` is their bytes, padding included.
pub(super) fn head<'a>(
    identity: &Identity,
    sequence: u64,
    counters: impl ExactSizeIterator<Item = (&'a str, u64)>,
    shapes: impl ExactSizeIterator<Item = &'a Shape>,
    values: usize,
) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let u32s = |out: &mut Vec<u8>, numbers: &[usize]| {
        for number in numbers {
            // Names, counters and tensors are counted in memory; none of them comes near 2^32.
            out.extend((*number as u32).to_le_bytes());
        }
    };
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend(text.as_bytes());
        out.resize(padded(out.len()), 0);
    };
    u32s(
        &mut out,
        &[FORM as usize, counters.len(), shapes.len(), identity.name.len()],
    );
    out.extend(sequence.to_le_bytes());
    let bytes_at = out.len();
    out.extend([0; 8]);
    out.extend(identity.bytes.to_le_bytes());
    out.extend(identity.crc.to_le_bytes());
    out.extend([0; 4]);
    text(&mut out, &identity.name);
    for (name, value) in counters {
        u32s(&mut out, &[name.len(), 0]);
        out.extend(value.to_le_bytes());
        text(&mut out, name);
    }
    for shape in shapes {
        let element = shape.element as usize;
        u32s(&mut out, &[shape.name.len(), element, shape.dims.len(), 0]);
        shape.dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
        text(&mut out, &shape.name);
    }
    let bytes = (out.len() + values + TAIL) as u64;
    if let Some(place) = out.get_mut(bytes_at..bytes_at + 8) {
        place.copy_from_slice(&bytes.to_le_bytes());
    }
    out
}

/// What follows the values, where `crc` has seen all before.
pub(super) fn tail(mut crc: crc32fast::Hasher) -> [u8; TAIL] {
    crc.update(&[0; 4]);
    let [a, b, c, d] = crc.finalize().to_le_bytes();
    [0, 0, 0, 0, a, b, c, d]
}

/// The whole file of `checkpoint`.
pub fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let values = checkpoint.tensors.iter().map(|kept| padded(kept.values.len()));
    let counters = checkpoint
        .counters
        .iter()
        .map(|(name, value)| (name.as_str(), *value));
    let mut out = head(
        &checkpoint.identity,
        checkpoint.sequence,
        counters,
        checkpoint.tensors.iter().map(|kept| &kept.shape),
        values.sum(),
    );
    for kept in &checkpoint.tensors {
        out.extend(&kept.values);
        out.resize(padded(out.len()), 0);
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&out);
    out.extend(tail(crc));
    out
}

/// What is read of a file, in order.
struct Reader<'a> {
    left: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &'static str) -> Wrong {
        Wrong {
            at: self.at,
            what,
            later_form: None,
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Wrong> {
        let cut = self.left.split_at_checked(count);
        let (taken, left) = cut.ok_or_else(|| self.wrong("it says more than it holds"))?;
        self.left = left;
        self.at += count;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_| self.wrong("it says more than it holds"))
    }

    fn u32(&mut self) -> Result<u32, Wrong> {
        self.number().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Wrong> {
        self.number().map(u64::from_le_bytes)
    }

    fn zeros(&mut self, count: usize) -> Result<(), Wrong> {
        let wrong = self.wrong("a byte that must be zero is not");
        if self.take(count)?.iter().any(|byte| *byte != 0) {
            return Err(wrong);
        }
        Ok(())
    }

    fn text(&mut self, bytes: u32) -> Result<String, Wrong> {
        let wrong = self.wrong("a name is not UTF-8");
        let text = self.padded(bytes as usize)?;
        String::from_utf8(text.to_vec()).map_err(|_| wrong)
    }

    fn padded(&mut self, bytes: usize) -> Result<&'a [u8], Wrong> {
        let taken = self.take(bytes)?;
        self.zeros(bytes.wrapping_neg() % 8)?;
        Ok(taken)
    }
}

/// Reads a file. Its checksum comes first: of a file that is whole, everything is believed that makes sense.
pub fn decode(bytes: &[u8]) -> Result<Checkpoint, Wrong> {
    let mut reader = Reader { left: bytes, at: 0 };
    if reader.take(MAGIC.len()).ok() != Some(MAGIC) {
        return Err(Reader { left: bytes, at: 0 }.wrong("it is no checkpoint"));
    }
    let end = Reader {
        left: &[],
        at: bytes.len(),
    };
    let (body, crc) = bytes
        .split_last_chunk::<4>()
        .ok_or_else(|| end.wrong("it is cut off"))?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err(end.wrong("it is torn or changed: the checksum does not match"));
    }
    let form = reader.u32()?;
    if form != FORM {
        let later_form = Some(form).filter(|form| *form > FORM);
        let wrong = reader.wrong("it is of a form that is not known");
        return Err(Wrong { later_form, ..wrong });
    }
    let (counters, tensors, name) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let sequence = reader.u64()?;
    if reader.u64()? != bytes.len() as u64 {
        return Err(reader.wrong("it is of another length than it says"));
    }
    let (graph_bytes, graph_crc) = (reader.u64()?, reader.u32()?);
    reader.zeros(4)?;
    let identity = Identity {
        name: reader.text(name)?,
        crc: graph_crc,
        bytes: graph_bytes,
    };
    // Nothing is reserved by what the file says of itself; what is read grows with the file's own length.
    let mut named = Vec::new();
    for _ in 0..counters {
        let name = reader.u32()?;
        reader.zeros(4)?;
        let value = reader.u64()?;
        named.push((reader.text(name)?, value));
    }
    let mut shapes = Vec::new();
    for _ in 0..tensors {
        let (name, element, rank) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let element = Element::of(element).ok_or_else(|| reader.wrong("an element type is not known"))?;
        reader.zeros(4)?;
        let mut dims = Vec::new();
        for _ in 0..rank {
            dims.push(reader.u64()?);
        }
        let name = reader.text(name)?;
        shapes.push(Shape { name, element, dims });
    }
    let twice = repeated(named.iter().map(|(name, _)| name))
        || repeated(shapes.iter().map(|shape: &Shape| &shape.name));
    if twice {
        return Err(reader.wrong("a name comes twice"));
    }
    let mut kept = Vec::new();
    for shape in shapes {
        let bytes = shape.bytes().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| reader.wrong("a tensor is larger than memory"))?;
        let values = reader.padded(bytes)?.to_vec();
        kept.push(Kept { shape, values });
    }
    reader.zeros(4)?;
    if reader.left.len() != 4 {
        return Err(reader.wrong("it holds more than it says"));
    }
    Ok(Checkpoint {
        identity,
        sequence,
        counters: named,
        tensors: kept,
    })
}

fn repeated<'a>(mut names: impl Iterator<Item = &'a String>) -> bool {
    let mut seen = HashSet::new();
    names.any(|name| !seen.insert(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(name: &str, dims: &[u64], first: u8) -> Kept {
        let shape = Shape {
            name: name.into(),
            element: Element::F32,
            dims: dims.to_vec(),
        };
        let values = (0..shape.bytes().unwrap()).map(|at| at as u8 ^ first).collect();
        Kept { shape, values }
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            identity: Identity::of("step.onnx", b"graph"),
            sequence: 7,
            counters: vec![("steps".into(), 40), ("feed.row".into(), u64::MAX)],
            tensors: vec![kept("w", &[2, 3], 1), kept("t", &[], 2), kept("none", &[0, 9], 3)],
        }
    }

    #[test]
    fn a_checkpoint_reads_back_and_one_with_any_byte_changed_or_cut_does_not() {
        let bytes = encode(&checkpoint());
        assert_eq!(decode(&bytes), Ok(checkpoint()));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x11;
            assert!(decode(&bytes).is_err(), "changed at {place}");
        }
    }

    /// The bytes with a checksum that is right for them.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let crc = crc32fast::hash(&bytes).to_le_bytes();
        bytes.extend(crc);
        bytes
    }

    #[test]
    fn what_a_later_release_wrote_is_told_from_what_is_damaged() {
        let mut bytes = encode(&checkpoint());
        bytes.truncate(bytes.len() - 4);
        bytes[8] = 2;
        assert_eq!(decode(&sealed(bytes)).unwrap_err().later_form, Some(2));
        assert_eq!(decode(b"fulckpt").unwrap_err().what, "it is no checkpoint");
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let mut twice = checkpoint();
        twice.tensors.push(kept("w", &[1], 1));
        assert_eq!(decode(&encode(&twice)).unwrap_err().what, "a name comes twice");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_even_with_the_right_checksum(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let _ = decode(&bytes);
            bytes.splice(0..0, MAGIC.iter().copied().chain([1, 0, 0, 0]));
            let _ = decode(&sealed(bytes));
            let mut near = encode(&checkpoint());
            near.truncate(near.len() - 4);
            for (place, byte) in changes {
                let place = place.index(near.len());
                near[place] = byte;
            }
            let near = sealed(near);
            if let Ok(read) = decode(&near) {
                prop_assert_eq!(encode(&read), near);
            }
        }
    }
}
