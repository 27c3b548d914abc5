//! A workspace that was judged, as the worker would tell it: made up, so that screens stay what they are.

#[allow(clippy::wildcard_imports)] // a part of these tests, parted for reading
use super::*;

/// A question, and its ranks under base, tuned model and BM25.
pub(super) type Asking = (&'static str, Option<usize>, Option<usize>, Option<usize>);

pub(super) const QUERY: &str = "why does suction pressure climb after defrost";
pub(super) const TUNED: &str = "cold-embed@v1";
pub(super) const FUSED: &str = "BM25 + cold-embed@v1, scores";

pub(super) fn version(kind: Kind, reference: &str) -> Version {
    Version {
        kind,
        reference: reference.to_owned(),
        path: PathBuf::from("/w").join(reference),
        made_ms: 1_795_521_600_000 - 7_200_000,
        job: String::new(),
        settings: serde_json::Value::Null,
        inputs: Vec::new(),
        details: serde_json::Value::Null,
        looks: if kind == Kind::Questions { 3 } else { 0 },
        bytes: 0,
        stale: false,
    }
}

pub(super) fn artifacts() -> Artifacts {
    Artifacts {
        read: true,
        corpora: vec![version(Kind::Corpus, "corpus@v1")],
        tokenizers: ["bpe@v2", "bpe@v1", "cold@v3"].map(|name| version(Kind::Tokenizer, name)).to_vec(),
        questions: vec![version(Kind::Questions, "structural@v1")],
        models: vec![version(Kind::Model, TUNED)],
        evaluations: vec![version(Kind::Evaluation, "evaluation@v2")],
        ..Artifacts::default()
    }
}

pub(super) fn state(number: u64) -> State {
    let system = |kind, name: &str| SystemState { name: name.to_owned(), kind, stage: Stage::Ready };
    State {
        number,
        corpus: Some(Ok(CorpusRead { reference: "corpus@v1".to_owned(), passages: 2001, extra: 0 })),
        systems: vec![
            system(SystemKind::Base, "embedded"),
            system(SystemKind::Tuned, TUNED),
            system(SystemKind::Bm25, "BM25 english"),
            system(SystemKind::Fusion, FUSED),
        ],
        notes: Vec::new(),
    }
}

pub(super) fn judged() -> Judged {
    let system = |kind, name: &str, mrr10: f64| {
        let metrics = Metrics {
            mrr10,
            p1: mrr10 - 0.1,
            p5: mrr10 / 5.0 + 0.03,
            p10: mrr10 / 10.0 + 0.02,
            ndcg10: mrr10 + 0.05,
            ..Metrics::default()
        };
        let model = (kind == SystemKind::Fusion).then_some(TUNED);
        System::new(kind, name, model, metrics)
    };
    let delta = |a: &str, b: &str, mrr10: f64, p_value: f64, counts: (usize, usize, usize)| Delta {
        a: a.to_owned(),
        b: b.to_owned(),
        mrr10,
        p_value,
        ci95: [mrr10 - 0.033, mrr10 + 0.033],
        wins: counts.0,
        ties: counts.1,
        losses: counts.2,
    };
    let questions: [Asking; 5] = [
        (QUERY, Some(14), Some(1), Some(3)),
        ("what ends a hot gas defrost", Some(2), Some(2), Some(1)),
        ("purge non-condensables \u{1b}[31m through the cooler", Some(1), Some(4), Some(2)),
        ("как слить масло из ресивера", None, Some(7), None),
        ("when is the brine pump interlocked", Some(3), None, Some(1)),
    ];
    let row = |(at, (query, base, tuned, words)): (usize, &Asking)| {
        let rank = [("embedded", *base), (TUNED, *tuned), ("BM25 english", *words)];
        PerQuery {
            query_id: format!("q{at}"),
            query: (*query).to_owned(),
            relevant: vec![if at == 0 { "p2".to_owned() } else { format!("r{at}") }],
            rank: rank.iter().map(|(name, rank)| ((*name).to_owned(), *rank)).collect(),
            rr10: BTreeMap::new(),
        }
    };
    let findings = Findings {
        queries: 393,
        passages: 2001,
        questions: "structural@v1".to_owned(),
        synthetic: true,
        looks: 2,
        systems: vec![
            system(SystemKind::Base, "embedded", 0.352),
            system(SystemKind::Tuned, TUNED, 0.503),
            system(SystemKind::Bm25, "BM25 english", 0.667),
            system(SystemKind::Bm25, "BM25 plain", 0.641),
            system(SystemKind::Fusion, FUSED, 0.705),
            system(SystemKind::Fusion, "BM25 + cold-embed@v1, ranks", 0.688),
        ],
        deltas: vec![
            delta(TUNED, "embedded", 0.151, 0.00005, (201, 131, 61)),
            delta(TUNED, "BM25 english", -0.164, 0.0001, (60, 120, 213)),
            delta(FUSED, "BM25 english", 0.038, 0.0021, (90, 250, 53)),
            delta(FUSED, TUNED, 0.202, 0.00005, (230, 120, 43)),
        ],
        ladder: None,
        per_query: questions.iter().enumerate().map(row).collect(),
    };
    let verdict = Verdict::of(&findings);
    Judged { reference: "evaluation@v2".to_owned(), findings, verdict }
}

pub(super) fn ranking(number: u64, is_question: bool) -> Ranking {
    let passage = |id: &str, document: &str, heading: &[&str], text: &str, words: &[&str]| Shown {
        id: id.to_owned(),
        document: document.to_owned(),
        heading: heading.iter().map(|part| (*part).to_owned()).collect(),
        text: text.to_owned(),
        matches: words.iter().filter_map(|word| text.find(word).map(|at| at..at + word.len())).collect(),
    };
    let passages = vec![
        passage(
            "p0",
            "startup-checklist.txt",
            &["Startup checklist", "Suction"],
            "Open the suction stop valve slowly.",
            &["suction"],
        ),
        passage("p1", "glossary.csv", &["suction header"], "The pipe that collects the suction gas.", &["suction"]),
        passage(
            "p2",
            "manuals/hot-gas-defrost.md",
            &["Hot gas defrost", "After the defrost"],
            "Bleed the coil down before the suction stop valve opens. Where the bleed is too short, hot gas reaches the \
             suction header at once: the suction pressure climbs, the compressors load up, and liquid that was left in the \
             coil is carried over. Lengthen the bleed until the header stays within 0.3 bar of its set point, and look \
             for a defrost relief valve that does not reseat.",
            &["suction stop", "suction header", "suction pressure", "climbs", "defrost relief"],
        ),
        passage(
            "p3",
            "ottaika-goryachim-gazom.md",
            &["Оттайка горячим газом", "Давление всасывания"],
            "После оттайки давление растёт.",
            &[],
        ),
        passage("p4", "fault-codes.jsonl", &[], "F12 \u{1b}[31msuction pressure high", &["suction", "pressure"]),
        passage(
            "p5",
            "screw-compressor-slide-valve.md",
            &["Slide valve", "Capacity control and unloading at low load"],
            "The slide valve unloads.",
            &[],
        ),
    ];
    let system = |name: &str, ms: f64, hits: &[(usize, f32, Option<Moved>)], relevant_at| Ranked {
        name: name.to_owned(),
        ms,
        hits: Ok(hits
            .iter()
            .map(|(passage, score, moved)| RankedHit {
                passage: *passage,
                score: *score,
                moved: *moved,
                relevant: is_question && *passage == 2,
            })
            .collect()),
        relevant_at: if is_question { relevant_at } else { None },
    };
    let bare = |rows: &[(usize, f32)]| rows.iter().map(|(at, score)| (*at, *score, None)).collect::<Vec<_>>();
    Ranking {
        number,
        query: QUERY.to_owned(),
        is_question,
        systems: vec![
            system("embedded", 31.2, &bare(&[(0, 0.61), (1, 0.58), (3, 0.52), (4, 0.40), (5, 0.377)]), Some(14)),
            system(
                TUNED,
                29.6,
                &[
                    (2, 0.83, Some(Moved::Up(13))),
                    (0, 0.71, Some(Moved::Down(1))),
                    (3, 0.695, Some(Moved::Not)),
                    (5, 0.44, Some(Moved::Up(1))),
                    (4, 0.2, Some(Moved::New)),
                ],
                Some(1),
            ),
            system(
                "BM25 english",
                0.4,
                &[(0, 11.2, Some(Moved::Not)), (4, 9.8, Some(Moved::Up(2))), (2, 9.1, Some(Moved::Up(11)))],
                Some(3),
            ),
            system(
                FUSED,
                30.4,
                &[(2, 7.31, Some(Moved::Up(13))), (0, 6.5, Some(Moved::Down(1))), (4, 3.0, Some(Moved::Up(1)))],
                Some(1),
            ),
        ],
        passages,
        splits: vec![
            Split {
                names: vec!["embedded".to_owned(), TUNED.to_owned()],
                tokens: Ok(vec![0..3, 4..8, 9..12, 12..16, 17..25, 26..31, 32..37, 38..40, 40..43, 43..45]),
            },
            Split {
                names: vec!["bpe@v2".to_owned()],
                tokens: Ok(vec![0..3, 3..8, 8..16, 16..25, 25..31, 31..37, 37..45]),
            },
            Split {
                names: vec!["cold@v3".to_owned()],
                tokens: Err("/w/cold@v3/tokenizer.json: no such file".to_owned()),
            },
        ],
    }
}
