//! Questions that a local language model asks of the passages: what it is told, and what is made of its answer.

mod answer;
mod kind;
mod lenient;
mod prompt;

#[allow(unused_imports)]
pub(in crate::pairs) use {
    answer::{Problem, parse, parse_scores},
    kind::{Asked, QuestionKind, judge_schema, kinds_for, schema},
    prompt::{Ask, PromptError, Template, judge_digest, judge_messages, judge_retry, judge_version},
};
