//! Whether the base can have learnt the languages of the documents.

use super::Finding;
use crate::jobs::{Error, LanguageFit, fit};
use crate::workspace::{Kind, Workspace};

/// Encoders of the supported architecture for a language, the smallest first. The first row serves where none is better.
const BETTER: &[(&[&str], &str)] = &[
    (&[], "intfloat/multilingual-e5-small (100 languages)"),
    (&["rus"], "cointegrated/rubert-tiny2 (Russian, small), or intfloat/multilingual-e5-small (100 languages)"),
    (&["cmn"], "BAAI/bge-small-zh-v1.5 (Chinese), or intfloat/multilingual-e5-small (100 languages)"),
    (&["eng"], "sentence-transformers/all-MiniLM-L6-v2 or intfloat/e5-small-v2 (English)"),
];

pub(super) fn look(workspace: Option<&Workspace>, base: &str) -> Vec<Finding> {
    let about = "languages";
    let Some(workspace) = workspace else {
        return vec![Finding::ok(about, format!("{base}; what it makes of documents is told once there are some"))];
    };
    match fit(workspace, base) {
        Ok(fits) => findings(base, &fits),
        Err(Error::Workspace(crate::workspace::Error::NoArtifact { kind: Kind::Corpus, .. })) => {
            vec![Finding::ok(about, format!("{base}; what it makes of documents is told once they are read"))]
        }
        Err(error) => vec![Finding::warn(
            about,
            error.to_string(),
            "name another base with --base, or leave it out for `embedded`",
        )],
    }
}

fn findings(base: &str, fits: &[LanguageFit]) -> Vec<Finding> {
    if fits.is_empty() {
        return vec![Finding::ok("languages", format!("{base}; the language of these documents cannot be told"))];
    }
    let finding = |fit: &LanguageFit| {
        let LanguageFit { language, share, ratio, unknown, spaced, .. } = fit;
        let unit = if *spaced { "word" } else { "character" };
        let share = share * 100.0;
        if fit.is_known() {
            let text = format!("{base} reads {language} ({share:.0} % of the passages) at {ratio:.2} tokens a {unit}");
            return Finding::ok("languages", text);
        }
        let how = if *unknown >= 0.05 {
            format!("{:.0} % of it is unknown to it", unknown * 100.0)
        } else {
            format!("it spells it at {ratio:.2} tokens a {unit}")
        };
        Finding::warn(
            "languages",
            format!("{base} does not know {language} ({share:.0} % of the passages): {how}"),
            format!("tune another base, with --base: {}", better(&fit.code)),
        )
    };
    fits.iter().map(finding).collect()
}

fn better(code: &str) -> &'static str {
    BETTER.iter().find(|(codes, _)| codes.contains(&code)).map_or(BETTER[0].1, |(_, names)| names)
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::*;

    #[test]
    fn a_base_that_spells_a_language_is_named_with_better_ones() {
        let fit = |language: &str, code: &str, ratio: f64, unknown: f64| LanguageFit {
            language: language.into(),
            code: code.into(),
            share: 0.5,
            ratio,
            spaced: code != "tha",
            unknown,
        };
        let found = findings("embedded", &[fit("English", "eng", 1.6, 0.0), fit("Russian", "rus", 6.2, 0.0)]);
        assert_eq!(found.iter().map(|finding| finding.mark).collect::<Vec<_>>(), [Mark::Ok, Mark::Warn]);
        assert!(found[1].text.contains("does not know Russian") && found[1].text.contains("6.20 tokens a word"));
        assert!(found[1].fix.as_ref().unwrap().contains("rubert-tiny2"));
        let found = findings("x", &[fit("Thai", "tha", 1.0, 0.9)]);
        assert!(
            found[0].text.contains("90 % of it is unknown") && found[0].fix.as_ref().unwrap().contains("multilingual")
        );
    }
}
