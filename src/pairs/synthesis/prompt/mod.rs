//! What the model is told: templates with sections and placeholders.
//!
//! lapidary comes with templates in English and Russian and with one for every other language; a user's own is one file for
//! all of them. Every mistake in a template is found when it is read, not when the first passage has been asked about.

mod judge;
mod sections;

use std::sync::LazyLock;

use whatlang::Lang;

use super::kind::{Asked, QuestionKind, schema};
use crate::workspace::{Digest, digest_bytes};
pub(super) use judge::{judge_messages, judge_retry};
pub use sections::PromptError;
use sections::{Body, Rules, Sections, one_line};

/// What each section of a template may hold, and must.
const SECTIONS: Rules = &[
    ("system", &["language", "title", "kinds", "schema"], true),
    ("user", &["title", "passage", "examples", "kinds", "language", "schema"], true),
    ("kinds", &["language", "kind"], true),
    ("examples", &["questions", "language"], false),
    ("retry", &["problem"], true),
];

/// The line of the section `kinds` that describes a kind which is asked for once more.
const AGAIN: &str = "again";
/// The prompt for questions in English.
pub const PROMPT_ENGLISH: &str = include_str!("../../../../assets/prompts/synthesis.en.md");
/// The prompt for questions in Russian.
pub const PROMPT_RUSSIAN: &str = include_str!("../../../../assets/prompts/synthesis.ru.md");
/// What a prompt calls a language that could not be told.
const UNKNOWN_LANGUAGE: &str = "the language of the passage";

/// What the model is told about one passage.
#[derive(Debug, Clone, Copy)]
pub(in crate::pairs) struct Ask<'a> {
    /// The title of the passage's document, with its headings where they say more; may be empty.
    pub(in crate::pairs) title: &'a str,
    /// The passage.
    pub(in crate::pairs) passage: &'a str,
    /// The questions wanted.
    pub(in crate::pairs) kinds: &'a [Asked],
    /// The language to write in; none where it could not be told.
    pub(in crate::pairs) language: Option<Lang>,
    /// Questions that real users asked; may be empty.
    pub(in crate::pairs) examples: &'a [String],
}

/// A template, read and checked.
#[derive(Debug, Clone)]
pub(in crate::pairs) struct Template {
    version: u32,
    digest: Digest,
    system: Body,
    user: Body,
    retry: Body,
    examples: Option<Body>,
    /// A description for each of [`QuestionKind::ALL`].
    kinds: Vec<Body>,
    /// How a kind that is asked for once more is described.
    again: Option<Body>,
}

impl Template {
    /// Reads a template; `origin` is what errors call it.
    pub(in crate::pairs) fn parse(text: &str, origin: &str) -> Result<Self, PromptError> {
        let mut sections = Sections::parse(text, origin, SECTIONS)?;
        let (system, user, retry) = (sections.take("system")?, sections.take("user")?, sections.take("retry")?);
        sections.check_passage(&user)?;
        let kinds = sections.take("kinds")?;
        if !system.holds("kinds") && !user.holds("kinds") {
            return Err(sections.error(
                user.line,
                "the model is never told what to write: {kinds} is missing",
                "put {kinds} on a line of its own in the section `# user`",
            ));
        }
        let examples = sections.take("examples").ok();
        if examples.is_none() && user.holds("examples") {
            return Err(sections.error(
                user.line,
                "{examples} stands for the section `# examples`, which is missing",
                "add the section, with {questions} in it, or remove {examples}",
            ));
        }
        let mut described = Vec::new();
        for kind in QuestionKind::ALL {
            described.push(kinds.entry(kind.word()).ok_or_else(|| {
                sections.error(
                    kinds.line,
                    &format!("the section `# kinds` does not describe {kind:?}", kind = kind.word()),
                    &format!("add a line `{kind}: ...` that says how such a question is asked"),
                )
            })?);
        }
        Ok(Self {
            version: sections.version,
            digest: digest_bytes(text),
            system,
            user,
            retry,
            examples,
            kinds: described,
            again: kinds.entry(AGAIN),
        })
    }

    /// The template that comes with lapidary for questions in a language.
    pub(in crate::pairs) fn built_in(language: Option<Lang>) -> Self {
        static ENGLISH: LazyLock<Template> = LazyLock::new(|| built(PROMPT_ENGLISH));
        static RUSSIAN: LazyLock<Template> = LazyLock::new(|| built(PROMPT_RUSSIAN));
        static ANY: LazyLock<Template> =
            LazyLock::new(|| built(include_str!("../../../../assets/prompts/synthesis.any.md")));
        match language {
            Some(Lang::Eng) => ENGLISH.clone(),
            Some(Lang::Rus) => RUSSIAN.clone(),
            _ => ANY.clone(),
        }
    }

    /// The number that the template's first line gives it.
    pub(in crate::pairs) fn version(&self) -> u32 {
        self.version
    }

    /// The digest of its text.
    pub(in crate::pairs) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The system's and the user's message about a passage.
    pub(in crate::pairs) fn messages(&self, ask: &Ask<'_>) -> (String, String) {
        let language = ask.language.map_or(UNKNOWN_LANGUAGE, Lang::eng_name);
        let kinds = self.described(ask.kinds, language);
        let schema = schema(ask.kinds).to_string();
        let title = one_line(ask.title);
        let examples = self.examples.as_ref().filter(|_| !ask.examples.is_empty()).map(|body| {
            let questions: Vec<_> = ask.examples.iter().map(|question| format!("- {}", one_line(question))).collect();
            body.filled(&[("questions", &questions.join("\n")), ("language", language)])
        });
        let values = [
            ("title", title.as_str()),
            ("passage", ask.passage.trim()),
            ("examples", examples.as_deref().unwrap_or_default()),
            ("kinds", &kinds),
            ("language", language),
            ("schema", &schema),
        ];
        (self.system.filled(&values), self.user.filled(&values))
    }

    /// What the model is told of an answer that is of no use.
    pub(in crate::pairs) fn retry(&self, problem: &str) -> String {
        self.retry.filled(&[("problem", problem)])
    }

    /// A line for each question wanted.
    fn described(&self, asked: &[Asked], language: &str) -> String {
        let line = |asked: &Asked| {
            let key = format!("\"{}\"", asked.key);
            let own = || {
                // `ALL` is in the order of the variants.
                let body = &self.kinds[asked.kind as usize];
                body.filled(&[("language", language), ("kind", &key)])
            };
            let text = match &self.again {
                Some(again) if asked.key != asked.kind.word() => {
                    again.filled(&[("language", language), ("kind", &format!("\"{}\"", asked.kind))])
                }
                _ => own(),
            };
            format!("- {key}: {text}")
        };
        asked.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A template that comes with lapidary.
fn built(text: &str) -> Template {
    // The text is part of the program, and a test reads each.
    Template::parse(text, "the built-in prompt").expect("the built-in prompts can be read")
}

#[cfg(test)]
mod tests;
