//! Folding: nodes whose inputs are all known become constants. Exporters write shapes as chains of such
//! nodes.

use super::call::{Call, axes_of};
use super::numbers::{floats, integers};
use super::rules::{cast_to, range, reshaped};
use super::value::{Data, Kind, Value, broadcast, checked};

/// The most values of a tensor that is folded; larger ones are left to the engine.
const MOST: i64 = 1 << 16;

/// A constant: element type, shape, content.
pub(super) type Content = (Kind, Vec<i64>, Data);

/// The output of `call` where all its inputs are known; `None` where it is better left a node.
pub(super) fn fold(call: &Call) -> Result<Option<Content>, String> {
    let known = |value: &Option<Value>| {
        value
            .as_ref()
            .is_none_or(|value| value.known.is_some() && !value.requires && value.elements() <= MOST)
    };
    let read = match call.op.as_str() {
        // Of the second input it takes the element type alone.
        "CastLike" => call.inputs.get(..1).unwrap_or_default(),
        _ => &call.inputs,
    };
    if read.is_empty() || !read.iter().all(known) {
        return Ok(None);
    }
    match call.op.as_str() {
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Max" | "Min" | "Equal" | "Greater"
        | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" => {
            if call.inputs.len() != 2 {
                return Ok(None);
            }
            binary(call)
        }
        "Neg" | "Sqrt" | "Floor" | "Ceil" | "Not" | "Abs" => unary(call),
        "Cast" | "CastLike" => cast(call),
        "Identity" => Ok(Some(same(call.input(0)?)?)),
        "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => reshape(call),
        "Concat" => concat(call),
        "Gather" => gather(call),
        "Slice" => slice(call),
        "Range" => sequence(call),
        "Where" => choose(call),
        "Expand" => expand(call),
        "ReduceProd" => product(call),
        _ => Ok(None),
    }
}

fn same(value: &Value) -> Result<Content, String> {
    let data = value.known.as_deref().ok_or("it is not known")?;
    Ok((value.kind, value.dims.to_vec(), data.clone()))
}

/// `data` at `places`.
fn pick(data: &Data, places: impl Iterator<Item = usize>) -> Data {
    match data {
        Data::Floats(values) => Data::Floats(places.filter_map(|at| values.get(at).copied()).collect()),
        Data::Ints(values) => Data::Ints(places.filter_map(|at| values.get(at).copied()).collect()),
    }
}

/// For each place of a tensor of `dims`, row by row, the place in one of `from` that is broadcast to it.
fn places<'a>(dims: &'a [i64], from: &'a [i64]) -> impl Iterator<Item = usize> + 'a {
    let count: i64 = dims.iter().product();
    let missing = dims.len().saturating_sub(from.len());
    (0..count).map(move |place| {
        let (mut rest, mut found, mut stride) = (place, 0, 1);
        for (axis, size) in dims.iter().enumerate().rev() {
            let at = rest % (*size).max(1);
            rest /= (*size).max(1);
            let own = axis.checked_sub(missing).and_then(|axis| from.get(axis)).copied();
            if let Some(own) = own {
                found += if own == 1 { 0 } else { at * stride };
                stride *= own;
            }
        }
        usize::try_from(found).unwrap_or(usize::MAX)
    })
}

/// Checks that `dims` are possible and small enough to fold.
fn small(dims: &[i64]) -> Result<bool, String> {
    Ok(checked(dims.to_vec())?.iter().product::<i64>() <= MOST)
}

fn spread(value: &Value, dims: &[i64]) -> Result<Data, String> {
    let (_, _, data) = same(value)?;
    Ok(pick(&data, places(dims, &value.dims)))
}

fn binary(call: &Call) -> Result<Option<Content>, String> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let dims = broadcast(&a.dims, &b.dims)?;
    if !small(&dims)? || (a.kind != b.kind && call.op != "Pow") {
        return Ok(None);
    }
    let op = call.op.as_str();
    let compares = matches!(
        op,
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or"
    );
    let (left, right) = (spread(a, &dims)?, spread(b, &dims)?);
    let kind = if compares { Kind::Bool } else { a.kind };
    let data = match (left, right) {
        (Data::Ints(left), Data::Ints(right)) => {
            let pairs = left.into_iter().zip(right);
            let made: Option<Vec<i64>> = pairs.map(|(a, b)| integers(op, a, b)).collect();
            match made {
                Some(made) => Data::Ints(made),
                None => return Err("its integers divide by zero or overflow".to_string()),
            }
        }
        (left, right) => {
            let (left, right) = (left.to_floats(), right.to_floats());
            let made = left.into_iter().zip(right).map(|(a, b)| floats(op, a, b));
            let Some(made) = made.collect::<Option<Vec<f32>>>() else {
                return Ok(None);
            };
            match kind {
                Kind::F32 => Data::Floats(made),
                _ => Data::Ints(made.into_iter().map(|value| value as i64).collect()),
            }
        }
    };
    Ok(Some((kind, dims, data)))
}

fn unary(call: &Call) -> Result<Option<Content>, String> {
    let (kind, dims, data) = same(call.input(0)?)?;
    let data = match (call.op.as_str(), data) {
        ("Neg", Data::Ints(values)) => Data::Ints(values.into_iter().map(i64::wrapping_neg).collect()),
        ("Not", Data::Ints(values)) => Data::Ints(values.into_iter().map(|it| i64::from(it == 0)).collect()),
        ("Abs", Data::Ints(values)) => Data::Ints(values.into_iter().map(i64::saturating_abs).collect()),
        (op, Data::Floats(values)) => {
            let function: fn(f32) -> f32 = match op {
                "Neg" => |it| -it,
                "Sqrt" => f32::sqrt,
                "Floor" => f32::floor,
                "Ceil" => f32::ceil,
                "Abs" => f32::abs,
                _ => return Ok(None),
            };
            Data::Floats(values.into_iter().map(function).collect())
        }
        _ => return Ok(None),
    };
    Ok(Some((kind, dims, data)))
}

fn cast(call: &Call) -> Result<Option<Content>, String> {
    let (_, dims, data) = same(call.input(0)?)?;
    let kind = cast_to(call)?;
    let truth = |it: f32| i64::from(it != 0.0);
    let data = match kind {
        Kind::F32 => Data::Floats(data.to_floats()),
        Kind::I32 => Data::Ints(
            data.to_ints()
                .into_iter()
                .map(|it| i64::from(it as i32))
                .collect(),
        ),
        Kind::I64 => Data::Ints(data.to_ints()),
        Kind::Bool => Data::Ints(data.to_floats().into_iter().map(truth).collect()),
    };
    Ok(Some((kind, dims, data)))
}

fn reshape(call: &Call) -> Result<Option<Content>, String> {
    let (kind, dims, data) = same(call.input(0)?)?;
    let made = match call.op.as_str() {
        "Reshape" => reshaped(
            &dims,
            &call.input(1)?.ints("the new shape")?,
            call.int("allowzero", 0) != 0,
        )?,
        "Squeeze" => {
            let axes = call.axes(1)?;
            let keeps =
                |axis: usize, size: i64| axes.as_ref().map_or(size != 1, |axes| !axes.contains(&axis));
            let sizes = dims
                .iter()
                .enumerate()
                .filter(|(axis, size)| keeps(*axis, **size));
            sizes.map(|(_, size)| *size).collect()
        }
        "Unsqueeze" => {
            let given = match call.optional(1) {
                Some(axes) => axes.ints("the list of axes")?,
                None => call.ints("axes").unwrap_or_default(),
            };
            let mut made = dims.clone();
            for axis in axes_of(&given, dims.len() + given.len())? {
                made.insert(axis.min(made.len()), 1);
            }
            made
        }
        _ => return Ok(None),
    };
    if checked(made.clone())?.iter().product::<i64>() != data.len() as i64 {
        return Err(format!("{} values do not fill {made:?}", data.len()));
    }
    Ok(Some((kind, made, data)))
}

fn concat(call: &Call) -> Result<Option<Content>, String> {
    let first = call.input(0)?;
    if first.rank() != 1 {
        return Ok(None);
    }
    let (mut ints, mut floats) = (Vec::new(), Vec::new());
    for index in 0..call.inputs.len() {
        let value = call.input(index)?;
        if value.kind != first.kind || value.rank() != 1 {
            return Err("it joins lists of different kinds".to_string());
        }
        match same(value)?.2 {
            Data::Ints(values) => ints.extend(values),
            Data::Floats(values) => floats.extend(values),
        }
    }
    let data = if first.kind == Kind::F32 {
        Data::Floats(floats)
    } else {
        Data::Ints(ints)
    };
    Ok(Some((first.kind, vec![data.len() as i64], data)))
}

fn gather(call: &Call) -> Result<Option<Content>, String> {
    let (x, places) = (call.input(0)?, call.input(1)?);
    if x.rank() != 1 {
        return Ok(None);
    }
    let size = x.dim(0);
    let numbers = places.ints("the places")?;
    let found = numbers.iter().map(|place| {
        let place = if *place < 0 {
            place.saturating_add(size)
        } else {
            *place
        };
        usize::try_from(place).ok().filter(|place| (*place as i64) < size)
    });
    let found = found.collect::<Option<Vec<usize>>>();
    let found = found.ok_or_else(|| format!("an index of {numbers:?} lies outside {size} values"))?;
    let (kind, _, data) = same(x)?;
    Ok(Some((kind, places.dims.to_vec(), pick(&data, found.into_iter()))))
}

fn slice(call: &Call) -> Result<Option<Content>, String> {
    let x = call.input(0)?;
    let (starts, ends) = (call.input(1)?.ints("starts")?, call.input(2)?.ints("ends")?);
    let steps = call
        .optional(4)
        .map_or(Ok(vec![1]), |steps| steps.ints("steps"))?;
    let ([start], [end], [step], 1) = (starts.as_slice(), ends.as_slice(), steps.as_slice(), x.rank()) else {
        return Ok(None);
    };
    let (start, count, step) = range(*start, *end, *step, x.dim(0))?;
    let (kind, _, data) = same(x)?;
    let at = (0..count).map(|place| usize::try_from(start + place * step).unwrap_or(usize::MAX));
    Ok(Some((kind, vec![count], pick(&data, at))))
}

fn sequence(call: &Call) -> Result<Option<Content>, String> {
    let (first, end, step) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let ints = |value: &Value| Ok::<i64, String>(value.ints("a bound")?.first().copied().unwrap_or(0));
    if first.kind == Kind::F32 {
        return Ok(None);
    }
    let (mut at, end, step) = (ints(first)?, ints(end)?, ints(step)?);
    let mut made = Vec::new();
    if step == 0 {
        return Err("a step of 0 is impossible".to_string());
    }
    while (step > 0 && at < end) || (step < 0 && at > end) {
        if made.len() as i64 > MOST {
            return Err("it is too long".to_string());
        }
        made.push(at);
        at = at.saturating_add(step);
        if at == i64::MAX || at == i64::MIN {
            break;
        }
    }
    Ok(Some((first.kind, vec![made.len() as i64], Data::Ints(made))))
}

fn choose(call: &Call) -> Result<Option<Content>, String> {
    let (condition, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let dims = broadcast(&broadcast(&condition.dims, &a.dims)?, &b.dims)?;
    if !small(&dims)? || a.kind != b.kind {
        return Ok(None);
    }
    let chosen = spread(condition, &dims)?.to_ints();
    let data = match (spread(a, &dims)?, spread(b, &dims)?) {
        (Data::Ints(a), Data::Ints(b)) => {
            let each = chosen.iter().zip(a.into_iter().zip(b));
            Data::Ints(
                each.map(|(first, (a, b))| if *first != 0 { a } else { b })
                    .collect(),
            )
        }
        (Data::Floats(a), Data::Floats(b)) => {
            let each = chosen.iter().zip(a.into_iter().zip(b));
            Data::Floats(
                each.map(|(first, (a, b))| if *first != 0 { a } else { b })
                    .collect(),
            )
        }
        _ => return Ok(None),
    };
    Ok(Some((a.kind, dims, data)))
}

fn expand(call: &Call) -> Result<Option<Content>, String> {
    let x = call.input(0)?;
    let dims = broadcast(&x.dims, &call.input(1)?.ints("the new shape")?)?;
    if !small(&dims)? {
        return Ok(None);
    }
    Ok(Some((x.kind, dims.clone(), spread(x, &dims)?)))
}

fn product(call: &Call) -> Result<Option<Content>, String> {
    let (kind, dims, data) = same(call.input(0)?)?;
    let Data::Ints(values) = data else { return Ok(None) };
    if dims.len() > 1 {
        return Ok(None);
    }
    let product = values
        .iter()
        .try_fold(1_i64, |product, it| product.checked_mul(*it));
    let product = product.ok_or("its product is too large")?;
    let dims = if call.int("keepdims", 1) != 0 {
        vec![1; dims.len()]
    } else {
        Vec::new()
    };
    Ok(Some((kind, dims, Data::Ints(vec![product]))))
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn a_broadcast_reads_each_place_where_the_shapes_say() {
        let at = |dims: &[i64], from: &[i64]| places(dims, from).collect::<Vec<_>>();
        assert_eq!(at(&[2, 3], &[2, 3]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(at(&[2, 3], &[3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(at(&[2, 3], &[2, 1]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(at(&[2, 3], &[]), [0; 6]);
        assert_eq!(at(&[2, 0], &[1]), [0_usize; 0]);
    }
}
