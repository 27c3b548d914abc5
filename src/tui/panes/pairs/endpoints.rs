//! The servers that share a synthesis: whether each works, what it does, what is wrong with it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::control::Requests;
use crate::progress::EndpointState;
use crate::tui::live::{EndpointHealth, LiveRun};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::thousands;
use crate::tui::widgets::line::{cut, put, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;

/// Cells of the mark and the word of a state.
const STATE: u16 = 10;
/// Cells of an address at least: the title stands above it.
const URL: u16 = 20;
/// The numbers of an endpoint, with the cells of each.
const COLUMNS: [(&str, u16); 3] = [("under way", 12), ("answered", 11), ("tokens/s", 11)];
/// Lines that what is wrong may take.
const PROBLEM: usize = 2;

/// Draws the endpoints at the foot of an area, of which `least` lines are to stay free. Returns the lines used, a blank
/// one above them among them.
pub(super) fn draw(
    run: &LiveRun,
    requests: &Requests,
    least: u16,
    area: Rect,
    buffer: &mut Buffer,
    palette: &Palette,
) -> u16 {
    let room = area.height.saturating_sub(least);
    if run.endpoints.is_empty() || room < 2 {
        return 0;
    }
    let wanted = requests.concurrency(run);
    // What is wrong is said in full where there is room for it, else in a line, else of one endpoint alone.
    for lines in [PROBLEM, 1] {
        let table = Table::of(run, lines, area.width, palette);
        if table.height() < room {
            table.draw(run, wanted, area, buffer, palette);
            return table.height() + 1;
        }
    }
    let y = area.bottom().saturating_sub(1);
    let (text, role) = summary(run, wanted);
    put(buffer, area.x, y, area.width, &visible(&text, palette), palette.style(role), palette);
    2
}

/// A line for each endpoint, and below it what is wrong where that does not fit beside it.
struct Table {
    /// Cells of the addresses.
    url: u16,
    /// What is said of each beside its numbers.
    beside: Vec<String>,
    /// What is said of each below it.
    below: Vec<Vec<String>>,
}

impl Table {
    fn of(run: &LiveRun, lines: usize, width: u16, palette: &Palette) -> Self {
        let numbers: u16 = COLUMNS.iter().map(|(_, width)| width).sum();
        let longest = run.endpoints.iter().map(|endpoint| visible(&endpoint.url, palette).width()).max().unwrap_or(0);
        let url = (longest as u16).min(width.saturating_sub(STATE + numbers)).max(URL);
        let right = usize::from(width.saturating_sub(STATE + url + numbers + 3));
        let mut table = Self { url, beside: Vec::new(), below: Vec::new() };
        for endpoint in &run.endpoints {
            let text = visible(&remark(endpoint), palette).into_owned();
            let fits = text.width() <= right;
            table.beside.push(if fits { text.clone() } else { String::new() });
            let mut wrapped = if fits { Vec::new() } else { wrap(&text, usize::from(width.saturating_sub(STATE))) };
            if wrapped.len() > lines {
                let rest = wrapped.split_off(lines - 1).join(" ");
                wrapped.push(cut(&rest, usize::from(width.saturating_sub(STATE)), palette));
            }
            table.below.push(wrapped);
        }
        table
    }

    fn height(&self) -> u16 {
        (1 + self.below.len() + self.below.iter().map(Vec::len).sum::<usize>()) as u16
    }

    fn draw(&self, run: &LiveRun, wanted: Option<u64>, area: Rect, buffer: &mut Buffer, palette: &Palette) {
        let (title, dim) = (palette.style(Role::Title), palette.style(Role::Dim));
        let mut y = area.bottom().saturating_sub(self.height());
        let wanted = wanted.map(|wanted| format!("   {wanted} at once wanted")).unwrap_or_default();
        let head = [("ENDPOINTS", title), (wanted.as_str(), palette.style(Role::Accent))];
        put_parts(buffer, area.x, y, STATE + self.url, &head, palette);
        let mut end = area.x + STATE + self.url;
        for (name, width) in COLUMNS {
            end += width;
            put_right(buffer, end, y, width, name, dim, palette);
        }
        for (at, endpoint) in run.endpoints.iter().enumerate() {
            y += 1;
            let (glyph, word, role) = state(endpoint.state);
            put(buffer, area.x, y, 2, palette.glyph(glyph), palette.style(role), palette);
            put(buffer, area.x + 2, y, STATE - 3, word, palette.style(role), palette);
            let text = palette.style(Role::Text);
            put(buffer, area.x + STATE, y, self.url, &visible(&endpoint.url, palette), text, palette);
            let mut end = area.x + STATE + self.url;
            for (number, (_, width)) in numbers(endpoint, run).iter().zip(COLUMNS) {
                end += width;
                put_right(buffer, end, y, width, number, text, palette);
            }
            let said = palette.style(if endpoint.state == EndpointState::Waiting { Role::Dim } else { Role::Warning });
            put(buffer, end + 3, y, area.right().saturating_sub(end + 3), &self.beside[at], said, palette);
            for line in &self.below[at] {
                y += 1;
                put(buffer, area.x + STATE, y, area.width.saturating_sub(STATE), line, said, palette);
            }
        }
    }
}

/// A state's mark, its word, what it means.
const fn state(state: EndpointState) -> (Glyph, &'static str, Role) {
    match state {
        EndpointState::Ready => (Glyph::Running, "ready", Role::Text),
        EndpointState::Waiting => (Glyph::Queued, "waiting", Role::Accent),
        EndpointState::Resting => (Glyph::Stopped, "resting", Role::Warning),
        EndpointState::Gone => (Glyph::Failed, "gone", Role::Warning),
    }
}

/// What one should know of an endpoint.
fn remark(endpoint: &EndpointHealth) -> String {
    let problem = endpoint.problem.as_deref().unwrap_or_default();
    match (endpoint.state, problem) {
        (EndpointState::Ready, problem) => problem.to_owned(),
        (EndpointState::Waiting, "") => "no word from it yet: the model may be loading".to_owned(),
        (EndpointState::Resting, "") => "it failed, and is asked again after a while".to_owned(),
        (EndpointState::Gone, "") => "nobody asks it any more".to_owned(),
        (_, problem) => problem.to_owned(),
    }
}

/// Under way, answered, tokens a second.
fn numbers(endpoint: &EndpointHealth, run: &LiveRun) -> [String; 3] {
    let idle = matches!(endpoint.state, EndpointState::Resting | EndpointState::Gone) && endpoint.in_flight == 0;
    let under_way = match &run.tally {
        _ if idle => "-".to_owned(),
        Some(tally) => format!("{} of {}", endpoint.in_flight, tally.concurrency),
        None => endpoint.in_flight.to_string(),
    };
    let speed = endpoint.tokens_per_s;
    let speed = if idle || speed <= 0.0 { "-".to_owned() } else { per_second(speed) };
    [under_way, thousands(endpoint.answered), speed]
}

/// A pace, in the digits that mean something: `0.05`, `3.1`, `41`.
pub(super) fn per_second(pace: f64) -> String {
    match pace {
        _ if !pace.is_finite() => "-".to_owned(),
        0.0..0.095 => format!("{pace:.2}"),
        0.095..9.95 => format!("{pace:.1}"),
        _ => thousands(pace.round() as u64),
    }
}

/// All endpoints in a line: how many answer, and what is wrong with the first that does not.
fn summary(run: &LiveRun, wanted: Option<u64>) -> (String, Role) {
    let ready = run.endpoints.iter().filter(|endpoint| endpoint.state == EndpointState::Ready).count();
    let of = run.endpoints.len();
    let mut text = format!("{ready} of {of} endpoint{} ready", if of == 1 { "" } else { "s" });
    if let Some(wanted) = wanted {
        text.push_str(&format!("; {wanted} at once wanted"));
    }
    // What failed says more than what may still come.
    let wrong = |endpoint: &&EndpointHealth| !matches!(endpoint.state, EndpointState::Ready | EndpointState::Waiting);
    let worst = run.endpoints.iter().find(wrong);
    let first = worst.or_else(|| run.endpoints.iter().find(|endpoint| endpoint.state != EndpointState::Ready));
    if let Some(endpoint) = first {
        text.push_str(&format!("; {}: {}", endpoint.url, remark(endpoint)));
    }
    (text, if worst.is_some() { Role::Warning } else { Role::Dim })
}
