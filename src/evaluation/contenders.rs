//! Which models are compared where nobody names them.

use super::SystemKind;
use crate::encoder::Result;
use crate::encoder::reference::{self, Found};
use crate::progress::{Event, Observer};
use crate::workspace::{Digest, Kind, Workspace};

/// A model to judge.
#[derive(Debug, Clone)]
pub struct Contender {
    /// Where it is.
    pub found: Found,
    /// Whether it was tuned here, or is what others are compared with.
    pub kind: SystemKind,
}

impl Contender {
    /// The model that a reference names: those of the workspace were tuned here.
    pub fn named(workspace: &Workspace, wanted: &str) -> Result<Self> {
        let found = reference::model(workspace, wanted)?;
        let kind = if found.artifact.is_some() { SystemKind::Tuned } else { SystemKind::Base };
        Ok(Self { found, kind })
    }
}

/// The newest model that was tuned here.
pub fn newest_tuned(workspace: &Workspace) -> Result<Found> {
    let artifact = workspace.newest(Kind::Model)?;
    reference::model(workspace, &artifact.id.to_string())
}

/// What the tuned model says it was tuned from: the name, and the digest it had then.
pub fn base_of(tuned: &Found) -> Option<(&str, &Digest)> {
    let inputs = &tuned.artifact.as_ref()?.manifest.inputs;
    inputs.iter().find(|input| input.role == "base").map(|input| (input.reference.as_str(), &input.sha256))
}

/// The models that were named, or the newest tuned one and its base, the base first.
pub fn contenders(workspace: &Workspace, named: &[String], observer: &dyn Observer) -> Result<Vec<Contender>> {
    if !named.is_empty() {
        let downloaded = |name: &String| {
            reference::download(name, observer)?;
            Contender::named(workspace, name)
        };
        return named.iter().map(downloaded).collect();
    }
    let tuned = newest_tuned(workspace)?;
    let mut contenders = Vec::new();
    if let Some((name, digest)) = base_of(&tuned) {
        reference::download(name, observer)?;
        let found = reference::model(workspace, name)?;
        if found.digest != *digest {
            observer.on(Event::warning(format!(
                "{name} is not what {} was tuned from: it changed since; the comparison is with what is there now",
                tuned.reference
            )));
        }
        contenders.push(Contender { found, kind: SystemKind::Base });
    }
    contenders.push(Contender { found: tuned, kind: SystemKind::Tuned });
    Ok(contenders)
}
