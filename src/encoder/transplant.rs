//! Another vocabulary in a trained encoder.

use candle_core::{Tensor, Var};

use super::model::WORDS;
use super::{Encoder, Error, Result};
use crate::tokenizer::{Source, Tokenizer};

/// Where the rows of a new vocabulary came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Transplanted {
    /// Rows taken over as they were.
    pub copied: usize,
    /// Rows that are means of the base's.
    pub averaged: usize,
    /// Rows of what is no text itself: means of the new tokens that contain it.
    pub contained: usize,
    /// Rows of which nothing is known: the mean of the whole table.
    pub unknown: usize,
}

impl Encoder {
    /// The same encoder with another tokenizer and a table of token embeddings `[vocabulary, hidden]` made of the old one's
    /// rows, as the sources say for each id (Fast Vocabulary Transfer; Gee et al. 2022). Everything else stays; until the
    /// student is aligned it is worse than it was.
    pub fn transplanted(&self, tokenizer: Tokenizer, sources: &[Source]) -> Result<(Self, Transplanted)> {
        let adds = |tokenizer: &Tokenizer| tokenizer.encode_fast("", true).map_or(0, |encoding| encoding.len());
        if adds(&tokenizer) == 0 && adds(&self.tokenizer) > 0 {
            return Err(Error::Transplant(
                "the base's tokenizer puts special tokens around a text, this one does not: train it here, or give its tokenizer.json the base's post_processor".to_owned(),
            ));
        }
        if sources.len() != tokenizer.get_vocab_size(true) {
            let (ids, tokens) = (sources.len(), tokenizer.get_vocab_size(true));
            return Err(Error::Transplant(format!("{tokens} tokens with ids up to {ids}: ids must have no gaps")));
        }
        let old = self.parameters().get(WORDS).ok_or_else(|| Error::Transplant(format!("no parameter {WORDS}")))?;
        let hidden = self.config().hidden_size;
        let table = old.as_detached_tensor().flatten_all()?.to_vec1::<f32>()?;
        let (rows, told) = rows(&table, hidden, sources)?;
        let mut new = self.replica(self.device())?;
        let rows = Tensor::from_vec(rows, (sources.len(), hidden), self.device())?;
        new.parameters.insert(WORDS, Var::from_tensor(&rows)?);
        new.config.vocab_size = sources.len();
        let padding = ["[PAD]", "<pad>"].iter().find_map(|name| tokenizer.token_to_id(name));
        new.config.pad_token_id = padding.unwrap_or(0);
        new.tokenizer = tokenizer;
        new.set_max_length(self.max_length())?;
        Ok((new, told))
    }
}

/// The new table, row by row.
fn rows(table: &[f32], hidden: usize, sources: &[Source]) -> Result<(Vec<f32>, Transplanted)> {
    let count = table.len() / hidden;
    let mut told = Transplanted::default();
    let mut rows = vec![0.0_f32; sources.len() * hidden];
    for (id, source) in sources.iter().enumerate() {
        let Source::Base(from) = source else { continue };
        if let Some(row) = from.iter().find(|row| **row as usize >= count) {
            return Err(Error::Transplant(format!(
                "the base's tokenizer has the id {row}, its embeddings have {count} rows: copy both from the same model"
            )));
        }
        *if from.len() == 1 { &mut told.copied } else { &mut told.averaged } += 1;
        mean_of(from.iter().map(|&row| &table[row as usize * hidden..][..hidden]), &mut rows[id * hidden..][..hidden]);
    }
    let mut anything = vec![0.0; hidden];
    mean_of(table.chunks_exact(hidden), &mut anything);
    for (id, source) in sources.iter().enumerate() {
        let mut mean = vec![0.0; hidden];
        match source {
            Source::Base(_) => continue,
            Source::Containing(tokens) => {
                told.contained += 1;
                mean_of(tokens.iter().map(|&token| &rows[token as usize * hidden..][..hidden]), &mut mean);
            }
            Source::Anything => {
                told.unknown += 1;
                mean.copy_from_slice(&anything);
            }
        }
        rows[id * hidden..][..hidden].copy_from_slice(&mean);
    }
    Ok((rows, told))
}

/// The mean of rows; where there is none, `into` stays as it is.
fn mean_of<'a>(rows: impl Iterator<Item = &'a [f32]>, into: &mut [f32]) {
    let (mut sum, mut count) = (vec![0.0_f64; into.len()], 0.0);
    for row in rows {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        count += 1.0;
    }
    if count > 0.0 {
        into.iter_mut().zip(sum).for_each(|(value, sum)| *value = (sum / count) as f32);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use tokenizers::models::wordlevel::WordLevel;
    use tokenizers::pre_tokenizers::whitespace::Whitespace;

    use super::*;
    use crate::encoder::{BertConfig, Role};
    use crate::progress::Silent;

    fn tokenizer(words: usize) -> Tokenizer {
        let vocabulary = (0..words).map(|id| (format!("w{id}"), id as u32)).collect();
        let model = WordLevel::builder().vocab(vocabulary).unk_token("w0".to_owned()).build().unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(Whitespace {}));
        tokenizer
    }

    fn encoder() -> Encoder {
        Encoder::random(BertConfig::tiny(2), tokenizer(60), 1, &Device::Cpu).unwrap()
    }

    #[test]
    fn rows_are_copied_averaged_and_carried_over() {
        let table = [1.0, 2.0, 3.0, 4.0, 8.0, 0.0];
        let sources =
            [Source::Base(vec![2]), Source::Base(vec![0, 1, 1]), Source::Containing(vec![0, 1]), Source::Anything];
        let (rows, told) = rows(&table, 2, &sources).unwrap();
        let third = |value: f32| value / 3.0;
        let second = [third(7.0), third(10.0)];
        assert_eq!(rows[..4], [8.0, 0.0, second[0], second[1]]);
        assert_eq!(rows[4..6], [f32::midpoint(8.0, second[0]), f32::midpoint(0.0, second[1])]);
        assert_eq!(rows[6..], [4.0, 2.0]);
        assert_eq!(told, Transplanted { copied: 1, averaged: 1, contained: 1, unknown: 1 });
    }

    #[test]
    fn the_same_vocabulary_changes_nothing() {
        let base = encoder();
        let sources: Vec<Source> = (0..60).map(|id| Source::Base(vec![id])).collect();
        let (new, told) = base.transplanted(tokenizer(60), &sources).unwrap();
        assert_eq!(told.copied, 60);
        let embed = |encoder: &Encoder| {
            let tokens = encoder.tokenize(&["w3 w4 w9", "w17"], Role::Passage).unwrap();
            encoder.embed(&tokens, &Silent).unwrap()
        };
        assert_eq!(embed(&base), embed(&new));
    }

    #[test]
    fn a_student_does_not_share_its_base_s_parameters() {
        let base = encoder();
        let sources: Vec<Source> = (0..30).map(|id| Source::Base(vec![id, id + 30])).collect();
        let (new, _) = base.transplanted(tokenizer(30), &sources).unwrap();
        assert_eq!((new.config().vocab_size, base.config().vocab_size), (30, 60));
        let name = "encoder.layer.0.output.dense.weight";
        let (mine, theirs) = (new.parameters().get(name).unwrap(), base.parameters().get(name).unwrap());
        mine.set(&mine.zeros_like().unwrap()).unwrap();
        assert!(theirs.as_tensor().sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() > 0.0);
    }

    #[test]
    fn a_tokenizer_of_another_model_is_refused() {
        let error = encoder().transplanted(tokenizer(1), &[Source::Base(vec![77])]).unwrap_err().to_string();
        assert!(error.contains("id 77") && error.contains("60 rows"), "{error}");
    }
}
