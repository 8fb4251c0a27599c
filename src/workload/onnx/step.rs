//! A step graph's inputs and outputs, checked against the convention that training rests on.

use super::OnnxError;
use super::session::{Port, Session};
use super::tensor::Element;

/// The inputs and outputs of a step graph, checked.
pub(super) struct Step {
    /// The minibatch, float32 [B, ...].
    pub(super) x: Port,
    /// Its labels, int64 or float32 [B, ...].
    pub(super) y: Port,
    /// The learning rate.
    pub(super) lr: Port,
    /// The loss before the step.
    pub(super) loss: Port,
    /// Every state tensor S, whose new value is the output `S_out`.
    pub(super) states: Vec<Port>,
}

impl Step {
    /// Checks names, element types and shapes; `row` is the number of values in one sample.
    pub(super) fn of(session: &Session, row: usize) -> Result<Step, OnnxError> {
        let [x, y, loss] = data(session, row)?;
        let lr = expect_scalar(session, "lr")?;
        let states = session
            .inputs
            .iter()
            .filter(|port| !["x", "y", "lr"].contains(&port.name.as_str()));
        let states: Vec<Port> = states.cloned().collect();
        for port in &states {
            expect_state(session, port)?;
        }
        Ok(Step {
            x,
            y,
            lr,
            loss,
            states,
        })
    }
}

/// The inputs and outputs of a graph that adds the gradients of a micro-batch to sums, checked.
pub(super) struct Grad {
    /// The micro-batch, as in [`Step`].
    pub(super) x: Port,
    /// Its labels, as in [`Step`].
    pub(super) y: Port,
    /// The loss of the micro-batch.
    pub(super) loss: Port,
    /// The sum `g.W` of every trained weight W, whose new value is `g.W_out`; W is an input as well.
    pub(super) sums: Vec<Port>,
    /// Every other state S, whose new value is `S_out`.
    pub(super) running: Vec<Port>,
}

impl Grad {
    /// Checks names, element types and shapes; `row` is the number of values in one sample.
    pub(super) fn of(session: &Session, row: usize) -> Result<Grad, OnnxError> {
        let [x, y, loss] = data(session, row)?;
        let (mut sums, mut running) = (Vec::new(), Vec::new());
        for port in &session.inputs {
            let name = port.name.as_str();
            if let Some(weight) = name.strip_prefix("g.") {
                expect_state(session, port)?;
                let found = session
                    .input(weight)
                    .ok_or_else(|| no_tensor(&session.name, weight, "input (the weight)"))?;
                expect(&session.name, found, &port.describe(), found.dims == port.dims)?;
                sums.push(port.clone());
            } else if !["x", "y"].contains(&name) && session.input(&format!("g.{name}")).is_none() {
                expect_state(session, port)?;
                running.push(port.clone());
            }
        }
        Ok(Grad {
            x,
            y,
            loss,
            sums,
            running,
        })
    }
}

/// The minibatch, its labels and the loss, checked.
fn data(session: &Session, row: usize) -> Result<[Port; 3], OnnxError> {
    let model = &session.name;
    let input = |name: &str, role| {
        session
            .input(name)
            .cloned()
            .ok_or_else(|| no_tensor(model, name, role))
    };
    let (x, y) = (
        input("x", "input (the minibatch)")?,
        input("y", "input (the labels)")?,
    );
    let loss = session
        .output("loss")
        .cloned()
        .ok_or_else(|| no_tensor(model, "loss", "output"))?;
    let minibatch = x.dims.first().copied().unwrap_or(-1);
    let mut behind = x.dims.get(1..).unwrap_or_default().iter();
    let values = behind.try_fold(1_usize, |product, dim| {
        product.checked_mul(usize::try_from(*dim).ok()?)
    });
    let expected = format!("float32 [B, ...] with every size fixed and {row} values a sample");
    let samples = x.element == Element::F32 && minibatch > 0 && values == Some(row);
    expect(model, &x, &expected, samples)?;
    let either = [Element::I64, Element::F32].contains(&y.element);
    let labels = either && y.dims.first() == Some(&minibatch) && fixed(&y);
    expect(
        model,
        &y,
        "int64 or float32 with one label or more for each sample of `x`",
        labels,
    )?;
    expect(model, &loss, "one float32", is_scalar(&loss))?;
    Ok([x, y, loss])
}

fn is_scalar(port: &Port) -> bool {
    port.element == Element::F32 && port.dims.iter().all(|dim| *dim == 1)
}

/// The input `name`, which is one number.
pub(super) fn expect_scalar(session: &Session, name: &str) -> Result<Port, OnnxError> {
    let port = session
        .input(name)
        .cloned()
        .ok_or_else(|| no_tensor(&session.name, name, "input"))?;
    expect(&session.name, &port, "one float32", is_scalar(&port))?;
    Ok(port)
}

/// Checks that the input `port` is state: float32 of fixed size, with an output for its new value.
pub(super) fn expect_state(session: &Session, port: &Port) -> Result<(), OnnxError> {
    let (model, out) = (&session.name, out_name(&port.name));
    let found = session
        .output(&out)
        .ok_or_else(|| no_tensor(model, &out, "output (the new value of the state)"))?;
    expect(
        model,
        port,
        "float32 with every size fixed",
        port.element == Element::F32 && fixed(port),
    )?;
    if (found.element, &found.dims) != (port.element, &port.dims) {
        return Err(OnnxError::WrongTensor {
            model: model.clone(),
            name: out,
            expected: format!("{}, as `{}`", port.describe(), port.name),
            found: found.describe(),
        });
    }
    Ok(())
}

/// Whether state of this name starts from the weights file; the count of steps and moments start at zero.
pub(super) fn is_weight(name: &str) -> bool {
    name != "t" && !name.starts_with("m.") && !name.starts_with("v.")
}

fn fixed(port: &Port) -> bool {
    port.dims.iter().all(|dim| *dim >= 0)
}

fn expect(model: &str, port: &Port, expected: &str, holds: bool) -> Result<(), OnnxError> {
    if holds {
        return Ok(());
    }
    let (name, found) = (port.name.clone(), port.describe());
    Err(OnnxError::WrongTensor {
        model: model.to_string(),
        name,
        expected: expected.to_string(),
        found,
    })
}

/// Name of the output that is the new value of `state`.
pub(super) fn out_name(state: &str) -> String {
    format!("{state}_out")
}

pub(super) fn no_tensor(model: &str, name: &str, role: &'static str) -> OnnxError {
    OnnxError::NoTensor {
        model: model.to_string(),
        name: name.to_string(),
        role,
    }
}
