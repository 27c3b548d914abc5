use proptest::prelude::*;

use super::*;

const NATURAL: &str = "How is oil drained from a receiver?";
const KEYWORDS: &str = "drain oil ammonia receiver";

fn asked() -> Vec<Asked> {
    Asked::of([QuestionKind::Natural, QuestionKind::Keywords])
}

fn both() -> Vec<(QuestionKind, String)> {
    vec![(QuestionKind::Natural, NATURAL.into()), (QuestionKind::Keywords, KEYWORDS.into())]
}

fn object() -> String {
    format!(r#"{{"natural": "{NATURAL}", "keywords": "{KEYWORDS}"}}"#)
}

#[test]
fn answers_in_all_their_forms() {
    let object = object();
    for answer in [
        object.clone(),
        format!("<think>Perhaps {{\"natural\": \"a\", \"keywords\": \"b\"}}?</think>\n{object}"),
        format!("Here you are:\n```json\n{object}\n```\nLet me know if [anything] else is needed."),
        format!("{{{object}}}"),
        format!(r#"{{"answer": {object}}}"#),
        format!(r#"{{"language": "English", "queries": {object}}}"#),
        format!(r#"{{"questions": ["{NATURAL}", "{KEYWORDS}"]}}"#),
        format!(r#"["{NATURAL}", "{KEYWORDS}"]"#),
        format!(r#"[{{"kind": "Keywords", "question": "{KEYWORDS}"}}, {{"kind": "natural", "query": "{NATURAL}"}}]"#),
        format!(r#"{{"questions": [{{"natural": "{NATURAL}"}}, {{"keywords": "{KEYWORDS}"}}]}}"#),
        format!(r#"[{{"question": "{NATURAL}"}}, {{"question": "{KEYWORDS}"}}]"#),
        format!(r#"{{"Natural": "1. {NATURAL}", "KEYWORD": "«{KEYWORDS}»",}}"#),
        format!(r#"{{"natural": {{"question": "{NATURAL}"}}, "keywords": ["{KEYWORDS}", "other"]}}"#),
        format!(r#"{{"natural": "**Question:** \"{NATURAL}\"", "keywords": "- drain oil\n  ammonia receiver"}}"#)
            .replace("**Question:** ", "Question: "),
        format!(r#"{{"type": "object", "required": ["natural", "keywords"]}} {object}"#),
        format!("{object}\n\nNext passage: {}", object.replace("oil", "water")),
    ] {
        assert_eq!(parse(&answer, &asked()).as_ref(), Ok(&both()), "{answer}");
    }
}

#[test]
fn a_repeated_kind_has_its_number() {
    let asked = Asked::of([QuestionKind::Problem, QuestionKind::Problem]);
    for answer in [
        r#"{"problem": "no cooling", "problem_2": "too much frost"}"#,
        r#"{"Problem 1": "no cooling", "Problem 2": "too much frost"}"#,
        r#"[{"kind": "problem", "question": "no cooling"}, {"kind": "problem", "question": "too much frost"}]"#,
    ] {
        let found = parse(answer, &asked).unwrap();
        let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["no cooling", "too much frost"], "{answer}");
    }
}

#[test]
fn fewer_questions_than_asked_will_do() {
    let found = parse(r#"{"natural": "", "keywords": "oil drain"}"#, &asked()).unwrap();
    assert_eq!(found, [(QuestionKind::Keywords, "oil drain".into())]);
    let found = parse(r#"{"keywords": "oil drain", "natural": null"#, &asked()).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn problems_are_told() {
    let problem = |answer: &str| parse(answer, &asked()).unwrap_err().to_string();
    assert_eq!(problem("How is oil drained?"), "no JSON object in the answer");
    assert_eq!(problem(r#"{"natural": "How is o"#), "no JSON object in the answer");
    assert_eq!(problem(r#"{"summary": "oil"}"#), "the object has none of the keys natural, keywords");
    assert_eq!(
        problem(
            r#"{"type": "object", "properties": {"natural": {"type": "string"}}, "required": ["natural", "keywords"]}"#
        ),
        "the object has none of the keys natural, keywords"
    );
    assert_eq!(problem(r#"{"natural": "...", "keywords": ""}"#), "every question in the answer is empty");
    assert_eq!(Problem::CutOff(512).to_string(), "cut off after 512 tokens");
}

#[test]
fn what_belongs_to_a_question_stays() {
    for kept in [
        "2.5 kW motor trips on overload",
        "-40 °C defrost",
        "R717: what is its boiling point?",
        "\"E7\" or \"E8\"",
        "12 bar at the receiver, why?",
        "What does \"flash gas\" mean?",
    ] {
        assert_eq!(cleaned(kept), kept);
    }
    assert_eq!(cleaned("  3)  “Why does\n the fan stop?” "), "Why does the fan stop?");
    assert_eq!(cleaned("Вопрос 2: «Почему стоит вентилятор?»"), "Почему стоит вентилятор?");
    assert_eq!(cleaned(" … "), "");
}

#[test]
fn scores_in_all_their_forms() {
    let wanted = vec![("natural".to_owned(), 4), ("keywords".to_owned(), 2)];
    for answer in [
        r#"{"natural": 4, "keywords": 2}"#,
        r#"```json {"natural": "4/5", "keywords": 2.0} ```"#,
        r#"{"scores": {"natural": {"score": 4, "reason": "fine"}, "keywords": {"reason": "vague", "score": 2}}}"#,
        r#"[{"key": "keywords", "score": 2}, {"key": "natural", "score": "4 out of 5"}]"#,
        "<think>natural deserves {\"natural\": 5}</think>[4, 2]",
    ] {
        assert_eq!(parse_scores(answer, &asked()).as_ref(), Ok(&wanted), "{answer}");
    }
    assert_eq!(parse_scores(r#"{"natural": 9, "keywords": 3}"#, &asked()).unwrap(), [("keywords".to_owned(), 3)]);
    let problem = parse_scores(r#"{"natural": 0}"#, &asked()).unwrap_err().to_string();
    assert_eq!(problem, "no whole number from 1 to 5 for any of the keys natural, keywords");
    assert_eq!(parse_scores("four", &asked()).unwrap_err(), Problem::NoJson);
}

proptest! {
    #[test]
    fn any_answer_can_be_read(text in "\\PC{0,200}") {
        let _ = parse(&text, &asked());
        let _ = parse_scores(&text, &asked());
    }

    #[test]
    fn any_soup_of_json_can_be_read(text in r#"([\[\]{}",:\\a1 é]|natural|keywords|questions|kind|null|</think>){0,60}"#) {
        let _ = parse(&text, &asked());
        let _ = parse_scores(&text, &asked());
    }

    #[test]
    fn a_valid_object_is_found_in_whatever_stands_around_it(
        question in "[a-zа-я]([^\\p{C}]{0,40}[a-zа-я])?",
        before in r"[^\{\[]{0,60}|```json\n|<think>[^\[]{0,20}\{[^\[]{0,20}</think>|\[1\] |\{so\} ",
        after in "\\PC{0,60}",
    ) {
        // What cleaning takes away is another test's matter.
        prop_assume!(cleaned(&question) == question);
        let object = serde_json::json!({ "natural": question, "keywords": KEYWORDS });
        for object in [object.to_string(), format!("{object:#}"), format!("{{{object}}}")] {
            let found = parse(&format!("{before}{object}{after}"), &asked()).unwrap();
            prop_assert_eq!(&found[0], &(QuestionKind::Natural, question.clone()));
            prop_assert_eq!(&found[1].1, KEYWORDS);
        }
    }
}
