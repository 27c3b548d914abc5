//! What an artifact was made from, down to the documents.

use crate::tui::shared::Shared;
use crate::workspace::Kind;

/// How deep a lineage is followed: artifacts that name each other in a circle must not hang the screen.
const DEEPEST: usize = 12;

/// The lineage of an artifact, a line an input, indented by depth. What changed since is named.
pub(in crate::tui::panes) fn lineage(reference: &str, kind: Kind, shared: &Shared) -> Vec<String> {
    let mut lines = Vec::new();
    follow(reference, kind, 1, shared, &mut lines);
    if lines.is_empty() {
        lines.push("  nothing is recorded".to_owned());
    }
    lines
}

fn follow(reference: &str, kind: Kind, depth: usize, shared: &Shared, lines: &mut Vec<String>) {
    let Some(version) = shared.artifacts.find(kind, reference) else { return };
    if depth > DEEPEST {
        return;
    }
    for input in &version.inputs {
        let kind = match input.role.as_str() {
            "corpus" => Some(Kind::Corpus),
            "pairs" => Some(Kind::Pairs),
            "questions" => Some(Kind::Questions),
            "tokenizer" => Some(Kind::Tokenizer),
            "base" | "model" => Some(Kind::Model),
            _ => None,
        };
        let found = kind.and_then(|kind| shared.artifacts.find(kind, &input.reference));
        let known = match (found, kind) {
            (Some(_), _) | (None, None) => "",
            (None, Some(Kind::Model)) => "  (not an artifact of this workspace)",
            (None, Some(_)) => "  (gone)",
        };
        let stale = if found.is_some_and(|version| version.stale) { "  (made from an older corpus)" } else { "" };
        let digest: String = input.sha256.as_str().chars().take(12).collect();
        lines.push(format!(
            "{}{:<10} {}  sha256 {digest}{known}{stale}",
            "  ".repeat(depth),
            input.role,
            input.reference
        ));
        if let (Some(_), Some(kind)) = (found, kind) {
            follow(&input.reference, kind, depth + 1, shared, lines);
        }
    }
}
