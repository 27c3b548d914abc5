//! Writing files so that a reader, a crash or a full disk never sees half of one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use super::{Error, Result};

/// Writes a file whole or not at all: temporary file, fsync, rename, fsync of the folder.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::io("making", folder))?;
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .permissions_of_a_file()
        .tempfile_in(folder)
        .map_err(Error::io("writing", path))?;
    file.write_all(bytes).map_err(Error::io("writing", path))?;
    file.as_file().sync_all().map_err(Error::io("writing", path))?;
    file.persist(path).map_err(|error| Error::Io { doing: "writing", path: path.to_owned(), source: error.error })?;
    sync_folder(folder);
    Ok(())
}

/// Writes a value as indented JSON, whole or not at all.
pub fn write_json_atomic(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::malformed(path, error))?;
    text.push(b'\n');
    write_atomic(path, &text)
}

/// Appends one line in a single `O_APPEND` write.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(Error::io("appending to", path))?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(Error::io("appending to", path))
}

/// Makes a rename durable. Some file systems cannot; the data is safe either way, only the name may be lost.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Temporary files are private by default; what is renamed into a workspace should obey the umask.
trait PermissionsOfAFile {
    fn permissions_of_a_file(&mut self) -> &mut Self;
}

impl PermissionsOfAFile for tempfile::Builder<'_, '_> {
    fn permissions_of_a_file(&mut self) -> &mut Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            self.permissions(std::fs::Permissions::from_mode(0o666));
        }
        self
    }
}
