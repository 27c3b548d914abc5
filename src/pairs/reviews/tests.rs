use proptest::prelude::*;

use super::*;

const PAIRS: &str = "cold@v2";

fn row(query: &str, positives: &[&str]) -> Row {
    Row {
        query_id: Row::id_of(query),
        query: query.into(),
        positives: positives.iter().map(|&id| id.to_owned()).collect(),
        source: "heading".into(),
        ..Row::default()
    }
}

fn review(query_id: &str, passage: &str, verdict: Verdict, query: Option<&str>) -> Review {
    Review::new(7, PAIRS, query_id, passage, verdict, query.map(str::to_owned))
}

fn reviews(lines: &[(&str, &str, Verdict, Option<&str>)]) -> Reviews {
    let mut reviews = Reviews::default();
    for (query, passage, verdict, words) in lines {
        reviews.take(&review(&Row::id_of(query), passage, *verdict, *words)).unwrap();
    }
    reviews
}

fn rejected(reason: Reason, row: Row) -> Rejected {
    Rejected { reason, row }
}

fn fold_of(passage: &str) -> Option<Fold> {
    match passage.chars().next() {
        Some('a') => Some(Fold::Train),
        Some('d') => Some(Fold::Dev),
        Some('t') => Some(Fold::Test),
        _ => None,
    }
}

#[test]
fn later_lines_win_and_a_torn_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(Reviews::read(root, PAIRS).unwrap().is_empty());
    for line in [
        review("q", "p", Verdict::Reject, None),
        review("q", "p", Verdict::Edit, Some("  why frost? ")),
        review("q", "p", Verdict::Accept, None),
        review("q", "r", Verdict::Accept, None),
        review("q", "r", Verdict::Reject, None),
        Review { pairs: "cold@v1".into(), ..review("q", "s", Verdict::Reject, None) },
    ] {
        append_review(root, &line).unwrap();
    }
    let path = root.join("reviews/cold.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"v\":1,\"t\":8,\"pai")).unwrap();
    append_review(root, &review("z", "p", Verdict::Reject, None)).unwrap();
    let unknown = r#"{"v":1,"t":9,"pairs":"cold@v2","query_id":"y","passage":"p","verdict":"accept","mood":"good"}"#;
    let empty = r#"{"v":1,"t":9,"pairs":"cold@v2","query_id":"y","passage":"w","verdict":"edit","query":" "}"#;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{unknown}\n{empty}\n{{\"v\":1")).unwrap();

    let read = Reviews::read(root, PAIRS).unwrap();
    assert_eq!(read.get("q", "p"), Some(&Mark { accepted: true, query: Some("why frost?".into()) }));
    assert_eq!(read.get("q", "r"), Some(&Mark { accepted: false, query: None }));
    assert_eq!(read.get("q", "s"), None, "another version's");
    assert!(read.get("z", "p").is_some(), "a torn line swallows none that follows");
    assert!(read.get("y", "p").is_some() && read.get("y", "w").is_none());
    let broken: Vec<usize> = read.broken.iter().map(|broken| broken.line).collect();
    assert_eq!(broken, [7, 10, 11]);
    assert!(read.broken[1].problem.contains("without new words"), "{:?}", read.broken);
    assert_eq!(read.len(), 4);
}

#[test]
fn verdicts_are_carried_out() {
    let set = PairSet {
        train: vec![row("one", &["a1"]), row("two", &["a1", "a2"]), row("three", &["a3"])],
        dev: vec![row("four", &["d1"])],
        rejected: vec![
            rejected(Reason::ShortQuery, row("five", &["a4"])),
            rejected(Reason::LongQuery, row("six", &["d2"])),
            rejected(Reason::Empty, row("seven", &["a5"])),
        ],
        broken: vec![BrokenLine { file: "f".into(), line: 1, problem: "p".into() }],
        ..PairSet::default()
    };
    let said = reviews(&[
        ("one", "a1", Verdict::Accept, None),
        ("two", "a1", Verdict::Reject, None),
        ("three", "a3", Verdict::Edit, Some("thirty-three")),
        ("four", "d1", Verdict::Reject, None),
        ("five", "a4", Verdict::Accept, None),
        ("six", "d2", Verdict::Edit, Some("sixty-six")),
        ("nobody asked", "a1", Verdict::Accept, None),
    ]);
    let (out, counts) = apply_reviews(set.clone(), &said, &fold_of);
    let texts = |rows: &[Row]| rows.iter().map(|row| row.query.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&out.train), ["one", "two", "thirty-three", "five"]);
    assert_eq!(out.train[1].positives, ["a2"]);
    assert_eq!(out.train[2].query_id, Row::id_of("thirty-three"));
    assert_eq!(texts(&out.dev), ["sixty-six"]);
    let out_of: Vec<(Reason, &str, &str)> =
        out.rejected.iter().map(|r| (r.reason, r.row.query.as_str(), r.row.positives[0].as_str())).collect();
    assert_eq!(
        out_of,
        [(Reason::Reviewer, "two", "a1"), (Reason::Reviewer, "four", "d1"), (Reason::Empty, "seven", "a5")]
    );
    assert_eq!(out.broken, set.broken);
    assert_eq!(counts, ReviewCounts { accepted: 1, restored: 1, rejected: 2, edited: 2, held_out: 0, unknown: 1 });
}

#[test]
fn nothing_held_out_comes_into_training() {
    let set = PairSet {
        train: vec![row("one", &["a1"])],
        dev: vec![row("dev", &["d1"])],
        rejected: vec![
            rejected(Reason::NearDuplicateQuery, row("test", &["t1"])),
            rejected(Reason::OtherFold, row("one", &["d2"])),
            rejected(Reason::Duplicate, row("one", &["a1"])),
            rejected(Reason::Duplicate, row("imported", &["x1"])),
        ],
        ..PairSet::default()
    };
    let said = reviews(&[
        ("test", "t1", Verdict::Accept, None),
        ("one", "d2", Verdict::Accept, None),
        ("one", "a1", Verdict::Accept, None),
        ("imported", "x1", Verdict::Accept, None),
    ]);
    let (out, counts) = apply_reviews(set, &said, &fold_of);
    assert_eq!(out.train.iter().map(|row| &row.positives[0]).collect::<Vec<_>>(), ["a1", "x1"]);
    assert_eq!((out.dev.len(), out.rejected.len()), (1, 3));
    assert_eq!((counts.held_out, counts.accepted, counts.restored), (2, 1, 1));
}

#[test]
fn a_question_of_several_passages_is_parted_and_one_that_repeats_another_joins_it() {
    let own = Row { query_id: "from the file".into(), ..row("one", &["a1", "a2"]) };
    let set = PairSet { train: vec![own, row("two", &["a3"])], ..PairSet::default() };
    let mut said = Reviews::default();
    said.take(&review("from the file", "a2", Verdict::Edit, Some("two"))).unwrap();
    let (out, _) = apply_reviews(set, &said, &fold_of);
    assert_eq!(out.train.len(), 2);
    assert_eq!(
        (out.train[0].query_id.as_str(), &out.train[0].positives[..]),
        ("from the file", &["a1".to_owned()][..])
    );
    assert_eq!(out.train[1].positives, ["a3", "a2"]);

    let whole = Row { query_id: "from the file".into(), ..row("one", &["a1"]) };
    let mut said = Reviews::default();
    said.take(&review("from the file", "a1", Verdict::Edit, Some("two"))).unwrap();
    let (out, _) = apply_reviews(PairSet { train: vec![whole], ..PairSet::default() }, &said, &fold_of);
    assert_eq!((out.train[0].query_id.as_str(), out.train[0].query.as_str()), ("from the file", "two"));
}

#[test]
fn an_altered_text_is_reviewed_as_its_passage() {
    let id = Row::altered_id("a1", "the rest");
    let altered = Row { texts: [(id.clone(), "the rest".into())].into(), ..row("one", &[&id]) };
    let set = PairSet { train: vec![altered.clone(), row("two", &["a2"])], ..PairSet::default() };
    let (out, _) = apply_reviews(set, &reviews(&[("one", "a1", Verdict::Reject, None)]), &fold_of);
    assert_eq!(out.rejected, [rejected(Reason::Reviewer, altered)]);
}

proptest! {
    /// Whatever is said, no passage is lost, none is asked twice in one row, and none that is held out is kept.
    #[test]
    fn no_row_is_lost(
        kept in prop::collection::vec(("[a-d]", prop::sample::subsequence(vec!["a1", "a2", "a3"], 1..3)), 0..6),
        out in prop::collection::vec(("[a-f]", prop::sample::select(vec!["a1", "a4", "d1", "t1", "x"])), 0..6),
        said in prop::collection::vec(("[a-f]", prop::sample::select(vec!["a1", "a2", "a4", "d1", "t1", "x"]), 0..3_u8, "[a-h]"), 0..12),
    ) {
        let mut train: Vec<Row> = Vec::new();
        for (query, passages) in kept {
            if train.iter().all(|row| row.query != query) {
                train.push(row(&query, &passages));
            }
        }
        let left_out = out.iter().map(|(query, passage)| rejected(Reason::Duplicate, row(query, &[passage]))).collect();
        let set = PairSet { train, rejected: left_out, ..PairSet::default() };
        let mut lines = Reviews::default();
        for (query, passage, verdict, words) in &said {
            let verdict = [Verdict::Accept, Verdict::Reject, Verdict::Edit][usize::from(*verdict)];
            lines.take(&review(&Row::id_of(query), passage, verdict, Some(words))).unwrap();
        }
        let all = |set: &PairSet| {
            let rows = set.train.iter().chain(&set.dev).chain(set.rejected.iter().map(|rejected| &rejected.row));
            rows.flat_map(|row| row.passages().map(str::to_owned).collect::<Vec<_>>()).collect::<HashSet<String>>()
        };
        let before = all(&set);
        let (after, _) = apply_reviews(set, &lines, &fold_of);
        prop_assert_eq!(all(&after), before);
        let mut seen = HashSet::new();
        for row in after.train.iter().chain(&after.dev) {
            prop_assert!(!row.positives.is_empty() && seen.insert(row.query_id.clone()));
            let passages: HashSet<&str> = row.passages().collect();
            prop_assert_eq!(passages.len(), row.positives.len());
            prop_assert!(!passages.contains("t1"));
        }
    }
}
