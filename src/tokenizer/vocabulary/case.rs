//! Keeping a new tokenizer's normalisation in step with the base's.

use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::{NormalizedString, Normalizer as _, NormalizerWrapper, Tokenizer};

/// Whether a tokenizer takes capitals for small letters.
pub fn is_uncased(tokenizer: &Tokenizer) -> bool {
    let mut text = NormalizedString::from("A");
    tokenizer.get_normalizer().is_some_and(|normalizer| normalizer.normalize(&mut text).is_ok()) && text.get() == "a"
}

/// The same tokenizer, which lower-cases a text after whatever else it does to it first.
pub fn lower_cased(mut tokenizer: Tokenizer) -> Tokenizer {
    let mut steps: Vec<NormalizerWrapper> = tokenizer.get_normalizer().cloned().into_iter().collect();
    steps.push(Lowercase.into());
    // Only a vocabulary that is not there yet could be refused.
    let _ = tokenizer.with_normalizer(Some(Sequence::new(steps)));
    tokenizer
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::models::bpe::BPE;
    use tokenizers::normalizers::NFC;

    #[test]
    fn case_is_seen_and_dropped() {
        let mut tokenizer = Tokenizer::new(BPE::default());
        assert!(!is_uncased(&tokenizer));
        tokenizer.with_normalizer(Some(NFC)).unwrap();
        assert!(!is_uncased(&tokenizer));
        assert!(is_uncased(&lower_cased(tokenizer)));
    }
}
