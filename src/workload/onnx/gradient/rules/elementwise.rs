//! Operators that work on each value alone, of one or two operands that broadcast.

use super::super::call::Call;
use super::super::error::Refusal;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Kind, Value, broadcast};

impl Graph {
    /// A node of one operand with the shape and type of it; not recorded.
    pub(crate) fn unary(&mut self, kind: &str, x: &Value) -> Result<Value, String> {
        self.op(kind, &[x], x.kind, x.dims.to_vec(), &[])
    }

    /// A node of two operands that broadcast; not recorded.
    pub(crate) fn binary(
        &mut self,
        kind: &str,
        a: &Value,
        b: &Value,
        element: Kind,
    ) -> Result<Value, String> {
        if a.kind != b.kind {
            return Err(format!("its operands are {:?} and {:?}", a.kind, b.kind));
        }
        let dims = broadcast(&a.dims, &b.dims)?;
        self.op(kind, &[a, b], element, dims, &[])
    }

    /// The gradient of an operand that was broadcast: `dy` summed over what was repeated.
    pub(crate) fn fit(&mut self, dy: &Value, dims: &[i64]) -> Made {
        if *dy.dims == *dims {
            return Ok(dy.clone());
        }
        let missing: Vec<usize> = (0..dy.rank().saturating_sub(dims.len())).collect();
        let sum = self.sum(dy, &missing, false)?;
        let sizes = sum.dims.iter().zip(dims).enumerate();
        let repeated: Vec<usize> = sizes
            .filter(|(_, (size, own))| **own == 1 && **size != 1)
            .map(|(axis, _)| axis)
            .collect();
        let sum = self.sum(&sum, &repeated, true)?;
        self.reshape(&sum, dims.to_vec())
    }

    pub(crate) fn add(&mut self, a: &Value, b: &Value) -> Made {
        let y = self.binary("Add", a, b, a.kind)?;
        let (a, b) = (a.clone(), b.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let mut parts = Vec::new();
            for input in [a, b].into_iter().filter(|input| input.requires) {
                let part = graph.fit(dy, &input.dims)?;
                parts.push((input, part));
            }
            Ok(parts)
        }))
    }

    pub(crate) fn sub(&mut self, a: &Value, b: &Value) -> Made {
        let y = self.binary("Sub", a, b, a.kind)?;
        let (a, b) = (a.clone(), b.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let mut parts = Vec::new();
            if a.requires {
                let part = graph.fit(dy, &a.dims)?;
                parts.push((a, part));
            }
            if b.requires {
                let sum = graph.fit(dy, &b.dims)?;
                parts.push((b, graph.unary("Neg", &sum)?));
            }
            Ok(parts)
        }))
    }

    pub(crate) fn mul(&mut self, a: &Value, b: &Value) -> Made {
        let y = self.binary("Mul", a, b, a.kind)?;
        let (a, b) = (a.clone(), b.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let mut parts = Vec::new();
            for (input, other) in [(&a, &b), (&b, &a)] {
                if input.requires {
                    let product = graph.mul(dy, other)?;
                    parts.push((input.clone(), graph.fit(&product, &input.dims)?));
                }
            }
            Ok(parts)
        }))
    }

    pub(crate) fn div(&mut self, a: &Value, b: &Value) -> Made {
        let y = self.binary("Div", a, b, a.kind)?;
        let (a, b, quotient) = (a.clone(), b.clone(), y.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let mut parts = Vec::new();
            let share = graph.div(dy, &b)?;
            if a.requires {
                let part = graph.fit(&share, &a.dims)?;
                parts.push((a, part));
            }
            if b.requires {
                let product = graph.mul(&share, &quotient)?;
                let negative = graph.unary("Neg", &product)?;
                let part = graph.fit(&negative, &b.dims)?;
                parts.push((b, part));
            }
            Ok(parts)
        }))
    }

    /// `x` to a constant power.
    pub(crate) fn pow(&mut self, x: &Value, exponent: &Value) -> Made {
        if exponent.requires {
            return Err(Refusal::NotDifferentiable);
        }
        let dims = broadcast(&x.dims, &exponent.dims)?;
        let y = self.op("Pow", &[x, exponent], x.kind, dims, &[])?;
        let (x, exponent) = (x.clone(), exponent.clone());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let slope = match exponent
                .known
                .as_deref()
                .map(|known| known.to_floats())
                .as_deref()
            {
                Some([value]) => {
                    let factor = graph.number(*value)?;
                    let power = match *value {
                        2.0 => x.clone(),
                        value => {
                            let less = graph.number(value - 1.0)?;
                            graph.op("Pow", &[&x, &less], Kind::F32, x.dims.to_vec(), &[])?
                        }
                    };
                    graph.mul(&power, &factor)?
                }
                _ if exponent.kind == Kind::F32 => {
                    let one = graph.number(1.0)?;
                    let less = graph.sub(&exponent, &one)?;
                    let dims = broadcast(&x.dims, &less.dims)?;
                    let power = graph.op("Pow", &[&x, &less], Kind::F32, dims, &[])?;
                    graph.mul(&power, &exponent)?
                }
                _ => return Err("the exponents should be one constant, or float32".into()),
            };
            let product = graph.mul(dy, &slope)?;
            let part = graph.fit(&product, &x.dims)?;
            Ok(vec![(x, part)])
        }))
    }

    /// A node whose slope follows from its input `x` and output `y`.
    pub(crate) fn sloped(
        &mut self,
        kind: &str,
        x: &Value,
        slope: impl FnOnce(&mut Graph, &Value, &Value) -> Made + 'static,
    ) -> Made {
        let output = self.unary(kind, x)?;
        let (x, y) = (x.clone(), output.clone());
        Ok(self.record(output, x.requires, move |graph, dy| {
            let slope = slope(graph, &x, &y)?;
            let part = graph.mul(dy, &slope)?;
            Ok(vec![(x, part)])
        }))
    }

    pub(crate) fn neg(&mut self, x: &Value) -> Made {
        let zero = self.number(0.0)?;
        let output = self.unary("Neg", x)?;
        let x = x.clone();
        Ok(self.record(output, x.requires, move |graph, dy| {
            let part = graph.sub(&zero, dy)?;
            Ok(vec![(x, part)])
        }))
    }

    pub(crate) fn exp(&mut self, x: &Value) -> Made {
        self.sloped("Exp", x, |_, _, y| Ok(y.clone()))
    }

    pub(crate) fn log(&mut self, x: &Value) -> Made {
        self.sloped("Log", x, |graph, x, _| Ok(graph.unary("Reciprocal", x)?))
    }

    pub(crate) fn sqrt(&mut self, x: &Value) -> Made {
        self.sloped("Sqrt", x, |graph, _, y| {
            let half = graph.number(0.5)?;
            graph.div(&half, y)
        })
    }

    /// `dy`, which is finite, where `condition` of its shape holds, else 0: a product, since Where takes twice as long.
    pub(crate) fn passed(&mut self, condition: &Value, dy: &Value) -> Made {
        let to = Setting::Int("to", i64::from(Kind::F32 as i32));
        let factor = self.op("Cast", &[condition], Kind::F32, condition.dims.to_vec(), &[to])?;
        self.mul(dy, &factor)
    }

    /// `dy` where `condition` holds, else 0.
    pub(crate) fn masked(&mut self, condition: &Value, dy: &Value) -> Made {
        let zero = self.number(0.0)?;
        let dims = broadcast(&condition.dims, &dy.dims)?;
        Ok(self.op("Where", &[condition, dy, &zero], Kind::F32, dims, &[])?)
    }

    fn choose(&mut self, condition: &Value, a: &Value, b: &Value) -> Made {
        if condition.kind != Kind::Bool || a.kind != b.kind {
            return Err("its condition should be bool and both choices of one type".into());
        }
        let dims = broadcast(&broadcast(&condition.dims, &a.dims)?, &b.dims)?;
        let y = self.op("Where", &[condition, a, b], a.kind, dims, &[])?;
        let (condition, a, b) = (condition.clone(), a.clone(), b.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let mut parts = Vec::new();
            if a.requires {
                let part = graph.masked(&condition, dy)?;
                let part = graph.fit(&part, &a.dims)?;
                parts.push((a, part));
            }
            if b.requires {
                let not = graph.unary("Not", &condition)?;
                let part = graph.masked(&not, dy)?;
                let part = graph.fit(&part, &b.dims)?;
                parts.push((b, part));
            }
            Ok(parts)
        }))
    }

    /// The larger or smaller of the two; where they are equal, the first is the one chosen.
    pub(crate) fn extreme(&mut self, kind: &'static str, a: &Value, b: &Value) -> Made {
        let y = self.binary(kind, a, b, a.kind)?;
        let (a, b) = (a.clone(), b.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let compare = if kind == "Max" {
                "GreaterOrEqual"
            } else {
                "LessOrEqual"
            };
            let first = graph.binary(compare, &a, &b, Kind::Bool)?;
            let second = graph.unary("Not", &first)?;
            let mut parts = Vec::new();
            for (input, taken) in [(a, first), (b, second)] {
                if input.requires {
                    let part = graph.masked(&taken, dy)?;
                    let part = graph.fit(&part, &input.dims)?;
                    parts.push((input, part));
                }
            }
            Ok(parts)
        }))
    }
}

/// Add, Sub, Mul, Div, Pow.
pub(super) fn arithmetic(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let made = match call.op.as_str() {
        "Add" => graph.add(a, b),
        "Sub" => graph.sub(a, b),
        "Mul" => graph.mul(a, b),
        "Div" => graph.div(a, b),
        _ => graph.pow(a, b),
    };
    made.map(|made| vec![made])
}

/// Sum, Max, Min and Mean of any number of operands.
pub(super) fn folded(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let mut all = call.input(0)?.clone();
    for index in 1..call.inputs.len() {
        let next = call.input(index)?;
        all = match call.op.as_str() {
            "Max" => graph.extreme("Max", &all, next)?,
            "Min" => graph.extreme("Min", &all, next)?,
            _ => graph.add(&all, next)?,
        };
    }
    if call.op == "Mean" {
        let share = graph.number(1.0 / call.inputs.len() as f32)?;
        all = graph.mul(&all, &share)?;
    }
    Ok(vec![all])
}

/// Neg, Exp, Log, Sqrt, Abs, Reciprocal, Sin, Cos.
pub(super) fn functions(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let made = match call.op.as_str() {
        "Neg" => graph.neg(x),
        "Exp" => graph.exp(x),
        "Log" => graph.log(x),
        "Sqrt" => graph.sqrt(x),
        "Abs" => graph.sloped("Abs", x, |graph, x, _| Ok(graph.unary("Sign", x)?)),
        "Reciprocal" => graph.sloped("Reciprocal", x, |graph, _, y| {
            let square = graph.mul(y, y)?;
            Ok(graph.unary("Neg", &square)?)
        }),
        "Sin" => graph.sloped("Sin", x, |graph, x, _| Ok(graph.unary("Cos", x)?)),
        _ => graph.sloped("Cos", x, |graph, x, _| {
            let sine = graph.unary("Sin", x)?;
            Ok(graph.unary("Neg", &sine)?)
        }),
    };
    made.map(|made| vec![made])
}

/// Where.
pub(super) fn choice(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let made = graph.choose(call.input(0)?, call.input(1)?, call.input(2)?)?;
    Ok(vec![made])
}

/// Greater, Less, Equal and their kind: bool, so no gradient goes through.
pub(super) fn comparison(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let made = graph.binary(&call.op, call.input(0)?, call.input(1)?, Kind::Bool)?;
    Ok(vec![made])
}

/// Operators that step: they run where no trained weight stands before them, and are refused elsewhere.
pub(super) fn stepped(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let made = graph.unary(&call.op, call.input(0)?)?;
    Ok(vec![made])
}

/// The element type that a Cast or a CastLike makes.
pub(in super::super) fn cast_to(call: &Call) -> Result<Kind, String> {
    if call.op == "CastLike" {
        return Ok(call.input(1)?.kind);
    }
    let to = call.int("to", 0);
    // A double is kept as float32 wherever it stands.
    let kind = match to {
        11 => Some(Kind::F32),
        _ => i32::try_from(to).ok().and_then(Kind::of),
    };
    kind.ok_or_else(|| format!("a cast to data type {to} is not covered"))
}

/// Cast, CastLike. Between float32 and itself it is nothing; from integers it carries no gradient.
pub(super) fn cast(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, kind) = (call.input(0)?, cast_to(call)?);
    if kind == x.kind {
        return Ok(vec![x.clone()]);
    }
    let to = Setting::Int("to", i64::from(kind as i32));
    Ok(vec![graph.op("Cast", &[x], kind, x.dims.to_vec(), &[to])?])
}
