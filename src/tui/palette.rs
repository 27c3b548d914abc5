//! Every colour and every glyph of the workbench.
//!
//! A style is asked for by what it means ([`Role`]), never by colour, and a glyph by what it shows; this is the only
//! file that knows colours. Meaning is never carried by colour alone: marks, words, underline, bold and reverse stay
//! when colours go. The pairs that tell better from worse are blue and orange, which most colour-blind eyes tell apart
//! (Okabe and Ito 2008).

use ratatui::style::{Color, Modifier, Style};

/// How many colours the terminal is trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: attributes only.
    Mono,
    /// The 16 that every terminal has and its user chose.
    Ansi16,
    /// The 256-colour cube.
    Indexed256,
    /// 24 bits.
    Rgb,
}

/// What lies behind the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
}

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// Context: labels, units, axes.
    Dim,
    /// The one accent: the open pane, the reading that matters.
    Accent,
    /// A title line.
    Title,
    /// Better.
    Good,
    /// Worse.
    Bad,
    /// Something to look into.
    Warning,
    /// The cursor: reverse video, for nothing else.
    Cursor,
    /// The cursor of a list that has no focus.
    Resting,
    /// A key in the footer and in help.
    Key,
    /// What was typed into a field.
    Input,
    /// Every other token of a split text.
    TokenEven,
    /// The tokens between them.
    TokenOdd,
    /// A token boundary inside a character.
    Cut,
    /// A byte or control character shown as a symbol.
    Symbol,
    /// A word of the query in a passage.
    Match,
    /// A raw curve under its smoothed one.
    Faint,
    /// A threshold or reference line.
    Rule,
}

/// What a glyph shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// A run that runs.
    Running,
    /// A run that waits for its device.
    Queued,
    /// Done, kept.
    Done,
    /// Failed, rejected.
    Failed,
    /// Stopped.
    Stopped,
    /// The chosen row.
    Pointer,
    /// Between headings.
    Chevron,
    /// Between pieces of a word.
    Dot,
    /// Cut text.
    Ellipsis,
    /// Sorted downwards.
    Down,
    /// Better by so many ranks.
    Up,
    /// Worse by so many ranks.
    Fall,
    /// The relevant passage.
    Relevant,
    /// A line between two columns.
    Vertical,
    /// A line between two rows.
    Horizontal,
    /// Where a vertical line meets a horizontal one from above.
    TeeUp,
    /// The left end of a gauge.
    GaugeLeft,
    /// The right end of a gauge, and its threshold.
    GaugeRight,
    /// A full cell of a bar.
    Full,
    /// An axis, upright.
    AxisVertical,
    /// An axis' tick, at its left.
    AxisTick,
    /// Where two axes meet.
    AxisCorner,
    /// An axis, lying.
    AxisHorizontal,
    /// A tick of a lying axis.
    AxisTickDown,
    /// A dashed horizontal rule.
    DashHorizontal,
    /// A dashed vertical rule.
    DashVertical,
    /// Where a number is missing.
    Gap,
    /// Rises, falls, stays.
    Arrow,
    /// A dot of the only curve, where there is no Braille.
    Mark,
    /// A dot of a faint curve, where there is no Braille.
    FaintMark,
}

/// Which characters the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// All of Unicode that a monospaced font has.
    Utf8,
    /// ASCII only.
    Ascii,
}

/// Colours and glyphs of one terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// How many colours.
    pub depth: Depth,
    /// What lies behind.
    pub background: Background,
    /// Which characters.
    pub charset: Charset,
}

impl Palette {
    /// Attributes and ASCII: what works on anything.
    pub const PLAINEST: Self = Self { depth: Depth::Mono, background: Background::Dark, charset: Charset::Ascii };

    /// The palette that the environment calls for: `NO_COLOR`, `COLORTERM`, `TERM`, `COLORFGBG`, `LC_ALL`, `LC_CTYPE`,
    /// `LANG`. More than 16 colours only where the terminal says so.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let colorterm = set("COLORTERM").unwrap_or_default();
        let depth = if set("NO_COLOR").is_some() || term == "dumb" || term.is_empty() || term.starts_with("vt") {
            Depth::Mono
        } else if colorterm.contains("truecolor") || colorterm.contains("24bit") || term.ends_with("-direct") {
            Depth::Rgb
        } else if term.contains("256color") {
            Depth::Indexed256
        } else {
            Depth::Ansi16
        };
        // `15;0`: foreground, background; 7 and 9 to 15 are light.
        let behind = set("COLORFGBG").and_then(|value| value.rsplit(';').next().and_then(|n| n.parse::<u8>().ok()));
        let background = if matches!(behind, Some(7 | 9..=15)) { Background::Light } else { Background::Dark };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)).unwrap_or_default();
        let locale = locale.to_ascii_lowercase().replace('-', "");
        let charset = if locale.contains("utf8") { Charset::Utf8 } else { Charset::Ascii };
        Self { depth, background, charset }
    }

    /// How something is drawn.
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let tint = |hue: Hue| plain.fg(self.color(hue));
        match role {
            Role::Text | Role::Input => plain,
            Role::Dim | Role::Faint => plain.add_modifier(Modifier::DIM),
            Role::Accent => tint(Hue::Accent).add_modifier(Modifier::BOLD),
            Role::Title | Role::Key => plain.add_modifier(Modifier::BOLD),
            Role::Good => tint(Hue::Blue),
            Role::Bad => tint(Hue::Orange),
            Role::Warning => tint(Hue::Orange).add_modifier(Modifier::BOLD),
            Role::Cursor => plain.add_modifier(Modifier::REVERSED),
            Role::Resting => plain.add_modifier(Modifier::BOLD),
            Role::TokenEven => plain,
            Role::TokenOdd => plain.add_modifier(Modifier::UNDERLINED),
            Role::Cut => tint(Hue::Orange).add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
            Role::Symbol => tint(Hue::Purple).add_modifier(Modifier::DIM),
            Role::Match => plain.add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
            Role::Rule => plain.add_modifier(Modifier::DIM),
        }
    }

    /// How the n-th curve of a plot is drawn. In mono, curves differ by [`Palette::series_mark`].
    pub fn series(&self, n: usize) -> Style {
        const HUES: [Hue; 6] = [Hue::Accent, Hue::Orange, Hue::Blue, Hue::Purple, Hue::Yellow, Hue::Green];
        Style::new().fg(self.color(HUES[n % HUES.len()]))
    }

    /// The letter that names the n-th curve in a legend and at its end.
    pub fn series_mark(&self, n: usize) -> &'static str {
        const MARKS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        MARKS[n % MARKS.len()]
    }

    /// Whether curves may be drawn in Braille.
    pub fn braille(&self) -> bool {
        self.charset == Charset::Utf8
    }

    /// A character for what it shows.
    pub fn glyph(&self, glyph: Glyph) -> &'static str {
        let (utf8, ascii) = match glyph {
            Glyph::Running => ("●", "*"),
            Glyph::Queued => ("◌", "o"),
            Glyph::Done => ("✔", "+"),
            Glyph::Failed => ("✘", "x"),
            Glyph::Stopped => ("■", "#"),
            Glyph::Pointer => ("▸", ">"),
            Glyph::Chevron => ("›", ">"),
            Glyph::Dot => ("·", "|"),
            Glyph::Ellipsis => ("…", "~"),
            Glyph::Down => ("▾", "v"),
            Glyph::Up => ("▲", "^"),
            Glyph::Fall => ("▼", "v"),
            Glyph::Relevant => ("●", "*"),
            Glyph::Vertical => ("│", "|"),
            Glyph::Horizontal => ("─", "-"),
            Glyph::TeeUp => ("┴", "+"),
            Glyph::GaugeLeft => ("▕", "["),
            Glyph::GaugeRight => ("▏", "]"),
            Glyph::Full => ("█", "="),
            Glyph::AxisVertical => ("│", "|"),
            Glyph::AxisTick => ("┤", "+"),
            Glyph::AxisCorner => ("└", "+"),
            Glyph::AxisHorizontal => ("─", "-"),
            Glyph::AxisTickDown => ("┬", "+"),
            Glyph::DashHorizontal => ("┄", "."),
            Glyph::DashVertical => ("┊", ":"),
            Glyph::Gap => ("∅", "!"),
            Glyph::Arrow => ("→", "->"),
            Glyph::Mark => ("•", "*"),
            Glyph::FaintMark => ("·", ","),
        };
        match self.charset {
            Charset::Utf8 => utf8,
            Charset::Ascii => ascii,
        }
    }

    /// A bar of `width` cells, filled to `share` (0 to 1), in eighths of a cell where the terminal can.
    pub fn bar(&self, share: f64, width: usize) -> String {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let eighths = (share * width as f64 * 8.0).round() as usize;
        let (full, rest) = match self.charset {
            Charset::Utf8 => (eighths / 8, EIGHTHS[eighths % 8]),
            Charset::Ascii => ((eighths + 4) / 8, ""),
        };
        self.glyph(Glyph::Full).repeat(full) + rest
    }

    fn color(self, hue: Hue) -> Color {
        let light = self.background == Background::Light;
        match self.depth {
            Depth::Mono => Color::Reset,
            Depth::Ansi16 => match hue {
                Hue::Accent => Color::Cyan,
                Hue::Blue if light => Color::Blue,
                Hue::Blue => Color::LightBlue,
                Hue::Orange if light => Color::Red,
                Hue::Orange => Color::Yellow,
                Hue::Purple => Color::Magenta,
                Hue::Yellow if light => Color::Blue,
                Hue::Yellow => Color::LightYellow,
                Hue::Green => Color::Green,
            },
            Depth::Indexed256 => Color::Indexed(match (hue, light) {
                (Hue::Accent, false) => 80,
                (Hue::Accent, true) => 30,
                (Hue::Blue, false) => 75,
                (Hue::Blue, true) => 25,
                (Hue::Orange, false) => 214,
                (Hue::Orange, true) => 166,
                (Hue::Purple, false) => 175,
                (Hue::Purple, true) => 132,
                (Hue::Yellow, false) => 227,
                (Hue::Yellow, true) => 94,
                (Hue::Green, false) => 36,
                (Hue::Green, true) => 29,
            }),
            Depth::Rgb => match (hue, light) {
                (Hue::Accent, false) => Color::Rgb(94, 212, 214),
                (Hue::Accent, true) => Color::Rgb(0, 120, 130),
                (Hue::Blue, false) => Color::Rgb(86, 180, 233),
                (Hue::Blue, true) => Color::Rgb(0, 94, 160),
                (Hue::Orange, false) => Color::Rgb(230, 159, 0),
                (Hue::Orange, true) => Color::Rgb(184, 78, 0),
                (Hue::Purple, false) => Color::Rgb(204, 121, 167),
                (Hue::Purple, true) => Color::Rgb(150, 60, 115),
                (Hue::Yellow, false) => Color::Rgb(240, 228, 66),
                (Hue::Yellow, true) => Color::Rgb(120, 100, 0),
                (Hue::Green, false) => Color::Rgb(0, 180, 130),
                (Hue::Green, true) => Color::Rgb(0, 120, 86),
            },
        }
    }
}

/// The few hues there are.
#[derive(Debug, Clone, Copy)]
enum Hue {
    Accent,
    Blue,
    Orange,
    Purple,
    Yellow,
    Green,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Palette {
        Palette::from_environment(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_decides() {
        let plain = environment(&[("TERM", "xterm"), ("LANG", "en_US.UTF-8")]);
        assert_eq!(plain, Palette { depth: Depth::Ansi16, background: Background::Dark, charset: Charset::Utf8 });
        assert_eq!(environment(&[("TERM", "screen-256color"), ("LC_ALL", "C.UTF-8")]).depth, Depth::Indexed256);
        assert_eq!(environment(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]).depth, Depth::Rgb);
        assert_eq!(environment(&[("TERM", "xterm"), ("NO_COLOR", "1")]).depth, Depth::Mono);
        assert_eq!(environment(&[("TERM", "xterm"), ("NO_COLOR", "")]).depth, Depth::Ansi16, "empty is unset");
        assert_eq!(environment(&[("TERM", "xterm"), ("COLORFGBG", "0;15")]).background, Background::Light);
        assert_eq!(environment(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).charset, Charset::Ascii);
    }

    #[test]
    fn mono_draws_no_colour() {
        let palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };
        for role in [Role::Accent, Role::Good, Role::Bad, Role::Cut, Role::Symbol] {
            assert!(matches!(palette.style(role).fg, None | Some(Color::Reset)), "{role:?}");
        }
    }

    #[test]
    fn bars_fill_in_eighths() {
        let palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };
        assert_eq!(palette.bar(0.5, 5), "██▌");
        assert_eq!(palette.bar(2.0, 3), "███");
        assert_eq!(palette.bar(f64::NAN, 3), "");
        assert_eq!(Palette::PLAINEST.bar(0.5, 4), "==");
    }
}
