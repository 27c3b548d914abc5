//! What a model is told that judges questions: one prompt for all languages, since nothing is written in any.

use std::sync::LazyLock;

use super::super::kind::{Asked, judge_schema};
use super::sections::{Body, PromptError, Rules, Sections, one_line};

const TEXT: &str = include_str!("../../../../assets/prompts/judge.en.md");

const SECTIONS: Rules = &[
    ("system", &[], true),
    ("user", &["title", "passage", "questions", "schema"], true),
    ("retry", &["problem"], true),
];

static PROMPT: LazyLock<Prompt> = LazyLock::new(|| {
    // The text is part of the program, and a test reads it.
    Prompt::parse(TEXT).expect("the judge's prompt can be read")
});

struct Prompt {
    system: Body,
    user: Body,
    retry: Body,
}

impl Prompt {
    fn parse(text: &str) -> Result<Self, PromptError> {
        let mut sections = Sections::parse(text, "the judge's prompt", SECTIONS)?;
        let (system, user, retry) = (sections.take("system")?, sections.take("user")?, sections.take("retry")?);
        sections.check_passage(&user)?;
        Ok(Self { system, user, retry })
    }
}

/// The system's and the user's message about the questions of a passage.
pub(in crate::pairs) fn judge_messages(title: &str, passage: &str, questions: &[(Asked, String)]) -> (String, String) {
    let asked: Vec<_> = questions.iter().map(|(asked, _)| asked.clone()).collect();
    let lines: Vec<_> =
        questions.iter().map(|(asked, question)| format!("- \"{}\": {}", asked.key, one_line(question))).collect();
    let values = [
        ("title", &*one_line(title)),
        ("passage", passage.trim()),
        ("questions", &lines.join("\n")),
        ("schema", &judge_schema(&asked).to_string()),
    ];
    (PROMPT.system.filled(&values), PROMPT.user.filled(&values))
}

/// What the judge is told of an answer that is of no use.
pub(in crate::pairs) fn judge_retry(problem: &str) -> String {
    PROMPT.retry.filled(&[("problem", problem)])
}
