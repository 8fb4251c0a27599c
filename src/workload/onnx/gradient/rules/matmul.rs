//! Products of matrices.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Kind, Value, broadcast};

impl Graph {
    /// The product of two matrices, each turned if asked, plus `c`; not recorded.
    pub(crate) fn product(
        &mut self,
        a: &Value,
        turn_a: bool,
        b: &Value,
        turn_b: bool,
        c: Option<&Value>,
    ) -> Made {
        let (rows, inner) = if turn_a {
            (a.dim(1), a.dim(0))
        } else {
            (a.dim(0), a.dim(1))
        };
        let (inner_b, columns) = if turn_b {
            (b.dim(1), b.dim(0))
        } else {
            (b.dim(0), b.dim(1))
        };
        if a.rank() != 2 || b.rank() != 2 || inner != inner_b {
            return Err(format!("the matrices {:?} and {:?} do not go together", a.dims, b.dims).into());
        }
        let settings = [
            Setting::Int("transA", i64::from(turn_a)),
            Setting::Int("transB", i64::from(turn_b)),
        ];
        if let Some(c) = c
            && broadcast(&c.dims, &[rows, columns])? != [rows, columns]
        {
            return Err(format!("C of {:?} does not broadcast to {rows} x {columns}", c.dims).into());
        }
        let inputs: Vec<&Value> = [a, b].into_iter().chain(c).collect();
        Ok(self.op("Gemm", &inputs, Kind::F32, vec![rows, columns], &settings)?)
    }

    /// [`Graph::product`] plus `c`, which broadcasts to it; recorded.
    pub(crate) fn gemm(
        &mut self,
        a: &Value,
        turn_a: bool,
        b: &Value,
        turn_b: bool,
        c: Option<&Value>,
    ) -> Made {
        let y = self.product(a, turn_a, b, turn_b, c)?;
        let wanted = [Some(a), Some(b), c]
            .into_iter()
            .flatten()
            .any(|input| input.requires);
        let (a, b, c) = (a.clone(), b.clone(), c.cloned());
        Ok(self.record(y, wanted, move |graph, dy| {
            let mut parts = Vec::new();
            if let Some(c) = c.filter(|c| c.requires) {
                let part = graph.fit(dy, &c.dims)?;
                parts.push((c, part));
            }
            if a.requires {
                let part = match turn_a {
                    false => graph.product(dy, false, &b, !turn_b, None)?,
                    true => graph.product(&b, turn_b, dy, true, None)?,
                };
                parts.push((a.clone(), part));
            }
            if b.requires {
                let part = match turn_b {
                    false => graph.product(&a, !turn_a, dy, false, None)?,
                    true => graph.product(dy, true, &a, turn_a, None)?,
                };
                parts.push((b, part));
            }
            Ok(parts)
        }))
    }

    /// ONNX's MatMul (numpy's) of operands of 2 axes and more.
    pub(crate) fn matmul(&mut self, a: &Value, b: &Value) -> Made {
        let (rank_a, rank_b) = (a.rank(), b.rank());
        if rank_a < 2 || rank_b < 2 || a.kind != Kind::F32 || b.kind != Kind::F32 {
            return Err("its operands should be float32 with 2 axes or more".into());
        }
        if rank_b == 2 && rank_a > 2 {
            // One large product in place of many small ones, forward and backward.
            let inner = a.dim(rank_a - 1);
            let rows = a.elements() / inner.max(1);
            let flat = self.reshape(a, vec![rows, inner])?;
            let y = self.gemm(&flat, false, b, false, None)?;
            let mut dims = a.dims.to_vec();
            dims.truncate(rank_a - 1);
            dims.push(b.dim(1));
            return self.reshape(&y, dims);
        }
        if rank_a == 2 && rank_b == 2 {
            return self.gemm(a, false, b, false, None);
        }
        let (rows, inner) = (a.dim(rank_a - 2), a.dim(rank_a - 1));
        if inner != b.dim(rank_b - 2) {
            return Err(format!("the shapes {:?} and {:?} do not go together", a.dims, b.dims).into());
        }
        let batch = |value: &Value| value.dims.get(..value.rank() - 2).unwrap_or_default().to_vec();
        let mut dims = broadcast(&batch(a), &batch(b))?;
        dims.extend([rows, b.dim(rank_b - 1)]);
        let y = self.op("MatMul", &[a, b], Kind::F32, dims, &[])?;
        let (a, b) = (a.clone(), b.clone());
        Ok(self.record(y, a.requires || b.requires, move |graph, dy| {
            let mut parts = Vec::new();
            if a.requires {
                let turned = graph.turned(&b)?;
                let part = graph.matmul(dy, &turned)?;
                parts.push((a.clone(), graph.fit(&part, &a.dims)?));
            }
            if b.requires {
                let turned = graph.turned(&a)?;
                let part = graph.matmul(&turned, dy)?;
                parts.push((b.clone(), graph.fit(&part, &b.dims)?));
            }
            Ok(parts)
        }))
    }

    /// `x` with its last two axes exchanged.
    fn turned(&mut self, x: &Value) -> Made {
        let rank = x.rank();
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.transpose(x, &order)
    }
}

/// Gemm: alpha * A * B + beta * C.
pub(super) fn gemm(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let turned = |name: &str| call.int(name, 0) != 0;
    let (a, b) = (call.input(0)?, call.input(1)?);
    let scaled = |graph: &mut Graph, value: &Value, factor: f32| -> Made {
        if factor == 1.0 {
            return Ok(value.clone());
        }
        let factor = graph.number(factor)?;
        graph.mul(value, &factor)
    };
    let a = scaled(graph, a, call.float("alpha", 1.0))?;
    let c = match call.optional(2) {
        Some(c) => Some(scaled(graph, c, call.float("beta", 1.0))?),
        None => None,
    };
    Ok(vec![graph.gemm(
        &a,
        turned("transA"),
        b,
        turned("transB"),
        c.as_ref(),
    )?])
}

/// MatMul; an operand of one axis is a row or a column.
pub(super) fn matmul(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (mut a, mut b) = (call.input(0)?.clone(), call.input(1)?.clone());
    let (row, column) = (a.rank() == 1, b.rank() == 1);
    if row {
        a = graph.reshape(&a, vec![1, a.dim(0)])?;
    }
    if column {
        b = graph.reshape(&b, vec![b.dim(0), 1])?;
    }
    let mut y = graph.matmul(&a, &b)?;
    let mut dims = y.dims.to_vec();
    if column {
        dims.pop();
    }
    if row {
        dims.remove(dims.len() - if column { 1 } else { 2 });
    }
    if row || column {
        y = graph.reshape(&y, dims)?;
    }
    Ok(vec![y])
}
