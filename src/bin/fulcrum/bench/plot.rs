//! The plot of `bench interleave`: p99 over alone against training rate, one curve a policy.

use super::measured::{Measured, Order};
use super::rows::{Row, rows};
use plotters::prelude::*;
use std::error::Error;

const SIZE: (u32, u32) = (900, 520);
const FRAME: RGBColor = RGBColor(127, 127, 127);

/// One for each of [`Order::all`].
const COLOURS: [RGBColor; 8] = [
    RGBColor(255, 127, 14),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(148, 103, 189),
    RGBColor(44, 160, 44),
    RGBColor(23, 190, 207),
    RGBColor(214, 39, 40),
    RGBColor(31, 119, 180),
];

/// The plot as SVG.
pub(super) fn draw(measured: &Measured) -> Result<String, Box<dyn Error>> {
    let rows = rows(measured);
    let point = |row: &Row| (row.training_rate_over_alone, row.p99_over_alone);
    let (low, high) = rows.iter().fold((1.0_f64, 2.0_f64), |(low, high), row| {
        (low.min(row.p99_over_alone), high.max(row.p99_over_alone))
    });
    let (low, high) = (0.8 * low.max(1e-3), 1.2 * high);
    let fastest = rows
        .iter()
        .map(|row| row.training_rate_over_alone)
        .fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..fastest, (low..high).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("training rate over its rate alone")
            .y_desc("p99 latency over alone")
            .light_line_style(WHITE)
            .draw()?;
        let limit = measured.alone.left();
        let edge = [(limit, low), (limit, high)];
        chart
            .draw_series(LineSeries::new(edge, FRAME.stroke_width(1)))?
            .label(format!("1 - U - s/T = {limit:.2}"))
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], FRAME.stroke_width(1)));
        for (order, colour) in Order::all().zip(COLOURS) {
            let name = order.to_string();
            let points: Vec<_> = rows.iter().filter(|row| row.policy == name).map(point).collect();
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(FRAME)
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}
