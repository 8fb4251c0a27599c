//! Convolution and its transpose.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Parts, Setting};
use super::super::value::{Kind, Value};
use super::super::window::{Window, at, settings};

/// Above this many taps the slices of the product form cost more than the convolution form.
const MOST_TAPS: i64 = 64;

/// No kernel of a grouped convolution has more.
const MOST_GROUPED_TAPS: i64 = 1024;

impl Graph {
    /// Convolution. `w` is `[M, C / group, kernel...]`, the bias `[M]`.
    fn conv(&mut self, x: &Value, w: &Value, bias: Option<&Value>, window: &Window, group: i64) -> Made {
        if x.dim(1) != w.dim(1) * group || w.dim(0) % group != 0 {
            return Err(format!(
                "weights of {:?} in {group} groups do not suit {:?}",
                w.dims, x.dims
            )
            .into());
        }
        let mut dims = vec![x.dim(0), w.dim(0)];
        dims.extend(window.positions(x)?);
        let pads = window.pads();
        let mut attributes = settings(window, &pads);
        attributes.push(Setting::Int("group", group));
        let inputs: Vec<&Value> = [x, w].into_iter().chain(bias).collect();
        let y = self.op("Conv", &inputs, Kind::F32, dims, &attributes)?;
        let (x, w, bias, window) = (x.clone(), w.clone(), bias.cloned(), window.clone());
        let wanted = inputs.iter().any(|input| input.requires);
        Ok(self.record(y, wanted, move |graph, dy| {
            let mut parts = Vec::new();
            graph.channel_bias_gradient(bias, dy, &mut parts)?;
            if w.requires {
                let part = graph.conv_dw(&x, dy, &w, &window, group)?;
                parts.push((w.clone(), part));
            }
            if x.requires {
                let part = graph.conv_transpose(dy, &w, None, &window, group, &x.dims)?;
                parts.push((x, part));
            }
            Ok(parts)
        }))
    }

    /// Transposed convolution to the size `dims`. `w` is `[C, M / group, kernel...]`, the bias `[M]`.
    pub(crate) fn conv_transpose(
        &mut self,
        x: &Value,
        w: &Value,
        bias: Option<&Value>,
        window: &Window,
        group: i64,
        dims: &[i64],
    ) -> Made {
        if x.dim(1) != w.dim(0) || x.dim(1) % group != 0 || at(dims, 1) != w.dim(1) * group {
            return Err(format!(
                "weights of {:?} in {group} groups do not suit {:?}",
                w.dims, x.dims
            )
            .into());
        }
        let more: Vec<i64> = (0..window.axes())
            .map(|axis| window.rest(axis, at(dims, axis + 2), x.dim(axis + 2)))
            .collect();
        let pads = window.pads();
        let mut attributes = settings(window, &pads);
        attributes.push(Setting::Int("group", group));
        attributes.push(Setting::Ints("output_padding", &more));
        let inputs: Vec<&Value> = [x, w].into_iter().chain(bias).collect();
        let y = self.op("ConvTranspose", &inputs, Kind::F32, dims.to_vec(), &attributes)?;
        let (x, w, bias, window) = (x.clone(), w.clone(), bias.cloned(), window.clone());
        let wanted = inputs.iter().any(|input| input.requires);
        Ok(self.record(y, wanted, move |graph, dy| {
            let mut parts = Vec::new();
            graph.channel_bias_gradient(bias, dy, &mut parts)?;
            if w.requires {
                // The roles are exchanged: `dy` is the image, `x` what was made of it.
                let part = graph.conv_dw(dy, &x, &w, &window, group)?;
                parts.push((w.clone(), part));
            }
            if x.requires {
                let part = graph.conv(dy, &w, None, &window, group)?;
                parts.push((x, part));
            }
            Ok(parts)
        }))
    }

    /// The gradient of the weights `w` of a convolution of `x`. As products of shifted views where the kernel
    /// is small, which beats a convolution on a CPU; else as a convolution with the batch as channels.
    fn conv_dw(&mut self, x: &Value, dy: &Value, w: &Value, window: &Window, group: i64) -> Made {
        let taps = window.taps();
        if taps > MOST_TAPS && group == 1 {
            return self.conv_dw_by_conv(x, dy, w, window);
        }
        if taps > MOST_GROUPED_TAPS {
            return Err(format!("a grouped kernel of {:?} is not covered", window.kernel).into());
        }
        let (batch, channels, out) = (x.dim(0), x.dim(1), dy.dim(1));
        let pixels: i64 = dy.dims.iter().skip(2).product();
        let views = self.views(x, window, dy)?;
        if group == channels && group == out {
            return self.depthwise_dw(&views, dy, w);
        }
        // dy as [group, M / group, N * P].
        let (own_out, own_in) = (out / group.max(1), channels / group.max(1));
        let flat = self.reshape(dy, vec![batch, group, own_out, pixels])?;
        let flat = self.transpose(&flat, &[1, 2, 0, 3])?;
        // Views as [N, group, C / group * taps, P], in the order of the weights.
        let stacked = match views.as_slice() {
            [one] => one.clone(),
            _ => {
                let mut lifted = Vec::with_capacity(views.len());
                for view in &views {
                    lifted.push(self.reshape(view, vec![batch, channels, 1, pixels])?);
                }
                self.concat(&lifted, 2)?
            }
        };
        let columns = own_in * taps;
        let stacked = self.reshape(&stacked, vec![batch, group, columns, pixels])?;
        let product = if group == 1 {
            let flat = self.reshape(&flat, vec![out, batch * pixels])?;
            let rows = self.transpose(&stacked, &[1, 2, 0, 3])?;
            let rows = self.reshape(&rows, vec![columns, batch * pixels])?;
            self.product(&flat, false, &rows, true, None)?
        } else {
            let flat = self.reshape(&flat, vec![group, own_out, batch * pixels])?;
            let rows = self.transpose(&stacked, &[1, 0, 3, 2])?;
            let rows = self.reshape(&rows, vec![group, batch * pixels, columns])?;
            self.matmul(&flat, &rows)?
        };
        self.reshape(&product, w.dims.to_vec())
    }

    fn depthwise_dw(&mut self, views: &[Value], dy: &Value, w: &Value) -> Made {
        let axes: Vec<usize> = (0..dy.rank()).filter(|axis| *axis != 1).collect();
        let mut sums = Vec::with_capacity(views.len());
        for view in views {
            let product = self.mul(view, dy)?;
            let sum = self.sum(&product, &axes, false)?;
            sums.push(self.reshape(&sum, vec![dy.dim(1), 1])?);
        }
        let all = self.concat(&sums, 1)?;
        self.reshape(&all, w.dims.to_vec())
    }

    fn conv_dw_by_conv(&mut self, x: &Value, dy: &Value, w: &Value, window: &Window) -> Made {
        let mut order: Vec<usize> = (0..x.rank()).collect();
        order.swap(0, 1);
        let (image, kernel) = (self.transpose(x, &order)?, self.transpose(dy, &order)?);
        let swapped = Window {
            kernel: dy.dims.iter().skip(2).copied().collect(),
            strides: window.dilations.clone(),
            dilations: window.strides.clone(),
            ..window.clone()
        };
        let found = self.conv(&image, &kernel, None, &swapped, 1)?;
        // Behind the weights' own taps are those that a stride left over.
        let mut kept = found.clone();
        for axis in 2..found.rank() {
            if found.dim(axis) > w.dim(axis) {
                kept = self.slice(&kept, axis, 0, w.dim(axis), 1)?;
            }
        }
        self.transpose(&kept, &order)
    }

    /// The shifted views of the padded `x` that meet each tap of the window, each of the size of `dy`.
    fn views(&mut self, x: &Value, window: &Window, dy: &Value) -> Made<Vec<Value>> {
        let mut padded = x.clone();
        if window.is_padded() {
            let mut pads = vec![0, 0];
            pads.extend(&window.begin);
            pads.extend([0, 0]);
            pads.extend(&window.end);
            padded = self.pad(x, &pads, 0.0)?;
        }
        let axes: Vec<i64> = (0..window.axes()).map(|axis| axis as i64 + 2).collect();
        let mut views = Vec::new();
        for tap in 0..window.taps() {
            let (mut starts, mut ends, mut rest) = (Vec::new(), Vec::new(), tap);
            for axis in (0..window.axes()).rev() {
                let start = rest % at(&window.kernel, axis) * at(&window.dilations, axis);
                rest /= at(&window.kernel, axis);
                starts.insert(0, start);
                ends.insert(0, start + (dy.dim(axis + 2) - 1) * at(&window.strides, axis) + 1);
            }
            let mut dims = vec![x.dim(0), x.dim(1)];
            dims.extend(dy.dims.iter().skip(2));
            if *padded.dims == *dims {
                views.push(padded.clone());
                continue;
            }
            let (starts, ends) = (self.list(&starts)?, self.list(&ends)?);
            let (axes, steps) = (self.list(&axes)?, self.list(&window.strides)?);
            views.push(self.op(
                "Slice",
                &[&padded, &starts, &ends, &axes, &steps],
                Kind::F32,
                dims,
                &[],
            )?);
        }
        Ok(views)
    }

    fn channel_bias_gradient(&mut self, bias: Option<Value>, dy: &Value, parts: &mut Parts) -> Made<()> {
        if let Some(bias) = bias.filter(|bias| bias.requires) {
            let axes: Vec<usize> = (0..dy.rank()).filter(|axis| *axis != 1).collect();
            let part = self.sum(dy, &axes, false)?;
            parts.push((bias, part));
        }
        Ok(())
    }
}

/// The kernel: the weights' own, which an attribute may repeat.
fn kernel(call: &Call, w: &Value) -> Result<Vec<i64>, String> {
    let own: Vec<i64> = w.dims.iter().skip(2).copied().collect();
    match call.ints("kernel_shape") {
        Some(told) if told != own => Err(format!(
            "kernel_shape {told:?} differs from the weights' {:?}",
            w.dims
        )),
        _ => Ok(own),
    }
}

fn group(call: &Call) -> Result<i64, String> {
    let group = call.int("group", 1);
    (1..=i64::from(u16::MAX))
        .contains(&group)
        .then_some(group)
        .ok_or_else(|| format!("{group} groups are impossible"))
}

fn bias(call: &Call, channels: i64) -> Result<Option<&Value>, String> {
    match call.optional(2) {
        Some(bias) if *bias.dims != [channels] => Err(format!(
            "a bias of {:?} does not suit {channels} channels",
            bias.dims
        )),
        found => Ok(found),
    }
}

/// Conv.
pub(super) fn conv(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let window = Window::of(call, x, kernel(call, w)?)?;
    let bias = bias(call, w.dim(0))?;
    Ok(vec![graph.conv(x, w, bias, &window, group(call)?)?])
}

/// ConvTranspose.
pub(super) fn conv_transpose(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    if call.ints("output_shape").is_some()
        || !["NOTSET", ""].contains(&call.text("auto_pad", "NOTSET").as_str())
    {
        return Err("output_shape and auto_pad are not covered; give pads".into());
    }
    let (window, group) = (Window::of(call, x, kernel(call, w)?)?, group(call)?);
    let more = call
        .ints("output_padding")
        .unwrap_or_else(|| vec![0; window.axes()]);
    let mut dims = vec![x.dim(0), w.dim(1) * group];
    for axis in 0..window.axes() {
        let more = more.get(axis).copied().unwrap_or(0);
        let (stride, pads) = (
            at(&window.strides, axis),
            at(&window.begin, axis) + at(&window.end, axis),
        );
        if !(0..stride.max(at(&window.dilations, axis))).contains(&more) {
            return Err(format!("output_padding {more} is not below the stride").into());
        }
        let size = (x.dim(axis + 2) - 1) * stride + window.reach(axis) - pads + more;
        if more >= stride || size < 1 {
            return Err(format!("output_padding {more} or pads are not covered with stride {stride}").into());
        }
        dims.push(size);
    }
    let bias = bias(call, at(&dims, 1))?;
    Ok(vec![graph.conv_transpose(x, w, bias, &window, group, &dims)?])
}
