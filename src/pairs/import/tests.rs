use super::*;
use crate::corpus::Passage;
use crate::progress::{Recorder, Silent};

const FROST: &str = "Frost on the coil keeps the heat of the room from the refrigerant.";
const OIL: &str = "Oil collects at the bottom of the receiver.";

fn known() -> Known {
    let mut known = Known::new(13);
    for (id, text, fold) in [("p-frost", FROST, Fold::Train), ("p-oil", OIL, Fold::Test)] {
        let document = format!("document of {id}");
        known.add(&Passage { id: id.into(), document, heading: vec![], text: text.into(), fold, cluster: 0 });
    }
    known
}

/// What becomes of a file with this name and text.
fn imported(name: &str, text: &str) -> Result<PairSet> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    Ok(assemble(vec![(source_name(&file), read(&file)?)], &known(), &Silent)?.0)
}

#[test]
fn a_table_with_negatives_and_a_broken_line() {
    let table = format!(
        "Question;Answer_Passage;negative_1;negative_2;note\n\
         why frost;\"{FROST}\";{OIL};Something else entirely.;x\n\
         too;few\n\
         where is oil;\"Oil  collects at\nthe bottom of the receiver.\";;;\n\
         ;{FROST};;;\n"
    );
    let set = imported("pairs.csv", &table).unwrap();
    let row = &set.train[0];
    assert_eq!(
        (row.query.as_str(), &row.positives[..], row.source.as_str()),
        ("why frost", &["p-frost".to_owned()][..], "pairs.csv")
    );
    assert_eq!(row.document, "document of p-frost");
    // The held-out passage is no negative to train with; the text from nowhere is.
    assert_eq!(row.negatives.len(), 1);
    assert_eq!(row.texts[&row.negatives[0]], "Something else entirely.");
    assert_eq!(set.test[0].positives, ["p-oil"]);
    let broken: Vec<_> = set.broken.iter().map(|broken| (broken.line, broken.problem.as_str())).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken[0].0 == 3 && broken[0].1.contains("2 fields where the header has 5"), "{broken:?}");
    assert!(broken[1].0 == 6 && broken[1].1 == "no query", "{broken:?}");
}

#[test]
fn a_table_in_an_old_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("пары.csv");
    let text = "query,positive\nпочему растёт иней,Иней на батарее мешает теплу помещения дойти до хладагента.\n";
    std::fs::write(&file, encoding_rs::WINDOWS_1251.encode(text).0).unwrap();
    assert_eq!(read(&file).unwrap().pairs[0].query, "почему растёт иней");
}

#[test]
fn json_lines_with_lists_strings_and_ids() {
    let lines = format!(
        "{}\n{{\"anchor\": \"a\", \"positive\": \n{}\n",
        serde_json::json!({"query": "why frost", "positives": ["p-frost"], "neg": ["No."], "score": 1}),
        serde_json::json!({"anchor": "what of ice", "positive": FROST.replace(' ', "\n")}),
    );
    let set = imported("pairs.jsonl", &lines).unwrap();
    assert_eq!(set.train.iter().map(|row| row.positives[0].as_str()).collect::<Vec<_>>(), ["p-frost", "p-frost"]);
    assert_eq!(set.train[0].texts[&set.train[0].negatives[0]], "No.");
    assert_eq!((set.broken.len(), set.broken[0].line), (1, 2));
}

#[test]
fn unknown_columns_are_named_with_those_wanted() {
    for (name, text) in [("a.csv", "ask,tell\nx,y\n"), ("a.jsonl", "{\"ask\":\"x\",\"tell\":\"y\"}\n")] {
        let error = imported(name, text).unwrap_err().to_string();
        assert!(error.contains("it has: ask, tell; rename one to query, question, anchor"), "{error}");
    }
    let error = imported("a.docx", "").unwrap_err().to_string();
    assert!(error.contains("give a .csv"), "{error}");
}

#[test]
fn llama_index_sets() {
    let set = serde_json::json!({
        "queries": {"q1": "why frost", "q2": "what else"},
        "corpus": {"n1": FROST, "n2": "A text of its own."},
        "relevant_docs": {"q1": ["n1"], "q2": ["n2", "gone"]},
        "mode": "text",
    });
    let set = imported("qa.json", &set.to_string()).unwrap();
    let rows: Vec<_> = [&set.train, &set.dev, &set.test].into_iter().flatten().collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().any(|row| row.query_id == "q1" && row.positives == ["p-frost"]));
    assert!(set.broken[0].problem.contains("\"gone\""));
}

#[test]
fn beir_folders_keep_their_folds_for_texts_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str, text: String| crate::workspace::write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
    let corpus = [("1", FROST), ("2", "A text of its own.")]
        .map(|(id, text)| serde_json::json!({"_id": id, "title": "", "text": text}).to_string());
    write("corpus.jsonl", corpus.join("\n"));
    write("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"why frost\"}\n{\"_id\":\"q2\",\"text\":\"what else\"}\n".into());
    write("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\t1\t1\nq2\t2\t1\nq2\t1\t0\nq2 2\n".into());
    let set = assemble(vec![("set".into(), read(folder.path()).unwrap())], &known(), &Silent).unwrap().0;
    // The workspace trains on the document of the first; only the second is a test question still.
    assert_eq!((set.train[0].query_id.as_str(), set.test[0].query_id.as_str()), ("q1", "q2"));
    assert_eq!((set.broken.len(), set.broken[0].line), (1, 5));
}

#[test]
fn texts_from_nowhere_draw_their_fold_once_for_all() {
    let known = Known::new(7);
    let mut counts = [0_usize; 3];
    for n in 0..1000 {
        let text = format!("text {n}");
        let place = known.place(&text, None);
        assert_eq!(place.text.as_deref(), Some(text.as_str()));
        assert_eq!(place, known.place(&text, None));
        counts[match place.fold {
            Fold::Train => 0,
            Fold::Dev => 1,
            Fold::Test => 2,
        }] += 1;
    }
    assert!(counts[0].abs_diff(800) < 40 && counts[1].abs_diff(100) < 30, "{counts:?}");
}

#[test]
fn every_pair_is_told_but_the_test_questions() {
    let pair = |query: &str, positive: &str| Given {
        query: query.into(),
        positives: vec![positive.into()],
        ..Given::default()
    };
    let pairs =
        vec![pair("why frost", FROST), pair("why frost", "p-frost"), pair("", FROST), pair("where is oil", OIL)];
    let watcher = Recorder::default();
    let contents = vec![("pairs.csv".to_owned(), Contents { pairs, broken: Vec::new() })];
    let (set, _) = assemble(contents, &known(), &watcher).unwrap();
    assert_eq!((set.train.len(), set.test.len(), set.rejected.len()), (1, 1, 2));
    let told: Vec<(String, Option<String>)> = watcher
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Pair { passage, source, rejected, .. } => {
                assert_eq!((passage.as_str(), source.as_str()), ("p-frost", "pairs.csv"));
                Some((passage, rejected))
            }
            _ => None,
        })
        .collect();
    let reasons: Vec<Option<&str>> = told.iter().map(|(_, rejected)| rejected.as_deref()).collect();
    assert_eq!(reasons, [None, None, Some("empty"), Some("duplicate")]);
    watcher.request_stop();
    let contents = vec![("a".to_owned(), Contents { pairs: vec![pair("q", FROST)], broken: Vec::new() })];
    assert!(matches!(assemble(contents, &known(), &watcher), Err(Error::Stopped)));
}

#[test]
fn quotes_name_passages_of_documents() {
    let document = |id: &str, path: &str| crate::corpus::Document {
        id: id.into(),
        path: path.into(),
        title: String::new(),
        format: "text".into(),
        encoding: "UTF-8".into(),
        words: 1,
        passages: 1,
        fold: Fold::Train,
    };
    let passage = |id: &str, document: &str, text: &str| Passage {
        id: id.into(),
        document: document.into(),
        heading: vec![],
        text: text.into(),
        fold: Fold::Train,
        cluster: 0,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("q.jsonl");
    let line =
        |document: &str, quote: &str| serde_json::json!({"document": document, "quote": quote, "question": "why so"});
    let lines = [
        line("a.md", "keeps  the\nheat"),
        line("a.md", "the"),
        line("b.md", "heat of"),
        line("b.md", "nowhere at all"),
        line("gone.md", "x"),
        serde_json::json!({"document": "a.md", "question": "why so", "positive": "A text of its own."}),
        serde_json::json!({"document": {"id": 3}, "question": "why so", "positive": "Another."}),
    ];
    std::fs::write(&file, lines.map(|line| line.to_string()).join("\n")).unwrap();
    let mut contents = vec![("q.jsonl".to_owned(), read(&file).unwrap())];
    // Two documents of one path, from two folders: the quote must be in one passage of them all.
    let documents = [document("a", "a.md"), document("b1", "b.md"), document("b2", "b.md")];
    let mut quotable = Quotable::new(&documents, &wanted(&contents));
    quotable.add(&passage("a1", "a", "Frost keeps the heat\nof the room."));
    quotable.add(&passage("a2", "a", "The fans stop; the coil is cold."));
    quotable.add(&passage("b1-1", "b1", "No heat."));
    quotable.add(&passage("b2-1", "b2", "The heat of another room."));
    find_quoted(&mut contents[0].1, &quotable);
    let Contents { pairs, broken } = &contents[0].1;
    let found: Vec<&str> = pairs.iter().map(|given| given.positives[0].as_str()).collect();
    assert_eq!(found, ["a1", "b2-1", "A text of its own.", "Another."]);
    let problems: Vec<(usize, &str)> = broken.iter().map(|broken| (broken.line, broken.problem.as_str())).collect();
    assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5]);
    assert!(problems[0].1.contains("several passages of a.md"), "{problems:?}");
    assert!(problems[1].1.contains("in no passage of b.md"), "{problems:?}");
    assert!(problems[2].1.contains("\"gone.md\" is not in the corpus"), "{problems:?}");
}
