//! Who may import whom: downwards only.

use std::path::{Path, PathBuf};

/// Each module with the modules it may import. The domain is a line: each only what stands to its left.
const ALLOWED: &[(&str, &[&str])] = &[
    ("progress", &[]),
    ("settings", &[]),
    ("workspace", &["settings", "progress"]),
    ("corpus", &["workspace", "settings", "progress"]),
    ("tokenizer", &["corpus", "workspace", "settings", "progress"]),
    ("encoder", &["corpus", "tokenizer", "workspace", "settings", "progress"]),
    ("retrieval", &["corpus", "tokenizer", "encoder", "workspace", "settings", "progress"]),
    ("evaluation", &["corpus", "tokenizer", "encoder", "retrieval", "workspace", "settings", "progress"]),
    ("pairs", &["corpus", "tokenizer", "encoder", "retrieval", "evaluation", "workspace", "settings", "progress"]),
    (
        "training",
        &["corpus", "tokenizer", "encoder", "retrieval", "evaluation", "pairs", "workspace", "settings", "progress"],
    ),
    (
        "export",
        &[
            "corpus",
            "tokenizer",
            "encoder",
            "retrieval",
            "evaluation",
            "pairs",
            "training",
            "workspace",
            "settings",
            "progress",
        ],
    ),
    (
        "jobs",
        &[
            "corpus",
            "tokenizer",
            "encoder",
            "retrieval",
            "evaluation",
            "pairs",
            "training",
            "export",
            "workspace",
            "settings",
            "progress",
        ],
    ),
    ("runs", &["workspace", "settings", "progress"]),
    // What must be instant (splitting the visible passage, ranking one query) it asks of the domain itself, in its
    // worker threads only: `only_the_workers_of_the_workbench_touch_the_domain`.
    (
        "tui",
        &[
            "runs",
            "corpus",
            "tokenizer",
            "encoder",
            "retrieval",
            "evaluation",
            "pairs",
            "workspace",
            "settings",
            "progress",
        ],
    ),
    (
        "commands",
        &[
            "tui",
            "runs",
            "jobs",
            "corpus",
            "tokenizer",
            "encoder",
            "retrieval",
            "evaluation",
            "pairs",
            "training",
            "export",
            "workspace",
            "settings",
            "progress",
        ],
    ),
    ("main", &["commands"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The modules that a source file names after `crate::` or, in the binary, `lapidary::`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, root) in line.match_indices("crate::").chain(line.match_indices("lapidary::")) {
            let rest = &line[at + root.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                let names =
                    list.split(['{', '}', ',']).map(|name| name.trim().split("::").next().unwrap_or("").to_owned());
                found.extend(names.filter(|name| !name.is_empty()));
            } else {
                found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    found
}

#[test]
fn imports_point_downwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules: Vec<&str> = ALLOWED.iter().map(|(module, _)| *module).collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            panic!("{module} is a module that this test does not know: give it its place");
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for import in imports(&text) {
            if modules.contains(&import.as_str()) && import != module {
                seen += 1;
                if !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{}: {module} imports {import}", relative.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point upwards:\n{}", wrong.join("\n"));
    assert!(seen > 100, "the test found only {seen} imports: it no longer reads the sources rightly");
}

#[test]
fn the_domain_prints_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        if relative.starts_with("commands") || relative == Path::new("main.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        if relative.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        // Tests may say that they were skipped.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for printer in ["println!", "print!(", "dbg!("] {
            assert!(!code.contains(printer), "{} prints", relative.display());
        }
    }
}

/// What the workbench may ask of the domain, it asks in its workers: the thread that draws must never wait for it.
#[test]
fn only_the_workers_of_the_workbench_touch_the_domain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    let domain = ["corpus", "tokenizer", "encoder", "retrieval", "evaluation", "pairs", "training", "export", "jobs"];
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for file in sources(&root) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let found: Vec<String> = imports(code).into_iter().filter(|import| domain.contains(&import.as_str())).collect();
        if file.starts_with(root.join("workers")) {
            asked += found.len();
        } else if !found.is_empty() && !file.to_string_lossy().contains("tests") {
            wrong.push(format!("{}: {}", file.display(), found.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "outside the workers:\n{}", wrong.join("\n"));
    assert!(asked > 5, "the test found only {asked} imports: it no longer reads the sources rightly");
}

#[test]
fn colours_are_named_in_the_palette_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in sources(&root) {
        let count = std::fs::read_to_string(&file).unwrap().matches("Color::").count();
        if file.ends_with("tui/palette.rs") {
            seen = count;
        } else if count > 0 && !file.to_string_lossy().contains("tests") && !file.ends_with("testing.rs") {
            wrong.push(file.display().to_string());
        }
    }
    assert!(wrong.is_empty() && seen > 20, "colours outside the palette: {}", wrong.join(", "));
}
