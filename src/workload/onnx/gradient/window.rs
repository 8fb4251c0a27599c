//! A [`Window`] moves over the spatial axes of an image: of convolutions and pools.

use super::call::Call;
use super::graph::Setting;
use super::value::Value;

/// Kernel, strides, dilations and pads, each for every spatial axis.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) kernel: Vec<i64>,
    pub(super) strides: Vec<i64>,
    pub(super) dilations: Vec<i64>,
    pub(super) begin: Vec<i64>,
    pub(super) end: Vec<i64>,
}

/// No model has a kernel, stride or pad of more; it keeps sums of them far from overflow.
const MOST: i64 = 1 << 16;

impl Window {
    /// Reads the attributes of `call` for an image `x` of `[N, C, spatial...]`.
    pub(super) fn of(call: &Call, x: &Value, kernel: Vec<i64>) -> Result<Window, String> {
        let spatial = x.rank().checked_sub(2).filter(|spatial| *spatial > 0);
        let spatial = spatial.ok_or_else(|| format!("an input of {:?} has no spatial axes", x.dims))?;
        let list = |name: &str, default: i64, length: usize, least: i64| {
            let found = call.ints(name).unwrap_or_else(|| vec![default; length]);
            let fits = found.len() == length && found.iter().all(|it| (least..=MOST).contains(it));
            fits.then_some(found.clone())
                .ok_or_else(|| format!("{name} {found:?} is not covered for {spatial} spatial axes"))
        };
        if kernel.len() != spatial || kernel.iter().any(|size| !(1..=MOST).contains(size)) {
            return Err(format!(
                "a kernel of {kernel:?} does not suit an input of {:?}",
                x.dims
            ));
        }
        let pads = list("pads", 0, 2 * spatial, 0)?;
        let (begin, end) = pads.split_at(spatial);
        let mut window = Window {
            kernel,
            strides: list("strides", 1, spatial, 1)?,
            dilations: list("dilations", 1, spatial, 1)?,
            begin: begin.to_vec(),
            end: end.to_vec(),
        };
        match call.text("auto_pad", "NOTSET").as_str() {
            "NOTSET" | "" => {}
            "VALID" => (window.begin, window.end) = (vec![0; spatial], vec![0; spatial]),
            same @ ("SAME_UPPER" | "SAME_LOWER") => window.pad_to_same(x, same == "SAME_LOWER"),
            other => return Err(format!("auto_pad {other} is not covered")),
        }
        Ok(window)
    }

    /// Pads so that the output has the input's size over the stride.
    fn pad_to_same(&mut self, x: &Value, lower: bool) {
        for axis in 0..self.kernel.len() {
            let (size, stride) = (x.dim(axis + 2), at(&self.strides, axis));
            let out = size.saturating_add(stride - 1) / stride.max(1);
            let total = ((out - 1) * stride + self.reach(axis) - size).max(0);
            let (less, more) = (total / 2, total - total / 2);
            let (begin, end) = if lower { (more, less) } else { (less, more) };
            set(&mut self.begin, axis, begin);
            set(&mut self.end, axis, end);
        }
    }

    pub(super) fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// Values of the image from the first to the last that one position of the window covers.
    pub(super) fn reach(&self, axis: usize) -> i64 {
        (at(&self.kernel, axis) - 1) * at(&self.dilations, axis) + 1
    }

    /// What is left of the padded image at its end, behind the last position of `out` ones.
    pub(super) fn rest(&self, axis: usize, size: i64, out: i64) -> i64 {
        size + at(&self.begin, axis) + at(&self.end, axis)
            - self.reach(axis)
            - (out - 1) * at(&self.strides, axis)
    }

    /// The number of positions along each spatial axis of `x`.
    pub(super) fn positions(&self, x: &Value) -> Result<Vec<i64>, String> {
        (0..self.axes())
            .map(|axis| {
                let room = self.rest(axis, x.dim(axis + 2), 1);
                if room < 0 {
                    return Err(format!(
                        "a kernel of {:?} is larger than the padded input {:?}",
                        self.kernel, x.dims
                    ));
                }
                Ok(room / at(&self.strides, axis).max(1) + 1)
            })
            .collect()
    }

    /// Positions of a kernel in all.
    pub(super) fn taps(&self) -> i64 {
        self.kernel
            .iter()
            .fold(1_i64, |product, size| product.saturating_mul(*size))
    }

    /// Whether two positions share a value of the image.
    pub(super) fn overlaps(&self) -> bool {
        (0..self.axes()).any(|axis| self.reach(axis) > at(&self.strides, axis))
    }

    pub(super) fn pads(&self) -> Vec<i64> {
        [self.begin.as_slice(), self.end.as_slice()].concat()
    }

    pub(super) fn is_padded(&self) -> bool {
        self.begin.iter().chain(&self.end).any(|pad| *pad > 0)
    }
}

/// `list[axis]`; every list of a window has one entry an axis.
pub(super) fn at(list: &[i64], axis: usize) -> i64 {
    list.get(axis).copied().unwrap_or(1)
}

fn set(list: &mut [i64], axis: usize, value: i64) {
    if let Some(place) = list.get_mut(axis) {
        *place = value;
    }
}

/// The attributes of a node that uses a window.
pub(super) fn settings<'a>(window: &'a Window, pads: &'a [i64]) -> Vec<Setting<'a>> {
    vec![
        Setting::Ints("kernel_shape", &window.kernel),
        Setting::Ints("strides", &window.strides),
        Setting::Ints("dilations", &window.dilations),
        Setting::Ints("pads", pads),
    ]
}
