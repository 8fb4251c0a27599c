//! The view in a terminal, which is put back on every way out: `q`, a signal, an error, a panic.

use super::Watched;
use super::power::Power;
use super::state::State;
use crate::subject::megahertz;
use fulcrum::board::Knob;
use fulcrum::board::thermal::Heat;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::Standing;
use fulcrum::units::{Millicelsius, Milliwatts, Nanos};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};
use ratatui::{DefaultTerminal, Frame};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Totals kept for the curve; no terminal is wider.
const KEPT: usize = 512;

/// How often keys and signals are looked at.
const KEYS: Nanos = Nanos::from_millis(50);

/// How often the view is drawn, whatever the interval: what it shows grows older all the time.
const DRAWN: Nanos = Nanos::from_millis(200);

/// Draws until `count` times `interval` have gone by, `q`, or a signal.
pub(super) fn show(watched: &Watched, interval: Nanos, count: u64) -> Result<(), Box<dyn Error>> {
    let over = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&over))?;
    }
    // Puts a hook before the panic's message that restores the terminal.
    let mut terminal = ratatui::try_init().map_err(|error| {
        format!("the terminal cannot be drawn on: {error}; use --json, or send the output to a file")
    })?;
    let resized = Arc::new(AtomicBool::new(false));
    let outcome = read_keys(Arc::clone(&over), Arc::clone(&resized))
        .map_err(Box::from)
        .and_then(|()| draw_until(&mut terminal, watched, interval, count, &over, &resized));
    ratatui::restore();
    outcome
}

fn draw_until(
    terminal: &mut DefaultTerminal,
    watched: &Watched,
    interval: Nanos,
    count: u64,
    over: &AtomicBool,
    resized: &AtomicBool,
) -> Result<(), Box<dyn Error>> {
    let mut totals = VecDeque::new();
    let end = watched.began + interval.times(count);
    let (mut next, mut drawn) = (watched.began, Nanos::ZERO);
    loop {
        let now = Monotonic.now();
        if over.load(Relaxed) || now >= end {
            return Ok(());
        }
        if now >= next {
            note(watched, &mut totals);
            next = (next + interval).max(now);
        }
        if now >= drawn + DRAWN {
            terminal.draw(|frame| draw(frame, watched, &totals))?;
            drawn = now;
        }
        if resized.swap(false, Relaxed) {
            drawn = Nanos::ZERO;
        }
        Monotonic.sleep_until(now + (end - now).min(KEYS));
    }
}

/// Reads keys on a thread of its own: where the terminal has gone away, reading never returns, and a signal must still end
/// the program.
fn read_keys(over: Arc<AtomicBool>, resized: Arc<AtomicBool>) -> io::Result<()> {
    let read = move || {
        while !over.load(Relaxed) {
            match event::read() {
                Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => {
                    let control = key.modifiers.contains(KeyModifiers::CONTROL);
                    if matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
                        || (key.code == KeyCode::Char('c') && control)
                    {
                        over.store(true, Relaxed);
                    }
                }
                Ok(Event::Resize(..)) => resized.store(true, Relaxed),
                Ok(_) => {}
                // Signals still end the view.
                Err(_) => return,
            }
        }
    };
    std::thread::Builder::new()
        .name("keys".into())
        .spawn(read)
        .map(|_| ())
}

fn note(watched: &Watched, totals: &mut VecDeque<u64>) {
    let answers = watched.power.blocked().is_none();
    let power = watched.power.latest().filter(|_| answers);
    let total = power.and_then(|(_, power)| power.total);
    if totals.len() == KEPT {
        totals.pop_front();
    }
    totals.push_back(total.map_or(0, |total| u64::from(total.0)));
}

fn draw(frame: &mut Frame<'_>, watched: &Watched, totals: &VecDeque<u64>) {
    let power = watched.power.latest();
    let state = watched.state.latest();
    let state = state.as_ref().map(|(age, state)| (*age, state));
    let bottom = state.map_or(0, |(_, state)| state.clocks.len() + 4).max(8);
    let rows = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(9),
        Constraint::Length(u16::try_from(bottom).unwrap_or(u16::MAX)),
    ]);
    let [head, middle, bottom] = rows.areas(frame.area());
    let halves = Layout::horizontal([Constraint::Percentage(58), Constraint::Percentage(42)]);
    let [left, right] = halves.areas(middle);
    let [below_left, below_right] = halves.areas(bottom);
    draw_head(frame, head, watched, state.map(|(_, state)| state));
    draw_power(
        frame,
        left,
        watched,
        power.map(|(_, power)| power).as_ref(),
        totals,
    );
    draw_heat(frame, right, state.map(|(_, state)| state));
    draw_knobs(frame, below_left, watched, state);
    draw_slowing(frame, below_right, watched, state.map(|(_, state)| state));
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, watched: &Watched, state: Option<&State>) {
    let seconds = (Monotonic.now() - watched.began).as_secs_f64();
    let block = Block::bordered()
        .title(Line::from(format!(" {} ", watched.name)).bold())
        .title_top(Line::from(format!(" {seconds:.0} s, q quits ")).right_aligned());
    let mode = state.and_then(|state| state.mode);
    let mode = mode.map_or("mode not known".to_owned(), |mode| mode.to_string());
    frame.render_widget(Paragraph::new(mode).block(block), area);
}

fn draw_power(
    frame: &mut Frame<'_>,
    area: Rect,
    watched: &Watched,
    power: Option<&Power>,
    totals: &VecDeque<u64>,
) {
    let block = Block::bordered().title(format!(" power{} ", age(watched, power)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(power) = power else {
        frame.render_widget(Paragraph::new("no reading yet"), inner);
        return;
    };
    let shown = |power: Option<Milliwatts>| power.map_or("-".to_owned(), |power| power.to_string());
    let mut lines: Vec<Line<'_>> = Vec::new();
    let name = power
        .rails
        .iter()
        .map(|rail| rail.name.len())
        .max()
        .unwrap_or(0)
        .max(5);
    for rail in &power.rails {
        let value = rail.error.clone().unwrap_or_else(|| shown(rail.power));
        let line = Line::from(format!("{:<name$} {value:>10}", rail.name));
        lines.push(if rail.counted { line } else { line.dim() });
    }
    lines.push(Line::from(format!("{:<name$} {:>10}", "total", shown(power.total))).bold());
    if let Some(error) = &power.error {
        lines.push(Line::from(error.clone()).fg(Color::Red));
    }
    let window = power.window;
    lines.push(Line::from(format!(
        "mean {}, max {}, {}",
        shown(window.mean()),
        shown(window.max()),
        window.energy()
    )));
    let rule = Line::from(format!("total = {}", watched.total_rule)).dim();
    let wide = usize::from(inner.width.max(1));
    let wrapped = rule.width().div_ceil(wide) + 1;
    lines.push(rule);
    let height = lines.len() - 1 + wrapped;
    let [text, curve] = Layout::vertical([
        Constraint::Length(u16::try_from(height).unwrap_or(u16::MAX)),
        Constraint::Min(0),
    ])
    .areas(inner);
    frame.render_widget(
        Paragraph::new(Text::from(lines)).wrap(ratatui::widgets::Wrap { trim: false }),
        text,
    );
    let latest = totals.iter().rev().take(usize::from(curve.width)).rev().copied();
    frame.render_widget(
        Sparkline::default()
            .data(latest)
            .style(Style::new().fg(Color::Cyan)),
        curve,
    );
}

/// How old the power is, if that is worth saying.
fn age(watched: &Watched, power: Option<&Power>) -> String {
    if let Some(since) = watched.power.blocked() {
        return format!(": no answer for {:.1} s", since.as_secs_f64());
    }
    let converted = power.and_then(|power| power.converted);
    converted.map_or(String::new(), |at| {
        format!(", {:.1} s old", (Monotonic.now() - at).as_secs_f64())
    })
}

fn draw_heat(frame: &mut Frame<'_>, area: Rect, state: Option<&State>) {
    let zones = state.map_or(&[][..], |state| &state.zones);
    let rows = zones.iter().map(|(kind, heat)| {
        let (text, style) = match heat {
            Heat::On(heat) => (heat.to_string(), Style::new().fg(colour(*heat))),
            Heat::Off => ("off".to_owned(), Style::new().dim()),
            Heat::Doubted(_, doubt) => (doubt.to_string(), Style::new().dim()),
            Heat::Unreadable(errno) => (
                std::io::Error::from_raw_os_error(*errno).to_string(),
                Style::new().fg(Color::Red),
            ),
        };
        Row::new([kind.clone(), text]).style(style)
    });
    let table = Table::new(rows, [Constraint::Fill(1), Constraint::Length(10)]);
    frame.render_widget(table.block(Block::bordered().title(" temperatures ")), area);
}

/// Warm from 70 C, hot from 85 C; a Jetson slows down from 95 C or so, which its own trip points say.
fn colour(heat: Millicelsius) -> Color {
    match heat.0 {
        ..70_000 => Color::Green,
        70_000..85_000 => Color::Yellow,
        _ => Color::Red,
    }
}

fn draw_knobs(frame: &mut Frame<'_>, area: Rect, watched: &Watched, state: Option<(Nanos, &State)>) {
    let old = match (watched.state.blocked(), state) {
        (Some(since), Some((age, _))) => {
            format!(
                ", {:.1} s old: no answer for {:.1} s",
                age.as_secs_f64(),
                since.as_secs_f64()
            )
        }
        _ => String::new(),
    };
    let block = Block::bordered().title(format!(" clocks, MHz{old} "));
    let Some((_, state)) = state else {
        frame.render_widget(Paragraph::new("no reading yet").block(block), area);
        return;
    };
    let standing = |knob| {
        state
            .drift
            .iter()
            .find(|(known, _)| *known == knob)
            .map(|(_, standing)| *standing)
    };
    let cell = |knob| {
        let standing = standing(knob);
        let style = match standing {
            Some(Standing::Ours) => Style::new().fg(Color::Green),
            Some(Standing::Limited) => Style::new().fg(Color::Yellow),
            Some(_) => Style::new().fg(Color::Red),
            None => Style::new(),
        };
        (
            standing.map_or(String::new(), |standing| standing.to_string()),
            style,
        )
    };
    let number = |khz: Option<u32>| khz.map_or("-".to_owned(), megahertz);
    let (whose, style) = cell(Knob::Cores);
    let online = state.mode.map_or("-".to_owned(), |mode| mode.cores.to_string());
    let cores = Row::new([
        "cores".to_owned(),
        online,
        String::new(),
        state.cores.to_string(),
        whose,
    ])
    .style(style);
    let clocks = state.clocks.iter().map(|clock| {
        let (whose, style) = cell(clock.knob);
        Row::new([
            clock.name.clone(),
            number(clock.running),
            number(clock.ceiling),
            megahertz(clock.top),
            whose,
        ])
        .style(style)
    });
    let widths = [6, 8, 8, 8, 11].map(Constraint::Length);
    let table = Table::new([cores].into_iter().chain(clocks), widths)
        .header(Row::new(["", "now", "ceiling", "top", ""]).dim())
        .block(block);
    frame.render_widget(table, area);
}

fn draw_slowing(frame: &mut Frame<'_>, area: Rect, watched: &Watched, state: Option<&State>) {
    let block = Block::bordered().title(" what slows it down ");
    let mut lines = Vec::new();
    if let Some(state) = state {
        let since = watched.power.latest().map(|(_, power)| power.window.overcurrent);
        for (kind, events) in &state.overcurrent {
            let events = events.map_or("?".to_owned(), |events| events.to_string());
            lines.push(Line::from(format!("{kind}: {events}")));
        }
        if let Some(moved) = since.map(|it| it.iter().sum::<u64>()).filter(|moved| *moved > 0) {
            lines.push(Line::from(format!("{moved} of them since the start")).fg(Color::Red));
        }
        for (kind, at, most) in &state.cooling {
            lines.push(Line::from(format!("{kind}: {at} of {most}")).fg(Color::Yellow));
        }
        if state.cooling.is_empty() {
            lines.push(Line::from("no cooling device is at work").dim());
        }
        lines.push(Line::from(state.holding.1.clone()).dim());
    }
    let wrap = ratatui::widgets::Wrap { trim: false };
    frame.render_widget(Paragraph::new(Text::from(lines)).wrap(wrap).block(block), area);
}
