//! The demo's report: one HTML page with its plots inside, nothing loaded from elsewhere.

use super::record::{Record, Series, table};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

const SIZE: (u32, u32) = (900, 300);
const MEASURED: RGBColor = RGBColor(31, 119, 180);
const SECOND: RGBColor = RGBColor(44, 160, 44);
const BOUND: RGBColor = RGBColor(214, 39, 40);
const LIMIT: RGBColor = RGBColor(127, 127, 127);
const OTHER: RGBColor = RGBColor(255, 127, 14);
const LIGHT: RGBColor = RGBColor(255, 187, 80);

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A plot's title and what draws it.
type Plot = (&'static str, fn(&Record, &mut String) -> Drawn);

/// The whole page.
pub(crate) fn page(runs: &[&Record]) -> Result<String, Box<dyn std::error::Error>> {
    let mut body = String::new();
    let summaries: Vec<_> = runs.iter().map(|run| &run.summary).collect();
    if let Some(first) = summaries.first() {
        body.push_str(&format!(
            "<p>Board: <b>{}</b>{}. Mode <code>{}</code>, minibatch {}, planned bound {:.2} ms, planned power {:.2} W, \
             binding: {}.</p>\n",
            escape(&first.board.name),
            if first.board.simulated { " (simulated: its times, power and temperature are a model's)" } else { "" },
            escape(&first.plan.mode),
            first.plan.minibatch,
            first.plan.bound_ms,
            first.plan.power_w,
            escape(&first.plan.binding),
        ));
    }
    body.push_str(&format!("<pre>{}</pre>\n", escape(&table(&summaries))));
    if runs.len() > 1 {
        let title = "Latency of every frame, policy by policy";
        body.push_str(&format!(
            "<figure><figcaption>{title}</figcaption>{}</figure>\n",
            overview(runs)?
        ));
    }
    for run in runs {
        body.push_str(&format!("<h2>Policy {}</h2>\n", escape(&run.summary.policy)));
        let plots: [Plot; 5] = [
            (
                "Latency of every frame, with the bound printed before the run",
                latency,
            ),
            ("Latency histogram", histogram),
            (
                "Accuracy over the last second; the light changes at the orange line",
                accuracy,
            ),
            ("Loss of every training step", loss),
            ("Power of the simulated board", power),
        ];
        for (title, draw) in plots {
            let mut svg = String::new();
            draw(run, &mut svg)?;
            body.push_str(&format!(
                "<figure><figcaption>{title}</figcaption>{svg}</figure>\n"
            ));
        }
    }
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>fulcrum demo</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\n\
         body{{font:16px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222}}\n\
         pre{{background:#f6f6f6;padding:1em;overflow:auto;font-size:14px}} figure{{margin:1.5em 0}}\n\
         figcaption{{font-weight:600}} svg{{max-width:100%;height:auto}}\n\
         </style></head><body>\n<h1>fulcrum demo</h1>\n{body}</body></html>\n"
    ))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Axes from zero to `width` and `height`, with their descriptions.
fn axes<'a>(
    root: &Area<'a>,
    (width, x): (f64, &str),
    (height, y): (f64, &str),
) -> Result<Chart<'a>, Box<dyn std::error::Error>> {
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(root)
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..width, 0.0..height)?;
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .light_line_style(WHITE)
        .draw()?;
    Ok(chart)
}

/// The latency of every frame of every run in one picture, with each run's bound and the limit.
pub(crate) fn overview(runs: &[&Record]) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    let first = runs.first().ok_or("no run to draw")?;
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let last = runs.iter().map(|run| end(&run.latency)).fold(1.0, f64::max);
        let height = runs
            .iter()
            .map(|run| top(&run.latency, &[run.limit_ms]))
            .fold(0.0, f64::max);
        let mut chart = axes(&root, (last, "time, s"), (height, "latency, ms"))?;
        for (run, colour) in runs.iter().zip([OTHER, MEASURED, SECOND].into_iter().cycle()) {
            let dot = move |(x, y)| Circle::new((x + 9, y), 3, colour.filled());
            let dots = run
                .latency
                .iter()
                .map(|point| Circle::new(*point, 2, colour.filled()));
            let label = format!(
                "{}: {} of {} late",
                run.summary.policy,
                misses(run),
                run.latency.len()
            );
            chart.draw_series(dots)?.label(label).legend(dot);
        }
        let limit = LineSeries::new(
            [(0.0, first.limit_ms), (last, first.limit_ms)],
            LIMIT.stroke_width(2),
        );
        let legend = |(x, y)| PathElement::new([(x, y), (x + 18, y)], LIMIT.stroke_width(2));
        chart
            .draw_series(limit)?
            .label(format!("limit {:.2} ms", first.limit_ms))
            .legend(legend);
        for run in runs.iter().filter(|run| run.summary.policy == "slack") {
            if let Some(bound) = run.summary.streams.first().and_then(|stream| stream.bound_ms) {
                let line = LineSeries::new([(0.0, bound), (last, bound)], BOUND.stroke_width(2));
                let legend = |(x, y)| PathElement::new([(x, y), (x + 18, y)], BOUND.stroke_width(2));
                chart
                    .draw_series(line)?
                    .label(format!("bound of slack {bound:.2} ms"))
                    .legend(legend);
            }
        }
        let corner = SeriesLabelPosition::UpperRight;
        chart
            .configure_series_labels()
            .position(corner)
            .background_style(WHITE.mix(0.8))
            .border_style(LIMIT)
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}

fn misses(run: &Record) -> u64 {
    run.summary.streams.first().map_or(0, |stream| stream.misses)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The largest value of the series and the extra values, with some air above; never zero.
fn top(series: &Series, extra: &[f64]) -> f64 {
    let values = series
        .iter()
        .map(|(_, value)| *value)
        .chain(extra.iter().copied());
    1.1 * values.fold(1e-3, f64::max)
}

fn end(series: &Series) -> f64 {
    series.last().map_or(1.0, |(time, _)| time.max(1.0))
}

/// A level drawn over the whole width.
struct Level<'a> {
    name: &'a str,
    value: f64,
    colour: RGBColor,
}

/// One series over time, dots or a line, with levels and the change of light.
fn over_time(
    run: &Record,
    svg: &mut String,
    unit: &str,
    series: &Series,
    dots: bool,
    levels: &[Level],
) -> Drawn {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let extra: Vec<f64> = levels.iter().map(|level| level.value).collect();
    let (last, height) = (end(series), top(series, &extra));
    let mut chart = axes(&root, (last, "time, s"), (height, unit))?;
    let light = run.light_changes_s;
    chart.draw_series(LineSeries::new(
        [(light, 0.0), (light, height)],
        LIGHT.stroke_width(2),
    ))?;
    for level in levels {
        let style = level.colour.stroke_width(2);
        let line = LineSeries::new([(0.0, level.value), (last, level.value)], style);
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style);
        chart
            .draw_series(line)?
            .label(format!("{} {:.2}", level.name, level.value))
            .legend(legend);
    }
    if dots {
        chart.draw_series(
            series
                .iter()
                .map(|point| Circle::new(*point, 2, MEASURED.filled())),
        )?;
    } else {
        chart.draw_series(LineSeries::new(series.iter().copied(), MEASURED.stroke_width(2)))?;
    }
    if !levels.is_empty() {
        let corner = SeriesLabelPosition::UpperRight;
        chart
            .configure_series_labels()
            .position(corner)
            .background_style(WHITE.mix(0.8))
            .border_style(LIMIT)
            .draw()?;
    }
    root.present()?;
    Ok(())
}

fn latency(run: &Record, svg: &mut String) -> Drawn {
    let mut levels = vec![Level {
        name: "limit",
        value: run.limit_ms,
        colour: LIMIT,
    }];
    let bound = run.summary.streams.first().and_then(|stream| stream.bound_ms);
    levels.extend(bound.map(|value| Level {
        name: "bound",
        value,
        colour: BOUND,
    }));
    over_time(run, svg, "latency, ms", &run.latency, true, &levels)
}

fn accuracy(run: &Record, svg: &mut String) -> Drawn {
    over_time(run, svg, "right answers", &run.accuracy, false, &[])
}

fn loss(run: &Record, svg: &mut String) -> Drawn {
    over_time(run, svg, "loss", &run.loss, true, &[])
}

fn power(run: &Record, svg: &mut String) -> Drawn {
    let limit = Level {
        name: "limit",
        value: run.summary.power.limit_w,
        colour: LIMIT,
    };
    over_time(run, svg, "power, W", &run.power, false, &[limit])
}

fn histogram(run: &Record, svg: &mut String) -> Drawn {
    const BARS: usize = 60;
    let bound = run.summary.streams.first().and_then(|stream| stream.bound_ms);
    let width = top(&run.latency, &[run.limit_ms, bound.unwrap_or(0.0)]);
    let mut counts = [0_u32; BARS];
    for (_, latency) in &run.latency {
        if let Some(count) = counts.get_mut((latency / width * BARS as f64) as usize) {
            *count += 1;
        }
    }
    let highest = f64::from(counts.iter().copied().max().unwrap_or(1).max(1)) * 1.1;
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = axes(&root, (width, "latency, ms"), (highest, "frames"))?;
    let step = width / BARS as f64;
    chart.draw_series(counts.iter().enumerate().map(|(bar, count)| {
        let left = bar as f64 * step;
        Rectangle::new([(left, 0.0), (left + step, f64::from(*count))], SECOND.filled())
    }))?;
    let levels = [(Some(run.limit_ms), LIMIT), (bound, BOUND)];
    for (value, colour) in levels
        .into_iter()
        .filter_map(|(value, colour)| Some((value?, colour)))
    {
        chart.draw_series(LineSeries::new(
            [(value, 0.0), (value, highest)],
            colour.stroke_width(2),
        ))?;
    }
    root.present()?;
    Ok(())
}
