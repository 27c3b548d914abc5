//! Whether the workbench can be shown, and how well.

use std::io::IsTerminal as _;

use super::Finding;
use crate::tui::palette::{Charset, Depth, Palette};

/// The smallest screen on which every pane has room.
const LEAST: (u16, u16) = (80, 24);

/// Columns of the terminal, where there is one.
pub(super) fn columns() -> Option<usize> {
    std::io::stdout().is_terminal().then(crossterm::terminal::size)?.ok().map(|(columns, _)| usize::from(columns))
}

pub(super) fn look() -> Vec<Finding> {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let here = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let size = if here { crossterm::terminal::size().ok() } else { None };
    let palette = Palette::from_environment(get);
    findings(&palette, here, size, get)
}

fn findings(
    palette: &Palette,
    here: bool,
    size: Option<(u16, u16)>,
    get: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let term = get("TERM").unwrap_or_default();
    let mut findings = vec![match (here, size) {
        (false, _) => Finding::ok("screen", "none: the workbench needs a terminal, all other commands do not"),
        (true, Some((columns, rows))) if columns < LEAST.0 || rows < LEAST.1 => Finding::warn(
            "screen",
            format!("{columns}x{rows}: panes hide what has no room"),
            format!("make the window {}x{} or larger", LEAST.0, LEAST.1),
        ),
        (true, Some((columns, rows))) => Finding::ok("screen", format!("{columns}x{rows}")),
        (true, None) => Finding::warn("screen", "of unknown size", "set COLUMNS and LINES, or use another terminal"),
    }];
    findings.push(match palette.depth {
        Depth::Mono if get("NO_COLOR").is_some() => Finding::ok("colours", "none, as NO_COLOR asks; marks tell all"),
        Depth::Mono => Finding::warn(
            "colours",
            format!("none, since TERM is {term:?}; marks tell all"),
            "export TERM=xterm-256color, if the terminal has colours",
        ),
        Depth::Ansi16 => Finding::ok("colours", "16"),
        Depth::Indexed256 => Finding::ok("colours", "256"),
        Depth::Rgb => Finding::ok("colours", "24 bits"),
    });
    findings.push(match palette.charset {
        Charset::Utf8 => Finding::ok("characters", "Unicode"),
        Charset::Ascii => Finding::warn(
            "characters",
            "ASCII only, since the locale names no UTF-8: plots are coarse, other scripts unreadable",
            "export LANG=C.UTF-8",
        ),
    });
    if get("TMUX").is_some() {
        findings.push(if term.starts_with("tmux") || term.starts_with("screen") {
            Finding::ok("tmux", format!("TERM is {term}"))
        } else {
            Finding::warn(
                "tmux",
                format!("TERM is {term:?} inside tmux, which is not what tmux speaks"),
                "set -g default-terminal tmux-256color in ~/.tmux.conf, and leave TERM alone in the shell",
            )
        });
    }
    if get("SSH_CONNECTION").is_some() {
        findings.push(Finding::ok("ssh", "only what changed is sent; jobs go on when the connection is lost"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::*;

    fn look_at(variables: &[(&str, &str)], size: (u16, u16)) -> Vec<(&'static str, Mark)> {
        let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let found = findings(&Palette::from_environment(get), true, Some(size), get);
        found.into_iter().map(|finding| (finding.about, finding.mark)).collect()
    }

    #[test]
    fn what_a_terminal_lacks_is_a_warning() {
        let good = [("TERM", "tmux-256color"), ("LANG", "en_GB.UTF-8"), ("TMUX", "/tmp/x"), ("SSH_CONNECTION", "a b")];
        let marks = look_at(&good, (80, 24));
        assert_eq!(marks.len(), 5);
        assert!(marks.iter().all(|(_, mark)| *mark == Mark::Ok), "{marks:?}");
        let poor = look_at(&[("TERM", "dumb"), ("LANG", "C"), ("TMUX", "/tmp/x")], (79, 24));
        assert_eq!(poor, ["screen", "colours", "characters", "tmux"].map(|about| (about, Mark::Warn)));
        assert!(
            look_at(&[("TERM", "xterm"), ("NO_COLOR", "1"), ("LANG", "C.utf8")], (80, 24))
                .iter()
                .all(|(_, mark)| *mark == Mark::Ok)
        );
    }
}
