//! Which files a corpus is made of.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::{Error, Result};

/// A file, and what to call it.
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    /// From the folder that was named, with forward slashes.
    pub(super) shown: String,
}

/// All files under the given paths, sorted, as a `.gitignore` there allows; hidden ones are left out.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<FoundFile>> {
    let mut found = Vec::new();
    for root in paths {
        if !root.exists() {
            return Err(Error::Missing(root.clone()));
        }
        if root.is_file() {
            let shown = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            found.push(FoundFile { path: root.clone(), shown });
            continue;
        }
        // A corpus need not be a git repository for its .gitignore to count.
        let walk = WalkBuilder::new(root).require_git(false).sort_by_file_path(Path::cmp).build();
        for entry in walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file())) {
            let path = entry.into_path();
            let shown = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            found.push(FoundFile { path, shown });
        }
    }
    Ok(found)
}
