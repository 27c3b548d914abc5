//! What is asked of a passage, and what an answer is worth.

use std::sync::Arc;

use whatlang::Lang;

use super::answer::{self, Problem};
use super::journal::Posed;
use super::kind::{Asked, judge_schema, kinds_for, schema};
use super::prompt::{Ask, Template, judge_messages, judge_retry};
use crate::corpus::Passage;
use crate::pairs::ollama::{Asking, Reply, Thinking};
use crate::settings::PairsSynthesisSettings;
use crate::workspace::digest_bytes;

/// Tokens that everything in a prompt but the passage may take.
const TOKENS_AROUND: usize = 900;
/// Tokens of a word, where a tokenizer does not know the language well.
const TOKENS_OF_WORD: usize = 3;
/// Words of a passage that are shown in the smallest context.
const LEAST_WORDS: usize = 60;
/// Words of a wrong answer that the model is reminded of.
const MOST_REMINDED: usize = 200;
/// Tokens of a judgement.
const TOKENS_OF_SCORES: usize = 96;

/// Turns passages into requests, and answers into questions.
pub(super) struct Questioner {
    pub(super) passages: Arc<[Passage]>,
    /// The prompts, by language; the last serves every other.
    pub(super) templates: Templates,
    /// The language that was asked for.
    pub(super) language: Option<Lang>,
    /// The language of each passage, where none was asked for.
    pub(super) languages: Vec<Option<Lang>>,
    /// Questions that real users asked.
    pub(super) examples: Vec<String>,
    /// The rest.
    pub(super) settings: PairsSynthesisSettings,
}

/// The prompts that are used.
pub(super) enum Templates {
    /// The user's own, for every language.
    Own(Box<Template>),
    /// Those that come with lapidary.
    BuiltIn,
}

impl Templates {
    /// The digest of all of them, and the version that they give themselves.
    pub(super) fn digest(&self) -> (String, u32) {
        match self {
            Self::Own(template) => (template.digest().to_string(), template.version()),
            Self::BuiltIn => {
                let all = [Some(Lang::Eng), Some(Lang::Rus), None].map(Template::built_in);
                let digests: Vec<&str> = all.iter().map(|template| template.digest().as_str()).collect();
                (digest_bytes(digests.concat()).to_string(), all[0].version())
            }
        }
    }

    /// The prompt for a language.
    fn of(&self, language: Option<Lang>) -> std::borrow::Cow<'_, Template> {
        match self {
            Self::Own(template) => std::borrow::Cow::Borrowed(template),
            Self::BuiltIn => std::borrow::Cow::Owned(Template::built_in(language)),
        }
    }
}

impl Questioner {
    /// Twice the tokens for an answer, as far as the context has room for them beside the prompt.
    pub(super) fn more_tokens(&self, num_predict: usize) -> usize {
        (num_predict * 2).min(self.settings.num_ctx / 2).max(num_predict)
    }

    /// Words of a passage that are shown: Ollama cuts a prompt that does not fit in silence, and at its beginning.
    fn most_words(&self) -> usize {
        let left = self.settings.num_ctx.saturating_sub(self.settings.num_predict + TOKENS_AROUND);
        (left / TOKENS_OF_WORD).max(LEAST_WORDS)
    }

    /// A passage's id.
    pub(super) fn id(&self, passage: usize) -> &str {
        &self.passages[passage].id
    }

    /// The kinds of question that a passage gets.
    fn kinds(&self, passage: usize) -> Vec<Asked> {
        kinds_for(self.id(passage), self.settings.questions)
    }

    /// The request for a passage's questions.
    pub(super) fn asking(
        &self,
        passage: usize,
        wrong: Option<&(String, String)>,
        num_predict: usize,
        tries: usize,
    ) -> Asking {
        let of = &self.passages[passage];
        let text = first_words(&of.text, self.most_words());
        let language = self.language.or_else(|| self.languages.get(passage).copied().flatten());
        let kinds = self.kinds(passage);
        let template = self.templates.of(language);
        let title = of.heading.join(" › ");
        let ask = Ask { title: &title, passage: text, kinds: &kinds, language, examples: &self.examples };
        let (system, user) = template.messages(&ask);
        let mut messages = vec![("system", system), ("user", user)];
        if let Some((answer, problem)) = wrong {
            messages.push(("assistant", first_words(answer, MOST_REMINDED).to_owned()));
            messages.push(("user", template.retry(problem)));
        }
        self.request(messages, schema(&kinds), num_predict, tries)
    }

    /// The request for what its questions are worth.
    pub(super) fn judging(
        &self,
        passage: usize,
        questions: &[Posed],
        wrong: Option<&(String, String)>,
        tries: usize,
    ) -> Asking {
        let keys = keys(questions);
        let listed: Vec<(Asked, String)> =
            keys.iter().cloned().zip(questions.iter().map(|posed| posed.question.clone())).collect();
        let of = &self.passages[passage];
        let (system, user) = judge_messages(&of.heading.join(" › "), first_words(&of.text, self.most_words()), &listed);
        let mut messages = vec![("system", system), ("user", user)];
        if let Some((answer, problem)) = wrong {
            messages.push(("assistant", first_words(answer, MOST_REMINDED).to_owned()));
            messages.push(("user", judge_retry(problem)));
        }
        self.request(messages, judge_schema(&keys), TOKENS_OF_SCORES, tries)
    }

    fn request(
        &self,
        messages: Vec<(&'static str, String)>,
        schema: serde_json::Value,
        num_predict: usize,
        tries: usize,
    ) -> Asking {
        let settings = &self.settings;
        Asking {
            messages,
            schema,
            // The same for every request: another one would load the model anew.
            num_ctx: settings.num_ctx,
            num_predict,
            temperature: settings.temperature,
            // The same words again would be wrong again.
            seed: settings.seed.wrapping_add(tries as u64),
            thinking: Thinking::Unsaid,
        }
    }

    /// The questions in an answer.
    pub(super) fn questions(&self, passage: usize, reply: &Reply) -> Result<Vec<Posed>, Useless> {
        let asked = self.kinds(passage);
        match answer::parse(&reply.text, &asked) {
            Ok(questions) => Ok(questions.into_iter().map(|(kind, question)| Posed { kind, question }).collect()),
            Err(Problem::AllEmpty) => Err(Useless::NothingToAsk),
            Err(_) if reply.truncated => Err(Useless::Wrong(Problem::CutOff(reply.tokens as usize).to_string())),
            Err(problem) => Err(Useless::Wrong(problem.to_string())),
        }
    }

    /// The scores in an answer, one for each question; 0 where it says none.
    pub(super) fn scores(questions: &[Posed], reply: &Reply) -> Result<Vec<u8>, String> {
        let keys = keys(questions);
        let scores = answer::parse_scores(&reply.text, &keys).map_err(|problem| problem.to_string())?;
        let of = |asked: &Asked| scores.iter().find(|(key, _)| *key == asked.key).map_or(0, |(_, score)| *score);
        Ok(keys.iter().map(of).collect())
    }
}

/// Why an answer holds no questions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Useless {
    /// The model was told to leave all strings empty where there is nothing to ask about, and did.
    NothingToAsk,
    /// It cannot be understood; the model is told why.
    Wrong(String),
}

/// The JSON properties under which questions are judged: their kinds, numbered where one comes again.
fn keys(questions: &[Posed]) -> Vec<Asked> {
    Asked::of(questions.iter().map(|posed| posed.kind))
}

/// The beginning of a text, so many words of it.
fn first_words(text: &str, most: usize) -> &str {
    let mut words = 0;
    let mut in_word = false;
    for (at, c) in text.char_indices() {
        let begins = !c.is_whitespace() && !in_word;
        in_word = !c.is_whitespace();
        words += usize::from(begins);
        if words > most {
            return text[..at].trim_end();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_of_a_text() {
        assert_eq!(first_words(" a b  c", 2), " a b");
        assert_eq!(first_words("слово", 1), "слово");
        assert_eq!(first_words("a b", 9), "a b");
    }
}
