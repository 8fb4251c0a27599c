//! Operators that take a part of a tensor: Slice, Gather, Pad.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Data, Kind, Value};

/// The longest axis whose border is reflected or repeated: its places are written out.
const MOST: i64 = 1 << 20;

impl Graph {
    /// `x` in reverse order along `axis`.
    fn flip(&mut self, x: &Value, axis: usize) -> Made {
        let lists = [-1, i64::from(i32::MIN), axis as i64, -1].map(|number| self.list(&[number]));
        let [start, end, axes, steps] = lists;
        let y = self.op(
            "Slice",
            &[x, &start?, &end?, &axes?, &steps?],
            x.kind,
            x.dims.to_vec(),
            &[],
        )?;
        let x = x.clone();
        Ok(self.record(y, x.requires, move |graph, dy| {
            let part = graph.flip(dy, axis)?;
            Ok(vec![(x, part)])
        }))
    }

    /// The rows of `x` along `axis` that `places` names.
    pub(crate) fn gather(&mut self, x: &Value, places: &Value, axis: usize) -> Made {
        let (size, known) = (x.dim(axis), places.known.clone());
        if let Some(known) = known {
            let inside = |place: &i64| (-size..size).contains(place);
            let numbers = known.to_ints();
            if let Some(wrong) = numbers.iter().find(|place| !inside(place)) {
                return Err(format!("index {wrong} lies outside {size} values").into());
            }
            if let [place] = numbers.as_slice() {
                let start = if *place < 0 { place + size } else { *place };
                let one = self.slice(x, axis, start, 1, 1)?;
                let mut dims = x.dims.to_vec();
                dims.splice(axis..=axis, places.dims.iter().copied());
                return self.reshape(&one, dims);
            }
        }
        let mut dims = x.dims.to_vec();
        dims.splice(axis..=axis, places.dims.iter().copied());
        let y = self.op(
            "Gather",
            &[x, places],
            x.kind,
            dims,
            &[Setting::Int("axis", axis as i64)],
        )?;
        let (x, places) = (x.clone(), places.clone());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let part = graph.scatter_rows(dy, &places, &x, axis)?;
            Ok(vec![(x, part)])
        }))
    }

    /// The gradient of `x` in a gather of `places` along `axis`: rows named twice get the sum.
    fn scatter_rows(&mut self, dy: &Value, places: &Value, x: &Value, axis: usize) -> Made {
        let (named, rows) = (places.rank(), places.elements());
        // The axes of the places first, then the others.
        let order: Vec<usize> = (axis..axis + named)
            .chain(0..axis)
            .chain(axis + named..dy.rank())
            .collect();
        let first = self.transpose(dy, &order)?;
        let row = x.elements() / x.dim(axis).max(1);
        let updates = self.reshape(&first, vec![rows, row])?;
        let mut places = self.reshape(places, vec![rows, 1])?;
        if places.kind != Kind::I64 {
            let to = Setting::Int("to", i64::from(Kind::I64 as i32));
            places = self.op("Cast", &[&places], Kind::I64, vec![rows, 1], &[to])?;
        }
        let size = self.list(&[x.dim(axis), row])?;
        let zeros = self.op(
            "ConstantOfShape",
            &[&size],
            Kind::F32,
            vec![x.dim(axis), row],
            &[],
        )?;
        let settings = [Setting::Text("reduction", "add")];
        let inputs = [&zeros, &places, &updates];
        let sum = self.op("ScatterND", &inputs, Kind::F32, vec![x.dim(axis), row], &settings)?;
        let mut dims = x.dims.to_vec();
        let moved = dims.remove(axis);
        dims.insert(0, moved);
        let sum = self.reshape(&sum, dims)?;
        let back: Vec<usize> = (1..=axis).chain([0]).chain(axis + 1..x.rank()).collect();
        self.transpose(&sum, &back)
    }
}

/// Slice with constant places.
pub(super) fn slice(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let mut x = call.input(0)?.clone();
    let (starts, ends) = (call.input(1)?.ints("starts")?, call.input(2)?.ints("ends")?);
    let axes = match call.optional(3) {
        Some(axes) => axes.ints("axes")?,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = match call.optional(4) {
        Some(steps) => steps.ints("steps")?,
        None => vec![1; starts.len()],
    };
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err("starts, ends, axes and steps are not of one length".into());
    }
    for (((start, end), axis), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = x.axis(*axis)?;
        if x.rank() == 0 {
            return Err("a single number has nothing to take a part of".into());
        }
        let (start, count, step) = range(*start, *end, *step, x.dim(axis))?;
        if step > 0 {
            x = graph.slice(&x, axis, start, count, step)?;
        } else {
            // The same values in rising order, then turned round.
            let lowest = if count > 0 { start + (count - 1) * step } else { 0 };
            x = graph.slice(&x, axis, lowest, count, -step)?;
            x = graph.flip(&x, axis)?;
        }
    }
    Ok(vec![x])
}

/// The first place, the number of places and the step of a slice of `size` values.
pub(crate) fn range(start: i64, end: i64, step: i64, size: i64) -> Result<(i64, i64, i64), String> {
    let from_front = |place: i64| {
        if place < 0 {
            place.saturating_add(size)
        } else {
            place
        }
    };
    let step = step.clamp(-(1 << 31), 1 << 31);
    let (start, end) = (from_front(start), from_front(end));
    match step {
        0 => Err("a step of 0 is impossible".to_string()),
        1.. => {
            let (start, end) = (start.clamp(0, size), end.clamp(0, size));
            Ok((start, ((end - start).max(0) + step - 1) / step, step))
        }
        _ => {
            let (start, end) = (start.clamp(-1, size - 1), end.clamp(-1, size - 1));
            Ok((start, ((start - end).max(0) - step - 1) / -step, step))
        }
    }
}

/// Gather.
pub(super) fn gather(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, places) = (call.input(0)?, call.input(1)?);
    if x.rank() == 0 || !matches!(places.kind, Kind::I32 | Kind::I64) {
        return Err("it gathers from one axis or more by int32 or int64".into());
    }
    Ok(vec![graph.gather(x, places, x.axis(call.int("axis", 0))?)?])
}

/// Trilu: a triangle of the last two axes, 0 elsewhere; its gradient is the same triangle.
pub(super) fn triangle(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    fn build(graph: &mut Graph, x: &Value, diagonal: i64, upper: i64) -> Made {
        let diagonal_list = graph.constant(Kind::I64, Vec::new(), Data::Ints(vec![diagonal]))?;
        let inputs = [x, &diagonal_list];
        let y = graph.op(
            "Trilu",
            &inputs,
            x.kind,
            x.dims.to_vec(),
            &[Setting::Int("upper", upper)],
        )?;
        let x = x.clone();
        Ok(graph.record(y, x.requires, move |graph, dy| {
            let part = build(graph, dy, diagonal, upper)?;
            Ok(vec![(x, part)])
        }))
    }
    let x = call.input(0)?;
    let diagonal = match call.optional(1) {
        Some(diagonal) => diagonal.ints("the diagonal")?.first().copied().unwrap_or(0),
        None => 0,
    };
    if x.rank() < 2 {
        return Err(format!("an input of {:?} is no matrix", x.dims).into());
    }
    Ok(vec![build(
        graph,
        x,
        diagonal,
        i64::from(call.int("upper", 1) != 0),
    )?])
}

/// Pad; reflected and repeated borders are gathered.
pub(super) fn pad(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (mut x, given) = (call.input(0)?.clone(), call.input(1)?.ints("the pads")?);
    let value = call
        .optional(2)
        .map_or(Ok(0.0), |it| it.scalar("the padded value"))?;
    let rank = x.rank();
    let axes = match call.optional(3) {
        Some(axes) => axes.ints("axes")?,
        None => (0..rank as i64).collect(),
    };
    let (begin, end) = given.split_at_checked(axes.len()).unwrap_or_default();
    let mut pads = vec![0; 2 * rank];
    if begin.len() != axes.len() || end.len() != axes.len() {
        return Err(format!("pads of {given:?} do not suit {:?}", x.dims).into());
    }
    for ((axis, begin), end) in axes.iter().zip(begin).zip(end) {
        let axis = x.axis(*axis)?;
        for (place, pad) in [(axis, begin), (rank + axis, end)] {
            if let Some(slot) = pads.get_mut(place) {
                *slot = *pad;
            }
        }
    }
    let mode = call.text("mode", "constant");
    if mode == "constant" {
        return Ok(vec![graph.pad(&x, &pads, value)?]);
    }
    for axis in 0..rank {
        let (begin, end) = (
            pads.get(axis).copied().unwrap_or(0),
            pads.get(rank + axis).copied().unwrap_or(0),
        );
        let size = x.dim(axis);
        let most = if mode == "reflect" {
            size - 1
        } else {
            i64::from(u16::MAX)
        };
        if !["reflect", "edge"].contains(&mode.as_str())
            || !(0..=most).contains(&begin)
            || !(0..=most).contains(&end)
        {
            return Err(format!("mode {mode} with pads {pads:?} is not covered for {:?}", x.dims).into());
        }
        if (begin, end) == (0, 0) || size < 1 {
            continue;
        }
        if size > MOST {
            return Err(format!("mode {mode} is not covered for {:?}", x.dims).into());
        }
        let places: Vec<i64> = (-begin..size + end)
            .map(|place| match (place, mode.as_str()) {
                (..0, "reflect") => -place,
                (place, "reflect") if place >= size => 2 * (size - 1) - place,
                _ => place.clamp(0, size - 1),
            })
            .collect();
        let places = graph.constant(Kind::I64, vec![places.len() as i64], Data::Ints(places))?;
        x = graph.gather(&x, &places, axis)?;
    }
    Ok(vec![x])
}

#[cfg(test)]
mod tests {
    use super::range;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_slice_names_the_places_that_a_walk_through_the_axis_finds(
            start in -30_i64..30,
            end in -30_i64..30,
            step in -5_i64..=5,
            size in 1_i64..12,
        ) {
            prop_assume!(step != 0);
            // The rule of the operator, walked: negative places count from the end, then both are brought
            // into the axis.
            let front = |place: i64| if place < 0 { place + size } else { place };
            let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
            let (mut at, end_at) = (front(start).clamp(low, high), front(end).clamp(low, high));
            let mut walked = Vec::new();
            while (step > 0 && at < end_at) || (step < 0 && at > end_at) {
                walked.push(at);
                at += step;
            }
            let (first, count, step) = range(start, end, step, size).unwrap();
            let told: Vec<i64> = (0..count).map(|place| first + place * step).collect();
            prop_assert!(told.iter().all(|place| (0..size).contains(place)));
            prop_assert_eq!(told, walked);
        }
    }

    #[test]
    fn the_ends_that_exporters_write_for_everything_are_taken() {
        assert_eq!(range(0, i64::MAX, 1, 7), Ok((0, 7, 1)));
        assert_eq!(range(-1, i64::MIN, -1, 7), Ok((6, 7, -1)));
        assert_eq!(range(0, i64::MAX, i64::MAX, 7), Ok((0, 1, 1 << 31)));
        assert!(range(0, 1, 0, 7).is_err());
    }
}
