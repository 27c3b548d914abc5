//! In which settings the runs on the screen differ.

use std::collections::BTreeMap;

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::Shown;
use crate::tui::palette::Palette;
use crate::tui::widgets::line::cut;
use crate::tui::widgets::symbols::visible;

/// No column is wider.
const WIDEST: usize = 28;

/// A title and a table: a row for each setting that differs, a column for each run. Of a single run all settings.
pub(super) fn of(runs: &[Shown<'_>], palette: Palette) -> (String, Vec<String>) {
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(|run| settings(run)).collect();
    let mut names: Vec<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    names.sort_unstable();
    names.dedup();
    let differs = |name: &&&String| all.iter().any(|run| run.get(**name) != all[0].get(**name));
    let several = runs.len() > 1;
    let rows: Vec<&String> = names.iter().filter(|name| !several || differs(name)).copied().collect();
    let title = match (several, rows.len()) {
        (false, _) => format!("Settings of {}; lay other runs over it to see what differs", runs[0].name),
        (true, 0) => "These runs have the same settings".to_owned(),
        (true, same) => {
            format!("What differs between {} runs; {} settings are the same", runs.len(), names.len() - same)
        }
    };
    let cell = |text: &str| cut(&visible(text, &palette), WIDEST, &palette);
    let mut table: Vec<Vec<String>> = Vec::new();
    if several {
        let heads = runs.iter().map(|run| cell(&format!("{} {}", palette.series_mark(run.index), run.name)));
        table.push(std::iter::once(String::new()).chain(heads).collect());
    }
    for name in rows {
        let values = all.iter().map(|run| cell(run.get(name).map_or("unset", String::as_str)));
        table.push(std::iter::once(cell(name)).chain(values).collect());
    }
    let columns = table.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|column| table.iter().map(|row| row[column].width()).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text}{}", " ".repeat(width - text.width())));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    (title, table.iter().map(line).collect())
}

/// The settings of a run by name, and where it computes.
fn settings(run: &Shown<'_>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    flatten("", &run.status.settings, &mut flat);
    flat.insert("device".to_owned(), run.status.device.clone());
    flat
}

fn flatten(name: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, flat);
            }
            return;
        }
        Value::Null => "unset".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !name.is_empty() {
        flat.insert(name.to_owned(), text);
    }
}
