//! Run files that other evaluators read.

use std::io::Write;

use super::{Error, Result};
use crate::retrieval::Hit;

/// Writes one query's ranking: `query Q0 passage rank score tag`, a line each, best first.
pub fn write_trec_run(
    out: &mut impl Write,
    query: &str,
    hits: &[Hit],
    ids: &[String],
    tag: &str,
) -> std::io::Result<()> {
    for (at, hit) in hits.iter().enumerate() {
        writeln!(out, "{query} Q0 {} {} {} {tag}", ids[hit.passage], at + 1, hit.score)?;
    }
    Ok(())
}

/// A line of a run: query, passage, rank, score, tag.
pub type RunLine = (String, String, usize, f32, String);

/// Reads a run: query, passage, rank, score, tag of each line.
pub fn read_trec_run(text: &str) -> Result<Vec<RunLine>> {
    let line = |(at, text): (usize, &str)| {
        let broken = || Error::NoRun { line: at + 1, text: text.to_owned() };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [query, _, passage, rank, score, tag] = fields.as_slice() else { return Err(broken()) };
        let (rank, score) = (rank.parse().map_err(|_| broken())?, score.parse().map_err(|_| broken())?);
        Ok(((*query).to_owned(), (*passage).to_owned(), rank, score, (*tag).to_owned()))
    };
    text.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reads_back() {
        let mut out = Vec::new();
        let ids = ["p1".to_owned(), "p2".to_owned()];
        let hits = [Hit { passage: 1, score: 0.25 }, Hit { passage: 0, score: -1.0 }];
        write_trec_run(&mut out, "q", &hits, &ids, "tuned").unwrap();
        let read = read_trec_run(std::str::from_utf8(&out).unwrap()).unwrap();
        assert_eq!(read[0], ("q".into(), "p2".into(), 1, 0.25, "tuned".into()));
        assert!(read_trec_run("q Q0 p").unwrap_err().to_string().starts_with("line 1"));
    }
}
